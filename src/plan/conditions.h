/*
 * conditions.h
 *		Which conditions of a query decide the calls that it makes, and which
 *		name codes.
 */
#ifndef KIS_PLAN_CONDITIONS_H
#define KIS_PLAN_CONDITIONS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"

/* Does it mention of the relation nothing but keys, and may it be evaluated for each of them? */
extern bool kis_is_key_expression(Node *expr, Index relid, const Bitmapset *keys);
extern bool kis_is_key_condition(RestrictInfo *rinfo, RelOptInfo *rel, const Bitmapset *keys);

/* The key conditions among these. */
extern List *kis_key_conditions(List *rinfos, RelOptInfo *rel, const Bitmapset *keys);

/* Does it mention one of these columns, as pull_varattnos counts? */
extern bool kis_mentions(Node *expr, Index relid, const Bitmapset *attrs);

/* Key = value, value = key, key = ANY (value); value names no column of relid */
typedef struct KisKeyEquality
{
	AttrNumber	attnum;
	Node	   *value;
	bool		is_array;
	Oid			collation;
} KisKeyEquality;

extern bool kis_key_equality(Node *clause, Index relid, const Bitmapset *keys,
							 KisKeyEquality *equality);

/* The key equalities by which the query itself names codes, as a List of clauses. */
extern List *kis_referenced_codes(PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys,
								  const List *bound);

/* Adds a partition's bound to the conditions; returns what it adds. */
extern List *kis_partition_bound_add(PlannerInfo *root, RelOptInfo *rel, Relation relation);

#endif							/* KIS_PLAN_CONDITIONS_H */
