/*
 * timing.h
 *		What the measured loops in C say of their time, for one to include.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MOST_TIMED	1000		/* the first of a burst */

static double took[MOST_TIMED];

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The call number i is over; *last is when the one before was. */
static void
note(int i, double *last)
{
	double		end = now();

	if (i < MOST_TIMED)
		took[i] = end - *last;
	*last = end;
}

static int
compare(const void *a, const void *b)
{
	double		difference = *(const double *) a - *(const double *) b;

	return difference < 0 ? -1 : difference > 0;
}

static void
report(int count, double total)
{
	int			timed = count < MOST_TIMED ? count : MOST_TIMED;

	qsort(took, timed, sizeof(double), compare);
	printf("%.9f %.9f\n", total, took[timed / 2]);
	fflush(stdout);
}
