/*
 * framing.h
 *		What the header lines of a reply say: where it ends, to which call it
 *		is, and whether its connection can be trusted afterwards.
 */
#ifndef KIS_FRAMING_H
#define KIS_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct KisFraming
{
	size_t		len;			/* bytes of all its lines */
	bool		ended;			/* the body has begun */
	int			nlengths;		/* lines that say where the body ends */
	bool		says_close;
	bool		odd;			/* its connection must serve no other request */
	bool		ambiguous;		/* some readers would have it end elsewhere */
	int64_t		date;			/* of the header Date, Unix seconds; 0: none
								 * that can be read */
	char		other_call[16]; /* tr_id of the call that the reply is for;
								 * "": for this one */
} KisFraming;

/* Notes a line of the headers or of a chunked body's trailer, its line end included. */
extern void kis_framing_line(KisFraming *framing, const char *line, size_t len,
							 long http_status, const char *tr_id);

#endif							/* KIS_FRAMING_H */
