/*
 * transfer.h
 *		One request and its reply on a libcurl easy handle.
 */
#ifndef KIS_TRANSFER_H
#define KIS_TRANSFER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <curl/curl.h>

#include "kis.h"
#include "kis/catalog.h"
#include "kis/framing.h"
#include "kis/socket.h"

/* Since 7.80 libcurl calls back before it sends a request, with the connection. */
#define KIS_CALLS_BEFORE_SENDING	(LIBCURL_VERSION_NUM >= 0x075000)

#define KIS_MAX_HEADERS		12
#define KIS_MAX_REQUEST		(8 * KIS_TOKEN_LEN) /* each secret three times,
												 * and a URL */

typedef enum TransferState
{
	TRANSFER_IDLE,				/* free for the next request */
	TRANSFER_RUNNING,
	TRANSFER_SETTLING,			/* its reply is here, unless another one
								 * follows */
	TRANSFER_FINISHED,			/* kis_http_finished has yet to return it */
	TRANSFER_TAKEN,				/* it has */
	TRANSFER_PARKED				/* released while its name look-up hangs */
} TransferState;

/* What the transfers of a session have in common. */
typedef struct KisPool
{
	KisTransfer *transfers;
	KisSocket  *sockets;		/* all that libcurl has open */
	bool		blocks_signals;	/* until the end of this step */
	sigset_t	signals;		/* the mask of before */
} KisPool;

struct KisTransfer
{
	KisTransfer *next;
	KisHttp    *http;			/* for http.c */
	KisPool    *pool;
	CURL	   *easy;			/* kept for the next use, as all before it */

	TransferState state;
	void	   *owner;

	/* the request, which lies in the last member */
	size_t		request_len;
	const char *url;
	const char *post;			/* NULL: a GET */
	struct curl_slist headers[KIS_MAX_HEADERS];
	int			nheaders;
	KisSecrets	secrets;
	const KisCall *call;		/* NULL: a token request */
	char		last_day[KIS_DATE_LEN]; /* that a page may begin with; "": it
										 * may with any */

	/* how far it is */
	bool		in_multi;
	bool		sent;			/* once at least since it was begun or begun
								 * again */
	bool		tried_again;
	bool		reused;			/* sent on a connection of the pool */
	bool		hot;			/* another reply had just come over that */
	KisSocket  *socket;			/* that the request was sent on; NULL: closed
								 * since, or not sent */
	KisPhase	phase;
	long		connect_timeout_ms;
	int64_t		stage_due_us;	/* when connecting, or settling, must be over */
	int64_t		due_us;			/* when all of it must be */
	int64_t		started_us;
	int64_t		ended_us;
	int64_t		arrived_us;		/* what ended it, by the clock of the owner */
	int64_t		unattended_us;

	/* what came */
	KisError	failure;		/* KIS_OK: a whole reply; set by a callback
								 * that ends the transfer, else at its end */
	long		http_status;
	KisFraming	framing;
	char	   *body;
	size_t		body_len;
	size_t		body_size;
	char		curl_error[CURL_ERROR_SIZE];

	/* one text after another, some of which hold secrets: wiped, not zeroed */
	char		request[KIS_MAX_REQUEST];
};

/* Look-ups that hang hold a thread each: with so many, no more are begun. */
#define KIS_MOST_PARKED	16

/* The clock that all deadlines go by: microseconds since some moment before the process began. */
static inline int64_t
kis_now_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Forgets the request and what it brought: idle again. */
extern void kis_transfer_clear(KisTransfer *transfer);

/* Readies the handle for the request that the transfer holds. */
extern bool kis_transfer_prepare(KisTransfer *transfer, const KisEndpoint *endpoint);

/* Puts its deadlines off by a time in which nobody could see the reply. */
extern void kis_transfer_extend_deadline(KisTransfer *transfer, int64_t absence_us);

/* It was sent on a connection from the pool, and nothing has come back. */
extern bool kis_transfer_met_silence(const KisTransfer *transfer);

/* Must the request be made again, on a new connection? Before the outcome is noted. */
extern bool kis_transfer_was_stale(const KisTransfer *transfer, CURLcode result);

/* Readies it to be made again on a new connection. */
extern void kis_transfer_renew(KisTransfer *transfer);

/* Note the outcome, by libcurl's word or by ours. */
extern void kis_transfer_note_outcome(KisTransfer *transfer, CURLcode result);
extern void kis_transfer_note_timeout(KisTransfer *transfer);

#endif							/* KIS_TRANSFER_H */
