/*
 * limit.h
 *		What stands above a scan and may end it: the LIMIT that bounds it alone,
 *		where nothing between them could take a row away, so that the scan never
 *		needs more rows than the LIMIT lets through; and anything else.
 */
#ifndef KIS_SCAN_LIMIT_H
#define KIS_SCAN_LIMIT_H

#include "postgres.h"

#include "nodes/execnodes.h"

/* May the scan end before its last row, for what stands above it? */
extern bool kis_is_partial_read(ForeignScanState *node);

/* The LIMIT that bounds a scan alone */
typedef struct KisLimit KisLimit;

extern KisLimit *kis_limit_create(ForeignScanState *node, bool only_constant);	/* NULL: none */
extern int64 kis_limit_rows(KisLimit *limit, ExprContext *econtext, int split); /* PG_INT64_MAX: all */

#endif							/* KIS_SCAN_LIMIT_H */
