/*
 * day.c
 *		Days as KIS writes them, and moments as days in Seoul.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "common/day.h"
#include "kis.h"
#include "kis/trading_day.h"

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
		number = number * 10 + (*(*text) ++- '0');
	return number;
}

/* A day as KIS writes it, YYYYMMDD, and back; false where it is something else. */
void
kis_day_to_text(DateADT date, char *text)
{
	char	   *end = text +KIS_DATE_LEN - 1;
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

/*
 * Seconds since 1970-01-01 UTC of a timestamptz, which counts from 2000-01-01;
 * parts of a second are cut, before that day as after it.
 */
int64
kis_unix_seconds(TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC;

	if (at % USECS_PER_SEC < 0)
		seconds--;
	return seconds + KIS_UNIX_EPOCH_DAYS * (int64) SECS_PER_DAY;
}

/* The day in Seoul, and the seconds since its midnight. */
DateADT
kis_seoul_day(TimestampTz at)
{
	int64		seconds = kis_unix_seconds(at) + KIS_SEOUL_OFFSET;

	return (DateADT) (seconds / SECS_PER_DAY - KIS_UNIX_EPOCH_DAYS);
}

int
kis_seoul_seconds(TimestampTz at)
{
	return (int) ((kis_unix_seconds(at) + KIS_SEOUL_OFFSET) % SECS_PER_DAY);
}
