/*
 * kis.h
 *		The wall: what the lower half (src/kis) offers to the upper.
 *
 * Below it nothing knows PostgreSQL: memory is malloc's, errors come back as
 * values, nothing longjmps. Above it nothing knows libcurl or cJSON. Nothing
 * here blocks, and nothing here is thread-safe. All text is UTF-8; all times
 * are in the unit that the name says.
 */
#ifndef KIS_H
#define KIS_H

#define KIS_VERSION			"1.0"	/* of this library */

#define KIS_MARKET_LEN		8	/* longest market code and its NUL */
#define KIS_SECTOR_LEN		8
#define KIS_DATE_LEN		9	/* YYYYMMDD and its NUL */
#define KIS_TOKEN_LEN		1025
#define KIS_MAX_REPLY		(4 * 1024 * 1024)	/* bytes of a reply's body */
#define KIS_MAX_VALUES		100000	/* in it: eight times what KIS's longest
									 * page has */
#define kis_noop(text)		(text)	/* marks what is translated above the wall */
#define KIS_TOKEN_SLOW_MS	10000	/* KIS may take so long for a token
									 * request */

/* What went wrong, as far as it decides what to do about it. */
typedef enum KisErrorClass
{
	KIS_OK = 0,
	KIS_ERROR_CONNECT,			/* can't resolve, connect or agree on TLS */
	KIS_ERROR_TIMEOUT,			/* connected, but no whole reply in time */
	KIS_ERROR_DROPPED,			/* connected, closed without a reply */
	KIS_ERROR_TOKEN,			/* the access token is refused */
	KIS_ERROR_TOKEN_TOO_SOON,	/* one token a minute */
	KIS_ERROR_CREDENTIALS,		/* app key or secret refused */
	KIS_ERROR_RATE,				/* too many calls a second */
	KIS_ERROR_TRANSIENT,		/* KIS says: try again */
	KIS_ERROR_REFUSED,			/* KIS refuses the call: report, never retry */
	KIS_ERROR_REPLY,			/* not the reply that it should be */
	KIS_ERROR_FULL,				/* no room in shared memory beside other app
								 * keys: ours */
	KIS_ERROR_LOCAL				/* out of memory, unreadable ca_file: ours */
} KisErrorClass;

/* How far an attempt came. */
typedef enum KisPhase
{
	KIS_PHASE_NONE = 0,
	KIS_PHASE_RESOLVE,
	KIS_PHASE_CONNECT,
	KIS_PHASE_TLS,
	KIS_PHASE_REPLY
} KisPhase;

typedef struct KisError
{
	KisErrorClass error_class;
	KisPhase	phase;
	int			http_status;	/* 0 where none came */
	char		code[16];		/* KIS's msg_cd or error_code, or "" */
	char text[	512];			/* KIS's or libcurl's words, redacted, UTF-8 */
	char		form[80];		/* the text's form, for translations of it: what
								 * was printf's, or "" */
	int			retry_after_ms; /* when to try again, or 0 where not known */
} KisError;

/* A session's connections; libcurl's multi behind one pollable descriptor. */
typedef struct KisHttp KisHttp;

/* One request on its way. */
typedef struct KisTransfer KisTransfer;

/* Where and how to connect. Copied by what takes it. */
typedef struct KisEndpoint
{
	const char *base_url;
	const char *proxy;			/* NULL: none, whatever the environment says */
	const char *ca_file;		/* NULL: the system's */
	const char *ca_pem;			/* its content; NULL: libcurl reads it */
	int			connect_timeout_ms; /* resolve, connect and TLS together */
	int			request_timeout_ms; /* the whole attempt; a token request gets
									 * KIS_TOKEN_SLOW_MS more */
} KisEndpoint;

typedef struct KisSecrets
{
	const char *app_key;
	const char *app_secret;
	const char *token;			/* NULL for a token request */
} KisSecrets;

/* What fills a call's parameters; "" where the call has no use for it. */
typedef struct KisCallArgs
{
	char		market[KIS_MARKET_LEN];
	char		sector[KIS_SECTOR_LEN];
	char		date[KIS_DATE_LEN];
} KisCallArgs;

#endif							/* KIS_H */
