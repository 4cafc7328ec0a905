/*
 * convert.c
 *		From a reply to a row: each member through its column's type.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "plan/columns.h"
#include "plan/scan_plan.h"
#include "request/calendar.h"
#include "request/query_context.h"
#include "request/state.h"
#include "scan/convert.h"

/* A column that the scan fills, and how text becomes its value. */
typedef struct ConvertedColumn
{
	const KisColumn *planned;
	Form_pg_attribute att;
	FmgrInfo	input;			/* looked up when it is first needed: most
								 * scans need none */
	Oid			typioparam;
} ConvertedColumn;

struct KisConverter
{
	const KisScanPlan *plan;
	KisQuery   *query;
	KisCounters *counters;
	const char *relname;
	ConvertedColumn *columns;	/* as many as the plan has */
	MemoryContext context;		/* what it is allocated in */
	/* what is being converted */
	const KisTableRow *row;
	const ConvertedColumn *current;
};

/* Lives in the current memory context, as long as the relation is open. */
KisConverter *
kis_converter_create(Relation relation, const KisScanPlan *plan, KisQuery *query,
					 KisCounters *counters)
{
	KisConverter *converter = palloc0(sizeof(KisConverter));

	converter->plan = plan;
	converter->query = query;
	converter->counters = counters;
	converter->relname = RelationGetRelationName(relation);
	converter->columns = palloc0(Max(1, plan->ncolumns) * sizeof(ConvertedColumn));
	converter->context = CurrentMemoryContext;
	for (int i = 0; i < plan->ncolumns; i++)
	{
		converter->columns[i].planned = &plan->columns[i];
		converter->columns[i].att = TupleDescAttr(RelationGetDescr(relation),
												  plan->columns[i].attnum - 1);
	}
	return converter;
}

/* The number of the listed member that the column shows in a row of this investor. */
static int
member_number(const KisColumn *column, int investor)
{
	return column->source == KIS_SOURCE_FIGURE ? kis_figure(investor, column->member) :
		column->member;
}

/*
 * KIS's name of the member that the column shows in a row of this investor, or
 * the option field's * and **; NULL: it shows none.
 */
static const char *
member_name(const KisCall *call, const KisColumn *column, int investor)
{
	if (column->member >= 0)
		return call->members[member_number(column, investor)].field;
	return column->source == KIS_SOURCE_EXTRA_MEMBER || column->source == KIS_SOURCE_OBJECT ||
		column->source == KIS_SOURCE_REPLY ? column->name : NULL;
}

/* Says in an error which column, member and call it is about. */
static void
convert_context(void *arg)
{
	const KisConverter *converter = arg;
	const KisRequest *request = converter->row->request;
	const char *member = member_name(request->call, converter->current->planned,
									 converter->row->investor);

	errcontext("column \"%s\" of foreign table \"%s\"%s, %s",
			   NameStr(converter->current->att->attname), converter->relname,
			   member != NULL ? psprintf(_(", member \"%s\""), member) : "",
			   kis_call_subject(request->call, &request->args));
}

/* Says once that the reply hasn't the member of the column. */
static void
warn_of_missing(const KisConverter *converter)
{
	if (kis_warn_once(converter->query, "missing member"))
		ereport(WARNING,
				(errmsg("KIS's reply has no member \"%s\"",
						member_name(converter->plan->table->call, converter->current->planned,
									converter->row->investor)),
				 errdetail("Foreign table \"%s\" shows NULL instead.", converter->relname)));
}

/* Text in the database's encoding through the column's type; NULL is checked by domains alone. */
static Datum
from_text(const KisConverter *converter, ConvertedColumn *column, const char *text, bool *isnull)
{
	Oid			typinput;

	if (!OidIsValid(column->input.fn_oid))
	{
		getTypeInputInfo(column->att->atttypid, &typinput, &column->typioparam);
		fmgr_info_cxt(typinput, &column->input, converter->context);
	}
	*isnull = text == NULL;

	if (text == NULL && column->input.fn_strict)
		return (Datum) 0;
	return InputFunctionCall(&column->input, (char *) text, column->typioparam, column->att->atttypmod);
}

/* The row of the reply that is being converted. */
static const KisRow *
reply_row(const KisConverter *converter)
{
	return &converter->row->request->reply->rows[converter->row->row];
}

/*
 * What a column of numbers would take, but KIS never means: NaN, infinity, and
 * from version 16 on digits of another base or with "_" between them.
 */
static void
refuse_odd_number(const ConvertedColumn *column, const char *text)
{
	if (text[strspn(text, "+-.0123456789eE")] != '\0' &&
		TypeCategory(column->att->atttypid) == TYPCATEGORY_NUMERIC)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						format_type_be(column->att->atttypid), kis_to_server_lossy(text))));
}

static Datum
convert_member(KisConverter *converter, ConvertedColumn *column, KisValue value, bool *isnull)
{
	if (value.kind == KIS_VALUE_INTEGER && column->att->atttypid == INT8OID)
	{
		*isnull = false;
		return Int64GetDatum(value.integer);
	}
	if (value.kind == KIS_VALUE_MISSING)
		warn_of_missing(converter);
	/* KIS writes no date as zeros, too */
	if (value.kind == KIS_VALUE_MISSING || value.kind == KIS_VALUE_EMPTY ||
		(value.kind == KIS_VALUE_INTEGER && value.integer == 0 && getBaseType(column->att->atttypid) == DATEOID))
		return from_text(converter, column, NULL, isnull);
	if (value.kind == KIS_VALUE_TEXT)
		refuse_odd_number(column, value.text);
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
						   NameStr(converter->current->att->attname), converter->relname)));
	return value;
}

/*
 * A date or timestamptz. A column of text shows it as the session would. Other
 * types are to read it again, and a zone's abbreviation may stand for several:
 * they get its offset.
 */
static Datum
convert_time(const KisConverter *converter, ConvertedColumn *column, Oid type, Datum value,
			 bool *isnull)
{
	char		iso[MAXDATELEN + 1];
	char	   *text = iso;

	if (column->att->atttypid == type && column->att->atttypmod < 0)
	{
		*isnull = false;
		return value;
	}
	if (TypeCategory(column->att->atttypid) == TYPCATEGORY_STRING)
		text = OidOutputFunctionCall(type == DATEOID ? F_DATE_OUT : F_TIMESTAMPTZ_OUT, value);

	else
	{
		JsonEncodeDateTime(iso, value, type, NULL);
		/* time and timetz are not read after a T */
		iso[strcspn(iso, "T")] = type == DATEOID ? '\0' : ' ';
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
			 errdetail("Column \"%s\" goes by the server's clock.", NameStr(converter->current->att->attname)),
			 errhint("%s", _(kis_clock_hint))));
}

/*
 * Has anything been traded, be it by another than the row's investor? The rows of
 * a reply are of one moment, since of pages each names its day.
 */
static bool
reply_has_figures(const KisRequest *request)
{
	for (int i = 0; i < request->reply->nrows; i++)
		if (kis_row_has_figures(request->call, &request->reply->rows[i]))
			return true;
	return false;
}

/* The trading day, by weekdays with a warning where the calendar can't be had. */
static DateADT
trading_day(KisConverter *converter)
{
	const KisRequest *request = converter->row->request;
	bool		has_figures = reply_has_figures(request);
	DateADT		day = 0;
	KisError	failure = {0};

	if (kis_trade_date(converter->query, request->connection, request->arrived_at,
					   has_figures, converter->counters, &day, &failure))
		return day;

	if (kis_warn_once(converter->query, "trade_date"))
		ereport(WARNING,
				(errmsg("KIS's trading calendar can't be had"),
				 errdetail("%s. Column \"%s\" takes every day from Monday to Friday for a trading day.",
						   kis_error_summary(&failure, request->connection->server_name),
						   NameStr(converter->current->att->attname)),
				 errhint("%s", kis_error_hint(&failure))));
	(void) kis_trade_date(NULL, request->connection, request->arrived_at, has_figures, NULL, &day,
						  NULL);
	return day;
}

/* The member object of the row, as KIS wrote it: the call's rows, or one of them where they are an array. */
static char *
row_object(const KisConverter *converter)
{
	const KisRequest *request = converter->row->request;
	Datum		output = DirectFunctionCall2(json_object_field,
											 CStringGetTextDatum(kis_to_server(request->reply->body)),
											 CStringGetTextDatum(request->call->rows));
	char	   *type = TextDatumGetCString(DirectFunctionCall1(json_typeof, output));

	if (strcmp(type, "array") == 0)
		output = DirectFunctionCall2(json_array_element, output,
									 Int32GetDatum(reply_row(converter)->position));
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
	char	   *text = extra_member(row_object(converter), column->planned->name);

	if (text == NULL)
		warn_of_missing(converter);
	else
		refuse_odd_number(column, text);
	return from_text(converter, column, text !=NULL && text[0] != '\0' ? text : NULL, isnull);
}

static Datum
convert_column(KisConverter *converter, ConvertedColumn *column, bool *isnull)
{
	const KisTableRow *row = converter->row;
	const KisRequest *request = row->request;
	const KisColumn *planned = column->planned;

	switch (planned->source)
	{
		case KIS_SOURCE_MARKET:
			return from_text(converter, column, row->code->market, isnull);
		case KIS_SOURCE_SECTOR:
			return from_text(converter, column, row->code->sector, isnull);
		case KIS_SOURCE_INVESTOR:
			return from_text(converter, column, kis_investors[row->investor].code, isnull);
		case KIS_SOURCE_COLLECTED_AT:
			warn_of_clock(converter);
			return convert_time(converter, column, TIMESTAMPTZOID,
								TimestampTzGetDatum(request->arrived_at), isnull);
		case KIS_SOURCE_TRADE_DATE:
			warn_of_clock(converter);
			return convert_time(converter, column, DATEOID,
								DateADTGetDatum(trading_day(converter)), isnull);
		case KIS_SOURCE_DAY:
		case KIS_SOURCE_MEMBER:
		case KIS_SOURCE_FIGURE:
			return convert_member(converter, column,
								  reply_row(converter)->values[member_number(planned, row->investor)],
								  isnull);
		case KIS_SOURCE_MEMBER_INVESTOR:
			return convert_member(converter, column, row_investor(converter), isnull);
		case KIS_SOURCE_EXTRA_MEMBER:
			return convert_extra_member(converter, column, isnull);
		case KIS_SOURCE_OBJECT:
			return from_text(converter, column, row_object(converter), isnull);
		case KIS_SOURCE_REPLY:
			return from_text(converter, column, kis_to_server(request->reply->body), isnull);
	}
	pg_unreachable();
}

/* The members that a scan reads, as EXPLAIN shows them: of figures those of all investors. */
List *
kis_members_read(const KisScanPlan *plan)
{
	List	   *members = NIL;

	for (int i = 0; i < plan->ncolumns; i++)
	{
		const KisColumn *column = &plan->columns[i];
		int			n = column->source == KIS_SOURCE_FIGURE ? kis_investor_count : 1;

		for (int j = 0; j < n; j++)
		{
			const char *name = member_name(plan->table->call, column, j);

			if (name != NULL)
				members = lappend(members, (char *) name);
		}
	}
	return members;
}

/*
 * Makes a row the values of the plan's columns; the others are left alone.
 * Allocates in the current memory context. Raises what the columns' types make
 * of the values. May wait for the calendar.
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
	error_context_stack = &context;
	for (int i = 0; i < converter->plan->ncolumns; i++)
	{
		ConvertedColumn *column = &converter->columns[i];
		int			attr = column->planned->attnum - 1;

		converter->current = column;
		CHECK_FOR_INTERRUPTS();
		datums[attr] = convert_column(converter, column, &nulls[attr]);
	}
	error_context_stack = context.previous;
}
