/*
 * transfers.c
 *		The session's transfers, and the one place where it waits for them.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "common/error.h"
#include "compat.h"
#include "kis.h"
#include "kis/code.h"
#include "kis/http.h"
#include "request/connection.h"
#include "request/transfers.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/rate.h"

#define FIRST_BACKOFF_US	(200 * 1000)
#define LONGEST_BACKOFF_US	(5 * KIS_US)

/* A pause in attending longer than this means that replies may have come unseen. */
#define ABSENT_US			(100 * 1000)

static KisHttp *http = NULL;
static int	reserved_fds = 0;	/* for the connections of http */
static int	under_way = 0;

/* Accounts, a bit each, in whose queue for the rate the session may have a place, or has asked for one. */
static uint32 queues = 0;
static uint32 queues_asked = 0;

StaticAssertDecl(KIS_ACCOUNT_SLOTS <= 32, "an account has a bit");

/* When the session last looked at its transfers, by both clocks. */
static int64 attended_us = 0;
static TimestampTz attended_at = 0;
static int64 arrival_us = 0;
static TimestampTz arrival = 0;

/* Transfers of the session */
KisHttp *
kis_session_http(int max_concurrent_requests)
{
	/*
	 * libcurl opens a descriptor to poll, and a socket and a resolver's pair
	 * per connection
	 */
	int			wanted = 1 + 3 * max_concurrent_requests;

	/*
	 * without a postmaster PostgreSQL has not asked the system, and allows 16
	 * in all
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
	if (http == NULL)
	{
		KisError	error = {0};

		http = kis_http_create(&error);
		if (http == NULL)
			kis_raise(&error, NULL);
	}
	return http;
}

int
kis_session_under_way(void)
{
	return under_way;
}

/* What a slot that was had counts for. */
static void
count_start(KisJob *job, KisAccountStat *stat, int64 now_us)
{
	if (job->is_call)
		stat->calls++;
	if (job->attempts++ > 0)
		stat->retries++;
	stat->rate_wait_ms += (now_us - job->ready_at_us) / 1000.0;
}

/*
 * A slot of the account's rate for job. A call of the ledger, which KIS answers
 * once a second, takes that turn as well; whoever asks for many of them knows
 * how long they take, so that max_wait does not bound the wait for a turn.
 */
static KisErrorClass
take_slot(KisJob *job, KisAccount *account, int64 now_us, int64 *try_at_us)
{
	int64		ledger_free_us = account->ledger_until_us + KIS_US;

	if (job->of_ledger && now_us < ledger_free_us)
	{
		*try_at_us = Min(*try_at_us, ledger_free_us);
		return KIS_OK;
	}
	job->slot = kis_rate_take(&account->rate, job->per_second, now_us, &job->until_us, try_at_us);
	if (job->of_ledger && job->slot >= 0)
		account->ledger_until_us = job->until_us;
	return KIS_ERROR_RATE;
}

/*
 * Takes a slot for work and counts what it waited for it. False where there is
 * none: then *waits_for is what max_wait bounds, KIS_OK for the ledger's turn,
 * and *try_at_us the time to try again where that is known.
 */
bool
kis_job_take_slot(KisJob *job, const KisConnection *connection,
				  int64 now_us, int64 *try_at_us, KisErrorClass *waits_for)
{
	KisShared  *shared = kis_lock(LW_EXCLUSIVE);
	KisAccount *account = kis_account_get(shared, connection->identity->key,
										  connection->options->base_url, now_us);

	*waits_for = KIS_ERROR_FULL;
	if (job->ready_at_us == 0)
		job->ready_at_us = now_us;
	job->per_second = kis_connection_rate(connection);
	memcpy(job->key, connection->identity->key, KIS_DIGEST_LEN);
	job->slot = -1;
	if (account != NULL)
	{
		if (account->per_second != job->per_second)
			account->rate.counts_from_us = now_us;
		account->per_second = job->per_second;
		*waits_for = take_slot(job, account, now_us, try_at_us);
		queues |= (uint32) 1 << (account - shared->accounts);
		queues_asked |= (uint32) 1 << (account - shared->accounts);
		if (job->slot >= 0)
			count_start(job, &account->stat, now_us);
	}
	kis_unlock();
	return job->slot >= 0;
}

/*
 * Gives up the session's places in queues for the rate: all, or those for which
 * no slot was asked since the last time. Others stand behind them.
 */
void
kis_session_leave_queues(bool all)
{
	uint32		left = all ? queues : queues & ~queues_asked;
	KisShared  *shared;

	queues &= ~left;
	queues_asked = 0;
	if (left == 0)
		return;
	shared = kis_lock(LW_EXCLUSIVE);
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		if (left & ((uint32) 1 << i))
			kis_rate_stop_waiting(&shared->accounts[i].rate, kis_now_us());
	kis_unlock();
}

static void
give_back(KisJob *job, int64 now_us)
{
	KisAccount *account = kis_account_find(kis_lock(LW_EXCLUSIVE), job->key);

	if (account != NULL)
	{
		if (job->of_ledger && account->ledger_until_us == job->until_us)
			account->ledger_until_us = Min(job->until_us, now_us);
		kis_rate_give_back(&account->rate, job->slot, job->until_us, now_us);
	}
	kis_unlock();
}

/* job->transfer has been started, or not: then its slot goes back. */
void
kis_job_started(KisJob *job, KisTransfer *transfer, int64 now_us)
{
	job->transfer = transfer;
	job->ready_at_us = 0;
	job->sent_at_us = now_us;
	job->sent_at = GetCurrentTimestamp();
	if (transfer != NULL)
		under_way++;
	else
		give_back(job, now_us);
}

/* Lets go of the transfer, finished or not, and gives its slot back. */
void
kis_job_end_transfer(KisJob *job, int64 now_us)
{
	if (job->transfer == NULL)
		return;
	kis_transfer_release(job->transfer);
	job->transfer = NULL;
	under_way--;
	give_back(job, now_us);
}

/* The session leaves a transfer under way to itself: once sent, it needs its slot no more. */
void
kis_job_leave(KisJob *job, int64 now_us)
{
	if (job->transfer != NULL && kis_transfer_is_sent(job->transfer))
		give_back(job, now_us);
}

/* False where the lease had ended. */
static bool
renew_slot(KisJob *job, int64 now_us)
{
	KisAccount *account = kis_account_find(kis_lock(LW_EXCLUSIVE), job->key);
	int64		until_us = job->until_us;
	bool		renewed = account != NULL &&
		kis_rate_renew(&account->rate, job->slot, &job->until_us, now_us);

	if (renewed && job->of_ledger && account->ledger_until_us == until_us)
		account->ledger_until_us = job->until_us;
	kis_unlock();
	return renewed;
}

/*
 * Renews the lease of the slot. True: the transfer has been given up, since it
 * was not sent and must not be any more: the lease had ended, or, where is_mine
 * is false, another session has taken over what it is for.
 */
bool
kis_job_renew(KisJob *job, bool is_mine, int64 now_us)
{
	if (job->transfer == NULL)
		return false;
	is_mine = renew_slot(job, now_us) && is_mine;
	if (is_mine || kis_transfer_is_sent(job->transfer))
		return false;
	kis_job_end_transfer(job, now_us);
	return true;
}

/* Counts what an attempt brought: error NULL where it succeeded. */
void
kis_job_count(KisJob *job, const KisError *error, int64 now_us)
{
	KisAccount *account = kis_account_find(kis_lock(LW_EXCLUSIVE), job->key);

	if (account != NULL)
	{
		KisAccountStat *stat = &account->stat;

		stat->network_ms += kis_transfer_elapsed_ms(job->transfer);
		if (error == NULL)
		{
			stat->last_success_at = GetCurrentTimestamp();
			account->worked = true;
		}
		else
		{
			stat->errors[error->error_class]++;
			stat->last_error_at = GetCurrentTimestamp();
			stat->last_error_class = error->error_class;
			strlcpy(stat->last_error_code, error->code, sizeof(stat->last_error_code));
			if (kis_error_counts_against(error) == KIS_QUOTA_APP_KEY)
				kis_rate_refused(&account->rate, job->per_second, job->sent_at_us, now_us);
		}
	}
	kis_unlock();
}

/* Sets when to come back after so many tries that failed before this one. */
void
kis_job_back_off(KisJob *job, int failed_before, int64 now_us)
{
	int64		pause_us = Min(LONGEST_BACKOFF_US, (int64) FIRST_BACKOFF_US << Min(failed_before, 10));

	/* sessions that failed together should not come back together */
	pause_us -= (int64) (pause_us * 0.25 * pg_prng_double(&pg_global_prng_state));
	job->back_at_us = now_us + pause_us;
}

/* Moves transfers on without waiting and calls finished for those that ended. */
bool
kis_session_step(void)
{
	KisTransfer *transfer;
	bool		any = false;

	if (http == NULL)
		return false;
	if (kis_now_us() - attended_us <= ABSENT_US || attended_at == 0)
	{
		attended_us = kis_now_us();
		attended_at = GetCurrentTimestamp();
	}
	arrival_us = attended_us;
	arrival = attended_at;
	kis_http_step(http);
	while ((transfer = kis_http_finished(http)) != NULL)
	{
		KisJob	   *job = kis_transfer_owner(transfer);

		job->finished(job, kis_now_us());
		any = true;
	}
	attended_us = kis_now_us();
	attended_at = GetCurrentTimestamp();
	return any;
}

/*
 * When a reply that is found now has come, by both clocks: after it was asked
 * for, and not while the session was elsewhere.
 */
TimestampTz
kis_job_arrival(const KisJob *job, int64 *arrived_us)
{
	/* not by the wall's clock, which may have been set meanwhile */
	if (arrival_us < job->sent_at_us)
	{
		*arrived_us = job->sent_at_us;
		return job->sent_at;
	}
	*arrived_us = arrival_us;
	return arrival;
}

/* The session's latch, the postmaster's end, where there is a postmaster, and http, if it is there. */
static WaitEventSet *
make_wait_set(void)
{
	WaitEventSet *set = kis_create_wait_set(3);

	PG_TRY();
	{
		AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
		if (IsUnderPostmaster)
			AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
		if (http != NULL)
			AddWaitEventToSet(set, WL_SOCKET_READABLE, kis_http_fd(http), NULL, NULL);
	}
	PG_CATCH();
	{
		FreeWaitEventSet(set);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return set;
}

/* What the session waits for, kept since it takes six system calls to make. */
static WaitEventSet *
wait_set(void)
{
	static WaitEventSet *set = NULL;
	static bool has_http = false;

	if (set != NULL && http != NULL && !has_http)
	{
		FreeWaitEventSet(set);
		set = NULL;
	}
	if (set == NULL)
	{
		set = make_wait_set();
		has_http = http != NULL;
	}
	return set;
}

/*
 * Waits until a transfer moves, the latch is set or the time comes, and never
 * longer than leases allow; interrupts raise.
 */
void
kis_session_wait(int64 wake_at_us)
{
	int64		now_us = kis_now_us();
	long		timeout_ms = (Min(wake_at_us, now_us + KIS_RENEW_US) - now_us + 999) / 1000;
	long		http_ms = http != NULL ? kis_http_timeout_ms(http) : -1;
	WaitEvent	event;

	if (http_ms >= 0)
		timeout_ms = Min(timeout_ms, http_ms);

	if (WaitEventSetWait(wait_set(), Max(timeout_ms, 0), &event, 1, kis_wait_event()) > 0 &&
		event.events == WL_LATCH_SET)
		ResetLatch(MyLatch);

	/*
	 * what comes from here on is seen at once; but the session may have stood
	 * still in there
	 */
	if (kis_now_us() - now_us <= KIS_RENEW_US + ABSENT_US)
	{
		attended_us = kis_now_us();
		attended_at = GetCurrentTimestamp();
	}
	CHECK_FOR_INTERRUPTS();
}
