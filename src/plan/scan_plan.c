/*
 * scan_plan.c
 *		What a foreign table's columns make of a scan, and the plan of one as
 *		lists, which PostgreSQL copies and stores.
 *
 * The table and its columns are not in the plan: they are resolved again for
 * each scan. Altering either invalidates the plan, so it gives the same.
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "catalog/pg_type.h"

#include "common/tables.h"
#include "compat.h"
#include "plan/columns.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"

/* The items of fdw_exprs, each a List. */
enum ExprsItem
{
	EXPRS_QUALS,
	EXPRS_DAY_QUALS,
	EXPRS_INVESTOR_QUALS,
	EXPRS_REFERENCED,
	EXPRS_LIMIT
};

/* The items of fdw_private. */
enum PrivateItem
{
	PRIVATE_ATTNUMS,			/* List of int: the columns that the query
								 * uses */
	PRIVATE_CALLS,				/* Float */
	PRIVATE_BY_DAY,				/* Integer */
	PRIVATE_PARTIAL_READ		/* Integer */
};

/* Notes what a column is to the conditions: a code of the pair or the investor, or the day. */
static void
add_column(KisScanPlan *scan, const KisColumn *column, Form_pg_attribute att)
{
	KisKey		key = {.attnum = att->attnum,.source = column->source};
	int			attr = att->attnum - FirstLowInvalidHeapAttributeNumber;

	scan->columns[scan->ncolumns++] = *column;
	switch (column->source)
	{
		case KIS_SOURCE_MARKET:
		case KIS_SOURCE_SECTOR:
			scan->keys[scan->nkeys++] = key;
			scan->key_attrs = bms_add_member(scan->key_attrs, attr);
			break;
		case KIS_SOURCE_INVESTOR:
			scan->investor_keys[scan->ninvestor_keys++] = key;
			scan->investor_attrs = bms_add_member(scan->investor_attrs, attr);
			break;
		case KIS_SOURCE_DAY:
			if (att->atttypid != DATEOID)
				break;
			scan->days[scan->ndays++] = att->attnum;
			scan->day_attrs = bms_add_member(scan->day_attrs, attr);
			break;
		default:
			break;
	}
}

/*
 * Resolves a foreign table and its columns into *scan: those among used, or,
 * where that is NULL, all. Raises what kis_table_of_relation and
 * kis_column_resolve raise.
 */
void
kis_scan_plan_resolve(KisScanPlan *scan, Relation relation, const Bitmapset *used)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Oid			relid = RelationGetRelid(relation);
	KisTableOptions *options;

	scan->table = kis_table_of_relation(relid, &options);
	scan->options = *options;
	if (options->pairs == KIS_PAIRS_OF_TABLE)
		scan->options.pairs = scan->table->pairs;
	scan->columns = palloc(desc->natts * sizeof(KisColumn));
	scan->keys = palloc(desc->natts * sizeof(KisKey));
	scan->investor_keys = palloc(desc->natts * sizeof(KisKey));
	scan->days = palloc(desc->natts * sizeof(AttrNumber));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		KisColumn	column;

		/* PostgreSQL computes virtual columns itself */
		if (att->attisdropped || kis_is_virtual_column(att) ||
			(used != NULL && !bms_is_member(att->attnum, used)))
			continue;
		column = kis_column_resolve(scan->table, relid, att->attnum, NameStr(att->attname));
		add_column(scan, &column, att);
	}
}

/*
 * Makes fdw_exprs and fdw_private of a scan. used are the columns of the query,
 * as pull_varattnos counts.
 */
void
kis_scan_plan_write(const KisScanPlan *scan, const Bitmapset *used, List **exprs, List **private)
{
	bool		whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	List	   *attnums = NIL;

	for (int i = 0; i < scan->ncolumns; i++)
	{
		AttrNumber	attnum = scan->columns[i].attnum;

		if (whole_row || bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used))
			attnums = lappend_int(attnums, attnum);
	}
	*exprs = list_make5(scan->quals, scan->day_quals, scan->investor_quals, scan->referenced,
						scan->limit);
	*private = list_make4(attnums, makeFloat(psprintf("%.3f", scan->calls)),
						  makeInteger(scan->by_day), makeInteger(scan->partial_read));
}

/*
 * What a plan holds, read back, in the current memory context; the conditions
 * are no copies. Raises what kis_scan_plan_resolve does.
 */
KisScanPlan *
kis_scan_plan(const ForeignScan *plan, Relation relation)
{
	KisScanPlan *scan = palloc0(sizeof(KisScanPlan));
	Bitmapset  *used = bms_make_singleton(0);	/* not NULL, which means all */
	ListCell   *cell;

	foreach(cell, list_nth(plan->fdw_private, PRIVATE_ATTNUMS))
		used = bms_add_member(used, lfirst_int(cell));
	kis_scan_plan_resolve(scan, relation, used);
	scan->quals = list_nth(plan->fdw_exprs, EXPRS_QUALS);
	scan->day_quals = list_nth(plan->fdw_exprs, EXPRS_DAY_QUALS);
	scan->investor_quals = list_nth(plan->fdw_exprs, EXPRS_INVESTOR_QUALS);
	scan->referenced = list_nth(plan->fdw_exprs, EXPRS_REFERENCED);
	scan->limit = list_nth(plan->fdw_exprs, EXPRS_LIMIT);
	scan->calls = floatVal(list_nth(plan->fdw_private, PRIVATE_CALLS));
	scan->by_day = intVal(list_nth(plan->fdw_private, PRIVATE_BY_DAY)) != 0;
	scan->partial_read = intVal(list_nth(plan->fdw_private, PRIVATE_PARTIAL_READ)) != 0;
	return scan;
}

/*
 * The fewest calls that bring so many rows of replies, pages being as long as
 * usual; by the day, each of npairs pairs brings its share of them.
 */
double
kis_limited_calls(const KisScanPlan *scan, double rows, double npairs)
{
	double		calls = ceil(rows / scan->table->call->usual_rows);

	return scan->by_day ? Max(calls, Min(npairs, rows)) : calls;
}
