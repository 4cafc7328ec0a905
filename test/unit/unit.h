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

#include "kis.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Runs a file's tests; prove reads what they print. */
#define run_unit_tests(tests) \
	(cmocka_set_message_output(CM_OUTPUT_TAP), \
	 cmocka_run_group_tests(tests, NULL, NULL))

#endif							/* UNIT_H */
