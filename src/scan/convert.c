/*
 * convert.c
 *		From a reply to a row: each member through its column's type.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "plan/columns.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/calendar.h"
#include "request/query_context.h"
#include "request/state.h"
#include "scan/convert.h"


/* A column and how text becomes its value. */
typedef struct ConvertedColumn
{
	AttrNumber	attnum;
	KisColumn	column;
	const char *name;
	Oid			type;
	int32		typmod;
	FmgrInfo	input;			/* see column_input */
	Oid			typioparam;
} ConvertedColumn;

struct KisConverter
{
	const KisScanPlan *plan;
	const KisKeyValues *values;
	const KisKeyValues *investors;
	KisQuery   *query;
	KisCounters *counters;
	const char *relname;
	int			ncolumns;
	ConvertedColumn *columns;
	MemoryContext context;		/* what it is allocated in */
	/* what is being converted */
	const KisTableRow *row;
	const ConvertedColumn *current;
	List	   *missing;		/* names of members */
};

static void
column_prepare(ConvertedColumn *column, const KisScanColumn *planned, TupleDesc desc)
{
	Form_pg_attribute att = TupleDescAttr(desc, planned->attnum - 1);

	column->attnum = planned->attnum;
	column->column = planned->column;
	column->name = NameStr(att->attname);
	column->type = att->atttypid;
	column->typmod = att->atttypmod;
}

/* Lives in the current memory context, as long as the relation is open. */
KisConverter *
kis_converter_create(Relation relation, const KisScanPlan *plan,
					 const KisKeyValues *values, const KisKeyValues *investors,
					 KisQuery *query, KisCounters *counters)
{
	KisConverter *converter = palloc0(sizeof(KisConverter));

	converter->plan = plan;
	converter->values = values;
	converter->investors = investors;
	converter->query = query;
	converter->counters = counters;
	converter->relname = RelationGetRelationName(relation);
	converter->ncolumns = plan->ncolumns;
	converter->columns = palloc0(Max(1, plan->ncolumns) * sizeof(ConvertedColumn));
	converter->context = CurrentMemoryContext;
	for (int i = 0; i < plan->ncolumns; i++)
		column_prepare(&converter->columns[i], &plan->columns[i], RelationGetDescr(relation));
	return converter;
}

/* The number of the listed member that the column shows in a row of this investor. */
static int
member_number(const ConvertedColumn *column, int investor)
{
	if (column->column.source == KIS_SOURCE_FIGURE)
		return kis_figure(investor, column->column.member);
	return column->column.member;
}

/* KIS's name of the member that the column shows, or NULL. */
static const char *
member_name(const KisConverter *converter, const ConvertedColumn *column)
{
	if (column->column.source == KIS_SOURCE_EXTRA_MEMBER)
		return column->column.field;
	if (column->column.member < 0)
		return NULL;
	return converter->plan->table->call->members[member_number(column, converter->row->investor)].field;
}

static void
convert_context(void *arg)
{
	const KisConverter *converter = arg;
	const ConvertedColumn *column = converter->current;
	const KisRequest *request = converter->row->request;
	const char *subject = kis_call_subject(request->call, &request->args);

	if (member_name(converter, column) != NULL)
		errcontext("column \"%s\" of foreign table \"%s\", member \"%s\", %s",
				   column->name, converter->relname, member_name(converter, column), subject);
	else
		errcontext("column \"%s\" of foreign table \"%s\", %s",
				   column->name, converter->relname, subject);
}

/* The column's input function, looked up when it is first needed: most scans need none. */
static FmgrInfo *
column_input(const KisConverter *converter, ConvertedColumn *column)
{
	Oid			typinput;

	if (!OidIsValid(column->input.fn_oid))
	{
		getTypeInputInfo(column->type, &typinput, &column->typioparam);
		fmgr_info_cxt(typinput, &column->input, converter->context);
	}
	return &column->input;
}

/* Text in the database's encoding through the column's type; NULL is checked by domains alone. */
static Datum
from_text(const KisConverter *converter, ConvertedColumn *column, const char *text, bool *isnull)
{
	FmgrInfo   *input = column_input(converter, column);

	*isnull = text == NULL;

	if (text == NULL && input->fn_strict)
		return (Datum) 0;
	return InputFunctionCall(input, (char *) text, column->typioparam, column->typmod);
}

/* The row of the reply that is being converted. */
static const KisRow *
reply_row(const KisConverter *converter)
{
	return &converter->row->request->reply->rows[converter->row->row];
}

/* Notes the member that is missing, and with a figure that of the other investors, too. */
static void
note_missing(KisConverter *converter, const ConvertedColumn *column)
{
	const KisCall *call = converter->plan->table->call;

	if (column->column.source != KIS_SOURCE_FIGURE)
	{
		converter->missing = lappend(converter->missing, (char *) member_name(converter, column));
		return;
	}
	for (int i = 0; i < kis_investor_count; i++)
	{
		int			member = member_number(column, i);

		if (reply_row(converter)->values[member].kind == KIS_VALUE_MISSING)
			converter->missing = lappend(converter->missing, (char *) call->members[member].field);
	}
}

/*
 * What a column of numbers would take, but KIS never means: NaN, infinity, and
 * from version 16 on digits of another base or with "_" between them.
 */
static void
refuse_odd_number(const ConvertedColumn *column, const char *text)
{
	if (text[strspn(text, "+-.0123456789eE")] == '\0')
		return;
	switch (getBaseType(column->type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input syntax for type %s: \"%s\"",
							format_type_be(column->type), kis_to_server_lossy(text))));
	}
}

static Datum
convert_member(KisConverter *converter, ConvertedColumn *column, KisValue value, bool *isnull)
{
	switch (value.kind)
	{
		case KIS_VALUE_INTEGER:
			if (column->type == INT8OID)
			{
				*isnull = false;
				return Int64GetDatum(value.integer);
			}
			break;
		case KIS_VALUE_TEXT:
			refuse_odd_number(column, value.text);
			break;
		case KIS_VALUE_MISSING:
			note_missing(converter, column);
			return from_text(converter, column, NULL, isnull);
		case KIS_VALUE_EMPTY:
			return from_text(converter, column, NULL, isnull);
	}
	return from_text(converter, column, kis_to_server(value.text), isnull);
}

/* Whose the row is by a member of it. A code that the call doesn't list comes as it is. */
static KisValue
row_investor(const KisConverter *converter)
{
	const KisCall *call = converter->plan->table->call;
	KisValue	value = reply_row(converter)->values[call->investor_member];
	const char *investor = kis_translate(call->investors, value.text);

	if (value.kind != KIS_VALUE_INTEGER && value.kind != KIS_VALUE_TEXT)
		return value;
	if (investor != NULL)
		return (KisValue)
	{
		.kind = KIS_VALUE_TEXT,.text = investor
	};
	if (kis_warn_once(converter->query, call->name))
		ereport(WARNING,
				(errmsg("KIS's reply has rows of an investor that is not known: \"%s\"",
						kis_to_server_lossy(value.text)),
				 errdetail("Column \"%s\" of foreign table \"%s\" shows KIS's code.",
						   converter->current->name, converter->relname)));
	return value;
}

/* The code of the i-th of values; as text it is at hand. */
static Datum
convert_code(const KisConverter *converter, ConvertedColumn *column, const KisKeyValues *values,
			 int i, const char *code, bool *isnull)
{
	if (column->type == TEXTOID)
	{
		*isnull = false;
		return kis_key_value(values, i, column->attnum);
	}
	return from_text(converter, column, code, isnull);
}

/*
 * A column of text shows it as the session would. Other types are to read it
 * again, and a zone's abbreviation may stand for several: they get its offset.
 */
static Datum
convert_time(const KisConverter *converter, ConvertedColumn *column, TimestampTz time, bool *isnull)
{
	char		iso[MAXDATELEN + 1];
	char	   *text = iso;

	if (column->type == TIMESTAMPTZOID && column->typmod < 0)
	{
		*isnull = false;
		return TimestampTzGetDatum(time);
	}
	if (TypeCategory(column->type) == TYPCATEGORY_STRING)
		text = DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(time)));

	else
	{
		JsonEncodeDateTime(iso, TimestampTzGetDatum(time), TIMESTAMPTZOID, NULL);
		/* time and timetz are not read after a T */
		*strchr(iso, 'T') = ' ';
	}
	return from_text(converter, column, text, isnull);
}

/* Moments and days are by the server's clock: says once a session that it is wrong. */
static void
warn_of_clock(const KisConverter *converter)
{
	static bool warned = false;

	if (warned || kis_clock_error(converter->row->request) == 0)
		return;
	warned = true;
	ereport(WARNING,
			(errmsg_internal("%s", kis_clock_complaint(converter->row->request)),
			 errdetail("Column \"%s\" goes by the server's clock.", converter->current->name),
			 errhint("%s", kis_clock_hint)));
}

/* The trading day, by weekdays with a warning where the calendar can't be had. */
static DateADT
trading_day(KisConverter *converter)
{
	const KisRequest *request = converter->row->request;
	bool		has_figures = kis_row_has_figures(request->call, reply_row(converter));
	DateADT		day;
	KisError	failure = {0};

	if (kis_trade_date(converter->query, request->connection, request->arrived_at,
					   has_figures, converter->counters, &day, &failure))
		return day;

	if (kis_warn_once(converter->query, "trade_date"))
	{
		const char *hint = kis_calendar_hint(&failure);

		ereport(WARNING,
				(errmsg("KIS's trading calendar can't be had"),
				 errdetail("%s. Column \"%s\" takes every day from Monday to Friday for a trading day.",
						   kis_calendar_summary(&failure, request->connection->server_name),
						   converter->current->name),
				 hint != NULL ? errhint("%s", hint) : 0));
	}
	return kis_weekday_trade_date(request->connection, request->arrived_at, has_figures);
}

static Datum
convert_day(const KisConverter *converter, ConvertedColumn *column, DateADT day, bool *isnull)
{
	if (column->type == DATEOID)
	{
		*isnull = false;
		return DateADTGetDatum(day);
	}
	return from_text(converter, column,
					 DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day))),
					 isnull);
}

/* The member object of the row, as KIS wrote it: the call's rows, or one of them where they are an array. */
static char *
member_object(const KisCall *call, const char *body, int position)
{
	Datum		output = DirectFunctionCall2(json_object_field, CStringGetTextDatum(body),
											 CStringGetTextDatum(call->rows));
	char	   *type = TextDatumGetCString(DirectFunctionCall1(json_typeof, output));

	if (strcmp(type, "array") == 0)
		output = DirectFunctionCall2(json_array_element, output, Int32GetDatum(position));
	return TextDatumGetCString(output);
}

/*
 * A member of a row's object by KIS's name, which the call doesn't list; "" of
 * null, NULL where there is none.
 */
static char *
extra_member(const char *object, const char *field)
{
	LOCAL_FCINFO(fcinfo, 2);
	char	   *member;
	Datum		value;

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(object);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = CStringGetTextDatum(field);
	fcinfo->args[1].isnull = false;
	(void) json_object_field(fcinfo);
	if (fcinfo->isnull)
		return NULL;
	/* as text null is the same as none */
	value = json_object_field_text(fcinfo);
	if (fcinfo->isnull)
		return "";
	member = TextDatumGetCString(value);
	member += strspn(member, " \t\r\n");
	for (size_t len = strlen(member); len > 0 && strchr(" \t\r\n", member[len - 1]) != NULL; len--)
		member[len - 1] = '\0';
	return member;
}

static Datum
convert_extra_member(KisConverter *converter, ConvertedColumn *column, bool *isnull)
{
	char	   *text = extra_member(member_object(converter->row->request->call, kis_to_server(converter->row->request->reply->body),
												  reply_row(converter)->position),
									column->column.field);

	if (text == NULL)
		note_missing(converter, column);
	else
		refuse_odd_number(column, text);
	return from_text(converter, column, text !=NULL && text[0] != '\0' ? text : NULL, isnull);
}

static Datum
convert_column(KisConverter *converter, ConvertedColumn *column, bool *isnull)
{
	const KisTableRow *row = converter->row;
	const KisRequest *request = row->request;

	switch (column->column.source)
	{
		case KIS_SOURCE_MARKET:
			return convert_code(converter, column, converter->values, row->pair,
								converter->values->pairs[row->pair].market, isnull);
		case KIS_SOURCE_SECTOR:
			return convert_code(converter, column, converter->values, row->pair,
								converter->values->pairs[row->pair].sector, isnull);
		case KIS_SOURCE_INVESTOR:
			return convert_code(converter, column, converter->investors, row->investor,
								kis_investors[row->investor].code, isnull);
		case KIS_SOURCE_COLLECTED_AT:
			warn_of_clock(converter);
			return convert_time(converter, column, request->arrived_at, isnull);
		case KIS_SOURCE_TRADE_DATE:
			warn_of_clock(converter);
			return convert_day(converter, column, trading_day(converter), isnull);
		case KIS_SOURCE_DAY:
		case KIS_SOURCE_MEMBER:
		case KIS_SOURCE_FIGURE:
			return convert_member(converter, column,
								  reply_row(converter)->values[member_number(column, row->investor)],
								  isnull);
		case KIS_SOURCE_MEMBER_INVESTOR:
			return convert_member(converter, column, row_investor(converter), isnull);
		case KIS_SOURCE_EXTRA_MEMBER:
			return convert_extra_member(converter, column, isnull);
		case KIS_SOURCE_OBJECT:
			return from_text(converter, column,
							 member_object(request->call, kis_to_server(request->reply->body),
										   reply_row(converter)->position), isnull);
		case KIS_SOURCE_REPLY:
			return from_text(converter, column, kis_to_server(request->reply->body), isnull);
	}
	pg_unreachable();
}

static void
warn_of_missing(KisConverter *converter)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, converter->missing)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 (const char *) lfirst(cell));
	if (kis_warn_once(converter->query, names.data))
		ereport(WARNING,
				(errmsg_plural("KIS's reply has no member %s", "KIS's reply has no members %s",
							   list_length(converter->missing), names.data),
				 errdetail("Foreign table \"%s\" shows NULL instead.", converter->relname)));
}

/*
 * Makes a row the values of the plan's columns; the others are left alone.
 * Allocates in the current memory context. Raises what the
 * columns' types make of the values.
 */
void
kis_convert_row(KisConverter *converter, const KisTableRow *row, Datum *datums, bool *nulls)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = convert_context,
		.arg = converter
	};

	converter->row = row;
	converter->missing = NIL;
	error_context_stack = &context;
	for (int i = 0; i < converter->ncolumns; i++)
	{
		ConvertedColumn *column = &converter->columns[i];

		converter->current = column;
		CHECK_FOR_INTERRUPTS();
		datums[column->attnum - 1] =
			convert_column(converter, column, &nulls[column->attnum - 1]);
	}
	error_context_stack = context.previous;
	if (converter->missing != NIL)
		warn_of_missing(converter);
}
