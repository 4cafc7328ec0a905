/*
 * stat.c
 *		What all sessions have done, as rows of kis_stat.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "common/messages.h"
#include "kis.h"
#include "kis/text.h"
#include "shared/account.h"
#include "shared/block.h"
#include "shared/rate.h"
#include "shared/stat.h"

PG_FUNCTION_INFO_V1(kis_stat_rows);
PG_FUNCTION_INFO_V1(kis_stat_reset);

#define STAT_COLUMNS	18

/* Of the digest of an app key: KIS_FINGERPRINT_LEN characters and a NUL. */
void
kis_fingerprint(const uint8 *key, char *text)
{
	text[		hex_encode((const char *) key, KIS_FINGERPRINT_LEN / 2, text)] = '\0';
}

/*
 * The end of the newest token of a host and app key that all sessions share, of this
 * secret or, where that is NULL, of any; 0: there is none.
 */
TimestampTz
kis_token_end(const uint8 *key, const uint8 *secret)
{
	const KisShared *shared = kis_lock(LW_SHARED);
	int64		end = 0;

	for (int i = 0; i < KIS_TOKEN_SLOTS; i++)
	{
		const KisTokenSlot *slot = &shared->tokens[i];

		if (slot->used && slot->valid && memcmp(slot->identity.key, key, KIS_DIGEST_LEN) == 0 &&
			(secret == NULL || memcmp(slot->identity.secret, secret, KIS_DIGEST_LEN) == 0))
			end = Max(end, slot->expires_at);
	}
	kis_unlock();
	return end != 0 ? time_t_to_timestamptz(end) : 0;
}

/* For kis_check. What the shared memory holds, in a sentence; raises where it can't be had. */
char *
kis_shared_summary(void)
{
	int			blocks = kis_lock(LW_SHARED)->blocks_used;

	kis_unlock();
	return psprintf(_("layout %d, %d kB of replies in the cache"), KIS_LAYOUT,
					blocks * (KIS_BLOCK_SIZE / 1024));
}

static Datum
errors_by_class(const KisAccountStat *stat)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	for (int i = KIS_OK + 1; i <= KIS_ERROR_LOCAL; i++)
		if (stat->errors[i] > 0)
			appendStringInfo(&buf, "%s\"%s\": " INT64_FORMAT, buf.len > 1 ? ", " : "",
							 kis_error_class_name(i), stat->errors[i]);
	appendStringInfoChar(&buf, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
}

static void
put_row(ReturnSetInfo *result, const KisAccount *account, TimestampTz reset_at)
{
	const KisAccountStat *stat = &account->stat;
	Datum		values[STAT_COLUMNS];
	bool		nulls[STAT_COLUMNS] = {0};
	TimestampTz token_expires_at = kis_token_end(account->key, NULL);
	char		key[KIS_FINGERPRINT_LEN + 1];
	int			i = 0;

	kis_fingerprint(account->key, key);
	values[i++] = CStringGetTextDatum(account->host);
	values[i++] = CStringGetTextDatum(key);
	values[i++] = Int64GetDatum(stat->calls);
	values[i++] = Int64GetDatum(pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &stat->cache_hits)));
	values[i++] = Int64GetDatum(pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &stat->shared_calls)));
	values[i++] = Int64GetDatum(stat->retries);
	values[i++] = Int64GetDatum(stat->errors[KIS_ERROR_RATE]);
	values[i++] = errors_by_class(stat);
	values[i++] = Int64GetDatum(stat->tokens_issued);
	nulls[i] = token_expires_at == 0;
	values[i++] = TimestampTzGetDatum(token_expires_at);
	nulls[i] = stat->last_success_at == 0;
	values[i++] = TimestampTzGetDatum(stat->last_success_at);
	nulls[i] = nulls[i + 1] = stat->last_error_at == 0;
	values[i++] = CStringGetTextDatum(psprintf("%s%s%s", kis_error_class_name(stat->last_error_class),
											   stat->last_error_code[0] ? " " : "",
											   kis_to_server_lossy(stat->last_error_code)));
	values[i++] = TimestampTzGetDatum(stat->last_error_at);
	values[i++] = Float8GetDatum(kis_rate_effective(&account->rate, account->per_second,
													kis_now_us()));
	values[i++] = Float8GetDatum(stat->rate_wait_ms);
	values[i++] = Float8GetDatum(stat->network_ms);
	values[i++] = TimestampTzGetDatum(reset_at);
	values[i++] = CStringGetTextDatum(KIS_VERSION);
	Assert(i == STAT_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * A row for each account; the columns are the view's. Raises 55000 where the library
 * had to be preloaded and was not.
 */
Datum
kis_stat_rows(PG_FUNCTION_ARGS)
{
	/* copied out, so that nothing raises while the lock is held */
	KisAccount *accounts = palloc(sizeof(((KisShared *) NULL)->accounts));
	TimestampTz reset_at;
	KisShared  *shared = kis_lock(LW_SHARED);

	memcpy(accounts, shared->accounts, sizeof(shared->accounts));
	reset_at = shared->stat_reset_at;
	kis_unlock();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		if (accounts[i].used)
			put_row((ReturnSetInfo *) fcinfo->resultinfo, &accounts[i], reset_at);
	return (Datum) 0;
}

/* All counters of all accounts to zero. */
Datum
kis_stat_reset(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	KisShared  *shared = kis_lock(LW_EXCLUSIVE);

	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
		kis_stat_clear(&shared->accounts[i].stat);
	shared->stat_reset_at = now;
	kis_unlock();
	PG_RETURN_VOID();
}
