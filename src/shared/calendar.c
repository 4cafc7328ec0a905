/*
 * calendar.c
 *		Days in Seoul, and the trading day of figures by the calendar that the
 *		server's option names.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "inquiry.h"

/*
 * A page of KIS's calendar that is asked for the trading day begins so many
 * days before it: as long as usual, one a day does, holidays before today
 * included.
 */
#define DAYS_BEFORE	14

/* The exchange opens, in seconds of the day; and by how much later on days when it is late. */
#define OPENS_AT	(9 * SECS_PER_HOUR)
#define LATE_BY		SECS_PER_HOUR

/* Two clocks that are no farther apart are both right: seconds. */
#define CLOCKS_AGREE_WITHIN	120

/* PostgreSQL counts days from 2000-01-01, the lower half from 1970-01-01. */
#define UNIX_EPOCH_DAYS		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)

/* Who asks whether a day is open. */
typedef struct CalendarQuestion
{
	KisStatement *statement;
	KisConnection *connection;
	KisCounters *counters;
	KisError   *failure;
} CalendarQuestion;

/* Each scan writes and reads many days: by hand, printf and scanf cost more than the rest. */
static char *
put_digits(char *end, int number, int ndigits)
{
	for (; ndigits > 0; ndigits--, number /= 10)
		*--end = '0' + number % 10;
	return end;
}

static int
take_digits(const char **text, int ndigits)
{
	int			number = 0;

	for (; ndigits > 0; ndigits--)
		number = number * 10 + (*(*text)++ - '0');
	return number;
}

void
kis_day_to_text(DateADT date, char *text)
{
	char	   *end = text + KIS_DATE_LEN - 1;
	int			year;
	int			month;
	int			day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	*end = '\0';
	put_digits(put_digits(put_digits(end, day, 2), month, 2), year, 4);
}

bool
kis_day_from_text(const char *text, DateADT *date)
{
	int			year;
	int			month;
	int			day;

	if (strspn(text, "0123456789") != KIS_DATE_LEN - 1 || text[KIS_DATE_LEN - 1] != '\0')
		return false;
	year = take_digits(&text, 4);
	month = take_digits(&text, 2);
	day = take_digits(&text, 2);
	if (month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
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

/*
 * max_calls does not count the calendar, or whether a statement is too large
 * would depend on whether somebody has asked for it today.
 */
static KisInquiry *
ask_calendar_from(const CalendarQuestion *question, KisCallArgs *args)
{
	return kis_inquire_beside(question->statement, question->connection, &kis_call_calendar,
							  args, question->counters);
}

/* The page of KIS's calendar that has the day: one that is here, or one that begins before it. */
static KisInquiry *
ask_calendar(const CalendarQuestion *question, DateADT day)
{
	KisCallArgs args = {0};

	if (!kis_find_page(question->statement, question->connection, &kis_call_calendar, day, &args))
		kis_day_to_text(day - DAYS_BEFORE, args.date);
	return ask_calendar_from(question, &args);
}

/* Does a page end before the day? Then it is in another, whose date goes to args. */
static bool
goes_on_to(const KisInquiry *page, DateADT day, KisCallArgs *args)
{
	int			nrows = page->reply->nrows;
	DateADT		first;
	DateADT		last;

	if (nrows == 0 || !kis_day_from_text(page->args.date, &first) ||
		!kis_day_from_text(page->reply->rows[nrows - 1].values[kis_call_calendar.day_member].text,
						   &last) ||
		last < first || last >= day)
		return false;
	kis_day_to_text(last + 1, args->date);
	return true;
}

/* What a page says of a day: 1 open, 0 not; -1 neither, and why it does not. */
static int
said_of_day(const KisReply *reply, const char *day, const char **complaint)
{
	static int	open_member = -1;
	const char *said = NULL;

	if (open_member < 0)
		open_member = kis_call_member_find(&kis_call_calendar, "is_open");
	*complaint = reply->nrows == 0 ? "it is empty" : "it has no such day";
	for (int i = 0; i < reply->nrows; i++)
	{
		const KisValue *values = reply->rows[i].values;

		if (strcmp(values[kis_call_calendar.day_member].text, day) != 0)
			continue;
		*complaint = said != NULL ? "it has that day twice" : "it says neither Y nor N";
		if (said != NULL)
			return -1;
		said = values[open_member].text;
	}
	if (said == NULL || (strcmp(said, "Y") != 0 && strcmp(said, "N") != 0))
		return -1;
	return said[0] == 'Y';
}

static int
is_open_day(void *context, int64_t unix_day)
{
	const CalendarQuestion *question = context;
	DateADT		day = (DateADT) (unix_day - UNIX_EPOCH_DAYS);
	KisInquiry *page = ask_calendar(question, day);
	KisCallArgs next = {0};
	char		text[KIS_DATE_LEN];
	const char *complaint;
	int			open;

	while (kis_inquiry_wait(page) && goes_on_to(page, day, &next))
		page = ask_calendar_from(question, &next);
	if (page->reply == NULL)
	{
		if (question->failure != NULL)
			*question->failure = page->error;
		return -1;
	}
	kis_day_to_text(day, text);
	open = said_of_day(page->reply, text, &complaint);
	if (open < 0 && question->failure != NULL)
	{
		question->failure->error_class = KIS_ERROR_REPLY;
		snprintf(question->failure->text, sizeof(question->failure->text),
				 "the calendar from %s does not say whether %s is open: %s",
				 page->args.date, text, complaint);
	}
	return open;
}

static KisIsOpenDay
open_days(const KisServerOptions *options)
{
	switch (options->calendar)
	{
		case KIS_CALENDAR_KIS:
			return is_open_day;
		case KIS_CALENDAR_WEEKDAY:
			return kis_is_weekday;
	}
	pg_unreachable();
}

/* By how many seconds the day is later than others; -1: not known. */
static int
late_by(const KisServerOptions *options, DateADT day, KisIsOpenDay is_open, void *context)
{
	int			is_first;

	if (list_member_int(options->late_opens, day))
		return LATE_BY;
	is_first = kis_is_first_open_day(day + UNIX_EPOCH_DAYS, is_open, context);
	return is_first > 0 ? LATE_BY : is_first;
}

/* The trading day; false: not known. */
static bool
trade_date(const KisServerOptions *options, TimestampTz at, bool has_figures,
		   KisIsOpenDay is_open, void *context, DateADT *day)
{
	int			seconds = kis_seoul_seconds(at);
	int			start = options->session_start;
	int64_t		unix_day;

	/* the one hour in which it matters */
	if (seconds >= start && seconds < start + LATE_BY)
	{
		int			late = late_by(options, kis_seoul_day(at), is_open, context);

		if (late < 0)
			return false;
		start += late;
	}
	if (!kis_trading_day(unix_seconds(at), start, has_figures, is_open, context, &unix_day))
		return false;
	*day = (DateADT) (unix_day - UNIX_EPOCH_DAYS);
	return true;
}

bool
kis_trade_date(KisStatement *statement, KisConnection *connection,
			   TimestampTz collected_at, bool has_figures, KisCounters *counters,
			   DateADT *day, KisError *failure)
{
	CalendarQuestion question = {
		.statement = statement,
		.connection = connection,
		.counters = counters,
		.failure = failure
	};

	return trade_date(connection->options, collected_at, has_figures,
					  open_days(connection->options), &question, day);
}

DateADT
kis_weekday_trade_date(const KisConnection *connection, TimestampTz collected_at, bool has_figures)
{
	DateADT		day;

	if (!trade_date(connection->options, collected_at, has_figures, kis_is_weekday, NULL, &day))
		elog(ERROR, "no weekday before %s", timestamptz_to_str(collected_at));
	return day;
}

KisHours
kis_hours(KisStatement *statement, KisConnection *connection, TimestampTz collected_at,
		  KisCounters *counters)
{
	const KisServerOptions *options = connection->options;
	CalendarQuestion question = {
		.statement = statement,
		.connection = connection,
		.counters = counters
	};
	KisIsOpenDay is_open = open_days(options);
	DateADT		today = kis_seoul_day(collected_at);
	int			seconds = kis_seoul_seconds(collected_at);
	KisHours	hours = {.day_before = DATEVAL_NOBEGIN};

	hours.closed = options->calendar == KIS_CALENDAR_KIS &&
		is_open(&question, today + UNIX_EPOCH_DAYS) == 0;
	/* where it is not known, the later day is the safe one */
	if (seconds >= options->session_start &&
		late_by(options, today, is_open, &question) != 0)
		seconds -= LATE_BY;
	hours.since_start = seconds - options->session_start;

	/* who has the session start hours earlier says that KIS turns over then */
	hours.before_open = hours.since_start >= 0 && seconds < OPENS_AT &&
		options->session_start >= OPENS_AT - SECS_PER_HOUR;
	if (hours.before_open)
	{
		int64_t		unix_day;

		if (kis_trading_day(unix_seconds(collected_at), SECS_PER_DAY, true, is_open, &question,
							&unix_day))
			hours.day_before = (DateADT) (unix_day - UNIX_EPOCH_DAYS);
	}
	return hours;
}

int64
kis_clock_error(const KisInquiry *inquiry)
{
	int64		ahead;

	if (inquiry->reply == NULL || inquiry->reply->date == 0)
		return 0;
	ahead = unix_seconds(inquiry->arrived_at) - inquiry->reply->date;
	return ahead > CLOCKS_AGREE_WITHIN || ahead < -CLOCKS_AGREE_WITHIN ? ahead : 0;
}

const char *const kis_clock_hint = "Set the clock of the server's machine, and keep it right by NTP.";

char *
kis_clock_complaint(const KisInquiry *inquiry)
{
	int64		ahead = kis_clock_error(inquiry);

	return psprintf("the server's clock is " INT64_FORMAT " s %s KIS's",
					ahead > 0 ? ahead : -ahead, ahead > 0 ? "ahead of" : "behind");
}

void
kis_trade_date_prepare(KisStatement *statement, KisConnection *connection, KisCounters *counters)
{
	CalendarQuestion question = {
		.statement = statement,
		.connection = connection,
		.counters = counters
	};

	if (connection->options->calendar == KIS_CALENDAR_KIS)
		(void) ask_calendar(&question, kis_seoul_day(GetCurrentTimestamp()));
}
