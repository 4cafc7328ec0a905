/*
 * estimate.c
 *		How many pairs, and so calls, a scan is expected to ask for, and how many
 *		rows they bring.
 *
 * Exact where the conditions' other sides are known to the planner.
 */
#include "postgres.h"

#include <math.h>

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

/* What a condition is taken to leave that planning may not evaluate, of lists as short as ours. */
#define UNKNOWN_SELECTIVITY	(1.0 / 3)

/* What can be known of conditions. */
typedef struct Known
{
	const KisKeyValues *values; /* of their key columns; NULL: they mention none */
	bool		folded;			/* else parameters and the time may still become constants */
} Known;

/* So many days from today, which nearly every query of the history has; it can't fail within some centuries. */
#define MOST_DAYS_FROM_TODAY	100000

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

/*
 * Must planning leave it alone? It is unknown, or evaluating it could raise an
 * error that the query would never have come to, or run a user's function.
 */
static bool
is_unknown_walker(Node *node, Known *known)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_ScalarArrayOpExpr:
		case T_FuncExpr:
		case T_DistinctExpr:
			if (kis_calls_leaky(node) && !is_near_today(node))
				return true;
			break;
		case T_Var:
			if (known->values != NULL && !kis_key_is_plain(known->values, ((Var *) node)->varattno))
				return true;
			break;
		case T_Param:
		case T_SQLValueFunction:
			if (known->folded)
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
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, is_unknown_walker, known);
}

/* The conditions as far as planning can evaluate them; the others go to *unknown. */
static List *
known_conditions(PlannerInfo *root, const KisKeyValues *values, List *conditions, List **unknown)
{
	List	   *known = NIL;
	ListCell   *cell;

	*unknown = NIL;
	foreach(cell, conditions)
	{
		Node	   *clause = (Node *) ((RestrictInfo *) lfirst(cell))->clause;
		Node	   *folded = NULL;

		if (!is_unknown_walker(clause, &(Known) {values, false}))
			folded = estimate_expression_value(root, clause);
		if (folded == NULL || is_unknown_walker(folded, &(Known) {values, true}))
		{
			*unknown = lappend(*unknown, lfirst(cell));
			continue;
		}
		fix_opfuncids(folded);
		convert_saop_to_hashed_saop(folded);
		known = lappend(known, folded);
	}
	return known;
}

/*
 * Gives the relation's conditions that planning may not evaluate a selectivity
 * before the core looks for one: it would run stable functions.
 */
void
kis_estimate_unknown(RelOptInfo *rel)
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst(cell);

		if (kis_contains_leaky((Node *) rinfo->clause))
			rinfo->norm_selec = UNKNOWN_SELECTIVITY;
	}
}

static double
selectivity(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	return kis_contains_leaky((Node *) rinfo->clause) ? UNKNOWN_SELECTIVITY :
		clause_selectivity(root, (Node *) rinfo, rel->relid, JOIN_INNER, NULL);
}

static int
compare_codes(const void *left, const void *right)
{
	return strcmp(*(const char *const *) left, *(const char *const *) right);
}

/* How many of the codes are different ones; sorts them. */
static int
count_different(const char **codes, int n)
{
	int			different = Min(n, 1);

	qsort(codes, n, sizeof(char *), compare_codes);
	for (int i = 1; i < n; i++)
		different += strcmp(codes[i - 1], codes[i]) != 0;
	return different;
}

/* Which of them satisfy the conditions on relid. */
static bool *
find_passing(Relation relation, Index relid, const KisKeyValues *values, List *known)
{
	Bitmapset  *mentioned = NULL;
	bool	   *passes = palloc0(Max(1, values->n) * sizeof(bool));
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	ExprState  *qual = ExecInitQual(known, NULL);

	MemoryContextSwitchTo(old);
	pull_varattnos((Node *) known, relid, &mentioned);
	econtext->ecxt_scantuple = slot;
	for (int i = 0; i < values->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		kis_key_store(values, i, mentioned, slot);
		passes[i] = ExecQualAndReset(qual, econtext);
	}
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	return passes;
}

static KisPairEstimate
count_passing(Relation relation, Index relid, const KisKeyValues *values, List *known)
{
	KisPairEstimate estimate;
	bool	   *passes = find_passing(relation, relid, values, known);
	const char **markets = palloc(values->n * sizeof(char *));
	const char **sectors = palloc(values->n * sizeof(char *));
	int			n = 0;

	for (int pair = 0; pair < values->n; pair++)
	{
		if (!passes[pair])
			continue;
		markets[n] = values->pairs[pair].market;
		sectors[n++] = values->pairs[pair].sector;
	}
	estimate.pairs = n;
	estimate.markets = count_different(markets, n);
	estimate.sectors = count_different(sectors, n);
	return estimate;
}

static KisSource
key_source(const KisKeyValues *values, AttrNumber attnum)
{
	for (int key = 0; key < values->nkeys; key++)
		if (values->keys[key].attnum == attnum)
			return values->keys[key].source;
	return KIS_SOURCE_MARKET;
}

/* The same of those that satisfy join conditions for given values of the other side. */
double
kis_estimate_joined_pairs(PlannerInfo *root, RelOptInfo *rel,
						  const KisPairEstimate *estimate,
						  const KisKeyValues *values, const Bitmapset *keys,
						  List *conditions)
{
	double		pairs = estimate->pairs;
	bool		one_market = false;
	bool		one_sector = false;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		RestrictInfo *rinfo = lfirst(cell);
		KisKeyEquality equality;

		if (!kis_key_equality((Node *) rinfo->clause, rel->relid, keys, &equality) ||
			equality.is_array)
			pairs *= selectivity(root, rel, rinfo);
		else if (key_source(values, equality.attnum) == KIS_SOURCE_MARKET)
			one_market = true;
		else
			one_sector = true;
	}

	/*
	 * Rounded down, since most markets have but one pair: a generic plan must
	 * not look dearer than a custom one that looks at the codes.
	 */
	if (one_market && one_sector)
		pairs = Min(pairs, 1);
	else if (one_market && estimate->markets > 0)
		pairs = floor(pairs / estimate->markets);
	else if (one_sector && estimate->sectors > 0)
		pairs = floor(pairs / estimate->sectors);
	return estimate->pairs > 0 ? Max(pairs, 1) : 0;
}

KisPairEstimate
kis_estimate_pairs(PlannerInfo *root, RelOptInfo *rel, Relation relation,
				   const KisKeyValues *values, const Bitmapset *keys, List *conditions)
{
	List	   *unknown;
	List	   *known = known_conditions(root, values, conditions, &unknown);
	KisPairEstimate estimate = count_passing(relation, rel->relid, values, known);

	if (unknown != NIL)
	{
		estimate.pairs = kis_estimate_joined_pairs(root, rel, &estimate, values, keys, unknown);
		estimate.markets = Min(estimate.markets, estimate.pairs);
		estimate.sectors = Min(estimate.sectors, estimate.pairs);
	}
	return estimate;
}

/* How many investors are expected to satisfy conditions on them */
double
kis_estimate_investors(PlannerInfo *root, RelOptInfo *rel, Relation relation,
					   const KisKeyValues *values, const Bitmapset *keys, List *conditions)
{
	List	   *unknown;
	List	   *known = known_conditions(root, values, conditions, &unknown);
	bool	   *passes = find_passing(relation, rel->relid, values, known);
	double		investors = 0;
	ListCell   *cell;

	for (int i = 0; i < values->n; i++)
		investors += passes[i];
	foreach(cell, unknown)
	{
		RestrictInfo *rinfo = lfirst(cell);
		KisKeyEquality equality;

		if (kis_key_equality((Node *) rinfo->clause, rel->relid, keys, &equality) &&
			!equality.is_array)
			investors = Min(investors, 1);
		else
			investors *= selectivity(root, rel, rinfo);
	}
	return investors;
}

/* The days that the conditions leave, as far as planning can evaluate them. */
static KisDays *
choose_days(Relation relation, const KisCall *call, List *attrs, List *known)
{
	AttrNumber *attnums = palloc(Max(1, list_length(attrs)) * sizeof(AttrNumber));
	EState	   *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
	MemoryContext old;
	ExprState  *qual;
	KisDays    *days;

	for (int i = 0; i < list_length(attrs); i++)
		attnums[i] = list_nth_int(attrs, i);
	days = kis_days_create(call, list_length(attrs), attnums);
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	qual = ExecInitQual(known, NULL);
	MemoryContextSwitchTo(old);
	econtext->ecxt_scantuple = ExecStoreAllNullTuple(slot);
	kis_days_choose(days, NULL, qual, econtext, slot);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	return days;
}

KisDayEstimate
kis_estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation, const KisCall *call,
				  List *attrs, const Bitmapset *day_attrs, List *conditions)
{
	List	   *of_days = NIL;
	List	   *unknown;
	List	   *known;
	ListCell   *cell;
	double		share = 1;
	KisDays    *days;
	KisDayEstimate estimate;

	foreach(cell, conditions)
	{
		if (kis_is_key_expression((Node *) ((RestrictInfo *) lfirst(cell))->clause,
								  rel->relid, day_attrs))
			of_days = lappend(of_days, lfirst(cell));
	}
	known = known_conditions(root, NULL, of_days, &unknown);
	days = choose_days(relation, call, attrs, known);
	unknown = list_concat(unknown, list_difference_ptr(conditions, of_days));
	share = clauselist_selectivity(root, unknown, rel->relid, JOIN_INNER, NULL);

	estimate.rows = Max(1, kis_days_rows(days) * share);
	estimate.all_rows = kis_days_rows(choose_days(relation, call, attrs, NIL));
	estimate.pages = Max(Min(1, kis_days_rows(days)), ceil(kis_days_pages(days, kis_days_next(days, KIS_NO_DAY)) * share));
	return estimate;
}
