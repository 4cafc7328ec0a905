/*
 * loop.c
 *		The wire's loop: a session waits for a request and moves on all that it
 *		has asked.
 *
 * The session owns calls and issues that others wait for only in here; it
 * leaves them to the others when it goes, however it goes.
 */
#include "postgres.h"

#include "storage/ipc.h"

#include "common/error.h"
#include "compat.h"
#include "kis.h"
#include "request/loop.h"
#include "request/request.h"
#include "request/state.h"
#include "request/token_request.h"
#include "request/transfers.h"
#include "shared/block.h"
#include "shared/in_flight.h"

/* Those of the session that are not done, first come first. */
static dlist_head pending = DLIST_STATIC_INIT(pending);

/* When the session last renewed its leases. */
static int64 renewed_us = 0;

/* From now on the loop moves it on, until it is done. */
void
kis_loop_add(KisRequestState *state)
{
	dlist_push_tail(&pending, &state->node);
}

static void
advance_all(const KisQuery *waiting, int64 now_us, int64 *wake_at_us)
{
	dlist_mutable_iter iter;

	kis_token_requests_advance(now_us, wake_at_us);
	dlist_foreach_modify(iter, &pending)
	{
		KisRequestState *state = dlist_container(KisRequestState, node, iter.cur);

		kis_request_advance(state, waiting, now_us);
		*wake_at_us = Min(*wake_at_us, state->wake_at_us);
	}
	kis_session_leave_queues(false);
}

/* What others wait for is theirs to take, at once where the session will not be back soon. */
static void
leave(bool at_once)
{
	int64		now_us = kis_now_us();
	dlist_iter	iter;

	kis_session_leave_queues(true);
	kis_token_requests_leave(at_once, now_us);
	dlist_foreach(iter, &pending)
		kis_request_leave(dlist_container(KisRequestState, node, iter.cur), at_once, now_us);
}

/* The session is back in the loop, or still there: it renews its leases and learns which it has lost. */
static void
come_back(int64 now_us)
{
	dlist_iter	iter;

	renewed_us = now_us;
	kis_token_requests_return(now_us);
	dlist_foreach(iter, &pending)
		kis_request_return(dlist_container(KisRequestState, node, iter.cur), now_us);
}

/* An error ends the query, but a cursor's memory may stay until its transaction ends. */
static void
stop(const KisQuery *query)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &pending)
	{
		KisRequestState *state = dlist_container(KisRequestState, node, iter.cur);

		if (state->query == query)
			kis_request_abandon(state->request);
	}
}

/* FATAL runs no PG_CATCH. */
static void
leave_at_exit(int code, Datum arg)
{
	/* from 17 on the block is gone when PostgreSQL itself looks to that */
	ConditionVariableCancelSleep();
	leave(true);
	kis_token_requests_drop(kis_now_us());
}

/* One turn of the loop, waiting included. */
static void
turn(KisRequestState *state)
{
	KisQuery   *query = state->query;
	int64		now_us = kis_now_us();
	int64		wake_at_us = PG_INT64_MAX;
	uint64		told = kis_in_flight_broadcasts();
	ConditionVariable *waited_on = state->waits_on;
	int64		left_us;

	if (now_us - renewed_us >= KIS_LEASE_US)
		kis_in_flight_spare_others(now_us);
	if (now_us - renewed_us >= KIS_RENEW_US)
		come_back(now_us);

	/*
	 * (Again) in the list before looking, so that a signal after the look is
	 * not missed: false also says that an interrupt has taken the session
	 * off.
	 */
	while (waited_on != NULL && !ConditionVariableTimedSleep(waited_on, 0, kis_wait_event()))
		continue;
	advance_all(query, now_us, &wake_at_us);
	if (kis_session_step() || state->request->done || state->waits_on != waited_on ||
		kis_in_flight_broadcasts() != told)
		return;

	if (state->waits_for == KIS_OK)
	{
		kis_session_wait(wake_at_us);
		return;
	}
	left_us = state->request->connection->options->max_wait * INT64CONST(1000) -
		query->waited_us;
	/* known beforehand: no use in waiting for what comes too late */
	if (left_us <= 0 ||
		(state->wake_at_us != PG_INT64_MAX && state->waits_on == NULL &&
		 state->wake_at_us - now_us > left_us))
	{
		kis_request_give_up(state, now_us);
		return;
	}
	kis_session_wait(Min(wake_at_us, now_us + left_us));
	/* a session that stood still has not waited for KIS */
	query->waited_us += Min(kis_now_us() - now_us, KIS_LEASE_US);
}

static void
wait_in_loop(KisRequest *request)
{
	static bool registered = false;

	if (!registered)
	{
		before_shmem_exit(leave_at_exit, (Datum) 0);
		registered = true;
	}
	PG_TRY();
	{
		come_back(kis_now_us());
		while (!request->done)
			turn(request->state);
	}
	PG_CATCH();
	{
		ConditionVariableCancelSleep();
		leave(true);
		stop(request->state->query);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ConditionVariableCancelSleep();
	leave(false);
}

/*
 * Waits for the answer, moving on all that the session asks. False: it failed,
 * see request->error.
 */
bool
kis_request_wait(KisRequest *request)
{
	if (!request->done)
		wait_in_loop(request);
	return request->reply != NULL;
}

/* The same, but a failure is raised with its SQLSTATE. */
void
kis_request_wait_or_raise(KisRequest *request)
{
	if (kis_request_wait(request))
		return;
	stop(request->state->query);
	kis_raise(&request->error, request->connection->server_name);
}
