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
#include "compat.h"
#include "kis/catalog.h"
#include "plan/comment.h"
#include "store/open.h"
#include "store/snapshot.h"
#include "store/table.h"

PG_FUNCTION_INFO_V1(create_market_investor_trend);
PG_FUNCTION_INFO_V1(kis_store_texts);

#define FUNCTION_NAME "create_market_investor_trend()"

/* Comments on tables and views (column NULL) and their columns, in UTF-8. */
static const struct
{
	const char *part;
	const char *column;
	const char *comment;
}			texts[] = {
	{"store", NULL, "투자자별 매매동향, 시장·업종 조합과 거래일마다 한 행 / Investor flows, a row for each pair of market and sector and trading day"},
	{"snapshots", NULL, "투자자별 매매동향 스냅샷, 값이 바뀐 응답마다 한 행 / Snapshots of investor flows, a row for each reply whose figures changed"},
	{"partition", NULL, "%1$s년 %2$s월의 스냅샷 / Snapshots of %1$s-%2$s"},
	{"key", "market_code", "시장 코드 / Market code, as in kis_sector"},
	{"key", "sector_code", "업종 코드 / Sector code, as in kis_sector"},
	{"key", "collected_at", "수집 시각 / When KIS's reply arrived"},
	{"key", "trade_date", "거래일(서울) / Trading day in Seoul that the figures belong to"},
	{"store", "id", "행 번호 / Number of the row"},
	{"store", "source", "자료 출처 / Where the figures are from: live, the totals of that moment; daily, KIS's daily history"},
	{"store", "created_at", "행 생성 시각 / When the row was made"},
	{"store", "updated_at", "행 갱신 시각 / When its figures changed last"},
	{"view", NULL, "투자자별 매매동향, 시장·업종 조합·거래일·투자자마다 한 행 / Investor flows by investor, a row for each pair of market and sector, trading day and investor"},
	{"view", "trade_date", "거래일(서울) / Trading day in Seoul that the figures belong to"},
	{"view", "collected_at", "수집 시각(서울 현지 시각) / When KIS's reply arrived, in Seoul's local time"},
	{"view", "market_code", "시장 코드 / Market code"},
	{"view", "market_name", "시장 이름 / Korean name of the market"},
	{"view", "market_name_en", "시장 영문 이름 / English name of the market"},
	{"view", "sector_code", "업종 코드 / Sector code"},
	{"view", "sector_name", "업종 이름 / Korean name of the sector"},
	{"view", "sector_name_en", "업종 영문 이름 / English name of the sector"},
	{"view", "investor", "투자자 코드 / Investor"},
	{"view", "investor_name", "투자자 이름 / Korean name of the investor"},
	{"view", "investor_name_en", "투자자 영문 이름 / English name of the investor"},
	{"view", "screen_name", "HTS 화면의 투자자 이름 / Korean name of the investor on traders' screens"},
	{"view", "part_of", "이 투자자를 포함하는 투자자, 없으면 NULL / Investor whose figures include this one's; NULL where there is none"},
	{"view", "net_qty", "순매수 수량(단위는 quantity_unit) / Net quantity (bought minus sold), in quantity_unit"},
	{"view", "net_amount", "순매수 거래대금(단위는 amount_unit) / Net amount (bought minus sold), in amount_unit"},
	{"view", "net_amount_eok", "순매수 거래대금(억원), 단위가 미확인이면 NULL / Net amount in 100 million won; NULL where KIS's unit is not known"},
	{"view", "quantity_unit", "net_qty의 단위, 미확인이면 NULL / Unit of net_qty; NULL where it is not known"},
	{"view", "amount_unit", "net_amount의 단위, 미확인이면 NULL / Unit of net_amount; NULL where it is not known"},
};

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
	for (int i = 0; i < (int) lengthof(texts); i++)
		put_text(result, texts[i].part, texts[i].column, NULL, texts[i].comment);
	for (int i = 0; i < kis_member_count; i++)
		put_text(result, kis_member_is_total(i) ? "total" : "net", kis_members[i].column,
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

/*
 * Makes the table where it is missing, by the commands that the SQL function
 * gives for its name; else it must be one that serves. It stays locked until
 * the transaction ends, as one that was made.
 */
static KisStoreTable *
make_or_check(Oid namespace, char *relname, Oid function, const char *commands,
			  KisStoreTable *(*describe) (Relation rel))
{
	AclMode		rights = ACL_SELECT;
	Oid			relid = kis_relation_lock(namespace, relname, AccessShareLock,
										  kis_relation_check_rights, &rights);
	Relation	rel;
	KisStoreTable *table;

	if (!OidIsValid(relid))
	{
		Datum		name = CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(namespace),
																		  relname));

		kis_store_run(kis_store_commands(function, commands, 1, (Oid[]) {TEXTOID}, &name));
		CommandCounterIncrement();
		relid = get_relname_relid(relname, namespace);
	}
	rel = relation_open(relid, AccessShareLock);
	table = describe(rel);
	relation_close(rel, NoLock);
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
check_owner(Oid relid, const void *store)
{
	kis_store_require_owner(store, relid);
}

/* Says so where what has the view's name is not like it; the view of an older version lacks columns. */
static void
check_namesake(Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	const char *missing = NULL;

	for (int i = 0; i < (int) lengthof(texts) && missing == NULL; i++)
		if (strcmp(texts[i].part, "view") == 0 && texts[i].column != NULL &&
			get_attnum(relid, texts[i].column) == InvalidAttrNumber)
			missing = texts[i].column;
	if (relkind == RELKIND_VIEW && missing == NULL)
		return;
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists, skipping the view of that name",
					get_rel_name(relid)),
			 relkind == RELKIND_VIEW ? errdetail("It has no column \"%s\".", missing) : 0,
			 errhint("To have the view, drop or rename it and call create_market_investor_trend() again.")));
}

/*
 * Makes the store's view, as the current user's, unless there is a relation of
 * its name or the store has no net figures. Raises 55000 as
 * kis_store_require_owner. It holds the names itself and reads nothing of the
 * extension's: so DROP EXTENSION takes neither the view nor what is built on it,
 * and a dump of the store can be restored where the extension is not.
 */
static void
make_view(const KisStoreTable *store, Oid namespace, Oid function)
{
	char	   *relname = kis_derived_name(store->plain_name, "by_investor");
	Oid			relid = kis_relation_lock(namespace, relname, AccessShareLock, check_owner, store);
	Datum		args[] = {
		ObjectIdGetDatum(store->relid),
		CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(namespace), relname))
	};
	List	   *commands = kis_store_commands(function, "kis_by_investor_commands", 2,
											  (Oid[]) {OIDOID, TEXTOID}, args);

	if (commands == NIL)
		return;
	if (OidIsValid(relid))
		check_namesake(relid);
	else
		kis_store_run(commands);
	kis_store_require_owner(store, get_relname_relid(relname, namespace));
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
	static const char *const names[] = {"store", "snapshots"};
	Oid			function = fcinfo->flinfo->fn_oid;
	RangeVar   *name;
	Oid			namespace;
	KisStoreTable *store;
	Datum		relid;

	kis_store_begin(fcinfo, names, lengthof(names), FUNCTION_NAME);
	name = kis_store_name(PG_GETARG_TEXT_PP(0));
	namespace = lock_namespace(name);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	store = make_or_check(namespace, name->relname, function, "kis_store_commands", kis_store_describe);
	notice_other_owner(store);
	relid = ObjectIdGetDatum(store->relid);
	kis_store_call(function, "kis_renumber", 1, (Oid[]) {OIDOID}, &relid, NULL);
	make_view(store, namespace, function);
	if (PG_GETARG_BOOL(1))
	{
		KisStoreTable *snapshots = make_or_check(namespace, kis_snapshot_name(name->relname),
												 function, "kis_snapshots_commands",
												 kis_snapshot_describe);
		char	   *store_text = text_to_cstring(PG_GETARG_TEXT_PP(0));
		TimestampTz now = GetCurrentTimestamp();

		kis_store_require_owner(store, snapshots->relid);
		kis_snapshot_make_partition(snapshots->relid, store_text, now, function);
		kis_snapshot_make_next(snapshots->relid, store_text, now, function);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
