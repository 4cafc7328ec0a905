/*
 * limit_test.c
 *		Clocks that run out, and stand still while their owner looks away.
 */
#include "unit.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kis.h"
#include "kis/call.h"
#include "kis/http.h"
#include "kis/reply.h"
#include "kis/transfer.h"
#include "client.h"
#include "hang.h"
#include "server.h"

/* ---- limits of time ----------------------------------------------------------------------------- */

static void
expect_timeout(Client *client, KisErrorClass error_class, KisPhase phase, int limit_ms)
{
	double		begun = now_ms();
	double		took;

	expect_failure(client, error_class, phase, "timed out after");
	took = now_ms() - begun;
	if (took < limit_ms - 1 || took > limit_ms + AT_ONCE_MS)
		fail_msg("a limit of %d ms was kept after %.1f ms", limit_ms, took);
}

static void
test_request_timeout(void **state)
{
	static const ServeFunction serves[] = {serve_nothing, serve_drip};

	(void) state;
	for (size_t i = 0; i < lengthof(serves); i++)
	{
		Server	   *server = server_start(serves[i], NULL);
		Client	   *client = client_create(server_url(server));

		client->endpoint.connect_timeout_ms = 400;
		client->endpoint.request_timeout_ms = 500;
		expect_timeout(client, KIS_ERROR_TIMEOUT, KIS_PHASE_REPLY, 500);
		client_destroy(client);
		server_stop(server);
	}
}

static void
test_tls_timeout(void **state)
{
	Server	   *server = server_start(serve_silence, NULL);
	Client	   *client;
	char		url[64];

	(void) state;
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", server_port(server));
	client = client_create(url);
	client->endpoint.connect_timeout_ms = 100;
	/* reading the system's certificates takes its time, but only once */
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_TLS, "timed out after");
	expect_timeout(client, KIS_ERROR_CONNECT, KIS_PHASE_TLS, 100);
	client_destroy(client);
	server_stop(server);
}

static void
test_connect_timeout(void **state)
{
	char		url[64];
	int			fillers[4];
	int			listener = listener_open(url, sizeof(url));
	Client	   *client = client_create(url);

	(void) state;
	listener_fill(listener, fillers, 4);
	client->endpoint.connect_timeout_ms = 100;
	expect_timeout(client, KIS_ERROR_CONNECT, KIS_PHASE_CONNECT, 100);
	/* the whole attempt's limit counts here too */
	client->endpoint.connect_timeout_ms = 20000;
	client->endpoint.request_timeout_ms = 100;
	expect_timeout(client, KIS_ERROR_CONNECT, KIS_PHASE_CONNECT, 100);
	client_destroy(client);
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(listener);
}

static void
test_resolve_timeout(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(hung_url(server));
	int			fds = count_fds();

	(void) state;
	hang_look_ups(true);
	client->endpoint.connect_timeout_ms = 100;
	for (int i = 0; i < 3; i++)
		expect_timeout(client, KIS_ERROR_CONNECT, KIS_PHASE_RESOLVE, 100);
	assert_false(look_ups_take_signals());
	hang_look_ups(false);

	/* those that have timed out never connect */
	client->endpoint.connect_timeout_ms = 20000;
	expect_good(client);
	while (count_fds() > fds + 4)	/* this connection, at both ends, and what a look-up took */
		step_once(client);
	expect_good(client);
	assert_int_equal(server_requests(server), 2);
	assert_int_equal(server_connections(server), none_are_kept() ? 2 : 1);
	client_destroy(client);
	server_stop(server);
}

/* ---- an owner who looks away ------------------------------------------------------------------------ */

static void
test_reply_while_away(void **state)
{
	Server	   *server = server_start(serve_good, NULL);
	Client	   *client = client_create(server_url(server));

	(void) state;
	client->endpoint.connect_timeout_ms = 300;
	client->endpoint.request_timeout_ms = 300;
	for (int steps = 0; steps < 4; steps++)
	{
		KisTransfer *transfer = start_call(client, NULL);
		KisReply   *reply;
		KisError	error;

		for (int i = 0; i < steps; i++)
			kis_http_step(client->http, 0);
		pause_ms(600);
		assert_ptr_equal(wait_for_transfer(client), transfer);
		reply = kis_transfer_reply(transfer, &error);
		if (reply == NULL)
			fail_msg("after %d steps: class %d, %s", steps, error.error_class, error.text);
		assert_false(kis_transfer_unattended(transfer));
		free(reply);
		kis_transfer_release(transfer);
	}
	client_destroy(client);
	server_stop(server);
}

static void
serve_short_patience(Server *server, int fd, int number)
{
	(void) server;
	(void) number;
	(void) fd;
}

static void
test_unattended(void **state)
{
	Server	   *server = server_start(serve_short_patience, NULL);
	Client	   *client = client_create(server_url(server));
	KisTransfer *transfer;
	KisError	error;

	(void) state;
	/* the server gave up while nobody looked */
	transfer = start_call(client, NULL);
	kis_http_step(client->http, 0);
	pause_ms(1100);
	wait_for_transfer(client);
	assert_null(kis_transfer_reply(transfer, &error));
	assert_int_equal(error.error_class, KIS_ERROR_DROPPED);
	assert_true(kis_transfer_unattended(transfer));
	kis_transfer_release(transfer);

	/* the same while somebody looked */
	transfer = call_and_wait(client);
	assert_null(kis_transfer_reply(transfer, &error));
	assert_int_equal(error.error_class, KIS_ERROR_DROPPED);
	assert_false(kis_transfer_unattended(transfer));
	kis_transfer_release(transfer);
	client_destroy(client);
	server_stop(server);
}

/* The clock stands still while nobody looks, and goes on afterwards. */
static void
test_limit_after_absence(void **state)
{
	Server	   *server = server_start(serve_nothing, NULL);
	Client	   *client = client_create(server_url(server));
	double		begun;

	(void) state;
	client->endpoint.request_timeout_ms = 400;
	start_call(client, NULL);
	kis_http_step(client->http, 0);
	pause_ms(600);
	begun = now_ms();
	kis_http_step(client->http, 0);
	assert_int_in_range(kis_http_timeout_ms(client->http), 0, 400);
	kis_transfer_release(wait_for_transfer(client));
	assert_true(now_ms() - begun >= 350);
	client_destroy(client);
	server_stop(server);
}

/* Until the server end of the client's connection has a request, which it answers where the test says so. */
static void
take_request(Client *client, int fd, bool answer)
{
	char		request[4096];
	ssize_t		len;

	do
	{
		kis_http_step(client->http, 0);
		len = recv(fd, request, sizeof(request), MSG_DONTWAIT);
	} while (len < 0);
	assert_true(len > 0);
	if (answer)
		write_reply(fd, good_body);
}

/* Where a kept connection is found dead on coming back, connecting anew has its limit and no more. */
static void
test_connect_after_absence(void **state)
{
	char		url[64];
	int			fillers[4];
	int			listener;
	Client	   *client;
	KisTransfer *transfer;
	KisError	error;
	double		begun;
	int			fd;

	(void) state;
	skip_where_none_are_kept();
	listener = listener_open(url, sizeof(url));
	client = client_create(url);
	transfer = start_call(client, NULL);
	kis_http_step(client->http, 0);
	fd = accept(listener, NULL, NULL);
	take_request(client, fd, true);
	assert_ptr_equal(wait_for_transfer(client), transfer);
	kis_transfer_release(transfer);

	client->endpoint.connect_timeout_ms = 300;
	transfer = start_call(client, NULL);
	take_request(client, fd, false);
	listener_fill(listener, fillers, 4);
	pause_ms(1000);
	close(fd);
	begun = now_ms();
	while (transfer->phase == KIS_PHASE_REPLY)
		kis_http_step(client->http, 0);
	assert_int_in_range(kis_http_timeout_ms(client->http), 0, 300);
	wait_for_transfer(client);
	assert_true(now_ms() - begun >= 250);
	assert_null(kis_transfer_reply(transfer, &error));
	assert_int_equal(error.error_class, KIS_ERROR_CONNECT);
	assert_int_equal(error.phase, KIS_PHASE_CONNECT);
	kis_transfer_release(transfer);
	client_destroy(client);
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(listener);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_timeout),
		cmocka_unit_test(test_tls_timeout),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_resolve_timeout),
		cmocka_unit_test(test_reply_while_away),
		cmocka_unit_test(test_unattended),
		cmocka_unit_test(test_limit_after_absence),
		cmocka_unit_test(test_connect_after_absence),
	};

	signal(SIGPIPE, SIG_IGN);
	return run_unit_tests(tests);
}
