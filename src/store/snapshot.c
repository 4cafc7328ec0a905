/*
 * snapshot.c
 *		Snapshots of replies, and the partitions that hold them.
 *
 * Partitions are months in Seoul, made beside the parent by LIKE and then
 * attached, with a CHECK constraint in place so that attaching scans nothing:
 * the parent takes SHARE UPDATE EXCLUSIVE alone, which neither readers nor
 * other collectors' INSERTs wait for. That lock also makes one session at a
 * time look and make, so that none ever meets a partition half made.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "compat.h"
#include "error.h"
#include "store.h"

/* A trading day is at most so many days before the day of collecting: trading_day.c */
#define LONGEST_CLOSURE 30

/* Months since the year 0. */
typedef int Month;

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

/* A month's start as a literal that no session's DateStyle or TimeZone changes. */
static char *
month_literal(Month month)
{
	return psprintf("'%04d-%02d-01 00:00:00+09'", month / 12, month % 12 + 1);
}

/* A day that is so many days after a month's start, as such a literal. */
static char *
day_literal(Month month, int days)
{
	int			year;
	int			month_of_year;
	int			mday;

	j2date(date2j(month / 12, month % 12 + 1, 1) + days, &year, &month_of_year, &mday);
	return psprintf("'%04d-%02d-%02d'", year, month_of_year, mday);
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
		key->parttypid[0] == TIMESTAMPTZOID &&
		key->partattrs[0] == get_attnum(RelationGetRelid(snapshots), "collected_at");
}

static bool
has_partition(Relation snapshots, TimestampTz moment)
{
	PartitionKey key = RelationGetPartitionKey(snapshots);
	PartitionDesc desc = RelationGetPartitionDesc(snapshots, true);
	PartitionBoundInfo bounds = desc->boundinfo;
	Datum		value = TimestampTzGetDatum(moment);
	bool		is_equal;
	int			offset;

	if (bounds == NULL)
		return false;
	if (partition_bound_has_default(bounds))
		return true;
	offset = partition_range_datum_bsearch(key->partsupfunc, key->partcollation,
										   bounds, 1, &value, &is_equal);
	return bounds->indexes[offset + 1] >= 0;
}

/* Partitions belong to the table's owner, whose rights its members have. */
static bool
may_make_partitions(Relation snapshots)
{
	Oid			owner = snapshots->rd_rel->relowner;

	return has_privs_of_role(GetUserId(), owner) &&
		kis_namespace_aclcheck(RelationGetNamespace(snapshots), owner, ACL_CREATE) == ACLCHECK_OK;
}

static void
partition_missing(Relation snapshots, const char *store, Month month)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table \"%s\" has no partition for %04d-%02d",
					RelationGetRelationName(snapshots), month / 12, month % 12 + 1),
			 errdetail("Only its owner, \"%s\", with the right to create in its schema can make one.",
					   GetUserNameFromId(snapshots->rd_rel->relowner, false)),
			 errhint("Have that role run SELECT create_market_investor_trend(%s).",
					 quote_literal_cstr(store))));
}

static char *
partition_name(Relation snapshots, Month month)
{
	return kis_derived_name(RelationGetRelationName(snapshots),
							psprintf("y%04dm%02d", month / 12, month % 12 + 1));
}

static char *
attach_command(Relation snapshots, Month month)
{
	char	   *schema = get_namespace_name(RelationGetNamespace(snapshots));

	return psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)",
					quote_qualified_identifier(schema, RelationGetRelationName(snapshots)),
					quote_qualified_identifier(schema, partition_name(snapshots, month)),
					month_literal(month), month_literal(month + 1));
}

static Oid
relation_of_name(Relation snapshots, Month month)
{
	return get_relname_relid(partition_name(snapshots, month), RelationGetNamespace(snapshots));
}

/* Something else has the partition's name: most likely it was detached. */
static void
name_taken(Relation snapshots, Month month, Oid other)
{
	bool		is_table = get_rel_relkind(other) == RELKIND_RELATION && !get_rel_relispartition(other);

	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("relation \"%s\" already exists, but is no partition of table \"%s\" for %04d-%02d",
					partition_name(snapshots, month), RelationGetRelationName(snapshots),
					month / 12, month % 12 + 1),
			 is_table ?
			 errhint("Attach it with %s, or rename it; or drop it, if nobody needs its rows.",
					 attach_command(snapshots, month)) :
			 errhint("Rename it, or drop it if nobody needs it.")));
}

/*
 * The commands that make a month's partition. What stays is a CHECK constraint
 * on trade_date, by which the planner leaves partitions out.
 */
static List *
partition_commands(Relation snapshots, Month month)
{
	char	   *schema = get_namespace_name(RelationGetNamespace(snapshots));
	char	   *parent = quote_qualified_identifier(schema, RelationGetRelationName(snapshots));
	char	   *partition = quote_qualified_identifier(schema, partition_name(snapshots, month));
	char	   *from = month_literal(month);
	char	   *to = month_literal(month + 1);
	int			year = month / 12;
	int			month_of_year = month % 12 + 1;
	char	   *comment = psprintf("%04d년 %d월의 스냅샷 / Snapshots of %04d-%02d",
								   year, month_of_year, year, month_of_year);

	return list_make4(psprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL, CONSTRAINT collected_in_month "
							   "CHECK (collected_at OPERATOR(pg_catalog.>=) %s::pg_catalog.timestamptz "
							   "AND collected_at OPERATOR(pg_catalog.<) %s::pg_catalog.timestamptz), "
							   "CONSTRAINT trade_date_near_month "
							   "CHECK (trade_date OPERATOR(pg_catalog.>=) %s::pg_catalog.date "
							   "AND trade_date OPERATOR(pg_catalog.<) %s::pg_catalog.date))",
							   partition, parent, from, to,
							   day_literal(month, -LONGEST_CLOSURE), day_literal(month + 1, 0)),
					  attach_command(snapshots, month),
					  psprintf("ALTER TABLE %s DROP CONSTRAINT collected_in_month", partition),
					  psprintf("COMMENT ON TABLE %s IS %s", partition,
							   quote_literal_cstr(kis_to_server_lossy(comment))));
}

/* As the table's owner, so that whoever comes first makes the same partition. */
static void
make_partition(Oid relid, Month month)
{
	Relation	snapshots = table_open(relid, NoLock);
	Oid			owner = snapshots->rd_rel->relowner;
	List	   *commands = partition_commands(snapshots, month);
	ListCell   *lc;
	Oid			save_userid;
	int			save_sec_context;

	/* DDL refuses a table that is open */
	table_close(snapshots, NoLock);

	GetUserIdAndSecContext(&save_userid, &save_sec_context);
	/* code of the owner's must leave nothing behind for a caller who may do more */
	if (owner != save_userid)
		SetUserIdAndSecContext(owner, save_sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	foreach(lc, commands)
		kis_store_run(lfirst(lc));
	SetUserIdAndSecContext(save_userid, save_sec_context);
}

static bool
lacks_partition(Relation snapshots, Month month)
{
	return is_ours_to_partition(snapshots) && !has_partition(snapshots, month_start(month));
}

/* The month's partition is to be made: raises where it can't be. A table that is gone needs none. */
static bool
must_make(Oid relid, const char *store, Month month)
{
	Relation	snapshots = try_table_open(relid, AccessShareLock);
	bool		lacks;
	Oid			other;

	if (snapshots == NULL)
		return false;
	lacks = lacks_partition(snapshots, month);
	if (lacks && !may_make_partitions(snapshots))
		partition_missing(snapshots, store, month);
	other = lacks ? relation_of_name(snapshots, month) : InvalidOid;
	while (OidIsValid(other))
	{
		Oid			seen = other;

		/*
		 * unless it was made and attached since we looked: who has done so
		 * keeps a lock on it until others can learn of that
		 */
		LockRelationOid(seen, AccessShareLock);
		UnlockRelationOid(seen, AccessShareLock);
		AcceptInvalidationMessages();
		lacks = lacks_partition(snapshots, month);
		other = lacks ? relation_of_name(snapshots, month) : InvalidOid;
		if (other == seen)
			name_taken(snapshots, month, other);
	}
	table_close(snapshots, AccessShareLock);
	return lacks;
}

/* The month's partition is missing, and nothing is in the way of making it, not even a cursor. */
static bool
can_make(Oid relid, Month month)
{
	Relation	snapshots = table_open(relid, AccessShareLock);
	bool		can = lacks_partition(snapshots, month) &&
		snapshots->rd_refcnt == 1 &&
		may_make_partitions(snapshots) &&
		!OidIsValid(relation_of_name(snapshots, month));

	table_close(snapshots, AccessShareLock);
	return can;
}

void
kis_snapshot_check(Oid snapshots, const char *store, TimestampTz moment)
{
	(void) must_make(snapshots, store, month_of(moment));
}

void
kis_snapshot_make_partitions(Oid snapshots, const char *store, TimestampTz moment)
{
	Month		month = month_of(moment);

	if (must_make(snapshots, store, month))
	{
		LockRelationOid(snapshots, ShareUpdateExclusiveLock);
		if (must_make(snapshots, store, month))
			make_partition(snapshots, month);
	}

	/* Who holds the lock is making the next month's; nobody needs to wait for that */
	if (can_make(snapshots, month + 1) &&
		ConditionalLockRelationOid(snapshots, ShareUpdateExclusiveLock) &&
		can_make(snapshots, month + 1))
		make_partition(snapshots, month + 1);
}

/*
 * The statement that appends a reply unless the pair's last one had the same
 * figures. It looks for that in this month and the one before alone: so it
 * costs the same however many months there are.
 */
static char *
append_statement(const KisStoreTable *snapshots, Month month)
{
	StringInfoData columns;
	StringInfoData values;
	StringInfoData last;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&last);
	for (int i = 0; i < snapshots->nfigures; i++)
	{
		appendStringInfo(&columns, ", %s", snapshots->columns[i]);
		appendStringInfo(&values, ", $5[%d]", i + 1);
		appendStringInfo(&last, "%sl.%s", i > 0 ? ", " : "", snapshots->columns[i]);
	}
	return psprintf("INSERT INTO %s (market_code, sector_code, collected_at, trade_date%s) "
					"SELECT $1, $2, $3, $4%s WHERE (SELECT ARRAY[%s]::pg_catalog.int8[] FROM %s AS l "
					"WHERE l.market_code OPERATOR(pg_catalog.=) $1 "
					"AND l.sector_code OPERATOR(pg_catalog.=) $2 "
					"AND l.collected_at OPERATOR(pg_catalog.<) $3 "
					"AND l.collected_at OPERATOR(pg_catalog.>=) %s::pg_catalog.timestamptz "
					"ORDER BY l.collected_at DESC LIMIT 1) "
					"OPERATOR(pg_catalog.=) $5 IS NOT TRUE "
					"ON CONFLICT (market_code, sector_code, collected_at) DO NOTHING",
					snapshots->name, columns.data, values.data, last.data, snapshots->name,
					month_literal(month - 1));
}

void
kis_snapshot_append(KisStoreTable *snapshots, const KisTarget *target)
{
	Oid			types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, DATEOID, INT8ARRAYOID};
	Datum		values[lengthof(types)];
	Month		month = month_of(target->collected_at);
	int			result;

	if (snapshots->append == NULL || snapshots->append_month != month)
	{
		snapshots->append = SPI_prepare(append_statement(snapshots, month), lengthof(types), types);
		snapshots->append_month = month;
		if (snapshots->append == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	}

	values[0] = CStringGetTextDatum(target->pair.market);
	values[1] = CStringGetTextDatum(target->pair.sector);
	values[2] = TimestampTzGetDatum(target->collected_at);
	values[3] = DateADTGetDatum(target->trade_date);
	values[4] = kis_store_figures(snapshots, target->figures, target->nulls);
	result = SPI_execute_plan(snapshots->append, values, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}
