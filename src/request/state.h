/*
 * state.h
 *		What a query has asked: its requests and how far each is; types alone.
 */
#ifndef KIS_REQUEST_STATE_H
#define KIS_REQUEST_STATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "storage/condition_variable.h"
#include "utils/palloc.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/connection.h"
#include "request/transfers.h"
#include "shared/block.h"

/*
 * What a statement asks of KIS and what it has got so far: the same request
 * has the same answer throughout, max_calls and max_wait bound it, and each
 * warning is given once. One executor run or one call of our functions.
 */
typedef struct KisQuery KisQuery;

/* What asking has cost, per plan node or function call. */
typedef struct KisCounters
{
	int64		calls;			/* data calls sent, retries included */
	int64		cached;			/* replies from the cache */
	int64		retries;
	double		rate_wait_ms;	/* summed over requests */
	double		network_ms;		/* summed over attempts */
	int64		bytes;			/* of replies */
} KisCounters;

/* One call with its arguments, and what came of it. */
typedef struct KisRequest
{
	KisConnection *connection;
	const KisCall *call;
	KisCallArgs args;
	bool		done;			/* then either reply or error is set */
	const KisReply *reply;		/* NULL: failed */
	TimestampTz arrived_at;
	KisError	error;
	int			users;			/* scans that are at it */
	struct KisSpilled *spilled; /* its reply is in a file as well, or there
								 * alone; NULL: it is not */
	struct KisRequestState *state;	/* request.c's */
} KisRequest;

typedef enum KisStage
{
	KIS_STAGE_NEEDS_CALL,		/* nobody has begun */
	KIS_STAGE_SHARES_CALL,		/* another session has it under way */
	KIS_STAGE_NEEDS_TOKEN,
	KIS_STAGE_NEEDS_ROOM,		/* max_concurrent_requests are under way */
	KIS_STAGE_NEEDS_SLOT,		/* the rate is used up */
	KIS_STAGE_BACKING_OFF,
	KIS_STAGE_UNDER_WAY
} KisStage;

typedef struct KisRequestState
{
	KisJob		job;
	dlist_node	node;			/* in the session's list until done */
	KisRequest *request;
	KisQuery   *query;
	KisCounters *counters;
	KisIdentity identity;		/* under which it is shared: the connection's
								 * may change */
	KisStage	stage;
	KisErrorClass waits_for;	/* what max_wait bounds; KIS_OK: nothing such */
	KisErrorClass published_waits_for;	/* the same, as those who wait for the
										 * call know it */
	bool		owns_call;		/* others may wait for it */
	uint64		call_attempt;	/* of the call that it waits for or owns; 0:
								 * none */
	uint64		token_attempt;	/* of the issue that it waits for; 0: none */
	bool		token_renewed;	/* one new token a request */
	bool		rereads_token;	/* KIS refused the one that access_token_file
								 * held */
	bool		rereads_secrets;	/* KIS refused what the key files held */
	bool		rechecked_secrets;	/* that was once already */
	uint64		generation;		/* of the token it was sent with */
	int			refusals;		/* for the rate, so far */
	int64		wake_at_us;		/* when what it waits for comes; PG_INT64_MAX:
								 * not known */
	ConditionVariable *waits_on;	/* another session will tell; NULL: none */
	KisReply   *reply;			/* the request's, to be freed */
} KisRequestState;

struct KisQuery
{
	EState	   *estate;			/* NULL: not of an executor run */
	MemoryContext context;
	MemoryContextCallback callback;
	slist_node	node;
	bool		bypasses_cache; /* takes no reply of the last moments */
	List	   *connections;	/* of KisConnection *, held */
	List	   *requests;		/* of KisRequest * */
	int			ncalls;			/* of these, not answered by the cache */
	int64		waited_us;		/* for rate, token and retries */
	List	   *warned;			/* of char * */
	/* spill.c's */
	struct BufFile *spill_file; /* NULL: none */
	int			spill_segment;	/* its end */
	off_t		spill_offset;
};

#endif							/* KIS_REQUEST_STATE_H */
