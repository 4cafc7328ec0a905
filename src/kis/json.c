/*
 * json.c
 *		JSON as strict as a figure needs it.
 *
 * cJSON reads the grammar, but silently takes what it can't keep: an escaped
 * zero ends a string, bad UTF-8 and control characters pass, 01 is 1, and a
 * number becomes a double. So the text is scanned first: each token by itself,
 * with each number made a marked string, so that cJSON keeps its digits.
 */
#include "kis/json.h"
#include "kis/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST		32
#define UNEXPECTED	"has an unexpected character"

/* Stands before the text of a number; no valid text has this byte. */
#define NUMBER_MARK	'\xFF'

typedef struct Scan
{
	const char *at;
	const char *end;
	const char *fault;			/* "is not UTF-8" ...; NULL: memory is out */
	char		last;			/* the last token's first byte; 0: none yet */
	int			depth;
	int			nvalues;
	char	   *copy;			/* with numbers marked; NULL: none has come */
	char	   *copy_end;
	const char *copied;			/* how far the text is in the copy */
} Scan;

static bool
stop(Scan *s, const char *fault)
{
	s->fault = fault;
	return false;
}

/* After a backslash. Unknown escapes and halves of surrogate pairs are left to cJSON. */
static bool
scan_escape(Scan *s)
{
	bool		is_zero = true;

	if (s->at >= s->end || *s->at++ != 'u')
		return true;
	for (int i = 0; i < 4; i++, s->at++)
	{
		if (s->at >= s->end || *s->at == '\0' || strchr("0123456789abcdefABCDEF", *s->at) == NULL)
			return stop(s, "has an unknown escape");
		is_zero = is_zero && *s->at == '0';
	}
	return !is_zero || stop(s, "has a zero character");
}

/* After the opening quote. */
static bool
scan_string(Scan *s)
{
	/* what stands for itself in a string; most bytes of a reply pass here */
	static const bool plain[256] = {
		[' '...'!'] = true,['#'...'['] = true,[']'...'~'] = true
	};
	int			n;

	for (;;)
	{
		const char *at = s->at;

		while (at < s->end && plain[(unsigned char) *at])
			at++;
		s->at = at;
		if (at >= s->end)
			return false;
		if (*s->at == '"' || *s->at == '\\')
		{
			if (*s->at++ == '"')
				return true;
			if (!scan_escape(s))
				return false;
			continue;
		}
		if ((unsigned char) *s->at < ' ')
			return stop(s, "has a control character in a string");
		n = kis_utf8_char_len(s->at, s->end - s->at);
		if (n == 0)
			return stop(s, "is not UTF-8");
		s->at += n;
	}
}

static bool
scan_digits(Scan *s)
{
	const char *first = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > first || stop(s, UNEXPECTED);
}

/* Moves past a byte that is one of these. */
static bool
skip_one(Scan *s, const char *bytes)
{
	if (s->at >= s->end || *s->at == '\0' || strchr(bytes, *s->at) == NULL)
		return false;
	s->at++;
	return true;
}

/* Brings the copy up to a place in the text. */
static void
copy_until(Scan *s, const char *end)
{
	memcpy(s->copy_end, s->copied, end - s->copied);
	s->copy_end += end - s->copied;
	s->copied = end;
}

/* A number, which goes to the copy as a string with a mark: 12 becomes "\xFF12". */
static bool
scan_number(Scan *s)
{
	const char *first = s->at;

	skip_one(s, "-");
	if (!skip_one(s, "0") && !scan_digits(s))
		return false;
	if (skip_one(s, ".") && !scan_digits(s))
		return false;
	if (skip_one(s, "eE"))
	{
		skip_one(s, "+-");
		if (!scan_digits(s))
			return false;
	}
	if (s->copy == NULL)
	{
		size_t		len = s->end - s->copied;

		/* three bytes more for each, and at least one between two of them */
		s->copy = s->copy_end = malloc(len + 3 * (len / 2 + 1));
		if (s->copy == NULL)
			return stop(s, NULL);
	}
	copy_until(s, first);
	*s->copy_end++ = '"';
	*s->copy_end++ = NUMBER_MARK;
	copy_until(s, s->at);
	*s->copy_end++ = '"';
	return true;
}

/* A token; of true, false and null the letters, whatever they are. */
static bool
scan_token(Scan *s)
{
	char		last = s->last;
	char		c = *s->at;

	if (last != '\0' && s->depth == 0)
		return stop(s, "goes on after its end");
	s->last = c == '-' || (c >= '0' && c <= '9') ? '0' : c;

	/*
	 * cJSON would take a number, which is a string to it, for the name of a
	 * member; and between two there must be a byte, so that the copy fits
	 */
	if (last == '0' && (c == ':' || s->last == '0'))
		return stop(s, UNEXPECTED);
	if (s->last == '0')
		return scan_number(s);
	switch (c)
	{
		case '{':
		case '[':
			if (++s->depth > DEEPEST)
				return stop(s, "is nested too deep");
			/* FALLTHROUGH */
		case ',':
			/* a value after each comma, and the first one of a list */
			if (++s->nvalues > KIS_MAX_VALUES)
				return stop(s, "has too many values");
			break;
		case '}':
		case ']':
			s->depth--;
			break;
		case '"':
			s->at++;
			return scan_string(s);
		case ':':
			break;
		default:
			if (c < 'a' || c > 'z')
				return stop(s, UNEXPECTED);
			while (s->at < s->end && *s->at >= 'a' && *s->at <= 'z')
				s->at++;
			return true;
	}
	s->at++;
	return true;
}

/* Is each token what it should be? The grammar between them is left to cJSON. */
static bool
scan(Scan *s)
{
	while (s->at < s->end)
	{
		/* most bytes between tokens are none of them */
		if (*s->at <= ' ' && skip_one(s, KIS_BLANKS))
			continue;
		if (!scan_token(s))
			return false;
	}
	return s->depth <= 0 && s->last != '\0';
}

/* What is wrong with a text of len bytes, where the scan stopped. */
static void
set_fault(KisError *error, const Scan *s, size_t at, size_t len)
{
	if (s->fault == NULL)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
	else if (s->nvalues > KIS_MAX_VALUES)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply has more than %d values", KIS_MAX_VALUES);
	else if (at >= len)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is truncated after %zu bytes", len);
	else
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is not valid JSON: it %s at byte %zu", s->fault, at + 1);
}

/*
 * The tree of a text of len bytes, to be freed by cJSON_Delete; NULL and error
 * where it is no JSON, or more than anybody needs. Its items are to be read by
 * kis_json_text, which knows of the marks.
 */
cJSON *
kis_json_parse(const char *body, size_t len, KisError *error)
{
	Scan		s = {.at = body,.end = body + len,.copied = body,.nvalues = 1,.fault = ""};
	const char *text = body;
	cJSON	   *root;

	if (!scan(&s))
	{
		set_fault(error, &s, s.at - body, len);
		free(s.copy);
		return NULL;
	}
	if (s.copy != NULL)
	{
		copy_until(&s, s.end);
		text = s.copy;

		len = s.copy_end - s.copy;
	}
	errno = 0;
	root = cJSON_ParseWithLength(text, len);
	if (root == NULL && errno == ENOMEM)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
	else if (root == NULL)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not valid JSON");
	free(s.copy);
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
