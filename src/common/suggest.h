/*
 * suggest.h
 *		Did you mean: the code or name that is near to what somebody typed.
 */
#ifndef KIS_COMMON_SUGGEST_H
#define KIS_COMMON_SUGGEST_H

#include "postgres.h"

/* The code that somebody means who typed this; NULL where none is near */
extern const char *kis_suggest_market(const char *typed);
extern const char *kis_suggest_sector(const char *market, const char *typed);	/* of the market first,
																				 * where it is not NULL */
extern const char *kis_suggest_investor(const char *typed);

/* May it be a code of KIS's that is not listed? It is written as these are. */
extern bool kis_may_be_market(const char *typed);

/* The candidate nearest to what was typed, for a hint */
extern const char *kis_suggest_name(const char *typed, const char *const *candidates);

#endif							/* KIS_COMMON_SUGGEST_H */
