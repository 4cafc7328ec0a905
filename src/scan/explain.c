/*
 * explain.c
 *		What EXPLAIN tells of a scan: what it would ask, and what asking cost.
 */
#include "postgres.h"

#include <math.h>

#include "common/option.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/scan_plan.h"
#include "request/state.h"
#include "scan/explain.h"
#include "scan/limit.h"
#include "scan/scan.h"

/* The pages that so many rows fill, where each of so many pairs brings its share of them. */
static int64
pages_of_rows(const KisScanPlan *plan, int64 rows, int64 npairs)
{
	int64		pairs = Max(1, Min(npairs, rows));
	int64		share = rows / pairs + (rows % pairs != 0);
	int64		page = plan->table->call->usual_rows;

	return pairs * (share / page + (share % page != 0));
}

/* The calls that the plan expects, or a LIMIT that is known lets it make. */
static int64
expected_calls(ForeignScanState *node, const KisScanPlan *plan)
{
	KisLimit   *limit = kis_limit_create(node, true);
	int64		calls = (int64) ceil(plan->calls);
	int64		rows = kis_limit_rows(limit, node->ss.ps.ps_ExprContext, kis_table_split(plan->table));

	/*
	 * of several pairs that come one after the other each row may begin a
	 * page
	 */
	if (plan->table->call->paging != KIS_PAGING_NONE && rows != PG_INT64_MAX &&
		(plan->npairs <= 1 || plan->by_day))
		rows = pages_of_rows(plan, rows, (int64) ceil(plan->npairs));
	return Min(calls, rows);
}

static List *
members_read(const KisScanPlan *plan)
{
	const KisMember *listed = plan->table->call->members;
	List	   *members = NIL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		const KisColumn *column = &plan->columns[i].column;
		const char *name = NULL;

		switch (column->source)
		{
			case KIS_SOURCE_DAY:
			case KIS_SOURCE_MEMBER:
				name = listed[column->member].field;
				break;
			case KIS_SOURCE_FIGURE:
				for (int j = 0; j < kis_investor_count; j++)
					members = lappend(members, (char *) listed[kis_figure(j, column->member)].field);
				break;
			case KIS_SOURCE_EXTRA_MEMBER:
				name = column->field;
				break;
			case KIS_SOURCE_OBJECT:
				name = "*";
				break;
			case KIS_SOURCE_REPLY:
				name = "**";
				break;
			default:
				break;
		}
		if (name != NULL)
			members = lappend(members, (char *) name);
	}
	return members;
}

static void
explain_counters(const KisCounters *counters, ExplainState *es)
{
	ExplainPropertyInteger("Calls", NULL, counters->calls, es);
	ExplainPropertyInteger("Cached Replies", NULL, counters->cached, es);
	ExplainPropertyInteger("Retries", NULL, counters->retries, es);
	if (es->timing)
	{
		ExplainPropertyFloat("Rate Wait", "ms", counters->rate_wait_ms, 3, es);
		ExplainPropertyFloat("Network Time", "ms", counters->network_ms, 3, es);
	}
	ExplainPropertyInteger("Bytes Received", NULL, counters->bytes, es);
}

void
kisExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	KisScanPlan *plan = kis_scan_plan((ForeignScan *) node->ss.ps.plan, node->ss.ss_currentRelation);

	ExplainPropertyText("KIS Endpoint", plan->table->call->path, es);
	ExplainPropertyInteger("Calls Expected", NULL, expected_calls(node, plan), es);
	if (es->verbose)
	{
		List	   *members = members_read(plan);

		if (kis_call_takes(plan->table->call, KIS_ARG_MARKET))
			ExplainPropertyText("Pairs", plan->options.pairs == KIS_PAIRS_ALL ? "all" : "headline", es);
		if (members != NIL || es->format != EXPLAIN_FORMAT_TEXT)
			ExplainPropertyList("Members", members, es);
	}
	/* other extensions instrument plain EXPLAIN, which begins no scan */
	if (es->analyze && node->fdw_state != NULL)
		explain_counters(kis_scan_counters(node), es);
}
