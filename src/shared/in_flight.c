/*
 * in_flight.c
 *		Single flight: one session makes a call or token request, others wait
 *		for it and take over where it goes.
 *
 * The owner has it on a lease. Who takes over, and all who then wait, are part of
 * a new attempt; who was part of an attempt that failed gets its failure, though
 * the slot may know more by the time it looks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"

#include "kis.h"
#include "shared/block.h"
#include "shared/in_flight.h"

/* Until then this session takes no other's lease for ended. */
static int64 extended_until_us = 0;

/*
 * Wakes those who wait. It takes this session off the list of the condition
 * variable that it waits on itself, whichever that is: by its latch it looks again.
 */
static void
broadcast(KisInFlight *in_flight)
{
	ConditionVariableBroadcast(&in_flight->moved);
	SetLatch(MyLatch);
}

/* Does a session have it, on a lease that has not ended? */
bool
kis_in_flight_is_owned(const KisInFlight *in_flight, int64 now_us)
{
	return in_flight->owner.pid != 0 &&
		now_us < Max(in_flight->owner.until_us, extended_until_us);
}

/*
 * This session has stood still, and so may have all others with the machine: from
 * its point of view their leases begin anew.
 */
void
kis_in_flight_extend_leases(int64 now_us)
{
	extended_until_us = now_us + KIS_LEASE_US;
}

/*
 * Takes part: as the owner where there is none, or else as one who waits; then
 * *wait says on what, until when and for which reason. *attempt is 0 at first and
 * names from then on the attempt that the caller is part of.
 */
KisJoined
kis_in_flight_join(KisShared *shared, KisInFlight *in_flight, uint64 *attempt,
				   int64 now_us, KisWait *wait)
{
	KisOwner   *owner = &in_flight->owner;

	if (*attempt != 0 && in_flight->failed >= *attempt)
		return KIS_JOINED_TOO_LATE;
	if (!kis_in_flight_is_owned(in_flight, now_us))
	{
		owner->pid = MyProcPid;
		owner->until_us = now_us + KIS_LEASE_US;
		owner->waits_for = KIS_OK;
		/* whoever waited for an earlier attempt gets what comes of this one */
		*attempt = in_flight->attempt = ++shared->last_number;
		return KIS_JOINED_AS_OWNER;
	}
	if (*attempt == 0)
		*attempt = in_flight->attempt;
	wait->wake_at_us = Min(wait->wake_at_us, Max(owner->until_us, extended_until_us));
	wait->reason = owner->waits_for;
	wait->on = &in_flight->moved;
	return KIS_JOINED_AS_WAITER;
}

/*
 * The attempt has ended: with a failure, which those who wait for it get, or,
 * where that is NULL, with what they find now, or so that one of them takes over.
 */
void
kis_in_flight_end(KisInFlight *in_flight, uint64 attempt, const KisError *failure)
{
	if (failure != NULL && attempt > in_flight->failed)
	{
		in_flight->failed = attempt;
		in_flight->failure = *failure;
	}
	if (in_flight->owner.pid == MyProcPid && in_flight->attempt == attempt)
		in_flight->owner.pid = 0;
	broadcast(in_flight);
}

/*
 * The owner renews its lease until until_us, and says what it waits for, for those
 * who wait for it. Sooner than the lease would have ended: it leaves the event loop,
 * and others take over then. False where another session has taken over.
 */
bool
kis_in_flight_renew(KisInFlight *in_flight, uint64 attempt, int64 until_us,
					KisErrorClass waits_for)
{
	KisOwner   *owner = &in_flight->owner;
	bool		is_news = until_us < owner->until_us || waits_for != owner->waits_for;

	if (owner->pid != MyProcPid || in_flight->attempt != attempt)
		return false;
	owner->until_us = until_us;
	owner->waits_for = waits_for;
	if (is_news)
		broadcast(in_flight);
	return true;
}
