/*
 * transfer.c
 *		One request and its reply on a libcurl easy handle.
 *
 * The callbacks run inside libcurl: they note and return.
 */
#include "kis.h"
#include "kis/framing.h"
#include "kis/redact.h"
#include "kis/socket.h"
#include "kis/text.h"
#include "kis/transfer.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>


#if LIBCURL_VERSION_NUM < 0x074A00
#error "libcurl 7.74 or newer is needed: on Debian, apt-get install libcurl4-openssl-dev"
#endif

/*
 * Before CURLOPT_QUICK_EXIT libcurl ends a look-up at its limit by waiting for the
 * look-up: so that limit comes after ours, by more than the longest absence for
 * which deadlines are not extended.
 */
#define LATER_MS			(LIBCURL_VERSION_NUM >= 0x075700 ? 0 : 1000)

#define FIRST_BODY_SIZE		4096
#define LARGEST_HEADERS		(64 * 1024)

/* Probes keep firewalls from forgetting an idle connection, and find dead ones. */
#define KEEPALIVE_SECONDS	30L

/* Over a connection whose last reply is no older than this another one may follow that. */
#define HOT_US				200000

/* KIS and firewalls drop idle connections without a word: an older one is not used again. */
#define OLDEST_IDLE_SECONDS	50L

/* ---- libcurl's callbacks ---------------------------------------------------- */

/* Gathers the body, with a NUL behind it; more than KIS_MAX_REPLY ends the transfer. */
static size_t
on_body(char *data, size_t size, size_t count, void *context)
{
	KisTransfer *transfer = context;
	size_t		len = size * count;
	size_t		needed = transfer->body_len + len + 1;

	if (transfer->body_len + len > KIS_MAX_REPLY)
	{
		kis_error_set(&transfer->failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is larger than %d bytes", KIS_MAX_REPLY);
		return 0;
	}
	if (needed > transfer->body_size)
	{
		size_t		larger = needed < FIRST_BODY_SIZE ? FIRST_BODY_SIZE : 2 * needed;
		char	   *body = realloc(transfer->body, larger);

		if (body == NULL)
		{
			kis_error_set(&transfer->failure, KIS_ERROR_LOCAL, KIS_PHASE_REPLY, "out of memory");
			return 0;
		}
		transfer->body = body;
		transfer->body_size = larger;
	}
	memcpy(transfer->body + transfer->body_len, data, len);
	transfer->body_len += len;
	transfer->body[transfer->body_len] = '\0';
	return len;
}

/* Notes the failure; false, as what is refused is. */
static bool
refuse_headers(KisTransfer *transfer)
{
	kis_error_set(&transfer->failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
				  "the reply's headers are larger than %d bytes", LARGEST_HEADERS);
	return false;
}

/*
 * Called for each line of headers and trailers. After an odd framing what follows
 * on the connection may be anything, so it is not kept.
 */
static size_t
on_header(char *data, size_t size, size_t count, void *context)
{
	KisTransfer *transfer = context;
	KisFraming *framing = &transfer->framing;
	size_t		len = size * count;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->http_status);
	kis_framing_line(framing, data, len, transfer->http_status, transfer->call != NULL ? transfer->call->tr_id : NULL);
	if (framing->odd)
		curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
	return framing->len <= LARGEST_HEADERS || refuse_headers(transfer) ? len : 0;
}

/* From now on the connection must stand within its limit. */
static void
start_connecting(KisTransfer *transfer)
{
	transfer->stage_due_us = kis_now_monotonic_us() + transfer->connect_timeout_ms * INT64_C(1000);
}

/* A phase before the reply. libcurl may come back to it from a connection of the pool that was dead. */
static void
enter_phase(KisTransfer *transfer, KisPhase phase)
{
	if (transfer->phase == KIS_PHASE_REPLY)
		start_connecting(transfer);
	transfer->phase = phase;
}

/*
 * The resolver's threads inherit the mask, and must not take the process's signals:
 * all are blocked before one may be made, until the end of this step.
 */
static void
block_signals(KisPool *pool)
{
	sigset_t	all;

	if (pool->blocks_signals)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &pool->signals);
	pool->blocks_signals = true;
}

/* Called before a look-up that the cache of names can't answer. */
static int
on_look_up(void *resolver_state, void *reserved, void *context)
{
	KisTransfer *transfer = context;
	int			nparked = 0;

	enter_phase(transfer, KIS_PHASE_RESOLVE);
	block_signals(transfer->pool);
	for (const KisTransfer *other = transfer->pool->transfers; other != NULL; other = other->next)
		nparked += other->state == TRANSFER_PARKED;
	if (transfer->state == TRANSFER_RUNNING && nparked < KIS_MOST_PARKED)
		return 0;
	if (transfer->state == TRANSFER_RUNNING)
		kis_error_set(&transfer->failure, KIS_ERROR_CONNECT, KIS_PHASE_RESOLVE,
					  "%d earlier look-ups of host names have not ended yet", nparked);
	return 1;
}

/* Opens a socket for each address that libcurl tries. */
static curl_socket_t
on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	KisTransfer *transfer = context;
	int			fd;

	enter_phase(transfer, KIS_PHASE_CONNECT);
	if (transfer->state != TRANSFER_RUNNING)
		return CURL_SOCKET_BAD;
	fd = kis_socket_open(&transfer->pool->sockets, address->family, address->socktype,
						 address->protocol);
	if (fd >= 0)
	{
		transfer->failure.error_class = KIS_OK; /* an earlier address's */
		return fd;
	}
	/* other errors are the address's: another one may do */
	if (errno == ENOMEM)
		kis_error_set(&transfer->failure, KIS_ERROR_LOCAL, KIS_PHASE_CONNECT, "out of memory");
	else if (errno == EMFILE || errno == ENFILE)
		kis_error_set(&transfer->failure, KIS_ERROR_LOCAL, KIS_PHASE_CONNECT,
					  "can't open a socket: %s", strerror(errno));
	return CURL_SOCKET_BAD;
}

/* For libcurl, which closes a socket: no transfer has it any more. */
static int
on_close(void *context, curl_socket_t fd)
{
	KisPool    *pool = context;
	KisSocket  *socket = kis_socket_remove(&pool->sockets, fd);

	for (KisTransfer *transfer = pool->transfers; transfer != NULL; transfer = transfer->next)
		if (transfer->socket == socket)
			transfer->socket = NULL;
	free(socket);
	return close(fd);
}

/* Called when a TLS session is prepared: the connection stands. */
static CURLcode
on_tls(CURL *easy, void *tls_context, void *context)
{
	KisTransfer *transfer = context;

	enter_phase(transfer, KIS_PHASE_TLS);
	return CURLE_OK;
}

/* Does another transfer in that state have the connection that this one was sent on? */
static bool
is_shared(const KisTransfer *transfer, TransferState state)
{
	for (const KisTransfer *other = transfer->pool->transfers; other != NULL; other = other->next)
		if (other != transfer && other->state == state && other->socket == transfer->socket)
			return true;
	return false;
}

#if KIS_CALLS_BEFORE_SENDING

/*
 * Called when the connection stands, TLS included, before the request is sent.
 * One of the pool that can't be trusted is refused, and kis_transfer_was_stale
 * has the request made again.
 */
static int
on_connected(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	KisTransfer *transfer = context;
	long		nconnects = 0;

	transfer->phase = KIS_PHASE_REPLY;
	if (transfer->state != TRANSFER_RUNNING)
		return CURL_PREREQFUNC_ABORT;
	transfer->failure.error_class = KIS_OK; /* another address's */

	transfer->socket = kis_socket_find(transfer->pool->sockets, local_ip, local_port, remote_ip, remote_port);
	if (transfer->socket != NULL && strncasecmp(transfer->url, "https:", 6) == 0)
		kis_socket_note_tls(transfer->socket, transfer->easy);

	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &nconnects);
	transfer->reused = nconnects == 0;
	if (transfer->reused && (transfer->socket == NULL || transfer->socket->distrusted ||
							 is_shared(transfer, TRANSFER_SETTLING) ||
							 kis_socket_unread(transfer->socket) != KIS_UNREAD_NONE))
	{
		curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
		return CURL_PREREQFUNC_ABORT;
	}
	transfer->hot = transfer->reused &&
		kis_now_monotonic_us() - transfer->socket->last_reply_us < HOT_US;

	/*
	 * Where a connection of the pool was dead, libcurl sends the request
	 * again, on one after another of the pool. Once more on a new one is
	 * enough: KIS may have counted each.
	 */
	if (transfer->sent)
	{
		if (transfer->reused)
			return CURL_PREREQFUNC_ABORT;
		transfer->tried_again = true;
	}
	transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

#endif

/* ---- its life ------------------------------------------------------------------- */

/*
 * Forgets the request and what it brought, so that the transfer is idle again.
 * The next one finds its handle.
 */
void
kis_transfer_clear(KisTransfer *transfer)
{
	kis_wipe(transfer->request, transfer->request_len);
	/* the reply to a token request is a secret too */
	kis_wipe(transfer->body, transfer->body_len);
	free(transfer->body);
	memset(&transfer->state, 0, offsetof(KisTransfer, request) - offsetof(KisTransfer, state));
}

/* Options that are the same for each request. */
static bool
set_common_options(KisTransfer *transfer)
{
	CURL	   *easy = transfer->easy;
	bool		ok = true;

#define SET(option, value) (ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok)
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_ERRORBUFFER, transfer->curl_error);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET(CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_USERAGENT, "market_investor_fdw/" KIS_VERSION);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS);
	SET(CURLOPT_MAXAGE_CONN, OLDEST_IDLE_SECONDS);
	/* no request accepts it, but a proxy may send it all the same */
	SET(CURLOPT_ACCEPT_ENCODING, "gzip");
#if LIBCURL_VERSION_NUM >= 0x075700
	/* where a handle must go while its look-up hangs, don't wait for it */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif

	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_RESOLVER_START_FUNCTION, on_look_up);
	SET(CURLOPT_RESOLVER_START_DATA, transfer);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->pool);
#if KIS_CALLS_BEFORE_SENDING
	SET(CURLOPT_PREREQFUNCTION, on_connected);
	SET(CURLOPT_PREREQDATA, transfer);
#else
	/* nobody could look whether anything lies unread on a kept one */
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
#endif

	/*
	 * not every TLS library has it; without it that phase counts as
	 * connecting
	 */
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transfer);
	return ok;
}

/*
 * Whom to trust: the authorities in a file's content, or by its name where this
 * libcurl takes no content. It keeps certificates that it has read only if they
 * come from one file; reading the system's takes longer than a call.
 */
static bool
set_authorities(CURL *easy, const char *ca_file, const char *ca_pem)
{
	bool		ok = true;

#if LIBCURL_VERSION_NUM >= 0x074d00
	if (ca_pem != NULL)
	{
		struct curl_blob content = {(void *) ca_pem, strlen(ca_pem), CURL_BLOB_COPY};

		if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &content) == CURLE_OK &&
			curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &content) == CURLE_OK)
			ca_file = NULL;
	}
#endif
#if LIBCURL_VERSION_NUM >= 0x075400
	if (ca_pem == NULL && ca_file == NULL)
		curl_easy_getinfo(easy, CURLINFO_CAINFO, &ca_file);
#endif
	if (ca_file != NULL)
	{
		SET(CURLOPT_CAINFO, ca_file);
		SET(CURLOPT_PROXY_CAINFO, ca_file);
	}
	if (ca_file != NULL || ca_pem != NULL)
	{
		SET(CURLOPT_CAPATH, NULL);
		SET(CURLOPT_PROXY_CAPATH, NULL);
	}
	return ok;
}

/* Readies the handle for the request that the transfer holds. */
bool
kis_transfer_prepare(KisTransfer *transfer, const KisEndpoint *endpoint)
{
	CURL	   *easy = transfer->easy;
	bool		ok;

	/* its connections, sessions and names stay in the multi handle */
	curl_easy_reset(easy);
	ok = set_common_options(transfer) && set_authorities(easy, endpoint->ca_file, endpoint->ca_pem);
	SET(CURLOPT_URL, transfer->url);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	/* "" and not NULL: the environment has no say */
	SET(CURLOPT_PROXY, endpoint->proxy != NULL ? endpoint->proxy : "");
	SET(CURLOPT_NOPROXY, "");
	/* what the proxy says to CONNECT is no word of KIS's */
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (transfer->post != NULL)
	{
		SET(CURLOPT_POSTFIELDS, transfer->post);

		/*
		 * libcurl sends again what was lost on an old connection; a token
		 * request must not be
		 */
		SET(CURLOPT_FRESH_CONNECT, 1L);
	}

	/* libcurl shares this limit out among a host's addresses; we enforce it */
	transfer->connect_timeout_ms = endpoint->connect_timeout_ms;
	SET(CURLOPT_CONNECTTIMEOUT_MS, transfer->connect_timeout_ms + LATER_MS);

	transfer->started_us = kis_now_monotonic_us();
	start_connecting(transfer);
	transfer->due_us = transfer->started_us +
		(endpoint->request_timeout_ms + (transfer->call == NULL ? KIS_TOKEN_SLOW_MS : 0)) * INT64_C(1000);
	return ok;
#undef SET
}

/* Puts its deadlines off by a time in which nobody could see the reply. */
void
kis_transfer_extend_deadline(KisTransfer *transfer, int64_t absence_us)
{
	int64_t		limit_ms;

	transfer->unattended_us += absence_us;
	transfer->stage_due_us += absence_us;
	transfer->due_us += absence_us;
	limit_ms = transfer->connect_timeout_ms + transfer->unattended_us / 1000 + 1 + LATER_MS;
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
					 (long) (limit_ms < INT_MAX ? limit_ms : INT_MAX));
}

/* It was sent on a connection from the pool, and nothing has come back. */
bool
kis_transfer_met_silence(const KisTransfer *transfer)
{
	return transfer->sent && transfer->reused && transfer->framing.len == 0 && transfer->body_len == 0;
}

/* Results of a connection that the server has closed, or reset. */
static bool
is_cut_off(CURLcode result)
{
	return result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR || result == CURLE_GOT_NOTHING ||
		result == CURLE_HTTP2 || result == CURLE_HTTP2_STREAM;
}

/*
 * Could the reply that came over a connection of the pool be another one that was
 * late, or a server's farewell to an idle connection? Then there is more to read,
 * or libcurl has closed the connection though nobody had said so.
 */
static bool
may_be_foreign(const KisTransfer *transfer)
{
	const KisFraming *framing = &transfer->framing;
	curl_socket_t kept = CURL_SOCKET_BAD;

	/* in no pool: over TLS libcurl may take a while to close it */
	curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &kept);
	if (framing->ambiguous || framing->other_call[0] != '\0' ||
		transfer->http_status == 408)
		return true;
	if (transfer->socket == NULL || kept == CURL_SOCKET_BAD)
		return !framing->odd && !framing->says_close;
	/* lent again, nothing lay there, and what does by now is the other one's */
	return !is_shared(transfer, TRANSFER_RUNNING) &&
		kis_socket_unread(transfer->socket) == KIS_UNREAD_SOME;
}

/*
 * Must the request be made again, on a new connection? That of the pool which it
 * went out on had been closed by the server, or what came may be no reply to it.
 * To be called before the outcome is noted.
 */
bool
kis_transfer_was_stale(const KisTransfer *transfer, CURLcode result)
{
	if (transfer->tried_again)
		return false;
	/* refused by on_connected */
	if (result == CURLE_ABORTED_BY_CALLBACK)
		return transfer->phase == KIS_PHASE_REPLY;
	if (is_cut_off(result))
		return kis_transfer_met_silence(transfer);
	return result == CURLE_OK && transfer->reused && may_be_foreign(transfer);
}

/* Readies it to be made again on a new connection. */
void
kis_transfer_renew(KisTransfer *transfer)
{
	transfer->tried_again = true;
	transfer->sent = false;
	transfer->phase = KIS_PHASE_NONE;
	transfer->body_len = 0;
	transfer->http_status = 0;
	memset(&transfer->framing, 0, sizeof(transfer->framing));
	memset(&transfer->failure, 0, sizeof(transfer->failure));
	start_connecting(transfer);
	transfer->curl_error[0] = '\0';
	curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 0L);
}

/* ---- its outcome ------------------------------------------------------------------ */

/*
 * A line of the headers was longer than libcurl takes, about 100 kB. Before it
 * had a word for that it said that memory was out.
 */
static bool
met_long_line(const KisTransfer *transfer, CURLcode result)
{
#if LIBCURL_VERSION_NUM >= 0x080600
	return result == CURLE_TOO_LARGE;
#else
	curl_off_t	first_byte_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
	return result == CURLE_OUT_OF_MEMORY && first_byte_us > 0 && !transfer->framing.ended;
#endif
}

/* Results that are our own fault: of memory, of an option or a file. */
static bool
is_local(CURLcode result)
{
	return result == CURLE_OUT_OF_MEMORY || result == CURLE_ABORTED_BY_CALLBACK ||
		result == CURLE_FAILED_INIT || result == CURLE_URL_MALFORMAT || result == CURLE_SSL_CACERT_BADFILE;
}

/* What libcurl reports, where no callback of ours has said more. */
static void
note_failure(KisTransfer *transfer, CURLcode result)
{
	const char *reason = transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(result);
	KisError   *failure = &transfer->failure;
	KisPhase	phase = transfer->phase;

	if (met_long_line(transfer, result))
		refuse_headers(transfer);
	else if (is_local(result))
		kis_error_set(failure, KIS_ERROR_LOCAL, phase, "%s", reason);
	else if (phase < KIS_PHASE_REPLY)
		/* a host that libcurl remembers as unknown it doesn't look up */
		kis_error_set(failure, KIS_ERROR_CONNECT,
					  result == CURLE_COULDNT_RESOLVE_HOST ? KIS_PHASE_RESOLVE : phase, "%s", reason);
	else if (is_cut_off(result) && transfer->framing.len == 0 && transfer->body_len == 0)
		kis_error_set(failure, KIS_ERROR_DROPPED, phase,
					  "the connection was closed without a reply: %s", reason);
	else if (is_cut_off(result) || result == CURLE_PARTIAL_FILE)
		kis_error_set(failure, KIS_ERROR_REPLY, phase,
					  "the reply is truncated after %zu bytes: %s", transfer->body_len, reason);
	else
		kis_error_set(failure, KIS_ERROR_REPLY, phase, "the reply can't be read: %s", reason);
}

/*
 * Notes the outcome by libcurl's word. A failure that a callback has noted is
 * the reason of it, unless libcurl went on: with another address, or to a limit.
 */
void
kis_transfer_note_outcome(KisTransfer *transfer, CURLcode result)
{
	KisError   *failure = &transfer->failure;
	const KisFraming *framing = &transfer->framing;

	if (result == CURLE_OPERATION_TIMEDOUT)
	{
		kis_transfer_note_timeout(transfer);
		return;
	}
	if (result == CURLE_OK)
		memset(failure, 0, sizeof(*failure));
	if (result == CURLE_OK && !framing->ended)
		/* libcurl doesn't mind headers that break off */
		note_failure(transfer, CURLE_PARTIAL_FILE);
	else if (result == CURLE_OK && framing->other_call[0] != '\0')
		kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is one to call %s, by its header tr_id", framing->other_call);
	else if (result != CURLE_OK && failure->error_class == KIS_OK)
		note_failure(transfer, result);
	if (failure->error_class != KIS_OK)
		failure->http_status = (int) transfer->http_status;
}

/* Notes that a limit is over, by what had not come until then. */
void
kis_transfer_note_timeout(KisTransfer *transfer)
{
	KisPhase	phase = transfer->phase;
	long		ms = (long) ((kis_now_monotonic_us() - transfer->started_us -
							  transfer->unattended_us) / 1000);

	if (phase < KIS_PHASE_REPLY)
		kis_error_set(&transfer->failure, KIS_ERROR_CONNECT, phase,
					  "timed out after %ld ms", ms);
	else
		kis_error_set(&transfer->failure, KIS_ERROR_TIMEOUT, phase,
					  "timed out after %ld ms with %zu bytes of the reply", ms, transfer->body_len);
}
