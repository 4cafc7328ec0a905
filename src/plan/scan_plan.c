/*
 * scan_plan.c
 *		What a foreign table's columns make of a scan, and the plan of one as
 *		lists, which PostgreSQL copies and stores.
 *
 * Options and names of columns are resolved in planning alone, for the sake of
 * prepared statements: altering them invalidates the plan.
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
	PRIVATE_TABLE,				/* String: the remote table's name */
	PRIVATE_PAIRS,				/* Integer */
	PRIVATE_ATTNUMS,			/* List of int: the columns that the query
								 * uses; so are the next two */
	PRIVATE_SOURCES,
	PRIVATE_MEMBERS,
	PRIVATE_FIELDS,				/* List of String: the option field of those
								 * from KIS_SOURCE_EXTRA_MEMBER on */
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
			scan->code_attrs = bms_add_member(scan->code_attrs, attr);
			break;
		case KIS_SOURCE_INVESTOR:
			scan->investor_keys[scan->ninvestor_keys++] = key;
			scan->investor_attrs = bms_add_member(scan->investor_attrs, attr);
			scan->code_attrs = bms_add_member(scan->code_attrs, attr);
			break;
		case KIS_SOURCE_MEMBER_INVESTOR:
			scan->code_attrs = bms_add_member(scan->code_attrs, attr);
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

/* Makes room for what a relation's columns can be. */
static void
allocate(KisScanPlan *scan, int natts)
{
	scan->columns = palloc(natts * sizeof(KisColumn));
	scan->keys = palloc(natts * sizeof(KisKey));
	scan->investor_keys = palloc(natts * sizeof(KisKey));
	scan->days = palloc(natts * sizeof(AttrNumber));
}

/*
 * Resolves a foreign table and all its columns into *scan. Raises what
 * kis_table_of_relation and kis_column_resolve raise.
 */
void
kis_scan_plan_resolve(KisScanPlan *scan, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Oid			relid = RelationGetRelid(relation);
	KisTableOptions *options;

	scan->table = kis_table_of_relation(relid, &options);
	scan->options = *options;
	if (options->pairs == KIS_PAIRS_OF_TABLE)
		scan->options.pairs = scan->table->pairs;
	allocate(scan, desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		KisColumn	column;

		/* PostgreSQL computes virtual columns itself */
		if (att->attisdropped || kis_is_virtual_column(att))
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
	List	   *sources = NIL;
	List	   *members = NIL;
	List	   *fields = NIL;

	for (int i = 0; i < scan->ncolumns; i++)
	{
		const KisColumn *column = &scan->columns[i];

		if (!whole_row && !bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, used))
			continue;
		attnums = lappend_int(attnums, column->attnum);
		sources = lappend_int(sources, column->source);
		members = lappend_int(members, column->member);
		if (column->source >= KIS_SOURCE_EXTRA_MEMBER)
			fields = lappend(fields, makeString(pstrdup(column->name)));
	}
	*exprs = list_make5(scan->quals, scan->day_quals, scan->investor_quals, scan->referenced,
						scan->limit);
	*private = list_make5(makeString(pstrdup(scan->table->name)),
						  makeInteger(scan->options.pairs), attnums, sources, members);
	*private = list_concat(*private,
						   list_make4(fields, makeFloat(psprintf("%.3f", scan->calls)),
									  makeInteger(scan->by_day), makeInteger(scan->partial_read)));
}

/*
 * What a plan holds, read back, in the current memory context; the conditions
 * are no copies.
 */
KisScanPlan *
kis_scan_plan(const ForeignScan *plan, Relation relation)
{
	KisScanPlan *scan = palloc0(sizeof(KisScanPlan));
	TupleDesc	desc = RelationGetDescr(relation);
	List	   *private = plan->fdw_private;
	ListCell   *field = list_head(list_nth(private, PRIVATE_FIELDS));
	ListCell   *attnum;
	ListCell   *source;
	ListCell   *member;

	scan->table = kis_table_find(strVal(list_nth(private, PRIVATE_TABLE)));
	scan->options.pairs = intVal(list_nth(private, PRIVATE_PAIRS));
	allocate(scan, desc->natts);
	forthree(attnum, list_nth(private, PRIVATE_ATTNUMS), source, list_nth(private, PRIVATE_SOURCES),
			 member, list_nth(private, PRIVATE_MEMBERS))
	{
		KisColumn	column = {
			.source = lfirst_int(source),
			.member = lfirst_int(member),
			.attnum = lfirst_int(attnum)
		};

		if (column.source >= KIS_SOURCE_EXTRA_MEMBER)
		{
			column.name = strVal(lfirst(field));
			field = lnext(list_nth(private, PRIVATE_FIELDS), field);
		}
		add_column(scan, &column, TupleDescAttr(desc, column.attnum - 1));
	}
	scan->quals = list_nth(plan->fdw_exprs, EXPRS_QUALS);
	scan->day_quals = list_nth(plan->fdw_exprs, EXPRS_DAY_QUALS);
	scan->investor_quals = list_nth(plan->fdw_exprs, EXPRS_INVESTOR_QUALS);
	scan->referenced = list_nth(plan->fdw_exprs, EXPRS_REFERENCED);
	scan->limit = list_nth(plan->fdw_exprs, EXPRS_LIMIT);
	scan->calls = floatVal(list_nth(private, PRIVATE_CALLS));
	scan->by_day = intVal(list_nth(private, PRIVATE_BY_DAY)) != 0;
	scan->partial_read = intVal(list_nth(private, PRIVATE_PARTIAL_READ)) != 0;
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
