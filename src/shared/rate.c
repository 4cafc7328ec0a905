/*
 * rate.c
 *		At most so many calls begun or under way in any one second, over all
 *		sessions, first come first served.
 *
 * KIS counts arrivals, and whether its window is fixed or slides is unknown.
 * Since a slot is taken before the call is sent and free only a second after
 * its reply came, any second of any alignment at the server holds no more
 * arrivals than there are slots.
 *
 * Who finds no slot free takes a ticket and is woken by its latch. A condition
 * variable would not do for the queue: a session can be on the list of one alone,
 * and beside the rate it waits for calls of other sessions; and from that list none
 * could be passed over whose session stands still.
 */
#include "postgres.h"

#include <math.h>

#include "storage/latch.h"
#include "storage/proc.h"

#include "compat.h"
#include "shared/block.h"
#include "shared/rate.h"

#define RECOVERY_US			(60 * KIS_US)

/* Refusals leave one call a second, or this share of a rate that is not more. */
#define LEAST_FACTOR		0.25

/* What the rate is now: after a refusal by KIS it grows back within a minute. */
double
kis_rate_effective(const KisRate *rate, double per_second, int64 now_us)
{
	double		recovered = (double) (now_us - rate->refused_at_us) / RECOVERY_US;

	if (rate->refused_at_us == 0 || recovered >= 1.0)
		return per_second;
	return per_second * (rate->factor + (1.0 - rate->factor) * recovered);
}

/* A session that stands still is passed over, but keeps its place for when it goes on. */
static bool
is_expired(const KisRateWaiter *waiter, int64 now_us)
{
	return now_us - waiter->renewed_us >= KIS_LEASE_US;
}

/* Whose turn it is; NULL: nobody waits. */
static const KisRateWaiter *
next_waiter(const KisRate *rate, int64 now_us)
{
	const KisRateWaiter *next = NULL;

	if (rate->nwaiters == 0)
		return NULL;
	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		const KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket != 0 && !is_expired(waiter, now_us) &&
			(next == NULL || waiter->ticket < next->ticket))
			next = waiter;
	}
	return next;
}

/*
 * The session's own place; made where it has none yet, if need be of one whose
 * session stands still; NULL where the queue is full.
 */
static const KisRateWaiter *
my_place(KisRate *rate, int64 now_us)
{
	KisRateWaiter *mine = NULL;

	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket != 0 && waiter->procno == kis_my_procno())
		{
			waiter->renewed_us = now_us;
			return waiter;
		}
		if (waiter->ticket == 0)
			mine = waiter;
		else if (is_expired(waiter, now_us) && mine == NULL)
			mine = waiter;
	}
	if (mine != NULL)
	{
		if (mine->ticket == 0)
			rate->nwaiters++;
		mine->procno = kis_my_procno();
		mine->ticket = ++rate->last_ticket;
		mine->renewed_us = now_us;
	}
	return mine;
}

static void
wake_next(const KisRate *rate, int64 now_us)
{
	const KisRateWaiter *next = next_waiter(rate, now_us);

	if (next != NULL && next->procno != kis_my_procno())
		SetLatch(&kis_proc(next->procno)->procLatch);
}

/* The session gives up its place in the queue, unless it was renewed at since_us or later. */
void
kis_rate_stop_waiting(KisRate *rate, int64 since_us, int64 now_us)
{
	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket != 0 && waiter->procno == kis_my_procno() &&
			waiter->renewed_us < since_us)
		{
			waiter->ticket = 0;
			rate->nwaiters--;
			wake_next(rate, now_us);
			return;
		}
	}
}

/* How many slots are taken, the first that is free, and when the next will be. */
static int
look_at_slots(KisRate *rate, int64 period_us, int64 now_us, int *first_free, int64 *first_free_us)
{
	int			taken = 0;
	int			end = 0;

	*first_free = -1;
	*first_free_us = PG_INT64_MAX;

	/*
	 * All count: a rate that has just been lowered may have calls in its
	 * upper slots.
	 */
	for (int i = 0; i < rate->end; i++)
	{
		int64		free_at_us = rate->until_us[i] +
			(rate->until_us[i] < rate->counts_from_us ? KIS_US : period_us);

		if (free_at_us > now_us)
		{
			taken++;
			end = i + 1;
			*first_free_us = Min(*first_free_us, free_at_us);
		}
		else if (*first_free < 0)
			*first_free = i;
	}
	if (*first_free < 0)
		*first_free = end;
	rate->end = end;
	return taken;
}

static int
take_slot(KisRate *rate, int slot, int64 now_us, int64 *until_us)
{
	*until_us = now_us + KIS_LEASE_US;
	rate->until_us[slot] = *until_us;
	rate->end = Max(rate->end, slot + 1);
	return slot;
}

/*
 * The lock must be held exclusively but for questions; a slot and the end of
 * its lease, or -1 and the time to try again
 */
int
kis_rate_take(KisRate *rate, double per_second, int64 now_us,
			  int64 *until_us, int64 *try_at_us)
{
	double		effective = kis_rate_effective(rate, per_second, now_us);

	/* whole calls fit into a second: 2.5 has two slots */
	int			slots = Min(Max((int) floor(effective), 1), KIS_MAX_RATE);

	/*
	 * a slot stays taken after the reply, longer for less than one call a
	 * second
	 */
	int64		period_us = effective < 1.0 ? (int64) (KIS_US / effective) : KIS_US;
	int64		first_free_us;
	int			first_free;
	int			taken = look_at_slots(rate, period_us, now_us, &first_free, &first_free_us);
	const KisRateWaiter *place;

	if (taken < slots && next_waiter(rate, now_us) == NULL)
		return take_slot(rate, first_free, now_us, until_us);

	place = my_place(rate, now_us);
	if (place != NULL && place == next_waiter(rate, now_us))
	{
		if (taken < slots)
		{
			kis_rate_stop_waiting(rate, PG_INT64_MAX, now_us);
			return take_slot(rate, first_free, now_us, until_us);
		}
		*try_at_us = Min(*try_at_us, first_free_us);
	}
	/* else whoever is before this session wakes it; it looks again anyway */
	return -1;
}

/* A lease of the slot from now on; false where that has ended, and another call may have it. */
bool
kis_rate_renew(KisRate *rate, int slot, int64 *until_us, int64 now_us)
{
	/* no session takes a slot sooner than a second after its lease */
	if (rate->until_us[slot] != *until_us || now_us >= *until_us + KIS_US)
		return false;
	take_slot(rate, slot, now_us, until_us);
	return true;
}

/* Does nothing where the lease has ended and another call has the slot. */
void
kis_rate_give_back(KisRate *rate, int slot, int64 until_us, int64 now_us)
{
	if (rate->until_us[slot] != until_us || until_us <= now_us)
		return;
	rate->until_us[slot] = now_us;
	wake_next(rate, now_us);
}

/* KIS refused a call that was sent at sent_us: halve, recover within a minute. */
void
kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us)
{
	/* calls that were under way at the last refusal say nothing new */
	if (sent_us <= rate->refused_at_us)
		return;
	rate->factor = Max(kis_rate_effective(rate, 1.0, now_us) / 2,
					   per_second > 1.0 ? 1.0 / per_second : LEAST_FACTOR);
	rate->refused_at_us = now_us;
}
