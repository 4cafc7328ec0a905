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

/* Is it written as KIS writes codes of this length? Then it is a code, if not one of ours, and no typing error. */
static bool
is_written_as_code(const char *typed, size_t length)
{
	return strlen(typed) == length &&
		strspn(typed, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == length;
}

static const char *
nearest_market(const char *typed)
{
	const char **codes = palloc0((kis_market_count + 1) * sizeof(char *));

	for (int i = 0; i < kis_market_count; i++)
		codes[i] = kis_markets[i].code;
	return kis_suggest_name(typed, codes);
}

/* May it be a code of KIS's that is not listed? It is written as these are. */
bool
kis_may_be_market(const char *typed)
{
	const char *nearest = nearest_market(typed);

	/* a slip comes late in a code; another beginning is another market */
	return is_written_as_code(typed, strlen(kis_markets[0].code)) && nearest != NULL &&
		pg_strncasecmp(typed, nearest, 2) != 0;
}

/* The code that somebody means who typed this; NULL where none is near */
const char *
kis_suggest_market(const char *typed)
{
	for (int i = 0; i < kis_market_count; i++)
	{
		const KisMarket *market = &kis_markets[i];
		char	   *aliases = pstrdup(market->aliases);
		char	   *rest = NULL;

		if (is_named(typed, market->code) || is_named(typed, market->name_ko) ||
			is_named(typed, market->name_en))
			return market->code;
		for (char *alias = strtok_r(aliases, ",", &rest); alias != NULL;
			 alias = strtok_r(NULL, ",", &rest))
			if (is_named(typed, alias))
				return market->code;
	}
	return kis_may_be_market(typed) ? NULL : nearest_market(typed);
}

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

/* No code that is merely like it: one digit is another industry. */
const char *
kis_suggest_sector(const char *market, const char *typed)
{
	const char *of_another = NULL;

	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *pair = &kis_pairs[i];

		if (!is_same_code(typed, pair->sector) && !is_named(typed, pair->name_ko) &&
			!is_named(typed, pair->name_en) && !is_named(typed, pair->old_name_ko))
			continue;
		if (market == NULL || strcmp(market, pair->market) == 0)
			return pair->sector;
		if (of_another == NULL)
			of_another = pair->sector;
	}
	return of_another;
}
