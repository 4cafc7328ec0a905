/*
 * query_context.h
 *		What one query asks of KIS, and the bounds that hold for it.
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

/* The date of a page, in the statement or in the cache, that has the day; false: none. */
extern bool kis_find_page(KisQuery *query, KisConnection *connection,
						  const KisCall *call, DateADT day, KisCallArgs *args);

/* Asks as kis_query_request does, but max_calls does not count it. */
extern KisRequest *kis_query_request_uncounted(KisQuery *query, KisConnection *connection,
											   const KisCall *call, const KisCallArgs *args,
											   KisCounters *counters);

extern KisConnection *kis_query_connection(KisQuery *query, Oid serverid, Oid userid);

/* The statement of an executor run, EvalPlanQual's included; ends with it. */
extern KisQuery *kis_query_of_estate(EState *estate);

/* A statement that ends when context is reset or deleted. */
extern KisQuery *kis_query_create(MemoryContext context);

/* Has KIS answer it itself, where others take a reply of the last moments. */
extern void kis_query_bypass_cache(KisQuery *query);

/* Asks */
extern KisRequest *kis_query_request(KisQuery *query, KisConnection *connection,
									 const KisCall *call, const KisCallArgs *args,
									 KisCounters *counters);

/* Has the statement asked this already, or does the cache have it? Then it costs nothing more. */
extern bool kis_query_has_answer(KisQuery *query, KisConnection *connection,
								 const KisCall *call, const KisCallArgs *args);

/* Does max_calls leave room for so many new calls? */
extern bool kis_query_allows(const KisQuery *query, const KisConnection *connection,
							 int64 ncalls);

/* Raises 54000 where so many new calls like this one would exceed max_calls. */
extern void kis_query_expect(KisQuery *query, KisConnection *connection,
							 const KisCall *call, int ncalls);

/* Sets args->date so that the reply has the row of this day */
extern void kis_page_args(KisQuery *query, KisConnection *connection,
						  const KisCall *call, DateADT day, KisCallArgs *args);

/* True at the first call with this key in this query. */
extern bool kis_warn_once(KisQuery *query, const char *key);

#endif							/* KIS_REQUEST_QUERY_CONTEXT_H */
