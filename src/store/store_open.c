/*
 * store_open.c
 *		Finding what a collection or a backfill works with: the server that it
 *		asks, and the tables that it fills.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "error.h"
#include "store.h"

Oid
kis_store_server(const char *name, Oid function)
{
	/* not by GetForeignServerByName: its second look-up fails where the server is dropped after the first */
	ForeignServer *server = GetForeignServerExtended(get_foreign_server_oid(name, true), FSV_MISSING_OK);
	ForeignDataWrapper *wrapper = server ?
		GetForeignDataWrapperExtended(server->fdwid, FDW_MISSING_OK) : NULL;

	if (wrapper == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("Make it with CREATE SERVER %s FOREIGN DATA WRAPPER market_investor_fdw, or name yours with source => 'name'.",
						 quote_identifier(name))));
	if (getExtensionOfObject(ProcedureRelationId, wrapper->fdwhandler) !=
		getExtensionOfObject(ProcedureRelationId, function))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not lead to KIS", name),
				 errhint("Name a server of the foreign-data wrapper market_investor_fdw.")));
	if (kis_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	return server->serverid;
}

Oid
kis_relation_lock(Oid namespace, const char *relname, LOCKMODE lockmode)
{
	Oid			relid = get_relname_relid(relname, namespace);

	while (OidIsValid(relid))
	{
		Oid			now;

		LockRelationOid(relid, lockmode);
		now = get_relname_relid(relname, namespace);
		if (now == relid)
			break;
		UnlockRelationOid(relid, lockmode);
		relid = now;
	}
	return relid;
}

/* Describes one table, which is locked, and gives the lock back unless told to keep it. */
static KisStoreTable *
look_at(Oid relid, KisStoreTable *(*describe) (Relation rel), AclMode rights,
		LOCKMODE lockmode, bool keep_lock)
{
	Relation	rel = relation_open(relid, NoLock);
	KisStoreTable *table = describe(rel);

	kis_store_require_rights(table, rights);
	relation_close(rel, keep_lock ? NoLock : lockmode);
	return table;
}

KisStoreTable *
kis_store_open(const RangeVar *name, const char *text, LOCKMODE lockmode, bool keep_lock)
{
	Oid			store = RangeVarGetRelid(name, lockmode, true);

	if (!OidIsValid(store))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("store \"%s\" does not exist", kis_shown(text)),
				 errhint("Make it with SELECT create_market_investor_trend(%s).",
						 quote_literal_cstr(quote_qualified_identifier(name->schemaname, name->relname)))));
	return look_at(store, kis_store_describe, ACL_SELECT | ACL_INSERT | ACL_UPDATE,
				   lockmode, keep_lock);
}

/*
 * Else whoever may create in the schema could have a table, and its triggers,
 * written to by the collectors of another's store, or its readers read a view.
 */
void
kis_store_require_owner(const KisStoreTable *store, Oid relid)
{
	Relation	rel = relation_open(relid, NoLock);
	Oid			owner = store->owner;
	Oid			found = rel->rd_rel->relowner;

	relation_close(rel, NoLock);
	if (found != owner && !superuser_arg(found))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" does not belong to the owner of its store \"%s\"",
						get_rel_name(relid), store->plain_name),
				 errdetail("Its owner is \"%s\", that of the store is \"%s\".",
						   GetUserNameFromId(found, false), GetUserNameFromId(owner, false)),
				 errhint("Give both to one role with ALTER TABLE ... OWNER TO, or rename that one.")));
}

KisStoreTable *
kis_snapshots_open(const KisStoreTable *store, LOCKMODE lockmode, bool keep_lock)
{
	Oid			snapshots = kis_relation_lock(store->namespace,
											  kis_snapshot_name(store->plain_name), lockmode);

	if (!OidIsValid(snapshots))
		return NULL;
	kis_store_require_owner(store, snapshots);
	return look_at(snapshots, kis_snapshot_describe, ACL_SELECT | ACL_INSERT,
				   lockmode, keep_lock);
}
