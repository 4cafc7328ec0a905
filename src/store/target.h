/*
 * target.h
 *		Which pairs a collection fetches.
 */
#ifndef KIS_STORE_TARGET_H
#define KIS_STORE_TARGET_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "common/option.h"
#include "request/calendar.h"
#include "request/state.h"

typedef enum KisOutcome
{
	KIS_OUTCOME_INSERTED,
	KIS_OUTCOME_UPDATED,
	KIS_OUTCOME_UNCHANGED,
	KIS_OUTCOME_SKIPPED,
	KIS_OUTCOME_FAILED
} KisOutcome;

/* A pair to collect, its answer, and what came of it. */
typedef struct KisTarget
{
	KisPairCode pair;
	KisRequest *request;
	KisRequest *index_request;	/* NULL: the index is not wanted, or the pair
								 * has none */
	const char *index_level;	/* a decimal number; NULL: not known */
	const char *index_detail;	/* why it is not, where it was wanted */
	TimestampTz collected_at;
	DateADT		trade_date;
	bool		has_trade_date;
	KisHours	hours;			/* of collected_at, where there is a trade
								 * date */
	bool		has_figures;	/* one is not zero */
	int64	   *figures;		/* of all members; NULL until there is an
								 * answer */
	bool	   *nulls;
	KisOutcome	outcome;
	const char *detail;			/* NULL: nothing to say */
	const char *hint;			/* of a calendar that failed; NULL: none */
	bool		worth_snapshot; /* the figures are the trade date's */
	int			took_ms;		/* from the call to the reply; negative: none
								 * came */
	TimestampTz stored_at;		/* where the day's row is newer: its time */
} KisTarget;

/* What a call takes of a target; and a day for messages, whatever the DateStyle. */
extern KisCallArgs kis_target_args(const KisTarget *target);
extern char *kis_target_day_text(DateADT day);

/* The pairs that targets name, each once, in the order of their keys; palloc'd. */
extern KisTarget *kis_targets(ArrayType *targets, const KisServerOptions *options, int *ntargets);

#endif							/* KIS_STORE_TARGET_H */
