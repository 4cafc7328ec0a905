/*
 * order.h
 *		In which order a scan takes its pairs' rows, and which pages it asks for
 *		before it needs them: one pair after the other, or, where the plan is by
 *		the day, always the newest day of all.
 */
#ifndef KIS_SCAN_ORDER_H
#define KIS_SCAN_ORDER_H

#include "postgres.h"

#include "scan/state.h"

/* The pair whose row comes next, where it is at one */
extern KisPairScan *kis_next_pair(const KisScan *scan);

/* Asks for this pair's page, and for others that are sure to be needed. */
extern void kis_prefetch(KisScan *scan, const KisPairScan *next);

#endif							/* KIS_SCAN_ORDER_H */
