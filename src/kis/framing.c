/*
 * framing.c
 *		What the header lines of a reply say: where it ends, to which call it
 *		is, and whether its connection can be trusted afterwards.
 *
 * Servers and proxies read some replies in more than one way: interim answers,
 * statuses that have no body, two lengths or none. What one takes for the body
 * another takes for the next reply. Such a reply's connection is not used again.
 */
#include "kis/framing.h"
#include "kis/text.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>


/* The value of a header of that name, without blanks around it; false: it is another header. */
static bool
header_value(const char *line, size_t len, const char *name, const char **value, size_t *value_len)
{
	size_t		name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return false;
	*value = line + name_len + 1;
	*value_len = kis_text_trim(value, len - name_len - 1);
	return true;
}

static bool
is_word(const char *value, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

/* A header that says where the reply ends, when it was made or to which call it is. */
static void
note_header(KisFraming *framing, const char *line, size_t len, const char *tr_id)
{
	const char *value;
	size_t		value_len;
	char		date[64];

	if (header_value(line, len, "content-length", &value, &value_len))
		framing->nlengths++;
	else if (header_value(line, len, "transfer-encoding", &value, &value_len))
	{
		framing->nlengths++;
		framing->odd = framing->odd || !is_word(value, value_len, "chunked");
	}
	else if (header_value(line, len, "connection", &value, &value_len))
		framing->says_close = is_word(value, value_len, "close");
	else if (header_value(line, len, "date", &value, &value_len))
	{
		kis_text_clean(date, sizeof(date), value, value_len);
		framing->date = curl_getdate(date, NULL);
		if (framing->date < 0)
			framing->date = 0;
	}
	else if (header_value(line, len, "tr_id", &value, &value_len) && tr_id != NULL &&
			 value_len > 0 && !is_word(value, value_len, tr_id))
		kis_text_clean(framing->other_call, sizeof(framing->other_call), value, value_len);
}

/*
 * Notes a line of the headers or of a chunked body's trailer, its line end
 * included. tr_id is the call's that was made, NULL for a token request;
 * http_status is that of the last status line.
 */
void
kis_framing_line(KisFraming *framing, const char *line, size_t len,
				 long http_status, const char *tr_id)
{
	framing->len += len;
	if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
	{
		/* after an interim answer the headers begin anew */
		framing->ended = framing->says_close = false;
		framing->date = 0;
		/* in HTTP/2 a frame says where the body ends */
		framing->nlengths = len >= 6 && line[5] == '2' ? 1 : 0;
	}
	else if (framing->ended || line[0] == ' ' || line[0] == '\t')
		framing->odd = true;	/* a trailer, or a header that goes on in
								 * another line */
	else if (line[0] != '\r' && line[0] != '\n')
		note_header(framing, line, len, tr_id);
	else
	{
		framing->ended = true;
		if (framing->nlengths > 1 || http_status < 200 || http_status == 204 || http_status == 304)
			framing->ambiguous = framing->odd = true;
		else if (framing->nlengths == 0 && !framing->says_close)
			framing->odd = true;
	}
}
