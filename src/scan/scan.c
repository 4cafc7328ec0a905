/*
 * scan.c
 *		The executor's part: which pairs a scan asks for, when, and its rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

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
#include "request/loop.h"
#include "request/query_context.h"
#include "request/spill.h"
#include "request/state.h"
#include "scan/code_warnings.h"
#include "scan/convert.h"
#include "scan/limit.h"
#include "scan/order.h"
#include "scan/pages.h"
#include "scan/scan.h"
#include "scan/state.h"

/* The memory of the statement: an EvalPlanQual run ends earlier. */
static MemoryContext
statement_memory(EState *estate)
{
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;
	return estate->es_query_cxt;
}

/* Which conditions on the days ask for the pair's codes as well? */
static void
split_day_quals(const ForeignScan *plan, const KisScanPlan *scan, List **of_days, List **of_pairs)
{
	Bitmapset  *keys = NULL;
	ListCell   *cell;

	*of_days = NIL;
	*of_pairs = NIL;
	for (int i = 0; i < scan->nkeys; i++)
		keys = bms_add_member(keys, scan->keys[i].attnum - FirstLowInvalidHeapAttributeNumber);
	foreach(cell, scan->day_quals)
	{
		if (kis_mentions(lfirst(cell), plan->scan.scanrelid, keys))
			*of_pairs = lappend(*of_pairs, lfirst(cell));
		else
			*of_days = lappend(*of_days, lfirst(cell));
	}
}

/* Evaluates nothing: plain EXPLAIN and EvalPlanQual come here too. */
void
kisBeginForeignScan(ForeignScanState *node, int eflags)
{
	EState	   *estate = node->ss.ps.state;
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	KisScan    *scan;
	List	   *of_days;
	List	   *of_pairs;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(KisScan));
	scan->plan = kis_scan_plan(plan, node->ss.ss_currentRelation);
	scan->userid = kis_scan_userid(plan, estate);
	scan->counters = MemoryContextAllocZero(statement_memory(estate), sizeof(KisCounters));
	scan->context = CurrentMemoryContext;
	scan->econtext = CreateExprContext(estate);
	scan->quals = ExecInitQual(scan->plan->quals, &node->ss.ps);
	split_day_quals(plan, scan->plan, &of_days, &of_pairs);
	scan->day_quals = ExecInitQual(of_days, &node->ss.ps);
	scan->pair_day_quals = ExecInitQual(of_pairs, &node->ss.ps);
	scan->investor_quals = ExecInitQual(scan->plan->investor_quals, &node->ss.ps);
	scan->pair_slot = ExecInitExtraTupleSlot(estate,
											 RelationGetDescr(node->ss.ss_currentRelation),
											 &TTSOpsVirtual);
	scan->econtext->ecxt_scantuple = scan->pair_slot;
	node->fdw_state = scan;
}

/* The columns that conditions ask for, as pull_varattnos counts. */
static Bitmapset *
mentioned_columns(const ForeignScan *plan, const KisScanPlan *scan)
{
	Bitmapset  *mentioned = NULL;

	pull_varattnos((Node *) scan->quals, plan->scan.scanrelid, &mentioned);
	pull_varattnos((Node *) scan->day_quals, plan->scan.scanrelid, &mentioned);
	pull_varattnos((Node *) scan->investor_quals, plan->scan.scanrelid, &mentioned);
	return mentioned;
}

static void
create_days(KisScan *scan, int npairs)
{
	const KisScanPlan *plan = scan->plan;

	if (plan->table->call->paging == KIS_PAGING_NONE)
		return;
	scan->days = kis_days_create(plan->table->call, plan->ndays, plan->days);
	if (scan->pair_day_quals == NULL)
		return;
	scan->pair_days = palloc(Max(1, npairs) * sizeof(KisDays *));
	for (int i = 0; i < npairs; i++)
		scan->pair_days[i] = kis_days_create_like(scan->days);
}

/* What needs the server's options, before the first row. */
static void
start_scan(ForeignScanState *node, KisScan *scan)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	KisPairCode *pairs;
	int			npairs;

	scan->query = kis_query_of_estate(node->ss.ps.state);
	scan->connection = kis_query_connection(scan->query, plan->fs_server,
											scan->userid);
	pairs = kis_table_pairs(scan->plan->table, &scan->plan->options,
							scan->connection->options, &npairs);
	scan->mentioned = mentioned_columns(plan, scan->plan);
	scan->values = kis_pair_values(relation, scan->plan->nkeys, scan->plan->keys, npairs, pairs);
	scan->investors = kis_investor_values(relation, scan->plan->ninvestor_keys,
										  scan->plan->investor_keys);
	scan->split = kis_table_split(scan->plan->table);
	scan->parts = palloc(scan->split * sizeof(int));
	scan->pairs = palloc(Max(1, npairs) * sizeof(KisPairScan));
	create_days(scan, npairs);
	scan->named = kis_code_warnings_create(node, scan->plan, scan->values, scan->investors);
	scan->limit = kis_limit_create(node, false);
	scan->partial_read = kis_is_partial_read(node);
	scan->converter = kis_converter_create(relation, scan->plan, scan->values, scan->investors,
										   scan->query, scan->counters);
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/*
 * The days of a pair that satisfy the conditions; its codes stand in pair_slot.
 * Those on days alone are evaluated for the first pair.
 */
static KisDays *
choose_days(KisScan *scan, int pair, bool first)
{
	if (first)
		kis_days_choose(scan->days, NULL, scan->day_quals, scan->econtext, scan->pair_slot);
	if (scan->pair_days == NULL)
		return scan->days;
	kis_days_choose(scan->pair_days[pair], scan->days, scan->pair_day_quals,
					scan->econtext, scan->pair_slot);
	return scan->pair_days[pair];
}

/* The investors that satisfy the conditions with the parameters as they are. */
static void
choose_investors(KisScan *scan)
{
	scan->nparts = 0;
	for (int i = 0; i < scan->split; i++)
	{
		CHECK_FOR_INTERRUPTS();
		kis_key_store(scan->investors, i, scan->mentioned, scan->pair_slot);
		if (ExecQualAndReset(scan->investor_quals, scan->econtext))
			scan->parts[scan->nparts++] = i;
	}
}

/* The pairs that do so. */
static void
choose_pairs(KisScan *scan)
{
	KisDays    *days = NULL;
	DateADT		first_day = KIS_NO_DAY;
	int			pages = 1;

	choose_investors(scan);
	scan->npairs = 0;
	for (int i = 0; scan->nparts > 0 && i < scan->values->n; i++)
	{
		KisPairScan *pair = &scan->pairs[scan->npairs];

		CHECK_FOR_INTERRUPTS();
		kis_key_store(scan->values, i, scan->mentioned, scan->pair_slot);
		if (!ExecQualAndReset(scan->quals, scan->econtext))
			continue;
		if (scan->days != NULL && (scan->pair_days != NULL || days == NULL))
		{
			days = choose_days(scan, i, days == NULL);
			first_day = kis_days_next(days, KIS_NO_DAY);
			pages = kis_days_pages(days, first_day);
		}
		if (pages == 0)
			continue;
		*pair = (KisPairScan)
		{
			.pair = i,.days = days,.first_day = first_day,.pages = pages
		};
		kis_pair_rewind(pair);
		scan->npairs++;
	}
	if (scan->named != NULL)
		kis_code_warnings_check(scan->named, scan->econtext, scan->query, scan->connection,
								scan->npairs > 0);
	scan->chosen = true;
}

/* First pages that so many rows by the day are sure to take: each pair has one row of a day at most. */
static int64
count_first_pages(const KisScan *scan, int64 rows)
{
	DateADT		newest = kis_next_pair(scan)->day;
	int64		ncalls = 0;

	for (int i = 0; i < scan->npairs && rows > 0; i++)
	{
		const KisPairScan *pair = &scan->pairs[i];

		CHECK_FOR_INTERRUPTS();
		if (pair->first_day != newest)
			continue;
		ncalls += !kis_pair_is_begun(scan, pair);
		rows--;
	}
	return ncalls;
}

/* The fewest calls of the usual size that bring what a LIMIT lets through; nobody knows where the rows are. */
static int64
count_limited_calls(const KisScan *scan, int64 all, int64 here)
{
	int			page = scan->plan->table->call->usual_rows;
	int64		pages = scan->max_rows / page + (scan->max_rows % page != 0);
	int64		ncalls = Min(all, Max(0, pages - here));

	if (scan->plan->by_day && scan->npairs > 0)
		ncalls = Max(ncalls, count_first_pages(scan, scan->max_rows));
	return ncalls;
}

/*
 * The calls that the scan will take, without those that are made already, as
 * far as that is known: of a scan that may end before its last row, one a pair.
 */
static int64
count_calls(const KisScan *scan)
{
	bool		limited = scan->max_rows < PG_INT64_MAX;
	int64		ncalls = 0;
	int64		here = 0;

	for (int i = 0; i < scan->npairs && (scan->days != NULL || i < scan->max_rows); i++)
	{
		const KisPairScan *pair = &scan->pairs[i];
		int			calls = kis_pair_calls(scan, pair);

		CHECK_FOR_INTERRUPTS();
		here += pair->pages - calls;
		ncalls += !limited && scan->partial_read ? !kis_pair_is_begun(scan, pair) : calls;
	}
	return scan->days != NULL && limited ? count_limited_calls(scan, ncalls, here) : ncalls;
}

/* May the history end before all pages have been read that are expected? */
static bool
reaches_back(const KisScan *scan)
{
	for (int i = 0; i < scan->npairs; i++)
		if (scan->pairs[i].days != NULL && kis_days_reach_back(scan->pairs[i].days))
			return scan->max_rows == PG_INT64_MAX && !scan->partial_read;
	return false;
}

/* Has max_calls refuse the statement before any call is made. */
static void
announce_calls(KisScan *scan)
{
	int64		most = 0;

	scan->max_rows = kis_limit_rows(scan->limit, scan->econtext, scan->split);
	ResetExprContext(scan->econtext);
	for (int i = 0; i < scan->npairs; i++)
		most += scan->pairs[i].pages;
	scan->announced = true;
	/* what is here already need only be looked for where it matters */
	if (kis_query_allows(scan->query, scan->connection, most))
		return;
	if (reaches_back(scan))
		kis_query_expect_at_most(scan->query, scan->connection, scan->plan->table->call,
								 (int) count_calls(scan));
	else
		kis_query_expect(scan->query, scan->connection, scan->plan->table->call,
						 (int) count_calls(scan));
}

/* The calendar comes along with the first rows, where they will need it. */
static void
ask_calendar(KisScan *scan)
{
	for (int i = 0; i < scan->plan->ncolumns; i++)
		if (scan->plan->columns[i].column.source == KIS_SOURCE_TRADE_DATE && scan->npairs > 0)
		{
			kis_trade_date_prepare(scan->query, scan->connection, scan->counters);
			return;
		}
}

/* Makes the pair's row one of the table's. */
static void
take_row(KisScan *scan, KisPairScan *pair, KisTableRow *row)
{
	row->request = pair->page;
	row->pair = pair->pair;
	row->row = pair->next_row;
	row->investor = scan->parts[scan->next_part];
	if (++scan->next_part < scan->nparts)
		return;
	scan->next_part = 0;
	scan->ntaken++;
	pair->has_current_row = false;
	pair->next_row++;
	scan->last = pair;
}

/* The next row; false after the last. */
static bool
next_row(KisScan *scan, KisTableRow *row)
{
	KisPairScan *pair;

	/*
	 * not sooner: what stands behind the last row that is wanted doesn't
	 * matter
	 */
	if (scan->last != NULL)
		kis_pair_seek(scan, scan->last);
	scan->last = NULL;

	while ((pair = kis_next_pair(scan)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (pair->has_current_row)
		{
			take_row(scan, pair, row);
			return true;
		}
		kis_prefetch(scan, pair);
		kis_request_wait_or_raise(pair->page);
		kis_pair_seek(scan, pair);
		scan->nempty += pair->is_through;
	}
	return false;
}

/* A tuple with the system columns of a row that no transaction has written. */
static void
store_as_tuple(TupleTableSlot *slot, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_form_tuple(slot->tts_tupleDescriptor, values, nulls);

	HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
	HeapTupleHeaderSetXmin(tuple->t_data, InvalidTransactionId);
	HeapTupleHeaderSetCmin(tuple->t_data, InvalidTransactionId);
	ExecStoreHeapTuple(tuple, slot, false);
}

TupleTableSlot *
kisIterateForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	int			natts = slot->tts_tupleDescriptor->natts;
	KisTableRow row;

	if (!scan->started)
		start_scan(node, scan);
	if (!scan->chosen)
		choose_pairs(scan);
	if (!scan->announced)
	{
		announce_calls(scan);
		if (scan->max_rows > 0)
			ask_calendar(scan);
	}

	ExecClearTuple(slot);
	if (!next_row(scan, &row))
		return slot;

	if (((ForeignScan *) node->ss.ps.plan)->fsSystemCol)
	{
		Datum	   *values = palloc0(natts * sizeof(Datum));
		bool	   *nulls = palloc(natts * sizeof(bool));

		memset(nulls, true, natts * sizeof(bool));
		kis_convert_row(scan->converter, &row, values, nulls);
		store_as_tuple(slot, values, nulls);
		return slot;
	}
	memset(slot->tts_isnull, true, natts * sizeof(bool));
	kis_convert_row(scan->converter, &row, slot->tts_values, slot->tts_isnull);
	return ExecStoreVirtualTuple(slot);
}

/* The rows again, of other pairs only where a parameter has changed. */
void
kisReScanForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;

	if (node->ss.ps.chgParam != NULL)
		scan->chosen = false;
	scan->announced = false;
	scan->last = NULL;
	scan->next_part = 0;
	scan->ntaken = 0;
	scan->nempty = 0;
	for (int i = 0; i < scan->npairs; i++)
		kis_pair_rewind(&scan->pairs[i]);
}

/*
 * All else that it has belongs to the executor's or the statement's memory. Not
 * called after an error: then the transaction's end closes the file.
 */
void
kisEndForeignScan(ForeignScanState *node)
{
	KisScan    *scan = node->fdw_state;

	if (scan != NULL && scan->started && node->ss.ps.state->es_epq_active == NULL)
		kis_query_end_scans(scan->query);
}

/* What the scan has cost so far. */
const KisCounters *
kis_scan_counters(const ForeignScanState *node)
{
	const KisScan *scan = node->fdw_state;

	return scan->counters;
}
