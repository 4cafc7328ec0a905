/*
 * account.h
 *		Finding the slots of an account and of its token.
 */
#ifndef KIS_SHARED_ACCOUNT_H
#define KIS_SHARED_ACCOUNT_H

#include "postgres.h"

#include "shared/block.h"

/* All counters to zero. */
extern void kis_stat_clear(KisAccountStat *stat);

/* The digests of an app key at a host and of its secret. */
extern void kis_identify(const char *base_url, const char *app_key, const char *app_secret,
						 KisIdentity *identity);

/* The lock must be held, exclusively where *_get makes a slot. NULL: none, or all are busy. */
extern KisAccount *kis_account_find(KisShared *shared, const uint8 *key);
extern KisAccount *kis_account_get(KisShared *shared, const uint8 *key, const char *host, int64 now_us);
extern KisTokenSlot *kis_token_find(KisShared *shared, const KisIdentity *identity);
extern KisTokenSlot *kis_token_get(KisShared *shared, const KisIdentity *identity, int64 now_us);

#endif							/* KIS_SHARED_ACCOUNT_H */
