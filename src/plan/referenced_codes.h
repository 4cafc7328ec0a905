/*
 * referenced_codes.h
 *		The codes that a query names itself, as planning finds them.
 */
#ifndef KIS_PLAN_REFERENCED_CODES_H
#define KIS_PLAN_REFERENCED_CODES_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"

/* The codes that a query names; the ints of a name in the plan */
typedef enum KisReferencedItem
{
	REFERENCED_ATTNUM,
	REFERENCED_VALUE,			/* position in referenced_values */
	REFERENCED_IS_ARRAY,
	REFERENCED_VALUE_FIRST,
	REFERENCED_FUNCTION,
	REFERENCED_COLLATION
} KisReferencedItem;

extern List *kis_referenced_codes(PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys,
								  const List *bound, List **referenced_values);

#endif							/* KIS_PLAN_REFERENCED_CODES_H */
