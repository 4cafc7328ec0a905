/*
 * setting.h
 *		The extension's configuration parameters.
 */
#ifndef KIS_SHARED_SETTING_H
#define KIS_SHARED_SETTING_H

#include "postgres.h"

/* To be called from _PG_init. */
extern void kis_settings_define(void);

/* Blocks of the shared memory that replies may fill: market_investor_fdw.cache_size. */
extern int	kis_cache_blocks(void);

#endif							/* KIS_SHARED_SETTING_H */
