/*
 * explain.c
 *		What EXPLAIN shows of a scan: what it would call, and what the calls have
 *		cost.
 */
#include "postgres.h"

#include <math.h>

#include "commands/defrem.h"

#include "common/messages.h"
#include "common/option.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/scan_plan.h"
#include "request/state.h"
#include "scan/convert.h"
#include "scan/explain.h"
#include "scan/state.h"

#if KIS_HAS_EXPLAIN_OPTIONS

static int	explain_id;
static explain_validate_options_hook_type next_validate_hook = NULL;

static void
take_option(ExplainState *es, DefElem *option, ParseState *pstate)
{
	static bool set = true;

	SetExplainExtensionState(es, explain_id, defGetBoolean(option) ? &set : NULL);
}

static void
validate_options(ExplainState *es, List *options, ParseState *pstate)
{
	if (next_validate_hook)
		next_validate_hook(es, options, pstate);
	if (GetExplainExtensionState(es, explain_id) != NULL && !es->analyze)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("EXPLAIN option %s requires ANALYZE", "KIS"),
				 errdetail("It shows the calls that were made. Without ANALYZE none is made.")));
}

/* To be called from _PG_init: the option KIS. */
void
kis_explain_start(void)
{
	explain_id = GetExplainExtensionId("market_investor_fdw");
	kis_register_explain_option("kis", take_option);
	next_validate_hook = explain_validate_options_hook;
	explain_validate_options_hook = validate_options;
}

static void
explain_call(const KisRequest *request, ExplainState *es)
{
	static const char *const answerers[] = {
		[KIS_BY_NOBODY] = "nobody yet",
		[KIS_BY_CACHE] = "the cache",
		[KIS_BY_SESSION] = "another session's call",
		[KIS_BY_KIS] = "KIS",
	};
	const char *subject = kis_call_subject(request->call, &request->args);
	const char *by = answerers[request->answered_by];
	int			attempts = request->job.attempts;
	double		ms = request->took_us / 1000.0;

	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("KIS Call",
							psprintf("%s, answered by %s, %d attempt%s%s", subject, by, attempts,
									 attempts == 1 ? "" : "s",
									 es->timing ? psprintf(", %.3f ms", ms) : ""),
							es);
		return;
	}
	ExplainOpenGroup("KIS Call", NULL, true, es);
	ExplainPropertyText("Of", subject, es);
	ExplainPropertyText("Answered By", by, es);
	ExplainPropertyInteger("Attempts", NULL, attempts, es);
	if (es->timing)
		ExplainPropertyFloat("Time", "ms", ms, 3, es);
	ExplainCloseGroup("KIS Call", NULL, true, es);
}

/* With the option KIS: each call that the scan was the first of its statement to want. */
static void
explain_calls(const KisScan *scan, ExplainState *es)
{
	ListCell   *cell;

	if (GetExplainExtensionState(es, explain_id) == NULL)
		return;
	ExplainOpenGroup("KIS Calls", "KIS Calls", false, es);
	foreach(cell, scan->query->requests)
	{
		const KisRequest *request = lfirst(cell);

		if (request->job.counters == scan->counters)
			explain_call(request, es);
	}
	ExplainCloseGroup("KIS Calls", "KIS Calls", false, es);
}

#else

void
kis_explain_start(void)
{
}

static void
explain_calls(const KisScan *scan, ExplainState *es)
{
}

#endif

/*
 * EXPLAIN's lines of a scan: what it would call, and what the calls have cost.
 * Makes none, and reads nothing of a scan that was never begun.
 */
void
kisExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	KisScanPlan *plan = kis_scan_plan((ForeignScan *) node->ss.ps.plan,
									  node->ss.ss_currentRelation);
	const KisScan *scan = node->fdw_state;

	ExplainPropertyText("KIS Endpoint", plan->table->call->path, es);
	ExplainPropertyInteger("Calls Expected", NULL, (int64) ceil(plan->calls), es);
	if (es->verbose)
	{
		List	   *members = kis_members_read(plan);

		if (kis_call_takes(plan->table->call, KIS_ARG_SECTOR))
			ExplainPropertyText("Pairs", plan->options.pairs == KIS_PAIRS_ALL ? "all" : "headline", es);
		if (members != NIL || es->format != EXPLAIN_FORMAT_TEXT)
			ExplainPropertyList("Members", members, es);
	}
	/* other extensions instrument plain EXPLAIN, which begins no scan */
	if (!es->analyze || scan == NULL)
		return;
	ExplainPropertyInteger("Calls", NULL, scan->counters->calls, es);
	ExplainPropertyInteger("Cached Replies", NULL, scan->counters->cached, es);
	ExplainPropertyInteger("Retries", NULL, scan->counters->retries, es);
	if (es->timing)
	{
		ExplainPropertyFloat("Rate Wait Summed over Calls", "ms", scan->counters->rate_wait_ms, 3, es);
		ExplainPropertyFloat("Network Time Summed over Calls", "ms", scan->counters->network_ms, 3, es);
	}
	ExplainPropertyInteger("Bytes Received", NULL, scan->counters->bytes, es);
	explain_calls(scan, es);
}
