/*
 * text.c
 *		Text that comes from outside, made fit to be shown.
 */
#include "kis.h"
#include "kis/text.h"

#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 character at text, at most len bytes; 0 if there is none. */
int
kis_utf8_char_len(const char *text, size_t len)
{
	const unsigned char *c = (const unsigned char *) text;
	int			n;

	if (len == 0)
		return 0;
	if (c[0] < 0x80)
		return 1;
	n = c[0] >= 0xC2 && c[0] <= 0xDF ? 2 :
		(c[0] & 0xF0) == 0xE0 ? 3 :
		c[0] >= 0xF0 && c[0] <= 0xF4 ? 4 : 0;
	if (n == 0 || len < (size_t) n)
		return 0;
	for (int i = 1; i < n; i++)
		if ((c[i] & 0xC0) != 0x80)
			return 0;

	/* not longer than need be, no surrogates, none past U+10FFFF */
	if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
		(c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
		return 0;
	return n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Moves past blanks at the start of text, which has len bytes and need not end
 * with a NUL. Returns how many bytes are left without those at its end.
 */
size_t
kis_text_trim(const char **text, size_t len)
{
	for (; len > 0 && is_blank(**text); len--)
		(*text)++;
	while (len > 0 && is_blank((*text)[len - 1]))
		len--;
	return len;
}

/*
 * Copies len bytes of text to buffer: blanks and control characters become
 * single blanks, those around it go, bytes that are not UTF-8 become '?', and
 * what doesn't fit is cut between two characters.
 */
void
kis_text_clean(char *buffer, size_t size, const char *text, size_t len)
{
	char	   *out = buffer;
	char	   *last = buffer + size - 1;
	bool		blank = false;

	for (size_t i = 0; i < len;)
	{
		int			n = kis_utf8_char_len(text +i, len - i);
		bool		control = n == 1 && ((unsigned char) text[i] <= ' ' || text[i] == 0x7F);

		if (!control)
		{
			int			need = (n == 0 ? 1 : n) + (blank ? 1 : 0);

			if (out + need > last)
				break;
			if (blank)
				*out++ = ' ';
			if (n == 0)
				*out++ = '?';
			else
			{
				memcpy(out, text +i, n);
				out += n;
			}
			blank = false;
		}
		else if (out > buffer)
			blank = true;
		i += n == 0 ? 1 : n;
	}
	*out = '\0';
}

/* Fills error anew; the text is cleaned and cut to fit. */
void
kis_error_set(KisError *error, KisErrorClass error_class, KisPhase phase,
			  const char *format,...)
{
	char text[	2 * sizeof(error->text)];
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		len = 0;
	if ((size_t) len >= sizeof(text))
		len = sizeof(text) - 1;

	memset(error, 0, sizeof(*error));
	error->error_class = error_class;
	error->phase = phase;
	kis_text_clean(error->text, sizeof(error->text), text, len);
}

/* Name of a phase for a message: "resolving the host name" ... */
const char *
kis_phase_name(KisPhase phase)
{
	switch (phase)
	{
		case KIS_PHASE_NONE:
			break;
		case KIS_PHASE_RESOLVE:
			return "resolving the host name";
		case KIS_PHASE_CONNECT:
			return "connecting";
		case KIS_PHASE_TLS:
			return "agreeing on TLS";
		case KIS_PHASE_REPLY:
			return "waiting for the reply";
	}
	return "preparing the request";
}

/* Name of a class for counters: "connect", "timeout" ... */
const char *
kis_error_class_name(KisErrorClass error_class)
{
	switch (error_class)
	{
		case KIS_OK:
			break;
		case KIS_ERROR_CONNECT:
			return "connect";
		case KIS_ERROR_TIMEOUT:
			return "timeout";
		case KIS_ERROR_DROPPED:
			return "dropped";
		case KIS_ERROR_TOKEN:
			return "token";
		case KIS_ERROR_TOKEN_TOO_SOON:
			return "token_too_soon";
		case KIS_ERROR_CREDENTIALS:
			return "credentials";
		case KIS_ERROR_RATE:
			return "rate";
		case KIS_ERROR_TRANSIENT:
			return "passing";
		case KIS_ERROR_REFUSED:
			return "refused";
		case KIS_ERROR_REPLY:
			return "reply";
		case KIS_ERROR_FULL:
			return "full";
		case KIS_ERROR_LOCAL:
			return "local";
	}
	return "none";
}
