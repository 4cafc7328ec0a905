/*
 * store_write.c
 *		What becomes of an answer in the store.
 *
 * The rules are applied to the day's row while it is locked: it is read with
 * FOR NO KEY UPDATE, so that what a concurrent collector wrote before us is
 * seen and what it wants to write waits for us. Where there is no row yet,
 * INSERT ... ON CONFLICT DO NOTHING tells who came first, and the loser starts
 * again with the winner's row. So no update is lost, and no figure is judged
 * by a row that has changed meanwhile. Under REPEATABLE READ both statements
 * raise a serialization failure instead.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "store.h"

/* A row that a trigger or row security keeps from us is not tried for forever. */
#define MAX_ATTEMPTS 10

/* A row of the store; figures are in the order of the table's columns. */
typedef struct StoredRow
{
	DateADT		trade_date;
	TimestampTz collected_at;
	bool		from_daily;
	Datum	   *figures;
	bool	   *nulls;
} StoredRow;

#define KEY_OF_PAIR \
	"s.market_code OPERATOR(pg_catalog.=) $1 AND s.sector_code OPERATOR(pg_catalog.=) $2"
#define KEY_OF_DAY \
	KEY_OF_PAIR " AND s.trade_date OPERATOR(pg_catalog.=) $3"

/* Runs a statement; $1 to $5: market, sector, trade date, collected_at, figures. */
static void
execute(const char *statement, const KisStoreTable *store, const KisTarget *target)
{
	Oid			types[] = {TEXTOID, TEXTOID, DATEOID, TIMESTAMPTZOID, INT8ARRAYOID};
	Datum		values[lengthof(types)];
	int			result;

	values[0] = CStringGetTextDatum(target->pair.market);
	values[1] = CStringGetTextDatum(target->pair.sector);
	values[2] = DateADTGetDatum(target->trade_date);
	values[3] = TimestampTzGetDatum(target->collected_at);
	values[4] = kis_store_figures(store, target->figures, target->nulls);
	result = SPI_execute_with_args(statement, lengthof(types), types, values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
}

/* Reads the one row that rest selects; false where there is none. */
static bool
read_row(const KisStoreTable *store, const KisTarget *target, const char *rest, StoredRow *row)
{
	StringInfoData figures;
	HeapTuple	tuple;
	TupleDesc	desc;
	Datum		array;
	bool		isnull;
	int			n;

	initStringInfo(&figures);
	for (int i = 0; i < store->nfigures; i++)
		appendStringInfo(&figures, "%ss.%s", i > 0 ? ", " : "", store->columns[i]);
	execute(psprintf("SELECT s.trade_date, s.collected_at, %s, ARRAY[%s]::pg_catalog.int8[] "
					 "FROM %s AS s WHERE %s",
					 store->has_source ?
					 "s.source::pg_catalog.text OPERATOR(pg_catalog.=) 'daily'::pg_catalog.text" :
					 "false",
					 figures.data, store->name, rest),
			store, target);
	if (SPI_processed == 0)
		return false;

	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	row->trade_date = DatumGetDateADT(SPI_getbinval(tuple, desc, 1, &isnull));
	row->collected_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
	if (isnull)
		row->collected_at = DT_NOBEGIN;
	row->from_daily = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)) && !isnull;
	array = SPI_getbinval(tuple, desc, 4, &isnull);
	deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &row->figures, &row->nulls, &n);
	Assert(n == store->nfigures);
	return true;
}

static bool
has_figures(const KisStoreTable *store, const StoredRow *row)
{
	for (int i = 0; i < store->nfigures; i++)
		if (!row->nulls[i] && DatumGetInt64(row->figures[i]) != 0)
			return true;
	return false;
}

/*
 * Would writing the answer over the row leave its figures as they are? Where
 * either side may be unknown, only what both know counts.
 */
static bool
has_same_figures(const KisStoreTable *store, const StoredRow *row, const KisTarget *target,
				 bool either)
{
	for (int i = 0; i < store->nfigures; i++)
	{
		int			member = store->members[i];

		if (target->nulls[member] || (either && row->nulls[i]))
			continue;
		if (row->nulls[i] || DatumGetInt64(row->figures[i]) != target->figures[member])
			return false;
	}
	return true;
}

static void
skip(KisTarget *target, MemoryContext context, const char *reason)
{
	target->outcome = KIS_OUTCOME_SKIPPED;
	target->detail = MemoryContextStrdup(context, reason);
}

/*
 * On the day itself KIS may still show the figures of the trading day before:
 * then they equal the last ones that are stored.
 */
static bool
is_not_turned_over(const KisStoreTable *store, KisTarget *target, MemoryContext context)
{
	StoredRow	last;
	int			year;
	int			month;
	int			day;

	if (!target->has_figures ||
		target->trade_date != kis_seoul_day(target->collected_at) ||
		!read_row(store, target, KEY_OF_PAIR " AND s.trade_date OPERATOR(pg_catalog.<) $3 "
				  "ORDER BY s.trade_date DESC LIMIT 1", &last) ||
		DATE_NOT_FINITE(last.trade_date) ||
		!has_figures(store, &last) ||
		!has_same_figures(store, &last, target, true))
		return false;

	j2date(last.trade_date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	target->worth_snapshot = false;
	skip(target, context, psprintf("still the figures of %04d-%02d-%02d: KIS has not turned over yet",
								   year, month, day));
	return true;
}

/* Reasons to leave the day's row alone. */
static bool
is_skipped(const KisStoreTable *store, const StoredRow *row, KisTarget *target,
		   MemoryContext context)
{
	if (target->collected_at < row->collected_at)
	{
		skip(target, context, psprintf("older than what is stored, of %s",
									   timestamptz_to_str(row->collected_at)));
		return true;
	}
	if (row->from_daily && target->trade_date < kis_seoul_day(target->collected_at))
	{
		skip(target, context, "a past day that the daily history has filled");
		return true;
	}
	if (!target->has_figures && has_figures(store, row))
	{
		target->worth_snapshot = false;
		skip(target, context, "all figures are zero, those stored are not");
		return true;
	}
	return is_not_turned_over(store, target, context);
}

static void
raise_in_the_way(const KisStoreTable *store, const KisTarget *target)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("could not write the row of %s/%s to table \"%s\"",
					target->pair.market, target->pair.sector, store->plain_name),
			 errdetail("A row that can't be seen, or a trigger, is in its way."),
			 errhint("Look at the row security policies and triggers of the table.")));
}

/* The day's row, which is locked, gets the figures of the answer; source NULL: it keeps its own. */
static void
write_over(const KisStoreTable *store, KisTarget *target, bool same, const char *source)
{
	StringInfoData set;

	initStringInfo(&set);
	appendStringInfoString(&set, "collected_at = $4");
	for (int i = 0; i < store->nfigures && !same; i++)
		appendStringInfo(&set, ", %s = COALESCE($5[%d], s.%s)",
						 store->columns[i], i + 1, store->columns[i]);
	if (source != NULL && store->has_source)
		appendStringInfo(&set, ", source = '%s'", source);
	if (!same && store->has_updated_at)
		appendStringInfoString(&set, ", updated_at = pg_catalog.clock_timestamp()");
	execute(psprintf("UPDATE %s AS s SET %s WHERE %s", store->name, set.data, KEY_OF_DAY),
			store, target);
	if (SPI_processed == 0)
		raise_in_the_way(store, target);
}

/* The day's row, which is locked, gets what is newer in the answer. */
static void
write_newer(const KisStoreTable *store, const StoredRow *row, KisTarget *target)
{
	bool		same = has_same_figures(store, row, target, false);

	target->outcome = same ? KIS_OUTCOME_UNCHANGED : KIS_OUTCOME_UPDATED;
	if (!same || target->collected_at != row->collected_at)
		write_over(store, target, same, same ? NULL : "live");
}

/* False where another session's row is there already. */
static bool
insert(const KisStoreTable *store, const KisTarget *target, const char *source)
{
	StringInfoData columns;
	StringInfoData values;

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < store->nfigures; i++)
	{
		appendStringInfo(&columns, ", %s", store->columns[i]);
		appendStringInfo(&values, ", $5[%d]", i + 1);
	}
	execute(psprintf("INSERT INTO %s (market_code, sector_code, trade_date, collected_at%s%s) "
					 "VALUES ($1, $2, $3, $4%s%s) "
					 "ON CONFLICT (market_code, sector_code, trade_date) DO NOTHING",
					 store->name,
					 columns.data, store->has_source ? ", source" : "",
					 values.data, store->has_source ? psprintf(", '%s'", source) : ""),
			store, target);
	return SPI_processed > 0;
}

void
kis_store_write(const KisStoreTable *store, KisTarget *target,
				const KisServerOptions *options, MemoryContext context)
{
	DateADT		today = kis_seoul_day(target->collected_at);
	int			seconds = kis_seoul_seconds(target->collected_at);

	target->worth_snapshot = true;
	if (!target->has_figures && target->trade_date == today && seconds < options->session_start)
	{
		target->worth_snapshot = false;
		skip(target, context, "all figures are zero before the session");
		return;
	}

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
	{
		StoredRow	row;

		CHECK_FOR_INTERRUPTS();
		if (read_row(store, target, KEY_OF_DAY " FOR NO KEY UPDATE", &row))
		{
			if (!is_skipped(store, &row, target, context))
				write_newer(store, &row, target);
			return;
		}
		if (is_not_turned_over(store, target, context))
			return;
		if (insert(store, target, "live"))
		{
			target->outcome = KIS_OUTCOME_INSERTED;
			return;
		}
	}
	raise_in_the_way(store, target);
}

/* Is the row to get the figures of the daily history? If not, sets the outcome. */
static bool
is_to_fill(const KisStoreTable *store, const StoredRow *row, KisTarget *target,
		   MemoryContext context)
{
	if ((row->from_daily || !store->has_source) &&
		has_same_figures(store, row, target, false))
		target->outcome = KIS_OUTCOME_UNCHANGED;
	else if (row->from_daily && target->collected_at < row->collected_at)
		skip(target, context, "another backfill has newer figures");
	else if (!target->has_figures && has_figures(store, row))
		skip(target, context, "all figures are zero, those stored are not");
	else
		return true;
	return false;
}

/* Has the answer any figure that the table has a column for? */
static bool
has_answer(const KisStoreTable *store, const KisTarget *target)
{
	for (int i = 0; i < store->nfigures; i++)
		if (!target->nulls[store->members[i]])
			return true;
	return false;
}

void
kis_store_write_daily(const KisStoreTable *store, KisTarget *target, MemoryContext context)
{
	if (!has_answer(store, target))
	{
		skip(target, context, "the daily history has no figures");
		return;
	}
	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
	{
		StoredRow	row;

		CHECK_FOR_INTERRUPTS();
		if (!read_row(store, target, KEY_OF_DAY, &row))
		{
			if (!insert(store, target, "daily"))
				continue;
			target->outcome = KIS_OUTCOME_INSERTED;
			return;
		}
		/* a lock would be a write: only where there is something to write */
		if (!is_to_fill(store, &row, target, context))
			return;
		if (!read_row(store, target, KEY_OF_DAY " FOR NO KEY UPDATE", &row))
			continue;
		if (is_to_fill(store, &row, target, context))
		{
			target->outcome = KIS_OUTCOME_UPDATED;
			write_over(store, target, has_same_figures(store, &row, target, false), "daily");
		}
		return;
	}
	raise_in_the_way(store, target);
}
