/*
 * messages.h
 *		Messages in the language of lc_messages: what a file includes that raises
 *		or shows any. po has the translations.
 *
 * What ereport takes is translated by it; another text where it is used, by _(),
 * and if it stands in a table of constants it is marked there by gettext_noop(), or
 * below the wall by kis_noop().
 */
#ifndef KIS_COMMON_MESSAGES_H
#define KIS_COMMON_MESSAGES_H

#include "postgres.h"

#undef TEXTDOMAIN
#define TEXTDOMAIN	kis_text_domain()

#undef _
#define _(text)		dgettext(TEXTDOMAIN, text)

extern const char *kis_text_domain(void);


#endif							/* KIS_COMMON_MESSAGES_H */
