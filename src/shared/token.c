/*
 * token.c
 *		What is known of an account's access token.
 *
 * Each one that KIS issues brings the customer a message, and KIS issues one a
 * minute at most: nothing here requests a token, it only says whether one may be
 * requested. The lock must be held, exclusively by what changes the slot.
 */
#include "postgres.h"

#include <time.h>

#include "kis/redact.h"
#include "kis/token.h"
#include "shared/block.h"
#include "shared/token.h"

#define REFRESH_BEFORE_END	60	/* seconds, a tenth of the life of a shorter
								 * one */
#define ISSUE_INTERVAL_US	(60 * KIS_US)
#define REFRESH_PAUSE_US	(10 * KIS_US)	/* where it fails while the old
											 * one is alive */

/* Is there one at all, even where another should be had? */
bool
kis_token_is_alive(const KisTokenSlot *slot)
{
	return slot->valid && slot->expires_at > (int64) time(NULL);
}

/* Is there a token to be used now? Shortly before its end only where KIS gives no other yet. */
bool
kis_token_is_ready(const KisTokenSlot *slot, int64 now_us)
{
	return kis_token_is_alive(slot) &&
		(slot->refresh_at > (int64) time(NULL) || slot->not_before_us > now_us);
}

/* KIS issued it, by a reply that came at arrived_us. */
void
kis_token_issued(KisShared *shared, KisTokenSlot *slot, const KisToken *token, int64 arrived_us)
{
	/* KIS hands out the same token for hours: what was proven stays so */
	slot->proven = slot->proven && strcmp(slot->token, token->token) == 0;
	strlcpy(slot->token, token->token, sizeof(slot->token));
	slot->expires_at = token->expires_at;
	slot->refresh_at = token->expires_at -
		Min(REFRESH_BEFORE_END, (token->expires_at - (int64) time(NULL)) / 10);
	slot->issued_at_us = arrived_us;
	slot->not_before_us = 0;
	slot->valid = true;
	slot->generation = ++shared->last_number;
}

/* KIS issues none yet, by a reply that came at arrived_us. */
void
kis_token_too_soon(KisTokenSlot *slot, int64 arrived_us)
{
	int64		last_us = slot->issued_at_us;

	/*
	 * our own last one is the reason, if it explains it; else another
	 * program's of just now
	 */
	if (last_us == 0 || arrived_us - last_us >= ISSUE_INTERVAL_US)
		last_us = arrived_us;
	slot->not_before_us = Max(slot->not_before_us, last_us + ISSUE_INTERVAL_US);
}

/*
 * No new one for another reason. True: the old one goes on, and a new one is
 * tried for later.
 */
bool
kis_token_refresh_failed(KisTokenSlot *slot, int64 now_us)
{
	if (!kis_token_is_alive(slot))
		return false;
	slot->not_before_us = Max(slot->not_before_us, now_us + REFRESH_PAUSE_US);
	return true;
}

/* KIS accepted the token of this generation. */
void
kis_token_accepted(KisTokenSlot *slot, uint64 generation, int64 now_us)
{
	if (slot->generation != generation)
		return;
	slot->proven = true;
	slot->last_used_us = now_us;
}

/* KIS refused it. True: a new one may be had; false: this one is too fresh, report. */
bool
kis_token_refused(KisTokenSlot *slot, uint64 generation, int64 now_us)
{
	/* somebody else has replaced it already */
	if (slot->generation != generation || !slot->valid)
		return true;

	/*
	 * A token that never worked: another one would hardly do, and requesting
	 * it too soon may kill a good one. After a minute it may be tried.
	 */
	if (!slot->proven && now_us < slot->issued_at_us + ISSUE_INTERVAL_US)
		return false;
	slot->valid = false;
	slot->proven = false;
	kis_wipe(slot->token, sizeof(slot->token));
	return true;
}
