/*
 * tables.c
 *		The foreign tables as data: which call each reads, its pairs and the
 *		columns that IMPORT makes.
 */
#include "postgres.h"

#include "common/messages.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"

/* Columns that IMPORT makes; what else a call's members list may be declared by hand. */
static const char *const live_columns[] = {
	"market_code", "sector_code", "collected_at", "trade_date", KIS_NET_FIGURES, NULL
};

static const char *const investor_columns[] = {
	"market_code", "sector_code", "collected_at", "trade_date", "investor",
	"sell_qty", "buy_qty", "net_qty", "sell_amount", "buy_amount", "net_amount", NULL
};

static const char *const daily_columns[] = {
	"market_code", "sector_code", "trade_date", "close", "change", "change_rate",
	"open", "high", "low", "previous_close", KIS_NET_FIGURES,
	"foreign_registered_net_qty", "foreign_registered_net_amount",
	"foreign_unregistered_net_qty", "foreign_unregistered_net_amount", NULL
};

static const char *const calendar_columns[] = {
	"trade_date", "weekday", "is_open", "is_business_day", "is_settlement_day", NULL
};

static const char *const index_columns[] = {
	"market_code", "sector_code", "collected_at", "trade_date", "level", "change", "change_rate",
	"open", "high", "low", "volume", "turnover", "advancing", "limit_up", "unchanged", "declining",
	"limit_down", "year_high", "year_high_date", "year_low", "year_low_date", "ask_remaining",
	"bid_remaining", NULL
};

static const char *const program_columns[] = {
	"market_code", "investor", "collected_at", "trade_date",
	"all_sell_qty", "all_buy_qty", "all_net_qty", "all_sell_amount", "all_buy_amount", "all_net_amount",
	"arbitrage_sell_qty", "arbitrage_buy_qty", "arbitrage_net_qty",
	"arbitrage_sell_amount", "arbitrage_buy_amount", "arbitrage_net_amount",
	"non_arbitrage_sell_qty", "non_arbitrage_buy_qty", "non_arbitrage_net_qty",
	"non_arbitrage_sell_amount", "non_arbitrage_buy_amount", "non_arbitrage_net_amount", NULL
};

static const KisTable market_trend = {
	.name = "kis_market_trend",
	.call = &kis_call_trend,
	.pairs = KIS_PAIRS_HEADLINE,
	.columns = live_columns,
	.comment_ko = "시장별 투자자 매매동향(당일 누계): 시장 전체를 대표하는 시장·업종 조합 19개, 조합마다 한 행",
	.comment_en = "Investor flows of whole markets, totals of the day so far: 19 pairs of market and sector, a row a pair",
};

static const KisTable sector_trend = {
	.name = "kis_sector_trend",
	.call = &kis_call_trend,
	.pairs = KIS_PAIRS_ALL,
	.columns = live_columns,
	.comment_ko = "업종별 투자자 매매동향(당일 누계): 시장·업종 조합 71개 전부, 조합마다 한 행",
	.comment_en = "Investor flows of markets and their sectors, totals of the day so far: all 71 pairs, a row a pair",
};

static const KisTable investor_trend = {
	.name = "kis_investor_trend",
	.call = &kis_call_trend,
	.pairs = KIS_PAIRS_HEADLINE,
	.by_investor = true,
	.columns = investor_columns,
	.comment_ko = "투자자별 매매동향(당일 누계): 시장 전체를 대표하는 시장·업종 조합 19개, 조합과 투자자마다 한 행",
	.comment_en = "Investor flows of whole markets, totals of the day so far: 19 pairs of market and sector, a row for each of the 12 investors",
};

static const KisTable market_trend_daily = {
	.name = "kis_market_trend_daily",
	.call = &kis_call_daily,
	.pairs = KIS_PAIRS_ALL,
	.columns = daily_columns,
	.comment_ko = "일별 투자자 매매동향(코스피·코스닥): 지수와 순매수, 조합과 거래일마다 한 행",
	.comment_en = "Investor flows of past days, with the index (KOSPI and KOSDAQ): a row a pair and trading day",
};

static const KisTable calendar = {
	.name = "kis_calendar",
	.call = &kis_call_calendar,
	.columns = calendar_columns,
	.comment_ko = "거래소 개장일 달력, 하루에 한 행",
	.comment_en = "Calendar of the exchange: a row a day",
};

static const KisTable index_level = {
	.name = "kis_index",
	.call = &kis_call_index,
	.pairs = KIS_PAIRS_HEADLINE,
	.columns = index_columns,
	.comment_ko = "현재 지수(코스피·코스닥), 조합마다 한 행",
	.comment_en = "Index now (KOSPI and KOSDAQ): a row a pair",
};

static const KisTable program_trend = {
	.name = "kis_program_trend",
	.call = &kis_call_program,
	.columns = program_columns,
	.comment_ko = "투자자별 프로그램 매매(당일 누계, 코스피·코스닥), 시장과 투자자마다 한 행",
	.comment_en = "Program trading by investor, totals of the day so far (KOSPI and KOSDAQ): a row for each investor of a market",
};

const KisTable *const kis_tables[] = {
	&market_trend, &sector_trend, &investor_trend, &market_trend_daily, &calendar, &index_level,
	&program_trend, NULL
};

/* The table of that name; NULL where there is none. */
const KisTable *
kis_table_find(const char *name)
{
	for (int i = 0; kis_tables[i] != NULL; i++)
		if (strcmp(kis_tables[i]->name, name) == 0)
			return kis_tables[i];
	return NULL;
}

/*
 * The name to suggest to one who typed another: the nearest, or the first where
 * none is near.
 */
const char *
kis_suggest_table(const char *name)
{
	const char *names[lengthof(kis_tables)];
	const char *nearest;

	for (int i = 0; i < (int) lengthof(kis_tables); i++)
		names[i] = kis_tables[i] != NULL ? kis_tables[i]->name : NULL;
	nearest = kis_suggest_name(name, names);
	return nearest != NULL ? nearest : names[0];
}

/*
 * What a call with these arguments is for, as messages say it: "KSP/0001", "KSP"
 * where it takes no sector, "the calendar" where it takes no codes; and from
 * which day on, where it takes one.
 */
char *
kis_call_subject(const KisCall *call, const KisCallArgs *args)
{
	char	   *of = args->market[0] == '\0' ? psprintf(_("the %s"), _(call->name)) :
		psprintf("%s%s%s", args->market, args->sector[0] != '\0' ? "/" : "", args->sector);

	return args->date[0] != '\0' ? psprintf(_("%s from %s"), of, args->date) : of;
}

/* How many rows of the table a row of a reply is. */
int
kis_table_split(const KisTable *table)
{
	return table->by_investor ? kis_investor_count : 1;
}
