/*
 * option_parse.c
 *		The grammar of option values: from text to a value, or why not.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <math.h>

#include "utils/guc.h"

#include "common/day.h"
#include "common/option.h"
#include "common/option_parse.h"
#include "kis.h"

#define KIS_PAPER_HOST	"openapivts.koreainvestment.com"

#define DIGITS	"0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* scheme://host[:port] taken apart, in lower case; host without brackets. */
typedef struct Url
{
	char	   *scheme;
	char	   *host;
	int			port;			/* 0: none given */
	bool		is_ipv6;
} Url;

/*
 * The length of the decimal number that text begins with, as in 12 or 0.5;
 * 0 where there is none. Neither hexadecimal nor inf nor nan are numbers here.
 */
static size_t
number_length(const char *text)
{
	size_t		whole = strspn(text, DIGITS);
	size_t		length = whole;

	if (whole > 0 && text[whole] == '.')
	{
		size_t		fraction = strspn(text +whole + 1, DIGITS);

		if (fraction > 0)
			length += 1 + fraction;
	}
	return length;
}

/* A number with a unit, or 0, in ms; a part of a millisecond counts as one. */
const char *
kis_parse_duration(const char *value, double min, double max, int *ms)
{
	size_t		length = number_length(value);
	const char *unit = value + length + strspn(value + length, " ");
	double		result;

	if (value[0] == '-')
		return "A duration can't be negative.";
	if (length == 0)
		return "It does not begin with a number.";
	if (*unit == '\0')
	{
		if (strspn(value, "0.") != length)
			return "It has no unit.";
		result = 0;
	}
	else if (unit[strspn(unit, LETTERS)] != '\0' ||
			 !parse_real(value, &result, GUC_UNIT_MS, NULL))
		return "Its unit is none of us, ms, s, min and h.";

	if (result < min)
		return "It is too short.";
	if (result > max)
		return "It is too long.";
	*ms = (int) ceil(result);
	return NULL;
}

const char *
kis_parse_integer(const char *value, int min, int max, int *result)
{
	size_t		length = strspn(value, DIGITS);
	long		number;

	if (length == 0 || value[length] != '\0')
		return "It is not a whole number.";
	errno = 0;
	number = strtol(value, NULL, 10);
	if (errno != 0 || number < min || number > max)
		return "It is out of range.";
	*result = (int) number;
	return NULL;
}

/* Calls a second, from min to max. */
const char *
kis_parse_rate(const char *value, double min, double max, double *result)
{
	size_t		length = number_length(value);
	double		number;

	if (length == 0 || value[length] != '\0')
		return "It is not a number.";
	number = strtod(value, NULL);
	if (!(number >= min && number <= max))
		return "It is out of range.";
	*result = number;
	return NULL;
}

/* HH:MM of a day of 24 hours, in seconds. */
const char *
kis_parse_time_of_day(const char *value, int *seconds)
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
	*seconds = hours * 3600 + minutes * 60;
	return NULL;
}

/* YYYY-MM-DD, ..., at most so many, into an integer List of DateADT. */
const char *
kis_parse_days(const char *value, int max, List **days)
{
	const char *at = value;

	*days = NIL;
	for (;;)
	{
		int			digits[3];
		char text[	KIS_DATE_LEN];
		DateADT		day;

		at += strspn(at, " ");
		if (*at == '\0' && *days == NIL)
			return NULL;

		for (int i = 0; i < 3; i++)
		{
			size_t		length = i == 0 ? 4 : 2;

			if (strspn(at, DIGITS) != length || (i < 2 && at[length] != '-'))
				return "It is not a list of days of the form YYYY-MM-DD.";
			digits[i] = atoi(at);
			at += length + (i < 2);
		}
		snprintf(text, sizeof(text), "%04d%02d%02d", digits[0], digits[1], digits[2]);
		if (!kis_day_from_text(text, &day))
			return "It has a day that does not exist.";
		if (list_length(*days) == max)
			return "It has too many days.";
		*days = lappend_int(*days, day);

		at += strspn(at, " ");
		if (*at == '\0')
			return NULL;
		if (*at++ != ',')
			return "Its days are not separated by commas.";
	}
}

/* Copies a code that ends at one of the characters of stop; NULL where it is none. */
static const char *
take_code(const char *text, const char *stop, char *code, size_t size)
{
	size_t		length = strspn(text, LETTERS DIGITS "_");

	if (length == 0 || length >= size)
		return NULL;
	if (text[length] != '\0' && strchr(stop, text[length]) == NULL)
		return NULL;
	memcpy(code, text, length);
	code[length] = '\0';
	return text +length;
}

/* MARKET/SECTOR, ..., at most so many, into a List of KisPairCode *. */
const char *
kis_parse_pairs(const char *value, int max, List **pairs)
{
	const char *at = value;

	*pairs = NIL;
	for (;;)
	{
		KisPairCode *pair = palloc0(sizeof(KisPairCode));

		at += strspn(at, " ");
		if (*at == '\0' && *pairs == NIL)
			return NULL;
		at = take_code(at, "/", pair->market, sizeof(pair->market));
		if (at == NULL || *at++ != '/')
			return "It is not a list of market and sector codes.";
		at = take_code(at, ", ", pair->sector, sizeof(pair->sector));
		if (at == NULL)
			return "It is not a list of market and sector codes.";
		if (list_length(*pairs) == max)
			return "It has too many pairs.";
		*pairs = lappend(*pairs, pair);

		at += strspn(at, " ");
		if (*at == '\0')
			return NULL;
		if (*at++ != ',')
			return "Its pairs are not separated by commas.";
	}
}

/* A copy of length bytes in lower case, ASCII alone. */
static char *
lower_copy(const char *text, size_t length)
{
	char	   *copy = pnstrdup(text, length);

	for (char *c = copy; *c; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return copy;
}

/* The host of a URL and the text behind it; NULL where it is none. */
static const char *
take_host(const char *text, Url *url)
{
	size_t		length;

	url->is_ipv6 = (text[0] == '[');
	if (url->is_ipv6)
	{
		struct in6_addr address;

		text	  ++;

		length = strcspn(text, "]");
		url->host = lower_copy(text, length);
		if (text[length] != ']' || inet_pton(AF_INET6, url->host, &address) != 1)
			return NULL;
		return text +length + 1;
	}

	length = strspn(text, LETTERS DIGITS ".-_");
	if (length == 0 || length > 253)
		return NULL;
	url->host = lower_copy(text, length);
	return text +length;
}

/* Takes scheme://host[:port][/] apart; anything else in it is an error. */
static const char *
parse_url(const char *value, Url *url)
{
	const char *at = strstr(value, "://");
	const char *why;

	for (const char *c = value; *c; c++)
		if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7f)
			return "It contains a blank, a control character or one that is not ASCII.";
	if (strchr(value, '@') != NULL)
		return "It must not contain a user name or a password, which anybody could read there.";
	if (at == NULL || at == value)
		return "It is not of the form scheme://host:port.";

	url->scheme = lower_copy(value, at - value);
	at = take_host(at + 3, url);
	if (at == NULL)
		return "It names no valid host.";

	url->port = 0;
	if (*at == ':')
	{
		char	   *port = pnstrdup(at + 1, strspn(at + 1, DIGITS));

		why = kis_parse_integer(port, 1, 65535, &url->port);
		if (why != NULL)
			return "Its port is not a number from 1 to 65535.";
		at += 1 + strlen(port);
	}
	if (strcmp(at, "") != 0 && strcmp(at, "/") != 0)
		return "Nothing may follow host and port.";
	return NULL;
}

static char *
print_url(const Url *url)
{
	char	   *host = url->is_ipv6 ? psprintf("[%s]", url->host) : url->host;

	if (url->port == 0)
		return psprintf("%s://%s", url->scheme, host);
	return psprintf("%s://%s:%d", url->scheme, host, url->port);
}

static bool
is_loopback(const Url *url)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcmp(url->host, "localhost") == 0)
		return true;
	if (url->is_ipv6)
		return inet_pton(AF_INET6, url->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	return inet_pton(AF_INET, url->host, &v4) == 1 &&
		(ntohl(v4.s_addr) >> 24) == 127;
}

/* scheme://host[:port] in its plain form: lower case, no slash at its end. */
const char *
kis_parse_base_url(const char *value, char **url)
{
	Url			parts;
	const char *why = parse_url(value, &parts);

	if (why != NULL)
		return why;
	if (strncmp(parts.host, KIS_PAPER_HOST, strlen(KIS_PAPER_HOST)) == 0)
		return "KIS does not serve investor flows on its paper-trading host.";
	if (strcmp(parts.scheme, "https") != 0 &&
		!(strcmp(parts.scheme, "http") == 0 && is_loopback(&parts)))
		return "Only https keeps the app key and secret safe; http is for loopback addresses alone.";
	*url = print_url(&parts);
	return NULL;
}

const char *
kis_parse_proxy(const char *value, char **proxy)
{
	static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
	Url			parts;
	const char *why = parse_url(value, &parts);

	if (why != NULL)
		return why;
	if (parts.port == 0)
		return "It names no port.";
	for (int i = 0; i < (int) lengthof(schemes); i++)
	{
		if (strcmp(parts.scheme, schemes[i]) == 0)
		{
			*proxy = print_url(&parts);
			return NULL;
		}
	}
	return "Its scheme is none of http, https, socks4, socks4a, socks5 and socks5h.";
}

/* An absolute path. */
const char *
kis_parse_path(const char *value, char **path)
{
	if (!is_absolute_path(value))
		return "It is not an absolute path.";
	for (const char *c = value; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return "It contains a control character.";
	*path = pstrdup(value);
	return NULL;
}

/* An app key or app secret. */
const char *
kis_parse_secret(const char *value, char **secret)
{
	size_t		length = strlen(value);

	if (length == 0)
		return "It is empty.";
	if (length >= KIS_TOKEN_LEN)
		return "It is longer than any of KIS's.";
	if (value[length - 1] == '\n' || value[length - 1] == '\r')
		return "It ends with a newline, which was probably copied along with it.";
	for (const char *c = value; *c; c++)
		if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7f)
			return "It contains a blank, a control character or one that is not ASCII.";
	*secret = pstrdup(value);
	return NULL;
}
