/*
 * code_warnings.c
 *		A warning where a query refers to codes that the table doesn't hold: an
 *		empty answer alone would look like an answer.
 *
 * The referenced codes are those of equalities of the query's own that stand
 * alone or are joined by AND: the plan lists these. A market and a sector that
 * are referenced together are a pair.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "common/option.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "plan/conditions.h"
#include "plan/keys.h"
#include "plan/scan_plan.h"
#include "request/query_context.h"
#include "scan/code_warnings.h"
#include "scan/state.h"

/* A longer array of codes was made by a program, which makes no typing errors. */
#define MAX_CODES	100

/* A code that the query refers to, and the pairs, or the investors, that have it. */
typedef struct ReferencedCode
{
	const char *code;
	Bitmapset  *holders;
} ReferencedCode;

/* The codes of one kind, of ReferencedCode *, and who has any of them. */
typedef struct ReferencedCodes
{
	List	   *codes;
	Bitmapset  *holders;
} ReferencedCodes;

/* What a query refers to, by kind: KIS_SOURCE_MARKET, _SECTOR and _INVESTOR. */
typedef struct CodeCheck
{
	KisScan    *scan;
	const char *relname;
	ReferencedCodes kinds[KIS_SOURCE_INVESTOR + 1];
} CodeCheck;

/* A table, as IMPORT makes it, that holds the pair, or any pair with the code that is not NULL; or NULL. */
static const char *
table_that_holds(const CodeCheck *check, const char *market, const char *sector)
{
	KisTableOptions options = {0};

	for (int i = 0; kis_tables[i] != NULL; i++)
	{
		int			npairs;
		KisPairCode *pairs = kis_table_pairs(kis_tables[i], &options,
											 check->scan->connection->options, &npairs);

		for (int j = 0; j < npairs && kis_call_takes(kis_tables[i]->call, KIS_ARG_MARKET); j++)
			if ((market == NULL || strcmp(pairs[j].market, market) == 0) &&
				(sector == NULL || strcmp(pairs[j].sector, sector) == 0))
				return kis_tables[i]->name;
	}
	return NULL;
}

/* What to do about a pair, or about a code whose other is NULL, that the table doesn't hold. */
static const char *
hint_of_pair(const CodeCheck *check, const char *market, const char *sector)
{
	const KisScanPlan *plan = check->scan->plan;
	const char *table = table_that_holds(check, market, sector);
	const char *suggested = sector == NULL ? kis_suggest_market(market) :
		kis_suggest_sector(market, sector);

	if (table != NULL && plan->table->by_investor)
		return psprintf("Use %s, or a foreign table with the options table_name '%s' and pairs 'all'.",
						table, plan->table->name);
	if (table != NULL)
		return psprintf("Use %s, which holds it.", table);

	/* the same code of another market is none of this one */
	if (suggested != NULL && (sector == NULL || strcmp(suggested, sector) != 0))
		return psprintf("Did you mean \"%s\"?", suggested);
	return psprintf("The view kis_sector lists markets and their sectors. If KIS has it all the same, add it to the option \"extra_pairs\" of server \"%s\"%s.",
					check->scan->connection->server_name,
					plan->options.pairs == KIS_PAIRS_ALL ? "" : " and query a table of all pairs");
}

static const char *
hint_of_investor(const char *investor)
{
	const char *suggested = kis_suggest_investor(investor);

	return suggested != NULL ? psprintf("Did you mean \"%s\"?", suggested) :
		"The view kis_investor_type lists the investors.";
}

/* Warns, once a query. */
static void
warn(const CodeCheck *check, const char *message, const char *hint)
{
	if (kis_warn_once(check->scan->query, message))
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA),
				 errmsg_internal("%s", kis_to_client_lossy(message)),
				 errhint("%s", hint)));
}

/*
 * Warns of the codes of a kind that the table doesn't hold, or not together
 * with any referenced code of the other kind.
 *
 * Of a sector that stands beside a market the pair is what is wrong; beside
 * markets that are all unknown it is nothing more.
 */
static void
check_codes(const CodeCheck *check, KisSource kind)
{
	static const char *const names[] = {"market code", "sector code", "investor"};
	static const ReferencedCodes none = {0};
	const ReferencedCodes *others = kind == KIS_SOURCE_MARKET ? &check->kinds[KIS_SOURCE_SECTOR] :
		kind == KIS_SOURCE_SECTOR ? &check->kinds[KIS_SOURCE_MARKET] : &none;
	const char *other = NULL;
	ListCell   *cell;

	foreach(cell, others->codes)
	{
		const ReferencedCode *code = lfirst(cell);

		if (other == NULL && !bms_is_empty(code->holders))
			other = code->code;
	}
	foreach(cell, check->kinds[kind].codes)
	{
		const ReferencedCode *code = lfirst(cell);
		const char *market = kind == KIS_SOURCE_MARKET ? code->code : other;
		const char *sector = kind == KIS_SOURCE_MARKET ? other : code->code;

		if (bms_is_empty(code->holders) && (kind == KIS_SOURCE_MARKET || others->codes == NIL))
			warn(check,
				 psprintf("\"%s\" is no %s of foreign table \"%s\"", code->code, names[kind], check->relname),
				 kind == KIS_SOURCE_MARKET ? hint_of_pair(check, code->code, NULL) :
				 kind == KIS_SOURCE_SECTOR ? hint_of_pair(check, NULL, code->code) :
				 hint_of_investor(code->code));
		else if (other != NULL && !bms_overlap(code->holders, others->holders))
			warn(check,
				 psprintf("foreign table \"%s\" does not hold %s/%s", check->relname, market, sector),
				 hint_of_pair(check, market, sector));
	}
}

/* The pairs, or the investors, whose key equals value by the query's own operator. */
static Bitmapset *
find_holders(const KisKeyValues *values, const KisKeyEquality *equality, Datum value)
{
	LOCAL_FCINFO(call, 2);
	int			key = equality->value_first;
	Bitmapset  *found = NULL;
	FmgrInfo	equals;

	fmgr_info(equality->function, &equals);
	for (int i = 0; i < values->n; i++)
	{
		Datum		result;

		CHECK_FOR_INTERRUPTS();
		InitFunctionCallInfoData(*call, &equals, 2, equality->collation, NULL, NULL);
		call->args[key].value = kis_key_value(values, i, equality->attnum);
		call->args[key].isnull = false;
		call->args[1 - key].value = value;
		call->args[1 - key].isnull = false;
		result = FunctionCallInvoke(call);
		/* a user's own may say neither yes nor no */
		if (!call->isnull && DatumGetBool(result))
			found = bms_add_member(found, i);
	}
	return found;
}

/* Adds the code that one value of an equality is. */
static void
add_code(CodeCheck *check, KisSource kind, const KisKeyEquality *equality, Oid type, Datum value)
{
	ReferencedCodes *codes = &check->kinds[kind];
	ReferencedCode *code = palloc(sizeof(ReferencedCode));
	Oid			output;
	bool		is_varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);

	/* the blanks of a bpchar are not typed */
	for (char *end = text +strlen(text); end > text &&end[-1] == ' '; end--)
		end[-1] = '\0';
	code->code = kis_shown(text);
	code->holders = find_holders(kind == KIS_SOURCE_INVESTOR ? check->scan->investors : check->scan->values,
								 equality, value);
	codes->codes = lappend(codes->codes, code);
	codes->holders = bms_add_members(codes->holders, code->holders);
}

/* Adds the codes that an equality refers to; a null is none. */
static void
add_codes(ForeignScanState *node, CodeCheck *check, const KisKeyEquality *equality)
{
	const KisScanPlan *plan = check->scan->plan;
	ExprState  *state = ExecInitExpr((Expr *) equality->value, &node->ss.ps);
	KisSource	kind = KIS_SOURCE_INVESTOR;
	ArrayType  *array;
	ArrayIterator iterator;
	bool		isnull;
	Datum		value = ExecEvalExpr(state, check->scan->econtext, &isnull);

	if (isnull)
		return;
	for (int i = 0; i < plan->nkeys; i++)
		if (plan->keys[i].attnum == equality->attnum)
			kind = plan->keys[i].source;
	if (!equality->is_array)
	{
		add_code(check, kind, equality, exprType(equality->value), value);
		return;
	}
	array = DatumGetArrayTypeP(value);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_CODES)
		return;
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &value, &isnull))
		if (!isnull)
			add_code(check, kind, equality, ARR_ELEMTYPE(array), value);
}

/*
 * Warns of each code that the query refers to and the table doesn't hold, once a
 * query. To be called after the pairs are chosen, so that a condition that
 * fails does so there. Allocates in the current memory context.
 */
void
kis_warn_of_unknown_codes(ForeignScanState *node, KisScan *scan)
{
	const KisScanPlan *plan = scan->plan;
	Bitmapset  *keys;
	CodeCheck	check = {
		.scan = scan,
		.relname = RelationGetRelationName(node->ss.ss_currentRelation)
	};
	bool		may_be_unknown = scan->npairs == 0;
	ListCell   *cell;

	/*
	 * what satisfies all equalities is held, and so is each code of theirs,
	 * but for an array's others
	 */
	foreach(cell, plan->referenced)
		may_be_unknown |= IsA(lfirst(cell), ScalarArrayOpExpr);
	if (!may_be_unknown)
		return;

	keys = bms_union(plan->key_attrs, plan->investor_attrs);
	foreach(cell, plan->referenced)
	{
		KisKeyEquality equality;

		if (kis_key_equality(lfirst(cell), ((Scan *) node->ss.ps.plan)->scanrelid, keys, &equality))
			add_codes(node, &check, &equality);
	}
	check_codes(&check, KIS_SOURCE_MARKET);
	check_codes(&check, KIS_SOURCE_SECTOR);
	check_codes(&check, KIS_SOURCE_INVESTOR);
}
