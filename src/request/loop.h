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

/* For an Append: moves on all that is under way; never sleeps. */
extern void kis_loop_turn(KisQuery *query);

/* Readable when a turn has something to do; for a session that sleeps on it, alone or not, or only looks. */
extern int	kis_loop_fd(const KisRequest *request, bool at_once, bool polls, bool alone);

/* The Append goes on with something else. */
extern void kis_loop_leave(void);

/* Is the reply here? Never waits; fails where max_wait is over, see request->done. */
extern bool kis_request_poll(KisRequest *request);

#endif							/* KIS_REQUEST_LOOP_H */
