/*
 * table.c
 *		Tables of figures as they are: the store and its snapshots, made by us
 *		or by the user.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "port/pg_crc32c.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

#include "common/messages.h"
#include "kis/catalog.h"
#include "store/table.h"

/* A column that a table of figures must have, and the types that serve. */
typedef struct NeededColumn
{
	const char *name;
	const char *types;			/* for the hint */
	Oid			type[3];
	bool		in_key;
} NeededColumn;

#define CODE_TYPES	"text or varchar", {TEXTOID, VARCHAROID, InvalidOid}

static const NeededColumn store_columns[] = {
	{"market_code", CODE_TYPES, true},
	{"sector_code", CODE_TYPES, true},
	{"trade_date", "date", {DATEOID}, true},
	{"collected_at", "timestamptz", {TIMESTAMPTZOID}, false},
	{NULL}
};

static const NeededColumn snapshot_columns[] = {
	{"market_code", CODE_TYPES, true},
	{"sector_code", CODE_TYPES, true},
	{"collected_at", "timestamptz", {TIMESTAMPTZOID}, true},
	{"trade_date", "date", {DATEOID}, false},
	{NULL}
};

static const NeededColumn collection_columns[] = {
	{"asked_at", "timestamptz", {TIMESTAMPTZOID}, false},
	{"market_code", CODE_TYPES, false},
	{"sector_code", CODE_TYPES, false},
	{"trade_date", "date", {DATEOID}, false},
	{"outcome", CODE_TYPES, false},
	{"detail", CODE_TYPES, false},
	{"took_ms", "integer", {INT4OID}, false},
	{NULL}
};

/* The name of a store, from the text that a user gave. */
RangeVar *
kis_store_name(const text *name)
{
	RangeVar   *range = makeRangeVarFromNameList(textToQualifiedNameList(unconstify(text *, name)));

	if (range->relname[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of a store must not be empty")));
	return range;
}

/*
 * The name of what belongs to a table: its own and a label. Of a long one as
 * much as fits, and a digest of it all, so that no two tables share it.
 */
char *
kis_derived_name(const char *table, const char *label)
{
	int			length = strlen(table);
	int			room = NAMEDATALEN - 1 - (int) strlen(label) - 1;
	pg_crc32c	digest;

	if (length <= room)
		return psprintf("%s_%s", table, label);
	INIT_CRC32C(digest);
	COMP_CRC32C(digest, table, length);
	FIN_CRC32C(digest);
	return psprintf("%.*s_%08x_%s",
					pg_mbcliplen(table, length, room - (int) strlen("_01234567")), table,
					digest, label);
}

static void
not_a_store(const char *relname, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
			 errmsg("relation \"%s\" cannot hold investor flows", relname),
			 errdetail_internal("%s", detail),
			 errhint("%s Or name another table.", hint)));
}

static void
require_right(Oid relid, const char *relname, char relkind, AclMode right)
{
	AclResult	result = pg_class_aclcheck(relid, GetUserId(), right);

	if (result != ACLCHECK_OK)
		result = pg_attribute_aclcheck_all(relid, GetUserId(), right, ACLMASK_ANY);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(relkind), relname);
}

/*
 * Before a relation is locked or looked at: raises 42501 where the user lacks
 * one of the rights on every column, too, and 42P16 where it is no table.
 */
void
kis_store_require_rights(Oid relid, AclMode rights)
{
	char		relkind = get_rel_relkind(relid);
	const char *relname = get_rel_name(relid);
	bool		is_table = relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE;

	if (relname == NULL)
		return;					/* dropped since it was found */
	if (is_table || relkind == RELKIND_FOREIGN_TABLE || relkind == RELKIND_VIEW ||
		relkind == RELKIND_MATVIEW)
		for (AclMode right = 1; right != 0 && right <= rights; right <<= 1)
			if ((rights & right) != 0)
				require_right(relid, relname, relkind, right);
	if (relkind == RELKIND_FOREIGN_TABLE)
		not_a_store(relname, _("It is a foreign table."),
					_("A store is an ordinary table: give no name to have market_investor_trend."));
	if (!is_table)
		not_a_store(relname, _("It is not a table."), _("Move it out of the way."));
}

/* The number of a needed column; raises where it is absent or of another type. */
static AttrNumber
find_column(Relation rel, const NeededColumn *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column->name);
	Form_pg_attribute att;
	Oid			type;

	if (attnum == InvalidAttrNumber)
		not_a_store(RelationGetRelationName(rel), psprintf(_("It has no column \"%s\"."), column->name),
					psprintf(_("Add it, of type %s."), column->types));
	att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	if (att->attgenerated != '\0')
		not_a_store(RelationGetRelationName(rel), psprintf(_("Its column \"%s\" is generated."), column->name),
					_("It must be one that can be written."));
	type = getBaseType(att->atttypid);
	for (int i = 0; i < (int) lengthof(column->type); i++)
		if (column->type[i] == type && OidIsValid(type))
			return attnum;
	not_a_store(RelationGetRelationName(rel), psprintf(_("Its column \"%s\" is of type %s."),
													   column->name, format_type_be(type)),
				psprintf(_("It must be %s."), column->types));
	return InvalidAttrNumber;	/* keep compiler quiet */
}

/* Is this a unique index that ON CONFLICT can infer from just these columns? */
static bool
is_key(Form_pg_index index, bool plain, const Bitmapset *key)
{
	Bitmapset  *columns = NULL;

	if (!index->indisunique || !index->indisvalid || !index->indimmediate || !plain)
		return false;
	for (int i = 0; i < index->indnkeyatts; i++)
		columns = bms_add_member(columns, index->indkey.values[i]);
	return bms_equal(columns, key);
}

static void
require_key(Relation rel, const Bitmapset *key, const char *columns)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;
	bool		found = false;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		/*
		 * by the catalog's tuple: to read expressions is to run functions of
		 * the table's owner
		 */
		found = found || is_key(index->rd_index,
								heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
								heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL), key);
		index_close(index, AccessShareLock);
	}
	if (!found)
		not_a_store(RelationGetRelationName(rel), psprintf(_("It has no unique constraint on (%s)."), columns),
					psprintf(_("Add it with ALTER TABLE ... ADD UNIQUE (%s)."), columns));
}

/* Collects the figure columns, by our names or KIS's. */
static void
find_figures(Relation rel, KisStoreTable *table)
{
	TupleDesc	desc = RelationGetDescr(rel);

	table->members = palloc(desc->natts * sizeof(int));
	table->columns = palloc(desc->natts * sizeof(char *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Oid			type;
		int			member;

		if (att->attisdropped || att->attgenerated != '\0' ||
			att->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
			continue;
		if (strcmp(NameStr(att->attname), "source") == 0)
			table->has_source = true;
		if (strcmp(NameStr(att->attname), "updated_at") == 0)
			table->has_updated_at = true;
		if (strcmp(NameStr(att->attname), "index_level") == 0 && getBaseType(att->atttypid) == NUMERICOID)
			table->has_index_level = true;
		member = kis_call_member_find(&kis_call_trend, NameStr(att->attname));
		if (member < 0)
			continue;
		type = getBaseType(att->atttypid);
		if (type != INT8OID && type != NUMERICOID)
			not_a_store(RelationGetRelationName(rel), psprintf(_("Its column \"%s\" is of type %s."),
															   NameStr(att->attname), format_type_be(type)),
						_("A figure must be bigint or numeric."));
		table->members[table->nfigures] = member;
		table->columns[table->nfigures++] = pstrdup(quote_identifier(NameStr(att->attname)));
	}
	if (table->nfigures == 0)
		not_a_store(RelationGetRelationName(rel), _("It has none of the figures' columns."),
					_("Add columns such as foreign_net_qty, of type bigint."));
}

/* A rule could take a statement of ours away, so that nothing tells that it wrote nothing. */
static void
refuse_rules(Relation rel)
{
	for (int i = 0; rel->rd_rules != NULL && i < rel->rd_rules->numLocks; i++)
		if (rel->rd_rules->rules[i]->event == CMD_INSERT || rel->rd_rules->rules[i]->event == CMD_UPDATE)
			not_a_store(RelationGetRelationName(rel), _("It has a rule on INSERT or UPDATE."),
						_("Drop that, and have a trigger do the same."));
}

static KisStoreTable *
describe(Relation rel, const NeededColumn *columns, const char *key_columns)
{
	KisStoreTable *table = palloc0(sizeof(KisStoreTable));
	Bitmapset  *key = NULL;

	refuse_rules(rel);
	for (const NeededColumn *column = columns; column->name; column++)
	{
		AttrNumber	attnum = find_column(rel, column);

		if (column->in_key)
			key = bms_add_member(key, attnum);
	}
	if (key_columns != NULL)
	{
		require_key(rel, key, key_columns);
		find_figures(rel, table);
	}

	table->relid = RelationGetRelid(rel);
	table->namespace = RelationGetNamespace(rel);
	table->owner = rel->rd_rel->relowner;
	table->plain_name = pstrdup(RelationGetRelationName(rel));
	table->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											 RelationGetRelationName(rel));
	return table;
}

Oid
kis_citus_catalog(void)
{
	return get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
}

/* Are the table's rows on other servers? Its reference tables, of the method 'n', are on all. */
bool
kis_citus_distributes(Oid relid)
{
	Oid			catalog = kis_citus_catalog();
	Relation	tables;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	bool		distributes;

	if (!OidIsValid(catalog))
		return false;
	tables = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(tables, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	distributes = HeapTupleIsValid(tuple) &&
		DatumGetChar(heap_getattr(tuple, 2, RelationGetDescr(tables), &isnull)) != 'n';
	systable_endscan(scan);
	table_close(tables, AccessShareLock);
	return distributes;
}

/* The table's shape; raises 42P16 where it can't be a store or its snapshots. */
KisStoreTable *
kis_store_describe(Relation store)
{
	return describe(store, store_columns, "market_code, sector_code, trade_date");
}

KisStoreTable *
kis_snapshot_describe(Relation snapshots)
{
	KisStoreTable *table = describe(snapshots, snapshot_columns, "market_code, sector_code, collected_at");

	table->is_distributed = kis_citus_distributes(table->relid);
	return table;
}

/* The same of a store's log of collections, which needs no key and has no figures. */
KisStoreTable *
kis_collection_describe(Relation collection)
{
	return describe(collection, collection_columns, NULL);
}

/*
 * The beginning of each function of the store that writes: raises where an
 * argument is null, on a standby and in a read-only transaction. True: it is
 * part of the caller's transaction, and can't commit.
 */
bool
kis_store_begin(FunctionCallInfo fcinfo, const char *const *names, int nargs, const char *function)
{
	for (int i = 0; i < nargs; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", names[i])));
	PreventCommandDuringRecovery(function);
	PreventCommandIfReadOnly(function);
	return fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic;
}

/*
 * Calls a function of the extension's that is written in SQL, with the caller's
 * rights: that of the name beside "sibling", whatever schema the extension is
 * in. Its nargs arguments follow, each as a type and a Datum. The result is by
 * reference: 0 of NULL.
 */
Datum
kis_store_call(Oid sibling, const char *name, int nargs,...)
{
	List	   *names = list_make2(makeString(get_namespace_name(get_func_namespace(sibling))),
								   makeString(pstrdup(name)));
	Oid			types[FUNC_MAX_ARGS];
	FmgrInfo	flinfo;
	Datum		result;
	va_list		args;

	LOCAL_FCINFO(call, FUNC_MAX_ARGS);

	va_start(args, nargs);
	for (int i = 0; i < nargs; i++)
	{
		types[i] = va_arg(args, Oid);
		call->args[i].value = va_arg(args, Datum);
		call->args[i].isnull = false;
	}
	va_end(args);
	fmgr_info(LookupFuncName(names, nargs, types, false), &flinfo);
	InitFunctionCallInfoData(*call, &flinfo, nargs, InvalidOid, NULL, NULL);
	result = FunctionCallInvoke(call);
	return call->isnull ? (Datum) 0 : result;
}

/* The elements of a text[] that such a function has returned; NIL of NULL. */
List *
kis_store_texts_of(Datum array)
{
	Datum	   *elements;
	int			n = 0;
	List	   *texts = NIL;

	if (array != (Datum) 0)
		deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		texts = lappend(texts, TextDatumGetCString(elements[i]));
	return texts;
}

/* Runs commands of DDL by SPI. */
void
kis_store_run(const List *commands)
{
	ListCell   *lc;

	foreach(lc, commands)
	{
		int			result = SPI_execute(lfirst(lc), false, 0);

		if (result < 0)
			elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	}
}

PG_FUNCTION_INFO_V1(kis_derived_name_sql);

/* kis_derived_name(relation text, label text): kis_derived_name for SQL. */
Datum
kis_derived_name_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(kis_derived_name(text_to_cstring(PG_GETARG_TEXT_PP(0)),
													  text_to_cstring(PG_GETARG_TEXT_PP(1)))));
}
