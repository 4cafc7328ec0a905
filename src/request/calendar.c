/*
 * calendar.c
 *		The trading day of figures, by the calendar that the server's option
 *		names.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/option.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "kis/trading_day.h"
#include "kis/text.h"
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

/* For whom the calendar is read: the context of is_open_day. */
typedef struct CalendarReader
{
	KisQuery   *query;			/* NULL: Monday to Friday will do */
	KisConnection *connection;
	KisCounters *counters;
	KisError   *failure;		/* why a day is not known; NULL: nobody wants
								 * to know */
} CalendarReader;

/* By KIS's calendar, or every day from Monday to Friday? */
static bool
is_by_kis(const CalendarReader *reader)
{
	return reader->query != NULL && !reader->connection->options->weekday_calendar;
}

/*
 * The page of KIS's calendar that has the day. max_calls does not count the calendar,
 * or whether a query is too large would depend on whether somebody has read it today.
 */
static KisRequest *
request_day(const CalendarReader *reader, DateADT day)
{
	KisCallArgs args = {0};

	kis_page_args(reader->query, reader->connection, &kis_call_calendar, day,
				  day - DAYS_BEFORE, &args);
	return kis_query_request(reader->query, reader->connection, &kis_call_calendar, &args,
							 reader->counters, false);
}

/*
 * A KisIsOpenDay by the reader's calendar; KIS's is read page by page until one
 * reaches the day, and waited for. -1, and the reader's failure, where the page
 * can't be had or says nothing of the day, or something twice.
 */
static int
is_open_day(void *context, int64_t unix_day)
{
	const CalendarReader *reader = context;
	DateADT		day = (DateADT) (unix_day - KIS_UNIX_EPOCH_DAYS);
	KisRequest *page;
	KisError	failure;
	DateADT		first;
	char		day_text[KIS_DATE_LEN];
	int			nsaid = 0;
	bool		is_open = false;

	if (!is_by_kis(reader))
		return kis_is_weekday(context, unix_day);
	page = request_day(reader, day);
	/* each page that has rows of the calendar begins after the one before */
	while (kis_request_wait(page) && page->last_day < day &&
		   kis_day_from_text(page->args.date, &first) && page->last_day >= first)
	{
		KisCallArgs next = {0};

		kis_day_to_text(page->last_day + 1, next.date);
		page = kis_query_request(reader->query, reader->connection, &kis_call_calendar, &next,
								 reader->counters, false);
	}
	kis_day_to_text(day, day_text);
	for (int i = 0; page->reply != NULL && i < page->reply->nrows; i++)
	{
		const KisValue *values = page->reply->rows[i].values;
		const char *said = values[kis_call_calendar.open_member].text;

		if (strcmp(values[kis_call_calendar.day_member].text, day_text) != 0)
			continue;
		is_open = strcmp(said, "Y") == 0;
		nsaid += is_open || strcmp(said, "N") == 0 ? 1 : 2;
	}
	if (nsaid == 1)
		return is_open;
	kis_error_set(&failure, KIS_ERROR_REPLY, KIS_PHASE_NONE,
				  "the calendar from %s does not say whether %s is open", page->args.date, day_text);
	if (reader->failure != NULL)
		*reader->failure = page->reply != NULL ? failure : page->error;
	return -1;
}

/* By how many seconds the day is later than others; -1: not known. */
static int
late_by(CalendarReader *reader, DateADT day)
{
	int			is_first;

	if (list_member_int(reader->connection->options->late_opens, day))
		return LATE_BY;
	is_first = kis_is_first_open_day(day + KIS_UNIX_EPOCH_DAYS, is_open_day, reader);
	return is_first > 0 ? LATE_BY : is_first;
}

/*
 * The trading day of figures that arrived at collected_at, by the connection's
 * calendar, which is requested, and waited for, where nobody has had it today;
 * that is billed to counters. False: the calendar can't be had; then *failure,
 * where it is not NULL, says why. query is NULL: by Monday to Friday, without a
 * request.
 *
 * Whether the day's opening is late takes the calendar back to New Year's Day,
 * so it is looked at in the one hour in which it matters.
 */
bool
kis_trade_date(KisQuery *query, KisConnection *connection,
			   TimestampTz collected_at, bool has_figures, KisCounters *counters,
			   DateADT *day, KisError *failure)
{
	CalendarReader reader = {query, connection, counters, failure};
	int			seconds = kis_seoul_seconds(collected_at);
	int			start = connection->options->session_start;
	int64_t		unix_day;

	if (seconds >= start && seconds < start + LATE_BY)
	{
		int			late = late_by(&reader, kis_seoul_day(collected_at));

		if (late < 0)
			return false;
		start += late;
	}
	if (!kis_trading_day(kis_unix_seconds(collected_at), start, has_figures, is_open_day, &reader,
						 &unix_day))
	{
		/* it was requested, and has none as far back as it is looked at */
		if (failure != NULL && failure->error_class == KIS_OK)
			kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_NONE, "KIS's calendar has no open day in a month");
		return false;
	}
	*day = (DateADT) (unix_day - KIS_UNIX_EPOCH_DAYS);
	return true;
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
	DateADT		today = kis_seoul_day(collected_at);
	int			seconds = kis_seoul_seconds(collected_at);
	KisHours	hours = {.day_before = DATEVAL_NOBEGIN};

	/* KIS's calendar has been wrong; the week-end of "weekday" has not */
	hours.closed = is_by_kis(&reader) && is_open_day(&reader, today + KIS_UNIX_EPOCH_DAYS) == 0;
	/* where it is not known, the later day is the safe one */
	if (seconds >= options->session_start && late_by(&reader, today) != 0)
		seconds -= LATE_BY;
	hours.since_start = seconds - options->session_start;

	/* who has the session start hours earlier says that KIS turns over then */
	hours.before_open = hours.since_start >= 0 && seconds < OPENS_AT &&
		options->session_start >= OPENS_AT - SECS_PER_HOUR;
	if (hours.before_open)
	{
		int64_t		unix_day;

		if (kis_trading_day(kis_unix_seconds(collected_at), SECS_PER_DAY, true, is_open_day,
							&reader, &unix_day))
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

/* for _() */
const char *const kis_clock_hint = gettext_noop("Set the clock of the server's machine, and keep it right by NTP.");

/* The same in words, for a clock that is wrong; palloc'd. */
char *
kis_clock_complaint(const KisRequest *request)
{
	int64		ahead = kis_clock_error(request);

	return psprintf(ahead > 0 ? _("the server's clock is %lld s ahead of KIS's") :
					_("the server's clock is %lld s behind KIS's"), (long long) (ahead > 0 ? ahead : -ahead));
}

/*
 * Requests what kis_trade_date will need, without waiting: it comes along with
 * the rows.
 */
void
kis_trade_date_prepare(KisQuery *query, KisConnection *connection, KisCounters *counters)
{
	CalendarReader reader = {query, connection, counters, NULL};

	if (is_by_kis(&reader))
		(void) request_day(&reader, kis_seoul_day(GetCurrentTimestamp()));
}
