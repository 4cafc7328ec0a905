/*
 * suggest.h
 *		Did you mean: the code or name that is near to what somebody typed.
 */
#ifndef KIS_COMMON_SUGGEST_H
#define KIS_COMMON_SUGGEST_H

#include "kis/catalog.h"

#include "postgres.h"

/* The code that somebody means who typed this; NULL where none is near. */
extern const char *kis_suggest_market(const char *typed);
extern const char *kis_suggest_investor(const char *typed);

/* The pair whose sector somebody means, of the market if that has it; NULL where there is none. */
extern const KisPair *kis_suggest_pair(const char *market, const char *typed);

/* The candidate nearest to what was typed, or NULL; a NULL ends the candidates. */
extern const char *kis_suggest_name(const char *typed, const char *const *candidates);

#endif							/* KIS_COMMON_SUGGEST_H */
