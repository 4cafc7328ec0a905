/*
 * spill.c
 *		Pages of history that no scan of the statement is at: once there are too
 *		many, the oldest go to a temporary file, and come back as they were.
 */
#include "postgres.h"

#include "storage/buffile.h"

#include "common/day.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/spill.h"
#include "request/state.h"

/* Bytes of replies; a page of 300 days takes some 600 kB. */
#define MOST_IN_MEMORY	(16 * 1024 * 1024)

/* Where a reply lies in the statement's file. */
typedef struct KisSpilled
{
	int			segment;
	off_t		offset;
	size_t		size;
	DateADT		last_day;
} KisSpilled;

/* Has a page come, and which is the last day of its rows? False: it has none. */
bool
kis_page_is_here(const KisRequest *page)
{
	return page->reply != NULL || page->spilled != NULL;
}

bool
kis_page_last_day(const KisRequest *page, DateADT *day)
{
	const KisReply *reply = page->reply;

	if (page->spilled != NULL)
	{
		*day = page->spilled->last_day;
		return true;
	}
	return reply != NULL && reply->nrows > 0 &&
		kis_day_from_text(reply->rows[reply->nrows - 1].values[page->call->day_member].text, day);
}

static void
seek(KisQuery *query, int segment, off_t offset)
{
	if (BufFileSeek(query->spill_file, segment, offset, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
}

/* The reply goes to the end of the file, unless it lies there already. */
static void
spill(KisQuery *query, KisRequest *page, DateADT last_day)
{
	MemoryContext old = MemoryContextSwitchTo(query->context);
	KisReply   *reply = page->state->reply;

	if (query->spill_file == NULL)
		query->spill_file = BufFileCreateTemp(false);
	if (page->spilled == NULL)
	{
		KisSpilled *spilled = palloc(sizeof(KisSpilled));

		*spilled = (KisSpilled)
		{
			query->spill_segment, query->spill_offset, reply->size, last_day
		};
		seek(query, spilled->segment, spilled->offset);
		BufFileWrite(query->spill_file, reply, reply->size);
		BufFileTell(query->spill_file, &query->spill_segment, &query->spill_offset);
		page->spilled = spilled;
	}
	MemoryContextSwitchTo(old);
	kis_reply_free(reply);
	page->state->reply = NULL;
	page->reply = NULL;
}

/* Has the reply in memory again, where it is in a file alone. */
void
kis_request_unspill(KisRequest *page)
{
	KisQuery   *query = page->state->query;
	KisReply   *reply;

	if (page->reply != NULL || page->spilled == NULL)
		return;
	reply = malloc(page->spilled->size);
	if (reply == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg_internal("out of memory")));
	/* freed with the query, whatever is raised */
	page->state->reply = reply;
	seek(query, page->spilled->segment, page->spilled->offset);
	if (BufFileRead(query->spill_file, reply, page->spilled->size) != page->spilled->size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
	kis_reply_relocate(page->call, reply);
	page->reply = reply;
}

/*
 * A scan is at it, or no longer; then its reply stays in memory only as long as
 * the statement's are few. kis_query_request brings it back, before the
 * statement's scans have ended.
 */
void
kis_request_pin(KisRequest *request)
{
	request->users++;
}

void
kis_request_unpin(KisRequest *request)
{
	KisQuery   *query = request->state->query;
	size_t		in_memory = 0;
	ListCell   *cell;

	request->users--;
	foreach(cell, query->requests)
		if (((KisRequest *) lfirst(cell))->reply != NULL)
		in_memory += ((KisRequest *) lfirst(cell))->reply->size;
	foreach(cell, query->requests)
	{
		KisRequest *page = lfirst(cell);
		DateADT		last_day;

		if (in_memory <= MOST_IN_MEMORY)
			return;
		if (page->reply == NULL || page->users > 0 ||
			page->call->paging != KIS_PAGING_BACK || !kis_page_last_day(page, &last_day))
			continue;
		in_memory -= page->reply->size;
		spill(query, page, last_day);
	}
}

void
kis_query_end_scans(KisQuery *query)
{
	if (query->spill_file != NULL)
		BufFileClose(query->spill_file);
	query->spill_file = NULL;
}
