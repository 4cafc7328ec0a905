/*
 * estimate.h
 *		How many pairs, and so calls, a scan is expected to ask for, and how many
 *		rows they bring.
 */
#ifndef KIS_PLAN_ESTIMATE_H
#define KIS_PLAN_ESTIMATE_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "kis/catalog.h"
#include "plan/keys.h"

extern void kis_estimate_unknown(RelOptInfo *rel);

/* How many pairs are expected to satisfy conditions */
typedef struct KisPairEstimate
{
	double		pairs;
	double		markets;		/* different ones among them */
	double		sectors;
} KisPairEstimate;

extern KisPairEstimate kis_estimate_pairs(PlannerInfo *root, RelOptInfo *rel, Relation relation,
										  const KisKeyValues *values, const Bitmapset *keys,
										  List *conditions);

/* The same of those that satisfy join conditions for given values of the other side. */
extern double kis_estimate_joined_pairs(PlannerInfo *root, RelOptInfo *rel,
										const KisPairEstimate *estimate,
										const KisKeyValues *values, const Bitmapset *keys,
										List *conditions);

/* What conditions are expected to leave of the days of one pair */
typedef struct KisDayEstimate
{
	double		rows;
	double		all_rows;		/* without conditions */
	double		pages;			/* calls */
} KisDayEstimate;

extern KisDayEstimate kis_estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation,
										const KisCall *call, List *days,
										const Bitmapset *day_attrs, List *conditions);

/* How many investors are expected to satisfy conditions on them */
extern double kis_estimate_investors(PlannerInfo *root, RelOptInfo *rel, Relation relation,
									 const KisKeyValues *values, const Bitmapset *keys,
									 List *conditions);

#endif							/* KIS_PLAN_ESTIMATE_H */
