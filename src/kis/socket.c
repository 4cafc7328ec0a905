/*
 * socket.c
 *		The sockets of a session's connections: which of them a request goes
 *		out on, and whether anything lies there unread.
 *
 * A reply names no request, so what lies on a kept connection before a request
 * is sent would be taken for its reply. libcurl doesn't look: it lends out a
 * connection with unread input, and doesn't say which of its sockets that is.
 * So the sockets are known by their addresses.
 */
#include "kis/socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Opens one for libcurl and puts it in the list; -1 and errno where that can't
 * be. It is known by its addresses once it is connected.
 */
int
kis_socket_open(KisSocket **sockets, int family, int type, int protocol)
{
	KisSocket  *opened = calloc(1, sizeof(KisSocket));

	if (opened == NULL)
	{
		errno = ENOMEM;
		return -1;
	}
	/* a program that the session starts must not inherit it */
	opened->fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (opened->fd < 0)
	{
		free(opened);
		return -1;
	}
	/* one that libcurl has closed itself, where its memory was out */
	free(kis_socket_remove(sockets, opened->fd));
	opened->next = *sockets;
	*sockets = opened;
	return opened->fd;
}

/* Takes it out of the list, to be freed; NULL: it is not there. */
KisSocket *
kis_socket_remove(KisSocket **sockets, int fd)
{
	KisSocket **link = sockets;
	KisSocket  *found;

	while (*link != NULL && (*link)->fd != fd)
		link = &(*link)->next;
	found = *link;
	if (found != NULL)
		*link = found->next;
	return found;
}

/* By its descriptor; NULL: it is not in the list. */
KisSocket *
kis_socket_of(KisSocket *sockets, int fd)
{
	while (sockets != NULL && sockets->fd != fd)
		sockets = sockets->next;
	return sockets;
}

/* One of a socket's addresses, as libcurl writes it. */
static bool
get_address(int (*get_name) (int, struct sockaddr *, socklen_t *), int fd, KisAddress *found)
{
	struct sockaddr_storage address;
	socklen_t	len = sizeof(address);
	char		port[NI_MAXSERV];

	if (get_name(fd, (struct sockaddr *) &address, &len) != 0 ||
		getnameinfo((struct sockaddr *) &address, len, found->ip, sizeof(found->ip), port, sizeof(port),
					NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	found->ip[strcspn(found->ip, "%")] = '\0';	/* libcurl leaves out an
												 * IPv6 address's zone */
	found->port = atoi(port);
	return true;
}

static bool
is_at(const KisAddress *address, const char *ip, int port)
{
	return address->port == port && strcmp(address->ip, ip) == 0;
}

/* By its addresses. */
KisSocket *
kis_socket_find(KisSocket *sockets, const char *local_ip, int local_port,
				const char *remote_ip, int remote_port)
{
	for (; sockets != NULL; sockets = sockets->next)
	{
		if (sockets->remote.port == 0 &&
			(!get_address(getsockname, sockets->fd, &sockets->local) ||
			 !get_address(getpeername, sockets->fd, &sockets->remote)))
			continue;
		if (is_at(&sockets->local, local_ip, local_port) && is_at(&sockets->remote, remote_ip, remote_port))
			break;
	}
	return sockets;
}

/* For a libcurl callback: its TLS session is that of the handle's connection. */
void
kis_socket_note_tls(KisSocket *socket, CURL *easy)
{
	struct curl_tlssessioninfo *session = NULL;

	socket->is_tls = true;
	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK &&
		session != NULL && session->backend == CURLSSLBACKEND_OPENSSL)
		socket->ssl = session->internals;
}

/* Each frame of HTTP/2 names the request that it is for, and some come without one. */
static bool
is_http2(const KisSocket *socket)
{
	const unsigned char *protocol = NULL;
	unsigned int len = 0;

	if (socket->ssl != NULL)
		SSL_get0_alpn_selected(socket->ssl, &protocol, &len);
	return len == 2 && memcmp(protocol, "h2", 2) == 0;
}

/*
 * What lies there unread. Where nobody can look into the TLS session it may be
 * anything.
 */
KisUnread
kis_socket_unread(const KisSocket *socket)
{
	char		byte;
	ssize_t		n;

	if (socket->is_tls && socket->ssl == NULL)
		return KIS_UNREAD_SOME;
	if (is_http2(socket))
		return KIS_UNREAD_NONE;
	if (socket->ssl != NULL && SSL_has_pending(socket->ssl))
		return KIS_UNREAD_SOME;
	n = recv(socket->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return KIS_UNREAD_SOME;
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? KIS_UNREAD_NONE : KIS_UNREAD_END;
}
