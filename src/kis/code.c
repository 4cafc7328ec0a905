/*
 * code.c
 *		The policy for failures: how KIS's codes are classified, and what a
 *		failure of a class leads to.
 *
 * Both are tables: catalog/codes.tsv and catalog/policy.tsv, from which
 * catalog_data.h is made. The matrix of faults (t/210_fault_matrix.t) is tried
 * against the same.
 */
#include "kis.h"
#include "kis/code.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

#define FIRST_PAUSE_MS		200
#define LONGEST_PAUSE_MS	5000

/* Is it the code of a rule, or does it begin as that does up to its asterisk? */
static bool
fits(const char *code, const char *rule)
{
	while (*rule != '\0' && *rule != '*' && tolower((unsigned char) *code) == tolower((unsigned char) *rule))
		code++, rule++;
	return *rule == '*' || (*rule == '\0' && *code == '\0');
}

/*
 * The rule for a code, in whatever case KIS writes it: the first that fits. NULL:
 * none is listed; then KIS refuses for good, unless rt_cd is "0".
 */
const KisCodeRule *
kis_code_rule(const char *code, int http_status)
{
	for (int i = 0; i < kis_code_rule_count; i++)
	{
		const KisCodeRule *rule = &kis_code_rules[i];

		if (http_status >= rule->from_status && http_status <= rule->to_status && fits(code, rule->code))
			return rule;
	}
	return NULL;
}

/* How long to back off after so many tries: each pause is twice the one before. */
static int
pause_after(int tries)
{
	return tries < 5 ? FIRST_PAUSE_MS << tries : LONGEST_PAUSE_MS;
}

/*
 * What to do after a failure of which the table says retry. Counts in tries what
 * it answers, so that the same question may bring another answer the next time.
 * max_retries is the server's option; has_files: a secret is in a file. To back
 * off is for *pause_ms.
 */
KisAction
kis_after_failure(KisRetry retry, int max_retries, bool has_files, KisTries *tries,
				  int *pause_ms)
{
	switch (retry)
	{
		case KIS_RETRY_NONE:
			break;
		case KIS_RETRY_MAX_RETRIES:
			if (tries->retries >= max_retries)
				break;
			*pause_ms = pause_after(tries->retries++);
			return KIS_ACTION_BACK_OFF;
		case KIS_RETRY_MAX_WAIT:
			*pause_ms = pause_after(tries->refusals++);
			return KIS_ACTION_BACK_OFF;
		case KIS_RETRY_NEW_TOKEN:
			if (!tries->new_token)
			{
				tries->new_token = true;
				return KIS_ACTION_NEW_TOKEN;
			}
			__attribute__((fallthrough));
		case KIS_RETRY_REREAD_FILES:
			if (tries->reread_files || !has_files)
				break;
			tries->reread_files = true;
			return KIS_ACTION_REREAD_FILES;
		case KIS_RETRY_LATER:
			return KIS_ACTION_LATER;
	}
	return KIS_ACTION_FAIL;
}
