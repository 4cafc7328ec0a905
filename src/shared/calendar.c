/*
 * calendar.c
 *		Days in Seoul, and the trading day of figures by the calendar that the
 *		server's option names.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "inquiry.h"

/* PostgreSQL counts days from 2000-01-01, the lower half from 1970-01-01. */
#define UNIX_EPOCH_DAYS		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)

void
kis_day_to_text(DateADT date, char *text)
{
	int			year;
	int			month;
	int			day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	snprintf(text, KIS_DATE_LEN, "%04d%02d%02d", year % 10000, month % 100, day % 100);
}

bool
kis_day_from_text(const char *text, DateADT *date)
{
	int			year;
	int			month;
	int			day;

	if (strlen(text) != KIS_DATE_LEN - 1 || strspn(text, "0123456789") != KIS_DATE_LEN - 1 ||
		sscanf(text, "%4d%2d%2d", &year, &month, &day) != 3 ||
		month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*date = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* Seconds since 1970-01-01 UTC of a timestamptz, which counts from 2000-01-01. */
static int64
unix_seconds(TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC;

	if (at % USECS_PER_SEC < 0)
		seconds--;
	return seconds + UNIX_EPOCH_DAYS * (int64) SECS_PER_DAY;
}

DateADT
kis_seoul_day(TimestampTz at)
{
	int64		seconds = unix_seconds(at) + KIS_SEOUL_OFFSET;

	return (DateADT) (seconds / SECS_PER_DAY - UNIX_EPOCH_DAYS);
}

int
kis_seoul_seconds(TimestampTz at)
{
	return (int) ((unix_seconds(at) + KIS_SEOUL_OFFSET) % SECS_PER_DAY);
}

bool
kis_trade_date(KisStatement *statement, KisConnection *connection,
			   TimestampTz collected_at, bool has_figures, KisCounters *counters,
			   DateADT *day, KisError *failure)
{
	KisIsOpenDay is_open = NULL;
	int64_t		unix_day;

	switch (connection->options->calendar)
	{
		case KIS_CALENDAR_WEEKDAY:
			is_open = kis_is_weekday;
			break;
	}
	if (!kis_trading_day(unix_seconds(collected_at), connection->options->session_start,
						 has_figures, is_open, NULL, &unix_day))
		return false;
	*day = (DateADT) (unix_day - UNIX_EPOCH_DAYS);
	return true;
}
