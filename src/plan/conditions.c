/*
 * conditions.c
 *		Which conditions of a query decide the pairs that it asks for.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "plan/conditions.h"

/*
 * Is all that a condition says of the relation about its keys, and may it be
 * used? Does it mention the relation, and of it nothing but keys?
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
 * May the condition be evaluated for each pair before anything is asked? Not
 * if it could leak what a security barrier hides: the pairs themselves.
 */
bool
kis_is_key_condition(RestrictInfo *rinfo, RelOptInfo *rel, const Bitmapset *keys)
{
	return !rinfo->pseudoconstant &&
		kis_is_key_expression((Node *) rinfo->clause, rel->relid, keys) &&
		restriction_is_securely_promotable(rinfo, rel);
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

static bool
mentions_relation(Node *expr, Index relid)
{
	Bitmapset  *attrs = NULL;

	pull_varattnos(expr, relid, &attrs);
	return !bms_is_empty(attrs);
}

bool
kis_key_equality(Node *clause, Index relid, const Bitmapset *keys, KisKeyEquality *equality)
{
	Node	   *left;
	Node	   *right;
	List	   *args;
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
	equality->function = get_opcode(opno);
	equality->attnum = key_column(left, relid, keys);
	equality->value = right;
	if (equality->attnum == 0 && !equality->is_array)
	{
		equality->attnum = key_column(right, relid, keys);
		equality->value = left;
		equality->value_first = true;
	}
	return equality->attnum != 0 && !mentions_relation(equality->value, relid);
}

/* A user's may be called leakproof and do anything. */
static bool
is_leaky(Oid function, void *context)
{
	return function >= FirstGenbkiObjectId || !get_func_leakproof(function);
}

/*
 * Does the node itself, or anything in the expression, call a function that may
 * raise or tell what it sees? Only PostgreSQL's own are trusted not to.
 */
bool
kis_calls_leaky(Node *node)
{
	return check_functions_in_node(node, is_leaky, NULL);
}

static bool
contains_leaky_walker(Node *node, void *context)
{
	return node != NULL &&
		(kis_calls_leaky(node) || expression_tree_walker(node, contains_leaky_walker, context));
}

bool
kis_contains_leaky(Node *expr)
{
	return contains_leaky_walker(expr, NULL);
}
