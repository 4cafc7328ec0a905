/*
 * loop.h
 *		The event loop: a session waits for a request and moves on all that it
 *		has under way.
 */
#ifndef KIS_REQUEST_LOOP_H
#define KIS_REQUEST_LOOP_H

#include "postgres.h"

#include "request/state.h"

/* Waits for the answer. False: it failed, see request->error. */
extern bool kis_request_wait(KisRequest *request);

/* The same, but a failure is raised with its SQLSTATE. */
extern void kis_request_wait_or_raise(KisRequest *request);

#endif							/* KIS_REQUEST_LOOP_H */
