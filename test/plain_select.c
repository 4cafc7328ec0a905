/*
 * plain_select.c
 *		select() without libfaketime, for a server whose clock is set.
 *
 * libfaketime shows a signal handler that interrupts select() the real time,
 * and so for ever what is forked there. Until version 15, PostgreSQL's
 * postmaster forks its workers in such a handler.
 */
#define _GNU_SOURCE

#include <stddef.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, struct timeval *timeout)
{
	struct timespec limit;

	if (timeout != NULL)
	{
		limit.tv_sec = timeout->tv_sec;
		limit.tv_nsec = timeout->tv_usec * 1000;
	}
	return (int) syscall(SYS_pselect6, nfds, readfds, writefds, exceptfds,
						 timeout != NULL ? &limit : NULL, NULL);
}
