/*
 * calendar.c
 *		The trading day of figures, by the calendar that the server's option
 *		names.
 */
#include "postgres.h"

#include "shared.h"

/* Seconds since 1970-01-01 UTC of a timestamptz, which counts from 2000-01-01. */
static int64
unix_seconds(TimestampTz at)
{
	int64		epoch = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	int64		seconds = at / USECS_PER_SEC;

	if (at % USECS_PER_SEC < 0)
		seconds--;
	return seconds + epoch;
}

bool
kis_trade_date(KisStatement *statement, KisConnection *connection,
			   TimestampTz collected_at, bool has_figures, DateADT *day)
{
	KisIsOpenDay is_open = NULL;
	int64		unix_day;

	switch (connection->options->calendar)
	{
		case KIS_CALENDAR_WEEKDAY:
			is_open = kis_is_weekday;
			break;
	}
	if (!kis_trading_day(unix_seconds(collected_at), connection->options->session_start,
						 has_figures, is_open, statement, &unix_day))
		return false;
	*day = (DateADT) (unix_day - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE));
	return true;
}
