/*
 * open.c
 *		Finding what a collection or a backfill works with: the server that it
 *		calls, and the tables that it fills.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/option.h"
#include "compat.h"
#include "store/open.h"
#include "store/table.h"

/*
 * The server of that name, which must be one of the extension that the function
 * belongs to and usable by the caller.
 */
Oid
kis_store_server(const char *name, Oid function)
{
	ForeignServer *server = kis_foreign_server_named(name, function, "source");

	if (kis_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	return server->serverid;
}

/*
 * The relation of that name in a schema, checked and then locked; InvalidOid
 * where there is none, or no such schema any more.
 */
Oid
kis_relation_lock(Oid namespace, char *relname, LOCKMODE lockmode,
				  RangeVarGetRelidCallback check, void *arg)
{
	char	   *schema = get_namespace_name(namespace);

	return schema == NULL ? InvalidOid :
		RangeVarGetRelidExtended(makeRangeVar(schema, relname, -1), lockmode, RVR_MISSING_OK, check, arg);
}

/* Of a RangeVarGetRelidExtended, with rights, an AclMode: kis_store_require_rights. */
void
kis_relation_check_rights(const RangeVar *name, Oid relid, Oid old_relid, void *rights)
{
	if (OidIsValid(relid))
		kis_store_require_rights(relid, *(const AclMode *) rights);
}

/* Describes one table, which is locked, and gives the lock back unless told to keep it. */
static KisStoreTable *
look_at(Oid relid, KisStoreTable *(*describe) (Relation rel), LOCKMODE lockmode, bool keep_lock)
{
	Relation	rel = relation_open(relid, NoLock);
	KisStoreTable *table = describe(rel);

	relation_close(rel, keep_lock ? NoLock : lockmode);
	return table;
}

static void
store_missing(const RangeVar *name, const char *written, Oid function)
{
	Datum		elsewhere = kis_store_call(function, "kis_store_elsewhere", 1,
										   TEXTOID, CStringGetTextDatum(name->relname));

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("store \"%s\" does not exist", kis_shown(written)),
			 elsewhere == (Datum) 0 ?
			 errhint("Make it with SELECT create_market_investor_trend(%s).",
					 quote_literal_cstr(quote_qualified_identifier(name->schemaname, name->relname))) :
			 errhint("There is one in another schema: name it with store => %s.",
					 quote_literal_cstr(TextDatumGetCString(elsewhere)))));
}

/*
 * The store as it is now, locked, and fit to be written by the caller; text is
 * its name as he wrote it. Without keep_lock the lock is given back. "function"
 * is any of the extension's.
 */
KisStoreTable *
kis_store_open(const RangeVar *name, const char *text, LOCKMODE lockmode, bool keep_lock,
			   Oid function)
{
	AclMode		rights = ACL_SELECT | ACL_INSERT | ACL_UPDATE;
	Oid			store = RangeVarGetRelidExtended(name, lockmode, RVR_MISSING_OK,
												 kis_relation_check_rights, &rights);

	if (!OidIsValid(store))
		store_missing(name, text, function);
	return look_at(store, kis_store_describe, lockmode, keep_lock);
}

/*
 * Raises 55000 where what goes with a store is neither its owner's nor a
 * superuser's. Else whoever may create in the schema could have a table, and
 * its triggers, written to by the collectors of another's store, or its readers
 * read a view.
 */
void
kis_store_require_owner(const KisStoreTable *store, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			found;

	if (!HeapTupleIsValid(tuple))
		return;					/* dropped since it was found */
	found = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (found != store->owner && !superuser_arg(found))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" does not belong to the owner of its store \"%s\"",
						get_rel_name(relid), store->plain_name),
				 errdetail("Its owner is \"%s\", that of the store is \"%s\".",
						   GetUserNameFromId(found, false), GetUserNameFromId(store->owner, false)),
				 errhint("Give both to one role with ALTER TABLE ... OWNER TO, or rename that one.")));
}

/* What goes with a store in the same way, or NULL where it has none. */
static KisStoreTable *
open_companion(const KisStoreTable *store, const char *label, AclMode rights,
			   KisStoreTable *(*describe) (Relation rel), LOCKMODE lockmode, bool keep_lock)
{
	Oid			relid = kis_relation_lock(store->namespace, kis_derived_name(store->plain_name, label),
										  lockmode, kis_relation_check_rights, &rights);

	if (!OidIsValid(relid))
		return NULL;
	kis_store_require_owner(store, relid);
	return look_at(relid, describe, lockmode, keep_lock);
}

/* The store's snapshots, which the caller may read and append to. */
KisStoreTable *
kis_snapshots_open(const KisStoreTable *store, LOCKMODE lockmode, bool keep_lock)
{
	return open_companion(store, "snapshot", ACL_SELECT | ACL_INSERT, kis_snapshot_describe,
						  lockmode, keep_lock);
}

/* The store's log of collections, which the caller may append to. */
KisStoreTable *
kis_collection_open(const KisStoreTable *store, LOCKMODE lockmode, bool keep_lock)
{
	return open_companion(store, "collection", ACL_INSERT, kis_collection_describe,
						  lockmode, keep_lock);
}
