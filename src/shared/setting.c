/*
 * setting.c
 *		The extension's configuration parameters.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "shared/block.h"
#include "shared/setting.h"

#define CACHE_KB	(KIS_BLOCKS * (KIS_BLOCK_SIZE / 1024))

static int	cache_size = CACHE_KB;

/* To be called from _PG_init. */
void
kis_settings_define(void)
{
	DefineCustomIntVariable("market_investor_fdw.cache_size",
							"Sets how much of the shared memory replies of KIS may fill.",
							"The memory itself is of fixed size. 0 keeps no replies.",
							&cache_size,
							CACHE_KB, 0, CACHE_KB,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("market_investor_fdw");
}

/* Blocks of the shared memory that replies may fill: market_investor_fdw.cache_size. */
int
kis_cache_blocks(void)
{
	return cache_size / (KIS_BLOCK_SIZE / 1024);
}
