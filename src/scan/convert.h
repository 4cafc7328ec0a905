/*
 * convert.h
 *		From a reply to a row: each member through its column's type.
 */
#ifndef KIS_SCAN_CONVERT_H
#define KIS_SCAN_CONVERT_H

#include "postgres.h"

#include "utils/rel.h"

#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/state.h"

/* What a row of the table is made of. */
typedef struct KisTableRow
{
	const KisRequest *request;	/* that has brought it */
	int			pair;			/* position in the table's pairs */
	int			row;			/* of the reply */
	int			investor;		/* of those that share it, where the table is
								 * by investor */
} KisTableRow;

/* From a reply to a row */
typedef struct KisConverter KisConverter;

extern KisConverter *kis_converter_create(Relation relation, const KisScanPlan *plan,
										  const KisKeyValues *values,
										  const KisKeyValues *investors,
										  KisQuery *query, KisCounters *counters);
extern void kis_convert_row(KisConverter *converter, const KisTableRow *row,
							Datum *datums, bool *nulls);

#endif							/* KIS_SCAN_CONVERT_H */
