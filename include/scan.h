/*
 * scan.h
 *		What the parts of a scan under way know of each other: scan.c, whose it
 *		is, order.c and pages.c.
 */
#ifndef KIS_SCAN_H
#define KIS_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "fdw.h"

/* A pair that a scan asks for, and how far it is. */
typedef struct KisPairScan
{
	int			pair;			/* position in the table's pairs */
	KisDays    *days;			/* that are wanted of it; NULL: it has one row */
	DateADT		first_day;		/* that its first page is asked for */
	int			pages;			/* calls that it takes, as far as can be known */

	DateADT		day;			/* of its row; where it is at none, the newest that the next can have */
	KisInquiry *page;			/* NULL: to be asked for, with the day */
	int			next_row;		/* of the page */
	bool		at_row;			/* that one is wanted and comes next */
	bool		is_through;		/* nothing more comes */
	DateADT		beyond;			/* the day up to which rows have come; KIS_NO_DAY: none has */
	DateADT		page_beyond;	/* the same when the page began */
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
	KisStatement *statement;
	KisConnection *connection;
	Bitmapset  *mentioned;		/* columns of conditions, as pull_varattnos counts */
	KisKeyValues *values;		/* of the pairs */
	KisKeyValues *investors;
	int			split;			/* rows of the table that a row of a reply is */
	int			nparts;			/* those of them that satisfy the conditions on investors */
	int		   *parts;			/* whose they are: index into kis_investors; 0 where there are none */
	KisNamed   *named;			/* NULL: the query names no codes */
	KisLimit   *limit;			/* NULL: none */
	KisConverter *converter;
	KisDays    *days;			/* that are wanted of all pairs; NULL: of a pair there is one row */
	KisDays   **pair_days;		/* those of each pair; NULL: all have the same */
	bool		may_end;		/* before its last row */

	/* the pairs to ask for, and how far it is */
	bool		chosen;			/* since the parameters changed */
	bool		announced;		/* the calls, since the last rescan */
	int			npairs;
	KisPairScan *pairs;
	KisPairScan *last;			/* whose row came last; NULL: it has gone on since */
	int			next_part;		/* of the rows of the table that its row is */
	int64		max_rows;		/* so many rows of replies are wanted at most */
	int64		ntaken;			/* rows of replies so far */
	int			nempty;			/* pairs that ended without a row */
} KisScan;

/*
 * order.c: the pair whose row comes next, where it is at one; or else the one
 * whose page has to be read first. NULL: all are through.
 */
extern KisPairScan *kis_next_pair(const KisScan *scan);

/* order.c: asks for this pair's page, and for others that are sure to be needed. */
extern void kis_ask_ahead(KisScan *scan, const KisPairScan *next);

/* pages.c: the arguments of the call that brings the pair's row, or the page with the day. */
extern KisCallArgs kis_pair_args(const KisScan *scan, const KisPairScan *pair, DateADT day);

/* Is its first page here already, or asked for? */
extern bool kis_pair_is_begun(const KisScan *scan, const KisPairScan *pair);

/* The calls that are expected for its pages, but for those that are here already. */
extern int	kis_pair_calls(const KisScan *scan, const KisPairScan *pair);

/* Before its first page. */
extern void kis_pair_rewind(KisPairScan *pair);

/* Asks for its page, unless that has been done. */
extern void kis_pair_ask(KisScan *scan, KisPairScan *pair);

/*
 * Goes on to its next row that is wanted, in a page that has come. Where the
 * page has no more, another is to be asked for, or the pair is through.
 */
extern void kis_pair_seek(KisScan *scan, KisPairScan *pair);

#endif							/* KIS_SCAN_H */
