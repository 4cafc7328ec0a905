/*
 * redact_test.c
 *		Secrets in text.
 */
#include "unit.h"

#include "kis.h"
#include "kis/redact.h"

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
		{{"APPKEY", "zzzz", "zzzz"}, "키 APPKEY", "키 ******"},
		/* parts */
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "is 12345678...", "is ********..."},
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "is 1234567...", "is 1234567..."},
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "ijklmnopqr, hijklmno", "********qr, ********"},
		/* whatever a reader overlooks between the letters */
		{{"APPKEY", "zzzz", "zzzz"}, "is A P P K E Y.", "is ***********."},
		{{"APPKEY", "zzzz", "zzzz"}, " AP \t PK\r\nEY ", " *********** "},
		{{"APPKEY", "zzzz", "zzzz"}, "A\xE2\x80\x8BP\xEF\xBB\xBFPK\xC2\xAD" "E\xC2\xA0Y", "****************"},
		{{"APPKEY", "zzzz", "zzzz"}, "AP\x01P\x7FK\xC2\x85?\xFF" "EY", "************"},
		{{"APPKEY", "zzzz", "zzzz"}, "A\\nP\\u200bP\\u0000K\\u0045Y", "*************************"},
		{{"APPKEY", "zzzz", "zzzz"}, "%41P%20P&#x4b;&#8203;&zwnj;&#69;Y", "*********************************"},
		{{"APPKEY", "zzzz", "zzzz"}, "A P P-K E Y, A P &P KEY, %4 A&;P &#;P", "A P P-K E Y, A P &P KEY, %4 A&;P &#;P"},
		{{"a%41", "x\\nz", "zz&#65;"}, "a%41, x\\nz, zz&#65;", "****, ****, *******"},
		{{"APPKEY", "nAPPKEY", "zzzz"}, "\\nAPPKEY", "\\*******"},
		/* cut between or within what is overlooked; parts */
		{{"APPKEY", "APPSECRET", "zzzz"}, "is A P P S\xE2\x80\x8B", "is *******\xE2\x80\x8B"},
		{{"APPKEY", "APPSECRET", "zzzz"}, "is A P P S?", "is *******?"},
		{{"0123456789", "abcdefghijklmnop", "zzzz"}, "1 2 3 4 5 6 7 8, 1 2 3 4 5 6 7", "***************, 1 2 3 4 5 6 7"},
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
		/* whatever a reader overlooks between the letters */
		{"{\"a\":\"a p p / k\\n\\te y\\u200b\\ud83d\\ude00=\"}", "{\"a\":\"***********************************\"}"},
		{"[\"app/\",\"key=\", \"app/\\u2028key\xE2\x80\xA8=\"]", "[\"app/\",\"key=\", \"*****************\"]"},
		{"\\\\nTOKEN \\nTOKEN \\n\\u0054OK%45N", "\\\\n***** \\n***** \\n************"},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char	   *text = strdup(cases[i].text);

		kis_redact_json(text, strlen(text), &secrets, 4);
		assert_string_equal(text, cases[i].redacted);
		free(text);
	}
}

/* What is no JSON may have zeros in it. */
static void
test_redact_zeros(void **state)
{
	static const KisSecrets secrets = {"APPKEY", "APPSECRET", "TOKEN"};
	char		text[] = "\0a\0A\0P\0P\0K\0\0E\0Y\0b\0TOK";
	static const char redacted[sizeof(text)] = "\0a\0************\0b\0TOK";

	(void) state;
	kis_redact_json(text, sizeof(text) - 1, &secrets, 4);
	assert_memory_equal(text, redacted, sizeof(text));
}

/* A reply of the largest size that begins as secrets do at each of its letters, and at none. */
static void
test_redact_large(void **state)
{
	enum
	{
		LARGE = 4 * 1024 * 1024
	};
	static const KisSecrets secrets = {"aaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaac", "aaaaaaaaaaaaaaad"};
	char	   *text = malloc(LARGE + 1);

	(void) state;
	memset(text, ' ', LARGE);
	text[LARGE] = '\0';
	for (int i = 0; i < LARGE; i += 1024)
		text[i] = 'a';
	text[LARGE - 1] = 'x';
	kis_redact_json(text, LARGE, &secrets, 4);
	assert_null(strchr(text, '*'));
	text[LARGE - 1] = 'b';
	kis_redact_json(text, LARGE, &secrets, 4);
	assert_int_equal(strspn(text + LARGE - 15 * 1024, "*"), 15 * 1024);
	free(text);
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
		cmocka_unit_test(test_redact_zeros),
		cmocka_unit_test(test_redact_large),
		cmocka_unit_test(test_wipe),
	};

	return run_unit_tests(tests);
}
