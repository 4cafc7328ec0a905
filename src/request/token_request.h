/*
 * token_request.h
 *		Getting access tokens: one session asks KIS, all that need the token
 *		wait for it.
 */
#ifndef KIS_REQUEST_TOKEN_REQUEST_H
#define KIS_REQUEST_TOKEN_REQUEST_H

#include "postgres.h"

#include "storage/condition_variable.h"

#include "kis.h"
#include "request/connection.h"

/* Getting tokens */
typedef enum KisTokenAnswer
{
	KIS_TOKEN_READY,
	KIS_TOKEN_WAIT,				/* until *wake_at_us, or told by *waits_on */
	KIS_TOKEN_FAILED			/* see *failure */
} KisTokenAnswer;

/* Has the connection's account a token that can be used now? */
extern bool kis_token_request_has_token(const KisConnection *connection);

/* Has the connection's account a token? */
extern KisTokenAnswer kis_token_request_get_token(KisConnection *connection, uint64 *attempt,
												  int64 now_us, int64 *wake_at_us,
												  ConditionVariable **waits_on,
												  KisErrorClass *waits_for, KisError *failure);

/* Copies the token that calls are to be sent with; returns its generation, 0 where there is none. */
extern uint64 kis_token_request_copy_token(const KisConnection *connection, char *token);

/* Moves the session's issues on; wake time as above. */
extern void kis_token_requests_advance(int64 now_us, int64 *wake_at_us);

/* The session leaves the wire's loop, or is back. */
extern void kis_token_requests_leave(bool at_once, int64 now_us);
extern void kis_token_requests_return(int64 now_us);

/* The session ends: what it has under way goes with it. */
extern void kis_token_requests_drop(int64 now_us);

#endif							/* KIS_REQUEST_TOKEN_REQUEST_H */
