/*
 * text_test.c
 *		Names for messages and counters, and errors made fit to be shown.
 */
#include "unit.h"

#include "kis.h"
#include "kis/text.h"

static void
test_names(void **state)
{
	static const char *const phases[] = {
		[KIS_PHASE_NONE] = "preparing the request",
		[KIS_PHASE_RESOLVE] = "resolving the host name",
		[KIS_PHASE_CONNECT] = "connecting",
		[KIS_PHASE_TLS] = "agreeing on TLS",
		[KIS_PHASE_REPLY] = "waiting for the reply",
	};
	static const char *const classes[] = {
		[KIS_OK] = "none",
		[KIS_ERROR_CONNECT] = "connect",
		[KIS_ERROR_TIMEOUT] = "timeout",
		[KIS_ERROR_DROPPED] = "dropped",
		[KIS_ERROR_TOKEN] = "token",
		[KIS_ERROR_TOKEN_TOO_SOON] = "token_too_soon",
		[KIS_ERROR_CREDENTIALS] = "credentials",
		[KIS_ERROR_RATE] = "rate",
		[KIS_ERROR_TRANSIENT] = "passing",
		[KIS_ERROR_REFUSED] = "refused",
		[KIS_ERROR_REPLY] = "reply",
		[KIS_ERROR_FULL] = "full",
		[KIS_ERROR_LOCAL] = "local",
	};

	(void) state;
	for (size_t i = 0; i < lengthof(phases); i++)
		assert_string_equal(kis_phase_name(i), phases[i]);
	for (size_t i = 0; i < lengthof(classes); i++)
		assert_string_equal(kis_error_class_name(i), classes[i]);
}

static void
test_characters(void **state)
{
	(void) state;
	assert_int_equal(kis_utf8_char_len("a", 1), 1);
	assert_int_equal(kis_utf8_char_len("한", 3), 3);
	assert_int_equal(kis_utf8_char_len("한", 2), 0);
	assert_int_equal(kis_utf8_char_len("a", 0), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_characters),
	};

	return run_unit_tests(tests);
}
