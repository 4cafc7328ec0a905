/*
 * token_request.h
 *		Access tokens: one session requests it, all that need it wait.
 */
#ifndef KIS_REQUEST_TOKEN_REQUEST_H
#define KIS_REQUEST_TOKEN_REQUEST_H

#include "postgres.h"

#include "kis.h"
#include "request/connection.h"
#include "request/job.h"
#include "shared/in_flight.h"

typedef enum KisTokenAnswer
{
	KIS_TOKEN_READY,
	KIS_TOKEN_WAIT,				/* see *wait */
	KIS_TOKEN_FAILED			/* see *failure */
} KisTokenAnswer;

/* The number of the token that can be used now, and a copy of it; 0: there is none. */
extern uint64 kis_token_copy(const KisConnection *connection, char *token);

/* The same, and where there is none, has one session request it. */
extern KisTokenAnswer kis_token_obtain(KisConnection *connection, uint64 *attempt,
									   int64 now_us, KisWait *wait, char *token,
									   uint64 *generation, KisError *failure);

/* For the event loop; advance: false where the job is gone. */
extern bool kis_token_request_advance(KisJob *job, int64 now_us);
extern void kis_token_request_finished(KisJob *job, int64 arrived_us, int64 now_us);

#endif							/* KIS_REQUEST_TOKEN_REQUEST_H */
