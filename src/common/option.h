/*
 * option.h
 *		The options of servers, user mappings, foreign tables and columns:
 *		what there is as data, the validator, and the readers.
 */
#ifndef KIS_COMMON_OPTION_H
#define KIS_COMMON_OPTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "foreign/foreign.h"
#include "nodes/pg_list.h"

#include "common/option_parse.h"
#include "common/tables.h"

/* A server's options; defaults are filled in. */
typedef struct KisServerOptions
{
	char	   *base_url;		/* without a slash at its end */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */
	int			max_retries;
	int			max_wait;		/* ms */
	int			max_calls;		/* a query */
	double		requests_per_second;
	int			max_concurrent_requests;	/* a session */
	int			cache_ttl;		/* ms; 0: neither cached nor shared */
	int			session_start;	/* seconds of the day in Seoul */
	List	   *late_opens;		/* of DateADT: days on which all is an hour
								 * later */
	bool		weekday_calendar;	/* open days are Monday to Friday, without
									 * a request; else by KIS's calendar */
	List	   *extra_pairs;	/* of KisPairCode * */
	char	   *proxy;			/* NULL: none */
	char	   *ca_file;		/* NULL: the system's */
} KisServerOptions;

/*
 * A user mapping's options. Either of a secret and its file is set; a file is
 * read by kis_secret_read, again at each token request.
 */
typedef struct KisUserOptions
{
	char	   *app_key;
	char	   *app_secret;
	char	   *app_key_file;
	char	   *app_secret_file;
	char	   *access_token_file;	/* NULL: KIS issues one for us */
	double		requests_per_second;	/* 0: the server's */
} KisUserOptions;

typedef struct KisTableOptions
{
	char	   *table_name;		/* NULL: the foreign table's own name */
	KisPairSet	pairs;
} KisTableOptions;

/* The server; raises 42704 where it was dropped since it was looked up: nothing locks it. */
extern ForeignServer *kis_foreign_server(Oid serverid);

/* The server in an argument of one of our functions; raises where there is none of KIS */
extern ForeignServer *kis_foreign_server_named(const char *name, Oid function, const char *argument);

/* All allocate in the current memory context, and raise HV00D and 22023. */
extern KisServerOptions *kis_server_options(Oid serverid);
extern KisUserOptions *kis_user_options(List *options);
extern KisTableOptions *kis_table_options(Oid relid);

/* A column's option field, or NULL. */
extern char *kis_column_field(Oid relid, AttrNumber attnum);

#endif							/* KIS_COMMON_OPTION_H */
