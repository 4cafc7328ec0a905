/*
 * write.h
 *		What becomes of an answer in the store.
 */
#ifndef KIS_STORE_WRITE_H
#define KIS_STORE_WRITE_H

#include "postgres.h"

#include "utils/palloc.h"

#include "store/table.h"
#include "store/target.h"

/* Writes a target's answer to the store and sets its outcome */
extern void kis_store_write(const KisStoreTable *store, const KisStoreTable *snapshots,
							KisTarget *target, MemoryContext context);

/* The same with a row of the daily history, of a day that is over */
extern void kis_store_write_daily(const KisStoreTable *store, KisTarget *target,
								  MemoryContext context);

#endif							/* KIS_STORE_WRITE_H */
