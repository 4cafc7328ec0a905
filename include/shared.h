/*
 * shared.h
 *		Asking KIS, as everything in this extension does it: connections,
 *		statements and their inquiries, the trading calendar.
 *
 * What all sessions are to share (token, rate, replies) lives behind this
 * header, in state.h.
 */
#ifndef KIS_SHARED_H
#define KIS_SHARED_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "option.h"

/* A user's way to a server, with its options as of now. */
typedef struct KisConnection
{
	Oid			serverid;
	Oid			userid;
	char	   *server_name;
	KisServerOptions *options;
	struct KisIdentity *identity;	/* who asks whom: state.h */
	/* the rest is connection.c's */
	KisUserOptions *user_options;
	char	   *app_key;
	char	   *app_secret;
	char	   *ca_pem;			/* of ca_file; NULL: the system's */
	uint64		ca_state;		/* of that file when it was read, see kis_file_state */
	char	   *token;			/* of access_token_file; NULL: we have KIS issue one */
	uint64		token_generation;	/* counts the tokens that the file has held */
	MemoryContext context;
	bool		stale;			/* the catalog has changed since */
	int			users;			/* statements that hold it */
} KisConnection;

/*
 * What a statement asks of KIS and what it has got so far: the same inquiry
 * has the same answer throughout, max_calls and max_wait bound it, and each
 * warning is given once. One executor run or one call of our functions.
 */
typedef struct KisStatement KisStatement;

/* What asking has cost, per plan node or function call. */
typedef struct KisCounters
{
	int64		calls;			/* data calls sent, retries included */
	int64		cached;			/* replies from the cache */
	int64		retries;
	double		rate_wait_ms;	/* summed over inquiries */
	double		network_ms;		/* summed over attempts */
	int64		bytes;			/* of replies */
} KisCounters;

/* One call with its arguments, and what came of it. */
typedef struct KisInquiry
{
	KisConnection *connection;
	const KisCall *call;
	KisCallArgs args;
	bool		done;			/* then either reply or error is set */
	const KisReply *reply;		/* NULL: failed */
	TimestampTz arrived_at;
	KisError	error;
	int			users;			/* scans that are at it */
	struct KisSpilled *spilled; /* its reply is in a file as well, or there alone; NULL: it is not */
	struct KisInquiryState *state;	/* inquiry.c's */
} KisInquiry;

/*
 * The user's connection to the server, until the statement ends, whatever happens
 * to server and mapping meanwhile: the same inquiry keeps its answer. Raises
 * 42704 without a user mapping, and what the options raise.
 */
extern KisConnection *kis_statement_connection(KisStatement *statement, Oid serverid, Oid userid);

/* The statement of an executor run, EvalPlanQual's included; ends with it. */
extern KisStatement *kis_statement_of_estate(EState *estate);

/* A statement that ends when context is reset or deleted. */
extern KisStatement *kis_statement_create(MemoryContext context);

/* Has KIS answer it itself, where others take a reply of the last moments. */
extern void kis_statement_ask_anew(KisStatement *statement);

/*
 * Asks; never waits. Within a statement the same connection, call and
 * arguments give the same inquiry. What it costs is billed to counters of the
 * one who asked first; they must live as long as the statement. Raises 54000
 * beyond max_calls.
 */
extern KisInquiry *kis_inquire(KisStatement *statement, KisConnection *connection,
							   const KisCall *call, const KisCallArgs *args,
							   KisCounters *counters);

/*
 * spill.c: a scan is at it, or no longer; then its reply stays in memory only as
 * long as the statement's are few. kis_inquire brings it back, before the
 * statement's scans have ended.
 */
extern void kis_inquiry_hold(KisInquiry *inquiry);
extern void kis_inquiry_release(KisInquiry *inquiry);
extern void kis_statement_end_scans(KisStatement *statement);

/* spill.c: has a page come, and which is the last day of its rows? False: it has none. */
extern bool kis_page_is_here(const KisInquiry *page);
extern bool kis_page_last_day(const KisInquiry *page, DateADT *day);

/* What the statement has asked with these arguments; NULL: nothing. */
extern const KisInquiry *kis_inquired(const KisStatement *statement,
									  const KisConnection *connection,
									  const KisCall *call, const KisCallArgs *args);

/* Has the statement asked this already, or does the cache have it? Then it costs nothing more. */
extern bool kis_has_inquired(KisStatement *statement, KisConnection *connection,
							 const KisCall *call, const KisCallArgs *args);

/* Does max_calls leave room for so many new calls? */
extern bool kis_statement_allows(const KisStatement *statement, const KisConnection *connection,
								 int64 ncalls);

/* Raises 54000 where so many new calls like this one would exceed max_calls. */
extern void kis_statement_expect(KisStatement *statement, KisConnection *connection,
								 const KisCall *call, int ncalls);

/* The same where nobody knows how far the history reaches back: they may be fewer. */
extern void kis_statement_expect_at_most(KisStatement *statement, KisConnection *connection,
										 const KisCall *call, int ncalls);

/* Waits for the answer, moving on all that the session asks. False: it failed, see inquiry->error. */
extern bool kis_inquiry_wait(KisInquiry *inquiry);

/* The same, but a failure is raised with its SQLSTATE. */
extern void kis_inquiry_wait_or_raise(KisInquiry *inquiry);

/*
 * Sets args->date so that the reply has the row of this day: to the date of a
 * page that is known already, or else to the day itself.
 */
extern void kis_page_args(KisStatement *statement, KisConnection *connection,
						  const KisCall *call, DateADT day, KisCallArgs *args);

/* A day as KIS writes it, YYYYMMDD, and back; false where it is something else. */
extern void kis_day_to_text(DateADT day, char *text);
extern bool kis_day_from_text(const char *text, DateADT *day);

/* The day in Seoul, and the seconds since its midnight. */
extern DateADT kis_seoul_day(TimestampTz at);
extern int	kis_seoul_seconds(TimestampTz at);

/* True at the first call with this key in this statement. */
extern bool kis_warn_once(KisStatement *statement, const char *key);

/*
 * The trading day of figures that arrived at collected_at, by the connection's
 * calendar, which is asked where nobody has asked it today; that is billed to
 * counters. False: the calendar can't be had; then *failure says why, where it
 * is not NULL and KIS was asked.
 */
extern bool kis_trade_date(KisStatement *statement, KisConnection *connection,
						   TimestampTz collected_at, bool has_figures, KisCounters *counters,
						   DateADT *day, KisError *failure);

/* The same by Monday to Friday. */
extern DateADT kis_weekday_trade_date(const KisConnection *connection, TimestampTz collected_at,
									  bool has_figures);

/* Where in the exchange's day a moment lies, as far as it bears on what to believe of figures. */
typedef struct KisHours
{
	bool		closed;			/* says KIS's calendar, which has been wrong; the week-end of "weekday" has not */
	int			since_start;	/* seconds from session_start, as late opens move it; negative: before it */
	bool		before_open;	/* after session_start, but nothing has been traded yet */
	DateADT		day_before;		/* the open day before, where before_open; DATEVAL_NOBEGIN: not known */
} KisHours;

/* To be called where kis_trade_date has found the day of the same moment. */
extern KisHours kis_hours(KisStatement *statement, KisConnection *connection,
						  TimestampTz collected_at, KisCounters *counters);

/*
 * Seconds that the server's clock was ahead of KIS's (negative: behind) when the
 * reply arrived; 0 where KIS told no time, or they agree well enough.
 */
extern int64 kis_clock_error(const KisInquiry *inquiry);

/* The same in words, and what to do about it. */
extern char *kis_clock_complaint(const KisInquiry *inquiry);
extern const char *const kis_clock_hint;

/* Asks for what kis_trade_date will need, without waiting. */
extern void kis_trade_date_prepare(KisStatement *statement, KisConnection *connection,
								   KisCounters *counters);

/* For kis_check. What the shared memory holds, in a sentence; raises where it can't be had. */
extern char *kis_shared_summary(void);

/* The end of the connection's token, 0 where none is held; infinity for access_token_file. */
extern TimestampTz kis_connection_token_end(const KisConnection *connection);

/* As kis_stat shows the connection's account: KIS_FINGERPRINT_LEN characters and a NUL. */
#define KIS_FINGERPRINT_LEN	12
extern void kis_connection_fingerprint(const KisConnection *connection, char *fingerprint);

#endif							/* KIS_SHARED_H */
