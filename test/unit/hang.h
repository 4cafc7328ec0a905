/*
 * hang.h
 *		What hangs: a name server, a listener, servers that don't answer.
 */
#ifndef HANG_H
#define HANG_H

#include "client.h"
#include "server.h"

/* At once, that is: a busy machine takes seconds for nothing, and what hangs here does so for ever. */
#define AT_ONCE_MS	20000

/* With the server's port and a name whose look-ups hang while hang_look_ups has them do so. */
extern const char *hung_url(const Server *server);
extern void hang_look_ups(bool hang);

/* Until so many have begun, which is libcurl's affair. False: the transfer has ended without. */
extern bool step_until_look_up(Client *client, int count);

/* Returns when all that have begun have ended. */
extern void await_look_ups(void);

/* Has one run in a thread that handles PostgreSQL's signals? */
extern bool look_ups_take_signals(void);

/* A listener whose connections nobody accepts, and what fills its queue: further ones get no answer. */
extern int	listener_open(char *url, size_t size);
extern void listener_fill(int listener, int *fillers, int nfillers);

/* Reads a request, and no more. */
extern void serve_nothing(Server *server, int fd, int number);

/* Accepts, and doesn't even read. */
extern void serve_silence(Server *server, int fd, int number);

/* Begins a reply. */
extern void serve_drip(Server *server, int fd, int number);

#endif							/* HANG_H */
