/*
 * transfer.h
 *		One request and its reply on a libcurl easy handle.
 */
#ifndef KIS_TRANSFER_H
#define KIS_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "kis.h"
#include "kis/catalog.h"
#include "kis/http.h"
#include "kis/socket.h"

#define KIS_MAX_HEADERS		12

typedef enum TransferState
{
	TRANSFER_IDLE,				/* in the pool */
	TRANSFER_RUNNING,
	TRANSFER_SETTLING,			/* its reply is here, unless another one
								 * follows */
	TRANSFER_FINISHED,			/* kis_http_finished has not yet told */
	TRANSFER_TAKEN,				/* it has */
	TRANSFER_PARKED				/* released while its name look-up hangs */
} TransferState;

struct KisTransfer
{
	KisHttp    *http;
	KisTransfer *next;
	CURL	   *easy;			/* kept for the next use, with its buffers */
	TransferState state;
	void	   *owner;

	/* what is asked: all of it in one block, which holds secrets */
	char	   *request;
	size_t		request_size;
	const char *url;
	const char *post;			/* NULL: a GET */
	struct curl_slist headers[KIS_MAX_HEADERS];
	int			nheaders;
	KisSecrets	secrets;
	const KisCall *call;		/* NULL: a token issue */
	char		last_day[KIS_DATE_LEN]; /* that a page may begin with; "": it
										 * may with any */

	/* how far it is */
	bool		in_multi;
	bool		abandoned;		/* must not connect or send any more */
	int			hung_look_ups;	/* so many that it could begin none */
	bool		sent;			/* once at least since it was begun or renewed */
	bool		unfit;			/* is the connection of the pool that libcurl
								 * chose */
	bool		tried_again;
	KisSocket  *socket;			/* that the request was sent on; NULL: closed
								 * since, or not sent */
	bool		hot;			/* another reply had just come over it */
	KisPhase	phase;
	long		connect_timeout_ms;
	int64_t		connect_due_us;
	int64_t		due_us;
	int64_t		started_us;
	int64_t		settled_us;
	int64_t		ended_us;
	int64_t		unattended_us;

	/* what came */
	KisError	failure;		/* KIS_OK: a whole reply */
	int			http_status;
	char	   *body;
	size_t		body_len;
	size_t		body_size;
	int64_t		date;			/* of the header Date, Unix seconds; 0: none
								 * that can be read */
	size_t		header_len;
	bool		headers_ended;
	int			nlengths;		/* headers that say where the body ends */
	bool		says_close;
	bool		odd;			/* its connection must serve no other request */
	bool		ambiguous;		/* some would have it end elsewhere */
	char		other_call[16]; /* tr_id of the call that the reply is for;
								 * "": for this one */
	bool		headers_too_large;
	bool		too_large;
	bool		out_of_memory;
	int			socket_errno;	/* why no socket could be had */
	char		curl_error[CURL_ERROR_SIZE];
};

extern KisTransfer *kis_transfer_create(KisHttp *http);
extern void kis_transfer_destroy(KisTransfer *transfer);

/* Forgets the last request, secrets wiped, and what it brought. */
extern void kis_transfer_clear(KisTransfer *transfer);

/* libcurl compares the ages of connections by whole seconds. */
#define KIS_TRUST_US	1000000

/* Readies the handle for the request that the transfer holds. */
extern bool kis_transfer_prepare(KisTransfer *transfer, const KisEndpoint *endpoint,
								 int64_t distrusted_us);

/* From here on it neither connects nor sends, however long it lives on. */
extern void kis_transfer_abandon(KisTransfer *transfer);

/* Its clock stood still for so long: nobody was there to see the reply. */
extern void kis_transfer_extend_deadline(KisTransfer *transfer, int64_t absence_us);

/* A name look-up is under way that libcurl can't interrupt. */
extern bool kis_transfer_is_looking_up(const KisTransfer *transfer);

extern bool kis_transfer_was_stale(const KisTransfer *transfer, CURLcode result);

/* It was sent on a connection from the pool, and nothing has come back. */
extern bool kis_transfer_met_silence(const KisTransfer *transfer);

/* Where libcurl has not told when the request was sent, sees whether it has been. */
extern void kis_transfer_note_phase(KisTransfer *transfer);

/* The reply could be one to the request before, and its own one still to come. */
extern bool kis_transfer_must_settle(const KisTransfer *transfer);

/* To be tried again on a new connection. */
extern void kis_transfer_renew(KisTransfer *transfer);

/* Notes the outcome. */
extern void kis_transfer_classify(KisTransfer *transfer, CURLcode result);
extern void kis_transfer_timed_out(KisTransfer *transfer);

#endif							/* KIS_TRANSFER_H */
