/*
 * catalog_views.c
 *		The catalogue as rows: what stands behind the views kis_sector and
 *		kis_investor_type.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "kis/catalog.h"

/* Columns of the view that has most of them */
#define MAX_COLUMNS	11

PG_FUNCTION_INFO_V1(kis_sector_rows);
PG_FUNCTION_INFO_V1(kis_investor_type_rows);

/* Adds a row of the columns' values as text in UTF-8; "" is NULL. */
static void
add_row(FunctionCallInfo fcinfo, AttInMetadata *columns, const char *const *texts)
{
	char	   *values[MAX_COLUMNS];

	for (int i = 0; i < columns->tupdesc->natts; i++)
		values[i] = texts[i][0] != '\0' ? kis_to_server_lossy(texts[i]) : NULL;
	tuplestore_puttuple(((ReturnSetInfo *) fcinfo->resultinfo)->setResult,
						BuildTupleFromCStrings(columns, values));
}

/* Begins the rows of a set-returning function; their columns. */
static AttInMetadata *
begin_rows(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
	return TupleDescGetAttInMetadata(((ReturnSetInfo *) fcinfo->resultinfo)->setDesc);
}

/* A unit's factor as text; "" where the unit is not known. */
static const char *
factor_text(const char *unit)
{
	int64		factor = kis_unit_factor(unit);

	return factor != 0 ? psprintf(INT64_FORMAT, factor) : "";
}

/*
 * The listed pairs in the catalogue's order; the columns are the view's.
 */
Datum
kis_sector_rows(PG_FUNCTION_ARGS)
{
	AttInMetadata *columns = begin_rows(fcinfo);

	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *pair = &kis_pairs[i];
		const KisMarket *market = kis_market_find(pair->market);
		const char *texts[MAX_COLUMNS] = {
			pair->market, market->name_ko, market->name_en,
			pair->sector, pair->name_ko, pair->name_en, pair->headline ? "t" : "f",
			pair->quantity_unit, pair->amount_unit,
			factor_text(pair->quantity_unit), factor_text(pair->amount_unit)
		};

		add_row(fcinfo, columns, texts);
	}
	return (Datum) 0;
}

/*
 * The investors in KIS's order; the columns are the view's.
 */
Datum
kis_investor_type_rows(PG_FUNCTION_ARGS)
{
	AttInMetadata *columns = begin_rows(fcinfo);

	for (int i = 0; i < kis_investor_count; i++)
	{
		const KisInvestor *investor = &kis_investors[i];
		const char *texts[MAX_COLUMNS] = {
			investor->code, investor->name_ko, investor->name_en,
			investor->name_ko_screen, investor->part_of
		};

		add_row(fcinfo, columns, texts);
	}
	return (Datum) 0;
}
