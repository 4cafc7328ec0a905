/*
 * inquiry.h
 *		How the parts of src/shared move a session's inquiries on.
 */
#ifndef KIS_INQUIRY_H
#define KIS_INQUIRY_H

#include "postgres.h"

#include "lib/ilist.h"

#include "state.h"

/* Something that has a transfer under way; the first member of its owner. */
typedef struct KisWork
{
	void		(*finished) (struct KisWork *work, int64 now_us);
	KisTransfer *transfer;		/* NULL: none under way */
	uint8		key[KIS_DIGEST_LEN];	/* of the account whose slot the transfer holds */
	int			slot;
	int64		until_us;		/* the slot's lease */
	double		per_second;
	bool		is_call;		/* a data call, not a token issue */
	bool		of_ledger;		/* and one of KIS's ledger */
	int			attempts;		/* so far */
	int64		ready_at_us;	/* since when it waits for a slot; 0: it does not */
	int64		sent_at_us;
	TimestampTz sent_at;
	int			retries;		/* so far, of those that max_retries bounds */
	int64		back_at_us;		/* not before, where it backs off */
} KisWork;

typedef enum KisStage
{
	KIS_STAGE_NEEDS_CALL,		/* nobody has begun */
	KIS_STAGE_SHARES_CALL,		/* another session has it under way */
	KIS_STAGE_NEEDS_TOKEN,
	KIS_STAGE_NEEDS_ROOM,		/* max_concurrent_requests are under way */
	KIS_STAGE_NEEDS_SLOT,		/* the rate is used up */
	KIS_STAGE_BACKING_OFF,
	KIS_STAGE_UNDER_WAY
} KisStage;

typedef struct KisInquiryState
{
	KisWork		work;
	dlist_node	node;			/* in the session's list until done */
	KisInquiry *inquiry;
	KisStatement *statement;
	KisCounters *counters;
	KisIdentity identity;		/* under which it is shared: the connection's may change */
	KisStage	stage;
	KisErrorClass waits_for;	/* what max_wait bounds; KIS_OK: nothing such */
	KisErrorClass told_waits_for;	/* the same, as those who wait for the call know it */
	bool		owns_call;		/* others may wait for it */
	uint64		call_attempt;	/* of the call that it waits for or owns; 0: none */
	uint64		token_attempt;	/* of the issue that it waits for; 0: none */
	bool		token_renewed;	/* one new token an inquiry */
	bool		rereads_token;	/* KIS refused the one that access_token_file held */
	bool		rereads_secrets;	/* KIS refused what the key files held */
	bool		doubted_secrets;	/* that was once already */
	uint64		generation;		/* of the token it was sent with */
	int			refusals;		/* for the rate, so far */
	int64		wake_at_us;		/* when what it waits for comes; PG_INT64_MAX: not known */
	ConditionVariable *waits_on;	/* another session will tell; NULL: none */
	KisReply   *reply;			/* the inquiry's, to be freed */
} KisInquiryState;

struct KisStatement
{
	EState	   *estate;			/* NULL: not of an executor run */
	MemoryContext context;
	MemoryContextCallback callback;
	slist_node	node;
	bool		asks_anew;		/* takes no reply of the last moments */
	List	   *connections;	/* of KisConnection *, held */
	List	   *inquiries;		/* of KisInquiry * */
	int			ncalls;			/* of these, not answered by the cache */
	int64		waited_us;		/* for rate, token and retries */
	List	   *warned;			/* of char * */
	/* spill.c's */
	struct BufFile *spill_file; /* NULL: none */
	int			spill_segment;	/* its end */
	off_t		spill_offset;
};

/* work.c: transfers of the session */
extern KisHttp *kis_session_http(int max_concurrent_requests);
extern int	kis_session_under_way(void);

/*
 * Takes a slot for work and counts what it waited for it. False where there is
 * none: then *waits_for is what max_wait bounds, KIS_OK for the ledger's turn, and
 * *try_at_us the time to try again where that is known.
 */
extern bool kis_work_take_slot(KisWork *work, const KisConnection *connection, int64 now_us,
							   int64 *try_at_us, KisErrorClass *waits_for);

/* work->transfer has been started, or not: then its slot goes back. */
extern void kis_work_started(KisWork *work, KisTransfer *transfer, int64 now_us);

/* Lets go of the transfer, finished or not, and gives its slot back. */
extern void kis_work_end_transfer(KisWork *work, int64 now_us);

/* Counts what an attempt brought: error NULL where it succeeded. */
extern void kis_work_count(KisWork *work, const KisError *error, int64 now_us);

/* Sets when to come back after so many tries that failed before this one. */
extern void kis_work_back_off(KisWork *work, int failed_before, int64 now_us);

/* The session leaves a transfer under way to itself: once sent, it needs its slot no more. */
extern void kis_work_leave(KisWork *work, int64 now_us);

/*
 * Renews the lease of the slot. True: the transfer has been given up, since it was
 * not sent and must not be any more: the lease had ended, or, where is_mine is
 * false, another session has taken over what it is for.
 */
extern bool kis_work_renew(KisWork *work, bool is_mine, int64 now_us);

/*
 * Gives up the session's places in queues for the rate: all, or those for
 * which no slot was asked since the last time. Others stand behind them.
 */
extern void kis_session_leave_queues(bool all);

/* Moves transfers on without waiting and calls finished for those that ended. */
extern bool kis_session_step(void);

/*
 * Waits until a transfer moves, the latch is set or the time comes, and never
 * longer than leases allow; interrupts raise.
 */
extern void kis_session_wait(int64 wake_at_us);

/*
 * When a reply that is found now has come, by both clocks: after it was asked for,
 * and not while the session was elsewhere.
 */
extern TimestampTz kis_work_arrival(const KisWork *work, int64 *arrived_us);

/* issue.c: getting tokens */
typedef enum KisTokenAnswer
{
	KIS_TOKEN_READY,
	KIS_TOKEN_WAIT,				/* until *wake_at_us, or told by *waits_on */
	KIS_TOKEN_FAILED			/* see *failure */
} KisTokenAnswer;

/* Has the connection's account a token that can be used now? */
extern bool kis_issue_has_token(const KisConnection *connection);

/*
 * Has the connection's account a token? If not, sees to it that one session
 * gets it. *attempt is 0 at first and belongs to the caller; *waits_for as in
 * kis_effort_join. May read key files and so change the connection's identity.
 */
extern KisTokenAnswer kis_issue_get_token(KisConnection *connection, uint64 *attempt,
										  int64 now_us, int64 *wake_at_us,
										  ConditionVariable **waits_on,
										  KisErrorClass *waits_for, KisError *failure);

/* Copies the token that calls are to be sent with; returns its generation, 0 where there is none. */
extern uint64 kis_issue_copy_token(const KisConnection *connection, char *token);

/* Moves the session's issues on; wake time as above. */
extern void kis_issues_advance(int64 now_us, int64 *wake_at_us);

/* The session leaves the wire's loop, or is back. */
extern void kis_issues_leave(bool at_once, int64 now_us);
extern void kis_issues_return(int64 now_us);

/* The session ends: what it has under way goes with it. */
extern void kis_issues_drop(int64 now_us);

/* statement.c: the date of a page, in the statement or in the cache, that has the day; false: none. */
extern bool kis_find_page(KisStatement *statement, KisConnection *connection,
						  const KisCall *call, DateADT day, KisCallArgs *args);

/*
 * inquiry.c, for the loop: as far as it goes without waiting. What reads files
 * may raise, and is left out unless the inquiry is of the statement that waits.
 */
extern void kis_inquiry_advance(KisInquiryState *state, const KisStatement *waiting, int64 now_us);

/* The session leaves the wire's loop, or is back. */
extern void kis_inquiry_leave(KisInquiryState *state, bool at_once, int64 now_us);
extern void kis_inquiry_return(KisInquiryState *state, int64 now_us);

/* max_wait is over: it fails, and the error says what it was waiting for. */
extern void kis_inquiry_give_up(KisInquiryState *state, int64 now_us);

/* loop.c: from now on the loop moves it on, until it is done. */
extern void kis_loop_add(KisInquiryState *state);

/* inquiry.c: a new one, in its statement's list already; the cache may answer it. */
extern void kis_inquiry_begin(KisInquiry *inquiry);

/*
 * statement.c: lets go of what the statement has under way. An error while it
 * waits ends it, but a cursor's memory may stay until its transaction ends.
 */
extern void kis_statement_stop(KisStatement *statement);

/* inquiry.c: lets go of what the inquiry has under way. */
extern void kis_inquiry_abandon(KisInquiry *inquiry);

/* spill.c: has the reply in memory again, where it is in a file alone. */
extern void kis_inquiry_unspill(KisInquiry *page);

/* statement.c: asks as kis_inquire does, but max_calls does not count it. */
extern KisInquiry *kis_inquire_beside(KisStatement *statement, KisConnection *connection,
									  const KisCall *call, const KisCallArgs *args,
									  KisCounters *counters);

#endif							/* KIS_INQUIRY_H */
