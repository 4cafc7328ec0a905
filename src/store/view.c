/*
 * view.c
 *		The store by investor: a view for people and their tools, with names,
 *		Seoul's local time and amounts in 억원 (100 million won).
 *
 * It holds the names itself and reads nothing of the extension's. So DROP
 * EXTENSION takes neither the view nor what is built on it, and a dump of the
 * store can be restored where the extension is not. Names that are new in a
 * later version of the extension come with a view that is made anew.
 */
#include "postgres.h"

#include "access/attnum.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "kis/catalog.h"
#include "store/open.h"
#include "store/table.h"
#include "store/view.h"

#define WON_IN_EOK	1e8

static const struct
{
	const char *column;
	const char *comment;
}			view_comments[] = {
	{"trade_date", "거래일(서울) / Trading day in Seoul that the figures belong to"},
	{"collected_at", "수집 시각(서울 현지 시각) / When KIS's reply arrived, in Seoul's local time"},
	{"market_code", "시장 코드 / Market code"},
	{"market_name", "시장 이름 / Korean name of the market"},
	{"market_name_en", "시장 영문 이름 / English name of the market"},
	{"sector_code", "업종 코드 / Sector code"},
	{"sector_name", "업종 이름 / Korean name of the sector"},
	{"sector_name_en", "업종 영문 이름 / English name of the sector"},
	{"investor", "투자자 코드 / Investor"},
	{"investor_name", "투자자 이름 / Korean name of the investor"},
	{"investor_name_en", "투자자 영문 이름 / English name of the investor"},
	{"screen_name", "HTS 화면의 투자자 이름 / Korean name of the investor on traders' screens"},
	{"part_of", "이 투자자를 포함하는 투자자, 없으면 NULL / Investor whose figures include this one's; NULL where there is none"},
	{"net_qty", "순매수 수량(단위는 quantity_unit) / Net quantity (bought minus sold), in quantity_unit"},
	{"net_amount", "순매수 거래대금(단위는 amount_unit) / Net amount (bought minus sold), in amount_unit"},
	{"net_amount_eok", "순매수 거래대금(억원), 단위가 미확인이면 NULL / Net amount in 100 million won; NULL where KIS's unit is not known"},
	{"quantity_unit", "net_qty의 단위, 미확인이면 NULL / Unit of net_qty; NULL where it is not known"},
	{"amount_unit", "net_amount의 단위, 미확인이면 NULL / Unit of net_amount; NULL where it is not known"},
};

/* Catalogue text as a literal; "" is NULL. */
static char *
literal(const char *utf8)
{
	if (utf8[0] == '\0')
		return pstrdup("NULL");
	return quote_literal_cstr(kis_to_server_lossy(utf8));
}

/* What makes 억원 of an amount in this unit. */
static char *
eok_factor(const char *unit)
{
	int64		won = kis_unit_factor(unit);

	return won == 0 ? pstrdup("NULL") : psprintf("%.15g", (double) won / WON_IN_EOK);
}

/* With the units of pairs that are not listed, as the server option extra_pairs has them. */
static void
append_markets(StringInfo query)
{
	for (int i = 0; i < kis_market_count; i++)
	{
		const KisPair *units = kis_units_of_market(kis_markets[i].code);

		appendStringInfo(query, "%s(%s, %s, %s, %s, %s, %s)", i > 0 ? ", " : "",
						 literal(kis_markets[i].code), literal(kis_markets[i].name_ko),
						 literal(kis_markets[i].name_en),
						 literal(units != NULL ? units->quantity_unit : ""),
						 literal(units != NULL ? units->amount_unit : ""),
						 eok_factor(units != NULL ? units->amount_unit : ""));
	}
}

static void
append_sectors(StringInfo query)
{
	for (int i = 0; i < kis_pair_count; i++)
		appendStringInfo(query, "%s(%s, %s, %s, %s, %s, %s, %s)", i > 0 ? ", " : "",
						 literal(kis_pairs[i].market), literal(kis_pairs[i].sector),
						 literal(kis_pairs[i].name_ko), literal(kis_pairs[i].name_en),
						 literal(kis_pairs[i].quantity_unit), literal(kis_pairs[i].amount_unit),
						 eok_factor(kis_pairs[i].amount_unit));
}

/* The store's column of an investor's figure; NULL where it has none. */
static const char *
figure_column(const KisStoreTable *store, const KisInvestor *investor, const char *measure)
{
	int			member = kis_call_member_find(&kis_call_trend, psprintf("%s_%s", investor->code, measure));

	for (int i = 0; i < store->nfigures; i++)
		if (store->members[i] == member)
			return psprintf("t.%s", store->columns[i]);
	return NULL;
}

/* A row for each investor whose net figures the store has; returns how many these are. */
static int
append_investors(StringInfo query, const KisStoreTable *store)
{
	int			n = 0;

	for (int i = 0; i < kis_investor_count; i++)
	{
		const KisInvestor *investor = &kis_investors[i];
		const char *net_qty = figure_column(store, investor, "net_qty");
		const char *net_amount = figure_column(store, investor, "net_amount");
		const char *none = "NULL::pg_catalog.int8";

		if (net_qty == NULL && net_amount == NULL)
			continue;
		appendStringInfo(query, "%s(%s, %s, %s, %s, %s, %s, %s)", n++ > 0 ? ", " : "",
						 literal(investor->code), literal(investor->name_ko),
						 literal(investor->name_en), literal(investor->name_ko_screen),
						 literal(investor->part_of),
						 net_qty != NULL ? net_qty : none,
						 net_amount != NULL ? net_amount : none);
	}
	return n;
}

/* The view's query; NULL where the store has no net figures. */
static char *
view_query(const KisStoreTable *store)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query,
					 "SELECT t.trade_date, t.collected_at AT TIME ZONE 'Asia/Seoul' AS collected_at, "
					 "t.market_code, m.market_name, m.market_name_en, "
					 "t.sector_code, s.sector_name, s.sector_name_en, "
					 "i.investor, i.investor_name, i.investor_name_en, i.screen_name, i.part_of, "
					 "i.net_qty, i.net_amount, "
					 "i.net_amount OPERATOR(pg_catalog.*) COALESCE(s.eok, m.eok) AS net_amount_eok, "
					 "COALESCE(s.quantity_unit, m.quantity_unit) AS quantity_unit, "
					 "COALESCE(s.amount_unit, m.amount_unit) AS amount_unit "
					 "FROM %s AS t LEFT JOIN (VALUES ", store->name);
	append_markets(&query);
	appendStringInfoString(&query,
						   ") AS m(market_code, market_name, market_name_en, quantity_unit, amount_unit, eok) "
						   "ON m.market_code OPERATOR(pg_catalog.=) t.market_code "
						   "LEFT JOIN (VALUES ");
	append_sectors(&query);
	appendStringInfoString(&query,
						   ") AS s(market_code, sector_code, sector_name, sector_name_en, "
						   "quantity_unit, amount_unit, eok) "
						   "ON s.market_code OPERATOR(pg_catalog.=) t.market_code "
						   "AND s.sector_code OPERATOR(pg_catalog.=) t.sector_code "
						   "CROSS JOIN LATERAL (VALUES ");
	if (append_investors(&query, store) == 0)
		return NULL;
	appendStringInfoString(&query,
						   ") AS i(investor, investor_name, investor_name_en, screen_name, part_of, "
						   "net_qty, net_amount)");
	return query.data;
}

/* Comments on the view (column NULL) or a column; comment is in UTF-8. */
static void
comment_on(const char *view, const char *column, const char *comment)
{
	kis_store_run(psprintf("COMMENT ON %s %s%s%s IS %s",
						   column ? "COLUMN" : "VIEW", view,
						   column ? "." : "", column ? column : "",
						   quote_literal_cstr(kis_to_server_lossy(comment))));
}

/* Tells of what has the view's name but is not like it; the view of an older version lacks columns. */
static void
look_at_namesake(Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	const char *missing = NULL;

	for (int i = 0; i < (int) lengthof(view_comments) && missing == NULL; i++)
		if (get_attnum(relid, view_comments[i].column) == InvalidAttrNumber)
			missing = view_comments[i].column;
	if (relkind == RELKIND_VIEW && missing == NULL)
		return;
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists, skipping the view of that name",
					get_rel_name(relid)),
			 relkind == RELKIND_VIEW ? errdetail("It has no column \"%s\".", missing) : 0,
			 errhint("To have the view, drop or rename it and call create_market_investor_trend() again.")));
}

static void
check_owner(Oid relid, const void *store)
{
	kis_store_require_owner(store, relid);
}

/*
 * Makes the store's view in the namespace, as the current user's, unless there
 * is a relation of its name, which is told of where it is another, or the store
 * has no net figures. Raises 55000 as kis_store_require_owner. Inside SPI.
 */
void
kis_view_make(const KisStoreTable *store, Oid namespace)
{
	char	   *relname = kis_derived_name(store->plain_name, "by_investor");
	char	   *name = quote_qualified_identifier(get_namespace_name(namespace), relname);
	char	   *query = view_query(store);
	Oid			relid;

	if (query == NULL)
		return;
	relid = kis_relation_lock(namespace, relname, AccessShareLock, check_owner, store);
	if (OidIsValid(relid))
	{
		kis_store_require_owner(store, relid);
		look_at_namesake(relid);
		return;
	}
	kis_store_run(psprintf("CREATE VIEW %s AS %s", name, query));
	comment_on(name, NULL,
			   "투자자별 매매동향, 시장·업종 조합·거래일·투자자마다 한 행 / Investor flows by investor, a row for each pair of market and sector, trading day and investor");
	for (int i = 0; i < (int) lengthof(view_comments); i++)
		comment_on(name, view_comments[i].column, view_comments[i].comment);
	kis_store_require_owner(store, get_relname_relid(relname, namespace));
}
