/*
 * code.h
 *		What a code of KIS, or an HTTP status without one, means (src/kis only).
 */
#ifndef KIS_CODE_H
#define KIS_CODE_H

#include "kis.h"

#define KIS_CODE_EMPTY_PAGE	"KIOK0560"	/* there are no rows */

/* How a reply with such a code and status is taken: see code.c. */
typedef struct KisCodeRule
{
	const char *code;			/* whole, or its beginning and '*'; "": the reply has none */
	int			from_status;	/* of HTTP, up to and with to_status */
	int			to_status;
	KisErrorClass error_class;
	KisQuota	counts_against;
	const char *hint;			/* NULL: that of its class */
} KisCodeRule;

/* The rule for a code, in whatever case KIS writes it; NULL: none is listed. */
extern const KisCodeRule *kis_code_rule(const char *code, int http_status);

#endif							/* KIS_CODE_H */
