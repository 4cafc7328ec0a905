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
#include "store/target.h"

/* Takes the figures of a row that these tables have columns for; NULL, or what is wrong with one. */
extern char *kis_figures_take(const KisCall *call, const KisRow *row, const KisStoreTable *store,
							  const KisStoreTable *snapshots, KisQuery *query, KisTarget *target,
							  int *sqlstate);

#endif							/* KIS_STORE_FIGURES_H */
