/*
 * clock.h
 *		The clock that the wire's deadlines go by.
 */
#ifndef KIS_CLOCK_H
#define KIS_CLOCK_H

#include <stdint.h>

/* Microseconds since some moment before the process began. */
extern int64_t kis_now_monotonic_us(void);

#endif							/* KIS_CLOCK_H */
