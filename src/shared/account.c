/*
 * account.c
 *		Accounts of this session: whose token and rate a connection uses.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "state.h"

/* The rate belongs to host and app key, the token to these and the secret. */
typedef struct KisRateEntry
{
	uint8		key[KIS_DIGEST_LEN];
	KisRate		rate;
} KisRateEntry;

static List *accounts = NIL;	/* of KisAccount * */
static List *rates = NIL;		/* of KisRateEntry * */

int64
kis_now_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

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

void
kis_identify(const char *base_url, const char *app_key, const char *app_secret,
			 KisIdentity *identity)
{
	digest(identity->key, base_url, app_key);
	digest(identity->secret, "", app_secret);
}

static KisRate *
rate_get(const uint8 *key)
{
	MemoryContext old;
	KisRateEntry *entry;
	ListCell   *cell;

	foreach(cell, rates)
	{
		entry = lfirst(cell);
		if (memcmp(entry->key, key, KIS_DIGEST_LEN) == 0)
			return &entry->rate;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	entry = palloc0(sizeof(KisRateEntry));
	memcpy(entry->key, key, KIS_DIGEST_LEN);
	entry->rate.factor = 1.0;
	rates = lappend(rates, entry);
	MemoryContextSwitchTo(old);
	return &entry->rate;
}

KisAccount *
kis_account_get(const KisIdentity *identity)
{
	MemoryContext old;
	KisAccount *account;
	ListCell   *cell;

	foreach(cell, accounts)
	{
		account = lfirst(cell);
		if (memcmp(&account->identity, identity, sizeof(KisIdentity)) == 0)
			return account;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	account = palloc0(sizeof(KisAccount));
	account->identity = *identity;
	account->rate = rate_get(identity->key);
	accounts = lappend(accounts, account);
	MemoryContextSwitchTo(old);
	return account;
}
