/*
 * state.h
 *		The requests of a query, and how far each is: types alone.
 */
#ifndef KIS_REQUEST_STATE_H
#define KIS_REQUEST_STATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "utils/date.h"
#include "utils/palloc.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/connection.h"
#include "request/job.h"
#include "shared/block.h"

/*
 * The requests of a query and what they have brought so far: the same request has
 * the same answer throughout, max_calls and max_wait bound it, and each warning is
 * given once. One executor run or one call of our functions.
 */
typedef struct KisQuery KisQuery;

/* Where a request has its reply from. */
typedef enum KisAnswerer
{
	KIS_BY_NOBODY,				/* there is none, or none yet */
	KIS_BY_CACHE,
	KIS_BY_SESSION,				/* another one made the call */
	KIS_BY_KIS
} KisAnswerer;

/* One call with its arguments, and what came of it. */
typedef struct KisRequest
{
	KisJob		job;			/* request.c's and the event loop's, as are
								 * the next five */
	KisQuery   *query;
	uint64		token_attempt;	/* of the token request that it waits for; 0:
								 * none */
	uint64		generation;		/* of the token that it was sent with */
	bool		rereads_files;	/* KIS refuses what they held */
	bool		counts;			/* among the query's ncalls */

	KisConnection *connection;
	const KisCall *call;
	KisCallArgs args;
	bool		done;			/* then either reply or error is set */
	KisReply   *reply;			/* NULL: failed, or spilled */
	KisAnswerer answered_by;
	int64		begun_us;
	int64		took_us;		/* until the reply was here */
	TimestampTz arrived_at;		/* 0: it has not */
	DateADT		last_day;		/* of its rows; DATEVAL_NOBEGIN: it has none */
	KisError	error;

	/* spill.c's */
	int			users;			/* scans that read it */
	struct BufFile *spilled;	/* holds its reply as well, or alone; NULL:
								 * there is none */
	size_t		spilled_size;
} KisRequest;

struct KisQuery
{
	EState	   *estate;			/* NULL: not of an executor run */
	MemoryContext context;
	MemoryContextCallback callback;
	slist_node	node;
	bool		bypasses_cache; /* takes no reply of the last moments, as
								 * others do: KIS answers it itself */
	List	   *connections;	/* of KisConnection *, pinned */
	List	   *requests;		/* of KisRequest * */
	int			ncalls;			/* of these, not answered by the cache */
	int			nanswered;		/* of these calls, or failed */
	int			nexpected;		/* calls in all, as far as it is known; 0: not */
	KisBackfillProgress backfill;	/* that it reads a page of */
	int64		waited_us;		/* for rate, token and retries */
	List	   *warned;			/* of char * */
	List	   *scans;			/* of ForeignScanState *, begun; NIL once
								 * those that are joined make calls */
};

#endif							/* KIS_REQUEST_STATE_H */
