/*
 * async.c
 *		Scans below an Append, which asks all of them at the same time.
 *
 * They share the session's one event loop. So one scan alone, the first that is
 * pending, waits on its descriptor for all of the Append's; when it is told that
 * something has moved, each of them is looked at.
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "foreign/fdwapi.h"
#include "storage/latch.h"

#include "request/loop.h"
#include "request/state.h"
#include "scan/async.h"
#include "scan/pages.h"
#include "scan/state.h"

/* Any scan may be asked without waiting. */
bool
kisIsForeignPathAsyncCapable(ForeignPath *path)
{
	return true;
}

static KisScan *
scan_of(const AsyncRequest *areq)
{
	return ((ForeignScanState *) areq->requestee)->fdw_state;
}

/* Not so the scan of another wrapper. */
static bool
is_ours(const AsyncRequest *areq)
{
	return ((ForeignScanState *) areq->requestee)->fdwroutine->ForeignAsyncNotify ==
		kisForeignAsyncNotify;
}

/* The Append's next request after position i that is ours and pending; NULL: none. */
static AsyncRequest *
next_pending(const AppendState *append, int *i)
{
	while ((*i = bms_next_member(append->as_asyncplans, *i)) >= 0)
	{
		AsyncRequest *areq = append->as_asyncrequests[*i];

		if (areq->callback_pending && is_ours(areq))
			return areq;
	}
	return NULL;
}

/* Has a scan of another wrapper to be waited for as well? */
static bool
has_others_pending(const AppendState *append)
{
	int			i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
		if (append->as_asyncrequests[i]->callback_pending && !is_ours(append->as_asyncrequests[i]))
			return true;
	return false;
}

/* Is it the last of ours that is asked when the Append begins? */
static bool
is_last(const AppendState *append, const AsyncRequest *areq)
{
	int			i = areq->request_index;

	while ((i = bms_next_member(append->as_valid_asyncplans, i)) >= 0)
		if (is_ours(append->as_asyncrequests[i]))
			return false;
	return true;
}

/*
 * The scan's next row, or that there is none, or that it is pending: without waiting
 * but for the calendar, which comes along with the rows.
 */
static void
answer(AsyncRequest *areq)
{
	KisScan    *scan = scan_of(areq);
	TupleTableSlot *row;

	scan->never_waits = true;
	row = areq->requestee->ExecProcNodeReal(areq->requestee);
	scan->never_waits = false;
	if (TupIsNull(row) && scan->awaited != NULL)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, row);
}

/*
 * A row is wanted. All scans of the Append are asked before the first call is made;
 * where it goes on with other plans then, the calls are under way meanwhile.
 */
void
kisForeignAsyncRequest(AsyncRequest *areq)
{
	const AppendState *append = (AppendState *) areq->requestor;

	answer(areq);
	if (append->as_begun || append->as_syncdone || !is_last(append, areq))
		return;
	kis_loop_turn(scan_of(areq)->query);
	kis_loop_leave();
}

/* Has the Append wait for all that are pending, by one event. */
void
kisForeignAsyncConfigureWait(AsyncRequest *areq)
{
	const AppendState *append = (AppendState *) areq->requestor;
	bool		at_once = !bms_is_empty(append->as_needrequest);
	int			i = -1;
	AsyncRequest *pending;

	if (next_pending(append, &i) != areq)
		return;
	for (pending = areq; pending != NULL; pending = next_pending(append, &i))
		kis_request_ahead(scan_of(pending));
	kis_loop_turn(scan_of(areq)->query);
	for (i = -1; (pending = next_pending(append, &i)) != NULL;)
	{
		KisRequest *awaited = scan_of(pending)->awaited;

		at_once |= kis_request_poll(awaited) || awaited->done;
	}
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  kis_loop_fd(scan_of(areq)->awaited, at_once, !append->as_syncdone,
								  !has_others_pending(append)),
					  NULL, areq);
}

/*
 * Something has moved: rows are taken from all scans that have one. Only where none
 * has, and no other plan is to run yet, a scan's failure is raised: the rows may be
 * all that the query needs.
 */
void
kisForeignAsyncNotify(AsyncRequest *areq)
{
	const AppendState *append = (AppendState *) areq->requestor;
	AsyncRequest *pending;
	int			i = -1;

	kis_loop_turn(scan_of(areq)->query);
	answer(areq);
	while ((pending = next_pending(append, &i)) != NULL)
	{
		if (pending == areq)
			continue;
		pending->callback_pending = false;
		answer(pending);
		ExecAsyncResponse(pending);
		if (pending->requestee->instrument)
			InstrUpdateTupleCount(pending->requestee->instrument,
								  TupIsNull(pending->result) ? 0.0 : 1.0);
	}
	i = -1;
	if (!append->as_syncdone || append->as_nasyncresults > 0 || !TupIsNull(areq->result) ||
		next_pending(append, &i) == NULL)
	{
		kis_loop_leave();
		return;
	}
	for (i = -1; (pending = next_pending(append, &i)) != NULL;)
		if (scan_of(pending)->awaited->done && scan_of(pending)->awaited->reply == NULL)
			kis_request_wait_or_raise(scan_of(pending)->awaited);
}
