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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kis_catalog.h"

#define KIS_VERSION			"1.0"	/* of this library */

#define KIS_MARKET_LEN		8	/* longest market code and its NUL */
#define KIS_SECTOR_LEN		8
#define KIS_DATE_LEN		9	/* YYYYMMDD and its NUL */
#define KIS_TOKEN_LEN		1025
#define KIS_MAX_REPLY		(4 * 1024 * 1024)	/* bytes of a reply's body */
#define KIS_MAX_VALUES		100000	/* in it: eight times what KIS's longest page has */
#define KIS_TOKEN_SLOW_MS	10000	/* KIS may take so long to issue a token */

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
	KIS_ERROR_PASSING,			/* KIS says: try again */
	KIS_ERROR_REFUSED,			/* KIS refuses the call: report, never retry */
	KIS_ERROR_REPLY,			/* not the reply that it should be */
	KIS_ERROR_FULL,				/* no room in shared memory beside other app keys: ours */
	KIS_ERROR_LOCAL				/* out of memory, unreadable ca_file: ours */
} KisErrorClass;

/* What KIS counted when it refused a call for its rate. */
typedef enum KisQuota
{
	KIS_QUOTA_NONE = 0,
	KIS_QUOTA_APP_KEY,			/* all calls of the app key */
	KIS_QUOTA_LEDGER			/* the calls of the ledger alone, such as the calendar's */
} KisQuota;

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
	char		text[512];		/* KIS's or libcurl's words, redacted, UTF-8 */
	int			retry_after_ms; /* when to try again, or 0 where not known */
} KisError;

/* Name of a phase for a message: "resolving the host name" ... */
extern const char *kis_phase_name(KisPhase phase);

/* Name of a class for counters: "connect", "timeout" ... */
extern const char *kis_error_class_name(KisErrorClass error_class);

/* May the same request be tried again at once or after a pause? */
extern bool kis_error_is_passing(KisErrorClass error_class);

/* What a call that failed counts against, by KIS's code and the HTTP status. */
extern KisQuota kis_error_counts_against(const KisError *error);

/* What to do about KIS's code where that says more than its class; else NULL. English. */
extern const char *kis_error_code_hint(const KisError *error);

/* ---- what a call says: decode (reply.c) -------------------------------- */

typedef enum KisValueKind
{
	KIS_VALUE_MISSING,			/* no such member in the reply */
	KIS_VALUE_EMPTY,			/* null, "" or blanks: no value */
	KIS_VALUE_INTEGER,			/* integer and text are set */
	KIS_VALUE_TEXT				/* anything else, text alone is set */
} KisValueKind;

typedef struct KisValue
{
	KisValueKind kind;
	int64_t		integer;
	const char *text;			/* as KIS wrote it, without blanks around it */
} KisValue;

/* A member that the call's list doesn't name. */
typedef struct KisExtraMember
{
	const char *name;
	KisValue	value;
} KisExtraMember;

typedef struct KisRow
{
	const KisValue *values;		/* as many as the call has members */
	const KisExtraMember *extra;
	int			nextra;
	int			position;		/* in KIS's output, blank rows counted */
} KisRow;

typedef struct KisReply
{
	const char *rt_cd;
	const char *msg_cd;
	const char *msg1;			/* blanks at its end cut */
	const KisRow *rows;
	int			nrows;
	const char *body;			/* whole, NUL-terminated, valid UTF-8 JSON */
	size_t		body_len;
	int64_t		date;			/* of the header Date, Unix seconds; 0: none that can be read */
	size_t		size;			/* bytes of the block, from here on */
} KisReply;

/*
 * Decodes a reply to call. Returns NULL and fills error where KIS refused
 * (decided on msg_cd, never on the HTTP status) or the reply is not what it
 * should be. Of a list, rows that hold nothing but blanks are left out. The reply and all that it points to is one malloc'd block.
 */
extern KisReply *kis_reply_decode(const KisCall *call, int http_status,
								  const char *body, size_t len, KisError *error);
extern void kis_reply_free(KisReply *reply);

/*
 * Makes a copy of a reply's block whole, which was copied byte by byte from
 * somewhere else, be it another process.
 */
extern void kis_reply_relocate(const KisCall *call, KisReply *copy);

/* A member's value by KIS's name, listed or not; KIS_VALUE_MISSING if absent. */
extern KisValue kis_row_member(const KisCall *call, const KisRow *row, const char *field);

/* No listed member has a value: KIS doesn't know the pair. */
extern bool kis_row_is_empty(const KisCall *call, const KisRow *row);

/* A listed member is an integer other than zero. */
extern bool kis_row_has_figures(const KisCall *call, const KisRow *row);

typedef struct KisToken
{
	char		token[KIS_TOKEN_LEN];
	int64_t		expires_at;		/* Unix seconds, the earlier of both that KIS tells */
} KisToken;

/* Decodes a reply of the token endpoint; now is Unix seconds. */
extern bool kis_token_decode(int http_status, const char *body, size_t len,
							 int64_t now, KisToken *token, KisError *error);

/*
 * The token in a text that another program keeps it in: plain, or as member
 * access_token or token of JSON or YAML. token has room for KIS_TOKEN_LEN.
 */
extern bool kis_token_in_text(const char *text, char *token);

/* ---- asking: transfers (http.c, request.c) ------------------------------ */

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
	int			request_timeout_ms; /* the whole attempt; a token issue gets KIS_TOKEN_SLOW_MS more */
} KisEndpoint;

typedef struct KisSecrets
{
	const char *app_key;
	const char *app_secret;
	const char *token;			/* NULL for a token issue */
} KisSecrets;

/* What fills a call's parameters; "" where the call has no use for it. */
typedef struct KisCallArgs
{
	char		market[KIS_MARKET_LEN];
	char		sector[KIS_SECTOR_LEN];
	char		date[KIS_DATE_LEN];
} KisCallArgs;

/*
 * NULL and error where libcurl or the kernel has nothing left. The process must
 * ignore SIGPIPE, as PostgreSQL's do.
 */
extern KisHttp *kis_http_create(KisError *error);

/* Frees all its transfers as well, and closes its connections; never waits. */
extern void kis_http_destroy(KisHttp *http);

/* Readable when kis_http_step has something to do. */
extern int	kis_http_fd(const KisHttp *http);

/*
 * Milliseconds until kis_http_step must be called whatever the descriptor says;
 * -1: no such time. To be called right before each wait: it tells that the
 * owner is about to wait, see kis_transfer_unattended.
 */
extern long kis_http_timeout_ms(KisHttp *http);

/*
 * Moves all transfers on as far as they go without waiting; what has arrived
 * comes before what is too late. After a start, this is what sends.
 */
extern void kis_http_step(KisHttp *http);

/* A transfer that has ended since the last call, or NULL. */
extern KisTransfer *kis_http_finished(KisHttp *http);

/*
 * Starts a data call or a token issue. NULL and error where it can't even
 * begin. owner comes back from kis_transfer_owner.
 */
extern KisTransfer *kis_call_start(KisHttp *http, const KisEndpoint *endpoint,
								   const KisSecrets *secrets, const KisCall *call,
								   const KisCallArgs *args, void *owner, KisError *error);
extern KisTransfer *kis_token_start(KisHttp *http, const KisEndpoint *endpoint,
									const KisSecrets *secrets, void *owner, KisError *error);

extern void *kis_transfer_owner(const KisTransfer *transfer);

/*
 * What a finished transfer brought: a reply to be freed by the caller, or NULL
 * and error. Secrets that stand in KIS's text are blotted out.
 */
extern KisReply *kis_transfer_reply(KisTransfer *transfer, KisError *error);
extern bool kis_transfer_token(KisTransfer *transfer, int64_t now, KisToken *token, KisError *error);

/* Bytes of the reply's body, and milliseconds from start to end (or to now). */
extern size_t kis_transfer_bytes(const KisTransfer *transfer);
extern double kis_transfer_elapsed_ms(const KisTransfer *transfer);

/*
 * It failed on the wire, not by KIS's word, and only perhaps because its owner
 * was not looking for a second or more: tried again, it should count as the
 * first time. The time limits themselves stand still in such a while. For a
 * token issue only true if the request was not sent.
 */
extern bool kis_transfer_unattended(const KisTransfer *transfer);

/* Its request has been sent, or never will be. */
extern bool kis_transfer_is_sent(const KisTransfer *transfer);

/*
 * Frees a transfer, finished or not; an unfinished one is abandoned and never
 * sends anything more. Never waits, not even for a hung name look-up: such a
 * transfer stays parked inside http until the look-up ends.
 */
extern void kis_transfer_release(KisTransfer *transfer);

/* ---- secrets (redact.c) -------------------------------------------------- */

/*
 * Overwrites every occurrence of the secrets in a message with asterisks, in
 * place: also parts of eight characters or more, and the beginning of one at
 * the end of text, which may have been cut there; also where their letters are
 * written as JSON, a URL or HTML may do it, and whatever that is no visible
 * ASCII stands between them. Secrets of less than four characters are none.
 */
extern void kis_redact(char *text, const KisSecrets *secrets);

/* The same of whole ones in a reply's body; JSON stays valid. */
extern void kis_redact_json(char *text, size_t len, const KisSecrets *secrets);

/* Overwrites memory that held a secret so that the compiler can't drop it. */
extern void kis_wipe(void *memory, size_t len);

/* ---- days (trading_day.c) -------------------------------------------------- */

#define KIS_SEOUL_OFFSET	(9 * 3600)	/* seconds east of UTC; no summer time since 1988 */

/* Is the exchange open on this day (days since 1970-01-01)? -1: not known. */
typedef int (*KisIsOpenDay) (void *context, int64_t day);

/*
 * The trading day that figures which arrived at unix_time (seconds) belong to,
 * as days since 1970-01-01 in Seoul: on a closed day the last open day; on an
 * open day before session_start (seconds of the day) the open day before if
 * some figure is not zero, since KIS still shows it, else the day itself;
 * after it the day itself. False where the calendar doesn't know.
 */
extern bool kis_trading_day(int64_t unix_time, int session_start, bool has_figures,
							KisIsOpenDay is_open, void *context, int64_t *day);

/*
 * Is this open day the first of its year? Then the exchange opens an hour late.
 * 1: it is, 0: it is not, -1: not known.
 */
extern int	kis_is_first_open_day(int64_t day, KisIsOpenDay is_open, void *context);

/* The calendar that needs no call: open from Monday to Friday. */
extern int	kis_is_weekday(void *context, int64_t day);

#endif							/* KIS_H */
