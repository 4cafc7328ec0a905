/*
 * inquiry.c
 *		An inquiry's way: the cache, another session's call, or a call of its
 *		own with token and slot; and what to do with what came.
 */
#include "postgres.h"

#include "error.h"
#include "inquiry.h"

static bool
is_shared(const KisInquiry *inquiry)
{
	if (inquiry->state->statement->asks_anew && inquiry->call->lifetime != KIS_LIFETIME_DAY)
		return false;
	return kis_call_is_shared(inquiry->connection, inquiry->call);
}

static KisReplyKey
reply_key(const KisInquiryState *state)
{
	const KisInquiry *inquiry = state->inquiry;

	return kis_reply_key(&state->identity, inquiry->call, &inquiry->args);
}

static void
finish(KisInquiryState *state)
{
	dlist_delete(&state->node);
	state->inquiry->done = true;
}

/* Lets others go on without this session; failure: what those who waited get, NULL for nothing. */
static void
give_up_call(KisInquiryState *state, const KisError *failure, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL && failure != NULL)
		kis_effort_end(&slot->effort, state->call_attempt, failure);
	else if (slot != NULL)
		kis_effort_leave(&slot->effort, state->call_attempt, true, now_us);
	kis_unlock();
	state->owns_call = false;
}

static bool
identity_has_changed(const KisInquiryState *state)
{
	return memcmp(&state->identity, state->inquiry->connection->identity, sizeof(KisIdentity)) != 0;
}

/* Other keys stand in the key files: then this is another call, and others' issues are not ours. */
static void
follow_identity(KisInquiryState *state, int64 now_us)
{
	if (!identity_has_changed(state))
		return;
	give_up_call(state, NULL, now_us);
	state->identity = *state->inquiry->connection->identity;
	state->call_attempt = 0;
	state->token_attempt = 0;
	state->token_renewed = false;
}

static void
fail(KisInquiryState *state, const KisError *error)
{
	give_up_call(state, error, kis_now_us());
	state->inquiry->error = *error;
	finish(state);
}

/*
 * KIS refuses key, secret or token, this session's or that of one who asked for
 * others: if they are from files, these may hold others by now. Once an inquiry.
 */
static void
reread_or_fail(KisInquiryState *state, const KisError *error)
{
	if (state->doubted_secrets ||
		(error->error_class != KIS_ERROR_CREDENTIALS && error->error_class != KIS_ERROR_TOKEN) ||
		!kis_connection_has_key_files(state->inquiry->connection))
	{
		fail(state, error);
		return;
	}
	/* those who wait look into their files themselves */
	give_up_call(state, error, kis_now_us());
	state->inquiry->error = *error;
	state->call_attempt = 0;
	state->token_attempt = 0;
	state->stage = KIS_STAGE_NEEDS_CALL;
	state->doubted_secrets = true;
	state->rereads_secrets = true;
	state->wake_at_us = 0;
}

static void
fail_for_memory(KisInquiryState *state)
{
	KisError	error = {.error_class = KIS_ERROR_LOCAL,.text = "out of memory"};

	fail(state, &error);
}

static void
succeed(KisInquiryState *state, KisReply *reply, TimestampTz arrived_at)
{
	state->reply = reply;
	state->inquiry->reply = reply;
	state->inquiry->arrived_at = arrived_at;
	finish(state);
}

/* Takes the slot's reply where it is fresh; the lock must be held. */
static bool
read_if_fresh(KisShared *shared, KisInquiryState *state, const KisReplySlot *slot, int64 now_us,
			  KisReply **reply, TimestampTz *arrived_at)
{
	bool		fresh = kis_reply_is_fresh(slot, state->call_attempt,
										   state->inquiry->connection->options->cache_ttl, now_us);

	/* one that was there before the statement is not anew; what it gets takes its place */
	if (state->statement->asks_anew &&
		(state->call_attempt == 0 || slot->reply_attempt < state->call_attempt))
		fresh = false;
	if (!fresh)
		return false;
	*reply = kis_reply_read(shared, slot, state->inquiry->call);
	*arrived_at = slot->arrived_at;
	return true;
}

static void
count_hit(KisShared *shared, const KisInquiryState *state)
{
	KisAccount *account = kis_account_find(shared, state->identity.key);

	if (account != NULL)
		pg_atomic_fetch_add_u64(state->call_attempt != 0 ? &account->stat.shared_calls :
								&account->stat.cache_hits, 1);
}

static void
succeed_from_cache(KisInquiryState *state, KisReply *reply, TimestampTz arrived_at)
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
answer_from_cache(KisInquiryState *state, int64 now_us)
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
join_call(KisInquiryState *state, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisEffortAnswer answer = KIS_EFFORT_MINE;
	KisShared  *shared;
	KisReplySlot *slot;
	KisReply   *reply = NULL;
	TimestampTz arrived_at = 0;
	KisError	failure;
	bool		found = false;

	if (state->owns_call || !is_shared(state->inquiry))
		return true;

	shared = kis_lock(LW_EXCLUSIVE);
	slot = kis_reply_get(shared, &key);
	if (slot != NULL)
	{
		found = read_if_fresh(shared, state, slot, now_us, &reply, &arrived_at);
		if (found)
			count_hit(shared, state);
		else
			answer = kis_effort_join(shared, &slot->effort, &state->call_attempt, now_us,
									 &state->wake_at_us, &state->waits_for);
		state->owns_call = !found && answer == KIS_EFFORT_MINE;
		if (state->owns_call)
			state->told_waits_for = KIS_OK;
		if (answer == KIS_EFFORT_THEIRS)
			state->waits_on = &slot->effort.moved;
		else if (answer == KIS_EFFORT_FAILED)
			failure = slot->effort.failure;
	}
	kis_unlock();

	if (found)
	{
		succeed_from_cache(state, reply, arrived_at);
		return false;
	}
	if (answer == KIS_EFFORT_FAILED)
		reread_or_fail(state, &failure);
	else if (answer == KIS_EFFORT_THEIRS)
		state->stage = KIS_STAGE_SHARES_CALL;
	return answer == KIS_EFFORT_MINE;
}

/* The reply goes to this inquiry, to those who wait for it, and to the cache. */
static void
publish(KisInquiryState *state, KisReply *reply)
{
	KisReplyKey key = reply_key(state);
	int64		arrived_us;
	TimestampTz arrived_at = kis_work_arrival(&state->work, &arrived_us);

	if (state->call_attempt != 0)
	{
		KisShared  *shared = kis_lock(LW_EXCLUSIVE);
		KisReplySlot *slot = kis_reply_get(shared, &key);

		if (slot != NULL && slot->reply_attempt <= state->call_attempt)
			kis_reply_write(shared, slot, state->inquiry->call, state->call_attempt, reply,
							arrived_at, arrived_us);
		if (slot != NULL)
			kis_effort_end(&slot->effort, state->call_attempt, NULL);
		kis_unlock();
		state->owns_call = false;
	}
	succeed(state, reply, arrived_at);
}

/* Drops the token that KIS refused; true: another may be had. */
static bool
drop_token(KisInquiryState *state, int64 now_us)
{
	KisConnection *connection = state->inquiry->connection;
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
accept_token(const KisInquiryState *state, int64 now_us)
{
	KisTokenSlot *slot;

	if (state->inquiry->connection->token != NULL)
		return;
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), state->inquiry->connection->identity);
	if (slot != NULL)
		kis_token_accepted(slot, state->generation, now_us);
	kis_unlock();
}

/* What KIS said to a call that failed decides whether it is tried again. */
static void
retry_or_fail(KisInquiryState *state, const KisError *error, bool unattended, int64 now_us)
{
	KisConnection *connection = state->inquiry->connection;
	KisWork    *work = &state->work;

	/* kept for the case that the wait for another try ends first */
	state->inquiry->error = *error;
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
			kis_work_back_off(work, state->refusals++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
		default:
			if (!kis_error_is_passing(error->error_class) ||
				work->retries >= connection->options->max_retries)
				break;
			kis_work_back_off(work, work->retries++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
	}
	reread_or_fail(state, error);
}

static void
call_finished(KisWork *work, int64 now_us)
{
	KisInquiryState *state = (KisInquiryState *) work;
	KisError	error = {0};
	bool		unattended = kis_transfer_unattended(work->transfer);
	KisReply   *reply = kis_transfer_reply(work->transfer, &error);

	state->counters->network_ms += kis_transfer_elapsed_ms(work->transfer);
	state->counters->bytes += kis_transfer_bytes(work->transfer);
	kis_work_count(work, reply != NULL ? NULL : &error, now_us);
	kis_work_end_transfer(work, now_us);

	if (reply != NULL)
	{
		accept_token(state, now_us);
		publish(state, reply);
	}
	else
		retry_or_fail(state, &error, unattended, now_us);
}

static void
send_call(KisInquiryState *state, KisHttp *http, const char *token, int64 now_us)
{
	KisInquiry *inquiry = state->inquiry;
	KisConnection *connection = inquiry->connection;
	KisEndpoint endpoint = kis_connection_endpoint(connection);
	KisSecrets	secrets = kis_connection_secrets(connection);
	KisTransfer *transfer;
	KisError	error = {0};

	secrets.token = token;
	state->counters->calls++;
	state->counters->rate_wait_ms += (now_us - state->work.ready_at_us) / 1000.0;
	transfer = kis_call_start(http, &endpoint, &secrets, inquiry->call, &inquiry->args,
							  state, &error);
	kis_work_started(&state->work, transfer, now_us);
	if (transfer != NULL)
		state->stage = KIS_STAGE_UNDER_WAY;
	else
		fail(state, &error);
}

/* Would going on read files? */
static bool
needs_files(const KisInquiryState *state)
{
	const KisConnection *connection = state->inquiry->connection;

	return state->rereads_token || state->rereads_secrets ||
		(kis_connection_has_key_files(connection) &&
		 state->token_attempt == 0 && !kis_issue_has_token(connection));
}

/* KIS has refused what the key files held: do they hold something else by now? Else the inquiry fails. */
static bool
reread_secrets(KisInquiryState *state)
{
	/* another call's refusal may have had them read since this one was sent */
	if (!identity_has_changed(state))
		kis_connection_reread_secrets(state->inquiry->connection);
	state->rereads_secrets = false;
	if (!identity_has_changed(state))
	{
		fail(state, &state->inquiry->error);
		return false;
	}
	state->counters->retries++;
	return true;
}

/* KIS has refused the file's token: has the file another one by now? Else the inquiry fails. */
static bool
reread_token(KisInquiryState *state)
{
	KisConnection *connection = state->inquiry->connection;

	/* another call's refusal may have had it read since this one was sent */
	if (state->generation == connection->token_generation &&
		!kis_connection_reread_token(connection))
	{
		state->rereads_token = false;
		reread_or_fail(state, &state->inquiry->error);
		return false;
	}
	state->rereads_token = false;
	state->counters->retries++;
	return true;
}

/* With all else at hand: a slot, and off it goes. */
static void
send_within_rate(KisInquiryState *state, int64 now_us)
{
	KisConnection *connection = state->inquiry->connection;
	/* may raise, and so comes before a slot is taken */
	KisHttp    *http = kis_session_http(connection->options->max_concurrent_requests);
	char		token[KIS_TOKEN_LEN];

	state->generation = kis_issue_copy_token(connection, token);
	if (state->generation == 0)
	{
		/* another session has dropped it this moment */
		state->wake_at_us = now_us;
		return;
	}
	state->stage = KIS_STAGE_NEEDS_SLOT;
	if (kis_work_take_slot(&state->work, connection, now_us, &state->wake_at_us, &state->waits_for))
	{
		state->waits_for = KIS_OK;
		send_call(state, http, token, now_us);
	}
	kis_wipe(token, sizeof(token));
}

static bool
get_token(KisInquiryState *state, int64 now_us)
{
	KisError	failure;

	state->stage = KIS_STAGE_NEEDS_TOKEN;
	switch (kis_issue_get_token(state->inquiry->connection, &state->token_attempt, now_us,
								&state->wake_at_us, &state->waits_on, &state->waits_for,
								&failure))
	{
		case KIS_TOKEN_READY:
			return true;
		case KIS_TOKEN_WAIT:
			/* nor does it stand in the queue for the rate: who gets the token may be behind it */
			state->work.ready_at_us = 0;
			return false;
		case KIS_TOKEN_FAILED:
			reread_or_fail(state, &failure);
			return false;
	}
	return false;
}

/* As far as it goes without waiting. */
static void
advance(KisInquiryState *state, const KisStatement *waiting, int64 now_us)
{
	state->wake_at_us = PG_INT64_MAX;
	state->waits_on = NULL;
	state->waits_for = KIS_OK;
	if (state->stage == KIS_STAGE_UNDER_WAY)
		return;
	if (state->stage == KIS_STAGE_BACKING_OFF && now_us < state->work.back_at_us)
	{
		state->wake_at_us = state->work.back_at_us;
		state->waits_for = state->inquiry->error.error_class;
		return;
	}
	if (state->statement != waiting && needs_files(state))
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
	if (kis_session_under_way() < state->inquiry->connection->options->max_concurrent_requests)
		send_within_rate(state, now_us);
}

/* Those who wait for the call count what it waits for against their max_wait too. */
static void
tell_what_it_waits_for(KisInquiryState *state)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call || state->told_waits_for == state->waits_for)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL)
		kis_effort_waits_for(&slot->effort, state->call_attempt, state->waits_for);
	kis_unlock();
	state->told_waits_for = state->waits_for;
}

void
kis_inquiry_advance(KisInquiryState *state, const KisStatement *waiting, int64 now_us)
{
	advance(state, waiting, now_us);
	tell_what_it_waits_for(state);
}

void
kis_inquiry_leave(KisInquiryState *state, bool at_once, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;

	if (!state->owns_call)
		return;
	slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
	if (slot != NULL)
		kis_effort_leave(&slot->effort, state->call_attempt, at_once, now_us);
	kis_unlock();
	state->owns_call = !at_once;
}

void
kis_inquiry_return(KisInquiryState *state, int64 now_us)
{
	KisReplyKey key = reply_key(state);
	KisReplySlot *slot;
	bool		lost = false;

	if (state->owns_call)
	{
		slot = kis_reply_find(kis_lock(LW_EXCLUSIVE), &key);
		lost = slot == NULL || !kis_effort_return(&slot->effort, state->call_attempt, now_us);
		kis_unlock();
		state->owns_call = !lost;
	}
	if (kis_work_renew(&state->work, !lost, now_us))
		state->stage = KIS_STAGE_NEEDS_CALL;
}

void
kis_inquiry_give_up(KisInquiryState *state, int64 now_us)
{
	/* it may be what KIS said last */
	KisError	error = state->inquiry->error;

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

void
kis_inquiry_begin(KisInquiry *inquiry)
{
	KisInquiryState *state = inquiry->state;

	state->inquiry = inquiry;
	state->identity = *inquiry->connection->identity;
	state->work.finished = call_finished;
	state->work.is_call = true;
	state->work.of_ledger = inquiry->call->of_ledger;
	state->stage = KIS_STAGE_NEEDS_CALL;
	kis_loop_add(state);
	if (is_shared(inquiry))
		answer_from_cache(state, kis_now_us());
}

void
kis_inquiry_abandon(KisInquiry *inquiry)
{
	KisInquiryState *state = inquiry->state;
	int64		now_us = kis_now_us();

	give_up_call(state, NULL, now_us);
	if (!inquiry->done)
		dlist_delete(&state->node);
	kis_work_end_transfer(&state->work, now_us);
	kis_reply_free(state->reply);
	inquiry->done = true;
	inquiry->reply = NULL;
	state->reply = NULL;
}
