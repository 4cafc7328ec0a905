/*
 * scan_plan.h
 *		What a foreign table's columns make of a scan, and the plan of one as
 *		lists, which PostgreSQL copies and stores.
 */
#ifndef KIS_PLAN_SCAN_PLAN_H
#define KIS_PLAN_SCAN_PLAN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"
#include "utils/rel.h"

#include "common/option.h"
#include "common/tables.h"
#include "plan/columns.h"
#include "plan/keys.h"

/* A foreign table's scan as planned. Sets of columns count as pull_varattnos does. */
typedef struct KisScanPlan
{
	const KisTable *table;
	KisTableOptions options;	/* pairs filled in; of a plan read back they
								 * alone */
	int			ncolumns;
	KisColumn  *columns;
	int			nkeys;
	KisKey	   *keys;			/* the pair's codes */
	Bitmapset  *key_attrs;
	int			ninvestor_keys;
	KisKey	   *investor_keys;	/* the investor's: they decide no calls */
	Bitmapset  *investor_attrs;
	Bitmapset  *code_attrs;		/* all that hold a code of ours: keys, and
								 * investors that a member names */
	int			ndays;
	AttrNumber *days;			/* columns of KIS_SOURCE_DAY and type date */
	Bitmapset  *day_attrs;

	List	   *quals;			/* conditions on the pair's codes alone */
	List	   *day_quals;		/* conditions on the days, and maybe the
								 * codes, alone */
	List	   *investor_quals; /* conditions on the investor's codes alone */
	List	   *referenced;		/* those that name codes themselves, for
								 * kis_key_equality */
	List	   *limit;			/* count and offset, which may be NULL, of the
								 * LIMIT that bounds the scan alone; NIL: none */
	double		calls;			/* expected */
	bool		by_day;			/* the rows come by the day, in the order of
								 * the call's pages */
	bool		partial_read;	/* what stands above may end the scan before
								 * its last row */
} KisScanPlan;

/* Resolves a foreign table and its columns. */
extern void kis_scan_plan_resolve(KisScanPlan *scan, Relation relation);

/* What a plan holds, read back. */
extern KisScanPlan *kis_scan_plan(const ForeignScan *plan, Relation relation);

/* fdw_exprs and fdw_private of a scan that uses these columns. */
extern void kis_scan_plan_write(const KisScanPlan *scan, const Bitmapset *used,
								List **exprs, List **private);

/* The fewest calls that bring so many rows of replies. */
extern double kis_limited_calls(const KisScanPlan *scan, double rows, double npairs);

#endif							/* KIS_PLAN_SCAN_PLAN_H */
