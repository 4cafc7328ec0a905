/*
 * activity.c
 *		What each session has under way and waits for, for the others to see:
 *		kis_activity, and wait events.
 *
 * To say it takes a few stores, for it is said before each sleep: a session has a
 * slot by its process's number, which it alone writes, and no lock. Who reads while
 * it is being written reads again, as pg_stat_activity does.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "compat.h"
#include "shared/activity.h"
#include "shared/block.h"
#include "shared/stat.h"

PG_FUNCTION_INFO_V1(kis_activity_rows);

#define ACTIVITY_COLUMNS	10

static const struct
{
	const char *name;			/* in kis_activity */
	const char *event;			/* in pg_stat_activity */
}			causes[] = {
	[KIS_CAUSE_NONE] = {NULL, "KisNothing"},
	[KIS_CAUSE_RATE] = {"rate", "KisRate"},
	[KIS_CAUSE_TOKEN] = {"token", "KisToken"},
	[KIS_CAUSE_SESSION] = {"session", "KisSession"},
	[KIS_CAUSE_NETWORK] = {"network", "KisNetwork"},
	[KIS_CAUSE_RETRY] = {"retry", "KisRetry"},
};

/* The session's; NULL: it has shown nothing, or nothing any more. */
static volatile KisActivitySlot *own = NULL;

/* As pg_stat_activity shows it, where the version lets extensions name their events. May raise. */
uint32
kis_wait_event(KisCause cause)
{
	static uint32 events[lengthof(causes)];

	if (events[cause] == 0)
		events[cause] = kis_new_wait_event(causes[cause].event);
	return events[cause];
}

static void
write_slot(const KisActivity *activity)
{
	own->changes++;
	pg_write_barrier();
	own->activity = *activity;
	pg_write_barrier();
	own->changes++;
}

static KisActivity
read_slot(const volatile KisActivitySlot *slot)
{
	KisActivity activity;
	int			changes;

	do
	{
		CHECK_FOR_INTERRUPTS();
		changes = slot->changes;
		pg_read_barrier();
		activity = slot->activity;
		pg_read_barrier();
	} while (changes % 2 != 0 || changes != slot->changes);
	return activity;
}

/*
 * Shows this of the session; pid, userid and waiting_since are filled in. Processes
 * beyond the slots are not shown.
 */
void
kis_activity_show(KisActivity *activity)
{
	if (own == NULL && kis_my_procno() < KIS_ACTIVITY_SLOTS)
	{
		own = &kis_lock(LW_SHARED)->activities[kis_my_procno()];
		kis_unlock();
	}
	if (own == NULL)
		return;
	activity->pid = MyProcPid;
	activity->userid = GetSessionUserId();
	activity->waiting_since = own->activity.waits_for == activity->waits_for ?
		own->activity.waiting_since : GetCurrentTimestamp();
	write_slot(activity);
}

/* The session waits for nothing now. */
void
kis_activity_go_on(void)
{
	KisActivity activity;

	if (own == NULL)
		return;
	activity = own->activity;
	activity.waits_for = KIS_CAUSE_NONE;
	write_slot(&activity);
}

/* It has nothing under way any more. */
void
kis_activity_end(void)
{
	static const KisActivity nothing = {0};

	if (own == NULL)
		return;
	write_slot(&nothing);
	own = NULL;
}

/* As pg_stat_activity has it. */
static bool
may_see(const KisActivity *activity)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), activity->userid);
}

static void
put_row(ReturnSetInfo *result, const KisActivity *activity)
{
	const KisBackfillProgress *backfill = &activity->backfill;
	const char *cause = causes[activity->waits_for].name;
	Datum		values[ACTIVITY_COLUMNS];
	bool		nulls[ACTIVITY_COLUMNS] = {0};
	char		key[KIS_FINGERPRINT_LEN + 1];
	int			i = 0;

	kis_fingerprint(activity->key, key);
	values[i++] = Int32GetDatum(activity->pid);
	/* the encoding of that session's database may be another one */
	values[i++] = CStringGetTextDatum(kis_to_client_lossy(activity->server));
	values[i++] = CStringGetTextDatum(key);
	nulls[i] = nulls[i + 1] = cause == NULL;
	values[i++] = cause != NULL ? CStringGetTextDatum(cause) : (Datum) 0;
	values[i++] = TimestampTzGetDatum(activity->waiting_since);
	values[i++] = Int64GetDatum(activity->calls_made);
	values[i++] = Int64GetDatum(activity->calls_expected);
	nulls[i] = nulls[i + 1] = nulls[i + 2] = backfill->pair[0] == '\0';
	values[i++] = CStringGetTextDatum(backfill->pair);
	values[i++] = DateADTGetDatum(backfill->day);
	values[i++] = Int64GetDatum(backfill->pages_left);
	Assert(i == ACTIVITY_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * A row for each session that has something of ours under way, of those that the
 * caller may see; the columns are the view's. Raises 55000 where the library had to
 * be preloaded and was not.
 */
Datum
kis_activity_rows(PG_FUNCTION_ARGS)
{
	const volatile KisActivitySlot *slots = kis_lock(LW_SHARED)->activities;

	kis_unlock();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < KIS_ACTIVITY_SLOTS; i++)
	{
		KisActivity activity;

		if (slots[i].activity.pid == 0)
			continue;
		activity = read_slot(&slots[i]);
		if (activity.pid != 0 && may_see(&activity))
			put_row((ReturnSetInfo *) fcinfo->resultinfo, &activity);
	}
	return (Datum) 0;
}
