/*
 * scan.h
 *		The executor's part: which pairs a scan reads, and its rows.
 */
#ifndef KIS_SCAN_SCAN_H
#define KIS_SCAN_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"

extern void kisBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kisIterateForeignScan(ForeignScanState *node);
extern void kisReScanForeignScan(ForeignScanState *node);
extern void kisEndForeignScan(ForeignScanState *node);

#endif							/* KIS_SCAN_SCAN_H */
