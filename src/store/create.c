/*
 * create.c
 *		create_market_investor_trend: makes the store, its view and its
 *		snapshots, the user's own, which the extension neither owns nor drops.
 *
 * What it makes stands in the extension's script, as functions that give the
 * commands. Here is what SQL can't say: in which schema, which is locked, and
 * whether what is there already serves.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "common/messages.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/comment.h"
#include "store/open.h"
#include "store/snapshot.h"
#include "store/table.h"

PG_FUNCTION_INFO_V1(create_market_investor_trend);
PG_FUNCTION_INFO_V1(kis_store_texts);

#define FUNCTION_NAME "create_market_investor_trend()"

static void
put_text(ReturnSetInfo *result, const char *part, const char *column, const char *field,
		 const char *comment)
{
	Datum		values[4];
	bool		nulls[4] = {false, column == NULL, field == NULL, false};

	values[0] = CStringGetTextDatum(part);
	values[1] = column ? CStringGetTextDatum(column) : (Datum) 0;
	values[2] = field ? CStringGetTextDatum(field) : (Datum) 0;
	values[3] = CStringGetTextDatum(kis_to_server_lossy(comment));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * kis_store_texts(): the comments on what is made here, and, of the parts net
 * and total, all members of the trend call in KIS's order, with KIS's name.
 * They can't stand in the script: not every database's encoding has Korean.
 */
Datum
kis_store_texts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kis_comment_count; i++)
		put_text(result, kis_comments[i].part, kis_comments[i].column, NULL, kis_comments[i].comment);
	for (int i = 0; i < kis_member_count; i++)
		put_text(result, strstr(kis_members[i].column, "_net_") != NULL ? "net" : "total", kis_members[i].column,
				 kis_members[i].field, kis_member_comment(&kis_members[i]));
	return (Datum) 0;
}

/* The namespace to make the store in; raises where the user may make nothing there. */
static Oid
creation_namespace(RangeVar *name)
{
	Oid			namespace = RangeVarGetCreationNamespace(name);
	AclResult	may_create = kis_namespace_aclcheck(namespace, GetUserId(), ACL_CREATE);

	if (may_create != ACLCHECK_OK)
		aclcheck_error(may_create, OBJECT_SCHEMA, get_namespace_name(namespace));
	return namespace;
}

/*
 * That namespace, locked until the transaction ends. One session at a time makes
 * a store in it, so that none meets half a store; nor does anybody hold up others
 * who could not make one.
 */
static Oid
lock_namespace(RangeVar *name)
{
	Oid			namespace = creation_namespace(name);

	for (;;)
	{
		Oid			now;

		LockDatabaseObject(NamespaceRelationId, namespace, 0, ShareUpdateExclusiveLock);
		/* whoever had the lock before us may have dropped it */
		now = creation_namespace(name);
		if (now == namespace)
			return namespace;
		UnlockDatabaseObject(NamespaceRelationId, namespace, 0, ShareUpdateExclusiveLock);
		namespace = now;
	}
}

/* A relation's name for SQL, as an argument of the script's functions. */
static Datum
qualified_name(Oid namespace, const char *relname)
{
	return CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(namespace), relname));
}

/* Runs the commands that such a function has returned; false where that is NULL. */
static bool
run_commands(Datum commands)
{
	kis_store_run(kis_store_texts_of(commands));
	return commands != (Datum) 0;
}

/*
 * What is made for another role's store becomes that role's, where it could have
 * made it itself: else it could collect no more. A superuser's log would refuse it.
 */
static void
give_to_owner(Oid owner, Oid namespace, char *relname)
{
	if (owner == GetUserId() || !kis_may_give_to(GetUserId(), owner) ||
		kis_namespace_aclcheck(namespace, owner, ACL_CREATE) != ACLCHECK_OK)
		return;
	kis_store_run(list_make1(psprintf("ALTER TABLE %s OWNER TO %s",
									  quote_qualified_identifier(get_namespace_name(namespace), relname),
									  quote_identifier(GetUserNameFromId(owner, false)))));
}

/*
 * Makes the table where it is missing, by the commands that the SQL function
 * gives for its name; else it must be one that serves, and is brought up to
 * date. It stays locked until the transaction ends, as one that was made.
 */
static KisStoreTable *
make_or_check(Oid owner, Oid namespace, char *relname, Oid function, const char *commands,
			  KisStoreTable *(*describe) (Relation rel))
{
	AclMode		rights = ACL_SELECT;
	Oid			relid = kis_relation_lock(namespace, relname, AccessShareLock,
										  kis_relation_check_rights, &rights);
	Relation	rel;
	KisStoreTable *table;

	if (!OidIsValid(relid))
	{
		run_commands(kis_store_call(function, commands, 1, TEXTOID, qualified_name(namespace, relname)));
		give_to_owner(owner, namespace, relname);
		CommandCounterIncrement();
		relid = get_relname_relid(relname, namespace);
	}
	rel = relation_open(relid, AccessShareLock);
	table = describe(rel);
	relation_close(rel, NoLock);
	run_commands(kis_store_call(function, "kis_update_commands", 1, OIDOID, ObjectIdGetDatum(relid)));
	return table;
}

/* Whoever may make tables in the schema could have made it, with triggers for those who collect. */
static void
notice_other_owner(const KisStoreTable *store)
{
	if (store->owner == GetUserId() || is_member_of_role_nosuper(GetUserId(), store->owner))
		return;
	ereport(NOTICE,
			(errmsg("store \"%s\" belongs to role \"%s\"", store->plain_name,
					GetUserNameFromId(store->owner, false)),
			 errdetail("It was there already. Whoever collects into it runs its owner's triggers.")));
}

static void
check_owner(const RangeVar *name, Oid relid, Oid old_relid, void *store)
{
	kis_store_require_owner(store, relid);
}

/* A column of the part's views that a relation lacks, NULL where it has them all. */
static const char *
missing_column(Oid relid, const char *part)
{
	for (int i = 0; i < kis_comment_count; i++)
	{
		const KisComment *comment = &kis_comments[i];

		if (comment->column != NULL &&
			(strcmp(comment->part, "view") == 0 || strcmp(comment->part, part) == 0) &&
			get_attnum(relid, comment->column) == InvalidAttrNumber)
			return comment->column;
	}
	return NULL;
}

/*
 * What has a view's name stays as it is, which is a NOTICE where it isn't like
 * the view; but a view of ours of an older version is made anew, unless others
 * depend on it, which is a WARNING.
 */
static void
update_view(Oid relid, Oid table, const char *part, Oid function)
{
	bool		is_view = get_rel_relkind(relid) == RELKIND_VIEW;
	const char *missing = missing_column(relid, part);
	Datum		command;

	if (is_view && missing == NULL)
		return;
	command = kis_store_call(function, "kis_old_view_command", 3, OIDOID, ObjectIdGetDatum(relid),
							 OIDOID, ObjectIdGetDatum(table), TEXTOID, CStringGetTextDatum(part));
	if (command == (Datum) 0)
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, skipping the view of that name",
						get_rel_name(relid)),
				 is_view ? errdetail("It has no column \"%s\".", missing) : 0,
				 errhint("To have the view, drop or rename it and call create_market_investor_trend() again.")));
	else
		kis_store_call(function, "kis_try", 3, TEXTOID, command,
					   TEXTOID, CStringGetTextDatum(psprintf(_("view \"%s\" is of an older version and stays as it is"),
															 get_rel_name(relid))),
					   TEXTOID, CStringGetTextDatum(_("To have the new one, drop what depends on it and call create_market_investor_trend() again.")));
}

/*
 * Makes a view of the store or its snapshots, <store>_<part>, the store's
 * owner's where that can be, unless there is a relation of its name or the table has no figures
 * for it. Raises 55000 as kis_store_require_owner. It holds the names itself and
 * reads nothing of the extension's: so DROP EXTENSION takes neither the view nor
 * what is built on it, and a dump of the store can be restored where the
 * extension is not.
 */
static void
make_view(const KisStoreTable *store, const KisStoreTable *table, const char *part, Oid function)
{
	char	   *relname = kis_derived_name(store->plain_name, part);
	Oid			relid = kis_relation_lock(store->namespace, relname, AccessShareLock, check_owner,
										  unconstify(KisStoreTable *, store));

	if (OidIsValid(relid))
		update_view(relid, table->relid, part, function);
	else if (run_commands(kis_store_call(function, "kis_view_commands", 3, OIDOID, ObjectIdGetDatum(table->relid),
										 TEXTOID, qualified_name(store->namespace, relname),
										 TEXTOID, CStringGetTextDatum(part))))
		give_to_owner(store->owner, store->namespace, relname);
	else
		return;
	kis_store_require_owner(store, get_relname_relid(relname, store->namespace));
}

/* Makes or updates what goes with a store, partitioned by month, and the partitions of this month and the next. */
static KisStoreTable *
make_partitioned(const KisStoreTable *store, const char *store_text, char *relname,
				 Oid function, const char *commands, KisStoreTable *(*describe) (Relation rel))
{
	KisStoreTable *table = make_or_check(store->owner, store->namespace, relname, function,
										 commands, describe);

	kis_store_require_owner(store, table->relid);
	kis_snapshot_make_partition(table->relid, store_text, GetCurrentTimestamp(), function);
	kis_snapshot_make_next(table->relid, store_text, function);
	return table;
}

/* The log of collections: who may add to an older store collects on, and may add to its new log. */
static void
make_log(const KisStoreTable *store, const char *store_text, Oid function)
{
	char	   *relname = kis_derived_name(store->plain_name, "collection");
	bool		is_new = !OidIsValid(get_relname_relid(relname, store->namespace));

	(void) make_partitioned(store, store_text, relname, function, "kis_collection_commands", kis_collection_describe);
	if (is_new)
		run_commands(kis_store_call(function, "kis_grant_commands", 2, OIDOID, ObjectIdGetDatum(store->relid),
									TEXTOID, qualified_name(store->namespace, relname)));
}

/*
 * create_market_investor_trend(store text, snapshots boolean) RETURNS void:
 * makes the store, its log of collections, its view by investor and, with
 * snapshots, its snapshot table and the view of the day's course, with the
 * partitions of this month and the next. What is there already and of an older
 * version is brought up to date where the caller has its owner's rights; an
 * identity that stands behind the ids that are there is set behind them; else
 * it is left as it is, with a NOTICE where the store is another role's. Errors:
 * 42501 where the caller may create nothing in the schema, 42P16 where a table
 * of that name can't be a store.
 */
Datum
create_market_investor_trend(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"store", "snapshots"};
	Oid			function = fcinfo->flinfo->fn_oid;
	RangeVar   *name;
	char	   *text_of_store;
	KisStoreTable *store;
	KisStoreTable *snapshots;

	(void) kis_store_begin(fcinfo, names, lengthof(names), FUNCTION_NAME);
	name = kis_store_name(PG_GETARG_TEXT_PP(0));
	text_of_store = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	store = make_or_check(GetUserId(), lock_namespace(name), name->relname, function, "kis_store_commands",
						  kis_store_describe);
	notice_other_owner(store);
	kis_store_call(function, "kis_renumber", 1, OIDOID, ObjectIdGetDatum(store->relid));
	make_view(store, store, "by_investor", function);
	make_log(store, text_of_store, function);
	if (PG_GETARG_BOOL(1))
	{
		snapshots = make_partitioned(store, text_of_store, kis_derived_name(name->relname, "snapshot"), function,
									 "kis_snapshots_commands", kis_snapshot_describe);
		make_view(store, snapshots, "intraday", function);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
