/*
 * partition.c
 *		Foreign tables that are partitions.
 *
 * PostgreSQL takes a partition's rows for those of its bound and looks no
 * further. A foreign table of KIS holds what its options say: partitions for
 * KSP and for KSQ would each bring all pairs, and each pair twice. So the bound
 * is a condition like the query's own; it decides the calls as those do.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "optimizer/restrictinfo.h"
#include "rewrite/rewriteManip.h"
#include "utils/partcache.h"

#include "plan/partition.h"

/*
 * Adds the bound of a foreign table that is a partition to its conditions, so
 * that it holds what it says and no more. Returns what it adds.
 */
List *
kis_partition_bound_add(PlannerInfo *root, RelOptInfo *rel, Relation relation)
{
	List	   *bound;
	List	   *added = NIL;
	ListCell   *cell;

	if (!relation->rd_rel->relispartition)
		return NIL;
	/* restrictions are clauses of their own, never an AND of some */
	bound = make_ands_implicit(canonicalize_qual(
												 expression_planner(make_ands_explicit(RelationGetPartitionQual(relation))), false));
	ChangeVarNodes((Node *) bound, 1, rel->relid, 0);
	foreach(cell, bound)
		added = lappend(added, make_simple_restrictinfo(root, lfirst(cell)));
	rel->baserestrictinfo = list_concat(rel->baserestrictinfo, added);
	if (bound != NIL)
		rel->baserestrict_min_security = 0;
	return added;
}
