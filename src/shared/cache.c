/*
 * cache.c
 *		Replies of the last moments, by account, call and arguments.
 */
#include "postgres.h"

#include "state.h"

#define CACHE_SLOTS	256

typedef struct CacheSlot
{
	KisIdentity identity;
	const KisCall *call;
	KisCallArgs args;
	KisCachedReply *reply;		/* NULL: free */
	int64		put_at_us;
} CacheSlot;

static CacheSlot slots[CACHE_SLOTS];

KisCachedReply *
kis_reply_hold(KisReply *reply, TimestampTz arrived_at)
{
	/* malloc's, as the reply is: it lives longer than any memory context of ours */
	KisCachedReply *held = malloc(sizeof(KisCachedReply));

	if (held == NULL)
	{
		kis_reply_free(reply);
		return NULL;
	}
	held->references = 1;
	held->reply = reply;
	held->arrived_at = arrived_at;
	return held;
}

void
kis_reply_release(KisCachedReply *reply)
{
	if (--reply->references > 0)
		return;
	kis_reply_free(reply->reply);
	free(reply);
}

static CacheSlot *
find(const KisIdentity *identity, const KisCall *call, const KisCallArgs *args)
{
	for (int i = 0; i < CACHE_SLOTS; i++)
	{
		CacheSlot  *slot = &slots[i];

		if (slot->reply != NULL && slot->call == call &&
			memcmp(&slot->args, args, sizeof(KisCallArgs)) == 0 &&
			memcmp(&slot->identity, identity, sizeof(KisIdentity)) == 0)
			return slot;
	}
	return NULL;
}

static CacheSlot *
find_young(const KisIdentity *identity, const KisCall *call, const KisCallArgs *args,
		   int ttl_ms, int64 now_us)
{
	CacheSlot  *slot = ttl_ms > 0 ? find(identity, call, args) : NULL;

	if (slot == NULL || now_us - slot->put_at_us >= ttl_ms * INT64CONST(1000))
		return NULL;
	return slot;
}

KisCachedReply *
kis_cache_get(const KisIdentity *identity, const KisCall *call,
			  const KisCallArgs *args, int ttl_ms, int64 now_us)
{
	CacheSlot  *slot = find_young(identity, call, args, ttl_ms, now_us);

	if (slot == NULL)
		return NULL;
	slot->reply->references++;
	return slot->reply;
}

bool
kis_cache_has(const KisIdentity *identity, const KisCall *call,
			  const KisCallArgs *args, int ttl_ms, int64 now_us)
{
	return find_young(identity, call, args, ttl_ms, now_us) != NULL;
}

/* The slot to use for a new reply: a free one, or else the oldest. */
static CacheSlot *
find_victim(void)
{
	CacheSlot  *oldest = &slots[0];

	for (int i = 0; i < CACHE_SLOTS; i++)
	{
		if (slots[i].reply == NULL)
			return &slots[i];
		if (slots[i].put_at_us < oldest->put_at_us)
			oldest = &slots[i];
	}
	return oldest;
}

void
kis_cache_put(const KisIdentity *identity, const KisCall *call,
			  const KisCallArgs *args, KisCachedReply *reply, int64 now_us)
{
	CacheSlot  *slot = find(identity, call, args);

	if (slot == NULL)
		slot = find_victim();
	if (slot->reply != NULL)
		kis_reply_release(slot->reply);
	slot->identity = *identity;
	slot->call = call;
	slot->args = *args;
	slot->reply = reply;
	slot->put_at_us = now_us;
	reply->references++;
}
