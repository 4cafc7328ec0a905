/*
 * job.c
 *		What the session wants of KIS: a call or a token request, its entry in
 *		flight, its slot of the rate and its transfer.
 *
 * Nothing here waits. Where a job is in flight, other sessions wait for it; what
 * it holds for that is on leases, which the event loop renews.
 */
#include "postgres.h"

#include "common/messages.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "common/error.h"
#include "kis.h"
#include "kis/call.h"
#include "kis/code.h"
#include "kis/http.h"
#include "request/connection.h"
#include "request/job.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/rate.h"
#include "shared/reply_cache.h"

/* Sessions that failed together should not come back together. */
#define JITTER	0.25

dlist_head	kis_jobs = DLIST_STATIC_INIT(kis_jobs);

static int	reserved_fds = 0;	/* for the transfers */
static int	under_way = 0;

/* The session may have places in queues for the rate. */
static bool queues = false;

/* The session's transfers; raises where they can't be made. */
KisHttp *
kis_session_http(void)
{
	static KisHttp *http = NULL;
	KisError	error = {0};

	if (http == NULL)
		http = kis_http_create(&error);
	if (http == NULL)
		kis_raise(&error, NULL);
	return http;
}

/*
 * Descriptors for the session's transfers: libcurl opens one to poll, and a socket
 * and a resolver's pair per connection. Raises 53000 where the process has not as
 * many left.
 */
static void
reserve_fds(int max_concurrent_requests)
{
	int			wanted = 1 + 3 * max_concurrent_requests;

	/*
	 * without a postmaster PostgreSQL does not know how many the system
	 * allows, and takes 16 for the limit
	 */
	while (IsUnderPostmaster && reserved_fds < wanted)
	{
		if (!AcquireExternalFD())
			ereport(ERROR,
					errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					errmsg("out of file descriptors for connections to KIS: %m"),
					errhint("Raise max_files_per_process or lower max_concurrent_requests."));
		reserved_fds++;
	}
}

/*
 * Takes a slot of the account's rate and counts the wait for it; the lock must be
 * held. A call of the ledger, which KIS answers once a second, takes that turn as
 * well; whoever makes many of them knows how long they take, so that max_wait
 * does not bound the wait for a turn.
 */
static void
take_slot(KisJob *job, KisAccount *account, int64 now_us)
{
	bool		of_ledger = job->call != NULL && job->call->of_ledger;
	int64		ledger_free_us = account->ledger_slot == 0 ? 0 :
		account->rate.until_us[account->ledger_slot - 1] + KIS_US;

	if (account->per_second != job->per_second)
		account->rate.counts_from_us = now_us;
	account->per_second = job->per_second;
	job->wait.reason = KIS_OK;
	if (of_ledger && now_us < ledger_free_us)
	{
		job->wait.wake_at_us = Min(job->wait.wake_at_us, ledger_free_us);
		return;
	}
	job->slot = kis_rate_take(&account->rate, job->per_second, now_us,
							  &job->until_us, &job->wait.wake_at_us);
	if (job->slot < 0)
	{
		job->wait.reason = KIS_ERROR_RATE;
		queues = true;
		return;
	}
	if (of_ledger)
		account->ledger_slot = job->slot + 1;
	else if (account->ledger_slot == job->slot + 1)
		account->ledger_slot = 0;
	if (job->call != NULL)
		account->stat.calls++;
	if (job->attempts++ > 0)
		account->stat.retries++;
	account->stat.rate_wait_ms += (now_us - job->ready_at_us) / 1000.0;
}

/*
 * Sends it where there is room in the session, for a call, and a slot of the rate;
 * else job->wait says for what and how long to wait before this is tried again.
 * False: it can't be sent, see *error. token: NULL for a token request. May raise, but with no slot taken.
 */
bool
kis_job_send(KisJob *job, const char *token, int64 now_us, KisError *error)
{
	const KisConnection *connection = job->connection;
	const KisServerOptions *options = connection->options;
	KisEndpoint endpoint = {
		.base_url = options->base_url,
		.proxy = options->proxy,
		.ca_file = options->ca_file,
		.ca_pem = connection->ca_pem,
		.connect_timeout_ms = options->connect_timeout,
		.request_timeout_ms = options->request_timeout,
	};
	KisSecrets	secrets = {
		.app_key = connection->app_key,
		.app_secret = connection->app_secret,
		.token = token,
	};
	KisAccount *account;
	KisHttp    *http;

	if (job->call != NULL && under_way >= options->max_concurrent_requests)
		return true;
	reserve_fds(options->max_concurrent_requests);
	http = kis_session_http();
	job->slot = -1;
	job->per_second = connection->user_options->requests_per_second > 0 ?
		connection->user_options->requests_per_second : options->requests_per_second;
	job->wait.reason = KIS_ERROR_FULL;
	job->wait.cause = KIS_CAUSE_RATE;
	if (job->ready_at_us == 0)
		job->ready_at_us = now_us;

	account = kis_account_get(kis_lock(LW_EXCLUSIVE), job->key.identity.key,
							  options->base_url, now_us);
	if (account != NULL)
		take_slot(job, account, now_us);
	kis_unlock();
	if (job->slot < 0)
		return true;

	if (job->counters != NULL)
	{
		job->counters->calls++;
		job->counters->rate_wait_ms += (now_us - job->ready_at_us) / 1000.0;
	}
	job->transfer = job->call != NULL ?
		kis_call_start(http, &endpoint, &secrets, job->call, &job->key.args, job, error) :
		kis_token_start(http, &endpoint, &secrets, job, error);
	job->ready_at_us = 0;
	job->sent_at_us = now_us;
	/* a slot of which nothing comes is free when its lease has ended */
	if (job->transfer == NULL)
		return false;
	job->wait.cause = KIS_CAUSE_NETWORK;
	under_way++;
	return true;
}

/* Counts in kis_stat what a transfer brought; the lock must be held. */
static void
count_answer(const KisJob *job, KisAccount *account, const KisError *answer, int64 now_us)
{
	KisAccountStat *stat = &account->stat;
	const KisCodeRule *rule;

	stat->network_ms += kis_transfer_elapsed_ms(job->transfer);
	if (answer->error_class == KIS_OK)
	{
		stat->last_success_at = GetCurrentTimestamp();
		account->worked = true;
		return;
	}
	stat->errors[answer->error_class]++;
	stat->last_error_at = GetCurrentTimestamp();
	stat->last_error_class = answer->error_class;
	strlcpy(stat->last_error_code, answer->code, sizeof(stat->last_error_code));
	rule = kis_code_rule(answer->code, answer->http_status);
	if (rule != NULL && rule->of_app_key)
		kis_rate_refused(&account->rate, job->per_second, job->sent_at_us, now_us);
}

/*
 * Lets go of the transfer, if there is one, and gives its slot back. What it has
 * brought is counted: answer is its error, of class KIS_OK where it succeeded, or
 * NULL where it is given up.
 */
void
kis_job_end_transfer(KisJob *job, const KisError *answer, int64 now_us)
{
	KisAccount *account;

	if (job->transfer == NULL)
		return;
	if (answer != NULL && job->counters != NULL)
	{
		job->counters->network_ms += kis_transfer_elapsed_ms(job->transfer);
		job->counters->bytes += kis_transfer_bytes(job->transfer);
	}
	account = kis_account_find(kis_lock(LW_EXCLUSIVE), job->key.identity.key);
	if (account != NULL && answer != NULL)
		count_answer(job, account, answer, now_us);
	if (account != NULL)
	{
		account->last_used_us = now_us;
		kis_rate_give_back(&account->rate, job->slot, job->until_us, now_us);
	}
	kis_unlock();
	kis_transfer_release(job->transfer);
	job->transfer = NULL;
	under_way--;
}

/*
 * What to do after a failure, by the policy's cell for it; the pause, where it is
 * to back off, is set. unattended: the transfer has timed out, but the session was
 * elsewhere, so that this says nothing of KIS and counts as no try.
 */
KisAction
kis_job_failed(KisJob *job, KisRetry retry, bool unattended, const KisError *error, int64 now_us)
{
	KisAction	action;
	int			pause_ms = 0;

	/* kept for the case that max_wait ends before the next try */
	job->error = *error;
	if (unattended)
		return KIS_ACTION_RETRY;
	action = kis_after_failure(retry, job->connection->options->max_retries,
							   kis_connection_has_files(job->connection), &job->tries,
							   &pause_ms);
	if (action == KIS_ACTION_BACK_OFF)
	{
		double		pause_us = pause_ms * 1000.0;

		job->back_at_us = now_us +
			(int64) (pause_us * (1.0 - JITTER * pg_prng_double(&pg_global_prng_state)));
		if (job->counters != NULL)
			job->counters->retries++;
	}
	return action;
}

/* The job's entry in flight; NULL: its slot has made room for others. The lock must be held. */
static KisInFlight *
find_in_flight(KisShared *shared, const KisJob *job)
{
	KisReplySlot *reply = job->call != NULL ? kis_reply_find(shared, &job->key) : NULL;
	KisTokenSlot *token = job->call == NULL ? kis_token_find(shared, &job->key.identity) : NULL;

	return reply != NULL ? &reply->in_flight : token != NULL ? &token->in_flight : NULL;
}

/* Those who wait for it get the failure, or take over where that is NULL. */
void
kis_job_end(KisJob *job, const KisError *failure)
{
	KisInFlight *in_flight;

	if (!job->owned)
		return;
	in_flight = find_in_flight(kis_lock(LW_EXCLUSIVE), job);
	if (in_flight != NULL)
		kis_in_flight_end(in_flight, job->attempt, failure);
	kis_unlock();
	job->owned = false;
}

/*
 * The session is in the event loop, or leaves it: renews the leases of the entry in
 * flight, for lease_us, and of the slot. A transfer that has not been sent must not
 * be any more where one of them is lost: it is given up, and the job looked at anew.
 */
void
kis_job_renew(KisJob *job, int64 lease_us, int64 now_us)
{
	KisShared  *shared;
	KisInFlight *in_flight;
	KisAccount *account;
	bool		may_send;

	if (!job->owned && job->transfer == NULL)
		return;
	shared = kis_lock(LW_EXCLUSIVE);
	in_flight = job->owned ? find_in_flight(shared, job) : NULL;
	job->owned = in_flight != NULL &&
		kis_in_flight_renew(in_flight, job->attempt, now_us + lease_us, job->wait.reason);
	may_send = job->owned || job->attempt == 0;
	account = kis_account_find(shared, job->key.identity.key);
	if (job->transfer != NULL)
	{
		may_send = account != NULL &&
			kis_rate_renew(&account->rate, job->slot, &job->until_us, now_us) && may_send;
		if (account != NULL)
			account->last_used_us = now_us;
	}
	kis_unlock();
	if (!may_send && job->transfer != NULL && !kis_transfer_is_sent(job->transfer))
		kis_job_end_transfer(job, NULL, now_us);
}

/*
 * Gives up the session's places in queues for the rate that were not renewed at
 * since_us or later: others stand behind them. PG_INT64_MAX: all.
 */
void
kis_session_leave_queues(int64 since_us)
{
	KisShared  *shared;

	if (!queues)
		return;
	shared = kis_lock(LW_EXCLUSIVE);
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		if (shared->accounts[i].rate.nwaiters > 0)
			kis_rate_stop_waiting(&shared->accounts[i].rate, since_us, kis_now_us());
	kis_unlock();
	queues = since_us != PG_INT64_MAX;
}
