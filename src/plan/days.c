/*
 * days.c
 *		The days that a table with a row a day holds. They are few and known,
 *		as the pairs are, so conditions on them are not translated either: each
 *		day is looked at, and those that are left decide the calls.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "plan/days.h"

/* KIS knows of nothing before: the KOSPI counts from 1980-01-04. */
#define FIRST_YEAR	1980

/* The share of the days from Monday to Friday that the exchange is open. */
#define OPEN_SHARE	0.95

struct KisDays
{
	const KisCall *call;
	DateADT		first;
	int			n;
	bool	   *kept;			/* a flag a day */
	int			nattrs;
	const AttrNumber *attrs;	/* columns of type date that hold the day */
};

static DateADT
date_of(int year, int month, int day)
{
	return date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
}

/* What has happened ends today; a calendar goes on until the end of next year. */
static DateADT
last_day(const KisCall *call)
{
	DateADT		today = kis_seoul_day(GetCurrentTimestamp());
	int			year;
	int			month;
	int			day;

	if (call->paging != KIS_PAGING_FORWARD)
		return today;
	j2date(today + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return date_of(year + 1, 12, 31);
}

/*
 * The days of the call's rows, none kept yet, in the current memory context.
 * attrs, which must live as long, are the columns that conditions find the day
 * in.
 */
KisDays *
kis_days_create(const KisCall *call, int nattrs, const AttrNumber *attrs)
{
	KisDays    *days = palloc0(sizeof(KisDays));

	days->call = call;
	days->first = date_of(FIRST_YEAR, 1, 1);
	days->n = last_day(call) - days->first + 1;
	days->kept = palloc0(days->n * sizeof(bool));
	days->nattrs = nattrs;
	days->attrs = attrs;
	return days;
}

/*
 * May KIS have a row of the day? The calendar has all days; no session was ever
 * on a Sunday, nor on a Saturday since 1999, so no call is made for one.
 */
static bool
may_have_row(const KisCall *call, DateADT day)
{
	int			of_week = j2day(day + POSTGRES_EPOCH_JDATE);

	return call->paging == KIS_PAGING_FORWARD ||
		(of_week != 0 && (of_week != 6 || day < date_of(1999, 1, 1)));
}

/*
 * Keeps the days that satisfy the conditions together with what stands in slot,
 * the conditions' scan tuple: a pair's codes. Raises what the conditions raise.
 */
void
kis_days_choose(KisDays *days, ExprState *quals, ExprContext *econtext, TupleTableSlot *slot)
{
	for (int i = 0; i < days->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		days->kept[i] = false;
		if (!may_have_row(days->call, days->first + i))
			continue;
		for (int a = 0; a < days->nattrs; a++)
		{
			slot->tts_values[days->attrs[a] - 1] = DateADTGetDatum(days->first + i);
			slot->tts_isnull[days->attrs[a] - 1] = false;
		}
		days->kept[i] = ExecQualAndReset(quals, econtext);
	}
}

/* Keeps the days from first to last, both included. */
void
kis_days_choose_range(KisDays *days, DateADT first, DateADT last)
{
	for (int i = 0; i < days->n; i++)
	{
		DateADT		day = days->first + i;

		days->kept[i] = day >= first && day <= last && may_have_row(days->call, day);
	}
}

/* The rows that KIS is expected to have of them. */
double
kis_days_rows(const KisDays *days)
{
	int			n = 0;

	for (int i = 0; i < days->n; i++)
		n += days->kept[i];
	return days->call->paging == KIS_PAGING_FORWARD ? n : n * OPEN_SHARE;
}

/* Does day follow another in the order of the call's pages? All follow KIS_NO_DAY. */
static bool
follows(const KisCall *call, DateADT day, DateADT last_day_seen)
{
	if (last_day_seen == KIS_NO_DAY)
		return true;
	return call->paging == KIS_PAGING_FORWARD ? day > last_day_seen : day < last_day_seen;
}

/* The day of a row of a page. Raises where it has none, or one that doesn't follow the row before. */
static DateADT
day_of_row(const KisCall *call, const KisCallArgs *args, const KisReply *page, int row)
{
	DateADT		day;
	DateADT		before;

	if (!kis_day_from_text(page->rows[row].values[call->day_member].text, &day) ||
		(row > 0 && kis_day_from_text(page->rows[row - 1].values[call->day_member].text, &before) &&
		 !follows(call, day, before)))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_REPLY),
				 errmsg("KIS sent a reply that is not what it should be"),
				 errdetail("Row %d of %s has no day, or one out of order.", row + 1,
						   kis_call_subject(call, args))));
	return day;
}

/*
 * Is a row of a page of a day that is kept and has not come yet?
 * *last_day_seen, the day up to which rows have come, moves on with it;
 * KIS_NO_DAY: none has. Raises where the page's rows are out of order.
 */
bool
kis_days_take(const KisDays *days, const KisCallArgs *args, const KisReply *page, int row,
			  DateADT *last_day_seen)
{
	DateADT		day = day_of_row(days->call, args, page, row);

	if (!follows(days->call, day, *last_day_seen))
		return false;
	*last_day_seen = day;
	return day >= days->first && day < days->first + days->n && days->kept[day - days->first];
}

/*
 * The day, of those that are kept, that the next call is to be made for: the
 * first one that follows last_day_seen, up to which rows have come; KIS_NO_DAY
 * there stands for none yet, and as the result for none left.
 */
DateADT
kis_days_next(const KisDays *days, DateADT last_day_seen)
{
	bool		forward = days->call->paging == KIS_PAGING_FORWARD;
	int			step = forward ? 1 : -1;
	int			i = forward ? 0 : days->n - 1;

	if (last_day_seen != KIS_NO_DAY)
		i = forward ? Max(i, last_day_seen + 1 - days->first) : Min(i, last_day_seen - 1 - days->first);
	for (; i >= 0 && i < days->n; i += step)
		if (days->kept[i])
			return days->first + i;
	return KIS_NO_DAY;
}

/*
 * The calls that they take from the one for this day on, pages being as long as
 * usual. Those of the history hold open days, fewer than from Monday to Friday.
 */
int
kis_days_pages(const KisDays *days, DateADT day)
{
	int			reach = days->call->usual_rows - 1;
	int			pages = 0;

	if (days->call->paging != KIS_PAGING_FORWARD)
		reach = -(int) (reach * 7 / (5 * OPEN_SHARE));
	for (; day != KIS_NO_DAY; day = kis_days_next(days, day + reach))
		pages++;
	return pages;
}
