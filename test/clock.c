/*
 * clock.c
 *		The clock of a server, which LD_PRELOAD loads this into: ahead of the
 *		machine's, or behind it, by as many nanoseconds as the first number in the file
 *		CLOCK_OFFSET says at each moment. The second one is for how long the machine has
 *		slept: the boot clock is so far ahead. What the server measures waiting by is
 *		left alone.
 *
 * Not libfaketime: that allocates memory, which a handler of a timer must not do,
 * and within select() it fakes nothing, not even in processes that are started
 * from a signal's handler, as a server's workers are.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	1000000000LL

enum
{
	WALL,
	SLEPT
};

static long long
offset_ns(int which)
{
	static long long last[2];
	const char *name = getenv("CLOCK_OFFSET");
	int			saved_errno = errno;
	int			file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;

	if (file >= 0)
	{
		char		text[64];
		ssize_t		length = read(file, text, sizeof(text) - 1);

		if (length > 0)
		{
			char	   *next;

			text[length] = '\0';
			last[WALL] = strtoll(text, &next, 10);
			last[SLEPT] = strtoll(next, NULL, 10);
		}
		close(file);
	}
	errno = saved_errno;
	return last[which];
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int			status = syscall(SYS_clock_gettime, clock, now);

	if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME))
	{
		long long	ns = now->tv_sec * NS_PER_S + now->tv_nsec + offset_ns(clock == CLOCK_BOOTTIME ? SLEPT : WALL);

		now->tv_sec = ns / NS_PER_S;
		now->tv_nsec = ns % NS_PER_S;
	}
	return status;
}

int
gettimeofday(struct timeval *now, __attribute__((unused)) void *zone)
{
	struct timespec precise;
	int			status = clock_gettime(CLOCK_REALTIME, &precise);

	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return status;
}

time_t
time(time_t *now)
{
	struct timespec precise;

	clock_gettime(CLOCK_REALTIME, &precise);
	if (now)
		*now = precise.tv_sec;
	return precise.tv_sec;
}
