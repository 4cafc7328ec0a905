/*
 * token.c
 *		Decodes a reply of the token endpoint, or a token that another program
 *		has put down.
 */
#include "kis.h"
#include "kis/classify.h"
#include "kis/json.h"
#include "kis/text.h"
#include "kis/token.h"
#include "kis/trading_day.h"

#include <stdio.h>
#include <string.h>
#include <time.h>


/* No token lives longer, whatever KIS says. */
#define LONGEST_LIFE	(3660LL * 24 * 3600)

/* "2026-04-11 09:30:00", Korean time, as Unix seconds; -1 where it is something else. */
static int64_t
parse_korean_time(const char *text)
{
	static const char shape[] = "0000-00-00 00:00:00";
	size_t		len = kis_text_trim(&text, strlen(text));
	struct tm	parts = {0};
	struct tm	real;
	int			seconds;
	int64_t		minute;

	if (len != sizeof(shape) - 1)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return -1;
	sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
		   &parts.tm_hour, &parts.tm_min, &seconds);
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	real = parts;
	minute = timegm(&real);
	/* it makes a real time of what is none, such as February 30 */
	if (parts.tm_year < 70 || parts.tm_mon != real.tm_mon || parts.tm_mday != real.tm_mday ||
		parts.tm_hour != real.tm_hour || parts.tm_min != real.tm_min || seconds > 60)
		return -1;
	return minute + seconds - KIS_SEOUL_OFFSET;
}

/* Seconds; -1 where it is something else. */
static int64_t
parse_life(const char *text)
{
	size_t		len = kis_text_trim(&text, strlen(text));
	int64_t		life = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9' || life > LONGEST_LIFE)
			return -1;
		life = life * 10 + (text[i] - '0');
	}
	return life > 0 && life <= LONGEST_LIFE ? life : -1;
}

static bool
is_visible_ascii(const char *text)
{
	for (; *text !='\0'; text ++)
		if (*text <=' ' || *text >=0x7F)
			return false;
	return true;
}

/* Takes the token and the earlier of its two ends from a reply that is a success. */
static bool
read_token(const cJSON *root, int64_t now, KisToken *token, KisError *error)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "access_token");
	const char *text = cJSON_IsString(item) ? kis_json_text(item) : NULL;
	const char *until_text = kis_json_member(root, "access_token_token_expired");
	const char *life_text = kis_json_member(root, "expires_in");
	int64_t		until = until_text != NULL ? parse_korean_time(until_text) : -1;
	int64_t		life = life_text != NULL ? parse_life(life_text) : -1;
	const char *fault = NULL;

	/* the text of a number stands behind a mark */
	if (text == NULL || text[0] == '\0' || text !=item->valuestring)
		fault = "the reply has no access_token";
	else if (strlen(text) >= KIS_TOKEN_LEN)
		fault = "the access token is too long";
	else if (!is_visible_ascii(text))
		fault = "the access token has characters that no header can carry";
	else if (until < 0 && life < 0)
		fault = "the reply doesn't say until when the access token lives";
	if (fault != NULL)
	{
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "%s", fault);
		return false;
	}
	memcpy(token->token, text, strlen(text) + 1);
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
	kis_json_skip_mark(&body, &len);
	root = kis_classify(http_status, body, len, false, error);
	if (root == NULL)
		return false;
	ok = read_token(root, now, token, error);
	if (!ok)
		error->http_status = http_status;
	cJSON_Delete(root);
	return ok;
}

/* The names under which programs keep a token. */
static const char *const token_names[] = {"access_token", "token", NULL};

/* False where no header could carry it. */
static bool
copy_token(char *token, const char *text, size_t len)
{
	if (len == 0 || len >= KIS_TOKEN_LEN)
		return false;
	memcpy(token, text, len);
	token[len] = '\0';
	return is_visible_ascii(token);
}

/* The first of its names that has a token. */
static bool
token_in_json(const char *text, size_t len, char *token)
{
	KisError	ignored;
	cJSON	   *root = kis_json_parse(text, len, &ignored);
	bool		found = false;

	if (root == NULL)
		return false;
	for (int i = 0; token_names[i] != NULL && !found; i++)
	{
		const char *value = kis_json_member(root, token_names[i]);

		found = value != NULL && copy_token(token, value, strlen(value));
	}
	cJSON_Delete(root);
	return found;
}

/* In a line "name: value", each of both in quotes or not. */
static bool
token_in_yaml(const char *text, char *token)
{
	static const char around[] = " \t\r'\"";

	for (int i = 0; token_names[i] != NULL; i++)
		for (const char *line = text; line != NULL; line = strchr(line, '\n'))
		{
			const char *at;
			size_t		len;

			line += strspn(line, "\n \t\r'\"");
			if (strncmp(line, token_names[i], strlen(token_names[i])) != 0)
				continue;
			at = line + strlen(token_names[i]);
			at += strspn(at, around);
			if (*at != ':')
				continue;
			at += 1 + strspn(at + 1, around);
			len = strcspn(at, "\n");
			while (len > 0 && strchr(around, at[len - 1]) != NULL)
				len--;
			if (len > 0)
				return copy_token(token, at, len);
		}
	return false;
}

/*
 * The token in a text that another program keeps it in: plain, or as member
 * access_token or token of JSON or YAML. token has room for KIS_TOKEN_LEN.
 */
bool
kis_token_in_text(const char *text, char *token)
{
	size_t		word;

	text	  +=strspn(text, KIS_BLANKS);

	if (text[0] == '{')
		return token_in_json(text, strlen(text), token);
	word = strcspn(text, KIS_BLANKS);
	if (text[word + strspn(text +word, KIS_BLANKS)] != '\0' || memchr(text, ':', word) != NULL)
		return token_in_yaml(text, token);
	return copy_token(token, text, word);
}
