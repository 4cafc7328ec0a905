/*
 * order.c
 *		In which order a scan takes its pairs' rows, and which pages it asks for
 *		before it needs them: one pair after the other, or, where the plan is by
 *		the day, always the newest day of all.
 *
 * By the day, a page is asked for only when no row that is here can come
 * first: so a LIMIT asks for no page that it does not need.
 */
#include "postgres.h"

#include "scan/order.h"
#include "scan/pages.h"
#include "scan/state.h"

static KisPairScan *
first_pair(const KisScan *scan)
{
	for (int i = 0; i < scan->npairs; i++)
		if (!scan->pairs[i].is_through)
			return &scan->pairs[i];
	return NULL;
}

/* The pair with the newest day, or one that may have a row of it. */
static KisPairScan *
newest_pair(const KisScan *scan)
{
	KisPairScan *newest = NULL;

	for (int i = 0; i < scan->npairs; i++)
	{
		KisPairScan *pair = &scan->pairs[i];

		if (!pair->is_through &&
			(newest == NULL || pair->day > newest->day ||
			 (pair->day == newest->day && pair->has_current_row && !newest->has_current_row)))
			newest = pair;
	}
	return newest;
}

/*
 * The pair whose row comes next, where it is at one; or else the one whose page
 * has to be read first. NULL: all are through.
 */
KisPairScan *
kis_next_pair(const KisScan *scan)
{
	return scan->plan->by_day ? newest_pair(scan) : first_pair(scan);
}

/* Of the pairs that follow, but of none that a LIMIT cuts off. */
static void
ask_in_turn(KisScan *scan, const KisPairScan *next)
{
	int64		first = next - scan->pairs;
	int64		end = Min(scan->npairs,
						  first + scan->connection->options->max_concurrent_requests);

	/* of days, one page may bring all that are wanted */
	if (scan->days != NULL && scan->max_rows < PG_INT64_MAX)
		end = first + 1;
	else if (scan->max_rows < end)
		end = Min(end, scan->max_rows + scan->nempty);

	/*
	 * a row is wanted now, even if the LIMIT's value has changed since the
	 * LIMIT looked at it
	 */
	end = Max(end, first + 1);
	for (int64 i = first; i < end; i++)
		kis_pair_request(scan, &scan->pairs[i]);
}

/* Of the pairs that may have a row of the same day: each has one at most. */
static void
ask_for_day(KisScan *scan, const KisPairScan *newest)
{
	int64		wanted = Min(scan->connection->options->max_concurrent_requests,
							 Max(1, scan->max_rows - scan->ntaken));

	for (int64 i = newest - scan->pairs; i < scan->npairs && wanted > 0; i++)
	{
		KisPairScan *pair = &scan->pairs[i];

		if (pair->is_through || pair->day != newest->day)
			continue;
		kis_pair_request(scan, pair);
		wanted--;
	}
}

/* Asks for this pair's page, and for others that are sure to be needed. */
void
kis_prefetch(KisScan *scan, const KisPairScan *next)
{
	if (scan->plan->by_day)
		ask_for_day(scan, next);
	else
		ask_in_turn(scan, next);
}
