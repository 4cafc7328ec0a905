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

/* Writes answers to the store and sets their outcomes. */
extern void kis_store_write(const KisStoreTable *store, const KisStoreTable *snapshots, bool live,
							KisTarget **targets, int ntargets, MemoryContext context);

#endif							/* KIS_STORE_WRITE_H */
