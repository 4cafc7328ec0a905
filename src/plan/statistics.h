/*
 * statistics.h
 *		What ANALYZE would find out of a foreign table, known without it.
 */
#ifndef KIS_PLAN_STATISTICS_H
#define KIS_PLAN_STATISTICS_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* To be called from _PG_init: the planner's hook. */
extern void kis_statistics_start(void);

/* ANALYZE of a table says that there is nothing to find out. */
extern bool kisAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *function,
								   BlockNumber *totalpages);

#endif							/* KIS_PLAN_STATISTICS_H */
