/*
 * rows.h
 *		Rows of the store and its snapshots, read and written in sets: a
 *		statement for all targets of a collection, or all days of a page.
 */
#ifndef KIS_STORE_ROWS_H
#define KIS_STORE_ROWS_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/snapshot.h"

#include "store/table.h"
#include "store/target.h"

/* A row that is stored; figures are in the order of the table's columns. */
typedef struct KisStoredRow
{
	DateADT		trade_date;
	TimestampTz collected_at;	/* DT_NOBEGIN: null */
	bool		from_daily;
	Datum	   *figures;
	bool	   *nulls;
} KisStoredRow;

/* In statements: the targets' keys as rows, numbered by n from 1 in their order. */
#define KIS_TARGET_KEYS \
	"ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) " \
	"WITH ORDINALITY AS t(market_code, sector_code, trade_date, collected_at, n)"

/* The same with their figures, f, in the order of the table's columns, and the time "again". */
#define KIS_TARGETS \
	"(SELECT u.market_code, u.sector_code, u.trade_date, u.collected_at, " \
	"u.figures::pg_catalog.int8[] AS f, u.again, u.n FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), " \
	"pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)) " \
	"WITH ORDINALITY AS u(market_code, sector_code, trade_date, collected_at, figures, again, n) OFFSET 0) AS t"

/* Both of one target alone, as the planner of Citus must see it: a row of values. */
#define KIS_ONE_TARGET \
	"(SELECT ($1)[1] AS market_code, ($2)[1] AS sector_code, ($3)[1] AS trade_date, ($4)[1] AS collected_at, " \
	"($5)[1]::pg_catalog.int8[] AS f, ($6)[1] AS again, 1::pg_catalog.int8 AS n) AS t"

#define KIS_SAME_PAIR \
	"s.market_code OPERATOR(pg_catalog.=) t.market_code AND s.sector_code OPERATOR(pg_catalog.=) t.sector_code"

/* The plan of a statement, made once a session. Inside SPI. */
extern SPIPlanPtr kis_rows_plan(const char *query, int nparameters, Oid *types);

/* Runs a statement for these targets; $7 and $8 are the two times, $9 the index. Inside SPI. */
extern void kis_rows_execute(const char *query, const KisStoreTable *table,
							 KisTarget *const *targets, int ntargets,
							 TimestampTz seven, TimestampTz eight, Snapshot snapshot);

/* Reads a row beside each target, NULL where there is none; beside is SQL after the targets, t, with the rows as s. */
extern KisStoredRow **kis_rows_read(const KisStoreTable *table, KisTarget *const *targets,
									int ntargets, const char *beside);

/* The table's figure columns as a list for SQL: each by name, or numbered as prefix[n]. */
extern char *kis_rows_columns(const KisStoreTable *table, const char *separator, const char *prefix,
							  bool by_number);

#endif							/* KIS_STORE_ROWS_H */
