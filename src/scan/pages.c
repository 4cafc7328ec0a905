/*
 * pages.c
 *		Which pair and page of a scan comes next: one pair after the other, or,
 *		where the plan is by the day, always the newest day of all.
 *
 * A pair has one row, or those of its days, page by page. By the day, a page is
 * requested only when no row that is here can come first: so a LIMIT makes no
 * call that it does not need.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/option.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "plan/days.h"
#include "plan/scan_plan.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "request/spill.h"
#include "request/state.h"
#include "scan/pages.h"
#include "scan/state.h"

/* The arguments of the call that brings the pair's row, or the page with the day. */
static KisCallArgs
page_args(const KisScan *scan, const KisPairScan *pair, DateADT day)
{
	const KisPairCode *code = &scan->values->pairs[pair->pair];
	KisCallArgs args = {0};

	strlcpy(args.market, code->market, sizeof(args.market));
	strlcpy(args.sector, code->sector, sizeof(args.sector));
	if (pair->days != NULL)
		kis_page_args(scan->query, scan->connection, scan->plan->table->call, day, day, &args);
	return args;
}

static void
leave_page(KisPairScan *pair)
{
	if (pair->page != NULL)
		kis_request_unpin(pair->page);
	pair->page = NULL;
	pair->next_row = 0;
}

/* Puts a pair before its first page. */
void
kis_pair_rewind(KisPairScan *pair)
{
	leave_page(pair);
	pair->day = pair->first_day;
	pair->has_current_row = false;
	pair->is_through = false;
	pair->last_day_seen = KIS_NO_DAY;
	pair->page_last_day_seen = KIS_NO_DAY;
}

/*
 * The pair whose row comes next, where it is at one; or else the one whose page
 * has to be read first: by the day the one with the newest day, or one that may
 * have a row of it. NULL: all are through.
 */
static KisPairScan *
next_pair(const KisScan *scan)
{
	KisPairScan *next = NULL;

	for (int i = 0; i < scan->npairs; i++)
	{
		KisPairScan *pair = &scan->pairs[i];

		if (pair->is_through)
			continue;
		if (!scan->plan->by_day)
			return pair;
		if (next == NULL || pair->day > next->day ||
			(pair->day == next->day && pair->has_current_row && !next->has_current_row))
			next = pair;
	}
	return next;
}

/*
 * The calls that the scan will take besides those made already, as far as can
 * be known; to be called before its first row.
 *
 * Of a pair whose first page the query has requested, the others are taken to
 * be here as well: they are where an earlier scan of it has read the pair.
 * Should it have left off midway, max_calls stops this scan when it comes to
 * as many. So it does with one that may end before its last row: nobody knows
 * when, and a call a pair is all that is sure. A first page that is in the
 * cache alone says nothing of the others.
 */
int64
kis_remaining_calls(const KisScan *scan)
{
	const KisPairScan *next = next_pair(scan);
	bool		limited = scan->max_rows < PG_INT64_MAX;
	int64		calls = 0;
	int64		newest = 0;
	int64		here = 0;

	for (int i = 0; i < scan->npairs; i++)
	{
		const KisPairScan *pair = &scan->pairs[i];
		const KisCall *call = scan->plan->table->call;
		KisCallArgs args = page_args(scan, pair, pair->first_day);
		int64		pages = limited || !scan->plan->partial_read ? pair->pages : 1;

		CHECK_FOR_INTERRUPTS();
		newest += pair->day == next->day;
		if (!kis_query_has_answer(scan->query, scan->connection, call, &args))
		{
			calls += pages;
			continue;
		}
		here++;
		if (kis_query_find_request(scan->query, scan->connection, call, &args) == NULL)
			calls += Max(0, pages - 1);
	}
	if (limited)
		calls = Min(calls, Max(0, kis_limited_calls(scan->plan, scan->max_rows, newest) - here));
	return calls;
}

/* Requests its page, unless that has been done. Raises 54000 beyond max_calls. */
static void
request_page(KisScan *scan, KisPairScan *pair)
{
	KisCallArgs args;

	if (pair->page != NULL)
		return;
	args = page_args(scan, pair, pair->day);
	pair->page = kis_query_request(scan->query, scan->connection, scan->plan->table->call,
								   &args, scan->counters, true);
	pair->page->users++;
}

/*
 * Counts the scan's calls among those that the query will make, for kis_activity,
 * when it comes to wait at first: so a scan that waits for nothing pays nothing.
 */
static void
announce_calls(KisScan *scan, int made_before)
{
	if (!scan->announced)
		scan->query->nexpected += scan->query->ncalls - made_before + kis_remaining_calls(scan);
	scan->announced = true;
}

/*
 * Requests the page of this pair, and of those that follow which are sure to be
 * needed: no more than rows are wanted, and by the day those that may have a
 * row of the same day, of which each has one at most. Scans that are asked at
 * once share the session's room.
 */
static void
request_pages(KisScan *scan, const KisPairScan *next, bool shared)
{
	/*
	 * a row is wanted now, even if the LIMIT's value has changed since the
	 * LIMIT looked at it
	 */
	int64		wanted = Min(scan->connection->options->max_concurrent_requests,
							 Max(1, scan->max_rows - scan->ntaken));

	/* of days that come in turn, one page may bring all that are wanted */
	if (next->days != NULL && !scan->plan->by_day && scan->max_rows < PG_INT64_MAX)
		wanted = 1;
	for (int64 i = next - scan->pairs; i < scan->npairs && wanted > 0; i++)
	{
		KisPairScan *pair = &scan->pairs[i];

		if (pair->is_through || (scan->plan->by_day && pair->day != next->day))
			continue;
		if (pair != next && shared &&
			kis_query_under_way(scan->query) >= scan->connection->options->max_concurrent_requests)
			break;
		request_page(scan, pair);
		wanted--;
	}
}

/* Requests the pages that come first, before the scan's rows are wanted. */
void
kis_request_first(KisScan *scan)
{
	KisPairScan *first = next_pair(scan);

	if (first != NULL && scan->max_rows > 0)
		request_pages(scan, first, true);
}

static void
warn_of_empty(const KisScan *scan, const KisRequest *request)
{
	char	   *message = psprintf(_("KIS has no figures for %s"),
								   kis_call_subject(request->call, &request->args));
	bool		is_extra = kis_call_takes(request->call, KIS_ARG_SECTOR) &&
		kis_pair_find(request->args.market, request->args.sector) == NULL;

	if (kis_warn_once(scan->query, message))
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA),
				 errmsg_internal("%s", message),
				 request->reply->nrows == 0 ? errdetail("Its reply has no row.") :
				 is_extra ? errdetail("All members of its reply are empty: KIS doesn't know this pair.") :
				 errdetail("All members of its reply are empty."),
				 is_extra ? errhint("Take it out of the option \"extra_pairs\" of server \"%s\".",
									scan->connection->server_name) : 0));
}

/* Is the row wanted, or has it no figures, or is it of a day that is not wanted or has come already? */
static bool
is_wanted(const KisScan *scan, KisPairScan *pair, int row)
{
	const KisRequest *page = pair->page;

	if (pair->days != NULL)
		return kis_days_take(pair->days, &page->args, page->reply, row, &pair->last_day_seen);
	if (!kis_row_is_empty(page->call, &page->reply->rows[row]))
		return true;
	warn_of_empty(scan, page);
	return false;
}

/*
 * Leaves a page that has been read. The pair's history ends with one without
 * new days; but not where that begins before the day that is wanted, as one
 * that served another scan may: it may only end too soon.
 */
static void
turn_page(KisPairScan *pair)
{
	char		day[KIS_DATE_LEN];

	if (pair->days != NULL)
	{
		kis_day_to_text(pair->day, day);
		pair->is_through = pair->last_day_seen == pair->page_last_day_seen &&
			strcmp(pair->page->args.date, day) == 0;
	}
	else
		pair->is_through = true;
	leave_page(pair);
	if (pair->is_through)
		return;
	pair->day = kis_days_next(pair->days, pair->last_day_seen);
	pair->is_through = pair->day == KIS_NO_DAY;
	pair->page_last_day_seen = pair->last_day_seen;
}

/*
 * Goes on to the pair's next row that is wanted, in a page that has come. Where
 * the page has no more, another is to be requested, or the pair is through.
 */
static void
seek_row(KisScan *scan, KisPairScan *pair)
{
	for (; pair->next_row < pair->page->reply->nrows; pair->next_row++)
	{
		pair->has_current_row = is_wanted(scan, pair, pair->next_row);
		if (pair->has_current_row)
		{
			pair->day = pair->last_day_seen;
			return;
		}
	}
	if (pair->days == NULL && pair->page->reply->nrows == 0)
		warn_of_empty(scan, pair->page);
	turn_page(pair);
}

/* Makes the pair's row one of the table's: of a table by investor, one of several. */
static void
take_row(KisScan *scan, KisPairScan *pair, KisTableRow *row)
{
	row->request = pair->page;
	row->code = &scan->values->pairs[pair->pair];
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

/* Requests more for a scan that awaits a page, where there is room by now. */
void
kis_request_ahead(KisScan *scan)
{
	scan->never_waits = true;
	request_pages(scan, next_pair(scan), true);
	scan->never_waits = false;
}

/*
 * The next row of the scan, whose request stays pinned until the one after it;
 * false after the last. Waits for KIS, and raises what a call's failure is; one that
 * never waits comes back with false and what it awaits, failed or not.
 */
bool
kis_next_row(KisScan *scan, KisTableRow *row)
{
	KisPairScan *pair;
	int			ncalls = scan->query->ncalls;

	scan->awaited = NULL;

	/*
	 * not sooner: what stands behind the last row that is wanted doesn't
	 * matter
	 */
	if (scan->last != NULL)
		seek_row(scan, scan->last);
	scan->last = NULL;

	while ((pair = next_pair(scan)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (pair->has_current_row)
		{
			take_row(scan, pair, row);
			return true;
		}
		request_pages(scan, pair, scan->never_waits);
		if (!pair->page->done)
			announce_calls(scan, ncalls);
		if (scan->never_waits && !kis_request_poll(pair->page))
		{
			scan->awaited = pair->page;
			return false;
		}
		kis_request_wait_or_raise(pair->page);
		seek_row(scan, pair);
	}
	return false;
}
