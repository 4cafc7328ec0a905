/*
 * unit.h
 *		What all unit tests include, in the order that cmocka wants.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* cmocka before 2.0 has one name for all types */
#ifndef assert_int_in_range
#define assert_int_in_range(value, least, most) assert_in_range(value, least, most)
#endif

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Runs a file's tests; prove reads what they print. */
#define run_unit_tests(tests) \
	(cmocka_set_message_output(CM_OUTPUT_TAP), \
	 cmocka_run_group_tests(tests, NULL, NULL))

/* By a clock that nobody sets. */
extern double now_ms(void);
extern void pause_ms(int ms);

/* Entries of the process's list of open descriptors. */
extern int	count_fds(void);

#endif							/* UNIT_H */
