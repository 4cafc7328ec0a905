/*
 * loop.c
 *		The event loop: a session waits for a request and moves on all that it
 *		has under way.
 *
 * This is the one place that waits. The session owns calls and token requests that
 * others wait for only in here; it leaves them to the others when it goes, however
 * it goes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"

#include "common/error.h"
#include "compat.h"
#include "kis.h"
#include "kis/http.h"
#include "request/job.h"
#include "request/loop.h"
#include "request/request.h"
#include "request/state.h"
#include "request/token_request.h"
#include "shared/block.h"
#include "shared/in_flight.h"

/* The session has been elsewhere for longer than this: replies may have come unseen. */
#define ABSENT_US			(100 * 1000)

/* When the session last renewed its leases. */
static int64 renewed_us = 0;

/* When it last looked at its transfers. */
static int64 attended_us = 0;

/*
 * Moves transfers on without waiting, and takes what those that ended have brought:
 * that came when the session last looked before, unless that was just now. True:
 * some have ended.
 */
static bool
step(void)
{
	KisHttp    *http = kis_session_http();
	int64		now_us = kis_now_us();
	int64		arrived_us = now_us - attended_us <= ABSENT_US ? now_us : attended_us;
	KisTransfer *transfer;
	bool		any = false;

	kis_http_step(http, arrived_us);
	while ((transfer = kis_http_finished(http)) != NULL)
	{
		KisJob	   *job = kis_transfer_owner(transfer);
		int64		job_arrived_us = Max(kis_transfer_arrived_us(transfer), job->sent_at_us);

		now_us = kis_now_us();
		if (job->call != NULL)
			kis_request_finished((KisRequest *) job, job_arrived_us, now_us);
		else
			kis_token_request_finished(job, job_arrived_us, now_us);
		any = true;
	}
	attended_us = kis_now_us();
	return any;
}

/*
 * What the session waits for: its latch, the postmaster's end, where there is a
 * postmaster, and its transfers. Kept since it takes six system calls to make.
 */
static WaitEventSet *
wait_set(void)
{
	static WaitEventSet *kept = NULL;
	WaitEventSet *set = kept;

	if (set != NULL)
		return set;
	set = kis_create_wait_set(3);
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, kis_http_fd(kis_session_http()), NULL, NULL);
	return kept = set;
}

/*
 * Waits until a transfer moves, the latch is set or the time comes, and never
 * longer than leases allow; interrupts raise.
 */
static void
wait_until(int64 wake_at_us)
{
	int64		now_us = kis_now_us();
	long		timeout_ms = (Min(wake_at_us, now_us + KIS_RENEW_US) - now_us + 999) / 1000;
	long		http_ms = kis_http_timeout_ms(kis_session_http());
	WaitEvent	event;

	if (http_ms >= 0)
		timeout_ms = Min(timeout_ms, http_ms);
	if (WaitEventSetWait(wait_set(), Max(timeout_ms, 0), &event, 1, kis_wait_event()) > 0 &&
		event.events == WL_LATCH_SET)
		ResetLatch(MyLatch);

	/*
	 * what comes from here on is seen at once; but the session may have stood
	 * still in there
	 */
	if (kis_now_us() - now_us <= KIS_RENEW_US + ABSENT_US)
		attended_us = kis_now_us();
	CHECK_FOR_INTERRUPTS();
}

/* Moves each job on as far as it goes without waiting; query: the one that waits. */
static void
advance_all(const KisQuery *query, int64 now_us, int64 *wake_at_us)
{
	static const KisWait nothing = {.wake_at_us = PG_INT64_MAX};
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &kis_jobs)
	{
		KisJob	   *job = dlist_container(KisJob, node, iter.cur);

		job->wait = nothing;
		if (now_us < job->back_at_us)
		{
			job->wait.wake_at_us = job->back_at_us;
			job->wait.reason = job->error.error_class;
		}
		else if (job->transfer == NULL)
		{
			if (job->call != NULL)
				kis_request_advance((KisRequest *) job, query, now_us);
			else if (!kis_token_request_advance(job, now_us))
				continue;
		}
		*wake_at_us = Min(*wake_at_us, job->wait.wake_at_us);
	}
	kis_session_leave_queues(now_us);
}

/*
 * Renews what the session has on leases. It leaves the loop where lease_us is no
 * more than a moment: then what others wait for is theirs, unless it is back.
 */
static void
renew(int64 lease_us)
{
	dlist_iter	iter;

	renewed_us = kis_now_us();
	dlist_foreach(iter, &kis_jobs)
		kis_job_renew(dlist_container(KisJob, node, iter.cur), lease_us, renewed_us);
}

static void
leave(void)
{
	ConditionVariableCancelSleep();
	kis_session_leave_queues(PG_INT64_MAX);
	renew(KIS_GRACE_US);
}

/*
 * An error ends the query, but a cursor's memory may stay until its transaction ends.
 * Token requests bring what they bring, but nobody here needs them tried again.
 */
static void
abandon_all(const KisQuery *query)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &kis_jobs)
	{
		KisJob	   *job = dlist_container(KisJob, node, iter.cur);

		if (job->call == NULL)
			kis_job_end(job, NULL);
		else if (((KisRequest *) job)->query == query)
			kis_request_abandon((KisRequest *) job);
	}
}

/* FATAL runs no PG_CATCH: what the session has in flight, and its slots, go back from here. */
static void
leave_at_exit(int code, Datum arg)
{
	dlist_iter	iter;

	/* from 17 on the block is gone when PostgreSQL itself looks to its list */
	leave();
	dlist_foreach(iter, &kis_jobs)
	{
		kis_job_end(dlist_container(KisJob, node, iter.cur), NULL);
		kis_job_end_transfer(dlist_container(KisJob, node, iter.cur), NULL, kis_now_us());
	}
}

/* One turn of the loop, waiting included. */
static void
turn(KisRequest *request)
{
	KisQuery   *query = request->query;
	KisWait    *wait = &request->job.wait;
	int64		now_us = kis_now_us();
	int64		wake_at_us = PG_INT64_MAX;
	ConditionVariable *waited_on = wait->on;
	int64		left_us;

	if (now_us - renewed_us >= KIS_LEASE_US)
		kis_in_flight_extend_leases(now_us);
	if (now_us - renewed_us >= KIS_RENEW_US)
		renew(KIS_LEASE_US);

	/*
	 * (Again) in the list before looking, so that a signal after the look is
	 * not missed: false also says that an interrupt has taken the session
	 * off.
	 */
	while (waited_on != NULL && !ConditionVariableTimedSleep(waited_on, 0, kis_wait_event()))
		continue;
	advance_all(query, now_us, &wake_at_us);
	if (step() || request->done || wait->on != waited_on)
		return;

	if (wait->reason == KIS_OK)
	{
		wait_until(wake_at_us);
		return;
	}
	left_us = request->connection->options->max_wait * INT64CONST(1000) -
		query->waited_us;
	/* known beforehand: no use in waiting for what comes too late */
	if (left_us <= 0 ||
		(wait->wake_at_us != PG_INT64_MAX && wait->on == NULL &&
		 wait->wake_at_us - now_us > left_us))
	{
		kis_request_give_up(request, now_us);
		return;
	}
	wait_until(Min(wake_at_us, now_us + left_us));
	/* a session that stood still has not waited for KIS */
	query->waited_us += Min(kis_now_us() - now_us, KIS_LEASE_US);
}

/*
 * Waits for the answer, moving on all that the session has under way. False: it
 * failed, see request->error. Raises what interrupts and secret files raise.
 */
bool
kis_request_wait(KisRequest *request)
{
	static bool registered = false;

	if (request->done)
		return request->reply != NULL;
	if (!registered)
	{
		before_shmem_exit(leave_at_exit, (Datum) 0);
		registered = true;
	}
	PG_TRY();
	{
		renew(KIS_LEASE_US);
		while (!request->done)
			turn(request);
	}
	PG_CATCH();
	{
		leave();
		abandon_all(request->query);
		PG_RE_THROW();
	}
	PG_END_TRY();
	leave();
	return request->reply != NULL;
}

/* The same, but a failure is raised with its SQLSTATE. */
void
kis_request_wait_or_raise(KisRequest *request)
{
	if (kis_request_wait(request))
		return;
	abandon_all(request->query);
	kis_raise(&request->error, request->connection->server_name);
}
