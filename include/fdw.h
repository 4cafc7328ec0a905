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

#include "kis.h"
#include "option.h"
#include "shared.h"

/* Where a column's value comes from. */
typedef enum KisSource
{
	KIS_SOURCE_MARKET,
	KIS_SOURCE_SECTOR,
	KIS_SOURCE_COLLECTED_AT,
	KIS_SOURCE_TRADE_DATE,
	KIS_SOURCE_MEMBER,			/* a member of the call's list, by number */
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
	const char *comment_ko;
	const char *comment_en;
} KisTable;

extern const KisTable *const kis_tables[];	/* ends with NULL */

/* NULL where there is no such remote table. */
extern const KisTable *kis_table_find(const char *name);

/* A column of a table as IMPORT makes it. */
typedef struct KisTableColumn
{
	const char *name;
	const char *type;			/* SQL */
	KisSource	source;
	int			member;			/* KIS_SOURCE_MEMBER: index into the call's members */
} KisTableColumn;

/* The columns in order; palloc'd array, its length in *ncolumns. */
extern KisTableColumn *kis_table_columns(const KisTable *table, int *ncolumns);

/* A foreign table's column, resolved by its option field or its name. */
typedef struct KisColumn
{
	KisSource	source;
	int			member;			/* KIS_SOURCE_MEMBER */
	char	   *field;			/* KIS_SOURCE_EXTRA_MEMBER: KIS's name */
} KisColumn;

/*
 * Resolves a column; raises HV007 with a hint where its name is none that the
 * table's call knows and it has no option field.
 */
extern KisColumn kis_column_resolve(const KisTable *table, Oid relid, AttrNumber attnum,
									const char *attname);

/* The table behind a foreign table's options; raises HV00R where there is none. */
extern const KisTable *kis_table_of_relation(Oid relid, KisTableOptions **options);

/* The pairs that a table holds, extra_pairs included; palloc'd array. */
extern KisPairCode *kis_table_pairs(const KisTable *table, const KisTableOptions *options,
									const KisServerOptions *server, int *npairs);

/* plan.c */
extern void kisGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void kisGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *kisGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
									  ForeignPath *best_path, List *tlist, List *scan_clauses,
									  Plan *outer_plan);

/* scan.c */
extern void kisBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *kisIterateForeignScan(ForeignScanState *node);
extern void kisReScanForeignScan(ForeignScanState *node);
extern void kisEndForeignScan(ForeignScanState *node);

/* explain.c */
extern void kisExplainForeignScan(ForeignScanState *node, ExplainState *es);

/* import.c */
extern List *kisImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* KIS_FDW_H */
