/*
 * reply_fuzz.c
 *		Any bytes as the reply to a data call, whichever they look like: taken if
 *		and only if the documentation allows it, and then with the figures that
 *		stand there.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"

#define MOST_EXTRA_MEMBERS 256
#define BLANKS		" \t\r\n"

static const int other_statuses[] = {500, 403, 302, 429};

/* The calls but the first, each by a member that those below it have not. */
static const struct
{
	const char *member;
	const KisCall *call;
}			others[] = {
	{"stck_bsop_date", &kis_call_daily},
	{"bass_dt", &kis_call_calendar},
	{"ascn_issu_cnt", &kis_call_index},
	{"invr_cls_code", &kis_call_program}
};

static int
index_of(const KisCall *call, const char *name)
{
	for (int i = 0; i < call->nmembers; i++)
		if (strcmp(call->members[i].field, name) == 0)
			return i;
	return -1;
}

/* Is this text an integer of 64 bits? By its digits, not by counting overflows. */
static bool
read_integer(const char *text, int64_t *integer)
{
	bool		negative = text[0] == '-';
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	size_t		len = strlen(digits);
	unsigned __int128 size = 0;

	if (len == 0 || strspn(digits, "0123456789") != len)
		return false;
	digits += strspn(digits, "0");
	if (strlen(digits) > 19)
		return false;
	for (; *digits != '\0'; digits++)
		size = size * 10 + (*digits - '0');
	if (size > (unsigned __int128) INT64_MAX + negative)
		return false;
	*integer = negative ? (int64_t) -(__int128) size : (int64_t) size;
	return true;
}

/* What is kept of a text: nothing of the blanks around it. */
static void
check_scalar(KisValue value, const char *text)
{
	size_t		len;
	char	   *bare;
	int64_t		integer = 0;

	text += strspn(text, BLANKS);
	for (len = strlen(text); len > 0 && strchr(BLANKS, text[len - 1]) != NULL;)
		len--;
	bare = strndup(text, len);
	check(strcmp(value.text, bare) == 0);
	if (len == 0)
		check(value.kind == KIS_VALUE_EMPTY);
	else if (read_integer(bare, &integer))
		check(value.kind == KIS_VALUE_INTEGER && value.integer == integer);
	else
		check(value.kind == KIS_VALUE_TEXT && value.integer == 0);
	free(bare);
}

static void
check_value(KisValue value, const Node *node)
{
	if (node == NULL)
		check(value.kind == KIS_VALUE_MISSING && value.text[0] == '\0');
	else
		check_scalar(value, text_of(node));
}

/* May this be a row of the call? */
static bool
is_row(const KisCall *call, const Node *object)
{
	int			nextra = 0;

	if (object->kind != NODE_OBJECT || has_double_names(object))
		return false;
	for (const Node *node = object->child; node != NULL; node = node->next)
	{
		if (index_of(call, node->name) < 0)
			nextra++;
		else if (node->text == NULL)
			return false;
	}
	return nextra <= MOST_EXTRA_MEMBERS;
}

static bool
is_output(const KisCall *call, const Node *root)
{
	const Node *output = member_of(root, call->rows);

	if (output == NULL || output->text != NULL)
		return says_code(root, "KIOK0560");
	if (output->kind == NODE_OBJECT)
		return is_row(call, output);
	if (call->usual_rows == 1 && count_of(output) > 1)
		return false;
	for (const Node *object = output->child; object != NULL; object = object->next)
		if (!is_row(call, object))
			return false;
	return true;
}

/* Of a list, has a row members of the call, and nothing but blanks in them? */
static bool
is_blank_row(const KisCall *call, const Node *object)
{
	bool		any = false;

	if (call->usual_rows == 1)
		return false;
	for (const Node *node = object->child; node != NULL; node = node->next)
	{
		if (index_of(call, node->name) < 0)
			continue;
		any = true;
		if (text_of(node)[strspn(text_of(node), BLANKS)] != '\0')
			return false;
	}
	return any;
}

static void
check_row(const KisCall *call, const KisRow *row, const Node *object)
{
	bool		empty = true;
	bool		figures = false;

	for (int i = 0; i < call->nmembers; i++)
	{
		const KisValue *value = &row->values[i];

		check_value(*value, member_of(object, call->members[i].field));
		empty = empty && (value->kind == KIS_VALUE_MISSING || value->kind == KIS_VALUE_EMPTY);
		figures = figures || (call->members[i].is_figure && value->kind == KIS_VALUE_INTEGER && value->integer != 0);
	}
	check(kis_row_is_empty(call, row) == empty);
	check(kis_row_has_figures(call, row) == figures);
}

static void
check_reply(const KisCall *call, const KisReply *reply, const Node *root,
			const char *body, size_t len)
{
	const Node *output = member_of(root, call->rows);
	const Node *object = output == NULL ? NULL : output->kind == NODE_ARRAY ? output->child :
		output->kind == NODE_OBJECT ? output : NULL;
	int			nrows = 0;

	check(strlen(reply->body) == len && memcmp(reply->body, body, len) == 0);
	for (int position = 0; object != NULL; position++, object = object->next)
	{
		if (!is_blank_row(call, object))
		{
			check(nrows < reply->nrows && reply->rows[nrows].position == position);
			check_row(call, &reply->rows[nrows++], object);
		}
		if (object == output)
			break;
	}
	check(reply->nrows == nrows);
}

/* Copied elsewhere, it is whole without the first. */
static KisReply *
moved(const KisCall *call, KisReply *reply)
{
	KisReply   *copy = malloc(reply->size);

	check(copy != NULL);
	memcpy(copy, reply, reply->size);
	free(reply);
	kis_reply_relocate(call, copy);
	return copy;
}

static void
check_call(const KisCall *call, int http_status, const char *text, size_t text_len)
{
	size_t		len = text_len;
	const char *body = behind_mark(text, &len);
	Node	   *root = read_json(body, len);
	KisErrorClass error_class = expected_class(http_status, root);
	KisError	error;
	KisReply   *reply = kis_reply_decode(call, http_status, text, text_len, &error);

	if (error_class == KIS_OK &&
		((text_of(member_of(root, "rt_cd")) == NULL && text_of(member_of(root, "msg_cd")) == NULL) ||
		 !is_output(call, root)))
		error_class = KIS_ERROR_REPLY;
	if (error_class == KIS_OK)
	{
		check(reply != NULL && error.error_class == KIS_OK);
		reply = moved(call, reply);
		check_reply(call, reply, root, body, len);
		free(reply);
	}
	else
	{
		check(reply == NULL);
		check_error(&error, error_class, http_status);
	}
	free_node(root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const KisCall *call = &kis_call_trend;

	for (size_t i = 0; i < lengthof(others); i++)
		if (memmem(data, size, others[i].member, strlen(others[i].member)) != NULL)
		{
			call = others[i].call;
			break;
		}
	check_call(call, 200, (const char *) data, size);
	check_call(call, other_statuses[size % lengthof(other_statuses)], (const char *) data, size);
	return 0;
}
