/*
 * limit.c
 *		What stands above a scan and may end it before its last row: the LIMIT
 *		that bounds it alone, where nothing between them could take a row away,
 *		so that the scan never needs more rows than the LIMIT lets through; and
 *		anything else.
 */
#include "postgres.h"

#include "common/int.h"
#include "executor/executor.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"

#include "kis/catalog.h"
#include "plan/scan_plan.h"
#include "scan/limit.h"

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
	return IsA(plan, Sort) || IsA(plan, Hash) ||
		(IsA(plan, Agg) && ((const Agg *) plan)->aggstrategy != AGG_SORTED) ||
		(IsA(plan, SetOp) && ((const SetOp *) plan)->strategy == SETOP_HASHED);
}

/* May a join leave its second input before the last row? */
static bool
may_leave_second(const Plan *plan)
{
	const Join *join = (const Join *) plan;

	return IsA(plan, MergeJoin) ||
		(IsA(plan, NestLoop) &&
		 (join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI));
}

/* Does it end where rows no longer meet its condition? Not where other partitions may follow. */
static bool
ends_by_condition(const Plan *plan)
{
	const WindowAgg *window = (const WindowAgg *) plan;

	return IsA(plan, WindowAgg) && window->topWindow && window->partNumCols == 0 &&
		window->runCondition != NIL;
}

/*
 * Looks for target in the tree of plan, which above stands above; *found
 * becomes what stands above target. False: it is not there.
 */
static bool
find_above(Plan *plan, Plan *target, Above above, Above *found)
{
	bool		passes_all = false; /* its input's rows, all and as they are */
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
			passes_all = ((Limit *) plan)->limitOption == LIMIT_OPTION_COUNT;
			above.limit = (Limit *) plan;
			above.partial_read = true;
			break;
		case T_Result:
		case T_SubqueryScan:
			passes_all = plan->qual == NIL;
			break;
		case T_Append:
			return find_above_in_list(((Append *) plan)->appendplans, target, above, found);
		default:
			break;
	}
	if (!passes_all)
		above.limit = NULL;
	if (IsA(plan, SubqueryScan))
		return find_above(((SubqueryScan *) plan)->subplan, target, above, found);
	if (IsA(plan, MergeAppend))
		return find_above_in_list(((MergeAppend *) plan)->mergeplans, target, above, found);

	second = above;
	second.limit = NULL;
	second.partial_read |= may_leave_second(plan);
	above.partial_read = (above.partial_read && !reads_all_first(plan)) ||
		IsA(plan, MergeJoin) || ends_by_condition(plan);
	return find_above(plan->lefttree, target, above, found) ||
		find_above(plan->righttree, target, second, found);
}

/* Finds out what stands above a scan. Evaluates nothing; allocates in the current memory context. */
void
kis_limit_init(KisLimit *limit, const KisScanPlan *scan, ForeignScanState *node)
{
	const PlannedStmt *stmt = node->ss.ps.state->es_plannedstmt;
	Plan	   *plan = node->ss.ps.plan;
	Above		nothing = {.partial_read = scan->partial_read};
	Above		in_part = {.partial_read = true};
	Above		found = nothing;
	Node	   *count;
	Node	   *offset;

	/* a CTE or a subquery may be read in part */
	if (stmt != NULL && !find_above(stmt->planTree, plan, nothing, &found))
		find_above_in_list(stmt->subplans, plan, in_part, &found);
	*limit = (KisLimit)
	{
		.partial_read = found.partial_read
	};

	if (found.limit == NULL || found.limit->limitCount == NULL)
		return;
	count = found.limit->limitCount;
	offset = found.limit->limitOffset;

	/*
	 * A condition on the rows themselves may take some away; and what is
	 * evaluated again here must not have another value than above.
	 */
	if (list_length(plan->qual) > list_length(scan->quals) + list_length(scan->day_quals) ||
		contain_volatile_functions((Node *) list_make2(count, offset)) ||
		contain_subplans((Node *) list_make2(count, offset)))
		return;
	limit->count = ExecInitExpr((Expr *) count, &node->ss.ps);
	limit->offset = ExecInitExpr((Expr *) offset, &node->ss.ps);
	limit->is_constant = IsA(count, Const) && (offset == NULL || IsA(offset, Const));
}

/*
 * The rows of replies that can be wanted at most, each of which is so many of
 * the table; PG_INT64_MAX: all. Evaluates in the per-tuple memory of econtext.
 */
int64
kis_limit_rows(const KisLimit *limit, ExprContext *econtext, int split)
{
	bool		isnull = true;
	int64		count = 0;
	int64		offset = 0;
	int64		rows;

	if (limit->count != NULL)
		count = DatumGetInt64(ExecEvalExprSwitchContext(limit->count, econtext, &isnull));
	if (isnull)
		return PG_INT64_MAX;
	if (limit->offset != NULL)
		offset = DatumGetInt64(ExecEvalExprSwitchContext(limit->offset, econtext, &isnull));
	if (isnull)
		offset = 0;
	if (pg_add_s64_overflow(Max(count, 0), Max(offset, 0), &rows))
		return PG_INT64_MAX;
	return rows / split + (rows % split != 0);
}

/*
 * The fewest calls that bring so many rows of replies, pages being as long as
 * usual; by the day, each of npairs pairs brings its share of them.
 */
int64
kis_limited_calls(const KisScanPlan *scan, int64 rows, int64 npairs)
{
	int			page = scan->table->call->usual_rows;
	int64		calls = rows / page + (rows % page != 0);

	return scan->by_day ? Max(calls, Min(npairs, rows)) : calls;
}
