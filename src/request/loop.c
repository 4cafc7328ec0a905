/*
 * loop.c
 *		The event loop: a session waits for a request and moves on all that it
 *		has under way.
 *
 * This is the one place that waits, but for PostgreSQL's Append, which waits for
 * several scans at once: it turns the loop by kis_loop_turn() and sleeps on
 * kis_loop_fd(). The session owns calls and token requests that others wait for
 * only in here; it leaves them to the others when it goes, however it goes.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"

#include "common/error.h"
#include "common/messages.h"
#include "compat.h"
#include "kis.h"
#include "kis/http.h"
#include "request/job.h"
#include "request/loop.h"
#include "request/request.h"
#include "request/state.h"
#include "request/token_request.h"
#include "shared/activity.h"
#include "shared/block.h"
#include "shared/in_flight.h"

/* The session has been elsewhere for longer than this: replies may have come unseen. */
#define ABSENT_US			(100 * 1000)

/* What another session has to say is looked for so often where no latch tells of it. */
#define LOOK_US				(10 * 1000)

/* When the session last renewed its leases. */
static int64 renewed_us = 0;

/* When it last looked at its transfers. */
static int64 attended_us = 0;

/* The query for which an Append turns the loop, and in which part of the transaction; NULL: none, or it has left. */
static KisQuery *appending = NULL;
static SubTransactionId appending_in = InvalidSubTransactionId;

/* Since when the Append sleeps, and does so for rate, token or retries alone; 0: it does not. */
static int64 asleep_since_us = 0;
static bool sleeps_for_others = false;

/* Its last turn has moved what the next one goes on with. */
static bool has_moved = false;

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

/* Says in kis_activity what the session waits for: that is, what the request does. */
static void
show(const KisRequest *request)
{
	const KisQuery *query = request->query;
	const KisConnection *connection = request->connection;
	int			pages_made = query->backfill.pages_made;
	KisActivity activity = {
		.waits_for = request->job.wait.cause,
		.calls_made = pages_made + query->nanswered,
		.calls_expected = pages_made + Max(query->backfill.pages_left,
										   Max(query->nexpected, query->ncalls)),
		.backfill = query->backfill,
	};

	strlcpy(activity.server, connection->server_name, sizeof(activity.server));
	memcpy(activity.key, connection->identity->key, sizeof(activity.key));
	kis_activity_show(&activity);
}

/*
 * Waits until a transfer moves, the latch is set or the time comes, and never
 * longer than leases allow; interrupts raise. Others see what request waits for.
 */
static void
wait_until(const KisRequest *request, int64 wake_at_us)
{
	int64		now_us = kis_now_us();
	long		timeout_ms = (Min(wake_at_us, now_us + KIS_RENEW_US) - now_us + 999) / 1000;
	long		http_ms = kis_http_timeout_ms(kis_session_http());
	WaitEvent	event;

	show(request);
	if (http_ms >= 0)
		timeout_ms = Min(timeout_ms, http_ms);
	if (WaitEventSetWait(wait_set(), Max(timeout_ms, 0), &event, 1,
						 kis_wait_event(request->job.wait.cause)) > 0 &&
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
	static const KisWait nothing = {.wake_at_us = PG_INT64_MAX,.cause = KIS_CAUSE_NETWORK};
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &kis_jobs)
	{
		KisJob	   *job = dlist_container(KisJob, node, iter.cur);

		job->wait = nothing;
		if (now_us < job->back_at_us)
		{
			job->wait.wake_at_us = job->back_at_us;
			job->wait.reason = job->error.error_class;
			job->wait.cause = KIS_CAUSE_RETRY;
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

/* Leaves to others what they wait for. */
static void
hand_over(void)
{
	appending = NULL;
	asleep_since_us = 0;
	ConditionVariableCancelSleep();
	kis_session_leave_queues(PG_INT64_MAX);
	renew(KIS_GRACE_US);
}

static void
leave(void)
{
	hand_over();
	kis_activity_go_on();
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
	kis_activity_end();
	dlist_foreach(iter, &kis_jobs)
	{
		kis_job_end(dlist_container(KisJob, node, iter.cur), NULL);
		kis_job_end_transfer(dlist_container(KisJob, node, iter.cur), NULL, kis_now_us());
	}
}

/* The same for a transaction, or a part of it, that fails while an Append waits. */
static void
leave_at_abort(void)
{
	const KisQuery *query = appending;

	if (query == NULL)
		return;
	leave();
	abandon_all(query);
}

static void
leave_at_xact_abort(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		leave_at_abort();
}

/* Not for a part within it, whose error a function that a row's conditions call has caught. */
static void
leave_at_subxact_abort(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && mine == appending_in)
		leave_at_abort();
}

/* Sees to it, once a session, that it leaves however it goes. */
static void
enter(void)
{
	static bool registered = false;

	if (registered)
		return;
	before_shmem_exit(leave_at_exit, (Datum) 0);
	RegisterXactCallback(leave_at_xact_abort, NULL);
	RegisterSubXactCallback(leave_at_subxact_abort, NULL);
	registered = true;
}

/* A session that stood still comes late, and takes no other's lease for ended. */
static void
renew_in_time(int64 now_us)
{
	if (now_us - renewed_us >= KIS_LEASE_US)
		kis_in_flight_extend_leases(now_us);
	if (now_us - renewed_us >= KIS_RENEW_US)
		renew(KIS_LEASE_US);
}

/* What max_wait leaves the query to wait for the request: microseconds. */
static int64
patience_us(const KisRequest *request)
{
	return request->connection->options->max_wait * INT64CONST(1000) -
		request->query->waited_us;
}

/* Is max_wait over, or is it known beforehand that what it waits for comes too late? */
static bool
is_hopeless(const KisRequest *request, int64 now_us)
{
	const KisWait *wait = &request->job.wait;
	int64		left_us = patience_us(request);

	return wait->reason != KIS_OK &&
		(left_us <= 0 || (wait->wake_at_us != PG_INT64_MAX && wait->on == NULL &&
						  wait->wake_at_us - now_us > left_us));
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

	renew_in_time(now_us);

	/*
	 * (Again) in the list before looking, so that a signal after the look is
	 * not missed: false also says that an interrupt has taken the session
	 * off.
	 */
	while (waited_on != NULL && !ConditionVariableTimedSleep(waited_on, 0, kis_wait_event(wait->cause)))
		continue;
	advance_all(query, now_us, &wake_at_us);
	if (step() || request->done || wait->on != waited_on)
		return;

	if (wait->reason == KIS_OK)
	{
		wait_until(request, wake_at_us);
		return;
	}
	if (is_hopeless(request, now_us))
	{
		kis_request_give_up(request, now_us);
		return;
	}
	wait_until(request, Min(wake_at_us, now_us + patience_us(request)));
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
	if (request->done)
		return request->reply != NULL;
	enter();
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

/*
 * For an Append: moves on all that the session has under way, for this query first
 * of all, and never sleeps. kis_loop_fd() or kis_loop_leave() is to follow, or an
 * error. Raises what secret files raise.
 */
void
kis_loop_turn(KisQuery *query)
{
	int64		now_us = kis_now_us();
	int64		slept_us = now_us - asleep_since_us;
	int64		wake_at_us = PG_INT64_MAX;

	enter();
	if (asleep_since_us != 0 && slept_us <= KIS_RENEW_US + ABSENT_US)
		attended_us = now_us;
	if (asleep_since_us != 0 && sleeps_for_others)
		query->waited_us += Min(slept_us, KIS_LEASE_US);
	asleep_since_us = 0;
	if (appending == NULL)
		renew(KIS_LEASE_US);
	appending = query;
	appending_in = GetCurrentSubTransactionId();
	renew_in_time(now_us);
	advance_all(query, now_us, &wake_at_us);
	has_moved = step();
}

/*
 * When the next turn has something to do, but for transfers, which have a descriptor.
 * Sees as well whether the query sleeps for rate, token or retries alone.
 */
static int64
next_turn_us(const KisQuery *query, int64 now_us)
{
	int64		next_us = has_moved ? now_us : now_us + KIS_RENEW_US;
	long		http_ms = kis_http_timeout_ms(kis_session_http());
	bool		needs_kis = false;
	dlist_iter	iter;

	if (http_ms >= 0)
		next_us = Min(next_us, now_us + http_ms * INT64CONST(1000));
	sleeps_for_others = false;
	dlist_foreach(iter, &kis_jobs)
	{
		const KisJob *job = dlist_container(KisJob, node, iter.cur);
		const KisWait *wait = &job->wait;
		bool		is_mine = job->call != NULL && ((KisRequest *) job)->query == query;
		bool		waits = job->transfer == NULL && wait->reason != KIS_OK;

		sleeps_for_others |= is_mine && waits;
		needs_kis |= is_mine && !waits;
		if (job->transfer != NULL)
			continue;
		next_us = Min(next_us, wait->wake_at_us);
		if (wait->on != NULL || (waits && wait->wake_at_us == PG_INT64_MAX))
			next_us = Min(next_us, now_us + LOOK_US);
	}
	sleeps_for_others &= !needs_kis;
	return next_us;
}

/* The descriptor of the transfers and a timer, as one; both live as long as the session. */
static int
make_descriptors(int *timer)
{
	struct epoll_event readable = {.events = EPOLLIN};
	int			transfers = kis_http_fd(kis_session_http());
	int			fd = epoll_create1(EPOLL_CLOEXEC);

	*timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (epoll_ctl(fd, EPOLL_CTL_ADD, *timer, &readable) != 0 ||
		epoll_ctl(fd, EPOLL_CTL_ADD, transfers, &readable) != 0)
	{
		int			cause = errno;

		close(*timer);
		close(fd);
		errno = cause;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not wait for several scans at once: %m")));
	}
	ReserveExternalFD();
	ReserveExternalFD();
	return fd;
}

/*
 * A descriptor that is readable when a turn has something to do; at_once: when its
 * owner has. polls: the session only looks at it and goes on with something else.
 * Where it sleeps on it alone, it keeps what others wait for; else it leaves that to
 * them, unless it is back within a moment. Others see what request waits for, where
 * the session sleeps.
 */
int
kis_loop_fd(const KisRequest *request, bool at_once, bool polls, bool alone)
{
	static int	fd = -1;
	static int	timer = -1;
	int64		now_us = kis_now_us();
	int64		delay_us = at_once ? 0 : next_turn_us(request->query, now_us) - now_us;
	struct itimerspec due = {0};

	if (fd < 0)
		fd = make_descriptors(&timer);
	if (polls || !alone)
	{
		hand_over();
		delay_us = Min(delay_us, KIS_GRACE_US / 2);
	}
	else
		asleep_since_us = now_us;
	if (polls)
		kis_activity_go_on();
	else if (!at_once)
		show(request);
	/* no time at all would stop the timer */
	delay_us = Max(delay_us, 1);
	due.it_value.tv_sec = delay_us / KIS_US;
	due.it_value.tv_nsec = delay_us % KIS_US * 1000;
	timerfd_settime(timer, 0, &due, NULL);
	return fd;
}

/* The Append goes on with something else. */
void
kis_loop_leave(void)
{
	if (appending != NULL)
		leave();
}

/* Is the reply here? Never waits; but where max_wait is over it fails, see request->done. */
bool
kis_request_poll(KisRequest *request)
{
	int64		now_us = kis_now_us();

	if (!request->done && is_hopeless(request, now_us))
		kis_request_give_up(request, now_us);
	return request->reply != NULL;
}
