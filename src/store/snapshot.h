/*
 * snapshot.h
 *		Snapshots of replies, and the partitions that hold them.
 */
#ifndef KIS_STORE_SNAPSHOT_H
#define KIS_STORE_SNAPSHOT_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "store/table.h"
#include "store/target.h"

/* Appends answers to the snapshots unless one equals the one before or after it. Inside SPI. */
extern void kis_snapshot_append(const KisStoreTable *snapshots, KisTarget **targets, int ntargets,
								bool with_index);

/* Of these, "function" is any of the extension's, in whose schema its SQL is. */

/* Raises where no partition holds the moment and the user can't make one. */
extern void kis_snapshot_check(Oid snapshots, const char *store, TimestampTz moment, Oid function);

/* Makes a partition for the moment where there is none: its month, or what of it is free. */
extern void kis_snapshot_make_partition(Oid snapshots, const char *store, TimestampTz moment, Oid function);

/* The next month's, ahead; where that fails it is a WARNING. */
extern void kis_snapshot_make_next(Oid snapshots, const char *store, Oid function);

#endif							/* KIS_STORE_SNAPSHOT_H */
