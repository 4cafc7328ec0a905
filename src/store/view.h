/*
 * view.h
 *		The store by investor: a view for people and their tools, with names,
 *		Seoul's local time and amounts in 억원 (100 million won).
 */
#ifndef KIS_STORE_VIEW_H
#define KIS_STORE_VIEW_H

#include "postgres.h"

#include "store/table.h"

extern void kis_view_make(const KisStoreTable *store, Oid namespace);

#endif							/* KIS_STORE_VIEW_H */
