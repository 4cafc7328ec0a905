/*
 * messages.c
 *		Messages in the language of lc_messages.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "common/messages.h"

#define DOMAIN		PG_TEXTDOMAIN("market_investor_fdw")

/*
 * The domain of our translations, bound. That is not done at the library's start:
 * a preloaded one starts before anybody knows the encoding that they are wanted in.
 */
const char *
kis_text_domain(void)
{
	static int	bound_for = -1;
	int			saved_errno = errno;	/* for a %m */

	if (bound_for != GetDatabaseEncoding())
	{
		bound_for = GetDatabaseEncoding();
		pg_bindtextdomain(DOMAIN);
	}
	errno = saved_errno;
	return DOMAIN;
}
