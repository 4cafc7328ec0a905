/*
 * rate.c
 *		At most so many calls begun or under way in any one second, over all
 *		sessions, first come first served.
 *
 * KIS counts arrivals, and whether its window is fixed or slides is unknown.
 * Since a slot is taken before the call is sent and free only a second after
 * its reply came, any second of any alignment at the server holds no more
 * arrivals than there are slots.
 */
#include "postgres.h"

#include <math.h>

#include "storage/latch.h"
#include "storage/proc.h"

#include "compat.h"
#include "state.h"

#define RECOVERY_US			(60 * KIS_US)
#define QUEUE_FULL_PAUSE_US	(100 * 1000)

/* Refusals leave one call a second, or this share of a rate that is not more. */
#define LEAST_FACTOR		0.25

/* The share of the rate that may be used now: it grows back in a minute. */
static double
current_factor(const KisRate *rate, int64 now_us)
{
	double		recovered = (double) (now_us - rate->refused_at_us) / RECOVERY_US;

	if (rate->refused_at_us == 0 || recovered >= 1.0)
		return 1.0;
	return rate->factor + (1.0 - rate->factor) * recovered;
}

double
kis_rate_effective(const KisRate *rate, double per_second, int64 now_us)
{
	return per_second * current_factor(rate, now_us);
}

/* Whole calls fit into a second: 2.5 has two slots. */
static int
slot_count(const KisRate *rate, double per_second, int64 now_us)
{
	int			slots = (int) floor(kis_rate_effective(rate, per_second, now_us));

	return Min(Max(slots, 1), KIS_MAX_RATE);
}

/* How long a slot stays taken after the reply: longer than a second for less than one call a second. */
static int64
slot_period_us(const KisRate *rate, double per_second, int64 now_us)
{
	double		effective = kis_rate_effective(rate, per_second, now_us);

	return effective < 1.0 ? (int64) (KIS_US / effective) : KIS_US;
}

static KisRateWaiter *
next_waiter(KisRate *rate)
{
	KisRateWaiter *next = NULL;

	if (rate->nwaiters == 0)
		return NULL;
	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket != 0 && (next == NULL || waiter->ticket < next->ticket))
			next = waiter;
	}
	return next;
}

/* The session's own place; made where it has none yet; NULL where the queue is full. */
static KisRateWaiter *
my_place(KisRate *rate)
{
	KisRateWaiter *free_place = NULL;

	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket == 0)
			free_place = waiter;
		else if (waiter->procno == kis_my_procno())
			return waiter;
	}
	if (free_place != NULL)
	{
		free_place->procno = kis_my_procno();
		free_place->ticket = ++rate->last_ticket;
		rate->nwaiters++;
	}
	return free_place;
}

static void
wake_next(KisRate *rate)
{
	KisRateWaiter *next = next_waiter(rate);

	if (next != NULL && next->procno != kis_my_procno())
		SetLatch(&kis_proc(next->procno)->procLatch);
}

void
kis_rate_stop_waiting(KisRate *rate)
{
	for (int i = 0; i < KIS_RATE_WAITERS; i++)
	{
		KisRateWaiter *waiter = &rate->waiters[i];

		if (waiter->ticket != 0 && waiter->procno == kis_my_procno())
		{
			waiter->ticket = 0;
			rate->nwaiters--;
			wake_next(rate);
			return;
		}
	}
}

/* How many slots are taken, the first that is free, and when the next will be. */
static int
look_at_slots(KisRate *rate, int64 now_us, int *first_free, int64 *first_free_us)
{
	int			taken = 0;
	int			end = 0;

	*first_free = -1;
	*first_free_us = PG_INT64_MAX;
	/* All count: a rate that has just been lowered may have calls in its upper slots. */
	for (int i = 0; i < rate->end; i++)
	{
		if (rate->free_at_us[i] > now_us)
		{
			taken++;
			end = i + 1;
			*first_free_us = Min(*first_free_us, rate->free_at_us[i]);
		}
		else if (*first_free < 0)
			*first_free = i;
	}
	if (*first_free < 0)
		*first_free = end;
	rate->end = end;
	return taken;
}

/* Takes a slot, or goes on holding it, until then. */
static int
take_slot(KisRate *rate, int slot, int64 free_at_us)
{
	rate->free_at_us[slot] = free_at_us;
	rate->end = Max(rate->end, slot + 1);
	return slot;
}

int
kis_rate_take(KisRate *rate, double per_second, int64 now_us, int64 hold_us,
			  int64 *held_until_us, int64 *try_at_us)
{
	int			slots = slot_count(rate, per_second, now_us);
	int64		first_free_us;
	int			first_free;
	int			taken = look_at_slots(rate, now_us, &first_free, &first_free_us);
	KisRateWaiter *place;

	*held_until_us = now_us + hold_us + slot_period_us(rate, per_second, now_us);
	if (taken < slots && next_waiter(rate) == NULL)
		return take_slot(rate, first_free, *held_until_us);

	place = my_place(rate);
	if (place == NULL)
		*try_at_us = Min(*try_at_us, now_us + QUEUE_FULL_PAUSE_US);
	else if (place == next_waiter(rate))
	{
		if (taken < slots)
		{
			kis_rate_stop_waiting(rate);
			return take_slot(rate, first_free, *held_until_us);
		}
		*try_at_us = Min(*try_at_us, first_free_us);
	}
	/* else whoever is before this session wakes it */
	return -1;
}

void
kis_rate_give_back(KisRate *rate, int slot, int64 held_until_us, double per_second, int64 now_us)
{
	if (rate->free_at_us[slot] != held_until_us)
		return;
	take_slot(rate, slot, now_us + slot_period_us(rate, per_second, now_us));
	wake_next(rate);
}

void
kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us)
{
	/* calls that were under way at the last refusal say nothing new */
	if (sent_us <= rate->refused_at_us)
		return;
	rate->factor = Max(current_factor(rate, now_us) / 2,
					   per_second > 1.0 ? 1.0 / per_second : LEAST_FACTOR);
	rate->refused_at_us = now_us;
}
