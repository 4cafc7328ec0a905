/*
 * target.c
 *		Which pairs a collection fetches.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"

#include "common/error.h"
#include "common/messages.h"
#include "common/option.h"
#include "common/suggest.h"
#include "common/tables.h"
#include "kis.h"
#include "kis/catalog.h"
#include "plan/columns.h"
#include "store/open.h"
#include "store/target.h"

PG_FUNCTION_INFO_V1(kis_check_targets);

/* Longer than any code, or any name of a market that is typed for one. */
#define MAX_TARGET_LEN	200

static int
compare_pairs(const void *left, const void *right)
{
	const KisPairCode *a = &((const KisTarget *) left)->pair;
	const KisPairCode *b = &((const KisTarget *) right)->pair;
	int			order = strcmp(a->market, b->market);

	return order != 0 ? order : strcmp(a->sector, b->sector);
}

/* The pairs that may be collected: those that are listed, and the server's own. */
typedef struct Choice
{
	int			npairs;
	const KisPairCode *pairs;
	bool	   *chosen;			/* a flag a pair */
} Choice;

static void
bad_target(const char *target, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid target \"%s\"", target),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

/* A market that is none, or has no pair that stands for it; suggests the nearest. */
static void
unknown_market(const char *target, const char *market)
{
	const char *near = kis_suggest_market(market);
	const char *sector = strchr(target, '/');

	bad_target(target,
			   psprintf(_("There is no market \"%s\"."), market),
			   near ? psprintf(_("Did you mean \"%s%s\"?"), near, sector ? sector : "") :
			   _("The markets and their sectors are in the view kis_sector; the server option extra_pairs adds new ones."));
}

static void
unknown_sector(const char *target, const char *market, const char *sector)
{
	/* a code of another market is that one's */
	const KisPair *near = kis_suggest_pair(market, sector);

	bad_target(target,
			   psprintf(_("Market \"%s\" has no sector \"%s\"."), market, sector),
			   near ? psprintf(_("Did you mean \"%s/%s\"?"), near->market, near->sector) :
			   _("The markets and their sectors are in the view kis_sector; the server option extra_pairs adds new ones."));
}

/*
 * Chooses the pairs that one element names: of a market those that stand for the
 * whole of it, and all of one that is not listed.
 */
static void
choose(Choice *choice, const char *element)
{
	const char *slash = strchr(element, '/');
	char	   *market = pnstrdup(element, strcspn(element, "/"));
	bool		is_market = false;
	bool		is_pair = false;

	if (strlen(element) > MAX_TARGET_LEN)
		bad_target(kis_shown(element), _("It is longer than any target."),
				   _("Write it as KSP or as KSP/0001."));
	if (*market == '\0' || (slash != NULL && (slash[1] == '\0' || strchr(slash + 1, '/'))))
		bad_target(element, _("A target is a market's code, or a market's and a sector's."),
				   _("Write it as KSP or as KSP/0001."));
	for (int i = 0; i < choice->npairs; i++)
	{
		const KisPairCode *pair = &choice->pairs[i];
		const KisPair *listed;

		if (strcmp(pair->market, market) != 0)
			continue;
		listed = kis_pair_find(pair->market, pair->sector);
		is_market = true;
		if (slash != NULL ? strcmp(pair->sector, slash + 1) == 0 :
			listed != NULL ? listed->headline : kis_market_find(market) == NULL)
			is_pair = choice->chosen[i] = true;
	}
	if (!is_market || (slash == NULL && !is_pair))
		unknown_market(element, market);
	if (!is_pair)
		unknown_sector(element, market, slash + 1);
}

KisCallArgs
kis_target_args(const KisTarget *target)
{
	KisCallArgs args = {0};

	strlcpy(args.market, target->pair.market, sizeof(args.market));
	strlcpy(args.sector, target->pair.sector, sizeof(args.sector));
	return args;
}

char *
kis_target_day_text(DateADT day)
{
	return JsonEncodeDateTime(palloc(MAXDATELEN + 1), DateADTGetDatum(day), DATEOID, NULL);
}

/*
 * The pairs that targets name, each once, in the order of their keys, which is
 * the order of writing. Raises 22023 with a hint where there is none, or one
 * names no known pair.
 */
KisTarget *
kis_targets(ArrayType *array, const KisServerOptions *options, int *ntargets)
{
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;
	KisTableOptions all = {.pairs = KIS_PAIRS_ALL};
	Choice		choice;
	KisTarget  *targets;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	if (nelements == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"targets\": \"{}\""),
				 errhint("Name a market, such as KSP, or a pair, such as KSP/0001.")));
	choice.pairs = kis_table_pairs(kis_table_find("kis_sector_trend"), &all, options, &choice.npairs);
	choice.chosen = palloc0(choice.npairs * sizeof(bool));
	for (int i = 0; i < nelements; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a target must not be null"),
					 errhint("Write it as KSP or as KSP/0001.")));
		choose(&choice, TextDatumGetCString(elements[i]));
	}

	targets = palloc0(choice.npairs * sizeof(KisTarget));
	*ntargets = 0;
	for (int i = 0; i < choice.npairs; i++)
		if (choice.chosen[i])
			targets[(*ntargets)++].pair = choice.pairs[i];
	qsort(targets, *ntargets, sizeof(KisTarget), compare_pairs);
	return targets;
}

/*
 * kis_check_targets(source name, targets text[]): raises what a collection of
 * them would raise before it calls KIS, user mapping and store aside.
 */
Datum
kis_check_targets(PG_FUNCTION_ARGS)
{
	Oid			serverid = kis_store_server(NameStr(*PG_GETARG_NAME(0)), fcinfo->flinfo->fn_oid);
	int			ntargets;

	kis_targets(PG_GETARG_ARRAYTYPE_P(1), kis_server_options(serverid), &ntargets);
	PG_RETURN_VOID();
}
