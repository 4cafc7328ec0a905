/*
 * server.c
 *		A server within the test that does to a client what the test says.
 */
#define _GNU_SOURCE
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CONNECTIONS	8192
#define MOST_REQUEST		16384

struct Server
{
	ServeFunction serve;
	void	   *context;
	int			listener;
	int			port;
	char		url[64];
	pthread_t	acceptor;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int			nconnections;
	int			nrequests;
	int			nserving;
	int			fds[MOST_CONNECTIONS];	/* -1: ended */
	char		last_request[MOST_REQUEST];
};

typedef struct Connection
{
	Server	   *server;
	int			fd;
	int			number;
} Connection;

static void *
serve_connection(void *arg)
{
	Connection *connection = arg;
	Server	   *server = connection->server;

	server->serve(server, connection->fd, connection->number);

	pthread_mutex_lock(&server->lock);
	server->fds[connection->number - 1] = -1;
	close(connection->fd);
	server->nserving--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	free(connection);
	return NULL;
}

static void *
accept_connections(void *arg)
{
	Server	   *server = arg;
	int			fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0)
	{
		Connection *connection = malloc(sizeof(Connection));
		pthread_attr_t attributes;
		pthread_t	thread;

		pthread_mutex_lock(&server->lock);
		if (server->nconnections == MOST_CONNECTIONS)
			abort();
		server->fds[server->nconnections++] = fd;
		*connection = (Connection) {server, fd, server->nconnections};
		server->nserving++;
		pthread_mutex_unlock(&server->lock);

		pthread_attr_init(&attributes);
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		if (pthread_create(&thread, &attributes, serve_connection, connection) != 0)
			abort();
		pthread_attr_destroy(&attributes);
	}
	return NULL;
}

Server *
server_start(ServeFunction serve, void *context)
{
	Server	   *server = calloc(1, sizeof(Server));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->serve = serve;
	server->context = context;
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *) &address, len) != 0 ||
		listen(server->listener, 128) != 0 ||
		getsockname(server->listener, (struct sockaddr *) &address, &len) != 0)
		abort();
	server->port = ntohs(address.sin_port);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	if (pthread_create(&server->acceptor, NULL, accept_connections, server) != 0)
		abort();
	return server;
}

void
server_stop(Server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->listener);

	pthread_mutex_lock(&server->lock);
	for (int i = 0; i < server->nconnections; i++)
		if (server->fds[i] >= 0)
			shutdown(server->fds[i], SHUT_RDWR);
	while (server->nserving > 0)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	free(server);
}

const char *
server_url(const Server *server)
{
	return server->url;
}

int
server_port(const Server *server)
{
	return server->port;
}

void *
server_context(const Server *server)
{
	return server->context;
}

int
server_connections(Server *server)
{
	int			count;

	pthread_mutex_lock(&server->lock);
	count = server->nconnections;
	pthread_mutex_unlock(&server->lock);
	return count;
}

int
server_requests(Server *server)
{
	int			count;

	pthread_mutex_lock(&server->lock);
	count = server->nrequests;
	pthread_mutex_unlock(&server->lock);
	return count;
}

char *
server_last_request(Server *server)
{
	char	   *request;

	pthread_mutex_lock(&server->lock);
	request = strdup(server->last_request);
	pthread_mutex_unlock(&server->lock);
	return request;
}

void
server_await_requests(Server *server, int count)
{
	pthread_mutex_lock(&server->lock);
	while (server->nrequests < count)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

/* Length of the body that the headers announce. */
static size_t
body_length(const char *request)
{
	const char *header = strcasestr(request, "\r\nContent-Length:");

	return header != NULL ? strtoul(header + 17, NULL, 10) : 0;
}

bool
read_request(Server *server, int fd)
{
	char		request[MOST_REQUEST];
	size_t		len = 0;

	for (;;)
	{
		ssize_t		n = read(fd, request + len, sizeof(request) - 1 - len);
		char	   *end;

		if (n <= 0)
			return false;
		len += n;
		request[len] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end != NULL && len >= (size_t) (end + 4 - request) + body_length(request))
			break;
	}
	pthread_mutex_lock(&server->lock);
	strcpy(server->last_request, request);
	server->nrequests++;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	return true;
}

void
write_bytes(int fd, const char *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= n;
	}
}

void
write_text(int fd, const char *text)
{
	write_bytes(fd, text, strlen(text));
}

void
write_reply(int fd, const char *body)
{
	char		reply[4096];
	int			len = snprintf(reply, sizeof(reply),
							   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
							   "Content-Length: %zu\r\n\r\n%s", strlen(body), body);

	if ((size_t) len >= sizeof(reply))
		abort();
	write_bytes(fd, reply, len);
}

const char	good_body[] = "{\"output\":[{\"frgn_ntby_qty\":\"-32845\"}],"
"\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"정상처리 되었습니다.\"}";

void
serve_good(Server *server, int fd, int number)
{
	(void) number;
	while (read_request(server, fd))
		write_reply(fd, good_body);
}

void
await_close(int fd)
{
	char		byte;

	while (read(fd, &byte, 1) > 0)
		;
}

void
reset_connection(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
