/*
 * figures.h
 *		From a row of a reply to the figures that tables hold.
 */
#ifndef KIS_STORE_FIGURES_H
#define KIS_STORE_FIGURES_H

#include "postgres.h"

#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/state.h"
#include "store/table.h"

/* Marks, of all members, those that the table has a column for. */
extern void kis_figures_want(const KisStoreTable *table, bool *wanted);

/* The figures of a row, for all members */
extern char *kis_figures_take(const KisCall *call, const KisRow *row, const bool *wanted,
							  KisQuery *query, int64 *figures, bool *nulls,
							  int *sqlstate);

#endif							/* KIS_STORE_FIGURES_H */
