/*
 * keys.c
 *		The pairs of market and sector that a table holds, and the investors, as
 *		values of its columns, so that any condition can be evaluated on them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "fdw.h"

/* A key column's input function. */
typedef struct KeyInput
{
	FmgrInfo	function;
	Oid			type;
	Oid			typioparam;
	int32		typmod;
	Relation	relation;
	const char *name;
} KeyInput;

static void
key_context(void *arg)
{
	const KeyInput *input = arg;

	errcontext("column \"%s\" of foreign table \"%s\"",
			   input->name, RelationGetRelationName(input->relation));
}

static void
key_input_prepare(KeyInput *input, Relation relation, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(relation), attnum - 1);
	Oid			typinput;

	input->type = att->atttypid;
	if (input->type != TEXTOID)
	{
		getTypeInputInfo(att->atttypid, &typinput, &input->typioparam);
		fmgr_info(typinput, &input->function);
	}
	input->typmod = att->atttypmod;
	input->relation = relation;
	input->name = NameStr(att->attname);
}

/* What a code takes as text */
static size_t
text_size(const char *code)
{
	return MAXALIGN(VARHDRSZ + strlen(code));
}

/* A code as the column's value; text, which most are, is made in *room, which moves on. */
static Datum
key_value(KeyInput *input, const char *code, char **room)
{
	char	   *text = *room;
	size_t		len;

	if (input->type != TEXTOID)
		return InputFunctionCall(&input->function, (char *) code,
								 input->typioparam, input->typmod);
	len = strlen(code);
	SET_VARSIZE(text, VARHDRSZ + len);
	memcpy(VARDATA(text), code, len);
	*room += text_size(code);
	return PointerGetDatum(text);
}

/* The code that a key column of the i-th of them holds. */
static const char *
code_of(const KisPairCode *pairs, int i, KisSource source)
{
	switch (source)
	{
		case KIS_SOURCE_MARKET:
			return pairs[i].market;
		case KIS_SOURCE_SECTOR:
			return pairs[i].sector;
		case KIS_SOURCE_INVESTOR:
			return kis_investors[i].code;
		default:
			elog(ERROR, "source %d is no key", (int) source);
	}
}

/* Memory for all codes as text. */
static char *
make_room(int nkeys, const KisKey *keys, int n, const KisPairCode *pairs)
{
	size_t		size = 1;

	for (int key = 0; key < nkeys; key++)
		for (int i = 0; i < n; i++)
			size += text_size(code_of(pairs, i, keys[key].source));
	return palloc(size);
}

/* Raises what the columns' types make of the codes. */
static KisKeyValues *
make_values(Relation relation, int nkeys, const KisKey *keys, int n, const KisPairCode *pairs)
{
	KisKeyValues *values = palloc(sizeof(KisKeyValues));
	char	   *room = make_room(nkeys, keys, n, pairs);
	KeyInput	input;
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = key_context,
		.arg = &input
	};

	values->n = n;
	values->pairs = pairs;
	values->nkeys = nkeys;
	values->keys = keys;
	values->values = palloc(Max(1, n * nkeys) * sizeof(Datum));

	for (int key = 0; key < nkeys; key++)
	{
		key_input_prepare(&input, relation, keys[key].attnum);
		error_context_stack = &context;
		for (int i = 0; i < n; i++)
			values->values[i * nkeys + key] =
				key_value(&input, code_of(pairs, i, keys[key].source), &room);
		error_context_stack = context.previous;
	}
	return values;
}

KisKeyValues *
kis_pair_values(Relation relation, int nkeys, const KisKey *keys,
				int npairs, const KisPairCode *pairs)
{
	return make_values(relation, nkeys, keys, npairs, pairs);
}

KisKeyValues *
kis_investor_values(Relation relation, int nkeys, const KisKey *keys)
{
	return make_values(relation, nkeys, keys, kis_investor_count, NULL);
}

Datum
kis_key_value(const KisKeyValues *values, int i, AttrNumber attnum)
{
	for (int key = 0; key < values->nkeys; key++)
		if (values->keys[key].attnum == attnum)
			return values->values[i * values->nkeys + key];
	elog(ERROR, "column %d is no key", attnum);
}

void
kis_key_store(const KisKeyValues *values, int i, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int key = 0; key < values->nkeys; key++)
	{
		AttrNumber	attnum = values->keys[key].attnum;

		slot->tts_values[attnum - 1] = values->values[i * values->nkeys + key];
		slot->tts_isnull[attnum - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
}
