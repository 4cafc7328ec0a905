/*
 * keys.h
 *		The pairs of market and sector that a table holds, and the investors, as
 *		values of its columns, so that any condition can be evaluated on them.
 */
#ifndef KIS_PLAN_KEYS_H
#define KIS_PLAN_KEYS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "common/option.h"
#include "plan/columns.h"

/* A key column: a code of the pair, or of the investor, that the row is of. */
typedef struct KisKey
{
	AttrNumber	attnum;
	KisSource	source;			/* KIS_SOURCE_MARKET, _SECTOR or _INVESTOR */
} KisKey;

/* The pairs that a table holds, or the investors, their codes as values of its key columns */
typedef struct KisKeyValues
{
	int			n;
	const KisPairCode *pairs;	/* n of them; NULL: they are kis_investors */
	int			nkeys;
	const KisKey *keys;
	Datum	  **columns;		/* n values of each key; NULL: not mentioned */
} KisKeyValues;

/* Values of the keys that are mentioned, as pull_varattnos counts */
extern KisKeyValues *kis_key_values(Relation relation, int nkeys, const KisKey *keys,
									int n, const KisPairCode *pairs, const Bitmapset *mentioned);

/* Makes slot a row that has nothing but the i-th's keys. */
extern void kis_key_store(const KisKeyValues *values, int i, TupleTableSlot *slot);

#endif							/* KIS_PLAN_KEYS_H */
