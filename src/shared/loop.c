/*
 * loop.c
 *		The wire's loop: a session waits for an inquiry and moves on all that it
 *		has asked.
 *
 * The session owns calls and issues that others wait for only in here; it
 * leaves them to the others when it goes, however it goes.
 */
#include "postgres.h"

#include "storage/ipc.h"

#include "compat.h"
#include "error.h"
#include "inquiry.h"

/* Those of the session that are not done, first come first. */
static dlist_head pending = DLIST_STATIC_INIT(pending);

/* When the session last renewed its leases. */
static int64 renewed_us = 0;

void
kis_loop_add(KisInquiryState *state)
{
	dlist_push_tail(&pending, &state->node);
}

static void
advance_all(const KisStatement *waiting, int64 now_us, int64 *wake_at_us)
{
	dlist_mutable_iter iter;

	kis_issues_advance(now_us, wake_at_us);
	dlist_foreach_modify(iter, &pending)
	{
		KisInquiryState *state = dlist_container(KisInquiryState, node, iter.cur);

		kis_inquiry_advance(state, waiting, now_us);
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
	kis_issues_leave(at_once, now_us);
	dlist_foreach(iter, &pending)
		kis_inquiry_leave(dlist_container(KisInquiryState, node, iter.cur), at_once, now_us);
}

/* The session is back in the loop, or still there: it renews its leases and learns which it has lost. */
static void
come_back(int64 now_us)
{
	dlist_iter	iter;

	renewed_us = now_us;
	kis_issues_return(now_us);
	dlist_foreach(iter, &pending)
		kis_inquiry_return(dlist_container(KisInquiryState, node, iter.cur), now_us);
}

/* FATAL runs no PG_CATCH. */
static void
leave_at_exit(int code, Datum arg)
{
	/* from 17 on the block is gone when PostgreSQL itself looks to that */
	ConditionVariableCancelSleep();
	leave(true);
	kis_issues_drop(kis_now_us());
}

/* One turn of the loop, waiting included. */
static void
turn(KisInquiryState *state)
{
	KisStatement *statement = state->statement;
	int64		now_us = kis_now_us();
	int64		wake_at_us = PG_INT64_MAX;
	uint64		told = kis_effort_times_told();
	ConditionVariable *waited_on = state->waits_on;
	int64		left_us;

	if (now_us - renewed_us >= KIS_LEASE_US)
		kis_effort_spare_others(now_us);
	if (now_us - renewed_us >= KIS_RENEW_US)
		come_back(now_us);

	/*
	 * (Again) in the list before looking, so that a signal after the look is not
	 * missed: false also says that an interrupt has taken the session off.
	 */
	while (waited_on != NULL && !ConditionVariableTimedSleep(waited_on, 0, kis_wait_event()))
		continue;
	advance_all(statement, now_us, &wake_at_us);
	if (kis_session_step() || state->inquiry->done || state->waits_on != waited_on ||
		kis_effort_times_told() != told)
		return;

	if (state->waits_for == KIS_OK)
	{
		kis_session_wait(wake_at_us);
		return;
	}
	left_us = state->inquiry->connection->options->max_wait * INT64CONST(1000) -
		statement->waited_us;
	/* known beforehand: no use in waiting for what comes too late */
	if (left_us <= 0 ||
		(state->wake_at_us != PG_INT64_MAX && state->waits_on == NULL &&
		 state->wake_at_us - now_us > left_us))
	{
		kis_inquiry_give_up(state, now_us);
		return;
	}
	kis_session_wait(Min(wake_at_us, now_us + left_us));
	/* a session that stood still has not waited for KIS */
	statement->waited_us += Min(kis_now_us() - now_us, KIS_LEASE_US);
}

static void
wait_in_loop(KisInquiry *inquiry)
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
		while (!inquiry->done)
			turn(inquiry->state);
	}
	PG_CATCH();
	{
		ConditionVariableCancelSleep();
		leave(true);
		kis_statement_stop(inquiry->state->statement);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ConditionVariableCancelSleep();
	leave(false);
}

bool
kis_inquiry_wait(KisInquiry *inquiry)
{
	if (!inquiry->done)
		wait_in_loop(inquiry);
	return inquiry->reply != NULL;
}

void
kis_inquiry_wait_or_raise(KisInquiry *inquiry)
{
	if (kis_inquiry_wait(inquiry))
		return;
	kis_statement_stop(inquiry->state->statement);
	kis_raise(&inquiry->error, inquiry->connection);
}
