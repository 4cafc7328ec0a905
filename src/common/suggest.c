/*
 * suggest.c
 *		Did you mean: the code or name that is near to what somebody typed.
 */
#include "postgres.h"

#include <ctype.h>

#include "utils/varlena.h"

#include "common/error.h"
#include "common/suggest.h"
#include "kis/catalog.h"

/*
 * The candidate nearest to what was typed, for a hint; NULL where none is near.
 * Ends with a NULL pointer. ASCII letters are compared without regard to case:
 * candidates are in lower or in upper case.
 */
const char *
kis_suggest_name(const char *typed, const char *const *candidates)
{
	const char *nearest = NULL;
	int			length = strlen(typed);
	int			allowed = Min(4, length / 2);

	if (length >= NAMEDATALEN * 2)
		return NULL;
	for (; *candidates != NULL && allowed >= 0; candidates++)
	{
		char	   *folded = pstrdup(typed);
		int			distance;

		for (char *c = folded; *c; c++)
			*c = isupper((unsigned char) (*candidates)[0]) ?
				pg_ascii_toupper((unsigned char) *c) : pg_ascii_tolower((unsigned char) *c);
		distance = varstr_levenshtein_less_equal(folded, length, *candidates, strlen(*candidates),
												 1, 1, 1, allowed, true);
		if (distance <= allowed)
		{
			nearest = *candidates;
			allowed = distance - 1;
		}
	}
	return nearest;
}

static bool
is_named(const char *typed, const char *utf8)
{
	return utf8[0] != '\0' && pg_strcasecmp(typed, kis_to_server_lossy(utf8)) == 0;
}

/*
 * The market that is called so, or whose code is near; NULL where there is none.
 * What is as long as a code is taken for one of KIS's that is not listed.
 */
const char *
kis_suggest_market(const char *typed)
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
	return strlen(typed) == strlen(codes[0]) ? NULL : kis_suggest_name(typed, codes);
}

/* The investor that is called so, or whose code is near; NULL where there is none. */
const char *
kis_suggest_investor(const char *typed)
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
	return kis_suggest_name(typed, codes);
}

/* Spreadsheets drop the zeros at the beginning. */
static bool
is_same_code(const char *typed, const char *code)
{
	return pg_strcasecmp(typed + strspn(typed, "0"), code + strspn(code, "0")) == 0;
}

/*
 * The pair, of the market where that is not NULL and has one, whose sector is called
 * so; NULL where there is none. No code that is merely like it: one digit is
 * another industry.
 */
const KisPair *
kis_suggest_pair(const char *market, const char *typed)
{
	const KisPair *of_another = NULL;

	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *pair = &kis_pairs[i];

		if (!is_same_code(typed, pair->sector) && !is_named(typed, pair->name_ko) &&
			!is_named(typed, pair->name_en) && !is_named(typed, pair->old_name_ko))
			continue;
		if (market == NULL || strcmp(market, pair->market) == 0)
			return pair;
		if (of_another == NULL)
			of_another = pair;
	}
	return of_another;
}
