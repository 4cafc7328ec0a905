/*
 * joined.c
 *		Which scans of a plan are read whatever rows come, so that their first
 *		calls can be made side by side.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "scan/joined.h"

/* Adds those at or below the plan. What takes another's values can't begin before these are there. */
static void
add_scans(Plan *plan, List **scans)
{
	check_stack_depth();
	if (plan == NULL || !bms_is_empty(plan->extParam))
		return;
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			*scans = lappend(*scans, plan);
			break;
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			add_scans(outerPlan(plan), scans);

			/*
			 * where the other side has no row it would not be read, which costs
			 * a call in vain
			 */
			if (((Join *) plan)->jointype == JOIN_INNER)
				add_scans(innerPlan(plan), scans);
			break;
		case T_Hash:
		case T_Material:
		case T_Sort:
		case T_IncrementalSort:
		case T_Agg:
		case T_Group:
		case T_Unique:
		case T_WindowAgg:
		case T_Limit:
			add_scans(outerPlan(plan), scans);
			break;
		case T_SubqueryScan:
			add_scans(((SubqueryScan *) plan)->subplan, scans);
			break;
		default:
			break;
	}
}

/*
 * The foreign scans of a plan, of whatever wrapper, that are read if it is run,
 * one row of each at least being wanted: those of inner joins that take no
 * values from others. List of Plan *, in the current memory context.
 */
List *
kis_joined_scans(Plan *plan)
{
	List	   *scans = NIL;

	add_scans(plan, &scans);
	return scans;
}
