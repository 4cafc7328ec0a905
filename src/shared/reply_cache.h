/*
 * reply_cache.h
 *		Replies of the last moments, by account, call and arguments.
 */
#ifndef KIS_SHARED_REPLY_CACHE_H
#define KIS_SHARED_REPLY_CACHE_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "shared/block.h"

/* Are replies of the call kept and shared, with this server option? */
extern bool kis_call_is_shared(const KisCall *call, int cache_ttl);

extern KisReplyKey kis_reply_key(const KisIdentity *identity, const KisCall *call,
								 const KisCallArgs *args);

/* The lock must be held for the rest, exclusively for get and write. */

/* NULL: there is no such slot. */
extern KisReplySlot *kis_reply_find(KisShared *shared, const KisReplyKey *key);

/* Finds or makes it; NULL: all have a call in flight, and this one can't be shared. */
extern KisReplySlot *kis_reply_get(KisShared *shared, const KisReplyKey *key,
								   const KisCall *call);

/* Is its reply of the attempt or later, younger than ttl_ms, or good for today? */
extern bool kis_reply_is_fresh(const KisReplySlot *slot, uint64 attempt, int ttl_ms,
							   int64 now_us);

/* A copy of the slot's reply, malloc'd; NULL where memory is out. */
extern KisReply *kis_reply_read(KisShared *shared, const KisReplySlot *slot, const KisCall *call);

/* Keeps a reply that came at such a moment, by both clocks, where it fits. */
extern void kis_reply_write(KisShared *shared, KisReplySlot *slot, const KisCall *call,
							uint64 attempt, const KisReply *reply, TimestampTz arrived_at,
							int64 arrived_us);

#endif							/* KIS_SHARED_REPLY_CACHE_H */
