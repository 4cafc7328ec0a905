/*
 * expected.c
 *		What a reply means, by the documentation of KIS's API alone.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <strings.h>

#include "kis.h"

#define MOST_MEMBERS	64

/* Its codes by what is to be done. */
static const struct
{
	KisErrorClass error_class;
	const char *codes;
}			classes[] =
{
	{KIS_ERROR_TOKEN, " EGW00121 EGW00122 EGW00123 "},
	{KIS_ERROR_RATE, " EGW00201 EGW00215 "},
	{KIS_ERROR_TRANSIENT, " EGW00001 EGW00002 EGW00202 EGW00203 EGW00300 EGW00301 EGW00302 EGW00316 "
	"OPSQ0003 OPSQ0008 OPSQ1002 90020000 SYDB0050 "},
	{KIS_ERROR_CREDENTIALS, " EGW00102 EGW00103 EGW00104 EGW00105 EGW00304 "},
	{KIS_ERROR_TOKEN_TOO_SOON, " EGW00133 "},
	{KIS_ERROR_REFUSED, " EGW00003 EGW00004 EGW00101 EGW00132 EGW00205 EGW00206 EGW00207 EGW00208 "
	"EGW02004 EGW02006 OPSQ0002 "},
	{KIS_OK, " KIOK0500 KIOK0560 "},
};

static bool
is_blank(char c)
{
	return (unsigned char) c <= ' ' || c == 0x7F;
}

/* A member's text without blanks and control characters around it; "" if there is none. */
static char *
bare_text(const Node *root, const char *name, const char *other_name)
{
	const char *text = text_of(member_of(root, name));
	size_t		len;

	if (text == NULL && other_name != NULL)
		text = text_of(member_of(root, other_name));
	if (text == NULL)
		text = "";
	while (*text != '\0' && is_blank(*text))
		text++;
	len = strlen(text);
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return strndup(text, len);
}

/* Whether the code is listed, and its class. */
static bool
is_listed(const char *code, KisErrorClass *error_class)
{
	char		word[32];

	*error_class = KIS_ERROR_REFUSED;
	if (strncasecmp(code, "OPSQ2", 5) == 0)
		return true;
	if (strlen(code) != 8 || strchr(code, ' ') != NULL)
		return false;
	snprintf(word, sizeof(word), " %s ", code);
	for (size_t i = 0; i < lengthof(classes); i++)
		if (strcasestr(classes[i].codes, word) != NULL)
		{
			*error_class = classes[i].error_class;
			return true;
		}
	return false;
}

/* A code that is listed nowhere, or none. */
static KisErrorClass
class_without_code(int http_status, const Node *root, const char *code, const char *rt_cd)
{
	/* whatever rt_cd says, these are errors */
	if (strncasecmp(code, "EGW", 3) == 0)
		return http_status >= 500 ? KIS_ERROR_TRANSIENT : KIS_ERROR_REFUSED;
	if (strncasecmp(code, "OPSQ", 4) == 0)
		return KIS_ERROR_REFUSED;
	if (strcmp(rt_cd, "0") == 0)
		return KIS_OK;
	if (code[0] != '\0')
		return KIS_ERROR_REFUSED;
	if (http_status >= 500)
		return KIS_ERROR_TRANSIENT;
	if (http_status >= 300 && http_status < 400)
		return KIS_ERROR_REPLY;
	if (text_of(member_of(root, "rt_cd")) != NULL)
		return KIS_ERROR_REFUSED;
	return http_status >= 400 ? KIS_ERROR_REPLY : KIS_OK;
}

static KisErrorClass
class_of_codes(int http_status, const Node *root, const char *code, const char *rt_cd)
{
	KisErrorClass error_class;
	bool		listed = is_listed(code, &error_class);

	if (!listed)
		error_class = class_without_code(http_status, root, code, rt_cd);
	return http_status == 429 && error_class != KIS_OK && (!listed || error_class == KIS_ERROR_TRANSIENT) ?
		KIS_ERROR_RATE : error_class;
}

KisErrorClass
expected_class(int http_status, const Node *root)
{
	char	   *code;
	char	   *rt_cd;
	KisErrorClass error_class;

	if (root == NULL || root->kind != NODE_OBJECT || count_of(root) > MOST_MEMBERS ||
		has_double_names(root))
		return http_status == 429 ? KIS_ERROR_RATE : http_status >= 500 ? KIS_ERROR_TRANSIENT : KIS_ERROR_REPLY;
	code = bare_text(root, "msg_cd", "error_code");
	rt_cd = bare_text(root, "rt_cd", NULL);
	error_class = class_of_codes(http_status, root, code, rt_cd);
	free(code);
	free(rt_cd);
	return error_class;
}

bool
says_code(const Node *root, const char *code)
{
	char	   *said = bare_text(root, "msg_cd", "error_code");
	bool		same = strcasecmp(said, code) == 0;

	free(said);
	return same;
}

void
check_error(const KisError *error, KisErrorClass error_class, int http_status)
{
	check(error->error_class == error_class);
	check(error->http_status == http_status);
	check(error->phase == KIS_PHASE_REPLY);
	check(memchr(error->text, '\0', sizeof(error->text)) != NULL);
	check(memchr(error->code, '\0', sizeof(error->code)) != NULL);
	check(is_fit_to_show(error->text));
	check(is_fit_to_show(error->code));
}
