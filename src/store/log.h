/*
 * log.h
 *		The log of collections: a row for each target of each.
 */
#ifndef KIS_STORE_LOG_H
#define KIS_STORE_LOG_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "store/table.h"
#include "store/target.h"

/* The outcome as a word: inserted, updated, unchanged, skipped or failed. */
extern const char *kis_outcome_name(KisOutcome outcome);

/* Appends what came of all targets. Inside SPI. */
extern void kis_log_append(const KisStoreTable *log, const KisTarget *targets, int ntargets,
						   TimestampTz asked_at);

/* Sends a NOTIFY for each target that was inserted or updated. */
extern void kis_log_notify(const KisStoreTable *store, const char *channel,
						   const KisTarget *targets, int ntargets);

#endif							/* KIS_STORE_LOG_H */
