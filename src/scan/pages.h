/*
 * pages.h
 *		The rows of one pair of a scan: one row, or those of its days, page by
 *		page.
 */
#ifndef KIS_SCAN_PAGES_H
#define KIS_SCAN_PAGES_H

#include "postgres.h"

#include "utils/date.h"

#include "kis.h"
#include "scan/state.h"

/* The arguments of the call that brings the pair's row, or the page with the day. */
extern KisCallArgs kis_pair_args(const KisScan *scan, const KisPairScan *pair, DateADT day);

/* Is its first page here already, or asked for? */
extern bool kis_pair_is_begun(const KisScan *scan, const KisPairScan *pair);

/* The calls that are expected for its pages, but for those that are here already. */
extern int	kis_pair_calls(const KisScan *scan, const KisPairScan *pair);

/* Before its first page. */
extern void kis_pair_rewind(KisPairScan *pair);

/* Asks for its page, unless that has been done. */
extern void kis_pair_request(KisScan *scan, KisPairScan *pair);

/* Goes on to its next row that is wanted, in a page that has come. */
extern void kis_pair_seek(KisScan *scan, KisPairScan *pair);

#endif							/* KIS_SCAN_PAGES_H */
