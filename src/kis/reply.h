/*
 * reply.h
 *		Decodes the reply to a data call into rows of values.
 */
#ifndef KIS_REPLY_H
#define KIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kis.h"
#include "kis/catalog.h"

typedef enum KisValueKind
{
	KIS_VALUE_MISSING,			/* no such member in the reply */
	KIS_VALUE_EMPTY,			/* null, "" or blanks: no value */
	KIS_VALUE_INTEGER,			/* integer and text are set */
	KIS_VALUE_TEXT				/* anything else, text alone is set */
} KisValueKind;

typedef struct KisValue
{
	KisValueKind kind;
	int64_t		integer;
	const char *text;			/* as KIS wrote it, without blanks around it */
} KisValue;

typedef struct KisRow
{
	const KisValue *values;		/* as many as the call has members */
	int			position;		/* in KIS's output, blank rows counted */
} KisRow;

typedef struct KisReply
{
	const KisRow *rows;
	int			nrows;
	const char *body;			/* whole, NUL-terminated, valid UTF-8 JSON */
	int64_t		date;			/* of the header Date, Unix seconds; 0: none
								 * that can be read */
	size_t		size;			/* bytes of the block, from here on */
} KisReply;

/* Decodes a reply to call, to be freed by free(); NULL and error where it is none or KIS refused. */
extern KisReply *kis_reply_decode(const KisCall *call, int http_status,
								  const char *body, size_t len, KisError *error);

/* Makes a copy of a reply's block whole that was made byte by byte. */
extern void kis_reply_relocate(const KisCall *call, KisReply *copy);

/* No listed member has a value: KIS doesn't know the pair. */
extern bool kis_row_is_empty(const KisCall *call, const KisRow *row);

/* Has anything been traded: is a figure an integer other than zero? */
extern bool kis_row_has_figures(const KisCall *call, const KisRow *row);

#endif							/* KIS_REPLY_H */
