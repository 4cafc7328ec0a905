/*
 * plan.c
 *		From a query to the plan of a scan: its size, its paths, and what the
 *		executor has to know.
 *
 * The list of pairs is small and known, so conditions on the codes are not
 * translated: the executor evaluates them for each pair before it asks.
 */
#include "postgres.h"

#include "access/sysattr.h"
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
#include "plan/partition.h"
#include "plan/plan.h"
#include "plan/referenced_codes.h"
#include "plan/scan_plan.h"

/* A call takes tens of milliseconds, as long as reading some thousand pages. */
#define CALL_COST	1000.0

/* What planning knows of a foreign table, in rel->fdw_private. */
typedef struct PlannedTable
{
	const KisTable *table;
	KisTableOptions *options;
	KisColumn  *columns;		/* by attribute number - 1 */
	int			ncolumns;
	bool	   *dropped;		/* or none that a scan has to fill */
	KisKey	   *keys;
	int			nkeys;
	Bitmapset  *key_attrs;		/* as pull_varattnos counts */
	KisKey	   *investor_keys;	/* not of the pair: they decide no calls */
	int			ninvestor_keys;
	Bitmapset  *investor_attrs;
	List	   *days;			/* of int: columns that hold a row's day */
	Bitmapset  *day_attrs;
	List	   *bound;			/* conditions that are the table's own, as a
								 * partition */
	KisKeyValues *values;
	KisPairEstimate estimate;	/* without conditions of joins */
	KisDayEstimate days_estimate;	/* of each pair */
} PlannedTable;

/* Notes a column that holds a code of the pair, or of the investor. */
static void
add_key(PlannedTable *planned, AttrNumber attnum, KisSource source)
{
	KisKey		key = {.attnum = attnum,.source = source};
	int			attr = attnum - FirstLowInvalidHeapAttributeNumber;

	if (source == KIS_SOURCE_INVESTOR)
	{
		planned->investor_keys[planned->ninvestor_keys++] = key;
		planned->investor_attrs = bms_add_member(planned->investor_attrs, attr);
	}
	else
	{
		planned->keys[planned->nkeys++] = key;
		planned->key_attrs = bms_add_member(planned->key_attrs, attr);
	}
}

static void
resolve_columns(PlannedTable *planned, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	planned->ncolumns = desc->natts;
	planned->columns = palloc0(desc->natts * sizeof(KisColumn));
	planned->dropped = palloc0(desc->natts * sizeof(bool));
	planned->keys = palloc(desc->natts * sizeof(KisKey));
	planned->investor_keys = palloc(desc->natts * sizeof(KisKey));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		KisColumn  *column = &planned->columns[i];

		planned->dropped[i] = att->attisdropped || kis_is_virtual_column(att);
		if (planned->dropped[i])
			continue;
		*column = kis_column_resolve(planned->table, RelationGetRelid(relation),
									 att->attnum, NameStr(att->attname));
		if (column->source == KIS_SOURCE_DAY && att->atttypid == DATEOID)
		{
			planned->days = lappend_int(planned->days, att->attnum);
			planned->day_attrs = bms_add_member(planned->day_attrs,
												att->attnum - FirstLowInvalidHeapAttributeNumber);
		}
		if (column->source == KIS_SOURCE_MARKET || column->source == KIS_SOURCE_SECTOR ||
			column->source == KIS_SOURCE_INVESTOR)
			add_key(planned, att->attnum, column->source);
	}
}

static List *
key_conditions(List *rinfos, RelOptInfo *rel, const Bitmapset *keys)
{
	List	   *conditions = NIL;
	ListCell   *cell;

	foreach(cell, rinfos)
		if (kis_is_key_condition(lfirst(cell), rel, keys))
		conditions = lappend(conditions, lfirst(cell));
	return conditions;
}

/*
 * Conditions on a row's day. Not those of joins: a call a day would be dearer
 * than to read the pages and to look.
 */
static List *
day_conditions(RelOptInfo *rel, const PlannedTable *planned)
{
	Bitmapset  *attrs = bms_union(planned->key_attrs, planned->day_attrs);
	List	   *conditions = NIL;
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst(cell);

		if (kis_mentions((Node *) rinfo->clause, rel->relid, planned->day_attrs) &&
			kis_is_key_condition(rinfo, rel, attrs))
			conditions = lappend(conditions, rinfo);
	}
	return conditions;
}

/*
 * What the conditions leave of the rows that a row of a reply is, which they
 * only filter; those that say it are appended to *used.
 */
static double
estimate_split(PlannerInfo *root, RelOptInfo *rel, Relation relation,
			   const PlannedTable *planned, List **used)
{
	List	   *conditions;

	if (!planned->table->by_investor)
		return 1;
	conditions = key_conditions(rel->baserestrictinfo, rel, planned->investor_attrs);
	*used = list_concat(*used, conditions);
	return kis_estimate_investors(root, rel, relation,
								  kis_investor_values(relation, planned->ninvestor_keys,
													  planned->investor_keys),
								  planned->investor_attrs, conditions);
}

/* What the conditions leave of a table's days. */
static KisDayEstimate
estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation,
			  const PlannedTable *planned, List *conditions)
{
	KisDayEstimate one_call = {.rows = planned->table->call->usual_rows,.pages = 1};

	if (planned->table->call->paging == KIS_PAGING_NONE)
		return one_call;
	return kis_estimate_days(root, rel, relation, planned->table->call,
							 planned->days, planned->day_attrs, conditions);
}

void
kisGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	PlannedTable *planned = palloc0(sizeof(PlannedTable));
	Relation	relation = table_open(foreigntableid, NoLock);
	KisServerOptions *server = kis_server_options(baserel->serverid);
	List	   *conditions;
	List	   *days;
	KisPairCode *pairs;
	int			npairs;
	double		split;

	planned->table = kis_table_of_relation(foreigntableid, &planned->options);
	resolve_columns(planned, relation);
	planned->bound = kis_partition_bound_add(root, baserel, relation);
	kis_estimate_unknown(baserel);
	pairs = kis_table_pairs(planned->table, planned->options, server, &npairs);
	planned->values = kis_pair_values(relation, planned->nkeys, planned->keys, npairs, pairs);

	conditions = key_conditions(baserel->baserestrictinfo, baserel, planned->key_attrs);
	planned->estimate = kis_estimate_pairs(root, baserel, relation, planned->values,
										   planned->key_attrs, conditions);
	days = day_conditions(baserel, planned);
	planned->days_estimate = estimate_days(root, baserel, relation, planned, days);
	conditions = list_concat(conditions, days);
	split = estimate_split(root, baserel, relation, planned, &conditions);
	table_close(relation, NoLock);

	baserel->fdw_private = planned;
	baserel->tuples = npairs * planned->days_estimate.all_rows * kis_table_split(planned->table);
	baserel->rows = clamp_row_est(planned->estimate.pairs * planned->days_estimate.rows * split *
								  clauselist_selectivity(root,
														 list_difference_ptr(baserel->baserestrictinfo, conditions),
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

/* How often join conditions are expected to have values that they have not had before. */
static double
different_values(PlannerInfo *root, RelOptInfo *rel, const PlannedTable *planned,
				 List *conditions, double loops)
{
	List	   *values = NIL;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		KisKeyEquality equality;

		if (!kis_key_equality((Node *) ((RestrictInfo *) lfirst(cell))->clause, rel->relid,
							  planned->key_attrs, &equality))
			return loops;
		values = lappend(values, equality.value);
	}
	return estimate_num_groups(root, values, loops, NULL, NULL);
}

/*
 * The calls that all runs of a path make together. A pair is asked once,
 * however often the scan runs; and who joins by the codes rarely does so to
 * ask for all of them.
 */
static double
expected_calls(PlannerInfo *root, RelOptInfo *rel, const PlannedTable *planned,
			   ParamPathInfo *param, double loops)
{
	double		all = planned->estimate.pairs * planned->days_estimate.pages;
	List	   *conditions;
	double		each;

	if (param == NULL)
		return all;
	conditions = key_conditions(param->ppi_clauses, rel, planned->key_attrs);
	if (conditions == NIL)
		return all;
	each = kis_estimate_joined_pairs(root, rel, &planned->estimate, planned->values,
									 planned->key_attrs, conditions) *
		planned->days_estimate.pages;
	return Min(different_values(root, rel, planned, conditions, loops) * each, all / 2);
}

/* Do the query's own conditions leave one pair at most? */
static bool
is_one_pair(RelOptInfo *rel, const PlannedTable *planned)
{
	bool		one[] = {false, !kis_call_takes(planned->table->call, KIS_ARG_SECTOR)};
	ListCell   *cell;

	if (planned->values->n <= 1)
		return true;
	foreach(cell, key_conditions(rel->baserestrictinfo, rel, planned->key_attrs))
	{
		KisKeyEquality equality;

		if (kis_key_equality((Node *) ((RestrictInfo *) lfirst(cell))->clause, rel->relid,
							 planned->key_attrs, &equality) && !equality.is_array)
			one[planned->columns[equality.attnum - 1].source == KIS_SOURCE_SECTOR] = true;
	}
	return one[0] && one[1];
}

/*
 * The order in which the days of a pair come, where the query wants it: then a
 * LIMIT can end the scan before it has read all pages.
 */
static List *
day_pathkeys(PlannerInfo *root, RelOptInfo *rel, const PlannedTable *planned)
{
	const KisCall *call = planned->table->call;
	PathKey    *wanted;
	ListCell   *cell;

	if (call->paging == KIS_PAGING_NONE || root->query_pathkeys == NIL)
		return NIL;
	wanted = linitial(root->query_pathkeys);
	if (!kis_pathkey_descends(wanted) != (call->paging == KIS_PAGING_FORWARD) ||
		wanted->pk_opfamily != get_opclass_family(GetDefaultOpClass(DATEOID, BTREE_AM_OID)))
		return NIL;
	foreach(cell, planned->days)
	{
		Var		   *day = makeVar(rel->relid, lfirst_int(cell), DATEOID, -1, InvalidOid, 0);

		if (find_ec_member_matching_expr(wanted->pk_eclass, (Expr *) day, rel->relids) != NULL)
			return list_make1(wanted);
	}
	return NIL;
}

/* A path that makes so many calls before its first row. */
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

/*
 * The paths without conditions of joins. The days of one pair come in order as
 * they are; those of several have to be merged, for which the first page of
 * each is needed.
 */
static void
add_plain_paths(PlannerInfo *root, RelOptInfo *rel)
{
	const PlannedTable *planned = rel->fdw_private;
	bool		one_pair = is_one_pair(rel, planned);
	List	   *pathkeys = bms_is_empty(rel->lateral_relids) ?
		day_pathkeys(root, rel, planned) : NIL;

	add_scan_path(root, rel, rel->lateral_relids, 1, one_pair ? pathkeys : NIL);
	if (!one_pair && pathkeys != NIL)
		add_scan_path(root, rel, NULL, planned->estimate.pairs, pathkeys);
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
		if (bms_equal(lfirst(cell), outer))
		return outers;
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

/* Join conditions that equivalence classes imply. One class may hold both keys. */
static List *
add_equivalence_outers(List *outers, PlannerInfo *root, RelOptInfo *rel,
					   const PlannedTable *planned)
{
	KeyMembers	members = {.keys = planned->key_attrs};

	for (;;)
	{
		List	   *clauses;
		ListCell   *cell;

		members.current = NULL;
		clauses = generate_implied_equalities_for_column(root, rel, is_key_member, &members,
														 rel->lateral_referencers);
		if (members.current == NULL)
			return outers;
		foreach(cell, clauses)
		{
			RestrictInfo *rinfo = lfirst(cell);

			if (join_clause_is_movable_to(rinfo, rel) &&
				kis_is_key_condition(rinfo, rel, planned->key_attrs))
				outers = add_outer(outers, rinfo, rel);
		}
		members.already_used = lappend(members.already_used, members.current);
	}
}

void
kisGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	const PlannedTable *planned = baserel->fdw_private;
	Relids		all = NULL;
	List	   *outers = NIL;
	ListCell   *cell;

	add_plain_paths(root, baserel);

	foreach(cell, baserel->joininfo)
	{
		RestrictInfo *rinfo = lfirst(cell);

		if (join_clause_is_movable_to(rinfo, baserel) &&
			kis_is_key_condition(rinfo, baserel, planned->key_attrs))
			outers = add_outer(outers, rinfo, baserel);
	}
	if (baserel->has_eclass_joins)
		outers = add_equivalence_outers(outers, root, baserel, planned);

	foreach(cell, outers)
	{
		if (!bms_equal(lfirst(cell), baserel->lateral_relids))
			add_scan_path(root, baserel, lfirst(cell), 1, NIL);
		all = bms_add_members(all, lfirst(cell));
	}

	/* the market from one relation, the sector from another */
	foreach(cell, outers)
		if (bms_equal(lfirst(cell), all))
		return;
	if (list_length(outers) > 1)
		add_scan_path(root, baserel, all, 1, NIL);
}

/* The columns that the query uses, as pull_varattnos counts. */
static Bitmapset *
used_columns(RelOptInfo *rel, List *clauses)
{
	Bitmapset  *attrs = NULL;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	pull_varattnos((Node *) clauses, rel->relid, &attrs);
	return attrs;
}

/* The columns that a scan has to fill. */
static void
choose_columns(KisScanPlan *scan, const PlannedTable *planned, const Bitmapset *used)
{
	bool		whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);

	scan->columns = palloc0(Max(1, planned->ncolumns) * sizeof(KisScanColumn));
	for (int i = 0; i < planned->ncolumns; i++)
	{
		if (planned->dropped[i] ||
			!(whole_row || bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, used)))
			continue;
		scan->columns[scan->ncolumns].attnum = i + 1;
		scan->columns[scan->ncolumns].column = planned->columns[i];
		scan->ncolumns++;
	}
}

ForeignScan *
kisGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
				  ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	const PlannedTable *planned = baserel->fdw_private;
	List	   *clauses = extract_actual_clauses(scan_clauses, false);
	List	   *exprs;
	List	   *private;
	ListCell   *cell;
	KisScanPlan scan = {
		.table = planned->table,
		.options.pairs = planned->options->has_pairs ?
		planned->options->pairs : planned->table->pairs,
		.nkeys = planned->nkeys,
		.keys = planned->keys,
		.ninvestor_keys = planned->ninvestor_keys,
		.investor_keys = planned->investor_keys,
		.calls = floatVal(linitial(best_path->fdw_private)),
		.npairs = planned->estimate.pairs,
		.one_pair = is_one_pair(baserel, planned),
		.by_day = best_path->path.pathkeys != NIL,
		.partial_read = root->tuple_fraction > 0
	};

	choose_columns(&scan, planned, used_columns(baserel, clauses));
	scan.days = palloc(Max(1, list_length(planned->days)) * sizeof(AttrNumber));
	foreach(cell, planned->days)
		scan.days[scan.ndays++] = lfirst_int(cell);
	scan.quals = extract_actual_clauses(key_conditions(scan_clauses, baserel,
													   planned->key_attrs), false);
	scan.day_quals = extract_actual_clauses(day_conditions(baserel, planned), false);
	scan.investor_quals = extract_actual_clauses(key_conditions(scan_clauses, baserel,
																planned->investor_attrs), false);
	scan.named = kis_referenced_codes(root, baserel,
									  bms_union(planned->key_attrs, planned->investor_attrs),
									  planned->bound, &scan.referenced_values);

	kis_scan_plan_write(&scan, &exprs, &private);

	/* all conditions are checked again, on the rows */
	return make_foreignscan(tlist, clauses, baserel->relid, exprs, private, NIL, NIL, outer_plan);
}
