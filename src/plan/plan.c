/*
 * plan.c
 *		From a query to the plan of a scan: its size, its paths, and what the
 *		executor has to know.
 *
 * The list of pairs is small and known, so conditions on the codes are not
 * translated: the executor evaluates them for each pair before it makes a call.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
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
#include "plan/keys.h"
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
	KisKeyValues *values;
	KisPairEstimate estimate;	/* without conditions of joins */
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
	KisPairCode *pairs;
	int			npairs;

	kis_scan_plan_resolve(scan, relation, NULL);
	planned->bound = kis_partition_bound_add(root, baserel, relation);
	kis_estimate_selectivity(baserel, scan->investor_attrs);
	pairs = kis_table_pairs(scan->table, &scan->options,
							kis_server_options(baserel->serverid), &npairs);
	planned->values = kis_pair_values(relation, scan->nkeys, scan->keys, npairs, pairs);

	conditions = kis_key_conditions(baserel->baserestrictinfo, baserel, scan->key_attrs);
	planned->estimate = kis_estimate_pairs(root, baserel, relation, planned->values,
										   scan->key_attrs, conditions);
	days = day_conditions(baserel, scan);
	planned->days_estimate = (KisDayEstimate)
	{
		.rows = scan->table->call->usual_rows,.all_rows = scan->table->call->usual_rows,.pages = 1
	};
	if (scan->table->call->paging != KIS_PAGING_NONE)
		planned->days_estimate = kis_estimate_days(root, baserel, relation, scan, days);
	table_close(relation, NoLock);

	baserel->fdw_private = planned;
	baserel->tuples = npairs * planned->days_estimate.all_rows * kis_table_split(scan->table);
	baserel->rows = clamp_row_est(planned->estimate.pairs * planned->days_estimate.rows *
								  kis_table_split(scan->table) *
								  clauselist_selectivity(root,
														 list_difference_ptr(baserel->baserestrictinfo,
																			 list_concat(conditions, days)),
														 0, JOIN_INNER, NULL));
}

/* How often a scan that takes parameters from these relations is expected to run. */
static double
expected_loops(PlannerInfo *root, Relids outer)
{
	double		loops = 1;
	int			relid = -1;

	while ((relid = bms_next_member(outer, relid)) >= 0)
	{
		RelOptInfo *rel = relid < root->simple_rel_array_size ?
			root->simple_rel_array[relid] : NULL;

		if (rel != NULL)
			loops = Max(loops, rel->rows);
	}
	return loops;
}

/*
 * The calls that all runs of a path make together. A pair is called for once,
 * however often the scan runs; and who joins by the codes rarely does so to
 * read all of them.
 */
static double
expected_calls(PlannerInfo *root, RelOptInfo *rel, const PlannedTable *planned,
			   ParamPathInfo *param, double loops)
{
	double		all = planned->estimate.pairs * planned->days_estimate.pages;
	List	   *conditions;
	List	   *values = NIL;
	ListCell   *cell;
	double		each;

	if (param == NULL)
		return all;
	conditions = kis_key_conditions(param->ppi_clauses, rel, planned->scan.key_attrs);
	if (conditions == NIL)
		return all;
	each = kis_estimate_joined_pairs(root, rel, &planned->estimate, planned->values,
									 planned->scan.key_attrs, conditions) *
		planned->days_estimate.pages;

	/* runs with values that have come before make no calls */
	foreach(cell, conditions)
	{
		KisKeyEquality equality;

		if (kis_key_equality((Node *) ((RestrictInfo *) lfirst(cell))->clause, rel->relid,
							 planned->scan.key_attrs, &equality))
			values = lappend(values, equality.value);
	}
	if (list_length(values) == list_length(conditions))
		loops = estimate_num_groups(root, values, loops, NULL, NULL);
	return Min(loops * each, all / 2);
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
 * their rows is nothing beside.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids outer, double first_calls, List *pathkeys)
{
	const PlannedTable *planned = rel->fdw_private;
	ParamPathInfo *param = get_baserel_parampathinfo(root, rel, outer);
	double		loops = param != NULL ? expected_loops(root, outer) : 1;
	double		calls = expected_calls(root, rel, planned, param, loops);
	double		rows = param != NULL ? param->ppi_rows : rel->rows;
	Cost		startup = rel->baserestrictcost.startup + rel->reltarget->cost.startup;
	Cost		total;

	total = startup + calls * CALL_COST / loops +
		(cpu_tuple_cost + rel->baserestrictcost.per_tuple) * rows +
		rel->reltarget->cost.per_tuple * rows;
	startup += Min(calls, first_calls) * CALL_COST / loops;
	add_path(rel, (Path *)
			 kis_create_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer,
										 list_make1(makeFloat(psprintf("%.3f", calls)))));
}

/* The relations that a join condition takes the keys' values from. */
static List *
add_outer(List *outers, RestrictInfo *rinfo, RelOptInfo *rel)
{
	Relids		outer = bms_union(rinfo->clause_relids, rel->lateral_relids);
	ListCell   *cell;

	outer = bms_del_member(outer, rel->relid);
	if (bms_is_empty(outer))
		return outers;
	foreach(cell, outers)
	{
		if (bms_equal(lfirst(cell), outer))
			return outers;
	}
	return lappend(outers, outer);
}

/* The member of an equivalence class that is looked at, and those looked at before. */
typedef struct KeyMembers
{
	const Bitmapset *keys;
	Expr	   *current;
	List	   *already_used;
} KeyMembers;

static bool
is_key_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			  EquivalenceMember *em, void *arg)
{
	KeyMembers *members = arg;

	if (members->current != NULL)
		return equal(em->em_expr, members->current);
	if (list_member(members->already_used, em->em_expr) ||
		!kis_is_key_expression((Node *) em->em_expr, rel->relid, members->keys))
		return false;
	members->current = em->em_expr;
	return true;
}

/* Adds the outer relations of those clauses that give the keys of one run values. */
static List *
add_outers(List *outers, List *clauses, RelOptInfo *rel, const Bitmapset *keys)
{
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *rinfo = lfirst(cell);

		if (join_clause_is_movable_to(rinfo, rel) && kis_is_key_condition(rinfo, rel, keys))
			outers = add_outer(outers, rinfo, rel);
	}
	return outers;
}

/* Join conditions that equivalence classes imply. One class may hold both keys. */
static List *
add_equivalence_outers(List *outers, PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys)
{
	KeyMembers	members = {.keys = keys};

	for (;;)
	{
		List	   *clauses;

		members.current = NULL;
		clauses = generate_implied_equalities_for_column(root, rel, is_key_member, &members,
														 rel->lateral_referencers);
		if (members.current == NULL)
			return outers;
		outers = add_outers(outers, clauses, rel, keys);
		members.already_used = lappend(members.already_used, members.current);
	}
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
	Relids		all = NULL;
	List	   *outers;
	ListCell   *cell;

	add_scan_path(root, baserel, baserel->lateral_relids, 1, NIL);

	/*
	 * the days of several pairs are merged, for which the first page of each
	 * is needed
	 */
	if (pathkeys != NIL)
		add_scan_path(root, baserel, NULL, planned->estimate.pairs, pathkeys);

	outers = add_outers(NIL, baserel->joininfo, baserel, keys);
	if (baserel->has_eclass_joins)
		outers = add_equivalence_outers(outers, root, baserel, keys);
	foreach(cell, outers)
	{
		if (!bms_equal(lfirst(cell), baserel->lateral_relids))
			add_scan_path(root, baserel, lfirst(cell), 1, NIL);
		all = bms_add_members(all, lfirst(cell));
	}

	/* the market from one relation, the sector from another */
	foreach(cell, outers)
	{
		if (bms_equal(lfirst(cell), all))
			return;
	}
	if (list_length(outers) > 1)
		add_scan_path(root, baserel, all, 1, NIL);
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
	scan.referenced = kis_referenced_codes(root, baserel,
										   bms_union(scan.key_attrs, scan.investor_attrs),
										   planned->bound);
	scan.calls = floatVal(linitial(best_path->fdw_private));
	scan.npairs = planned->estimate.pairs;
	scan.by_day = best_path->path.pathkeys != NIL;
	scan.partial_read = root->tuple_fraction > 0;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	pull_varattnos((Node *) clauses, baserel->relid, &used);
	kis_scan_plan_write(&scan, used, &exprs, &private);

	/* all conditions are checked again, on the rows */
	return make_foreignscan(tlist, clauses, baserel->relid, exprs, private, NIL, NIL, outer_plan);
}
