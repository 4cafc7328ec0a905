/*
 * state.h
 *		A scan under way, and how far each of its pairs is; types alone.
 */
#ifndef KIS_SCAN_STATE_H
#define KIS_SCAN_STATE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/date.h"

#include "plan/days.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/connection.h"
#include "request/state.h"
#include "scan/convert.h"

/* A pair that a scan reads, and how far it is. */
typedef struct KisPairScan
{
	int			pair;			/* position in the table's pairs */
	KisDays    *days;			/* that are wanted of it; NULL: it has one row */
	DateADT		first_day;		/* that its first page begins with */
	int			pages;			/* calls that it takes, as far as can be known */

	DateADT		day;			/* of its row; where it is at none, the newest
								 * that the next can have */
	KisRequest *page;			/* pinned; NULL: not requested yet */
	int			next_row;		/* of the page */
	bool		has_current_row;	/* that row is wanted and comes next */
	bool		is_through;		/* nothing more comes */
	DateADT		last_day_seen;	/* the day up to which rows have come;
								 * KIS_NO_DAY: none has */
	DateADT		page_last_day_seen; /* the same when the page began */
} KisPairScan;

/* A scan under way. */
typedef struct KisScan
{
	KisScanPlan *plan;
	Oid			userid;			/* who runs the scan, when it began */
	KisQuery   *query;
	KisCounters *counters;		/* live as long as the query */
	ExprContext *econtext;		/* for conditions on the keys */
	ExprState  *quals;			/* those of the plan, compiled */
	ExprState  *day_quals;
	ExprState  *investor_quals;
	List	   *limit;
	TupleTableSlot *pair_slot;	/* what they are evaluated on */

	/* from the first row on */
	KisConnection *connection;	/* NULL: before it */
	KisKeyValues *values;		/* of the pairs */
	KisKeyValues *investors;
	bool		days_by_pair;	/* the conditions on days mention the pair's
								 * codes, too */
	int			split;			/* rows of the table that a row of a reply is */
	int			nparts;			/* those of them that satisfy the conditions
								 * on investors */
	int		   *parts;			/* whose they are: index into kis_investors; 0
								 * where there are none */
	KisConverter *converter;

	/* the pairs to read, and how far the scan is */
	bool		chosen;			/* since the parameters changed */
	bool		warned;			/* of codes that the table doesn't hold */
	bool		counted;		/* the calls, since the last rescan */
	bool		announced;		/* they are, in the query's nexpected; the same */
	int			npairs;
	KisPairScan *pairs;
	KisPairScan *last;			/* whose row came last; NULL: it has gone on
								 * since */
	int			next_part;		/* of the rows of the table that its row is */
	int64		max_rows;		/* so many rows of replies are wanted at most */
	int64		ntaken;			/* rows of replies so far */

	/* below an Append that asks several scans at once */
	bool		never_waits;	/* it is asked for a row that is here */
	KisRequest *awaited;		/* NULL: there was one, or there are no more */
} KisScan;

#endif							/* KIS_SCAN_STATE_H */
