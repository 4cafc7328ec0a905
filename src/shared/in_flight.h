/*
 * in_flight.h
 *		Single flight: one session makes a call or token request, others wait
 *		for it and take over where it goes.
 */
#ifndef KIS_SHARED_IN_FLIGHT_H
#define KIS_SHARED_IN_FLIGHT_H

#include "postgres.h"

#include "kis.h"
#include "shared/block.h"

/* What a session waits for. */
typedef struct KisWait
{
	int64		wake_at_us;		/* when it comes; PG_INT64_MAX: not known */
	ConditionVariable *on;		/* that another session broadcasts; NULL: none */
	KisErrorClass reason;		/* that max_wait bounds; KIS_OK: the network,
								 * which it does not */
	KisCause	cause;			/* that others see */
} KisWait;

typedef enum KisJoined
{
	KIS_JOINED_AS_OWNER,		/* the caller makes it */
	KIS_JOINED_AS_WAITER,		/* another session does: see *wait */
	KIS_JOINED_TOO_LATE			/* the attempt has failed: see failure */
} KisJoined;

/* All need the lock exclusively, but kis_in_flight_is_owned, for which it may be shared. */

/* Takes part; *attempt is 0 at first. */
extern KisJoined kis_in_flight_join(KisShared *shared, KisInFlight *in_flight,
									uint64 *attempt, int64 now_us, KisWait *wait);

/* Does a session have it, on a lease that has not ended? */
extern bool kis_in_flight_is_owned(const KisInFlight *in_flight, int64 now_us);

/* The machine stood still: the leases of others begin anew. */
extern void kis_in_flight_extend_leases(int64 now_us);

/* The owner has done, or others are to take over; failure, if any, is the waiters'. */
extern void kis_in_flight_end(KisInFlight *in_flight, uint64 attempt, const KisError *failure);

/* The owner renews its lease and says what it waits for; false where it has lost it. */
extern bool kis_in_flight_renew(KisInFlight *in_flight, uint64 attempt, int64 until_us,
								KisErrorClass waits_for);

#endif							/* KIS_SHARED_IN_FLIGHT_H */
