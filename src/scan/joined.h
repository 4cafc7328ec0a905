/*
 * joined.h
 *		Which scans of a plan are read whatever rows come.
 */
#ifndef KIS_SCAN_JOINED_H
#define KIS_SCAN_JOINED_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "nodes/plannodes.h"

/* The foreign scans of a plan that are read if it is run, one row of each at least wanted; List of Plan *. */
extern List *kis_joined_scans(Plan *plan);

#endif							/* KIS_SCAN_JOINED_H */
