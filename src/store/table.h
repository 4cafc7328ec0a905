/*
 * table.h
 *		Tables of figures as they are: the store and its snapshots, made by us
 *		or by the user.
 */
#ifndef KIS_STORE_TABLE_H
#define KIS_STORE_TABLE_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "utils/rel.h"

/* A table of figures: ours, or one of the user's with any of the 72 columns. */
typedef struct KisStoreTable
{
	Oid			relid;
	Oid			namespace;
	Oid			owner;
	char	   *name;			/* quoted and qualified: for SQL */
	char	   *plain_name;		/* for messages */
	int			nfigures;
	int		   *members;		/* of each figure column, index into
								 * kis_members */
	char	  **columns;		/* their names, quoted */
	bool		has_source;
	bool		has_updated_at;
	bool		has_index_level;
	bool		is_distributed; /* by Citus, which finds rows of it for one
								 * target at a time */
} KisStoreTable;

/* The name of a store, from the text that a user gave. */
extern RangeVar *kis_store_name(const text *name);

/* The name of what belongs to a table: its own and the label, shortened by a digest. */
extern char *kis_derived_name(const char *table, const char *label);

/* The table's shape; raises 42P16 where it can't be a store or its snapshots. */
extern KisStoreTable *kis_store_describe(Relation store);
extern KisStoreTable *kis_snapshot_describe(Relation snapshots);
extern KisStoreTable *kis_collection_describe(Relation collection);

/* The catalog of Citus's tables, InvalidOid where that extension is not; is a table distributed by it? */
extern Oid	kis_citus_catalog(void);
extern bool kis_citus_distributes(Oid relid);

/* Raises 42501 where the user lacks a right; to be called before a relation is locked. */
extern void kis_store_require_rights(Oid relid, AclMode rights);

/* Raises where a function of the store can't write; names are of its arguments. Can it not commit? */
extern bool kis_store_begin(FunctionCallInfo fcinfo, const char *const *names, int nargs,
							const char *function);

/* Calls a function of the extension's that is written in SQL; nargs types and Datums follow. */
extern Datum kis_store_call(Oid sibling, const char *name, int nargs,...);

/* The elements of a text[] that it returned, NIL of NULL. */
extern List *kis_store_texts_of(Datum array);

/* Runs commands of DDL by SPI. */
extern void kis_store_run(const List *commands);

#endif							/* KIS_STORE_TABLE_H */
