/*
 * limit.c
 *		What stands above a scan and may end it: the LIMIT that bounds it alone,
 *		where nothing between them could take a row away, so that the scan never
 *		needs more rows than the LIMIT lets through; and anything else.
 */
#include "postgres.h"

#include "common/int.h"
#include "executor/executor.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"

#include "plan/scan_plan.h"
#include "scan/limit.h"

struct KisLimit
{
	ExprState  *count;
	ExprState  *offset;			/* NULL: none */
};

/* What stands above a node. */
typedef struct Above
{
	Limit	   *limit;			/* that bounds it alone; NULL: none */
	bool		partial_read;	/* it need not be read to its last row */
} Above;

static bool find_above(Plan *plan, Plan *target, Above above, Above *found);

static bool
find_above_in_list(List *plans, Plan *target, Above above, Above *found)
{
	ListCell   *cell;

	foreach(cell, plans)
		if (find_above(lfirst(cell), target, above, found))
		return true;
	return false;
}

/* Has it read all of its first input before its first row? */
static bool
reads_all_first(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Sort:
		case T_Hash:
			return true;
		case T_Agg:
			return ((const Agg *) plan)->aggstrategy != AGG_SORTED;
		case T_SetOp:
			return ((const SetOp *) plan)->strategy == SETOP_HASHED;
		default:
			return false;
	}
}

/* May it leave its second input before the last row? */
static bool
may_leave_second(const Plan *plan)
{
	const Join *join = (const Join *) plan;

	return IsA(plan, MergeJoin) ||
		(IsA(plan, NestLoop) &&
		 (join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI));
}

/* Looks for target below plan; *found becomes what stands above it. */
static bool
find_above(Plan *plan, Plan *target, Above above, Above *found)
{
	Above		second;

	if (plan == NULL)
		return false;
	if (plan == target)
	{
		*found = above;
		return true;
	}
	switch (nodeTag(plan))
	{
		case T_Limit:
			above.limit = ((Limit *) plan)->limitOption == LIMIT_OPTION_COUNT ? (Limit *) plan : NULL;
			above.partial_read = true;
			break;
		case T_Result:
			if (plan->qual != NIL)
				above.limit = NULL;
			break;
		case T_SubqueryScan:
			if (plan->qual != NIL)
				above.limit = NULL;
			return find_above(((SubqueryScan *) plan)->subplan, target, above, found);
		case T_WindowAgg:

			/*
			 * it ends where rows no longer meet its condition, unless other
			 * partitions may follow
			 */
			above.limit = NULL;
			above.partial_read |= ((WindowAgg *) plan)->topWindow && ((WindowAgg *) plan)->partNumCols == 0 &&
				((WindowAgg *) plan)->runCondition != NIL;
			break;
		case T_Append:
			return find_above_in_list(((Append *) plan)->appendplans, target, above, found);
		case T_MergeAppend:
			above.limit = NULL;
			return find_above_in_list(((MergeAppend *) plan)->mergeplans, target, above, found);
		default:
			above.limit = NULL;
			break;
	}
	second = above;
	second.limit = NULL;
	second.partial_read |= may_leave_second(plan);
	above.partial_read = (above.partial_read && !reads_all_first(plan)) || IsA(plan, MergeJoin);
	return find_above(plan->lefttree, target, above, found) ||
		find_above(plan->righttree, target, second, found);
}

static Above
above_scan(ForeignScanState *node)
{
	const PlannedStmt *stmt = node->ss.ps.state->es_plannedstmt;
	Plan	   *plan = node->ss.ps.plan;
	Above		nothing = {.partial_read = kis_scan_plan((ForeignScan *) plan, node->ss.ss_currentRelation)->partial_read};
	Above		in_part = {.partial_read = true};
	Above		found = nothing;

	/* a CTE may be read in part */
	if (stmt != NULL && !find_above(stmt->planTree, plan, nothing, &found))
		find_above_in_list(stmt->subplans, plan, in_part, &found);
	return found;
}

/* May the scan end before its last row, for what stands above it? */
bool
kis_is_partial_read(ForeignScanState *node)
{
	return above_scan(node).partial_read;
}

static bool
is_constant(Node *expr)
{
	return expr == NULL || IsA(expr, Const);
}

/*
 * NULL where no LIMIT bounds the node alone, or, with only_constant, none that
 * is known without running the query.
 */
KisLimit *
kis_limit_create(ForeignScanState *node, bool only_constant)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	KisScanPlan *scan;
	Limit	   *found;
	KisLimit   *limit;

	/* a condition on the rows themselves may take some away */
	scan = kis_scan_plan(plan, node->ss.ss_currentRelation);
	if (list_length(plan->scan.plan.qual) > list_length(scan->quals) + list_length(scan->day_quals))
		return NULL;
	found = above_scan(node).limit;
	if (found == NULL || found->limitCount == NULL ||
		(only_constant && !(is_constant(found->limitCount) && is_constant(found->limitOffset))))
		return NULL;

	/* evaluated again here, it could have another value */
	if (contain_volatile_functions(found->limitCount) || contain_subplans(found->limitCount) ||
		contain_volatile_functions(found->limitOffset) || contain_subplans(found->limitOffset))
		return NULL;

	limit = palloc0(sizeof(KisLimit));
	limit->count = ExecInitExpr((Expr *) found->limitCount, &node->ss.ps);
	limit->offset = ExecInitExpr((Expr *) found->limitOffset, &node->ss.ps);
	return limit;
}

/* How many rows can be wanted at most; PG_INT64_MAX: all. */
static int64
limit_rows(KisLimit *limit, ExprContext *econtext)
{
	bool		isnull;
	int64		count;
	int64		offset;
	int64		rows;

	if (limit == NULL)
		return PG_INT64_MAX;
	count = DatumGetInt64(ExecEvalExprSwitchContext(limit->count, econtext, &isnull));
	if (isnull)
		return PG_INT64_MAX;
	if (limit->offset == NULL)
		return Max(count, 0);
	offset = DatumGetInt64(ExecEvalExprSwitchContext(limit->offset, econtext, &isnull));
	if (isnull)
		offset = 0;
	if (pg_add_s64_overflow(Max(count, 0), Max(offset, 0), &rows))
		return PG_INT64_MAX;
	return rows;
}

/*
 * How many rows of replies can be wanted at most, each of which is so many of
 * the table; evaluates in the per-tuple memory of econtext.
 */
int64
kis_limit_rows(KisLimit *limit, ExprContext *econtext, int split)
{
	int64		rows = limit_rows(limit, econtext);

	return rows == PG_INT64_MAX ? rows : rows / split + (rows % split != 0);
}
