/*
 * transfers.h
 *		The session's transfers, and the one place where it waits for them.
 */
#ifndef KIS_REQUEST_TRANSFERS_H
#define KIS_REQUEST_TRANSFERS_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "kis.h"
#include "kis/http.h"
#include "request/connection.h"
#include "shared/block.h"

/* Something that has a transfer under way; the first member of its owner. */
typedef struct KisJob
{
	void		(*finished) (struct KisJob *job, int64 now_us);
	KisTransfer *transfer;		/* NULL: none under way */
	uint8		key[KIS_DIGEST_LEN];	/* of the account whose slot the
										 * transfer holds */
	int			slot;
	int64		until_us;		/* the slot's lease */
	double		per_second;
	bool		is_call;		/* a data call, not a token issue */
	bool		of_ledger;		/* and one of KIS's ledger */
	int			attempts;		/* so far */
	int64		ready_at_us;	/* since when it waits for a slot; 0: it does
								 * not */
	int64		sent_at_us;
	TimestampTz sent_at;
	int			retries;		/* so far, of those that max_retries bounds */
	int64		back_at_us;		/* not before, where it backs off */
} KisJob;

/* Transfers of the session */
extern KisHttp *kis_session_http(int max_concurrent_requests);
extern int	kis_session_under_way(void);

/* Takes a slot for work and counts what it waited for it. */
extern bool kis_job_take_slot(KisJob *job, const KisConnection *connection, int64 now_us,
							  int64 *try_at_us, KisErrorClass *waits_for);

/* job->transfer has been started, or not: then its slot goes back. */
extern void kis_job_started(KisJob *job, KisTransfer *transfer, int64 now_us);

/* Lets go of the transfer, finished or not, and gives its slot back. */
extern void kis_job_end_transfer(KisJob *job, int64 now_us);

/* Counts what an attempt brought: error NULL where it succeeded. */
extern void kis_job_count(KisJob *job, const KisError *error, int64 now_us);

/* Sets when to come back after so many tries that failed before this one. */
extern void kis_job_back_off(KisJob *job, int failed_before, int64 now_us);

/* The session leaves a transfer under way to itself: once sent, it needs its slot no more. */
extern void kis_job_leave(KisJob *job, int64 now_us);

/* Renews the lease of the slot. */
extern bool kis_job_renew(KisJob *job, bool is_mine, int64 now_us);

/* Gives up the session's places in queues for the rate */
extern void kis_session_leave_queues(bool all);

/* Moves transfers on without waiting and calls finished for those that ended. */
extern bool kis_session_step(void);

extern void kis_session_wait(int64 wake_at_us);

/* When a reply that is found now has come, by both clocks */
extern TimestampTz kis_job_arrival(const KisJob *job, int64 *arrived_us);

#endif							/* KIS_REQUEST_TRANSFERS_H */
