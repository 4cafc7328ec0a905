/*
 * error.c
 *		The one place that maps failures of KIS calls to SQLSTATE, message,
 *		detail and hint.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/resowner.h"

#include "common/error.h"
#include "common/messages.h"
#include "kis.h"
#include "kis/code.h"
#include "kis/text.h"

/* Of a text that a user gave, as much as a message shows: bytes. */
#define MAX_SHOWN_TEXT	200

/* In the texts from below the wall: what ends a conversion, and how many one has. */
#define CONVERSIONS	"dus"
#define MOST_VALUES	4

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
		gettext_noop("could not connect to KIS"),
	gettext_noop("Check the network, and the server's options base_url, proxy, ca_file and connect_timeout.")},
	[KIS_ERROR_TIMEOUT] = {ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		gettext_noop("KIS sent no reply in time"),
	gettext_noop("Try again later, or raise the server's option request_timeout or max_wait.")},
	[KIS_ERROR_DROPPED] = {ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION,
		gettext_noop("KIS closed the connection without a reply"),
	gettext_noop("Try again later.")},
	[KIS_ERROR_TOKEN] = {ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		gettext_noop("KIS refuses the access token"),
	gettext_noop("Even a fresh token was refused. Look whether another program issues tokens for the same app key, and at the key's state on the KIS Developers site.")},
	[KIS_ERROR_TOKEN_TOO_SOON] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		gettext_noop("KIS issues no access token yet"),
		gettext_noop("KIS issues one token a minute for an app key."),
	gettext_noop("no access token was to be had within max_wait")},
	[KIS_ERROR_CREDENTIALS] = {ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		gettext_noop("KIS refuses the app key or secret"),
	gettext_noop("Check the user mapping's options app_key and app_secret, or the files that hold them.")},
	[KIS_ERROR_RATE] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		gettext_noop("too many calls a second for the app key"),
		gettext_noop("Lower the option requests_per_second if other programs use the same app key, or raise the server's option max_wait."),
	gettext_noop("no call was free within max_wait")},
	[KIS_ERROR_TRANSIENT] = {ERRCODE_FDW_ERROR,
		gettext_noop("KIS could not answer"),
	gettext_noop("Try again later.")},
	[KIS_ERROR_REFUSED] = {ERRCODE_FDW_ERROR,
		gettext_noop("KIS refuses the call"),
	gettext_noop("The KIS Developers site explains the code.")},
	[KIS_ERROR_REPLY] = {ERRCODE_FDW_UNABLE_TO_CREATE_REPLY,
		gettext_noop("KIS sent a reply that is not what it should be"),
	gettext_noop("Check that the server's options base_url and proxy lead to KIS.")},
	[KIS_ERROR_FULL] = {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
		gettext_noop("shared memory has no room for another app key"),
		gettext_noop("Try again when fewer app keys are in use at once, or raise the server's option max_wait."),
	gettext_noop("other app keys kept all of it busy for longer than max_wait")},
	[KIS_ERROR_LOCAL] = {ERRCODE_FDW_ERROR,
		gettext_noop("could not ask KIS"),
	gettext_noop("The reason lies on this machine: memory, open files, or the file of the option ca_file.")},
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

/*
 * Takes from text, which printf has made of form, what stands where form has a
 * conversion; values has room for MOST_VALUES. How many, or -1 where text is no
 * such.
 */
static int
parse_values(const char *form, const char *text, char **values)
{
	int			nvalues = 0;

	while (*form != '\0')
	{
		const char *end;
		size_t		literal;

		if (*form != '%')
		{
			if (*form++ != *text++)
				return -1;
			continue;
		}
		form += 1 + strcspn(form + 1, CONVERSIONS);
		form += *form != '\0';
		literal = strcspn(form, "%");
		/* up to the next literal; one behind another, or the last, has the rest */
		end = literal > 0 ? text : text + strlen(text);
		while (literal > 0 && strncmp(end, form, literal) != 0)
			if (*end++ == '\0')
				return -1;
		if (form[literal] == '\0' && literal > 0)
			end = text + strlen(text) - literal;
		if (nvalues == MOST_VALUES || end < text)
			return -1;
		values[nvalues++] = pnstrdup(text, end - text);
		text = end;
	}
	return *text == '\0' ? nvalues : -1;
}

/*
 * A failure's text in the language of lc_messages. It was made below the wall, and
 * perhaps by another session: so by its form, into whose translation its values are
 * put. As it is where it has none, or was cut or masked. palloc'd.
 */
static char *
translated_text(const KisError *error)
{
	const char *form = error->form[0] != '\0' ? _(error->form) : "";
	char	   *values[MOST_VALUES];
	int			nvalues = parse_values(error->form, error->text, values);
	int			next = 0;
	StringInfoData buf;

	if (nvalues < 0 || error->form[0] == '\0')
		return kis_to_server_lossy(error->text);
	initStringInfo(&buf);
	for (; *form != '\0'; form++)
	{
		char	   *end;
		long		number = 0;

		if (*form != '%')
		{
			appendStringInfoChar(&buf, *form);
			continue;
		}
		number = strtol(form + 1, &end, 10);
		number = *end == '$' ? number - 1 : next++;
		form += 1 + strcspn(form + 1, CONVERSIONS);
		if (number < nvalues && values[number][0] != '\0')
		{
			const char *word = _(values[number]);

			appendStringInfoString(&buf, word != values[number] ? word : kis_to_server_lossy(word));
		}
		if (*form == '\0')
			break;
	}
	return buf.data;
}

/* Where and how it failed, and KIS's or libcurl's words. */
static char *
failure_detail(const KisError *error, const char *server)
{
	const char *reason = failures[error->error_class].reason;
	StringInfoData buf;

	initStringInfo(&buf);
	if (server != NULL)
		appendStringInfo(&buf, _("Server \"%s\""), server);
	else
		appendStringInfoString(&buf, "KIS");
	if (error->phase != KIS_PHASE_NONE && error->http_status == 0)
		appendStringInfo(&buf, _(", while %s"), _(kis_phase_name(error->phase)));
	/* where there was no word of KIS, the text itself begins so */
	if (error->http_status != 0 && strncmp(error->text, "HTTP status ", 12) != 0)
		appendStringInfo(&buf, _(", HTTP status %d"), error->http_status);
	if (error->code[0] != '\0')
		appendStringInfo(&buf, _(", code %s"), kis_to_server_lossy(error->code));
	if (error->text[0] != '\0')
		appendStringInfo(&buf, ": %s", translated_text(error));
	else if (error->code[0] == '\0' && reason != NULL)
		appendStringInfo(&buf, ": %s", _(reason));
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
	hint = _(hint);
	if (error->retry_after_ms > 0)
		hint = psprintf(_("Try again in %d s. %s"), (error->retry_after_ms + 999) / 1000, hint);
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
			 errmsg_internal("%s", _(failures[error->error_class].message)),
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
	return psprintf("%s (%s)", _(failures[error->error_class].message),
					kis_to_client_lossy(failure_detail(error, server)));
}

/*
 * Does work in a subtransaction, which is taken back where it raises or returns
 * false; *done is what it returned. Its error, in the current memory context; NULL:
 * none.
 */
ErrorData *
kis_catch(bool (*work) (void *arg), void *arg, bool *done)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	*done = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		*done = work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (*done)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
