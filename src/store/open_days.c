/*
 * open_days.c
 *		kis_open_days: the days on which the exchange is open, for
 *		market_investor_trend_gaps.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/tuplestore.h"

#include "common/day.h"
#include "common/error.h"
#include "common/messages.h"
#include "common/option.h"
#include "kis/trading_day.h"
#include "request/calendar.h"
#include "request/connection.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "store/open.h"

PG_FUNCTION_INFO_V1(kis_open_days);

/* So many days at most in one call of the function: twenty years. */
#define MAX_DAYS	7400

/* A moment of the day in Seoul. */
static TimestampTz
moment_of(DateADT day, int hour)
{
	return day * USECS_PER_DAY + hour * USECS_PER_HOUR - KIS_SEOUL_OFFSET * USECS_PER_SEC;
}

/*
 * kis_open_days(source name, from_date date, to_date date): a row for each open
 * day, with whether the exchange opens an hour late. Raises what KIS's refusal
 * of its calendar is, and 22023 for too many days.
 */
Datum
kis_open_days(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	DateADT		from = PG_GETARG_DATEADT(1);
	DateADT		to = PG_GETARG_DATEADT(2);
	KisQuery   *query = kis_query_create(CurrentMemoryContext);
	KisCounters *counters = palloc0(sizeof(KisCounters));
	KisConnection *connection;

	InitMaterializedSRF(fcinfo, 0);
	connection = kis_query_connection(query, kis_store_server(NameStr(*PG_GETARG_NAME(0)),
															  fcinfo->flinfo->fn_oid), GetUserId());
	if (DATE_NOT_FINITE(from) || DATE_NOT_FINITE(to) || to - from >= MAX_DAYS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("too many days"),
				 errhint("Ask for %d days at most.", MAX_DAYS)));
	for (DateADT day = from; day <= to; day++)
	{
		TimestampTz noon = moment_of(day, 12);
		KisError	failure = {0};
		DateADT		trade_date;
		Datum		values[2];
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		if (!kis_trade_date(query, connection, moment_of(day, 23), true, counters, &trade_date, &failure))
			kis_raise(&failure, connection->server_name);
		if (trade_date != day)
			continue;
		values[0] = DateADTGetDatum(day);
		values[1] = BoolGetDatum(kis_hours(query, connection, noon, counters).since_start <
								 kis_seoul_seconds(noon) - connection->options->session_start);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
