/*
 * rate.h
 *		At most so many calls begun or under way in any one second, over all
 *		sessions, first come first served.
 */
#ifndef KIS_SHARED_RATE_H
#define KIS_SHARED_RATE_H

#include "postgres.h"

#include "shared/block.h"

/* All that change it need the lock exclusively. */

/* A slot and the end of its lease, or -1 and when to try again where that is known. */
extern int	kis_rate_take(KisRate *rate, double per_second, int64 now_us,
						  int64 *until_us, int64 *try_at_us);

/* A lease of the slot from now on; false where that has ended, and another call may have it. */
extern bool kis_rate_renew(KisRate *rate, int slot, int64 *until_us, int64 now_us);

/* Does nothing where the lease has ended and another call has the slot. */
extern void kis_rate_give_back(KisRate *rate, int slot, int64 until_us, int64 now_us);

/* The session gives up its place in the queue, unless it was renewed at since_us or later. */
extern void kis_rate_stop_waiting(KisRate *rate, int64 since_us, int64 now_us);

/* KIS refused a call that was sent at sent_us: halve, recover within a minute. */
extern void kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us);

/* What the rate is now, refusals counted in. */
extern double kis_rate_effective(const KisRate *rate, double per_second, int64 now_us);

#endif							/* KIS_SHARED_RATE_H */
