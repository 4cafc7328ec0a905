/*
 * spill.c
 *		Pages of history that no scan of the query reads: once there are too
 *		many, the oldest go to temporary files, and come back as they were.
 */
#include "postgres.h"

#include "storage/buffile.h"

#include "common/messages.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/spill.h"
#include "request/state.h"

/* Bytes of replies; a page of 300 days takes some 600 kB. */
#define MOST_IN_MEMORY	(16 * 1024 * 1024)

/* The reply goes to a file of its own, unless it is there already. */
static void
spill(KisRequest *page)
{
	KisReply   *reply = page->reply;

	if (page->spilled == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(page->query->context);
		BufFile    *file = BufFileCreateTemp(false);

		BufFileWrite(file, reply, reply->size);
		MemoryContextSwitchTo(old);
		page->spilled = file;
		page->spilled_size = reply->size;
	}
	free(reply);
	page->reply = NULL;
}

/* Has the reply in memory again, where it is in a file alone. */
void
kis_request_unspill(KisRequest *page)
{
	KisReply   *reply;

	if (page->reply != NULL || page->spilled == NULL)
		return;
	reply = malloc(page->spilled_size);
	if (reply == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg_internal("out of memory")));
	/* freed with the query, whatever is raised */
	page->reply = reply;
	if (BufFileSeek(page->spilled, 0, 0, SEEK_SET) != 0 ||
		BufFileRead(page->spilled, reply, page->spilled_size) != page->spilled_size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
	kis_reply_relocate(page->call, reply);
}

/*
 * A scan ends to read it, which it counts in users: then its reply stays in memory
 * only as long as the query's are few. kis_query_request brings it back, before the
 * query's scans have ended.
 */
void
kis_request_unpin(KisRequest *request)
{
	KisQuery   *query = request->query;
	size_t		in_memory = 0;
	ListCell   *cell;

	request->users--;
	foreach(cell, query->requests)
		if (((KisRequest *) lfirst(cell))->reply != NULL)
		in_memory += ((KisRequest *) lfirst(cell))->reply->size;
	foreach(cell, query->requests)
	{
		KisRequest *page = lfirst(cell);

		if (in_memory <= MOST_IN_MEMORY)
			return;
		if (page->reply == NULL || page->users > 0 || page->call->paging != KIS_PAGING_BACK)
			continue;
		in_memory -= page->reply->size;
		spill(page);
	}
}

/* The query's scans have ended: its files are closed, before PostgreSQL warns of them. */
void
kis_query_end_scans(KisQuery *query)
{
	ListCell   *cell;

	foreach(cell, query->requests)
	{
		KisRequest *page = lfirst(cell);

		if (page->spilled != NULL)
			BufFileClose(page->spilled);
		page->spilled = NULL;
	}
}
