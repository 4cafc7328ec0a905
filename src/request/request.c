/*
 * request.c
 *		An request's way: the cache, another session's call, or a call of its
 *		own with token and slot; and what to do with what came.
 */
#include "postgres.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/catalog.h"
#include "kis/code.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/reply.h"
#include "request/connection.h"
#include "request/request.h"
#include "request/state.h"
#include "request/token_request.h"
#include "request/transfers.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/reply_cache.h"
#include "shared/token.h"

static bool
is_shared(const KisRequest *request)
{
	if (request->state->query->bypasses_cache && request->call->lifetime != KIS_LIFETIME_DAY)
		return false;
	return kis_call_is_shared(request->call, request->connection->options->cache_ttl);
}

static KisReplyKey
reply_key(const KisRequestState *state)
{
	const KisRequest *request = state->request;

	return kis_reply_key(&state->identity, request->call, &request->args);
}

static void
finish(KisRequestState *state)
{
	dlist_delete(&state->node);
	state->request->done = true;
}

/* Lets others go on without this session; failure: what those who waited get, NULL for nothing. */
static void
give_up_call(KisRequestState *state, const KisError *failure, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL && failure != NULL)
		kis_in_flight_end(&slot->in_flight, state->call_attempt, failure);
	else if (slot != NULL)
		kis_in_flight_leave(&slot->in_flight, state->call_attempt, true, now_us);
	kis_unlock();
	state->owns_call = false;
}

static bool
identity_has_changed(const KisRequestState *state)
{
	return memcmp(&state->identity, state->request->connection->identity, sizeof(KisIdentity)) != 0;
}

/* Other keys stand in the key files: then this is another call, and others' issues are not ours. */
static void
follow_identity(KisRequestState *state, int64 now_us)
{
	if (!identity_has_changed(state))
		return;
	give_up_call(state, NULL, now_us);
	state->identity = *state->request->connection->identity;
	state->call_attempt = 0;
	state->token_attempt = 0;
	state->token_renewed = false;
}

static void
fail(KisRequestState *state, const KisError *error)
{
	give_up_call(state, error, kis_now_us());
	state->request->error = *error;
	finish(state);
}

/*
 * KIS refuses key, secret or token, this session's or that of one who asked for
 * others: if they are from files, these may hold others by now. Once a request.
 */
static void
reread_or_fail(KisRequestState *state, const KisError *error)
{
	if (state->rechecked_secrets ||
		(error->error_class != KIS_ERROR_CREDENTIALS && error->error_class != KIS_ERROR_TOKEN) ||
		!kis_connection_has_key_files(state->request->connection))
	{
		fail(state, error);
		return;
	}
	/* those who wait look into their files themselves */
	give_up_call(state, error, kis_now_us());
	state->request->error = *error;
	state->call_attempt = 0;
	state->token_attempt = 0;
	state->stage = KIS_STAGE_NEEDS_CALL;
	state->rechecked_secrets = true;
	state->rereads_secrets = true;
	state->wake_at_us = 0;
}

static void
fail_for_memory(KisRequestState *state)
{
	KisError	error = {.error_class = KIS_ERROR_LOCAL,.text = "out of memory"};

	fail(state, &error);
}

static void
succeed(KisRequestState *state, KisReply *reply, TimestampTz arrived_at)
{
	state->reply = reply;
	state->request->reply = reply;
	state->request->arrived_at = arrived_at;
	finish(state);
}

/* Takes the slot's reply where it is fresh; the lock must be held. */
static bool
read_if_fresh(KisShared *shared, KisRequestState *state, const KisReplySlot *slot, int64 now_us,
			  KisReply **reply, TimestampTz *arrived_at)
{
	bool		fresh = kis_reply_is_fresh(slot, state->call_attempt,
										   state->request->connection->options->cache_ttl, now_us);

	/*
	 * one that was there before the statement is not anew; what it gets takes
	 * its place
	 */
	if (state->query->bypasses_cache &&
		(state->call_attempt == 0 || slot->reply_attempt < state->call_attempt))
		fresh = false;
	if (!fresh)
		return false;
	*reply = kis_reply_read(shared, slot, state->request->call);
	*arrived_at = slot->arrived_at;
	return true;
}

static void
count_hit(KisShared *shared, const KisRequestState *state)
{
	KisAccount *account = kis_account_find(shared, state->identity.key);

	if (account != NULL)
		pg_atomic_fetch_add_u64(state->call_attempt != 0 ? &account->stat.shared_calls :
								&account->stat.cache_hits, 1);
}

static void
succeed_from_cache(KisRequestState *state, KisReply *reply, TimestampTz arrived_at)
{
	if (reply == NULL)
	{
		fail_for_memory(state);
		return;
	}
	state->counters->cached++;
	succeed(state, reply, arrived_at);
}

static bool
answer_from_cache(KisRequestState *state, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisShared  *shared = kis_lock(LW_SHARED);
	KisReplySlot *slot = kis_reply_find(shared, &key);
	KisReply   *reply = NULL;
	TimestampTz arrived_at = 0;
	bool		found;

	found = slot != NULL && read_if_fresh(shared, state, slot, now_us, &reply, &arrived_at);
	if (found)
		count_hit(shared, state);
	kis_unlock();
	if (found)
		succeed_from_cache(state, reply, arrived_at);
	return found;
}

/* True: the call is this session's to make. */
static bool
join_call(KisRequestState *state, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisInFlightAnswer answer = KIS_IN_FLIGHT_MINE;
	KisShared  *shared;
	KisReplySlot *slot;
	KisReply   *reply = NULL;
	TimestampTz arrived_at = 0;
	KisError	failure;
	bool		found = false;

	if (state->owns_call || !is_shared(state->request))
		return true;

	shared = kis_lock(LW_EXCLUSIVE);
	slot = kis_reply_get(shared, &key);
	if (slot != NULL)
	{
		found = read_if_fresh(shared, state, slot, now_us, &reply, &arrived_at);
		if (found)
			count_hit(shared, state);
		else
			answer = kis_in_flight_join(shared, &slot->in_flight, &state->call_attempt, now_us,
										&state->wake_at_us, &state->waits_for);
		state->owns_call = !found && answer == KIS_IN_FLIGHT_MINE;
		if (state->owns_call)
			state->published_waits_for = KIS_OK;
		if (answer == KIS_IN_FLIGHT_THEIRS)
			state->waits_on = &slot->in_flight.moved;
		else if (answer == KIS_IN_FLIGHT_FAILED)
			failure = slot->in_flight.failure;
	}
	kis_unlock();

	if (found)
	{
		succeed_from_cache(state, reply, arrived_at);
		return false;
	}
	if (answer == KIS_IN_FLIGHT_FAILED)
		reread_or_fail(state, &failure);
	else if (answer == KIS_IN_FLIGHT_THEIRS)
		state->stage = KIS_STAGE_SHARES_CALL;
	return answer == KIS_IN_FLIGHT_MINE;
}

/* The reply goes to this request, to those who wait for it, and to the cache. */
static void
publish(KisRequestState *state, KisReply *reply)
{
	KisReplyKey key = reply_key(state);
	int64		arrived_us;
	TimestampTz arrived_at = kis_job_arrival(&state->job, &arrived_us);

	if (state->call_attempt != 0)
	{
		KisShared  *shared = kis_lock(LW_EXCLUSIVE);
		KisReplySlot *slot = kis_reply_get(shared, &key);

		if (slot != NULL && slot->reply_attempt <= state->call_attempt)
			kis_reply_write(shared, slot, state->request->call, state->call_attempt, reply,
							arrived_at, arrived_us);
		if (slot != NULL)
			kis_in_flight_end(&slot->in_flight, state->call_attempt, NULL);
		kis_unlock();
		state->owns_call = false;
	}
	succeed(state, reply, arrived_at);
}

/* Drops the token that KIS refused; true: another may be had. */
static bool
drop_token(KisRequestState *state, int64 now_us)
{
	KisConnection *connection = state->request->connection;
	KisTokenSlot *slot;
	bool		renewable;

	if (connection->token != NULL)
	{
		state->rereads_token = true;
		return true;
	}
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), connection->identity);
	renewable = slot == NULL || kis_token_refused(slot, state->generation, now_us);
	kis_unlock();
	if (renewable)
		state->counters->retries++;
	return renewable;
}

static void
accept_token(const KisRequestState *state, int64 now_us)
{
	KisTokenSlot *slot;

	if (state->request->connection->token != NULL)
		return;
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), state->request->connection->identity);
	if (slot != NULL)
		kis_token_accepted(slot, state->generation, now_us);
	kis_unlock();
}

/* What KIS said to a call that failed decides whether it is tried again. */
static void
retry_or_fail(KisRequestState *state, const KisError *error, bool unattended, int64 now_us)
{
	KisConnection *connection = state->request->connection;
	KisJob	   *job = &state->job;

	/* kept for the case that the wait for another try ends first */
	state->request->error = *error;
	state->stage = KIS_STAGE_NEEDS_CALL;

	if (unattended)
		return;
	switch (error->error_class)
	{
		case KIS_ERROR_TOKEN:
			if (!state->token_renewed && drop_token(state, now_us))
			{
				state->token_renewed = true;
				return;
			}
			break;
		case KIS_ERROR_RATE:
			/* not the caller's fault: tried again for as long as max_wait */
			kis_job_back_off(job, state->refusals++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
		default:
			if (!kis_error_is_transient(error->error_class) ||
				job->retries >= connection->options->max_retries)
				break;
			kis_job_back_off(job, job->retries++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
	}
	reread_or_fail(state, error);
}

static void
call_finished(KisJob *job, int64 now_us)
{
	KisRequestState *state = (KisRequestState *) job;
	KisError	error = {0};
	bool		unattended = kis_transfer_unattended(job->transfer);
	KisReply   *reply = kis_transfer_reply(job->transfer, &error);

	state->counters->network_ms += kis_transfer_elapsed_ms(job->transfer);
	state->counters->bytes += kis_transfer_bytes(job->transfer);
	kis_job_count(job, reply != NULL ? NULL : &error, now_us);
	kis_job_end_transfer(job, now_us);

	if (reply != NULL)
	{
		accept_token(state, now_us);
		publish(state, reply);
	}
	else
		retry_or_fail(state, &error, unattended, now_us);
}

static void
send_call(KisRequestState *state, KisHttp *http, const char *token, int64 now_us)
{
	KisRequest *request = state->request;
	KisConnection *connection = request->connection;
	KisEndpoint endpoint = kis_connection_endpoint(connection);
	KisSecrets	secrets = kis_connection_secrets(connection);
	KisTransfer *transfer;
	KisError	error = {0};

	secrets.token = token;
	state->counters->calls++;
	state->counters->rate_wait_ms += (now_us - state->job.ready_at_us) / 1000.0;
	transfer = kis_call_start(http, &endpoint, &secrets, request->call, &request->args,
							  state, &error);
	kis_job_started(&state->job, transfer, now_us);
	if (transfer != NULL)
		state->stage = KIS_STAGE_UNDER_WAY;
	else
		fail(state, &error);
}

/* Would going on read files? */
static bool
needs_files(const KisRequestState *state)
{
	const KisConnection *connection = state->request->connection;

	return state->rereads_token || state->rereads_secrets ||
		(kis_connection_has_key_files(connection) &&
		 state->token_attempt == 0 && !kis_token_request_has_token(connection));
}

/* KIS has refused what the key files held: do they hold something else by now? Else the request fails. */
static bool
reread_secrets(KisRequestState *state)
{
	/* another call's refusal may have had them read since this one was sent */
	if (!identity_has_changed(state))
		kis_connection_reread_secrets(state->request->connection);
	state->rereads_secrets = false;
	if (!identity_has_changed(state))
	{
		fail(state, &state->request->error);
		return false;
	}
	state->counters->retries++;
	return true;
}

/* KIS has refused the file's token: has the file another one by now? Else the request fails. */
static bool
reread_token(KisRequestState *state)
{
	KisConnection *connection = state->request->connection;

	/* another call's refusal may have had it read since this one was sent */
	if (state->generation == connection->token_generation &&
		!kis_connection_reread_token(connection))
	{
		state->rereads_token = false;
		reread_or_fail(state, &state->request->error);
		return false;
	}
	state->rereads_token = false;
	state->counters->retries++;
	return true;
}

/* With all else at hand: a slot, and off it goes. */
static void
send_within_rate(KisRequestState *state, int64 now_us)
{
	KisConnection *connection = state->request->connection;

	/* may raise, and so comes before a slot is taken */
	KisHttp    *http = kis_session_http(connection->options->max_concurrent_requests);
	char		token[KIS_TOKEN_LEN];

	state->generation = kis_token_request_copy_token(connection, token);
	if (state->generation == 0)
	{
		/* another session has dropped it this moment */
		state->wake_at_us = now_us;
		return;
	}
	state->stage = KIS_STAGE_NEEDS_SLOT;
	if (kis_job_take_slot(&state->job, connection, now_us, &state->wake_at_us, &state->waits_for))
	{
		state->waits_for = KIS_OK;
		send_call(state, http, token, now_us);
	}
	kis_wipe(token, sizeof(token));
}

static bool
get_token(KisRequestState *state, int64 now_us)
{
	KisError	failure;

	state->stage = KIS_STAGE_NEEDS_TOKEN;
	switch (kis_token_request_get_token(state->request->connection, &state->token_attempt, now_us,
										&state->wake_at_us, &state->waits_on, &state->waits_for,
										&failure))
	{
		case KIS_TOKEN_READY:
			return true;
		case KIS_TOKEN_WAIT:

			/*
			 * nor does it stand in the queue for the rate: who gets the token
			 * may be behind it
			 */
			state->job.ready_at_us = 0;
			return false;
		case KIS_TOKEN_FAILED:
			reread_or_fail(state, &failure);
			return false;
	}
	return false;
}

/* As far as it goes without waiting. */
static void
advance(KisRequestState *state, const KisQuery *waiting, int64 now_us)
{
	state->wake_at_us = PG_INT64_MAX;
	state->waits_on = NULL;
	state->waits_for = KIS_OK;
	if (state->stage == KIS_STAGE_UNDER_WAY)
		return;
	if (state->stage == KIS_STAGE_BACKING_OFF && now_us < state->job.back_at_us)
	{
		state->wake_at_us = state->job.back_at_us;
		state->waits_for = state->request->error.error_class;
		return;
	}
	if (state->query != waiting && needs_files(state))
	{
		/* nor do others wait for what stands still */
		give_up_call(state, NULL, now_us);
		return;
	}
	if (state->rereads_secrets && !reread_secrets(state))
		return;
	follow_identity(state, now_us);
	if (state->rereads_token && !reread_token(state))
		return;
	if (!join_call(state, now_us))
		return;

	/* looked at each time: the token may end while a call waits for its slot */
	if (!get_token(state, now_us))
		return;
	if (identity_has_changed(state))
	{
		state->wake_at_us = now_us;
		return;
	}

	state->stage = KIS_STAGE_NEEDS_ROOM;
	if (kis_session_under_way() < state->request->connection->options->max_concurrent_requests)
		send_within_rate(state, now_us);
}

/* Those who wait for the call count what it waits for against their max_wait too. */
static void
publish_waits_for(KisRequestState *state)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call || state->published_waits_for == state->waits_for)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL)
		kis_in_flight_waits_for(&slot->in_flight, state->call_attempt, state->waits_for);
	kis_unlock();
	state->published_waits_for = state->waits_for;
}

/*
 * request.c, for the loop: as far as it goes without waiting. What reads files
 * may raise, and is left out unless the request is of the statement that waits.
 */
void
kis_request_advance(KisRequestState *state, const KisQuery *waiting, int64 now_us)
{
	advance(state, waiting, now_us);
	publish_waits_for(state);
}

/* The session leaves the wire's loop, or is back. */
void
kis_request_leave(KisRequestState *state, bool at_once, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL)
		kis_in_flight_leave(&slot->in_flight, state->call_attempt, at_once, now_us);
	kis_unlock();
	state->owns_call = !at_once;
}

void
kis_request_return(KisRequestState *state, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;
	bool		lost = false;

	if (state->owns_call)
	{
		slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
		lost = slot == NULL || !kis_in_flight_return(&slot->in_flight, state->call_attempt, now_us);
		kis_unlock();
		state->owns_call = !lost;
	}
	if (kis_job_renew(&state->job, !lost, now_us))
		state->stage = KIS_STAGE_NEEDS_CALL;
}

/* max_wait is over: it fails, and the error says what it was waiting for. */
void
kis_request_give_up(KisRequestState *state, int64 now_us)
{
	/* it may be what KIS said last */
	KisError	error = state->request->error;

	if (error.error_class != state->waits_for)
	{
		memset(&error, 0, sizeof(error));
		error.error_class = state->waits_for;
	}
	/* what another session waits for, it alone knows the end of */
	if (state->waits_on == NULL && state->wake_at_us != PG_INT64_MAX)
		error.retry_after_ms = (int) Min(Max(1, (state->wake_at_us - now_us) / 1000), PG_INT32_MAX);

	/* this session's patience is not that of the others */
	give_up_call(state, NULL, now_us);
	fail(state, &error);
}

/* A new one, in its statement's list already; the cache may answer it. */
void
kis_request_begin(KisRequest *request)
{
	KisRequestState *state = request->state;

	state->request = request;
	state->identity = *request->connection->identity;
	state->job.finished = call_finished;
	state->job.is_call = true;
	state->job.of_ledger = request->call->of_ledger;
	state->stage = KIS_STAGE_NEEDS_CALL;
	if (is_shared(request))
		answer_from_cache(state, kis_now_us());
}

/* Lets go of what the request has under way. */
void
kis_request_abandon(KisRequest *request)
{
	KisRequestState *state = request->state;
	int64		now_us = kis_now_us();

	give_up_call(state, NULL, now_us);
	if (!request->done)
		dlist_delete(&state->node);
	kis_job_end_transfer(&state->job, now_us);
	kis_reply_free(state->reply);
	request->done = true;
	request->reply = NULL;
	state->reply = NULL;
}
