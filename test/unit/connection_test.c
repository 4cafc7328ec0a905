/*
 * connection_test.c
 *		Connections that break or can't be had.
 */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "server.h"

#include "kis.h"
#include "kis/call.h"
#include "kis/http.h"
#include "kis/reply.h"

/* ---- kept connections that are dead --------------------------------------------------------- */

/* What becomes of a kept connection's second request. */
typedef enum Break
{
	BREAK_FIN_BEFORE,
	BREAK_RST_BEFORE,
	BREAK_FIN,
	BREAK_RST,
	BREAK_IN_STATUS,
	BREAK_IN_HEADERS,
	BREAK_IN_BODY,
	BREAK_IN_BODY_BY_RST,
} Break;

static void
serve_and_break(Server *server, int fd, int number)
{
	Break		how = *(Break *) server_context(server);

	if (!read_request(server, fd))
		return;
	write_reply(fd, good_body);
	if (number > 1)
	{
		while (read_request(server, fd))
			write_reply(fd, good_body);
		return;
	}
	if (how == BREAK_FIN_BEFORE || how == BREAK_RST_BEFORE)
	{
		if (how == BREAK_RST_BEFORE)
			reset_connection(fd);
		return;
	}
	if (!read_request(server, fd))
		return;
	if (how == BREAK_RST || how == BREAK_IN_BODY_BY_RST)
		reset_connection(fd);
	if (how == BREAK_IN_STATUS)
		write_text(fd, "HTTP/1.1 20");
	else if (how == BREAK_IN_HEADERS)
		write_text(fd, "HTTP/1.1 200 OK\r\nContent-Le");
	else if (how == BREAK_IN_BODY || how == BREAK_IN_BODY_BY_RST)
		write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"out");
}

static void
test_dead_connection(void **state)
{
	static const Break breaks[] = {BREAK_FIN_BEFORE, BREAK_RST_BEFORE, BREAK_FIN, BREAK_RST};

	(void) state;
	skip_where_none_are_kept();
	for (size_t i = 0; i < lengthof(breaks); i++)
		for (int round = 0; round < 20; round++)
		{
			Break		how = breaks[i];
			Server	   *server = server_start(serve_and_break, &how);
			Client	   *client = client_create(server_url(server));

			expect_good(client);
			expect_good(client);	/* on a new connection, unseen */
			expect_good(client);
			assert_int_equal(server_connections(server), 2);
			assert_int_in_range(server_requests(server), 3, 4);
			client_destroy(client);
			server_stop(server);
		}
}

/* The server's farewell to an idle connection wakes its owner once, whatever that waits for. */
static void
test_farewell(void **state)
{
	static const Break breaks[] = {BREAK_FIN_BEFORE, BREAK_RST_BEFORE};

	(void) state;
	skip_where_none_are_kept();
	for (size_t i = 0; i < lengthof(breaks); i++)
	{
		Break		how = breaks[i];
		Server	   *server = server_start(serve_and_break, &how);
		Client	   *client = client_create(server_url(server));
		struct pollfd watch = {.fd = kis_http_fd(client->http),.events = POLLIN};

		expect_good(client);
		assert_int_equal(poll(&watch, 1, 10000), 1);
		kis_http_step(client->http, 0);
		assert_int_equal(poll(&watch, 1, 0), 0);
		expect_good(client);
		assert_int_equal(server_connections(server), 2);
		client_destroy(client);
		server_stop(server);
	}
}

#define MANY	8

/* The first so many connections answer once, when all of them are there, and are dead then. */
static void
serve_many_once(Server *server, int fd, int number)
{
	if (number > MANY)
	{
		serve_good(server, fd, number);
		return;
	}
	if (!read_request(server, fd))
		return;
	server_await_requests(server, MANY);
	write_reply(fd, good_body);
	if (read_request(server, fd))
		reset_connection(fd);
}

/* More dead connections than libcurl tries one after the other. */
static void
test_many_dead_connections(void **state)
{
	Server	   *server = server_start(serve_many_once, NULL);
	Client	   *client = client_create(server_url(server));

	(void) state;
	for (int i = 0; i < MANY; i++)
		start_call(client, NULL);
	for (int i = 0; i < MANY; i++)
		kis_transfer_release(wait_for_transfer(client));
	assert_int_equal(server_connections(server), MANY);
	expect_good(client);
	assert_int_equal(server_connections(server), MANY + 1);
	client_destroy(client);
	server_stop(server);
}

/* A part of a reply came: the request is not sent again. */
static void
test_half_a_reply(void **state)
{
	static const Break breaks[] = {BREAK_IN_HEADERS, BREAK_IN_BODY};

	(void) state;
	skip_where_none_are_kept();
	for (size_t i = 0; i < lengthof(breaks); i++)
	{
		Break		how = breaks[i];
		Server	   *server = server_start(serve_and_break, &how);
		Client	   *client = client_create(server_url(server));

		expect_good(client);
		expect_failure(client, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "truncated");
		assert_int_equal(server_requests(server), 2);
		expect_good(client);
		client_destroy(client);
		server_stop(server);
	}
}

/* Whether or not the bytes overtake the RST, it is never a good reply from half of one. */
static void
test_half_a_line_or_reset(void **state)
{
	static const Break breaks[] = {BREAK_IN_STATUS, BREAK_IN_BODY_BY_RST};

	(void) state;
	for (size_t i = 0; i < lengthof(breaks); i++)
	{
		Break		how = breaks[i];
		Server	   *server = server_start(serve_and_break, &how);
		Client	   *client = client_create(server_url(server));
		KisTransfer *transfer;
		KisReply   *reply;
		KisError	error;

		expect_good(client);
		transfer = call_and_wait(client);
		reply = kis_transfer_reply(transfer, &error);
		if (reply == NULL)
			assert_int_equal(error.error_class, KIS_ERROR_REPLY);
		else
		{
			assert_string_equal(reply->body, good_body);
			assert_int_equal(server_connections(server), 2);
		}
		free(reply);
		kis_transfer_release(transfer);
		client_destroy(client);
		server_stop(server);
	}
}

static void
serve_no_one(Server *server, int fd, int number)
{
	(void) number;
	if (read_request(server, fd) && server_context(server) != NULL)
		reset_connection(fd);
}

/* A new connection that breaks is an error. */
static void
test_dropped(void **state)
{
	(void) state;
	for (int reset = 0; reset < 2; reset++)
	{
		Server	   *server = server_start(serve_no_one, reset ? "reset" : NULL);
		Client	   *client = client_create(server_url(server));

		expect_failure(client, KIS_ERROR_DROPPED, KIS_PHASE_REPLY, "closed without a reply");
		assert_int_equal(server_connections(server), 1);
		client_destroy(client);
		server_stop(server);
	}
}

/* ---- new ones that can't be had ---------------------------------------------------------------- */

static void
test_refused(void **state)
{
	Client	   *client = client_create("http://127.0.0.1:1");

	(void) state;
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_CONNECT, "");
	client->endpoint.base_url = "https://127.0.0.1:1";
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_CONNECT, "");
	client->endpoint.base_url = "http://127.0.0.1:1";
	client->endpoint.proxy = "http://127.0.0.1:1";
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_CONNECT, "");
	client->endpoint.proxy = NULL;
	client->endpoint.base_url = "ftp://127.0.0.1:1";
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_NONE, "");
	client_destroy(client);
}

/* Our own want of descriptors is not the network's fault. */
static void
test_no_descriptors(void **state)
{
	Client	   *client = client_create("http://127.0.0.1:1");
	struct rlimit before;
	struct rlimit none;
	int			next = dup(0);

	(void) state;
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = next;
	setrlimit(RLIMIT_NOFILE, &none);
	expect_failure(client, KIS_ERROR_LOCAL, KIS_PHASE_CONNECT, "can't open a socket");
	setrlimit(RLIMIT_NOFILE, &before);
	client_destroy(client);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_connection),
		cmocka_unit_test(test_farewell),
		cmocka_unit_test(test_many_dead_connections),
		cmocka_unit_test(test_half_a_reply),
		cmocka_unit_test(test_half_a_line_or_reset),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_descriptors),
	};

	signal(SIGPIPE, SIG_IGN);
	return run_unit_tests(tests);
}
