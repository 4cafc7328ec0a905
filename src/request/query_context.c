/*
 * query_context.c
 *		The requests of one query, and the bounds that hold for them.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "common/day.h"
#include "common/messages.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "request/connection.h"
#include "request/query_context.h"
#include "request/request.h"
#include "request/spill.h"
#include "request/state.h"
#include "shared/activity.h"
#include "shared/block.h"
#include "shared/reply_cache.h"

static slist_head queries = SLIST_STATIC_INIT(queries);

/* Runs when the query's memory goes, however it ends. */
static void
query_end(void *arg)
{
	KisQuery   *query = arg;
	ListCell   *cell;

	foreach(cell, query->requests)
		kis_request_abandon(lfirst(cell));
	foreach(cell, query->connections)
		((KisConnection *) lfirst(cell))->users--;
	slist_delete(&queries, &query->node);
	if (slist_is_empty(&queries))
		kis_activity_end();
}

/* A query context that ends when the memory context is reset or deleted. */
KisQuery *
kis_query_create(MemoryContext context)
{
	KisQuery   *query = MemoryContextAllocZero(context, sizeof(KisQuery));

	query->context = context;
	slist_push_head(&queries, &query->node);
	query->callback.func = query_end;
	query->callback.arg = query;
	MemoryContextRegisterResetCallback(context, &query->callback);
	return query;
}

/* That of an executor run, EvalPlanQual's runs included; ends with it. */
KisQuery *
kis_query_of_estate(EState *estate)
{
	KisQuery   *query;
	slist_iter	iter;

	/* EvalPlanQual's executor runs are part of the one that they recheck for */
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;

	slist_foreach(iter, &queries)
	{
		query = slist_container(KisQuery, node, iter.cur);
		if (query->estate == estate)
			return query;
	}
	query = kis_query_create(estate->es_query_cxt);
	query->estate = estate;
	return query;
}

/*
 * The user's connection to the server, until the query ends, whatever
 * happens to server and mapping meanwhile: the same request keeps its answer.
 * Raises 42704 without a user mapping, and what the options raise.
 */
KisConnection *
kis_query_connection(KisQuery *query, Oid serverid, Oid userid)
{
	KisConnection *connection;
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, query->connections)
	{
		connection = lfirst(cell);
		if (connection->serverid == serverid && connection->userid == userid)
			return connection;
	}

	connection = kis_connection_get(serverid, userid);
	old = MemoryContextSwitchTo(query->context);
	query->connections = lappend(query->connections, connection);
	MemoryContextSwitchTo(old);
	connection->users++;
	return connection;
}

static bool
is_same_pair(const KisCallArgs *a, const KisCallArgs *b)
{
	return strcmp(a->market, b->market) == 0 && strcmp(a->sector, b->sector) == 0;
}

/* The query's request with these arguments; NULL: there is none. */
KisRequest *
kis_query_find_request(const KisQuery *query, const KisConnection *connection,
					   const KisCall *call, const KisCallArgs *args)
{
	ListCell   *cell;

	foreach(cell, query->requests)
	{
		KisRequest *request = lfirst(cell);

		if (request->connection == connection && request->call == call &&
			is_same_pair(&request->args, args) && strcmp(request->args.date, args->date) == 0)
			return request;
	}
	return NULL;
}

/*
 * Is there a request for it in the query, or a reply in the cache? Then it costs
 * no call.
 */
bool
kis_query_has_answer(KisQuery *query, KisConnection *connection,
					 const KisCall *call, const KisCallArgs *args)
{
	KisReplyKey key;
	KisReplySlot *slot;
	bool		fresh;

	if (kis_query_find_request(query, connection, call, args) != NULL)
		return true;
	if (!kis_call_is_shared(call, connection->options->cache_ttl))
		return false;
	key = kis_reply_key(connection->identity, call, args);
	slot = kis_reply_find(kis_lock(LW_SHARED), &key);
	fresh = slot != NULL &&
		kis_reply_is_fresh(slot, 0, connection->options->cache_ttl, kis_now_us());
	kis_unlock();
	return fresh;
}

/* How many of the query's requests have not been answered yet. */
int
kis_query_under_way(const KisQuery *query)
{
	int			n = 0;
	ListCell   *cell;

	foreach(cell, query->requests)
		n += !((KisRequest *) lfirst(cell))->done;
	return n;
}

/* Does max_calls leave room for so many new calls? */
bool
kis_query_allows(const KisQuery *query, const KisConnection *connection, int64 ncalls)
{
	return query->ncalls + ncalls <= connection->options->max_calls;
}

/*
 * Raises 54000 for so many calls. next: where they were not known beforehand, what
 * the one too many would be for; else NULL.
 */
static void
refuse(const KisConnection *connection, const KisCall *call, int ncalls, const char *next)
{
	const char *pair = kis_call_takes(call, KIS_ARG_SECTOR) ? _("market_code and sector_code") :
		kis_call_takes(call, KIS_ARG_MARKET) ? "market_code" : "";
	const char *day = call->paging != KIS_PAGING_NONE ? _("trade_date, with a lower bound") : "";

	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			next == NULL ?
			errmsg("statement would take %d calls to KIS, more than max_calls allows", ncalls) :
			errmsg("statement would take at least %d calls to KIS, more than max_calls allows", ncalls),
			next == NULL ?
			errdetail("Option max_calls of server \"%s\" is %d.",
					  connection->server_name, connection->options->max_calls) :
			errdetail("Option max_calls of server \"%s\" is %d, and as many have been made. The next one would be for %s.",
					  connection->server_name, connection->options->max_calls, next),
			errhint("Narrow the query by %s%s%s%s, or raise max_calls.",
					pair, pair[0] != '\0' && day[0] != '\0' ? _(", and by ") : "", day,
					call->paging == KIS_PAGING_BACK ? _(" or with ORDER BY trade_date DESC and LIMIT") : ""));
}

/* Raises 54000 where so many new calls like this one would exceed max_calls. */
void
kis_query_expect(KisQuery *query, KisConnection *connection,
				 const KisCall *call, int ncalls)
{
	if (!kis_query_allows(query, connection, ncalls))
		refuse(connection, call, query->ncalls + ncalls, NULL);
}

/*
 * A request, which the event loop moves on; never waits. Within a query the same
 * connection, call and arguments give the same request. Its costs are counted in
 * counters of the first caller; they must live as long as the query. Where max_calls
 * counts it, raises 54000 where that allows no more.
 */
KisRequest *
kis_query_request(KisQuery *query, KisConnection *connection, const KisCall *call,
				  const KisCallArgs *args, KisCounters *counters, bool counts)
{
	KisRequest *request = kis_query_find_request(query, connection, call, args);
	MemoryContext old;

	if (request != NULL)
	{
		kis_request_unspill(request);
		return request;
	}

	old = MemoryContextSwitchTo(query->context);
	request = palloc0(sizeof(KisRequest));
	request->connection = connection;
	request->call = call;
	request->args = *args;
	request->query = query;
	query->requests = lappend(query->requests, request);
	MemoryContextSwitchTo(old);

	kis_request_begin(request, counters);
	if (!counts || request->done)
		return request;
	if (!kis_query_allows(query, connection, 1))
	{
		/* else it would be made while another query waits */
		kis_request_abandon(request);
		refuse(connection, call, query->ncalls + 1, kis_call_subject(call, args));
	}
	query->ncalls++;
	request->counts = true;
	return request;
}

/* Has a page of so many rows from this date on the day? */
static bool
begins_page_with(const KisCall *call, const char *date, int nrows, DateADT day)
{
	DateADT		first;

	return call->paging == KIS_PAGING_FORWARD && kis_day_from_text(date, &first) &&
		day >= first && day < first + nrows;
}

/*
 * Does a page have the day, or say that there is no such row? One that has not come
 * yet and goes forward will have it within the usual number of days.
 */
static bool
has_day(const KisRequest *page, DateADT day)
{
	DateADT		last = page->last_day;
	DateADT		first;

	if (page->arrived_at == 0)
		return begins_page_with(page->call, page->args.date, page->call->usual_rows, day);
	if (last == DATEVAL_NOBEGIN || !kis_day_from_text(page->args.date, &first))
		return false;
	if (page->call->paging == KIS_PAGING_FORWARD)
		return day >= first && day <= last;
	return day <= first && day >= last;
}

/*
 * Sets args->date so that the reply has the row of this day: to the date of a page
 * of the same pair that is in the query, or in the cache, or else to that of another
 * day, from which it is to be requested.
 */
void
kis_page_args(KisQuery *query, KisConnection *connection, const KisCall *call, DateADT day,
			  DateADT from, KisCallArgs *args)
{
	ListCell   *cell;
	bool		found = false;

	foreach(cell, query->requests)
	{
		const KisRequest *page = lfirst(cell);

		if (page->call == call && page->connection == connection &&
			is_same_pair(&page->args, args) && has_day(page, day))
		{
			*args = page->args;
			return;
		}
	}
	kis_day_to_text(from, args->date);
	if (call->paging == KIS_PAGING_FORWARD && kis_call_is_shared(call, connection->options->cache_ttl))
	{
		KisShared  *shared = kis_lock(LW_SHARED);
		int64		now_us = kis_now_us();

		for (int i = 0; i < KIS_REPLY_SLOTS && !found; i++)
		{
			const KisReplySlot *slot = &shared->replies[i];

			found = slot->used && strcmp(slot->key.call, call->name) == 0 &&
				memcmp(&slot->key.identity, connection->identity, sizeof(KisIdentity)) == 0 &&
				is_same_pair(&slot->key.args, args) &&
				kis_reply_is_fresh(slot, 0, connection->options->cache_ttl, now_us) &&
				begins_page_with(call, slot->key.args.date, slot->nrows, day);
			if (found)
				*args = slot->key.args;
		}
		kis_unlock();
	}
}

/* True at the first call with this key in this query context. */
bool
kis_warn_once(KisQuery *query, const char *key)
{
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, query->warned)
		if (strcmp(lfirst(cell), key) == 0)
		return false;

	old = MemoryContextSwitchTo(query->context);
	query->warned = lappend(query->warned, pstrdup(key));
	MemoryContextSwitchTo(old);
	return true;
}
