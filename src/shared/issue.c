/*
 * issue.c
 *		Getting access tokens: one issue at a time for an account, for all
 *		inquiries that wait for it.
 *
 * An issue outlives the statement that began it: KIS has counted it already
 * and told the customer, so its token is not to be thrown away.
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
	KisAccount *account;
} Issue;

static dlist_head issues = DLIST_STATIC_INIT(issues);

static Issue *
find_issue(const KisAccount *account)
{
	dlist_iter	iter;

	dlist_foreach(iter, &issues)
	{
		Issue	   *issue = dlist_container(Issue, node, iter.cur);

		if (issue->account == account)
			return issue;
	}
	return NULL;
}

bool
kis_issue_under_way(const KisAccount *account)
{
	return find_issue(account) != NULL;
}

static void
end_issue(Issue *issue)
{
	issue->account->token.issuing = false;
	dlist_delete(&issue->node);
	kis_connection_release(issue->connection);
	pfree(issue);
}

static void
fail_issue(Issue *issue, const KisError *error)
{
	KisAccount *account = issue->account;

	if (error->error_class == KIS_ERROR_CREDENTIALS)
		kis_connection_doubt(issue->connection);
	end_issue(issue);
	kis_inquiries_fail_for_token(account, error);
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
	KisTokenState *state = &issue->account->token;
	KisToken	token;
	KisError	error = {0};
	int64		now = (int64) time(NULL);
	bool		unattended = kis_transfer_unattended(work->transfer);
	bool		ok = kis_transfer_token(work->transfer, now, &token, &error);

	kis_work_end_transfer(work, now_us);
	if (ok && token.expires_at <= now)
	{
		ok = false;
		error.error_class = KIS_ERROR_TOKEN;
		strlcpy(error.text, "the token that KIS issued has ended already", sizeof(error.text));
	}
	if (ok)
	{
		kis_token_issued(state, &token, now_us);
		end_issue(issue);
	}
	else if (error.error_class == KIS_ERROR_TOKEN_TOO_SOON)
	{
		/* those who wait see for themselves whether they can wait so long */
		kis_token_too_soon(state, now_us);
		end_issue(issue);
	}
	else if (unattended)
		work->back_at_us = now_us;
	else
	{
		if (error.error_class == KIS_ERROR_RATE)
			kis_rate_refused(work->rate, work->per_second, work->sent_at_us, now_us);
		if (may_ask_again(&error) && work->retries < issue->connection->options->max_retries)
			kis_work_back_off(work, work->retries++, now_us);
		else
			fail_issue(issue, &error);
	}
	kis_wipe(&token, sizeof(token));
}

static void
begin_issue(KisConnection *connection, int64 now_us)
{
	Issue	   *issue;
	int64		ignored;

	/* raises where a file can't be read, and may change the account */
	kis_connection_reread_secrets(connection);
	if (kis_token_look(&connection->account->token, now_us, &ignored) != KIS_TOKEN_MAY_ISSUE)
		return;

	issue = MemoryContextAllocZero(TopMemoryContext, sizeof(Issue));
	issue->work.finished = issue_finished;
	issue->connection = connection;
	issue->account = connection->account;
	kis_connection_hold(connection);
	issue->account->token.issuing = true;
	dlist_push_tail(&issues, &issue->node);
}

bool
kis_issue_have_token(KisConnection *connection, int64 now_us, int64 *wake_at_us)
{
	int64		wait_until_us;

	switch (kis_token_look(&connection->account->token, now_us, &wait_until_us))
	{
		case KIS_TOKEN_READY:
			return true;
		case KIS_TOKEN_MAY_ISSUE:
			begin_issue(connection, now_us);
			*wake_at_us = now_us;
			return false;
		case KIS_TOKEN_WAIT:
			*wake_at_us = Min(*wake_at_us, wait_until_us);
			return false;
	}
	return false;
}

static void
send_issue(Issue *issue, int64 now_us, int64 *wake_at_us)
{
	KisEndpoint endpoint = kis_connection_endpoint(issue->connection);
	KisSecrets	secrets = kis_connection_secrets(issue->connection);
	KisHttp    *http = kis_session_http(issue->connection->options->max_concurrent_requests);
	int64		hold_us = (issue->connection->options->request_timeout + KIS_TOKEN_SLOW_MS) * INT64CONST(1000);
	int64		try_at_us;
	KisError	error = {0};

	if (!kis_work_take_slot(&issue->work, issue->connection, hold_us, now_us, &try_at_us))
	{
		*wake_at_us = Min(*wake_at_us, try_at_us);
		return;
	}
	kis_work_started(&issue->work,
					 kis_token_start(http, &endpoint, &secrets, issue, &error),
					 now_us);
	if (issue->work.transfer == NULL)
		fail_issue(issue, &error);
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
		if (issue->work.back_at_us > now_us)
			*wake_at_us = Min(*wake_at_us, issue->work.back_at_us);
		else
			send_issue(issue, now_us, wake_at_us);
	}
}
