/*
 * scan.c
 *		The executor's part: which pairs a scan asks for, when, and its rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
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
	TupleTableSlot *pair_slot;	/* what they are evaluated on */

	/* from the first row on */
	bool		started;
	KisStatement *statement;
	KisConnection *connection;
	KisPairValues *values;
	KisNamed   *named;			/* NULL: the query names no codes */
	KisLimit   *limit;			/* NULL: none */
	KisConverter *converter;

	/* the pairs to ask for, by position in values, and how far it is */
	bool		chosen;			/* since the parameters changed */
	bool		announced;		/* the calls, since the last rescan */
	int			npairs;
	int		   *pairs;
	KisInquiry **inquiries;
	int			nasked;			/* so many of the inquiries are set */
	int			next;			/* the pair whose rows come next */
	int			next_row;		/* of its reply */
	int			nempty;			/* pairs that brought no row */
	int64		max_rows;		/* so many are wanted at most */
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
	scan->pair_slot = ExecInitExtraTupleSlot(estate,
											 RelationGetDescr(node->ss.ss_currentRelation),
											 &TTSOpsVirtual);
	scan->econtext->ecxt_scantuple = scan->pair_slot;
	node->fdw_state = scan;
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

	scan->statement = kis_statement_of_estate(node->ss.ps.state);
	scan->connection = kis_statement_connection(scan->statement, plan->fs_server,
												scan->userid);
	pairs = kis_table_pairs(scan->plan->table, &scan->plan->options,
							scan->connection->options, &npairs);
	scan->values = kis_pair_values(relation, scan->plan->nkeys, scan->plan->keys, npairs, pairs);
	scan->pairs = palloc(Max(1, npairs) * sizeof(int));
	scan->inquiries = palloc(Max(1, npairs) * sizeof(KisInquiry *));
	scan->named = kis_named_create(node, scan->plan, scan->values);
	scan->limit = kis_limit_create(node, false);
	scan->converter = kis_converter_create(relation, scan->plan, scan->values, scan->statement);
	scan->started = true;
	MemoryContextSwitchTo(old);
}

/* The pairs that satisfy the conditions with the parameters as they are. */
static void
choose_pairs(KisScan *scan)
{
	scan->npairs = 0;
	for (int pair = 0; pair < scan->values->npairs; pair++)
	{
		kis_pair_store(scan->values, pair, scan->pair_slot);
		if (ExecQualAndReset(scan->quals, scan->econtext))
			scan->pairs[scan->npairs++] = pair;
	}
	if (scan->named != NULL)
		kis_named_check(scan->named, scan->econtext, scan->statement, scan->connection);
	scan->chosen = true;
}

static KisCallArgs
args_of_pair(const KisScan *scan, int position)
{
	const KisPairCode *pair = &scan->values->pairs[scan->pairs[position]];
	KisCallArgs args = {0};

	strlcpy(args.market, pair->market, sizeof(args.market));
	strlcpy(args.sector, pair->sector, sizeof(args.sector));
	return args;
}

/* Has max_calls refuse the statement before any call is made. */
static void
announce_calls(KisScan *scan)
{
	int			ncalls = 0;

	scan->max_rows = kis_limit_rows(scan->limit, scan->econtext);
	ResetExprContext(scan->econtext);
	for (int i = 0; i < scan->npairs && ncalls < scan->max_rows; i++)
	{
		KisCallArgs args = args_of_pair(scan, i);

		if (!kis_has_inquired(scan->statement, scan->connection,
							  scan->plan->table->call, &args))
			ncalls++;
	}
	kis_statement_expect(scan->statement, scan->connection, ncalls);
	scan->announced = true;
}

/* Asks for the next pair and for some that come after it, but for none that a LIMIT cuts off. */
static void
ask_ahead(KisScan *scan)
{
	int64		end = Min(scan->npairs,
						  scan->next + scan->connection->options->max_concurrent_requests);

	if (scan->max_rows < end)
		end = Min(end, scan->max_rows + scan->nempty);
	while (scan->nasked < end)
	{
		KisCallArgs args = args_of_pair(scan, scan->nasked);

		scan->inquiries[scan->nasked] = kis_inquire(scan->statement, scan->connection,
													scan->plan->table->call, &args,
													scan->counters);
		scan->nasked++;
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

/* The inquiry and the number of the next row of a reply that has figures; NULL after the last. */
static KisInquiry *
next_row(KisScan *scan, int *pair, int *row)
{
	while (scan->next < scan->npairs)
	{
		KisInquiry *inquiry;

		ask_ahead(scan);
		inquiry = scan->inquiries[scan->next];
		kis_inquiry_wait_or_raise(inquiry);

		while (scan->next_row < inquiry->reply->nrows)
		{
			*row = scan->next_row++;
			*pair = scan->pairs[scan->next];
			if (!kis_row_is_empty(inquiry->call, &inquiry->reply->rows[*row]))
			{
				if (scan->next_row == inquiry->reply->nrows)
				{
					scan->next++;
					scan->next_row = 0;
				}
				return inquiry;
			}
			warn_of_empty(scan, inquiry);
		}
		scan->next++;
		scan->next_row = 0;
		scan->nempty++;
	}
	return NULL;
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
	KisInquiry *inquiry;
	int			pair;
	int			row;

	if (!scan->started)
		start_scan(node, scan);
	if (!scan->chosen)
		choose_pairs(scan);
	if (!scan->announced)
		announce_calls(scan);

	ExecClearTuple(slot);
	inquiry = next_row(scan, &pair, &row);
	if (inquiry == NULL)
		return slot;

	if (((ForeignScan *) node->ss.ps.plan)->fsSystemCol)
	{
		Datum	   *values = palloc0(natts * sizeof(Datum));
		bool	   *nulls = palloc(natts * sizeof(bool));

		memset(nulls, true, natts * sizeof(bool));
		kis_convert_row(scan->converter, inquiry, pair, row, values, nulls);
		store_as_tuple(slot, values, nulls);
		return slot;
	}
	memset(slot->tts_isnull, true, natts * sizeof(bool));
	kis_convert_row(scan->converter, inquiry, pair, row, slot->tts_values, slot->tts_isnull);
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
	scan->nempty = 0;
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
