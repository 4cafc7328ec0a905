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

/* The same days, none kept. */
extern KisDays *kis_days_create_like(const KisDays *days);

extern void kis_days_choose(KisDays *days, const KisDays *others, ExprState *quals,
							ExprContext *econtext, TupleTableSlot *slot);

/* Keeps the days from first to last. */
extern void kis_days_choose_range(KisDays *days, DateADT first, DateADT last);

/* Is a row of a page of a day that is kept and has not come yet? */
extern bool kis_days_take(const KisDays *days, const KisCallArgs *args, const KisReply *page,
						  int row, DateADT *last_day_seen);

/* The rows that they are expected to have. */
extern double kis_days_rows(const KisDays *days);

/* Do they go back to where nobody knows whether KIS has anything? Then the calls may be fewer. */
extern bool kis_days_reach_back(const KisDays *days);

/*
 * The day, of those that are kept, that the call is to be made for next: in
 * the order of its pages beyond the day up to which rows are here already, or
 * the first one where that is KIS_NO_DAY. KIS_NO_DAY: none is left.
 */
#define KIS_NO_DAY	PG_INT32_MAX
extern DateADT kis_days_next(const KisDays *days, DateADT last_day_seen);

/* Does day come after beyond in the order of the call's pages? After KIS_NO_DAY all do. */
extern bool kis_day_is_beyond(const KisCall *call, DateADT day, DateADT last_day_seen);

/* The calls that they take from the one for this day on, holidays estimated. */
extern int	kis_days_pages(const KisDays *days, DateADT day);

#endif							/* KIS_PLAN_DAYS_H */
