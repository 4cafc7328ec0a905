/*
 * slow_resolver.c
 *		A name look-up that hangs, for a server that the tests preload it into.
 *
 * Looking up the host of SLOW_RESOLVER_HOST hangs while the file of
 * SLOW_RESOLVER_HOLD exists, and fails for now then; where there is no such
 * file it finds 127.0.0.1 at once. The file of SLOW_RESOLVER_LOG gets a "b"
 * when such a look-up begins and an "e" when it ends. All other hosts are
 * looked up as ever.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int (*LookUp) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void
tell(const char *event)
{
	int			fd = open(getenv("SLOW_RESOLVER_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	ssize_t		written = write(fd, event, 1);

	(void) written;
	close(fd);
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
	const char *slow_host = getenv("SLOW_RESOLVER_HOST");
	LookUp		look_up = (LookUp) dlsym(RTLD_NEXT, "getaddrinfo");
	/* libcurl may look up each family of addresses for itself: that is one */
	bool		counts = hints == NULL || hints->ai_family != AF_INET6;
	bool		hangs;

	if (node == NULL || slow_host == NULL || strcmp(node, slow_host) != 0)
		return look_up(node, service, hints, result);
	if (counts)
		tell("b");
	hangs = access(getenv("SLOW_RESOLVER_HOLD"), F_OK) == 0;
	while (access(getenv("SLOW_RESOLVER_HOLD"), F_OK) == 0)
		nanosleep(&pause, NULL);
	if (counts)
		tell("e");
	return hangs ? EAI_AGAIN : look_up("127.0.0.1", service, hints, result);
}
