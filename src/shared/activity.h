/*
 * activity.h
 *		What each session has under way and waits for, for the others to see:
 *		kis_activity, and wait events.
 */
#ifndef KIS_SHARED_ACTIVITY_H
#define KIS_SHARED_ACTIVITY_H

#include "postgres.h"

#include "shared/block.h"

/* As pg_stat_activity shows it, where the version lets extensions name their events. */
extern uint32 kis_wait_event(KisCause cause);

/* Shows this of the session; pid, userid and waiting_since are filled in. */
extern void kis_activity_show(KisActivity *activity);

/* The session waits for nothing now. */
extern void kis_activity_go_on(void);

/* It has nothing under way any more. */
extern void kis_activity_end(void);

#endif							/* KIS_SHARED_ACTIVITY_H */
