/*
 * json.c
 *		JSON as strict as a figure needs it.
 *
 * cJSON reads the grammar, but silently takes what it can't keep: an escaped
 * zero ends a string, bad UTF-8 and control characters pass, 01 is 1, and a
 * number becomes a double. So the text is looked through first.
 */
#include "kis/json.h"
#include "kis/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define DEEPEST		32
static const char *const unexpected = kis_noop("has an unexpected character");
static const char *const too_many = "has too many values";
static const char *const truncated = "is truncated";

/* So many digits of a number survive in a double. */
#define MOST_DIGITS	15

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static bool
are_hex(const char *text, int n)
{
	while (n > 0 && isxdigit((unsigned char) *text))
		text++, n--;
	return n == 0;
}

/* The end of a number; NULL where it is none of JSON's, or a double would not keep each digit. */
static const char *
skip_number(const char *at, const char *end)
{
	const char *whole = at + (*at == '-');
	const char *point = skip_digits(whole, end);
	const char *last = point < end && *point == '.' ? skip_digits(point + 1, end) : point;

	/* cut off, which the end of the text says better */
	if (last == end)
		return end;
	if (point == whole || (*whole == '0' && point - whole > 1) || last == point + 1 ||
		last - whole - (last > point) > MOST_DIGITS || *last == 'e' || *last == 'E')
		return NULL;
	return last;
}

/* Moves *at past a string, from its opening quote on; or to what is wrong with it, which is returned. */
static const char *
skip_string(const char **at, const char *end)
{
	/* what stands for itself; most bytes of a reply pass here */
	static const bool plain[256] = {
		[' '...'!'] = true,['#'...'['] = true,[']'...'~'] = true
	};
	const char *c = *at + 1;
	int			len;

	for (;;)
	{
		while (c < end && plain[(unsigned char) *c])
			c++;
		*at = c;
		if (c >= end)
			return truncated;
		if (*c == '"')
		{
			*at = c + 1;
			return NULL;
		}
		/* of digits that are none cJSON makes zeros */
		if (*c == '\\' && end - c > 5 && c[1] == 'u' && (memcmp(c + 2, "0000", 4) == 0 || !are_hex(c + 2, 4)))
			return kis_noop("has a zero character or an odd escape");
		if ((unsigned char) *c < ' ')
			return kis_noop("has a control character in a string");
		len = *c == '\\' ? 2 : kis_utf8_char_len(c, end - c);
		if (len == 0)
			return kis_noop("is not UTF-8");
		c += len;
	}
}

/* Counts values and depth by a byte between strings and numbers; what is wrong with it, or NULL. */
static const char *
count_byte(char c, int *nvalues, int *depth)
{
	if (c == '{' || c == '[')
		++*depth;
	else if (c == '}' || c == ']')
		--*depth;
	else if ((unsigned char) c > '~' || (c < ' ' && memchr(KIS_BLANKS, c, strlen(KIS_BLANKS)) == NULL))
		return unexpected;

	/* a value after each comma, and the first one of a list */
	if ((c == '{' || c == '[' || c == ',') && ++*nvalues > KIS_MAX_VALUES)
		return too_many;
	return *depth > DEEPEST ? kis_noop("is nested too deep") : NULL;
}

/*
 * What is wrong with a text, at *at of it, that cJSON would not mind: NULL where
 * there is nothing. The grammar is left to cJSON.
 */
static const char *
find_fault(const char **at, const char *end)
{
	int			depth = 0;
	int			nvalues = 1;

	while (*at < end)
	{
		const char *fault = NULL;

		if (**at == '"')
			fault = skip_string(at, end);
		else if (**at == '-' || (**at >= '0' && **at <= '9'))
		{
			const char *next = skip_number(*at, end);

			if (next == NULL)
				return kis_noop("has a number of an odd form or of too many digits");
			*at = next;
		}
		else
		{
			fault = count_byte(**at, &nvalues, &depth);
			if (fault == NULL)
				++*at;
		}
		if (fault != NULL)
			return fault;
	}
	return depth > 0 ? truncated : NULL;
}

/* Gives each number of a tree its text, which the item frees. False: memory is out. */
static bool
write_numbers(cJSON *item)
{
	for (; item != NULL; item = item->next)
	{
		if (cJSON_IsNumber(item) && (item->valuestring = cJSON_PrintUnformatted(item)) == NULL)
			return false;
		if (!write_numbers(item->child))
			return false;
	}
	return true;
}

/*
 * The tree of a text of len bytes, to be freed by cJSON_Delete; NULL and error
 * where it is no JSON, or more than anybody needs.
 */
cJSON *
kis_json_parse(const char *body, size_t len, KisError *error)
{
	const char *end = body + len;
	const char *at = body;
	const char *fault = find_fault(&at, end);
	cJSON	   *root = NULL;

	errno = 0;
	if (fault == NULL)
	{
		root = cJSON_ParseWithLengthOpts(body, len, &at, false);
		fault = root != NULL ? kis_noop("goes on after its end") : at < end ? unexpected : truncated;
	}
	if (!write_numbers(root))
		errno = ENOMEM;
	else if (root != NULL && kis_text_trim(&at, end - at) == 0)
		return root;
	cJSON_Delete(root);
	if (errno == ENOMEM)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
	else if (fault == too_many)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply has more than %d values", KIS_MAX_VALUES);
	else if (fault == truncated)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is truncated after %zu bytes", len);
	else
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is not valid JSON: it %s at byte %zu", fault, at - body + 1);
	return NULL;
}

/*
 * The text of a string or number, "true", "false", or "" of null; NULL of an
 * object or an array.
 */
const char *
kis_json_text(const cJSON *item)
{
	if (cJSON_IsNumber(item) || cJSON_IsString(item))
		return item->valuestring;
	if (cJSON_IsBool(item))
		return cJSON_IsTrue(item) ? "true" : "false";
	return cJSON_IsNull(item) ? "" : NULL;
}

/* The same of an object's member; NULL where it is missing, too. */
const char *
kis_json_member(const cJSON *object, const char *name)
{
	return kis_json_text(cJSON_GetObjectItemCaseSensitive(object, name));
}
