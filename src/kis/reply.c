/*
 * reply.c
 *		Decodes the reply to a data call into rows of values.
 */
#include "kis.h"
#include "kis/catalog.h"
#include "kis/classify.h"
#include "kis/code.h"
#include "kis/json.h"
#include "kis/reply.h"
#include "kis/text.h"

#include <stdlib.h>
#include <string.h>


/* Unknown members of a row: KIS may add some, not hundreds. */
#define MOST_EXTRA_MEMBERS	256

/* A reply as it is being laid out in its one block. */
typedef struct Layout
{
	const KisCall *call;
	KisRow	   *row;			/* the next one */
	KisValue   *values;			/* and its own */
	char	   *next_text;		/* where texts go on */
	const char *nothing;		/* the empty text */
	KisError   *error;
} Layout;

/* Index of a call's member, -1 where it has no such; the guess is tried first. */
static int
member_index(const KisCall *call, const char *name, int guess)
{
	if (guess < call->nmembers && strcmp(call->members[guess].field, name) == 0)
		return guess;
	for (int i = 0; i < call->nmembers; i++)
		if (strcmp(call->members[i].field, name) == 0)
			return i;
	return -1;
}

static bool
refuse(KisError *error, const char *what, const char *name)
{
	kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, what, name);
	return false;
}

/* The rows of a reply: an array of objects, or one object. */
static bool
find_rows(const KisCall *call, const cJSON *root, const cJSON **first, int *nrows, KisError *error)
{
	const cJSON *output = cJSON_GetObjectItemCaseSensitive(root, call->rows);
	const KisCodeRule *rule;

	*first = NULL;
	*nrows = 0;
	if (cJSON_IsObject(output))
	{
		*first = output;
		*nrows = 1;
		return true;
	}
	if (cJSON_IsArray(output))
	{
		*first = output->child;
		*nrows = cJSON_GetArraySize(output);
		return *nrows <= (call->usual_rows == 1 ? 1 : KIS_MAX_VALUES / call->nmembers) ||
			refuse(error, "the reply has too many rows", NULL);
	}
	/* KIS says that there are none */
	rule = kis_code_rule(error->code, 200);
	if (rule != NULL && strcmp(rule->code, KIS_CODE_EMPTY_PAGE) == 0)
		return true;
	return refuse(error, output == NULL || cJSON_IsNull(output) ? kis_noop("the reply has no \"%.64s\"") :
				  kis_noop("\"%.64s\" of the reply is neither an array nor an object"), call->rows);
}

/* Puts a text of len bytes and its NUL behind those that are kept. */
static const char *
keep_text(Layout *layout, const char *text, size_t len)
{
	char	   *kept = layout->next_text;

	memcpy(kept, text, len);
	kept[len] = '\0';
	layout->next_text += len + 1;
	return kept;
}

/* Digits with or without a sign, within 64 bits; strtoll takes twice as long. */
static bool
parse_integer(const char *text, size_t len, int64_t *integer)
{
	bool		negative = text[0] == '-';
	size_t		i = negative || text[0] == '+' ? 1 : 0;

	if (i == len)
		return false;
	*integer = 0;
	for (; i < len; i++)
	{
		int			digit = text[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(*integer, 10, integer) ||
			__builtin_sub_overflow(*integer, digit, integer))
			return false;
	}
	/* gathered below zero, where there is room for one more */
	return negative || !__builtin_sub_overflow(0, *integer, integer);
}

/* A value without the blanks around it. */
static KisValue
keep_value(Layout *layout, const char *text)
{
	KisValue	value = {.kind = KIS_VALUE_EMPTY,.text = layout->nothing};
	size_t		len = kis_text_trim(&text, strlen(text));

	if (len == 0)
		return value;
	value.kind = KIS_VALUE_INTEGER;
	if (!parse_integer(text, len, &value.integer))
	{
		value.kind = KIS_VALUE_TEXT;
		value.integer = 0;
	}
	value.text = keep_text(layout, text, len);
	return value;
}

/*
 * Keeps one of the rows as the next row, or fills error. Of members that the call
 * doesn't list only the names are looked at.
 */
static bool
keep_row(Layout *layout, const cJSON *object)
{
	const KisCall *call = layout->call;
	KisValue   *values = layout->values;
	const char *extra[MOST_EXTRA_MEMBERS];
	int			nextra = 0;
	int			at = 0;

	if (!cJSON_IsObject(object))
		return refuse(layout->error, "\"%.64s\" holds something else than objects", layout->call->rows);
	layout->row->values = values;
	for (int i = 0; i < call->nmembers; i++)
		values[i] = (KisValue)
	{
		.kind = KIS_VALUE_MISSING,.text = layout->nothing
	};
	for (const cJSON *item = object->child; item != NULL; item = item->next)
	{
		const char *text = kis_json_text(item);
		int			i = member_index(call, item->string, at++);
		bool		is_twice = i >= 0 && values[i].kind != KIS_VALUE_MISSING;

		for (int e = 0; e < nextra && i < 0; e++)
			is_twice = is_twice || strcmp(extra[e], item->string) == 0;
		if (is_twice)
			return refuse(layout->error, "the reply has member \"%.64s\" twice", item->string);
		if (i < 0 && nextra == MOST_EXTRA_MEMBERS)
			return refuse(layout->error, "the reply has too many members", NULL);
		if (i < 0)
			extra[nextra++] = item->string;
		else if (text == NULL)
			return refuse(layout->error, "member \"%.64s\" of the reply is not a single value", item->string);
		else
			values[i] = keep_value(layout, text);
	}
	return true;
}

/* A row of a list that has members of the call, but says nothing in any of them. */
static bool
is_blank(const KisCall *call, const KisRow *row)
{
	bool		any = false;

	for (int i = 0; i < call->nmembers; i++)
		any = any || row->values[i].kind != KIS_VALUE_MISSING;
	return any && call->usual_rows > 1 && kis_row_is_empty(call, row);
}

/*
 * Lays the reply out in one block: structs, then texts, then the body. No text
 * is longer than what stood for it in the body, quotes or comma included.
 */
static KisReply *
build_reply(const KisCall *call, const cJSON *root, const char *body, size_t len, KisError *error)
{
	const cJSON *first;
	const cJSON *object;
	int			nrows;
	KisReply   *reply;
	Layout		layout = {.call = call,.error = error};

	if (!find_rows(call, root, &first, &nrows, error))
		return NULL;
	reply = malloc(sizeof(KisReply) + nrows * (sizeof(KisRow) + call->nmembers * sizeof(KisValue)) +
				   2 * (len + 2));
	if (reply == NULL)
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
		return NULL;
	}
	layout.row = (KisRow *) (reply + 1);
	layout.values = (KisValue *) (layout.row + nrows);
	layout.next_text = (char *) (layout.values + (size_t) nrows * call->nmembers);
	layout.nothing = keep_text(&layout, "", 0);
	reply->rows = layout.row;
	object = first;
	for (int i = 0; i < nrows; i++, object = object->next)
	{
		if (!keep_row(&layout, object))
		{
			free(reply);
			return NULL;
		}
		layout.row->position = i;
		if (is_blank(call, layout.row))
			continue;
		layout.row++;
		layout.values += call->nmembers;
	}
	reply->nrows = (int) (layout.row - reply->rows);
	reply->body = keep_text(&layout, body, len);
	reply->date = 0;
	reply->size = layout.next_text - (char *) reply;
	return reply;
}

/* All that a reply points to lies in its block. */
#define relocate(pointer) \
	((pointer) = (void *) (to + ((const char *) (pointer) - from)))

/*
 * Makes a copy of a reply's block whole, which was copied byte by byte from
 * somewhere else, be it another process.
 */
void
kis_reply_relocate(const KisCall *call, KisReply *copy)
{
	/* the rows stand right behind the head */
	const char *from = (const char *) copy->rows - sizeof(KisReply);
	const char *to = (const char *) copy;

	relocate(copy->body);
	relocate(copy->rows);
	for (int i = 0; i < copy->nrows; i++)
	{
		KisRow	   *row = (KisRow *) &copy->rows[i];
		KisValue   *values;

		relocate(row->values);
		values = (KisValue *) row->values;
		for (int m = 0; m < call->nmembers; m++)
			relocate(values[m].text);
	}
}

/*
 * Decodes a reply to call. Returns NULL and fills error where KIS refused
 * (decided on msg_cd, never on the HTTP status) or the reply is not what it
 * should be. Of a list, rows that hold nothing but blanks are left out. The
 * reply and all that it points to is one malloc'd block.
 */
KisReply *
kis_reply_decode(const KisCall *call, int http_status, const char *body, size_t len,
				 KisError *error)
{
	KisReply   *reply = NULL;
	cJSON	   *root;

	memset(error, 0, sizeof(*error));
	root = kis_classify(http_status, &body, &len, true, error);
	if (root == NULL)
		return NULL;
	if (kis_json_member(root, "rt_cd") != NULL || kis_json_member(root, "msg_cd") != NULL)
		reply = build_reply(call, root, body, len, error);
	else
		refuse(error, "the reply has no \"rt_cd\"", NULL);
	cJSON_Delete(root);
	if (reply == NULL)
		error->http_status = http_status;
	return reply;
}

/* No listed member has a value: KIS doesn't know the pair. */
bool
kis_row_is_empty(const KisCall *call, const KisRow *row)
{
	for (int i = 0; i < call->nmembers; i++)
		if (row->values[i].kind == KIS_VALUE_INTEGER || row->values[i].kind == KIS_VALUE_TEXT)
			return false;
	return true;
}

/* Has anything been traded: is a figure an integer other than zero? */
bool
kis_row_has_figures(const KisCall *call, const KisRow *row)
{
	for (int i = 0; i < call->nmembers; i++)
		if (call->members[i].is_figure && row->values[i].kind == KIS_VALUE_INTEGER && row->values[i].integer != 0)
			return true;
	return false;
}
