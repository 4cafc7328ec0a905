/*
 * http.h
 *		All transfers of a session: libcurl's multi handle behind one epoll
 *		descriptor.
 */
#ifndef KIS_HTTP_H
#define KIS_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "kis.h"
#include "kis/socket.h"

/* A session's connections; libcurl's multi behind one pollable descriptor. */
typedef struct KisHttp KisHttp;

/* One request on its way. */
typedef struct KisTransfer KisTransfer;

/* NULL and error where libcurl or the kernel has nothing left. */
extern KisHttp *kis_http_create(KisError *error);

/* Frees all its transfers as well, and closes its connections; never waits. */
extern void kis_http_destroy(KisHttp *http);

/* Readable when kis_http_step has something to do. */
extern int	kis_http_fd(const KisHttp *http);

/* Milliseconds until kis_http_step must be called whatever the descriptor says */
extern long kis_http_timeout_ms(KisHttp *http);

/* Moves all transfers on as far as they go without waiting */
extern void kis_http_step(KisHttp *http);

/* A transfer that has ended since the last call, or NULL. */
extern KisTransfer *kis_http_finished(KisHttp *http);

extern void *kis_transfer_owner(const KisTransfer *transfer);

/* Bytes of the reply's body, and milliseconds from start to end (or to now). */
extern size_t kis_transfer_bytes(const KisTransfer *transfer);
extern double kis_transfer_elapsed_ms(const KisTransfer *transfer);

extern bool kis_transfer_unattended(const KisTransfer *transfer);

/* Its request has been sent, or never will be. */
extern bool kis_transfer_is_sent(const KisTransfer *transfer);

/* Frees a transfer, finished or not */
extern void kis_transfer_release(KisTransfer *transfer);

/* A transfer to be filled by request.c, or NULL and error. */
extern KisTransfer *kis_http_acquire(KisHttp *http, KisError *error);

/* Sets it going, or gives it back and fills error. */
extern bool kis_http_start(KisTransfer *transfer, const KisEndpoint *endpoint, KisError *error);

/* All sockets that libcurl has open for the session. */
extern KisSocket **kis_http_sockets(KisHttp *http);

/* Does a transfer wait for what may follow its reply there? */
extern bool kis_http_settles_on(const KisHttp *http, const KisSocket *socket);

/* Has libcurl lent the transfer's connection to another one meanwhile? */
extern bool kis_http_has_lent(const KisHttp *http, const KisTransfer *transfer);

/* For libcurl, which closes one: no transfer has it any more. */
extern int	kis_http_close_socket(void *http, curl_socket_t fd);

/* How many look-ups hang, where they are too many to begin another; else 0. */
extern int	kis_http_too_many_look_ups(const KisHttp *http);

#endif							/* KIS_HTTP_H */
