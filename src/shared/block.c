/*
 * block.c
 *		Where the block that all sessions share comes from. The one file that
 *		knows: on 15 and 16 from the postmaster, so that the library must be
 *		preloaded; from 17 on from the registry of dynamic shared memory.
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#include "common/messages.h"
#include "compat.h"
#include "shared/block.h"

#define CACHE_KB	(KIS_BLOCKS * (KIS_BLOCK_SIZE / 1024))

static int	cache_size = CACHE_KB;
static KisShared *shared = NULL;

/* With its size, for a library whose constants somebody has changed: one name is one size. */
static const char *
block_name(void)
{
	return psprintf("market_investor_fdw layout %d, %zu bytes", KIS_LAYOUT, sizeof(KisShared));
}

/* Must not raise: other sessions would find a block that is half made. */
static void
initialize(KIS_INIT_ARGUMENTS)
{
	KisShared  *fresh = block;

	memset(fresh, 0, sizeof(KisShared));
	fresh->tranche = kis_new_tranche_id("market_investor_fdw");
	LWLockInitialize(&fresh->lock, fresh->tranche);
	fresh->stat_reset_at = GetCurrentTimestamp();
	for (int i = 0; i < KIS_ACCOUNT_SLOTS; i++)
	{
		pg_atomic_init_u64(&fresh->accounts[i].stat.cache_hits, 0);
		pg_atomic_init_u64(&fresh->accounts[i].stat.shared_calls, 0);
	}
	for (int i = 0; i < KIS_TOKEN_SLOTS; i++)
		ConditionVariableInit(&fresh->tokens[i].in_flight.moved);
	for (int i = 0; i < KIS_REPLY_SLOTS; i++)
	{
		ConditionVariableInit(&fresh->replies[i].in_flight.moved);
		fresh->replies[i].first_block = KIS_NO_BLOCK;
	}
	for (int i = 0; i < KIS_BLOCKS; i++)
		fresh->blocks[i].next = i + 1 < KIS_BLOCKS ? i + 1 : KIS_NO_BLOCK;
}

#if KIS_HAS_DSM_REGISTRY

static KisShared *
attach(void)
{
	bool		found;

	return kis_named_segment(block_name(), sizeof(KisShared), initialize, &found);
}

#else

static shmem_request_hook_type next_request_hook = NULL;
static shmem_startup_hook_type next_startup_hook = NULL;

static void
request(void)
{
	if (next_request_hook)
		next_request_hook();
	RequestAddinShmemSpace(sizeof(KisShared));
}

static void
startup(void)
{
	bool		found;

	if (next_startup_hook)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(block_name(), sizeof(KisShared), &found);
	if (!found)
		initialize(shared);
	LWLockRelease(AddinShmemInitLock);
}

static KisShared *
attach(void)
{
	if (shared == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("market_investor_fdw must be loaded via \"shared_preload_libraries\""),
				errhint("Add market_investor_fdw to shared_preload_libraries in postgresql.conf and restart the server."));
	return shared;
}

#endif

/* To be called from _PG_init: the configuration parameters, and where the block comes from. */
void
kis_shared_start(void)
{
	DefineCustomIntVariable("market_investor_fdw.cache_size",
							"Sets how much of the shared memory replies of KIS may fill.",
							"The memory itself is of fixed size. 0 keeps no replies.",
							&cache_size,
							CACHE_KB, 0, CACHE_KB,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("market_investor_fdw");
#if !KIS_HAS_DSM_REGISTRY
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	next_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
#endif
}

/* Blocks of the shared memory that replies may fill: market_investor_fdw.cache_size. */
int
kis_cache_blocks(void)
{
	return cache_size / (KIS_BLOCK_SIZE / 1024);
}

/*
 * The block, locked until kis_unlock: between them nothing may raise, wait or do
 * I/O. Raises 55000 where the library had to be preloaded and was not.
 */
KisShared *
kis_lock(LWLockMode mode)
{
	static bool registered = false;

	if (!registered)
	{
		shared = attach();
		kis_register_tranche(shared->tranche, "market_investor_fdw");
		registered = true;
	}
	LWLockAcquire(&shared->lock, mode);
	return shared;
}

void
kis_unlock(void)
{
	LWLockRelease(&shared->lock);
}

/*
 * Replies and tokens grow old while the machine sleeps, too. Not instr_time: from
 * 19 on that may count the processor's ticks, of which a second is not quite one,
 * and each session chooses.
 */
int64
kis_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * KIS_US + now.tv_nsec / 1000;
}

/* By the wall's clock as it is set now, whatever it was then. */
TimestampTz
kis_timestamp_of(int64 at_us)
{
	return GetCurrentTimestamp() - (kis_now_us() - at_us);
}
