/*
 * comment.c
 *		Korean and English comments on foreign tables and their columns, which
 *		IMPORT FOREIGN SCHEMA itself can't make.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "common/string.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/tables.h"
#include "compat.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/comment.h"

PG_FUNCTION_INFO_V1(kis_comment_foreign_tables);

/* A comment in UTF-8. */
typedef struct Comment
{
	const char *ko;
	const char *en;
} Comment;

/* What columns hold that are no members. */
static const struct
{
	KisSource	source;
	Comment		comment;
}			source_comments[] = {
	{KIS_SOURCE_MARKET, {"시장 코드", "Market code, as in kis_sector"}},
	{KIS_SOURCE_SECTOR, {"업종 코드", "Sector code, as in kis_sector"}},
	{KIS_SOURCE_INVESTOR, {"투자자 코드", "Investor, as in kis_investor_type"}},
	{KIS_SOURCE_COLLECTED_AT, {"수집 시각", "When KIS's reply arrived"}},
	{KIS_SOURCE_TRADE_DATE, {"거래일(서울)", "Trading day in Seoul that the figures belong to"}},
	{KIS_SOURCE_OBJECT, {"KIS 응답의 output 객체 전체", "The whole member object of KIS's answer"}},
	{KIS_SOURCE_REPLY, {"KIS 응답 전체", "The whole reply of KIS"}},
};

/*
 * The units of the pairs that the call serves, such as "천주" and "thousand shares",
 * or "천주/계약" where not all have the same. Sets varies where the unit is one of
 * several, or not known of some.
 */
static Comment
units_of(const KisCall *call, bool is_amount, bool *varies)
{
	const char *seen[8];
	int			nseen = 0;
	Comment		units = {"", ""};

	*varies = false;
	for (int i = 0; i < kis_pair_count; i++)
	{
		const char *unit = is_amount ? kis_pairs[i].amount_unit : kis_pairs[i].quantity_unit;
		int			at = 0;

		if (!kis_call_serves(call, kis_pairs[i].market))
			continue;
		while (at < nseen && strcmp(seen[at], unit) != 0)
			at++;
		if (at < nseen)
			continue;
		Assert(nseen < (int) lengthof(seen));
		*varies = nseen > 0;
		seen[nseen++] = unit;
		if (unit[0] == '\0')
			continue;
		units.ko = psprintf("%s%s%s", units.ko, units.ko[0] != '\0' ? "/" : "", kis_unit_ko(unit));
		units.en = psprintf("%s%s%s", units.en, units.en[0] != '\0' ? " or " : "", unit);
	}
	return units;
}

/* What is measured, behind its unit; prefix_en says of whom. */
static Comment
figure_comment(const KisCall *call, bool is_amount, const char *name_ko, const char *prefix_en, const char *name_en)
{
	const char *column = is_amount ? "amount_unit" : "quantity_unit";
	bool		varies;
	Comment		units = units_of(call, is_amount, &varies);
	Comment		comment;

	comment.ko = psprintf("%s · %s", units.ko, name_ko);
	comment.en = psprintf("%c%s · %s%s", toupper((unsigned char) units.en[0]), units.en + 1, prefix_en, name_en);
	if (varies)
	{
		comment.ko = psprintf("%s (단위는 kis_sector.%s, NULL이면 미확인)", comment.ko, column);
		comment.en = psprintf("%s; unit in kis_sector.%s, NULL where not known", comment.en, column);
	}
	return comment;
}

static Comment
member_comment(const KisCall *call, const KisMember *member)
{
	const char *column = member->column;

	if (member->name_en[0] != '\0')
	{
		if (pg_str_endswith(column, "_qty") || pg_str_endswith(column, "_amount"))
			return figure_comment(call, pg_str_endswith(column, "_amount"), member->name_ko, "", member->name_en);
		return (Comment) {member->name_ko, member->name_en};
	}

	for (int i = 0; i < kis_investor_count; i++)
		for (int j = 0; j < kis_measure_count; j++)
			if (strcmp(column, psprintf("%s_%s", kis_investors[i].code, kis_measures[j].name)) == 0)
				return figure_comment(call, kis_measures[j].is_amount, member->name_ko,
									  psprintf("%s: ", kis_investors[i].name_en),
									  kis_measures[j].name_en);
	return (Comment) {member->name_ko, member->name_ko};
}

/* The comment of a column. */
static Comment
column_comment(const KisTable *table, const KisColumn *column)
{
	if (column->source == KIS_SOURCE_FIGURE)
	{
		const KisMeasure *measure = &kis_measures[column->member];

		return figure_comment(table->call, measure->is_amount, measure->name_ko, "", measure->name_en);
	}
	if (column->member >= 0)
		return member_comment(table->call, &table->call->members[column->member]);
	if (column->source == KIS_SOURCE_EXTRA_MEMBER)
		return (Comment) {psprintf("KIS 응답 항목 %s", column->name),
			psprintf("Member %s of KIS's answer", column->name)};

	for (int i = 0; i < (int) lengthof(source_comments); i++)
		if (source_comments[i].source == column->source)
			return source_comments[i].comment;
	elog(ERROR, "no comment for source %d", (int) column->source);
}

/* language is "ko" or "en", or "both". */
static const char *
in_language(Comment comment, const char *language)
{
	return strcmp(language, "ko") == 0 ? comment.ko : strcmp(language, "en") == 0 ? comment.en :
		psprintf("%s / %s", comment.ko, comment.en);
}

/* A member of the trend call in both languages, with its unit; palloc'd, UTF-8. */
const char *
kis_member_comment(const KisMember *member)
{
	return in_language(member_comment(&kis_call_trend, member), "both");
}

/* Puts a comment on a table, or on a column of it. */
static void
comment_on(Oid relid, AttrNumber attnum, Comment comment, const char *language)
{
	CreateComments(relid, RelationRelationId, attnum, kis_to_server_lossy(in_language(comment, language)));
}

/* Returns whether it did: it may be no foreign table, or have been dropped meanwhile. */
static bool
comment_table(Oid relid, const char *language)
{
	const KisTable *table;
	Relation	rel;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	/* before waiting for whoever has locked it */
	if (!kis_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, get_rel_name(relid));
	/* as COMMENT locks it, until the end of the transaction */
	rel = try_relation_open(relid, ShareUpdateExclusiveLock);
	if (rel == NULL)
		return false;

	table = kis_table_of_relation(relid, NULL);
	comment_on(relid, 0, (Comment) {table->comment_ko, table->comment_en}, language);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);
		KisColumn	column;

		if (!att->attisdropped &&
			kis_column_lookup(table, relid, att->attnum, NameStr(att->attname), &column))
			comment_on(relid, att->attnum, column_comment(table, &column), language);
	}
	relation_close(rel, NoLock);
	return true;
}

/*
 * kis_comment_foreign_tables(foreign_tables oid[], language text): puts comments on
 * foreign tables of KIS and on their columns, in place of those that are there, and
 * returns on how many. The caller must own them.
 */
Datum
kis_comment_foreign_tables(PG_FUNCTION_ARGS)
{
	const char *language = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum	   *relids;
	int			nrelids;
	int			count = 0;

	if (strcmp(language, "ko") != 0 && strcmp(language, "en") != 0 && strcmp(language, "both") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"%s\": \"%s\"", "language", kis_shown(language)),
				 errhint("It is \"ko\" for comments in Korean, \"en\" for English, or \"both\".")));
	PreventCommandIfReadOnly("COMMENT");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), OIDOID, sizeof(Oid), true, TYPALIGN_INT,
					  &relids, NULL, &nrelids);
	for (int i = 0; i < nrelids; i++)
		count += comment_table(DatumGetObjectId(relids[i]), language);
	PG_RETURN_INT32(count);
}
