/*
 * text.c
 *		Text that comes from outside, made fit to be shown.
 */
#include "kis.h"
#include "kis/text.h"

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

/* Has it nothing but visible ASCII, which a header can carry? */
bool
kis_text_is_visible(const char *text)
{
	const char *c = text;

	while (*c > ' ' && *c < 0x7F)
		c++;
	return *c == '\0';
}

/* One of KIS_BLANKS? */
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
		(*text) ++;
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
	bool		blank = false;

	while (len > 0)
	{
		int			n = kis_utf8_char_len(text, len);
		bool		is_control = n == 1 && ((unsigned char) *text <=' ' || *text == 0x7F);
		size_t		step = n == 0 ? 1 : n;

		if (!is_control && out + step + blank >= buffer + size)
			break;
		if (!is_control)
		{
			if (blank)
				*out++ = ' ';
			memcpy(out, n == 0 ? "?" : text, step);
			out += step;
		}
		blank = is_control && out > buffer;
		text	  +=step;

		len -= step;
	}
	*out = '\0';
}

/* Fills error anew; the text is cleaned and cut to fit. */
void
kis_error_set(KisError *error, KisErrorClass error_class, KisPhase phase,
			  const char *format,...)
{
	char		text[2 * sizeof(error->text)];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	memset(error, 0, sizeof(*error));
	error->error_class = error_class;
	error->phase = phase;
	kis_text_clean(error->text, sizeof(error->text), text, strlen(text));
	snprintf(error->form, sizeof(error->form), "%s", format);
}

/* Name of a phase for a message: "resolving the host name" ... */
const char *
kis_phase_name(KisPhase phase)
{
	static const char *const names[] = {
		[KIS_PHASE_NONE] = kis_noop("preparing the request"),
		[KIS_PHASE_RESOLVE] = kis_noop("resolving the host name"),
		[KIS_PHASE_CONNECT] = kis_noop("connecting"),
		[KIS_PHASE_TLS] = kis_noop("agreeing on TLS"),
		[KIS_PHASE_REPLY] = kis_noop("waiting for the reply"),
	};

	return names[phase];
}

/* Name of a class for counters: "connect", "timeout" ... */
const char *
kis_error_class_name(KisErrorClass error_class)
{
	static const char *const names[] = {
		[KIS_OK] = "none",
		[KIS_ERROR_CONNECT] = "connect",
		[KIS_ERROR_TIMEOUT] = "timeout",
		[KIS_ERROR_DROPPED] = "dropped",
		[KIS_ERROR_TOKEN] = "token",
		[KIS_ERROR_TOKEN_TOO_SOON] = "token_too_soon",
		[KIS_ERROR_CREDENTIALS] = "credentials",
		[KIS_ERROR_RATE] = "rate",
		[KIS_ERROR_TRANSIENT] = "passing",
		[KIS_ERROR_REFUSED] = "refused",
		[KIS_ERROR_REPLY] = "reply",
		[KIS_ERROR_FULL] = "full",
		[KIS_ERROR_LOCAL] = "local",
	};

	return names[error_class];
}
