/*
 * collect.c
 *		collect_market_investor_trend and market_investor_trend_job: call KIS for
 *		all targets, then write the replies to the store.
 *
 * The tables are looked at before any call, so that no call is made in vain, but no lock is held while waiting for KIS: they are looked up anew
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
#include "common/messages.h"
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
#include "store/log.h"
#include "store/open.h"
#include "store/snapshot.h"
#include "store/table.h"
#include "store/target.h"
#include "store/write.h"

PG_FUNCTION_INFO_V1(collect_market_investor_trend);
PG_FUNCTION_INFO_V1(market_investor_trend_job);

/* No index is longer. */
#define MAX_LEVEL_LEN 30

/* One call of the function. */
typedef struct Collection
{
	Oid			function;
	MemoryContext context;		/* what it is allocated in */
	bool		atomic;			/* it is part of the caller's transaction */
	const char *store_text;		/* as the caller wrote it */
	RangeVar   *store_name;
	KisStoreTable *store;
	KisStoreTable *snapshots;	/* NULL: the store has none */
	KisStoreTable *log;			/* NULL: the same */
	const char *channel;		/* to notify of changes; NULL: none */
	bool		with_index;		/* the snapshots keep the index, too */
	TimestampTz asked_at;
	KisConnection *connection;
	KisQuery   *query;
	KisCounters counters;
	KisTarget  *targets;
	int			ntargets;
} Collection;

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
	collection->log = kis_collection_open(collection->store, lockmode, keep_lock);
}

/*
 * Digits, a point among them, and a sign, as numeric takes them; and not zero, which
 * is KIS's for an index that it doesn't know.
 */
static bool
is_level(const char *text)
{
	size_t		sign = strspn(text, "+-");
	size_t		whole = strspn(text + sign, "0123456789");
	const char *rest = text + sign + whole;

	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	return sign <= 1 && whole > 0 && *rest == '\0' && strlen(text) <= MAX_LEVEL_LEN &&
		strpbrk(text, "123456789") != NULL;
}

/*
 * Waits for the index of a target that has its figures. Without it the figures
 * are stored all the same, and the log says why.
 */
static void
take_index(KisTarget *target)
{
	const KisRequest *request = target->index_request;
	const char *level;

	if (request == NULL)
		return;
	if (!kis_request_wait(target->index_request))
	{
		target->index_detail = psprintf(_("without the index: %s"),
										kis_error_summary(&request->error, request->connection->server_name));
		return;
	}
	level = request->reply->nrows < 1 ? "" :
		request->reply->rows[0].values[kis_call_member_find(&kis_call_index, "level")].text;
	if (is_level(level))
		target->index_level = pstrdup(level);
	else
		target->index_detail = psprintf(_("without the index: KIS sent \"%s\""), kis_to_server_lossy(kis_shown(level)));
}

/* Waits for a target's answer and takes what the tables need of it. */
static void
take_answer(Collection *collection, KisTarget *target)
{
	KisError	failure = {0};
	const KisRequest *request = target->request;
	const KisRow *row;
	const char *complaint;

	if (!kis_request_wait(target->request))
	{
		fail(target, kis_error_summary(&request->error, request->connection->server_name));
		return;
	}
	target->took_ms = Max(request->arrived_at - collection->asked_at, 0) / 1000;
	if (request->reply->nrows < 1)
	{
		fail(target, _("KIS sent no row"));
		return;
	}
	row = &request->reply->rows[0];
	if (kis_row_is_empty(&kis_call_trend, row))
	{
		fail(target, _("KIS sent no values: it does not know the pair"));
		return;
	}
	complaint = kis_figures_take(&kis_call_trend, row, collection->store, collection->snapshots,
								 collection->query, target, NULL);
	if (complaint != NULL)
	{
		fail(target, complaint);
		return;
	}
	if (kis_clock_error(request) != 0)
	{
		target->hint = _(kis_clock_hint);
		fail(target, psprintf(_("the trading day is unknown: %s"), kis_clock_complaint(request)));
		return;
	}
	target->collected_at = request->arrived_at;
	target->has_figures = kis_row_has_figures(&kis_call_trend, row);
	target->has_trade_date = kis_trade_date(collection->query, collection->connection,
											target->collected_at, target->has_figures,
											&collection->counters, &target->trade_date, &failure);
	if (!target->has_trade_date)
	{
		fail(target, psprintf(_("the trading day is unknown: %s"),
							  kis_error_summary(&failure, collection->connection->server_name)));
		target->hint = kis_error_hint(&failure);
		return;
	}
	target->hours = kis_hours(collection->query, collection->connection,
							  target->collected_at, &collection->counters);
}

/* Is the index of the target's pair wanted, and is there one? */
static bool
wants_index(const Collection *collection, const KisTarget *target)
{
	return collection->with_index && kis_call_serves(&kis_call_index, target->pair.market);
}

static bool
is_new_call(const Collection *collection, const KisCall *call, const KisTarget *target)
{
	KisCallArgs args = kis_target_args(target);

	return !kis_query_has_answer(collection->query, collection->connection, call, &args);
}

static KisRequest *
request_call(Collection *collection, const KisCall *call, const KisTarget *target)
{
	KisCallArgs args = kis_target_args(target);

	return kis_query_request(collection->query, collection->connection, call, &args,
							 &collection->counters, true);
}

/*
 * Requests the index of the targets that want it, behind all that the figures
 * need: where calls are few, or slow, these go first.
 */
static void
request_indexes(Collection *collection)
{
	kis_trade_date_prepare(collection->query, collection->connection, &collection->counters);
	for (int i = 0; i < collection->ntargets; i++)
		if (wants_index(collection, &collection->targets[i]))
			collection->targets[i].index_request =
				request_call(collection, &kis_call_index, &collection->targets[i]);
}

/* Makes the calls of all targets, or of none where they are too many; then waits for each. */
static void
fetch(Collection *collection)
{
	int			ncalls = 0;

	for (int i = 0; i < collection->ntargets; i++)
	{
		const KisTarget *target = &collection->targets[i];

		ncalls += is_new_call(collection, &kis_call_trend, target);
		if (wants_index(collection, target))
			ncalls += is_new_call(collection, &kis_call_index, target);
	}
	kis_query_expect(collection->query, collection->connection, &kis_call_trend, ncalls);

	collection->asked_at = GetCurrentTimestamp();
	for (int i = 0; i < collection->ntargets; i++)
	{
		KisTarget  *target = &collection->targets[i];

		target->outcome = KIS_OUTCOME_SKIPPED;
		target->took_ms = -1;
		target->request = request_call(collection, &kis_call_trend, target);
	}
	if (collection->with_index)
		request_indexes(collection);
	for (int i = 0; i < collection->ntargets; i++)
		take_answer(collection, &collection->targets[i]);
	for (int i = 0; i < collection->ntargets; i++)
		if (collection->targets[i].outcome != KIS_OUTCOME_FAILED)
			take_index(&collection->targets[i]);
}

/* How many targets failed. */
static int
count_failed(const Collection *collection)
{
	int			nfailed = 0;

	for (int i = 0; i < collection->ntargets; i++)
		if (collection->targets[i].outcome == KIS_OUTCOME_FAILED)
			nfailed++;
	return nfailed;
}

/* Raises the reasons of targets that failed, with the first one's SQLSTATE, so that a scheduler sees it. */
static void
raise_failures(const Collection *collection)
{
	StringInfoData reasons;
	const KisTarget *first = NULL;
	int			nfailed = count_failed(collection);
	bool		refused;
	const char *hint;

	initStringInfo(&reasons);
	for (int i = 0; i < collection->ntargets; i++)
	{
		const KisTarget *target = &collection->targets[i];

		if (target->outcome != KIS_OUTCOME_FAILED)
			continue;
		if (first == NULL)
			first = target;
		appendStringInfo(&reasons, "%s%s/%s: %s", reasons.len > 0 ? "\n" : "",
						 target->pair.market, target->pair.sector, target->detail);
	}
	refused = first->request->reply == NULL;
	hint = refused ? kis_error_hint(&first->request->error) : first->hint;
	ereport(ERROR,
			(errcode(refused ? kis_error_sqlstate(&first->request->error) : ERRCODE_FDW_ERROR),
			 nfailed == collection->ntargets ? errmsg("could not collect any target") :
			 errmsg("could not collect %d of %d targets", nfailed, collection->ntargets),
			 errdetail_internal("%s", reasons.data),
			 hint ? errhint("%s", hint) : 0));
}

/* Makes the partitions of one of the store's tables, where it has that: of the moments, and ahead. */
static void
make_partitions(const Collection *collection, const KisStoreTable *table, TimestampTz moment)
{
	if (table == NULL)
		return;
	kis_snapshot_make_partition(table->relid, collection->store_text, moment, collection->function);
	for (int i = 0; i < collection->ntargets; i++)
		if (collection->targets[i].outcome != KIS_OUTCOME_FAILED)
			kis_snapshot_make_partition(table->relid, collection->store_text,
										collection->targets[i].collected_at, collection->function);
	kis_snapshot_make_next(table->relid, collection->store_text, collection->function);
}

/*
 * Writes the answers in the order of keys, so that collectors who run at once
 * never wait for each other in a circle; partitions before the first row, for
 * the same reason. Then the log and notifications. Commits where it can.
 */
static void
write_answers(Collection *collection)
{
	KisTarget **targets = palloc(collection->ntargets * sizeof(KisTarget *));
	int			ntargets = 0;
	int			nworth = 0;

	find_tables(collection, RowExclusiveLock, true);
	if (SPI_connect_ext(collection->atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	make_partitions(collection, collection->snapshots, GetCurrentTimestamp());
	make_partitions(collection, collection->log, collection->asked_at);
	for (int i = 0; i < collection->ntargets; i++)
		if (collection->targets[i].outcome != KIS_OUTCOME_FAILED)
			targets[ntargets++] = &collection->targets[i];
	kis_store_write(collection->store, collection->snapshots, true, targets, ntargets, collection->context);
	for (int i = 0; i < ntargets; i++)
		if (targets[i]->detail == NULL)
			targets[i]->detail = targets[i]->index_detail;
	for (int i = 0; i < ntargets; i++)
		if (targets[i]->worth_snapshot)
			targets[nworth++] = targets[i];
	if (collection->snapshots)
		kis_snapshot_append(collection->snapshots, targets, nworth, collection->with_index);
	if (collection->log)
		kis_log_append(collection->log, collection->targets, collection->ntargets, collection->asked_at);
	if (collection->channel)
		kis_log_notify(collection->store, collection->channel, collection->targets, collection->ntargets);
	if (!collection->atomic)
		SPI_commit();
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
		values[3] = CStringGetTextDatum(kis_outcome_name(target->outcome));
		nulls[4] = target->detail == NULL;
		values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(target->detail);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/*
 * Checks all that can be checked without a call. The arguments begin with
 * targets, source and store; "names" are of those that must not be null; that
 * of index_arg says whether the snapshots are to keep the index.
 */
static Collection *
prepare(FunctionCallInfo fcinfo, const char *const *names, int nnames, int index_arg,
		const char *function_name)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "market investor collection",
												  ALLOCSET_DEFAULT_SIZES);
	Collection *collection;
	Oid			serverid;

	MemoryContextSwitchTo(context);
	collection = palloc0(sizeof(Collection));
	collection->context = context;
	collection->atomic = kis_store_begin(fcinfo, names, nnames, function_name);
	collection->query = kis_query_create(context);
	collection->function = fcinfo->flinfo->fn_oid;
	serverid = kis_store_server(NameStr(*PG_GETARG_NAME(1)), collection->function);
	collection->store_text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	collection->store_name = kis_store_name(PG_GETARG_TEXT_PP(2));
	collection->connection = kis_query_connection(collection->query, serverid, GetUserId());
	collection->targets = kis_targets(PG_GETARG_ARRAYTYPE_P(0), collection->connection->options,
									  &collection->ntargets);
	find_tables(collection, AccessShareLock, false);
	collection->with_index = !PG_ARGISNULL(index_arg) && PG_GETARG_BOOL(index_arg);
	if (collection->with_index && (collection->snapshots == NULL || !collection->snapshots->has_index_level))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("store \"%s\" has no snapshots with a column \"index_level\"", collection->store->plain_name),
				 errhint("Have its owner run SELECT create_market_investor_trend(%s); or add the column, of type numeric.",
						 quote_literal_cstr(collection->store_text))));
	if (collection->snapshots)
		kis_snapshot_check(collection->snapshots->relid, collection->store_text,
						   GetCurrentTimestamp(), collection->function);
	if (collection->log)
		kis_snapshot_check(collection->log->relid, collection->store_text,
						   GetCurrentTimestamp(), collection->function);
	return collection;
}

/*
 * collect_market_investor_trend(targets text[], source name, store text,
 * index_level boolean): calls KIS for the targets and writes the replies to the
 * store and its snapshots, with the index where that is wanted, and what came of
 * each to its log. Returns a row a target in the
 * order of keys. Raises 22023 for a target that is none, 42P01 and 42P16 for a
 * store that is none, and, where every target failed, the first one's SQLSTATE.
 */
Datum
collect_market_investor_trend(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"targets", "source", "store"};
	MemoryContext caller = CurrentMemoryContext;
	Collection *collection;

	InitMaterializedSRF(fcinfo, 0);
	collection = prepare(fcinfo, names, lengthof(names), 3, "collect_market_investor_trend()");
	fetch(collection);
	if (count_failed(collection) == collection->ntargets)
		raise_failures(collection);
	write_answers(collection);
	return_outcomes(collection, (ReturnSetInfo *) fcinfo->resultinfo);

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(collection->context);
	return (Datum) 0;
}

/* Says of an error inside a transaction block what goes with it. */
static void
context_of_block(void *arg)
{
	errcontext("nothing that this collection has stored or logged is kept: it is part of a transaction block, which the error ends");
}

/*
 * CALL market_investor_trend_job(targets text[], source name, store text,
 * raise_on text, channel text, index_level boolean): the same for a scheduler. It
 * commits what is stored and the log, and then raises the failures that raise_on
 * names, as collect_market_investor_trend does. With a channel, a NOTIFY of each
 * pair that was inserted or updated is sent at the commit. Inside a transaction
 * block it commits nothing.
 */
Datum
market_investor_trend_job(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"targets", "source", "store", "raise_on"};
	MemoryContext caller = CurrentMemoryContext;
	ErrorContextCallback block = {
		.previous = error_context_stack,
		.callback = context_of_block
	};
	Collection *collection;
	const char *raise_on;
	int			nfailed;

	collection = prepare(fcinfo, names, lengthof(names), 5, "market_investor_trend_job()");
	raise_on = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (strcmp(raise_on, "all") != 0 && strcmp(raise_on, "any") != 0 && strcmp(raise_on, "never") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"raise_on\": \"%s\"", kis_shown(raise_on)),
				 errhint("It is \"all\" to raise an error where every target failed, \"any\" where one did, or \"never\".")));
	if (!PG_ARGISNULL(4))
		collection->channel = text_to_cstring(PG_GETARG_TEXT_PP(4));
	if (collection->channel && (collection->channel[0] == '\0' || strlen(collection->channel) >= NAMEDATALEN))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"channel\": \"%s\"", kis_shown(collection->channel)),
				 errhint("It is a name for LISTEN, of 1 to 63 bytes.")));
	fetch(collection);
	write_answers(collection);

	nfailed = count_failed(collection);
	if (nfailed > 0 && (strcmp(raise_on, "any") == 0 ||
						(strcmp(raise_on, "all") == 0 && nfailed == collection->ntargets)))
	{
		if (collection->atomic)
			error_context_stack = &block;
		raise_failures(collection);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(collection->context);
	PG_RETURN_VOID();
}
