/*
 * fdw.h
 *		What the parts of src/fdw know of each other: foreign tables as data,
 *		and the stages from a query to its rows.
 */
#ifndef KIS_FDW_H
#define KIS_FDW_H

#include "postgres.h"

#include "commands/explain.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"

#include "kis.h"
#include "option.h"
#include "shared.h"

/* Where a column's value comes from. */
typedef enum KisSource
{
	KIS_SOURCE_MARKET,
	KIS_SOURCE_SECTOR,
	KIS_SOURCE_INVESTOR,		/* whose figures the row shows */
	KIS_SOURCE_COLLECTED_AT,
	KIS_SOURCE_TRADE_DATE,		/* by the calendar, of figures that name no day */
	KIS_SOURCE_DAY,				/* the member that says which day the row is of */
	KIS_SOURCE_MEMBER,			/* a member of the call's list, by number */
	KIS_SOURCE_FIGURE,			/* the member of the row's investor with a measure, by its number */
	KIS_SOURCE_EXTRA_MEMBER,	/* any other member, by KIS's name */
	KIS_SOURCE_OBJECT,			/* '*': the whole member object */
	KIS_SOURCE_REPLY			/* '**': the whole reply */
} KisSource;

/* A foreign table as IMPORT FOREIGN SCHEMA makes it: data in table.c. */
typedef struct KisTable
{
	const char *name;
	const KisCall *call;
	KisPairSet	pairs;			/* unless the option pairs says otherwise */
	bool		by_investor;	/* a row of the trend call's reply is one of the table for each investor */
	/* columns that IMPORT makes, by name: these, the net figures of all investors, and these */
	const char *const *columns;	/* ends with NULL */
	bool		net_figures;
	const char *const *more_columns;	/* ends with NULL; NULL: none */
	const char *comment_ko;
	const char *comment_en;
} KisTable;

extern const KisTable *const kis_tables[];	/* ends with NULL */

/* NULL where there is no such remote table. */
extern const KisTable *kis_table_find(const char *name);

/* The name to suggest to one who typed another. */
extern const char *kis_table_suggest(const char *name);

/* A column of a table as IMPORT makes it. */
typedef struct KisTableColumn
{
	const char *name;
	const char *type;			/* SQL */
	KisSource	source;
	int			member;			/* KIS_SOURCE_MEMBER and _DAY: index into the call's members;
								 * _FIGURE: into kis_measures */
} KisTableColumn;

/* The columns in order; palloc'd array, its length in *ncolumns. */
extern KisTableColumn *kis_table_columns(const KisTable *table, int *ncolumns);

/* A foreign table's column, resolved by its option field or its name. */
typedef struct KisColumn
{
	KisSource	source;
	int			member;			/* as above; -1: none */
	char	   *field;			/* KIS_SOURCE_EXTRA_MEMBER: KIS's name */
} KisColumn;

/*
 * Resolves a column; raises HV007 with a hint where its name is none that the
 * table's call knows and it has no option field.
 */
extern KisColumn kis_column_resolve(const KisTable *table, Oid relid, AttrNumber attnum,
									const char *attname);

/* The same, but false where that one raises. */
extern bool kis_column_lookup(const KisTable *table, Oid relid, AttrNumber attnum,
							  const char *attname, KisColumn *column);

/* The table behind a foreign table's options; raises HV00R where there is none. */
extern const KisTable *kis_table_of_relation(Oid relid, KisTableOptions **options);

/*
 * The pairs that a table holds, extra_pairs included; palloc'd array. A table
 * without pairs holds one of empty codes.
 */
extern KisPairCode *kis_table_pairs(const KisTable *table, const KisTableOptions *options,
									const KisServerOptions *server, int *npairs);

/* How many rows of the table a row of a reply is. */
extern int	kis_table_split(const KisTable *table);

/* A key column: a code of the pair, or of the investor, that the row is of. */
typedef struct KisKey
{
	AttrNumber	attnum;
	KisSource	source;			/* KIS_SOURCE_MARKET, _SECTOR or _INVESTOR */
} KisKey;

/* A column that a scan fills. */
typedef struct KisScanColumn
{
	AttrNumber	attnum;
	KisColumn	column;
} KisScanColumn;

/* A foreign table's scan as planned: what fdw_private and fdw_exprs hold. */
typedef struct KisScanPlan
{
	const KisTable *table;
	KisTableOptions options;
	int			ncolumns;
	KisScanColumn *columns;
	int			nkeys;
	KisKey	   *keys;			/* the pair's codes */
	int			ninvestor_keys;
	KisKey	   *investor_keys;	/* the investor's */
	List	   *quals;			/* conditions on the pair's codes alone */
	int			ndays;
	AttrNumber *days;			/* columns of KIS_SOURCE_DAY and type date */
	List	   *day_quals;		/* conditions on these, and maybe the codes, alone */
	List	   *investor_quals; /* conditions on the investor's codes alone */
	List	   *named;			/* the codes that the query names, see names.c */
	List	   *named_values;	/* their expressions */
	double		calls;			/* expected */
	double		npairs;			/* expected */
	bool		one_pair;		/* the query names one pair at most */
	bool		by_day;			/* the rows come by the day, in the order of the call's pages */
	bool		may_end;		/* a cursor or the like may leave the query before its last row */
} KisScanPlan;

/* scan_plan.c: what stands in a plan, read back; nothing in it is a copy. */
extern KisScanPlan *kis_scan_plan(const ForeignScan *plan);

/* scan_plan.c: the lists that it reads. */
extern void kis_scan_plan_write(const KisScanPlan *scan, List **exprs, List **private);

/* plan.c */
extern void kisGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void kisGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *kisGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
									  ForeignPath *best_path, List *tlist, List *scan_clauses,
									  Plan *outer_plan);

/* conditions.c: is all that a condition says of the relation about its keys, and may it be used? */
extern bool kis_is_key_expression(Node *expr, Index relid, const Bitmapset *keys);
extern bool kis_is_key_condition(RestrictInfo *rinfo, RelOptInfo *rel, const Bitmapset *keys);

/*
 * partition.c: adds the bound of a foreign table that is a partition to its
 * conditions, so that it holds what it says and no more. Returns what it adds.
 */
extern List *kis_partition_bound_add(PlannerInfo *root, RelOptInfo *rel, Relation relation);

/* conditions.c: does it mention one of these columns, as pull_varattnos counts? */
extern bool kis_mentions(Node *expr, Index relid, const Bitmapset *attrs);

/*
 * conditions.c: does the node itself, or anything in the expression, call a
 * function that may raise or tell what it sees? Only PostgreSQL's own are
 * trusted not to.
 */
extern bool kis_calls_leaky(Node *node);
extern bool kis_contains_leaky(Node *expr);

/* conditions.c: key = value, value = key, key = ANY (value); value names no column of relid */
typedef struct KisKeyEquality
{
	AttrNumber	attnum;
	Node	   *value;
	bool		is_array;
	bool		value_first;	/* in the operator's arguments */
	Oid			function;
	Oid			collation;
} KisKeyEquality;

extern bool kis_key_equality(Node *clause, Index relid, const Bitmapset *keys,
							 KisKeyEquality *equality);

/* keys.c: the pairs that a table holds, or the investors, their codes as values of its key columns */
typedef struct KisKeyValues
{
	int			n;
	const KisPairCode *pairs;	/* n of them; NULL: they are kis_investors */
	int			nkeys;
	const KisKey *keys;
	Datum	  **columns;		/* n values of each key; NULL: nobody has asked for them */
	Relation	relation;
	MemoryContext context;		/* of all of them */
} KisKeyValues;

/* They are made in the current memory context when they are needed, while the relation is open. */
extern KisKeyValues *kis_pair_values(Relation relation, int nkeys, const KisKey *keys,
									 int npairs, const KisPairCode *pairs);
extern KisKeyValues *kis_investor_values(Relation relation, int nkeys, const KisKey *keys);

/*
 * The i-th's code as conditions see it: whether a domain takes it is not
 * looked at. Raises where the type under it doesn't.
 */
extern Datum kis_key_value(const KisKeyValues *values, int i, AttrNumber attnum);

/* Can all codes become values of a key column without an error, and without a function of a user's? */
extern bool kis_key_is_plain(const KisKeyValues *values, AttrNumber attnum);

/*
 * Makes slot, of the table's descriptor, a row that has nothing but the i-th's
 * keys, those that are mentioned, as pull_varattnos counts.
 */
extern void kis_key_store(const KisKeyValues *values, int i, const Bitmapset *mentioned,
						  TupleTableSlot *slot);

/*
 * estimate.c: gives the relation's conditions that planning may not evaluate a
 * selectivity before the core looks for one: it would run stable functions.
 */
extern void kis_estimate_unknown(RelOptInfo *rel);

/* estimate.c: how many pairs are expected to satisfy conditions */
typedef struct KisPairEstimate
{
	double		pairs;
	double		markets;		/* different ones among them */
	double		sectors;
} KisPairEstimate;

extern KisPairEstimate kis_estimate_pairs(PlannerInfo *root, RelOptInfo *rel, Relation relation,
										  const KisKeyValues *values, const Bitmapset *keys,
										  List *conditions);

/* The same of those that satisfy join conditions for given values of the other side. */
extern double kis_estimate_joined_pairs(PlannerInfo *root, RelOptInfo *rel,
										const KisPairEstimate *estimate,
										const KisKeyValues *values, const Bitmapset *keys,
										List *conditions);

/* days.c: the days that a table with a row a day holds, and those that conditions leave of them */
typedef struct KisDays KisDays;

extern KisDays *kis_days_create(const KisCall *call, int nattrs, const AttrNumber *attrs);

/* The same days, none kept. */
extern KisDays *kis_days_create_like(const KisDays *days);

/*
 * Keeps the days, of those that others keep or, where that is NULL, of all,
 * that satisfy the conditions together with what stands in slot, which is the
 * conditions' scan tuple: a pair's codes.
 */
extern void kis_days_choose(KisDays *days, const KisDays *others, ExprState *quals,
							ExprContext *econtext, TupleTableSlot *slot);

/* Keeps the days from first to last. */
extern void kis_days_choose_range(KisDays *days, DateADT first, DateADT last);

/*
 * Is a row of a page of a day that is kept and has not come yet? *beyond, the
 * day up to which rows have come, moves on with it; KIS_NO_DAY: none has.
 * Raises where the page's rows are out of order.
 */
extern bool kis_days_take(const KisDays *days, const KisInquiry *page, int row, DateADT *beyond);

/* The rows that they are expected to have. */
extern double kis_days_rows(const KisDays *days);

/* Do they go back to where nobody knows whether KIS has anything? Then the calls may be fewer. */
extern bool kis_days_reach_back(const KisDays *days);

/*
 * The day, of those that are kept, that the call is to be made for next: in
 * the order of its pages beyond the day up to which rows are here already, or
 * the first one where that is KIS_NO_DAY. KIS_NO_DAY: none is left.
 */
#define KIS_NO_DAY	PG_INT32_MAX
extern DateADT kis_days_next(const KisDays *days, DateADT beyond);

/* Does day come after beyond in the order of the call's pages? After KIS_NO_DAY all do. */
extern bool kis_day_is_beyond(const KisCall *call, DateADT day, DateADT beyond);

/* The calls that they take from the one for this day on, holidays estimated. */
extern int	kis_days_pages(const KisDays *days, DateADT day);

/* estimate.c: what conditions are expected to leave of the days of one pair */
typedef struct KisDayEstimate
{
	double		rows;
	double		all_rows;		/* without conditions */
	double		pages;			/* calls */
} KisDayEstimate;

extern KisDayEstimate kis_estimate_days(PlannerInfo *root, RelOptInfo *rel, Relation relation,
										const KisCall *call, List *days,
										const Bitmapset *day_attrs, List *conditions);

/* estimate.c: how many investors are expected to satisfy conditions on them */
extern double kis_estimate_investors(PlannerInfo *root, RelOptInfo *rel, Relation relation,
									 const KisKeyValues *values, const Bitmapset *keys,
									 List *conditions);

/* names.c: the codes that a query names; the ints of a name in the plan */
typedef enum KisNameItem
{
	NAME_ATTNUM,
	NAME_VALUE,					/* position in named_values */
	NAME_IS_ARRAY,
	NAME_VALUE_FIRST,
	NAME_FUNCTION,
	NAME_COLLATION
} KisNameItem;

extern List *kis_named_plan(PlannerInfo *root, RelOptInfo *rel, const Bitmapset *keys,
							const List *bound, List **named_values);

/* named.c: warns of those that the table doesn't hold */
typedef struct KisNamed KisNamed;

extern KisNamed *kis_named_create(ForeignScanState *node, const KisScanPlan *plan,
								  const KisKeyValues *values,
								  const KisKeyValues *investors);
extern void kis_named_check(KisNamed *named, ExprContext *econtext,
							KisStatement *statement, const KisConnection *connection,
							bool any_chosen);

/* meant.c: the code that somebody means who typed this; NULL where none is near */
extern const char *kis_market_meant(const char *typed);
extern const char *kis_sector_meant(const char *market, const char *typed);	/* of the market first, where it is not NULL */
extern const char *kis_investor_meant(const char *typed);

/* May it be a code of KIS's that is not listed? It is written as these are. */
extern bool kis_may_be_market(const char *typed);
extern bool kis_may_be_sector(const char *typed);

/* limit.c: may the scan end before its last row, for what stands above it? */
extern bool kis_may_end(ForeignScanState *node);

/* limit.c: the LIMIT that bounds a scan alone */
typedef struct KisLimit KisLimit;

extern KisLimit *kis_limit_create(ForeignScanState *node, bool only_constant);	/* NULL: none */
extern int64 kis_limit_rows(KisLimit *limit, ExprContext *econtext, int split);	/* PG_INT64_MAX: all */

/* What a row of the table is made of. */
typedef struct KisTableRow
{
	const KisInquiry *inquiry;	/* that has brought it */
	int			pair;			/* position in the table's pairs */
	int			row;			/* of the reply */
	int			investor;		/* of those that share it, where the table is by investor */
} KisTableRow;

/* convert.c: from a reply to a row */
typedef struct KisConverter KisConverter;

extern KisConverter *kis_converter_create(Relation relation, const KisScanPlan *plan,
										  const KisKeyValues *values,
										  const KisKeyValues *investors,
										  KisStatement *statement, KisCounters *counters);
extern void kis_convert_row(KisConverter *converter, const KisTableRow *row,
							Datum *datums, bool *nulls);

/* scan.c */
extern void kisBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kisIterateForeignScan(ForeignScanState *node);
extern void kisReScanForeignScan(ForeignScanState *node);
extern void kisEndForeignScan(ForeignScanState *node);

/* What the scan has cost so far. */
extern const KisCounters *kis_scan_counters(const ForeignScanState *node);

/* explain.c */
extern void kisExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

/* comment.c: Korean and English, with the unit where it has one; palloc'd, UTF-8. */
extern char *kis_member_comment(const KisMember *member);
extern char *kis_measure_comment(const KisMeasure *measure);

/* import.c */
extern List *kisImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* KIS_FDW_H */
