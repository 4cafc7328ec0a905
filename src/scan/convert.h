/*
 * convert.h
 *		From a reply to a row: each member through its column's type.
 */
#ifndef KIS_SCAN_CONVERT_H
#define KIS_SCAN_CONVERT_H

#include "postgres.h"

#include "utils/rel.h"

#include "common/option.h"
#include "plan/scan_plan.h"
#include "request/state.h"

/* What a row of the table is made of. */
typedef struct KisTableRow
{
	const KisRequest *request;	/* that has brought it */
	const KisPairCode *code;	/* the pair that it is of */
	int			row;			/* of the reply */
	int			investor;		/* of those that share it, where the table is
								 * by investor */
} KisTableRow;

/* How a scan's columns are made of replies. */
typedef struct KisConverter KisConverter;

extern KisConverter *kis_converter_create(Relation relation, const KisScanPlan *plan,
										  KisQuery *query, KisCounters *counters);
extern void kis_convert_row(KisConverter *converter, const KisTableRow *row,
							Datum *datums, bool *nulls);

/* The members that a scan reads, by KIS's names, as EXPLAIN shows them. */
extern List *kis_members_read(const KisScanPlan *plan);

#endif							/* KIS_SCAN_CONVERT_H */
