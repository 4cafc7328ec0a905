/*
 * explain.h
 *		What EXPLAIN shows of a scan: what it would call, and what the calls have
 *		cost.
 */
#ifndef KIS_SCAN_EXPLAIN_H
#define KIS_SCAN_EXPLAIN_H

#include "postgres.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"

/* To be called from _PG_init: the option KIS of EXPLAIN, where there can be one. */
extern void kis_explain_start(void);

/* EXPLAIN's lines of a scan; makes no call. */
extern void kisExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

#endif							/* KIS_SCAN_EXPLAIN_H */
