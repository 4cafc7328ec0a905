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
	KisRow	   *row;
	KisValue   *values;
	KisExtraMember *extra;
	char	   *text;
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

static bool
refuse_twice(KisError *error, const char *name)
{
	return refuse(error, "the reply has member \"%.64s\" twice", name);
}

static bool
out_of_memory(KisError *error)
{
	kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
	return false;
}

/* Can this be kept as a row? Counts the members that the call doesn't list. */
static bool
check_row(const KisCall *call, const cJSON *object, int *nextra, KisError *error)
{
	const char *extra[MOST_EXTRA_MEMBERS];
	int			n = 0;
	int			at = 0;

	if (!cJSON_IsObject(object))
		return refuse(error, "\"%.64s\" holds something else than objects", call->rows);
	for (const cJSON *item = object->child; item != NULL; item = item->next, at++)
	{
		if (member_index(call, item->string, at) >= 0)
		{
			if (kis_json_text(item) == NULL)
				return refuse(error, "member \"%.64s\" of the reply is not a single value", item->string);
			continue;
		}
		if (n == MOST_EXTRA_MEMBERS)
			return refuse(error, "the reply has too many members", NULL);
		for (int e = 0; e < n; e++)
			if (strcmp(extra[e], item->string) == 0)
				return refuse_twice(error, item->string);
		extra[n++] = item->string;
	}
	*nextra += n;
	return true;
}

/* Does KIS say that there are no rows? Then what is no list of them is none. */
static bool
is_empty_page(const cJSON *root, const cJSON *output)
{
	char		code[sizeof(((KisError *) NULL)->code)];
	const KisCodeRule *rule;

	kis_classify_code(root, code, sizeof(code));
	rule = kis_code_rule(code, 200);
	return rule != NULL && strcmp(rule->code, KIS_CODE_EMPTY_PAGE) == 0 &&
		!cJSON_IsArray(output) && !cJSON_IsObject(output);
}

/* The rows: an array of objects, or one object where one is meant. Counts what needs room. */
static bool
check_output(const KisCall *call, const cJSON *root, int *nrows, int *nextra, KisError *error)
{
	const cJSON *output = cJSON_GetObjectItemCaseSensitive(root, call->rows);

	*nrows = 0;
	*nextra = 0;
	if (is_empty_page(root, output))
		return true;
	if (output == NULL || cJSON_IsNull(output))
		return refuse(error, "the reply has no \"%.64s\"", call->rows);
	if (cJSON_IsObject(output))
	{
		*nrows = 1;
		return check_row(call, output, nextra, error);
	}
	if (!cJSON_IsArray(output))
		return refuse(error, "\"%.64s\" of the reply is neither an array nor an object", call->rows);
	for (const cJSON *object = output->child; object != NULL; object = object->next)
	{
		if ((call->usual_rows == 1 && *nrows == 1) || *nrows >= KIS_MAX_VALUES / call->nmembers)
			return refuse(error, "the reply has too many rows", NULL);
		if (!check_row(call, object, nextra, error))
			return false;
		(*nrows)++;
	}
	return true;
}

static const char *
keep_text(Layout *layout, const char *text, size_t len)
{
	char	   *kept = layout->text;

	memcpy(kept, text, len);
	kept[len] = '\0';
	layout->text +=len + 1;
	return kept;
}

/* Digits with or without a sign, within 64 bits. */
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

		if (digit < 0 || digit > 9 ||
			__builtin_mul_overflow(*integer, 10, integer) ||
			__builtin_sub_overflow(*integer, digit, integer))
			return false;
	}
	/* gathered below zero, where there is room for one more */
	return negative || !__builtin_sub_overflow(0, *integer, integer);
}

static KisValue
keep_value(Layout *layout, const char *text)
{
	KisValue	value = {.kind = KIS_VALUE_EMPTY,.text = ""};
	size_t		len;

	text	  +=strspn(text, KIS_BLANKS);

	len = strlen(text);
	while (len > 0 && strchr(KIS_BLANKS, text[len - 1]) != NULL)
		len--;
	if (len == 0)
		return value;
	value.kind = parse_integer(text, len, &value.integer) ? KIS_VALUE_INTEGER : KIS_VALUE_TEXT;
	if (value.kind == KIS_VALUE_TEXT)
		value.integer = 0;
	value.text = keep_text(layout, text, len);
	return value;
}

/* False where memory is out. */
static bool
keep_extra(Layout *layout, const cJSON *item)
{
	KisExtraMember *extra = layout->extra++;
	const char *text = kis_json_text(item);
	char	   *printed = NULL;

	if (text == NULL && (text = printed = kis_json_print(item)) == NULL)
		return false;
	extra->name = keep_text(layout, item->string, strlen(item->string));
	extra->value = keep_value(layout, text);
	cJSON_free(printed);
	layout->row->nextra++;
	return true;
}

static bool
keep_row(const KisCall *call, Layout *layout, const cJSON *object, KisError *error)
{
	KisValue   *values = layout->values;
	int			at = 0;

	layout->row->values = values;
	layout->row->extra = layout->extra;
	layout->row->nextra = 0;
	for (int i = 0; i < call->nmembers; i++)
		values[i] = (KisValue)
	{
		.kind = KIS_VALUE_MISSING,.text = ""
	};
	for (const cJSON *item = object->child; item != NULL; item = item->next, at++)
	{
		int			i = member_index(call, item->string, at);

		if (i < 0)
		{
			if (!keep_extra(layout, item))
				return out_of_memory(error);
			continue;
		}
		if (values[i].kind != KIS_VALUE_MISSING)
			return refuse_twice(error, item->string);
		values[i] = keep_value(layout, kis_json_text(item));
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

static const char *
keep_member(Layout *layout, const cJSON *root, const char *name)
{
	const char *text = kis_classify_text(root, name);
	size_t		len = text !=NULL ? strlen(text) : 0;

	while (len > 0 && strchr(KIS_BLANKS, text[len - 1]) != NULL)
		len--;
	return len > 0 ? keep_text(layout, text, len) : "";
}

/*
 * Lays the reply out in one block: structs, then texts, then the body. No text
 * is longer than what stood for it in the body, quotes or comma included.
 */
static KisReply *
build_reply(const KisCall *call, const cJSON *root, int nrows, int nextra,
			const char *body, size_t len, KisError *error)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, call->rows);
	size_t		nvalues = (size_t) nrows * call->nmembers;
	KisReply   *reply = malloc(sizeof(KisReply) + nrows * sizeof(KisRow) +
							   nvalues * sizeof(KisValue) + nextra * sizeof(KisExtraMember) +
							   2 * (len + 1));
	Layout		layout;

	if (reply == NULL)
	{
		out_of_memory(error);
		return NULL;
	}
	layout.row = (KisRow *) (reply + 1);
	layout.values = (KisValue *) (layout.row + nrows);
	layout.extra = (KisExtraMember *) (layout.values + nvalues);
	layout.text = (char *) (layout.extra + nextra);

	reply->rows = layout.row;
	if (cJSON_IsArray(object))
		object = object->child;
	for (int i = 0; i < nrows; i++, object = object->next)
	{
		if (!keep_row(call, &layout, object, error))
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
	reply->rt_cd = keep_member(&layout, root, "rt_cd");
	reply->msg_cd = keep_member(&layout, root, "msg_cd");
	reply->msg1 = keep_member(&layout, root, "msg1");
	reply->body = keep_text(&layout, body, len);
	reply->body_len = len;
	reply->date = 0;
	reply->size = layout.text -(char *) reply;
	return reply;
}

/* Where a pointer into the old block points now; what was outside is "". */
static const char *
relocated(const char *pointer, const char *from, const char *to, size_t size)
{
	if (pointer < from || pointer >= from + size)
		return "";
	return to + (pointer - from);
}

#define relocate(pointer) \
	((pointer) = (void *) relocated((const char *) (pointer), from, to, copy->size))

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

	relocate(copy->rt_cd);
	relocate(copy->msg_cd);
	relocate(copy->msg1);
	relocate(copy->body);
	relocate(copy->rows);
	for (int i = 0; i < copy->nrows; i++)
	{
		KisRow	   *row = (KisRow *) &copy->rows[i];
		KisValue   *values;
		KisExtraMember *extra;

		relocate(row->values);
		relocate(row->extra);
		values = (KisValue *) row->values;
		extra = (KisExtraMember *) row->extra;
		for (int m = 0; m < call->nmembers; m++)
			relocate(values[m].text);
		for (int e = 0; e < row->nextra; e++)
		{
			relocate(extra[e].name);
			relocate(extra[e].value.text);
		}
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
	int			nrows;
	int			nextra;

	memset(error, 0, sizeof(*error));
	kis_json_skip_mark(&body, &len);
	root = kis_classify(http_status, body, len, true, error);
	if (root == NULL)
		return NULL;
	if (kis_classify_text(root, "rt_cd") == NULL && kis_classify_text(root, "msg_cd") == NULL)
		refuse(error, "the reply has no \"rt_cd\"", NULL);
	else if (check_output(call, root, &nrows, &nextra, error))
		reply = build_reply(call, root, nrows, nextra, body, len, error);
	cJSON_Delete(root);
	if (reply == NULL)
		error->http_status = http_status;
	return reply;
}

void
kis_reply_free(KisReply *reply)
{
	free(reply);
}

/* A member's value by KIS's name, listed or not; KIS_VALUE_MISSING if absent. */
KisValue
kis_row_member(const KisCall *call, const KisRow *row, const char *field)
{
	int			i = member_index(call, field, 0);

	if (i >= 0)
		return row->values[i];
	for (i = 0; i < row->nextra; i++)
		if (strcmp(row->extra[i].name, field) == 0)
			return row->extra[i].value;
	return (KisValue)
	{
		.kind = KIS_VALUE_MISSING,.text = ""
	};
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
