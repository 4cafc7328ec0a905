/*
 * check.c
 *		The steps of kis_check: does the caller's way to KIS work? Each is
 *		tried, and what fails says what to do.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/option.h"
#include "compat.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/calendar.h"
#include "request/connection.h"
#include "request/loop.h"
#include "request/query_context.h"
#include "request/state.h"
#include "shared/stat.h"

PG_FUNCTION_INFO_V1(kis_check_rows);

/* The pair that is tried: it always has figures. */
#define CHECKED_MARKET	"KSP"
#define CHECKED_SECTOR	"0001"

typedef struct Check Check;

/* What came of it. */
typedef char *(*CheckStep) (Check *check);

/* What the steps find out, each for those after it. */
struct Check
{
	ForeignServer *server;
	KisServerOptions *options;
	KisQuery   *query;
	KisConnection *connection;	/* NULL: options or keys don't do */
	KisRequest *request;		/* NULL: not made */
	KisCounters *counters;
	CheckStep	step;
	bool		ok;				/* of the step */
	char	   *detail;
};

static char *
failed(Check *check, const char *detail)
{
	check->ok = false;
	return pstrdup(detail);
}

/* The library's: kis_check() speaks up only where it is not the one that the SQL is for. */
static char *
check_version(Check *check)
{
	return pstrdup(KIS_VERSION);
}

static char *
check_shared_memory(Check *check)
{
	return kis_shared_summary();
}

static char *
check_options(Check *check)
{
	check->options = kis_server_options(check->server->serverid);
	return psprintf(_("%s, %g calls a second, at most %d a statement"),
					check->options->base_url, check->options->requests_per_second,
					check->options->max_calls);
}

static char *
check_keys(Check *check)
{
	char		fingerprint[KIS_FINGERPRINT_LEN + 1];

	if (check->options == NULL)
		return failed(check, _("not tried: the options of the server come first"));
	if (kis_server_aclcheck(check->server->serverid, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		return failed(check, psprintf(_("permission denied for foreign server %s. Reading the tables takes a user mapping, and not this right. To collect and to check: GRANT USAGE ON FOREIGN SERVER %s TO %s."),
									  check->server->servername,
									  quote_identifier(check->server->servername),
									  quote_identifier(GetUserNameFromId(GetUserId(), false))));
	check->connection = kis_query_connection(check->query, check->server->serverid,
											 GetUserId());
	kis_fingerprint(check->connection->identity->key, fingerprint);
	return psprintf(_("user mapping found, fingerprint of host and app key %s"), fingerprint);
}

/* Message, KIS's words and hint in one line. */
static char *
failure_line(const Check *check, const KisError *error)
{
	return psprintf("%s. %s", kis_error_summary(error, check->connection->server_name), kis_error_hint(error));
}

/* The data call shows whether the token does: KIS alone can say. */
static char *
check_token(Check *check)
{
	static const KisCallArgs args = {.market = CHECKED_MARKET,.sector = CHECKED_SECTOR};
	TimestampTz end;

	if (check->connection == NULL)
		return failed(check, _("not tried: the keys come first"));
	check->request = kis_query_request(check->query, check->connection, &kis_call_trend, &args,
									   check->counters, true);
	(void) kis_request_wait(check->request);
	if (check->connection->token != NULL)
		end = DT_NOEND;
	else
		end = kis_token_end(check->connection->identity->key,
							check->connection->identity->secret);
	if (check->request->reply == NULL &&
		(end == 0 || check->request->error.error_class == KIS_ERROR_TOKEN))
	{
		char	   *failure = failure_line(check, &check->request->error);

		check->request = NULL;
		return failed(check, failure);
	}
	if (end == DT_NOEND)
		return pstrdup(_("taken from access_token_file"));
	return psprintf(_("held for all sessions until %s"), timestamptz_to_str(end));
}

static char *
check_calendar(Check *check)
{
	KisError	failure = {0};
	DateADT		day;

	if (check->options == NULL)
		return failed(check, _("not tried: the options of the server come first"));
	if (check->options->weekday_calendar)
		return pstrdup(_("weekday: Monday to Friday, holidays not known"));
	if (check->request == NULL)
		return failed(check, _("not tried: the token comes first"));
	if (kis_trade_date(check->query, check->connection, GetCurrentTimestamp(), true,
					   check->counters, &day, &failure))
		return psprintf(_("KIS's: the current trading day is %s"),
						DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day))));
	return failed(check, failure_line(check, &failure));
}

static char *
check_pair(Check *check)
{
	const char *pair = CHECKED_MARKET "/" CHECKED_SECTOR;

	if (check->request == NULL)
		return failed(check, _("not tried: the token comes first"));
	if (check->request->reply == NULL)
		return failed(check, failure_line(check, &check->request->error));
	if (check->request->reply->nrows != 1 ||
		kis_row_is_empty(check->request->call, &check->request->reply->rows[0]))
		return failed(check, psprintf(_("KIS has no figures for %s"), pair));
	if (kis_clock_error(check->request) != 0)
		return failed(check, psprintf("%s. %s", kis_clock_complaint(check->request), _(kis_clock_hint)));
	return psprintf(_("%s answered, arrived at %s"), pair,
					timestamptz_to_str(check->request->arrived_at));
}

/* The figures of the reply in the order of its members, 0 where it has none, as bigint[]. */
static Datum
figures_of(const KisReply *reply)
{
	Datum	   *figures = palloc(kis_member_count * sizeof(Datum));

	for (int i = 0; i < kis_member_count; i++)
	{
		const KisValue *value = &reply->rows[0].values[i];

		figures[i] = Int64GetDatum(value->kind == KIS_VALUE_INTEGER ? value->integer : 0);
	}
	return PointerGetDatum(construct_array(figures, kis_member_count, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static const struct
{
	const char *name;
	CheckStep	run;
}			steps[] = {
	{"version", check_version},
	{"shared memory", check_shared_memory},
	{"options", check_options},
	{"keys", check_keys},
	{"token", check_token},
	{"calendar", check_calendar},
	{"pair", check_pair},
};

/* What an error says, in one line. */
static char *
error_line(const ErrorData *error)
{
	return psprintf("%s.%s%s%s%s", error->message,
					error->detail != NULL ? " " : "", error->detail != NULL ? error->detail : "",
					error->hint != NULL ? " " : "", error->hint != NULL ? error->hint : "");
}

static bool
try_step(void *arg)
{
	Check	   *check = arg;

	check->ok = true;
	check->detail = check->step(check);
	return true;
}

/* Runs the step in a subtransaction: its error is its result, unless it is a cancel. */
static void
run_step(Check *check)
{
	bool		done;
	ErrorData  *error = kis_catch(try_step, check, &done);

	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	check->ok = false;
	check->detail = error_line(error);
}

/*
 * kis_check_rows(server): a row a step of kis_check(server), with the figures of
 * the pair. Errors: 42704 where there is no such server, 42809 where it is none
 * of ours.
 */
Datum
kis_check_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Check		check = {0};

	check.server = kis_foreign_server_named(NameStr(*PG_GETARG_NAME(0)), fcinfo->flinfo->fn_oid, "server");
	check.query = kis_query_create(CurrentMemoryContext);

	/*
	 * a reply that is kept says nothing of this token, nor of KIS as it is
	 * now
	 */
	check.query->bypasses_cache = true;
	check.counters = palloc0(sizeof(KisCounters));
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < (int) lengthof(steps); i++)
	{
		const KisReply *reply;
		Datum		values[4];
		bool		nulls[4] = {0};

		check.step = steps[i].run;
		run_step(&check);
		reply = check.request ? check.request->reply : NULL;
		values[0] = CStringGetTextDatum(steps[i].name);
		values[1] = BoolGetDatum(check.ok);
		values[2] = CStringGetTextDatum(check.detail);
		nulls[3] = steps[i].run != check_pair || reply == NULL || reply->nrows != 1;
		values[3] = nulls[3] ? (Datum) 0 : figures_of(reply);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
