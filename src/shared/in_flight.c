/*
 * in_flight.c
 *		One session does what many wait for: who is it, who takes over when it
 *		goes, who gets its failure.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "kis.h"
#include "shared/block.h"
#include "shared/in_flight.h"

static uint64 broadcasts = 0;
static int64 spared_until_us = 0;

/*
 * How often this session has told others that something moved: each time ends
 * its own sleep on a condition variable.
 */
uint64
kis_in_flight_broadcasts(void)
{
	return broadcasts;
}

static void
tell(KisInFlight *in_flight)
{
	ConditionVariableBroadcast(&in_flight->moved);
	broadcasts++;
}

static bool
is_mine(const KisInFlight *in_flight, uint64 attempt)
{
	return in_flight->owner.pid == MyProcPid && in_flight->attempt == attempt;
}

/* Is a session at it? */
bool
kis_in_flight_is_owned(const KisInFlight *in_flight, int64 now_us)
{
	return in_flight->owner.pid != 0 && now_us < Max(in_flight->owner.until_us, spared_until_us);
}

/*
 * This session has stood still, and so may have all others with the machine:
 * from its point of view their leases begin anew.
 */
void
kis_in_flight_spare_others(int64 now_us)
{
	spared_until_us = now_us + KIS_LEASE_US;
}

/*
 * *attempt is 0 at first; it then names the attempt that the caller is part of.
 * Of another session's, *waits_for is what keeps it waiting; KIS_OK: the
 * network.
 */
KisInFlightAnswer
kis_in_flight_join(KisShared *shared, KisInFlight *in_flight, uint64 *attempt,
				   int64 now_us, int64 *wake_at_us, KisErrorClass *waits_for)
{
	KisOwner   *owner = &in_flight->owner;

	if (*attempt != 0 && in_flight->failed >= *attempt)
		return KIS_IN_FLIGHT_FAILED;
	if (!kis_in_flight_is_owned(in_flight, now_us))
	{
		owner->pid = MyProcPid;
		owner->until_us = now_us + KIS_LEASE_US;
		owner->waits_for = KIS_OK;
		/* whoever waited for an earlier attempt gets what comes of this one */
		*attempt = in_flight->attempt = ++shared->last_number;
		return KIS_IN_FLIGHT_MINE;
	}
	if (*attempt == 0)
		*attempt = in_flight->attempt;
	*wake_at_us = Min(*wake_at_us, Max(owner->until_us, spared_until_us));
	*waits_for = owner->waits_for;
	return KIS_IN_FLIGHT_THEIRS;
}

/* The owner waits for the rate, a token or another try, or again for the network alone. */
void
kis_in_flight_waits_for(KisInFlight *in_flight, uint64 attempt, KisErrorClass waits_for)
{
	if (!is_mine(in_flight, attempt) || in_flight->owner.waits_for == waits_for)
		return;
	in_flight->owner.waits_for = waits_for;
	tell(in_flight);
}

/* The owner is through; failure is NULL where it succeeded. */
void
kis_in_flight_end(KisInFlight *in_flight, uint64 attempt, const KisError *failure)
{
	if (failure != NULL && attempt > in_flight->failed)
	{
		in_flight->failed = attempt;
		in_flight->failure = *failure;
	}
	if (is_mine(in_flight, attempt))
		in_flight->owner.pid = 0;
	tell(in_flight);
}

/* The owner leaves the wire's loop: others take over, at once or after a moment. */
void
kis_in_flight_leave(KisInFlight *in_flight, uint64 attempt, bool at_once, int64 now_us)
{
	if (!is_mine(in_flight, attempt))
		return;
	if (at_once)
		in_flight->owner.pid = 0;
	else
		in_flight->owner.until_us = Min(in_flight->owner.until_us, now_us + KIS_GRACE_US);
	tell(in_flight);
}

/* It is back, or still there, and renews its lease: true where nobody has taken over. */
bool
kis_in_flight_return(KisInFlight *in_flight, uint64 attempt, int64 now_us)
{
	if (!is_mine(in_flight, attempt))
		return false;
	in_flight->owner.until_us = now_us + KIS_LEASE_US;
	return true;
}
