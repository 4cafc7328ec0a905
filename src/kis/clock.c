/*
 * clock.c
 *		The clock that the wire's deadlines go by.
 */
#include <time.h>

#include "kis/clock.h"

int64_t
kis_now_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}
