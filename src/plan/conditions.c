/*
 * conditions.c
 *		Which conditions of a query decide the calls that it makes, and which
 *		name codes.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "optimizer/restrictinfo.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "plan/conditions.h"

/*
 * Does an expression mention the relation, and of it nothing but keys, and does
 * it give the same however often it is evaluated?
 */
bool
kis_is_key_expression(Node *expr, Index relid, const Bitmapset *keys)
{
	Bitmapset  *attrs = NULL;

	pull_varattnos(expr, relid, &attrs);
	return !bms_is_empty(attrs) && bms_is_subset(attrs, keys) &&
		!contain_volatile_functions(expr) && !contain_subplans(expr);
}

/*
 * May the condition be evaluated for each pair before any call is made? Not if
 * it could leak what a security barrier hides: the pairs themselves.
 */
bool
kis_is_key_condition(RestrictInfo *rinfo, RelOptInfo *rel, const Bitmapset *keys)
{
	return !rinfo->pseudoconstant &&
		kis_is_key_expression((Node *) rinfo->clause, rel->relid, keys) &&
		restriction_is_securely_promotable(rinfo, rel);
}

List *
kis_key_conditions(List *rinfos, RelOptInfo *rel, const Bitmapset *keys)
{
	List	   *conditions = NIL;
	ListCell   *cell;

	foreach(cell, rinfos)
	{
		if (kis_is_key_condition(lfirst(cell), rel, keys))
			conditions = lappend(conditions, lfirst(cell));
	}
	return conditions;
}

/* The key that an expression is, a cast without a function aside; or 0. */
static AttrNumber
key_column(Node *expr, Index relid, const Bitmapset *keys)
{
	Var		   *var;

	while (IsA(expr, RelabelType))
		expr = (Node *) ((RelabelType *) expr)->arg;
	if (!IsA(expr, Var))
		return 0;
	var = (Var *) expr;
	if (var->varno != (int) relid || var->varlevelsup != 0 ||
		!bms_is_member(var->varattno - FirstLowInvalidHeapAttributeNumber, keys))
		return 0;
	return var->varattno;
}

/* Does it mention one of these columns, as pull_varattnos counts? */
bool
kis_mentions(Node *expr, Index relid, const Bitmapset *mentioned)
{
	Bitmapset  *attrs = NULL;

	pull_varattnos(expr, relid, &attrs);
	return bms_overlap(attrs, mentioned);
}

/*
 * Is a clause an equality of a key and a value that is the same for all rows of
 * the relation? Then *equality says which. May be called on a finished plan's
 * expressions as well.
 */
bool
kis_key_equality(Node *clause, Index relid, const Bitmapset *keys, KisKeyEquality *equality)
{
	Node	   *left;
	Node	   *right;
	List	   *args;
	Bitmapset  *attrs = NULL;
	Oid			opno;

	memset(equality, 0, sizeof(*equality));
	if (IsA(clause, OpExpr))
	{
		opno = ((OpExpr *) clause)->opno;
		args = ((OpExpr *) clause)->args;
		equality->collation = ((OpExpr *) clause)->inputcollid;
	}
	else if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		opno = ((ScalarArrayOpExpr *) clause)->opno;
		args = ((ScalarArrayOpExpr *) clause)->args;
		equality->collation = ((ScalarArrayOpExpr *) clause)->inputcollid;
		equality->is_array = true;
	}
	else
		return false;

	if (list_length(args) != 2 || !op_mergejoinable(opno, exprType(linitial(args))))
		return false;

	left = linitial(args);
	right = lsecond(args);
	equality->attnum = key_column(left, relid, keys);
	equality->value = right;
	if (equality->attnum == 0 && !equality->is_array)
	{
		equality->attnum = key_column(right, relid, keys);
		equality->value = left;
	}
	pull_varattnos(equality->value, relid, &attrs);
	return equality->attnum != 0 && bms_is_empty(attrs);
}

/* Does a parameter's value come from an uncorrelated subquery? */
static bool
is_initplan_output(PlannerInfo *root, int paramid)
{
	ListCell   *cell;

	for (; root != NULL; root = root->parent_root)
	{
		foreach(cell, root->init_plans)
		{
			if (list_member_int(((SubPlan *) lfirst(cell))->setParam, paramid))
				return true;
		}
	}
	return false;
}

/* Does a value differ from row to row of an outer query? */
static bool
is_correlated_walker(Node *node, PlannerInfo *root)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return !is_initplan_output(root, ((Param *) node)->paramid);
	return expression_tree_walker(node, is_correlated_walker, root);
}

/*
 * The relation's own restrictions, but for a partition's bound, by which the
 * query names codes: equalities with constants, external parameters and
 * uncorrelated subqueries. A value that comes from another relation's rows is
 * nobody's typing error. What stands in an OR is not looked at: another arm may
 * say that it doesn't count.
 */
List *
kis_referenced_codes(PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys, const List *bound)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, kis_key_conditions(rel->baserestrictinfo, rel, keys))
	{
		RestrictInfo *rinfo = lfirst(cell);
		KisKeyEquality equality;

		if (!list_member_ptr(bound, rinfo) &&
			kis_key_equality((Node *) rinfo->clause, rel->relid, keys, &equality) &&
			!is_correlated_walker(equality.value, root))
			clauses = lappend(clauses, rinfo->clause);
	}
	return clauses;
}

/*
 * Adds the bound of a foreign table that is a partition to its conditions, and
 * returns what it adds. PostgreSQL takes a partition's rows for those of its
 * bound and looks no further, but a foreign table of KIS holds what its options
 * say: partitions for KSP and for KSQ would each bring all pairs, and each pair
 * twice. As a condition like the query's own the bound decides the calls, too.
 */
List *
kis_partition_bound_add(PlannerInfo *root, RelOptInfo *rel, Relation relation)
{
	List	   *added = NIL;
	Node	   *bound;
	ListCell   *cell;

	if (!relation->rd_rel->relispartition)
		return NIL;
	bound = (Node *) expression_planner(make_ands_explicit(RelationGetPartitionQual(relation)));
	ChangeVarNodes(bound, 1, rel->relid, 0);
	/* restrictions are clauses of their own, never an AND of some */
	foreach(cell, make_ands_implicit(canonicalize_qual((Expr *) bound, false)))
		added = lappend(added, make_simple_restrictinfo(root, lfirst(cell)));
	rel->baserestrictinfo = list_concat(rel->baserestrictinfo, added);
	if (added != NIL)
		rel->baserestrict_min_security = 0;
	return added;
}
