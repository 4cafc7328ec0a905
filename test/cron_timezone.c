/*
 * cron_timezone.c
 *		The setting cron.timezone as pg_cron has it from 1.5 on, for a session of
 *		the tests that loads it beside an older one: only superusers read it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static char *zone;

void
_PG_init(void)
{
	DefineCustomStringVariable("cron.timezone", "Time zone of schedules.", NULL, &zone, "GMT",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
}
