/*
 * option_parse.c
 *		The grammar of option values: from text to a value, or why not.
 *
 * What a parser returns goes into an error's detail, and must not show the
 * value: it may be a secret. Values are made in the current memory context.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <math.h>

#include "common/string.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "common/day.h"
#include "common/option_parse.h"
#include "kis.h"

#define KIS_PAPER_HOST	"openapivts.koreainvestment.com"

#define DIGITS	"0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/*
 * A number with a unit, or 0, in ms; a part of a millisecond counts as one. The
 * grammar is PostgreSQL's for settings, but for hexadecimal and exponents.
 */
const char *
kis_parse_duration(const char *value, double min, double max, void *result)
{
	const char *unit = value + strspn(value, DIGITS ". ");
	double		ms;

	if (unit[strspn(unit, LETTERS)] != '\0' || !parse_real(value, &ms, GUC_UNIT_MS, NULL))
		return "It is not a number with one of the units us, ms, s, min and h.";
	if (*unit == '\0' && ms != 0)
		return "It has no unit.";
	if (ms < min || ms > max)
		return "It is out of range.";
	*(int *) result = (int) ceil(ms);
	return NULL;
}

/* A whole number, in decimal digits alone. */
const char *
kis_parse_integer(const char *value, double min, double max, void *result)
{
	int		   *number = result;

	if (value[0] == '\0' || value[strspn(value, DIGITS)] != '\0')
		return "It is not a whole number.";
	errno = 0;
	*number = strtoint(value, NULL, 10);
	if (errno != 0 || *number < min || *number > max)
		return "It is out of range.";
	return NULL;
}

/* Calls a second, from min to max. */
const char *
kis_parse_rate(const char *value, double min, double max, void *result)
{
	double	   *rate = result;

	if (value[strspn(value, DIGITS ".")] != '\0' || !parse_real(value, rate, 0, NULL))
		return "It is not a number.";
	if (*rate < min || *rate > max)
		return "It is out of range.";
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
		return "It is not of the form HH:MM.";
	hours = atoi(value);
	minutes = atoi(value + 3);
	if (hours > 23 || minutes > 59)
		return "There is no such time.";
	*(int *) result = hours * 3600 + minutes * 60;
	return NULL;
}

/*
 * Takes a list apart, of at most so many items, without the blanks around them.
 * An empty one has none.
 */
static const char *
split_list(const char *value, int max, List **items)
{
	if (!SplitGUCList(pstrdup(value), ',', items))
		return "Its items are not separated by commas.";
	return list_length(*items) > max ? "It has too many items." : NULL;
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

		if (strlen(item) != 10 || item[4] != '-' || item[7] != '-')
			return "It is not a list of days of the form YYYY-MM-DD.";
		snprintf(digits, sizeof(digits), "%.4s%.2s%.2s", item, item + 5, item + 8);
		if (!kis_day_from_text(digits, &day))
			return "It has a day that does not exist.";
		*days = lappend_int(*days, day);
	}
	return NULL;
}

/* Copies a code of so many bytes; false where it is none, or doesn't fit. */
static bool
copy_code(char *code, size_t size, const char *text, size_t length)
{
	if (length == 0 || strspn(text, LETTERS DIGITS "_") < length || length >= size)
		return false;
	strlcpy(code, text, length + 1);
	return true;
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
		const char *slash = strchr(item, '/');
		KisPairCode *pair = palloc0(sizeof(KisPairCode));

		if (slash == NULL ||
			!copy_code(pair->market, sizeof(pair->market), item, slash - item) ||
			!copy_code(pair->sector, sizeof(pair->sector), slash + 1, strlen(slash + 1)))
			return "It is not a list of market and sector codes.";
		*pairs = lappend(*pairs, pair);
	}
	return NULL;
}

/* ASCII without blanks and control characters? Then it can stand in a header of HTTP. */
static bool
is_word(const char *text)
{
	for (; *text; text ++)
	{
		if ((unsigned char) *text <=' ' || (unsigned char) *text >=0x7f)
			return false;
	}
	return true;
}

/* An app key, an app secret or the name of a member: shorter than size bytes. */
const char *
kis_parse_word(const char *value, double min, double max, void *result)
{
	if (value[0] == '\0')
		return "It is empty.";
	if (strlen(value) >= max)
		return "It is longer than any of KIS's.";
	if (!is_word(value))
		return "It contains a blank, a control character or one that is not ASCII.";
	*(char **) result = pstrdup(value);
	return NULL;
}

/*
 * Takes scheme://host[:port][/] apart; anything else in it is an error. *url is
 * its plain form, in lower case and without a slash at its end, *host a copy of
 * the host, with the brackets of an IPv6 address, *has_port whether it has one.
 */
static const char *
parse_url(const char *value, char **url, char **host, bool *has_port)
{
	char	   *at;
	size_t		length;
	int			port;

	if (!is_word(value))
		return "It contains a blank, a control character or one that is not ASCII.";
	if (strchr(value, '@') != NULL)
		return "It must not contain a user name or a password, which anybody could read there.";
	*url = pstrdup(value);
	for (char *c = *url; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	at = strstr(*url, "://");
	if (at == NULL || at == *url)
		return "It is not of the form scheme://host:port.";
	at += strlen("://");

	if (at[0] != '\0' && at[strlen(at) - 1] == '/')
		at[strlen(at) - 1] = '\0';
	length = strspn(at, LETTERS DIGITS ".-_");
	if (at[0] == '[')
	{
		length = strspn(at + 1, DIGITS "abcdef:.") + 2;
		if (at[length - 1] != ']')
			length = 0;
	}
	if (length == 0 || length > 253)
		return "It names no valid host.";
	*host = pnstrdup(at, length);
	*has_port = strlen(at) > length;
	at += length;
	if (*has_port && at[0] != ':')
		return "Nothing may follow host and port.";
	if (*has_port && kis_parse_integer(at + 1, 1, 65535, &port) != NULL)
		return "Its port is not a number from 1 to 65535.";
	return NULL;
}

/* Does what is sent there stay on this machine? No name but localhost is trusted to. */
static bool
is_loopback(const char *host)
{
	struct in_addr address;

	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		(inet_pton(AF_INET, host, &address) == 1 && strncmp(host, "127.", 4) == 0);
}

/*
 * scheme://host[:port] in its plain form: lower case, no slash at its end. In
 * this form it is part of what calls are shared and cached by.
 */
const char *
kis_parse_base_url(const char *value, double min, double max, void *result)
{
	char	  **url = result;
	char	   *host;
	bool		has_port;
	const char *why = parse_url(value, url, &host, &has_port);

	if (why != NULL)
		return why;
	if (strncmp(host, KIS_PAPER_HOST, strlen(KIS_PAPER_HOST)) == 0)
		return "KIS does not serve investor flows on its paper-trading host.";
	if (strncmp(*url, "https:", 6) != 0 && !(strncmp(*url, "http:", 5) == 0 && is_loopback(host)))
		return "Only https keeps the app key and secret safe; http is for loopback addresses alone.";
	return NULL;
}

/* A proxy's URL: the schemes that libcurl knows, with a port, which it would guess otherwise. */
const char *
kis_parse_proxy(const char *value, double min, double max, void *result)
{
	static const char *const schemes[] = {"http:", "https:", "socks4:", "socks4a:", "socks5:", "socks5h:"};
	char	   *host;
	char	  **proxy = result;
	bool		has_port;
	const char *why = parse_url(value, proxy, &host, &has_port);

	if (why != NULL)
		return why;
	if (!has_port)
		return "It names no port.";
	for (int i = 0; i < (int) lengthof(schemes); i++)
	{
		if (strncmp(*proxy, schemes[i], strlen(schemes[i])) == 0)
			return NULL;
	}
	return "Its scheme is none of http, https, socks4, socks4a, socks5 and socks5h.";
}

/* An absolute path. */
const char *
kis_parse_path(const char *value, double min, double max, void *result)
{
	if (!is_absolute_path(value))
		return "It is not an absolute path.";
	for (const char *c = value; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return "It contains a control character.";
	*(char **) result = pstrdup(value);
	return NULL;
}
