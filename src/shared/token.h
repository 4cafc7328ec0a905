/*
 * token.h
 *		What is known of an account's access token.
 */
#ifndef KIS_SHARED_TOKEN_H
#define KIS_SHARED_TOKEN_H

#include "postgres.h"

#include "kis/token.h"
#include "shared/block.h"

/* Is there a token to be used now? Shortly before its end only where KIS gives no other yet. */
extern bool kis_token_is_ready(const KisTokenSlot *slot, int64 now_us);

/* Is there one at all, even where another should be had? */
extern bool kis_token_is_alive(const KisTokenSlot *slot);

/* KIS issued it, or issues none yet, by a reply that came at arrived_us. */
extern void kis_token_issued(KisShared *shared, KisTokenSlot *slot, const KisToken *token,
							 int64 arrived_us);
extern void kis_token_too_soon(KisTokenSlot *slot, int64 arrived_us);

/* No new one for another reason. True: the old one goes on, and a new one is tried for later. */
extern bool kis_token_refresh_failed(KisTokenSlot *slot, int64 now_us);

/* KIS accepted the token of this generation. */
extern void kis_token_accepted(KisTokenSlot *slot, uint64 generation, int64 now_us);

/* KIS refused it. True: a new one may be had; false: this one is too fresh, report. */
extern bool kis_token_refused(KisTokenSlot *slot, uint64 generation, int64 now_us);

#endif							/* KIS_SHARED_TOKEN_H */
