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

/*
 * A key column's values. Raises what its type makes of the codes. A domain's
 * constraints and the length of a varchar are left out: they change no value,
 * and a pair that conditions leave out need not satisfy them.
 */
static Datum *
make_column(Form_pg_attribute att, KisSource source, int n, const KisPairCode *pairs)
{
	Datum	   *column = palloc(n * sizeof(Datum));
	int32		typmod = att->atttypmod;
	Oid			type = getBaseTypeAndTypmod(att->atttypid, &typmod);
	FmgrInfo	input;
	Oid			function;
	Oid			typioparam;

	getTypeInputInfo(type, &function, &typioparam);
	fmgr_info(function, &input);
	for (int i = 0; i < n; i++)
	{
		const char *code = source == KIS_SOURCE_INVESTOR ? kis_investors[i].code :
			source == KIS_SOURCE_SECTOR ? pairs[i].sector : pairs[i].market;

		CHECK_FOR_INTERRUPTS();
		column[i] = InputFunctionCall(&input, (char *) code, typioparam,
									  type == VARCHAROID ? -1 : typmod);
	}
	return column;
}

/*
 * The codes of n pairs, or, of pairs that are NULL, of the n investors, as values
 * of those keys that conditions mention, as pull_varattnos counts. Pairs and keys
 * are not copied. Allocates in the current memory context; raises where a key's
 * type takes not all codes.
 */
KisKeyValues *
kis_key_values(Relation relation, int nkeys, const KisKey *keys, int n, const KisPairCode *pairs,
			   const Bitmapset *mentioned)
{
	KisKeyValues *values = palloc(sizeof(KisKeyValues));

	values->n = n;
	values->pairs = pairs;
	values->nkeys = nkeys;
	values->keys = keys;
	values->columns = palloc0(nkeys * sizeof(Datum *));
	for (int key = 0; key < nkeys; key++)
		if (bms_is_member(keys[key].attnum - FirstLowInvalidHeapAttributeNumber, mentioned))
			values->columns[key] = make_column(TupleDescAttr(RelationGetDescr(relation), keys[key].attnum - 1),
											   keys[key].source, n, pairs);
	return values;
}

/* Makes slot, of the table's descriptor, a row that has nothing but the i-th's keys that are mentioned. */
void
kis_key_store(const KisKeyValues *values, int i, TupleTableSlot *slot)
{
	ExecStoreAllNullTuple(slot);
	for (int key = 0; key < values->nkeys; key++)
	{
		AttrNumber	attnum = values->keys[key].attnum;

		if (values->columns[key] == NULL)
			continue;
		slot->tts_values[attnum - 1] = values->columns[key][i];
		slot->tts_isnull[attnum - 1] = false;
	}
}
