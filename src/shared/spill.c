/*
 * spill.c
 *		Pages of history that no scan of the statement is at: once there are too
 *		many, the oldest go to a temporary file, and come back as they were.
 */
#include "postgres.h"

#include "storage/buffile.h"

#include "inquiry.h"

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

bool
kis_page_is_here(const KisInquiry *page)
{
	return page->reply != NULL || page->spilled != NULL;
}

bool
kis_page_last_day(const KisInquiry *page, DateADT *day)
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
seek(KisStatement *statement, int segment, off_t offset)
{
	if (BufFileSeek(statement->spill_file, segment, offset, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in temporary file: %m")));
}

/* The reply goes to the end of the file, unless it lies there already. */
static void
spill(KisStatement *statement, KisInquiry *page, DateADT last_day)
{
	MemoryContext old = MemoryContextSwitchTo(statement->context);
	KisReply   *reply = page->state->reply;

	if (statement->spill_file == NULL)
		statement->spill_file = BufFileCreateTemp(false);
	if (page->spilled == NULL)
	{
		KisSpilled *spilled = palloc(sizeof(KisSpilled));

		*spilled = (KisSpilled) {statement->spill_segment, statement->spill_offset, reply->size, last_day};
		seek(statement, spilled->segment, spilled->offset);
		BufFileWrite(statement->spill_file, reply, reply->size);
		BufFileTell(statement->spill_file, &statement->spill_segment, &statement->spill_offset);
		page->spilled = spilled;
	}
	MemoryContextSwitchTo(old);
	kis_reply_free(reply);
	page->state->reply = NULL;
	page->reply = NULL;
}

void
kis_inquiry_unspill(KisInquiry *page)
{
	KisStatement *statement = page->state->statement;
	KisReply   *reply;

	if (page->reply != NULL || page->spilled == NULL)
		return;
	reply = malloc(page->spilled->size);
	if (reply == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg_internal("out of memory")));
	/* freed with the statement, whatever is raised */
	page->state->reply = reply;
	seek(statement, page->spilled->segment, page->spilled->offset);
	if (BufFileRead(statement->spill_file, reply, page->spilled->size) != page->spilled->size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
	kis_reply_relocate(page->call, reply);
	page->reply = reply;
}

void
kis_inquiry_hold(KisInquiry *inquiry)
{
	inquiry->users++;
}

void
kis_inquiry_release(KisInquiry *inquiry)
{
	KisStatement *statement = inquiry->state->statement;
	size_t		in_memory = 0;
	ListCell   *cell;

	inquiry->users--;
	foreach(cell, statement->inquiries)
		if (((KisInquiry *) lfirst(cell))->reply != NULL)
			in_memory += ((KisInquiry *) lfirst(cell))->reply->size;
	foreach(cell, statement->inquiries)
	{
		KisInquiry *page = lfirst(cell);
		DateADT		last_day;

		if (in_memory <= MOST_IN_MEMORY)
			return;
		if (page->reply == NULL || page->users > 0 ||
			page->call->paging != KIS_PAGING_BACK || !kis_page_last_day(page, &last_day))
			continue;
		in_memory -= page->reply->size;
		spill(statement, page, last_day);
	}
}

void
kis_statement_end_scans(KisStatement *statement)
{
	if (statement->spill_file != NULL)
		BufFileClose(statement->spill_file);
	statement->spill_file = NULL;
}
