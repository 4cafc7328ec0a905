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
#include "shared/rate.h"
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

/* The lock must be held, exclusively where *_get makes a slot */
void
kis_identify(const char *base_url, const char *app_key, const char *app_secret,
			 KisIdentity *identity)
{
	digest(identity->key, base_url, app_key);
	digest(identity->secret, "", app_secret);
}

/*
 * Which slot makes room for another key: the lowest, and of those alike the one
 * unused for longest. Who never had anything of KIS drives out nobody who had.
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

static Worth
account_worth(const KisAccount *account, int64 now_us)
{
	bool		busy;

	if (!account->used)
		return WORTH_FREE;
	busy = kis_rate_is_busy(&account->rate, now_us);
	if (!account->worked)
		return busy ? WORTH_UNPROVEN_BUSY : WORTH_UNPROVEN;
	/* whatever its rate, a second after its last call is enough */
	if (busy || !kis_rate_is_free(&account->rate, KIS_MAX_RATE, now_us))
		return WORTH_BUSY;
	return kis_rate_is_free(&account->rate, account->per_second, now_us) ? WORTH_IDLE : WORTH_PACED;
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

static void
account_clear(KisAccount *account)
{
	account->worked = false;
	account->ledger_until_us = 0;
	memset(&account->rate, 0, sizeof(account->rate));
	kis_stat_clear(&account->stat);
}

KisAccount *
kis_account_find(KisShared *shared, const uint8 *key)
{
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		if (shared->accounts[i].used &&
			memcmp(shared->accounts[i].key, key, KIS_DIGEST_LEN) == 0)
			return &shared->accounts[i];
	return NULL;
}

/* NULL where all slots are busy. */
KisAccount *
kis_account_get(KisShared *shared, const uint8 *key, const char *host, int64 now_us)
{
	KisAccount *victim = kis_account_find(shared, key);
	Worth		victim_worth = WORTH_BUSY;

	if (victim != NULL)
	{
		victim->last_used_us = now_us;
		return victim;
	}
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
	{
		KisAccount *account = &shared->accounts[i];
		Worth		worth = account_worth(account, now_us);

		if (worth < victim_worth ||
			(victim != NULL && worth == victim_worth && account->last_used_us < victim->last_used_us))
		{
			victim = account;
			victim_worth = worth;
		}
	}
	if (victim == NULL)
		return NULL;
	account_clear(victim);
	memcpy(victim->key, key, KIS_DIGEST_LEN);
	strlcpy(victim->host, host, sizeof(victim->host));
	victim->last_used_us = now_us;
	victim->used = true;
	return victim;
}

static void
token_clear(KisTokenSlot *slot)
{
	/* the condition variable may have sessions in its list */
	kis_wipe(slot, offsetof(KisTokenSlot, issue));
	memset(&slot->issue, 0, offsetof(KisInFlight, moved));
}

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
	if (kis_in_flight_is_owned(&slot->issue, now_us))
		return WORTH_BUSY;
	if (kis_token_is_alive(slot))
		return WORTH_IDLE;
	/* forgotten that KIS issues none yet, it would be asked too soon */
	return slot->not_before_us > now_us ? WORTH_UNPROVEN_BUSY : WORTH_UNPROVEN;
}

/* NULL where all slots are busy with issues. */
KisTokenSlot *
kis_token_get(KisShared *shared, const KisIdentity *identity, int64 now_us)
{
	KisTokenSlot *victim = kis_token_find(shared, identity);
	Worth		victim_worth = WORTH_BUSY;

	if (victim != NULL)
	{
		victim->last_used_us = now_us;
		return victim;
	}
	for (int i = 0; i < KIS_TOKEN_SLOTS; i++)
	{
		KisTokenSlot *slot = &shared->tokens[i];
		Worth		worth = token_worth(slot, now_us);

		if (worth < victim_worth ||
			(victim != NULL && worth == victim_worth && slot->last_used_us < victim->last_used_us))
		{
			victim = slot;
			victim_worth = worth;
		}
	}
	if (victim == NULL)
		return NULL;
	token_clear(victim);
	victim->identity = *identity;
	victim->last_used_us = now_us;
	victim->used = true;
	return victim;
}
