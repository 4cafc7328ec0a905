/*
 * rate.c
 *		At most so many calls begun or under way in any one second.
 *
 * KIS counts arrivals, and whether its window is fixed or slides is unknown.
 * Since a slot is taken before the call is sent and free only a second after
 * its reply, any second of any alignment at the server holds no more arrivals
 * than there are slots.
 */
#include "postgres.h"

#include <math.h>

#include "state.h"

#define RECOVERY_US	(60 * KIS_US)

/* The share of the rate that may be used now: it grows back in a minute. */
static double
current_factor(const KisRate *rate, int64 now_us)
{
	double		recovered = (double) (now_us - rate->refused_at_us) / RECOVERY_US;

	if (rate->factor >= 1.0 || recovered >= 1.0)
		return 1.0;
	return rate->factor + (1.0 - rate->factor) * recovered;
}

/* Slots that a rate has; whole calls fit into a second, so 2.5 has two. */
static int
slot_count(const KisRate *rate, double per_second, int64 now_us)
{
	int			slots = (int) floor(per_second * current_factor(rate, now_us));

	return Min(Max(slots, 1), KIS_MAX_RATE);
}

/* How long a slot stays taken after the reply: longer than a second for less than one call a second. */
static int64
slot_period_us(double per_second)
{
	return per_second < 1.0 ? (int64) (KIS_US / per_second) : KIS_US;
}

int
kis_rate_take(KisRate *rate, double per_second, int64 now_us, int64 hold_us, int64 *try_at_us)
{
	int			slots = slot_count(rate, per_second, now_us);
	int			taken = 0;
	int			found = -1;
	int64		first_free_us = PG_INT64_MAX;

	/* All count: a rate that has just been lowered may have calls in its upper slots. */
	for (int i = 0; i < KIS_MAX_RATE; i++)
	{
		if (rate->free_at_us[i] > now_us)
		{
			taken++;
			first_free_us = Min(first_free_us, rate->free_at_us[i]);
		}
		else if (found < 0)
			found = i;
	}
	if (taken >= slots)
	{
		*try_at_us = first_free_us;
		return -1;
	}
	rate->free_at_us[found] = now_us + hold_us + slot_period_us(per_second);
	return found;
}

void
kis_rate_give_back(KisRate *rate, int slot, double per_second, int64 now_us)
{
	rate->free_at_us[slot] = now_us + slot_period_us(per_second);
}

void
kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us)
{
	/* calls that were under way at the last refusal say nothing new */
	if (rate->factor < 1.0 && sent_us <= rate->refused_at_us)
		return;
	rate->factor = Max(current_factor(rate, now_us) / 2, 1.0 / Max(per_second, 1.0));
	rate->refused_at_us = now_us;
}
