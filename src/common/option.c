/*
 * option.c
 *		The options of servers, user mappings, foreign tables and columns:
 *		what there is as data, the validator, and the readers.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/dependency.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/option.h"
#include "common/option_parse.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "compat.h"

#define MINUTE_MS	(60 * 1000)
#define HOUR_MS		(60 * MINUTE_MS)
#define MIN_RATE	0.001
#define MAX_RATE	1000

/* KIS's lengths; another one is suspicious, but not for us to refuse */
#define APP_KEY_LEN		36
#define APP_SECRET_LEN	180

/* Of a member's name and its NUL; theirs have 20 bytes or so */
#define FIELD_SIZE	128

/* Who may set it, and alter what has it. */
typedef enum OptionSetter
{
	SET_BY_ANYBODY,
	SET_BY_FILE_READERS,		/* who may read the server's files */
	SET_BY_SUPERUSERS
} OptionSetter;

typedef struct Option
{
	const char *name;
	Oid			catalog;		/* of the objects that take it */
	KisOptionParser *parse;
	size_t		offset;			/* of its value in the struct of its objects */
	double		min;			/* as the parser takes them */
	double		max;
	const char *default_value;	/* NULL: all zero bits */
	OptionSetter setter;
	const char *hint;			/* a sentence with a good value */
} Option;

#define IN_SERVER(member)	offsetof(KisServerOptions, member)
#define IN_USER(member)		offsetof(KisUserOptions, member)
#define IN_TABLE(member)	offsetof(KisTableOptions, member)

static const char *
parse_calendar(const char *value, double min, double max, void *result)
{
	bool	   *by_weekday = result;

	*by_weekday = strcmp(value, "weekday") == 0;
	return *by_weekday || strcmp(value, "kis") == 0 ? NULL : _("There is no such choice.");
}

static const char *
parse_pair_set(const char *value, double min, double max, void *result)
{
	KisPairSet *pairs = result;

	*pairs = strcmp(value, "all") == 0 ? KIS_PAIRS_ALL : KIS_PAIRS_HEADLINE;
	return *pairs == KIS_PAIRS_ALL || strcmp(value, "headline") == 0 ? NULL : _("There is no such choice.");
}

static const char *
parse_table_name(const char *value, double min, double max, void *result)
{
	*(char **) result = pstrdup(value);
	return kis_table_find(value) == NULL ? _("There is no such table.") : NULL;
}

static const Option options[] = {
	{"base_url", ForeignServerRelationId, kis_parse_base_url, IN_SERVER(base_url), 0, 0,
		KIS_BASE_URL, SET_BY_ANYBODY,
	gettext_noop("KIS's own is \"https://openapi.koreainvestment.com:9443\", the default.")},
	{"connect_timeout", ForeignServerRelationId, kis_parse_duration, IN_SERVER(connect_timeout),
		1, 10 * MINUTE_MS, "3s", SET_BY_ANYBODY,
	gettext_noop("Write a number with a unit from 1ms to 10min, such as '3s' or '500ms'.")},
	{"request_timeout", ForeignServerRelationId, kis_parse_duration, IN_SERVER(request_timeout),
		1, 10 * MINUTE_MS, "10s", SET_BY_ANYBODY,
	gettext_noop("Write a number with a unit from 1ms to 10min, such as '10s' or '500ms'.")},
	{"max_retries", ForeignServerRelationId, kis_parse_integer, IN_SERVER(max_retries),
		0, 10, "2", SET_BY_ANYBODY,
	gettext_noop("Write a whole number from 0 to 10, such as '2'.")},
	{"max_wait", ForeignServerRelationId, kis_parse_duration, IN_SERVER(max_wait),
		0, HOUR_MS, "30s", SET_BY_ANYBODY,
	gettext_noop("Write 0 or a number with a unit up to 1h, such as '30s' or '500ms'.")},
	{"max_calls", ForeignServerRelationId, kis_parse_integer, IN_SERVER(max_calls),
		1, 1000000, "100", SET_BY_ANYBODY,
	gettext_noop("Write a whole number from 1 to 1000000, such as '100'.")},
	{"requests_per_second", ForeignServerRelationId, kis_parse_rate, IN_SERVER(requests_per_second),
		MIN_RATE, MAX_RATE, "10", SET_BY_ANYBODY,
	gettext_noop("Write a number from 0.001 to 1000, such as '10' or '0.5'.")},
	{"max_concurrent_requests", ForeignServerRelationId, kis_parse_integer,
		IN_SERVER(max_concurrent_requests), 1, 64, "6", SET_BY_ANYBODY,
	gettext_noop("Write a whole number from 1 to 64, such as '6'.")},
	{"cache_ttl", ForeignServerRelationId, kis_parse_duration, IN_SERVER(cache_ttl),
		0, HOUR_MS, "10s", SET_BY_ANYBODY,
	gettext_noop("Write 0 or a number with a unit up to 1h, such as '10s' or '500ms'.")},
	{"session_start", ForeignServerRelationId, kis_parse_time_of_day, IN_SERVER(session_start),
		0, 0, "08:30", SET_BY_ANYBODY,
	gettext_noop("Write a time in Seoul from 00:00 to 23:59, such as '08:30'.")},
	{"late_opens", ForeignServerRelationId, kis_parse_days, IN_SERVER(late_opens), 0, 100,
		NULL, SET_BY_ANYBODY,
	gettext_noop("Write up to 100 days on which the exchange opens at 10:00, such as '2026-11-19, 2027-11-18'.")},
	{"calendar", ForeignServerRelationId, parse_calendar, IN_SERVER(weekday_calendar), 0, 0,
		"kis", SET_BY_ANYBODY,
	gettext_noop("Write 'kis' or 'weekday'.")},
	{"extra_pairs", ForeignServerRelationId, kis_parse_pairs, IN_SERVER(extra_pairs), 0, 1000,
		NULL, SET_BY_ANYBODY,
	gettext_noop("Write up to 1000 pairs of market and sector, of up to 7 letters and digits each, such as 'KSP/0031, KSQ/1034'.")},
	{"proxy", ForeignServerRelationId, kis_parse_proxy, IN_SERVER(proxy), 0, 0, NULL, SET_BY_SUPERUSERS,
	gettext_noop("Write a URL of http, https, socks4, socks4a, socks5 or socks5h with its port, such as 'http://proxy.example.com:3128'.")},
	{"ca_file", ForeignServerRelationId, kis_parse_path, IN_SERVER(ca_file), 0, 0, NULL, SET_BY_SUPERUSERS,
	gettext_noop("Write the absolute path of a file on the server, such as '/etc/ssl/certs/ca-certificates.crt'.")},

	{"app_key", UserMappingRelationId, kis_parse_word, IN_USER(app_key), 0, KIS_TOKEN_LEN, NULL, SET_BY_ANYBODY,
	gettext_noop("Copy the app key of 36 characters from the KIS Developers site.")},
	{"app_secret", UserMappingRelationId, kis_parse_word, IN_USER(app_secret), 0, KIS_TOKEN_LEN, NULL, SET_BY_ANYBODY,
	gettext_noop("Copy the app secret of 180 characters from the KIS Developers site.")},
	{"app_key_file", UserMappingRelationId, kis_parse_path, IN_USER(app_key_file), 0, 0, NULL, SET_BY_FILE_READERS,
	gettext_noop("Write the absolute path of a file on the server, such as '/etc/kis/app_key'.")},
	{"app_secret_file", UserMappingRelationId, kis_parse_path, IN_USER(app_secret_file), 0, 0, NULL, SET_BY_FILE_READERS,
	gettext_noop("Write the absolute path of a file on the server, such as '/etc/kis/app_secret'.")},
	{"access_token_file", UserMappingRelationId, kis_parse_path, IN_USER(access_token_file), 0, 0, NULL, SET_BY_FILE_READERS,
	gettext_noop("Write the absolute path of a file on the server, such as '/var/lib/kis/token.json'.")},
	{"requests_per_second", UserMappingRelationId, kis_parse_rate, IN_USER(requests_per_second),
		MIN_RATE, MAX_RATE, NULL, SET_BY_ANYBODY,
	gettext_noop("Write a number from 0.001 to 1000, such as '10' or '0.5'.")},

	{"table_name", ForeignTableRelationId, parse_table_name, IN_TABLE(table_name), 0, 0, NULL, SET_BY_ANYBODY,
	NULL},						/* the message has the nearest */
	{"pairs", ForeignTableRelationId, parse_pair_set, IN_TABLE(pairs), 0, 0, NULL, SET_BY_ANYBODY,
	gettext_noop("Write 'headline' or 'all'.")},

	{"field", AttributeRelationId, kis_parse_word, 0, 0, FIELD_SIZE, NULL, SET_BY_ANYBODY,
	gettext_noop("Write a member of KIS's answer, such as 'frgn_ntby_qty', or '*' or '**'.")},
};

PG_FUNCTION_INFO_V1(market_investor_fdw_validator);

/* What takes options, as messages say it. */
static const char *
object_kind(Oid catalog)
{
	return catalog == ForeignServerRelationId ? _("server") :
		catalog == UserMappingRelationId ? _("user mapping") :
		catalog == ForeignTableRelationId ? _("foreign table") :
		catalog == AttributeRelationId ? _("column of a foreign table") : _("foreign-data wrapper");
}

/* The option of this name of these objects, or, of InvalidOid, of any; or NULL. */
static const Option *
find_option(const char *name, Oid catalog)
{
	for (int i = 0; i < (int) lengthof(options); i++)
	{
		if ((!OidIsValid(catalog) || options[i].catalog == catalog) &&
			strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

/* Refuses a name that these objects have no option of. */
pg_noreturn static void
raise_unknown_option(const char *name, Oid catalog)
{
	const Option *elsewhere = find_option(name, InvalidOid);
	const char *names[lengthof(options) + 1] = {NULL};
	const char *nearest;
	StringInfoData list;
	int			nnames = 0;

	if (elsewhere != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" does not belong to a %s", name, object_kind(catalog)),
				 errhint("It is an option of a %s.", object_kind(elsewhere->catalog))));

	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(options); i++)
	{
		if (options[i].catalog != catalog)
			continue;
		names[nnames++] = options[i].name;
		appendStringInfo(&list, "%s%s", nnames > 1 ? ", " : "", options[i].name);
	}
	nearest = kis_suggest_name(name, names);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant the option \"%s\".", nearest) :
			 nnames > 0 ? errhint("The options of a %s are: %s.", object_kind(catalog), list.data) :
			 errhint("A %s takes no options.", object_kind(catalog))));
}

/* Refuses a value; why is a sentence that doesn't show it. */
pg_noreturn static void
raise_bad_value(const Option *option, const char *value, const char *why)
{
	/* what stands on a user mapping, or in a URL before @, may be a secret */
	bool		may_show = option->catalog != UserMappingRelationId &&
		strchr(value, '@') == NULL;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 may_show ?
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, kis_shown(value)) :
			 errmsg("invalid value for option \"%s\"", option->name),
			 errdetail_internal("%s", why),
			 option->parse == parse_table_name ?
			 errhint("Write the name of a table that IMPORT FOREIGN SCHEMA makes, such as '%s'.",
					 kis_suggest_table(value)) :
			 errhint("%s", _(option->hint))));
}

/* Reads a value into the struct of its option's objects; returns why it can't be, or NULL. */
static const char *
parse_value(const Option *option, const char *value, void *values)
{
	return option->parse(value, option->min, option->max, (char *) values + option->offset);
}

/*
 * Reads the options of an object into its struct, which the caller has zeroed,
 * over their defaults. What is unknown or bad is an error, of DDL and of the use
 * of an object that was made before the option had these limits.
 */
static void
read_options(List *defs, Oid catalog, void *values)
{
	ListCell   *cell;

	for (int i = 0; i < (int) lengthof(options); i++)
		if (options[i].catalog == catalog && options[i].default_value != NULL)
			(void) parse_value(&options[i], options[i].default_value, values);

	foreach(cell, defs)
	{
		DefElem    *def = lfirst_node(DefElem, cell);
		const Option *option = find_option(def->defname, catalog);
		const char *why;

		if (option == NULL)
			raise_unknown_option(def->defname, catalog);
		why = parse_value(option, defGetString(def), values);
		if (why != NULL)
			raise_bad_value(option, defGetString(def), why);
	}
}

/*
 * Refuses options that the user has no right to set. The validator sees all that
 * the object is about to have, not which of them change, so who may not set one
 * may not alter what has it either.
 */
static void
check_rights(List *defs, Oid catalog)
{
	ListCell   *cell;

	foreach(cell, defs)
	{
		DefElem    *def = lfirst_node(DefElem, cell);
		const Option *option = find_option(def->defname, catalog);

		if ((option->setter == SET_BY_SUPERUSERS && !superuser()) ||
			(option->setter == SET_BY_FILE_READERS &&
			 !has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to set option \"%s\"", option->name),
					 option->setter == SET_BY_SUPERUSERS ?
					 errdetail("It decides who may read the app keys of all who use the server.") : 0,
					 option->setter == SET_BY_SUPERUSERS ?
					 errhint("Only a superuser may create or alter a server that has this option.") :
					 errhint("Only a role with the privileges of \"pg_read_server_files\" may create or alter what has this option.")));
	}
}

/* A server's owner could otherwise have its users' keys sent to a host of his own. */
static void
check_host(const KisServerOptions *server)
{
	if (strcmp(server->base_url, KIS_BASE_URL) != 0 && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"base_url\" to another host than KIS's own"),
				 errdetail("The app keys of all who use the server are sent to that host."),
				 errhint("Only a superuser may create or alter a server with such a base_url. KIS's own is \"%s\", the default.",
						 KIS_BASE_URL)));
}

/* Only a tunnel keeps a proxy from reading what is sent. */
static void
check_proxy(const KisServerOptions *server)
{
	if (server->proxy != NULL && strncmp(server->base_url, "https:", 6) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"proxy\" takes a base_url of https"),
				 errdetail("Over http the proxy would be sent the app key and secret in the clear."),
				 errhint("Drop one of them: ALTER SERVER ... OPTIONS (DROP proxy).")));
}

static void
check_secret_given_once(const char *secret, const char *file, const char *name)
{
	if (secret != NULL && file != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"%s\" and \"%s_file\" are both set", name, name),
				 errhint("Drop one of them: ALTER USER MAPPING ... OPTIONS (DROP %s).", name)));
}

/* A copy that lost a part is refused by KIS alone, and much later. */
static void
warn_of_length(const char *secret, int usual, const char *name)
{
	if (secret != NULL && strlen(secret) != (size_t) usual)
		ereport(WARNING,
				(errmsg("option \"%s\" has an unusual length", name),
				 errdetail("It has %d characters; KIS's have %d.", (int) strlen(secret), usual)));
}

/*
 * The validator: checks all options that an object is about to have. What one
 * server or mapping must not have together is checked here, too; what it must
 * have only when it is used, since it may be added later.
 */
Datum
market_investor_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *defs = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	union
	{
		KisServerOptions server;
		KisUserOptions user;
		KisTableOptions table;
		char	   *field;
	}			values = {0};

	read_options(defs, catalog, &values);
	if (catalog == ForeignServerRelationId)
	{
		check_host(&values.server);
		check_proxy(&values.server);
	}
	else if (catalog == UserMappingRelationId)
	{
		check_secret_given_once(values.user.app_key, values.user.app_key_file, "app_key");
		check_secret_given_once(values.user.app_secret, values.user.app_secret_file, "app_secret");
		warn_of_length(values.user.app_key, APP_KEY_LEN, "app_key");
		warn_of_length(values.user.app_secret, APP_SECRET_LEN, "app_secret");
	}
	check_rights(defs, catalog);
	PG_RETURN_VOID();
}

/* The server; raises 42704 where it was dropped since it was looked up: nothing locks it. */
ForeignServer *
kis_foreign_server(Oid serverid)
{
	ForeignServer *server = GetForeignServerExtended(serverid, FSV_MISSING_OK);

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server with OID %u does not exist", serverid),
				 errdetail("It was dropped meanwhile.")));
	return server;
}

/*
 * The server in an argument of one of our functions; raises 42704 where
 * there is none, and 42809 where it is of another wrapper than the function's
 * extension has. The caller sees to the right to use it.
 */
ForeignServer *
kis_foreign_server_named(const char *name, Oid function, const char *argument)
{
	/*
	 * not by GetForeignServerByName: its second look-up fails where the
	 * server is dropped after the first
	 */
	ForeignServer *server = GetForeignServerExtended(get_foreign_server_oid(name, true), FSV_MISSING_OK);
	ForeignDataWrapper *wrapper = server ?
		GetForeignDataWrapperExtended(server->fdwid, FDW_MISSING_OK) : NULL;

	if (wrapper == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("Make it with CREATE SERVER %s FOREIGN DATA WRAPPER market_investor_fdw, or name yours with %s => 'name'.",
						 quote_identifier(name), argument)));
	if (getExtensionOfObject(ProcedureRelationId, wrapper->fdwhandler) !=
		getExtensionOfObject(ProcedureRelationId, function))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not lead to KIS", name),
				 errhint("Name a server of the foreign-data wrapper market_investor_fdw.")));
	return server;
}

/*
 * A server's options, defaults filled in, in the current memory context. Raises
 * HV00D and 22023 where DDL of an older version has left what this one refuses,
 * and 42704 where the server is gone.
 */
KisServerOptions *
kis_server_options(Oid serverid)
{
	KisServerOptions *server = palloc0(sizeof(KisServerOptions));

	read_options(kis_foreign_server(serverid)->options, ForeignServerRelationId, server);
	check_proxy(server);
	return server;
}

static void
require_secret(const char *secret, const char *file, const char *name)
{
	if (secret == NULL && file == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("user mapping has no option \"%s\"", name),
				 errhint("Set it: ALTER USER MAPPING FOR ... SERVER ... OPTIONS (ADD %s '...'), or %s_file with the path of a file that holds it.",
						 name, name)));
}

/* A user mapping's options; raises HV00D as well where a key or secret is missing. */
KisUserOptions *
kis_user_options(List *defs)
{
	KisUserOptions *user = palloc0(sizeof(KisUserOptions));

	read_options(defs, UserMappingRelationId, user);
	require_secret(user->app_key, user->app_key_file, "app_key");
	require_secret(user->app_secret, user->app_secret_file, "app_secret");
	return user;
}

/* A foreign table's options, without defaults. */
KisTableOptions *
kis_table_options(Oid relid)
{
	KisTableOptions *table = palloc0(sizeof(KisTableOptions));

	read_options(GetForeignTable(relid)->options, ForeignTableRelationId, table);
	return table;
}

/* A column's option field, or NULL. */
char *
kis_column_field(Oid relid, AttrNumber attnum)
{
	char	   *field = NULL;

	read_options(GetForeignColumnOptions(relid, attnum), AttributeRelationId, &field);
	return field;
}
