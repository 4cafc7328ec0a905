/*
 * resource_test.c
 *		Memory, descriptors and libcurl's handles that are not to be had: each
 *		in turn is refused, and ends as an error of ours, without a leak.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include <cjson/cJSON.h>
#include <curl/curl.h>

#include "client.h"
#include "server.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/catalog.h"
#include "kis/http.h"
#include "kis/reply.h"
#include "kis/token.h"

/* The linker has our calls of what these are named after come here (--wrap). */
extern void *__real_malloc(size_t size);
extern void *__real_calloc(size_t count, size_t size);
extern void *__real_realloc(void *memory, size_t size);
extern void __real_free(void *memory);
extern int	__real_epoll_create1(int flags);
extern int	__real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
extern CURL *__real_curl_easy_init(void);
extern CURLM *__real_curl_multi_init(void);
extern CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);

extern void *__wrap_malloc(size_t size);
extern void *__wrap_calloc(size_t count, size_t size);
extern void *__wrap_realloc(void *memory, size_t size);
extern void __wrap_free(void *memory);
extern int	__wrap_epoll_create1(int flags);
extern int	__wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
extern CURL *__wrap_curl_easy_init(void);
extern CURLM *__wrap_curl_multi_init(void);
extern CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);

/* Of this thread: the server's has all it wants. */
static __thread int calls_until_refusal = 0;	/* 0: none is refused */
static __thread int blocks = 0;					/* of memory that are held */

static bool
is_refused(void)
{
	return calls_until_refusal > 0 && --calls_until_refusal == 0;
}

static void *
out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
__wrap_malloc(size_t size)
{
	if (is_refused())
		return out_of_memory();
	blocks++;
	return __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	if (is_refused())
		return out_of_memory();
	blocks++;
	return __real_calloc(count, size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
	if (is_refused())
		return out_of_memory();
	blocks += memory == NULL;
	return __real_realloc(memory, size);
}

void
__wrap_free(void *memory)
{
	blocks -= memory != NULL;
	__real_free(memory);
}

int
__wrap_epoll_create1(int flags)
{
	errno = EMFILE;
	return is_refused() ? -1 : __real_epoll_create1(flags);
}

int
__wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	errno = ENOSPC;
	return is_refused() ? -1 : __real_epoll_ctl(epfd, op, fd, event);
}

CURL *
__wrap_curl_easy_init(void)
{
	return is_refused() ? NULL : __real_curl_easy_init();
}

CURLM *
__wrap_curl_multi_init(void)
{
	return is_refused() ? NULL : __real_curl_multi_init();
}

CURLMcode
__wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	return is_refused() ? CURLM_OUT_OF_MEMORY : __real_curl_multi_add_handle(multi, easy);
}

/* Does it once for each call that can be refused; attempt is true where it came through. */
static void
refuse_each(bool (*attempt) (void *context, KisError *error), void *context, const char *text)
{
	bool		succeeded = false;
	bool		refused = true;
	int			n;

	for (n = 1; refused; n++)
	{
		KisError	error = {0};
		int			held = blocks;

		calls_until_refusal = n;
		succeeded = attempt(context, &error);
		refused = calls_until_refusal == 0;
		calls_until_refusal = 0;
		if (blocks != held)
			fail_msg("refusal %d leaves %d blocks", n, blocks - held);
		if (!succeeded && (error.error_class != KIS_ERROR_LOCAL || strstr(error.text, text) == NULL))
			fail_msg("refusal %d: class %d, \"%s\"", n, error.error_class, error.text);
	}
	assert_true(succeeded);
	assert_true(n > 3);
}

/* ---- decoding ------------------------------------------------------------------------ */

static bool
decode_reply(void *context, KisError *error)
{
	KisReply   *reply = kis_reply_decode(&kis_call_trend, 200, context, strlen(context), error);
	bool		decoded = reply != NULL;

	free(reply);
	return decoded;
}

static void
test_reply(void **state)
{
	(void) state;
	refuse_each(decode_reply,
				"{\"output\":[{\"frgn_ntby_qty\":-32845,\"more\":{\"a\":[1,2.5]},\"text\":\"b\"}],"
				"\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"good\"}",
				"out of memory");
}

static bool
decode_token(void *context, KisError *error)
{
	KisToken	token;

	return kis_token_decode(200, context, strlen(context), 1000, &token, error);
}

static void
test_token(void **state)
{
	(void) state;
	refuse_each(decode_token, "{\"access_token\":\"TOKEN\",\"expires_in\":86400}", "out of memory");
}

/* ---- requests -------------------------------------------------------------------------- */

static void
serve_both(Server *server, int fd, int number)
{
	(void) number;
	while (read_request(server, fd))
	{
		char	   *request = server_last_request(server);

		write_reply(fd, strncmp(request, "POST", 4) == 0 ?
					"{\"access_token\":\"TOKEN\",\"expires_in\":86400}" :
					"{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\",\"msg_cd\":\"M\",\"msg1\":\"good\"}");
		free(request);
	}
}

static KisTransfer *
await(Client *client, KisTransfer *started)
{
	return started != NULL ? wait_for_transfer(client) : NULL;
}

static bool
call(Client *client, KisError *error)
{
	KisTransfer *transfer = await(client, kis_call_start(client->http, &client->endpoint, &client->secrets,
														 client->call, &client->args, NULL, error));
	KisReply   *reply = transfer != NULL ? kis_transfer_reply(transfer, error) : NULL;
	bool		answered = reply != NULL;

	free(reply);
	if (transfer != NULL)
		kis_transfer_release(transfer);
	return answered;
}

static bool
request_token(Client *client, KisError *error)
{
	KisTransfer *transfer = await(client, kis_token_start(client->http, &client->endpoint, &client->secrets,
														  NULL, error));
	KisToken	token;
	bool		has_token = transfer != NULL && kis_transfer_token(transfer, 1000, &token, error);

	if (transfer != NULL)
		kis_transfer_release(transfer);
	return has_token;
}

/* A session's first request, whichever it is, and one after a failure. */
static bool
request_anew(const Server *server, bool (*request) (Client *client, KisError *error), KisError *error)
{
	static Client client;
	bool		answered;

	client = (Client) {
		.http = kis_http_create(error),
		.endpoint = {.base_url = server_url(server), .connect_timeout_ms = 20000, .request_timeout_ms = 20000},
		.secrets = {APP_KEY, APP_SECRET, TOKEN},
		.call = &kis_call_trend,
		.args = {"KSP", "0001", ""},
	};
	if (client.http == NULL)
		return false;
	answered = request(&client, error);
	if (!answered)
	{
		KisError	none;

		assert_true(request(&client, &none));
	}
	kis_http_destroy(client.http);
	return answered;
}

static bool
request_for_reply(void *context, KisError *error)
{
	return request_anew(context, call, error);
}

static bool
request_for_token(void *context, KisError *error)
{
	return request_anew(context, request_token, error);
}

static void
test_requests(void **state)
{
	Server	   *server = server_start(serve_both, NULL);

	(void) state;
	refuse_each(request_for_reply, server, "");
	refuse_each(request_for_token, server, "");
	server_stop(server);
}

static void
serve_long_line(Server *server, int fd, int number)
{
	static char line[300000];

	(void) number;
	if (!read_request(server, fd))
		return;
	memset(line, 'x', sizeof(line));
	write_text(fd, "HTTP/1.1 200 OK\r\nX-Long: ");
	write_bytes(fd, line, sizeof(line));
	await_close(fd);
}

/* Such a line is no lack of memory, though libcurls before 8.6 call it that. */
static void
test_long_line(void **state)
{
	Server	   *server = server_start(serve_long_line, NULL);
	Client	   *client = client_create(server_url(server));
	KisError	error;

	(void) state;
	assert_false(call(client, &error));
	assert_int_equal(error.error_class, KIS_ERROR_REPLY);
	client_destroy(client);
	server_stop(server);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_long_line),
	};
	cJSON_Hooks hooks = {__wrap_malloc, __wrap_free};

	signal(SIGPIPE, SIG_IGN);
	cJSON_InitHooks(&hooks);
	return run_unit_tests(tests);
}
