/*
 * redact.c
 *		Keeping secrets out of what is shown and out of freed memory.
 */
#include "kis.h"
#include "kis/redact.h"

#include <stdbool.h>
#include <string.h>

/* Shorter ones are no real secrets and would blot out half of a message. */
#define SHORTEST_SECRET	4

/* A part this long is told nowhere by chance. */
#define SHORTEST_PART	8

/* The longest name that HTML has for a character. */
#define LONGEST_NAME	31

/* Letters that a secret, or a part of it, may begin with, and what may stand for one. */
typedef bool Beginnings[256];

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The number at the start of text, of at most so many digits; how many it has. */
static size_t
read_number(const char *text, size_t len, int base, size_t most, unsigned *number)
{
	size_t		n = 0;

	*number = 0;
	for (; n < len && n < most; n++)
	{
		int			digit = hex_value(text[n]);

		if (digit < 0 || digit >= base)
			break;
		*number = *number * base + digit;
	}
	return n;
}

/* "#65;", "#x41;" or "amp;" after an ampersand: how many bytes, 0 where it is none. */
static size_t
read_entity(const char *text, size_t len, unsigned *character)
{
	bool		hex = len >= 2 && text[0] == '#' && (text[1] | 0x20) == 'x';
	size_t		prefix = hex ? 2 : 1;
	size_t		n;

	if (len > prefix && text[0] == '#')
		n = read_number(text +prefix, len - prefix, hex ? 16 : 10, 7, character);
	else
	{
		/* whatever it is, it is no letter of a secret */
		*character = ' ';
		prefix = 0;
		for (n = 0; n < len && n < LONGEST_NAME && ((text[n] | 0x20) >='a' && (text[n] | 0x20) <='z'); n++)
			;
	}
	return n > 0 && prefix + n < len && text[prefix + n] == ';' ? prefix + n + 1 : 0;
}

/*
 * The character at the start of text, as JSON, a URL or HTML may write it, and
 * how many bytes that takes; else the byte that stands there.
 */
static size_t
read_character(const char *text, size_t len, unsigned *character)
{
	size_t		n = 0;

	if (text[0] == '\\' && len >= 2)
	{
		if (text[1] == 'u' && read_number(text +2, len - 2, 16, 4, character) == 4)
			return 6;
		*character = strchr("\"\\/", text[1]) != NULL ? (unsigned char) text[1] : ' ';

		if (text[1] != '\0' && strchr("\"\\/bfnrt", text[1]) != NULL)
			return 2;
	}
	else if (text[0] == '%' && read_number(text +1, len - 1, 16, 2, character) == 2)
		return 3;
	else if (text[0] == '&' && (n = read_entity(text +1, len - 1, character)) > 0)
		return 1 + n;
	*character = (unsigned char) text[0];

	return 1;
}

/*
 * Secrets are of visible ASCII: a reader overlooks all else between their
 * letters, be it a blank, a line end, a zero or a character without width. What
 * is no UTF-8 has become a question mark in a message.
 */
static bool
is_overlooked(unsigned character)
{
	return character <= ' ' || character >= 0x7F || character == '?';
}

/*
 * How many bytes of text are the secret from its letter "from" on: as much of it
 * as counts. A text that was cut may end within a secret, so that its beginning
 * counts there, however little of it is left; in a message each part does.
 */
static size_t
covered(const char *text, size_t len, const char *secret, size_t from, bool in_json)
{
	const char *letter = secret + from;
	size_t		at = 0;
	size_t		end = 0;

	while (at < len && *letter != '\0')
	{
		unsigned	character;
		size_t		n = 1;

		/* a backslash is never itself in JSON */
		if (text[at] != *letter || (in_json && *letter == '\\'))
		{
			n = read_character(text +at, len - at, &character);
			if (character != (unsigned char) *letter)
			{
				if (end == 0 || !is_overlooked(character))
					break;
				at += n;
				continue;
			}
		}
		letter++;
		at += n;
		end = at;
	}
	if ((!in_json && letter - secret - from >= SHORTEST_PART) ||
		(from == 0 && letter - secret >= SHORTEST_SECRET && (*letter == '\0' || at == len)))
		return end;
	return 0;
}

static size_t
longest_covered(const char *text, size_t len, const char *secret, bool in_json)
{
	size_t		longest = 0;
	size_t		from = 0;

	do
	{
		size_t		n = covered(text, len, secret, from, in_json);

		longest = n > longest ? n : longest;
	} while (!in_json && secret[++from] != '\0');
	return longest;
}

static void
note_beginnings(Beginnings begins, const char *secret, bool in_json)
{
	do
		begins[(unsigned char) *secret] = true;
	while (!in_json && *++secret != '\0');
}

static void
blot_out(char *text, size_t len, const KisSecrets *all, bool in_json)
{
	const char *secrets[3] = {all->app_key, all->app_secret, all->token};
	static const Beginnings is_escape = {['\\'] = true,['%'] = true,['&'] = true};
	Beginnings	begins;
	size_t		blot_until = 0;

	memcpy(begins, is_escape, sizeof(begins));
	for (int s = 0; s < 3; s++)
	{
		if (secrets[s] != NULL && strlen(secrets[s]) >= SHORTEST_SECRET)
			note_beginnings(begins, secrets[s], in_json);
		else
			secrets[s] = NULL;
	}

	/*
	 * one pass: where secrets overlap, each is looked for before it is
	 * touched
	 */
	for (size_t i = 0; i < len; i++)
	{
		if (i >= blot_until)
			while (i < len && !begins[(unsigned char) text[i]])
				i++;
		for (int s = 0; s < 3 && i < len; s++)
		{
			size_t		n;

			/* most places of a reply end here */
			if (secrets[s] == NULL || (in_json && text[i] != secrets[s][0] && !is_escape[(unsigned char) text[i]]))
				continue;
			n = longest_covered(text +i, len - i, secrets[s], in_json);
			if (n > 0 && i + n > blot_until)
				blot_until = i + n;
		}
		if (i < blot_until)
			text[		i] = '*';

		else if (in_json && i < len && text[i] == '\\')
		{
			unsigned	ignored;

			/* what an escape is written with is no character itself */
			i += read_character(text +i, len - i, &ignored) - 1;
		}
	}
}

/*
 * Overwrites every occurrence of the secrets in a message with asterisks, in
 * place: also parts of eight characters or more, and the beginning of one at
 * the end of text, which may have been cut there; also where their letters are
 * written as JSON, a URL or HTML may do it, and whatever that is no visible
 * ASCII stands between them. Secrets of less than four characters are none.
 */
void
kis_redact(char *text, const KisSecrets *secrets)
{
	blot_out(text, strlen(text), secrets, false);
}

/* The same of whole ones in a reply's body; JSON stays valid. */
void
kis_redact_json(char *text, size_t len, const KisSecrets *secrets)
{
	blot_out(text, len, secrets, true);
}

/* Overwrites memory that held a secret so that the compiler can't drop it. */
void
kis_wipe(void *memory, size_t len)
{
	if (memory == NULL || len == 0)
		return;
	memset(memory, 0, len);
	/* the compiler must take it that somebody looks */
__asm__ __volatile__(""::"r"(memory):"memory");
}
