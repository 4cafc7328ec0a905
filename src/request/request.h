/*
 * request.h
 *		An request's way: the cache, another session's call, or a call of its
 *		own with token and slot; and what to do with what came.
 */
#ifndef KIS_REQUEST_REQUEST_H
#define KIS_REQUEST_REQUEST_H

#include "postgres.h"

#include "request/state.h"

/* request.c, for the loop */
extern void kis_request_advance(KisRequestState *state, const KisQuery *waiting, int64 now_us);

/* The session leaves the wire's loop, or is back. */
extern void kis_request_leave(KisRequestState *state, bool at_once, int64 now_us);
extern void kis_request_return(KisRequestState *state, int64 now_us);

/* max_wait is over: it fails, and the error says what it was waiting for. */
extern void kis_request_give_up(KisRequestState *state, int64 now_us);

/* A new one, in its statement's list already; the cache may answer it. */
extern void kis_request_begin(KisRequest *request);

/* Lets go of what the request has under way. */
extern void kis_request_abandon(KisRequest *request);

#endif							/* KIS_REQUEST_REQUEST_H */
