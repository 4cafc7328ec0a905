/*
 * collect.c
 *		collect_market_investor_trend: asks KIS for all targets, then writes
 *		what came to the store.
 *
 * The tables are looked at before anything is asked, so that nothing is asked
 * in vain, but no lock is held while waiting for KIS: they are looked up anew
 * for writing.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "common/option.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/calendar.h"
#include "request/connection.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "request/state.h"
#include "store/figures.h"
#include "store/open.h"
#include "store/snapshot.h"
#include "store/table.h"
#include "store/target.h"
#include "store/write.h"

PG_FUNCTION_INFO_V1(collect_market_investor_trend);

#define FUNCTION_NAME "collect_market_investor_trend()"

/* One call of the function. */
typedef struct Collection
{
	Oid			function;
	const char *store_text;		/* as the caller wrote it */
	RangeVar   *store_name;
	KisStoreTable *store;
	KisStoreTable *snapshots;	/* NULL: the store has none */
	KisConnection *connection;
	KisQuery   *query;
	KisCounters counters;
	KisTarget  *targets;
	int			ntargets;
} Collection;

static const char *const outcome_names[] = {
	[KIS_OUTCOME_INSERTED] = "inserted",
	[KIS_OUTCOME_UPDATED] = "updated",
	[KIS_OUTCOME_UNCHANGED] = "unchanged",
	[KIS_OUTCOME_SKIPPED] = "skipped",
	[KIS_OUTCOME_FAILED] = "failed",
};

static void
fail(KisTarget *target, const char *detail)
{
	target->outcome = KIS_OUTCOME_FAILED;
	target->detail = detail;
}

/* Finds the store and its snapshots as they are now. */
static void
find_tables(Collection *collection, LOCKMODE lockmode, bool keep_lock)
{
	collection->store = kis_store_open(collection->store_name, collection->store_text,
									   lockmode, keep_lock, collection->function);
	collection->snapshots = kis_snapshots_open(collection->store, lockmode, keep_lock);
}

/* Takes the figures of a reply; fails the target where one is no bigint. */
static bool
take_figures(Collection *collection, KisTarget *target, const KisRow *row)
{
	bool	   *wanted = palloc0(kis_member_count * sizeof(bool));
	const char *complaint;

	kis_figures_want(collection->store, wanted);
	if (collection->snapshots)
		kis_figures_want(collection->snapshots, wanted);
	target->figures = palloc(kis_member_count * sizeof(int64));
	target->nulls = palloc(kis_member_count * sizeof(bool));
	complaint = kis_figures_take(&kis_call_trend, row, wanted, collection->query,
								 target->figures, target->nulls, NULL);
	if (complaint != NULL)
		fail(target, complaint);
	return complaint == NULL;
}

/* Waits for a target's answer and takes what the tables need of it. */
static void
take_answer(Collection *collection, KisTarget *target)
{
	KisError	failure = {0};
	const KisRequest *request = target->request;
	const KisRow *row;

	if (!kis_request_wait(target->request))
	{
		fail(target, kis_error_summary(&request->error, request->connection->server_name));
		return;
	}
	if (request->reply->nrows < 1)
	{
		fail(target, "KIS sent no row");
		return;
	}
	row = &request->reply->rows[0];
	if (kis_row_is_empty(&kis_call_trend, row))
	{
		fail(target, "KIS sent no values: it does not know the pair");
		return;
	}
	if (!take_figures(collection, target, row))
		return;

	if (kis_clock_error(request) != 0)
	{
		target->hint = kis_clock_hint;
		fail(target, psprintf("the trading day is unknown: %s", kis_clock_complaint(request)));
		return;
	}
	target->collected_at = request->arrived_at;
	target->has_figures = kis_row_has_figures(&kis_call_trend, row);
	target->has_trade_date = kis_trade_date(collection->query, collection->connection,
											target->collected_at, target->has_figures,
											&collection->counters, &target->trade_date, &failure);
	if (!target->has_trade_date)
	{
		fail(target, psprintf("the trading day is unknown: %s",
							  kis_calendar_summary(&failure, collection->connection->server_name)));
		target->hint = kis_calendar_hint(&failure);
		return;
	}
	target->hours = kis_hours(collection->query, collection->connection,
							  target->collected_at, &collection->counters);
}

static KisCallArgs
args_of(const KisPairCode *pair)
{
	KisCallArgs args;

	memset(&args, 0, sizeof(args));
	strlcpy(args.market, pair->market, sizeof(args.market));
	strlcpy(args.sector, pair->sector, sizeof(args.sector));
	return args;
}

/* Asks for all targets, or for none where they are too many; then waits for each. */
static void
fetch(Collection *collection)
{
	int			ncalls = 0;

	for (int i = 0; i < collection->ntargets; i++)
	{
		KisCallArgs args = args_of(&collection->targets[i].pair);

		if (!kis_query_has_answer(collection->query, collection->connection,
								  &kis_call_trend, &args))
			ncalls++;
	}
	kis_query_expect(collection->query, collection->connection, &kis_call_trend, ncalls);

	for (int i = 0; i < collection->ntargets; i++)
	{
		KisTarget  *target = &collection->targets[i];
		KisCallArgs args = args_of(&target->pair);

		target->outcome = KIS_OUTCOME_SKIPPED;
		target->request = kis_query_request(collection->query, collection->connection,
											&kis_call_trend, &args, &collection->counters);
	}
	for (int i = 0; i < collection->ntargets; i++)
		take_answer(collection, &collection->targets[i]);
}

/* Raises the reasons where not one target has an answer, so that a scheduler sees it. */
static void
raise_if_all_failed(const Collection *collection)
{
	StringInfoData reasons;
	const KisTarget *first = &collection->targets[0];
	bool		refused = first->request->reply == NULL;
	const char *hint = refused ? kis_error_hint(&first->request->error) : first->hint;

	initStringInfo(&reasons);
	for (int i = 0; i < collection->ntargets; i++)
	{
		const KisTarget *target = &collection->targets[i];

		if (target->outcome != KIS_OUTCOME_FAILED)
			return;
		appendStringInfo(&reasons, "%s%s/%s: %s", i > 0 ? "\n" : "",
						 target->pair.market, target->pair.sector, target->detail);
	}
	ereport(ERROR,
			(errcode(refused ? kis_error_sqlstate(&first->request->error) : ERRCODE_FDW_ERROR),
			 errmsg("could not collect any target"),
			 errdetail_internal("%s", reasons.data),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * Writes the answers in the order of keys, so that collectors who run at once
 * never wait for each other in a circle; partitions before the first row, for
 * the same reason.
 */
static void
write_answers(Collection *collection)
{
	MemoryContext context = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	for (int i = 0; collection->snapshots && i < collection->ntargets; i++)
		if (collection->targets[i].outcome != KIS_OUTCOME_FAILED)
			kis_snapshot_make_partition(collection->snapshots->relid, collection->store_text,
										collection->targets[i].collected_at,
										collection->function);
	if (collection->snapshots)
		kis_snapshot_make_next(collection->snapshots->relid, collection->store_text,
							   GetCurrentTimestamp(), collection->function);
	for (int i = 0; i < collection->ntargets; i++)
	{
		KisTarget  *target = &collection->targets[i];

		if (target->outcome == KIS_OUTCOME_FAILED)
			continue;
		kis_store_write(collection->store, collection->snapshots, target, context);
		if (collection->snapshots && target->worth_snapshot)
			kis_snapshot_append(collection->snapshots, target);
	}
	SPI_finish();
}

static void
return_outcomes(const Collection *collection, ReturnSetInfo *result)
{
	for (int i = 0; i < collection->ntargets; i++)
	{
		const KisTarget *target = &collection->targets[i];
		Datum		values[5];
		bool		nulls[5] = {false};

		values[0] = CStringGetTextDatum(target->pair.market);
		values[1] = CStringGetTextDatum(target->pair.sector);
		values[2] = DateADTGetDatum(target->trade_date);
		nulls[2] = !target->has_trade_date;
		values[3] = CStringGetTextDatum(outcome_names[target->outcome]);
		nulls[4] = target->detail == NULL;
		values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(target->detail);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Checks all that can be checked without asking KIS. */
static void
prepare(Collection *collection, FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"targets", "source", "store"};
	Oid			serverid;

	kis_store_begin(fcinfo, names, lengthof(names), FUNCTION_NAME);
	collection->function = fcinfo->flinfo->fn_oid;
	serverid = kis_store_server(NameStr(*PG_GETARG_NAME(1)), collection->function);
	collection->store_text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	collection->store_name = kis_store_name(PG_GETARG_TEXT_PP(2));
	collection->connection = kis_query_connection(collection->query, serverid, GetUserId());
	collection->targets = kis_targets(PG_GETARG_ARRAYTYPE_P(0), collection->connection->options,
									  &collection->ntargets);
	find_tables(collection, AccessShareLock, false);
	if (collection->snapshots)
		kis_snapshot_check(collection->snapshots->relid, collection->store_text,
						   GetCurrentTimestamp(), collection->function);
}

/*
 * collect_market_investor_trend(targets text[], source name, store text):
 * asks KIS for the targets and writes the answers to the store and its
 * snapshots. Returns a row a target in the order of keys. Raises 22023 for a
 * target that is none, 42P01 and 42P16 for a store that is none, and, where
 * every target failed, the first one's SQLSTATE.
 */
Datum
collect_market_investor_trend(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	Collection *collection;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(caller, "market investor collection", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	collection = palloc0(sizeof(Collection));

	collection->query = kis_query_create(context);
	prepare(collection, fcinfo);
	if (collection->ntargets > 0)
	{
		fetch(collection);
		raise_if_all_failed(collection);
		find_tables(collection, RowExclusiveLock, true);
		write_answers(collection);
		return_outcomes(collection, (ReturnSetInfo *) fcinfo->resultinfo);
	}

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}
