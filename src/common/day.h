/*
 * day.h
 *		Days as KIS writes them, and moments as days in Seoul.
 */
#ifndef KIS_COMMON_DAY_H
#define KIS_COMMON_DAY_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* PostgreSQL counts days from 2000-01-01, the lower half from 1970-01-01. */
#define KIS_UNIX_EPOCH_DAYS		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)

/* A day as KIS writes it, YYYYMMDD, and back; false where it is something else. */
extern void kis_day_to_text(DateADT day, char *text);
extern bool kis_day_from_text(const char *text, DateADT *day);

/* The day in Seoul, and the seconds since its midnight. */
extern DateADT kis_seoul_day(TimestampTz at);
extern int	kis_seoul_seconds(TimestampTz at);

/* Seconds since 1970-01-01 UTC of a timestamptz, which counts from 2000-01-01. */
extern int64 kis_unix_seconds(TimestampTz at);

#endif							/* KIS_COMMON_DAY_H */
