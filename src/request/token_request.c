/*
 * token_request.c
 *		Getting access tokens: one session asks KIS, all that need the token
 *		wait for it.
 *
 * An issue outlives the statement that began it: KIS has counted it already
 * and told the customer, so what it brings is not to be thrown away.
 */
#include "postgres.h"

#include <time.h>

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/token.h"
#include "request/connection.h"
#include "request/token_request.h"
#include "request/transfers.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/token.h"

typedef struct TokenRequest
{
	KisJob		job;
	dlist_node	node;
	KisConnection *connection;	/* held */
	KisIdentity identity;
	uint64		attempt;
	bool		owned;			/* no other session has taken over */
	KisErrorClass backs_off_from;	/* what the last try failed for */
} TokenRequest;

static dlist_head requests = DLIST_STATIC_INIT(requests);

static void
free_request(TokenRequest *request)
{
	dlist_delete(&request->node);
	kis_connection_unpin(request->connection);
	pfree(request);
}

/*
 * Tells those who wait: a token, a failure, or neither where KIS says that it is
 * too soon. It came at arrived_us; a session that stood still comes late with it.
 */
static void
end_request(TokenRequest *request, const KisToken *token, const KisError *failure, int64 arrived_us)
{
	KisShared  *shared = kis_lock(LW_EXCLUSIVE);
	KisTokenSlot *slot = kis_token_get(shared, &request->identity, kis_now_us());
	KisAccount *account = kis_account_find(shared, request->identity.key);

	if (slot != NULL)
	{
		/* what was asked for before the token that is there is older than it */
		if (token != NULL && request->attempt > slot->generation)
			kis_token_issued(shared, slot, token, arrived_us);
		else if (token == NULL && failure == NULL)
			kis_token_too_soon(slot, arrived_us);
		else if (failure != NULL && failure->error_class != KIS_ERROR_CREDENTIALS &&
				 kis_token_refresh_failed(slot, arrived_us))
			failure = NULL;
		kis_in_flight_end(&slot->issue, request->attempt, failure);
	}
	if (account != NULL && token != NULL)
		account->stat.tokens_issued++;
	kis_unlock();
	free_request(request);
}

/* Was the request surely not an issue that KIS has counted? */
static bool
may_ask_again(const KisError *error)
{
	return error->error_class == KIS_ERROR_CONNECT ||
		error->error_class == KIS_ERROR_TRANSIENT ||
		error->error_class == KIS_ERROR_RATE;
}

static void
token_request_finished(KisJob *job, int64 now_us)
{
	TokenRequest *request = (TokenRequest *) job;
	KisToken	token;
	KisError	error = {0};
	int64		arrived_us;
	TimestampTz arrived_at = kis_job_arrival(job, &arrived_us);
	pg_time_t	now = timestamptz_to_time_t(arrived_at);
	bool		unattended = kis_transfer_unattended(job->transfer);
	bool		ok = kis_transfer_token(job->transfer, now, &token, &error);

	if (ok && token.expires_at <= (int64) time(NULL))
	{
		ok = false;
		error.error_class = KIS_ERROR_TOKEN;
		strlcpy(error.text, "the token that KIS issued has ended already", sizeof(error.text));
	}
	kis_job_count(job, ok ? NULL : &error, now_us);
	kis_job_end_transfer(job, now_us);

	if (ok)
		end_request(request, &token, NULL, arrived_us);
	else if (error.error_class == KIS_ERROR_TOKEN_TOO_SOON)
		end_request(request, NULL, NULL, arrived_us);
	else if (!request->owned)
		free_request(request);
	else if (unattended)
		job->back_at_us = now_us;
	else if (may_ask_again(&error) && job->retries < request->connection->options->max_retries)
	{
		request->backs_off_from = error.error_class;
		kis_job_back_off(job, job->retries++, now_us);
	}
	else
		end_request(request, NULL, &error, arrived_us);
	kis_wipe(&token, sizeof(token));
}

/* The session's own request that a cancelled statement has left under way. */
static TokenRequest *
find_left_request(const KisIdentity *identity)
{
	dlist_iter	iter;

	dlist_foreach(iter, &requests)
	{
		TokenRequest *request = dlist_container(TokenRequest, node, iter.cur);

		if (!request->owned && memcmp(&request->identity, identity, sizeof(KisIdentity)) == 0)
			return request;
	}
	return NULL;
}

/* The session has become the owner of this attempt. */
static void
begin_request(KisConnection *connection, uint64 attempt)
{
	TokenRequest *request = find_left_request(connection->identity);

	/* KIS has counted that one: another so soon could kill its token */
	if (request != NULL)
	{
		request->attempt = attempt;
		request->owned = true;
		return;
	}
	request = MemoryContextAllocZero(TopMemoryContext, sizeof(TokenRequest));
	request->job.finished = token_request_finished;
	request->connection = connection;
	request->identity = *connection->identity;
	request->attempt = attempt;
	request->owned = true;
	kis_connection_pin(connection);
	dlist_push_tail(&requests, &request->node);
}

/* Has the connection's account a token that can be used now? */
bool
kis_token_request_has_token(const KisConnection *connection)
{
	KisTokenSlot *slot;
	bool		ready;

	if (connection->token != NULL)
		return true;
	slot = kis_token_find(kis_lock(LW_SHARED), connection->identity);
	ready = slot != NULL && kis_token_is_ready(slot, kis_now_us());
	kis_unlock();
	return ready;
}

/*
 * Has the connection's account a token? If not, sees to it that one session
 * gets it. *attempt is 0 at first and belongs to the caller; *waits_for as in
 * kis_in_flight_join. May read key files and so change the connection's
 * identity.
 */
KisTokenAnswer
kis_token_request_get_token(KisConnection *connection, uint64 *attempt, int64 now_us,
							int64 *wake_at_us, ConditionVariable **waits_on,
							KisErrorClass *waits_for, KisError *failure)
{
	KisTokenAnswer answer = KIS_TOKEN_WAIT;
	KisShared  *shared;
	KisTokenSlot *slot;
	bool		begins = false;

	if (kis_token_request_has_token(connection))
	{
		*attempt = 0;
		return KIS_TOKEN_READY;
	}
	/* raises where a file can't be read, and may change who the connection is */
	if (*attempt == 0)
		kis_connection_reread_secrets(connection);

	shared = kis_lock(LW_EXCLUSIVE);
	slot = kis_token_get(shared, connection->identity, now_us);
	if (slot == NULL)
		*waits_for = KIS_ERROR_FULL;
	else if (kis_token_is_ready(slot, now_us))
		answer = KIS_TOKEN_READY;
	else if (slot->not_before_us > now_us)
	{
		*wake_at_us = Min(*wake_at_us, slot->not_before_us);
		*waits_for = KIS_ERROR_TOKEN_TOO_SOON;
	}
	else
		switch (kis_in_flight_join(shared, &slot->issue, attempt, now_us, wake_at_us, waits_for))
		{
			case KIS_IN_FLIGHT_MINE:
				begins = true;
				*wake_at_us = now_us;
				break;
			case KIS_IN_FLIGHT_THEIRS:
				*waits_on = &slot->issue.moved;
				break;
			case KIS_IN_FLIGHT_FAILED:
				*failure = slot->issue.failure;
				*attempt = 0;
				answer = KIS_TOKEN_FAILED;
				break;
		}
	kis_unlock();
	if (begins)
		begin_request(connection, *attempt);
	return answer;
}

/*
 * Copies the token that calls are to be sent with; returns its generation, 0
 * where there is none.
 */
uint64
kis_token_request_copy_token(const KisConnection *connection, char *token)
{
	uint64		generation = 0;
	KisTokenSlot *slot;

	if (connection->token != NULL)
	{
		strlcpy(token, connection->token, KIS_TOKEN_LEN);
		return connection->token_generation;
	}
	slot = kis_token_find(kis_lock(LW_SHARED), connection->identity);
	if (slot != NULL && slot->valid)
	{
		strlcpy(token, slot->token, KIS_TOKEN_LEN);
		generation = slot->generation;
	}
	kis_unlock();
	return generation;
}

static void
publish_waits_for(const TokenRequest *request, KisErrorClass waits_for)
{
	KisTokenSlot *slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &request->identity);

	if (slot != NULL)
		kis_in_flight_waits_for(&slot->issue, request->attempt, waits_for);
	kis_unlock();
}

static void
send_request(TokenRequest *request, int64 now_us, int64 *wake_at_us)
{
	KisEndpoint endpoint = kis_connection_endpoint(request->connection);
	KisSecrets	secrets = kis_connection_secrets(request->connection);
	KisHttp    *http = kis_session_http(request->connection->options->max_concurrent_requests);
	KisErrorClass waits_for;
	bool		has_slot = kis_job_take_slot(&request->job, request->connection, now_us, wake_at_us,
											 &waits_for);
	KisError	error = {0};

	publish_waits_for(request, has_slot ? KIS_OK : waits_for);
	if (!has_slot)
		return;
	kis_job_started(&request->job,
					kis_token_start(http, &endpoint, &secrets, request, &error),
					now_us);
	if (request->job.transfer == NULL)
		end_request(request, NULL, &error, now_us);
}

/* Others may go on with it, at once or where the session stays away. */
static void
leave_request(TokenRequest *request, bool at_once, int64 now_us)
{
	KisTokenSlot *slot;

	if (!request->owned)
		return;
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &request->identity);
	if (slot != NULL)
		kis_in_flight_leave(&slot->issue, request->attempt, at_once, now_us);
	kis_unlock();
	if (at_once)
		kis_job_leave(&request->job, now_us);
	request->owned = !at_once;
}

/* Moves the session's issues on; wake time as above. */
void
kis_token_requests_advance(int64 now_us, int64 *wake_at_us)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &requests)
	{
		TokenRequest *request = dlist_container(TokenRequest, node, iter.cur);

		if (request->job.transfer != NULL)
			continue;

		/*
		 * the key files have changed: the new keys' token is not the old
		 * ones'
		 */
		if (memcmp(&request->identity, request->connection->identity, sizeof(KisIdentity)) != 0)
			leave_request(request, true, now_us);
		if (!request->owned)
			free_request(request);
		else if (request->job.back_at_us > now_us)
		{
			*wake_at_us = Min(*wake_at_us, request->job.back_at_us);
			publish_waits_for(request, request->backs_off_from);
		}
		else
			send_request(request, now_us, wake_at_us);
	}
}

/* The session leaves the wire's loop, or is back. */
void
kis_token_requests_leave(bool at_once, int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &requests)
		leave_request(dlist_container(TokenRequest, node, iter.cur), at_once, now_us);
}

void
kis_token_requests_return(int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &requests)
	{
		TokenRequest *request = dlist_container(TokenRequest, node, iter.cur);
		KisTokenSlot *slot;

		if (request->owned)
		{
			slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &request->identity);
			request->owned = slot != NULL && kis_in_flight_return(&slot->issue, request->attempt, now_us);
			kis_unlock();
		}
		(void) kis_job_renew(&request->job, request->owned, now_us);
	}
}

/* The session ends: what it has under way goes with it. */
void
kis_token_requests_drop(int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &requests)
		kis_job_end_transfer(&dlist_container(TokenRequest, node, iter.cur)->job, now_us);
}
