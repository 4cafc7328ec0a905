/*
 * explain.h
 *		What EXPLAIN tells of a scan: what it would ask, and what asking cost.
 */
#ifndef KIS_SCAN_EXPLAIN_H
#define KIS_SCAN_EXPLAIN_H

#include "postgres.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"

extern void kisExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

#endif							/* KIS_SCAN_EXPLAIN_H */
