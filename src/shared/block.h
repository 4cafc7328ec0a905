/*
 * block.h
 *		The block of shared memory: what is in it, its lock and its clock.
 */
#ifndef KIS_SHARED_BLOCK_H
#define KIS_SHARED_BLOCK_H

#include "postgres.h"

#include "common/sha2.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "kis.h"

/*
 * Another layout of the block gets another number: a library never reads a block
 * of another one. t/241_layout_number.t notes what it stands for.
 */
#ifndef KIS_LAYOUT				/* a test builds another */
#define KIS_LAYOUT			5
#endif

#define KIS_DIGEST_LEN		PG_SHA256_DIGEST_LENGTH
#define KIS_US				INT64CONST(1000000) /* microseconds of a second */
#define KIS_MAX_RATE		1000	/* requests_per_second at most */
#define KIS_RATE_WAITERS	256 /* sessions with a place in an account's queue */
#define KIS_ACCOUNT_SLOTS	32
#define KIS_TOKEN_SLOTS		64
#define KIS_REPLY_SLOTS		512
#define KIS_ACTIVITY_SLOTS	2048	/* sessions that kis_activity can show */
#define KIS_BLOCK_SIZE		8192	/* of the replies' memory */
#define KIS_BLOCKS			2048
#define KIS_NO_BLOCK		(-1)

/*
 * What a session has that others wait for (a place in the queue, a slot of the
 * rate, a call or token request in flight), it has on a lease, which it renews
 * while it is in the event loop. A session that stands still, for whatever
 * reason, loses it to the others.
 */
#define KIS_LEASE_US		KIS_US
#define KIS_RENEW_US		(200 * 1000)	/* at the latest after so long */

/* An owner that left the event loop may come back within this time; then others take over. */
#define KIS_GRACE_US		(50 * 1000)

/* An app key at a host: digests, never the secrets themselves. */
typedef struct KisIdentity
{
	uint8		key[KIS_DIGEST_LEN];	/* of host and app key */
	uint8		secret[KIS_DIGEST_LEN]; /* of the app secret */
} KisIdentity;

/* The session whose call or token request others wait for. */
typedef struct KisOwner
{
	int			pid;			/* 0: nobody */
	int64		until_us;		/* the lease's end */
	KisErrorClass waits_for;	/* KIS_OK: for the network, if for anything */
} KisOwner;

/*
 * A call or token request that many wait for and one session makes. Attempts are
 * numbered, so that those who waited for one get its failure, and later ones
 * begin anew.
 */
typedef struct KisInFlight
{
	uint64		attempt;		/* the last that was begun */
	uint64		failed;			/* the last that failed */
	KisOwner	owner;
	KisError	failure;		/* of attempt "failed" */
	ConditionVariable moved;	/* it ended or changed hands */
} KisInFlight;

/* A session that waits for a place among the calls of a second. */
typedef struct KisRateWaiter
{
	int			procno;
	uint64		ticket;			/* 0: free; lowest is next */
	int64		renewed_us;		/* its lease: one that has ended is passed
								 * over */
} KisRateWaiter;

/*
 * The calls of one host and app key in the last second, a slot each. A slot
 * is taken when a call is sent and free again a second after its reply came,
 * or, where nobody gave it back, a second after its lease has ended.
 */
typedef struct KisRate
{
	int64		until_us[KIS_MAX_RATE]; /* the lease's end, then the reply's
										 * moment */
	int			end;			/* all slots from here on are free */
	int64		counts_from_us; /* calls before this rate was set count for a
								 * second */
	double		factor;			/* of the rate after KIS's last refusal, 0 <
								 * factor <= 1 */
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
	double		per_second;		/* the rate of the session that came last */
	int64		last_used_us;
	int			ledger_slot;	/* of the last call of KIS's ledger, from 1;
								 * 0: other calls have had it since */
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
	KisInFlight in_flight;
} KisTokenSlot;

/* What makes two calls the same; compared as memory. */
typedef struct KisReplyKey
{
	KisCallArgs args;
	char		call[16];		/* its name */
	KisIdentity identity;
} KisReplyKey;

/* A reply, or a call in flight that will bring it. */
typedef struct KisReplySlot
{
	bool		used;
	KisReplyKey key;
	bool		for_day;		/* what the call brings is good for the day */
	uint64		reply_attempt;	/* that brought the reply; 0: there is none */
	int64		arrived_us;		/* the same moment by both clocks */
	TimestampTz arrived_at;
	int			nrows;
	int			first_block;
	uint32		length;			/* bytes */
	KisInFlight in_flight;
} KisReplySlot;

/* What a session waits for. */
typedef enum KisCause
{
	KIS_CAUSE_NONE,
	KIS_CAUSE_RATE,
	KIS_CAUSE_TOKEN,
	KIS_CAUSE_SESSION,			/* another session's call */
	KIS_CAUSE_NETWORK,
	KIS_CAUSE_RETRY				/* the pause before it */
} KisCause;

/* How far a backfill is. */
typedef struct KisBackfillProgress
{
	char		pair[KIS_MARKET_LEN + KIS_SECTOR_LEN];	/* empty: it is none */
	DateADT		day;			/* the newest of the page under way */
	int			pages_made;
	int			pages_left;		/* that page included */
} KisBackfillProgress;

/* What a session has under way, as kis_activity shows it. */
typedef struct KisActivity
{
	int			pid;			/* 0: it has nothing under way */
	Oid			userid;			/* of the session */
	char		server[NAMEDATALEN];	/* in its database's encoding */
	uint8		key[KIS_DIGEST_LEN];
	KisCause	waits_for;
	TimestampTz waiting_since;
	int			calls_made;
	int			calls_expected;
	KisBackfillProgress backfill;
} KisActivity;

/* Written by its session alone, and without the lock. */
typedef struct KisActivitySlot
{
	int			changes;		/* odd while it is being written */
	KisActivity activity;
} KisActivitySlot;

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
	uint64		last_number;	/* of attempts and tokens; none comes twice,
								 * whatever slot it is in */
	KisAccount	accounts[KIS_ACCOUNT_SLOTS];
	KisTokenSlot tokens[KIS_TOKEN_SLOTS];
	KisReplySlot replies[KIS_REPLY_SLOTS];
	KisActivitySlot activities[KIS_ACTIVITY_SLOTS]; /* by the number of the
													 * process */
	int			first_free_block;
	int			blocks_used;
	KisBlock	blocks[KIS_BLOCKS];
} KisShared;

/* To be called from _PG_init: configuration parameters, and where the block comes from. */
extern void kis_shared_start(void);

/* Blocks of the shared memory that replies may fill: market_investor_fdw.cache_size. */
extern int	kis_cache_blocks(void);

/* The block, locked: between these nothing may raise, wait or do I/O. */
extern KisShared *kis_lock(LWLockMode mode);
extern void kis_unlock(void);

/* The clock of all times in the block, and a moment of it by the wall's clock. */
extern int64 kis_now_us(void);
extern TimestampTz kis_timestamp_of(int64 at_us);

#endif							/* KIS_SHARED_BLOCK_H */
