/*
 * code_warnings.c
 *		A warning where a query names codes that the table doesn't hold: an
 *		empty answer alone would look like an answer.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "common/option.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/keys.h"
#include "plan/conditions.h"
#include "plan/scan_plan.h"
#include "request/connection.h"
#include "request/query_context.h"
#include "request/state.h"
#include "scan/code_warnings.h"

/* A longer array of codes is not looked at. */
#define MAX_NAMED_CODES	100

struct KisCodeWarnings
{
	const KisScanPlan *plan;
	const KisKeyValues *values; /* of the pairs */
	const KisKeyValues *investors;
	const char *relname;
	List	   *names;			/* of KisKeyEquality * */
	List	   *value_states;	/* of ExprState *: their values */
	bool		is_plain;		/* single codes of the pair joined by AND, no
								 * more */
	bool		has_held;
	List	   *held;			/* of HeldPairs *, a table each, once somebody
								 * has asked for them */
	MemoryContext context;		/* of all of it */
};

/* What another table of KIS than the scan's holds. */
typedef struct HeldPairs
{
	const char *table;
	KisPairCode *pairs;
	int			npairs;
} HeldPairs;

/* A code that was named, and the pairs, or the investors, that have it. */
typedef struct NamedCode
{
	const char *code;
	Bitmapset  *holders;
} NamedCode;

/* What a context names of one kind, together with the contexts around it. */
typedef struct NamedSet
{
	bool		any;			/* else all codes of the kind are asked for */
	List	   *codes;			/* of NamedCode * */
	Bitmapset  *pairs;			/* that have one of them */
} NamedSet;

/* Who warns, and about what. */
typedef struct NamedCheck
{
	KisCodeWarnings *named;
	ExprContext *econtext;
	KisQuery   *query;
	const KisConnection *connection;
} NamedCheck;

static KisSource
name_source(const KisScanPlan *plan, const KisKeyEquality *name)
{
	for (int i = 0; i < plan->nkeys; i++)
		if (plan->keys[i].attnum == name->attnum)
			return plan->keys[i].source;
	return KIS_SOURCE_INVESTOR;
}

KisCodeWarnings *
kis_code_warnings_create(ForeignScanState *node, const KisScanPlan *plan, const KisKeyValues *values,
						 const KisKeyValues *investors)
{
	Index		relid = ((ForeignScan *) node->ss.ps.plan)->scan.scanrelid;
	Bitmapset  *keys = bms_union(plan->key_attrs, plan->investor_attrs);
	KisCodeWarnings *named;
	ListCell   *cell;

	if (plan->referenced == NIL)
		return NULL;
	named = palloc0(sizeof(KisCodeWarnings));
	named->plan = plan;
	named->values = values;
	named->investors = investors;
	named->relname = RelationGetRelationName(node->ss.ss_currentRelation);
	named->is_plain = true;
	foreach(cell, plan->referenced)
	{
		KisKeyEquality *name = palloc(sizeof(KisKeyEquality));

		if (!kis_key_equality(lfirst(cell), relid, keys, name))
			continue;
		named->names = lappend(named->names, name);
		named->value_states = lappend(named->value_states,
									  ExecInitExpr((Expr *) name->value, &node->ss.ps));
		named->is_plain &= !name->is_array && name_source(plan, name) != KIS_SOURCE_INVESTOR;
	}
	named->context = CurrentMemoryContext;
	return named;
}

/* ---- what a warning says --------------------------------------------------- */

static void
warn(const NamedCheck *check, const char *message, const char *hint)
{
	if (kis_warn_once(check->query, message))
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA),
				 errmsg_internal("%s", kis_to_client_lossy(message)),
				 errhint("%s", hint)));
}

/* What the tables hold that IMPORT FOREIGN SCHEMA makes. */
static List *
held_pairs(const NamedCheck *check)
{
	KisCodeWarnings *named = check->named;
	MemoryContext old = MemoryContextSwitchTo(named->context);
	KisTableOptions options = {0};

	for (int i = 0; !named->has_held && kis_tables[i] != NULL; i++)
	{
		HeldPairs  *held = palloc(sizeof(HeldPairs));

		if (!kis_call_takes(kis_tables[i]->call, KIS_ARG_MARKET))
			continue;
		held->table = kis_tables[i]->name;
		held->pairs = kis_table_pairs(kis_tables[i], &options, check->connection->options,
									  &held->npairs);
		named->held = lappend(named->held, held);
	}
	named->has_held = true;
	MemoryContextSwitchTo(old);
	return named->held;
}

/* A table of KIS other than the scan's that holds the pair, or any pair with such a code; or NULL. */
static const char *
table_that_holds(const NamedCheck *check, const char *market, const char *sector)
{
	ListCell   *cell;

	foreach(cell, held_pairs(check))
	{
		const HeldPairs *held = lfirst(cell);

		for (int i = 0; i < held->npairs; i++)
			if ((market == NULL || strcmp(held->pairs[i].market, market) == 0) &&
				(sector == NULL || strcmp(held->pairs[i].sector, sector) == 0))
				return held->table;
	}
	return NULL;
}

/* What to read instead for a pair, or for any pair with such a code; NULL: nothing holds it. */
static char *
hint_of_table(const NamedCheck *check, const char *market, const char *sector)
{
	const char *table = table_that_holds(check, market, sector);

	if (table == NULL)
		return NULL;
	if (check->named->plan->table->by_investor)
		return psprintf("Use %s, or a foreign table with the options table_name '%s' and pairs 'all'.",
						table, check->named->plan->table->name);
	return psprintf("Use %s, which holds it.", table);
}

/* What to do where KIS has what we don't list. */
static char *
add_extra_pairs(const NamedCheck *check, const char *condition)
{
	return psprintf(" If KIS %s all the same, add it to the option \"extra_pairs\" of server \"%s\"%s.",
					condition, check->connection->server_name,
					check->named->plan->options.pairs == KIS_PAIRS_ALL ? "" :
					" and ask a table of all pairs for it");
}

static char *
list_of_markets(const KisKeyValues *values)
{
	StringInfoData list;
	const char *last = "";

	initStringInfo(&list);
	for (int i = 0; i < values->n; i++)
	{
		if (strcmp(values->pairs[i].market, last) != 0)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", values->pairs[i].market);
		last = values->pairs[i].market;
	}
	return list.data;
}

static void
warn_of_market(const NamedCheck *check, const char *market)
{
	char	   *hint = hint_of_table(check, market, NULL);
	const char *meant = kis_suggest_market(market);

	if (hint == NULL && meant != NULL)
		hint = psprintf("Did you mean \"%s\"?", meant);
	else if (hint == NULL)
		hint = psprintf("Its markets are %s.%s", list_of_markets(check->named->values),
						kis_may_be_market(market) ? add_extra_pairs(check, "has this market") : "");
	warn(check, psprintf("\"%s\" is no market code of foreign table \"%s\"",
						 market, check->named->relname), hint);
}

static void
warn_of_sector(const NamedCheck *check, const char *sector)
{
	char	   *hint = hint_of_table(check, NULL, sector);
	const char *meant = kis_suggest_sector(NULL, sector);

	if (hint == NULL && meant != NULL)
		hint = psprintf("Did you mean \"%s\"?", meant);
	else if (hint == NULL)
		hint = psprintf("The view kis_sector lists markets and their sectors.%s",
						kis_may_be_sector(sector) ? add_extra_pairs(check, "has this sector") : "");
	warn(check, psprintf("\"%s\" is no sector code of foreign table \"%s\"",
						 sector, check->named->relname), hint);
}

static void
warn_of_pair(const NamedCheck *check, const char *market, const char *sector)
{
	char	   *hint = hint_of_table(check, market, sector);
	const char *meant = kis_suggest_sector(market, sector);

	/* the same code of another market is none of this one */
	if (hint == NULL && meant != NULL && strcmp(meant, sector) != 0)
		hint = psprintf("Did you mean \"%s\"?", meant);
	else if (hint == NULL)
		hint = psprintf("The view kis_sector lists markets and their sectors.%s",
						add_extra_pairs(check, "has this pair"));
	warn(check, psprintf("foreign table \"%s\" does not hold %s/%s",
						 check->named->relname, market, sector), hint);
}

static void
warn_of_investor(const NamedCheck *check, const char *investor)
{
	const char *meant = kis_suggest_investor(investor);

	warn(check, psprintf("\"%s\" is no investor of foreign table \"%s\"",
						 investor, check->named->relname),
		 meant != NULL ? psprintf("Did you mean \"%s\"?", meant) :
		 "The view kis_investor_type lists the investors.");
}

/* ---- which codes the table doesn't hold ----------------------------------- */

/* Two values that are not null; what says neither yes nor no is no equality. */
static bool
is_equal(FmgrInfo *equals, Oid collation, Datum left, Datum right)
{
	LOCAL_FCINFO(call, 2);
	Datum		result;

	InitFunctionCallInfoData(*call, equals, 2, collation, NULL, NULL);
	call->args[0] = (NullableDatum)
	{
		.value = left
	};
	call->args[1] = (NullableDatum)
	{
		.value = right
	};
	result = FunctionCallInvoke(call);
	return !call->isnull && DatumGetBool(result);
}

/* The pairs, or the investors, that have the code. */
static Bitmapset *
holders(const KisCodeWarnings *named, const KisKeyEquality *name, Datum value)
{
	const KisKeyValues *values = name_source(named->plan, name) == KIS_SOURCE_INVESTOR ?
		named->investors : named->values;
	bool		value_first = name->value_first;
	Bitmapset  *found = NULL;
	FmgrInfo	equals;

	fmgr_info(name->function, &equals);
	for (int i = 0; i < values->n; i++)
	{
		Datum		key = kis_key_value(values, i, name->attnum);

		CHECK_FOR_INTERRUPTS();
		if (is_equal(&equals, name->collation, value_first ? value : key, value_first ? key : value))
			found = bms_add_member(found, i);
	}
	return found;
}

static NamedCode *
named_code(const KisCodeWarnings *named, const KisKeyEquality *name, Datum value, Oid type)
{
	NamedCode  *code = palloc(sizeof(NamedCode));
	Oid			output;
	bool		is_varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);

	/* the blanks of a bpchar are not typed */
	for (char *end = text +strlen(text); end > text &&end[-1] == ' '; end--)
		end[-1] = '\0';
	code->code = kis_shown(text);
	code->holders = holders(named, name, value);
	return code;
}

/* The codes that a name stands for; a null names nothing. */
static List *
codes_of_name(const NamedCheck *check, const KisKeyEquality *name, ExprState *state)
{
	const KisCodeWarnings *named = check->named;
	Oid			type = exprType(name->value);
	List	   *codes = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum		value;
	bool		isnull;
	ArrayType  *array;

	value = ExecEvalExpr(state, check->econtext, &isnull);
	if (isnull)
		return NIL;
	if (!name->is_array)
		return list_make1(named_code(named, name, value, type));

	/* who names so many has not typed them */
	array = DatumGetArrayTypeP(value);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_NAMED_CODES)
		return NIL;
	type = get_base_element_type(type);
	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			codes = lappend(codes, named_code(named, name, elements[i], type));
	return codes;
}

static void
narrow(NamedSet *set, List *codes)
{
	Bitmapset  *pairs = NULL;
	ListCell   *cell;

	foreach(cell, codes)
		pairs = bms_add_members(pairs, ((NamedCode *) lfirst(cell))->holders);
	set->pairs = set->any ? bms_int_members(pairs, set->pairs) : pairs;
	set->codes = codes;
	set->any = true;
}

/*
 * Warns of the pairs that a code makes with the codes of the other kind that
 * are named with it, where the table holds none of them: of several, of those
 * that some other table holds. Returns whether it did.
 */
static bool
warn_of_pairs(const NamedCheck *check, const NamedCode *code, bool is_market,
			  const NamedSet *others, bool only_held_elsewhere)
{
	bool		warned = false;
	ListCell   *cell;

	foreach(cell, others->codes)
	{
		const NamedCode *other = lfirst(cell);
		const char *market = is_market ? code->code : other->code;
		const char *sector = is_market ? other->code : code->code;

		CHECK_FOR_INTERRUPTS();
		/* a market that the table doesn't know has its own warning */
		if (bms_is_empty(is_market ? code->holders : other->holders) ||
			(only_held_elsewhere && table_that_holds(check, market, sector) == NULL))
			continue;
		warn_of_pair(check, market, sector);
		warned = true;
		if (!only_held_elsewhere)
			break;
	}
	return warned;
}

static void
check_code(const NamedCheck *check, const NamedCode *code, bool is_market, const NamedSet *others)
{
	bool		in_pair = others->any && others->codes != NIL;
	bool		is_known = !bms_is_empty(code->holders);

	if (in_pair && bms_overlap(code->holders, others->pairs))
		return;
	if (in_pair && warn_of_pairs(check, code, is_market, others, true))
		return;
	if (in_pair && (is_known || list_length(others->codes) == 1) &&
		warn_of_pairs(check, code, is_market, others, false))
		return;
	if (is_known)
		return;
	if (is_market)
		warn_of_market(check, code->code);
	else if (!in_pair || !bms_is_empty(others->pairs))
		warn_of_sector(check, code->code);
}

static void
check_investors(const NamedCheck *check, List *codes)
{
	ListCell   *cell;

	foreach(cell, codes)
	{
		const NamedCode *code = lfirst(cell);

		if (bms_is_empty(code->holders))
			warn_of_investor(check, code->code);
	}
}

static void
check_names(const NamedCheck *check)
{
	NamedSet	markets = {.any = false};
	NamedSet	sectors = {.any = false};
	List	   *named_markets = NIL;
	List	   *named_sectors = NIL;
	ListCell   *cell;
	ListCell   *state;

	forboth(cell, check->named->names, state, check->named->value_states)
	{
		const KisKeyEquality *name = lfirst(cell);
		List	   *codes = codes_of_name(check, name, lfirst(state));

		CHECK_FOR_INTERRUPTS();
		switch (name_source(check->named->plan, name))
		{
			case KIS_SOURCE_MARKET:
				named_markets = list_concat(named_markets, codes);
				narrow(&markets, codes);
				break;
			case KIS_SOURCE_SECTOR:
				named_sectors = list_concat(named_sectors, codes);
				narrow(&sectors, codes);
				break;
			default:
				check_investors(check, codes);
				break;
		}
	}

	foreach(cell, named_markets)
		check_code(check, lfirst(cell), true, &sectors);
	foreach(cell, named_sectors)
		check_code(check, lfirst(cell), false, &markets);
}

/* Warns of each code that the query names and the table doesn't hold, once a query. */
void
kis_code_warnings_check(KisCodeWarnings *named, ExprContext *econtext,
						KisQuery *query, const KisConnection *connection, bool any_chosen)
{
	NamedCheck	check = {
		.named = named,
		.econtext = econtext,
		.query = query,
		.connection = connection
	};
	MemoryContext old;

	/* a pair that satisfies all of them is held, and so is each code */
	if (any_chosen && named->is_plain)
		return;
	ResetExprContext(econtext);
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	check_names(&check);
	MemoryContextSwitchTo(old);
	ResetExprContext(econtext);
}
