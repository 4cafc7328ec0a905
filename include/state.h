/*
 * state.h
 *		What all sessions are to share of a KIS account: its token, its rate
 *		and its replies. For now each session keeps its own.
 *
 * Private to src/shared. Times named _us are microseconds of the monotonic
 * clock, which is the same for all processes of the machine.
 */
#ifndef KIS_STATE_H
#define KIS_STATE_H

#include "postgres.h"

#include "common/sha2.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "shared.h"

#define KIS_DIGEST_LEN	PG_SHA256_DIGEST_LENGTH
#define KIS_MAX_RATE	1000	/* requests_per_second at most */
#define KIS_US			INT64CONST(1000000) /* microseconds of a second */

/* Who is asking whom: never the secrets themselves. */
typedef struct KisIdentity
{
	uint8		key[KIS_DIGEST_LEN];	/* of host and app key */
	uint8		secret[KIS_DIGEST_LEN]; /* of the app secret */
} KisIdentity;

/*
 * The calls of one host and app key in the last second, a slot each. A slot
 * is taken when a call is sent and free again a second after its reply came,
 * or, where nobody gave it back, a second after the call must have ended.
 */
typedef struct KisRate
{
	int64		free_at_us[KIS_MAX_RATE];
	double		factor;			/* of the rate after KIS's last refusal, 0 < factor <= 1 */
	int64		refused_at_us;	/* when that was */
} KisRate;

/* A token and what is known of it. */
typedef struct KisTokenState
{
	uint64		generation;		/* counts the tokens; 0: there was none */
	bool		valid;
	bool		proven;			/* KIS has accepted it at least once */
	bool		issuing;		/* somebody is asking KIS for one */
	int64		issued_at_us;
	int64		expires_at;		/* Unix seconds */
	int64		refresh_at;		/* the same, when to get the next one */
	int64		not_before_us;	/* KIS issues none before */
	char		token[KIS_TOKEN_LEN];
} KisTokenState;

typedef struct KisAccount
{
	KisIdentity identity;
	KisTokenState token;
	KisRate    *rate;
} KisAccount;

/* account.c */
extern int64 kis_now_us(void);
extern void kis_identify(const char *base_url, const char *app_key, const char *app_secret,
						 KisIdentity *identity);
extern KisAccount *kis_account_get(const KisIdentity *identity);

/* connection.c */
extern void kis_connection_hold(KisConnection *connection);
extern void kis_connection_release(KisConnection *connection);

/* The endpoint and the secrets of a connection, without a token. */
extern KisEndpoint kis_connection_endpoint(const KisConnection *connection);
extern KisSecrets kis_connection_secrets(const KisConnection *connection);

/* Reads key files again; the account changes where they did. May raise. */
extern void kis_connection_reread_secrets(KisConnection *connection);

/* The keys are refused: the next statement starts from the catalog and the files. */
extern void kis_connection_doubt(KisConnection *connection);

extern double kis_connection_rate(const KisConnection *connection);

/* rate.c: a slot, or -1 and the time to try again */
extern int	kis_rate_take(KisRate *rate, double per_second, int64 now_us, int64 hold_us,
						  int64 *try_at_us);
extern void kis_rate_give_back(KisRate *rate, int slot, double per_second, int64 now_us);

/* KIS refused a call that was sent at sent_us: halve, recover within a minute. */
extern void kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us);

/* token.c */
typedef enum KisTokenAnswer
{
	KIS_TOKEN_READY,
	KIS_TOKEN_MAY_ISSUE,
	KIS_TOKEN_WAIT				/* being issued, or too soon: until *wait_until_us */
} KisTokenAnswer;

extern KisTokenAnswer kis_token_look(const KisTokenState *state, int64 now_us, int64 *wait_until_us);
extern void kis_token_issued(KisTokenState *state, const KisToken *token, int64 now_us);
extern void kis_token_too_soon(KisTokenState *state, int64 now_us);

/* KIS accepted the token of this generation. */
extern void kis_token_accepted(KisTokenState *state, uint64 generation);

/* KIS refused it. True: a new one may be had; false: this one is too fresh, report. */
extern bool kis_token_refused(KisTokenState *state, uint64 generation, int64 now_us);

/* cache.c */
typedef struct KisCachedReply
{
	int			references;
	KisReply   *reply;
	TimestampTz arrived_at;
} KisCachedReply;

/* Takes over reply; one reference is the caller's. Out of memory: NULL, reply is freed. */
extern KisCachedReply *kis_reply_hold(KisReply *reply, TimestampTz arrived_at);
extern void kis_reply_release(KisCachedReply *reply);

/* A reply younger than ttl_ms, with a reference for the caller, or NULL. */
extern KisCachedReply *kis_cache_get(const KisIdentity *identity, const KisCall *call,
									 const KisCallArgs *args, int ttl_ms, int64 now_us);
extern bool kis_cache_has(const KisIdentity *identity, const KisCall *call,
						  const KisCallArgs *args, int ttl_ms, int64 now_us);
extern void kis_cache_put(const KisIdentity *identity, const KisCall *call,
						  const KisCallArgs *args, KisCachedReply *reply, int64 now_us);

#endif							/* KIS_STATE_H */
