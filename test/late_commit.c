/*
 * late_commit.c
 *		A commit that others see before they are told of it, for a session of
 *		the tests that loads it.
 *
 * While the file of late_commit.hold exists, a commit of the session stops
 * where its rows can be seen, but neither its invalidation messages are sent
 * nor its locks released.
 */
#include "postgres.h"

#include <time.h>
#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static char *hold;

static void
hold_commit(XactEvent event, void *arg)
{
	struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	while (event == XACT_EVENT_COMMIT && hold[0] != '\0' && access(hold, F_OK) == 0)
		nanosleep(&pause, NULL);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_commit.hold", "File while which commits are held.", NULL,
							   &hold, "", PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(hold_commit, NULL);
}
