/*
 * code_warnings.h
 *		A warning where a query names codes that the table doesn't hold: an
 *		empty answer alone would look like an answer.
 */
#ifndef KIS_SCAN_CODE_WARNINGS_H
#define KIS_SCAN_CODE_WARNINGS_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/connection.h"
#include "request/state.h"

/* Warns of those that the table doesn't hold */
typedef struct KisCodeWarnings KisCodeWarnings;

extern KisCodeWarnings *kis_code_warnings_create(ForeignScanState *node, const KisScanPlan *plan,
												 const KisKeyValues *values,
												 const KisKeyValues *investors);
extern void kis_code_warnings_check(KisCodeWarnings *named, ExprContext *econtext,
									KisQuery *query, const KisConnection *connection,
									bool any_chosen);

#endif							/* KIS_SCAN_CODE_WARNINGS_H */
