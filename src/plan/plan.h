/*
 * plan.h
 *		From a query to the plan of a scan: its size, its paths, and what the
 *		executor has to know.
 */
#ifndef KIS_PLAN_PLAN_H
#define KIS_PLAN_PLAN_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"

#include "common/option.h"
#include "plan/scan_plan.h"

extern void kisGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void kisGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *kisGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
									  ForeignPath *best_path, List *tlist, List *scan_clauses,
									  Plan *outer_plan);

/* Is the relation ours, and its size estimated? Then its columns, and the pairs that its rows can be of. */
extern bool kis_planned_pairs(const RelOptInfo *rel, const KisScanPlan **scan, int *n,
							  const KisPairCode **pairs);

#endif							/* KIS_PLAN_PLAN_H */
