/*
 * hang.c
 *		What hangs: a name server, a listener, servers that don't answer.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "hang.h"

#include "kis/http.h"

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
	pthread_cond_broadcast(&look_up_changed);
	pthread_mutex_unlock(&look_up_lock);
	return real("127.0.0.1", service, hints, result);
}

void
hang_look_ups(bool hang)
{
	pthread_mutex_lock(&look_up_lock);
	look_ups_hang = hang;
	if (hang)
		look_ups_begun = look_ups_ended = 0;
	pthread_cond_broadcast(&look_up_changed);
	pthread_mutex_unlock(&look_up_lock);
}

bool
step_until_look_up(Client *client, int count)
{
	bool		begun = false;

	while (!begun && kis_http_finished(client->http) == NULL)
	{
		kis_http_step(client->http, 0);
		pthread_mutex_lock(&look_up_lock);
		begun = look_ups_begun >= count;
		pthread_mutex_unlock(&look_up_lock);
	}
	return begun;
}

void
await_look_ups(void)
{
	pthread_mutex_lock(&look_up_lock);
	while (look_ups_ended < look_ups_begun)
		pthread_cond_wait(&look_up_changed, &look_up_lock);
	pthread_mutex_unlock(&look_up_lock);
}

bool
look_ups_take_signals(void)
{
	bool		taken;

	pthread_mutex_lock(&look_up_lock);
	taken = look_up_took_signals;
	pthread_mutex_unlock(&look_up_lock);
	return taken;
}

const char *
hung_url(const Server *server)
{
	static char url[64];

	snprintf(url, sizeof(url), "http://hung.test:%d", server_port(server));
	return url;
}

/* ---- connections that hang ---------------------------------------------------------- */

int
listener_open(char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *) &address, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &len), 0);
	snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
	return listener;
}

void
listener_fill(int listener, int *fillers, int nfillers)
{
	struct sockaddr_in address;
	socklen_t	len = sizeof(address);

	assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &len), 0);
	for (int i = 0; i < nfillers; i++)
	{
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *) &address, len);
	}
}

void
serve_nothing(Server *server, int fd, int number)
{
	(void) number;
	if (read_request(server, fd))
		await_close(fd);
}

void
serve_silence(Server *server, int fd, int number)
{
	(void) server;
	(void) number;
	await_close(fd);
}

void
serve_drip(Server *server, int fd, int number)
{
	(void) number;
	if (!read_request(server, fd))
		return;
	write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"out");
	await_close(fd);
}
