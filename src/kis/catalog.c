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
const int	kis_code_rule_count = lengthof(kis_code_rules);

const KisCall kis_call_trend = {
	.name = "trend",
	.path = "/uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market",
	.tr_id = "FHPTJ04030000",
	.parameters = {
		{"FID_INPUT_ISCD", KIS_ARG_MARKET, NULL},
		{"FID_INPUT_ISCD_2", KIS_ARG_SECTOR, NULL},
	},
	.members = kis_members,
	.nmembers = lengthof(kis_members),
	.day_member = -1,
	.usual_rows = 1,
};

static const char *const share_markets[] = {"KSP", "KSQ", NULL};

const KisCall kis_call_daily = {
	.name = "daily",
	.path = "/uapi/domestic-stock/v1/quotations/inquire-investor-daily-by-market",
	.tr_id = "FHPTJ04040000",
	.parameters = {
		{"FID_COND_MRKT_DIV_CODE", KIS_ARG_CONSTANT, "U"},
		{"FID_INPUT_ISCD", KIS_ARG_SECTOR, NULL},
		{"FID_INPUT_DATE_1", KIS_ARG_DATE, NULL},
		{"FID_INPUT_ISCD_1", KIS_ARG_MARKET, NULL},
		{"FID_INPUT_DATE_2", KIS_ARG_DATE, NULL},
		{"FID_INPUT_ISCD_2", KIS_ARG_SECTOR, NULL},
	},
	.markets = share_markets,
	.members = daily_members,
	.nmembers = lengthof(daily_members),
	.day_member = 0,
	.usual_rows = 300,
	.paging = KIS_PAGING_BACK,
};

const KisCall kis_call_calendar = {
	.name = "calendar",
	.path = "/uapi/domestic-stock/v1/quotations/chk-holiday",
	.tr_id = "CTCA0903R",
	.parameters = {
		{"BASS_DT", KIS_ARG_DATE, NULL},
		{"CTX_AREA_NK", KIS_ARG_CONSTANT, ""},
		{"CTX_AREA_FK", KIS_ARG_CONSTANT, ""},
	},
	.members = calendar_members,
	.nmembers = lengthof(calendar_members),
	.day_member = 0,
	.usual_rows = 24,
	.paging = KIS_PAGING_FORWARD,
	.lifetime = KIS_LIFETIME_DAY,
	.of_ledger = true,
};

static const struct
{
	const char *unit;
	int64_t		factor;
}			unit_factors[] = {
	{"thousand shares", 1000},
	{"contracts", 1},
	{"million won", 1000000},
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

/*
 * A pair whose units are those of all pairs of the market, listed or not; NULL
 * where that is not known.
 */
const KisPair *
kis_units_of_market(const char *market)
{
	for (int i = 0; share_markets[i] != NULL; i++)
		if (strcmp(share_markets[i], market) == 0)
			for (int pair = 0; pair < kis_pair_count; pair++)
				if (strcmp(kis_pairs[pair].market, market) == 0)
					return &kis_pairs[pair];
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

/* Of the trend call, by KIS's name or ours; -1 where unknown. */
int
kis_member_find(const char *name)
{
	return kis_call_member_find(&kis_call_trend, name);
}

/* The member of the trend call that holds a measure of an investor, all by number. */
int
kis_figure(int investor, int measure)
{
	return figures[investor][measure];
}

/*
 * Does the member hold what was sold or bought, a day's total that only grows?
 * A net does not.
 */
bool
kis_member_is_total(int member)
{
	return strstr(kis_members[member].column, "_net_") == NULL;
}

/* How many shares, contracts or won one of a unit is; 0 where that is unknown. */
int64_t
kis_unit_factor(const char *unit)
{
	for (int i = 0; i < lengthof(unit_factors); i++)
		if (strcmp(unit_factors[i].unit, unit) == 0)
			return unit_factors[i].factor;
	return 0;
}

/* Does the call take such an argument? */
bool
kis_call_takes(const KisCall *call, KisArgument argument)
{
	for (const KisParameter *parameter = call->parameters; parameter->name != NULL; parameter++)
		if (parameter->argument == argument)
			return true;
	return false;
}

bool
kis_call_serves(const KisCall *call, const char *market)
{
	if (call->markets == NULL)
		return true;
	for (int i = 0; call->markets[i] != NULL; i++)
		if (strcmp(call->markets[i], market) == 0)
			return true;
	return false;
}
