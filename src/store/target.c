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
#include "kis.h"
#include "kis/catalog.h"
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

/* Has the server an extra pair of these codes? sector is NULL: of this market. */
static bool
is_extra(const char *market, const char *sector, const KisServerOptions *options)
{
	ListCell   *lc;

	foreach(lc, options->extra_pairs)
	{
		const KisPairCode *extra = lfirst(lc);

		if (strcmp(extra->market, market) == 0 &&
			(sector == NULL || strcmp(extra->sector, sector) == 0))
			return true;
	}
	return false;
}

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

/* The first that has it. */
static const char *
market_of_sector(const char *sector)
{
	for (int i = 0; i < kis_pair_count; i++)
		if (strcmp(kis_pairs[i].sector, sector) == 0)
			return kis_pairs[i].market;
	return NULL;
}

static void
unknown_sector(const char *target, const char *market, const char *sector)
{
	const char *near = kis_suggest_sector(market, sector);
	const char *near_market = market;

	/* a code of another market is that one's; a name may be several markets' */
	if (near != NULL && kis_pair_find(market, near) == NULL)
		near_market = market_of_sector(near);
	bad_target(target,
			   psprintf(_("Market \"%s\" has no sector \"%s\"."), market, sector),
			   near ? psprintf(_("Did you mean \"%s/%s\"?"), near_market, near) :
			   _("The markets and their sectors are in the view kis_sector; the server option extra_pairs adds new ones."));
}

/* A code that is too long is cut. */
static KisPairCode *
add_target(List **targets, const char *market, const char *sector)
{
	KisTarget  *target = palloc0(sizeof(KisTarget));

	strlcpy(target->pair.market, market, KIS_MARKET_LEN);
	strlcpy(target->pair.sector, sector, KIS_SECTOR_LEN);
	*targets = lappend(*targets, target);
	return &target->pair;
}

/* Adds a market's pairs that stand for the whole of it; of a market that is not listed, its extra pairs. */
static void
add_headlines(List **targets, const char *market, const KisServerOptions *options)
{
	int			before = list_length(*targets);
	ListCell   *lc;

	for (int i = 0; i < kis_pair_count; i++)
		if (kis_pairs[i].headline && strcmp(kis_pairs[i].market, market) == 0)
			add_target(targets, kis_pairs[i].market, kis_pairs[i].sector);
	foreach(lc, kis_market_find(market) == NULL ? options->extra_pairs : NIL)
	{
		const KisPairCode *extra = lfirst(lc);

		if (strcmp(extra->market, market) == 0)
			add_target(targets, extra->market, extra->sector);
	}
	if (list_length(*targets) == before)
		unknown_market(market, market);
}

/* Adds the pairs that one element names. */
static void
add_element(List **targets, const char *element, const KisServerOptions *options)
{
	const char *slash = strchr(element, '/');
	char	   *market = pnstrdup(element, strcspn(element, "/"));
	KisPairCode *pair;

	if (strlen(element) > MAX_TARGET_LEN)
		bad_target(kis_shown(element), _("It is longer than any target."),
				   _("Write it as KSP or as KSP/0001."));
	if (*market == '\0' || (slash != NULL && (slash[1] == '\0' || strchr(slash + 1, '/'))))
		bad_target(element, _("A target is a market's code, or a market's and a sector's."),
				   _("Write it as KSP or as KSP/0001."));
	if (slash == NULL)
	{
		add_headlines(targets, market, options);
		return;
	}

	pair = add_target(targets, market, slash + 1);
	if (strcmp(pair->market, market) == 0 && strcmp(pair->sector, slash + 1) == 0 &&
		(kis_pair_find(market, slash + 1) != NULL || is_extra(market, slash + 1, options)))
		return;
	if (kis_market_find(market) == NULL && !is_extra(market, NULL, options))
		unknown_market(element, market);
	else
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
	List	   *targets = NIL;
	ListCell   *lc;
	KisTarget  *sorted;
	int			n = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	if (nelements == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"targets\": \"{}\""),
				 errhint("Name a market, such as KSP, or a pair, such as KSP/0001.")));
	for (int i = 0; i < nelements; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a target must not be null"),
					 errhint("Write it as KSP or as KSP/0001.")));
		add_element(&targets, TextDatumGetCString(elements[i]), options);
	}

	sorted = palloc0(list_length(targets) * sizeof(KisTarget));
	foreach(lc, targets)
		sorted[n++] = *(KisTarget *) lfirst(lc);
	qsort(sorted, n, sizeof(KisTarget), compare_pairs);

	*ntargets = 0;
	for (int i = 0; i < n; i++)
		if (*ntargets == 0 || compare_pairs(&sorted[*ntargets - 1], &sorted[i]) != 0)
			sorted[(*ntargets)++] = sorted[i];
	return sorted;
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
