/*
 * code.h
 *		The policy for failures: how KIS's codes are classified, and what a
 *		failure of a class leads to.
 */
#ifndef KIS_CODE_H
#define KIS_CODE_H

#include <stdbool.h>

#include "kis.h"

#define KIS_CODE_EMPTY_PAGE	"KIOK0560"	/* there are no rows */

/* How a reply with such a code and status is classified: a line of catalog/codes.tsv. */
typedef struct KisCodeRule
{
	const char *code;			/* whole, or its beginning and '*'; "": the
								 * reply has none */
	int			from_status;	/* of HTTP, up to and with to_status */
	int			to_status;
	KisErrorClass error_class;
	bool		of_app_key;		/* KIS counted the calls of the app key */
	const char *hint;			/* NULL: that of its class */
} KisCodeRule;

extern const KisCodeRule kis_code_rules[];
extern const int kis_code_rule_count;

/* What is done about a failure, and what bounds how often: a cell of catalog/policy.tsv. */
typedef enum KisRetry
{
	KIS_RETRY_NONE = 0,
	KIS_RETRY_MAX_RETRIES,		/* back off and try again, max_retries times */
	KIS_RETRY_MAX_WAIT,			/* the same for as long as max_wait lasts */
	KIS_RETRY_NEW_TOKEN,		/* once; then as KIS_RETRY_REREAD_FILES */
	KIS_RETRY_REREAD_FILES,		/* once, where secrets are in files */
	KIS_RETRY_LATER				/* KIS says when: no failure of anybody's */
} KisRetry;

/* What a failure of a class leads to: a line of catalog/policy.tsv. */
typedef struct KisPolicy
{
	KisRetry	of_call;
	KisRetry	of_token_request;
	KisRetry	of_others;		/* of the call or token request that this call
								 * has waited for */
} KisPolicy;

extern const KisPolicy kis_policies[];	/* by KisErrorClass */

/* What to do after a failure. */
typedef enum KisAction
{
	KIS_ACTION_FAIL,
	KIS_ACTION_RETRY,			/* at once */
	KIS_ACTION_BACK_OFF,
	KIS_ACTION_NEW_TOKEN,
	KIS_ACTION_REREAD_FILES,
	KIS_ACTION_LATER			/* see KIS_RETRY_LATER */
} KisAction;

/* What has been tried of a call or token request so far; all zero at first. */
typedef struct KisTries
{
	int			retries;		/* that max_retries bounds */
	int			refusals;		/* that max_wait bounds */
	bool		new_token;
	bool		reread_files;
} KisTries;

/* What to do after a failure; counts it in tries. */
extern KisAction kis_after_failure(KisRetry retry, int max_retries, bool has_files,
								   KisTries *tries, int *pause_ms);

/* The rule for a code, in whatever case KIS writes it; NULL: none is listed. */
extern const KisCodeRule *kis_code_rule(const char *code, int http_status);

#endif							/* KIS_CODE_H */
