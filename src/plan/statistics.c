/*
 * statistics.c
 *		What ANALYZE would find out of a foreign table, known without it: how many
 *		different codes its columns have.
 *
 * The table's pairs are known, and a sample would be out of date when it is here.
 * So the planner is told by its hook, and ANALYZE asks nothing of KIS.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_statistic.h"
#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"

#include "common/messages.h"
#include "common/option.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/plan.h"
#include "plan/scan_plan.h"
#include "plan/statistics.h"

static get_relation_stats_hook_type next_stats_hook = NULL;

/* How many different codes of a kind there are in the pairs. */
static int
count_codes(KisSource kind, int n, const KisPairCode *pairs)
{
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		bool		is_first = true;

		for (int j = 0; j < i && is_first; j++)
			is_first = kind == KIS_SOURCE_MARKET ?
				strcmp(pairs[i].market, pairs[j].market) != 0 :
				strcmp(pairs[i].sector, pairs[j].sector) != 0;
		count += is_first;
	}
	return count;
}

/* How many different values the column of the relation has; 0: that is not known. */
static int
count_values(const RelOptInfo *rel, AttrNumber attnum)
{
	const KisScanPlan *scan;
	const KisPairCode *pairs;
	int			n;

	if (!kis_planned_pairs(rel, &scan, &n, &pairs))
		return 0;
	for (int i = 0; i < scan->nkeys; i++)
		if (scan->keys[i].attnum == attnum)
			return count_codes(scan->keys[i].source, n, pairs);
	for (int i = 0; i < scan->ninvestor_keys; i++)
		if (scan->investor_keys[i].attnum == attnum)
			return kis_investor_count;
	return 0;
}

/* A row of pg_statistic that says how many different values a column has, of which none is NULL. */
static HeapTuple
form_statistic(Oid relid, AttrNumber attnum, int ndistinct)
{
	Relation	catalog = table_open(StatisticRelationId, AccessShareLock);
	Datum		values[Natts_pg_statistic] = {0};
	bool		nulls[Natts_pg_statistic] = {0};
	HeapTuple	tuple;

	values[Anum_pg_statistic_starelid - 1] = ObjectIdGetDatum(relid);
	values[Anum_pg_statistic_staattnum - 1] = Int16GetDatum(attnum);
	values[Anum_pg_statistic_stadistinct - 1] = Float4GetDatum(ndistinct);
	for (int i = 0; i < STATISTIC_NUM_SLOTS; i++)
	{
		nulls[Anum_pg_statistic_stanumbers1 - 1 + i] = true;
		nulls[Anum_pg_statistic_stavalues1 - 1 + i] = true;
	}
	tuple = heap_form_tuple(RelationGetDescr(catalog), values, nulls);
	table_close(catalog, AccessShareLock);
	return tuple;
}

/* The planner's hook: statistics of a column, where they are of ours and nobody else's. */
static bool
find_statistic(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum, VariableStatData *vardata)
{
	int			ndistinct = 0;

	if (next_stats_hook && next_stats_hook(root, rte, attnum, vardata))
		return true;
	if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_FOREIGN_TABLE)
		return false;
	for (int i = 1; i < root->simple_rel_array_size; i++)
		if (root->simple_rte_array[i] == rte && root->simple_rel_array[i] != NULL)
			ndistinct = count_values(root->simple_rel_array[i], attnum);
	if (ndistinct == 0)
		return false;
	vardata->statsTuple = form_statistic(rte->relid, attnum, ndistinct);
	vardata->freefunc = heap_freetuple;
	return true;
}

/* To be called from _PG_init: the planner's hook. */
void
kis_statistics_start(void)
{
	next_stats_hook = get_relation_stats_hook;
	get_relation_stats_hook = find_statistic;
}

/* Samples nothing, and says so. */
static int
sample_nothing(Relation relation, int elevel, HeapTuple *rows, int targrows,
			   double *totalrows, double *totaldeadrows)
{
	ereport(NOTICE,
			(errmsg("there is nothing to analyze in foreign table \"%s\"",
					RelationGetRelationName(relation)),
			 errdetail("Its codes and days are known to the planner, and its figures change by the minute: KIS is not asked.")));
	/* pg_class says of a table that was never analyzed that nobody knows */
	*totalrows = -1;
	*totaldeadrows = 0;
	return 0;
}

/* ANALYZE of a table says that there is nothing to find out. */
bool
kisAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *function,
					   BlockNumber *totalpages)
{
	*function = sample_nothing;
	*totalpages = 0;
	return true;
}
