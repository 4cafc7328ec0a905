/*
 * redact.c
 *		Keeping secrets out of what is shown and out of freed memory.
 */
#include "kis.h"
#include "kis/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Shorter ones are no real secrets and would mask half of a message. */
#define SHORTEST_SECRET	4

/* A part this long stands nowhere by chance. */
#define SHORTEST_PART	8

/* The longest name that HTML has for a character. */
#define LONGEST_NAME	31

/* The number at the start of text, of at most so many digits; how many it has. */
static size_t
read_number(const char *text, size_t len, int base, size_t most, unsigned *number)
{
	static const char digits[] = "0123456789abcdef";
	size_t		n = 0;

	*number = 0;
	for (; n < len && n < most; n++)
	{
		const char *digit = memchr(digits, tolower((unsigned char) text[n]), base);

		if (digit == NULL)
			break;
		*number = *number * base + (digit - digits);
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
		n = read_number(text + prefix, len - prefix, hex ? 16 : 10, 7, character);
	else
	{
		/* whatever it is, it is no letter of a secret */
		*character = ' ';
		prefix = 0;
		for (n = 0; n < len && n < LONGEST_NAME && isalpha((unsigned char) text[n]); n++)
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
		if (text[1] == 'u' && read_number(text + 2, len - 2, 16, 4, character) == 4)
			return 6;
		*character = strchr("\"\\/", text[1]) != NULL ? (unsigned char) text[1] : ' ';

		if (text[1] != '\0' && strchr("\"\\/bfnrt", text[1]) != NULL)
			return 2;
	}
	else if (text[0] == '%' && read_number(text + 1, len - 1, 16, 2, character) == 2)
		return 3;
	else if (text[0] == '&' && (n = read_entity(text + 1, len - 1, character)) > 0)
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
		unsigned	character = (unsigned char) text[at];
		size_t		n = 1;

		/* a backslash is never itself in JSON */
		if (text[at] != *letter || (in_json && *letter == '\\'))
			n = read_character(text + at, len - at, &character);
		if (character == (unsigned char) *letter)
		{
			letter++;
			end = at + n;
		}
		else if (end == 0 || !is_overlooked(character))
			break;
		at += n;
	}
	if ((!in_json && letter - secret - from >= SHORTEST_PART) ||
		(from == 0 && letter - secret >= SHORTEST_SECRET && (*letter == '\0' || at == len)))
		return end;
	return 0;
}

/* The same of all secrets; in a message from each of their letters on. */
static size_t
longest_covered(const char *text, size_t len, const char *const *secrets, bool in_json)
{
	bool		is_escape = text[0] == '\\' || text[0] == '%' || text[0] == '&';
	size_t		longest = 0;

	for (int s = 0; s < 3; s++)
		for (size_t from = 0; secrets[s][from] != '\0' && (from == 0 || !in_json); from++)
			if (is_escape || text[0] == secrets[s][from])
			{
				size_t		n = covered(text, len, secrets[s], from, in_json);

				longest = n > longest ? n : longest;
			}
	return longest;
}

/*
 * Masks secrets in one pass: where they overlap, each is looked for before it is
 * touched.
 */
static void
mask(char *text, size_t len, const KisSecrets *all, size_t shortest, bool in_json)
{
	const char *secrets[3] = {all->app_key, all->app_secret, all->token};
	char		begins[256] = "\\%&";
	size_t		nbegins = strlen(begins);
	size_t		masked_until = 0;
	size_t		covered_until;
	unsigned	ignored;

	for (int s = 0; s < 3; s++)
	{
		if (secrets[s] == NULL || strlen(secrets[s]) < shortest)
			secrets[s] = "";
		/* in a message a part may begin with each letter */
		for (size_t from = 0; secrets[s][from] != '\0' && (from == 0 || !in_json); from++)
			if (strchr(begins, secrets[s][from]) == NULL)
				begins[nbegins++] = secrets[s][from];
	}
	for (size_t i = 0; i < len; i++)
	{
		/* most bytes of a reply are passed here */
		if (i >= masked_until)
			i += strcspn(text + i, begins);
		if (i >= len)
			break;
		covered_until = i + longest_covered(text + i, len - i, secrets, in_json);
		if (covered_until > masked_until)
			masked_until = covered_until;
		if (i < masked_until)
			text[i] = '*';
		else if (in_json && text[i] == '\\')
			/* what an escape is written with is no character itself */
			i += read_character(text + i, len - i, &ignored) - 1;
	}
}

/*
 * Masks every occurrence of the secrets in a message with asterisks, in place:
 * also parts of eight characters or more, and the beginning of one at the end of
 * text, which may have been cut there; also where their letters are written as
 * JSON, a URL or HTML may do it, and whatever that is no visible ASCII stands
 * between them. Secrets of less than four characters are none.
 */
void
kis_redact(char *text, const KisSecrets *secrets)
{
	mask(text, strlen(text), secrets, SHORTEST_SECRET, false);
}

/*
 * Masks whole secrets of so many characters or more in a reply's body of len
 * bytes and a NUL, in place; JSON stays valid. What is no JSON may have zeros in it.
 */
void
kis_redact_json(char *text, size_t len, const KisSecrets *secrets, size_t shortest)
{
	mask(text, len, secrets, shortest, true);
}

/*
 * Overwrites memory that held a secret so that the compiler can't drop it. What
 * libraries copied of it stays where they freed it.
 */
void
kis_wipe(void *memory, size_t len)
{
	if (memory != NULL)
		explicit_bzero(memory, len);
}
