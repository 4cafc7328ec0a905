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

#include "access/transam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "common/error.h"
#include "common/messages.h"
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

/* The codes that a query refers to, each a List of strings by its kind: KIS_SOURCE_MARKET, _SECTOR, _INVESTOR. */
typedef struct CodeCheck
{
	KisScan    *scan;
	const char *relname;
	List	   *codes[KIS_SOURCE_INVESTOR + 1];
} CodeCheck;

/* Is there a pair of these codes? NULL: of any. */
static bool
has_pair(int npairs, const KisPairCode *pairs, const char *market, const char *sector)
{
	for (int i = 0; i < npairs; i++)
		if ((market == NULL || strcmp(pairs[i].market, market) == 0) &&
			(sector == NULL || strcmp(pairs[i].sector, sector) == 0))
			return true;
	return false;
}

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

		if (kis_call_takes(kis_tables[i]->call, KIS_ARG_MARKET) &&
			has_pair(npairs, pairs, market, sector))
			return kis_tables[i]->name;
	}
	return NULL;
}

/* Would the table itself hold the pair, had it all of its call's? */
static bool
is_of_call(const CodeCheck *check, const char *market, const char *sector)
{
	const KisTable *table = check->scan->plan->table;
	KisTableOptions options = {.pairs = KIS_PAIRS_ALL};
	int			npairs;
	KisPairCode *pairs = kis_table_pairs(table, &options, check->scan->connection->options, &npairs);

	return has_pair(npairs, pairs, market, sector);
}

/* What to do about a pair, or about a code whose other is NULL, that the table doesn't hold. */
static const char *
hint_of_pair(const CodeCheck *check, const char *market, const char *sector)
{
	const KisScanPlan *plan = check->scan->plan;
	const char *table = table_that_holds(check, market, sector);
	const KisPair *pair = sector != NULL ? kis_suggest_pair(market, sector) : NULL;
	const char *suggested = sector == NULL ? kis_suggest_market(market) : pair ? pair->sector : NULL;

	if (table != NULL && plan->table->by_investor)
		return psprintf(_("Use %s, or a foreign table with the options table_name '%s' and pairs 'all'."),
						table, plan->table->name);
	if (table != NULL && kis_table_find(table)->call != plan->table->call && is_of_call(check, market, sector))
		return psprintf(_("Use a foreign table with the options table_name '%s' and pairs 'all'."), plan->table->name);
	if (table != NULL)
		return psprintf(_("Use %s, which holds it."), table);

	/* the same code of another market is none of this one */
	if (suggested != NULL && (sector == NULL || strcmp(suggested, sector) != 0))
		return psprintf(_("Did you mean \"%s\"?"), suggested);
	return psprintf(_("The view kis_sector lists markets and their sectors. If KIS has it all the same, add it to the option \"extra_pairs\" of server \"%s\"%s."),
					check->scan->connection->server_name,
					plan->options.pairs == KIS_PAIRS_ALL ? "" : _(" and query a table of all pairs"));
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

/* Does the table hold the code, together with one of the others' where there are any? */
static bool
is_held(const CodeCheck *check, KisSource kind, const char *code, const List *others)
{
	const KisKeyValues *values = check->scan->values;
	ListCell   *cell;

	if (others == NIL)
		return has_pair(values->n, values->pairs, kind == KIS_SOURCE_MARKET ? code : NULL,
						kind == KIS_SOURCE_MARKET ? NULL : code);
	foreach(cell, others)
	{
		const char *other = lfirst(cell);

		if (has_pair(values->n, values->pairs, kind == KIS_SOURCE_MARKET ? code : other,
					 kind == KIS_SOURCE_MARKET ? other : code))
			return true;
	}
	return false;
}

/*
 * Warns of the markets, or sectors, that the table doesn't hold, or not together
 * with any code of the other kind.
 *
 * Of a sector that stands beside a market the pair is what is wrong; beside
 * markets that are all unknown it is nothing more.
 */
static void
check_pairs(const CodeCheck *check, KisSource kind)
{
	bool		is_market = kind == KIS_SOURCE_MARKET;
	KisSource	other_kind = is_market ? KIS_SOURCE_SECTOR : KIS_SOURCE_MARKET;
	const List *others = check->codes[other_kind];
	const char *other = NULL;
	ListCell   *cell;

	foreach(cell, others)
	{
		if (other == NULL && is_held(check, other_kind, lfirst(cell), NIL))
			other = lfirst(cell);
	}
	foreach(cell, check->codes[kind])
	{
		const char *code = lfirst(cell);
		const char *market = is_market ? code : other;
		const char *sector = is_market ? other : code;

		if (is_held(check, kind, code, others))
			continue;
		if ((is_market || others == NIL) && !is_held(check, kind, code, NIL))
			warn(check,
				 psprintf(is_market ? _("\"%s\" is no market code of foreign table \"%s\"") :
						  _("\"%s\" is no sector code of foreign table \"%s\""), code, check->relname),
				 hint_of_pair(check, is_market ? code : NULL, is_market ? NULL : code));
		else if (other != NULL)
			warn(check,
				 psprintf(_("foreign table \"%s\" does not hold %s/%s"), check->relname, market, sector),
				 hint_of_pair(check, market, sector));
	}
}

/* Where a member of KIS's names the investor, he may be one whom nobody knows: then only what is like one of ours is warned of. */
static void
check_investors(const CodeCheck *check)
{
	const KisTranslation *investors = check->scan->plan->table->call->investors;
	ListCell   *cell;

	foreach(cell, check->codes[KIS_SOURCE_INVESTOR])
	{
		const char *code = lfirst(cell);
		const char *suggested = kis_translate(investors, code);

		if (suggested == NULL)
			suggested = kis_suggest_investor(code);
		if (suggested == NULL ? investors == NULL : strcmp(suggested, code) != 0)
			warn(check, psprintf(_("\"%s\" is no investor of foreign table \"%s\""), code, check->relname),
				 suggested != NULL ? psprintf(_("Did you mean \"%s\"?"), suggested) :
				 _("The view kis_investor_type lists the investors."));
	}
}

/*
 * Adds the code that one value of an equality is. Not of a type of a user's,
 * which may take for equal what differs as text.
 */
static void
add_code(CodeCheck *check, KisSource kind, Oid type, Datum value)
{
	Oid			output;
	bool		is_varlena;
	char	   *text;

	if (type >= FirstGenbkiObjectId)
		return;
	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);

	/* the blanks of a bpchar are not typed */
	for (char *end = text +strlen(text); end > text &&end[-1] == ' '; end--)
		end[-1] = '\0';
	check->codes[kind] = lappend(check->codes[kind], kis_shown(text));
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

	if (isnull ||
		(OidIsValid(equality->collation) && !get_collation_isdeterministic(equality->collation)))
		return;
	for (int i = 0; i < plan->nkeys; i++)
		if (plan->keys[i].attnum == equality->attnum)
			kind = plan->keys[i].source;
	if (!equality->is_array)
	{
		add_code(check, kind, exprType(equality->value), value);
		return;
	}
	array = DatumGetArrayTypeP(value);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_CODES)
		return;
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &value, &isnull))
		if (!isnull)
			add_code(check, kind, ARR_ELEMTYPE(array), value);
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
	CodeCheck	check = {
		.scan = scan,
		.relname = RelationGetRelationName(node->ss.ss_currentRelation)
	};
	bool		may_be_unknown = scan->npairs == 0;
	ListCell   *cell;

	/*
	 * what satisfies all equalities is held, and so is each code of theirs,
	 * but for an array's others, and for investors whom a member names
	 */
	foreach(cell, plan->referenced)
		may_be_unknown |= IsA(lfirst(cell), ScalarArrayOpExpr) || plan->table->call->investors != NULL;
	if (!may_be_unknown)
		return;

	foreach(cell, plan->referenced)
	{
		KisKeyEquality equality;

		if (kis_key_equality(lfirst(cell), ((Scan *) node->ss.ps.plan)->scanrelid, plan->code_attrs, &equality))
			add_codes(node, &check, &equality);
	}
	check_pairs(&check, KIS_SOURCE_MARKET);
	check_pairs(&check, KIS_SOURCE_SECTOR);
	check_investors(&check);
}
