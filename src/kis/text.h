/*
 * text.h
 *		Text that comes from outside, made fit to be shown.
 */
#ifndef KIS_TEXT_H
#define KIS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "kis.h"

/* Name of a phase for a message: "resolving the host name" ... */
extern const char *kis_phase_name(KisPhase phase);

/* Name of a class for counters: "connect", "timeout" ... */
extern const char *kis_error_class_name(KisErrorClass error_class);

#define KIS_BLANKS	" \t\r\n"

/* Moves past blanks at the start of text; the length left without those at its end. */
extern size_t kis_text_trim(const char **text, size_t len);

/* Has it nothing but visible ASCII, which a header can carry? */
extern bool kis_text_is_visible(const char *text);

/* Length of the valid UTF-8 character at text, at most len bytes; 0 if there is none. */
extern int	kis_utf8_char_len(const char *text, size_t len);

/* Copies len bytes of text to buffer, as one line of valid UTF-8 that fits. */
extern void kis_text_clean(char *buffer, size_t size, const char *text, size_t len);

/* Fills error anew; the text is cleaned and cut to fit. */
extern void kis_error_set(KisError *error, KisErrorClass error_class, KisPhase phase,
						  const char *format,...) __attribute__((format(printf, 4, 5)));

#endif							/* KIS_TEXT_H */
