/*
 * code.h
 *		The policy for what KIS says: one table of its codes and of the HTTP
 *		statuses that come without one, and which class is tried again.
 */
#ifndef KIS_CODE_H
#define KIS_CODE_H

#include <stdbool.h>

#include "kis.h"

/* May the same request be tried again at once or after a pause? */
extern bool kis_error_is_transient(KisErrorClass error_class);

/* What a call that failed counts against, by KIS's code and the HTTP status. */
extern KisQuota kis_error_counts_against(const KisError *error);

/* What to do about KIS's code where that says more than its class; else NULL. English. */
extern const char *kis_error_code_hint(const KisError *error);

#define KIS_CODE_EMPTY_PAGE	"KIOK0560"	/* there are no rows */

/* How a reply with such a code and status is taken: see code.c. */
typedef struct KisCodeRule
{
	const char *code;			/* whole, or its beginning and '*'; "": the
								 * reply has none */
	int			from_status;	/* of HTTP, up to and with to_status */
	int			to_status;
	KisErrorClass error_class;
	KisQuota	counts_against;
	const char *hint;			/* NULL: that of its class */
} KisCodeRule;

/* The rule for a code, in whatever case KIS writes it; NULL: none is listed. */
extern const KisCodeRule *kis_code_rule(const char *code, int http_status);

#endif							/* KIS_CODE_H */
