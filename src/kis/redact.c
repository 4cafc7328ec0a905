/*
 * redact.c
 *		Keeping secrets out of what is shown and out of freed memory.
 */
#include "kis.h"

#include <string.h>

/* Shorter ones are no real secrets and would blot out half of a message. */
#define SHORTEST_SECRET	4

/*
 * How much of text, len bytes, the secret covers from its start on. A text that
 * was cut may end within a secret, so that its beginning counts there too.
 */
static size_t
covered(const char *text, size_t len, const char *secret, size_t secret_len)
{
	size_t		n = len < secret_len ? len : secret_len;

	if (n < SHORTEST_SECRET || memcmp(text, secret, n) != 0)
		return 0;
	return n;
}

void
kis_redact(char *text, const KisSecrets *secrets)
{
	const char *secret[3] = {secrets->app_key, secrets->app_secret, secrets->token};
	size_t		secret_len[3];
	bool		begins[256] = {false};
	size_t		len = strlen(text);
	size_t		blot_until = 0;

	for (int s = 0; s < 3; s++)
	{
		secret_len[s] = secret[s] != NULL ? strlen(secret[s]) : 0;
		if (secret_len[s] >= SHORTEST_SECRET)
			begins[(unsigned char) secret[s][0]] = true;
		else
			secret_len[s] = 0;
	}

	/* one pass: where secrets overlap, each is looked for before it is touched */
	for (size_t i = 0; i < len; i++)
	{
		if (begins[(unsigned char) text[i]])
			for (int s = 0; s < 3; s++)
			{
				size_t		n = secret_len[s] == 0 ? 0 :
					covered(text + i, len - i, secret[s], secret_len[s]);

				if (n > 0 && i + n > blot_until)
					blot_until = i + n;
			}
		if (i < blot_until)
			text[i] = '*';
	}
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
