/*
 * write.c
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

#include "common/day.h"
#include "kis/catalog.h"
#include "request/calendar.h"
#include "store/table.h"
#include "store/target.h"
#include "store/write.h"

/* A row that a trigger or row security keeps from us is not tried for forever. */
#define MAX_ATTEMPTS 10

/* The exchange's session ends at 15:30 in Seoul: seconds of the day. */
#define SESSION_END		(15 * SECS_PER_HOUR + 30 * SECS_PER_MINUTE)

/* From session_start on: so long KIS may have been late to turn over. */
#define GUARDED_SECONDS (2 * SECS_PER_HOUR)

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

/* The pair's last one of the days before the trade date, or of that day, in the months at hand. */
#define LAST_SNAPSHOT(before_or_of) \
	KEY_OF_PAIR " AND s.trade_date OPERATOR(pg_catalog." before_or_of ") $3 " \
	"AND s.collected_at OPERATOR(pg_catalog.>=) " \
	"($4 OPERATOR(pg_catalog.-) '32 days'::pg_catalog.interval) " \
	"ORDER BY s.collected_at DESC LIMIT 1"

/*
 * Runs a query; $1 to $6: market, sector, trade date, collected_at, figures,
 * and now. No statement that writes calls a volatile function: Citus refuses that.
 */
static void
execute(const char *query, const KisStoreTable *store, const KisTarget *target)
{
	Oid			types[] = {TEXTOID, TEXTOID, DATEOID, TIMESTAMPTZOID, INT8ARRAYOID, TIMESTAMPTZOID};
	Datum		values[lengthof(types)];
	int			result;

	values[0] = CStringGetTextDatum(target->pair.market);
	values[1] = CStringGetTextDatum(target->pair.sector);
	values[2] = DateADTGetDatum(target->trade_date);
	values[3] = TimestampTzGetDatum(target->collected_at);
	values[4] = kis_store_figures(store, target->figures, target->nulls);
	values[5] = TimestampTzGetDatum(GetCurrentTimestamp());
	result = SPI_execute_with_args(query, lengthof(types), types, values, NULL, false, 0);
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

static char *
day_text(DateADT date)
{
	int			year;
	int			month;
	int			day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return psprintf("%04d-%02d-%02d", year, month, day);
}

static char *
still_of(const StoredRow *row)
{
	return psprintf("still the figures of %s: KIS has not turned over yet", day_text(row->trade_date));
}

/* What the totals of sells and buys of an answer are beside stored ones that are not zero. */
typedef struct Growth
{
	bool		one_is_less;	/* totals only grow within a day: so it is of
								 * another day */
	bool		one_is_not_less;
} Growth;

static Growth
growth_since(const KisStoreTable *table, const StoredRow *row, const KisTarget *target)
{
	Growth		growth = {false, false};

	for (int i = 0; i < table->nfigures; i++)
	{
		int			member = table->members[i];
		int64		stored;

		/* a net may grow less */
		if (row->nulls[i] || target->nulls[member] || strstr(kis_members[member].column, "_net_") != NULL)
			continue;
		stored = DatumGetInt64(row->figures[i]);
		if (target->figures[member] < stored)
			growth.one_is_less = true;
		else if (stored != 0)
			growth.one_is_not_less = true;
	}
	return growth;
}

/* Was the row taken when its day's session had ended? */
static bool
is_after_close(const StoredRow *row)
{
	DateADT		taken_on = kis_seoul_day(row->collected_at);

	return taken_on > row->trade_date ||
		(taken_on == row->trade_date && kis_seoul_seconds(row->collected_at) >= SESSION_END);
}

/* The pair's newest row of the days before; false where there is none. */
static bool
read_day_before(const KisStoreTable *store, const KisTarget *target, StoredRow *row)
{
	return read_row(store, target, KEY_OF_PAIR " AND s.trade_date OPERATOR(pg_catalog.<) $3 "
					"ORDER BY s.trade_date DESC LIMIT 1", row) &&
		!DATE_NOT_FINITE(row->trade_date);
}

/*
 * On a day that is open, does KIS still show the trading day before? It does
 * where
 * - the figures equal the last ones that are stored of an earlier day;
 * - until two hours after session_start: they may be what the last snapshot of
 *   an earlier day has grown to, and that was taken after its session. Then
 *   the figures of a new day are smaller as a rule, and the clock alone decides
 *   from then on;
 * - before the exchange opens: nothing proves that they are not the day
 *   before's. Only a snapshot of that day with larger totals does, all of them:
 *   KIS corrects some in the evening.
 * So no figure is stored under a day by guess. Nothing is lost by it either:
 * what KIS shows in these hours is in the totals that come after. Returns the
 * reason, NULL where KIS has turned over.
 */
static const char *
reason_not_turned_over(const KisStoreTable *store, const KisStoreTable *snapshots,
					   const KisTarget *target)
{
	const KisHours *hours = &target->hours;
	bool		guarded = hours->since_start < GUARDED_SECONDS;
	Growth		growth = {false, false};
	StoredRow	row = {0};
	StoredRow	last;
	bool		has_row = read_day_before(store, target, &row);
	bool		has_last = has_row;
	bool		equal = has_row && has_figures(store, &row) &&
		has_same_figures(store, &row, target, true);
	bool		only_less;

	if (!equal && !guarded)
		return NULL;

	last = row;
	if (snapshots)
		has_last = read_row(snapshots, target, LAST_SNAPSHOT("<"), &last);
	if (has_last)
		growth = growth_since(snapshots ? snapshots : store, &last, target);
	only_less = growth.one_is_less && !growth.one_is_not_less;
	if (equal && !(growth.one_is_less && last.trade_date == row.trade_date))
		return still_of(&row);
	if (guarded && growth.one_is_not_less && !growth.one_is_less && is_after_close(&last))
		return still_of(&last);
	if (hours->before_open && !(only_less && last.trade_date == hours->day_before))
		return "perhaps still the figures of the day before: the exchange has not opened yet, and no snapshot of that day proves that KIS has turned over";
	return NULL;
}

static bool
is_not_turned_over(const KisStoreTable *store, const KisStoreTable *snapshots, KisTarget *target,
				   MemoryContext context)
{
	const char *reason;

	if (!target->has_figures || target->trade_date != kis_seoul_day(target->collected_at))
		return false;
	reason = reason_not_turned_over(store, snapshots, target);
	if (reason == NULL)
		return false;
	target->worth_snapshot = false;
	skip(target, context, reason);
	return true;
}

/*
 * On a day that is closed, KIS shows the last session's figures. If others are
 * stored, the calendar may be wrong, and they are of today. Not before
 * session_start: until then they are the day before's on any day. Nor, as long
 * as a new day's would be smaller, if they may be what the last snapshot has
 * grown to, and that was taken in the afternoon while its session went on.
 */
static bool
contradicts_calendar(const KisStoreTable *store, const KisStoreTable *snapshots,
					 const StoredRow *row, KisTarget *target, MemoryContext context)
{
	const KisHours *hours = &target->hours;

	if (!hours->closed || hours->since_start < 0 || !target->has_figures ||
		has_same_figures(store, row, target, true))
		return false;
	if (hours->since_start < GUARDED_SECONDS)
	{
		StoredRow	last = *row;
		bool		found = snapshots == NULL ||
			read_row(snapshots, target, LAST_SNAPSHOT("="), &last);
		Growth		growth = {false, false};

		if (found && !is_after_close(&last) && kis_seoul_seconds(last.collected_at) >= SECS_PER_DAY / 2)
			growth = growth_since(snapshots ? snapshots : store, &last, target);
		if (growth.one_is_not_less && !growth.one_is_less)
			return false;
	}
	target->worth_snapshot = false;
	skip(target, context,
		 psprintf("KIS's calendar says that the exchange is closed today, but these are not the figures stored of %s; kis_check() asks the calendar anew",
				  day_text(target->trade_date)));
	return true;
}

/* Reasons to leave the day's row alone. */
static bool
is_skipped(const KisStoreTable *store, const KisStoreTable *snapshots, const StoredRow *row,
		   KisTarget *target, MemoryContext context)
{
	if (contradicts_calendar(store, snapshots, row, target, context))
		return true;
	if (target->collected_at < row->collected_at)
	{
		target->stored_at = row->collected_at;
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
	return is_not_turned_over(store, snapshots, target, context);
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
		appendStringInfoString(&set, ", updated_at = $6");
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

/* As execute, of an INSERT: tells how to go on where an id is taken, which no ON CONFLICT is for. */
static void
execute_insert(const char *query, const KisStoreTable *store, const KisTarget *target)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		execute(query, store, target);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && error->constraint_name && !error->hint)
			error->hint = psprintf("If rows came with their ids, as by COPY or logical replication, SELECT create_market_investor_trend(%s) has new ones counted on from there.",
								   quote_literal_cstr(store->name));
		ReThrowError(error);
	}
	PG_END_TRY();
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
	execute_insert(psprintf("INSERT INTO %s (market_code, sector_code, trade_date, collected_at%s%s) "
							"VALUES ($1, $2, $3, $4%s%s) "
							"ON CONFLICT (market_code, sector_code, trade_date) DO NOTHING",
							store->name,
							columns.data, store->has_source ? ", source" : "",
							values.data, store->has_source ? psprintf(", '%s'", source) : ""),
				   store, target);
	return SPI_processed > 0;
}

/*
 * Writes a target's answer to the store and sets its outcome; snapshots (NULL:
 * none) tell of the days before. To be called inside SPI, in the order of keys;
 * text is allocated in context.
 */
void
kis_store_write(const KisStoreTable *store, const KisStoreTable *snapshots, KisTarget *target,
				MemoryContext context)
{
	DateADT		today = kis_seoul_day(target->collected_at);

	target->worth_snapshot = true;
	if (!target->has_figures && target->trade_date == today && target->hours.since_start < 0)
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
			if (!is_skipped(store, snapshots, &row, target, context))
				write_newer(store, &row, target);
			return;
		}
		if (!target->has_figures && target->hours.closed)
		{
			target->worth_snapshot = false;
			skip(target, context, "all figures are zero on a day that is closed");
			return;
		}
		if (is_not_turned_over(store, snapshots, target, context))
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

/*
 * The same with a row of the daily history, of a day that is over: it comes
 * before whatever is live, and what stays as it is is not written at all.
 */
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
