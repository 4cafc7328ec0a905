/*
 * http.c
 *		All transfers of a session: libcurl's multi handle behind one epoll
 *		descriptor.
 *
 * libcurl says by callbacks which sockets to watch and when to call it again.
 * The sockets go into a private epoll set, whose descriptor the owner waits
 * for; the time is kept as a deadline. The limits of connecting and of the
 * whole request are watched here and not by libcurl: ours stand still while
 * nobody looks, and they never have to wait for a hung name look-up.
 */
#include "kis.h"
#include "kis/http.h"
#include "kis/socket.h"
#include "kis/text.h"
#include "kis/transfer.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>


#define MOST_IDLE_CONNECTIONS	64L
#define MOST_EVENTS				64

/* libcurl's pool has a thread for each family of addresses: of hung look-ups and of others. */
#define MOST_LOOK_UP_THREADS	(2 * (KIS_MOST_PARKED + 64L))

/* An owner who neither steps nor waits for so long is not looking. */
#define ABSENCE_US				250000

/* One that a server may have answered by closing the connection. */
#define LONG_ABSENCE_US			1000000

/*
 * A second reply to the request before may come when this one has been sent. Over a
 * hot connection a reply that took so long is believed only when none has followed
 * it for a moment.
 */
#define SLOW_REPLY_US			4000
#define SETTLE_US				1000

/* A request that is given up after so long without a byte may have met a dead connection. */
#define LONG_SILENCE_US			1000000

struct KisHttp
{
	KisPool		pool;
	CURLM	   *multi;
	int			poll_fd;
	int			poll_errno;		/* noted by the callback */
	int			nrunning;		/* libcurl's transfers when it was last called */
	int64_t		curl_due_us;	/* when libcurl wants to be called, or -1 */
	int64_t		attended_us;	/* until when the owner looks, as far as is
								 * known */
	int64_t		arrived_us;		/* of this step, by the owner's clock */
};

/* ---- libcurl's callbacks: they note, and never fail the multi handle ------------ */

/*
 * Watches a socket as libcurl wants it. One that it wants no more stays in the set,
 * or the next request over the connection would put it there again: see
 * serve_sockets.
 */
static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *fd_context)
{
	KisHttp    *http = context;
	KisSocket  *socket = kis_socket_of(http->pool.sockets, fd);
	struct epoll_event event = {.data.fd = fd};
	int			rc;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		event.events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		event.events |= EPOLLOUT;
	if (socket != NULL)
	{
		socket->is_wanted = what != CURL_POLL_REMOVE;
		if (!socket->is_wanted || socket->watched_for == event.events)
			return 0;
	}
	if (what == CURL_POLL_REMOVE)
	{
		/* it may be closed, and so gone, already */
		epoll_ctl(http->poll_fd, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}
	rc = epoll_ctl(http->poll_fd, EPOLL_CTL_ADD, fd, &event);
	if (rc < 0 && errno == EEXIST)
		rc = epoll_ctl(http->poll_fd, EPOLL_CTL_MOD, fd, &event);
	if (rc < 0)
		http->poll_errno = errno;
	else if (socket != NULL)
		socket->watched_for = event.events;
	return 0;
}

/* Notes when libcurl wants to be called, whatever its sockets do. */
static int
on_timer(CURLM *multi, long timeout_ms, void *context)
{
	KisHttp    *http = context;

	http->curl_due_us = timeout_ms < 0 ? -1 : kis_now_monotonic_us() + timeout_ms * INT64_C(1000);
	return 0;
}

/* ---- its life -------------------------------------------------------------------- */

/*
 * NULL and error where libcurl or the kernel has nothing left. The process must
 * ignore SIGPIPE, as PostgreSQL's do.
 */
KisHttp *
kis_http_create(KisError *error)
{
	KisHttp    *http = calloc(1, sizeof(KisHttp));

	if (http == NULL)
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "out of memory");
		return NULL;
	}
	http->curl_due_us = -1;
	http->attended_us = kis_now_monotonic_us();
	http->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->poll_fd < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (http->multi = curl_multi_init()) == NULL)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "libcurl can't be set up: %s",
					  strerror(errno));
	else
	{
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
		curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
		curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
		curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, MOST_IDLE_CONNECTIONS);
		/* a connection carries one request at a time, over HTTP/2 as well */
		curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
#if LIBCURL_VERSION_NUM >= 0x081400

		/*
		 * it has a pool of threads for look-ups: none waits for those that
		 * hang, nor do we at the end
		 */
		curl_multi_setopt(http->multi, CURLMOPT_RESOLVE_THREADS_MAX, MOST_LOOK_UP_THREADS);
		curl_multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
		return http;
	}
	kis_http_destroy(http);
	return NULL;
}

/* Takes a transfer out of libcurl's hands. */
static void
detach(KisTransfer *transfer)
{
	if (transfer->in_multi)
		curl_multi_remove_handle(transfer->http->multi, transfer->easy);
	transfer->in_multi = false;
}

/*
 * Takes a transfer out of libcurl's hands that needs no more. One that is looking
 * up a name, which libcurl can't interrupt, is left to itself: it neither connects
 * nor sends any more. False: so it is.
 */
static bool
let_go(KisTransfer *transfer)
{
	if (transfer->in_multi && transfer->phase == KIS_PHASE_RESOLVE)
	{
		/* else libcurl would end it by waiting for its look-up */
		curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long) INT_MAX);
		return false;
	}
	detach(transfer);
	return true;
}

/*
 * Frees all its transfers as well, and closes its connections. Never waits: with
 * CURLOPT_QUICK_EXIT a hung look-up is left to itself.
 */
void
kis_http_destroy(KisHttp *http)
{
	KisTransfer *transfer;

	while ((transfer = http->pool.transfers) != NULL)
	{
		detach(transfer);
		http->pool.transfers = transfer->next;
		kis_transfer_clear(transfer);
		curl_easy_cleanup(transfer->easy);
		free(transfer);
	}
	if (http->multi != NULL)
		curl_multi_cleanup(http->multi);
	while (http->pool.sockets != NULL)
		free(kis_socket_remove(&http->pool.sockets, http->pool.sockets->fd));
	if (http->poll_fd >= 0)
		close(http->poll_fd);
	free(http);
}

/* ---- the pool ----------------------------------------------------------------------- */

/* An idle transfer, to be filled by call.c and started before another one is acquired; or NULL and error. */
KisTransfer *
kis_http_acquire(KisHttp *http, void *owner, KisError *error)
{
	KisTransfer *transfer = http->pool.transfers;

	while (transfer != NULL && transfer->state != TRANSFER_IDLE)
		transfer = transfer->next;
	if (transfer == NULL)
	{
		transfer = calloc(1, sizeof(KisTransfer));
		if (transfer == NULL || (transfer->easy = curl_easy_init()) == NULL)
		{
			free(transfer);
			kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "out of memory");
			return NULL;
		}
		transfer->http = http;
		transfer->pool = &http->pool;
		transfer->next = http->pool.transfers;
		http->pool.transfers = transfer;
	}
	transfer->owner = owner;
	return transfer;
}

/*
 * The owner is here. The time for which it was away, neither stepping nor in the
 * wait that it had announced, is not counted against the transfers: their
 * replies may have come.
 */
static void
note_owner(KisHttp *http)
{
	int64_t		now = kis_now_monotonic_us();
	int64_t		absence = now - http->attended_us;

	http->attended_us = now;
	if (absence < ABSENCE_US)
		return;
	for (KisTransfer *transfer = http->pool.transfers; transfer != NULL; transfer = transfer->next)
		if (transfer->state == TRANSFER_RUNNING)
			kis_transfer_extend_deadline(transfer, absence);
}

/*
 * Nothing came over its connection, which was one of the pool: firewalls drop
 * idle connections without a word, so the others may be dead as well: none that
 * stands now serves another request.
 */
static void
note_silence(KisTransfer *transfer, int64_t now, int64_t least_us)
{
	if (kis_transfer_met_silence(transfer) &&
		now - transfer->started_us - transfer->unattended_us >= least_us)
		for (KisSocket *socket = transfer->pool->sockets; socket != NULL; socket = socket->next)
			socket->distrusted = true;
}

/*
 * Frees a transfer, finished or not; an unfinished one is abandoned and never
 * sends anything more. Never waits, not even for a hung name look-up: such a
 * transfer stays parked inside http until the look-up ends.
 */
void
kis_transfer_release(KisTransfer *transfer)
{
	KisHttp    *http = transfer->http;

	if (transfer->state == TRANSFER_RUNNING)
	{
		/* while the owner was away it was not silent: nobody looked */
		note_owner(http);
		note_silence(transfer, http->attended_us, LONG_SILENCE_US);
	}
	if (let_go(transfer))
		kis_transfer_clear(transfer);
	else
		transfer->state = TRANSFER_PARKED;
}

/* ---- the loop --------------------------------------------------------------------------- */

/* Gives a transfer to libcurl, or fills error. */
static bool
attach(KisTransfer *transfer, bool ready, KisError *error)
{
	CURLMcode	rc = CURLM_OUT_OF_MEMORY;

	if (ready)
		rc = curl_multi_add_handle(transfer->http->multi, transfer->easy);
	transfer->in_multi = rc == CURLM_OK;
	if (rc != CURLM_OK)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE,
					  "the request can't be begun: %s", curl_multi_strerror(rc));
	return rc == CURLM_OK;
}

/* Sets it going; or gives it back, fills error and returns false. */
bool
kis_http_start(KisTransfer *transfer, const KisEndpoint *endpoint, KisError *error)
{
	KisHttp    *http = transfer->http;

	note_owner(http);
	transfer->state = TRANSFER_RUNNING;
	if (attach(transfer, kis_transfer_prepare(transfer, endpoint), error))
		return true;
	kis_transfer_clear(transfer);
	return false;
}

/* Readable when kis_http_step has something to do. */
int
kis_http_fd(const KisHttp *http)
{
	return http->poll_fd;
}

/* When the limit that the transfer has next is over; INT64_MAX: it has none. */
static int64_t
due_of(const KisTransfer *transfer)
{
	if (transfer->state != TRANSFER_RUNNING && transfer->state != TRANSFER_SETTLING)
		return INT64_MAX;
	if (transfer->state == TRANSFER_RUNNING && transfer->phase == KIS_PHASE_REPLY)
		return transfer->due_us;
	return transfer->stage_due_us < transfer->due_us ? transfer->stage_due_us : transfer->due_us;
}

/*
 * Milliseconds until kis_http_step must be called whatever the descriptor says;
 * -1: no such time. To be called right before each wait: it says that the
 * owner is about to wait, see kis_transfer_unattended.
 */
long
kis_http_timeout_ms(KisHttp *http)
{
	int64_t		due = http->curl_due_us >= 0 ? http->curl_due_us : INT64_MAX;
	int64_t		now;

	note_owner(http);
	for (KisTransfer *transfer = http->pool.transfers; transfer != NULL; transfer = transfer->next)
		if (due_of(transfer) < due)
			due = due_of(transfer);
	if (due == INT64_MAX)
		return -1;
	now = http->attended_us;
	if (due <= now)
		return 0;
	http->attended_us = due;
	/* rounded up, so that the time has come when the owner does */
	return (long) ((due - now + 999) / 1000);
}

/* Its reply is here, or its failure. */
static void
finish(KisTransfer *transfer)
{
	transfer->ended_us = kis_now_monotonic_us();
	if (transfer->socket != NULL)
		transfer->socket->last_reply_us = transfer->ended_us;
	transfer->state = TRANSFER_FINISHED;
}

/* Tries once more on a new connection. */
static void
start_again(KisTransfer *transfer)
{
	kis_transfer_renew(transfer);
	transfer->state = TRANSFER_RUNNING;
	if (!attach(transfer, true, &transfer->failure))
		finish(transfer);
}

/* libcurl has done with a running transfer. */
static void
note_done(KisTransfer *transfer, CURLcode result)
{
	bool		stale = kis_transfer_was_stale(transfer, result);
	int64_t		now = kis_now_monotonic_us();

	/* and not when it has settled */
	transfer->arrived_us = transfer->http->arrived_us;
	kis_transfer_note_outcome(transfer, result);
	detach(transfer);
	if (stale)
		start_again(transfer);
	else if (transfer->hot && !transfer->tried_again && transfer->socket != NULL &&
			 transfer->failure.error_class == KIS_OK && now - transfer->started_us >= SLOW_REPLY_US)
	{
		transfer->state = TRANSFER_SETTLING;
		transfer->stage_due_us = now + SETTLE_US;
	}
	else
		finish(transfer);
}

/* Notes how far transfers are, and takes those that have ended from libcurl. */
static void
collect_finished(KisHttp *http)
{
	CURLMsg    *message;
	int			nleft;

#if !KIS_CALLS_BEFORE_SENDING
	for (KisTransfer *transfer = http->pool.transfers; transfer != NULL; transfer = transfer->next)
	{
		curl_off_t	connected_us = 0;

		curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
		if (transfer->state == TRANSFER_RUNNING && transfer->phase < KIS_PHASE_REPLY && connected_us > 0)
		{
			transfer->phase = KIS_PHASE_REPLY;
			transfer->sent = true;
		}
	}
#endif
	while ((message = curl_multi_info_read(http->multi, &nleft)) != NULL)
	{
		KisTransfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &transfer);
		if (transfer->state == TRANSFER_RUNNING)
			note_done(transfer, message->data.result);
		else
			detach(transfer);
		if (transfer->state == TRANSFER_PARKED)
			kis_transfer_clear(transfer);
	}
}

/* Ends transfers whose limit is over, or which can't be watched. */
static void
check_limits(KisHttp *http)
{
	int64_t		now = kis_now_monotonic_us();

	for (KisTransfer *transfer = http->pool.transfers; transfer != NULL; transfer = transfer->next)
	{
		bool		due = now >= due_of(transfer);

		if (transfer->state == TRANSFER_SETTLING && due)
		{
			/* if nothing has followed it, the reply is the request's own */
			if (transfer->socket != NULL && kis_socket_unread(transfer->socket) == KIS_UNREAD_SOME)
				start_again(transfer);
			else
				finish(transfer);
		}
		else if (due || (transfer->state == TRANSFER_RUNNING && http->poll_errno != 0))
		{
			if (due)
			{
				note_silence(transfer, now, 0);
				kis_transfer_note_timeout(transfer);
			}
			else
				kis_error_set(&transfer->failure, KIS_ERROR_LOCAL, transfer->phase,
							  "can't watch a socket: %s", strerror(http->poll_errno));
			transfer->arrived_us = http->arrived_us;
			finish(transfer);
			let_go(transfer);
		}
	}
	http->poll_errno = 0;
}

/*
 * Hands libcurl the sockets on which something has happened. What happens on an idle
 * one is the next request's to see; it is watched no more until then.
 */
static void
serve_sockets(KisHttp *http)
{
	struct epoll_event events[MOST_EVENTS];
	int			nevents = epoll_wait(http->poll_fd, events, MOST_EVENTS, 0);

	for (int i = 0; i < nevents; i++)
	{
		KisSocket  *socket = kis_socket_of(http->pool.sockets, events[i].data.fd);
		int			what = 0;

		if (socket != NULL && !socket->is_wanted)
		{
			epoll_ctl(http->poll_fd, EPOLL_CTL_DEL, socket->fd, NULL);
			socket->watched_for = 0;
			continue;
		}
		/* 0 after an error: libcurl finds out itself */
		if ((events[i].events & (EPOLLERR | EPOLLHUP)) == 0)
			what = ((events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
				((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0);
		curl_multi_socket_action(http->multi, events[i].data.fd, what, &http->nrunning);
	}
}

/* Does libcurl want to be called, whatever its sockets do? */
static bool
is_due(const KisHttp *http)
{
	return http->curl_due_us >= 0 && http->curl_due_us <= kis_now_monotonic_us();
}

/*
 * Moves all transfers on as far as they go without waiting; what has arrived
 * comes before what is too late. After a start, this is what sends. What is here
 * now came at arrived_us, by a clock of the owner's.
 */
void
kis_http_step(KisHttp *http, int64_t arrived_us)
{
	note_owner(http);
	http->arrived_us = arrived_us;

	/*
	 * what has arrived first, then what is too late; where a first transfer
	 * waits to be begun, nothing has
	 */
	if (http->nrunning > 0 || !is_due(http))
		serve_sockets(http);
	/* look-ups that have ended make room for those to come */
	collect_finished(http);
	if (is_due(http))
	{
		http->curl_due_us = -1;
		curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &http->nrunning);
	}
	collect_finished(http);
	check_limits(http);

	if (http->pool.blocks_signals)
		pthread_sigmask(SIG_SETMASK, &http->pool.signals, NULL);
	http->pool.blocks_signals = false;
}

/* A transfer that has ended since the last call, or NULL. */
KisTransfer *
kis_http_finished(KisHttp *http)
{
	for (KisTransfer *transfer = http->pool.transfers; transfer != NULL; transfer = transfer->next)
		if (transfer->state == TRANSFER_FINISHED)
		{
			transfer->state = TRANSFER_TAKEN;
			return transfer;
		}
	return NULL;
}

/* ---- what the owner may know of a transfer ------------------------------------------------------ */

/* What it was started with. */
void *
kis_transfer_owner(const KisTransfer *transfer)
{
	return transfer->owner;
}

/* When what ended it was here, as kis_http_step was told. */
int64_t
kis_transfer_arrived_us(const KisTransfer *transfer)
{
	return transfer->arrived_us;
}

/* Bytes of the reply's body. */
size_t
kis_transfer_bytes(const KisTransfer *transfer)
{
	return transfer->body_len;
}

/* Milliseconds from start to end, or to now. */
double
kis_transfer_elapsed_ms(const KisTransfer *transfer)
{
	int64_t		end = transfer->ended_us != 0 ? transfer->ended_us : kis_now_monotonic_us();

	return (end - transfer->started_us) / 1000.0;
}

/* Its request has been sent, or never will be. */
bool
kis_transfer_is_sent(const KisTransfer *transfer)
{
	return transfer->state != TRANSFER_RUNNING || transfer->phase >= KIS_PHASE_REPLY;
}

/*
 * It failed on the wire, not by KIS's word, and only perhaps because its owner
 * was not looking for a second or more: tried again, it should count as the
 * first time. The time limits themselves stand still in such a while. For a
 * token request only true if it was not sent.
 */
bool
kis_transfer_unattended(const KisTransfer *transfer)
{
	if (transfer->failure.error_class == KIS_OK ||
		transfer->failure.error_class == KIS_ERROR_LOCAL ||
		transfer->unattended_us < LONG_ABSENCE_US)
		return false;
	/* once sent, KIS may have issued a token all the same */
	return transfer->call != NULL || transfer->failure.phase < KIS_PHASE_REPLY;
}
