/*
 * trading_day_test.c
 *		Which day figures belong to.
 */
#include "unit.h"

#include <time.h>

#include "kis/trading_day.h"

#define SESSION_START	(8 * 3600 + 30 * 60)

/* "2026-09-25" as days since 1970-01-01. */
static int64_t
day_of(const char *date)
{
	struct tm	tm = {0};

	assert_int_equal(sscanf(date, "%d-%d-%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday), 3);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm) / 86400;
}

/* "2026-09-25 08:30:00" in Seoul as Unix seconds. */
static int64_t
time_of(const char *local)
{
	int			hour;
	int			minute;
	int			second;

	assert_int_equal(sscanf(local + 10, "%d:%d:%d", &hour, &minute, &second), 3);
	return day_of(local) * 86400 + hour * 3600 + minute * 60 + second - 9 * 3600;
}

/* Closed at weekends, at Chuseok 2026 and on New Year's Day. */
static int
is_open(void *context, int64_t day)
{
	static const char *const holidays[] = {
		"2026-09-24", "2026-09-25", "2026-09-26", "2026-12-31", "2027-01-01",
	};

	(void) context;
	for (size_t i = 0; i < lengthof(holidays); i++)
		if (day == day_of(holidays[i]))
			return 0;
	return kis_is_weekday(NULL, day);
}

/* Knows only the days from its context on. */
static int
is_open_since(void *context, int64_t day)
{
	return day < *(int64_t *) context ? -1 : is_open(NULL, day);
}

static int
is_never_open(void *context, int64_t day)
{
	(void) context;
	(void) day;
	return 0;
}

static void
test_weekdays(void **state)
{
	static const char *const days[] = {
		"2026-07-06", "2026-07-07", "2026-07-08", "2026-07-09", "2026-07-10", "2026-07-11", "2026-07-12",
	};

	(void) state;
	for (int i = 0; i < 7; i++)
		assert_int_equal(kis_is_weekday(NULL, day_of(days[i])), i < 5);
	/* before 1970 too */
	assert_int_equal(kis_is_weekday(NULL, -1), 1);
	assert_int_equal(kis_is_weekday(NULL, -4), 0);
	assert_int_equal(kis_is_weekday(NULL, -5), 0);
	assert_int_equal(kis_is_weekday(NULL, -6), 1);
}

static void
test_table(void **state)
{
	static const struct
	{
		const char *arrived;
		bool		has_figures;
		const char *day;
	}			cases[] =
	{
		/* an open Friday, before and after the session begins */
		{"2026-07-10 00:00:00", true, "2026-07-09"},
		{"2026-07-10 00:00:00", false, "2026-07-10"},
		{"2026-07-10 08:29:59", true, "2026-07-09"},
		{"2026-07-10 08:29:59", false, "2026-07-10"},
		{"2026-07-10 08:30:00", true, "2026-07-10"},
		{"2026-07-10 08:30:00", false, "2026-07-10"},
		{"2026-07-10 15:45:00", true, "2026-07-10"},
		{"2026-07-10 23:59:59", true, "2026-07-10"},
		/* the weekend shows Friday, zeros or not */
		{"2026-07-11 00:00:00", true, "2026-07-10"},
		{"2026-07-11 12:00:00", false, "2026-07-10"},
		{"2026-07-12 23:59:59", true, "2026-07-10"},
		/* Monday morning shows Friday still */
		{"2026-07-13 00:00:00", true, "2026-07-10"},
		{"2026-07-13 08:00:00", false, "2026-07-13"},
		{"2026-07-13 09:00:00", true, "2026-07-13"},
		/* Chuseok from Thursday to Saturday, then Sunday */
		{"2026-09-23 10:00:00", true, "2026-09-23"},
		{"2026-09-24 10:00:00", true, "2026-09-23"},
		{"2026-09-25 10:00:00", true, "2026-09-23"},
		{"2026-09-27 10:00:00", true, "2026-09-23"},
		{"2026-09-28 08:00:00", true, "2026-09-23"},
		{"2026-09-28 08:00:00", false, "2026-09-28"},
		{"2026-09-28 08:30:00", true, "2026-09-28"},
		/* over the end of a year */
		{"2026-12-31 10:00:00", true, "2026-12-30"},
		{"2027-01-01 10:00:00", false, "2026-12-30"},
		{"2027-01-03 10:00:00", true, "2026-12-30"},
		{"2027-01-04 07:00:00", true, "2026-12-30"},
		{"2027-01-04 10:00:00", true, "2027-01-04"},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		int64_t		day = 0;

		assert_true(kis_trading_day(time_of(cases[i].arrived), SESSION_START, cases[i].has_figures,
									is_open, NULL, &day));
		if (day != day_of(cases[i].day))
			fail_msg("%s: not %s but %lld days after 1970", cases[i].arrived, cases[i].day, (long long) day);
	}
}

static void
test_session_starts(void **state)
{
	int64_t		day;

	(void) state;
	assert_true(kis_trading_day(time_of("2026-07-10 00:00:00"), 0, true, is_open, NULL, &day));
	assert_int_equal(day, day_of("2026-07-10"));
	assert_true(kis_trading_day(time_of("2026-07-10 17:59:59"), 18 * 3600, true, is_open, NULL, &day));
	assert_int_equal(day, day_of("2026-07-09"));
}

static void
test_first_open_day(void **state)
{
	int64_t		since = day_of("2027-01-03");

	(void) state;
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-04"), is_open, NULL), 1);
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-05"), is_open, NULL), 0);
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-11"), is_open, NULL), 0);
	assert_int_equal(kis_is_first_open_day(day_of("2026-12-30"), is_open, NULL), 0);
	assert_int_equal(kis_is_first_open_day(day_of("2026-07-10"), is_open, NULL), 0);
	/* New Year's Day is none, whatever a calendar of weekdays says; 2026-01-01 was a Thursday */
	assert_int_equal(kis_is_first_open_day(day_of("2026-01-02"), kis_is_weekday, NULL), 1);
	assert_int_equal(kis_is_first_open_day(day_of("2026-01-05"), kis_is_weekday, NULL), 0);
	/* a calendar that begins too late, or has no open day */
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-04"), is_open_since, &since), -1);
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-05"), is_open_since, &since), 0);
	assert_int_equal(kis_is_first_open_day(day_of("2027-01-29"), is_never_open, NULL), 1);
	assert_int_equal(kis_is_first_open_day(day_of("2027-02-05"), is_never_open, NULL), 0);
}

static void
test_unknown(void **state)
{
	int64_t		first = day_of("2026-07-10");
	int64_t		day;

	(void) state;
	/* today known, yesterday not: only looked up where it is needed */
	assert_true(kis_trading_day(time_of("2026-07-10 10:00:00"), SESSION_START, true, is_open_since, &first, &day));
	assert_int_equal(day, first);
	assert_true(kis_trading_day(time_of("2026-07-11 10:00:00"), SESSION_START, true, is_open_since, &first, &day));
	assert_int_equal(day, first);
	assert_false(kis_trading_day(time_of("2026-07-10 08:00:00"), SESSION_START, true, is_open_since, &first, &day));
	assert_false(kis_trading_day(time_of("2026-07-09 10:00:00"), SESSION_START, true, is_open_since, &first, &day));
	/* a calendar without an open day */
	assert_false(kis_trading_day(time_of("2026-07-10 10:00:00"), SESSION_START, true, is_never_open, NULL, &day));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weekdays),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_session_starts),
		cmocka_unit_test(test_first_open_day),
		cmocka_unit_test(test_unknown),
	};

	return run_unit_tests(tests);
}
