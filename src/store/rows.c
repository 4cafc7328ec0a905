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

/* The parameters that are arrays with an element a target, and of what they are. */
static const struct
{
	int			parameter;
	Oid			element;
}			arrays[] = {
	{0, TEXTOID}, {1, TEXTOID}, {2, DATEOID}, {3, TIMESTAMPTZOID}, {4, TEXTOID}, {5, TIMESTAMPTZOID}, {8, TEXTOID}
};

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

/*
 * Runs a statement with the targets as its parameters: $1 to $6 are arrays of
 * markets, sectors, trade dates, collected_at, figures and stored_at (NULL where
 * it is 0), $7 and $8 the two times, $9 the levels of the index, null where there
 * is none. With a snapshot it sees what that shows, else what is committed, as the
 * isolation level has it. To be called inside SPI, whose SPI_processed and
 * SPI_tuptable are of it. The memory context stays the caller's, where SPI itself
 * leaves one that ends with it.
 */
void
kis_rows_execute(const char *query, const KisStoreTable *table, KisTarget *const *targets,
				 int ntargets, TimestampTz seven, TimestampTz eight, Snapshot snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	SPIPlanPtr	plan = kis_rows_plan(query, lengthof(parameter_types), parameter_types);
	ArrayBuildState *states[lengthof(arrays)] = {NULL};
	Datum		values[lengthof(parameter_types)];
	int			result;

	for (int i = 0; i < ntargets; i++)
	{
		const KisTarget *target = targets[i];
		const NullableDatum row[lengthof(arrays)] = {
			{CStringGetTextDatum(target->pair.market), false},
			{CStringGetTextDatum(target->pair.sector), false},
			{DateADTGetDatum(target->trade_date), false},
			{TimestampTzGetDatum(target->collected_at), false},
			{figures_text(table, target), false},
			{TimestampTzGetDatum(target->stored_at), target->stored_at == 0},
			{target->index_level ? CStringGetTextDatum(target->index_level) : (Datum) 0, target->index_level == NULL}
		};

		for (int a = 0; a < (int) lengthof(arrays); a++)
			states[a] = accumArrayResult(states[a], row[a].value, row[a].isnull, arrays[a].element, context);
	}
	for (int a = 0; a < (int) lengthof(arrays); a++)
		values[arrays[a].parameter] = makeArrayResult(states[a], context);
	values[6] = TimestampTzGetDatum(seven);
	values[7] = TimestampTzGetDatum(eight);

	if (snapshot != InvalidSnapshot)
		result = SPI_execute_snapshot(plan, values, NULL, snapshot, InvalidSnapshot, false, true, 0);
	else
		result = SPI_execute_plan(plan, values, NULL, false, 0);
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
	int			step = table->is_distributed ? 1 : ntargets;

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
