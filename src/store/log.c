/*
 * log.c
 *		The log of collections: a row for each target of each, what failed and
 *		what stood still included; and who is told of what has changed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/json.h"

#include "store/log.h"
#include "store/rows.h"
#include "store/table.h"
#include "store/target.h"

static const char *const outcome_names[] = {
	[KIS_OUTCOME_INSERTED] = "inserted",
	[KIS_OUTCOME_UPDATED] = "updated",
	[KIS_OUTCOME_UNCHANGED] = "unchanged",
	[KIS_OUTCOME_SKIPPED] = "skipped",
	[KIS_OUTCOME_FAILED] = "failed",
};

const char *
kis_outcome_name(KisOutcome outcome)
{
	return outcome_names[outcome];
}

/*
 * Appends a row for each target, in one statement; "log" is the table, which
 * the caller has locked. To be called inside SPI.
 */
void
kis_log_append(const KisStoreTable *log, const KisTarget *targets, int ntargets, TimestampTz asked_at)
{
	static const Oid types[] = {TEXTOID, TEXTOID, DATEOID, TEXTOID, TEXTOID, INT4OID};
	Oid			parameters[] = {TEXTARRAYOID, TEXTARRAYOID, DATEARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
	INT4ARRAYOID, TIMESTAMPTZOID};
	Datum		values[lengthof(parameters)];
	Datum	   *columns[lengthof(types)];
	bool	   *nulls[lengthof(types)];
	int			lower_bound = 1;
	int			result;

	for (int i = 0; i < (int) lengthof(types); i++)
	{
		columns[i] = palloc0(ntargets * sizeof(Datum));
		nulls[i] = palloc0(ntargets * sizeof(bool));
	}
	for (int i = 0; i < ntargets; i++)
	{
		const KisTarget *target = &targets[i];

		columns[0][i] = CStringGetTextDatum(target->pair.market);
		columns[1][i] = CStringGetTextDatum(target->pair.sector);
		columns[2][i] = DateADTGetDatum(target->trade_date);
		nulls[2][i] = !target->has_trade_date;
		columns[3][i] = CStringGetTextDatum(outcome_names[target->outcome]);
		nulls[4][i] = target->detail == NULL;
		if (target->detail != NULL)
			columns[4][i] = CStringGetTextDatum(target->detail);
		columns[5][i] = Int32GetDatum(target->took_ms);
		nulls[5][i] = target->took_ms < 0;
	}
	for (int i = 0; i < (int) lengthof(types); i++)
		values[i] = PointerGetDatum(construct_md_array(columns[i], nulls[i], 1, &ntargets, &lower_bound, types[i],
													   types[i] == TEXTOID ? -1 : (int) sizeof(int32),
													   types[i] != TEXTOID, TYPALIGN_INT));
	values[lengthof(types)] = TimestampTzGetDatum(asked_at);
	result = SPI_execute_plan(kis_rows_plan(psprintf("INSERT INTO %s (asked_at, market_code, sector_code, trade_date, outcome, detail, took_ms) "
													 "SELECT $7, t.market_code, t.sector_code, t.trade_date, t.outcome, t.detail, t.took_ms "
													 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
													 "pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)) "
													 "AS t(market_code, sector_code, trade_date, outcome, detail, took_ms)",
													 log->name),
											lengthof(parameters), parameters),
							  values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}

static void
append_member(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, "%s\"%s\": ", json->len == 0 ? "{" : ", ", name);
	escape_json(json, value);
}

/*
 * Sends a NOTIFY on the channel for each target that was inserted or updated: a
 * JSON object with the store, the pair, the trade date, collected_at and the
 * outcome. PostgreSQL delivers it at the commit, and not at all on a rollback.
 */
void
kis_log_notify(const KisStoreTable *store, const char *channel, const KisTarget *targets, int ntargets)
{
	for (int i = 0; i < ntargets; i++)
	{
		const KisTarget *target = &targets[i];
		StringInfoData json;
		char		moment[MAXDATELEN + 1];

		if (target->outcome != KIS_OUTCOME_INSERTED && target->outcome != KIS_OUTCOME_UPDATED)
			continue;
		initStringInfo(&json);
		append_member(&json, "store", store->name);
		append_member(&json, "market_code", target->pair.market);
		append_member(&json, "sector_code", target->pair.sector);
		append_member(&json, "trade_date",
					  JsonEncodeDateTime(moment, DateADTGetDatum(target->trade_date), DATEOID, NULL));
		append_member(&json, "collected_at",
					  JsonEncodeDateTime(moment, TimestampTzGetDatum(target->collected_at), TIMESTAMPTZOID, NULL));
		append_member(&json, "outcome", outcome_names[target->outcome]);
		appendStringInfoChar(&json, '}');
		Async_Notify(channel, json.data);
	}
}
