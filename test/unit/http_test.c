/*
 * http_test.c
 *		Requests as they go out, replies as they come in.
 */
#include "unit.h"

#include <signal.h>
#include <sys/socket.h>

#include "client.h"
#include "server.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/http.h"
#include "kis/reply.h"
#include "kis/token.h"

/* ---- requests ---------------------------------------------------------------------- */

static void
test_data_request(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));
	char		expected[1024];
	char	   *request;

	(void) state;
	expect_good(client);
	request = server_last_request(server);
	snprintf(expected, sizeof(expected),
			 "GET /uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market"
			 "?FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0001 HTTP/1.1\r\n"
			 "Host: 127.0.0.1:%d\r\n"
			 "User-Agent: market_investor_fdw/1.0\r\n"
			 "Accept: */*\r\n"
			 "content-type: application/json; charset=utf-8\r\n"
			 "authorization: Bearer " TOKEN "\r\n"
			 "appkey: " APP_KEY "\r\n"
			 "appsecret: " APP_SECRET "\r\n"
			 "tr_id: FHPTJ04030000\r\n"
			 "custtype: P\r\n"
			 "\r\n", server_port(server));
	assert_string_equal(request, expected);
	free(request);
	client_destroy(client);
	server_stop(server);
}

static void
test_parameters(void **state)
{
	static const KisMember odd_members[] = {{.field = "a", .column = "a"}};
	static const KisTranslation odd_codes[] = {{"KSP", "1"}, {"KSQ", "2"}, {NULL, NULL}};
	static const KisCall odd_call = {
		.name = "odd", .path = "/odd", .tr_id = "ODD",
		.parameters = {
			{"A", .constant = "U"}, {"B", .argument = KIS_ARG_MARKET},
			{"C", .argument = KIS_ARG_SECTOR}, {"D", .argument = KIS_ARG_DATE}, {"E", .constant = ""},
			{"F", .argument = KIS_ARG_MARKET, .codes = odd_codes},
		},
		.rows = "output", .members = odd_members, .nmembers = 1, .usual_rows = 1,
	};
	static const KisCallArgs args = {"KSQ", "00_1", "20260710"};
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));
	char		base_url[64];
	char	   *request;

	(void) state;
	/* slashes at its end don't double */
	snprintf(base_url, sizeof(base_url), "%s//", server_url(server));
	client->endpoint.base_url = base_url;
	client->call = &odd_call;
	client->args = args;
	expect_good(client);
	request = server_last_request(server);
	assert_non_null(strstr(request, "GET /odd?A=U&B=KSQ&C=00_1&D=20260710&E=&F=2 HTTP/1.1\r\n"));
	free(request);
	client_destroy(client);
	server_stop(server);
}

static void
test_too_long(void **state)
{
	Client	   *client = client_create("");
	static char base_url[16 * KIS_TOKEN_LEN];
	KisError	error;

	(void) state;
	client->endpoint.base_url = base_url;
	for (size_t len = 6 * KIS_TOKEN_LEN; len < sizeof(base_url) - 1; len = len < 8 * KIS_TOKEN_LEN ? len + 1 : len + 999)
	{
		KisTransfer *transfer;

		memset(base_url, 'a', len);
		error.error_class = KIS_OK;
		transfer = kis_call_start(client->http, &client->endpoint, &client->secrets,
								  client->call, &client->args, NULL, &error);
		if (transfer != NULL)
			kis_transfer_release(transfer);
		else
			assert_string_equal(error.text, "the request is too long");
		assert_true(transfer == NULL || len < 8 * KIS_TOKEN_LEN);
		transfer = kis_token_start(client->http, &client->endpoint, &client->secrets, NULL, &error);
		if (transfer != NULL)
			kis_transfer_release(transfer);
		assert_true(transfer == NULL || len < 8 * KIS_TOKEN_LEN);
	}
	client_destroy(client);
}

static void
serve_token(Server *server, int fd, int number)
{
	(void) number;
	while (read_request(server, fd))
		write_reply(fd, server_context(server));
}

static void
test_token_request(void **state)
{
	Server	   *server = server_start(serve_token, "{\"access_token\":\"eyJ.new\",\"expires_in\":86400}");
	Client	   *client = client_create(server_url(server));
	char	   *request;
	char	   *body;
	KisToken	token;
	KisError	error;
	KisTransfer *transfer = token_and_wait(client);

	(void) state;
	assert_true(kis_transfer_token(transfer, 1000, &token, &error));
	assert_string_equal(token.token, "eyJ.new");
	assert_int_equal(token.expires_at, 87400);
	kis_transfer_release(transfer);

	request = server_last_request(server);
	assert_memory_equal(request, "POST /oauth2/tokenP HTTP/1.1\r\n", 30);
	assert_non_null(strstr(request, "\r\ncontent-type: application/json\r\n"));
	assert_null(strstr(request, "Expect"));
	assert_null(strstr(request, "authorization"));
	body = strstr(request, "\r\n\r\n");
	assert_string_equal(body + 4, "{\"grant_type\":\"client_credentials\",\"appkey\":\"" APP_KEY
						"\",\"appsecret\":\"" APP_SECRET "\"}");
	free(request);

	/* never on a connection that was used before, where libcurl might send it twice */
	transfer = token_and_wait(client);
	assert_true(kis_transfer_token(transfer, 1000, &token, &error));
	kis_transfer_release(transfer);
	assert_int_equal(server_connections(server), 2);
	client_destroy(client);
	server_stop(server);
}

static void
test_bad_secrets(void **state)
{
	static char too_long[2 * KIS_TOKEN_LEN];
	static const char *const bad[] = {
		"", "with blank", "line\r\nX-Injected: 1", "line\n", "tab\t", "\x7F", "한글", too_long, NULL,
	};
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));

	(void) state;
	memset(too_long, 'a', KIS_TOKEN_LEN);
	for (size_t i = 0; i < lengthof(bad); i++)
		for (int which = 0; which < 3; which++)
		{
			const char **secret = which == 0 ? &client->secrets.app_key :
				which == 1 ? &client->secrets.app_secret : &client->secrets.token;
			const char *good = *secret;
			KisError	error = {0};

			*secret = bad[i];
			assert_null(kis_call_start(client->http, &client->endpoint, &client->secrets,
									   client->call, &client->args, NULL, &error));
			assert_int_equal(error.error_class, KIS_ERROR_LOCAL);
			assert_null(strstr(error.text, "Injected"));
			if (which < 2)
			{
				assert_null(kis_token_start(client->http, &client->endpoint, &client->secrets, NULL, &error));
				assert_int_equal(error.error_class, KIS_ERROR_LOCAL);
			}
			*secret = good;
		}
	expect_good(client);
	assert_int_equal(server_requests(server), 1);
	client_destroy(client);
	server_stop(server);
}

static void
test_proxy(void **state)
{
	Server	   *proxy = server_start(serve_good, NULL);
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));
	char		expected[64];
	char	   *request;

	(void) state;
	/* the environment has no say */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	expect_good(client);
	assert_int_equal(server_requests(server), 1);

	setenv("no_proxy", "*", 1);
	client->endpoint.proxy = server_url(proxy);
	expect_good(client);
	assert_int_equal(server_requests(server), 1);
	assert_int_equal(server_requests(proxy), 1);
	request = server_last_request(proxy);
	snprintf(expected, sizeof(expected), "GET %s/uapi/", server_url(server));
	assert_memory_equal(request, expected, strlen(expected));
	free(request);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("no_proxy");
	client_destroy(client);
	server_stop(server);
	server_stop(proxy);
}

/* ---- replies ---------------------------------------------------------------------------- */

static void
test_reuse(void **state)
{
	Server	   *server;
	Client	   *client;

	(void) state;
	skip_where_none_are_kept();
	server = server_start(serve_good, NULL);
	client = client_create(server_url(server));
	for (int i = 0; i < 20; i++)
		expect_good(client);
	assert_int_equal(server_connections(server), 1);
	assert_int_equal(server_requests(server), 20);
	client_destroy(client);
	server_stop(server);
}

static void
test_at_the_same_time(void **state)
{
	Server	   *server;
	Client	   *client;
	int			owners[6];
	KisTransfer *transfer;

	(void) state;
	skip_where_none_are_kept();
	server = server_start(serve_good, NULL);
	client = client_create(server_url(server));
	for (int round = 0; round < 5; round++)
	{
		int			seen = 0;

		for (int i = 0; i < 6; i++)
			assert_non_null(start_call(client, &owners[i]));
		for (int i = 0; i < 6; i++)
		{
			KisError	error;
			KisReply   *reply;

			transfer = wait_for_transfer(client);
			seen |= 1 << ((int *) kis_transfer_owner(transfer) - owners);
			reply = kis_transfer_reply(transfer, &error);
			assert_non_null(reply);
			assert_true(kis_transfer_bytes(transfer) == strlen(good_body));
			assert_true(kis_transfer_elapsed_ms(transfer) > 0);
			free(reply);
			kis_transfer_release(transfer);
		}
		assert_int_equal(seen, 63);
	}
	assert_int_equal(server_connections(server), 6);
	assert_null(kis_http_finished(client->http));
	client_destroy(client);
	server_stop(server);
}

static void
serve_once(Server *server, int fd, int number)
{
	(void) number;
	if (read_request(server, fd))
		write_text(fd, server_context(server));
}

static void
expect_failure_of(const char *reply, KisErrorClass error_class, const char *text)
{
	Server	   *server = server_start(serve_once, (void *) reply);
	Client	   *client = client_create(server_url(server));

	expect_failure(client, error_class, KIS_PHASE_REPLY, text);
	assert_int_equal(server_requests(server), 1);
	client_destroy(client);
	server_stop(server);
}

static void
test_odd_replies(void **state)
{
	(void) state;
	expect_failure_of("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
					  KIS_ERROR_REPLY, "redirects are not followed");
	expect_failure_of("HTTP/1.1 200 OK\r\n\r\n<html>maintenance", KIS_ERROR_REPLY, "not JSON: <html>maintenance");
	expect_failure_of("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nhtml", KIS_ERROR_TRANSIENT, "HTTP status 502");
	expect_failure_of("HTTP/1.1 500 X\r\n\r\n{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00201\",\"msg1\":\"초당\"}",
					  KIS_ERROR_RATE, "초당");
	expect_failure_of("", KIS_ERROR_DROPPED, "closed without a reply");
	expect_failure_of("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"output\"", KIS_ERROR_REPLY, "truncated");
	expect_failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"out", KIS_ERROR_REPLY, "truncated");
	expect_failure_of("HTTP/1.1 200 OK\r\n\r\n{\"output\":[{}],\"rt_c", KIS_ERROR_REPLY, "truncated");
	expect_failure_of("HTTP/1.1 200 OK\r\nContent-Le", KIS_ERROR_REPLY, "");
	expect_failure_of("{\"output\":[],\"rt_cd\":\"0\"}", KIS_ERROR_REPLY, "");
	/* secrets that KIS might send back */
	expect_failure_of("HTTP/1.1 403 X\r\n\r\n{\"rt_cd\":\"1\",\"msg_cd\":\"X\",\"msg1\":\"bad " APP_KEY ", " TOKEN "\"}",
					  KIS_ERROR_REFUSED, "bad ************************************, *");
	expect_failure_of("HTTP/1.1 200 X\r\n\r\n no " APP_SECRET, KIS_ERROR_REPLY, "no ******");
}

static void
serve_gzip(Server *server, int fd, int number)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 45\r\n\r\n";
	/* {"output":[],"rt_cd":"0"} */
	static const char body[45] =
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x2f\x2d\x29\x28\x2d\x51\xb2\x8a\x8e\xd5"
		"\x51\x2a\x2a\x89\x4f\x4e\x51\xb2\x52\x32\x50\xaa\x05\x00\xa2\x32\x7d\x15\x19";

	(void) number;
	while (read_request(server, fd))
	{
		write_text(fd, head);
		write_bytes(fd, body, sizeof(body));
	}
}

/* No request accepts it, but a proxy may do it. */
static void
test_gzip(void **state)
{
	Server	   *server = server_start(serve_gzip, NULL);
	Client	   *client = client_create(server_url(server));

	(void) state;
	expect_good(client);
	client_destroy(client);
	server_stop(server);
}

static const char *const framings[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nConnection: close\r\n\r\n"
	"{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"x\"}",
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	"{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"x\"}",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	"20\r\n{\"output\":[{\"frgn_ntby_qty\":\"1\"}\r\n"
	"2d\r\n],\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"x\"}\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	"4d\r\n{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"x\"}\r\n"
	"0\r\nX: y\r\nHTTP: 1\r\n\r\n",
	"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	"{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"x\"}",
};

typedef struct Cut
{
	const char *reply;
	size_t		len;
} Cut;

static void
serve_cut(Server *server, int fd, int number)
{
	Cut		   *cut = server_context(server);

	(void) number;
	if (read_request(server, fd))
		write_bytes(fd, cut->reply, cut->len);
}

/* However it is framed, a reply that breaks off is never taken as good. */
static void
test_truncations(void **state)
{
	(void) state;
	for (size_t f = 0; f < lengthof(framings); f++)
	{
		size_t		whole = strlen(framings[f]);
		size_t		first_line = strchr(framings[f], '\n') + 1 - framings[f];
		bool		is_chunked = strstr(framings[f], "chunked") != NULL;
		Cut			cut = {framings[f], 0};
		Server	   *server = server_start(serve_cut, &cut);
		Client	   *client = client_create(server_url(server));

		for (cut.len = 0; cut.len <= whole; cut.len++)
		{
			KisTransfer *transfer = call_and_wait(client);
			KisError	error;
			KisReply   *reply = kis_transfer_reply(transfer, &error);

			/* the line feed after the last chunk says nothing more; libcurl may insist on it */
			if ((reply != NULL) != (cut.len == whole) && !(is_chunked && cut.len == whole - 1))
				fail_msg("framing %zu cut after %zu of %zu bytes: %s", f, cut.len, whole, error.text);
			/* less than a line is no reply yet */
			if (reply == NULL && error.error_class != KIS_ERROR_REPLY)
				assert_true(error.error_class == KIS_ERROR_DROPPED && cut.len < first_line);
			free(reply);
			kis_transfer_release(transfer);
		}
		client_destroy(client);
		server_stop(server);
	}
}

/* What is repeated without an end, after what. */
typedef struct Endless
{
	const char *first;
	const char *before;
	const char *after;
	const char *failure;
} Endless;

static void
serve_endless(Server *server, int fd, int number)
{
	const Endless *endless = server_context(server);
	static char blanks[1000];

	(void) number;
	if (!read_request(server, fd))
		return;
	memset(blanks, ' ', sizeof(blanks));
	write_text(fd, endless->first);
	/* ends when the client closes */
	for (int i = 0; i < 100000; i++)
	{
		char		byte;

		if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
			return;
		write_text(fd, endless->before);
		write_bytes(fd, blanks, sizeof(blanks));
		write_text(fd, endless->after);
	}
}

static void
test_endless(void **state)
{
	static const char large_headers[] = "the reply's headers are larger than 65536 bytes";
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char whole[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"19\r\n{\"output\":[],\"rt_cd\":\"0\"}\r\n0\r\n";
	static const Endless all[] = {
		{chunked, "3e8\r\n", "\r\n", "the reply is larger than 4194304 bytes"},
		{"HTTP/1.1 200 OK\r\n", "X-Header: ", ".\r\n", large_headers},
		{"", "HTTP/1.1 100 Continue\r\nX: ", ".\r\n\r\n", large_headers},
		{whole, "X-Trailer: ", ".\r\n", large_headers},
		/* one line, which libcurl gives up */
		{"HTTP/1.1 200 OK\r\nX-Header: ", "", ".", large_headers},
		{"HTTP/1.1 200 OK", "", ".", large_headers},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Header: ", "", ".", large_headers},
		{whole, "", ".", ""},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(all); i++)
	{
		Server	   *server = server_start(serve_endless, (void *) &all[i]);
		Client	   *client = client_create(server_url(server));

		expect_failure(client, KIS_ERROR_REPLY, KIS_PHASE_REPLY, all[i].failure);
		client_destroy(client);
		server_stop(server);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_request),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_token_request),
		cmocka_unit_test(test_bad_secrets),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_at_the_same_time),
		cmocka_unit_test(test_odd_replies),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_endless),
	};

	signal(SIGPIPE, SIG_IGN);
	return run_unit_tests(tests);
}
