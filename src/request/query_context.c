/*
 * query_context.c
 *		The requests of one query, and the bounds that hold for them.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "common/day.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "request/connection.h"
#include "request/query_context.h"
#include "request/request.h"
#include "request/spill.h"
#include "request/state.h"
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
	{
		KisRequest *request = lfirst(cell);

		kis_request_abandon(request);
		kis_connection_unpin(request->connection);
	}
	foreach(cell, query->connections)
		kis_connection_unpin(lfirst(cell));
	slist_delete(&queries, &query->node);
}

static KisQuery *
query_create(MemoryContext context, EState *estate)
{
	KisQuery   *query = MemoryContextAllocZero(context, sizeof(KisQuery));

	query->context = context;
	query->estate = estate;
	slist_push_head(&queries, &query->node);
	query->callback.func = query_end;
	query->callback.arg = query;
	MemoryContextRegisterResetCallback(context, &query->callback);
	return query;
}

/* A query context that ends when the memory context is reset or deleted. */
KisQuery *
kis_query_create(MemoryContext context)
{
	return query_create(context, NULL);
}

/* Has it take no reply of the last moments, as others do: KIS answers it itself. */
void
kis_query_bypass_cache(KisQuery *query)
{
	query->bypasses_cache = true;
}

/* That of an executor run, EvalPlanQual's runs included; ends with it. */
KisQuery *
kis_query_of_estate(EState *estate)
{
	slist_iter	iter;

	/* EvalPlanQual's executor runs are part of the one that they recheck for */
	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;

	slist_foreach(iter, &queries)
	{
		KisQuery   *query = slist_container(KisQuery, node, iter.cur);

		if (query->estate == estate)
			return query;
	}
	return query_create(estate->es_query_cxt, estate);
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
	kis_connection_pin(connection);
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

/* Does max_calls leave room for so many new calls? */
bool
kis_query_allows(const KisQuery *query, const KisConnection *connection, int64 ncalls)
{
	return query->ncalls + ncalls <= connection->options->max_calls;
}

/* Raises 54000 for so many calls; the detail goes on with more, by which each is known. */
static void
refuse(const KisConnection *connection, const KisCall *call, const char *qualifier, int ncalls,
	   const char *more)
{
	const char *pair = kis_call_takes(call, KIS_ARG_SECTOR) ? "market_code and sector_code" :
		kis_call_takes(call, KIS_ARG_MARKET) ? "market_code" : "";
	const char *day = call->paging != KIS_PAGING_NONE ? "trade_date, with a lower bound" : "";

	ereport(ERROR,
			errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			errmsg("statement would take %s%d calls to KIS, more than max_calls allows",
				   qualifier, ncalls),
			errdetail("Option max_calls of server \"%s\" is %d%s.",
					  connection->server_name, connection->options->max_calls, more),
			errhint("Narrow the query by %s%s%s%s, or raise max_calls.",
					pair, pair[0] != '\0' && day[0] != '\0' ? ", and by " : "", day,
					call->paging == KIS_PAGING_BACK ? " or with ORDER BY trade_date DESC and LIMIT" : ""));
}

/* Raises 54000 where so many new calls like this one would exceed max_calls. */
void
kis_query_expect(KisQuery *query, KisConnection *connection,
				 const KisCall *call, int ncalls)
{
	if (!kis_query_allows(query, connection, ncalls))
		refuse(connection, call, "", query->ncalls + ncalls, "");
}

static KisRequest *
make_request(KisQuery *query, KisConnection *connection, const KisCall *call,
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
	kis_connection_pin(connection);
	MemoryContextSwitchTo(old);

	kis_request_begin(request, counters);
	if (!counts || request->done)
		return request;
	if (!kis_query_allows(query, connection, 1))
	{
		/* else it would be made while another query waits */
		kis_request_abandon(request);
		refuse(connection, call, "at least ", query->ncalls + 1,
			   psprintf(", and as many have been made. The next one would be for %s",
						kis_call_subject(call, args)));
	}
	query->ncalls++;
	return request;
}

/*
 * A request, which the event loop moves on; never waits. Within a query the same
 * connection, call and arguments give the same request. Its costs are counted in
 * counters of the first caller; they must live as long as the query. Raises 54000
 * where max_calls allows no more.
 */
KisRequest *
kis_query_request(KisQuery *query, KisConnection *connection,
				  const KisCall *call, const KisCallArgs *args, KisCounters *counters)
{
	return make_request(query, connection, call, args, counters, true);
}

/* The same, but max_calls does not count it. */
KisRequest *
kis_query_request_uncounted(KisQuery *query, KisConnection *connection,
							const KisCall *call, const KisCallArgs *args, KisCounters *counters)
{
	return make_request(query, connection, call, args, counters, false);
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
has_day(const KisRequest *page, DateADT day)
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

/*
 * Sets *args to those of a page, in the query or in the cache, that has the day and
 * is of the same pair. False: there is none.
 */
bool
kis_find_page(KisQuery *query, KisConnection *connection,
			  const KisCall *call, DateADT day, KisCallArgs *args)
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
			return true;
		}
	}
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
	return found;
}

/*
 * Sets args->date so that the reply has the row of this day: to the date of a
 * page that is known already, or else to the day itself.
 */
void
kis_page_args(KisQuery *query, KisConnection *connection,
			  const KisCall *call, DateADT day, KisCallArgs *args)
{
	if (!kis_find_page(query, connection, call, day, args))
		kis_day_to_text(day, args->date);
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
