/*
 * state.h
 *		A scan under way, and how far each of its pairs is; types alone.
 */
#ifndef KIS_SCAN_STATE_H
#define KIS_SCAN_STATE_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "nodes/execnodes.h"
#include "utils/date.h"
#include "utils/palloc.h"

#include "plan/days.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/connection.h"
#include "request/state.h"
#include "scan/code_warnings.h"
#include "scan/convert.h"
#include "scan/limit.h"

/* A pair that a scan asks for, and how far it is. */
typedef struct KisPairScan
{
	int			pair;			/* position in the table's pairs */
	KisDays    *days;			/* that are wanted of it; NULL: it has one row */
	DateADT		first_day;		/* that its first page is asked for */
	int			pages;			/* calls that it takes, as far as can be known */

	DateADT		day;			/* of its row; where it is at none, the newest
								 * that the next can have */
	KisRequest *page;			/* NULL: to be asked for, with the day */
	int			next_row;		/* of the page */
	bool		has_current_row;	/* that one is wanted and comes next */
	bool		is_through;		/* nothing more comes */
	DateADT		last_day_seen;	/* the day up to which rows have come;
								 * KIS_NO_DAY: none has */
	DateADT		page_last_day_seen; /* the same when the page began */
} KisPairScan;

/* A scan under way. */
typedef struct KisScan
{
	KisScanPlan *plan;
	Oid			userid;
	KisCounters *counters;		/* live as long as the statement */
	MemoryContext context;		/* what lives as long as the scan */
	ExprContext *econtext;		/* for conditions on the keys */
	ExprState  *quals;
	ExprState  *day_quals;		/* of days alone */
	ExprState  *pair_day_quals; /* of days and the pair's codes; NULL: none */
	ExprState  *investor_quals;
	TupleTableSlot *pair_slot;	/* what they are evaluated on */

	/* from the first row on */
	bool		started;
	KisQuery   *query;
	KisConnection *connection;
	Bitmapset  *mentioned;		/* columns of conditions, as pull_varattnos
								 * counts */
	KisKeyValues *values;		/* of the pairs */
	KisKeyValues *investors;
	int			split;			/* rows of the table that a row of a reply is */
	int			nparts;			/* those of them that satisfy the conditions
								 * on investors */
	int		   *parts;			/* whose they are: index into kis_investors; 0
								 * where there are none */
	KisCodeWarnings *named;		/* NULL: the query names no codes */
	KisLimit   *limit;			/* NULL: none */
	KisConverter *converter;
	KisDays    *days;			/* that are wanted of all pairs; NULL: of a
								 * pair there is one row */
	KisDays   **pair_days;		/* those of each pair; NULL: all have the same */
	bool		partial_read;	/* before its last row */

	/* the pairs to ask for, and how far it is */
	bool		chosen;			/* since the parameters changed */
	bool		announced;		/* the calls, since the last rescan */
	int			npairs;
	KisPairScan *pairs;
	KisPairScan *last;			/* whose row came last; NULL: it has gone on
								 * since */
	int			next_part;		/* of the rows of the table that its row is */
	int64		max_rows;		/* so many rows of replies are wanted at most */
	int64		ntaken;			/* rows of replies so far */
	int			nempty;			/* pairs that ended without a row */
} KisScan;

#endif							/* KIS_SCAN_STATE_H */
