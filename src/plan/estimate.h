/*
 * estimate.h
 *		How many pairs, and so calls, a scan is expected to make, and how many
 *		rows they bring.
 */
#ifndef KIS_PLAN_ESTIMATE_H
#define KIS_PLAN_ESTIMATE_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "nodes/pathnodes.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "common/option.h"
#include "plan/scan_plan.h"

/* Gives conditions a selectivity that the core would run functions for, or guess badly. */
extern void kis_estimate_selectivity(RelOptInfo *rel, const Bitmapset *investor_attrs);

/* How many pairs are expected to satisfy conditions; those that can't are taken out. */
extern double kis_estimate_pairs(PlannerInfo *root, RelOptInfo *rel, Relation relation,
								 const KisScanPlan *scan, int *npairs, KisPairCode *pairs,
								 List *conditions);

/* The same of those that satisfy join conditions for given values of the other side. */
extern double kis_estimate_joined_pairs(PlannerInfo *root, RelOptInfo *rel, double pairs,
										const KisScanPlan *scan, List *conditions);

/* What conditions are expected to leave of the days of one pair */
typedef struct KisDayEstimate
{
	double		rows;
	double		pages;			/* calls */
} KisDayEstimate;

extern KisDayEstimate kis_estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation,
										const KisScanPlan *scan, List *conditions);

#endif							/* KIS_PLAN_ESTIMATE_H */
