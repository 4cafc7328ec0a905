/*
 * partition.h
 *		Foreign tables that are partitions.
 */
#ifndef KIS_PLAN_PARTITION_H
#define KIS_PLAN_PARTITION_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

extern List *kis_partition_bound_add(PlannerInfo *root, RelOptInfo *rel, Relation relation);

#endif							/* KIS_PLAN_PARTITION_H */
