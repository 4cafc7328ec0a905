/*
 * redact.c
 *		Keeping secrets out of what is shown and out of freed memory.
 */
#include "kis.h"

#include <string.h>

/* Shorter ones are no real secrets and would blot out half of a message. */
#define SHORTEST_SECRET	4

/* A part this long is told nowhere by chance. */
#define SHORTEST_PART	8

/* How much of text, len bytes, is the secret's from its start on. */
typedef size_t (*Cover) (const char *text, size_t len, const char *secret, size_t secret_len);

/*
 * The whole secret or a part of it. A text that was cut may end within a
 * secret, so that its beginning counts there, however little of it is left.
 */
static size_t
covered_in_message(const char *text, size_t len, const char *secret, size_t secret_len)
{
	size_t		longest = 0;

	for (size_t from = 0; from < secret_len; from++)
	{
		size_t		n = 0;

		while (n < len && from + n < secret_len && text[n] == secret[from + n])
			n++;
		if (n >= SHORTEST_PART ||
			(from == 0 && n >= SHORTEST_SECRET && (n == secret_len || n == len)))
			longest = n > longest ? n : longest;
	}
	return longest;
}

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

/* How many bytes stand for the character at the start of JSON text; 0: another one does. */
static size_t
bytes_of_character(const char *text, size_t len, unsigned char character)
{
	if (len >= 6 && memcmp(text, "\\u00", 4) == 0 &&
		hex_value(text[4]) == character >> 4 && hex_value(text[5]) == (character & 15))
		return 6;
	if (len >= 2 && text[0] == '\\')
		return (unsigned char) text[1] == character && strchr("\"\\/", character) != NULL ? 2 : 0;
	return len > 0 && (unsigned char) text[0] == character ? 1 : 0;
}

/* The whole secret, in whatever way JSON may write it; or its beginning where the text ends. */
static size_t
covered_in_json(const char *text, size_t len, const char *secret, size_t secret_len)
{
	size_t		at = 0;

	for (size_t i = 0; i < secret_len; i++)
	{
		size_t		n = bytes_of_character(text + at, len - at, secret[i]);

		if (n == 0)
			return at == len && i >= SHORTEST_SECRET ? at : 0;
		at += n;
	}
	return at;
}

/* How many bytes JSON text needs for the character at its start; 1 where that is no escape. */
static size_t
escape_length(const char *text, size_t len)
{
	if (len >= 2 && text[0] == '\\' && text[1] != '\0' && strchr("\"\\/bfnrt", text[1]) != NULL)
		return 2;
	if (len >= 6 && memcmp(text, "\\u", 2) == 0 && hex_value(text[2]) >= 0 && hex_value(text[3]) >= 0 &&
		hex_value(text[4]) >= 0 && hex_value(text[5]) >= 0)
		return 6;
	return 1;
}

/* A secret may begin in text where one of these characters stands: adds this one's. */
static void
note_beginnings(char *begins, const char *secret, Cover cover)
{
	do
		if (strchr(begins, *secret) == NULL)
			strncat(begins, secret, 1);
	while (cover == covered_in_message && *++secret != '\0');
}

static void
blot_out(char *text, const KisSecrets *secrets, Cover cover)
{
	const char *secret[3] = {secrets->app_key, secrets->app_secret, secrets->token};
	size_t		secret_len[3];
	char		begins[256] = "\\";
	size_t		len = strlen(text);
	size_t		blot_until = 0;

	for (int s = 0; s < 3; s++)
	{
		secret_len[s] = secret[s] != NULL ? strlen(secret[s]) : 0;
		if (secret_len[s] >= SHORTEST_SECRET)
			note_beginnings(begins, secret[s], cover);
		else
			secret_len[s] = 0;
	}

	/* one pass: where secrets overlap, each is looked for before it is touched */
	for (size_t i = 0; i < len; i++)
	{
		if (i >= blot_until)
			i += strcspn(text + i, begins);
		for (int s = 0; s < 3; s++)
		{
			size_t		n = secret_len[s] == 0 ? 0 :
				cover(text + i, len - i, secret[s], secret_len[s]);

			if (n > 0 && i + n > blot_until)
				blot_until = i + n;
		}
		if (i < blot_until)
			text[i] = '*';
		else if (cover == covered_in_json)
			i += escape_length(text + i, len - i) - 1;
	}
}

void
kis_redact(char *text, const KisSecrets *secrets)
{
	blot_out(text, secrets, covered_in_message);
}

void
kis_redact_json(char *text, const KisSecrets *secrets)
{
	blot_out(text, secrets, covered_in_json);
}

void
kis_wipe(void *memory, size_t len)
{
	if (memory == NULL || len == 0)
		return;
	memset(memory, 0, len);
	/* the compiler must take it that somebody looks */
	__asm__ __volatile__("" : : "r" (memory) : "memory");
}
