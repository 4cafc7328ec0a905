/*
 * trading_day.c
 *		Which trading day KIS's figures belong to: it does not say.
 */
#include "kis/trading_day.h"

#include <time.h>

#define DAY_SECONDS		(24 * 3600)

/* No holiday is longer; past it the calendar must be wrong. */
#define LONGEST_CLOSURE	30

/* The last open day of those before day; false if there is none or it is not known. */
static bool
open_day_before(int64_t day, KisIsOpenDay is_open, void *context, int64_t *found)
{
	for (int back = 1; back <= LONGEST_CLOSURE; back++)
	{
		int			open = is_open(context, day - back);

		if (open < 0)
			return false;
		if (open > 0)
		{
			*found = day - back;
			return true;
		}
	}
	return false;
}

/*
 * The trading day that figures which arrived at unix_time (seconds) belong to,
 * as days since 1970-01-01 in Seoul: on a closed day the last open day; on an
 * open day before session_start (seconds of the day) the open day before if
 * some figure is not zero, since KIS still shows it, else the day itself; after
 * it the day itself. False where the calendar doesn't know.
 */
bool
kis_trading_day(int64_t unix_time, int session_start, bool has_figures,
				KisIsOpenDay is_open, void *context, int64_t *day)
{
	int64_t		local = unix_time + KIS_SEOUL_OFFSET;
	int64_t		today = local / DAY_SECONDS;
	int64_t		second = local - today * DAY_SECONDS;
	int			open = is_open(context, today);

	if (open < 0)
		return false;
	if (open == 0 || (second < session_start && has_figures))
		return open_day_before(today, is_open, context, day);
	*day = today;
	return true;
}

/*
 * Is this open day the first of its year? Then the exchange opens an hour late.
 * 1: it is, 0: it is not, -1: not known.
 */
int
kis_is_first_open_day(int64_t day, KisIsOpenDay is_open, void *context)
{
	time_t		midnight = (time_t) (day * DAY_SECONDS);
	struct tm	utc;

	if (gmtime_r(&midnight, &utc) == NULL || utc.tm_yday > LONGEST_CLOSURE)
		return 0;
	/* New Year's Day is closed, whatever a calendar of weekdays says */
	for (int back = 1; back < utc.tm_yday; back++)
	{
		int			open = is_open(context, day - back);

		if (open != 0)
			return open > 0 ? 0 : -1;
	}
	return 1;
}

/* The calendar that needs no call: open from Monday to Friday. */
int
kis_is_weekday(void *context, int64_t day)
{
	/* 1970-01-01 was a Thursday: 0 is Monday */
	int64_t		weekday = ((day + 3) % 7 + 7) % 7;

	return weekday < 5;
}
