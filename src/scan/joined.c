/*
 * joined.c
 *		Which scans of a plan are read whatever rows come, so that their first
 *		calls can be made side by side.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "optimizer/cost.h"

#include "scan/joined.h"

/*
 * Adds those at or below the plan, of an Append where it is read to its end. What
 * takes another's values can't begin before these are there.
 */
static void
add_scans(Plan *plan, bool to_end, List **scans)
{
	ListCell   *cell;

	check_stack_depth();
	if (plan == NULL || !bms_is_empty(plan->extParam))
		return;
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			*scans = lappend(*scans, plan);
			break;
		case T_Append:

			/*
			 * its asynchronous scans are asked at once anyway, but PostgreSQL
			 * has none where the query around an arm drops columns of it
			 */
			if (to_end && enable_async_append)
			{
				foreach(cell, ((Append *) plan)->appendplans)
					add_scans(lfirst(cell), true, scans);
			}
			break;
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			add_scans(outerPlan(plan), to_end && IsA(plan, NestLoop), scans);

			/*
			 * where the other side has no row it would not be read, which costs
			 * a call in vain
			 */
			if (((Join *) plan)->jointype == JOIN_INNER)
				add_scans(innerPlan(plan), false, scans);
			break;
		case T_Agg:
			add_scans(outerPlan(plan), to_end || ((Agg *) plan)->aggstrategy == AGG_PLAIN ||
					  ((Agg *) plan)->aggstrategy == AGG_HASHED, scans);
			break;
		case T_Hash:
		case T_Sort:
			add_scans(outerPlan(plan), true, scans);
			break;
		case T_Material:
		case T_IncrementalSort:
		case T_Group:
		case T_Unique:
		case T_WindowAgg:
			add_scans(outerPlan(plan), to_end, scans);
			break;
		case T_Limit:
			add_scans(outerPlan(plan), false, scans);
			break;
		case T_SubqueryScan:
			add_scans(((SubqueryScan *) plan)->subplan, to_end, scans);
			break;
		default:
			break;
	}
}

/*
 * The foreign scans of a plan, of whatever wrapper, that are read if it is run,
 * one row of each at least being wanted: those of inner joins that take no
 * values from others, and those of an Append below what reads all of its rows,
 * such as an aggregate. List of Plan *, in the current memory context.
 */
List *
kis_joined_scans(Plan *plan)
{
	List	   *scans = NIL;

	add_scans(plan, false, &scans);
	return scans;
}
