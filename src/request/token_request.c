/*
 * token_request.c
 *		Access tokens: one session requests it, all that need it wait.
 *
 * A token request outlives the query that began it: KIS has counted it already
 * and told the customer, so what it brings is not to be thrown away.
 */
#include "postgres.h"

#include <time.h>

#include "utils/memutils.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/code.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/token.h"
#include "kis/text.h"
#include "request/connection.h"
#include "request/job.h"
#include "request/token_request.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/token.h"

static void
free_request(KisJob *job)
{
	dlist_delete(&job->node);
	job->connection->users--;
	pfree(job);
}

/*
 * Those who wait get a token, a failure, or neither where KIS says that it is too
 * soon. What came, came at arrived_us; a session that stood still is late with it.
 */
static void
end_request(KisJob *job, const KisToken *token, const KisError *failure, int64 arrived_us)
{
	KisShared  *shared = kis_lock(LW_EXCLUSIVE);
	KisTokenSlot *slot = kis_token_get(shared, &job->key.identity, kis_now_us());
	KisAccount *account = kis_account_find(shared, job->key.identity.key);

	if (slot != NULL)
	{
		/* one that was requested before the token that is there is older */
		if (token != NULL && job->attempt > slot->generation)
			kis_token_issued(shared, slot, token, arrived_us);
		else if (token == NULL && failure == NULL)
			kis_token_too_soon(slot, arrived_us);
		else if (failure != NULL && failure->error_class != KIS_ERROR_CREDENTIALS &&
				 kis_token_refresh_failed(slot, arrived_us))
			failure = NULL;
		kis_in_flight_end(&slot->in_flight, job->attempt, failure);
	}
	if (account != NULL && token != NULL)
		account->stat.tokens_issued++;
	kis_unlock();
	free_request(job);
}

/*
 * The transfer has ended. A request that others have taken over brings what it
 * has, but is not tried again.
 */
void
kis_token_request_finished(KisJob *job, int64 arrived_us, int64 now_us)
{
	KisToken	token;
	KisError	error = {0};
	bool		unattended = kis_transfer_unattended(job->transfer);
	bool		ok = kis_transfer_token(job->transfer,
										timestamptz_to_time_t(kis_timestamp_of(arrived_us)),
										&token, &error);

	if (ok && token.expires_at <= (int64) time(NULL))
	{
		ok = false;
		kis_error_set(&error, KIS_ERROR_TOKEN, KIS_PHASE_NONE, "the token that KIS issued has ended already");
	}
	kis_job_end_transfer(job, &error, now_us);
	if (ok)
		end_request(job, &token, NULL, arrived_us);
	else
		switch (kis_job_failed(job, kis_policies[error.error_class].of_token_request,
							   unattended, &error, now_us))
		{
			case KIS_ACTION_LATER:
				end_request(job, NULL, NULL, arrived_us);
				break;
			case KIS_ACTION_RETRY:
			case KIS_ACTION_BACK_OFF:
				if (!job->owned)
					free_request(job);
				break;
			default:
				if (job->owned)
					end_request(job, NULL, &error, arrived_us);
				else
					free_request(job);
		}
	kis_wipe(&token, sizeof(token));
}

/*
 * The session has become the owner of this attempt. It goes on with a request of
 * its own that a cancelled query has left under way: KIS has counted that one, and
 * another so soon could kill its token.
 */
static void
begin_request(KisConnection *connection, uint64 attempt)
{
	KisJob	   *job = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, &kis_jobs)
	{
		KisJob	   *left = dlist_container(KisJob, node, iter.cur);

		if (left->call == NULL && !left->owned &&
			memcmp(&left->key.identity, connection->identity, sizeof(KisIdentity)) == 0)
			job = left;
	}
	if (job == NULL)
	{
		job = MemoryContextAllocZero(TopMemoryContext, sizeof(KisJob));
		job->connection = connection;
		job->key.identity = *connection->identity;
		connection->users++;
		dlist_push_head(&kis_jobs, &job->node);
	}
	job->attempt = attempt;
	job->owned = true;
}

/*
 * The number of the connection's token that can be used now, and where token is
 * not NULL a copy of it, KIS_TOKEN_LEN bytes at most; 0: there is none.
 */
uint64
kis_token_copy(const KisConnection *connection, char *token)
{
	uint64		generation = 0;
	KisTokenSlot *slot;

	if (connection->token != NULL)
	{
		if (token != NULL)
			strlcpy(token, connection->token, KIS_TOKEN_LEN);
		return connection->token_generation;
	}
	slot = kis_token_find(kis_lock(LW_SHARED), connection->identity);
	if (slot != NULL && kis_token_is_ready(slot, kis_now_us()))
	{
		if (token != NULL)
			strlcpy(token, slot->token, KIS_TOKEN_LEN);
		generation = slot->generation;
	}
	kis_unlock();
	return generation;
}

/*
 * The connection's token, as above. Where there is none, sees to it that one
 * session requests it. *attempt is 0 at first and belongs to the caller. May read
 * key files, and so raise, or change the connection's identity.
 */
KisTokenAnswer
kis_token_obtain(KisConnection *connection, uint64 *attempt, int64 now_us, KisWait *wait,
				 char *token, uint64 *generation, KisError *failure)
{
	KisJoined	joined = KIS_JOINED_AS_WAITER;
	KisShared  *shared;
	KisTokenSlot *slot;

	*generation = kis_token_copy(connection, token);
	if (*generation != 0)
	{
		*attempt = 0;
		return KIS_TOKEN_READY;
	}
	if (*attempt == 0)
		kis_connection_read_secrets(connection);

	shared = kis_lock(LW_EXCLUSIVE);
	slot = kis_token_get(shared, connection->identity, now_us);
	if (slot == NULL)
		wait->reason = KIS_ERROR_FULL;
	else if (kis_token_is_ready(slot, now_us))
		wait->wake_at_us = now_us;
	else if (slot->not_before_us > now_us)
	{
		wait->wake_at_us = slot->not_before_us;
		wait->reason = KIS_ERROR_TOKEN_TOO_SOON;
	}
	else
	{
		joined = kis_in_flight_join(shared, &slot->in_flight, attempt, now_us, wait);
		if (joined == KIS_JOINED_TOO_LATE)
		{
			*failure = slot->in_flight.failure;
			*attempt = 0;
		}
	}
	kis_unlock();
	if (joined == KIS_JOINED_AS_OWNER)
	{
		begin_request(connection, *attempt);
		wait->wake_at_us = now_us;
	}
	return joined == KIS_JOINED_TOO_LATE ? KIS_TOKEN_FAILED : KIS_TOKEN_WAIT;
}

/*
 * As far as it goes without waiting; false where it is gone: others have taken it
 * over, or the key files hold other keys by now, of which it would bring no token.
 */
bool
kis_token_request_advance(KisJob *job, int64 now_us)
{
	KisError	error = {0};

	if (memcmp(&job->key.identity, job->connection->identity, sizeof(KisIdentity)) != 0)
		kis_job_end(job, NULL);
	if (!job->owned)
	{
		free_request(job);
		return false;
	}
	if (kis_job_send(job, NULL, now_us, &error))
		return true;
	end_request(job, NULL, &error, now_us);
	return false;
}
