/*
 * columns.c
 *		What a foreign table's options and columns make of the tables of KIS.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "common/messages.h"
#include "common/option.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "plan/columns.h"

/* The columns that come from no member. */
static const KisColumn key_columns[] = {
	{"market_code", "pg_catalog.text", KIS_SOURCE_MARKET, -1, 0},
	{"sector_code", "pg_catalog.text", KIS_SOURCE_SECTOR, -1, 0},
	{"collected_at", "pg_catalog.timestamptz", KIS_SOURCE_COLLECTED_AT, -1, 0},
	{"trade_date", "pg_catalog.date", KIS_SOURCE_TRADE_DATE, -1, 0},
	{"investor", "pg_catalog.text", KIS_SOURCE_INVESTOR, -1, 0},
};

/* What KIS_NET_FIGURES stands for, of each investor. */
static const char *const net_measures[] = {"net_qty", "net_amount"};

/*
 * Has the table such a column beside its members? One of the call's members
 * takes the place of trade_date, or of investor.
 */
static bool
is_column_of(const KisTable *table, KisSource source)
{
	switch (source)
	{
		case KIS_SOURCE_MARKET:
			return kis_call_takes(table->call, KIS_ARG_MARKET);
		case KIS_SOURCE_SECTOR:
			return kis_call_takes(table->call, KIS_ARG_SECTOR);
		case KIS_SOURCE_INVESTOR:
			return table->by_investor;
		case KIS_SOURCE_TRADE_DATE:
			return table->call->day_member < 0;
		default:
			return true;
	}
}

/*
 * Resolves a name that stands for a key, a time, a figure of the row's investor
 * or a listed member, by KIS's name or ours. Whose a row is comes as our code
 * under our name alone.
 */
static bool
resolve_name(const KisTable *table, const char *name, KisColumn *column)
{
	const KisCall *call = table->call;

	for (int i = 0; i < (int) lengthof(key_columns); i++)
	{
		if (strcmp(key_columns[i].name, name) == 0 &&
			is_column_of(table, key_columns[i].source))
		{
			*column = key_columns[i];
			return true;
		}
	}
	column->name = name;
	for (int i = 0; table->by_investor && i < kis_measure_count; i++)
	{
		if (strcmp(kis_measures[i].name, name) != 0)
			continue;
		column->member = i;
		column->type = "pg_catalog.int8";
		column->source = KIS_SOURCE_FIGURE;
		return true;
	}
	column->member = kis_call_member_find(call, name);
	if (column->member < 0)
		return false;
	column->type = psprintf("pg_catalog.%s", call->members[column->member].type);
	if (column->member == call->day_member && call->paging != KIS_PAGING_NONE)
		column->source = KIS_SOURCE_DAY;
	else if (column->member == call->investor_member &&
			 strcmp(name, call->members[column->member].column) == 0)
		column->source = KIS_SOURCE_MEMBER_INVESTOR;
	else
		column->source = KIS_SOURCE_MEMBER;
	return true;
}

/* Adds a column that the table's entry names: that it can't be is a fault of the entry. */
static List *
add_column(List *columns, const KisTable *table, const char *name)
{
	KisColumn  *column = palloc0(sizeof(KisColumn));

	if (!resolve_name(table, name, column))
		elog(ERROR, "table %s has no column %s", table->name, name);
	return lappend(columns, column);
}

/* The columns that IMPORT makes, in order, as a List of KisColumn *. */
List *
kis_table_columns(const KisTable *table)
{
	List	   *columns = NIL;

	for (const char *const *name = table->columns; *name != NULL; name++)
	{
		if (strcmp(*name, KIS_NET_FIGURES) != 0)
		{
			columns = add_column(columns, table, *name);
			continue;
		}
		for (int i = 0; i < kis_investor_count; i++)
			for (int j = 0; j < (int) lengthof(net_measures); j++)
				columns = add_column(columns, table,
									 psprintf("%s_%s", kis_investors[i].code, net_measures[j]));
	}
	return columns;
}

/*
 * Resolves a column by its option field, or else its name. False where that
 * stands for nothing in the table; a field stands for a member of that name
 * which KIS may send, listed or not.
 */
bool
kis_column_lookup(const KisTable *table, Oid relid, AttrNumber attnum,
				  const char *attname, KisColumn *column)
{
	char	   *field = kis_column_field(relid, attnum);

	*column = (KisColumn)
	{
		.name = field,.member = -1
	};
	if (field != NULL && strcmp(field, "*") == 0)
		column->source = KIS_SOURCE_OBJECT;
	else if (field != NULL && strcmp(field, "**") == 0)
		column->source = KIS_SOURCE_REPLY;
	else if (!resolve_name(table, field != NULL ? field : attname, column))
	{
		if (field == NULL)
			return false;
		column->source = KIS_SOURCE_EXTRA_MEMBER;
	}
	column->attnum = attnum;
	return true;
}

/* The name of a column that the table can have, nearest to one that is none; or NULL. */
static const char *
nearest_column(const KisTable *table, const char *name)
{
	const KisCall *call = table->call;
	const char **names = palloc((lengthof(key_columns) + kis_measure_count + call->nmembers + 1) *
								sizeof(char *));
	int			n = 0;

	for (int i = 0; i < (int) lengthof(key_columns); i++)
		if (is_column_of(table, key_columns[i].source))
			names[n++] = key_columns[i].name;
	for (int i = 0; table->by_investor && i < kis_measure_count; i++)
		names[n++] = kis_measures[i].name;
	for (int i = 0; i < call->nmembers; i++)
		names[n++] = call->members[i].column;
	names[n] = NULL;
	return kis_suggest_name(name, names);
}

/* What to do about a column whose name stands for nothing in the table. */
static const char *
unknown_column_hint(const KisTable *table, const char *name)
{
	const char *nearest = nearest_column(table, name);
	KisColumn	column;

	if (nearest != NULL)
		return psprintf(_("Perhaps you meant \"%s\". A column of another name needs the option \"field\"."),
						nearest);
	if (strstr(name, "_name") != NULL || strstr(name, "_unit") != NULL)
		return _("Names and units are in the views kis_sector and kis_investor_type: join these.");
	for (int i = 0; kis_tables[i] != NULL; i++)
		if (resolve_name(kis_tables[i], name, &column))
			return psprintf(_("It is a column of %s: set the table's option \"table_name\" to '%s'."),
							kis_tables[i]->name, kis_tables[i]->name);
	return _("Set the column's option \"field\" to a member of KIS's answer, such as 'frgn_ntby_qty'.");
}

/* Refuses types whose input cuts what is too long, without a word. */
static void
require_room(Oid relid, AttrNumber attnum, const char *attname, const KisColumn *column)
{
	Oid			type = getBaseType(get_atttype(relid, attnum));

	if (type == CHAROID ||
		(type == NAMEOID && (column->source == KIS_SOURCE_OBJECT || column->source == KIS_SOURCE_REPLY)))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of foreign table \"%s\" is of type %s, which would cut its values",
						attname, get_rel_name(relid), format_type_be(type)),
				 errhint("Type text takes all.")));
}

/*
 * Resolves a column; raises HV007 with a hint where its name is none that the
 * table's call knows and it has no option field.
 */
KisColumn
kis_column_resolve(const KisTable *table, Oid relid, AttrNumber attnum,
				   const char *attname)
{
	KisColumn	column;

	if (get_attgenerated(relid, attnum) != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" of foreign table \"%s\" is generated",
						attname, get_rel_name(relid)),
				 errdetail("It would show what KIS answers, not what its expression says."),
				 errhint("Compute it in a view of the foreign table.")));
	if (kis_column_lookup(table, relid, attnum, attname, &column))
	{
		require_room(relid, attnum, attname, &column);
		return column;
	}

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
			 errmsg("column \"%s\" of foreign table \"%s\" stands for nothing in KIS's answer",
					attname, get_rel_name(relid)),
			 errhint("%s", unknown_column_hint(table, attname))));
}

/* The table behind a foreign table's options; raises HV00R where there is none. */
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
						 kis_suggest_table(name))));
	if (options != NULL)
		*options = given;
	return table;
}

/*
 * The pairs of codes that a table's calls are made with, as a palloc'd array:
 * its pairs of market and sector, those of the option extra_pairs among all;
 * the markets alone, without sectors, where its call takes no sector; a table
 * whose call takes neither holds one of empty codes.
 */
KisPairCode *
kis_table_pairs(const KisTable *table, const KisTableOptions *options,
				const KisServerOptions *server, int *npairs)
{
	const KisCall *call = table->call;
	bool		by_sector = kis_call_takes(call, KIS_ARG_SECTOR);
	KisPairSet	set = options->pairs == KIS_PAIRS_OF_TABLE ? table->pairs : options->pairs;
	List	   *extra_pairs = by_sector && set == KIS_PAIRS_ALL ? server->extra_pairs : NIL;
	KisPairCode *pairs = palloc0((kis_pair_count + list_length(extra_pairs)) * sizeof(KisPairCode));
	int			n = 0;
	ListCell   *cell;

	if (!kis_call_takes(call, KIS_ARG_MARKET))
	{
		*npairs = 1;
		return pairs;
	}
	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *listed = &kis_pairs[i];

		/* a market's pairs stand together */
		if ((by_sector && set == KIS_PAIRS_HEADLINE && !listed->headline) ||
			(!by_sector && n > 0 && strcmp(pairs[n - 1].market, listed->market) == 0) ||
			!kis_call_serves(call, listed->market))
			continue;
		strlcpy(pairs[n].market, listed->market, KIS_MARKET_LEN);
		if (by_sector)
			strlcpy(pairs[n].sector, listed->sector, KIS_SECTOR_LEN);
		n++;
	}
	foreach(cell, extra_pairs)
	{
		const KisPairCode *extra = lfirst(cell);
		int			known = 0;

		while (known < n && memcmp(&pairs[known], extra, sizeof(KisPairCode)) != 0)
			known++;
		if (known == n && kis_call_serves(call, extra->market))
			pairs[n++] = *extra;
	}
	*npairs = n;
	return pairs;
}
