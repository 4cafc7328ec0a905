/*
 * query_context.h
 *		The requests of one query, and the bounds that hold for them.
 */
#ifndef KIS_REQUEST_QUERY_CONTEXT_H
#define KIS_REQUEST_QUERY_CONTEXT_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/date.h"
#include "utils/palloc.h"

#include "kis.h"
#include "kis/catalog.h"
#include "request/connection.h"
#include "request/state.h"

/* The user's connection to the server, pinned until the query ends. */
extern KisConnection *kis_query_connection(KisQuery *query, Oid serverid, Oid userid);

/* The query context of an executor run, EvalPlanQual's runs included; ends with it. */
extern KisQuery *kis_query_of_estate(EState *estate);

/* One that ends when the memory context is reset or deleted. */
extern KisQuery *kis_query_create(MemoryContext context);

/* A request, which the event loop moves on; never waits. Does max_calls count it? */
extern KisRequest *kis_query_request(KisQuery *query, KisConnection *connection,
									 const KisCall *call, const KisCallArgs *args,
									 KisCounters *counters, bool counts);

/* The query's request with these arguments; NULL: there is none. */
extern KisRequest *kis_query_find_request(const KisQuery *query, const KisConnection *connection,
										  const KisCall *call, const KisCallArgs *args);

/* Is there a request for it in the query, or a reply in the cache? */
extern bool kis_query_has_answer(KisQuery *query, KisConnection *connection,
								 const KisCall *call, const KisCallArgs *args);

/* How many of the query's requests have not been answered yet. */
extern int	kis_query_under_way(const KisQuery *query);

/* Does max_calls leave room for so many new calls? */
extern bool kis_query_allows(const KisQuery *query, const KisConnection *connection,
							 int64 ncalls);

/* Raises 54000 where so many new calls like this one would exceed max_calls. */
extern void kis_query_expect(KisQuery *query, KisConnection *connection,
							 const KisCall *call, int ncalls);

/* Sets args->date so that the reply has the row of this day: to from where no page has it. */
extern void kis_page_args(KisQuery *query, KisConnection *connection, const KisCall *call,
						  DateADT day, DateADT from, KisCallArgs *args);

/* True at the first call with this key in this query. */
extern bool kis_warn_once(KisQuery *query, const char *key);

#endif							/* KIS_REQUEST_QUERY_CONTEXT_H */
