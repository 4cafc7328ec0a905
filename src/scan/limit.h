/*
 * limit.h
 *		What stands above a scan and may end it before its last row.
 */
#ifndef KIS_SCAN_LIMIT_H
#define KIS_SCAN_LIMIT_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "plan/scan_plan.h"

/* What stands above a scan. */
typedef struct KisLimit
{
	ExprState  *count;			/* of the LIMIT that bounds the scan alone;
								 * NULL: none does */
	ExprState  *offset;			/* NULL: none */
	bool		is_constant;	/* both are known without running the query */
	bool		partial_read;	/* the scan need not be read to its last row */
} KisLimit;

extern void kis_limit_init(KisLimit *limit, const KisScanPlan *scan, ForeignScanState *node);

/* The rows of replies that can be wanted at most; PG_INT64_MAX: all. */
extern int64 kis_limit_rows(const KisLimit *limit, ExprContext *econtext, int split);

/* The fewest calls that bring so many rows of replies. */
extern int64 kis_limited_calls(const KisScanPlan *scan, int64 rows, int64 npairs);

#endif							/* KIS_SCAN_LIMIT_H */
