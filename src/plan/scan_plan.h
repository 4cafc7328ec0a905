/*
 * scan_plan.h
 *		A scan's plan as lists, which PostgreSQL copies and stores, and back.
 */
#ifndef KIS_PLAN_SCAN_PLAN_H
#define KIS_PLAN_SCAN_PLAN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"

#include "common/option.h"
#include "common/tables.h"
#include "plan/columns.h"
#include "plan/keys.h"

/* A column that a scan fills. */
typedef struct KisScanColumn
{
	AttrNumber	attnum;
	KisColumn	column;
} KisScanColumn;

/* A foreign table's scan as planned: what fdw_private and fdw_exprs hold. */
typedef struct KisScanPlan
{
	const KisTable *table;
	KisTableOptions options;
	int			ncolumns;
	KisScanColumn *columns;
	int			nkeys;
	KisKey	   *keys;			/* the pair's codes */
	int			ninvestor_keys;
	KisKey	   *investor_keys;	/* the investor's */
	List	   *quals;			/* conditions on the pair's codes alone */
	int			ndays;
	AttrNumber *days;			/* columns of KIS_SOURCE_DAY and type date */
	List	   *day_quals;		/* conditions on these, and maybe the codes,
								 * alone */
	List	   *investor_quals; /* conditions on the investor's codes alone */
	List	   *named;			/* the codes that the query names, see names.c */
	List	   *referenced_values;	/* their expressions */
	double		calls;			/* expected */
	double		npairs;			/* expected */
	bool		one_pair;		/* the query names one pair at most */
	bool		by_day;			/* the rows come by the day, in the order of
								 * the call's pages */
	bool		partial_read;	/* a cursor or the like may leave the query
								 * before its last row */
} KisScanPlan;

/* What stands in a plan, read back; nothing in it is a copy. */
extern KisScanPlan *kis_scan_plan(const ForeignScan *plan);

/* The lists that it reads. */
extern void kis_scan_plan_write(const KisScanPlan *scan, List **exprs, List **private);

#endif							/* KIS_PLAN_SCAN_PLAN_H */
