/*
 * connection.h
 *		A user's way to a server: the options and secrets that a query works
 *		with, kept for the session until the catalog changes.
 */
#ifndef KIS_REQUEST_CONNECTION_H
#define KIS_REQUEST_CONNECTION_H

#include "postgres.h"

#include "utils/palloc.h"

#include "common/option.h"
#include "kis.h"
#include "shared/block.h"

/* A user's way to a server, with its options as of now. */
typedef struct KisConnection
{
	Oid			serverid;
	Oid			userid;
	char	   *server_name;
	KisServerOptions *options;
	KisIdentity *identity;		/* of host, app key and secret */
	KisUserOptions *user_options;
	char	   *app_key;
	char	   *app_secret;
	char	   *ca_pem;			/* of ca_file; NULL: the system's */
	uint64		ca_state;		/* of that file when it was read, see
								 * kis_file_state */
	char	   *token;			/* of access_token_file; NULL: KIS issues it */
	uint64		token_generation;	/* counts the tokens that the file has
									 * held */
	MemoryContext context;
	bool		stale;			/* the catalog has changed since */
	int			users;			/* queries and token requests that pin it: it
								 * stays, even if it is stale */
} KisConnection;

/* Not pinned: whatever runs before it is may free it. */
extern KisConnection *kis_connection_get(Oid serverid, Oid userid);

/* Is key, secret or token in a file? */
extern bool kis_connection_has_files(const KisConnection *connection);

/* Reads the files of secrets, again; the identity changes where they did. May raise. */
extern void kis_connection_read_secrets(KisConnection *connection);

#endif							/* KIS_REQUEST_CONNECTION_H */
