/*
 * redact_test.c
 *		Secrets in text.
 */
#include "unit.h"

static void
test_redact(void **state)
{
	static const struct
	{
		KisSecrets	secrets;
		const char *text;
		const char *redacted;
	}			cases[] =
	{
		{{"APPKEY", "APPSECRET", "TOKEN"}, "nothing here", "nothing here"},
		{{"APPKEY", "APPSECRET", "TOKEN"}, "", ""},
		{{"APPKEY", "APPSECRET", "TOKEN"}, "APPKEY", "******"},
		{{"APPKEY", "APPSECRET", "TOKEN"}, "a APPKEY, b APPSECRET, c TOKEN.", "a ******, b *********, c *****."},
		{{"APPKEY", "APPSECRET", "TOKEN"}, "TOKENTOKEN", "**********"},
		{{"APPKEY", "APPSECRET", NULL}, "APPKEYAPPSECRET TOKEN", "*************** TOKEN"},
		{{NULL, NULL, NULL}, "APPKEY", "APPKEY"},
		/* one within another, one over the end of another, one over itself */
		{{"abcd", "xabcdx", "zzzz"}, "-xabcdx-abcd-", "-******-****-"},
		{{"abcdef", "defghi", "zzzz"}, "-abcdefghi-", "-*********-"},
		{{"abab", "zzzz", "zzzz"}, "-ababab-", "-******-"},
		/* short ones are no secrets */
		{{"abc", "x", ""}, "abc x", "abc x"},
		/* cut at the end of the text */
		{{"APPKEY", "APPSECRET", "zzzz"}, "is APPSEC", "is ******"},
		{{"APPKEY", "APPSECRET", "zzzz"}, "is APP", "is APP"},
		{{"APPKEY", "APPSECRET", "zzzz"}, "APPSEC is", "APPSEC is"},
		{{"한글열쇠", "zzzz", "zzzz"}, "키 한글열쇠", "키 ************"},
		/* parts */
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "is 12345678...", "is ********..."},
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "is 1234567...", "is 1234567..."},
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "ijklmnopqr, hijklmno", "********qr, ********"},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char	   *text = strdup(cases[i].text);

		kis_redact(text, &cases[i].secrets);
		assert_string_equal(text, cases[i].redacted);
		free(text);
	}
}

static void
test_redact_json(void **state)
{
	static const KisSecrets secrets = {"app/key=", "/+secret\\\"+/", "TOKEN"};
	static const struct
	{
		const char *text;
		const char *redacted;
	}			cases[] =
	{
		{"{\"a\":\"nothing\"}", "{\"a\":\"nothing\"}"},
		{"{\"a\":\"app/key=\"}", "{\"a\":\"********\"}"},
		{"{\"a\":\"app\\/key\\u003d\"}", "{\"a\":\"**************\"}"},
		{"{\"a\":\"app\\/key\\u003D\"}", "{\"a\":\"**************\"}"},
		{"\\/+secret\\\\\\\"+\\/", "****************"},
		{"\\u002f\\u002bsecret\\u005c\\u0022\\u002b/!", "*************************************!"},
		{"\\u0054OKEN \\TOKEN \\u0055OKEN", "********** \\***** \\u0055OKEN"},
		/* an escape's characters are none of their own */
		{"\\\\u0054OKEN \\\\TOKEN \\\\\\u0054OKEN", "\\\\u0054OKEN \\\\***** \\\\**********"},
		/* other characters than the secret's, parts, and the end of a text */
		{"app\\nkey= app\\u012fkey= app/ke", "app\\nkey= app\\u012fkey= ******"},
		{"app\\/k is", "app\\/k is"},
		{"app\\/k\\u00", "app\\/k\\u00"},
		{"app\\/key\\u00zz", "app\\/key\\u00zz"},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char	   *text = strdup(cases[i].text);

		kis_redact_json(text, &secrets);
		assert_string_equal(text, cases[i].redacted);
		free(text);
	}
}

static void
test_wipe(void **state)
{
	char		secret[] = "secret";
	static const char zeros[sizeof(secret)];

	(void) state;
	kis_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zeros, sizeof(secret));
	kis_wipe(NULL, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_redact_json),
		cmocka_unit_test(test_wipe),
	};

	return run_unit_tests(tests);
}
