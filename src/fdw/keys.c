/*
 * pairs.c
 *		The pairs of market and sector that a table holds, as values of its key
 *		columns, so that any condition can be evaluated on them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"

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

/* Room for a code as text, header and alignment included */
#define TEXT_SIZE	MAXALIGN(VARHDRSZ + Max(KIS_MARKET_LEN, KIS_SECTOR_LEN))

/* A code as the column's value; text, which most are, is made at room. */
static Datum
key_value(KeyInput *input, const char *code, char *room)
{
	size_t		len;

	if (input->type != TEXTOID)
		return InputFunctionCall(&input->function, (char *) code,
								 input->typioparam, input->typmod);
	len = strlen(code);
	SET_VARSIZE(room, VARHDRSZ + len);
	memcpy(VARDATA(room), code, len);
	return PointerGetDatum(room);
}

/* Raises what the columns' types make of the codes. */
KisPairValues *
kis_pair_values(Relation relation, int nkeys, const KisKey *keys,
				int npairs, const KisPairCode *pairs)
{
	KisPairValues *values = palloc(sizeof(KisPairValues));
	char	   *room = palloc(Max(1, npairs * nkeys) * TEXT_SIZE);
	KeyInput	input;
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = key_context,
		.arg = &input
	};

	values->npairs = npairs;
	values->pairs = pairs;
	values->nkeys = nkeys;
	values->keys = keys;
	values->values = palloc(Max(1, npairs * nkeys) * sizeof(Datum));

	for (int key = 0; key < nkeys; key++)
	{
		key_input_prepare(&input, relation, keys[key].attnum);
		error_context_stack = &context;
		for (int pair = 0; pair < npairs; pair++)
		{
			const char *code = keys[key].source == KIS_SOURCE_MARKET ?
				pairs[pair].market : pairs[pair].sector;

			values->values[pair * nkeys + key] = key_value(&input, code, room);
			room += TEXT_SIZE;
		}
		error_context_stack = context.previous;
	}
	return values;
}

Datum
kis_pair_value(const KisPairValues *values, int pair, AttrNumber attnum)
{
	for (int key = 0; key < values->nkeys; key++)
		if (values->keys[key].attnum == attnum)
			return values->values[pair * values->nkeys + key];
	elog(ERROR, "column %d is no key", attnum);
}

void
kis_pair_store(const KisPairValues *values, int pair, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int key = 0; key < values->nkeys; key++)
	{
		int			i = values->keys[key].attnum - 1;

		slot->tts_values[i] = values->values[pair * values->nkeys + key];
		slot->tts_isnull[i] = false;
	}
	ExecStoreVirtualTuple(slot);
}
