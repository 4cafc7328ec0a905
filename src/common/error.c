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
	KisErrorClass error_class;
	int			sqlstate;
	const char *message;
	const char *hint;
} Failure;

static const Failure failures[] = {
	{KIS_ERROR_CONNECT, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		"could not connect to KIS",
	"Check the network, and the server's options base_url, proxy, ca_file and connect_timeout."},
	{KIS_ERROR_TIMEOUT, ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		"KIS sent no reply in time",
	"Try again later, or raise the server's option request_timeout or max_wait."},
	{KIS_ERROR_DROPPED, ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		"KIS closed the connection without a reply",
	"Try again later."},
	{KIS_ERROR_TOKEN, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"KIS refuses the access token",
	"Even a fresh token was refused. Look whether another program issues tokens for the same app key, and at the key's state on the KIS Developers site."},
	{KIS_ERROR_TOKEN_TOO_SOON, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"KIS issues no access token yet",
	"KIS issues one token a minute for an app key."},
	{KIS_ERROR_CREDENTIALS, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		"KIS refuses the app key or secret",
	"Check the user mapping's options app_key and app_secret, or the files that hold them."},
	{KIS_ERROR_RATE, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"too many calls a second for the app key",
	"Lower the option requests_per_second if other programs use the same app key, or raise the server's option max_wait."},
	{KIS_ERROR_TRANSIENT, ERRCODE_FDW_ERROR,
		"KIS could not answer",
	"Try again later."},
	{KIS_ERROR_REFUSED, ERRCODE_FDW_ERROR,
		"KIS refuses the call",
	"The KIS Developers site explains the code."},
	{KIS_ERROR_REPLY, ERRCODE_FDW_UNABLE_TO_CREATE_REPLY,
		"KIS sent a reply that is not what it should be",
	"Check that the server's options base_url and proxy lead to KIS."},
	{KIS_ERROR_FULL, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		"shared memory has no room for another app key",
	"Try again when fewer app keys are in use at once, or raise the server's option max_wait."},
	{KIS_ERROR_LOCAL, ERRCODE_FDW_ERROR,
		"could not ask KIS",
	"The reason lies on this machine: memory, open files, or the file of the option ca_file."},
};

static const Failure *
find_failure(KisErrorClass error_class)
{
	for (int i = 0; i < (int) lengthof(failures); i++)
		if (failures[i].error_class == error_class)
			return &failures[i];
	elog(ERROR, "no such class of failure: %d", (int) error_class);
}

/*
 * UTF-8 text of KIS or of the catalogue in the database's encoding, or an
 * error; palloc'd or the same pointer.
 */
char *
kis_to_server(const char *utf8)
{
	return pg_any_to_server(utf8, strlen(utf8), PG_UTF8);
}

/* Does the database keep UTF-8 as it is? */
static bool
database_keeps_utf8(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
}

/* Appends one valid UTF-8 character in the database's encoding, or '?'. */
static void
append_character(StringInfo buf, const char *character, int length, Oid converter)
{
	unsigned char converted[MAX_CONVERSION_GROWTH * MAX_MULTIBYTE_CHAR_LEN + 1];

	if (length == 1)
		appendStringInfoChar(buf, *character < ' ' || *character == 0x7f ? ' ' : *character);
	else if (database_keeps_utf8())
		appendBinaryStringInfo(buf, character, length);
	else if (OidIsValid(converter) &&
			 pg_do_encoding_conversion_buf(converter, PG_UTF8, GetDatabaseEncoding(),
										   (unsigned char *) character, length,
										   converted, sizeof(converted), true) == length)
		appendStringInfoString(buf, (char *) converted);
	else
		appendStringInfoChar(buf, '?');
}

/*
 * The same for messages and comments: never raises, what can't be converted or
 * is no UTF-8 becomes '?', and control characters become blanks.
 */
char *
kis_to_server_lossy(const char *utf8)
{
	Oid			converter = database_keeps_utf8() ? InvalidOid :
		FindDefaultConversionProc(PG_UTF8, GetDatabaseEncoding());
	const char *end = utf8 + strlen(utf8);
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *at = utf8; at < end;)
	{
		int			length = pg_encoding_verifymbchar(PG_UTF8, at, end - at);

		if (length < 1)
		{
			appendStringInfoChar(&buf, '?');
			at++;
			continue;
		}
		append_character(&buf, at, length, converter);
		at += length;
	}
	return buf.data;
}

/*
 * A message with '?' for what the client's encoding doesn't hold. As it is, it
 * would become an error of its own, 22P05, and what it tells of be lost.
 * palloc'd.
 */
char *
kis_to_client_lossy(const char *text)
{
	int			encoding = pg_get_client_encoding();
	Oid			converter = encoding == GetDatabaseEncoding() || encoding == PG_SQL_ASCII ? InvalidOid :
		FindDefaultConversionProc(GetDatabaseEncoding(), encoding);
	StringInfoData buf;

	const char *end = text +strlen(text);

	if (!OidIsValid(converter))
		return pstrdup(text);
	initStringInfo(&buf);
	while (text <end)
	{
		unsigned char converted[MAX_CONVERSION_GROWTH * MAX_MULTIBYTE_CHAR_LEN + 1];
		int			length = Max(1, pg_encoding_verifymbchar(GetDatabaseEncoding(), text, end - text));

		if (pg_do_encoding_conversion_buf(converter, GetDatabaseEncoding(), encoding,
										  (unsigned char *) text, length,
										  converted, sizeof(converted), true) == length)
			appendBinaryStringInfo(&buf, text, length);
		else
			appendStringInfoChar(&buf, '?');
		text	  +=length;
	}
	return buf.data;
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

/* Why it failed where nobody was asked: what was waited for did not come. */
static const char *
reason_without_words(KisErrorClass error_class)
{
	switch (error_class)
	{
		case KIS_ERROR_RATE:
			return "no call was free within max_wait";
		case KIS_ERROR_TOKEN_TOO_SOON:
			return "no access token was to be had within max_wait";
		case KIS_ERROR_FULL:
			return "other app keys kept all of it busy for longer than max_wait";
		default:
			return NULL;
	}
}

/* A page of a gateway is no word of KIS's, however often it was asked for. */
static int
failure_sqlstate(const Failure *failure, const KisError *error)
{
	if (failure->error_class == KIS_ERROR_TRANSIENT && error->code[0] == '\0')
		return ERRCODE_FDW_UNABLE_TO_CREATE_REPLY;
	return failure->sqlstate;
}

/* Where and how it failed, and KIS's or libcurl's words. */
static char *
failure_detail(const KisError *error, const char *server)
{
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
	else if (error->code[0] == '\0' && reason_without_words(error->error_class) != NULL)
		appendStringInfo(&buf, ": %s", reason_without_words(error->error_class));
	return buf.data;
}

/* What to do about it, or NULL. */
static const char *
failure_hint(const Failure *failure, const KisError *error)
{
	const char *hint = kis_error_code_hint(error);

	if (hint == NULL)
		hint = failure->hint;
	if (error->retry_after_ms > 0)
		hint = psprintf("Try again in %d s.%s%s", (error->retry_after_ms + 999) / 1000,
						hint != NULL ? " " : "", hint != NULL ? hint : "");
	return hint;
}

/* Raises what failed; never returns. */
void
kis_raise(const KisError *error, const char *server)
{
	const Failure *failure = find_failure(error->error_class);
	char	   *detail = failure_detail(error, server);
	const char *hint = failure_hint(failure, error);

	ereport(ERROR,
			(errcode(failure_sqlstate(failure, error)),
			 errmsg("%s", failure->message),
			 errdetail_internal("%s", kis_to_client_lossy(detail)),
			 errdetail_log("%s", detail),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* What kis_raise would give: the SQLSTATE, and the hint or NULL. */
int
kis_error_sqlstate(const KisError *error)
{
	return failure_sqlstate(find_failure(error->error_class), error);
}

const char *
kis_error_hint(const KisError *error)
{
	return failure_hint(find_failure(error->error_class), error);
}

/* One line for a result column: message, KIS's code and text; palloc'd, server encoding. */
char *
kis_error_summary(const KisError *error, const char *server)
{
	return psprintf("%s (%s)", find_failure(error->error_class)->message,
					kis_to_client_lossy(failure_detail(error, server)));
}

/*
 * The same of a calendar that tells no trading day, by what kis_trade_date
 * gives: where nothing has failed there is no open day as far back as it looks.
 */
char *
kis_calendar_summary(const KisError *failure, const char *server)
{
	if (failure->error_class == KIS_OK)
		return pstrdup("KIS's calendar has no open day in a month");
	return kis_error_summary(failure, server);
}

const char *
kis_calendar_hint(const KisError *failure)
{
	return failure->error_class == KIS_OK ? NULL : kis_error_hint(failure);
}
