/*
 * scan.h
 *		The executor's part: which pairs a scan asks for, when, and its rows.
 */
#ifndef KIS_SCAN_SCAN_H
#define KIS_SCAN_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "request/state.h"

extern void kisBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kisIterateForeignScan(ForeignScanState *node);
extern void kisReScanForeignScan(ForeignScanState *node);
extern void kisEndForeignScan(ForeignScanState *node);

/* What the scan has cost so far. */
extern const KisCounters *kis_scan_counters(const ForeignScanState *node);

#endif							/* KIS_SCAN_SCAN_H */
