/*
 * scan_plan.c
 *		A scan's plan as lists, which PostgreSQL copies and stores, and back.
 */
#include "postgres.h"

#include "common/tables.h"
#include "plan/columns.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"

/* The items of fdw_private. */
enum PrivateItem
{
	PRIVATE_TABLE,				/* String: KIS's table */
	PRIVATE_PAIRS,				/* Integer: a KisPairSet */
	PRIVATE_COLUMNS,			/* List of int: attribute, source, member of
								 * each */
	PRIVATE_FIELDS,				/* List of String: KIS_SOURCE_EXTRA_MEMBER's,
								 * in order */
	PRIVATE_KEYS,				/* List of int: attribute, source of each */
	PRIVATE_INVESTOR_KEYS,		/* the same */
	PRIVATE_NQUALS,				/* Integer: so many of fdw_exprs are
								 * conditions on keys */
	PRIVATE_DAYS,				/* List of int: columns that hold a row's day */
	PRIVATE_NDAY_QUALS,			/* Integer: so many that follow are conditions
								 * on days */
	PRIVATE_NINVESTOR_QUALS,	/* Integer: and so many on investors */
	PRIVATE_NAMED,				/* names.c's List; the other fdw_exprs belong
								 * to it */
	PRIVATE_CALLS,				/* Float: calls expected */
	PRIVATE_NPAIRS,				/* Float: pairs expected */
	PRIVATE_ONE_PAIR,			/* Integer: the query names one pair at most */
	PRIVATE_BY_DAY,				/* Integer: the rows come by the day */
	PRIVATE_MAY_END				/* Integer: who runs the query may want its
								 * first rows alone */
};

static List *
list_of_columns(const KisScanPlan *scan, List **fields)
{
	List	   *columns = NIL;

	*fields = NIL;
	for (int i = 0; i < scan->ncolumns; i++)
	{
		const KisColumn *column = &scan->columns[i].column;

		columns = lappend_int(columns, scan->columns[i].attnum);
		columns = lappend_int(columns, column->source);
		columns = lappend_int(columns, column->member);
		if (column->source == KIS_SOURCE_EXTRA_MEMBER)
			*fields = lappend(*fields, makeString(column->field));
	}
	return columns;
}

static List *
list_of_keys(int nkeys, const KisKey *keys)
{
	List	   *list = NIL;

	for (int i = 0; i < nkeys; i++)
	{
		list = lappend_int(list, keys[i].attnum);
		list = lappend_int(list, keys[i].source);
	}
	return list;
}

static List *
list_of_days(const KisScanPlan *scan)
{
	List	   *days = NIL;

	for (int i = 0; i < scan->ndays; i++)
		days = lappend_int(days, scan->days[i]);
	return days;
}

/* The lists that it reads. */
void
kis_scan_plan_write(const KisScanPlan *scan, List **exprs, List **private)
{
	List	   *fields;
	List	   *columns = list_of_columns(scan, &fields);

	*exprs = list_concat(list_concat_copy(scan->quals, scan->day_quals), scan->investor_quals);
	*exprs = list_concat(*exprs, scan->referenced_values);
	*private = list_make4(makeString(pstrdup(scan->table->name)),
						  makeInteger(scan->options.pairs), columns, fields);
	*private = lappend(*private, list_of_keys(scan->nkeys, scan->keys));
	*private = lappend(*private, list_of_keys(scan->ninvestor_keys, scan->investor_keys));
	*private = lappend(*private, makeInteger(list_length(scan->quals)));
	*private = lappend(*private, list_of_days(scan));
	*private = lappend(*private, makeInteger(list_length(scan->day_quals)));
	*private = lappend(*private, makeInteger(list_length(scan->investor_quals)));
	*private = lappend(*private, scan->named);
	*private = lappend(*private, makeFloat(psprintf("%.3f", scan->calls)));
	*private = lappend(*private, makeFloat(psprintf("%.3f", scan->npairs)));
	*private = lappend(*private, makeInteger(scan->one_pair));
	*private = lappend(*private, makeInteger(scan->by_day));
	*private = lappend(*private, makeInteger(scan->partial_read));
}

static KisScanColumn *
read_columns(List *numbers, List *fields, int *ncolumns)
{
	KisScanColumn *columns;
	ListCell   *field = list_head(fields);
	int			n = list_length(numbers) / 3;

	columns = palloc0(Max(1, n) * sizeof(KisScanColumn));
	for (int i = 0; i < n; i++)
	{
		columns[i].attnum = list_nth_int(numbers, i * 3);
		columns[i].column.source = list_nth_int(numbers, i * 3 + 1);
		columns[i].column.member = list_nth_int(numbers, i * 3 + 2);
		if (columns[i].column.source == KIS_SOURCE_EXTRA_MEMBER)
		{
			columns[i].column.field = strVal(lfirst(field));
			field = lnext(fields, field);
		}
	}
	*ncolumns = n;
	return columns;
}

static KisKey *
read_keys(List *numbers, int *nkeys)
{
	KisKey	   *keys;

	*nkeys = list_length(numbers) / 2;
	keys = palloc(Max(1, *nkeys) * sizeof(KisKey));
	for (int i = 0; i < *nkeys; i++)
	{
		keys[i].attnum = list_nth_int(numbers, i * 2);
		keys[i].source = list_nth_int(numbers, i * 2 + 1);
	}
	return keys;
}

/* What stands in a plan, read back; nothing in it is a copy. */
KisScanPlan *
kis_scan_plan(const ForeignScan *plan)
{
	List	   *private = plan->fdw_private;
	List	   *days = list_nth(private, PRIVATE_DAYS);
	int			nquals = intVal(list_nth(private, PRIVATE_NQUALS));
	int			nday_quals = intVal(list_nth(private, PRIVATE_NDAY_QUALS));
	int			ninvestor_quals = intVal(list_nth(private, PRIVATE_NINVESTOR_QUALS));
	KisScanPlan *scan = palloc0(sizeof(KisScanPlan));

	scan->table = kis_table_find(strVal(list_nth(private, PRIVATE_TABLE)));
	scan->options.has_pairs = true;
	scan->options.pairs = intVal(list_nth(private, PRIVATE_PAIRS));
	scan->columns = read_columns(list_nth(private, PRIVATE_COLUMNS),
								 list_nth(private, PRIVATE_FIELDS), &scan->ncolumns);
	scan->keys = read_keys(list_nth(private, PRIVATE_KEYS), &scan->nkeys);
	scan->investor_keys = read_keys(list_nth(private, PRIVATE_INVESTOR_KEYS), &scan->ninvestor_keys);
	scan->ndays = list_length(days);
	scan->days = palloc(Max(1, scan->ndays) * sizeof(AttrNumber));
	for (int i = 0; i < scan->ndays; i++)
		scan->days[i] = list_nth_int(days, i);
	scan->quals = list_truncate(list_copy(plan->fdw_exprs), nquals);
	scan->day_quals = list_truncate(list_copy_tail(plan->fdw_exprs, nquals), nday_quals);
	scan->investor_quals = list_truncate(list_copy_tail(plan->fdw_exprs, nquals + nday_quals),
										 ninvestor_quals);
	scan->named = list_nth(private, PRIVATE_NAMED);
	scan->referenced_values = list_copy_tail(plan->fdw_exprs, nquals + nday_quals + ninvestor_quals);
	scan->calls = floatVal(list_nth(private, PRIVATE_CALLS));
	scan->npairs = floatVal(list_nth(private, PRIVATE_NPAIRS));
	scan->one_pair = intVal(list_nth(private, PRIVATE_ONE_PAIR)) != 0;
	scan->by_day = intVal(list_nth(private, PRIVATE_BY_DAY)) != 0;
	scan->partial_read = intVal(list_nth(private, PRIVATE_MAY_END)) != 0;
	return scan;
}
