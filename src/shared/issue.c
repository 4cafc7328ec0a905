/*
 * issue.c
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

#include "inquiry.h"

typedef struct Issue
{
	KisWork		work;
	dlist_node	node;
	KisConnection *connection;	/* held */
	KisIdentity identity;
	uint64		attempt;
	bool		owned;			/* no other session has taken over */
	KisErrorClass backs_off_from;	/* what the last try failed for */
} Issue;

static dlist_head issues = DLIST_STATIC_INIT(issues);

static void
free_issue(Issue *issue)
{
	dlist_delete(&issue->node);
	kis_connection_release(issue->connection);
	pfree(issue);
}

/*
 * Tells those who wait: a token, a failure, or neither where KIS says that it is
 * too soon. It came at arrived_us; a session that stood still comes late with it.
 */
static void
end_issue(Issue *issue, const KisToken *token, const KisError *failure, int64 arrived_us)
{
	KisShared  *shared = kis_lock(LW_EXCLUSIVE);
	KisTokenSlot *slot = kis_token_get(shared, &issue->identity, kis_now_us());
	KisAccount *account = kis_account_find(shared, issue->identity.key);

	if (slot != NULL)
	{
		/* what was asked for before the token that is there is older than it */
		if (token != NULL && issue->attempt > slot->generation)
			kis_token_issued(shared, slot, token, arrived_us);
		else if (token == NULL && failure == NULL)
			kis_token_too_soon(slot, arrived_us);
		else if (failure != NULL && failure->error_class != KIS_ERROR_CREDENTIALS &&
				 kis_token_refresh_failed(slot, arrived_us))
			failure = NULL;
		kis_effort_end(&slot->issue, issue->attempt, failure);
	}
	if (account != NULL && token != NULL)
		account->stat.tokens_issued++;
	kis_unlock();
	free_issue(issue);
}

/* Was the request surely not an issue that KIS has counted? */
static bool
may_ask_again(const KisError *error)
{
	return error->error_class == KIS_ERROR_CONNECT ||
		error->error_class == KIS_ERROR_PASSING ||
		error->error_class == KIS_ERROR_RATE;
}

static void
issue_finished(KisWork *work, int64 now_us)
{
	Issue	   *issue = (Issue *) work;
	KisToken	token;
	KisError	error = {0};
	int64		arrived_us;
	TimestampTz arrived_at = kis_work_arrival(work, &arrived_us);
	pg_time_t	now = timestamptz_to_time_t(arrived_at);
	bool		unattended = kis_transfer_unattended(work->transfer);
	bool		ok = kis_transfer_token(work->transfer, now, &token, &error);

	if (ok && token.expires_at <= (int64) time(NULL))
	{
		ok = false;
		error.error_class = KIS_ERROR_TOKEN;
		strlcpy(error.text, "the token that KIS issued has ended already", sizeof(error.text));
	}
	kis_work_count(work, ok ? NULL : &error, now_us);
	kis_work_end_transfer(work, now_us);

	if (ok)
		end_issue(issue, &token, NULL, arrived_us);
	else if (error.error_class == KIS_ERROR_TOKEN_TOO_SOON)
		end_issue(issue, NULL, NULL, arrived_us);
	else if (!issue->owned)
		free_issue(issue);
	else if (unattended)
		work->back_at_us = now_us;
	else if (may_ask_again(&error) && work->retries < issue->connection->options->max_retries)
	{
		issue->backs_off_from = error.error_class;
		kis_work_back_off(work, work->retries++, now_us);
	}
	else
		end_issue(issue, NULL, &error, arrived_us);
	kis_wipe(&token, sizeof(token));
}

/* The session's own request that a cancelled statement has left under way. */
static Issue *
find_left_issue(const KisIdentity *identity)
{
	dlist_iter	iter;

	dlist_foreach(iter, &issues)
	{
		Issue	   *issue = dlist_container(Issue, node, iter.cur);

		if (!issue->owned && memcmp(&issue->identity, identity, sizeof(KisIdentity)) == 0)
			return issue;
	}
	return NULL;
}

/* The session has become the owner of this attempt. */
static void
begin_issue(KisConnection *connection, uint64 attempt)
{
	Issue	   *issue = find_left_issue(connection->identity);

	/* KIS has counted that one: another so soon could kill its token */
	if (issue != NULL)
	{
		issue->attempt = attempt;
		issue->owned = true;
		return;
	}
	issue = MemoryContextAllocZero(TopMemoryContext, sizeof(Issue));
	issue->work.finished = issue_finished;
	issue->connection = connection;
	issue->identity = *connection->identity;
	issue->attempt = attempt;
	issue->owned = true;
	kis_connection_hold(connection);
	dlist_push_tail(&issues, &issue->node);
}

bool
kis_issue_has_token(const KisConnection *connection)
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

KisTokenAnswer
kis_issue_get_token(KisConnection *connection, uint64 *attempt, int64 now_us,
					int64 *wake_at_us, ConditionVariable **waits_on,
					KisErrorClass *waits_for, KisError *failure)
{
	KisTokenAnswer answer = KIS_TOKEN_WAIT;
	KisShared  *shared;
	KisTokenSlot *slot;
	bool		begins = false;

	if (kis_issue_has_token(connection))
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
		switch (kis_effort_join(shared, &slot->issue, attempt, now_us, wake_at_us, waits_for))
		{
			case KIS_EFFORT_MINE:
				begins = true;
				*wake_at_us = now_us;
				break;
			case KIS_EFFORT_THEIRS:
				*waits_on = &slot->issue.moved;
				break;
			case KIS_EFFORT_FAILED:
				*failure = slot->issue.failure;
				*attempt = 0;
				answer = KIS_TOKEN_FAILED;
				break;
		}
	kis_unlock();
	if (begins)
		begin_issue(connection, *attempt);
	return answer;
}

uint64
kis_issue_copy_token(const KisConnection *connection, char *token)
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
tell_what_it_waits_for(const Issue *issue, KisErrorClass waits_for)
{
	KisTokenSlot *slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &issue->identity);

	if (slot != NULL)
		kis_effort_waits_for(&slot->issue, issue->attempt, waits_for);
	kis_unlock();
}

static void
send_issue(Issue *issue, int64 now_us, int64 *wake_at_us)
{
	KisEndpoint endpoint = kis_connection_endpoint(issue->connection);
	KisSecrets	secrets = kis_connection_secrets(issue->connection);
	KisHttp    *http = kis_session_http(issue->connection->options->max_concurrent_requests);
	KisErrorClass waits_for;
	bool		has_slot = kis_work_take_slot(&issue->work, issue->connection, now_us, wake_at_us,
											  &waits_for);
	KisError	error = {0};

	tell_what_it_waits_for(issue, has_slot ? KIS_OK : waits_for);
	if (!has_slot)
		return;
	kis_work_started(&issue->work,
					 kis_token_start(http, &endpoint, &secrets, issue, &error),
					 now_us);
	if (issue->work.transfer == NULL)
		end_issue(issue, NULL, &error, now_us);
}

/* Others may go on with it, at once or where the session stays away. */
static void
leave_issue(Issue *issue, bool at_once, int64 now_us)
{
	KisTokenSlot *slot;

	if (!issue->owned)
		return;
	slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &issue->identity);
	if (slot != NULL)
		kis_effort_leave(&slot->issue, issue->attempt, at_once, now_us);
	kis_unlock();
	if (at_once)
		kis_work_leave(&issue->work, now_us);
	issue->owned = !at_once;
}

void
kis_issues_advance(int64 now_us, int64 *wake_at_us)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &issues)
	{
		Issue	   *issue = dlist_container(Issue, node, iter.cur);

		if (issue->work.transfer != NULL)
			continue;
		/* the key files have changed: the new keys' token is not the old ones' */
		if (memcmp(&issue->identity, issue->connection->identity, sizeof(KisIdentity)) != 0)
			leave_issue(issue, true, now_us);
		if (!issue->owned)
			free_issue(issue);
		else if (issue->work.back_at_us > now_us)
		{
			*wake_at_us = Min(*wake_at_us, issue->work.back_at_us);
			tell_what_it_waits_for(issue, issue->backs_off_from);
		}
		else
			send_issue(issue, now_us, wake_at_us);
	}
}

void
kis_issues_leave(bool at_once, int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &issues)
		leave_issue(dlist_container(Issue, node, iter.cur), at_once, now_us);
}

void
kis_issues_return(int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &issues)
	{
		Issue	   *issue = dlist_container(Issue, node, iter.cur);
		KisTokenSlot *slot;

		if (issue->owned)
		{
			slot = kis_token_find(kis_lock(LW_EXCLUSIVE), &issue->identity);
			issue->owned = slot != NULL && kis_effort_return(&slot->issue, issue->attempt, now_us);
			kis_unlock();
		}
		(void) kis_work_renew(&issue->work, issue->owned, now_us);
	}
}

void
kis_issues_drop(int64 now_us)
{
	dlist_iter	iter;

	dlist_foreach(iter, &issues)
		kis_work_end_transfer(&dlist_container(Issue, node, iter.cur)->work, now_us);
}
