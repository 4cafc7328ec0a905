/*
 * table.c
 *		The foreign tables as data, and what a foreign table's options and
 *		columns make of them.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "utils/lsyscache.h"

#include "fdw.h"

static const KisTable market_trend = {
	.name = "kis_market_trend",
	.call = &kis_call_trend,
	.pairs = KIS_PAIRS_HEADLINE,
	.comment_ko = "시장별 투자자 매매동향(당일 누계): 시장 전체를 대표하는 19개 업종, 한 행이 한 업종",
	.comment_en = "Investor flows of whole markets, totals of the day so far: 19 pairs of market and sector, a row a pair",
};

static const KisTable sector_trend = {
	.name = "kis_sector_trend",
	.call = &kis_call_trend,
	.pairs = KIS_PAIRS_ALL,
	.comment_ko = "업종별 투자자 매매동향(당일 누계): 71개 업종 전부, 한 행이 한 업종",
	.comment_en = "Investor flows of markets and their sectors, totals of the day so far: all 71 pairs, a row a pair",
};

const KisTable *const kis_tables[] = {&market_trend, &sector_trend, NULL};

/* The columns that come from no member. */
static const KisTableColumn key_columns[] = {
	{"market_code", "pg_catalog.text", KIS_SOURCE_MARKET, -1},
	{"sector_code", "pg_catalog.text", KIS_SOURCE_SECTOR, -1},
	{"collected_at", "pg_catalog.timestamptz", KIS_SOURCE_COLLECTED_AT, -1},
	{"trade_date", "pg_catalog.date", KIS_SOURCE_TRADE_DATE, -1},
};

/* The members of each investor that IMPORT makes columns of. */
static const char *const imported_measures[] = {"net_qty", "net_amount"};

const KisTable *
kis_table_find(const char *name)
{
	for (int i = 0; kis_tables[i] != NULL; i++)
		if (strcmp(kis_tables[i]->name, name) == 0)
			return kis_tables[i];
	return NULL;
}

/* The position among a call's members of KIS's name or ours; -1 where it has none. */
static int
member_of_call(const KisCall *call, const char *name)
{
	int			listed = kis_member_find(name);
	const char *field = listed >= 0 ? kis_members[listed].field : name;

	for (int i = 0; i < call->nmembers; i++)
		if (strcmp(call->members[i], field) == 0)
			return i;
	return -1;
}

const char *
kis_table_suggest(const char *name)
{
	const char *names[lengthof(kis_tables)];
	const char *nearest;

	for (int i = 0; i < (int) lengthof(kis_tables); i++)
		names[i] = kis_tables[i] != NULL ? kis_tables[i]->name : NULL;
	nearest = kis_nearest_name(name, names);
	return nearest != NULL ? nearest : names[0];
}

KisTableColumn *
kis_table_columns(const KisTable *table, int *ncolumns)
{
	int			n = lengthof(key_columns);
	KisTableColumn *columns;

	columns = palloc((n + kis_investor_count * lengthof(imported_measures)) *
					 sizeof(KisTableColumn));
	memcpy(columns, key_columns, sizeof(key_columns));

	for (int i = 0; i < kis_investor_count; i++)
	{
		for (int j = 0; j < (int) lengthof(imported_measures); j++)
		{
			char	   *name = psprintf("%s_%s", kis_investors[i].code,
										imported_measures[j]);

			columns[n].name = name;
			columns[n].type = "pg_catalog.int8";
			columns[n].source = KIS_SOURCE_MEMBER;
			columns[n].member = member_of_call(table->call, name);
			Assert(columns[n].member >= 0);
			n++;
		}
	}
	*ncolumns = n;
	return columns;
}

/* Resolves a name that stands for a key, a time or a listed member. */
static bool
resolve_name(const KisTable *table, const char *name, KisColumn *column)
{
	for (int i = 0; i < (int) lengthof(key_columns); i++)
	{
		if (strcmp(key_columns[i].name, name) == 0)
		{
			column->source = key_columns[i].source;
			return true;
		}
	}
	column->member = member_of_call(table->call, name);
	if (column->member < 0)
		return false;
	column->source = KIS_SOURCE_MEMBER;
	return true;
}

bool
kis_column_lookup(const KisTable *table, Oid relid, AttrNumber attnum,
				  const char *attname, KisColumn *column)
{
	char	   *field = kis_column_field(relid, attnum);

	column->member = -1;
	column->field = NULL;
	if (field == NULL)
		return resolve_name(table, attname, column);

	if (strcmp(field, "*") == 0)
		column->source = KIS_SOURCE_OBJECT;
	else if (strcmp(field, "**") == 0)
		column->source = KIS_SOURCE_REPLY;
	else if (!resolve_name(table, field, column))
	{
		column->source = KIS_SOURCE_EXTRA_MEMBER;
		column->field = field;
	}
	return true;
}

/* The column name nearest to one that is none, or NULL. */
static const char *
nearest_column(const char *name)
{
	const char **names;
	int			n = 0;

	names = palloc((lengthof(key_columns) + kis_member_count + 1) * sizeof(char *));
	for (int i = 0; i < (int) lengthof(key_columns); i++)
		names[n++] = key_columns[i].name;
	for (int i = 0; i < kis_member_count; i++)
		names[n++] = kis_members[i].column;
	names[n] = NULL;
	return kis_nearest_name(name, names);
}

KisColumn
kis_column_resolve(const KisTable *table, Oid relid, AttrNumber attnum,
				   const char *attname)
{
	KisColumn	column;
	const char *nearest;

	if (kis_column_lookup(table, relid, attnum, attname, &column))
		return column;

	nearest = nearest_column(attname);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
			 errmsg("column \"%s\" of foreign table \"%s\" stands for nothing in KIS's answer",
					attname, get_rel_name(relid)),
			 nearest != NULL ?
			 errhint("Perhaps you meant \"%s\". A column of another name needs the option \"field\".",
					 nearest) :
			 errhint("Set the column's option \"field\" to a member of KIS's answer, such as 'frgn_ntby_qty'.")));
}

const KisTable *
kis_table_of_relation(Oid relid, KisTableOptions **options)
{
	KisTableOptions *given = kis_table_options(relid);
	const char *relname = get_rel_name(relid);
	const char *name = given->table_name != NULL ? given->table_name : relname;
	const KisTable *table = kis_table_find(name);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("foreign table \"%s\" stands for no table of KIS", relname),
				 errhint("Set the table's option \"table_name\", for example to '%s'.",
						 kis_table_suggest(name))));
	if (options != NULL)
		*options = given;
	return table;
}

KisPairCode *
kis_table_pairs(const KisTable *table, const KisTableOptions *options,
				const KisServerOptions *server, int *npairs)
{
	KisPairSet	set = options->has_pairs ? options->pairs : table->pairs;
	KisPairCode *pairs;
	ListCell   *cell;
	int			n = 0;

	pairs = palloc0((kis_pair_count + list_length(server->extra_pairs)) *
					sizeof(KisPairCode));
	for (int i = 0; i < kis_pair_count; i++)
	{
		if (set == KIS_PAIRS_HEADLINE && !kis_pairs[i].headline)
			continue;
		strlcpy(pairs[n].market, kis_pairs[i].market, KIS_MARKET_LEN);
		strlcpy(pairs[n].sector, kis_pairs[i].sector, KIS_SECTOR_LEN);
		n++;
	}

	if (set == KIS_PAIRS_ALL)
	{
		foreach(cell, server->extra_pairs)
		{
			const KisPairCode *extra = lfirst(cell);
			bool		is_new = true;

			for (int i = 0; i < n && is_new; i++)
				is_new = strcmp(pairs[i].market, extra->market) != 0 ||
					strcmp(pairs[i].sector, extra->sector) != 0;
			if (is_new)
				pairs[n++] = *extra;
		}
	}
	*npairs = n;
	return pairs;
}
