/*
 * token.c
 *		Decodes a reply of the token endpoint, or a token that another program
 *		has put down.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* strptime */
#endif

#include "kis.h"
#include "kis/classify.h"
#include "kis/json.h"
#include "kis/text.h"
#include "kis/token.h"
#include "kis/trading_day.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>


/* No token lives longer, whatever KIS says. */
#define LONGEST_LIFE	(3660LL * 24 * 3600)

/* "2026-04-11 09:30:00", Korean time, as Unix seconds; -1 where it is something else. */
static int64_t
parse_korean_time(const char *text)
{
	static const char format[] = "%Y-%m-%d %H:%M:%S";
	struct tm	parts = {0};
	size_t		len = kis_text_trim(&text, strlen(text));
	const char *end = strptime(text, format, &parts);
	char		again[32];
	int64_t		time;

	if (end != text + len)
		return -1;
	time = timegm(&parts);

	/* strptime takes digits that are missing, and February 30 */
	if (strftime(again, sizeof(again), format, &parts) != len || memcmp(again, text, len) != 0)
		return -1;
	return time - KIS_SEOUL_OFFSET;
}

/* Seconds; -1 where it is something else. */
static int64_t
parse_life(const char *text)
{
	char	   *end;
	long long	life = strtoll(text, &end, 10);

	end += strspn(end, KIS_BLANKS);
	return *end == '\0' && life > 0 && life <= LONGEST_LIFE ? life : -1;
}

/* False where no header could carry it. */
static bool
copy_token(char *token, const char *text, size_t len)
{
	if (len == 0 || len >= KIS_TOKEN_LEN)
		return false;
	memcpy(token, text, len);
	token[len] = '\0';
	return kis_text_is_visible(token);
}

/* Takes the token and the earlier of its two ends from a reply that is a success. */
static bool
read_token(const cJSON *root, int64_t now, KisToken *token, KisError *error)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "access_token"));
	const char *until_text = kis_json_member(root, "access_token_token_expired");
	const char *life_text = kis_json_member(root, "expires_in");
	int64_t		until = until_text != NULL ? parse_korean_time(until_text) : -1;
	int64_t		life = life_text != NULL ? parse_life(life_text) : -1;
	const char *fault = NULL;

	if (text == NULL || text[0] == '\0')
		fault = kis_noop("the reply has no access_token");
	else if (!copy_token(token->token, text, strlen(text)))
		fault = kis_noop("the access token is too long, or has characters that no header can carry");
	else if (until < 0 && life < 0)
		fault = kis_noop("the reply doesn't say until when the access token lives");
	if (fault != NULL)
	{
		token->token[0] = '\0';
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "%s", fault);
		return false;
	}
	token->expires_at = until;
	if (life >= 0 && (until < 0 || now + life < until))
		token->expires_at = now + life;
	return true;
}

/*
 * Decodes a reply of the token endpoint; now is Unix seconds. False and error
 * where KIS refused, or where there is no token with an end in it. The error
 * quotes nothing that could be the token.
 */
bool
kis_token_decode(int http_status, const char *body, size_t len, int64_t now,
				 KisToken *token, KisError *error)
{
	cJSON	   *root;
	bool		ok;

	memset(error, 0, sizeof(*error));
	memset(token, 0, sizeof(*token));
	root = kis_classify(http_status, &body, &len, false, error);
	if (root == NULL)
		return false;
	ok = read_token(root, now, token, error);
	if (!ok)
		error->http_status = http_status;
	cJSON_Delete(root);
	return ok;
}

/* The names under which programs keep a token. */
static const char *const token_names[] = {"access_token", "token"};

/*
 * Of a member of JSON, or of a line "name: value" with each of both in quotes or
 * not: no token has a character that ends it there. Of the names the first one
 * that has a value counts.
 */
static bool
named_token(const char *text, char *token)
{
	static const char around[] = " \t\r'\"";

	for (int i = 0; i < 2; i++)
		for (const char *at = text; at != NULL; at = strpbrk(at, "\n{,"))
		{
			size_t		len = strlen(token_names[i]);

			at += strspn(at, "\n{, \t\r'\"");
			if (strncmp(at, token_names[i], len) != 0)
				continue;
			at += len + strspn(at + len, around);
			if (*at != ':')
				continue;
			at += 1 + strspn(at + 1, around);
			len = strcspn(at, "\n\r\"',} ");
			if (len > 0)
				return memchr(at, '\\', len) == NULL && copy_token(token, at, len);
		}
	return false;
}

/*
 * The token in the content of another program's file: plain, or as member
 * access_token or token of JSON or YAML. token has room for KIS_TOKEN_LEN.
 */
bool
kis_token_in_text(const char *content, char *token)
{
	size_t		word;

	content += strspn(content, KIS_BLANKS);
	word = strcspn(content, KIS_BLANKS);
	if (content[0] == '{' || content[word + strspn(content + word, KIS_BLANKS)] != '\0' ||
		memchr(content, ':', word) != NULL)
		return named_token(content, token);
	return copy_token(token, content, word);
}
