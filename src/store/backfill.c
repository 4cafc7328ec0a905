/*
 * backfill.c
 *		backfill_market_investor_trend: fills the store's past days from KIS's
 *		daily history, page by page.
 *
 * A page is fetched while nothing is locked, then written and committed. Pairs
 * come in the order of their keys, which is the order of collectors, and each
 * pair's days newest first: so nobody waits for another in a circle, even
 * where all is one transaction.
 *
 * Today is left to the collection. What the daily history says of a day that
 * is not over may be older than what is stored, and nothing shows which of them
 * is final; tomorrow it is a past day.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/option.h"
#include "kis.h"
#include "kis/catalog.h"
#include "plan/days.h"
#include "request/calendar.h"
#include "request/connection.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "request/state.h"
#include "store/figures.h"
#include "store/open.h"
#include "store/table.h"
#include "store/target.h"
#include "store/write.h"

PG_FUNCTION_INFO_V1(backfill_market_investor_trend);

#define PROCEDURE_NAME "backfill_market_investor_trend()"

/* What has become of days. */
typedef struct DayCounts
{
	int			days;
	int			of_outcome[KIS_OUTCOME_FAILED + 1];
} DayCounts;

/* One call of the procedure. */
typedef struct Backfill
{
	const char *server_name;
	Oid			procedure;
	const char *store_text;		/* as the caller wrote it */
	RangeVar   *store_name;
	bool		one_transaction;
	DateADT		from;
	DateADT		to;				/* yesterday at the latest */
	KisDays    *days;
	KisTarget  *targets;
	int			ntargets;
	MemoryContext page_context; /* what lives as long as a page */
	/* how far it is */
	int			current;		/* target */
	DateADT		page_day;		/* the newest day of the page under way */
	DateADT		last_day_seen;	/* the current target's days up to here are
								 * done */
	DateADT		newest;			/* day that the page under way has filled */
	int			pages;
	DayCounts	of_page;
	DayCounts	of_all;
} Backfill;

static char *
counts_text(const DayCounts *counts)
{
	return psprintf(_("%d inserted, %d updated, %d unchanged, %d skipped"),
					counts->of_outcome[KIS_OUTCOME_INSERTED],
					counts->of_outcome[KIS_OUTCOME_UPDATED],
					counts->of_outcome[KIS_OUTCOME_UNCHANGED],
					counts->of_outcome[KIS_OUTCOME_SKIPPED]);
}

/* The context of an error: what is stored, and how to go on. */
static void
add_progress(void *arg)
{
	const Backfill *backfill = arg;
	const KisPairCode *pair = &backfill->targets[backfill->current].pair;
	const char *day = kis_target_day_text(backfill->page_day);
	bool		is_last = backfill->current == backfill->ntargets - 1;

	errcontext("backfill of %s/%s, page of %s and the days before",
			   pair->market, pair->sector, day);
	if (backfill->one_transaction)
		errcontext("nothing is stored of what came before it: all is one transaction");
	else
		errcontext("what came before it is stored; to go on, call it for %s/%s with to_date %s%s",
				   pair->market, pair->sector, day,
				   is_last ? "" : _(", then for the targets that come after it"));
}

/* How far it is, for kis_activity. */
static KisBackfillProgress
progress(const Backfill *backfill)
{
	const KisPairCode *pair = &backfill->targets[backfill->current].pair;
	DateADT		first = kis_days_next(backfill->days, KIS_NO_DAY);
	int			to_come = backfill->ntargets - backfill->current - 1;
	KisBackfillProgress result = {
		.day = backfill->page_day,
		.pages_made = backfill->pages,
		.pages_left = kis_days_pages(backfill->days, backfill->page_day) +
			to_come * kis_days_pages(backfill->days, first),
	};

	snprintf(result.pair, sizeof(result.pair), "%s/%s", pair->market, pair->sector);
	return result;
}

/* A query context of its own: neither max_calls nor max_wait bounds how many pages there are. */
static const KisRequest *
fetch_page(Backfill *backfill, KisQuery *query)
{
	Oid			serverid = kis_store_server(backfill->server_name, backfill->procedure);
	KisConnection *connection = kis_query_connection(query, serverid, GetUserId());
	KisCounters *counters = palloc0(sizeof(KisCounters));
	KisCallArgs args = kis_target_args(&backfill->targets[backfill->current]);
	KisRequest *page;

	kis_day_to_text(backfill->page_day, args.date);
	query->backfill = progress(backfill);
	page = kis_query_request(query, connection, &kis_call_daily, &args, counters, true);
	/* so that what waits for KIS keeps no row from VACUUM */
	InvalidateCatalogSnapshotConditionally();
	kis_request_wait_or_raise(page);
	if (kis_clock_error(page) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("nobody can tell which days are over: %s", kis_clock_complaint(page)),
				 errhint("%s", kis_clock_hint)));
	return page;
}

/* Takes a row of a page for its day, last_day_seen; NULL where it has no figures for the store. */
static KisTarget *
take_row(Backfill *backfill, KisQuery *query, const KisRequest *request, int row,
		 const KisStoreTable *store)
{
	KisTarget  *target = palloc(sizeof(KisTarget));
	bool		has_answer = false;
	const char *complaint;
	int			sqlstate;

	*target = backfill->targets[backfill->current];
	target->collected_at = request->arrived_at;
	target->trade_date = backfill->last_day_seen;
	complaint = kis_figures_take(request->call, &request->reply->rows[row], store, NULL, query,
								 target, &sqlstate);
	if (complaint != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg_internal("%s", complaint),
				 errdetail("So says KIS's daily history of %s.", kis_target_day_text(backfill->last_day_seen))));
	for (int i = 0; i < kis_member_count; i++)
	{
		target->has_figures = target->has_figures || target->figures[i] != 0;
		has_answer = has_answer || !target->nulls[i];
	}
	if (backfill->of_page.days++ == 0)
		backfill->newest = target->trade_date;
	return has_answer ? target : NULL;
}

/* Writes what is wanted of a page, and commits it. */
static void
write_page(Backfill *backfill, KisQuery *query, const KisRequest *request)
{
	KisStoreTable *store = kis_store_open(backfill->store_name, backfill->store_text,
										  RowExclusiveLock, true, backfill->procedure);
	KisTarget **targets = palloc((request->reply->nrows + 1) * sizeof(KisTarget *));
	int			ntargets = 0;

	for (int row = 0; row < request->reply->nrows; row++)
		if (kis_days_take(backfill->days, &request->args, request->reply, row, &backfill->last_day_seen))
		{
			targets[ntargets] = take_row(backfill, query, request, row, store);
			if (targets[ntargets] != NULL)
				ntargets++;
		}
	if (SPI_connect_ext(backfill->one_transaction ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kis_store_write(store, NULL, false, targets, ntargets, backfill->page_context);
	if (!backfill->one_transaction)
		SPI_commit();
	SPI_finish();
	for (int i = 0; i < ntargets; i++)
		backfill->of_page.of_outcome[targets[i]->outcome]++;
	backfill->of_page.of_outcome[KIS_OUTCOME_SKIPPED] += backfill->of_page.days - ntargets;
}

static void
report_page(Backfill *backfill)
{
	const KisPairCode *pair = &backfill->targets[backfill->current].pair;
	DayCounts  *counts = &backfill->of_page;

	if (counts->days == 0)
		ereport(NOTICE,
				(errmsg("%s/%s: no trading day up to %s",
						pair->market, pair->sector, kis_target_day_text(backfill->page_day))));
	else
		ereport(NOTICE,
				(errmsg_plural("%s/%s: %d trading day up to %s: %s",
							   "%s/%s: %d trading days up to %s: %s",
							   counts->days,
							   pair->market, pair->sector, counts->days,
							   kis_target_day_text(backfill->newest), counts_text(counts))));
	backfill->pages++;
	backfill->of_all.days += counts->days;
	for (int i = 0; i < (int) lengthof(counts->of_outcome); i++)
		backfill->of_all.of_outcome[i] += counts->of_outcome[i];
	memset(counts, 0, sizeof(*counts));
}

/* Fetches and stores the page of the day page_day; false where it has brought no new day: it was the last. */
static bool
fill_page(Backfill *backfill)
{
	MemoryContext old = MemoryContextSwitchTo(backfill->page_context);
	ErrorContextCallback progress = {
		.previous = error_context_stack,
		.callback = add_progress,
		.arg = backfill
	};
	DateADT		before = backfill->last_day_seen;
	KisQuery   *query = kis_query_create(backfill->page_context);

	error_context_stack = &progress;
	write_page(backfill, query, fetch_page(backfill, query));
	error_context_stack = progress.previous;
	report_page(backfill);

	MemoryContextSwitchTo(old);
	MemoryContextReset(backfill->page_context);
	return backfill->last_day_seen != before;
}

static void
fill_target(Backfill *backfill)
{
	backfill->last_day_seen = KIS_NO_DAY;
	do
	{
		backfill->page_day = kis_days_next(backfill->days, backfill->last_day_seen);
	} while (backfill->page_day != KIS_NO_DAY && fill_page(backfill));
}

/* Leaves out the pairs that KIS's daily history has not. */
static void
drop_unserved(Backfill *backfill)
{
	int			n = 0;

	for (int i = 0; i < backfill->ntargets; i++)
	{
		const KisPairCode *pair = &backfill->targets[i].pair;

		if (kis_call_serves(&kis_call_daily, pair->market))
			backfill->targets[n++] = backfill->targets[i];
		else
			ereport(NOTICE,
					(errmsg("%s/%s is skipped: KIS has no daily history of market %s",
							pair->market, pair->sector, pair->market)));
	}
	backfill->ntargets = n;
}

static void
check_bounds(Backfill *backfill)
{
	DateADT		today = kis_seoul_day(GetCurrentTimestamp());

	if (backfill->from > backfill->to)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("from_date is after to_date"),
				 errhint("from_date is the oldest day to fill, to_date the newest.")));
	if (backfill->to > today)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("to_date is in the future"),
				 errdetail("In Seoul it is %s.", kis_target_day_text(today)),
				 errhint("Give (now() AT TIME ZONE 'Asia/Seoul')::date for the day that it is in Seoul.")));
	if (backfill->to == today)
	{
		ereport(NOTICE,
				(errmsg("%s is not over in Seoul: its row is left to collect_market_investor_trend",
						kis_target_day_text(today))));
		backfill->to = today - 1;
	}
}

/* Checks all that can be checked without a call. */
static Backfill *
prepare(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"from_date", "to_date", "targets", "source", "store"};
	Backfill   *backfill = palloc0(sizeof(Backfill));
	KisConnection *connection;

	backfill->one_transaction = kis_store_begin(fcinfo, names, lengthof(names), PROCEDURE_NAME);
	backfill->from = PG_GETARG_DATEADT(0);
	backfill->to = PG_GETARG_DATEADT(1);
	check_bounds(backfill);
	backfill->days = kis_days_create(&kis_call_daily, 0, NULL);
	kis_days_choose_range(backfill->days, backfill->from, backfill->to);

	backfill->server_name = pstrdup(NameStr(*PG_GETARG_NAME(3)));
	backfill->procedure = fcinfo->flinfo->fn_oid;
	backfill->store_text = text_to_cstring(PG_GETARG_TEXT_PP(4));
	backfill->store_name = kis_store_name(PG_GETARG_TEXT_PP(4));
	connection = kis_query_connection(kis_query_create(CurrentMemoryContext),
									  kis_store_server(backfill->server_name, backfill->procedure),
									  GetUserId());
	backfill->targets = kis_targets(PG_GETARG_ARRAYTYPE_P(2), connection->options,
									&backfill->ntargets);
	(void) kis_store_open(backfill->store_name, backfill->store_text, AccessShareLock, false,
						  backfill->procedure);
	drop_unserved(backfill);
	backfill->page_context = AllocSetContextCreate(CurrentMemoryContext, "market investor page",
												   ALLOCSET_DEFAULT_SIZES);
	return backfill;
}

/*
 * backfill_market_investor_trend(from_date date, to_date date, targets text[],
 * source name, store text): fills the days from from_date to to_date, but for
 * today in Seoul. A row of the daily history replaces a live one; NULL never
 * replaces a figure; a row that says the same already is not written. Raises
 * 22023 for bounds and targets that are none, 42P01 and 42P16 for a store that
 * is none, and what KIS's refusal of a page is; the pages before that one stay,
 * unless the caller's transaction goes.
 */
Datum
backfill_market_investor_trend(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "market investor backfill",
												  ALLOCSET_DEFAULT_SIZES);
	Backfill   *backfill;

	MemoryContextSwitchTo(context);
	backfill = prepare(fcinfo);
	for (; backfill->current < backfill->ntargets; backfill->current++)
		fill_target(backfill);
	ereport(NOTICE,
			(errmsg_plural("backfill has read %d page, %d trading days: %s",
						   "backfill has read %d pages, %d trading days: %s",
						   backfill->pages, backfill->pages, backfill->of_all.days,
						   counts_text(&backfill->of_all))));

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}
