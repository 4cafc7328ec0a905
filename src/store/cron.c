/*
 * cron.c
 *		kis_cron_zone: the time zone that pg_cron counts in.
 *
 * Only superusers may read pg_cron's setting, but whoever schedules needs it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(kis_cron_zone);

/*
 * kis_cron_zone() RETURNS text: cron.timezone, which pg_cron has from 1.5 on.
 * Before, whoever sets it sets what nobody reads, and it counts in GMT.
 */
Datum
kis_cron_zone(PG_FUNCTION_ARGS)
{
	const char *zone = GetConfigOption("cron.timezone", true, false);

	if (zone == NULL || (GetConfigOptionFlags("cron.timezone", true) & GUC_CUSTOM_PLACEHOLDER))
		zone = "GMT";
	PG_RETURN_TEXT_P(cstring_to_text(zone));
}
