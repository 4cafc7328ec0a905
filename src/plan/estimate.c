/*
 * estimate.c
 *		How many pairs, and so calls, a scan is expected to make, and how many
 *		rows they bring.
 *
 * Pairs and days are few and known: conditions that planning may evaluate are
 * tried on each, and the estimate is exact.
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/conditions.h"
#include "plan/days.h"
#include "plan/estimate.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"

/* What a condition is taken to leave that planning may not evaluate, of lists as short as ours. */
#define UNKNOWN_SELECTIVITY	(1.0 / 3)

/* So many days from today, which nearly every query of the history has; it can't fail within some centuries. */
#define MOST_DAYS_FROM_TODAY	100000

/* Conditions evaluated at planning, on rows with nothing but keys or days. */
typedef struct Trial
{
	EState	   *estate;
	ExprContext *econtext;
	TupleTableSlot *slot;		/* the row */
	ExprState  *qual;
	Bitmapset  *mentioned;		/* columns, as pull_varattnos counts */
	List	   *unknown;		/* of RestrictInfo *: the other conditions */
} Trial;

static bool
is_near_today(const Node *node)
{
	const OpExpr *op = (const OpExpr *) node;
	const Const *days;

	if (!IsA(node, OpExpr) || (op->opfuncid != F_DATE_MII && op->opfuncid != F_DATE_PLI) ||
		!IsA(linitial(op->args), SQLValueFunction) || !IsA(lsecond(op->args), Const))
		return false;
	days = lsecond(op->args);
	return !days->constisnull &&
		DatumGetInt32(days->constvalue) >= -MOST_DAYS_FROM_TODAY &&
		DatumGetInt32(days->constvalue) <= MOST_DAYS_FROM_TODAY;
}

/* Can all codes become values of a column's type without an error, and without a function of a user's? */
static bool
is_plain(const Var *var)
{
	int32		typmod = var->vartypmod;
	Oid			type = getBaseTypeAndTypmod(var->vartype, &typmod);

	return type == TEXTOID || type == VARCHAROID || type == NAMEOID ||
		(type == BPCHAROID && typmod < 0);
}

/* May a function raise, leak what it sees, or run what a user wrote? A user's may be called leakproof and do anything. */
static bool
is_leaky(Oid function, void *context)
{
	return function >= FirstGenbkiObjectId || !get_func_leakproof(function);
}

static bool
calls_leaky_walker(Node *node, void *context)
{
	return node != NULL && (check_functions_in_node(node, is_leaky, NULL) ||
							expression_tree_walker(node, calls_leaky_walker, context));
}

/*
 * Must planning leave it alone? It is unknown, or evaluating it could raise an
 * error that the query would never have come to, or run a user's function.
 */
static bool
is_unknown_walker(Node *node, const bool *of_days)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_ScalarArrayOpExpr:
		case T_FuncExpr:
		case T_DistinctExpr:
			if (check_functions_in_node(node, is_leaky, NULL) && !is_near_today(node))
				return true;
			break;
		case T_Var:
			/* days are of type date */
			if (!*of_days && !is_plain((Var *) node))
				return true;
			break;
		case T_Const:
		case T_List:
		case T_ArrayExpr:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_CaseWhen:
		case T_CoalesceExpr:
		case T_CollateExpr:
		case T_NullTest:
		case T_RelabelType:
		case T_SQLValueFunction:
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, is_unknown_walker, (void *) of_days);
}

/*
 * Prepares those of the conditions on relid that planning may evaluate. They are
 * on the days, or on the codes.
 */
static void
begin_trial(Trial *trial, Relation relation, Index relid, List *conditions, bool of_days)
{
	List	   *known = NIL;
	ListCell   *cell;
	MemoryContext old;

	trial->mentioned = NULL;
	trial->unknown = NIL;
	foreach(cell, conditions)
	{
		Node	   *clause = (Node *) ((RestrictInfo *) lfirst(cell))->clause;

		if (is_unknown_walker(clause, &of_days))
			trial->unknown = lappend(trial->unknown, lfirst(cell));
		else
			known = lappend(known, copyObject(clause));
	}
	fix_opfuncids((Node *) known);
	convert_saop_to_hashed_saop((Node *) known);
	pull_varattnos((Node *) known, relid, &trial->mentioned);

	trial->estate = CreateExecutorState();
	trial->econtext = GetPerTupleExprContext(trial->estate);
	trial->slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
	trial->econtext->ecxt_scantuple = ExecStoreAllNullTuple(trial->slot);
	old = MemoryContextSwitchTo(trial->estate->es_query_cxt);
	trial->qual = ExecInitQual(known, NULL);
	MemoryContextSwitchTo(old);
}

static void
end_trial(Trial *trial)
{
	ExecDropSingleTupleTableSlot(trial->slot);
	FreeExecutorState(trial->estate);
}

/*
 * Gives the relation's conditions a selectivity before the core looks for one:
 * equalities of the investor, since it doesn't know how few there are, and those
 * for which it would run stable functions, or read a pattern that may be none.
 */
void
kis_estimate_selectivity(RelOptInfo *rel, const Bitmapset *investor_attrs)
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst(cell);
		KisKeyEquality equality;

		if (kis_key_equality((Node *) rinfo->clause, rel->relid, investor_attrs, &equality) &&
			!equality.is_array)
			rinfo->norm_selec = 1.0 / kis_investor_count;
		else if (calls_leaky_walker((Node *) rinfo->clause, NULL))
			rinfo->norm_selec = UNKNOWN_SELECTIVITY;
	}
}

/*
 * How many of so many pairs satisfy conditions that are not known yet, such as
 * those of joins. An equality is taken to leave one, as it does of most markets
 * and sectors: a generic plan must not look dearer than a custom one that looks
 * at the codes.
 */
double
kis_estimate_joined_pairs(PlannerInfo *root, RelOptInfo *rel, double pairs,
						  const KisScanPlan *scan, List *conditions)
{
	double		left = pairs;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		RestrictInfo *rinfo = lfirst(cell);
		KisKeyEquality equality;

		if (kis_key_equality((Node *) rinfo->clause, rel->relid, scan->key_attrs, &equality) &&
			!equality.is_array)
			left = 1;
		else
			left *= clause_selectivity(root, (Node *) rinfo, rel->relid, JOIN_INNER, NULL);
	}
	return pairs > 0 ? Max(left, 1) : 0;
}

/*
 * How many of the pairs satisfy conditions on their codes: exact, where planning
 * may try these. Of the pairs those stay that satisfy what it has tried.
 */
double
kis_estimate_pairs(PlannerInfo *root, RelOptInfo *rel, Relation relation,
				   const KisScanPlan *scan, int *npairs, KisPairCode *pairs, List *conditions)
{
	int			left = 0;
	KisKeyValues *values;
	Trial		trial;

	begin_trial(&trial, relation, rel->relid, conditions, false);
	values = kis_key_values(relation, scan->nkeys, scan->keys, *npairs, pairs, trial.mentioned);
	for (int i = 0; i < *npairs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		kis_key_store(values, i, trial.slot);
		if (ExecQualAndReset(trial.qual, trial.econtext))
			pairs[left++] = pairs[i];
	}
	end_trial(&trial);
	*npairs = left;
	return kis_estimate_joined_pairs(root, rel, left, scan, trial.unknown);
}

/*
 * What conditions leave of the days of one pair. Those that mention its codes
 * as well are not tried.
 */
KisDayEstimate
kis_estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation,
				  const KisScanPlan *scan, List *conditions)
{
	KisDays    *days = kis_days_create(scan->table->call, scan->ndays, scan->days);
	List	   *of_days = kis_key_conditions(conditions, rel, scan->day_attrs);
	double		share;
	KisDayEstimate estimate;
	Trial		trial;

	begin_trial(&trial, relation, rel->relid, of_days, true);
	kis_days_choose(days, trial.qual, trial.econtext, trial.slot);
	end_trial(&trial);
	share = clauselist_selectivity(root, list_concat(trial.unknown,
													 list_difference_ptr(conditions, of_days)),
								   rel->relid, JOIN_INNER, NULL);

	estimate.rows = Max(1, kis_days_rows(days) * share);
	estimate.pages = ceil(kis_days_pages(days, kis_days_next(days, KIS_NO_DAY)) * share);
	return estimate;
}
