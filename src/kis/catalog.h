/*
 * catalog.h
 *		KIS's lists and calls as data.
 */
#ifndef KIS_CATALOG_H
#define KIS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

/* A member of a call's answer. */
typedef struct KisMember
{
	const char *field;			/* KIS's name: frgn_ntby_qty */
	const char *column;			/* ours: foreign_net_qty */
	const char *type;			/* of the column, in pg_catalog: int8 */
	const char *name_ko;
	const char *name_en;		/* "" for figures of an investor: made of his
								 * name */
	bool		is_figure;		/* of the day so far: while all of them are
								 * zero nothing has been traded */
} KisMember;

typedef struct KisInvestor
{
	const char *prefix;			/* of its members on the wire: frgn */
	const char *code;			/* ours: foreign */
	const char *name_ko;
	const char *name_en;
	const char *part_of;		/* code of the investor it is a part of, or "" */
	const char *name_ko_screen; /* the name on traders' screens */
} KisInvestor;

/* What is measured of each investor. */
typedef struct KisMeasure
{
	const char *name;			/* what his members' columns end with: net_qty */
	const char *name_ko;
	const char *name_en;
	bool		is_amount;		/* else a quantity */
} KisMeasure;

typedef struct KisMarket
{
	const char *code;
	const char *name_ko;
	const char *name_en;
	const char *aliases;		/* names typed by mistake, comma-separated */
} KisMarket;

/* A listed pair of market and sector. Units are "" where KIS's are unknown. */
typedef struct KisPair
{
	const char *market;
	const char *sector;
	const char *name_ko;
	const char *name_en;
	bool		headline;		/* stands for a whole market */
	const char *quantity_unit;
	const char *amount_unit;
	const char *old_name_ko;	/* the sector's name until KRX renamed it, or
								 * "" */
} KisPair;

/* A comment on what a store consists of, in both languages. */
typedef struct KisComment
{
	const char *part;			/* of the store, as the extension's script names
								 * them */
	const char *column;			/* NULL: on the table or view itself */
	const char *comment;
} KisComment;

/* The trend call's, in wire order. */
extern const KisMember kis_members[];
extern const int kis_member_count;
extern const KisInvestor kis_investors[];
extern const int kis_investor_count;
extern const KisMeasure kis_measures[];
extern const int kis_measure_count;
extern const KisMarket kis_markets[];
extern const int kis_market_count;
extern const KisPair kis_pairs[];
extern const int kis_pair_count;
extern const KisComment kis_comments[];
extern const int kis_comment_count;

/* Each returns NULL where the code is unknown; codes are case-sensitive. */
extern const KisMarket *kis_market_find(const char *code);
extern const KisPair *kis_pair_find(const char *market, const char *sector);

/* The member of the trend call that holds a measure of an investor, all by number. */
extern int	kis_figure(int investor, int measure);

/* How many shares, contracts or won one of a unit is; 0 where that is unknown. */
extern int64_t kis_unit_factor(const char *unit);

/* The unit in Korean; as it is where that is unknown. */
extern const char *kis_unit_ko(const char *unit);

/* A code and what stands for it elsewhere; a list ends with a NULL. */
typedef struct KisTranslation
{
	const char *from;
	const char *to;
} KisTranslation;

/* What the list has for the code; NULL where it has nothing, or is none. */
extern const char *kis_translate(const KisTranslation *list, const char *code);

/* What fills a parameter of a call. */
typedef enum KisArgument
{
	KIS_ARG_CONSTANT,			/* the parameter's own value */
	KIS_ARG_MARKET,
	KIS_ARG_SECTOR,
	KIS_ARG_DATE				/* YYYYMMDD */
} KisArgument;

typedef struct KisParameter
{
	const char *name;			/* NULL ends the list */
	KisArgument argument;
	const char *constant;
	const KisTranslation *codes;	/* of KIS_ARG_MARKET: what KIS calls our
									 * markets here; NULL: as we do */
} KisParameter;

#define KIS_MAX_PARAMETERS	8

/*
 * How the rows of a call that has more of them than fit into one reply go on.
 * Each then names its day.
 */
typedef enum KisPaging
{
	KIS_PAGING_NONE,
	KIS_PAGING_BACK,			/* the days of trading, newest first, ending
								 * at the date that is requested */
	KIS_PAGING_FORWARD			/* all days, oldest first, beginning at that
								 * date */
} KisPaging;

/* How long a reply is as good as a new one. */
typedef enum KisLifetime
{
	KIS_LIFETIME_TTL,			/* the server's cache_ttl */
	KIS_LIFETIME_DAY			/* until midnight in Seoul, if it has rows */
} KisLifetime;

/* When a reply is whole: one that isn't is only for those who wait for it. */
typedef struct KisWhole
{
	bool		every_day;		/* its rows are of the days from the one that
								 * is requested on, none left out */
	bool		filled;			/* none of them lacks a value */
	int			longest_closure;	/* among more rows than so many one is of
									 * an open day; 0: not looked at */
} KisWhole;

/* A call of the API: a new one is a new entry in catalog.c. */
typedef struct KisCall
{
	const char *name;			/* ours; messages say "the name" where it
								 * takes no codes */
	const char *path;
	const char *tr_id;
	KisParameter parameters[KIS_MAX_PARAMETERS + 1];
	const char *const *markets; /* that it serves, ends with NULL; NULL: those
								 * of its parameters' codes */
	const char *rows;			/* the reply's member that holds the rows */
	const KisMember *members;	/* of a row, in wire order */
	int			nmembers;
	int			day_member;		/* that holds the row's day, YYYYMMDD; -1:
								 * none does, as of the following */
	int			investor_member;	/* that says whose the row is */
	int			open_member;	/* that says whether the exchange is open on
								 * that day, Y or N */
	const KisTranslation *investors;	/* from KIS's codes in investor_member
										 * to ours */
	int			usual_rows;		/* of a reply, as seen: no limit. 1: it is one
								 * object, and no list */
	KisPaging	paging;
	KisWhole	whole;
	KisLifetime lifetime;
	bool		of_ledger;		/* KIS counts it as its ledger's: one a second */
} KisCall;

extern const KisCall kis_call_trend;
extern const KisCall kis_call_daily;
extern const KisCall kis_call_calendar;
extern const KisCall kis_call_index;
extern const KisCall kis_call_program;

/* A call's member by KIS's name or ours; -1 where it has none. */
extern int	kis_call_member_find(const KisCall *call, const char *name);

/* Are the call's rows of a market, a sector, a day? */
extern bool kis_call_takes(const KisCall *call, KisArgument argument);

/* Has the call rows of a market? */
extern bool kis_call_serves(const KisCall *call, const char *market);

#endif							/* KIS_CATALOG_H */
