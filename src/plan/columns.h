/*
 * columns.h
 *		What a foreign table's options and columns make of the tables of KIS.
 */
#ifndef KIS_PLAN_COLUMNS_H
#define KIS_PLAN_COLUMNS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#include "common/option.h"
#include "common/tables.h"

/* Where a column's value comes from. */
typedef enum KisSource
{
	KIS_SOURCE_MARKET,
	KIS_SOURCE_SECTOR,
	KIS_SOURCE_INVESTOR,		/* whose figures the row shows */
	KIS_SOURCE_COLLECTED_AT,
	KIS_SOURCE_TRADE_DATE,		/* by the calendar, of figures that name no
								 * day */
	KIS_SOURCE_DAY,				/* the member that says which day the row is
								 * of */
	KIS_SOURCE_MEMBER_INVESTOR, /* the member that says whose the row is */
	KIS_SOURCE_MEMBER,			/* a member of the call's list, by number */
	KIS_SOURCE_FIGURE,			/* the member of the row's investor with a
								 * measure, by its number */
	KIS_SOURCE_EXTRA_MEMBER,	/* any other member, by KIS's name */
	KIS_SOURCE_OBJECT,			/* '*': the whole member object */
	KIS_SOURCE_REPLY			/* '**': the whole reply */
} KisSource;

/* A column of a table of KIS, or of a foreign table, resolved by its option field or its name. */
typedef struct KisColumn
{
	const char *name;			/* or its option field */
	const char *type;			/* SQL: as IMPORT makes it */
	KisSource	source;
	int			member;			/* index into the call's members, or of
								 * KIS_SOURCE_FIGURE into kis_measures; -1:
								 * none */
	AttrNumber	attnum;			/* the foreign table's */
} KisColumn;

/* The columns that IMPORT makes, in order, as a List of KisColumn *. */
extern List *kis_table_columns(const KisTable *table);

/* Resolves a column; raises HV007 where it stands for nothing in the table. */
extern KisColumn kis_column_resolve(const KisTable *table, Oid relid, AttrNumber attnum,
									const char *attname);

/* The same, but false where that one raises. */
extern bool kis_column_lookup(const KisTable *table, Oid relid, AttrNumber attnum,
							  const char *attname, KisColumn *column);

/* The table behind a foreign table's options; raises HV00R where there is none. */
extern const KisTable *kis_table_of_relation(Oid relid, KisTableOptions **options);

/* The pairs of codes that a table's calls are made with, extra_pairs included. */
extern KisPairCode *kis_table_pairs(const KisTable *table, const KisTableOptions *options,
									const KisServerOptions *server, int *npairs);

#endif							/* KIS_PLAN_COLUMNS_H */
