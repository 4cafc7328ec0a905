/*
 * account.c
 *		Finding the slots of an account and of its token.
 */
#include "postgres.h"

#include "common/cryptohash.h"

#include "kis/redact.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/token.h"

static void
digest(uint8 *result, const char *first, const char *second)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		ok;

	/* the NUL between them keeps "ab","c" apart from "a","bc" */
	ok = context != NULL &&
		pg_cryptohash_init(context) >= 0 &&
		pg_cryptohash_update(context, (const uint8 *) first, strlen(first) + 1) >= 0 &&
		pg_cryptohash_update(context, (const uint8 *) second, strlen(second)) >= 0 &&
		pg_cryptohash_final(context, result, KIS_DIGEST_LEN) >= 0;
	pg_cryptohash_free(context);
	if (!ok)
		elog(ERROR, "could not compute a SHA-256 digest");
}

/* The digests of an app key at a host and of its secret; raises only where OpenSSL fails. */
void
kis_identify(const char *base_url, const char *app_key, const char *app_secret,
			 KisIdentity *identity)
{
	digest(identity->key, base_url, app_key);
	digest(identity->secret, "", app_secret);
}

/*
 * Which slot makes room for another key: the one worth least, and of those alike
 * the one unused for longest. Who never had anything of KIS drives out nobody
 * who had.
 */
typedef enum Worth
{
	WORTH_FREE,
	WORTH_UNPROVEN,				/* nothing valid in it, nobody at it */
	WORTH_UNPROVEN_BUSY,		/* the same, but with something that others
								 * wait for */
	WORTH_IDLE,
	WORTH_PACED,				/* idle, but its next call is not due yet */
	WORTH_BUSY					/* never makes room */
} Worth;

/* The best so far. */
typedef struct Victim
{
	int			slot;			/* -1: none */
	Worth		worth;
	int64		last_used_us;
} Victim;

static void
consider(Victim *victim, int slot, Worth worth, int64 last_used_us)
{
	if (worth < victim->worth ||
		(victim->slot >= 0 && worth == victim->worth && last_used_us < victim->last_used_us))
		*victim = (Victim)
	{
		slot, worth, last_used_us
	};
}

/*
 * A session that has a call under way or waits for a slot uses its account once in
 * KIS_RENEW_US; of what is unused for longer than a slot is taken KIS counts nothing.
 */
static Worth
account_worth(const KisAccount *account, int64 now_us)
{
	int64		idle_us = now_us - account->last_used_us;
	bool		is_busy = idle_us < KIS_LEASE_US + KIS_US;

	if (!account->used)
		return WORTH_FREE;
	if (!account->worked)
		return is_busy ? WORTH_UNPROVEN_BUSY : WORTH_UNPROVEN;
	if (is_busy)
		return WORTH_BUSY;
	return idle_us * account->per_second < KIS_US ? WORTH_PACED : WORTH_IDLE;
}

/* All counters to zero. */
void
kis_stat_clear(KisAccountStat *stat)
{
	pg_atomic_write_u64(&stat->cache_hits, 0);
	pg_atomic_write_u64(&stat->shared_calls, 0);
	memset((char *) stat + offsetof(KisAccountStat, calls), 0,
		   sizeof(KisAccountStat) - offsetof(KisAccountStat, calls));
}

/* The lock must be held. NULL: there is none. */
KisAccount *
kis_account_find(KisShared *shared, const uint8 *key)
{
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		if (shared->accounts[i].used &&
			memcmp(shared->accounts[i].key, key, KIS_DIGEST_LEN) == 0)
			return &shared->accounts[i];
	return NULL;
}

/*
 * Finds or makes it; the lock must be held exclusively. NULL: all slots are busy.
 * host is for kis_stat alone.
 */
KisAccount *
kis_account_get(KisShared *shared, const uint8 *key, const char *host, int64 now_us)
{
	KisAccount *account = kis_account_find(shared, key);
	Victim		victim = {-1, WORTH_BUSY, 0};

	if (account == NULL)
	{
		for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
			consider(&victim, i, account_worth(&shared->accounts[i], now_us),
					 shared->accounts[i].last_used_us);
		if (victim.slot < 0)
			return NULL;
		account = &shared->accounts[victim.slot];
		memset(account, 0, offsetof(KisAccount, stat));
		kis_stat_clear(&account->stat);
		memcpy(account->key, key, KIS_DIGEST_LEN);
		strlcpy(account->host, host, sizeof(account->host));
		account->used = true;
	}
	account->last_used_us = now_us;
	return account;
}

/* The lock must be held. NULL: there is none. */
KisTokenSlot *
kis_token_find(KisShared *shared, const KisIdentity *identity)
{
	for (int i = 0; i < KIS_TOKEN_SLOTS; i++)
		if (shared->tokens[i].used &&
			memcmp(&shared->tokens[i].identity, identity, sizeof(KisIdentity)) == 0)
			return &shared->tokens[i];
	return NULL;
}

static Worth
token_worth(const KisTokenSlot *slot, int64 now_us)
{
	if (!slot->used)
		return WORTH_FREE;
	if (kis_in_flight_is_owned(&slot->in_flight, now_us))
		return WORTH_BUSY;
	if (kis_token_is_alive(slot))
		return WORTH_IDLE;
	/* forgotten that KIS issues none yet, one would be requested too soon */
	return slot->not_before_us > now_us ? WORTH_UNPROVEN_BUSY : WORTH_UNPROVEN;
}

/* Finds or makes it; the lock must be held exclusively. NULL: all slots are busy. */
KisTokenSlot *
kis_token_get(KisShared *shared, const KisIdentity *identity, int64 now_us)
{
	KisTokenSlot *slot = kis_token_find(shared, identity);
	Victim		victim = {-1, WORTH_BUSY, 0};

	if (slot == NULL)
	{
		for (int i = 0; i < KIS_TOKEN_SLOTS; i++)
			consider(&victim, i, token_worth(&shared->tokens[i], now_us),
					 shared->tokens[i].last_used_us);
		if (victim.slot < 0)
			return NULL;
		slot = &shared->tokens[victim.slot];
		kis_wipe(slot, offsetof(KisTokenSlot, in_flight));
		/* the condition variable may have sessions in its list */
		memset(&slot->in_flight, 0, offsetof(KisInFlight, moved));
		slot->identity = *identity;
		slot->used = true;
	}
	slot->last_used_us = now_us;
	return slot;
}
