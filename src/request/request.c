/*
 * request.c
 *		A request's way: the cache, another session's call, or a call of its
 *		own with token and slot; and what to do with what came.
 */
#include "postgres.h"

#include "common/day.h"
#include "kis.h"
#include "kis/call.h"
#include "kis/catalog.h"
#include "kis/code.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/reply.h"
#include "request/connection.h"
#include "request/job.h"
#include "request/request.h"
#include "request/state.h"
#include "request/token_request.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/reply_cache.h"
#include "shared/token.h"

/* Is its reply for others as well? A query that bypasses the cache shares what lasts the day alone. */
static bool
is_shared(const KisRequest *request)
{
	if (request->query->bypasses_cache && request->call->lifetime != KIS_LIFETIME_DAY)
		return false;
	return kis_call_is_shared(request->call, request->connection->options->cache_ttl);
}

static bool
identity_has_changed(const KisRequest *request)
{
	return memcmp(&request->job.key.identity, request->connection->identity,
				  sizeof(KisIdentity)) != 0;
}

/* Do key or secret differ from those that it has, or the file's token from the one it was sent with? */
static bool
secrets_have_changed(const KisRequest *request)
{
	const KisConnection *connection = request->connection;

	return identity_has_changed(request) ||
		(connection->token != NULL && connection->token_generation != request->generation);
}

/* It has its answer, or its failure. */
static void
finish(KisRequest *request)
{
	dlist_delete(&request->job.node);
	request->done = true;
	request->query->nanswered += request->counts;
}

static void
fail(KisRequest *request, const KisError *error)
{
	kis_job_end(&request->job, error);
	request->error = *error;
	finish(request);
}

/*
 * reply is malloc'd and becomes the request's; NULL: memory is out. It is there
 * since at_us; arrived_at may be long before, where the cache had it.
 */
static void
succeed(KisRequest *request, KisReply *reply, KisAnswerer by, int64 at_us, TimestampTz arrived_at)
{
	const KisCall *call = request->call;
	KisError	error = {.error_class = KIS_ERROR_LOCAL,.text = "out of memory",.form = "out of memory"};

	if (reply == NULL)
	{
		fail(request, &error);
		return;
	}
	request->last_day = DATEVAL_NOBEGIN;
	if (call->paging != KIS_PAGING_NONE && reply->nrows > 0)
		(void) kis_day_from_text(reply->rows[reply->nrows - 1].values[call->day_member].text,
								 &request->last_day);
	request->reply = reply;
	request->answered_by = by;
	request->took_us = at_us - request->begun_us;
	request->arrived_at = arrived_at;
	finish(request);
}

/* Drops the token that KIS refused; true: another one may be had. */
static bool
drop_token(KisRequest *request, int64 now_us)
{
	KisTokenSlot *slot;
	bool		renewable;

	if (request->connection->token != NULL)
		return false;
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &request->job.key.identity);
	renewable = slot == NULL || kis_token_refused(slot, request->generation, now_us);
	kis_unlock();
	if (renewable)
		request->job.counters->retries++;
	return renewable;
}

/*
 * Does what the policy says of a failure, this call's own or that of what it has
 * waited for. It is tried again by the next advance, or the request fails.
 */
static void
take_failure(KisRequest *request, KisRetry retry, bool unattended, const KisError *error,
			 int64 now_us)
{
	KisJob	   *job = &request->job;
	KisAction	action = kis_job_failed(job, retry, unattended, error, now_us);

	if (action == KIS_ACTION_NEW_TOKEN && !drop_token(request, now_us))
		action = kis_job_failed(job, retry, unattended, error, now_us);
	switch (action)
	{
		case KIS_ACTION_RETRY:
		case KIS_ACTION_BACK_OFF:
		case KIS_ACTION_NEW_TOKEN:
			break;
		case KIS_ACTION_REREAD_FILES:
			/* those who wait look into their files themselves */
			kis_job_end(job, error);
			job->attempt = 0;
			job->wait.wake_at_us = 0;
			request->token_attempt = 0;
			request->rereads_files = true;
			break;
		case KIS_ACTION_FAIL:
		case KIS_ACTION_LATER:
			fail(request, error);
	}
}

/*
 * Has the slot a reply for this request? A query that bypasses the cache takes
 * none that was there before it, only what came of a call that it waited for. The
 * lock must be held.
 */
static bool
is_fresh(const KisRequest *request, const KisReplySlot *slot, int64 now_us)
{
	uint64		attempt = request->job.attempt;

	if (request->query->bypasses_cache && (attempt == 0 || slot->reply_attempt < attempt))
		return false;
	return kis_reply_is_fresh(slot, attempt, request->connection->options->cache_ttl,
							  now_us);
}

/*
 * Is the reply here, or else, where it is to take part in the call, is that this
 * session's, another's, or has it failed? One look under one lock; the request
 * goes on by what it finds. True: it has nothing to wait for but its own call.
 */
static bool
look_into_cache(KisRequest *request, bool takes_part, int64 now_us)
{
	KisJob	   *job = &request->job;
	KisShared  *shared = kis_lock(takes_part ? LW_EXCLUSIVE : LW_SHARED);
	KisReplySlot *slot = takes_part ? kis_reply_get(shared, &job->key, job->call) :
		kis_reply_find(shared, &job->key);
	bool		found = slot != NULL && is_fresh(request, slot, now_us);
	KisJoined	joined = KIS_JOINED_AS_OWNER;
	KisReply   *reply = NULL;
	TimestampTz arrived_at = 0;
	KisError	failure;

	if (found)
	{
		KisAccount *account = kis_account_find(shared, job->key.identity.key);

		reply = kis_reply_read(shared, slot, job->call);
		arrived_at = slot->arrived_at;
		if (account != NULL)
			pg_atomic_fetch_add_u64(job->attempt != 0 ? &account->stat.shared_calls :
									&account->stat.cache_hits, 1);
	}
	else if (slot == NULL)
		job->attempt = 0;
	else if (takes_part)
	{
		joined = kis_in_flight_join(shared, &slot->in_flight, &job->attempt, now_us, &job->wait);
		job->owned = joined == KIS_JOINED_AS_OWNER;
		if (joined == KIS_JOINED_AS_WAITER)
			job->wait.cause = KIS_CAUSE_SESSION;
		failure = slot->in_flight.failure;
	}
	kis_unlock();

	if (found)
	{
		if (reply != NULL)
			job->counters->cached++;
		succeed(request, reply, job->attempt != 0 ? KIS_BY_SESSION : KIS_BY_CACHE, now_us,
				arrived_at);
	}
	else if (joined == KIS_JOINED_TOO_LATE)
		take_failure(request, kis_policies[failure.error_class].of_others, false, &failure, now_us);
	return !found && joined == KIS_JOINED_AS_OWNER;
}

/*
 * Its transfer has ended: the reply came at arrived_us and goes to this request, to
 * those who wait for it, and to the cache; or it failed.
 */
void
kis_request_finished(KisRequest *request, int64 arrived_us, int64 now_us)
{
	KisJob	   *job = &request->job;
	KisError	error = {0};
	bool		unattended = kis_transfer_unattended(job->transfer);
	KisReply   *reply = kis_transfer_reply(job->transfer, &error);
	TimestampTz arrived_at = kis_timestamp_of(arrived_us);

	kis_job_end_transfer(job, &error, now_us);
	if (reply == NULL)
	{
		take_failure(request, kis_policies[error.error_class].of_call, unattended, &error, now_us);
		return;
	}
	if (request->connection->token == NULL)
	{
		KisTokenSlot *slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &job->key.identity);

		if (slot != NULL)
			kis_token_accepted(slot, request->generation, now_us);
		kis_unlock();
	}
	if (job->attempt != 0)
	{
		KisShared  *shared = kis_lock(LW_EXCLUSIVE);
		KisReplySlot *slot = kis_reply_get(shared, &job->key, job->call);

		if (slot != NULL && slot->reply_attempt <= job->attempt)
			kis_reply_write(shared, slot, job->call, job->attempt, reply, arrived_at,
							arrived_us);
		if (slot != NULL)
			kis_in_flight_end(&slot->in_flight, job->attempt, NULL);
		kis_unlock();
		job->owned = false;
	}
	succeed(request, reply, KIS_BY_KIS, arrived_us, arrived_at);
}

/* Would going on read files? That may raise. */
static bool
needs_files(const KisRequest *request)
{
	const KisConnection *connection = request->connection;

	return request->rereads_files ||
		(kis_connection_has_files(connection) && request->token_attempt == 0 &&
		 kis_token_copy(connection, NULL) == 0);
}

/* KIS refuses what the files held: do they hold something else by now? Else the request fails. */
static bool
reread_files(KisRequest *request)
{
	/* another call's refusal may have had them read since this one was sent */
	if (!secrets_have_changed(request))
		kis_connection_read_secrets(request->connection);
	request->rereads_files = false;
	if (!secrets_have_changed(request))
	{
		fail(request, &request->job.error);
		return false;
	}
	request->job.counters->retries++;
	return true;
}

/* The key files hold other keys: then this is another call, and the others' tokens are not its. */
static void
follow_identity(KisRequest *request)
{
	KisJob	   *job = &request->job;

	if (!identity_has_changed(request))
		return;
	kis_job_end(job, NULL);
	job->key = kis_reply_key(job->connection->identity, job->call, &request->args);
	job->attempt = 0;
	job->tries.new_token = false;
	request->token_attempt = 0;
}

/* With a token of this moment: it may end while a call waits for its slot. */
static void
send_with_token(KisRequest *request, int64 now_us)
{
	KisJob	   *job = &request->job;
	char		token[KIS_TOKEN_LEN];
	KisError	error = {0};

	switch (kis_token_obtain(job->connection, &request->token_attempt, now_us, &job->wait,
							 token, &request->generation, &error))
	{
		case KIS_TOKEN_WAIT:

			/*
			 * nor is it in the queue for the rate: the token's may be behind
			 * it
			 */
			job->ready_at_us = 0;
			job->wait.cause = KIS_CAUSE_TOKEN;
			if (identity_has_changed(request))
				job->wait.wake_at_us = now_us;
			break;
		case KIS_TOKEN_FAILED:
			take_failure(request, kis_policies[error.error_class].of_others, false, &error, now_us);
			break;
		case KIS_TOKEN_READY:
			if (!kis_job_send(job, token, now_us, &error))
				fail(request, &error);
			kis_wipe(token, sizeof(token));
			break;
	}
}

/*
 * As far as it goes without waiting. What reads files may raise, and is left out
 * unless the request is of the query that waits.
 */
void
kis_request_advance(KisRequest *request, const KisQuery *query, int64 now_us)
{
	KisJob	   *job = &request->job;

	if (request->query != query && needs_files(request))
	{
		/* nor do others wait for what stands still */
		kis_job_end(job, NULL);
		return;
	}
	if (request->rereads_files && !reread_files(request))
		return;
	follow_identity(request);
	if (job->owned || !is_shared(request) || look_into_cache(request, true, now_us))
		send_with_token(request, now_us);
}

/* max_wait is over: it fails, and the error says what it was waiting for. */
void
kis_request_give_up(KisRequest *request, int64 now_us)
{
	KisJob	   *job = &request->job;
	KisError	error = {.error_class = job->wait.reason};

	/* it may be what KIS said last */
	if (job->error.error_class == job->wait.reason)
		error = job->error;
	/* what another session waits for, it alone knows the end of */
	if (job->wait.on == NULL && job->wait.wake_at_us != PG_INT64_MAX)
		error.retry_after_ms = (int) Min(Max(1, (job->wait.wake_at_us - now_us) / 1000),
										 PG_INT32_MAX);

	/* this session's patience is not that of the others */
	kis_job_end(job, NULL);
	fail(request, &error);
}

/*
 * Begins a new one, in its query's list already; the cache may answer it. counters
 * must live as long as the query.
 */
void
kis_request_begin(KisRequest *request, KisCounters *counters)
{
	KisJob	   *job = &request->job;

	request->begun_us = kis_now_us();
	request->generation = request->connection->token_generation;
	job->connection = request->connection;
	job->call = request->call;
	job->counters = counters;
	job->key = kis_reply_key(job->connection->identity, job->call, &request->args);
	dlist_push_tail(&kis_jobs, &job->node);
	if (is_shared(request))
		look_into_cache(request, false, request->begun_us);
}

/* Lets go of what the request has under way. */
void
kis_request_abandon(KisRequest *request)
{

	kis_job_end(&request->job, NULL);
	if (!request->done)
		dlist_delete(&request->job.node);
	kis_job_end_transfer(&request->job, NULL, kis_now_us());
	free(request->reply);
	request->reply = NULL;
	request->done = true;
}
