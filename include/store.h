/*
 * store.h
 *		The store: the user's own tables that keep what KIS answered, a row a
 *		trading day, and its snapshots, a row a changed reply.
 *
 * All SQL text of the store qualifies its operators and types, so that it
 * means the same whatever the caller's search_path, and so that triggers of
 * the user's on these tables still run under that path.
 */
#ifndef KIS_STORE_H
#define KIS_STORE_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "kis.h"
#include "option.h"
#include "shared.h"

/* ---- tables as they are (store_table.c) ---------------------------------- */

/* A table of figures: ours, or one of the user's with any of the 72 columns. */
typedef struct KisStoreTable
{
	Oid			relid;
	Oid			namespace;
	Oid			owner;
	char	   *name;			/* quoted and qualified: for SQL */
	char	   *plain_name;		/* for messages */
	int			nfigures;
	int		   *members;		/* of each figure column, index into kis_members */
	char	  **columns;		/* their names, quoted */
	bool		has_source;
	bool		has_updated_at;
	/* snapshot.c's, while SPI is connected: the statement that appends, of this month */
	struct _SPI_plan *append;
	int			append_month;
} KisStoreTable;

/* The names of a store and its snapshots, from the text that a user gave. */
extern RangeVar *kis_store_name(const text *name);
extern char *kis_snapshot_name(const char *store);

/*
 * The name of what belongs to a table: its own and a label. Of a long one as
 * much as fits, and a digest of it all, so that no two tables share it.
 */
extern char *kis_derived_name(const char *table, const char *label);

/* The table's shape; raises 42P16 where it can't be a store or its snapshots. */
extern KisStoreTable *kis_store_describe(Relation store);
extern KisStoreTable *kis_snapshot_describe(Relation snapshots);

/*
 * Before a relation is locked or looked at: raises 42501 where the user lacks one
 * of the rights on every column, too, and 42P16 where it is no table.
 */
extern void kis_store_require_rights(Oid relid, AclMode rights);

/* Of figures and nulls of all members, those of the table's columns: a bigint[]. */
extern Datum kis_store_figures(const KisStoreTable *table, const int64 *figures, const bool *nulls);

/* Runs one command of DDL by SPI. */
extern void kis_store_run(const char *command);

/* ---- what a collection or a backfill works with (store_open.c) ------------- */

/*
 * The server of that name, which must be one of the extension that the
 * function belongs to and usable by the caller.
 */
extern Oid	kis_store_server(const char *name, Oid function);

/*
 * The store as it is now, locked, and fit to be written by the caller; text is
 * its name as he wrote it. Without keep_lock the lock is given back.
 */
extern KisStoreTable *kis_store_open(const RangeVar *name, const char *text,
									 LOCKMODE lockmode, bool keep_lock);

/* The store's snapshots in the same way, or NULL where it has none. */
extern KisStoreTable *kis_snapshots_open(const KisStoreTable *store, LOCKMODE lockmode,
										 bool keep_lock);

/* Raises where the user has no business with a relation, which is not locked yet and may be gone. */
typedef void (*KisRelationCheck) (Oid relid, const void *arg);

/* That of rights, an AclMode: kis_store_require_rights. */
extern void kis_relation_check_rights(Oid relid, const void *rights);

/*
 * The relation of that name, checked and then locked, and of that name still:
 * whoever had the lock before us may have dropped or replaced it. InvalidOid
 * where there is none.
 */
extern Oid	kis_relation_lock(Oid namespace, const char *relname, LOCKMODE lockmode,
							  KisRelationCheck check, const void *arg);

/* Raises 55000 where what goes with a store is neither its owner's nor a superuser's. */
extern void kis_store_require_owner(const KisStoreTable *store, Oid relid);

/* ---- figures (figures.c) ---------------------------------------------------- */

/* Marks, of all members, those that the table has a column for. */
extern void kis_figures_want(const KisStoreTable *table, bool *wanted);

/*
 * The figures of a row, for all members; null where one is not wanted, or the
 * call or KIS has none. NULL, or what is wrong with one that is no bigint, and
 * the SQLSTATE that bigint itself has for it; sqlstate may be NULL.
 */
extern char *kis_figures_take(const KisCall *call, const KisRow *row, const bool *wanted,
							  KisStatement *statement, int64 *figures, bool *nulls,
							  int *sqlstate);

/* ---- the view by investor (store_view.c) ---------------------------------- */

/*
 * Makes the store's view in the namespace, as the current user's, unless there
 * is a relation of its name, which is told of where it is another, or the store
 * has no net figures. Raises 55000 as kis_store_require_owner. Inside SPI.
 */
extern void kis_view_make(const KisStoreTable *store, Oid namespace);

/* ---- targets (target.c) --------------------------------------------------- */

typedef enum KisOutcome
{
	KIS_OUTCOME_INSERTED,
	KIS_OUTCOME_UPDATED,
	KIS_OUTCOME_UNCHANGED,
	KIS_OUTCOME_SKIPPED,
	KIS_OUTCOME_FAILED
} KisOutcome;

/* A pair to collect, its answer, and what came of it. */
typedef struct KisTarget
{
	KisPairCode pair;
	KisInquiry *inquiry;
	TimestampTz collected_at;
	DateADT		trade_date;
	bool		has_trade_date;
	KisHours	hours;			/* of collected_at, where there is a trade date */
	bool		has_figures;	/* one is not zero */
	int64	   *figures;		/* of all members; NULL until there is an answer */
	bool	   *nulls;
	KisOutcome	outcome;
	const char *detail;			/* NULL: nothing to say */
	const char *hint;			/* of a calendar that failed; NULL: none */
	bool		worth_snapshot; /* the figures are the trade date's */
	TimestampTz stored_at;		/* where the day's row is newer: its time */
} KisTarget;

/*
 * The pairs that targets name, each once, in the order of their keys, which is
 * the order of writing. Raises 22023 with a hint where one names no known pair.
 */
extern KisTarget *kis_targets(ArrayType *targets, const KisServerOptions *options, int *ntargets);

/* ---- writing (store_write.c, snapshot.c) ---------------------------------- */

/*
 * Writes a target's answer to the store and sets its outcome; snapshots (NULL:
 * none) tell of the days before. To be called inside SPI, in the order of keys;
 * text is allocated in context.
 */
extern void kis_store_write(const KisStoreTable *store, const KisStoreTable *snapshots,
							KisTarget *target, MemoryContext context);

/*
 * The same with a row of the daily history, of a day that is over: it comes
 * before whatever is live, and what stays as it is is not written at all.
 */
extern void kis_store_write_daily(const KisStoreTable *store, KisTarget *target,
								  MemoryContext context);

/* Appends the answer to the snapshots unless it equals the one before or after it. Inside SPI. */
extern void kis_snapshot_append(KisStoreTable *snapshots, const KisTarget *target);

/*
 * Raises 42501 where no partition holds that moment and the user can't make
 * one, 42P07 where something else has its name; makes nothing and takes no
 * lasting lock.
 */
extern void kis_snapshot_check(Oid snapshots, const char *store, TimestampTz moment);

/* Makes a partition for the moment where there is none: its month, or what of it is free. */
extern void kis_snapshot_make_partition(Oid snapshots, const char *store, TimestampTz moment);

/*
 * The month's after the moment's, where the table is cut by months as we do it,
 * and as far as it goes without waiting. Where it fails that is a WARNING,
 * unless it was cancelled. Inside SPI.
 */
extern void kis_snapshot_make_next(Oid snapshots, const char *store, TimestampTz moment);

#endif							/* KIS_STORE_H */
