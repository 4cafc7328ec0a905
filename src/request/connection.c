/*
 * connection.c
 *		A user's way to a server: the options and secrets that a query works
 *		with, kept for the session until the catalog changes.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "common/messages.h"
#include "common/option.h"
#include "common/secret_file.h"
#include "compat.h"
#include "kis.h"
#include "kis/redact.h"
#include "request/connection.h"
#include "shared/account.h"
#include "shared/block.h"

/* How often one is made anew because the catalog has changed meanwhile. */
#define MOST_TRIES	3

static List *connections = NIL; /* of KisConnection * */

/* Any change of a server or a mapping is rare enough to let go of all. */
static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	ListCell   *cell;

	foreach(cell, connections)
		((KisConnection *) lfirst(cell))->stale = true;
}

/*
 * What whoever runs the query can do for a mapping of the user: make it,
 * as far as CREATE USER MAPPING and our options let them, or ask those who can.
 */
static int
hint_of_mapping(const ForeignServer *server, Oid userid)
{
	Oid			self = GetUserId();
	char	   *create = psprintf("CREATE USER MAPPING FOR %s SERVER %s",
								  quote_identifier(GetUserNameFromId(userid, false)),
								  quote_identifier(server->servername));

	if (!has_privs_of_role(self, server->owner) &&
		(self != userid || kis_server_aclcheck(server->serverid, self, ACL_USAGE) != ACLCHECK_OK))
		return errhint("Ask the owner of the server or a superuser for %s OPTIONS (app_key_file '/path', app_secret_file '/path'), "
					   "for one FOR PUBLIC, or for a view or a SECURITY DEFINER function whose owner has a user mapping.",
					   create);
	if (!has_privs_of_role(self, ROLE_PG_READ_SERVER_FILES))
		return errhint("%s OPTIONS (app_key '...', app_secret '...');", create);
	return errhint("%s OPTIONS (app_key_file '/path', app_secret_file '/path');", create);
}

/* The mapping of the user, or else of PUBLIC. */
static UserMapping *
user_mapping(Oid serverid, Oid userid)
{
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid),
							   ObjectIdGetDatum(serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
							   ObjectIdGetDatum(serverid)))
	{
		ForeignServer *server = kis_foreign_server(serverid);
		const char *user = GetUserNameFromId(userid, false);

		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("user mapping not found for user \"%s\", server \"%s\"", user, server->servername),
				hint_of_mapping(server, userid));
	}
	return GetUserMapping(userid, serverid);
}

static void
forget(char *secret)
{
	if (secret == NULL)
		return;
	kis_wipe(secret, strlen(secret));
	pfree(secret);
}

/* Is key, secret or token in a file? */
bool
kis_connection_has_files(const KisConnection *connection)
{
	const KisUserOptions *user = connection->user_options;

	return user->app_key_file != NULL || user->app_secret_file != NULL ||
		user->access_token_file != NULL;
}

/* Takes a secret that has been read to the connection's memory. */
static void
keep(KisConnection *connection, char **kept, char *secret)
{
	char	   *copy = MemoryContextStrdup(connection->context, secret);

	forget(*kept);
	*kept = copy;
	forget(secret);
}

/*
 * Reads the files of secrets, again; the identity changes where key or secret did,
 * and the token's number where that did. Raises where a file can't be read, and
 * then leaves all as it was: they are in the caller's memory until all are there.
 */
void
kis_connection_read_secrets(KisConnection *connection)
{
	KisUserOptions *user = connection->user_options;
	char	   *app_key = user->app_key != NULL ? pstrdup(user->app_key) :
		kis_secret_read(user->app_key_file, "app_key");
	char	   *app_secret = user->app_secret != NULL ? pstrdup(user->app_secret) :
		kis_secret_read(user->app_secret_file, "app_secret");
	char	   *token = user->access_token_file != NULL ?
		kis_access_token_read(user->access_token_file) : NULL;

	kis_identify(connection->options->base_url, app_key, app_secret, connection->identity);
	keep(connection, &connection->app_key, app_key);
	keep(connection, &connection->app_secret, app_secret);
	if (token == NULL)
		return;
	if (connection->token == NULL || strcmp(connection->token, token) != 0)
		connection->token_generation++;
	keep(connection, &connection->token, token);
}

static uint64
ca_state(const KisServerOptions *options)
{
	return options->ca_file != NULL ? kis_file_state(options->ca_file) : 0;
}

static void
connection_free(KisConnection *connection)
{
	forget(connection->app_key);
	forget(connection->app_secret);
	forget(connection->token);
	MemoryContextDelete(connection->context);
}

/*
 * A new one, in the list from the start, so that a change of the catalog while it
 * is made has it stale: it could bring a secret to a server that it is not for.
 * Nobody finds it before it is whole, and where an error leaves it, the next
 * kis_connection_get frees it.
 */
static KisConnection *
connection_create(Oid serverid, Oid userid)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "KIS connection",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KisConnection *connection = palloc0(sizeof(KisConnection));

	connection->context = context;
	MemoryContextSwitchTo(TopMemoryContext);
	connections = lappend(connections, connection);
	MemoryContextSwitchTo(context);

	connection->user_options = kis_user_options(user_mapping(serverid, userid)->options);
	connection->server_name = pstrdup(kis_foreign_server(serverid)->servername);
	connection->options = kis_server_options(serverid);
	connection->ca_state = ca_state(connection->options);
	if (connection->options->ca_file != NULL)
		connection->ca_pem = kis_ca_read(connection->options->ca_file);
	connection->identity = palloc(sizeof(KisIdentity));
	kis_connection_read_secrets(connection);
	connection->serverid = serverid;
	connection->userid = userid;
	MemoryContextSwitchTo(old);
	return connection;
}

/*
 * The user's connection to the server. Not pinned: whatever runs before it is may
 * free it. Raises 42704 without a user mapping, and what options and secret files
 * raise.
 */
KisConnection *
kis_connection_get(Oid serverid, Oid userid)
{
	static bool registered = false;
	KisConnection *connection;
	ListCell   *cell;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, catalog_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, catalog_changed, (Datum) 0);
		registered = true;
	}

	foreach(cell, connections)
	{
		bool		is_same;

		connection = lfirst(cell);
		is_same = connection->serverid == serverid && connection->userid == userid;
		if (is_same && connection->ca_state != ca_state(connection->options))
			connection->stale = true;
		if (is_same && !connection->stale)
			return connection;
		if (connection->users > 0 || (!connection->stale && OidIsValid(connection->serverid)))
			continue;
		connections = foreach_delete_current(connections, cell);
		connection_free(connection);
	}

	/*
	 * one of one state of the catalog; a server that discards its caches
	 * whenever it can changes it each time
	 */
	for (int tries = 1;; tries++)
	{
		connection = connection_create(serverid, userid);
		if (!connection->stale || tries == MOST_TRIES)
			return connection;
	}
}
