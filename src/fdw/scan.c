/*
 * scan.c
 *		The executor's part: which pairs a scan asks for, when, and its rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "fdw.h"

/* A scan under way. */
typedef struct KisScan
{
	KisScanPlan *plan;
	Oid			userid;
	KisCounters *counters;		/* live as long as the statement */
	MemoryContext context;		/* what lives as long as the scan */
	ExprContext *econtext;		/* for conditions on the keys */
	ExprState  *quals;
	ExprState  *day_quals;
	TupleTableSlot *pair_slot;	/* what they are evaluated on */

	/* from the first row on */
	bool		started;
	KisStatement *statement;
	KisConnection *connection;
	KisKeyValues *values;		/* of the pairs */
	int			split;			/* rows of the table that a row of a reply is */
	KisNamed   *named;			/* NULL: the query names no codes */
	KisLimit   *limit;			/* NULL: none */
	KisConverter *converter;
	KisDays    *days;			/* NULL: of a pair there is one row */
	bool		days_vary;		/* from pair to pair */

	/* the pairs to ask for, by position in values, and how far it is */
	bool		chosen;			/* since the parameters changed */
	bool		announced;		/* the calls, since the last rescan */
	int			npairs;
	int		   *pairs;
	DateADT    *first_days;		/* of their first pages */
	int		   *pages;			/* calls that they take at least */
	KisInquiry **inquiries;		/* the page where the pair is */
	int			nasked;			/* so many of the inquiries are set */
	int			next;			/* the pair whose rows come next */
	int			next_row;		/* of its reply */
	int			next_part;		/* of that row's rows of the table */
	DateADT		beyond;			/* the day up to which rows have come; KIS_NO_DAY: none has */
	DateADT		page_beyond;	/* the same when the page began */
	int			nempty;			/* pairs that brought no row */
	int64		max_rows;		/* so many rows of replies are wanted at most */
} KisScan;

/* The memory of the statement: an EvalPlanQual run ends earlier. */
static MemoryContext
statement_memory(EState *estate)
{
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;
	return estate->es_query_cxt;
}

/* Evaluates nothing: plain EXPLAIN and EvalPlanQual come here too. */
void
kisBeginForeignScan(ForeignScanState *node, int eflags)
{
	EState	   *estate = node->ss.ps.state;
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	KisScan    *scan;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(KisScan));
	scan->plan = kis_scan_plan(plan);
	scan->userid = kis_scan_userid(plan, estate);
	scan->counters = MemoryContextAllocZero(statement_memory(estate), sizeof(KisCounters));
	scan->context = CurrentMemoryContext;
	scan->econtext = CreateExprContext(estate);
	scan->quals = ExecInitQual(scan->plan->quals, &node->ss.ps);
	scan->day_quals = ExecInitQual(scan->plan->day_quals, &node->ss.ps);
	scan->beyond = KIS_NO_DAY;
	scan->page_beyond = KIS_NO_DAY;
	scan->pair_slot = ExecInitExtraTupleSlot(estate,
											 RelationGetDescr(node->ss.ss_currentRelation),
											 &TTSOpsVirtual);
	scan->econtext->ecxt_scantuple = scan->pair_slot;
	node->fdw_state = scan;
}

/* Does a condition on the days ask for the pair's codes as well? */
static bool
mentions_pair(const ForeignScan *plan, const KisScanPlan *scan)
{
	Bitmapset  *keys = NULL;

	for (int i = 0; i < scan->nkeys; i++)
		keys = bms_add_member(keys, scan->keys[i].attnum - FirstLowInvalidHeapAttributeNumber);
	return kis_mentions((Node *) scan->day_quals, plan->scan.scanrelid, keys);
}

/* What needs the server's options, before the first row. */
static void
start_scan(ForeignScanState *node, KisScan *scan)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Relation	relation = node->ss.ss_currentRelation;
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	KisKeyValues *investors;
	KisPairCode *pairs;
	int			npairs;

	scan->statement = kis_statement_of_estate(node->ss.ps.state);
	scan->connection = kis_statement_connection(scan->statement, plan->fs_server,
												scan->userid);
	pairs = kis_table_pairs(scan->plan->table, &scan->plan->options,
							scan->connection->options, &npairs);
	scan->values = kis_pair_values(relation, scan->plan->nkeys, scan->plan->keys, npairs, pairs);
	investors = kis_investor_values(relation, scan->plan->ninvestor_keys,
									scan->plan->investor_keys);
	scan->split = kis_table_split(scan->plan->table);
	scan->pairs = palloc(Max(1, npairs) * sizeof(int));
	scan->first_days = palloc(Max(1, npairs) * sizeof(DateADT));
	scan->pages = palloc(Max(1, npairs) * sizeof(int));
	scan->inquiries = palloc(Max(1, npairs) * sizeof(KisInquiry *));
	if (scan->plan->table->call->paging != KIS_PAGING_NONE)
		scan->days = kis_days_create(scan->plan->table->call, scan->plan->ndays, scan->plan->days);
	scan->days_vary = mentions_pair(plan, scan->plan);
	scan->named = kis_named_create(node, scan->plan, scan->values, investors);
	scan->limit = kis_limit_create(node, false);
	scan->converter = kis_converter_create(relation, scan->plan, scan->values, investors,
										   scan->statement, scan->counters);
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/* The days of a pair that satisfy the conditions; its codes stand in pair_slot. */
static void
choose_days(KisScan *scan)
{
	kis_days_choose(scan->days, scan->day_quals, scan->econtext, scan->pair_slot);
}

/* The same for the pair at this position, where another pair had others. */
static void
choose_days_of_pair(KisScan *scan, int position)
{
	if (!scan->days_vary || position >= scan->npairs)
		return;
	kis_key_store(scan->values, scan->pairs[position], scan->pair_slot);
	choose_days(scan);
}

/* The pairs that satisfy the conditions with the parameters as they are. */
static void
choose_pairs(KisScan *scan)
{
	bool		days_chosen = false;

	scan->npairs = 0;
	for (int pair = 0; pair < scan->values->n; pair++)
	{
		int			i = scan->npairs;

		kis_key_store(scan->values, pair, scan->pair_slot);
		if (!ExecQualAndReset(scan->quals, scan->econtext))
			continue;
		scan->pairs[i] = pair;
		scan->pages[i] = 1;
		if (scan->days != NULL)
		{
			if (scan->days_vary || !days_chosen)
				choose_days(scan);
			days_chosen = true;
			scan->first_days[i] = kis_days_next(scan->days, KIS_NO_DAY);
			if (scan->first_days[i] == KIS_NO_DAY)
				continue;
			if (!kis_days_reach_back(scan->days))
				scan->pages[i] = kis_days_pages(scan->days);
		}
		scan->npairs++;
	}
	choose_days_of_pair(scan, 0);
	if (scan->named != NULL)
		kis_named_check(scan->named, scan->econtext, scan->statement, scan->connection,
						scan->npairs > 0);
	scan->chosen = true;
}

/* The arguments of the call that brings the pair's row, or the page with this day. */
static KisCallArgs
args_of_pair(const KisScan *scan, int position, DateADT day)
{
	const KisPairCode *pair = &scan->values->pairs[scan->pairs[position]];
	KisCallArgs args = {0};

	strlcpy(args.market, pair->market, sizeof(args.market));
	strlcpy(args.sector, pair->sector, sizeof(args.sector));
	if (scan->days != NULL)
		kis_page_args(scan->statement, scan->connection, scan->plan->table->call, day, &args);
	return args;
}

/* The calls that the scan will take, but for pages that nobody can know of yet. */
static int
count_calls(const KisScan *scan)
{
	int			ncalls = 0;

	for (int i = 0; i < scan->npairs && ncalls < scan->max_rows; i++)
	{
		KisCallArgs args = args_of_pair(scan, i, scan->first_days[i]);

		ncalls += scan->pages[i];
		if (kis_has_inquired(scan->statement, scan->connection,
							 scan->plan->table->call, &args))
			ncalls--;
	}
	/* so few may bring what a LIMIT lets through; each further one is looked at when it is asked for */
	if (scan->days != NULL && scan->max_rows < PG_INT64_MAX)
		ncalls = (int) Min(ncalls, scan->max_rows / scan->plan->table->call->max_rows + 1);
	return ncalls;
}

/* Has max_calls refuse the statement before any call is made. */
static void
announce_calls(KisScan *scan)
{
	int64		most = 0;

	scan->max_rows = kis_limit_rows(scan->limit, scan->econtext, scan->split);
	ResetExprContext(scan->econtext);
	for (int i = 0; i < scan->npairs; i++)
		most += scan->pages[i];
	/* what is here already need only be looked for where it matters */
	if (!kis_statement_allows(scan->statement, scan->connection, most))
		kis_statement_expect(scan->statement, scan->connection, scan->plan->table->call,
							 count_calls(scan));
	scan->announced = true;
}

/* Asks for the next pair and for some that come after it, but for none that a LIMIT cuts off. */
static void
ask_ahead(KisScan *scan)
{
	int64		end = Min(scan->npairs,
						  scan->next + scan->connection->options->max_concurrent_requests);

	/* of days, one page may bring all that are wanted */
	if (scan->days != NULL && scan->max_rows < PG_INT64_MAX)
		end = scan->next + 1;
	else if (scan->max_rows < end)
		end = Min(end, scan->max_rows + scan->nempty);
	/* a row is wanted now, even if the LIMIT's value has changed since the LIMIT looked at it */
	end = Max(end, scan->next + 1);
	while (scan->nasked < end)
	{
		KisCallArgs args = args_of_pair(scan, scan->nasked, scan->first_days[scan->nasked]);

		scan->inquiries[scan->nasked] = kis_inquire(scan->statement, scan->connection,
													scan->plan->table->call, &args,
													scan->counters);
		scan->nasked++;
	}
}

/* The calendar comes along with the first rows, where they will need it. */
static void
ask_calendar(KisScan *scan)
{
	for (int i = 0; i < scan->plan->ncolumns; i++)
		if (scan->plan->columns[i].column.source == KIS_SOURCE_TRADE_DATE && scan->npairs > 0)
		{
			kis_trade_date_prepare(scan->statement, scan->connection, scan->counters);
			return;
		}
}

static void
warn_of_empty(const KisScan *scan, const KisInquiry *inquiry)
{
	char	   *message = psprintf("KIS has no figures for %s/%s",
								   inquiry->args.market, inquiry->args.sector);

	if (kis_warn_once(scan->statement, message))
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA),
				 errmsg_internal("%s", message),
				 kis_pair_find(inquiry->args.market, inquiry->args.sector) != NULL ?
				 errdetail("All members of its reply are empty.") :
				 errdetail("All members of its reply are empty: KIS doesn't know this pair."),
				 kis_pair_find(inquiry->args.market, inquiry->args.sector) != NULL ?
				 0 :
				 errhint("Take it out of the option \"extra_pairs\" of server \"%s\".",
						 scan->connection->server_name)));
}

/* Is this row wanted, or is it of a day that was not asked for or has come already? */
static bool
is_wanted(KisScan *scan, const KisInquiry *inquiry, int row)
{
	if (scan->days != NULL)
		return kis_days_take(scan->days, inquiry, row, &scan->beyond);
	if (!kis_row_is_empty(inquiry->call, &inquiry->reply->rows[row]))
		return true;
	warn_of_empty(scan, inquiry);
	return false;
}

/* Asks for the pair's next page where there is one; a page without new days was the last. */
static bool
turn_page(KisScan *scan, const KisInquiry *inquiry)
{
	DateADT		day;
	KisCallArgs args;

	if (scan->days == NULL || scan->beyond == scan->page_beyond)
		return false;
	day = kis_days_next(scan->days, scan->beyond);
	if (day == KIS_NO_DAY)
		return false;
	args = args_of_pair(scan, scan->next, day);
	scan->inquiries[scan->next] = kis_inquire(scan->statement, scan->connection,
											  inquiry->call, &args, scan->counters);
	scan->next_row = 0;
	scan->page_beyond = scan->beyond;
	return true;
}

static void
next_pair(KisScan *scan)
{
	scan->next++;
	scan->next_row = 0;
	scan->beyond = KIS_NO_DAY;
	scan->page_beyond = KIS_NO_DAY;
	choose_days_of_pair(scan, scan->next);
}

/* Goes on to the row's next part, the next row or the next pair. */
static void
pass_row(KisScan *scan, const KisReply *reply)
{
	if (++scan->next_part < scan->split)
		return;
	scan->next_part = 0;
	scan->next_row++;
	/* a pair without days is through with its one row */
	if (scan->days == NULL && scan->next_row == reply->nrows)
		next_pair(scan);
}

/* The next row; false after the last. */
static bool
next_row(KisScan *scan, KisTableRow *row)
{
	while (scan->next < scan->npairs)
	{
		KisInquiry *inquiry;

		CHECK_FOR_INTERRUPTS();
		ask_ahead(scan);
		inquiry = scan->inquiries[scan->next];
		kis_inquiry_wait_or_raise(inquiry);

		while (scan->next_row < inquiry->reply->nrows)
		{
			row->inquiry = inquiry;
			row->pair = scan->pairs[scan->next];
			row->row = scan->next_row;
			row->investor = scan->next_part;
			if (scan->next_part == 0 && !is_wanted(scan, inquiry, row->row))
			{
				scan->next_row++;
				continue;
			}
			pass_row(scan, inquiry->reply);
			return true;
		}
		if (turn_page(scan, inquiry))
			continue;
		next_pair(scan);
		scan->nempty++;
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
	scan->nasked = 0;
	scan->next = 0;
	scan->next_row = 0;
	scan->next_part = 0;
	scan->beyond = KIS_NO_DAY;
	scan->page_beyond = KIS_NO_DAY;
	scan->nempty = 0;
	if (scan->chosen)
		choose_days_of_pair(scan, 0);
}

/* All that it has belongs to the executor's or the statement's memory. */
void
kisEndForeignScan(ForeignScanState *node)
{
}

const KisCounters *
kis_scan_counters(const ForeignScanState *node)
{
	const KisScan *scan = node->fdw_state;

	return scan->counters;
}
