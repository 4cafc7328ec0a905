/*
 * write.c
 *		What becomes of answers in the store.
 *
 * The rules are applied to each day's row while it is locked: the rows are read
 * with FOR NO KEY UPDATE, in the order of their keys, so that what a concurrent
 * collector wrote before us is seen and what it wants to write waits for us.
 * Where there is no row yet, INSERT ... ON CONFLICT DO NOTHING shows who came
 * first; then all that was locked and written is taken back, and it begins
 * again with the winner's row. So no update is lost, no answer is decided on by
 * a row that has changed meanwhile, and nobody holds a later key while he waits
 * for an earlier one. Under REPEATABLE READ both statements raise a
 * serialization failure instead.
 *
 * No statement that writes calls a volatile function: Citus refuses that.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "common/day.h"
#include "common/error.h"
#include "common/messages.h"
#include "kis/catalog.h"
#include "request/calendar.h"
#include "store/rows.h"
#include "store/table.h"
#include "store/target.h"
#include "store/write.h"

/* A row that a trigger or row security keeps from us is not tried for forever. */
#define MAX_ATTEMPTS 10

/* The exchange's session ends at 15:30 in Seoul: seconds of the day. */
#define SESSION_END		(15 * SECS_PER_HOUR + 30 * SECS_PER_MINUTE)

/* From session_start on: so long KIS may have been late to turn over. */
#define GUARDED_SECONDS (2 * SECS_PER_HOUR)

#define SAME_DAY \
	KIS_SAME_PAIR " AND s.trade_date OPERATOR(pg_catalog.=) t.trade_date"

/* Beside all keys: the day's rows, and the newest of the days before. */
#define DAYS_ROWS \
	"JOIN %s AS s ON " SAME_DAY " ORDER BY t.n"
#define ROWS_BEFORE \
	"CROSS JOIN LATERAL (SELECT s.* FROM %s AS s WHERE " KIS_SAME_PAIR \
	" AND s.trade_date OPERATOR(pg_catalog.<) t.trade_date ORDER BY s.trade_date DESC LIMIT 1) AS s"

/* The pairs' last snapshots of the days before the one of collecting, in the months at hand. */
#define LAST_SNAPSHOTS \
	"CROSS JOIN LATERAL (SELECT s.* FROM %s AS s WHERE " KIS_SAME_PAIR \
	" AND s.trade_date OPERATOR(pg_catalog.<)" \
	" pg_catalog.timezone('Asia/Seoul', t.collected_at)::pg_catalog.date" \
	" AND s.collected_at OPERATOR(pg_catalog.>=)" \
	" (t.collected_at OPERATOR(pg_catalog.-) '32 days'::pg_catalog.interval)" \
	" ORDER BY s.collected_at DESC LIMIT 1) AS s"

/* What is to become of a target's row. */
typedef enum Action
{
	ACTION_NONE,
	ACTION_INSERT,
	ACTION_TOUCH,				/* the figures stay as they are */
	ACTION_UPDATE
} Action;

/* A target and what is stored beside it. */
typedef struct Entry
{
	KisTarget  *target;
	KisStoredRow *day;			/* the day's row; NULL: none yet */
	KisStoredRow *before;		/* the newest of the days before */
	KisStoredRow *last;			/* the last snapshot, if looked for */
	Action		action;
} Entry;

/* The targets that are written together. */
typedef struct Batch
{
	const KisStoreTable *store;
	const KisStoreTable *snapshots; /* NULL: none */
	const char *source;			/* live or daily */
	Entry	   *entries;
	int			nentries;
	int			missing;		/* rows that the last statement did not write */
} Batch;

static bool
has_figures(const KisStoreTable *store, const KisStoredRow *row)
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
has_same_figures(const KisStoreTable *store, const KisStoredRow *row, const KisTarget *target,
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

/* Leaves the row alone; reason is palloc'd or constant. */
static Action
skip(KisTarget *target, const char *reason)
{
	target->outcome = KIS_OUTCOME_SKIPPED;
	target->detail = reason;
	return ACTION_NONE;
}

static char *
still_of(const KisStoredRow *row)
{
	return psprintf(_("still the figures of %s: KIS has not turned over yet"), kis_target_day_text(row->trade_date));
}

/* What the totals of sells and buys of an answer are beside stored ones that are not zero. */
typedef struct Growth
{
	bool		one_is_less;	/* totals only grow within a day: so it is of
								 * another day */
	bool		one_is_not_less;
} Growth;

static Growth
growth_since(const KisStoreTable *table, const KisStoredRow *row, const KisTarget *target)
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
is_after_close(const KisStoredRow *row)
{
	DateADT		taken_on = kis_seoul_day(row->collected_at);

	return taken_on > row->trade_date ||
		(taken_on == row->trade_date && kis_seoul_seconds(row->collected_at) >= SESSION_END);
}

/* Does the answer equal the newest row of the days before, which has figures? */
static bool
is_as_before(const Batch *batch, const Entry *entry)
{
	return entry->before != NULL && has_figures(batch->store, entry->before) &&
		has_same_figures(batch->store, entry->before, entry->target, true);
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
reason_not_turned_over(const Batch *batch, const Entry *entry)
{
	const KisTarget *target = entry->target;
	const KisHours *hours = &target->hours;
	bool		guarded = hours->since_start < GUARDED_SECONDS;
	Growth		growth = {false, false};
	const KisStoredRow *last = batch->snapshots ? entry->last : entry->before;
	bool		equal = is_as_before(batch, entry);
	bool		only_less;

	if (!equal && !guarded)
		return NULL;

	if (last != NULL)
		growth = growth_since(batch->snapshots ? batch->snapshots : batch->store, last, target);
	else
		last = entry->before;
	only_less = growth.one_is_less && !growth.one_is_not_less;
	if (equal && !(growth.one_is_less && last->trade_date == entry->before->trade_date))
		return still_of(entry->before);
	if (guarded && growth.one_is_not_less && !growth.one_is_less && is_after_close(last))
		return still_of(last);
	if (hours->before_open && !(only_less && last->trade_date == hours->day_before))
		return _("perhaps still the figures of the day before: the exchange has not opened yet, and no snapshot of that day proves that KIS has turned over");
	return NULL;
}

/*
 * On a day that is closed, KIS shows the last session's figures. If others are
 * stored, the calendar may be wrong, and they are of today. Not before
 * session_start: until then they are the day before's on any day. Nor, as long
 * as a new day's would be smaller, if they may be what the last snapshot has
 * grown to, and that was taken in the afternoon while its session went on.
 */
static bool
contradicts_calendar(const Batch *batch, const Entry *entry)
{
	const KisTarget *target = entry->target;
	const KisHours *hours = &target->hours;
	const KisStoredRow *last = batch->snapshots ? entry->last : entry->day;
	Growth		growth = {false, false};

	if (!hours->closed || hours->since_start < 0 || !target->has_figures ||
		has_same_figures(batch->store, entry->day, target, true))
		return false;
	if (hours->since_start < GUARDED_SECONDS && last != NULL &&
		last->trade_date == target->trade_date && !is_after_close(last) &&
		kis_seoul_seconds(last->collected_at) >= SECS_PER_DAY / 2)
		growth = growth_since(batch->snapshots ? batch->snapshots : batch->store, last, target);
	return !growth.one_is_not_less || growth.one_is_less;
}

/* What becomes of the row that is there; worth_snapshot and the outcome are set. */
static Action
decide_on_row(const Batch *batch, const Entry *entry)
{
	KisTarget  *target = entry->target;
	const KisStoredRow *day = entry->day;

	target->worth_snapshot = false;
	if (contradicts_calendar(batch, entry))
		return skip(target, psprintf(_("KIS's calendar says that the exchange is closed today, but these are not the figures stored of %s; kis_check() asks the calendar anew"),
									 kis_target_day_text(target->trade_date)));
	target->worth_snapshot = true;
	if (target->collected_at < day->collected_at)
	{
		target->stored_at = day->collected_at;
		return skip(target, psprintf(_("older than what is stored, of %s"),
									 timestamptz_to_str(day->collected_at)));
	}
	if (day->from_daily && target->trade_date < kis_seoul_day(target->collected_at))
		return skip(target, _("a past day that the daily history has filled"));
	target->worth_snapshot = target->has_figures || !has_figures(batch->store, day);
	if (!target->worth_snapshot)
		return skip(target, _("all figures are zero, those stored are not"));
	if (!has_same_figures(batch->store, day, target, false))
		return ACTION_UPDATE;
	return ACTION_TOUCH;
}

/* What becomes of an answer that is live. */
static Action
decide_live(const Batch *batch, const Entry *entry)
{
	KisTarget  *target = entry->target;
	bool		of_today = target->trade_date == kis_seoul_day(target->collected_at);
	Action		action = ACTION_INSERT;
	const char *reason = NULL;

	target->worth_snapshot = false;
	if (!target->has_figures && of_today && target->hours.since_start < 0)
		return skip(target, _("all figures are zero before the session"));
	if (entry->day == NULL && !target->has_figures && target->hours.closed)
		return skip(target, _("all figures are zero on a day that is closed"));
	target->worth_snapshot = true;
	if (entry->day != NULL)
		action = decide_on_row(batch, entry);
	if (action != ACTION_NONE && target->has_figures && of_today)
		reason = reason_not_turned_over(batch, entry);
	if (reason != NULL)
	{
		target->worth_snapshot = false;
		return skip(target, reason);
	}
	if (action == ACTION_NONE)
		return action;
	target->outcome = action == ACTION_INSERT ? KIS_OUTCOME_INSERTED :
		action == ACTION_UPDATE ? KIS_OUTCOME_UPDATED : KIS_OUTCOME_UNCHANGED;
	if (action == ACTION_TOUCH && target->collected_at == entry->day->collected_at)
		return ACTION_NONE;
	return action;
}

/*
 * What becomes of a row of the daily history, of a day that is over: it comes
 * before whatever is live, and what stays as it is is not written at all.
 */
static Action
decide_daily(const Batch *batch, const Entry *entry)
{
	KisTarget  *target = entry->target;
	const KisStoredRow *day = entry->day;
	bool		same;

	target->outcome = KIS_OUTCOME_INSERTED;
	if (day == NULL)
		return ACTION_INSERT;
	same = has_same_figures(batch->store, day, target, false);
	target->outcome = KIS_OUTCOME_UNCHANGED;
	if (same && (day->from_daily || !batch->store->has_source))
		return ACTION_NONE;
	if (day->from_daily && target->collected_at < day->collected_at)
		return skip(target, _("another backfill has newer figures"));
	if (!target->has_figures && has_figures(batch->store, day))
		return skip(target, _("all figures are zero, those stored are not"));
	target->outcome = KIS_OUTCOME_UPDATED;
	return same ? ACTION_TOUCH : ACTION_UPDATE;
}

/* Some rows with an action were not written. */
static void
raise_in_the_way(const Batch *batch, Action action)
{
	const KisTarget *first = NULL;
	int			n = 0;

	for (int i = 0; i < batch->nentries; i++)
		if (batch->entries[i].action == action && n++ == 0)
			first = batch->entries[i].target;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 n == 1 ? errmsg("could not write the row of %s/%s to table \"%s\"",
							 first->pair.market, first->pair.sector, batch->store->plain_name) :
			 errmsg("could not write %d of %d rows to table \"%s\"",
					batch->missing, n, batch->store->plain_name),
			 errdetail("A row that can't be seen, or a trigger, is in its way."),
			 errhint("Look at the row security policies and triggers of the table.")));
}

static char *
insert_statement(const Batch *batch)
{
	const KisStoreTable *store = batch->store;

	return psprintf("INSERT INTO %s AS s (market_code, sector_code, trade_date, collected_at%s%s) "
					"SELECT t.market_code, t.sector_code, t.trade_date, t.collected_at%s%s "
					"FROM " KIS_TARGETS " ORDER BY t.n "
					"ON CONFLICT (market_code, sector_code, trade_date) DO NOTHING",
					store->name,
					kis_rows_columns(store, ", ", "", false), store->has_source ? ", source" : "",
					kis_rows_columns(store, ", ", "t.f", true),
					store->has_source ? psprintf(", '%s'", batch->source) : "");
}

/* The rows, which are locked, get what is newer, or the time alone where the figures stay. */
static char *
update_statement(const Batch *batch, bool touch)
{
	const KisStoreTable *store = batch->store;
	bool		set_source = store->has_source && (!touch || strcmp(batch->source, "daily") == 0);
	StringInfoData set;

	initStringInfo(&set);
	appendStringInfoString(&set, "collected_at = t.collected_at");
	for (int i = 0; i < store->nfigures && !touch; i++)
		appendStringInfo(&set, ", %s = COALESCE(t.f[%d], s.%s)",
						 store->columns[i], i + 1, store->columns[i]);
	if (set_source)
		appendStringInfo(&set, ", source = '%s'", batch->source);
	if (!touch && store->has_updated_at)
		appendStringInfoString(&set, ", updated_at = $7");
	return psprintf("UPDATE %s AS s SET %s FROM " KIS_TARGETS " WHERE " SAME_DAY,
					store->name, set.data);
}

/* Does one action for all entries that it is for; false where a row is in the way of some. */
static bool
act(Batch *batch, Action action)
{
	KisTarget **targets = palloc(batch->nentries * sizeof(KisTarget *));
	int			n = 0;

	for (int i = 0; i < batch->nentries; i++)
		if (batch->entries[i].action == action)
			targets[n++] = batch->entries[i].target;
	batch->missing = 0;
	if (n == 0)
		return true;
	kis_rows_execute(action == ACTION_INSERT ? insert_statement(batch) :
					 update_statement(batch, action == ACTION_TOUCH),
					 batch->store, targets, n, GetCurrentTimestamp(), 0, InvalidSnapshot);
	batch->missing = Max(n - (int) SPI_processed, 0);
	return batch->missing == 0;
}

/* Reads a row beside each entry's target, by "beside" of the table. */
static KisStoredRow **
read_beside(const Batch *batch, const KisStoreTable *table, const char *beside)
{
	KisTarget **targets = palloc(batch->nentries * sizeof(KisTarget *));

	for (int i = 0; i < batch->nentries; i++)
		targets[i] = batch->entries[i].target;
	return kis_rows_read(table, targets, batch->nentries, psprintf(beside, table->name));
}

/* Reads what is stored of the days before, as far as a rule needs it. */
static void
read_days_before(const Batch *batch)
{
	KisStoredRow **rows = read_beside(batch, batch->store, ROWS_BEFORE);
	bool		needed = false;

	for (int i = 0; i < batch->nentries; i++)
	{
		Entry	   *entry = &batch->entries[i];

		entry->before = rows[i] != NULL && !DATE_NOT_FINITE(rows[i]->trade_date) ? rows[i] : NULL;
		needed = needed || entry->target->hours.since_start < GUARDED_SECONDS ||
			is_as_before(batch, entry);
	}
	rows = needed && batch->snapshots ? read_beside(batch, batch->snapshots, LAST_SNAPSHOTS) : NULL;
	for (int i = 0; i < batch->nentries; i++)
		batch->entries[i].last = rows != NULL ? rows[i] : NULL;
}

/* Reads what is stored, locks the days' rows where wanted, and decides. */
static void
decide(const Batch *batch, bool lock)
{
	bool		live = strcmp(batch->source, "live") == 0;
	KisStoredRow **days = read_beside(batch, batch->store,
									  lock ? DAYS_ROWS " FOR NO KEY UPDATE OF s" : DAYS_ROWS);

	for (int i = 0; i < batch->nentries; i++)
		batch->entries[i].day = days[i];
	if (live)
		read_days_before(batch);
	for (int i = 0; i < batch->nentries; i++)
	{
		Entry	   *entry = &batch->entries[i];

		entry->target->detail = NULL;
		entry->target->stored_at = 0;
		entry->action = live ? decide_live(batch, entry) : decide_daily(batch, entry);
	}
}

/* Locks, decides and writes; false where another session's row was there first. */
static bool
try_batch(void *arg)
{
	Batch	   *batch = arg;

	decide(batch, true);
	if (!act(batch, ACTION_INSERT))
		return false;
	if (!act(batch, ACTION_UPDATE))
		raise_in_the_way(batch, ACTION_UPDATE);
	if (!act(batch, ACTION_TOUCH))
		raise_in_the_way(batch, ACTION_TOUCH);
	return true;
}

/* The same in a subtransaction, which is taken back where it is false. */
static bool
try_batch_apart(Batch *batch)
{
	bool		done;
	ErrorData  *error = kis_catch(try_batch, batch, &done);

	if (error == NULL)
		return done;

	/* which no ON CONFLICT is for */
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && error->constraint_name && !error->hint)
		error->hint = psprintf(_("If rows came with their ids, as by COPY or logical replication, SELECT create_market_investor_trend(%s) has new ones counted on from there."),
							   quote_literal_cstr(batch->store->name));
	ReThrowError(error);
	return false;				/* keep compiler quiet */
}

/*
 * Writes answers to the store and sets their outcomes. Live answers are those of
 * a collection, decided on with the help of the snapshots (NULL: none); daily
 * ones are rows of the daily history with figures. To be called inside SPI, with
 * the targets in the order of their keys; what it allocates, details of outcomes
 * included, is in the context.
 */
void
kis_store_write(const KisStoreTable *store, const KisStoreTable *snapshots, bool live,
				KisTarget **targets, int ntargets, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Batch		batch = {.store = store,.snapshots = snapshots,.source = live ? "live" : "daily"};
	bool		done;

	batch.entries = palloc0((ntargets + 1) * sizeof(Entry));
	for (int i = 0; i < ntargets; i++)
		batch.entries[batch.nentries++].target = targets[i];

	/*
	 * a lock is a write: of past days, only those get one that are to be
	 * written
	 */
	if (!live && ntargets > 0)
	{
		int			n = 0;

		decide(&batch, false);
		for (int i = 0; i < ntargets; i++)
			if (batch.entries[i].action != ACTION_NONE)
				batch.entries[n++] = batch.entries[i];
		batch.nentries = n;
	}
	done = batch.nentries == 0;
	for (int attempt = 0; !done; attempt++)
	{
		CHECK_FOR_INTERRUPTS();
		if (attempt == MAX_ATTEMPTS)
			raise_in_the_way(&batch, ACTION_INSERT);
		done = try_batch_apart(&batch);
	}
	MemoryContextSwitchTo(old);
}
