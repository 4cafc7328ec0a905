/*
 * keys.c
 *		The pairs of market and sector that a table holds, and the investors, as
 *		values of its columns, so that any condition can be evaluated on them.
 *
 * A row's own values are checked by its columns' types when it is read.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "common/option.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/keys.h"

/* What an error context needs of the column whose values are made. */
typedef struct KeyColumn
{
	const char *name;
	Relation	relation;
} KeyColumn;

static void
key_context(void *arg)
{
	const KeyColumn *column = arg;

	errcontext("column \"%s\" of foreign table \"%s\"",
			   column->name, RelationGetRelationName(column->relation));
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

/*
 * A key column's values. Raises what its type makes of the codes. A domain's
 * constraints and the length of a varchar are left out: they change no value,
 * and a pair that conditions leave out need not satisfy them.
 */
static Datum *
make_column(const KisKeyValues *values, const KisKey *key)
{
	MemoryContext old = MemoryContextSwitchTo(values->context);
	Datum	   *column = palloc(values->n * sizeof(Datum));
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(values->relation), key->attnum - 1);
	int32		typmod = att->atttypmod;
	Oid			type = getBaseTypeAndTypmod(att->atttypid, &typmod);
	KeyColumn	shown = {.name = NameStr(att->attname),.relation = values->relation};
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = key_context,
		.arg = &shown
	};
	FmgrInfo	input;
	Oid			function;
	Oid			typioparam;

	getTypeInputInfo(type, &function, &typioparam);
	fmgr_info(function, &input);
	error_context_stack = &context;
	for (int i = 0; i < values->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		column[i] = InputFunctionCall(&input, (char *) code_of(values->pairs, i, key->source),
									  typioparam, type == VARCHAROID ? -1 : typmod);
	}
	error_context_stack = context.previous;
	MemoryContextSwitchTo(old);
	return column;
}

/*
 * The pairs as values, made in the current memory context when they are needed,
 * while the relation is open. Pairs and keys are not copied.
 */
KisKeyValues *
kis_pair_values(Relation relation, int nkeys, const KisKey *keys,
				int npairs, const KisPairCode *pairs)
{
	KisKeyValues *values = palloc(sizeof(KisKeyValues));

	values->n = npairs;
	values->pairs = pairs;
	values->nkeys = nkeys;
	values->keys = keys;
	values->columns = palloc0(nkeys * sizeof(Datum *));
	values->relation = relation;
	values->context = CurrentMemoryContext;
	return values;
}

/* The same of the investors. */
KisKeyValues *
kis_investor_values(Relation relation, int nkeys, const KisKey *keys)
{
	return kis_pair_values(relation, nkeys, keys, kis_investor_count, NULL);
}

/* The i-th's value of the key-th key column. */
static Datum
value_of(const KisKeyValues *values, int i, int key)
{
	if (values->columns[key] == NULL)
		values->columns[key] = make_column(values, &values->keys[key]);
	return values->columns[key][i];
}

/*
 * The i-th's code as conditions see it: whether a domain takes it is not looked
 * at. Raises where the type under it doesn't.
 */
Datum
kis_key_value(const KisKeyValues *values, int i, AttrNumber attnum)
{
	for (int key = 0; key < values->nkeys; key++)
		if (values->keys[key].attnum == attnum)
			return value_of(values, i, key);
	elog(ERROR, "column %d is no key", attnum);
}

/*
 * Makes slot, of the table's descriptor, a row that has nothing but the i-th's
 * keys, those that are mentioned, as pull_varattnos counts. Raises as
 * kis_key_value does.
 */
void
kis_key_store(const KisKeyValues *values, int i, const Bitmapset *mentioned, TupleTableSlot *slot)
{
	ExecStoreAllNullTuple(slot);
	for (int key = 0; key < values->nkeys; key++)
	{
		AttrNumber	attnum = values->keys[key].attnum;

		if (!bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, mentioned))
			continue;
		slot->tts_values[attnum - 1] = value_of(values, i, key);
		slot->tts_isnull[attnum - 1] = false;
	}
}
