/*
 * rows.c
 *		Rows of the store and its snapshots, read and written in sets: a
 *		statement for all targets of a collection, or all days of a page.
 *
 * Targets go into statements as one array a column, and their figures as an
 * array's text a row: a parameter for each of 72 columns would cost more than
 * reading that. Statements are planned once a session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "store/rows.h"
#include "store/table.h"
#include "store/target.h"

/* So many statements are kept in a session: those of some ten stores. */
#define MAX_STATEMENTS	64

/* A statement that this session has planned. */
typedef struct Statement
{
	char	   *query;
	SPIPlanPtr	plan;
} Statement;

static Oid	parameter_types[] = {
	TEXTARRAYOID, TEXTARRAYOID, DATEARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID
};

/* Of these the levels of the index, which are null where no target has one. */
#define INDEX_LEVELS 8

/*
 * The plan of a statement, which lives as long as the session, as far as there
 * is room: none makes room for another, as it may be one that runs while a
 * trigger collects. It is generic: how many targets there are changes nothing.
 * But Citus needs the parameters' values to plan a statement that writes.
 */
SPIPlanPtr
kis_rows_plan(const char *query, int nparameters, Oid *types)
{
	static Statement statements[MAX_STATEMENTS];
	static int	nstatements = 0;
	SPIPlanPtr	plan;

	for (int i = 0; i < nstatements; i++)
		if (strcmp(statements[i].query, query) == 0)
			return statements[i].plan;

	plan = SPI_prepare_cursor(query, nparameters, types,
							  OidIsValid(kis_citus_catalog()) ? 0 : CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	if (nstatements < MAX_STATEMENTS)
	{
		statements[nstatements].query = MemoryContextStrdup(TopMemoryContext, query);
		statements[nstatements].plan = plan;
		SPI_keepplan(plan);
		nstatements++;
	}
	return plan;
}

static Datum
array_of(Datum *values, bool *nulls, int n, Oid type, int length, bool by_value, char align)
{
	int			lower_bound = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower_bound,
											  type, length, by_value, align));
}

/* A target's figures of the table's columns, as the text of a bigint[]. */
static Datum
figures_text(const KisStoreTable *table, const KisTarget *target)
{
	StringInfoData array;

	initStringInfo(&array);
	for (int i = 0; i < table->nfigures; i++)
	{
		int			member = table->members[i];

		appendStringInfoChar(&array, i == 0 ? '{' : ',');
		if (target->nulls[member])
			appendStringInfoString(&array, "NULL");
		else
			appendStringInfo(&array, INT64_FORMAT, target->figures[member]);
	}
	appendStringInfoChar(&array, '}');
	return PointerGetDatum(cstring_to_text_with_len(array.data, array.len));
}

/* Has one of the targets a level of the index? */
bool
kis_rows_have_index(KisTarget *const *targets, int ntargets)
{
	for (int i = 0; i < ntargets; i++)
		if (targets[i]->index_level != NULL)
			return true;
	return false;
}

/* The targets' levels of the index, as a text[]; 0 where there are none. */
static Datum
index_levels(KisTarget *const *targets, int ntargets)
{
	Datum	   *levels;
	bool	   *nulls;

	if (!kis_rows_have_index(targets, ntargets))
		return (Datum) 0;
	levels = palloc0(ntargets * sizeof(Datum));
	nulls = palloc(ntargets * sizeof(bool));
	for (int i = 0; i < ntargets; i++)
	{
		nulls[i] = targets[i]->index_level == NULL;
		if (!nulls[i])
			levels[i] = CStringGetTextDatum(targets[i]->index_level);
	}
	return array_of(levels, nulls, ntargets, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Runs a statement with the targets as its parameters: $1 to $6 are arrays of
 * markets, sectors, trade dates, collected_at, figures and stored_at (NULL where
 * it is 0), $7 and $8 the two times, $9 the levels of the index, or null where
 * there are none. With a snapshot it sees what that shows,
 * else what is committed, as the isolation level has it. To be called inside
 * SPI, whose SPI_processed and SPI_tuptable are of it. The memory context stays
 * the caller's, where SPI itself leaves one that ends with it.
 */
void
kis_rows_execute(const char *query, const KisStoreTable *table, KisTarget *const *targets,
				 int ntargets, TimestampTz seven, TimestampTz eight, Snapshot snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = kis_rows_plan(query, lengthof(parameter_types), parameter_types);
	Datum	   *columns[6];
	bool	   *no_again = palloc(ntargets * sizeof(bool));
	Datum		values[lengthof(parameter_types)];
	char		nulls[lengthof(parameter_types) + 1] = "         ";
	int			result;

	for (int i = 0; i < (int) lengthof(columns); i++)
		columns[i] = palloc(ntargets * sizeof(Datum));
	for (int i = 0; i < ntargets; i++)
	{
		const KisTarget *target = targets[i];

		columns[0][i] = CStringGetTextDatum(target->pair.market);
		columns[1][i] = CStringGetTextDatum(target->pair.sector);
		columns[2][i] = DateADTGetDatum(target->trade_date);
		columns[3][i] = TimestampTzGetDatum(target->collected_at);
		columns[4][i] = figures_text(table, target);
		columns[5][i] = TimestampTzGetDatum(target->stored_at);
		no_again[i] = target->stored_at == 0;
	}
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		if (parameter_types[i] == TEXTARRAYOID)
			values[i] = array_of(columns[i], NULL, ntargets, TEXTOID, -1, false, TYPALIGN_INT);
		else if (parameter_types[i] == DATEARRAYOID)
			values[i] = array_of(columns[i], NULL, ntargets, DATEOID, sizeof(DateADT), true, TYPALIGN_INT);
		else
			values[i] = array_of(columns[i], i == 5 ? no_again : NULL, ntargets, TIMESTAMPTZOID,
								 sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	}
	values[6] = TimestampTzGetDatum(seven);
	values[7] = TimestampTzGetDatum(eight);
	values[INDEX_LEVELS] = index_levels(targets, ntargets);
	if (values[INDEX_LEVELS] == (Datum) 0)
		nulls[INDEX_LEVELS] = 'n';

	if (snapshot != InvalidSnapshot)
		result = SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, false, true, 0);
	else
		result = SPI_execute_plan(plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	MemoryContextSwitchTo(context);
}

/*
 * The table's figure columns as SQL: prefix and name of each, or prefix and its
 * number in brackets, with the separator before it.
 */
char *
kis_rows_columns(const KisStoreTable *table, const char *separator, const char *prefix, bool by_number)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < table->nfigures; i++)
		if (by_number)
			appendStringInfo(&list, "%s%s[%d]", separator, prefix, i + 1);
		else
			appendStringInfo(&list, "%s%s%s", separator, prefix, table->columns[i]);
	return list.data;
}

int
kis_rows_at_once(const KisStoreTable *table, int ntargets)
{
	return table->is_distributed ? Min(ntargets, 1) : ntargets;
}

/* The row that the last statement has read, with the target's number as n; allocated in the caller's context. */
static KisStoredRow *
take_row(const KisStoreTable *table, HeapTuple tuple, int64 *n)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	KisStoredRow *row = palloc0(sizeof(KisStoredRow));
	bool		isnull;
	int			nfigures;

	*n = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
	row->trade_date = DatumGetDateADT(SPI_getbinval(tuple, desc, 2, &isnull));
	row->collected_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
	if (isnull)
		row->collected_at = DT_NOBEGIN;
	row->from_daily = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull)) && !isnull;
	deconstruct_array(DatumGetArrayTypePCopy(SPI_getbinval(tuple, desc, 5, &isnull)), INT8OID,
					  sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &row->figures, &row->nulls, &nfigures);
	Assert(nfigures == table->nfigures);
	return row;
}

/*
 * Reads a row beside each target, as an array of as many, NULL where there is
 * none. "beside" is what follows the targets' keys, t, after FROM: it has the
 * rows as s. What is returned is allocated in the caller's context.
 */
KisStoredRow **
kis_rows_read(const KisStoreTable *table, KisTarget *const *targets, int ntargets, const char *beside)
{
	KisStoredRow **rows = palloc0(ntargets * sizeof(KisStoredRow *));
	int			step = kis_rows_at_once(table, ntargets);

	/* the columns' list begins with its separator */
	const char *query = psprintf("SELECT t.n, s.trade_date, s.collected_at, %s, ARRAY[%s]::pg_catalog.int8[] FROM %s %s",
								 table->has_source ?
								 "s.source::pg_catalog.text OPERATOR(pg_catalog.=) 'daily'::pg_catalog.text" :
								 "false",
								 kis_rows_columns(table, ", ", "s.", false) + 2,
								 table->is_distributed ? KIS_ONE_TARGET : KIS_TARGET_KEYS, beside);

	for (int first = 0; first < ntargets; first += step)
	{
		kis_rows_execute(query, table, targets + first, step, 0, 0, InvalidSnapshot);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			int64		n;
			KisStoredRow *row = take_row(table, SPI_tuptable->vals[i], &n);

			rows[first + n - 1] = row;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	return rows;
}
