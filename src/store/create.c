/*
 * create.c
 *		create_market_investor_trend: makes the store, its view and its
 *		snapshots, the user's own, which the extension neither owns nor drops.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "common/error.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/comment.h"
#include "store/open.h"
#include "store/snapshot.h"
#include "store/table.h"
#include "store/view.h"

PG_FUNCTION_INFO_V1(create_market_investor_trend);

#define FUNCTION_NAME "create_market_investor_trend()"

/* The investors in the order of the store's columns: those of its first design first. */
static const char *const store_investors[] = {
	"foreign", "individual", "institution", "securities", "investment_trust", "pe_fund",
	"bank", "insurance", "pension_fund",
	"merchant_bank", "other_organization", "other_corporation"
};

static const struct
{
	const char *column;
	const char *comment;
}			column_comments[] = {
	{"market_code", "시장 코드 / Market code, as in kis_sector"},
	{"sector_code", "업종 코드 / Sector code, as in kis_sector"},
	{"collected_at", "수집 시각 / When KIS's reply arrived"},
	{"trade_date", "거래일(서울) / Trading day in Seoul that the figures belong to"},
};

static const struct
{
	const char *column;
	const char *comment;
}			store_comments[] = {
	{"id", "행 번호 / Number of the row"},
	{"source", "자료 출처 / Where the figures are from: live, the totals of that moment; daily, KIS's daily history"},
	{"created_at", "행 생성 시각 / When the row was made"},
	{"updated_at", "행 갱신 시각 / When its figures changed last"},
};

/* Comments on a table (column NULL) or a column; comment is in UTF-8. */
static void
comment_on(const char *table, const char *column, const char *comment)
{
	kis_store_run(psprintf("COMMENT ON %s %s%s%s IS %s",
						   column ? "COLUMN" : "TABLE", table,
						   column ? "." : "", column ? quote_identifier(column) : "",
						   quote_literal_cstr(kis_to_server_lossy(comment))));
}

static void
comment_on_keys(const char *table)
{
	for (int i = 0; i < (int) lengthof(column_comments); i++)
		comment_on(table, column_comments[i].column, column_comments[i].comment);
}

/* The members that the store has columns for, in their order. */
static List *
store_members(void)
{
	List	   *members = NIL;

	for (int i = 0; i < (int) lengthof(store_investors); i++)
	{
		members = lappend_int(members, kis_call_member_find(&kis_call_trend, psprintf("%s_net_qty", store_investors[i])));
		members = lappend_int(members, kis_call_member_find(&kis_call_trend, psprintf("%s_net_amount", store_investors[i])));
	}
	return members;
}

static void
make_store(const char *table)
{
	List	   *members = store_members();
	ListCell   *lc;
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "CREATE TABLE %s ("
					 "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
					 "market_code pg_catalog.text NOT NULL, "
					 "sector_code pg_catalog.text NOT NULL, "
					 "collected_at pg_catalog.timestamptz NOT NULL, "
					 "trade_date pg_catalog.date NOT NULL, ", table);
	foreach(lc, members)
		appendStringInfo(&command, "%s bigint, ", kis_members[lfirst_int(lc)].column);
	appendStringInfoString(&command,
						   "source pg_catalog.text NOT NULL CHECK (source OPERATOR(pg_catalog.=) "
						   "ANY (ARRAY['live'::pg_catalog.text, 'daily'::pg_catalog.text])), "
						   "created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
						   "updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
						   "UNIQUE (market_code, sector_code, trade_date))");
	kis_store_run(command.data);
	kis_store_run(psprintf("CREATE INDEX ON %s (trade_date)", table));

	comment_on(table, NULL,
			   "투자자별 매매동향, 시장·업종 조합과 거래일마다 한 행 / Investor flows, a row for each pair of market and sector and trading day");
	comment_on_keys(table);
	foreach(lc, members)
		comment_on(table, kis_members[lfirst_int(lc)].column, kis_member_comment(&kis_members[lfirst_int(lc)]));
	for (int i = 0; i < (int) lengthof(store_comments); i++)
		comment_on(table, store_comments[i].column, store_comments[i].comment);
}

static void
make_snapshots(const char *table)
{
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "CREATE TABLE %s ("
					 "market_code pg_catalog.text NOT NULL, "
					 "sector_code pg_catalog.text NOT NULL, "
					 "collected_at pg_catalog.timestamptz NOT NULL, "
					 "trade_date pg_catalog.date NOT NULL, ", table);
	for (int i = 0; i < kis_member_count; i++)
		appendStringInfo(&command, "%s bigint, ", kis_members[i].column);
	appendStringInfoString(&command,
						   "PRIMARY KEY (market_code, sector_code, collected_at)) "
						   "PARTITION BY RANGE (collected_at)");
	kis_store_run(command.data);

	/* A day of all pairs: rows lie in the order of time, which is all that BRIN needs */
	kis_store_run(psprintf("CREATE INDEX ON %s USING brin (collected_at, trade_date) "
						   "WITH (autosummarize = true)", table));

	comment_on(table, NULL,
			   "투자자별 매매동향 스냅샷, 값이 바뀐 응답마다 한 행 / Snapshots of investor flows, a row for each reply whose figures changed");
	comment_on_keys(table);
	for (int i = 0; i < kis_member_count; i++)
		comment_on(table, kis_members[i].column, kis_member_comment(&kis_members[i]));
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

/*
 * Makes the table where it is missing; else it must be one that serves. It
 * stays locked until the transaction ends, as one that was made.
 */
static KisStoreTable *
make_or_check(Oid namespace, char *relname, void (*make) (const char *table),
			  KisStoreTable *(*describe) (Relation rel))
{
	AclMode		rights = ACL_SELECT;
	Oid			relid = kis_relation_lock(namespace, relname, AccessShareLock,
										  kis_relation_check_rights, &rights);
	Relation	rel;
	KisStoreTable *table;

	if (!OidIsValid(relid))
	{
		make(quote_qualified_identifier(get_namespace_name(namespace), relname));
		CommandCounterIncrement();
		relid = get_relname_relid(relname, namespace);
	}
	rel = relation_open(relid, AccessShareLock);
	table = describe(rel);
	relation_close(rel, NoLock);
	return table;
}

/*
 * Sets what numbers a column behind the numbers that are there, where they came
 * with rows, as by COPY or logical replication. Whoever has a number waits for us
 * or we for him, so that none goes back.
 */
static void
renumber(const KisStoreTable *store, const char *column, const char *sequence, bool descends)
{
	const char *op = descends ? "<" : ">";
	char	   *behind = psprintf("FROM (SELECT pg_catalog.%s(%s)::pg_catalog.int8 AS last FROM %s) AS t, %s AS s, "
								  "pg_catalog.pg_sequence AS p "
								  "WHERE p.seqrelid OPERATOR(pg_catalog.=) %s::pg_catalog.regclass "
								  "AND (t.last OPERATOR(pg_catalog.%s) s.last_value "
								  "OR t.last OPERATOR(pg_catalog.=) s.last_value AND NOT s.is_called) "
								  "AND t.last OPERATOR(pg_catalog.<) p.seqmax "
								  "AND t.last OPERATOR(pg_catalog.>) p.seqmin",
								  descends ? "min" : "max", column, store->name, sequence,
								  quote_literal_cstr(sequence), op);

	kis_store_run(psprintf("SELECT %s", behind));
	if (SPI_processed == 0)
		return;
	kis_store_run(psprintf("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", store->name));
	LockRelationOid(DatumGetObjectId(DirectFunctionCall1(regclassin, CStringGetDatum(sequence))),
					ShareRowExclusiveLock);
	kis_store_run(psprintf("SELECT pg_catalog.setval(%s::pg_catalog.regclass, t.last) %s",
						   quote_literal_cstr(sequence), behind));
}

/* The same for all columns that are an identity or serial, as far as the caller may. */
static void
renumber_columns(const KisStoreTable *store)
{
	SPITupleTable *columns;
	uint64		n;

	kis_store_run(psprintf("SELECT pg_catalog.quote_ident(a.attname), s.name, "
						   "p.seqincrement OPERATOR(pg_catalog.<) 0 "
						   "FROM pg_catalog.pg_attribute AS a, "
						   "LATERAL (SELECT pg_catalog.pg_get_serial_sequence(%s, a.attname) AS name) AS s "
						   "JOIN pg_catalog.pg_sequence AS p ON p.seqrelid OPERATOR(pg_catalog.=) s.name::pg_catalog.regclass "
						   "WHERE a.attrelid OPERATOR(pg_catalog.=) %u AND a.attnum OPERATOR(pg_catalog.>) 0 "
						   "AND NOT a.attisdropped "
						   "AND a.atttypid OPERATOR(pg_catalog.=) ANY (ARRAY[%u, %u, %u]::pg_catalog.oid[]) "
						   "AND pg_catalog.has_table_privilege(a.attrelid, 'UPDATE') "
						   "AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') "
						   "AND pg_catalog.has_sequence_privilege(p.seqrelid, 'SELECT') "
						   "AND pg_catalog.has_sequence_privilege(p.seqrelid, 'UPDATE')",
						   quote_literal_cstr(store->name), store->relid, INT2OID, INT4OID, INT8OID));
	columns = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
		renumber(store, SPI_getvalue(columns->vals[i], columns->tupdesc, 1),
				 SPI_getvalue(columns->vals[i], columns->tupdesc, 2),
				 SPI_getvalue(columns->vals[i], columns->tupdesc, 3)[0] == 't');
}

/* Whoever may make tables in the schema could have made it, with triggers for those who collect. */
static void
tell_of_other_owner(const KisStoreTable *store)
{
	if (store->owner == GetUserId() || is_member_of_role_nosuper(GetUserId(), store->owner))
		return;
	ereport(NOTICE,
			(errmsg("store \"%s\" belongs to role \"%s\"", store->plain_name,
					GetUserNameFromId(store->owner, false)),
			 errdetail("It was there already. Whoever collects into it runs its owner's triggers.")));
}

/*
 * create_market_investor_trend(store text, snapshots boolean) RETURNS void:
 * makes the store, its view by investor and, with snapshots, its snapshot table and the partitions
 * of this month and the next. What is there already is left as it is, with a
 * NOTICE where the store is another role's, but for an identity that stands behind
 * the ids that are there. Errors: 42501 where the caller may
 * create nothing in the schema, 42P16 where a table of that name can't be a store.
 */
Datum
create_market_investor_trend(PG_FUNCTION_ARGS)
{
	RangeVar   *name;
	Oid			namespace;
	KisStoreTable *store;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null",
						PG_ARGISNULL(0) ? "store" : "snapshots")));
	PreventCommandDuringRecovery(FUNCTION_NAME);
	PreventCommandIfReadOnly(FUNCTION_NAME);

	name = kis_store_name(PG_GETARG_TEXT_PP(0));
	namespace = lock_namespace(name);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	store = make_or_check(namespace, name->relname, make_store, kis_store_describe);
	tell_of_other_owner(store);
	renumber_columns(store);
	kis_view_make(store, namespace);
	if (PG_GETARG_BOOL(1))
	{
		KisStoreTable *snapshots = make_or_check(namespace, kis_snapshot_name(name->relname),
												 make_snapshots, kis_snapshot_describe);
		char	   *store_text = text_to_cstring(PG_GETARG_TEXT_PP(0));
		TimestampTz now = GetCurrentTimestamp();

		kis_store_require_owner(store, snapshots->relid);
		kis_snapshot_make_partition(snapshots->relid, store_text, now);
		kis_snapshot_make_next(snapshots->relid, store_text, now);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
