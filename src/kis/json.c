/*
 * json.c
 *		JSON as strict as a figure needs it.
 */
#include "kis.h"
#include "kis/json.h"
#include "kis/text.h"

#include <stdlib.h>
#include <string.h>


#define DEEPEST		32

/* Stands before the text of a number; no valid text has this byte. */
#define NUMBER_MARK	'\xFF'

typedef struct Checker
{
	const char *start;
	const char *at;
	const char *end;
	int			depth;
	int			nvalues;
	size_t		nnumbers;
	KisJsonFault *fault;
} Checker;

static bool check_value(Checker *c);

static bool
stop(Checker *c, const char *what)
{
	c->fault->at = c->at - c->start;
	c->fault->what = what;
	return false;
}

static bool
stop_unexpected(Checker *c)
{
	c->fault->ends_early = c->at >= c->end;
	return stop(c, c->at >= c->end ? "ends early" : "has an unexpected character");
}

static void
skip_blanks(Checker *c)
{
	while (c->at < c->end &&
		   (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
		c->at++;
}

static bool
take(Checker *c, char expected)
{
	if (c->at >= c->end || *c->at != expected)
		return false;
	c->at++;
	return true;
}

/* Four hexadecimal digits; -1 where they are not. */
static int
take_hex4(Checker *c)
{
	int			code = 0;

	for (int i = 0; i < 4; i++)
	{
		char		digit = c->at < c->end ? *c->at : '\0';

		if (digit >= '0' && digit <= '9')
			code = code * 16 + (digit - '0');
		else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
			code = code * 16 + ((digit | 0x20) - 'a' + 10);
		else
			return -1;
		c->at++;
	}
	return code;
}

static bool
check_escape(Checker *c)
{
	int			code;

	if (c->at >= c->end)
		return stop_unexpected(c);
	if (*c->at != 'u')
	{
		if (strchr("\"\\/bfnrt", *c->at) == NULL || *c->at == '\0')
			return stop(c, "has an unknown escape");
		c->at++;
		return true;
	}
	c->at++;
	code = take_hex4(c);
	if (code < 0)
		return c->at >= c->end ? stop_unexpected(c) : stop(c, "has an unknown escape");
	if (code == 0)
		return stop(c, "has a zero character");
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		if (!take(c, '\\') || !take(c, 'u') ||
			(code = take_hex4(c)) < 0xDC00 || code > 0xDFFF)
			return c->at >= c->end ? stop_unexpected(c) : stop(c, "has half a surrogate pair");
	}
	else if (code >= 0xDC00 && code <= 0xDFFF)
		return stop(c, "has half a surrogate pair");
	return true;
}

static bool
check_string(Checker *c)
{
	/* what stands for itself in a string; most bytes of a reply pass here */
	static const bool plain[256] = {
		[' '...'!'] = true,['#'...'['] = true,[']'...0x7F] = true
	};

	if (!take(c, '"'))
		return stop_unexpected(c);
	for (;;)
	{
		const char *at = c->at;
		const char *end = c->end;
		int			n;

		while (at < end && plain[(unsigned char) *at])
			at++;
		c->at = at;
		if (at >= end)
			return stop_unexpected(c);
		if (take(c, '"'))
			return true;
		if (take(c, '\\'))
		{
			if (!check_escape(c))
				return false;
			continue;
		}
		if ((unsigned char) *c->at < ' ')
			return stop(c, "has a control character in a string");
		n = kis_utf8_char_len(c->at, c->end - c->at);
		if (n == 0)
			return stop(c, "is not UTF-8");
		c->at += n;
	}
}

static bool
take_digits(Checker *c)
{
	const char *first = c->at;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
		c->at++;
	return c->at > first;
}

static bool
check_number(Checker *c)
{
	take(c, '-');
	if (!take(c, '0') && !take_digits(c))
		return stop_unexpected(c);
	if (take(c, '.') && !take_digits(c))
		return stop_unexpected(c);
	if (c->at < c->end && (*c->at | 0x20) == 'e')
	{
		c->at++;
		if (!take(c, '+'))
			take(c, '-');
		if (!take_digits(c))
			return stop_unexpected(c);
	}
	c->nnumbers++;
	return true;
}

static bool
check_word(Checker *c, const char *word)
{
	for (; *word != '\0'; word++)
		if (!take(c, *word))
			return stop_unexpected(c);
	return true;
}

/* Members of an object or elements of an array, after the opening bracket. */
static bool
check_list(Checker *c, char closing)
{
	if (++c->depth > DEEPEST)
		return stop(c, "is nested too deep");
	skip_blanks(c);
	if (!take(c, closing))
	{
		do
		{
			skip_blanks(c);
			if (closing == '}')
			{
				if (!check_string(c))
					return false;
				skip_blanks(c);
				if (!take(c, ':'))
					return stop_unexpected(c);
			}
			if (!check_value(c))
				return false;
			skip_blanks(c);
		} while (take(c, ','));
		if (!take(c, closing))
			return stop_unexpected(c);
	}
	c->depth--;
	return true;
}

static bool
check_value(Checker *c)
{
	skip_blanks(c);
	if (c->at >= c->end)
		return stop_unexpected(c);
	if (++c->nvalues > KIS_MAX_VALUES)
	{
		/* each costs memory, and nothing ends the reading but its end */
		c->fault->has_too_many = true;
		return stop(c, "has too many values");
	}
	switch (*c->at)
	{
		case '{':
			c->at++;
			return check_list(c, '}');
		case '[':
			c->at++;
			return check_list(c, ']');
		case '"':
			return check_string(c);
		case 't':
			return check_word(c, "true");
		case 'f':
			return check_word(c, "false");
		case 'n':
			return check_word(c, "null");
		default:
			return check_number(c);
	}
}

/*
 * A copy of a text that has been found good, with each number a marked string:
 * 12 becomes "\xFF12". Outside of strings a number begins with a digit or '-'.
 */
static char *
quote_numbers(const char *body, size_t len, size_t nnumbers, size_t *out_len)
{
	char	   *copy = malloc(len + 3 * nnumbers + 1);
	char	   *out = copy;
	const char *at = body;
	const char *end = body + len;

	if (copy == NULL)
		return NULL;
	while (at < end)
	{
		if (*at == '"')
		{
			do
			{
				if (*at == '\\')
					*out++ = *at++;
				*out++ = *at++;
			} while (*at != '"');
			*out++ = *at++;
		}
		else if (*at == '-' || (*at >= '0' && *at <= '9'))
		{
			*out++ = '"';
			*out++ = NUMBER_MARK;
			while (at < end && strchr("+-.0123456789eE", *at) != NULL && *at != '\0')
				*out++ = *at++;
			*out++ = '"';
		}
		else
			*out++ = *at++;
	}
	*out_len = out - copy;
	return copy;
}

/* Moves past a byte order mark: harmless, but not JSON. */
void
kis_json_skip_mark(const char **body, size_t *len)
{
	if (*len >= 3 && memcmp(*body, "\xEF\xBB\xBF", 3) == 0)
	{
		*body += 3;
		*len -= 3;
	}
}

/* NULL and fault where body, len bytes, is no JSON; else to be freed by cJSON_Delete. */
cJSON *
kis_json_parse(const char *body, size_t len, KisJsonFault *fault)
{
	Checker		c = {.start = body,.at = body,.end = body + len,.fault = fault};
	const char *text = body;
	char	   *copy = NULL;
	cJSON	   *root;

	memset(fault, 0, sizeof(*fault));
	if (!check_value(&c))
		return NULL;
	skip_blanks(&c);
	if (c.at < c.end)
	{
		stop(&c, "goes on after its end");
		return NULL;
	}
	if (c.nnumbers > 0)
	{
		text = copy = quote_numbers(body, len, c.nnumbers, &len);

		if (copy == NULL)
		{
			fault->out_of_memory = true;
			return NULL;
		}
	}
	root = cJSON_ParseWithLengthOpts(text, len, NULL, false);
	free(copy);

	/* it takes all that passed the check, unless memory is out */
	fault->out_of_memory = root == NULL;
	return root;
}

/*
 * The text of a string or number, "true", "false", or "" of null; NULL of an
 * object or an array.
 */
const char *
kis_json_text(const cJSON *item)
{
	if (cJSON_IsString(item))
		return item->valuestring + (item->valuestring[0] == NUMBER_MARK);
	if (cJSON_IsTrue(item))
		return "true";
	if (cJSON_IsFalse(item))
		return "false";
	if (cJSON_IsNull(item))
		return "";
	return NULL;
}

/* An item as compact JSON, to be freed by cJSON_free; NULL where memory is out. */
char *
kis_json_print(const cJSON *item)
{
	char	   *text = cJSON_PrintUnformatted(item);
	char	   *out = text;

	if (text == NULL)
		return NULL;
	for (const char *at = text; *at != '\0';)
	{
		if (at[0] == '"' && at[1] == NUMBER_MARK)
		{
			for (at += 2; *at != '"'; at++)
				*out++ = *at;
			at++;
		}
		else
			*out++ = *at++;
	}
	*out = '\0';
	return text;
}

/* A name that an object has twice, or NULL; each is compared with each. */
const char *
kis_json_duplicate(const cJSON *object)
{
	for (const cJSON *item = object->child; item != NULL; item = item->next)
		for (const cJSON *other = object->child; other != item; other = other->next)
			if (strcmp(item->string, other->string) == 0)
				return item->string;
	return NULL;
}
