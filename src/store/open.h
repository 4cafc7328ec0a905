/*
 * open.h
 *		Finding what a collection or a backfill works with: the server that it
 *		calls, and the tables that it fills.
 */
#ifndef KIS_STORE_OPEN_H
#define KIS_STORE_OPEN_H

#include "postgres.h"

#include "catalog/namespace.h"
#include "nodes/primnodes.h"
#include "storage/lockdefs.h"

#include "store/table.h"

/* The server of that name, which must be ours and usable by the caller. */
extern Oid	kis_store_server(const char *name, Oid function);

/* Opens the store as it is now, locked, and fit to be written by the caller. */
extern KisStoreTable *kis_store_open(const RangeVar *name, const char *text,
									 LOCKMODE lockmode, bool keep_lock, Oid function);

/* Opens the store's snapshots in the same way; NULL where it has none. */
extern KisStoreTable *kis_snapshots_open(const KisStoreTable *store, LOCKMODE lockmode,
										 bool keep_lock);

/* Opens the store's log of collections in the same way. */
extern KisStoreTable *kis_collection_open(const KisStoreTable *store, LOCKMODE lockmode,
										  bool keep_lock);

/* A check for it: kis_store_require_rights, of a pointer to an AclMode. */
extern void kis_relation_check_rights(const RangeVar *name, Oid relid, Oid old_relid, void *rights);

/* Checks and then locks the relation of that name; InvalidOid where there is none. */
extern Oid	kis_relation_lock(Oid namespace, char *relname, LOCKMODE lockmode,
							  RangeVarGetRelidCallback check, void *arg);

/* Raises 55000 where what goes with a store is neither its owner's nor a superuser's. */
extern void kis_store_require_owner(const KisStoreTable *store, Oid relid);

#endif							/* KIS_STORE_OPEN_H */
