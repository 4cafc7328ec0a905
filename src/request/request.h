/*
 * request.h
 *		A request's way: the cache, another session's call, or a call of its
 *		own with token and slot; and what to do with what came.
 */
#ifndef KIS_REQUEST_REQUEST_H
#define KIS_REQUEST_REQUEST_H

#include "postgres.h"

#include "request/state.h"

/* Begins a new one, in its query's list already; the cache may answer it. */
extern void kis_request_begin(KisRequest *request, KisCounters *counters);

/* Lets go of what the request has under way. */
extern void kis_request_abandon(KisRequest *request);

/* For the event loop; query: the one that waits. */
extern void kis_request_advance(KisRequest *request, const KisQuery *query, int64 now_us);
extern void kis_request_finished(KisRequest *request, int64 arrived_us, int64 now_us);

/* max_wait is over: it fails, and the error says what it was waiting for. */
extern void kis_request_give_up(KisRequest *request, int64 now_us);

#endif							/* KIS_REQUEST_REQUEST_H */
