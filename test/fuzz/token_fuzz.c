/*
 * token_fuzz.c
 *		Any bytes as the reply to a token request, and as a file that another
 *		program keeps its token in.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <time.h>

#include "kis.h"
#include "kis/token.h"

#define NOW			1783000000
#define DAY			86400
#define BLANKS		" \t\r\n"

static const int other_statuses[] = {403, 500};

/* Can a header carry it? */
static bool
is_token(const char *text)
{
	size_t		len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	return len > 0 && len < KIS_TOKEN_LEN;
}

static char *
without_blanks(const char *text)
{
	size_t		len;

	text += strspn(text, BLANKS);
	for (len = strlen(text); len > 0 && strchr(BLANKS, text[len - 1]) != NULL;)
		len--;
	return strndup(text, len);
}

/* "2026-04-11 09:30:00" in Korea as Unix seconds; -1: no such time. */
static int64_t
read_time(const char *text)
{
	static const char shape[] = "dddd-dd-dd dd:dd:dd";
	struct tm	said = {0};
	struct tm	day;
	time_t		time;

	if (strlen(text) != strlen(shape))
		return -1;
	for (size_t i = 0; shape[i] != '\0'; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return -1;
	said.tm_year = atoi(text) - 1900;
	said.tm_mon = atoi(text + 5) - 1;
	said.tm_mday = atoi(text + 8);
	said.tm_hour = atoi(text + 11);
	said.tm_min = atoi(text + 14);
	said.tm_sec = atoi(text + 17);
	day = said;
	time = timegm(&day);
	/* what is no day, or no time of it, was made another */
	return day.tm_year == said.tm_year && day.tm_mon == said.tm_mon && day.tm_mday == said.tm_mday &&
		day.tm_hour == said.tm_hour && day.tm_min == said.tm_min && day.tm_sec == said.tm_sec ? time - 9 * 3600 : -1;
}

/* A life of a second to ten years; -1: none. */
static int64_t
read_life(const char *text)
{
	char	   *end;
	long long	life = strtoll(text, &end, 10);

	if (*end != '\0')
		return -1;
	return life > 0 && life <= 3660LL * DAY ? life : -1;
}

/* When a token ends by both of what the reply says; -1: it doesn't say. */
static int64_t
expected_end(const Node *root)
{
	const char *until_text = text_of(member_of(root, "access_token_token_expired"));
	const char *life_text = text_of(member_of(root, "expires_in"));
	char	   *bare_until = without_blanks(until_text != NULL ? until_text : "");
	char	   *bare_life = without_blanks(life_text != NULL ? life_text : "");
	int64_t		until = read_time(bare_until);
	int64_t		life = read_life(bare_life);

	free(bare_until);
	free(bare_life);
	if (life < 0)
		return until;
	return until < 0 || NOW + life < until ? NOW + life : until;
}

static void
check_token_reply(int http_status, const char *text, size_t text_len)
{
	size_t		len = text_len;
	const char *body = behind_mark(text, &len);
	Node	   *root = read_json(body, len);
	KisErrorClass error_class = expected_class(http_status, root);
	KisToken	token;
	KisError	error;
	bool		ok = kis_token_decode(http_status, text, text_len, NOW, &token, &error);
	const Node *node = error_class == KIS_OK ? member_of(root, "access_token") : NULL;
	const char *said = node != NULL && node->kind == NODE_STRING ? node->text : NULL;

	if (error_class == KIS_OK && (said == NULL || !is_token(said) || expected_end(root) < 0))
		error_class = KIS_ERROR_REPLY;
	if (error_class == KIS_OK)
	{
		check(ok && error.error_class == KIS_OK);
		check(strcmp(token.token, said) == 0);
		check(token.expires_at == expected_end(root));
	}
	else
	{
		check(!ok);
		check_error(&error, error_class, http_status);
		check(token.token[0] == '\0');
		/* what is no JSON might be the token itself: not a word of it is shown */
		if (root == NULL)
			check(strncmp(error.text, "the reply is", 12) == 0 ? strlen(error.text) < 100 :
				  strncmp(error.text, "HTTP status ", 12) == 0 && strlen(error.text) < 60);
	}
	free_node(root);
}

static void
check_file(const char *text)
{
	char		token[KIS_TOKEN_LEN];
	bool		found = kis_token_in_text(text, token);
	char	   *bare = without_blanks(text);

	if (found)
		check(is_token(token) && strstr(text, token) != NULL);
	/* a word alone is a token, if it isn't the beginning of JSON or YAML */
	if (is_token(bare) && bare[0] != '{' && strchr(bare, ':') == NULL)
		check(found && strcmp(token, bare) == 0);
	free(bare);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);

	check(text != NULL);
	check_token_reply(200, (const char *) data, size);
	check_token_reply(other_statuses[size % lengthof(other_statuses)], (const char *) data, size);
	memcpy(text, data, size);
	text[size] = '\0';
	check_file(text);
	free(text);
	return 0;
}
