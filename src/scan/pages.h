/*
 * pages.h
 *		Which pair and page of a scan comes next: one pair after the other, or,
 *		where the plan is by the day, always the newest day of all.
 */
#ifndef KIS_SCAN_PAGES_H
#define KIS_SCAN_PAGES_H

#include "postgres.h"

#include "scan/convert.h"
#include "scan/state.h"

/* Puts a pair before its first page. */
extern void kis_pair_rewind(KisPairScan *pair);

/* The calls that the scan will take besides those made already, as far as can be known. */
extern int64 kis_remaining_calls(const KisScan *scan);

/* Requests the pages that come first, as far as there is room, without waiting for them. */
extern void kis_request_first(KisScan *scan);

/* Requests more for a scan that awaits a page, where there is room by now. */
extern void kis_request_ahead(KisScan *scan);

/* The next row of the scan; false after the last, or where it never waits and awaits one. */
extern bool kis_next_row(KisScan *scan, KisTableRow *row);

#endif							/* KIS_SCAN_PAGES_H */
