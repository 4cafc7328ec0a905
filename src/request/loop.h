/*
 * loop.h
 *		The wire's loop: a session waits for a request and moves on all that it
 *		has asked.
 */
#ifndef KIS_REQUEST_LOOP_H
#define KIS_REQUEST_LOOP_H

#include "postgres.h"

#include "request/state.h"

/* From now on the loop moves it on, until it is done. */
extern void kis_loop_add(KisRequestState *state);

/* Waits for the answer, moving on all that the session asks. False: it failed, see request->error. */
extern bool kis_request_wait(KisRequest *request);

/* The same, but a failure is raised with its SQLSTATE. */
extern void kis_request_wait_or_raise(KisRequest *request);

#endif							/* KIS_REQUEST_LOOP_H */
