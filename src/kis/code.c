/*
 * code.c
 *		The policy for what KIS says: one table of its codes and of the HTTP
 *		statuses that come without one, and which class is tried again.
 */
#include "kis.h"
#include "kis/code.h"

#include <string.h>

#define ANY_STATUS		0, 999
#define SERVER_FAILS	500, 999
#define PLAIN			KIS_QUOTA_NONE, NULL

/*
 * The first that fits is the one. A code that is not here refuses for good,
 * unless rt_cd is "0".
 */
static const KisCodeRule rules[] = {
	/* no errors: there is more to read; there is nothing to read */
	{"KIOK0500", ANY_STATUS, KIS_OK, PLAIN},
	{KIS_CODE_EMPTY_PAGE, ANY_STATUS, KIS_OK, PLAIN},

	{"EGW00121", ANY_STATUS, KIS_ERROR_TOKEN, PLAIN},	/* invalid */
	{"EGW00122", ANY_STATUS, KIS_ERROR_TOKEN, PLAIN},	/* not found */
	{"EGW00123", ANY_STATUS, KIS_ERROR_TOKEN, PLAIN},	/* expired */
	{"EGW00133", ANY_STATUS, KIS_ERROR_TOKEN_TOO_SOON, PLAIN},

	{"EGW00102", ANY_STATUS, KIS_ERROR_CREDENTIALS, PLAIN}, /* no app key */
	{"EGW00103", ANY_STATUS, KIS_ERROR_CREDENTIALS, KIS_QUOTA_NONE,
	"Check the user mapping's option app_key, or the file of app_key_file."},
	{"EGW00104", ANY_STATUS, KIS_ERROR_CREDENTIALS, PLAIN}, /* no app secret */
	{"EGW00105", ANY_STATUS, KIS_ERROR_CREDENTIALS, KIS_QUOTA_NONE,
	"Check the user mapping's option app_secret, or the file of app_secret_file: all of its 180 characters and no newline."},
	{"EGW00304", ANY_STATUS, KIS_ERROR_CREDENTIALS, PLAIN}, /* not those of the
															 * token */

	/* the set-up: nothing that another try mends */
	{"EGW00003", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00004", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00101", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00132", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00205", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00206", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00207", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW00208", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"EGW02004", ANY_STATUS, KIS_ERROR_REFUSED, KIS_QUOTA_NONE,
	"The app key is one of paper trading; use the app key of a real account."},
	{"EGW02006", ANY_STATUS, KIS_ERROR_REFUSED, KIS_QUOTA_NONE,
	"KIS does not serve these calls to paper trading; use the app key of a real account and drop the server's option base_url."},
	{"OPSQ0002", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"OPSQ2*", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},

	{"EGW00201", ANY_STATUS, KIS_ERROR_RATE, KIS_QUOTA_APP_KEY, NULL},
	{"EGW00215", ANY_STATUS, KIS_ERROR_RATE, KIS_QUOTA_LEDGER,
	"KIS answers the calendar's call once a second for an account; try again later, or raise the server's option max_wait."},
	{"*", 429, 429, KIS_ERROR_RATE, KIS_QUOTA_APP_KEY, NULL},

	{"EGW00001", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00002", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00202", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00203", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00300", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00301", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00302", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW00316", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"OPSQ0003", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"OPSQ0008", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"OPSQ1002", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"90020000", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},
	{"SYDB0050", ANY_STATUS, KIS_ERROR_TRANSIENT, PLAIN},

	/* codes that begin so tell errors alone, whatever rt_cd says */
	{"EGW*", SERVER_FAILS, KIS_ERROR_TRANSIENT, PLAIN},
	{"EGW*", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},
	{"OPSQ*", ANY_STATUS, KIS_ERROR_REFUSED, PLAIN},

	{"", SERVER_FAILS, KIS_ERROR_TRANSIENT, PLAIN},
	{"", 300, 399, KIS_ERROR_REPLY, PLAIN},
};

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static bool
is_meant(const char *listed, const char *code)
{
	for (; *listed != '\0' && *listed != '*'; listed++, code++)
		if (*listed != upper(*code))
			return false;
	return *listed == '*' || *code == '\0';
}

/* The rule for a code, in whatever case KIS writes it; NULL: none is listed. */
const KisCodeRule *
kis_code_rule(const char *code, int http_status)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (http_status >= rules[i].from_status && http_status <= rules[i].to_status &&
			is_meant(rules[i].code, code))
			return &rules[i];
	return NULL;
}

/* What a call that failed counts against, by KIS's code and the HTTP status. */
KisQuota
kis_error_counts_against(const KisError *error)
{
	const KisCodeRule *rule = kis_code_rule(error->code, error->http_status);

	return rule != NULL ? rule->counts_against : KIS_QUOTA_NONE;
}

/* What to do about KIS's code where that says more than its class; else NULL. English. */
const char *
kis_error_code_hint(const KisError *error)
{
	const KisCodeRule *rule = kis_code_rule(error->code, error->http_status);

	return rule != NULL ? rule->hint : NULL;
}

/* May the same request be tried again at once or after a pause? */
bool
kis_error_is_transient(KisErrorClass error_class)
{
	switch (error_class)
	{
		case KIS_ERROR_CONNECT:
		case KIS_ERROR_TIMEOUT:
		case KIS_ERROR_DROPPED:
		case KIS_ERROR_RATE:
		case KIS_ERROR_TRANSIENT:
			return true;
		default:
			return false;
	}
}
