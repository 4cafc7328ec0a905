/*
 * days.h
 *		The days that a table with a row a day holds. They are few and known,
 *		as the pairs are, so conditions on them are not translated either: each
 *		day is looked at, and those that are left decide the calls.
 */
#ifndef KIS_PLAN_DAYS_H
#define KIS_PLAN_DAYS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/execnodes.h"
#include "utils/date.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"

/* The days that a table with a row a day holds, and those that conditions leave of them */
typedef struct KisDays KisDays;

extern KisDays *kis_days_create(const KisCall *call, int nattrs, const AttrNumber *attrs);

/* Keeps the days that satisfy conditions on them and on what stands in slot. */
extern void kis_days_choose(KisDays *days, ExprState *quals, ExprContext *econtext,
							TupleTableSlot *slot);

/* Keeps the days from first to last, both included. */
extern void kis_days_choose_range(KisDays *days, DateADT first, DateADT last);

/* Is a row of a page of a day that is kept and has not come yet? */
extern bool kis_days_take(const KisDays *days, const KisCallArgs *args, const KisReply *page,
						  int row, DateADT *last_day_seen);

/* The rows that KIS is expected to have of them. */
extern double kis_days_rows(const KisDays *days);

/* The day that the next call is to be made for, after those up to which rows have come. */
#define KIS_NO_DAY	PG_INT32_MAX
extern DateADT kis_days_next(const KisDays *days, DateADT last_day_seen);

/* The calls that they take from the one for this day on, holidays estimated. */
extern int	kis_days_pages(const KisDays *days, DateADT day);

#endif							/* KIS_PLAN_DAYS_H */
