/*
 * comment.c
 *		Korean and English comments on foreign tables and their columns, which
 *		IMPORT FOREIGN SCHEMA itself can't make.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "common/string.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "common/error.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/comment.h"

PG_FUNCTION_INFO_V1(kis_comment_table);

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

/* Korean and English, with the unit where it has one; palloc'd, UTF-8. */
char *
kis_member_comment(const KisMember *member)
{
	const char *column = member->column;

	if (member->name_en[0] != '\0')
	{
		if (pg_str_endswith(column, "_qty") || pg_str_endswith(column, "_amount"))
			return figure_comment(pg_str_endswith(column, "_amount"), member->name_ko, "", member->name_en);
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
	{
		const KisMeasure *measure = &kis_measures[column->member];

		return figure_comment(measure->is_amount, measure->name_ko, "", measure->name_en);
	}
	if (column->member >= 0)
		return kis_member_comment(&table->call->members[column->member]);
	if (column->source == KIS_SOURCE_EXTRA_MEMBER)
		return psprintf("KIS 응답 항목 %s / Member %s of KIS's answer",
						column->name, column->name);

	for (int i = 0; i < (int) lengthof(source_comments); i++)
		if (source_comments[i].source == column->source)
			return pstrdup(source_comments[i].comment);
	elog(ERROR, "no comment for source %d", (int) column->source);
}

/* Puts a comment in UTF-8 on a table, or on a column of it. */
static void
comment_on(Oid relid, AttrNumber attnum, const char *comment)
{
	CreateComments(relid, RelationRelationId, attnum, kis_to_server_lossy(comment));
}

/*
 * kis_comment_table(foreign_table oid): puts comments on a foreign table of KIS
 * and on its columns, in place of those that are there, and returns whether it
 * did: it may be no foreign table, or have been dropped meanwhile. The caller
 * must own it.
 */
Datum
kis_comment_table(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	const KisTable *table;
	Relation	rel;

	PreventCommandIfReadOnly("COMMENT");
	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		PG_RETURN_BOOL(false);
	/* before waiting for whoever has locked it */
	if (!kis_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, get_rel_name(relid));
	/* as COMMENT locks it, until the end of the transaction */
	rel = try_relation_open(relid, ShareUpdateExclusiveLock);
	if (rel == NULL)
		PG_RETURN_BOOL(false);

	table = kis_table_of_relation(relid, NULL);
	comment_on(relid, 0, psprintf("%s / %s", table->comment_ko, table->comment_en));
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		KisColumn	column;

		if (!att->attisdropped &&
			kis_column_lookup(table, relid, att->attnum, NameStr(att->attname), &column))
			comment_on(relid, att->attnum, column_comment(table, &column));
	}
	relation_close(rel, NoLock);
	PG_RETURN_BOOL(true);
}
