/*
 * referenced_codes.c
 *		The codes that a query names itself, as planning finds them.
 *
 * A code is named by an equality of a key with a constant, an external
 * parameter or an uncorrelated subquery, never by a value from a join. What
 * is joined by AND is one context, each arm of an OR one of its own within
 * it: a market and a sector named in the same context are named as a pair.
 *
 * An arm that asks for no column, such as $1 = '', may say that the other arms
 * don't count: where it is true, they name nothing.
 *
 * In the plan a context is a List of two: its names, each a List of int, and
 * its ORs. An OR is a List of two as well: positions in referenced_values of the
 * arms without columns, and the contexts of the others.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"

#include "plan/conditions.h"
#include "plan/referenced_codes.h"

typedef struct NameFinder
{
	PlannerInfo *root;
	Index		relid;
	const Bitmapset *keys;
	bool		in_arm;			/* of an OR */
	List	   *values;
} NameFinder;

static bool
is_initplan_output(PlannerInfo *root, int paramid)
{
	ListCell   *cell;

	for (; root != NULL; root = root->parent_root)
		foreach(cell, root->init_plans)
			if (list_member_int(((SubPlan *) lfirst(cell))->setParam, paramid))
			return true;
	return false;
}

/* Anything in a value that may differ from row to row of another relation? */
static bool
is_joined_walker(Node *node, PlannerInfo *root)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, PlaceHolderVar))
		return true;
	if (IsA(node, Param) && ((Param *) node)->paramkind != PARAM_EXTERN)
		return !is_initplan_output(root, ((Param *) node)->paramid);
	return expression_tree_walker(node, is_joined_walker, root);
}

/* Is the value there already, so that nothing can fail where it is looked at? */
static bool
is_at_hand(Node *value)
{
	ListCell   *cell;

	while (IsA(value, RelabelType))
		value = (Node *) ((RelabelType *) value)->arg;
	if (!IsA(value, ArrayExpr))
		return IsA(value, Const) || IsA(value, Param);
	foreach(cell, ((ArrayExpr *) value)->elements)
		if (!is_at_hand(lfirst(cell)))
		return false;
	return true;
}

/* Could evaluating it fail, or do more than give a value? */
static bool
is_harmful_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_ScalarArrayOpExpr:
		case T_FuncExpr:
		case T_DistinctExpr:
			if (kis_calls_leaky(node))
				return true;
			break;
		case T_Const:
		case T_Param:
		case T_List:
		case T_ArrayExpr:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_CoalesceExpr:
		case T_CollateExpr:
		case T_NullTest:
		case T_RelabelType:
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, is_harmful_walker, context);
}

/* Is it the same for all rows, and known before them? */
static bool
is_without_columns(const NameFinder *finder, Node *clause)
{
	return !is_harmful_walker(clause, NULL) && !contain_volatile_functions(clause) &&
		!is_joined_walker(clause, finder->root);
}

static List *find_names(NameFinder *finder, List *clauses);

/* Adds an OR of these arms, where one of them names anything. */
static void
find_names_of_arms(NameFinder *finder, List *clauses, List **ors)
{
	bool		in_arm = finder->in_arm;
	List	   *conditions = NIL;
	List	   *arms = NIL;
	List	   *positions = NIL;
	ListCell   *cell;

	finder->in_arm = true;
	foreach(cell, clauses)
	{
		List	   *arm = find_names(finder, list_make1(lfirst(cell)));

		if (arm != NIL)
			arms = lappend(arms, arm);
		else if (is_without_columns(finder, lfirst(cell)))
			conditions = lappend(conditions, lfirst(cell));
	}
	finder->in_arm = in_arm;
	if (arms == NIL)
		return;
	for (int i = 0; i < list_length(conditions); i++)
		positions = lappend_int(positions, list_length(finder->values) + i);
	finder->values = list_concat(finder->values, conditions);
	*ors = lappend(*ors, list_make2(positions, arms));
}

/* Adds what a clause of a context names to its names and ORs. */
static void
find_names_of_clause(NameFinder *finder, Node *clause, List **names, List **ors)
{
	KisKeyEquality equality;
	List	   *name;
	ListCell   *cell;

	if (is_andclause(clause))
	{
		foreach(cell, ((BoolExpr *) clause)->args)
			find_names_of_clause(finder, lfirst(cell), names, ors);
		return;
	}
	if (is_orclause(clause))
	{
		find_names_of_arms(finder, ((BoolExpr *) clause)->args, ors);
		return;
	}

	if (!kis_key_equality(clause, finder->relid, finder->keys, &equality) ||
		contain_volatile_functions(equality.value) || contain_subplans(equality.value) ||
		is_joined_walker(equality.value, finder->root) ||
	/* another arm may guard it: WHERE $1 = '' OR sector_code = f($1) */
		(finder->in_arm && !is_at_hand(equality.value)))
		return;
	name = list_make5_int(equality.attnum, list_length(finder->values), equality.is_array,
						  equality.value_first, (int) equality.function);
	name = lappend_int(name, (int) equality.collation);
	*names = lappend(*names, name);
	finder->values = lappend(finder->values, equality.value);
}

/* The context of clauses joined by AND; NIL where they name nothing. */
static List *
find_names(NameFinder *finder, List *clauses)
{
	List	   *names = NIL;
	List	   *ors = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
		find_names_of_clause(finder, lfirst(cell), &names, &ors);
	return names == NIL && ors == NIL ? NIL : list_make2(names, ors);
}

/*
 * What the relation's restrictions name, but for the bound of a partition; the
 * values' expressions go to *referenced_values.
 */
List *
kis_referenced_codes(PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys,
					 const List *bound, List **referenced_values)
{
	NameFinder	finder = {.root = root,.relid = rel->relid,.keys = keys};
	List	   *clauses = NIL;
	List	   *context;
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst(cell);

		if (!rinfo->pseudoconstant && !list_member_ptr(bound, rinfo) && restriction_is_securely_promotable(rinfo, rel))
			clauses = lappend(clauses, rinfo->clause);
	}
	context = find_names(&finder, clauses);
	*referenced_values = finder.values;
	return context;
}
