/*
 * code_warnings.h
 *		A warning where a query refers to codes that the table doesn't hold: an
 *		empty answer alone would look like an answer.
 */
#ifndef KIS_SCAN_CODE_WARNINGS_H
#define KIS_SCAN_CODE_WARNINGS_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "scan/state.h"

/* Warns of each code that the query refers to and the table doesn't hold. */
extern void kis_warn_of_unknown_codes(ForeignScanState *node, KisScan *scan);

#endif							/* KIS_SCAN_CODE_WARNINGS_H */
