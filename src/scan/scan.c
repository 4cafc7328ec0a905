/*
 * scan.c
 *		The executor's part: which pairs a scan reads, and its rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/int.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"

#include "common/option.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/conditions.h"
#include "plan/days.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/calendar.h"
#include "request/query_context.h"
#include "request/spill.h"
#include "request/state.h"
#include "scan/code_warnings.h"
#include "scan/convert.h"
#include "scan/joined.h"
#include "scan/pages.h"
#include "scan/scan.h"
#include "scan/state.h"

/*
 * Compiles the conditions. Evaluates nothing and looks at no option: plain
 * EXPLAIN that other extensions instrument and EvalPlanQual come here too.
 */
void
kisBeginForeignScan(ForeignScanState *node, int eflags)
{
	EState	   *estate = node->ss.ps.state;
	KisScan    *scan;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(KisScan));
	scan->plan = kis_scan_plan((ForeignScan *) node->ss.ps.plan,
							   node->ss.ss_currentRelation);
	scan->userid = kis_scan_userid((ForeignScan *) node->ss.ps.plan, estate);
	scan->query = kis_query_of_estate(estate);
	scan->counters = MemoryContextAllocZero(scan->query->context, sizeof(KisCounters));
	scan->econtext = CreateExprContext(estate);
	scan->quals = ExecInitQual(scan->plan->quals, &node->ss.ps);
	scan->day_quals = ExecInitQual(scan->plan->day_quals, &node->ss.ps);
	scan->investor_quals = ExecInitQual(scan->plan->investor_quals, &node->ss.ps);
	scan->limit = ExecInitExprList(scan->plan->limit, &node->ss.ps);
	scan->pair_slot = ExecInitExtraTupleSlot(estate,
											 RelationGetDescr(node->ss.ss_currentRelation),
											 &TTSOpsVirtual);
	scan->econtext->ecxt_scantuple = scan->pair_slot;
	node->fdw_state = scan;
	if (estate->es_epq_active == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scan->query->context);

		scan->query->scans = lappend(scan->query->scans, node);
		MemoryContextSwitchTo(old);
	}
}

/* What needs the server's options, before the first row. Raises what these raise, and 42704 without a user mapping. */
static void
start_scan(ForeignScanState *node, KisScan *scan)
{
	EState	   *estate = node->ss.ps.state;
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	KisConnection *connection;
	KisPairCode *pairs;
	int			npairs;
	Bitmapset  *mentioned = NULL;

	connection = kis_query_connection(scan->query, plan->fs_server, scan->userid);
	pairs = kis_table_pairs(scan->plan->table, &scan->plan->options,
							connection->options, &npairs);
	pull_varattnos((Node *) plan->fdw_exprs, plan->scan.scanrelid, &mentioned);
	scan->values = kis_key_values(relation, scan->plan->nkeys, scan->plan->keys, npairs, pairs,
								  mentioned);
	scan->investors = kis_key_values(relation, scan->plan->ninvestor_keys, scan->plan->investor_keys,
									 kis_investor_count, NULL, mentioned);
	scan->days_by_pair = kis_mentions((Node *) scan->plan->day_quals, plan->scan.scanrelid,
									  scan->plan->key_attrs);
	scan->split = kis_table_split(scan->plan->table);
	scan->parts = palloc(scan->split * sizeof(int));
	scan->pairs = palloc0(Max(1, npairs) * sizeof(KisPairScan));
	scan->converter = kis_converter_create(relation, scan->plan, scan->query, scan->counters);
	scan->connection = connection;
	MemoryContextSwitchTo(old);
}

/* The investors that satisfy the conditions with the parameters as they are. */
static void
choose_investors(KisScan *scan)
{
	scan->nparts = 0;
	for (int i = 0; i < scan->split; i++)
	{
		CHECK_FOR_INTERRUPTS();
		kis_key_store(scan->investors, i, scan->pair_slot);
		if (ExecQualAndReset(scan->investor_quals, scan->econtext))
			scan->parts[scan->nparts++] = i;
	}
}

/*
 * The days of a pair, whose codes stand in pair_slot, that satisfy the
 * conditions with the parameters as they are. Where the conditions mention no
 * codes, all pairs have those of the first.
 */
static void
choose_days(ForeignScanState *node, KisScan *scan, KisPairScan *pair)
{
	const KisScanPlan *plan = scan->plan;
	MemoryContext old;

	if (pair->days == NULL)
	{
		old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
		pair->days = kis_days_create(plan->table->call, plan->ndays, plan->days);
		MemoryContextSwitchTo(old);
	}
	kis_days_choose(pair->days, scan->day_quals, scan->econtext, scan->pair_slot);
	pair->first_day = kis_days_next(pair->days, KIS_NO_DAY);
	pair->pages = kis_days_pages(pair->days, pair->first_day);
}

/* The pairs that satisfy the conditions with the parameters as they are, and have a day that does. */
static void
choose_pairs(ForeignScanState *node, KisScan *scan)
{
	bool		has_days = scan->plan->table->call->paging != KIS_PAGING_NONE;
	const KisPairScan *same_days = NULL;

	choose_investors(scan);
	scan->npairs = 0;
	for (int i = 0; scan->nparts > 0 && i < scan->values->n; i++)
	{
		KisPairScan *pair = &scan->pairs[scan->npairs];

		CHECK_FOR_INTERRUPTS();
		kis_key_store(scan->values, i, scan->pair_slot);
		if (!ExecQualAndReset(scan->quals, scan->econtext))
			continue;
		if (same_days != NULL)
			*pair = *same_days;
		else if (has_days)
			choose_days(node, scan, pair);
		else
			pair->pages = 1;
		if (!scan->days_by_pair)
			same_days = &scan->pairs[0];
		if (pair->pages == 0)
			continue;
		pair->pair = i;
		pair->page = NULL;
		kis_pair_rewind(pair);
		scan->npairs++;
	}
	scan->chosen = true;
}

/*
 * The rows of replies that can be wanted at most, each of which is so many of
 * the table; PG_INT64_MAX: all. Evaluates in the per-tuple memory.
 */
static int64
limited_rows(const KisScan *scan)
{
	int64		values[2] = {0, 0}; /* of count and offset */
	int64		rows;
	bool		isnull;

	for (int i = 0; i < list_length(scan->limit); i++)
	{
		ExprState  *state = list_nth(scan->limit, i);

		if (state == NULL)
			continue;
		values[i] = Max(0, DatumGetInt64(ExecEvalExprSwitchContext(state, scan->econtext, &isnull)));
		if (isnull && i == 0)
			return PG_INT64_MAX;
	}
	if (scan->limit == NIL || pg_add_s64_overflow(values[0], values[1], &rows))
		return PG_INT64_MAX;
	return rows / scan->split + (rows % scan->split != 0);
}

/*
 * Decides the calls, with parameters and LIMIT as they are, before the scan
 * makes any: raises 54000 where they would be more than max_calls allows.
 */
static void
prepare_calls(ForeignScanState *node, KisScan *scan)
{
	const KisScanPlan *plan = scan->plan;
	int64		most = 0;

	if (scan->connection == NULL)
		start_scan(node, scan);
	if (!scan->chosen)
		choose_pairs(node, scan);
	if (!scan->warned)
		kis_warn_of_unknown_codes(node, scan);
	scan->warned = true;

	scan->max_rows = limited_rows(scan);
	ResetExprContext(scan->econtext);
	scan->counted = true;
	for (int i = 0; i < scan->npairs; i++)
		most += scan->pairs[i].pages;
	/* what is here already need only be looked for where it matters */
	if (!kis_query_allows(scan->query, scan->connection, most))
		kis_query_expect(scan->query, scan->connection, plan->table->call,
						 (int) kis_remaining_calls(scan));

	/* the calendar comes along with the first rows, where they will need it */
	for (int i = 0; i < plan->ncolumns && most > 0 && scan->max_rows > 0; i++)
		if (plan->columns[i].source == KIS_SOURCE_TRADE_DATE)
		{
			kis_trade_date_prepare(scan->query, scan->connection, scan->counters);
			break;
		}
}

/*
 * At the first row of all that are joined: the scans that are joined with this one
 * make their first calls, too, before it waits for its own. So a join by the codes
 * waits for the slowest call, not for one after the other.
 */
static void
start_joined(ForeignScanState *node, KisScan *scan)
{
	List	   *scans = scan->query->scans;
	List	   *joined;
	ListCell   *cell;

	if (list_length(scans) < 2)
		return;
	joined = kis_joined_scans(node->ss.ps.state->es_plannedstmt->planTree);
	if (!list_member_ptr(joined, node->ss.ps.plan))
		return;
	scan->query->scans = NIL;
	kis_request_first(scan);
	foreach(cell, scans)
	{
		ForeignScanState *other = lfirst(cell);
		KisScan    *other_scan = other->fdw_state;

		if (other == node || !list_member_ptr(joined, other->ss.ps.plan))
			continue;
		prepare_calls(other, other_scan);
		kis_request_first(other_scan);
	}
}

/*
 * The scan's next row; an empty slot after the last. Waits for KIS, and raises what
 * a call's failure is; one that never waits has an empty slot instead, see its awaited.
 */
TupleTableSlot *
kisIterateForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	KisTableRow row;

	if (!scan->counted)
	{
		prepare_calls(node, scan);
		start_joined(node, scan);
	}

	ExecClearTuple(slot);
	if (!kis_next_row(scan, &row))
		return slot;
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	kis_convert_row(scan->converter, &row, slot->tts_values, slot->tts_isnull);
	ExecStoreVirtualTuple(slot);

	/* the system columns are those of a row that no transaction has written */
	if (((ForeignScan *) node->ss.ps.plan)->fsSystemCol)
	{
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, true, NULL);

		HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
		HeapTupleHeaderSetXmin(tuple->t_data, InvalidTransactionId);
		HeapTupleHeaderSetCmin(tuple->t_data, InvalidTransactionId);
	}
	return slot;
}

/* The rows again, of other pairs only where a parameter has changed. */
void
kisReScanForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;

	if (node->ss.ps.chgParam != NULL)
		scan->chosen = false;
	scan->counted = false;
	scan->announced = false;
	scan->last = NULL;
	scan->awaited = NULL;
	scan->next_part = 0;
	scan->ntaken = 0;
	for (int i = 0; i < scan->npairs; i++)
		kis_pair_rewind(&scan->pairs[i]);
}

/*
 * All else that it has belongs to the executor's or the query's memory. Not
 * called after an error: then the transaction's end closes the file.
 */
void
kisEndForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;

	if (scan != NULL && node->ss.ps.state->es_epq_active == NULL)
		kis_query_end_scans(scan->query);
}
