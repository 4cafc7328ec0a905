/*
 * classify.c
 *		Did KIS do what it was asked, and if not, what kind of refusal is it?
 */

#include <string.h>

#include "kis.h"
#include "kis/classify.h"
#include "kis/code.h"
#include "kis/json.h"
#include "kis/text.h"

/* A reply has a handful of members beside its rows. */
#define MOST_MEMBERS	64

/* How much of a page that is no JSON is worth showing. */
#define EXCERPT_LEN		160

/* No code of KIS's: what remains is the HTTP status. */
static bool
judge_status(int http_status, const char *text, KisError *error)
{
	const KisCodeRule *rule = kis_code_rule("", http_status);

	if (rule == NULL)
		return false;
	if (rule->error_class == KIS_ERROR_REPLY)
		text = "redirects are not followed";

	kis_error_set(error, rule->error_class, KIS_PHASE_REPLY, "HTTP status %d%s%s",
				  http_status, text[0] != '\0' ? ": " : "", text);
	error->http_status = http_status;
	return true;
}

static void
judge_no_json(int http_status, const char *body, size_t len, const KisJsonFault *fault,
			  bool quote_page, KisError *error)
{
	const char *what = fault->what;
	char		excerpt[EXCERPT_LEN + 1] = "";
	size_t		first = 0;
	bool		page;

	if (fault->out_of_memory)
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
		error->http_status = http_status;
		return;
	}
	if (judge_status(http_status, "", error))
		return;
	while (first < len && strchr(KIS_BLANKS, body[first]) != NULL && body[first] != '\0')
		first++;
	page = first < len && body[first] != '{' && body[first] != '[';
	if (page && quote_page)
		kis_text_clean(excerpt, sizeof(excerpt), body, len);
	if (first == len)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is empty");
	else if (page)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not JSON%s%s",
					  excerpt[0] != '\0' ? ": " : "", excerpt);
	else if (fault->has_too_many)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply has more than %d values", KIS_MAX_VALUES);
	else if (fault->ends_early)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is truncated after %zu bytes", len);
	else
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is not valid JSON: it %s at byte %zu", what, fault->at + 1);
	error->http_status = http_status;
}

/* An object without double or countless members? */
static bool
is_sound(const cJSON *root, KisError *error)
{
	const char *duplicate;

	if (!cJSON_IsObject(root))
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not a JSON object");
	else if (cJSON_GetArraySize(root) > MOST_MEMBERS)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply has too many members");
	else if ((duplicate = kis_json_duplicate(root)) != NULL)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply has member \"%.64s\" twice", duplicate);
	else
		return true;
	return false;
}

/* By KIS's code, then by rt_cd, then by the HTTP status. */
static bool
is_success(const cJSON *root, int http_status, KisError *error)
{
	const char *rt_cd = kis_classify_text(root, "rt_cd");
	const char *text = kis_classify_text(root, "msg1");
	char		code[sizeof(error->code)];
	char		clean_rt_cd[8] = "";
	const KisCodeRule *rule;

	kis_classify_code(root, code, sizeof(code));
	if (text == NULL)
		text = kis_classify_text(root, "error_description");

	if (text == NULL)
		text = "";

	if (rt_cd != NULL)
		kis_text_clean(clean_rt_cd, sizeof(clean_rt_cd), rt_cd, strlen(rt_cd));

	/* the code's own word, then rt_cd's; never the status's */
	rule = kis_code_rule(code, 200);
	if (rule != NULL ? rule->error_class == KIS_OK : strcmp(clean_rt_cd, "0") == 0)
		return true;
	if (code[0] == '\0' && judge_status(http_status, text, error))
		return false;
	if (code[0] == '\0' && rt_cd == NULL)
	{
		/* no word of KIS: the caller sees what else is missing */
		if (http_status < 400)
			return true;
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "HTTP status %d without a code of KIS: %s", http_status, text);
		return false;
	}
	rule = kis_code_rule(code, http_status);
	kis_error_set(error, rule != NULL ? rule->error_class : KIS_ERROR_REFUSED, KIS_PHASE_REPLY,
				  "%s", text);
	memcpy(error->code, code, sizeof(error->code));
	return false;
}

/*
 * The body of a reply as an object that KIS calls a success, to be freed by
 * cJSON_Delete; NULL and error where it refuses, or where this is no answer of
 * KIS. quote_page: may the error quote what is no JSON? Not where it could be a
 * token.
 */
cJSON *
kis_classify(int http_status, const char *body, size_t len, bool quote_page, KisError *error)
{
	KisJsonFault fault;
	cJSON	   *root = kis_json_parse(body, len, &fault);

	if (root == NULL)
	{
		judge_no_json(http_status, body, len, &fault, quote_page, error);
		return NULL;
	}
	if (!is_sound(root, error))
		judge_status(http_status, "", error);
	else if (is_success(root, http_status, error))
		return root;
	error->http_status = http_status;
	cJSON_Delete(root);
	return NULL;
}

/* KIS's code as it may be shown, "" where there is none. */
void
kis_classify_code(const cJSON *root, char *buffer, size_t size)
{
	const char *code = kis_classify_text(root, "msg_cd");

	if (code == NULL)
		code = kis_classify_text(root, "error_code");
	if (code == NULL)
		code = "";
	kis_text_clean(buffer, size, code, strlen(code));
}

/* A member as text; NULL where it is missing, an object or an array. */
const char *
kis_classify_text(const cJSON *root, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

	return item != NULL ? kis_json_text(item) : NULL;
}
