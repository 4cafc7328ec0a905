/*
 * comment.c
 *		kis_comment_tables: Korean and English comments on the foreign tables
 *		of a schema, which IMPORT FOREIGN SCHEMA itself can't make.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "common/error.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/comment.h"

PG_FUNCTION_INFO_V1(kis_comment_tables);

/* Where the unit of a pair is said: it may be unknown. */
#define QUANTITY_UNIT_KO "단위는 kis_sector.quantity_unit: 천주 또는 계약, NULL이면 미확인"
#define QUANTITY_UNIT_EN "in kis_sector's quantity_unit: thousand shares or contracts, NULL where not known"
#define AMOUNT_UNIT_KO "단위는 kis_sector.amount_unit: 백만원, NULL이면 미확인"
#define AMOUNT_UNIT_EN "in kis_sector's amount_unit: million won, NULL where not known"

/* What the other columns hold. */
static const struct
{
	KisSource	source;
	const char *comment;
}			source_comments[] = {
	{KIS_SOURCE_MARKET, "시장 코드 / Market code, as in kis_sector"},
	{KIS_SOURCE_SECTOR, "업종 코드 / Sector code, as in kis_sector"},
	{KIS_SOURCE_INVESTOR, "투자자 코드 / Investor, as in kis_investor_type"},
	{KIS_SOURCE_COLLECTED_AT, "수집 시각 / When KIS's reply arrived"},
	{KIS_SOURCE_TRADE_DATE, "거래일(서울) / Trading day in Seoul that the figures belong to"},
	{KIS_SOURCE_OBJECT, "KIS 응답의 output 객체 전체 / The whole member object of KIS's answer"},
	{KIS_SOURCE_REPLY, "KIS 응답 전체 / The whole reply of KIS"},
};

/* What is measured and in which unit; prefix_en says of whom. */
static char *
figure_comment(bool is_amount, const char *name_ko, const char *prefix_en, const char *name_en)
{
	return psprintf("%s (%s) / %s%s, %s",
					name_ko, is_amount ? AMOUNT_UNIT_KO : QUANTITY_UNIT_KO,
					prefix_en, name_en, is_amount ? AMOUNT_UNIT_EN : QUANTITY_UNIT_EN);
}

static bool
ends_with(const char *text, const char *end)
{
	size_t		length = strlen(text);

	return length >= strlen(end) && strcmp(text +length - strlen(end), end) == 0;
}

char *
kis_measure_comment(const KisMeasure *measure)
{
	return figure_comment(measure->is_amount, measure->name_ko, "", measure->name_en);
}

/* Korean and English, with the unit where it has one; palloc'd, UTF-8. */
char *
kis_member_comment(const KisMember *member)
{
	const char *column = member->column;

	if (member->name_en[0] != '\0')
	{
		if (ends_with(column, "_qty") || ends_with(column, "_amount"))
			return figure_comment(ends_with(column, "_amount"), member->name_ko, "", member->name_en);
		return psprintf("%s / %s", member->name_ko, member->name_en);
	}

	for (int i = 0; i < kis_investor_count; i++)
	{
		const char *code = kis_investors[i].code;
		size_t		length = strlen(code);

		if (strncmp(column, code, length) != 0 || column[length] != '_')
			continue;
		for (int j = 0; j < kis_measure_count; j++)
			if (strcmp(column + length + 1, kis_measures[j].name) == 0)
				return figure_comment(kis_measures[j].is_amount, member->name_ko,
									  psprintf("%s: ", kis_investors[i].name_en),
									  kis_measures[j].name_en);
	}
	return pstrdup(member->name_ko);
}

/* The comment of a column in UTF-8. */
static char *
column_comment(const KisTable *table, const KisColumn *column)
{
	if (column->source == KIS_SOURCE_FIGURE)
		return kis_measure_comment(&kis_measures[column->member]);
	if (column->member >= 0)
		return kis_member_comment(&table->call->members[column->member]);
	if (column->source == KIS_SOURCE_EXTRA_MEMBER)
		return psprintf("KIS 응답 항목 %s / Member %s of KIS's answer",
						column->field, column->field);

	for (int i = 0; i < (int) lengthof(source_comments); i++)
		if (source_comments[i].source == column->source)
			return pstrdup(source_comments[i].comment);
	return NULL;
}

/* Runs COMMENT ON with the caller's rights; comment is in UTF-8. */
static void
comment_on(const char *object, const char *comment)
{
	char	   *command = psprintf("COMMENT ON %s IS %s", object,
								   quote_literal_cstr(kis_to_server_lossy(comment)));

	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", command);
}

static void
comment_on_table(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	const KisTable *table = kis_table_of_relation(relid, NULL);
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												  RelationGetRelationName(rel));
	TupleDesc	desc = RelationGetDescr(rel);

	comment_on(psprintf("FOREIGN TABLE %s", name),
			   psprintf("%s / %s", table->comment_ko, table->comment_en));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		KisColumn	column;

		if (att->attisdropped ||
			!kis_column_lookup(table, relid, att->attnum, NameStr(att->attname), &column))
			continue;
		comment_on(psprintf("COLUMN %s.%s", name, quote_identifier(NameStr(att->attname))),
				   column_comment(table, &column));
	}
}

/* The foreign tables of a schema whose wrapper belongs to the extension. */
static List *
tables_of_schema(Oid schema, Oid extension)
{
	Relation	catalog = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table form = (Form_pg_foreign_table) GETSTRUCT(tuple);
		ForeignServer *server;
		ForeignDataWrapper *wrapper;

		if (get_rel_namespace(form->ftrelid) != schema)
			continue;
		/* either may be dropped meanwhile, and the table with it */
		server = GetForeignServerExtended(form->ftserver, FSV_MISSING_OK);
		wrapper = server ? GetForeignDataWrapperExtended(server->fdwid, FDW_MISSING_OK) : NULL;
		if (wrapper && getExtensionOfObject(ProcedureRelationId, wrapper->fdwhandler) == extension)
			tables = lappend_oid(tables, form->ftrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}

/*
 * kis_comment_tables(schema name): puts comments on the foreign tables of the
 * schema and on their columns, in place of those that are there, and returns
 * the number of tables. The caller must own them.
 */
Datum
kis_comment_tables(PG_FUNCTION_ARGS)
{
	Oid			schema = get_namespace_oid(NameStr(*PG_GETARG_NAME(0)), false);
	Oid			extension = getExtensionOfObject(ProcedureRelationId,
												 fcinfo->flinfo->fn_oid);
	ListCell   *cell;
	List	   *tables;
	int			ncommented = 0;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	tables = tables_of_schema(schema, extension);
	foreach(cell, tables)
	{
		Oid			relid = lfirst_oid(cell);
		const char *name = get_rel_name(relid);
		Relation	rel;

		/* before waiting for whoever has locked it */
		if (name != NULL && !kis_owns_relation(relid, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, name);
		rel = try_relation_open(relid, AccessShareLock);
		if (rel == NULL)
			continue;			/* dropped meanwhile */
		comment_on_table(rel);
		relation_close(rel, NoLock);
		ncommented++;
	}
	SPI_finish();
	PG_RETURN_INT32(ncommented);
}
