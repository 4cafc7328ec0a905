/*
 * statement.c
 *		What one statement asks, and the bounds that hold for it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "inquiry.h"

static slist_head statements = SLIST_STATIC_INIT(statements);

/* Runs when the statement's memory goes, however it ends. */
static void
statement_end(void *arg)
{
	KisStatement *statement = arg;
	ListCell   *cell;

	foreach(cell, statement->inquiries)
	{
		KisInquiry *inquiry = lfirst(cell);

		kis_inquiry_abandon(inquiry);
		kis_connection_release(inquiry->connection);
	}
	foreach(cell, statement->connections)
		kis_connection_release(lfirst(cell));
	slist_delete(&statements, &statement->node);
}

static KisStatement *
statement_create(MemoryContext context, EState *estate)
{
	KisStatement *statement = MemoryContextAllocZero(context, sizeof(KisStatement));

	statement->context = context;
	statement->estate = estate;
	slist_push_head(&statements, &statement->node);
	statement->callback.func = statement_end;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

void
kis_statement_stop(KisStatement *statement)
{
	ListCell   *cell;

	foreach(cell, statement->inquiries)
		if (!((KisInquiry *) lfirst(cell))->done)
			kis_inquiry_abandon(lfirst(cell));
}

KisStatement *
kis_statement_create(MemoryContext context)
{
	return statement_create(context, NULL);
}

void
kis_statement_ask_anew(KisStatement *statement)
{
	statement->asks_anew = true;
}

KisStatement *
kis_statement_of_estate(EState *estate)
{
	slist_iter	iter;

	/* EvalPlanQual's executor runs are part of the one that they recheck for */
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;

	slist_foreach(iter, &statements)
	{
		KisStatement *statement = slist_container(KisStatement, node, iter.cur);

		if (statement->estate == estate)
			return statement;
	}
	return statement_create(estate->es_query_cxt, estate);
}

KisConnection *
kis_statement_connection(KisStatement *statement, Oid serverid, Oid userid)
{
	KisConnection *connection;
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, statement->connections)
	{
		connection = lfirst(cell);
		if (connection->serverid == serverid && connection->userid == userid)
			return connection;
	}

	connection = kis_connection_get(serverid, userid);
	old = MemoryContextSwitchTo(statement->context);
	statement->connections = lappend(statement->connections, connection);
	MemoryContextSwitchTo(old);
	kis_connection_hold(connection);
	return connection;
}

static void
fill_args(KisCallArgs *filled, const KisCallArgs *args)
{
	/* compared as memory: what stands behind a NUL must be the same */
	memset(filled, 0, sizeof(KisCallArgs));
	strlcpy(filled->market, args->market, sizeof(filled->market));
	strlcpy(filled->sector, args->sector, sizeof(filled->sector));
	strlcpy(filled->date, args->date, sizeof(filled->date));
}

static KisInquiry *
find_inquiry(const KisStatement *statement, const KisConnection *connection,
			 const KisCall *call, const KisCallArgs *args)
{
	ListCell   *cell;

	foreach(cell, statement->inquiries)
	{
		KisInquiry *inquiry = lfirst(cell);

		if (inquiry->connection == connection && inquiry->call == call &&
			memcmp(&inquiry->args, args, sizeof(KisCallArgs)) == 0)
			return inquiry;
	}
	return NULL;
}

static bool
is_cached(const KisConnection *connection, const KisCall *call, const KisCallArgs *args)
{
	KisReplyKey key;
	KisReplySlot *slot;
	bool		fresh;

	if (!kis_call_is_shared(connection, call))
		return false;
	key = kis_reply_key(connection->identity, call, args);
	slot = kis_reply_find(kis_lock(LW_SHARED), &key);
	fresh = slot != NULL &&
		kis_reply_is_fresh(slot, 0, connection->options->cache_ttl, kis_now_us());
	kis_unlock();
	return fresh;
}

const KisInquiry *
kis_inquired(const KisStatement *statement, const KisConnection *connection,
			 const KisCall *call, const KisCallArgs *args)
{
	KisCallArgs filled;

	fill_args(&filled, args);
	return find_inquiry(statement, connection, call, &filled);
}

bool
kis_has_inquired(KisStatement *statement, KisConnection *connection,
				 const KisCall *call, const KisCallArgs *args)
{
	KisCallArgs filled;

	fill_args(&filled, args);
	return find_inquiry(statement, connection, call, &filled) != NULL ||
		is_cached(connection, call, &filled);
}

bool
kis_statement_allows(const KisStatement *statement, const KisConnection *connection, int64 ncalls)
{
	return statement->ncalls + ncalls <= connection->options->max_calls;
}

static int
hint_how_to_narrow(const KisCall *call)
{
	const char *pair = kis_call_takes(call, KIS_ARG_MARKET) ? "market_code and sector_code" : "";
	const char *day = call->day_member >= 0 ? "trade_date, with a lower bound" : "";

	return errhint("Narrow the query by %s%s%s%s, or raise max_calls.",
				   pair, pair[0] != '\0' && day[0] != '\0' ? ", and by " : "", day,
				   call->paging == KIS_PAGING_BACK ? " or with ORDER BY trade_date DESC and LIMIT" : "");
}

void
kis_statement_expect(KisStatement *statement, KisConnection *connection,
					 const KisCall *call, int ncalls)
{
	if (kis_statement_allows(statement, connection, ncalls))
		return;
	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("statement would take %d calls to KIS, more than max_calls allows",
				   statement->ncalls + ncalls),
			errdetail("Option max_calls of server \"%s\" is %d.",
					  connection->server_name, connection->options->max_calls),
			hint_how_to_narrow(call));
}

void
kis_statement_expect_at_most(KisStatement *statement, KisConnection *connection,
							 const KisCall *call, int ncalls)
{
	if (kis_statement_allows(statement, connection, ncalls))
		return;
	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("statement would take up to %d calls to KIS, more than max_calls allows",
				   statement->ncalls + ncalls),
			errdetail("Option max_calls of server \"%s\" is %d. Without a lower bound on trade_date the history is read to its beginning, in 1980 at the earliest.",
					  connection->server_name, connection->options->max_calls),
			hint_how_to_narrow(call));
}

/* The same for a call that nobody could announce. */
static void
too_many_calls(const KisStatement *statement, const KisInquiry *inquiry)
{
	const KisConnection *connection = inquiry->connection;
	const KisCallArgs *args = &inquiry->args;

	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("statement would take at least %d calls to KIS, more than max_calls allows",
				   statement->ncalls + 1),
			errdetail("Option max_calls of server \"%s\" is %d, and as many have been made. The next one would be for %s%s%s%s%s.",
					  connection->server_name, connection->options->max_calls,
					  args->market[0] != '\0' ? args->market : "the calendar",
					  args->market[0] != '\0' ? "/" : "", args->sector,
					  args->date[0] != '\0' ? " from " : "", args->date),
			hint_how_to_narrow(inquiry->call));
}

static KisInquiry *
inquire(KisStatement *statement, KisConnection *connection, const KisCall *call,
		const KisCallArgs *args, KisCounters *counters, bool counts)
{
	KisCallArgs filled;
	KisInquiry *inquiry;
	MemoryContext old;

	fill_args(&filled, args);
	inquiry = find_inquiry(statement, connection, call, &filled);
	if (inquiry != NULL)
	{
		kis_inquiry_unspill(inquiry);
		return inquiry;
	}

	old = MemoryContextSwitchTo(statement->context);
	inquiry = palloc0(sizeof(KisInquiry));
	inquiry->state = palloc0(sizeof(KisInquiryState));
	inquiry->connection = connection;
	inquiry->call = call;
	inquiry->args = filled;
	inquiry->state->statement = statement;
	inquiry->state->counters = counters;
	statement->inquiries = lappend(statement->inquiries, inquiry);
	kis_connection_hold(connection);
	MemoryContextSwitchTo(old);

	kis_inquiry_begin(inquiry);
	if (counts && !inquiry->done)
	{
		if (!kis_statement_allows(statement, connection, 1))
		{
			/* else it would be made while another statement waits */
			kis_inquiry_abandon(inquiry);
			too_many_calls(statement, inquiry);
		}
		statement->ncalls++;
	}
	return inquiry;
}

KisInquiry *
kis_inquire(KisStatement *statement, KisConnection *connection,
			const KisCall *call, const KisCallArgs *args, KisCounters *counters)
{
	return inquire(statement, connection, call, args, counters, true);
}

KisInquiry *
kis_inquire_beside(KisStatement *statement, KisConnection *connection,
				   const KisCall *call, const KisCallArgs *args, KisCounters *counters)
{
	return inquire(statement, connection, call, args, counters, false);
}

/* Has a page of so many rows from this date on the day? */
static bool
begins_page_with(const KisCall *call, const char *date, int nrows, DateADT day)
{
	DateADT		first;

	return call->paging == KIS_PAGING_FORWARD && kis_day_from_text(date, &first) &&
		day >= first && day < first + nrows;
}

/* Does a page have the day, or say that there is no such row? */
static bool
has_day(const KisInquiry *page, DateADT day)
{
	DateADT		first;
	DateADT		last;

	if (!kis_page_is_here(page))
		return begins_page_with(page->call, page->args.date, page->call->usual_rows, day);
	if (!kis_day_from_text(page->args.date, &first) || !kis_page_last_day(page, &last))
		return false;
	if (page->call->paging == KIS_PAGING_FORWARD)
		return day >= first && day <= last;
	return day <= first && day >= last;
}

static bool
is_same_pair(const KisCallArgs *a, const KisCallArgs *b)
{
	return strcmp(a->market, b->market) == 0 && strcmp(a->sector, b->sector) == 0;
}

bool
kis_find_page(KisStatement *statement, KisConnection *connection,
			  const KisCall *call, DateADT day, KisCallArgs *args)
{
	ListCell   *cell;
	bool		found = false;

	foreach(cell, statement->inquiries)
	{
		const KisInquiry *page = lfirst(cell);

		if (page->call == call && page->connection == connection &&
			is_same_pair(&page->args, args) && has_day(page, day))
		{
			*args = page->args;
			return true;
		}
	}
	if (call->paging == KIS_PAGING_FORWARD && kis_call_is_shared(connection, call))
	{
		KisShared  *shared = kis_lock(LW_SHARED);
		int64		now_us = kis_now_us();

		for (int i = 0; i < KIS_REPLY_SLOTS && !found; i++)
		{
			const KisReplySlot *slot = &shared->replies[i];

			found = slot->used && strcmp(slot->call, call->name) == 0 &&
				memcmp(&slot->identity, connection->identity, sizeof(KisIdentity)) == 0 &&
				is_same_pair(&slot->args, args) &&
				kis_reply_is_fresh(slot, 0, connection->options->cache_ttl, now_us) &&
				begins_page_with(call, slot->args.date, slot->nrows, day);
			if (found)
				*args = slot->args;
		}
		kis_unlock();
	}
	return found;
}

void
kis_page_args(KisStatement *statement, KisConnection *connection,
			  const KisCall *call, DateADT day, KisCallArgs *args)
{
	if (!kis_find_page(statement, connection, call, day, args))
		kis_day_to_text(day, args->date);
}

bool
kis_warn_once(KisStatement *statement, const char *key)
{
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, statement->warned)
		if (strcmp(lfirst(cell), key) == 0)
			return false;

	old = MemoryContextSwitchTo(statement->context);
	statement->warned = lappend(statement->warned, pstrdup(key));
	MemoryContextSwitchTo(old);
	return true;
}
