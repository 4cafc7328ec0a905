/*
 * option_parse.c
 *		The grammar of option values: from text to a value, or why not.
 *
 * What a parser returns goes into an error's detail, and must not show the
 * value: it may be a secret. Values are made in the current memory context.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "common/string.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/option_parse.h"
#include "kis.h"

#define KIS_PAPER_HOST	"openapivts.koreainvestment.com"

#define DIGITS	"0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Parts of a URL in lower case, as regular expressions */
#define HOST	"([[:alnum:]._-]{1,253}|\\[[0-9a-f:.]+\\])"
#define LOOPBACK "(localhost|127(\\.[0-9]{1,3}){3}|\\[::1\\])"
#define PORT	"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))"

/* Is the value of this form, a regular expression? Classes of characters are ASCII's. */
static bool
matches(const char *value, const char *form)
{
	return RE_compile_and_execute(cstring_to_text(form), (char *) value, strlen(value),
								  REG_ADVANCED | REG_NOSUB, C_COLLATION_OID, 0, NULL);
}

/*
 * A number with a unit, or 0, in ms; a part of a millisecond counts as one. The
 * grammar is PostgreSQL's for settings, but for hexadecimal and exponents.
 */
const char *
kis_parse_duration(const char *value, double min, double max, void *result)
{
	const char *unit = value + strspn(value, DIGITS ". ");
	double		ms;

	if (strspn(value, DIGITS) == 0 || unit[strspn(unit, LETTERS)] != '\0' ||
		!parse_real(value, &ms, GUC_UNIT_MS, NULL))
		return _("It is not a number with one of the units us, ms, s, min and h.");
	if (*unit == '\0' && ms != 0)
		return _("It has no unit.");
	if (ms < min || ms > max)
		return _("It is out of range.");
	*(int *) result = (int) ceil(ms);
	return NULL;
}

/* A whole number, in decimal digits alone. */
const char *
kis_parse_integer(const char *value, double min, double max, void *result)
{
	int		   *number = result;

	if (value[0] == '\0' || value[strspn(value, DIGITS)] != '\0')
		return _("It is not a whole number.");
	errno = 0;
	*number = strtoint(value, NULL, 10);
	if (errno != 0 || *number < min || *number > max)
		return _("It is out of range.");
	return NULL;
}

/* Calls a second, from min to max. */
const char *
kis_parse_rate(const char *value, double min, double max, void *result)
{
	double	   *rate = result;

	if (!matches(value, "^[0-9]+(\\.[0-9]+)?$") || !parse_real(value, rate, 0, NULL))
		return _("It is not a number.");
	if (*rate < min || *rate > max)
		return _("It is out of range.");
	return NULL;
}

/* HH:MM of a day of 24 hours, in seconds. */
const char *
kis_parse_time_of_day(const char *value, double min, double max, void *result)
{
	int			hours;
	int			minutes;

	if (strlen(value) != 5 || strspn(value, DIGITS) != 2 ||
		value[2] != ':' || strspn(value + 3, DIGITS) != 2)
		return _("It is not of the form HH:MM.");
	hours = atoi(value);
	minutes = atoi(value + 3);
	if (hours > 23 || minutes > 59)
		return _("There is no such time.");
	*(int *) result = hours * 3600 + minutes * 60;
	return NULL;
}

/*
 * Takes a list apart, of at most so many items, without the blanks around them.
 * An empty one has none. Nothing is quoted.
 */
static const char *
split_list(const char *value, int max, List **items)
{
	if (strpbrk(value, "\"\t\n\v\f\r") != NULL || !SplitGUCList(pstrdup(value), ',', items))
		return _("Its items are not separated by commas.");
	return list_length(*items) > max ? _("It has too many items.") : NULL;
}

/* YYYY-MM-DD, ..., at most so many, into an integer List of DateADT. */
const char *
kis_parse_days(const char *value, double min, double max, void *result)
{
	List	  **days = result;
	List	   *items;
	const char *why = split_list(value, max, &items);
	ListCell   *cell;

	*days = NIL;
	if (why != NULL)
		return why;
	foreach(cell, items)
	{
		const char *item = lfirst(cell);
		char		digits[KIS_DATE_LEN];
		DateADT		day;

		if (!matches(item, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
			return _("It is not a list of days of the form YYYY-MM-DD.");
		snprintf(digits, sizeof(digits), "%.4s%.2s%.2s", item, item + 5, item + 8);
		if (!kis_day_from_text(digits, &day))
			return _("It has a day that does not exist.");
		*days = lappend_int(*days, day);
	}
	return NULL;
}

/* MARKET/SECTOR, ..., at most so many, into a List of KisPairCode *. */
const char *
kis_parse_pairs(const char *value, double min, double max, void *result)
{
	List	  **pairs = result;
	List	   *items;
	const char *why = split_list(value, max, &items);
	ListCell   *cell;

	*pairs = NIL;
	if (why != NULL)
		return why;
	foreach(cell, items)
	{
		const char *item = lfirst(cell);
		KisPairCode *pair = palloc0(sizeof(KisPairCode));

		StaticAssertStmt(KIS_MARKET_LEN == 8 && KIS_SECTOR_LEN == 8, "codes have up to 7 bytes");
		if (!matches(item, "^\\w{1,7}/\\w{1,7}$"))
			return _("It is not a list of market and sector codes.");
		strlcpy(pair->market, item, strchr(item, '/') - item + 1);
		strlcpy(pair->sector, strchr(item, '/') + 1, sizeof(pair->sector));
		*pairs = lappend(*pairs, pair);
	}
	return NULL;
}

/* An app key, an app secret or the name of a member, which can stand in a header of HTTP: shorter than max bytes. */
const char *
kis_parse_word(const char *value, double min, double max, void *result)
{
	if (value[0] == '\0')
		return _("It is empty.");
	if (strlen(value) >= max)
		return _("It is longer than any of KIS's.");
	/* no regular expression, of which copies of a secret would stay in memory */
	for (const char *c = value; *c; c++)
		if (*c < '!' || *c > '~')
			return _("It contains a blank, a control character or one that is not ASCII.");
	*(char **) result = pstrdup(value);
	return NULL;
}

/*
 * A URL of this form; in its plain form, lower case and without a slash at its
 * end, into *url.
 */
static const char *
parse_url(const char *value, const char *form, char **url)
{
	if (strchr(value, '@') != NULL)
		return _("It must not contain a user name or a password, which anybody could read there.");
	*url = asc_tolower(value, strlen(value));
	if (pg_str_endswith(*url, "/"))
		(*url)[strlen(*url) - 1] = '\0';
	return matches(*url, form) ? NULL : _("It is not a URL of scheme, host and port alone.");
}

/*
 * The URL of KIS's host. In its plain form it is part of what calls are shared
 * and cached by.
 */
const char *
kis_parse_base_url(const char *value, double min, double max, void *result)
{
	char	  **url = result;
	const char *why = parse_url(value, "^[a-z]+://" HOST PORT "?$", url);

	if (why != NULL)
		return why;
	if (strstr(*url, "://" KIS_PAPER_HOST) != NULL)
		return _("KIS does not serve investor flows on its paper-trading host.");
	/* no name but localhost is trusted to stay on this machine */
	if (strncmp(*url, "https://", 8) != 0 && !matches(*url, "^http://" LOOPBACK "(:|$)"))
		return _("Only https keeps the app key and secret safe; http is for loopback addresses alone.");
	return NULL;
}

/* A proxy's URL: the schemes that libcurl knows, with a port, which it would guess otherwise. */
const char *
kis_parse_proxy(const char *value, double min, double max, void *result)
{
	return parse_url(value, "^(https?|socks4a?|socks5h?)://" HOST PORT "$", result);
}

/* An absolute path. */
const char *
kis_parse_path(const char *value, double min, double max, void *result)
{
	if (!is_absolute_path(value))
		return _("It is not an absolute path.");
	if (matches(value, "[[:cntrl:]]"))
		return _("It contains a control character.");
	*(char **) result = pstrdup(value);
	return NULL;
}
