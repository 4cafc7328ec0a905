/*
 * job.h
 *		What the session wants of KIS: a call or a token request, its entry in
 *		flight, its slot of the rate and its transfer.
 */
#ifndef KIS_REQUEST_JOB_H
#define KIS_REQUEST_JOB_H

#include "postgres.h"

#include "lib/ilist.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/code.h"
#include "kis/http.h"
#include "request/connection.h"
#include "shared/block.h"
#include "shared/in_flight.h"

/* What requests have cost, per plan node or function call. */
typedef struct KisCounters
{
	int64		calls;			/* data calls sent, retries included */
	int64		cached;			/* replies from the cache */
	int64		retries;
	double		rate_wait_ms;	/* summed over requests */
	double		network_ms;		/* summed over attempts */
	int64		bytes;			/* of replies */
} KisCounters;

/* The first member of whoever has more to keep. */
typedef struct KisJob
{
	dlist_node	node;			/* in kis_jobs until it is done */
	KisConnection *connection;	/* pinned by whoever made the job */
	const KisCall *call;		/* NULL: a token request */
	KisReplyKey key;			/* its entry in flight; of a token request the
								 * identity alone */
	KisCounters *counters;		/* NULL: nobody's */
	KisWait		wait;			/* what it waited for when it was last moved
								 * on */

	/* the entry in flight */
	uint64		attempt;		/* that it is part of; 0: it is not shared */
	bool		owned;			/* others may wait for it */

	/* failures */
	KisError	error;			/* the last */
	KisTries	tries;
	int64		back_at_us;		/* it backs off until then */

	/* the slot of the rate, and the transfer that holds it */
	int64		ready_at_us;	/* since when it waits for one; 0: it does not */
	int			slot;
	int64		until_us;		/* its lease */
	double		per_second;
	int			attempts;		/* sent so far */
	int64		sent_at_us;
	KisTransfer *transfer;		/* NULL: none under way */
} KisJob;

/* Those of the session that are not done: token requests, then calls, first come first. */
extern dlist_head kis_jobs;

/* The session's transfers, which it makes at first; may raise. */
extern KisHttp *kis_session_http(void);

/* Sends it where there are room and a slot, else see job->wait; false: it can't be, see *error. */
extern bool kis_job_send(KisJob *job, const char *token, int64 now_us, KisError *error);

/* The transfer has ended, with an answer that may be KIS_OK, or is given up: NULL. */
extern void kis_job_end_transfer(KisJob *job, const KisError *answer, int64 now_us);

/* What to do after a failure, by the policy. */
extern KisAction kis_job_failed(KisJob *job, KisRetry retry, bool unattended,
								const KisError *error, int64 now_us);

/* Others take over, or get the failure where there is one. */
extern void kis_job_end(KisJob *job, const KisError *failure);

/* Renews its leases, or learns that they are lost; others take over lease_us from now. */
extern void kis_job_renew(KisJob *job, int64 lease_us, int64 now_us);

/* Gives up places in queues for the rate that were not renewed since. */
extern void kis_session_leave_queues(int64 since_us);

#endif							/* KIS_REQUEST_JOB_H */
