/*
 * connection_test.c
 *		Connections that break, clocks that run out, transfers that are
 *		abandoned.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../src/kis/transfer.h"
#include "client.h"
#include "server.h"

#define AT_ONCE_MS	1000

static const char good_body[] = "{\"output\":[{\"frgn_ntby_qty\":\"1\"}],\"rt_cd\":\"0\"}";

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void
pause_ms(int ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&pause, NULL);
}

static int
count_entries(const char *directory)
{
	DIR		   *dir = opendir(directory);
	int			count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static int
count_fds(void)
{
	return count_entries("/proc/self/fd");
}

/* ---- a name server that hangs: libcurl calls this getaddrinfo ----------------------- */

static pthread_mutex_t look_up_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t look_up_changed = PTHREAD_COND_INITIALIZER;
static bool look_ups_hang = false;
static int	look_ups_begun = 0;
static int	look_ups_ended = 0;
static bool look_up_took_signals = false;

/* "hung.test" is 127.0.0.1, as soon as look-ups don't hang. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	/* libcurl may look up each family of addresses for itself */
	int			counts = hints->ai_family != AF_INET6;
	sigset_t	mask;

	if (strcmp(node, "hung.test") != 0)
		return real(node, service, hints, result);

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	pthread_mutex_lock(&look_up_lock);
	look_up_took_signals |= !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGALRM) ||
		!sigismember(&mask, SIGUSR1) || !sigismember(&mask, SIGINT);
	look_ups_begun += counts;
	pthread_cond_broadcast(&look_up_changed);
	while (look_ups_hang)
		pthread_cond_wait(&look_up_changed, &look_up_lock);
	look_ups_ended += counts;
	pthread_mutex_unlock(&look_up_lock);
	return real("127.0.0.1", service, hints, result);
}

static void
hang_look_ups(bool hang)
{
	pthread_mutex_lock(&look_up_lock);
	look_ups_hang = hang;
	if (hang)
		look_ups_begun = look_ups_ended = 0;
	pthread_cond_broadcast(&look_up_changed);
	pthread_mutex_unlock(&look_up_lock);
}

/* When libcurl begins one is its affair. False: the transfer has ended without. */
static bool
step_until_look_up(Client *client, int count)
{
	bool		begun = false;

	while (!begun && kis_http_finished(client->http) == NULL)
	{
		kis_http_step(client->http);
		pthread_mutex_lock(&look_up_lock);
		begun = look_ups_begun >= count;
		pthread_mutex_unlock(&look_up_lock);
	}
	return begun;
}

static const char *
hung_url(const Server *server)
{
	static char url[64];

	snprintf(url, sizeof(url), "http://hung.test:%d", server_port(server));
	return url;
}

/* ---- servers ------------------------------------------------------------------------------ */

static void
serve_good(Server *server, int fd, int number)
{
	(void) number;
	while (read_request(server, fd))
		write_reply(fd, good_body);
}

static void
serve_nothing(Server *server, int fd, int number)
{
	(void) number;
	if (read_request(server, fd))
		await_close(fd);
}

/* Accepts, and doesn't even read. */
static void
serve_silence(Server *server, int fd, int number)
{
	(void) server;
	(void) number;
	await_close(fd);
}

static void
serve_drip(Server *server, int fd, int number)
{
	(void) number;
	if (!read_request(server, fd))
		return;
	write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"out");
	await_close(fd);
}

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

/* ---- kept connections that are dead --------------------------------------------------------- */

static void
test_dead_connection(void **state)
{
	static const Break breaks[] = {BREAK_FIN_BEFORE, BREAK_RST_BEFORE, BREAK_FIN, BREAK_RST};

	(void) state;
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

/* A part of a reply came: it is not asked again. */
static void
test_half_a_reply(void **state)
{
	static const Break breaks[] = {BREAK_IN_HEADERS, BREAK_IN_BODY};

	(void) state;
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
		kis_reply_free(reply);
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

/* A new connection that breaks is told, not hidden. */
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

/* ---- limits of time ----------------------------------------------------------------------------- */

static void
expect_timeout(Client *client, KisErrorClass error_class, KisPhase phase, int limit_ms)
{
	double		begun = now_ms();
	double		took;

	expect_failure(client, error_class, phase, "timed out after");
	took = now_ms() - begun;
	if (took < limit_ms - 1 || took > limit_ms + 3000)
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

		client->endpoint.connect_timeout_ms = 50;
		client->endpoint.request_timeout_ms = 100;
		expect_timeout(client, KIS_ERROR_TIMEOUT, KIS_PHASE_REPLY, 100);
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

/* A listener whose queue is full: further connections get no answer. */
static int
full_listener(int *fillers, int nfillers, char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *) &address, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &len), 0);
	for (int i = 0; i < nfillers; i++)
	{
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *) &address, len);
	}
	snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
	return listener;
}

static void
test_connect_timeout(void **state)
{
	char		url[64];
	int			fillers[4];
	int			listener = full_listener(fillers, 4, url, sizeof(url));
	Client	   *client = client_create(url);

	(void) state;
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
	expect_failure(client, KIS_ERROR_CONNECT, KIS_PHASE_RESOLVE, "");
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
	assert_false(look_up_took_signals);
	hang_look_ups(false);

	/* those that have timed out never connect */
	client->endpoint.connect_timeout_ms = 20000;
	expect_good(client);
	while (count_fds() > fds + 4)	/* this connection, at both ends, and what a look-up took */
		step_once(client);
	expect_good(client);
	assert_int_equal(server_requests(server), 2);
	assert_int_equal(server_connections(server), 1);
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
			kis_http_step(client->http);
		pause_ms(600);
		assert_ptr_equal(wait_for_transfer(client), transfer);
		reply = kis_transfer_reply(transfer, &error);
		if (reply == NULL)
			fail_msg("after %d steps: class %d, %s", steps, error.error_class, error.text);
		assert_false(kis_transfer_unattended(transfer));
		kis_reply_free(reply);
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
	kis_http_step(client->http);
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
	kis_http_step(client->http);
	pause_ms(600);
	begun = now_ms();
	kis_transfer_release(wait_for_transfer(client));
	assert_int_in_range((long) (now_ms() - begun), 350, 400 + AT_ONCE_MS);
	client_destroy(client);
	server_stop(server);
}

/* ---- abandoned transfers -------------------------------------------------------------------------------- */

/* What libcurl would wait for takes seconds; a busy machine takes some hundred ms for nothing. */
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

		kis_http_step(client->http);
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
		kis_http_step(client->http);
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
	int			listener = full_listener(fillers, 4, url, sizeof(url));
	Client	   *client = client_create(url);
	int			fds = count_fds();

	(void) state;
	for (int n = 0; n < 1000; n++)
	{
		KisTransfer *transfer = start_call(client, NULL);

		for (int i = 0; i < n % 4; i++)
			kis_http_step(client->http);
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
			kis_http_step(client->http);
		kis_http_step(client->http);
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
	assert_false(look_up_took_signals);

	/* they end: all is given back, and none of them has connected */
	hang_look_ups(false);
	while (count_fds() > fds || kis_http_too_many_look_ups(client->http) > 0)
	{
		struct pollfd pollfd = {.fd = kis_http_fd(client->http), .events = POLLIN};

		poll(&pollfd, 1, 10);
		kis_http_step(client->http);
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
	pthread_mutex_lock(&look_up_lock);
	while (look_ups_ended < look_ups_begun)
	{
		pthread_mutex_unlock(&look_up_lock);
		pause_ms(1);
		pthread_mutex_lock(&look_up_lock);
	}
	pthread_mutex_unlock(&look_up_lock);
	assert_int_equal(server_connections(server), 0);
	server_stop(server);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_connection),
		cmocka_unit_test(test_many_dead_connections),
		cmocka_unit_test(test_half_a_reply),
		cmocka_unit_test(test_half_a_line_or_reset),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_request_timeout),
		cmocka_unit_test(test_tls_timeout),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_resolve_timeout),
		cmocka_unit_test(test_reply_while_away),
		cmocka_unit_test(test_unattended),
		cmocka_unit_test(test_limit_after_absence),
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
