/*
 * log.c
 *		The log of collections: a row for each target of each, what failed and
 *		what stood still included; and notifications of what has changed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
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

/* Appends a member to an object that "{" begins; a value of NULL is left out. */
static void
append_member(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%s\"%s\": ", json->data[json->len - 1] == '{' ? "" : ", ", name);
	escape_json(json, value);
}

/* What came of a target: members that the log has as columns. */
static void
append_target(StringInfo json, const KisTarget *target)
{
	char		day[MAXDATELEN + 1];

	append_member(json, "market_code", target->pair.market);
	append_member(json, "sector_code", target->pair.sector);
	append_member(json, "trade_date", target->has_trade_date ?
				  JsonEncodeDateTime(day, DateADTGetDatum(target->trade_date), DATEOID, NULL) : NULL);
	append_member(json, "outcome", outcome_names[target->outcome]);
}

/*
 * Appends a row for each target, in one statement; "log" is the table, which
 * the caller has locked. To be called inside SPI.
 */
void
kis_log_append(const KisStoreTable *log, const KisTarget *targets, int ntargets, TimestampTz asked_at)
{
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[lengthof(types)];
	StringInfoData json;
	int			result;

	initStringInfo(&json);
	for (int i = 0; i < ntargets; i++)
	{
		appendStringInfoString(&json, i == 0 ? "[{" : ", {");
		append_target(&json, &targets[i]);
		append_member(&json, "detail", targets[i].detail);
		append_member(&json, "took_ms", targets[i].took_ms < 0 ? NULL : psprintf("%d", targets[i].took_ms));
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, ']');
	values[0] = CStringGetTextDatum(json.data);
	values[1] = TimestampTzGetDatum(asked_at);
	result = SPI_execute_plan(kis_rows_plan(psprintf("INSERT INTO %s (asked_at, market_code, sector_code, trade_date, outcome, detail, took_ms) "
													 "SELECT $2, t.market_code, t.sector_code, t.trade_date, t.outcome, t.detail, t.took_ms "
													 "FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS t(market_code pg_catalog.text, sector_code pg_catalog.text, "
													 "trade_date pg_catalog.date, outcome pg_catalog.text, detail pg_catalog.text, took_ms pg_catalog.int4)",
													 log->name),
											lengthof(types), types),
							  values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}

/*
 * Sends a NOTIFY on the channel for each target that was inserted or updated: a
 * JSON object with the store, the pair, the trade date, the outcome and
 * collected_at. PostgreSQL delivers it at the commit, and not at all on a
 * rollback.
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
		appendStringInfoChar(&json, '{');
		append_member(&json, "store", store->name);
		append_target(&json, target);
		append_member(&json, "collected_at",
					  JsonEncodeDateTime(moment, TimestampTzGetDatum(target->collected_at), TIMESTAMPTZOID, NULL));
		appendStringInfoChar(&json, '}');
		Async_Notify(channel, json.data);
	}
}
