/*
 * in_flight.h
 *		One session does what many wait for: who is it, who takes over when it
 *		goes, who gets its failure.
 */
#ifndef KIS_SHARED_IN_FLIGHT_H
#define KIS_SHARED_IN_FLIGHT_H

#include "postgres.h"

#include "kis.h"
#include "shared/block.h"

/* The lock must be held exclusively */
typedef enum KisInFlightAnswer
{
	KIS_IN_FLIGHT_MINE,			/* the caller is the owner and does it */
	KIS_IN_FLIGHT_THEIRS,		/* to be waited for on "moved", or until
								 * *wake_at_us */
	KIS_IN_FLIGHT_FAILED		/* the attempt that was waited for: see
								 * failure */
} KisInFlightAnswer;

/* *attempt is 0 at first */
extern KisInFlightAnswer kis_in_flight_join(KisShared *shared, KisInFlight *in_flight, uint64 *attempt,
											int64 now_us, int64 *wake_at_us,
											KisErrorClass *waits_for);

/* Is a session at it? */
extern bool kis_in_flight_is_owned(const KisInFlight *in_flight, int64 now_us);

/* This session has stood still, and so may have all others with the machine */
extern void kis_in_flight_spare_others(int64 now_us);

/* The owner waits for the rate, a token or another try, or again for the network alone. */
extern void kis_in_flight_waits_for(KisInFlight *in_flight, uint64 attempt, KisErrorClass waits_for);

/* The owner is through; failure is NULL where it succeeded. */
extern void kis_in_flight_end(KisInFlight *in_flight, uint64 attempt, const KisError *failure);

/* The owner leaves the wire's loop: others take over, at once or after a moment. */
extern void kis_in_flight_leave(KisInFlight *in_flight, uint64 attempt, bool at_once, int64 now_us);

/* It is back, or still there, and renews its lease: true where nobody has taken over. */
extern bool kis_in_flight_return(KisInFlight *in_flight, uint64 attempt, int64 now_us);

/* How often this session has told others that something moved */
extern uint64 kis_in_flight_broadcasts(void);

#endif							/* KIS_SHARED_IN_FLIGHT_H */
