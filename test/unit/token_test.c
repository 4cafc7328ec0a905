/*
 * token_test.c
 *		Replies of the token endpoint.
 */
#include "unit.h"

#include "kis.h"
#include "kis/token.h"

/* 2026-04-10 00:30:00 UTC, 09:30:00 in Seoul */
#define NOW		INT64_C(1775781000)
#define DAY		86400

static bool
decode(int status, const char *body, KisToken *token, KisError *error)
{
	size_t		len = strlen(body);
	char	   *copy = malloc(len > 0 ? len : 1);
	bool		ok;

	memcpy(copy, body, len);
	ok = kis_token_decode(status, copy, len, NOW, token, error);
	free(copy);
	return ok;
}

static void
test_expiry(void **state)
{
	static const struct
	{
		const char *members;
		int64_t		expires_at; /* 0: refused */
	}			cases[] =
	{
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00\",\"expires_in\":86400", NOW + DAY},
		/* the earlier counts */
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00\",\"expires_in\":60", NOW + 60},
		{"\"access_token_token_expired\":\"2026-04-10 09:30:01\",\"expires_in\":86400", NOW + 1},
		{"\"access_token_token_expired\":\"2026-04-10 09:29:59\",\"expires_in\":86400", NOW - 1},
		{"\"access_token_token_expired\":\"2026-04-10 09:30:01\",\"expires_in\":\"86400\"", NOW + 1},
		/* one alone */
		{"\"access_token_token_expired\":\" 2026-04-11 09:30:00 \"", NOW + DAY},
		{"\"expires_in\":86400", NOW + DAY},
		{"\"expires_in\":\" 86400 \"", NOW + DAY},
		/* one that is garbled */
		{"\"access_token_token_expired\":\"tomorrow\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-11 24:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-11T09:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-1 09:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04- 1 09:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-1  09:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-02-29 09:30:00\",\"expires_in\":8640000", NOW + 100 * DAY},
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00Z\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-13-11 09:30:00\",\"expires_in\":86400", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00\",\"expires_in\":\"a day\"", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00\",\"expires_in\":0", NOW + DAY},
		{"\"access_token_token_expired\":\"2026-04-11 09:30:00\",\"expires_in\":-5", NOW + DAY},
		/* leap years, ends of months and years */
		{"\"access_token_token_expired\":\"2028-02-29 00:00:00\"", 1835362800},
		{"\"access_token_token_expired\":\"2028-03-01 00:00:00\"", 1835362800 + DAY},
		{"\"access_token_token_expired\":\"2026-12-31 23:59:59\"", 1798729199},
		{"\"access_token_token_expired\":\"2027-01-01 00:00:00\"", 1798729200},
		{"\"access_token_token_expired\":\"2100-02-28 00:00:00\"", 4107423600},
		{"\"access_token_token_expired\":\"2100-03-01 00:00:00\"", 4107423600 + DAY},
		/* nothing to go by */
		{"\"token_type\":\"Bearer\"", 0},
		{"\"access_token_token_expired\":\"\",\"expires_in\":null", 0},
		{"\"access_token_token_expired\":\"soon\",\"expires_in\":[]", 0},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char		body[512];
		KisToken	token;
		KisError	error;
		bool		ok;

		snprintf(body, sizeof(body), "{\"access_token\":\"eyJ0.aB-_.c=\",%s}", cases[i].members);
		ok = decode(200, body, &token, &error);
		if (ok != (cases[i].expires_at != 0) || (ok && token.expires_at != cases[i].expires_at))
			fail_msg("%s: %d, %lld", cases[i].members, ok, (long long) token.expires_at);
		if (ok)
			assert_string_equal(token.token, "eyJ0.aB-_.c=");
		else
			assert_int_equal(error.error_class, KIS_ERROR_REPLY);
	}
}

static void
test_token_text(void **state)
{
	static const struct
	{
		int			len;
		char		odd;
		bool		good;
	}			cases[] =
	{
		{1, 'a', true}, {350, 'a', true}, {1024, 'a', true}, {1025, 'a', false},
		{0, 'a', false}, {10, ' ', false}, {10, '\x7F', false}, {10, '~', true},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char		body[2048] = "{\"expires_in\":86400,\"access_token\":\"";
		size_t		at = strlen(body);
		KisToken	token;
		KisError	error;

		memset(body + at, 'a', cases[i].len);
		if (cases[i].len > 0)
			body[at + cases[i].len / 2] = cases[i].odd;
		strcpy(body + at + cases[i].len, "\"}");
		assert_int_equal(decode(200, body, &token, &error), cases[i].good);
		if (cases[i].good)
			assert_int_equal(strlen(token.token), cases[i].len);
		else
			assert_int_equal(error.error_class, KIS_ERROR_REPLY);
	}
}

static void
test_bad_characters(void **state)
{
	static const char *const tokens[] = {"a\\nb", "a\\r\\nX: y", "\\u00e9", "한글", "a\\tb"};

	(void) state;
	for (size_t i = 0; i < lengthof(tokens); i++)
	{
		char		body[256];
		KisToken	token;
		KisError	error;

		snprintf(body, sizeof(body), "{\"access_token\":\"%s\",\"expires_in\":5}", tokens[i]);
		assert_false(decode(200, body, &token, &error));
		assert_int_equal(error.error_class, KIS_ERROR_REPLY);
		assert_string_equal(token.token, "");
	}
}

static void
test_refusals(void **state)
{
	static const struct
	{
		int			status;
		const char *body;
		KisErrorClass error_class;
		const char *code;
	}			cases[] =
	{
		{403, "{\"error_description\":\"접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)\",\"error_code\":\"EGW00133\"}",
		KIS_ERROR_TOKEN_TOO_SOON, "EGW00133"},
		{403, "{\"error_description\":\"유효하지 않은 AppKey입니다.\",\"error_code\":\"EGW00103\"}",
		KIS_ERROR_CREDENTIALS, "EGW00103"},
		{403, "{\"error_description\":\"유효하지 않은 AppSecret입니다.\",\"error_code\":\"EGW00105\"}",
		KIS_ERROR_CREDENTIALS, "EGW00105"},
		{500, "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00001\",\"msg1\":\"x\"}", KIS_ERROR_TRANSIENT, "EGW00001"},
		{503, "<html>", KIS_ERROR_TRANSIENT, ""},
		{200, "<html>", KIS_ERROR_REPLY, ""},
		{200, "{}", KIS_ERROR_REPLY, ""},
		{200, "", KIS_ERROR_REPLY, ""},
		{200, "{\"access_token\":null,\"expires_in\":5}", KIS_ERROR_REPLY, ""},
		{200, "{\"access_token\":[\"a\"],\"expires_in\":5}", KIS_ERROR_REPLY, ""},
		{404, "{\"access_token\":\"a\",\"expires_in\":5}", KIS_ERROR_REPLY, ""},
		{302, "{\"access_token\":\"a\",\"expires_in\":5}", KIS_ERROR_REPLY, ""},
		{200, "{\"access_token\":\"a\",\"access_token\":\"b\",\"expires_in\":5}", KIS_ERROR_REPLY, ""},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		KisToken	token;
		KisError	error;

		assert_false(decode(cases[i].status, cases[i].body, &token, &error));
		if (error.error_class != cases[i].error_class || strcmp(error.code, cases[i].code) != 0)
			fail_msg("class %d, code \"%s\", text \"%s\" for: %s",
					 error.error_class, error.code, error.text, cases[i].body);
		assert_int_equal(error.http_status, cases[i].status);
	}
}

/* A reply that breaks off or is garbled may hold a token: none of it is shown. */
static void
test_nothing_leaks(void **state)
{
	static const char body[] = "{\"access_token\":\"SECRETTOKEN\",\"expires_in\":86400}";
	static const char *const garbled[] = {
		"access_token=SECRETTOKEN", "{\"access_token\":\"SECRETTOKEN\"", "{\"access_token\":\"SECRETTOKEN\"}",
		"{\"access_token\":\"SECRETTOKEN\\n\",\"expires_in\":1}", "\"SECRETTOKEN\"", "{'access_token':'SECRETTOKEN'}",
	};
	KisToken	token;
	KisError	error;

	(void) state;
	for (size_t len = 0; len < sizeof(body) - 1; len++)
	{
		assert_false(kis_token_decode(200, body, len, NOW, &token, &error));
		assert_int_equal(error.error_class, KIS_ERROR_REPLY);
		assert_null(strstr(error.text, "SEC"));
	}
	for (size_t i = 0; i < lengthof(garbled); i++)
	{
		assert_false(decode(200, garbled[i], &token, &error));
		assert_null(strstr(error.text, "SECRET"));
	}
}

/* What other programs keep it in. */
static void
test_token_in_text(void **state)
{
	static const struct
	{
		const char *text;
		const char *token;		/* NULL: there is none */
	}			cases[] =
	{
		{"abc.DEF-1_=", "abc.DEF-1_="},
		{" \r\n abc \n", "abc"},
		{"{\"access_token\":\"abc\",\"token\":\"no\"}", "abc"},
		{"{\"token\":\"abc\"}", "abc"},
		{"access_token: abc\n", "abc"},
		{"# kept by a batch\r\n'token' : \"abc\" \r\nvalid: yes", "abc"},
		{"\"access_token\": 'abc'", "abc"},
		{"", NULL},
		{" \n", NULL},
		{"{ \"expires\" : 5 ,\n \"token\" : \"abc\" }", "abc"},
		{"{\"access_token\":\"\"}", NULL},
		{"{\"other\":\"abc\"}", NULL},
		{"{\"access_token\":\"a\\tc\"}", NULL},
		{"other: abc\nno line of it", NULL},
		{"access_token:\nabc", NULL},
		{"access_token abc", NULL},
		{"한글", NULL},
	};
	static char too_long[2 * KIS_TOKEN_LEN];
	char		token[KIS_TOKEN_LEN];

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		bool		found = kis_token_in_text(cases[i].text, token);

		if (found != (cases[i].token != NULL))
			fail_msg("%s: %s", found ? "found" : "not found", cases[i].text);
		if (found)
			assert_string_equal(token, cases[i].token);
	}
	memset(too_long, 'a', KIS_TOKEN_LEN);
	assert_false(kis_token_in_text(too_long, token));
	too_long[KIS_TOKEN_LEN - 1] = '\0';
	assert_true(kis_token_in_text(too_long, token));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_token_text),
		cmocka_unit_test(test_bad_characters),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nothing_leaks),
		cmocka_unit_test(test_token_in_text),
	};

	return run_unit_tests(tests);
}
