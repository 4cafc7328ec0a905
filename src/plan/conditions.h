/*
 * conditions.h
 *		Which conditions of a query decide the pairs that it asks for.
 */
#ifndef KIS_PLAN_CONDITIONS_H
#define KIS_PLAN_CONDITIONS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"

/* Is all that a condition says of the relation about its keys, and may it be used? */
extern bool kis_is_key_expression(Node *expr, Index relid, const Bitmapset *keys);
extern bool kis_is_key_condition(RestrictInfo *rinfo, RelOptInfo *rel, const Bitmapset *keys);

/* Does it mention one of these columns, as pull_varattnos counts? */
extern bool kis_mentions(Node *expr, Index relid, const Bitmapset *attrs);

extern bool kis_calls_leaky(Node *node);
extern bool kis_contains_leaky(Node *expr);

/* Key = value, value = key, key = ANY (value); value names no column of relid */
typedef struct KisKeyEquality
{
	AttrNumber	attnum;
	Node	   *value;
	bool		is_array;
	bool		value_first;	/* in the operator's arguments */
	Oid			function;
	Oid			collation;
} KisKeyEquality;

extern bool kis_key_equality(Node *clause, Index relid, const Bitmapset *keys,
							 KisKeyEquality *equality);

#endif							/* KIS_PLAN_CONDITIONS_H */
