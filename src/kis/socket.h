/*
 * socket.h
 *		The sockets of a session's connections: which of them a request goes
 *		out on, and whether anything lies there unread.
 */
#ifndef KIS_SOCKET_H
#define KIS_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

/* An end of a connection. */
typedef struct KisAddress
{
	char		ip[64];			/* has room for a zone */
	int			port;			/* 0: not known */
} KisAddress;

/* A socket that libcurl has open for a session. */
typedef struct KisSocket
{
	struct KisSocket *next;
	int			fd;
	unsigned	watched_for;	/* EPOLLIN, EPOLLOUT; 0: it is not in the set */
	bool		is_wanted;		/* else libcurl waits for nothing on it */
	int64_t		last_reply_us;	/* by kis_now_monotonic_us; 0: none has come */
	KisAddress	local;			/* both once it is connected */
	KisAddress	remote;
	bool		distrusted;		/* no request must go out on it any more */
	bool		is_tls;
	SSL		   *ssl;			/* NULL: plain, or of a TLS library that we
								 * can't look into */
} KisSocket;

/* Opens one and puts it in the list; -1 and errno where that can't be. */
extern int	kis_socket_open(KisSocket **sockets, int family, int type, int protocol);

/* Takes it out of the list, to be freed; NULL: it is not there. */
extern KisSocket *kis_socket_remove(KisSocket **sockets, int fd);

/* By its descriptor; NULL: libcurl has opened it for itself. */
extern KisSocket *kis_socket_of(KisSocket *sockets, int fd);

/* By its addresses. */
extern KisSocket *kis_socket_find(KisSocket *sockets, const char *local_ip, int local_port,
								  const char *remote_ip, int remote_port);

/* For a libcurl callback: its TLS session is that of the handle's connection. */
extern void kis_socket_note_tls(KisSocket *socket, CURL *easy);

/* What lies there unread, in the socket or in TLS. */
typedef enum KisUnread
{
	KIS_UNREAD_NONE,
	KIS_UNREAD_SOME,			/* or nobody can know */
	KIS_UNREAD_END				/* nothing, and the server has closed */
} KisUnread;

extern KisUnread kis_socket_unread(const KisSocket *socket);

#endif							/* KIS_SOCKET_H */
