/*
 * token.c
 *		What is known of an account's access token.
 *
 * Each issue sends the customer a message, and KIS issues one a minute at
 * most: nothing here asks for a token, it only says whether one may be asked
 * for.
 */
#include "postgres.h"

#include <time.h>

#include "state.h"

#define REFRESH_BEFORE_END	60	/* seconds, a tenth of the life of a shorter one */
#define ISSUE_INTERVAL_US	(60 * KIS_US)

KisTokenAnswer
kis_token_look(const KisTokenState *state, int64 now_us, int64 *wait_until_us)
{
	if (state->valid && state->refresh_at > (int64) time(NULL))
		return KIS_TOKEN_READY;
	if (state->issuing)
	{
		*wait_until_us = PG_INT64_MAX;
		return KIS_TOKEN_WAIT;
	}
	if (state->not_before_us > now_us)
	{
		*wait_until_us = state->not_before_us;
		return KIS_TOKEN_WAIT;
	}
	return KIS_TOKEN_MAY_ISSUE;
}

void
kis_token_issued(KisTokenState *state, const KisToken *token, int64 now_us)
{
	/* KIS hands out the same token for hours: what was proven stays so */
	state->proven = state->proven && strcmp(state->token, token->token) == 0;
	strlcpy(state->token, token->token, sizeof(state->token));
	state->expires_at = token->expires_at;
	state->refresh_at = token->expires_at -
		Min(REFRESH_BEFORE_END, (token->expires_at - (int64) time(NULL)) / 10);
	state->issued_at_us = now_us;
	state->not_before_us = 0;
	state->valid = true;
	state->generation++;
}

void
kis_token_too_soon(KisTokenState *state, int64 now_us)
{
	state->not_before_us = now_us + ISSUE_INTERVAL_US;
}

void
kis_token_accepted(KisTokenState *state, uint64 generation)
{
	if (state->generation == generation)
		state->proven = true;
}

bool
kis_token_refused(KisTokenState *state, uint64 generation, int64 now_us)
{
	/* somebody else has replaced it already */
	if (state->generation != generation || !state->valid)
		return true;

	/*
	 * A token that never worked: another one would hardly do, and asking for
	 * it too soon may kill a good one. After a minute it may be tried.
	 */
	if (!state->proven && now_us < state->issued_at_us + ISSUE_INTERVAL_US)
		return false;
	state->valid = false;
	state->proven = false;
	kis_wipe(state->token, sizeof(state->token));
	return true;
}
