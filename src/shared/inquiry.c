/*
 * inquiry.c
 *		An inquiry's way: token, slot, call, and what to do with what came.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "error.h"
#include "inquiry.h"

/* Those of the session that are not done, first come first. */
static dlist_head pending = DLIST_STATIC_INIT(pending);

static void
finish(KisInquiryState *state)
{
	dlist_delete(&state->node);
	state->inquiry->done = true;
}

static void
fail(KisInquiryState *state, const KisError *error)
{
	state->inquiry->error = *error;
	finish(state);
}

static void
succeed(KisInquiryState *state, KisCachedReply *held)
{
	state->held = held;
	state->inquiry->reply = held->reply;
	state->inquiry->arrived_at = held->arrived_at;
	finish(state);
}

static bool
succeed_from_cache(KisInquiryState *state, int64 now_us)
{
	KisInquiry *inquiry = state->inquiry;
	KisConnection *connection = inquiry->connection;
	KisCachedReply *held = kis_cache_get(&connection->account->identity, inquiry->call,
										 &inquiry->args, connection->options->cache_ttl, now_us);

	if (held == NULL)
		return false;
	state->counters->cached++;
	succeed(state, held);
	return true;
}

static void
keep_reply(KisInquiryState *state, KisReply *reply, int64 now_us)
{
	KisInquiry *inquiry = state->inquiry;
	KisConnection *connection = inquiry->connection;
	KisCachedReply *held = kis_reply_hold(reply, Max(kis_session_arrival(), state->work.sent_at));

	if (held == NULL)
	{
		KisError	error = {.error_class = KIS_ERROR_LOCAL,.text = "out of memory"};

		fail(state, &error);
		return;
	}
	if (connection->options->cache_ttl > 0)
		kis_cache_put(&connection->account->identity, inquiry->call, &inquiry->args, held, now_us);
	succeed(state, held);
}

/* What KIS said to a call that failed decides whether it is tried again. */
static void
retry_or_fail(KisInquiryState *state, const KisError *error, bool unattended, int64 now_us)
{
	KisConnection *connection = state->inquiry->connection;
	KisWork    *work = &state->work;

	/* kept for the case that the wait for another try ends first */
	state->inquiry->error = *error;

	if (unattended)
	{
		state->stage = KIS_STAGE_NEEDS_TOKEN;
		return;
	}
	switch (error->error_class)
	{
		case KIS_ERROR_TOKEN:
			if (state->token_renewed ||
				!kis_token_refused(&connection->account->token, state->generation, now_us))
				break;
			state->token_renewed = true;
			state->stage = KIS_STAGE_NEEDS_TOKEN;
			state->counters->retries++;
			return;
		case KIS_ERROR_RATE:
			/* not the caller's fault: tried again for as long as max_wait */
			kis_rate_refused(work->rate, work->per_second, work->sent_at_us, now_us);
			kis_work_back_off(work, state->refusals++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
		case KIS_ERROR_CREDENTIALS:
			kis_connection_doubt(connection);
			break;
		default:
			if (!kis_error_is_passing(error->error_class) ||
				work->retries >= connection->options->max_retries)
				break;
			kis_work_back_off(work, work->retries++, now_us);
			state->stage = KIS_STAGE_BACKING_OFF;
			state->counters->retries++;
			return;
	}
	fail(state, error);
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
	kis_work_end_transfer(work, now_us);

	/* a refusal for another reason has accepted the token as well */
	if (reply != NULL)
		kis_token_accepted(&state->inquiry->connection->account->token, state->generation);

	if (reply != NULL)
		keep_reply(state, reply, now_us);
	else
		retry_or_fail(state, &error, unattended, now_us);
}

static void
send_call(KisInquiryState *state, int64 now_us)
{
	KisInquiry *inquiry = state->inquiry;
	KisConnection *connection = inquiry->connection;
	KisHttp    *http = kis_session_http(connection->options->max_concurrent_requests);
	KisEndpoint endpoint = kis_connection_endpoint(connection);
	KisSecrets	secrets = kis_connection_secrets(connection);
	KisTransfer *transfer;
	KisError	error = {0};

	secrets.token = connection->account->token.token;
	state->generation = connection->account->token.generation;
	state->counters->calls++;
	state->counters->rate_wait_ms += (now_us - state->ready_at_us) / 1000.0;
	state->ready_at_us = 0;
	transfer = kis_call_start(http, &endpoint, &secrets, inquiry->call, &inquiry->args,
							  state, &error);
	kis_work_started(&state->work, transfer, now_us);
	if (transfer != NULL)
		state->stage = KIS_STAGE_UNDER_WAY;
	else
		fail(state, &error);
}

/* As far as it goes without waiting. */
static void
advance(KisInquiryState *state, int64 now_us)
{
	KisConnection *connection = state->inquiry->connection;

	state->wake_at_us = PG_INT64_MAX;
	if (state->stage == KIS_STAGE_UNDER_WAY)
		return;
	if (state->stage == KIS_STAGE_BACKING_OFF && now_us < state->work.back_at_us)
	{
		state->wake_at_us = state->work.back_at_us;
		return;
	}

	/* looked at each time: the token may end while a call waits for its slot */
	state->stage = KIS_STAGE_NEEDS_TOKEN;
	if (!kis_issue_have_token(connection, now_us, &state->wake_at_us))
		return;

	state->stage = KIS_STAGE_NEEDS_ROOM;
	if (kis_session_under_way() >= connection->options->max_concurrent_requests)
		return;

	state->stage = KIS_STAGE_NEEDS_SLOT;
	if (state->ready_at_us == 0)
		state->ready_at_us = now_us;
	if (kis_work_take_slot(&state->work, connection,
						   connection->options->request_timeout * INT64CONST(1000),
						   now_us, &state->wake_at_us))
		send_call(state, now_us);
}

static void
advance_all(int64 now_us, int64 *wake_at_us)
{
	dlist_mutable_iter iter;

	kis_issues_advance(now_us, wake_at_us);
	dlist_foreach_modify(iter, &pending)
	{
		KisInquiryState *state = dlist_container(KisInquiryState, node, iter.cur);

		advance(state, now_us);
		*wake_at_us = Min(*wake_at_us, state->wake_at_us);
	}
}

void
kis_inquiries_fail_for_token(const KisAccount *account, const KisError *error)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &pending)
	{
		KisInquiryState *state = dlist_container(KisInquiryState, node, iter.cur);

		if (state->stage == KIS_STAGE_NEEDS_TOKEN &&
			state->inquiry->connection->account == account)
			fail(state, error);
	}
}

/* max_wait is over: the error says what the inquiry was waiting for. */
static void
fail_for_wait(KisInquiryState *state, int64 now_us)
{
	KisErrorClass waited_for = KIS_OK;
	KisError	error = state->inquiry->error;

	if (state->stage == KIS_STAGE_NEEDS_TOKEN)
		waited_for = KIS_ERROR_TOKEN_TOO_SOON;
	else if (state->stage == KIS_STAGE_NEEDS_SLOT)
		waited_for = KIS_ERROR_RATE;
	/* else it backs off from what KIS said last */

	if (waited_for != KIS_OK && error.error_class != waited_for)
	{
		memset(&error, 0, sizeof(error));
		error.error_class = waited_for;
	}
	if (state->wake_at_us != PG_INT64_MAX)
		error.retry_after_ms = (int) Min(Max(1, (state->wake_at_us - now_us) / 1000), PG_INT32_MAX);
	fail(state, &error);
}

/* Is it the rate, a token too soon or a retry that this waits for, not the network? */
static bool
waits_beside_network(const KisInquiryState *state)
{
	switch (state->stage)
	{
		case KIS_STAGE_NEEDS_TOKEN:
			return !kis_issue_under_way(state->inquiry->connection->account);
		case KIS_STAGE_NEEDS_SLOT:
		case KIS_STAGE_BACKING_OFF:
			return true;
		case KIS_STAGE_NEEDS_ROOM:
		case KIS_STAGE_UNDER_WAY:
			return false;
	}
	return false;
}

bool
kis_inquiry_wait(KisInquiry *inquiry)
{
	KisInquiryState *state = inquiry->state;
	KisStatement *statement = state->statement;
	int64		max_wait_us = inquiry->connection->options->max_wait * INT64CONST(1000);

	while (!inquiry->done)
	{
		int64		now_us = kis_now_us();
		int64		wake_at_us = PG_INT64_MAX;

		advance_all(now_us, &wake_at_us);
		if (kis_session_step() || inquiry->done)
			continue;

		if (waits_beside_network(state))
		{
			int64		left_us = max_wait_us - statement->waited_us;

			/* known beforehand: no use in waiting for what comes too late */
			if (left_us <= 0 ||
				(state->wake_at_us != PG_INT64_MAX && state->wake_at_us - now_us > left_us))
			{
				fail_for_wait(state, now_us);
				break;
			}
			kis_session_wait(Min(wake_at_us, now_us + left_us));
			statement->waited_us += kis_now_us() - now_us;
		}
		else
			kis_session_wait(wake_at_us);
	}
	return inquiry->reply != NULL;
}

void
kis_inquiry_wait_or_raise(KisInquiry *inquiry)
{
	if (!kis_inquiry_wait(inquiry))
		kis_raise(&inquiry->error, inquiry->connection);
}

void
kis_inquiry_begin(KisInquiry *inquiry)
{
	KisInquiryState *state = inquiry->state;
	int64		now_us = kis_now_us();

	state->inquiry = inquiry;
	state->work.finished = call_finished;
	state->stage = KIS_STAGE_NEEDS_TOKEN;
	dlist_push_tail(&pending, &state->node);
	if (!succeed_from_cache(state, now_us))
		advance(state, now_us);
}

void
kis_inquiry_abandon(KisInquiry *inquiry)
{
	KisInquiryState *state = inquiry->state;

	if (!inquiry->done)
		dlist_delete(&state->node);
	kis_work_end_transfer(&state->work, kis_now_us());
	if (state->held != NULL)
		kis_reply_release(state->held);
	inquiry->done = true;
	inquiry->reply = NULL;
	state->held = NULL;
}
