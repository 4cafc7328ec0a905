/*
 * trading_day.h
 *		Which trading day KIS's figures belong to: it does not say.
 */
#ifndef KIS_TRADING_DAY_H
#define KIS_TRADING_DAY_H

#include <stdbool.h>
#include <stdint.h>

#define KIS_SEOUL_OFFSET	(9 * 3600)	/* seconds east of UTC; no summer time
										 * since 1988 */

/* Is the exchange open on this day (days since 1970-01-01)? -1: not known. */
typedef int (*KisIsOpenDay) (void *context, int64_t day);

/* The trading day that figures which arrived then belong to; false: not known. */
extern bool kis_trading_day(int64_t unix_time, int session_start, bool has_figures,
							KisIsOpenDay is_open, void *context, int64_t *day);

/* Is this open day the first of its year? -1: not known. */
extern int	kis_is_first_open_day(int64_t day, KisIsOpenDay is_open, void *context);

/* The calendar that needs no call: open from Monday to Friday. */
extern int	kis_is_weekday(void *context, int64_t day);

#endif							/* KIS_TRADING_DAY_H */
