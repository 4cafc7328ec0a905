/*
 * server.h
 *		A server within the test that does to a client what the test says.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Server Server;

/* Serves one connection in a thread of its own; number counts from 1. Then it is closed. */
typedef void (*ServeFunction) (Server *server, int fd, int number);

/* Listens on a free port of loopback. */
extern Server *server_start(ServeFunction serve, void *context);

/* Ends all connections and waits for their threads. */
extern void server_stop(Server *server);

extern const char *server_url(const Server *server);
extern int	server_port(const Server *server);
extern void *server_context(const Server *server);

/* Connections and requests that it has seen so far. */
extern int	server_connections(Server *server);
extern int	server_requests(Server *server);

/* The last request, headers and body; to be freed. */
extern char *server_last_request(Server *server);

/* Returns when so many requests have come. */
extern void server_await_requests(Server *server, int count);

/* For serve functions: reads a whole request; false where the client has gone. */
extern bool read_request(Server *server, int fd);
extern void write_text(int fd, const char *text);
extern void write_bytes(int fd, const char *bytes, size_t len);

/* HTTP 200 with a body and its length. */
extern void write_reply(int fd, const char *body);

/* A reply that is good, and a server that gives it to each request. */
extern const char good_body[];
extern void serve_good(Server *server, int fd, int number);

/* Waits until the client closes. */
extern void await_close(int fd);

/* The connection ends with RST instead of FIN. */
extern void reset_connection(int fd);

#endif							/* SERVER_H */
