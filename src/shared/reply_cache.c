/*
 * reply_cache.c
 *		Replies of the last moments, by account, call and arguments, in a
 *		chain of blocks each; the oldest make room for new ones.
 */
#include "postgres.h"

#include "common/day.h"
#include "kis.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "shared/block.h"
#include "shared/in_flight.h"
#include "shared/reply_cache.h"

/* When a reply arrived that is fresh by no one's cache_ttl. */
#define LONG_AGO_US		(PG_INT64_MIN / 2)

/* What stands behind a NUL is zero, since keys are compared as memory. */
KisReplyKey
kis_reply_key(const KisIdentity *identity, const KisCall *call, const KisCallArgs *args)
{
	KisReplyKey key;

	memset(&key, 0, sizeof(key));
	strlcpy(key.args.market, args->market, sizeof(key.args.market));
	strlcpy(key.args.sector, args->sector, sizeof(key.args.sector));
	strlcpy(key.args.date, args->date, sizeof(key.args.date));
	strlcpy(key.call, call->name, sizeof(key.call));
	key.identity = *identity;
	return key;
}

/* The lock must be held. NULL: there is no such slot. */
KisReplySlot *
kis_reply_find(KisShared *shared, const KisReplyKey *key)
{
	for (int i = 0; i < KIS_REPLY_SLOTS; i++)
	{
		KisReplySlot *slot = &shared->replies[i];

		if (slot->used && memcmp(&slot->key, key, sizeof(KisReplyKey)) == 0)
			return slot;
	}
	return NULL;
}

static void
free_blocks(KisShared *shared, KisReplySlot *slot)
{
	while (slot->first_block != KIS_NO_BLOCK)
	{
		int			block = slot->first_block;

		slot->first_block = shared->blocks[block].next;
		shared->blocks[block].next = shared->first_free_block;
		shared->first_free_block = block;
		shared->blocks_used--;
	}
	slot->reply_attempt = 0;
	slot->length = 0;
}

/* Is the reply good for all of today? Long histories must not drive out the calendar. */
static bool
lasts(const KisReplySlot *slot, DateADT today)
{
	return slot->for_day && slot->reply_attempt != 0 && slot->arrived_us != LONG_AGO_US &&
		kis_seoul_day(slot->arrived_at) == today;
}

/* How much a slot is worth keeping: of those alike the oldest makes room. */
static int
worth_of(const KisReplySlot *slot, DateADT today, int64 now_us)
{
	if (lasts(slot, today))
		return 2;

	/*
	 * calls that fail drive out no replies; but who waited for one is about
	 * to look at its failure
	 */
	return slot->reply_attempt == 0 && now_us - slot->arrived_us >= KIS_GRACE_US ? 0 : 1;
}

/* The one worth least that nobody is at; with_reply: only one that holds blocks. */
static KisReplySlot *
find_oldest(KisShared *shared, const KisReplySlot *but, bool with_reply)
{
	DateADT		today = kis_seoul_day(GetCurrentTimestamp());
	int64		now_us = kis_now_us();
	KisReplySlot *oldest = NULL;
	int			oldest_worth = 0;

	for (int i = 0; i < KIS_REPLY_SLOTS; i++)
	{
		KisReplySlot *slot = &shared->replies[i];
		int			worth;

		if (slot == but || (with_reply && slot->first_block == KIS_NO_BLOCK))
			continue;
		if (!slot->used && !with_reply)
			return slot;
		/* blocks may go while a new call is under way; the slot may not */
		if (!with_reply && kis_in_flight_is_owned(&slot->in_flight, now_us))
			continue;
		worth = worth_of(slot, today, now_us);
		if (oldest == NULL || worth < oldest_worth ||
			(worth == oldest_worth && slot->arrived_us < oldest->arrived_us))
		{
			oldest = slot;
			oldest_worth = worth;
		}
	}
	return oldest;
}

/*
 * Finds or makes it; the lock must be held exclusively. NULL: all slots have a
 * call in flight, and this one can't be shared.
 */
KisReplySlot *
kis_reply_get(KisShared *shared, const KisReplyKey *key, const KisCall *call)
{
	KisReplySlot *slot = kis_reply_find(shared, key);

	if (slot != NULL)
		return slot;
	slot = find_oldest(shared, NULL, false);
	if (slot == NULL)
		return NULL;
	free_blocks(shared, slot);
	/* but for the condition variable, which may have sessions in its list */
	memset(&slot->in_flight, 0, offsetof(KisInFlight, moved));
	slot->key = *key;
	slot->for_day = call->lifetime == KIS_LIFETIME_DAY;
	/* young: the session that has it made is about to look again */
	slot->arrived_us = kis_now_us();
	slot->used = true;
	return slot;
}

/* Are replies of the call kept and shared, with this server option? */
bool
kis_call_is_shared(const KisCall *call, int cache_ttl)
{
	return kis_cache_blocks() > 0 &&
		(call->lifetime == KIS_LIFETIME_DAY || cache_ttl > 0);
}

/*
 * The slot holds a reply of the attempt or a later one, one younger than ttl_ms
 * or one that is good for today.
 */
bool
kis_reply_is_fresh(const KisReplySlot *slot, uint64 attempt, int ttl_ms, int64 now_us)
{
	if (slot->reply_attempt == 0)
		return false;
	if (slot->for_day && lasts(slot, kis_seoul_day(GetCurrentTimestamp())))
		return true;
	return (attempt != 0 && slot->reply_attempt >= attempt) ||
		now_us - slot->arrived_us < ttl_ms * INT64CONST(1000);
}

/* A copy of the slot's reply, malloc'd; NULL where memory is out. */
KisReply *
kis_reply_read(KisShared *shared, const KisReplySlot *slot, const KisCall *call)
{
	size_t		left = slot->length;
	KisReply   *reply = malloc(left);
	char	   *to = (char *) reply;

	if (reply == NULL)
		return NULL;
	for (int block = slot->first_block; left > 0; block = shared->blocks[block].next)
	{
		size_t		part = Min(left, sizeof(shared->blocks[block].data));

		memcpy(to, shared->blocks[block].data, part);
		to += part;
		left -= part;
	}
	kis_reply_relocate(call, reply);
	return reply;
}

/* Blocks for so many bytes, taken from the oldest where the limit is reached; false: never. */
static bool
make_room(KisShared *shared, const KisReplySlot *for_slot, int blocks)
{
	int			limit = kis_cache_blocks();

	if (blocks > limit)
		return false;
	while (shared->blocks_used + blocks > limit)
	{
		KisReplySlot *oldest = find_oldest(shared, for_slot, true);

		if (oldest == NULL)
			return false;
		free_blocks(shared, oldest);
	}
	return true;
}

/* Are a row's values of their columns' types, as KIS writes those? is_filled: none may be empty. */
static bool
are_fit(const KisCall *call, const KisValue *values, bool is_filled)
{
	for (int m = 0; m < call->nmembers; m++)
	{
		const char *type = call->members[m].type;
		const char *text = values[m].text;
		bool		is_integer = values[m].kind == KIS_VALUE_INTEGER;

		if (is_filled && text[0] == '\0')
			return false;
		if (!is_integer && values[m].kind != KIS_VALUE_TEXT)
			continue;
		if ((strcmp(type, "numeric") == 0 && strspn(text, "+-.0123456789") != strlen(text)) ||
			(strcmp(type, "bool") == 0 && strcmp(text, "Y") != 0 && strcmp(text, "N") != 0) ||
			(strcmp(type, "int8") == 0 && !is_integer) ||
			(strcmp(type, "int2") == 0 && (!is_integer || values[m].integer != (int16) values[m].integer)))
			return false;
	}
	return true;
}

/*
 * Is the reply one that nobody would call an error: are figures numbers, do
 * days go on, and is it whole, by what its call says of that? One that would be
 * good for the day has rows.
 */
static bool
is_sound(const KisCall *call, const KisCallArgs *args, const KisReply *reply)
{
	const KisWhole *whole = &call->whole;
	bool		has_open_day = whole->longest_closure == 0 || reply->nrows <= whole->longest_closure;
	DateADT		before = 0;

	if ((call->lifetime == KIS_LIFETIME_DAY && reply->nrows == 0) ||
		(whole->every_day && !kis_day_from_text(args->date, &before)))
		return false;
	before--;
	for (int i = 0; i < reply->nrows; i++)
	{
		const KisValue *values = reply->rows[i].values;
		DateADT		day;

		if (!are_fit(call, values, whole->filled))
			return false;
		has_open_day = has_open_day || strcmp(values[call->open_member].text, "Y") == 0;
		if (call->paging == KIS_PAGING_NONE)
			continue;
		if (!kis_day_from_text(values[call->day_member].text, &day) ||
			(whole->every_day && day != before + 1) ||
			(i > 0 && (call->paging == KIS_PAGING_FORWARD ? day <= before : day >= before)))
			return false;
		before = day;
	}
	return has_open_day;
}

/*
 * Keeps a reply that came at such a moment, where it fits; the oldest make room,
 * those that are good for today after all others. One that is not sound is only
 * for those who wait for this attempt. The lock must be held exclusively.
 */
void
kis_reply_write(KisShared *shared, KisReplySlot *slot, const KisCall *call,
				uint64 attempt, const KisReply *reply, TimestampTz arrived_at, int64 arrived_us)
{
	const char *from = (const char *) reply;
	size_t		length = reply->size;
	size_t		block_size = sizeof(shared->blocks[0].data);
	int			blocks = (int) ((length + block_size - 1) / block_size);
	int		   *link = &slot->first_block;

	free_blocks(shared, slot);
	if (!make_room(shared, slot, blocks))
		return;
	slot->length = (uint32) length;
	slot->nrows = reply->nrows;
	while (length > 0)
	{
		int			block = shared->first_free_block;
		size_t		part = Min(length, block_size);

		shared->first_free_block = shared->blocks[block].next;
		shared->blocks_used++;
		memcpy(shared->blocks[block].data, from, part);
		from += part;
		length -= part;
		*link = block;
		link = &shared->blocks[block].next;
	}
	*link = KIS_NO_BLOCK;
	slot->reply_attempt = attempt;
	slot->arrived_at = arrived_at;

	/*
	 * who waited for it takes it, as they would take an error; nobody comes
	 * upon it later
	 */
	slot->arrived_us = is_sound(call, &slot->key.args, reply) ? arrived_us : LONG_AGO_US;
}
