/*
 * pages.c
 *		The rows of one pair of a scan: one row, or those of its days, page by
 *		page.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "common/day.h"
#include "common/option.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "plan/days.h"
#include "request/query_context.h"
#include "request/spill.h"
#include "request/state.h"
#include "scan/pages.h"
#include "scan/state.h"

/* The arguments of the call that brings the pair's row, or the page with the day. */
KisCallArgs
kis_pair_args(const KisScan *scan, const KisPairScan *pair, DateADT day)
{
	const KisPairCode *code = &scan->values->pairs[pair->pair];
	KisCallArgs args = {0};

	strlcpy(args.market, code->market, sizeof(args.market));
	strlcpy(args.sector, code->sector, sizeof(args.sector));
	if (pair->days != NULL)
		kis_page_args(scan->query, scan->connection, scan->plan->table->call, day, &args);
	return args;
}

/* Is its first page here already, or asked for? */
bool
kis_pair_is_begun(const KisScan *scan, const KisPairScan *pair)
{
	KisCallArgs args = kis_pair_args(scan, pair, pair->first_day);

	return kis_query_has_answer(scan->query, scan->connection, scan->plan->table->call, &args);
}

/* The day up to which the page that is asked for this one brings rows; false: it is not here. */
static bool
find_end(const KisScan *scan, const KisPairScan *pair, DateADT day, DateADT *end)
{
	const KisCall *call = scan->plan->table->call;
	KisCallArgs args = kis_pair_args(scan, pair, day);
	const KisRequest *page = kis_query_find_request(scan->query, scan->connection, call, &args);

	if (page == NULL || !kis_page_is_here(page))
		return false;
	if (!kis_page_last_day(page, end))
		*end = KIS_NO_DAY;
	return true;
}

/* The calls that are expected for its pages, but for those that are here already. */
int
kis_pair_calls(const KisScan *scan, const KisPairScan *pair)
{
	DateADT		day = pair->first_day;
	DateADT		end;
	DateADT		last_day_seen = KIS_NO_DAY;
	KisCallArgs args;

	if (pair->days == NULL)
		return kis_pair_is_begun(scan, pair) ? 0 : 1;
	while (day != KIS_NO_DAY && find_end(scan, pair, day, &end))
	{
		CHECK_FOR_INTERRUPTS();
		/* a page without new days was the last */
		day = end != KIS_NO_DAY && kis_day_is_beyond(scan->plan->table->call, end, last_day_seen) ?
			kis_days_next(pair->days, end) : KIS_NO_DAY;
		last_day_seen = end;
	}
	if (day == KIS_NO_DAY)
		return 0;
	args = kis_pair_args(scan, pair, day);
	return kis_days_pages(pair->days, day) -
		(kis_query_has_answer(scan->query, scan->connection, scan->plan->table->call, &args) ? 1 : 0);
}

static void
leave_page(KisPairScan *pair)
{
	if (pair->page != NULL)
		kis_request_unpin(pair->page);
	pair->page = NULL;
	pair->next_row = 0;
}

/* Before its first page. */
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

/* Asks for its page, unless that has been done. */
void
kis_pair_request(KisScan *scan, KisPairScan *pair)
{
	KisCallArgs args;

	if (pair->page != NULL)
		return;
	args = kis_pair_args(scan, pair, pair->day);
	pair->page = kis_query_request(scan->query, scan->connection, scan->plan->table->call,
								   &args, scan->counters);
	kis_request_pin(pair->page);
}

static void
warn_of_empty(const KisScan *scan, const KisRequest *request)
{
	char	   *message = psprintf("KIS has no figures for %s",
								   kis_call_subject(request->call, &request->args));
	bool		is_listed = !kis_call_takes(request->call, KIS_ARG_SECTOR) ||
		kis_pair_find(request->args.market, request->args.sector) != NULL;

	if (kis_warn_once(scan->query, message))
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA),
				 errmsg_internal("%s", message),
				 request->reply->nrows == 0 ?
				 errdetail("Its reply has no row.") :
				 is_listed ?
				 errdetail("All members of its reply are empty.") :
				 errdetail("All members of its reply are empty: KIS doesn't know this pair."),
				 is_listed ?
				 0 :
				 errhint("Take it out of the option \"extra_pairs\" of server \"%s\".",
						 scan->connection->server_name)));
}

/* Is this row wanted, or is it of a day that was not asked for or has come already? */
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

/* Was it asked for the very day that comes next, and not for one from which it might have reached that? */
static bool
begins_with_next(const KisPairScan *pair)
{
	char		day[KIS_DATE_LEN];

	kis_day_to_text(pair->day, day);
	return strcmp(pair->page->args.date, day) == 0;
}

/* Has the pair another page? One without new days was the last. */
static void
turn_page(KisPairScan *pair)
{
	pair->is_through = pair->days == NULL ||
		(pair->last_day_seen == pair->page_last_day_seen && begins_with_next(pair));
	leave_page(pair);
	if (pair->is_through)
		return;
	pair->day = kis_days_next(pair->days, pair->last_day_seen);
	pair->is_through = pair->day == KIS_NO_DAY;
	pair->page_last_day_seen = pair->last_day_seen;
}

/*
 * Goes on to its next row that is wanted, in a page that has come. Where the
 * page has no more, another is to be asked for, or the pair is through.
 */
void
kis_pair_seek(KisScan *scan, KisPairScan *pair)
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
