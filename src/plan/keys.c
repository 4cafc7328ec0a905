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

/* How a code becomes a value that conditions can be evaluated on. */
typedef struct KeyInput
{
	FmgrInfo	function;
	Oid			type;			/* under any domain */
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

/*
 * Without a domain's constraints and the length of a varchar: they change no
 * value, and a pair that conditions leave out need not satisfy them.
 */
static void
key_input_prepare(KeyInput *input, Relation relation, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(relation), attnum - 1);
	Oid			typinput;

	input->typmod = att->atttypmod;
	input->type = getBaseTypeAndTypmod(att->atttypid, &input->typmod);
	if (input->type == VARCHAROID)
		input->typmod = -1;
	if (input->type != TEXTOID)
	{
		getTypeInputInfo(input->type, &typinput, &input->typioparam);
		fmgr_info(typinput, &input->function);
	}
	input->relation = relation;
	input->name = NameStr(att->attname);
}

/* What a code takes as text */
static size_t
text_size(const char *code)
{
	return MAXALIGN(VARHDRSZ + strlen(code));
}

/* A code as a value; text, which most are, is made in *room, which moves on. */
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

/* Memory for all codes of a key column as text. */
static char *
make_room(const KisKeyValues *values, KisSource source)
{
	size_t		size = 1;

	for (int i = 0; i < values->n; i++)
		size += text_size(code_of(values->pairs, i, source));
	return palloc(size);
}

/* A key column's values. Raises what its type makes of the codes. */
static Datum *
make_column(const KisKeyValues *values, const KisKey *key)
{
	MemoryContext old = MemoryContextSwitchTo(values->context);
	Datum	   *column = palloc(Max(1, values->n) * sizeof(Datum));
	char	   *room = make_room(values, key->source);
	KeyInput	input;
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = key_context,
		.arg = &input
	};

	key_input_prepare(&input, values->relation, key->attnum);
	error_context_stack = &context;
	for (int i = 0; i < values->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		column[i] = key_value(&input, code_of(values->pairs, i, key->source), &room);
	}
	error_context_stack = context.previous;
	MemoryContextSwitchTo(old);
	return column;
}

static KisKeyValues *
create_values(Relation relation, int nkeys, const KisKey *keys, int n, const KisPairCode *pairs)
{
	KisKeyValues *values = palloc(sizeof(KisKeyValues));

	values->n = n;
	values->pairs = pairs;
	values->nkeys = nkeys;
	values->keys = keys;
	values->columns = palloc0(Max(1, nkeys) * sizeof(Datum *));
	values->relation = relation;
	values->context = CurrentMemoryContext;
	return values;
}

/*
 * They are made in the current memory context when they are needed, while the
 * relation is open.
 */
KisKeyValues *
kis_pair_values(Relation relation, int nkeys, const KisKey *keys,
				int npairs, const KisPairCode *pairs)
{
	return create_values(relation, nkeys, keys, npairs, pairs);
}

KisKeyValues *
kis_investor_values(Relation relation, int nkeys, const KisKey *keys)
{
	return create_values(relation, nkeys, keys, kis_investor_count, NULL);
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
 * Can all codes become values of a key column without an error, and without a
 * function of a user's?
 */
bool
kis_key_is_plain(const KisKeyValues *values, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(values->relation), attnum - 1);
	int32		typmod = att->atttypmod;
	Oid			type = getBaseTypeAndTypmod(att->atttypid, &typmod);
	int			key = 0;

	if (type != BPCHAROID || typmod < VARHDRSZ)
		return type == TEXTOID || type == VARCHAROID || type == NAMEOID || type == BPCHAROID;
	while (values->keys[key].attnum != attnum)
		key++;
	for (int i = 0; i < values->n; i++)
		if ((int) strlen(code_of(values->pairs, i, values->keys[key].source)) > typmod - VARHDRSZ)
			return false;
	return true;
}

/*
 * Makes slot, of the table's descriptor, a row that has nothing but the i-th's
 * keys, those that are mentioned, as pull_varattnos counts.
 */
void
kis_key_store(const KisKeyValues *values, int i, const Bitmapset *mentioned, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int key = 0; key < values->nkeys; key++)
	{
		AttrNumber	attnum = values->keys[key].attnum;

		if (!bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, mentioned))
			continue;
		slot->tts_values[attnum - 1] = value_of(values, i, key);
		slot->tts_isnull[attnum - 1] = false;
	}
	ExecStoreVirtualTuple(slot);
}
