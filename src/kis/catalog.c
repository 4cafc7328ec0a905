/*
 * catalog.c
 *		KIS's lists and calls as data.
 *
 * The lists are catalog/ *.tsv; catalog_data.h is made from them.
 */
#include "kis/catalog.h"
#include "kis/code.h"

#include <string.h>

#include "catalog_data.h"

#define lengthof(array) ((int) (sizeof(array) / sizeof((array)[0])))

const int	kis_member_count = lengthof(kis_members);
const int	kis_investor_count = lengthof(kis_investors);
const int	kis_measure_count = lengthof(kis_measures);
const int	kis_market_count = lengthof(kis_markets);
const int	kis_pair_count = lengthof(kis_pairs);
const int	kis_comment_count = lengthof(kis_comments);
const int	kis_code_rule_count = lengthof(kis_code_rules);

/* catalog/NAME.tsv as a call's members, with those that its columns' names tell apart. */
#define MEMBERS(list) \
	.members = list##_members, \
	.nmembers = lengthof(list##_members), \
	.day_member = list##_day_member, \
	.investor_member = list##_investor_member, \
	.open_member = list##_open_member

const KisCall kis_call_trend = {
	.name = "trend",
	.path = "/uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market",
	.tr_id = "FHPTJ04030000",
	.parameters = {
		{"FID_INPUT_ISCD",.argument = KIS_ARG_MARKET},
		{"FID_INPUT_ISCD_2",.argument = KIS_ARG_SECTOR},
	},
	.rows = "output",
	MEMBERS(kis),
	.usual_rows = 1,
};

static const char *const share_markets[] = {"KSP", "KSQ", NULL};

const KisCall kis_call_daily = {
	.name = "daily",
	.path = "/uapi/domestic-stock/v1/quotations/inquire-investor-daily-by-market",
	.tr_id = "FHPTJ04040000",
	.parameters = {
		{"FID_COND_MRKT_DIV_CODE",.constant = "U"},
		{"FID_INPUT_ISCD",.argument = KIS_ARG_SECTOR},
		{"FID_INPUT_DATE_1",.argument = KIS_ARG_DATE},
		{"FID_INPUT_ISCD_1",.argument = KIS_ARG_MARKET},
		{"FID_INPUT_DATE_2",.argument = KIS_ARG_DATE},
		{"FID_INPUT_ISCD_2",.argument = KIS_ARG_SECTOR},
	},
	.markets = share_markets,
	.rows = "output",
	MEMBERS(daily),
	.usual_rows = 300,
	.paging = KIS_PAGING_BACK,
};

const KisCall kis_call_calendar = {
	.name = kis_noop("calendar"),
	.path = "/uapi/domestic-stock/v1/quotations/chk-holiday",
	.tr_id = "CTCA0903R",
	.parameters = {
		{"BASS_DT",.argument = KIS_ARG_DATE},
		{"CTX_AREA_NK",.constant = ""},
		{"CTX_AREA_FK",.constant = ""},
	},
	.rows = "output",
	MEMBERS(calendar),
	.usual_rows = 24,
	.paging = KIS_PAGING_FORWARD,
	.lifetime = KIS_LIFETIME_DAY,

	/* no closure was longer than that from 2017-09-30 on */
	.whole = {.every_day = true,.filled = true,.longest_closure = 10},
	.of_ledger = true,
};

const KisCall kis_call_index = {
	.name = "index",
	.path = "/uapi/domestic-stock/v1/quotations/inquire-index-price",
	.tr_id = "FHPUP02100000",
	.parameters = {
		{"FID_COND_MRKT_DIV_CODE",.constant = "U"},
		{"FID_INPUT_ISCD",.argument = KIS_ARG_SECTOR},
	},
	.markets = share_markets,
	.rows = "output",
	MEMBERS(index),
	.usual_rows = 1,
};

static const KisTranslation program_markets[] = {{"KSP", "1"}, {"KSQ", "4"}, {NULL, NULL}};
static const KisTranslation program_investors[] = {
	{"1000", "securities"}, {"2000", "insurance"}, {"3000", "investment_trust"}, {"3100", "pe_fund"},
	{"4000", "bank"}, {"5000", "merchant_bank"}, {"6000", "pension_fund"}, {"7100", "other_corporation"},
	{"8000", "individual"}, {"8888", "institution"}, {"9100", "foreign"}, {NULL, NULL}
};

const KisCall kis_call_program = {
	.name = "program",
	.path = "/uapi/domestic-stock/v1/quotations/investor-program-trade-today",
	.tr_id = "HHPPG046600C1",
	.parameters = {
		{"EXCH_DIV_CLS_CODE",.constant = "J"},
		{"MRKT_DIV_CLS_CODE",.argument = KIS_ARG_MARKET,.codes = program_markets},
	},
	.rows = "output1",
	MEMBERS(program),
	.investors = program_investors,
	.usual_rows = 11,
};

static const struct
{
	const char *unit;
	const char *unit_ko;
	int64_t		factor;
}			units[] = {
	{"thousand shares", "천주", 1000},
	{"contracts", "계약", 1},
	{"million won", "백만원", 1000000},
};

/* Each returns NULL where the code is unknown; codes are case-sensitive. */
const KisMarket *
kis_market_find(const char *code)
{
	for (int i = 0; i < kis_market_count; i++)
		if (strcmp(kis_markets[i].code, code) == 0)
			return &kis_markets[i];
	return NULL;
}

const KisPair *
kis_pair_find(const char *market, const char *sector)
{
	for (int i = 0; i < kis_pair_count; i++)
		if (strcmp(kis_pairs[i].market, market) == 0 &&
			strcmp(kis_pairs[i].sector, sector) == 0)
			return &kis_pairs[i];
	return NULL;
}

/* A call's member by KIS's name or ours; -1 where it has none. */
int
kis_call_member_find(const KisCall *call, const char *name)
{
	for (int i = 0; i < call->nmembers; i++)
		if (strcmp(call->members[i].column, name) == 0 ||
			strcmp(call->members[i].field, name) == 0)
			return i;
	return -1;
}

/* The member of the trend call that holds a measure of an investor, all by number. */
int
kis_figure(int investor, int measure)
{
	return figures[investor][measure];
}

/* How many shares, contracts or won one of a unit is; 0 where that is unknown. */
int64_t
kis_unit_factor(const char *unit)
{
	for (int i = 0; i < lengthof(units); i++)
		if (strcmp(units[i].unit, unit) == 0)
			return units[i].factor;
	return 0;
}

/* The unit in Korean; as it is where that is unknown. */
const char *
kis_unit_ko(const char *unit)
{
	for (int i = 0; i < lengthof(units); i++)
		if (strcmp(units[i].unit, unit) == 0)
			return units[i].unit_ko;
	return unit;
}

/* What the list has for the code; NULL where it has nothing, or is none. */
const char *
kis_translate(const KisTranslation *list, const char *code)
{
	for (; list != NULL && list->from != NULL; list++)
		if (strcmp(list->from, code) == 0)
			return list->to;
	return NULL;
}

/*
 * Are the call's rows of a market, a sector, a day? A sector is always one of a
 * market, whether KIS is told that or not.
 */
bool
kis_call_takes(const KisCall *call, KisArgument argument)
{
	for (const KisParameter *parameter = call->parameters; parameter->name != NULL; parameter++)
		if (parameter->argument == argument ||
			(argument == KIS_ARG_MARKET && parameter->argument == KIS_ARG_SECTOR))
			return true;
	return false;
}

/* Has the call rows of a market? KIS may have no code for it there. */
bool
kis_call_serves(const KisCall *call, const char *market)
{
	bool		listed = call->markets == NULL;

	for (int i = 0; !listed && call->markets[i] != NULL; i++)
		listed = strcmp(call->markets[i], market) == 0;
	for (const KisParameter *parameter = call->parameters; parameter->name != NULL; parameter++)
		if (parameter->codes != NULL && kis_translate(parameter->codes, market) == NULL)
			return false;
	return listed;
}
