/*
 * error.c
 *		The one place that maps failures of KIS calls to SQLSTATE, message,
 *		detail and hint.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "common/error.h"
#include "kis.h"
#include "kis/code.h"
#include "kis/text.h"

/* Of a text that a user gave, as much as a message shows: bytes. */
#define MAX_SHOWN_TEXT	200

/* What a class of failure means to the user. */
typedef struct Failure
{
	int			sqlstate;
	const char *message;
	const char *hint;
	const char *reason;			/* where no call was made: what was waited for
								 * did not come */
} Failure;

static const Failure failures[] = {
	[KIS_ERROR_CONNECT] = {ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		"could not connect to KIS",
	"Check the network, and the server's options base_url, proxy, ca_file and connect_timeout."},
	[KIS_ERROR_TIMEOUT] = {ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		"KIS sent no reply in time",
	"Try again later, or raise the server's option request_timeout or max_wait."},
	[KIS_ERROR_DROPPED] = {ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		"KIS closed the connection without a reply",
	"Try again later."},
	[KIS_ERROR_TOKEN] = {ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"KIS refuses the access token",
	"Even a fresh token was refused. Look whether another program issues tokens for the same app key, and at the key's state on the KIS Developers site."},
	[KIS_ERROR_TOKEN_TOO_SOON] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"KIS issues no access token yet",
		"KIS issues one token a minute for an app key.",
	"no access token was to be had within max_wait"},
	[KIS_ERROR_CREDENTIALS] = {ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"KIS refuses the app key or secret",
	"Check the user mapping's options app_key and app_secret, or the files that hold them."},
	[KIS_ERROR_RATE] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"too many calls a second for the app key",
		"Lower the option requests_per_second if other programs use the same app key, or raise the server's option max_wait.",
	"no call was free within max_wait"},
	[KIS_ERROR_TRANSIENT] = {ERRCODE_FDW_ERROR,
		"KIS could not answer",
	"Try again later."},
	[KIS_ERROR_REFUSED] = {ERRCODE_FDW_ERROR,
		"KIS refuses the call",
	"The KIS Developers site explains the code."},
	[KIS_ERROR_REPLY] = {ERRCODE_FDW_UNABLE_TO_CREATE_REPLY,
		"KIS sent a reply that is not what it should be",
	"Check that the server's options base_url and proxy lead to KIS."},
	[KIS_ERROR_FULL] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"shared memory has no room for another app key",
		"Try again when fewer app keys are in use at once, or raise the server's option max_wait.",
	"other app keys kept all of it busy for longer than max_wait"},
	[KIS_ERROR_LOCAL] = {ERRCODE_FDW_ERROR,
		"could not ask KIS",
	"The reason lies on this machine: memory, open files, or the file of the option ca_file."},
};

/*
 * UTF-8 text of KIS or of the catalogue in the database's encoding, or an
 * error; palloc'd or the same pointer.
 */
char *
kis_to_server(const char *utf8)
{
	return pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

/*
 * A copy of text in which '?' stands for what is no character of from or none
 * of to; converted to that where convert is set. Never raises.
 */
static char *
replace_unknown(const char *text, int from, int to, bool convert)
{
	bool		same = from == to || from == PG_SQL_ASCII || to == PG_SQL_ASCII;
	Oid			converter = same ? InvalidOid : FindDefaultConversionProc(from, to);
	unsigned char converted[MAX_CONVERSION_GROWTH * MAX_MULTIBYTE_CHAR_LEN + 1];
	StringInfoData buf;
	int			length;

	initStringInfo(&buf);
	for (const char *at = text; *at; at += Max(1, length))
	{
		length = pg_encoding_verifymbchar(from, at, strlen(at));
		if (length >= 1 && (same || !IS_HIGHBIT_SET(*at)))
			appendBinaryStringInfo(&buf, at, length);
		else if (length < 1 || !OidIsValid(converter) ||
				 pg_do_encoding_conversion_buf(converter, from, to, (unsigned char *) at, length,
											   converted, sizeof(converted), true) != length)
			appendStringInfoChar(&buf, '?');
		else if (convert)
			appendStringInfoString(&buf, (char *) converted);
		else
			appendBinaryStringInfo(&buf, at, length);
	}
	return buf.data;
}

/*
 * UTF-8 text in the database's encoding for messages and comments: never raises,
 * what can't be converted or is no UTF-8 becomes '?', and control characters
 * become blanks.
 */
char *
kis_to_server_lossy(const char *utf8)
{
	char	   *text = replace_unknown(utf8, PG_UTF8, GetDatabaseEncoding(), true);

	for (char *c = text; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
	return text;
}

/*
 * A message with '?' for what the client's encoding doesn't hold. As it is, it
 * would become an error of its own, 22P05, and what it says be lost.
 * palloc'd.
 */
char *
kis_to_client_lossy(const char *text)
{
	return replace_unknown(text, GetDatabaseEncoding(), pg_get_client_encoding(), false);
}

/* A text of the user's as a message shows it: of a long one its beginning. */
char *
kis_shown(const char *text)
{
	int			length = strlen(text);

	if (length <= MAX_SHOWN_TEXT)
		return pstrdup(text);
	return psprintf("%.*s...", pg_mbcliplen(text, length, MAX_SHOWN_TEXT), text);
}

/* The SQLSTATE that kis_raise gives. A gateway's page is no reply of KIS's, however often the call was made. */
int
kis_error_sqlstate(const KisError *error)
{
	if (error->error_class == KIS_ERROR_TRANSIENT && error->code[0] == '\0')
		return ERRCODE_FDW_UNABLE_TO_CREATE_REPLY;
	return failures[error->error_class].sqlstate;
}

/* Where and how it failed, and KIS's or libcurl's words. */
static char *
failure_detail(const KisError *error, const char *server)
{
	const char *reason = failures[error->error_class].reason;
	StringInfoData buf;

	initStringInfo(&buf);
	if (server != NULL)
		appendStringInfo(&buf, "Server \"%s\"", server);
	else
		appendStringInfoString(&buf, "KIS");
	if (error->phase != KIS_PHASE_NONE && error->http_status == 0)
		appendStringInfo(&buf, ", while %s", kis_phase_name(error->phase));
	/* where there was no word of KIS, the text itself begins so */
	if (error->http_status != 0 && strncmp(error->text, "HTTP status ", 12) != 0)
		appendStringInfo(&buf, ", HTTP status %d", error->http_status);
	if (error->code[0] != '\0')
		appendStringInfo(&buf, ", code %s", kis_to_server_lossy(error->code));
	if (error->text[0] != '\0')
		appendStringInfo(&buf, ": %s", kis_to_server_lossy(error->text));
	else if (error->code[0] == '\0' && reason != NULL)
		appendStringInfo(&buf, ": %s", reason);
	return buf.data;
}

/* The hint that kis_raise gives: what to do about it. */
const char *
kis_error_hint(const KisError *error)
{
	const KisCodeRule *rule = kis_code_rule(error->code, error->http_status);
	const char *hint = rule != NULL ? rule->hint : NULL;

	if (hint == NULL)
		hint = failures[error->error_class].hint;
	if (error->retry_after_ms > 0)
		hint = psprintf("Try again in %d s. %s", (error->retry_after_ms + 999) / 1000, hint);
	return hint;
}

/*
 * Raises what failed: error, of a class other than KIS_OK, of a call through
 * server, which may be NULL where that is not known.
 */
void
kis_raise(const KisError *error, const char *server)
{
	char	   *detail = failure_detail(error, server);

	ereport(ERROR,
			(errcode(kis_error_sqlstate(error)),
			 errmsg("%s", failures[error->error_class].message),
			 errdetail_internal("%s", kis_to_client_lossy(detail)),
			 errdetail_log("%s", detail),
			 errhint("%s", kis_error_hint(error))));
}

/*
 * One line for a result column: message, KIS's code and text; palloc'd, in the
 * database's encoding. server may be NULL.
 */
char *
kis_error_summary(const KisError *error, const char *server)
{
	return psprintf("%s (%s)", failures[error->error_class].message,
					kis_to_client_lossy(failure_detail(error, server)));
}
