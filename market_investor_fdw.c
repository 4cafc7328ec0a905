/*
 * market_investor_fdw.c
 *		Front door: the library's magic, its start and the wrapper's handler.
 *
 * The validator is in src/common/option.c, beside the options.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "compat.h"
#include "kis.h"
#include "plan/import.h"
#include "plan/plan.h"
#include "plan/statistics.h"
#include "scan/async.h"
#include "scan/explain.h"
#include "scan/scan.h"
#include "shared/block.h"

KIS_MODULE_MAGIC("market_investor_fdw", KIS_VERSION);

/* declared by PostgreSQL itself since 16 */
extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	kis_shared_start();
	kis_explain_start();
	kis_statistics_start();
}

PG_FUNCTION_INFO_V1(market_investor_fdw_handler);

Datum
market_investor_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = kisGetForeignRelSize;
	routine->GetForeignPaths = kisGetForeignPaths;
	routine->GetForeignPlan = kisGetForeignPlan;
	routine->BeginForeignScan = kisBeginForeignScan;
	routine->IterateForeignScan = kisIterateForeignScan;
	routine->ReScanForeignScan = kisReScanForeignScan;
	routine->EndForeignScan = kisEndForeignScan;
	routine->ExplainForeignScan = kisExplainForeignScan;
	routine->IsForeignPathAsyncCapable = kisIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = kisForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = kisForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = kisForeignAsyncNotify;
	routine->AnalyzeForeignTable = kisAnalyzeForeignTable;
	routine->ImportForeignSchema = kisImportForeignSchema;

	PG_RETURN_POINTER(routine);
}
