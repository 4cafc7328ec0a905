/*
 * socket.h
 *		The sockets of a session's connections: which of them a request goes
 *		out on, and whether anything lies there unread.
 */
#ifndef KIS_SOCKET_H
#define KIS_SOCKET_H

#include <stdint.h>

#include <curl/curl.h>

/* A socket that libcurl has open for a session. */
typedef struct KisSocket KisSocket;

#define KIS_ADDRESSES_LEN	128

/* A new one in the list; -1 and errno where there is none. */
extern int	kis_socket_open(KisSocket **sockets, int family, int type, int protocol);

/* Takes it out of the list, to be freed; NULL: it is not there. */
extern KisSocket *kis_socket_remove(KisSocket **sockets, int fd);
extern void kis_socket_free(KisSocket *socket);
extern void kis_socket_free_all(KisSocket **sockets);

/* By its local and remote address and port, "address port address port". */
extern KisSocket *kis_socket_find(KisSocket *sockets, const char *addresses);

/* For a libcurl callback: its TLS session is that of the handle's connection. */
extern void kis_socket_note_tls(KisSocket *socket, CURL *easy);

/* A reply has come over it, by kis_now_monotonic_us; since when, 0: none has. */
extern void kis_socket_note_reply(KisSocket *socket, int64_t now_us);
extern int64_t kis_socket_last_reply_us(const KisSocket *socket);

/* What lies there unread, in the socket or in TLS. */
typedef enum KisUnread
{
	KIS_UNREAD_NONE,
	KIS_UNREAD_SOME,			/* or nobody can tell */
	KIS_UNREAD_END				/* nothing, and the server has closed */
} KisUnread;

extern KisUnread kis_socket_unread(const KisSocket *socket);

#endif							/* KIS_SOCKET_H */
