/*
 * http.h
 *		All transfers of a session: libcurl's multi handle behind one epoll
 *		descriptor.
 */
#ifndef KIS_HTTP_H
#define KIS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kis.h"

/* NULL and error where libcurl or the kernel has nothing left. */
extern KisHttp *kis_http_create(KisError *error);

/* Frees all its transfers as well, and closes its connections; never waits. */
extern void kis_http_destroy(KisHttp *http);

/* Readable when kis_http_step has something to do. */
extern int	kis_http_fd(const KisHttp *http);

/* Milliseconds until kis_http_step must be called whatever the descriptor says; -1: none. */
extern long kis_http_timeout_ms(KisHttp *http);

/* Moves all transfers on as far as they go without waiting; what is here now came at arrived_us. */
extern void kis_http_step(KisHttp *http, int64_t arrived_us);

/* A transfer that has ended since the last call, or NULL. */
extern KisTransfer *kis_http_finished(KisHttp *http);

/* What it was started with. */
extern void *kis_transfer_owner(const KisTransfer *transfer);

/* When what ended it was here, as kis_http_step was told. */
extern int64_t kis_transfer_arrived_us(const KisTransfer *transfer);

/* Bytes of the reply's body. */
extern size_t kis_transfer_bytes(const KisTransfer *transfer);

/* Milliseconds from start to end, or to now. */
extern double kis_transfer_elapsed_ms(const KisTransfer *transfer);

/* It failed perhaps only because its owner was not there: tried again, it should count as new. */
extern bool kis_transfer_unattended(const KisTransfer *transfer);

/* Its request has been sent, or never will be. */
extern bool kis_transfer_is_sent(const KisTransfer *transfer);

/* Frees a transfer, finished or not; never waits. */
extern void kis_transfer_release(KisTransfer *transfer);

/* A transfer to be filled by call.c, or NULL and error. */
extern KisTransfer *kis_http_acquire(KisHttp *http, void *owner, KisError *error);

/* Sets it going, or gives it back and fills error. */
extern bool kis_http_start(KisTransfer *transfer, const KisEndpoint *endpoint, KisError *error);

#endif							/* KIS_HTTP_H */
