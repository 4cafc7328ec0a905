/*
 * snapshot.c
 *		Snapshots of replies, and the partitions that hold them.
 *
 * Partitions are months in Seoul, made beside the parent by LIKE and then
 * attached: the parent takes SHARE UPDATE EXCLUSIVE alone, which neither readers
 * nor other collectors' INSERTs wait for. That lock also makes one session at a
 * time look and make, so that none ever meets a partition half made.
 *
 * Users may cut the table otherwise. Then their partitions are used, and one of
 * ours is made only for a moment that has none, as large as they leave room for:
 * what KIS has shown is gone if it isn't kept now.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "common/day.h"
#include "common/messages.h"
#include "compat.h"
#include "kis/trading_day.h"
#include "store/rows.h"
#include "store/snapshot.h"
#include "store/table.h"
#include "store/target.h"

/* Months since the year 0. */
typedef int Month;

/* What a partition is to hold: a month, or as much of it as the user's own partitions leave. */
typedef struct PartitionRange
{
	Month		month;
	TimestampTz from;
	TimestampTz to;				/* exclusive */
} PartitionRange;

static Month
month_of(TimestampTz moment)
{
	int			year;
	int			month;
	int			day;

	j2date(kis_seoul_day(moment) + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return year * 12 + month - 1;
}

static TimestampTz
month_start(Month month)
{
	int64		day = date2j(month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE;

	return day * USECS_PER_DAY - KIS_SEOUL_OFFSET * USECS_PER_SEC;
}

static bool
is_month(const PartitionRange *range)
{
	return range->from == month_start(range->month) && range->to == month_start(range->month + 1);
}

/* Partitions are ours to make only where the table is partitioned as we do it. */
static bool
is_ours_to_partition(Relation snapshots)
{
	PartitionKey key;

	if (snapshots->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	key = RelationGetPartitionKey(snapshots);
	return key->strategy == PARTITION_STRATEGY_RANGE && key->partnatts == 1 &&
		key->parttypid[0] == TIMESTAMPTZOID && key->partattrs[0] != InvalidAttrNumber &&
		(key->partattrs[0] == get_attnum(RelationGetRelid(snapshots), "collected_at") ||
		 key->partattrs[0] == get_attnum(RelationGetRelid(snapshots), "asked_at"));
}

/*
 * Does no partition hold the moment? Sets the range of the partition that does,
 * or of the one to be made: as much as is free of the moment's month.
 */
static bool
lacks_partition(Relation snapshots, TimestampTz moment, PartitionRange *range)
{
	PartitionKey key = RelationGetPartitionKey(snapshots);
	PartitionBoundInfo bounds = RelationGetPartitionDesc(snapshots, true)->boundinfo;
	Datum		value = TimestampTzGetDatum(moment);
	bool		is_equal;
	int			below = -1;

	range->month = month_of(moment);
	range->from = DT_NOBEGIN;
	range->to = DT_NOEND;
	if (bounds != NULL)
	{
		below = partition_range_datum_bsearch(key->partsupfunc, key->partcollation,
											  bounds, 1, &value, &is_equal);
		if (below >= 0 && bounds->kind[below][0] == PARTITION_RANGE_DATUM_VALUE)
			range->from = DatumGetTimestampTz(bounds->datums[below][0]);
		if (below + 1 < bounds->ndatums && bounds->kind[below + 1][0] == PARTITION_RANGE_DATUM_VALUE)
			range->to = DatumGetTimestampTz(bounds->datums[below + 1][0]);
		if (bounds->indexes[below + 1] >= 0 || partition_bound_has_default(bounds))
			return false;
	}
	range->from = Max(range->from, month_start(range->month));
	range->to = Min(range->to, month_start(range->month + 1));
	return true;
}

/*
 * Partitions belong to the table's owner, whose rights its members have. But of a
 * distributed table Citus lets nobody else write in the transaction that made one.
 */
static bool
may_make_partitions(Relation snapshots)
{
	Oid			owner = snapshots->rd_rel->relowner;

	return has_privs_of_role(GetUserId(), owner) &&
		(GetUserId() == owner || !kis_citus_distributes(RelationGetRelid(snapshots))) &&
		kis_namespace_aclcheck(RelationGetNamespace(snapshots), owner, ACL_CREATE) == ACLCHECK_OK;
}

/* What kis_partition_commands() gives of the partition to make. */
typedef struct Partition
{
	const char *relname;
	const char *range;			/* for messages */
	List	   *commands;		/* make, attach, comment */
} Partition;

/* All that a partition takes of its table is handed over: SQL may not see a table yet that is this new. */
static Partition
partition_of(Relation snapshots, const PartitionRange *range, Oid function)
{
	bool		is_log = get_attnum(RelationGetRelid(snapshots), "asked_at") != InvalidAttrNumber;
	Oid			am = snapshots->rd_rel->relam;
	Oid			tablespace = snapshots->rd_rel->reltablespace;
	StringInfoData place;
	List	   *texts;

	initStringInfo(&place);
	if (OidIsValid(am))
		appendStringInfo(&place, " USING %s", quote_identifier(get_am_name(am)));
	if (OidIsValid(tablespace))
		appendStringInfo(&place, " TABLESPACE %s", quote_identifier(get_tablespace_name(tablespace)));
	texts = kis_store_texts_of(kis_store_call(function, "kis_partition_commands", 6,
											  TEXTOID, CStringGetTextDatum(get_namespace_name(RelationGetNamespace(snapshots))),
											  TEXTOID, CStringGetTextDatum(RelationGetRelationName(snapshots)),
											  TEXTOID, CStringGetTextDatum(is_log ? "collection partition" : "partition"),
											  TEXTOID, CStringGetTextDatum(place.data),
											  TIMESTAMPTZOID, TimestampTzGetDatum(range->from),
											  TIMESTAMPTZOID, TimestampTzGetDatum(range->to)));
	return (Partition)
	{
		.relname = linitial(texts),
			.range = lsecond(texts),
			.commands = list_copy_tail(texts, 2)
	};
}

static void
partition_missing(Relation snapshots, const char *store, const Partition *partition)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table \"%s\" has no partition for %s",
					RelationGetRelationName(snapshots), partition->range),
			 errdetail("Only its owner, \"%s\", with the right to create in its schema can make one.",
					   GetUserNameFromId(snapshots->rd_rel->relowner, false)),
			 errhint("Have that role run SELECT create_market_investor_trend(%s).",
					 quote_literal_cstr(store))));
}

/* Something else has the partition's name: most likely it was detached. */
static void
name_taken(Relation snapshots, const Partition *partition, Oid other)
{
	bool		is_table = get_rel_relkind(other) == RELKIND_RELATION && !get_rel_relispartition(other);

	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists, but is no partition of table \"%s\" for %s",
					partition->relname, RelationGetRelationName(snapshots), partition->range),
			 is_table ?
			 errhint("Attach it with %s, or rename it; or drop it, if nobody needs its rows.",
					 (char *) lsecond(partition->commands)) :
			 errhint("Rename it, or drop it if nobody needs it.")));
}

/* As the table's owner, and without the caller's tablespace: whoever comes first makes the same partition. */
static void
make_partition(Oid relid, const PartitionRange *range, Oid function)
{
	Relation	snapshots = table_open(relid, NoLock);
	List	   *commands = partition_of(snapshots, range, function).commands;
	Oid			owner = snapshots->rd_rel->relowner;
	Oid			save_userid;
	int			save_sec_context;
	int			save_nestlevel = NewGUCNestLevel();

	/* DDL refuses a table that is open */
	table_close(snapshots, NoLock);

	GetUserIdAndSecContext(&save_userid, &save_sec_context);

	/*
	 * code of the owner's must leave nothing behind for a caller who may do
	 * more
	 */
	if (owner != save_userid)
		SetUserIdAndSecContext(owner, save_sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("default_tablespace", "", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	kis_store_run(commands);
	AtEOXact_GUC(true, save_nestlevel);
	SetUserIdAndSecContext(save_userid, save_sec_context);
}

/*
 * A partition for the moment is to be made: raises where it can't be. A table
 * that is gone needs none. Ahead: nor is one needed where somebody is in the way
 * now, even a cursor, or the table isn't cut by our months.
 */
static bool
must_make(Oid relid, const char *store, TimestampTz moment, bool ahead, Oid function,
		  PartitionRange *range)
{
	Relation	snapshots = try_table_open(relid, AccessShareLock);
	Partition	partition;
	bool		lacks;
	Oid			other;
	Oid			seen = InvalidOid;

	if (snapshots == NULL)
		return false;
	for (;;)
	{
		lacks = is_ours_to_partition(snapshots) &&
			lacks_partition(snapshots, moment, range) &&
			!(ahead && (!is_month(range) || snapshots->rd_refcnt > 1));
		if (!lacks)
			break;
		partition = partition_of(snapshots, range, function);
		if (!may_make_partitions(snapshots))
			partition_missing(snapshots, store, &partition);
		other = get_relname_relid(partition.relname, RelationGetNamespace(snapshots));
		if (!OidIsValid(other))
			break;
		if (other == seen)
			name_taken(snapshots, &partition, other);

		/*
		 * unless it was made and attached since we looked: who has done so
		 * keeps a lock on it until others can learn of that
		 */
		if (!ahead)
			LockRelationOid(other, AccessShareLock);
		else if (!ConditionalLockRelationOid(other, AccessShareLock))
		{
			lacks = false;
			break;
		}
		UnlockRelationOid(other, AccessShareLock);
		AcceptInvalidationMessages();
		seen = other;
	}
	table_close(snapshots, AccessShareLock);
	return lacks;
}

static void
make_missing(Oid relid, const char *store, TimestampTz moment, bool ahead, Oid function)
{
	PartitionRange range;

	if (!must_make(relid, store, moment, ahead, function, &range))
		return;

	/*
	 * Who holds the lock is making the next month's; nobody needs to wait for
	 * that
	 */
	if (!ahead)
		LockRelationOid(relid, ShareUpdateExclusiveLock);
	else if (!ConditionalLockRelationOid(relid, ShareUpdateExclusiveLock))
		return;
	if (must_make(relid, store, moment, ahead, function, &range))
		make_partition(relid, &range, function);
}

/*
 * Raises 42501 where no partition holds that moment and the user can't make
 * one, 42P07 where something else has its name; makes nothing and takes no
 * lasting lock.
 */
void
kis_snapshot_check(Oid snapshots, const char *store, TimestampTz moment, Oid function)
{
	PartitionRange range;

	(void) must_make(snapshots, store, moment, false, function, &range);
}

/* Makes a partition for the moment where there is none: its month, or what of it is free. */
void
kis_snapshot_make_partition(Oid snapshots, const char *store, TimestampTz moment, Oid function)
{
	make_missing(snapshots, store, moment, false, function);
}

/* Is the moment's partition one of our months, and the next month without one? */
static bool
lacks_next(Oid relid, TimestampTz moment)
{
	Relation	snapshots = try_table_open(relid, AccessShareLock);
	PartitionRange range;
	bool		lacks;

	if (snapshots == NULL)
		return false;
	lacks = is_ours_to_partition(snapshots) &&
		!lacks_partition(snapshots, moment, &range) && is_month(&range) &&
		lacks_partition(snapshots, range.to, &range) && is_month(&range);
	table_close(snapshots, AccessShareLock);
	return lacks;
}

/*
 * Makes the next month's, where the table is cut by months as we do it,
 * and as far as it goes without waiting. Where it fails that is a WARNING,
 * unless it was cancelled. Inside SPI.
 */
void
kis_snapshot_make_next(Oid snapshots, const char *store, Oid function)
{
	TimestampTz now = GetCurrentTimestamp();
	Month		next = month_of(now) + 1;

	if (!lacks_next(snapshots, now))
		return;
	kis_store_call(function, "kis_try", 3,
				   TEXTOID, CStringGetTextDatum(psprintf("SELECT %s.kis_make_partition_ahead(%u::pg_catalog.oid, %s::pg_catalog.text)",
														 quote_identifier(get_namespace_name(get_func_namespace(function))),
														 snapshots, quote_literal_cstr(store))),
				   TEXTOID, CStringGetTextDatum(psprintf(_("could not make the partition of table \"%s\" for %04d-%02d"),
														 get_rel_name(snapshots), next / 12, next % 12 + 1)),
				   TEXTOID, CStringGetTextDatum(_("Nothing is lost so far, but that month's snapshots need it.")));
}

PG_FUNCTION_INFO_V1(kis_make_partition_ahead);

/*
 * kis_make_partition_ahead(snapshots oid, store text): what
 * kis_snapshot_make_next tries. Raises 42501 where the caller has no rights to
 * the table, or none to make it.
 */
Datum
kis_make_partition_ahead(PG_FUNCTION_ARGS)
{
	Oid			snapshots = PG_GETARG_OID(0);

	kis_store_require_rights(snapshots, ACL_INSERT);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	make_missing(snapshots, text_to_cstring(PG_GETARG_TEXT_PP(1)),
				 month_start(month_of(GetCurrentTimestamp()) + 1), true, fcinfo->flinfo->fn_oid);
	SPI_finish();
	PG_RETURN_VOID();
}

/* The snapshot beside a target's, within $7 and $8, as of rows' "direction". */
static char *
beside_query(const KisStoreTable *snapshots, const char *figures, const char *op,
			 const char *direction)
{
	return psprintf("LEFT JOIN LATERAL (SELECT s.collected_at, ARRAY[%s]::pg_catalog.int8[] AS f FROM %s AS s "
					"WHERE " KIS_SAME_PAIR " AND s.collected_at OPERATOR(pg_catalog.%s) t.collected_at "
					"AND s.collected_at OPERATOR(pg_catalog.>=) $7 AND s.collected_at OPERATOR(pg_catalog.<) $8 "
					"ORDER BY s.collected_at %s LIMIT 1)",
					figures, snapshots->name, op, direction);
}

/*
 * The statement that appends replies unless the snapshot before each, or one
 * after it, says the same. It looks for these in this month and the ones beside
 * it alone, from $7 to $8: so it costs the same however many months there are.
 *
 * Answers may be written in another order than they came in. An answer of
 * "again", later than this one, may have been left out as it said what the
 * snapshot before says: where this one comes in between, that one is no
 * repetition any more and is appended with it, without the index of its moment,
 * which nobody has any more.
 */
static char *
append_statement(const KisStoreTable *snapshots, bool with_index)
{
	/* the columns' list begins with its separator */
	const char *figures = kis_rows_columns(snapshots, ", ", "s.", false) + 2;

	return psprintf("INSERT INTO %s (market_code, sector_code, collected_at, trade_date%s%s) "
					"SELECT t.market_code, t.sector_code, r.collected_at, t.trade_date%s%s FROM %s "
					"%s AS b ON true %s AS a ON true "
					"CROSS JOIN LATERAL (VALUES (t.collected_at, t.f), "
					"(CASE WHEN b.collected_at IS NOT NULL AND (a.collected_at OPERATOR(pg_catalog.<=) t.again) IS NOT TRUE "
					"AND (a.f OPERATOR(pg_catalog.=) b.f) IS NOT TRUE THEN t.again END, b.f)) AS r(collected_at, f) "
					"WHERE (b.f OPERATOR(pg_catalog.=) t.f) IS NOT TRUE AND (a.f OPERATOR(pg_catalog.=) t.f) IS NOT TRUE "
					"AND r.collected_at IS NOT NULL ORDER BY t.n "
					"ON CONFLICT (market_code, sector_code, collected_at) DO NOTHING",
					snapshots->name, kis_rows_columns(snapshots, ", ", "", false), with_index ? ", index_level" : "",
					kis_rows_columns(snapshots, ", ", "r.f", true),
					with_index ? ", CASE WHEN r.collected_at OPERATOR(pg_catalog.=) t.collected_at "
					"THEN ($9)[t.n::pg_catalog.int4]::pg_catalog.numeric END" : "",
					snapshots->is_distributed ? KIS_ONE_TARGET : KIS_TARGETS,
					beside_query(snapshots, figures, "<", "DESC"),
					beside_query(snapshots, figures, ">", "ASC"));
}

/*
 * Appends answers to the snapshots unless one equals the one before or after
 * it, with the index where the snapshots keep that. To be called inside SPI.
 */
void
kis_snapshot_append(const KisStoreTable *snapshots, KisTarget **targets, int ntargets, bool with_index)
{
	Month		first = INT_MAX;
	Month		last = 0;
	TimestampTz now = GetCurrentTimestamp();
	int			step = snapshots->is_distributed ? 1 : ntargets;

	if (ntargets == 0)
		return;
	for (int i = 0; i < ntargets; i++)
	{
		KisTarget  *target = targets[i];
		Month		month = month_of(target->collected_at);

		first = Min(first, month);
		last = Max(last, month);

		/*
		 * a row's time may be one that the user has set: it must have a
		 * partition
		 */
		if (target->stored_at <= target->collected_at || target->stored_at > now ||
			target->stored_at >= month_start(month + 1))
			target->stored_at = 0;
	}
	/* what others have committed counts in every isolation level */
	for (int i = 0; i < ntargets; i += step)
		kis_rows_execute(append_statement(snapshots, with_index && snapshots->has_index_level),
						 snapshots, targets + i, step,
						 month_start(first - 1), month_start(last + 2), GetLatestSnapshot());
}
