/*
 * calendar.h
 *		The trading day of figures, by the calendar that the server's option
 *		names.
 */
#ifndef KIS_REQUEST_CALENDAR_H
#define KIS_REQUEST_CALENDAR_H

#include "postgres.h"

#include "utils/date.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "request/connection.h"
#include "request/state.h"

/* The trading day of figures that came at collected_at; false: not known. query NULL: by weekdays. */
extern bool kis_trade_date(KisQuery *query, KisConnection *connection,
						   TimestampTz collected_at, bool has_figures, KisCounters *counters,
						   DateADT *day, KisError *failure);

/* Where in the exchange's day a moment lies, as far as it bears on what to believe of figures. */
typedef struct KisHours
{
	bool		closed;			/* says KIS's calendar, which has been wrong;
								 * the week-end of "weekday" has not */
	int			since_start;	/* seconds from session_start, as late opens
								 * move it; negative: before it */
	bool		before_open;	/* after session_start, but nothing has been
								 * traded yet */
	DateADT		day_before;		/* the open day before, where before_open;
								 * DATEVAL_NOBEGIN: not known */
} KisHours;

/* Once kis_trade_date has found the day of the same moment. */
extern KisHours kis_hours(KisQuery *query, KisConnection *connection,
						  TimestampTz collected_at, KisCounters *counters);

/* Seconds that the server's clock was ahead of KIS's (negative: behind); 0: it is right. */
extern int64 kis_clock_error(const KisRequest *request);

/* The same in words, and what to do about it, as a hint. */
extern char *kis_clock_complaint(const KisRequest *request);
extern const char *const kis_clock_hint;

/* Requests what kis_trade_date will need, without waiting. */
extern void kis_trade_date_prepare(KisQuery *query, KisConnection *connection,
								   KisCounters *counters);

#endif							/* KIS_REQUEST_CALENDAR_H */
