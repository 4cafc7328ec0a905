/*
 * release_test.c
 *		Transfers that are abandoned.
 */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "kis.h"
#include "kis/call.h"
#include "kis/http.h"
#include "client.h"
#include "hang.h"
#include "server.h"

/* What libcurl would wait for takes seconds. */
static void
release_at_once(KisTransfer *transfer)
{
	double		begun = now_ms();

	kis_transfer_release(transfer);
	if (now_ms() - begun > AT_ONCE_MS)
		fail_msg("releasing took %.1f ms", now_ms() - begun);
}

/* Moves on until the server has the request. */
static void
send_request(Client *client, Server *server, int count)
{
	while (server_requests(server) < count)
	{
		struct pollfd pollfd = {.fd = kis_http_fd(client->http), .events = POLLIN};

		kis_http_step(client->http, 0);
		poll(&pollfd, 1, 1);
	}
}

static void
test_release_while_replying(void **state)
{
	static const ServeFunction serves[] = {serve_nothing, serve_drip, serve_good};

	(void) state;
	for (size_t i = 0; i < lengthof(serves); i++)
	{
		Server	   *server = server_start(serves[i], NULL);
		Client	   *client = client_create(server_url(server));
		int			fds = 0;

		for (int n = 1; n <= 1000; n++)
		{
			KisTransfer *transfer = start_call(client, NULL);

			send_request(client, server, n);
			release_at_once(transfer);
			if (n == 100)
				fds = count_fds();
		}
		kis_http_step(client->http, 0);
		assert_null(kis_http_finished(client->http));
		assert_int_equal(kis_http_timeout_ms(client->http), -1);
		/* the server's ends, in this process as well, may still be open */
		if (count_fds() > fds + 10)
			fail_msg("%d descriptors after 100 transfers, %d after 1000", fds, count_fds());
		client_destroy(client);
		server_stop(server);
	}
}

static void
test_release_before_the_first_step(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));
	int			fds = count_fds();

	(void) state;
	for (int n = 0; n < 5000; n++)
		release_at_once(start_call(client, NULL));
	assert_int_equal(count_fds(), fds);
	expect_good(client);
	assert_int_equal(server_requests(server), 1);
	client_destroy(client);
	server_stop(server);
}

static void
test_release_while_connecting(void **state)
{
	char		url[64];
	int			fillers[4];
	int			listener = listener_open(url, sizeof(url));
	Client	   *client = client_create(url);
	int			fds;

	(void) state;
	listener_fill(listener, fillers, 4);
	fds = count_fds();
	for (int n = 0; n < 1000; n++)
	{
		KisTransfer *transfer = start_call(client, NULL);

		for (int i = 0; i < n % 4; i++)
			kis_http_step(client->http, 0);
		release_at_once(transfer);
	}
	assert_int_equal(count_fds(), fds);
	client_destroy(client);
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(listener);
}

static void
test_release_during_tls(void **state)
{
	Server	   *server = server_start(serve_silence, NULL);
	char		url[64];
	Client	   *client;
	int			fds = 0;

	(void) state;
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", server_port(server));
	client = client_create(url);
	for (int n = 1; n <= 300; n++)
	{
		KisTransfer *transfer = start_call(client, NULL);

		while (server_connections(server) < n)
			kis_http_step(client->http, 0);
		kis_http_step(client->http, 0);
		release_at_once(transfer);
		if (n == 50)
			fds = count_fds();
	}
	if (count_fds() > fds + 10)
		fail_msg("%d descriptors after 50 transfers, %d after 300", fds, count_fds());
	client_destroy(client);
	server_stop(server);
}

static void
test_release_while_resolving(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(hung_url(server));
	int			fds = count_fds();
	int			begun = 0;
	KisTransfer *transfer;
	KisError	error = {0};

	(void) state;
	hang_look_ups(true);
	for (int n = 0; n < 1000; n++)
	{
		transfer = kis_call_start(client->http, &client->endpoint, &client->secrets, client->call,
								  &client->args, NULL, &error);
		assert_non_null(transfer);
		if (step_until_look_up(client, begun + 1))
			begun++;
		else
		{
			/* no more threads than this hang in look-ups */
			assert_null(kis_transfer_reply(transfer, &error));
			assert_int_equal(error.error_class, KIS_ERROR_CONNECT);
			assert_int_equal(error.phase, KIS_PHASE_RESOLVE);
		}
		release_at_once(transfer);
	}
	assert_int_in_range(begun, 6, 64);
	assert_false(look_ups_take_signals());

	/* they end: all is given back, and none of them has connected */
	hang_look_ups(false);
	await_look_ups();
	while (count_fds() > fds)
	{
		struct pollfd pollfd = {.fd = kis_http_fd(client->http), .events = POLLIN};

		poll(&pollfd, 1, 10);
		kis_http_step(client->http, 0);
	}
	assert_int_equal(server_connections(server), 0);
	assert_null(kis_http_finished(client->http));
	expect_good(client);
	assert_int_equal(server_requests(server), 1);
	client_destroy(client);
	server_stop(server);
}

static void
test_destroy_while_resolving(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(hung_url(server));
	double		begun;

	(void) state;
	hang_look_ups(true);
	start_call(client, NULL);
	kis_transfer_release(start_call(client, NULL));
	for (int i = 0; i < 3; i++)
	{
		KisTransfer *transfer = start_call(client, NULL);

		assert_true(step_until_look_up(client, 2 + i));
		if (i > 0)
			kis_transfer_release(transfer);
	}
	begun = now_ms();
	client_destroy(client);
	assert_true(now_ms() - begun < AT_ONCE_MS);
	hang_look_ups(false);
	await_look_ups();
	assert_int_equal(server_connections(server), 0);
	server_stop(server);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release_while_replying),
		cmocka_unit_test(test_release_before_the_first_step),
		cmocka_unit_test(test_release_while_connecting),
		cmocka_unit_test(test_release_during_tls),
		cmocka_unit_test(test_release_while_resolving),
		cmocka_unit_test(test_destroy_while_resolving),
	};

	signal(SIGPIPE, SIG_IGN);
	return run_unit_tests(tests);
}
