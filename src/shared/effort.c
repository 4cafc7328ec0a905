/*
 * effort.c
 *		One session does what many wait for: who is it, who takes over when it
 *		goes, who gets its failure.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "state.h"

static uint64 times_told = 0;
static int64 spared_until_us = 0;

uint64
kis_effort_times_told(void)
{
	return times_told;
}

static void
tell(KisEffort *effort)
{
	ConditionVariableBroadcast(&effort->moved);
	times_told++;
}

static bool
is_mine(const KisEffort *effort, uint64 attempt)
{
	return effort->owner.pid == MyProcPid && effort->attempt == attempt;
}

bool
kis_effort_is_owned(const KisEffort *effort, int64 now_us)
{
	return effort->owner.pid != 0 && now_us < Max(effort->owner.until_us, spared_until_us);
}

void
kis_effort_spare_others(int64 now_us)
{
	spared_until_us = now_us + KIS_LEASE_US;
}

KisEffortAnswer
kis_effort_join(KisShared *shared, KisEffort *effort, uint64 *attempt,
				int64 now_us, int64 *wake_at_us, KisErrorClass *waits_for)
{
	KisOwner   *owner = &effort->owner;

	if (*attempt != 0 && effort->failed >= *attempt)
		return KIS_EFFORT_FAILED;
	if (!kis_effort_is_owned(effort, now_us))
	{
		owner->pid = MyProcPid;
		owner->until_us = now_us + KIS_LEASE_US;
		owner->waits_for = KIS_OK;
		/* whoever waited for an earlier attempt gets what comes of this one */
		*attempt = effort->attempt = ++shared->last_number;
		return KIS_EFFORT_MINE;
	}
	if (*attempt == 0)
		*attempt = effort->attempt;
	*wake_at_us = Min(*wake_at_us, Max(owner->until_us, spared_until_us));
	*waits_for = owner->waits_for;
	return KIS_EFFORT_THEIRS;
}

void
kis_effort_waits_for(KisEffort *effort, uint64 attempt, KisErrorClass waits_for)
{
	if (!is_mine(effort, attempt) || effort->owner.waits_for == waits_for)
		return;
	effort->owner.waits_for = waits_for;
	tell(effort);
}

void
kis_effort_end(KisEffort *effort, uint64 attempt, const KisError *failure)
{
	if (failure != NULL && attempt > effort->failed)
	{
		effort->failed = attempt;
		effort->failure = *failure;
	}
	if (is_mine(effort, attempt))
		effort->owner.pid = 0;
	tell(effort);
}

void
kis_effort_leave(KisEffort *effort, uint64 attempt, bool at_once, int64 now_us)
{
	if (!is_mine(effort, attempt))
		return;
	if (at_once)
		effort->owner.pid = 0;
	else
		effort->owner.until_us = Min(effort->owner.until_us, now_us + KIS_GRACE_US);
	tell(effort);
}

bool
kis_effort_return(KisEffort *effort, uint64 attempt, int64 now_us)
{
	if (!is_mine(effort, attempt))
		return false;
	effort->owner.until_us = now_us + KIS_LEASE_US;
	return true;
}
