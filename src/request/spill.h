/*
 * spill.h
 *		Pages of history that no scan of the statement is at: once there are too
 *		many, the oldest go to a temporary file, and come back as they were.
 */
#ifndef KIS_REQUEST_SPILL_H
#define KIS_REQUEST_SPILL_H

#include "postgres.h"

#include "utils/date.h"

#include "request/state.h"

/* Has the reply in memory again, where it is in a file alone. */
extern void kis_request_unspill(KisRequest *page);

/* A scan is at it, or no longer */
extern void kis_request_pin(KisRequest *request);
extern void kis_request_unpin(KisRequest *request);
extern void kis_query_end_scans(KisQuery *query);

/* Has a page come, and which is the last day of its rows? False: it has none. */
extern bool kis_page_is_here(const KisRequest *page);
extern bool kis_page_last_day(const KisRequest *page, DateADT *day);

#endif							/* KIS_REQUEST_SPILL_H */
