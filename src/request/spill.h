/*
 * spill.h
 *		Pages of history that no scan of the query reads: once there are too
 *		many, the oldest go to temporary files, and come back as they were.
 */
#ifndef KIS_REQUEST_SPILL_H
#define KIS_REQUEST_SPILL_H

#include "postgres.h"

#include "request/state.h"

/* Has the reply in memory again, where it is in a file alone. */
extern void kis_request_unspill(KisRequest *page);

/* A scan ends to read it, which it counts in users; then it may be spilled. */
extern void kis_request_unpin(KisRequest *request);

/* The query's scans have ended: its files are closed. */
extern void kis_query_end_scans(KisQuery *query);

#endif							/* KIS_REQUEST_SPILL_H */
