/*
 * async.h
 *		Scans below an Append, which asks all of them at the same time.
 */
#ifndef KIS_SCAN_ASYNC_H
#define KIS_SCAN_ASYNC_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

extern bool kisIsForeignPathAsyncCapable(ForeignPath *path);
extern void kisForeignAsyncRequest(AsyncRequest *areq);
extern void kisForeignAsyncConfigureWait(AsyncRequest *areq);
extern void kisForeignAsyncNotify(AsyncRequest *areq);

#endif							/* KIS_SCAN_ASYNC_H */
