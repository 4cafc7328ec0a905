/*
 * limit.c
 *		The LIMIT that bounds a scan alone: above it stands nothing that could
 *		take a row away, so that it never needs more rows than the LIMIT lets
 *		through.
 */
#include "postgres.h"

#include "common/int.h"
#include "executor/executor.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"

#include "fdw.h"

struct KisLimit
{
	ExprState  *count;
	ExprState  *offset;			/* NULL: none */
};

static bool find_limit(Plan *plan, Plan *target, Limit *limit, Limit **found);

static bool
find_limit_in_list(List *plans, Plan *target, Limit *limit, Limit **found)
{
	ListCell   *cell;

	foreach(cell, plans)
		if (find_limit(lfirst(cell), target, limit, found))
			return true;
	return false;
}

/* Looks for target below plan; *found becomes the LIMIT that bounds it alone, or NULL. */
static bool
find_limit(Plan *plan, Plan *target, Limit *limit, Limit **found)
{
	if (plan == NULL)
		return false;
	if (plan == target)
	{
		*found = limit;
		return true;
	}
	switch (nodeTag(plan))
	{
		case T_Limit:
			limit = ((Limit *) plan)->limitOption == LIMIT_OPTION_COUNT ? (Limit *) plan : NULL;
			break;
		case T_Result:
			if (plan->qual != NIL)
				limit = NULL;
			break;
		case T_SubqueryScan:
			if (plan->qual != NIL)
				limit = NULL;
			return find_limit(((SubqueryScan *) plan)->subplan, target, limit, found);
		case T_Append:
			return find_limit_in_list(((Append *) plan)->appendplans, target, limit, found);
		case T_MergeAppend:
			return find_limit_in_list(((MergeAppend *) plan)->mergeplans, target, NULL, found);
		default:
			limit = NULL;
			break;
	}
	return find_limit(plan->lefttree, target, limit, found) ||
		find_limit(plan->righttree, target, NULL, found);
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
	PlannedStmt *stmt = node->ss.ps.state->es_plannedstmt;
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	KisScanPlan *scan;
	Limit	   *found = NULL;
	KisLimit   *limit;

	/* a condition on the rows themselves may take some away */
	scan = kis_scan_plan(plan);
	if (stmt == NULL ||
		list_length(plan->scan.plan.qual) > list_length(scan->quals) + list_length(scan->day_quals))
		return NULL;
	if (!find_limit(stmt->planTree, (Plan *) plan, NULL, &found))
		find_limit_in_list(stmt->subplans, (Plan *) plan, NULL, &found);
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
