/*
 * tables.h
 *		The foreign tables as data: which call each reads, its pairs and the
 *		columns that IMPORT makes.
 */
#ifndef KIS_COMMON_TABLES_H
#define KIS_COMMON_TABLES_H

#include "postgres.h"

#include "kis.h"
#include "kis/catalog.h"

/* Which of the listed pairs a table holds. */
typedef enum KisPairSet
{
	KIS_PAIRS_OF_TABLE,			/* as the table's entry says */
	KIS_PAIRS_HEADLINE,			/* those that stand for a whole market */
	KIS_PAIRS_ALL				/* all listed and the server's extra_pairs */
} KisPairSet;

/* Among the names of columns: the net figures of all investors. */
#define KIS_NET_FIGURES	"*"

/* A foreign table as IMPORT FOREIGN SCHEMA makes it: data in tables.c. */
typedef struct KisTable
{
	const char *name;
	const KisCall *call;
	KisPairSet	pairs;			/* unless the option pairs says otherwise */
	bool		by_investor;	/* of the trend call alone: a row of its reply
								 * is one of the table for each investor */

	const char *const *columns; /* that IMPORT makes, by name; ends with NULL */
	const char *comment_ko;
	const char *comment_en;
} KisTable;

extern const KisTable *const kis_tables[];	/* ends with NULL */

/* The table of that name; NULL where there is none. */
extern const KisTable *kis_table_find(const char *name);

/* The name to suggest to one who typed another. */
extern const char *kis_suggest_table(const char *name);

/* What a call with these arguments is for, in words; palloc'd. */
extern char *kis_call_subject(const KisCall *call, const KisCallArgs *args);

/* How many rows of the table a row of a reply is. */
extern int	kis_table_split(const KisTable *table);

#endif							/* KIS_COMMON_TABLES_H */
