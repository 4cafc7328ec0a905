/*
 * transfer.c
 *		One request and its reply on a libcurl easy handle.
 *
 * The callbacks run inside libcurl: they note and return.
 */
#include "kis.h"
#include "kis/clock.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/socket.h"
#include "kis/text.h"
#include "kis/transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>


#if LIBCURL_VERSION_NUM < 0x074A00
#error "libcurl 7.74 or newer is needed: on Debian, apt-get install libcurl4-openssl-dev"
#endif

/*
 * Before CURLOPT_QUICK_EXIT libcurl ends a look-up at its limit by waiting for the
 * look-up: so that limit comes after ours, by more than an absence that is not
 * excused.
 */
#define LATER_MS			(LIBCURL_VERSION_NUM >= 0x075700 ? 0 : 1000)

/* Before 7.80 libcurl doesn't say on which connection it is about to send a request. */
#define TELLS_CONNECTION	(LIBCURL_VERSION_NUM >= 0x075000)

#define FIRST_BODY_SIZE		4096
#define LARGEST_KEPT_BODY	(64 * 1024)
#define LARGEST_HEADERS		(64 * 1024)

/* More than libcurl keeps of a reply's line, 100 kB */
#define LONGEST_LINE		(256 * 1024)

/* Probes keep firewalls from forgetting an idle connection, and find dead ones. */
#define KEEPALIVE_SECONDS	30L

/*
 * A second reply to the request before may come when this one has been sent: over
 * a connection whose last reply is no older than this, a reply that took so long is
 * believed only when none has followed it for a moment.
 */
#define HOT_US				200000
#define SLOW_REPLY_US		4000

/* KIS and firewalls drop idle connections without a word: an older one is not used again. */
#define OLDEST_IDLE_SECONDS	50L

/* ---- libcurl's callbacks ---------------------------------------------------- */

static size_t
on_body(char *data, size_t size, size_t count, void *context)
{
	KisTransfer *transfer = context;
	size_t		len = size * count;
	size_t		needed = transfer->body_len + len + 1;

	if (transfer->body_len + len > KIS_MAX_REPLY)
	{
		transfer->too_large = true;
		return 0;
	}
	if (needed > transfer->body_size)
	{
		size_t		larger = transfer->body_size < FIRST_BODY_SIZE ? FIRST_BODY_SIZE : transfer->body_size;
		char	   *body;

		while (larger < needed)
			larger *= 2;
		body = realloc(transfer->body, larger);
		if (body == NULL)
		{
			transfer->out_of_memory = true;
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

/* The value of a header of that name, without blanks around it; false: it is another header. */
static bool
header_value(const char *line, size_t len, const char *name, const char **value, size_t *value_len)
{
	size_t		name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return false;
	line += name_len + 1;
	len -= name_len + 1;
	for (; len > 0 && strchr(KIS_BLANKS, *line) != NULL; len--)
		line++;
	while (len > 0 && strchr(KIS_BLANKS, line[len - 1]) != NULL)
		len--;
	*value = line;
	*value_len = len;
	return true;
}

static bool
is_word(const char *value, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

static void
begin_headers(KisTransfer *transfer, const char *line, size_t len)
{
	transfer->headers_ended = false;
	transfer->says_close = false;
	transfer->date = 0;
	/* in HTTP/2 a frame says where the body ends */
	transfer->nlengths = len >= 6 && line[5] == '2' ? 1 : 0;
}

/* When KIS says that it is, Unix seconds; 0 where nobody can read it. */
static int64_t
read_date(const char *value, size_t len)
{
	char text[	64];
	time_t		date;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, value, len);
	text[		len] = '\0';

	date = curl_getdate(text, NULL);
	return date > 0 ? date : 0;
}

/* A header that says where the reply ends, when it was made or to which call it is one. */
static void
note_header(KisTransfer *transfer, const char *line, size_t len)
{
	const char *value;
	size_t		value_len;

	if (header_value(line, len, "content-length", &value, &value_len))
		transfer->nlengths++;
	else if (header_value(line, len, "transfer-encoding", &value, &value_len))
	{
		transfer->nlengths++;
		transfer->odd = transfer->odd || !is_word(value, value_len, "chunked");
	}
	else if (header_value(line, len, "connection", &value, &value_len))
		transfer->says_close = is_word(value, value_len, "close");
	else if (header_value(line, len, "date", &value, &value_len))
		transfer->date = read_date(value, value_len);
	else if (header_value(line, len, "tr_id", &value, &value_len) && transfer->call != NULL &&
			 value_len > 0 && !is_word(value, value_len, transfer->call->tr_id))
		kis_text_clean(transfer->other_call, sizeof(transfer->other_call), value, value_len);
}

/*
 * Servers and proxies read these in more than one way, and what one takes for the
 * body another takes for the next reply: interim answers, statuses that have no
 * body, two lengths or none. Their connection must serve no other request.
 */
static void
end_headers(KisTransfer *transfer)
{
	long		status = 0;

	transfer->headers_ended = true;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->nlengths > 1 || status < 200 || status == 204 || status == 304)
		transfer->ambiguous = transfer->odd = true;
	else if (transfer->nlengths == 0 && !transfer->says_close)
		transfer->odd = true;
}

static size_t
on_header(char *data, size_t size, size_t count, void *context)
{
	KisTransfer *transfer = context;
	size_t		len = size * count;

	/* after an interim answer they begin anew */
	if (len >= 5 && strncasecmp(data, "HTTP/", 5) == 0)
		begin_headers(transfer, data, len);
	else if (transfer->headers_ended || data[0] == ' ' || data[0] == '\t')
		transfer->odd = true;	/* what trails a chunked body, or goes on in
								 * another line */
	else if (data[0] == '\r' || data[0] == '\n')
		end_headers(transfer);
	else
		note_header(transfer, data, len);
	if (transfer->odd)
		curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);

	transfer->header_len += len;
	if (transfer->header_len > LARGEST_HEADERS)
	{
		transfer->headers_too_large = true;
		return 0;
	}
	return len;
}

static void
start_connecting(KisTransfer *transfer)
{
	transfer->connect_due_us = kis_now_monotonic_us() + transfer->connect_timeout_ms * INT64_C(1000);
}

/* A phase before the reply. libcurl may come back to it from a connection of the pool that was dead. */
static void
enter_phase(KisTransfer *transfer, KisPhase phase)
{
	if (transfer->phase == KIS_PHASE_REPLY)
		start_connecting(transfer);
	transfer->phase = phase;
}

/* Called before a look-up that the cache of names can't answer. */
static int
on_look_up(void *resolver_state, void *reserved, void *context)
{
	KisTransfer *transfer = context;

	(void) resolver_state;
	(void) reserved;
	enter_phase(transfer, KIS_PHASE_RESOLVE);
	transfer->hung_look_ups = kis_http_too_many_look_ups(transfer->http);
	return transfer->abandoned || transfer->hung_look_ups > 0;
}

static curl_socket_t
on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	KisTransfer *transfer = context;
	int			fd;

	(void) purpose;
	enter_phase(transfer, KIS_PHASE_CONNECT);
	if (transfer->abandoned)
		return CURL_SOCKET_BAD;
	fd = kis_socket_open(kis_http_sockets(transfer->http), address->family, address->socktype,
						 address->protocol);
	if (fd < 0 && errno == ENOMEM)
		transfer->out_of_memory = true;
	else if (fd < 0)
		transfer->socket_errno = errno;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static CURLcode
on_tls(CURL *easy, void *tls_context, void *context)
{
	KisTransfer *transfer = context;

	(void) easy;
	(void) tls_context;
	enter_phase(transfer, KIS_PHASE_TLS);
	return CURLE_OK;
}

#if TELLS_CONNECTION

static int
refuse_connection(KisTransfer *transfer, bool close)
{
	transfer->unfit = true;
	if (close)
		curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
	return CURL_PREREQFUNC_ABORT;
}

/* Called when the connection stands, TLS included, before the request is sent. */
static int
on_connected(void *context, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	KisTransfer *transfer = context;
	char		addresses[KIS_ADDRESSES_LEN];
	long		nconnects = 0;

	transfer->phase = KIS_PHASE_REPLY;
	if (transfer->abandoned)
		return CURL_PREREQFUNC_ABORT;

	snprintf(addresses, sizeof(addresses), "%s %d %s %d", local_ip, local_port, remote_ip, remote_port);
	transfer->socket = kis_socket_find(*kis_http_sockets(transfer->http), addresses);
	if (transfer->socket != NULL && strncasecmp(transfer->url, "https:", 6) == 0)
		kis_socket_note_tls(transfer->socket, transfer->easy);

	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &nconnects);
	if (nconnects == 0 && (transfer->socket == NULL || kis_http_settles_on(transfer->http, transfer->socket) ||
						   kis_socket_unread(transfer->socket) != KIS_UNREAD_NONE))
		return refuse_connection(transfer, true);
	transfer->hot = nconnects == 0 &&
		kis_now_monotonic_us() - kis_socket_last_reply_us(transfer->socket) < HOT_US;

	/*
	 * Where a connection of the pool was dead, libcurl sends the request
	 * again, on one after another of the pool. Once more on a new one is
	 * enough: KIS may have counted each.
	 */
	if (transfer->sent)
	{
		if (nconnects == 0)
			return refuse_connection(transfer, false);
		transfer->tried_again = true;
	}
	transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

#endif

/* ---- its life ------------------------------------------------------------------- */

KisTransfer *
kis_transfer_create(KisHttp *http)
{
	KisTransfer *transfer = calloc(1, sizeof(KisTransfer));

	if (transfer == NULL)
		return NULL;
	transfer->http = http;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
	{
		free(transfer);
		return NULL;
	}
	return transfer;
}

void
kis_transfer_destroy(KisTransfer *transfer)
{
	kis_transfer_clear(transfer);
	curl_easy_cleanup(transfer->easy);
	free(transfer->body);
	free(transfer);
}

/* Forgets the last request, secrets wiped, and what it brought. */
void
kis_transfer_clear(KisTransfer *transfer)
{
	KisTransfer cleared = {
		.http = transfer->http,
		.easy = transfer->easy,
		.body = transfer->body,
		.body_size = transfer->body_size,
	};

	kis_wipe(transfer->request, transfer->request_size);
	free(transfer->request);
	/* a token issue's reply is a secret too */
	kis_wipe(transfer->body, transfer->body_len);
	if (transfer->body_size > LARGEST_KEPT_BODY)
	{
		free(cleared.body);
		cleared.body = NULL;
		cleared.body_size = 0;
	}
	*transfer = cleared;
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
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) KIS_MAX_REPLY);
	/* not asked for (see the header), but read where a proxy brings it */
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
	SET(CURLOPT_CLOSESOCKETFUNCTION, kis_http_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->http);
#if TELLS_CONNECTION
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

/* False where this libcurl takes certificates from files alone. */
static bool
trust_content(CURL *easy, const char *ca_pem)
{
#if LIBCURL_VERSION_NUM >= 0x074d00
	struct curl_blob content = {(void *) ca_pem, strlen(ca_pem), CURL_BLOB_COPY};

	return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &content) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &content) == CURLE_OK;
#else
	(void) easy;
	(void) ca_pem;
	return false;
#endif
}

/*
 * Whom to trust. libcurl keeps certificates that it has read only if they come
 * from one file; reading the system's takes longer than a call.
 */
static bool
set_authorities(KisTransfer *transfer, const char *ca_file, const char *ca_pem)
{
	CURL	   *easy = transfer->easy;
	const char *system_file = NULL;
	bool		ok = true;

	if (ca_file != NULL && !(ca_pem != NULL && trust_content(easy, ca_pem)))
	{
		SET(CURLOPT_CAINFO, ca_file);
		SET(CURLOPT_PROXY_CAINFO, ca_file);
	}
#if LIBCURL_VERSION_NUM >= 0x075400
	if (ca_file == NULL)
		curl_easy_getinfo(easy, CURLINFO_CAINFO, &system_file);
#endif
	if (ca_file != NULL || system_file != NULL)
	{
		SET(CURLOPT_CAPATH, NULL);
		SET(CURLOPT_PROXY_CAPATH, NULL);
	}
	return ok;
}

/*
 * Readies the handle for the request that the transfer holds. Connections that
 * were there KIS_TRUST_US before distrusted_us are not for it; 0: all are.
 */
bool
kis_transfer_prepare(KisTransfer *transfer, const KisEndpoint *endpoint, int64_t distrusted_us)
{
	CURL	   *easy = transfer->easy;
	long		trusted_s;
	int			more_ms = transfer->call == NULL ? KIS_TOKEN_SLOW_MS : 0;
	bool		ok;

	/* its connections, sessions and names stay in the multi handle */
	curl_easy_reset(easy);
	ok = set_common_options(transfer) && set_authorities(transfer, endpoint->ca_file, endpoint->ca_pem);
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
		 * issue must not be
		 */
		SET(CURLOPT_FRESH_CONNECT, 1L);
	}

	/* libcurl shares this limit out among a host's addresses; we enforce it */
	transfer->connect_timeout_ms = endpoint->connect_timeout_ms;
	SET(CURLOPT_CONNECTTIMEOUT_MS, transfer->connect_timeout_ms + LATER_MS);

	transfer->started_us = kis_now_monotonic_us();
	if (distrusted_us != 0)
	{
		/* any age is libcurl's 0 */
		trusted_s = (long) ((transfer->started_us - distrusted_us) / KIS_TRUST_US);
		if (trusted_s <= 0)
			SET(CURLOPT_FRESH_CONNECT, 1L);
#if TELLS_CONNECTION
		else
			SET(CURLOPT_MAXLIFETIME_CONN, trusted_s);
#endif
	}
	start_connecting(transfer);
	transfer->due_us = transfer->started_us +
		((int64_t) endpoint->request_timeout_ms + more_ms) * 1000;
	return ok;
#undef SET
}

/* From here on it neither connects nor sends, however long it lives on. */
void
kis_transfer_abandon(KisTransfer *transfer)
{
	transfer->abandoned = true;
	/* else libcurl would end it by waiting for its look-up */
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, (long) INT_MAX);
}

/* Its clock stood still for so long: nobody was there to see the reply. */
void
kis_transfer_extend_deadline(KisTransfer *transfer, int64_t absence_us)
{
	int64_t		limit_ms;

	transfer->unattended_us += absence_us;
	transfer->connect_due_us += absence_us;
	transfer->due_us += absence_us;
	limit_ms = transfer->connect_timeout_ms + transfer->unattended_us / 1000 + 1 + LATER_MS;
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
					 (long) (limit_ms < INT_MAX ? limit_ms : INT_MAX));
}

/* A name look-up is under way that libcurl can't interrupt. */
bool
kis_transfer_is_looking_up(const KisTransfer *transfer)
{
	return transfer->in_multi && transfer->phase == KIS_PHASE_RESOLVE;
}

/* It was sent on a connection from the pool, and nothing has come back. */
bool
kis_transfer_met_silence(const KisTransfer *transfer)
{
	long		nconnects = 0;

	return transfer->sent && transfer->header_len == 0 && transfer->body_len == 0 &&
		curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &nconnects) == CURLE_OK &&
		nconnects == 0;
}

/*
 * Could what came be no reply to this request, or not all of it? Another reply
 * that was late, or a server's farewell to an idle connection. Then there is
 * more to read, or libcurl has closed the connection though nobody had said so.
 */
static bool
is_doubtful(const KisTransfer *transfer, CURLcode result)
{
	long		status = 0;
	curl_socket_t kept = CURL_SOCKET_BAD;

	if (result != CURLE_OK)
		return false;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	/* in no pool: over TLS libcurl may take a while to close it */
	curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &kept);
	if (transfer->ambiguous || transfer->other_call[0] != '\0' || status == 408)
		return true;
	if (transfer->socket == NULL || kept == CURL_SOCKET_BAD)
		return !transfer->odd && !transfer->says_close;
	/* then nothing lay there, and what does by now is the other one's */
	return !kis_http_has_lent(transfer->http, transfer) &&
		kis_socket_unread(transfer->socket) == KIS_UNREAD_SOME;
}

/*
 * It ended on a connection from the pool that the server had closed before, or
 * with what may be no reply to it. To be called before kis_transfer_classify.
 */
bool
kis_transfer_was_stale(const KisTransfer *transfer, CURLcode result)
{
	long		nconnects = 0;

	if (transfer->tried_again || transfer->abandoned)
		return false;
	switch (result)
	{
		case CURLE_ABORTED_BY_CALLBACK:
			return transfer->unfit;
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			if (kis_transfer_met_silence(transfer))
				return true;
			break;
		default:
			break;
	}
	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &nconnects);
	return nconnects == 0 && is_doubtful(transfer, result);
}

/* The reply could be one to the request before, and its own one still to come. */
bool
kis_transfer_must_settle(const KisTransfer *transfer)
{
	return transfer->hot && !transfer->tried_again && transfer->socket != NULL &&
		transfer->failure.error_class == KIS_OK &&
		kis_now_monotonic_us() - transfer->started_us >= SLOW_REPLY_US;
}

/* To be tried again on a new connection. */
void
kis_transfer_renew(KisTransfer *transfer)
{
	transfer->tried_again = true;
	transfer->sent = false;
	transfer->unfit = false;
	transfer->phase = KIS_PHASE_NONE;
	transfer->body_len = 0;
	transfer->header_len = 0;
	transfer->headers_ended = false;
	transfer->odd = false;
	transfer->ambiguous = false;
	transfer->other_call[0] = '\0';
	start_connecting(transfer);
	transfer->curl_error[0] = '\0';
	curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 0L);
}

/* Where libcurl has not told when the request was sent, sees whether it has been. */
void
kis_transfer_note_phase(KisTransfer *transfer)
{
#if TELLS_CONNECTION
	(void) transfer;
#else
	curl_off_t	connected_us = 0;

	if (transfer->phase < KIS_PHASE_REPLY &&
		curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us) == CURLE_OK &&
		connected_us > 0)
	{
		transfer->phase = KIS_PHASE_REPLY;
		transfer->sent = true;
	}
#endif
}

/* ---- its outcome ------------------------------------------------------------------ */

/* A handle that has not come to its turn waits for libcurl to resolve. */
static KisPhase
phase_reached(const KisTransfer *transfer)
{
	return transfer->phase == KIS_PHASE_NONE ? KIS_PHASE_RESOLVE : transfer->phase;
}

static const char *
words_of(const KisTransfer *transfer, CURLcode result)
{
	return transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(result);
}

/*
 * A line of the headers was longer than libcurl takes: to those before 8.6 it is
 * lack of memory, so see whether there is any.
 */
static bool
met_long_line(const KisTransfer *transfer, CURLcode result)
{
	curl_off_t	first_byte_us = 0;
	void	   *volatile memory;	/* else the compiler leaves it out */
	bool		met;

	if (transfer->phase != KIS_PHASE_REPLY || transfer->headers_ended)
		return false;
#if LIBCURL_VERSION_NUM >= 0x080600
	if (result == CURLE_TOO_LARGE)
		return true;
#endif
	curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
	if (result != CURLE_OUT_OF_MEMORY || first_byte_us == 0)
		return false;
	memory = malloc(LONGEST_LINE);
	met = memory != NULL;
	free(memory);
	return met;
}

/* What broke off or was no HTTP after the request had been sent. */
static void
judge_reply(KisTransfer *transfer, CURLcode result)
{
	KisError   *failure = &transfer->failure;

	if (transfer->too_large || result == CURLE_FILESIZE_EXCEEDED)
		kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is larger than %d bytes", KIS_MAX_REPLY);
	else if (transfer->headers_too_large)
		kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply's headers are larger than %d bytes", LARGEST_HEADERS);
	else if (transfer->header_len == 0 && transfer->body_len == 0 &&
			 (result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR ||
			  result == CURLE_SEND_ERROR || result == CURLE_HTTP2 ||
			  result == CURLE_HTTP2_STREAM))
		kis_error_set(failure, KIS_ERROR_DROPPED, KIS_PHASE_REPLY,
					  "the connection was closed without a reply: %s", words_of(transfer, result));
	else if (result == CURLE_PARTIAL_FILE || result == CURLE_RECV_ERROR ||
			 result == CURLE_GOT_NOTHING)
		kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply is truncated after %zu bytes: %s",
					  transfer->body_len, words_of(transfer, result));
	else
		kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply can't be read: %s", words_of(transfer, result));
}

/* Where it failed by libcurl's word, which may be further back than it came. */
static KisPhase
phase_failed(const KisTransfer *transfer, CURLcode result)
{
	switch (result)
	{
		case CURLE_ABORTED_BY_CALLBACK:
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return KIS_PHASE_RESOLVE;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_ISSUER_ERROR:
			return KIS_PHASE_TLS;
		default:
			return phase_reached(transfer);
	}
}

static void
judge_failure(KisTransfer *transfer, CURLcode result)
{
	KisError   *failure = &transfer->failure;
	KisPhase	phase = phase_failed(transfer, result);

	if (transfer->out_of_memory)
		kis_error_set(failure, KIS_ERROR_LOCAL, phase, "out of memory");
	else if (transfer->hung_look_ups > 0)
		kis_error_set(failure, KIS_ERROR_CONNECT, phase,
					  "%d earlier look-ups of host names have not ended yet", transfer->hung_look_ups);
	else if (result == CURLE_COULDNT_CONNECT &&
			 (transfer->socket_errno == EMFILE || transfer->socket_errno == ENFILE))
		kis_error_set(failure, KIS_ERROR_LOCAL, phase, "can't open a socket: %s",
					  strerror(transfer->socket_errno));
	else if (phase < KIS_PHASE_REPLY)
		kis_error_set(failure, KIS_ERROR_CONNECT, phase, "%s", words_of(transfer, result));
	else
		judge_reply(transfer, result);
	failure->http_status = transfer->http_status;
}

/* Notes the outcome. */
void
kis_transfer_classify(KisTransfer *transfer, CURLcode result)
{
	KisError   *failure = &transfer->failure;
	long		status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->http_status = (int) status;
	if (met_long_line(transfer, result))
	{
		transfer->headers_too_large = true;
		result = CURLE_WRITE_ERROR;
	}
	switch (result)
	{
		case CURLE_OK:
			memset(failure, 0, sizeof(*failure));
			/* libcurl doesn't mind headers that break off */
			if (!transfer->headers_ended)
				judge_failure(transfer, CURLE_PARTIAL_FILE);
			else if (transfer->other_call[0] != '\0')
			{
				kis_error_set(failure, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
							  "the reply is one to call %s, by its header tr_id", transfer->other_call);
				failure->http_status = transfer->http_status;
			}
			break;
		case CURLE_ABORTED_BY_CALLBACK:
			/* some libcurls tell so of a look-up that on_look_up refused */
			if (transfer->hung_look_ups > 0)
			{
				judge_failure(transfer, result);
				break;
			}
			/* FALLTHROUGH */
		case CURLE_OUT_OF_MEMORY:
		case CURLE_FAILED_INIT:
		case CURLE_URL_MALFORMAT:
		case CURLE_SSL_CACERT_BADFILE:
			kis_error_set(failure, KIS_ERROR_LOCAL, phase_reached(transfer), "%s",
						  words_of(transfer, result));
			break;
		case CURLE_OPERATION_TIMEDOUT:
			kis_transfer_timed_out(transfer);
			break;
		default:
			judge_failure(transfer, result);
			break;
	}
}

void
kis_transfer_timed_out(KisTransfer *transfer)
{
	KisPhase	phase = phase_reached(transfer);
	long		ms = (long) ((kis_now_monotonic_us() - transfer->started_us -
							  transfer->unattended_us) / 1000);

	if (phase < KIS_PHASE_REPLY)
		kis_error_set(&transfer->failure, KIS_ERROR_CONNECT, phase,
					  "timed out after %ld ms", ms);
	else
		kis_error_set(&transfer->failure, KIS_ERROR_TIMEOUT, phase,
					  "timed out after %ld ms with %zu bytes of the reply", ms, transfer->body_len);
}
