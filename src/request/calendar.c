/*
 * calendar.c
 *		The trading day of figures, by the calendar that the server's option
 *		names.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "common/day.h"
#include "common/option.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "kis/trading_day.h"
#include "request/calendar.h"
#include "request/connection.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "request/spill.h"
#include "request/state.h"

/*
 * A page of KIS's calendar that is requested for a trading day begins so many
 * days before it: as long as usual, one page does, holidays before today
 * included.
 */
#define DAYS_BEFORE	14

/* The exchange opens, in seconds of the day; and by how much later on days when it is late. */
#define OPENS_AT	(9 * SECS_PER_HOUR)
#define LATE_BY		SECS_PER_HOUR

/* Two clocks that are no farther apart are both right: seconds. */
#define CLOCKS_AGREE_WITHIN	120

/* For whom the calendar is read: the context of KisIsOpenDay. */
typedef struct CalendarReader
{
	KisQuery   *query;
	KisConnection *connection;
	KisCounters *counters;
	KisError   *failure;		/* why a day is not known; NULL: nobody wants
								 * to know */
} CalendarReader;

/*
 * max_calls does not count the calendar, or whether a query is too large would
 * depend on whether somebody has read it today.
 */
static KisRequest *
request_page(const CalendarReader *reader, const KisCallArgs *args)
{
	return kis_query_request_uncounted(reader->query, reader->connection, &kis_call_calendar,
									   args, reader->counters);
}

/* The page of KIS's calendar that has the day: one that is here, or one that begins before it. */
static KisRequest *
request_day(const CalendarReader *reader, DateADT day)
{
	KisCallArgs args = {0};

	if (!kis_find_page(reader->query, reader->connection, &kis_call_calendar, day, &args))
		kis_day_to_text(day - DAYS_BEFORE, args.date);
	return request_page(reader, &args);
}

/*
 * Does a page that has come end before the day? Then the day is in a later one,
 * whose date goes to args; each begins after the one before it, so this ends.
 */
static bool
goes_on_to(const KisRequest *page, DateADT day, KisCallArgs *args)
{
	DateADT		first;
	DateADT		last;

	if (!kis_day_from_text(page->args.date, &first) || !kis_page_last_day(page, &last) ||
		last < first || last >= day)
		return false;
	kis_day_to_text(last + 1, args->date);
	return true;
}

/* What a page says of a day: 1 open, 0 not; -1 neither, or nothing, or something twice. */
static int
said_of_day(const KisReply *reply, const char *day)
{
	const char *said = NULL;

	for (int i = 0; i < reply->nrows; i++)
	{
		const KisValue *values = reply->rows[i].values;

		if (strcmp(values[kis_call_calendar.day_member].text, day) != 0)
			continue;
		if (said != NULL)
			return -1;
		said = values[kis_call_calendar.open_member].text;
	}
	if (said == NULL || (strcmp(said, "Y") != 0 && strcmp(said, "N") != 0))
		return -1;
	return said[0] == 'Y';
}

/*
 * A KisIsOpenDay by KIS's calendar, page by page until one reaches the day;
 * waits for it. -1, and the reader's failure, where the page can't be had or
 * doesn't say.
 */
static int
is_open_day(void *context, int64_t unix_day)
{
	const CalendarReader *reader = context;
	DateADT		day = (DateADT) (unix_day - KIS_UNIX_EPOCH_DAYS);
	KisRequest *page = request_day(reader, day);
	KisCallArgs next = {0};
	char		day_text[KIS_DATE_LEN];
	int			open;

	while (kis_request_wait(page) && goes_on_to(page, day, &next))
		page = request_page(reader, &next);
	if (page->reply == NULL)
	{
		if (reader->failure != NULL)
			*reader->failure = page->error;
		return -1;
	}
	kis_day_to_text(day, day_text);
	open = said_of_day(page->reply, day_text);
	if (open < 0 && reader->failure != NULL)
	{
		reader->failure->error_class = KIS_ERROR_REPLY;
		snprintf(reader->failure->text, sizeof(reader->failure->text),
				 "%s does not say whether %s is open",
				 kis_call_subject(page->call, &page->args), day_text);
	}
	return open;
}

static KisIsOpenDay
open_days(const KisServerOptions *options)
{
	return options->weekday_calendar ? kis_is_weekday : is_open_day;
}

/* By how many seconds the day is later than others; -1: not known. */
static int
late_by(const KisServerOptions *options, DateADT day, KisIsOpenDay is_open, void *context)
{
	int			is_first;

	if (list_member_int(options->late_opens, day))
		return LATE_BY;
	is_first = kis_is_first_open_day(day + KIS_UNIX_EPOCH_DAYS, is_open, context);
	return is_first > 0 ? LATE_BY : is_first;
}

/*
 * The trading day of figures that arrived at at, by is_open; false: not known.
 * Whether the day's opening is late takes the calendar back to New Year's Day,
 * so it is looked at in the one hour in which it matters.
 */
static bool
trade_date(const KisServerOptions *options, TimestampTz at, bool has_figures,
		   KisIsOpenDay is_open, void *context, DateADT *day)
{
	int			seconds = kis_seoul_seconds(at);
	int			start = options->session_start;
	int64_t		unix_day;

	if (seconds >= start && seconds < start + LATE_BY)
	{
		int			late = late_by(options, kis_seoul_day(at), is_open, context);

		if (late < 0)
			return false;
		start += late;
	}
	if (!kis_trading_day(kis_unix_seconds(at), start, has_figures, is_open, context, &unix_day))
		return false;
	*day = (DateADT) (unix_day - KIS_UNIX_EPOCH_DAYS);
	return true;
}

/*
 * The trading day of figures that arrived at collected_at, by the connection's
 * calendar, which is requested, and waited for, where nobody has had it today;
 * that is billed to counters. False: the calendar can't be had; then *failure
 * says why.
 */
bool
kis_trade_date(KisQuery *query, KisConnection *connection,
			   TimestampTz collected_at, bool has_figures, KisCounters *counters,
			   DateADT *day, KisError *failure)
{
	CalendarReader reader = {query, connection, counters, failure};

	if (trade_date(connection->options, collected_at, has_figures,
				   open_days(connection->options), &reader, day))
		return true;
	/* it was requested, and has none as far back as it is looked at */
	if (failure->error_class == KIS_OK)
	{
		failure->error_class = KIS_ERROR_REPLY;
		strlcpy(failure->text, "KIS's calendar has no open day in a month", sizeof(failure->text));
	}
	return false;
}

/* The same by Monday to Friday; makes no request. */
DateADT
kis_weekday_trade_date(const KisConnection *connection, TimestampTz collected_at, bool has_figures)
{
	DateADT		day;

	if (!trade_date(connection->options, collected_at, has_figures, kis_is_weekday, NULL, &day))
		elog(ERROR, "no weekday before %s", timestamptz_to_str(collected_at));
	return day;
}

/*
 * Where in the exchange's day a moment lies. To be called where kis_trade_date
 * has found the day of the same moment: it then has most of the calendar here.
 */
KisHours
kis_hours(KisQuery *query, KisConnection *connection, TimestampTz collected_at,
		  KisCounters *counters)
{
	const KisServerOptions *options = connection->options;
	CalendarReader reader = {query, connection, counters, NULL};
	KisIsOpenDay is_open = open_days(options);
	DateADT		today = kis_seoul_day(collected_at);
	int			seconds = kis_seoul_seconds(collected_at);
	KisHours	hours = {.day_before = DATEVAL_NOBEGIN};

	/* KIS's calendar has been wrong; the week-end of "weekday" has not */
	hours.closed = !options->weekday_calendar &&
		is_open(&reader, today + KIS_UNIX_EPOCH_DAYS) == 0;
	/* where it is not known, the later day is the safe one */
	if (seconds >= options->session_start &&
		late_by(options, today, is_open, &reader) != 0)
		seconds -= LATE_BY;
	hours.since_start = seconds - options->session_start;

	/* who has the session start hours earlier says that KIS turns over then */
	hours.before_open = hours.since_start >= 0 && seconds < OPENS_AT &&
		options->session_start >= OPENS_AT - SECS_PER_HOUR;
	if (hours.before_open)
	{
		int64_t		unix_day;

		if (kis_trading_day(kis_unix_seconds(collected_at), SECS_PER_DAY, true, is_open, &reader,
							&unix_day))
			hours.day_before = (DateADT) (unix_day - KIS_UNIX_EPOCH_DAYS);
	}
	return hours;
}

/*
 * Seconds that the server's clock was ahead of KIS's (negative: behind) when
 * the reply arrived; 0 where KIS told no time, or they agree well enough.
 */
int64
kis_clock_error(const KisRequest *request)
{
	int64		ahead;

	if (request->reply == NULL || request->reply->date == 0)
		return 0;
	ahead = kis_unix_seconds(request->arrived_at) - request->reply->date;
	return ahead > CLOCKS_AGREE_WITHIN || ahead < -CLOCKS_AGREE_WITHIN ? ahead : 0;
}

const char *const kis_clock_hint = "Set the clock of the server's machine, and keep it right by NTP.";

/* The same in words, for a clock that is wrong; palloc'd. */
char *
kis_clock_complaint(const KisRequest *request)
{
	int64		ahead = kis_clock_error(request);

	return psprintf("the server's clock is " INT64_FORMAT " s %s KIS's",
					ahead > 0 ? ahead : -ahead, ahead > 0 ? "ahead of" : "behind");
}

/*
 * Requests what kis_trade_date will need, without waiting: it comes along with
 * the rows.
 */
void
kis_trade_date_prepare(KisQuery *query, KisConnection *connection, KisCounters *counters)
{
	CalendarReader reader = {query, connection, counters, NULL};

	if (!connection->options->weekday_calendar)
		(void) request_day(&reader, kis_seoul_day(GetCurrentTimestamp()));
}
