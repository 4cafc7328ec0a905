/*
 * meant.c
 *		The codes that somebody means who typed a name or another code.
 */
#include "postgres.h"

#include "error.h"
#include "fdw.h"

static bool
is_named(const char *typed, const char *utf8)
{
	return utf8[0] != '\0' && pg_strcasecmp(typed, kis_to_server_lossy(utf8)) == 0;
}

const char *
kis_market_meant(const char *typed)
{
	const char **codes = palloc0((kis_market_count + 1) * sizeof(char *));

	for (int i = 0; i < kis_market_count; i++)
	{
		const KisMarket *market = &kis_markets[i];
		char	   *aliases = pstrdup(market->aliases);
		char	   *rest = NULL;

		codes[i] = market->code;
		if (is_named(typed, market->code) || is_named(typed, market->name_ko) ||
			is_named(typed, market->name_en))
			return market->code;
		for (char *alias = strtok_r(aliases, ",", &rest); alias != NULL;
			 alias = strtok_r(NULL, ",", &rest))
			if (is_named(typed, alias))
				return market->code;
	}
	return kis_nearest_name(typed, codes);
}

const char *
kis_investor_meant(const char *typed)
{
	const char **codes = palloc0((kis_investor_count + 1) * sizeof(char *));

	for (int i = 0; i < kis_investor_count; i++)
	{
		const KisInvestor *investor = &kis_investors[i];

		codes[i] = investor->code;
		if (is_named(typed, investor->code) || is_named(typed, investor->name_ko) ||
			is_named(typed, investor->name_ko_screen) || is_named(typed, investor->name_en) ||
			is_named(typed, investor->prefix))
			return investor->code;
	}
	return kis_nearest_name(typed, codes);
}

const char *
kis_sector_meant(const char *typed)
{
	for (int i = 0; i < kis_pair_count; i++)
		if (is_named(typed, kis_pairs[i].name_ko) || is_named(typed, kis_pairs[i].name_en) ||
			is_named(typed, kis_pairs[i].old_name_ko))
			return kis_pairs[i].sector;
	return NULL;
}
