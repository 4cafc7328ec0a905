/*
 * explain.c
 *		What EXPLAIN shows of a scan: what it would call, and what the calls have
 *		cost.
 */
#include "postgres.h"

#include <math.h>

#include "common/option.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/scan_plan.h"
#include "request/state.h"
#include "scan/convert.h"
#include "scan/explain.h"
#include "scan/state.h"

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
}
