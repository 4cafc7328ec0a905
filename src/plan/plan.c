/*
 * plan.c
 *		From a query to the plan of a scan: its size, its paths, and what the
 *		executor has to know.
 *
 * The list of pairs is small and known, so conditions on the codes are not
 * translated: the executor evaluates them for each pair before it makes a call.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "common/option.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/conditions.h"
#include "plan/estimate.h"
#include "plan/plan.h"
#include "plan/scan_plan.h"

/* A call takes tens of milliseconds, as long as reading some thousand pages. */
#define CALL_COST	1000.0

/* What planning knows of a foreign table, in rel->fdw_private. */
typedef struct PlannedTable
{
	KisScanPlan scan;			/* all its columns resolved */
	List	   *bound;			/* conditions that are the table's own, as a
								 * partition */
	int			nlisted;		/* pairs that may satisfy the conditions */
	const KisPairCode *listed;
	double		pairs;			/* expected, without conditions of joins */
	int			at_once;		/* how many calls the server's options allow */
	KisDayEstimate days_estimate;	/* of each pair */
} PlannedTable;

/*
 * Conditions on a row's day. Not those of joins: a call a day would be dearer
 * than to read the pages and to look.
 */
static List *
day_conditions(RelOptInfo *rel, const KisScanPlan *scan)
{
	Bitmapset  *attrs = bms_union(scan->key_attrs, scan->day_attrs);
	List	   *conditions = NIL;
	ListCell   *cell;

	foreach(cell, kis_key_conditions(rel->baserestrictinfo, rel, attrs))
	{
		if (kis_mentions((Node *) ((RestrictInfo *) lfirst(cell))->clause, rel->relid, scan->day_attrs))
			conditions = lappend(conditions, lfirst(cell));
	}
	return conditions;
}

/*
 * Estimates the rows. Pairs and days are counted by trying the conditions on
 * them on each; what is left of the conditions the core estimates. Raises
 * where the table's options or columns stand for nothing of KIS.
 */
void
kisGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	PlannedTable *planned = palloc0(sizeof(PlannedTable));
	KisScanPlan *scan = &planned->scan;
	Relation	relation = table_open(foreigntableid, NoLock);
	List	   *conditions;
	List	   *days;
	const KisServerOptions *options = kis_server_options(baserel->serverid);
	KisPairCode *pairs;
	int			npairs;			/* that it holds */

	kis_scan_plan_resolve(scan, relation);
	planned->bound = kis_partition_bound_add(root, baserel, relation);
	kis_estimate_selectivity(baserel, scan->investor_attrs);
	pairs = kis_table_pairs(scan->table, &scan->options, options, &npairs);
	planned->at_once = options->max_concurrent_requests;

	conditions = kis_key_conditions(baserel->baserestrictinfo, baserel, scan->key_attrs);
	planned->nlisted = npairs;
	planned->listed = pairs;
	planned->pairs = kis_estimate_pairs(root, baserel, relation, scan, &planned->nlisted, pairs,
										conditions);
	days = day_conditions(baserel, scan);
	planned->days_estimate = (KisDayEstimate)
	{
		.rows = scan->table->call->usual_rows,.pages = 1
	};
	if (scan->table->call->paging != KIS_PAGING_NONE)
		planned->days_estimate = kis_estimate_days(root, baserel, relation, scan, days);
	table_close(relation, NoLock);

	baserel->fdw_private = planned;
	baserel->tuples = npairs * Max(planned->days_estimate.rows, scan->table->call->usual_rows) *
		kis_table_split(scan->table);
	baserel->rows = clamp_row_est(planned->pairs * planned->days_estimate.rows *
								  kis_table_split(scan->table) *
								  clauselist_selectivity(root,
														 list_difference_ptr(baserel->baserestrictinfo,
																			 list_concat(conditions, days)),
														 0, JOIN_INNER, NULL));
}

/* NULL: it is not ours, or has no rows, by its conditions, and so has not been planned. */
static const PlannedTable *
planned_table(const RelOptInfo *rel)
{
	return rel != NULL && rel->fdwroutine != NULL &&
		rel->fdwroutine->GetForeignRelSize == kisGetForeignRelSize ? rel->fdw_private : NULL;
}

/*
 * Is it ours, and its size estimated? Then it has the columns of *scan, and its
 * rows are of *n pairs at most.
 */
bool
kis_planned_pairs(const RelOptInfo *rel, const KisScanPlan **scan, int *n, const KisPairCode **pairs)
{
	const PlannedTable *planned = planned_table(rel);

	if (planned == NULL)
		return false;
	*scan = &planned->scan;
	*n = planned->nlisted;
	*pairs = planned->listed;
	return true;
}

/* How often a scan that takes parameters from these relations is expected to run. */
static double
expected_loops(PlannerInfo *root, Relids outer)
{
	double		loops = 1;
	int			relid = -1;

	while ((relid = bms_next_member(outer, relid)) >= 0)
	{
		const RelOptInfo *rel = root->simple_rel_array[relid];

		if (rel != NULL)
			loops = Max(loops, rel->rows);
	}
	return loops;
}

/*
 * The order in which the days of a pair come, where the query wants it: then a
 * LIMIT can end the scan before it has read all pages.
 */
static List *
day_pathkeys(PlannerInfo *root, RelOptInfo *rel, const PlannedTable *planned)
{
	const KisCall *call = planned->scan.table->call;
	PathKey    *wanted;

	if (call->paging == KIS_PAGING_NONE || root->query_pathkeys == NIL)
		return NIL;
	wanted = linitial(root->query_pathkeys);
	if (!kis_pathkey_descends(wanted) != (call->paging == KIS_PAGING_FORWARD) ||
		wanted->pk_opfamily != get_opclass_family(GetDefaultOpClass(DATEOID, BTREE_AM_OID)))
		return NIL;
	for (int i = 0; i < planned->scan.ndays; i++)
	{
		Var		   *day = makeVar(rel->relid, planned->scan.days[i], DATEOID, -1, InvalidOid, 0);

		if (find_ec_member_matching_expr(wanted->pk_eclass, (Expr *) day, rel->relids) != NULL)
			return list_make1(wanted);
	}
	return NIL;
}

/*
 * Adds a path that takes parameters from outer, which may be NULL, and makes
 * first_calls before its first row. Calls are what it costs: the reading of
 * their rows is nothing beside. A pair is called for once, however often the scan
 * runs; and who joins by the codes rarely does so to read all of them.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids outer, double first_calls, List *pathkeys)
{
	const PlannedTable *planned = rel->fdw_private;
	ParamPathInfo *param = get_baserel_parampathinfo(root, rel, outer);
	double		loops = param != NULL ? expected_loops(root, outer) : 1;
	double		calls = planned->pairs * planned->days_estimate.pages;
	double		rows = param != NULL ? param->ppi_rows : rel->rows;
	Cost		startup = rel->baserestrictcost.startup + rel->reltarget->cost.startup;
	Cost		total;
	List	   *conditions = NIL;

	if (param != NULL)
		conditions = kis_key_conditions(param->ppi_clauses, rel, planned->scan.key_attrs);
	if (conditions != NIL)
		calls = Min(calls / 2, loops * planned->days_estimate.pages *
					kis_estimate_joined_pairs(root, rel, planned->pairs, &planned->scan, conditions));
	total = startup + calls * CALL_COST / loops +
		(cpu_tuple_cost + rel->baserestrictcost.per_tuple) * rows +
		rel->reltarget->cost.per_tuple * rows;
	startup += Min(calls, first_calls) * CALL_COST / loops;
	add_path(rel, (Path *)
			 kis_create_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer,
										 list_make1(makeFloat(psprintf("%.3f", calls)))));
}

/* The equivalence classes with a key that have been looked at. */
typedef struct KeyClasses
{
	const Bitmapset *keys;
	List	   *seen;
} KeyClasses;

/* Is it the first expression of keys of a class that has not been looked at? */
static bool
is_key_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			  EquivalenceMember *em, void *arg)
{
	KeyClasses *classes = arg;

	if (list_member_ptr(classes->seen, ec) ||
		!kis_is_key_expression((Node *) em->em_expr, rel->relid, classes->keys))
		return false;
	classes->seen = lappend(classes->seen, ec);
	return true;
}

/* Are these all foreign tables of KIS, of so many pairs at least? */
static bool
are_of_kis(PlannerInfo *root, Relids relids, double pairs)
{
	int			relid = -1;

	while ((relid = bms_next_member(relids, relid)) >= 0)
	{
		const PlannedTable *planned = planned_table(root->simple_rel_array[relid]);

		if (planned == NULL || planned->pairs < pairs)
			return false;
	}
	return true;
}

/*
 * Adds a path for each of those clauses that give the keys of one run values, with
 * parameters from the relations that the values come from; returns all of these.
 * The core drops a path that is the same as another. Pairs that can be asked at
 * once take no codes from another table of KIS that has no fewer: so their calls
 * are made side by side.
 */
static Relids
add_join_paths(PlannerInfo *root, RelOptInfo *rel, List *clauses, const Bitmapset *keys)
{
	const PlannedTable *planned = rel->fdw_private;
	Relids		all = NULL;
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *rinfo = lfirst(cell);
		Relids		outer = bms_union(rinfo->clause_relids, rel->lateral_relids);

		if (!join_clause_is_movable_to(rinfo, rel) || !kis_is_key_condition(rinfo, rel, keys))
			continue;
		outer = bms_del_member(outer, rel->relid);
		if (planned->pairs <= planned->at_once && are_of_kis(root, outer, planned->pairs))
			continue;
		add_scan_path(root, rel, outer, 1, NIL);
		all = bms_add_members(all, outer);
	}
	return all;
}

/*
 * The paths: without parameters, by the day where the query wants that order,
 * and for each set of relations whose values may choose the pairs. Unlike a
 * database's, our rows are dear by the call, so a parameterized path is always
 * worth a look, whatever the rows.
 */
void
kisGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	const PlannedTable *planned = baserel->fdw_private;
	const Bitmapset *keys = planned->scan.key_attrs;
	List	   *pathkeys = bms_is_empty(baserel->lateral_relids) ?
		day_pathkeys(root, baserel, planned) : NIL;
	KeyClasses	classes = {.keys = keys};
	Relids		all;
	List	   *implied;

	add_scan_path(root, baserel, baserel->lateral_relids, 1, NIL);

	/*
	 * the days of several pairs are merged, for which the first page of each
	 * is needed
	 */
	if (pathkeys != NIL)
		add_scan_path(root, baserel, NULL, planned->pairs, pathkeys);

	all = add_join_paths(root, baserel, baserel->joininfo, keys);
	/* of each class with keys, until there is none left */
	while (baserel->has_eclass_joins &&
		   (implied = generate_implied_equalities_for_column(root, baserel, is_key_member, &classes,
															 baserel->lateral_referencers)) != NIL)
		all = bms_add_members(all, add_join_paths(root, baserel, implied, keys));

	/* the market from one relation, the sector from another */
	if (!bms_is_empty(all))
		add_scan_path(root, baserel, all, 1, NIL);
}

/*
 * Count and offset of the LIMIT that bounds the scan alone: nothing between them
 * takes a row away or reads more, so the scan never needs more rows than it lets
 * through. They are evaluated again there, so they must have the same value.
 */
static List *
bounding_limit(PlannerInfo *root, const ForeignPath *path)
{
	const Query *parse = root->parse;
	List	   *limit = list_make2(parse->limitCount, parse->limitOffset);

	if (parse->limitCount == NULL || parse->limitOption != LIMIT_OPTION_COUNT ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		parse->hasAggs || parse->groupClause != NIL || parse->groupingSets != NIL ||
		parse->distinctClause != NIL || parse->hasWindowFuncs || parse->hasTargetSRFs ||
		parse->setOperations != NULL || parse->rowMarks != NIL ||
		!pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys) ||
		contain_volatile_functions((Node *) limit) || contain_subplans((Node *) limit))
		return NIL;
	return limit;
}

/*
 * The plan of a path. The conditions on keys and days go to fdw_exprs, where the
 * core puts a nested loop's parameters in their place, and stay in the plan's
 * own filter as well.
 */
ForeignScan *
kisGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
				  ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	const PlannedTable *planned = baserel->fdw_private;
	List	   *clauses = extract_actual_clauses(scan_clauses, false);
	KisScanPlan scan = planned->scan;
	Bitmapset  *used = NULL;
	List	   *exprs;
	List	   *private;

	scan.quals = extract_actual_clauses(kis_key_conditions(scan_clauses, baserel, scan.key_attrs), false);
	scan.day_quals = extract_actual_clauses(day_conditions(baserel, &scan), false);
	scan.investor_quals = extract_actual_clauses(kis_key_conditions(scan_clauses, baserel,
																	scan.investor_attrs), false);
	scan.referenced = kis_referenced_codes(root, baserel, scan.code_attrs, planned->bound);
	scan.calls = floatVal(linitial(best_path->fdw_private));
	scan.by_day = best_path->path.pathkeys != NIL;

	/* not where all is sorted first; of a query inside another nobody knows */
	scan.partial_read = (root->tuple_fraction > 0 || root->parent_root != NULL) &&
		(root->sort_pathkeys == NIL || scan.by_day);
	/* a condition on the rows themselves may take some away */
	if (list_length(clauses) <= list_length(scan.quals) + list_length(scan.day_quals))
		scan.limit = bounding_limit(root, best_path);
	if (scan.limit != NIL && root->limit_tuples >= 0)
		scan.calls = Min(scan.calls,
						 kis_limited_calls(&scan, ceil(root->limit_tuples / kis_table_split(scan.table)),
										   planned->pairs));

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	pull_varattnos((Node *) clauses, baserel->relid, &used);
	kis_scan_plan_write(&scan, used, &exprs, &private);

	/* all conditions are checked again, on the rows */
	return make_foreignscan(tlist, clauses, baserel->relid, exprs, private, NIL, NIL, outer_plan);
}
