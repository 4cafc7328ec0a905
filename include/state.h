/*
 * state.h
 *		What all sessions share of KIS accounts: their rate, their tokens,
 *		their replies and counters, in one block of fixed size.
 *
 * Private to src/shared. One lock guards the block; it is never held over
 * I/O, and nothing raises while it is held. Times named _us are microseconds
 * of the system's boot clock, which is the same for all processes of a machine,
 * never set, and goes on while the machine sleeps.
 */
#ifndef KIS_STATE_H
#define KIS_STATE_H

#include "postgres.h"

#include "common/sha2.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "shared.h"

/*
 * Another layout of the block gets another number: a library never reads a block
 * of another one. t/241_layout_number.t notes what it stands for.
 */
#ifndef KIS_LAYOUT				/* a test builds another */
#define KIS_LAYOUT			2
#endif

#define KIS_DIGEST_LEN		PG_SHA256_DIGEST_LENGTH
#define KIS_US				INT64CONST(1000000) /* microseconds of a second */
#define KIS_MAX_RATE		1000	/* requests_per_second at most */
#define KIS_RATE_WAITERS	256 /* sessions with a place in an account's queue */
#define KIS_ACCOUNT_SLOTS	32
#define KIS_TOKEN_SLOTS		64
#define KIS_REPLY_SLOTS		512
#define KIS_BLOCK_SIZE		8192	/* of the replies' memory */
#define KIS_BLOCKS			2048
#define KIS_NO_BLOCK		(-1)

/*
 * What a session has that others wait for (a place in the queue, a slot of the
 * rate, a call, an issue), it has on a lease, which it renews while it is in the
 * wire's loop. One that stands still, for whatever reason, loses it to the others.
 */
#define KIS_LEASE_US		KIS_US
#define KIS_RENEW_US		(200 * 1000)	/* at the latest after so long */

/* An owner that left the wire's loop may come back within this time; then others take over. */
#define KIS_GRACE_US		(50 * 1000)

/* Who is asking whom: never the secrets themselves. */
typedef struct KisIdentity
{
	uint8		key[KIS_DIGEST_LEN];	/* of host and app key */
	uint8		secret[KIS_DIGEST_LEN]; /* of the app secret */
} KisIdentity;

/* The session that does something for all: a call or a token issue. */
typedef struct KisOwner
{
	int			pid;			/* 0: nobody */
	int64		until_us;		/* the lease's end */
	KisErrorClass waits_for;	/* KIS_OK: for the network, if for anything */
} KisOwner;

/*
 * Something that many wait for and one does. Attempts are numbered, so that
 * those who waited for one get its failure, and later ones begin anew.
 */
typedef struct KisEffort
{
	uint64		attempt;		/* the last that was begun */
	uint64		failed;			/* the last that failed */
	KisOwner	owner;
	KisError	failure;		/* of attempt "failed" */
	ConditionVariable moved;	/* it ended or changed hands */
} KisEffort;

/* A session that waits for a place among the calls of a second. */
typedef struct KisRateWaiter
{
	int			procno;
	uint64		ticket;			/* 0: free; lowest is next */
	int64		asked_us;		/* who has not asked for long is passed over */
} KisRateWaiter;

/*
 * The calls of one host and app key in the last second, a slot each. A slot
 * is taken when a call is sent and free again a second after its reply came,
 * or, where nobody gave it back, a second after its lease has ended.
 */
typedef struct KisRate
{
	int64		until_us[KIS_MAX_RATE]; /* the lease's end, then the reply's moment */
	int			end;			/* all slots from here on are free */
	int64		counts_from_us; /* calls before this rate was set count for a second */
	double		factor;			/* of the rate after KIS's last refusal, 0 < factor <= 1 */
	int64		refused_at_us;	/* when that was */
	uint64		last_ticket;
	int			nwaiters;
	KisRateWaiter waiters[KIS_RATE_WAITERS];
} KisRate;

/* What kis_stat shows of an account. */
typedef struct KisAccountStat
{
	pg_atomic_uint64 cache_hits;	/* counted under the shared lock */
	pg_atomic_uint64 shared_calls;	/* the same */
	int64		calls;
	int64		retries;
	int64		errors[KIS_ERROR_LOCAL + 1];
	int64		tokens_issued;
	TimestampTz last_success_at;
	TimestampTz last_error_at;
	char		last_error_code[16];
	KisErrorClass last_error_class;
	double		rate_wait_ms;
	double		network_ms;
} KisAccountStat;

/* A host and app key. */
typedef struct KisAccount
{
	bool		used;
	uint8		key[KIS_DIGEST_LEN];
	char		host[128];
	bool		worked;			/* KIS has accepted its key at least once */
	double		per_second;		/* as the last session that asked had it */
	int64		last_used_us;
	int64		ledger_until_us;	/* as of a slot: of the last call of KIS's ledger */
	KisRate		rate;
	KisAccountStat stat;
} KisAccount;

/* The token of an account and secret. */
typedef struct KisTokenSlot
{
	bool		used;
	KisIdentity identity;
	int64		last_used_us;
	uint64		generation;		/* numbers the tokens; 0: there was none */
	bool		valid;
	bool		proven;			/* KIS has accepted it at least once */
	int64		issued_at_us;
	int64		expires_at;		/* Unix seconds */
	int64		refresh_at;		/* the same, when to get the next one */
	int64		not_before_us;	/* KIS issues none before */
	char		token[KIS_TOKEN_LEN];
	KisEffort	issue;
} KisTokenSlot;

/* A reply, or a call under way that will bring it. */
typedef struct KisReplySlot
{
	bool		used;
	uint32		hash;			/* of the three that follow */
	KisIdentity identity;
	char		call[16];
	KisCallArgs args;
	bool		for_day;		/* what the call brings is good for the day */
	uint64		reply_attempt;	/* that brought the reply; 0: there is none */
	int64		arrived_us;		/* the same moment by both clocks */
	TimestampTz arrived_at;
	int			nrows;
	int			first_block;
	uint32		length;			/* bytes */
	KisEffort	effort;
} KisReplySlot;

typedef struct KisBlock
{
	int			next;			/* KIS_NO_BLOCK: the last of its chain */
	char		data[KIS_BLOCK_SIZE - sizeof(int)];
} KisBlock;

typedef struct KisShared
{
	LWLock		lock;
	int			tranche;
	TimestampTz stat_reset_at;
	uint64		last_number;	/* of attempts and tokens; none comes twice, whatever slot it is in */
	KisAccount	accounts[KIS_ACCOUNT_SLOTS];
	KisTokenSlot tokens[KIS_TOKEN_SLOTS];
	KisReplySlot replies[KIS_REPLY_SLOTS];
	int			first_free_block;
	int			blocks_used;
	KisBlock	blocks[KIS_BLOCKS];
} KisShared;

/* memory.c: where the block comes from; to be called from _PG_init. */
extern void kis_shared_request(void);

/* The block; raises 55000 where the library had to be preloaded and was not. */
extern KisShared *kis_shared(void);

/* Both do nothing to the block but lock it; nothing may raise between them. */
extern KisShared *kis_lock(LWLockMode mode);
extern void kis_unlock(void);

extern int64 kis_now_us(void);

/* All counters to zero. */
extern void kis_stat_clear(KisAccountStat *stat);

/* account.c: the lock must be held, exclusively where *_get makes a slot */
extern void kis_identify(const char *base_url, const char *app_key, const char *app_secret,
						 KisIdentity *identity);
extern KisAccount *kis_account_find(KisShared *shared, const uint8 *key);
extern KisAccount *kis_account_get(KisShared *shared, const uint8 *key, const char *host, int64 now_us);
extern KisTokenSlot *kis_token_find(KisShared *shared, const KisIdentity *identity);
extern KisTokenSlot *kis_token_get(KisShared *shared, const KisIdentity *identity, int64 now_us);

/* effort.c: the lock must be held exclusively */
typedef enum KisEffortAnswer
{
	KIS_EFFORT_MINE,			/* the caller is the owner and does it */
	KIS_EFFORT_THEIRS,			/* to be waited for on "moved", or until *wake_at_us */
	KIS_EFFORT_FAILED			/* the attempt that was waited for: see failure */
} KisEffortAnswer;

/*
 * *attempt is 0 at first; it then names the attempt that the caller is part of.
 * Of another session's, *waits_for is what keeps it waiting; KIS_OK: the network.
 */
extern KisEffortAnswer kis_effort_join(KisShared *shared, KisEffort *effort, uint64 *attempt,
									   int64 now_us, int64 *wake_at_us,
									   KisErrorClass *waits_for);

/* Is a session at it? */
extern bool kis_effort_is_owned(const KisEffort *effort, int64 now_us);

/*
 * This session has stood still, and so may have all others with the machine:
 * from its point of view their leases begin anew.
 */
extern void kis_effort_spare_others(int64 now_us);

/* The owner waits for the rate, a token or another try, or again for the network alone. */
extern void kis_effort_waits_for(KisEffort *effort, uint64 attempt, KisErrorClass waits_for);

/* The owner is through; failure is NULL where it succeeded. */
extern void kis_effort_end(KisEffort *effort, uint64 attempt, const KisError *failure);

/* The owner leaves the wire's loop: others take over, at once or after a moment. */
extern void kis_effort_leave(KisEffort *effort, uint64 attempt, bool at_once, int64 now_us);

/* It is back, or still there, and renews its lease: true where nobody has taken over. */
extern bool kis_effort_return(KisEffort *effort, uint64 attempt, int64 now_us);

/*
 * How often this session has told others that something moved: each time ends
 * its own sleep on a condition variable.
 */
extern uint64 kis_effort_times_told(void);

/*
 * rate.c: the lock must be held exclusively but for questions; a slot and the end
 * of its lease, or -1 and the time to try again
 */
extern int	kis_rate_take(KisRate *rate, double per_second, int64 now_us,
						  int64 *until_us, int64 *try_at_us);

/* A lease of the slot from now on; false where that has ended, and another call may have it. */
extern bool kis_rate_renew(KisRate *rate, int slot, int64 *until_us, int64 now_us);

/* Does nothing where the lease has ended and another call has the slot. */
extern void kis_rate_give_back(KisRate *rate, int slot, int64 until_us, int64 now_us);

/* Does somebody wait, or is a call under way? */
extern bool kis_rate_is_busy(const KisRate *rate, int64 now_us);

/* Are all slots free? */
extern bool kis_rate_is_free(const KisRate *rate, double per_second, int64 now_us);

/* The session gives up its place in the queue. */
extern void kis_rate_stop_waiting(KisRate *rate, int64 now_us);

/* KIS refused a call that was sent at sent_us: halve, recover within a minute. */
extern void kis_rate_refused(KisRate *rate, double per_second, int64 sent_us, int64 now_us);

/* What the rate is now, refusals counted in. */
extern double kis_rate_effective(const KisRate *rate, double per_second, int64 now_us);

/* token.c: the lock must be held, exclusively but for questions */

/* Is there a token to be used now? Shortly before its end only where KIS gives no other yet. */
extern bool kis_token_is_ready(const KisTokenSlot *slot, int64 now_us);

/* Is there one at all, even where another should be had? */
extern bool kis_token_is_alive(const KisTokenSlot *slot);

/* Both of a reply that came at arrived_us. */
extern void kis_token_issued(KisShared *shared, KisTokenSlot *slot, const KisToken *token,
							 int64 arrived_us);
extern void kis_token_too_soon(KisTokenSlot *slot, int64 arrived_us);

/* No new one for another reason. True: the old one goes on, and a new one is tried for later. */
extern bool kis_token_refresh_failed(KisTokenSlot *slot, int64 now_us);

/* KIS accepted the token of this generation. */
extern void kis_token_accepted(KisTokenSlot *slot, uint64 generation, int64 now_us);

/* KIS refused it. True: a new one may be had; false: this one is too fresh, report. */
extern bool kis_token_refused(KisTokenSlot *slot, uint64 generation, int64 now_us);

/* reply_cache.c: the lock must be held, exclusively where something changes */
typedef struct KisReplyKey
{
	uint32		hash;
	const KisIdentity *identity;
	const KisCall *call;
	const KisCallArgs *args;
} KisReplyKey;

extern KisReplyKey kis_reply_key(const KisIdentity *identity, const KisCall *call,
								 const KisCallArgs *args);

/* NULL: there is no such slot. */
extern KisReplySlot *kis_reply_find(KisShared *shared, const KisReplyKey *key);

/* Finds or makes it; NULL where all slots are busy: then the call is not shared. */
extern KisReplySlot *kis_reply_get(KisShared *shared, const KisReplyKey *key);

/*
 * The slot holds a reply of the attempt or a later one, one younger than ttl_ms
 * or one that is good for today.
 */
extern bool kis_reply_is_fresh(const KisReplySlot *slot, uint64 attempt, int ttl_ms,
							   int64 now_us);

/* Are replies of the call kept and shared by the connection's server? */
extern bool kis_call_is_shared(const KisConnection *connection, const KisCall *call);

/* A copy of the slot's reply, malloc'd; NULL where memory is out. */
extern KisReply *kis_reply_read(KisShared *shared, const KisReplySlot *slot, const KisCall *call);

/*
 * Keeps a reply, by both clocks of when it came, where it fits; the oldest make
 * room, those that are good for today after all others. One that is unsound or
 * not whole is only for those who wait for it.
 */
extern void kis_reply_write(KisShared *shared, KisReplySlot *slot, const KisCall *call,
							uint64 attempt, const KisReply *reply, TimestampTz arrived_at,
							int64 arrived_us);

/* connection.c */
/* Nobody's until it is held: whatever runs between may free it. */
extern KisConnection *kis_connection_get(Oid serverid, Oid userid);

extern void kis_connection_hold(KisConnection *connection);
extern void kis_connection_release(KisConnection *connection);

/* The endpoint and the secrets of a connection, without a token. */
extern KisEndpoint kis_connection_endpoint(const KisConnection *connection);
extern KisSecrets kis_connection_secrets(const KisConnection *connection);

/* Are key or secret in files? */
extern bool kis_connection_has_key_files(const KisConnection *connection);

/* Reads key files again; the identity changes where they did. May raise. */
extern void kis_connection_reread_secrets(KisConnection *connection);

/* Reads access_token_file again; true: it holds another token than before. May raise. */
extern bool kis_connection_reread_token(KisConnection *connection);

extern double kis_connection_rate(const KisConnection *connection);

#endif							/* KIS_STATE_H */
