/*
 * catalog_views.c
 *		The catalogue as rows: what stands behind the views kis_sector and
 *		kis_investor_type.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "kis/catalog.h"

PG_FUNCTION_INFO_V1(kis_sector_rows);
PG_FUNCTION_INFO_V1(kis_investor_type_rows);

/* Sets a text column; "" is NULL. */
static void
set_text(Datum *value, bool *is_null, const char *utf8)
{
	*is_null = utf8[0] == '\0';
	if (!*is_null)
		*value = CStringGetTextDatum(kis_to_server_lossy(utf8));
}

/* Sets the column of a unit's factor; NULL where the unit is not known. */
static void
set_factor(Datum *value, bool *is_null, const char *unit)
{
	int64		factor = kis_unit_factor(unit);

	*is_null = factor == 0;
	if (!*is_null)
		*value = NumericGetDatum(int64_to_numeric(factor));
}

/*
 * The listed pairs in the catalogue's order; the columns are the view's.
 */
Datum
kis_sector_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *pair = &kis_pairs[i];
		const KisMarket *market = kis_market_find(pair->market);
		Datum		values[11] = {0};
		bool		nulls[11] = {0};

		set_text(&values[0], &nulls[0], pair->market);
		set_text(&values[1], &nulls[1], market->name_ko);
		set_text(&values[2], &nulls[2], market->name_en);
		set_text(&values[3], &nulls[3], pair->sector);
		set_text(&values[4], &nulls[4], pair->name_ko);
		set_text(&values[5], &nulls[5], pair->name_en);
		values[6] = BoolGetDatum(pair->headline);
		set_text(&values[7], &nulls[7], pair->quantity_unit);
		set_text(&values[8], &nulls[8], pair->amount_unit);
		set_factor(&values[9], &nulls[9], pair->quantity_unit);
		set_factor(&values[10], &nulls[10], pair->amount_unit);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * The investors in KIS's order; the columns are the view's.
 */
Datum
kis_investor_type_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kis_investor_count; i++)
	{
		const KisInvestor *investor = &kis_investors[i];
		Datum		values[5] = {0};
		bool		nulls[5] = {0};

		set_text(&values[0], &nulls[0], investor->code);
		set_text(&values[1], &nulls[1], investor->name_ko);
		set_text(&values[2], &nulls[2], investor->name_en);
		set_text(&values[3], &nulls[3], investor->name_ko_screen);
		set_text(&values[4], &nulls[4], investor->part_of);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
