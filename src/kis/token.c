/*
 * token.c
 *		Decodes a reply of the token endpoint, or a token that another program
 *		has put down.
 */
#include "kis.h"
#include "kis/classify.h"
#include "kis/json.h"
#include "kis/redact.h"
#include "kis/text.h"
#include "kis/token.h"
#include "kis/trading_day.h"

#include <stdio.h>
#include <string.h>


#define MINUTE_SECONDS	60
#define DAY_SECONDS		(24 * 60 * MINUTE_SECONDS)

/* What KIS says beyond this is no life of a token. */
#define LONGEST_LIFE	(3660LL * DAY_SECONDS)

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t
days_from_date(int year, int month, int day)
{
	/* years begin in March here, so that the leap day comes last */
	int64_t		y = month > 2 ? year : year - 1;
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		year_of_era = y - era * 400;
	int64_t		day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
		day_of_year - 719468;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* "2026-04-11 09:30:00", Korean time, as Unix seconds; -1 where it is something else. */
static int64_t
parse_korean_time(const char *text)
{
	static const char shape[] = "0000-00-00 00:00:00";
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;

	text	  +=strspn(text, KIS_BLANKS);

	for (int i = 0; shape[i] != '\0'; i++)
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return -1;
	if (text[sizeof(shape) - 1 + strspn(text +sizeof(shape) - 1, KIS_BLANKS)] != '\0')
		return -1;
	if (sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d",
			   &year, &month, &day, &hour, &minute, &second) != 6 ||
		year < 1970 || month < 1 || month > 12 || day < 1 ||
		day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 60)
		return -1;
	return days_from_date(year, month, day) * DAY_SECONDS +
		(hour * 60 + minute) * MINUTE_SECONDS + second - KIS_SEOUL_OFFSET;
}

/* Seconds; -1 where it is something else. */
static int64_t
parse_life(const char *text)
{
	int64_t		life = 0;

	text	  +=strspn(text, KIS_BLANKS);

	for (; *text >='0' && *text <='9'; text ++)
	{
		life = life * 10 + (*text -'0');
		if (life > LONGEST_LIFE)
			return -1;
	}
	if (text[strspn(text, KIS_BLANKS)] != '\0' || life == 0)
		return -1;
	return life;
}

static bool
is_visible_ascii(const char *text)
{
	for (; *text !='\0'; text ++)
		if (*text <=' ' || *text >=0x7F)
			return false;
	return true;
}

static bool
read_token(const cJSON *root, int64_t now, KisToken *token, KisError *error)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "access_token");
	const char *text = cJSON_IsString(item) ? kis_json_text(item) : NULL;
	const char *until_text = kis_classify_text(root, "access_token_token_expired");
	const char *life_text = kis_classify_text(root, "expires_in");
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

/* The tree held the token: wiped before it is freed. */
static void
wipe_texts(cJSON *object)
{
	for (cJSON *item = object->child; item != NULL; item = item->next)
		if (cJSON_IsString(item))
			kis_wipe(item->valuestring, strlen(item->valuestring));
}

/* Decodes a reply of the token endpoint; now is Unix seconds. */
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
	wipe_texts(root);
	cJSON_Delete(root);
	return ok;
}

/* The names under which programs keep a token. */
static const char *const token_names[] = {"access_token", "token", NULL};

static bool
copy_token(char *token, const char *text, size_t len)
{
	if (len == 0 || len >= KIS_TOKEN_LEN)
		return false;
	memcpy(token, text, len);
	token[len] = '\0';
	return is_visible_ascii(token);
}

static bool
token_in_json(const char *text, size_t len, char *token)
{
	KisJsonFault ignored;
	cJSON	   *root = kis_json_parse(text, len, &ignored);
	bool		found = false;

	if (root == NULL)
		return false;
	for (int i = 0; token_names[i] != NULL && !found; i++)
	{
		const char *value = kis_classify_text(root, token_names[i]);

		found = value != NULL && copy_token(token, value, strlen(value));
	}
	wipe_texts(root);
	cJSON_Delete(root);
	return found;
}

/* "name: value" of a YAML file, either in quotes or not; the value's length, 0 where it is another line. */
static size_t
value_of_line(const char *line, size_t len, const char *name, const char **value)
{
	static const char around[] = " \t\r'\"";
	const char *end = line + len;

	line += strspn(line, around);
	if (strncmp(line, name, strlen(name)) != 0)
		return 0;
	line += strlen(name);
	line += strspn(line, around);
	if (line >= end || *line != ':')
		return 0;
	line++;
	line += strspn(line, around);
	while (end > line && strchr(around, end[-1]) != NULL)
		end--;
	*value = line;
	return end > line ? end - line : 0;
}

static bool
token_in_yaml(const char *text, char *token)
{
	for (int i = 0; token_names[i] != NULL; i++)
		for (const char *line = text; *line != '\0'; line += line[0] == '\n')
		{
			size_t		len = strcspn(line, "\n");
			const char *value;
			size_t		value_len = value_of_line(line, len, token_names[i], &value);

			if (value_len > 0)
				return copy_token(token, value, value_len);
			line += len;
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
