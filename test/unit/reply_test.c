/*
 * reply_test.c
 *		Replies to data calls, good and bad.
 */
#include "unit.h"

#include "kis.h"
#include "kis/catalog.h"
#include "kis/code.h"
#include "kis/reply.h"

/* A call small enough to read: three members, two rows as a rule. */
static const KisMember members[] = {
	{.field = "a_qty", .column = "a", .is_figure = true}, {.field = "b_qty", .column = "b"},
	{.field = "c_amt", .column = "c", .is_figure = true}
};

static const KisCall call = {
	.name = "test",
	.path = "/test",
	.tr_id = "TEST",
	.rows = "output",
	.members = members,
	.nmembers = 3,
	.usual_rows = 2,
};

/* The same where the answer is one object. */
static const KisCall object_call = {
	.name = "object",
	.path = "/test",
	.tr_id = "TEST",
	.rows = "output",
	.members = members,
	.nmembers = 3,
	.usual_rows = 1,
};

#define TAIL "\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"msg1\":\"good\""
#define ONE(row) "{\"output\":[" row "]," TAIL "}"

/* A member of the first row. */
static KisValue
member(const KisReply *reply, const char *field)
{
	return reply->rows[0].values[kis_call_member_find(&call, field)];
}

static KisReply *
decode(int status, const char *body, KisError *error)
{
	/* in a block of its own size, so that reading past the end is seen */
	size_t		len = strlen(body);
	char	   *copy = malloc(len > 0 ? len : 1);
	KisReply   *reply;

	memcpy(copy, body, len);
	reply = kis_reply_decode(&call, status, copy, len, error);
	free(copy);
	return reply;
}

static KisReply *
decode_good(const char *body)
{
	KisError	error;
	KisReply   *reply = decode(200, body, &error);

	if (reply == NULL)
		fail_msg("refused: class %d, \"%s\": %s", error.error_class, error.text, body);
	return reply;
}

static void
decode_bad(int status, const char *body, KisErrorClass error_class, const char *code, const char *text)
{
	KisError	error;
	KisReply   *reply = decode(status, body, &error);

	if (reply != NULL)
		fail_msg("taken as good: %s", body);
	if (error.error_class != error_class || strcmp(error.code, code) != 0 ||
		strstr(error.text, text) == NULL)
		fail_msg("class %d, code \"%s\", text \"%s\" for: %s",
				 error.error_class, error.code, error.text, body);
	assert_int_equal(error.http_status, status);
	assert_int_equal(error.phase, KIS_PHASE_REPLY);
}

/* ---- values -------------------------------------------------------------------- */

static void
test_values(void **state)
{
	static const struct
	{
		const char *json;
		KisValueKind kind;
		int64_t		integer;
		const char *text;
	}			cases[] =
	{
		{"\"0\"", KIS_VALUE_INTEGER, 0, "0"},
		{"\"-32845\"", KIS_VALUE_INTEGER, -32845, "-32845"},
		{"\"+17\"", KIS_VALUE_INTEGER, 17, "+17"},
		{"\"-0\"", KIS_VALUE_INTEGER, 0, "-0"},
		{"\"0000000000000000000000123\"", KIS_VALUE_INTEGER, 123, "0000000000000000000000123"},
		{"\"  12 \\t\\r\\n\"", KIS_VALUE_INTEGER, 12, "12"},
		{"\"9223372036854775807\"", KIS_VALUE_INTEGER, INT64_MAX, "9223372036854775807"},
		{"\"-9223372036854775808\"", KIS_VALUE_INTEGER, INT64_MIN, "-9223372036854775808"},
		{"\"9223372036854775808\"", KIS_VALUE_TEXT, 0, "9223372036854775808"},
		{"\"-9223372036854775809\"", KIS_VALUE_TEXT, 0, "-9223372036854775809"},
		{"\"99999999999999999999999\"", KIS_VALUE_TEXT, 0, "99999999999999999999999"},
		{"\"7475.94\"", KIS_VALUE_TEXT, 0, "7475.94"},
		{"\"-\"", KIS_VALUE_TEXT, 0, "-"},
		{"\"+\"", KIS_VALUE_TEXT, 0, "+"},
		{"\"1,000\"", KIS_VALUE_TEXT, 0, "1,000"},
		{"\"1 2\"", KIS_VALUE_TEXT, 0, "1 2"},
		{"\"--1\"", KIS_VALUE_TEXT, 0, "--1"},
		{"\"0x1F\"", KIS_VALUE_TEXT, 0, "0x1F"},
		{"\"\\ud55c\\uAE00\"", KIS_VALUE_TEXT, 0, "한글"},
		{"\"\\ud83d\\ude00\"", KIS_VALUE_TEXT, 0, "\xF0\x9F\x98\x80"},
		{"\"a\\\"b\\\\c\\/d\"", KIS_VALUE_TEXT, 0, "a\"b\\c/d"},
		{"\"\"", KIS_VALUE_EMPTY, 0, ""},
		{"\"   \"", KIS_VALUE_EMPTY, 0, ""},
		{"null", KIS_VALUE_EMPTY, 0, ""},
		{"true", KIS_VALUE_TEXT, 0, "true"},
		{"false", KIS_VALUE_TEXT, 0, "false"},
		{"12", KIS_VALUE_INTEGER, 12, "12"},
		{"-7", KIS_VALUE_INTEGER, -7, "-7"},
		{"999999999999999", KIS_VALUE_INTEGER, INT64_C(999999999999999), "999999999999999"},
		{"-999999999999999", KIS_VALUE_INTEGER, INT64_C(-999999999999999), "-999999999999999"},
		{"0.1", KIS_VALUE_TEXT, 0, "0.1"},
		{"-7475.94", KIS_VALUE_TEXT, 0, "-7475.94"},
		{"9999999999999.99", KIS_VALUE_TEXT, 0, "9999999999999.99"},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char		body[512];
		KisReply   *reply;
		KisValue	value;

		snprintf(body, sizeof(body), "{\"output\":[{\"a_qty\":\"1\",\"b_qty\":%s}]," TAIL "}",
				 cases[i].json);
		reply = decode_good(body);
		value = member(reply, "b_qty");
		if (value.kind != cases[i].kind || strcmp(value.text, cases[i].text) != 0 ||
			(value.kind == KIS_VALUE_INTEGER && value.integer != cases[i].integer))
			fail_msg("%s became kind %d, \"%s\", %lld", cases[i].json, value.kind, value.text,
					 (long long) value.integer);
		assert_int_equal(member(reply, "c_amt").kind, KIS_VALUE_MISSING);
		assert_string_equal(reply->body, body);
		free(reply);
	}
}

static void
test_extra_members(void **state)
{
	KisReply   *reply = decode_good(
		"{\"output\":[{\"new\":\" 5 \",\"c_amt\":\"3\",\"list\":[1, 20.50,\"\\u0041\\\"[7]\",null,{\"n\":-0}],"
		"\"a_qty\":\"1\",\"\":\"x\",\"A_QTY\":\"9\"}]," TAIL ",\"unknown\":{\"a\":1}}");

	(void) state;
	assert_int_equal(member(reply, "a_qty").integer, 1);
	assert_int_equal(member(reply, "b_qty").kind, KIS_VALUE_MISSING);
	assert_int_equal(member(reply, "c_amt").integer, 3);
	free(reply);
}

/* ---- rows ---------------------------------------------------------------------- */

static void
test_rows(void **state)
{
	static const struct
	{
		const char *output;
		int			nrows;
	}			cases[] =
	{
		{"[]", 0},
		{"[{\"a_qty\":\"1\"}]", 1},
		{"{\"a_qty\":\"1\"}", 1},
		{"{}", 1},
		{"[{\"a_qty\":\"1\"},{\"a_qty\":\"2\"}]", 2},
		/* what is usual is no limit */
		{"[{\"a_qty\":\"1\"},{\"a_qty\":\"2\"},{\"a_qty\":\"3\"},{\"a_qty\":\"4\"},{\"a_qty\":\"5\"}]", 5},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char		body[512];
		KisReply   *reply;

		snprintf(body, sizeof(body), "{\"output\":%s," TAIL "}", cases[i].output);
		reply = decode_good(body);
		assert_int_equal(reply->nrows, cases[i].nrows);
		for (int r = 0; r < reply->nrows && cases[i].output[1] != '}'; r++)
			assert_int_equal(reply->rows[r].values[0].integer, r + 1);
		free(reply);
	}
}

/* The rows are in the member that the call names, whatever "output" holds. */
static void
test_name_of_rows(void **state)
{
	static const char body[] = "{\"output\":7,\"output1\":{\"a_qty\":\"1\"},\"output2\":[{\"a_qty\":\"2\"},{\"a_qty\":\"3\"}]," TAIL "}";
	static const char none[] = "{\"output\":[]," TAIL "}";
	static const char text[] = "{\"output2\":\"x\"," TAIL "}";
	static const char numbers[] = "{\"output2\":[1]," TAIL "}";
	KisCall		named = call;
	KisError	error;
	KisReply   *reply;

	(void) state;
	named.rows = "output2";
	reply = kis_reply_decode(&named, 200, body, strlen(body), &error);
	assert_non_null(reply);
	assert_int_equal(reply->nrows, 2);
	assert_int_equal(reply->rows[0].values[0].integer, 2);
	free(reply);
	assert_null(kis_reply_decode(&named, 200, none, strlen(none), &error));
	assert_string_equal(error.text, "the reply has no \"output2\"");
	assert_null(kis_reply_decode(&named, 200, text, strlen(text), &error));
	assert_string_equal(error.text, "\"output2\" of the reply is neither an array nor an object");
	assert_null(kis_reply_decode(&named, 200, numbers, strlen(numbers), &error));
	assert_string_equal(error.text, "\"output2\" holds something else than objects");
}

/* Rows of nothing but blanks are none, wherever they stand; what names no member of the call is odd, not blank. */
static void
test_blank_rows(void **state)
{
	static const char *const blanks[] = {
		"{\"a_qty\":\"\",\"b_qty\":\"\",\"c_amt\":\"\"}", "{\"a_qty\":null,\"b_qty\":\" \",\"c_amt\":\"\\t\\n\"}",
		"{\"c_amt\":\"\"}", "{\"a_qty\":\"\",\"new\":\"1\"}",
	};
	static const char *const others[] = {"{}", "{\"A_QTY\":\"\"}", "{\"a_qty\":\"0\"}", "{\"a_qty\":\"\",\"b_qty\":\"-\"}"};

	(void) state;
	for (size_t i = 0; i < lengthof(blanks) + lengthof(others); i++)
	{
		bool		is_blank = i < lengthof(blanks);
		const char *row = is_blank ? blanks[i] : others[i - lengthof(blanks)];
		char		body[512];
		KisReply   *reply;

		snprintf(body, sizeof(body), "{\"output\":[%s,{\"a_qty\":\"1\"},%s,{\"a_qty\":\"2\"},%s]," TAIL "}", row, row, row);
		reply = decode_good(body);
		assert_int_equal(reply->nrows, is_blank ? 2 : 5);
		for (int r = 0; is_blank && r < 2; r++)
		{
			assert_int_equal(reply->rows[r].values[0].integer, r + 1);
			assert_int_equal(reply->rows[r].position, 2 * r + 1);
		}
		free(reply);
		snprintf(body, sizeof(body), "{\"output\":[%s]," TAIL "}", row);
		reply = decode_good(body);
		assert_int_equal(reply->nrows, is_blank ? 0 : 1);
		free(reply);
	}
}

/* A call whose answer is one object has one row, were it blank, and no second. */
static void
test_one_object(void **state)
{
	static const char blank[] = ONE("{\"a_qty\":\"\"}");
	static const char two[] = ONE("{\"a_qty\":\"1\"},{\"a_qty\":\"2\"}");
	KisError	error;
	KisReply   *reply = kis_reply_decode(&object_call, 200, blank, strlen(blank), &error);

	(void) state;
	assert_non_null(reply);
	assert_int_equal(reply->nrows, 1);
	assert_true(kis_row_is_empty(&object_call, &reply->rows[0]));
	free(reply);
	assert_null(kis_reply_decode(&object_call, 200, two, strlen(two), &error));
	assert_int_equal(error.error_class, KIS_ERROR_REPLY);
	assert_string_equal(error.text, "the reply has too many rows");
}

static void
test_empty_page(void **state)
{
	static const char *const outputs[] = {
		"", ",\"output\":null", ",\"output\":\"\"", ",\"output\":[]", ",\"output\":[{\"a_qty\":\"\"}]",
	};
	static const char *const codes[] = {"KIOK0560", "kiok0560", " KIOK0560  "};

	(void) state;
	for (size_t i = 0; i < lengthof(outputs); i++)
		for (size_t c = 0; c < lengthof(codes); c++)
			for (int rt_cd = 0; rt_cd < 8; rt_cd++)
			{
				char		body[256];
				KisReply   *reply;

				snprintf(body, sizeof(body), "{\"rt_cd\":\"%d\",\"msg_cd\":\"%s\",\"msg1\":\"none\"%s}",
						 rt_cd, codes[c], outputs[i]);
				reply = decode_good(body);
				assert_int_equal(reply->nrows, 0);
				free(reply);
			}
}

/* What no honest reply has takes time that nobody can end; so the reading ends first. */
static void
test_too_many_values(void **state)
{
	static char body[KIS_MAX_REPLY + 1];
	static const char *const values[] = {"1", "\"\"", "[]", "{}", "null", "{\"a_qty\":1}", "[[1],2]"};

	(void) state;
	for (size_t i = 0; i < lengthof(values); i++)
		for (int extra = 0; extra < 2; extra++)
		{
			int			at = sprintf(body, "{" TAIL ",\"%s\":[%s", extra ? "new" : "output", values[i]);

			while (at < KIS_MAX_REPLY - 50)
				at += sprintf(body + at, ",%s", values[i]);
			strcpy(body + at, "]}");
			decode_bad(200, body, KIS_ERROR_REPLY, "", "the reply has more than 100000 values");
		}
	/* nor are there more rows than such a number of values would fill */
	for (int nrows = KIS_MAX_VALUES / 3 - 1; nrows < KIS_MAX_VALUES / 3 + 2; nrows++)
	{
		int			at = sprintf(body, "{" TAIL ",\"output\":[{\"a_qty\":1}");

		for (int i = 1; i < nrows; i++)
			at += sprintf(body + at, ",{\"a_qty\":1}");
		strcpy(body + at, "]}");
		if (nrows > KIS_MAX_VALUES / 3)
			decode_bad(200, body, KIS_ERROR_REPLY, "", "the reply has too many rows");
		else
		{
			KisReply   *reply = decode_good(body);

			assert_int_equal(reply->nrows, nrows);
			free(reply);
		}
	}
}

static void
test_empty_and_figures(void **state)
{
	static const struct
	{
		const char *row;
		bool		empty;
		bool		figures;
	}			cases[] =
	{
		{"{\"a_qty\":\"\",\"b_qty\":\"\",\"c_amt\":\"\"}", true, false},
		{"{\"a_qty\":null,\"b_qty\":\" \"}", true, false},
		{"{\"other\":\"5\"}", true, false},
		{"{\"a_qty\":\"0\",\"b_qty\":\"0\",\"c_amt\":\"0\"}", false, false},
		{"{\"a_qty\":\"0\",\"b_qty\":\"\",\"c_amt\":\"-1\"}", false, true},
		{"{\"a_qty\":\"0\",\"b_qty\":\"1000\",\"c_amt\":\"0\"}", false, false},
		{"{\"a_qty\":\"0.5\"}", false, false},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char		body[512];
		KisError	error;
		KisReply   *reply;

		snprintf(body, sizeof(body), "{\"output\":[%s]," TAIL "}", cases[i].row);
		reply = kis_reply_decode(&object_call, 200, body, strlen(body), &error);
		assert_int_equal(reply->nrows, 1);
		assert_int_equal(kis_row_is_empty(&object_call, &reply->rows[0]), cases[i].empty);
		assert_int_equal(kis_row_has_figures(&object_call, &reply->rows[0]), cases[i].figures);
		free(reply);
	}
}

static void
test_whole_reply(void **state)
{
	static const char body[] = "{\"rt_cd\":\"0\",\"msg_cd\":\"KIOK0500\","
		"\"msg1\":\"조회가 계속됩니다        \",\"output\":[{\"a_qty\":1}]}";
	char		with_mark[sizeof(body) + 3] = "\xEF\xBB\xBF";
	KisReply   *reply;

	(void) state;
	strcat(with_mark, body);
	for (int i = 0; i < 2; i++)
	{
		reply = decode_good(i == 0 ? body : with_mark);
		assert_string_equal(reply->body, body);
		free(reply);
	}
	/* KIS's word counts, not the HTTP status */
	{
		KisError	error;

		reply = decode(500, body, &error);
		assert_non_null(reply);
		free(reply);
	}
	free(decode_good("{\"rt_cd\":0,\"output\":{}}"));
	free(decode_good(" \n{\"msg_cd\":\"KIOK0500\",\"output\":[]}\r\n\t "));
}

/* ---- refusals --------------------------------------------------------------------- */

static void
test_refusals(void **state)
{
	static const struct
	{
		KisErrorClass error_class;
		const char *codes;
	}			cases[] =
	{
		{KIS_ERROR_TOKEN, "EGW00121 EGW00122 EGW00123"},
		{KIS_ERROR_TOKEN_TOO_SOON, "EGW00133"},
		{KIS_ERROR_CREDENTIALS, "EGW00102 EGW00103 EGW00104 EGW00105 EGW00304"},
		{KIS_ERROR_RATE, "EGW00201 EGW00215"},
		{KIS_ERROR_TRANSIENT, "EGW00001 EGW00002 EGW00202 EGW00203 EGW00300 EGW00301 EGW00302 EGW00316 "
		"OPSQ0003 OPSQ0008 OPSQ1002 90020000 SYDB0050"},
		{KIS_ERROR_REFUSED, "EGW00003 EGW00004 EGW00101 EGW00132 EGW00205 EGW00206 EGW00207 EGW00208 "
		"EGW02004 EGW02006 OPSQ0002 OPSQ2000 OPSQ2001 OPSQ2999 OPSQ9999 XYZ12345 MCA00000"},
	};
	static const int statuses[] = {200, 403, 500, 503};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
		for (const char *code = cases[i].codes; code[0] != '\0'; code += code[8] != '\0' ? 9 : 8)
			for (size_t s = 0; s < lengthof(statuses); s++)
			{
				char		body[256];
				char		shown[9] = "";
				char		lower[9] = "";

				for (int c = 0; c < 8; c++)
				{
					shown[c] = code[c];
					lower[c] = code[c] >= 'A' && code[c] <= 'Z' ? code[c] + 32 : code[c];
				}
				snprintf(body, sizeof(body), "{\"rt_cd\":\"1\",\"msg1\":\"  거절  \\n합니다 \",\"msg_cd\":\"%s\",\"new\":[]}",
						 shown);
				decode_bad(statuses[s], body, cases[i].error_class, shown, "거절 합니다");
				snprintf(body, sizeof(body), "{\"error_description\":\"거절\",\"error_code\":\" %s \"}",
						 shown);
				decode_bad(statuses[s], body, cases[i].error_class, shown, "거절");
				snprintf(body, sizeof(body), "{\"rt_cd\":\"1\",\"msg_cd\":\"%s\"}", lower);
				decode_bad(statuses[s], body, cases[i].error_class, lower, "");
			}
	/* an error code beside rt_cd 0 is an error all the same */
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg_cd\":\"EGW00201\",\"output\":[]}", KIS_ERROR_RATE, "EGW00201", "");
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg_cd\":\"EGW02006\",\"output\":[{}]}", KIS_ERROR_REFUSED, "EGW02006", "");
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg_cd\":\"OPSQ2001\",\"output\":[{}]}", KIS_ERROR_REFUSED, "OPSQ2001", "");
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg_cd\":\"EGW00316\",\"output\":[{}]}", KIS_ERROR_TRANSIENT, "EGW00316", "");
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg_cd\":\"90020000\",\"output\":[{}]}", KIS_ERROR_TRANSIENT, "90020000", "");
	/* an asterisk of KIS's is a character as others are */
	decode_bad(500, "{\"error_code\":\"EGW*0123\"}", KIS_ERROR_TRANSIENT, "EGW*0123", "");
	decode_bad(200, "{\"rt_cd\":\"2\",\"msg1\":\"why\"}", KIS_ERROR_REFUSED, "", "why");
	decode_bad(200, "{\"rt_cd\":\"1\",\"msg_cd\":\"A_CODE_THAT_IS_TOO_LONG\"}",
			   KIS_ERROR_REFUSED, "A_CODE_THAT_IS_", "");
}

/* Of codes that nobody has listed the gateway's pass, where it says that it has failed. */
static void
test_unlisted_codes(void **state)
{
	static const char *const gateway = "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00999\",\"msg1\":\"x\"}";
	static const char *const other = "{\"rt_cd\":\"1\",\"msg_cd\":\"APBK0919\",\"msg1\":\"x\"}";

	(void) state;
	decode_bad(500, gateway, KIS_ERROR_TRANSIENT, "EGW00999", "x");
	decode_bad(503, gateway, KIS_ERROR_TRANSIENT, "EGW00999", "x");
	decode_bad(403, gateway, KIS_ERROR_REFUSED, "EGW00999", "x");
	decode_bad(200, gateway, KIS_ERROR_REFUSED, "EGW00999", "x");
	decode_bad(500, other, KIS_ERROR_REFUSED, "APBK0919", "x");
	decode_bad(200, other, KIS_ERROR_REFUSED, "APBK0919", "x");
}

static void
test_too_many_requests(void **state)
{
	(void) state;
	decode_bad(429, "Too Many Requests", KIS_ERROR_RATE, "", "HTTP status 429");
	decode_bad(429, "", KIS_ERROR_RATE, "", "HTTP status 429");
	decode_bad(429, "{\"message\":\"slow down\"}", KIS_ERROR_RATE, "", "HTTP status 429");
	decode_bad(429, "[]", KIS_ERROR_RATE, "", "HTTP status 429");
	decode_bad(429, "{\"rt_cd\":\"1\",\"msg1\":\"slow\"}", KIS_ERROR_RATE, "", "HTTP status 429: slow");
	decode_bad(429, "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00201\"}", KIS_ERROR_RATE, "EGW00201", "");
	decode_bad(429, "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00001\"}", KIS_ERROR_RATE, "EGW00001", "");
	decode_bad(429, "{\"rt_cd\":\"1\",\"msg_cd\":\"XYZ12345\"}", KIS_ERROR_RATE, "XYZ12345", "");
	decode_bad(429, "{\"rt_cd\":\"0\",\"msg_cd\":\"EGW00999\",\"output\":[]}", KIS_ERROR_RATE, "EGW00999", "");
	/* a code that no other try mends says more than the status */
	decode_bad(429, "{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00103\"}", KIS_ERROR_CREDENTIALS, "EGW00103", "");
	{
		KisError	error;
		KisReply   *reply = decode(429, ONE("{}"), &error);

		assert_non_null(reply);
		free(reply);
	}
}

/* What KIS counted, and what to do about it: of the code, and of the status where there is none. */
static void
test_quota_and_hint(void **state)
{
	static const struct
	{
		int			status;
		const char *code;
		bool		of_app_key;
		const char *hint;
	}			cases[] =
	{
		{500, "EGW00201", true, NULL},
		{429, "", true, NULL},
		{429, "XYZ12345", true, NULL},
		{500, "EGW00215", false, "calendar"},
		{429, "egw00215", false, "calendar"},
		{500, "EGW00001", false, NULL},
		{502, "", false, NULL},
		{0, "", false, NULL},
		{200, "XYZ12345", false, NULL},
		{500, "EGW02004", false, "paper trading"},
		{500, "EGW02006", false, "paper trading"},
		{403, "EGW00103", false, "app_key"},
		{403, "EGW00105", false, "app_secret"},
		{500, "EGW00206", false, NULL},
	};

	(void) state;
	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const KisCodeRule *rule = kis_code_rule(cases[i].code, cases[i].status);
		bool		of_app_key = rule != NULL && rule->of_app_key;
		const char *hint = rule != NULL ? rule->hint : NULL;

		if (of_app_key != cases[i].of_app_key ||
			(hint == NULL) != (cases[i].hint == NULL) || (hint != NULL && strstr(hint, cases[i].hint) == NULL))
			fail_msg("%d %s: %d, %s", cases[i].status, cases[i].code,
					 of_app_key, hint != NULL ? hint : "no hint");
	}
}

static void
test_no_word_of_kis(void **state)
{
	(void) state;
	decode_bad(500, "", KIS_ERROR_TRANSIENT, "", "HTTP status 500");
	decode_bad(502, "<html>Bad gateway</html>", KIS_ERROR_TRANSIENT, "", "HTTP status 502");
	decode_bad(503, "{}", KIS_ERROR_TRANSIENT, "", "HTTP status 503");
	decode_bad(503, "[1]", KIS_ERROR_TRANSIENT, "", "HTTP status 503");
	decode_bad(500, "{\"rt_cd\":\"1\",\"msg1\":\"busy\"}", KIS_ERROR_TRANSIENT, "", "busy");
	decode_bad(404, "{\"message\":\"no route\"}", KIS_ERROR_REPLY, "", "HTTP status 404");
	decode_bad(302, "", KIS_ERROR_REPLY, "", "redirects are not followed");
	decode_bad(301, "<a href='/'>moved</a>", KIS_ERROR_REPLY, "", "redirects are not followed");
	decode_bad(200, "", KIS_ERROR_REPLY, "", "empty");
	decode_bad(200, " \r\n ", KIS_ERROR_REPLY, "", "empty");
	decode_bad(200, "<html>\n<b>\x01 maintenance \xFF\xC0 한글", KIS_ERROR_REPLY, "",
			   "not JSON: <html> <b> maintenance ?? 한글");
	decode_bad(200, "[]", KIS_ERROR_REPLY, "", "not a JSON object");
	decode_bad(200, "\"text\"", KIS_ERROR_REPLY, "", "not a JSON object");
	decode_bad(200, "{}", KIS_ERROR_REPLY, "", "rt_cd");
	decode_bad(200, "{\"output\":[]}", KIS_ERROR_REPLY, "", "rt_cd");
	decode_bad(200, "{" TAIL "}", KIS_ERROR_REPLY, "", "no \"output\"");
	decode_bad(200, "{\"Output\":[]," TAIL "}", KIS_ERROR_REPLY, "", "no \"output\"");
	decode_bad(200, "{\"output\":null," TAIL "}", KIS_ERROR_REPLY, "", "no \"output\"");
	decode_bad(200, "{\"output\":\"\"," TAIL "}", KIS_ERROR_REPLY, "", "neither an array nor an object");
	decode_bad(200, "{\"output\":[1]," TAIL "}", KIS_ERROR_REPLY, "", "something else than objects");
	decode_bad(200, "{\"output\":[null]," TAIL "}", KIS_ERROR_REPLY, "", "something else than objects");
	decode_bad(200, ONE("{\"a_qty\":[\"1\"]}"), KIS_ERROR_REPLY, "", "\"a_qty\"");
	decode_bad(200, ONE("{\"b_qty\":{}}"), KIS_ERROR_REPLY, "", "\"b_qty\"");
	decode_bad(200, ONE("{\"a_qty\":\"1\",\"a_qty\":\"1\"}"), KIS_ERROR_REPLY, "", "\"a_qty\" twice");
	decode_bad(200, ONE("{\"a_qty\":\"\",\"\\u0061_qty\":\"\"}"), KIS_ERROR_REPLY, "", "\"a_qty\" twice");
	decode_bad(200, ONE("{\"new\":\"1\",\"new\":\"2\"}"), KIS_ERROR_REPLY, "", "\"new\" twice");
	decode_bad(200, "{\"rt_cd\":\"1\"," TAIL ",\"output\":[]}", KIS_ERROR_REPLY, "", "\"rt_cd\" twice");
}

/* ---- what is no JSON ------------------------------------------------------------------ */

static void
test_no_json(void **state)
{
	static const char *const rows[] = {
		"{\"a_qty\":\"1\\u0000\"}", "{\"a_qty\":\"\\ud800\"}", "{\"a_qty\":\"\\udc00\"}",
		"{\"a_qty\":\"\\ud800\\u0041\"}", "{\"a_qty\":\"\\ud800x\"}", "{\"a_qty\":\"\\u12\"}",
		"{\"a_qty\":\"\\x41\"}", "{\"a_qty\":\"\t\"}", "{\"a_qty\":\"a\nb\"}",
		"{\"a_qty\":\"\x80\"}", "{\"a_qty\":\"\xC0\x80\"}", "{\"a_qty\":\"\xC1\xBF\"}",
		"{\"a_qty\":\"\xE0\x80\x80\"}", "{\"a_qty\":\"\xED\xA0\x80\"}", "{\"a_qty\":\"\xF0\x80\x80\x80\"}",
		"{\"a_qty\":\"\xF4\x90\x80\x80\"}", "{\"a_qty\":\"\xF8\x88\x80\x80\x80\"}", "{\"a_qty\":\"\xFF\"}",
		"{\"a_qty\":\"\xED\x95\"}", "{\"\xB0\":\"1\"}",
		"{\"a_qty\":01}", "{\"a_qty\":+1}", "{\"a_qty\":1.}", "{\"a_qty\":.5}", "{\"a_qty\":-}",
		"{\"a_qty\":1e}", "{\"a_qty\":1e5}", "{\"a_qty\":1E-2}", "{\"a_qty\":1e400}", "{\"a_qty\":-.5}",
		"{\"a_qty\":9007199254740993}", "{\"a_qty\":123456789012345678.90}", "{\"a_qty\":0x10}", "{\"a_qty\":NaN}", "{\"a_qty\":Infinity}", "{\"a_qty\":1 2}",
		"{\"a_qty\":True}", "{\"a_qty\":nul}", "{\"a_qty\":'1'}", "{a_qty:1}", "{\"a_qty\" \"1\"}",
		"{\"a_qty\":\"1\",}", "{,}", "{\"a_qty\":}", "{}{}", "{/* */}", "{\"a_qty\":\"1\"],",
	};

	(void) state;
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		char		body[512];

		snprintf(body, sizeof(body), "{\"output\":[%s]," TAIL "}", rows[i]);
		decode_bad(200, body, KIS_ERROR_REPLY, "", "not valid JSON");
	}
	decode_bad(200, ONE("{}") "x", KIS_ERROR_REPLY, "", "goes on after its end");
	decode_bad(200, ONE("{}") ONE("{}"), KIS_ERROR_REPLY, "", "goes on after its end");
	decode_bad(200, "\xEF\xBB\xBF\xEF\xBB\xBF" ONE("{}"), KIS_ERROR_REPLY, "", "not JSON");
	decode_bad(200, "{\"rt_cd\":\"0\",\"msg1\":\"\xB1\xB2\"}", KIS_ERROR_REPLY, "", "is not UTF-8 at byte 22");
}

static void
test_zero_byte(void **state)
{
	static const char body[] = ONE("{\"a_qty\":\"1\"}") "\0";
	static const char inside[] = "{\"output\":[{\"a_qty\":\"1\0\"}]," TAIL "}";
	KisError	error;

	(void) state;
	assert_null(kis_reply_decode(&call, 200, body, sizeof(body) - 1, &error));
	assert_int_equal(error.error_class, KIS_ERROR_REPLY);
	assert_null(kis_reply_decode(&call, 200, inside, sizeof(inside) - 1, &error));
	assert_int_equal(error.error_class, KIS_ERROR_REPLY);
}

static void
test_nesting(void **state)
{
	char		body[1024];

	(void) state;
	for (int depth = 1; depth < 200; depth++)
	{
		int			at = sprintf(body, "{" TAIL ",\"output\":[],\"deep\":");

		memset(body + at, '[', depth);
		memset(body + at + depth, ']', depth);
		strcpy(body + at + 2 * depth, "}");
		/* the object itself is the first level */
		if (depth < 32)
			free(decode_good(body));
		else
			decode_bad(200, body, KIS_ERROR_REPLY, "", "nested too deep");
	}
}

static void
test_too_many_members(void **state)
{
	static char body[64 * 1024];

	(void) state;
	for (int n = 250; n < 260; n++)
	{
		int			at = sprintf(body, "{" TAIL ",\"output\":[{\"a_qty\":\"1\"");

		for (int i = 0; i < n; i++)
			at += sprintf(body + at, ",\"m%d\":\"%d\"", i, i);
		strcpy(body + at, "}]}");
		if (n <= 256)
		{
			KisReply   *reply = decode_good(body);

			assert_int_equal(member(reply, "a_qty").integer, 1);
			free(reply);
		}
		else
			decode_bad(200, body, KIS_ERROR_REPLY, "", "too many members");
	}
}

/* The reply itself has few. */
static void
test_too_many_of_the_reply(void **state)
{
	static char body[4 * 1024];

	(void) state;
	for (int n = 55; n < 65; n++)
	{
		int			at = sprintf(body, "{" TAIL ",\"output\":[]");

		for (int i = 0; i < n; i++)
			at += sprintf(body + at, ",\"m%d\":1", i);
		strcpy(body + at, "}");
		if (n + 4 <= 64)
			free(decode_good(body));
		else
			decode_bad(200, body, KIS_ERROR_REPLY, "", "too many members");
	}
}

/* A copy made byte by byte says the same, wherever the first one is. */
static void
test_relocated(void **state)
{
	KisReply   *reply = decode_good("{\"output\":[{\"a_qty\":\"1\",\"new\":\"5\",\"list\":[1,2]},"
									"{\"c_amt\":\"two\"}]," TAIL "}");
	KisReply   *copy = malloc(reply->size);

	(void) state;
	memcpy(copy, reply, reply->size);
	memset(reply, 'x', reply->size);
	free(reply);
	kis_reply_relocate(&call, copy);
	assert_int_equal(copy->body[strlen(copy->body) - 1], '}');
	assert_int_equal(copy->nrows, 2);
	assert_string_equal(member(copy, "a_qty").text, "1");
	assert_string_equal(member(copy, "b_qty").text, "");
	assert_string_equal(copy->rows[1].values[2].text, "two");
	free(copy);
}

/* No beginning of a good reply is a good reply. */
static void
test_truncations(void **state)
{
	static const char body[] =
		"{\"output\":[{\"a_qty\":\"12\",\"b_qty\":-3.5,\"c_amt\":\"\\ud83d\\ude00한\",\"x\":[true,false,null,\"\\\\\"]},"
		"{\"a_qty\":0}]," TAIL "}";

	(void) state;
	free(decode_good(body));
	for (size_t len = 0; len < sizeof(body) - 1; len++)
	{
		char	   *cut = malloc(len > 0 ? len : 1);
		KisError	error;

		memcpy(cut, body, len);
		assert_null(kis_reply_decode(&call, 200, cut, len, &error));
		assert_int_equal(error.error_class, KIS_ERROR_REPLY);
		if (strstr(error.text, len == 0 ? "empty" : "truncated") == NULL &&
			strstr(error.text, "is not UTF-8") == NULL)
			fail_msg("%zu bytes: %s", len, error.text);
		free(cut);
	}
}

static void
test_long_text(void **state)
{
	char		body[2048];
	KisError	error;
	int			at = sprintf(body, "{\"rt_cd\":\"1\",\"msg_cd\":\"X\",\"msg1\":\"");

	(void) state;
	for (int i = 0; i < 400; i++)
		at += sprintf(body + at, "한");
	strcpy(body + at, "\"}");
	assert_null(decode(200, body, &error));
	/* cut between two characters */
	assert_int_equal(strlen(error.text), (sizeof(error.text) - 1) / 3 * 3);
}

static void
test_trend_call(void **state)
{
	static char body[16 * 1024];
	int			at = sprintf(body, "{\"output\":[{");
	KisReply   *reply;
	KisError	error;

	(void) state;
	for (int i = 0; i < kis_call_trend.nmembers; i++)
		at += sprintf(body + at, "%s\"%s\":\"%d\"", i > 0 ? "," : "", kis_call_trend.members[i].field, i - 36);
	strcpy(body + at, "}]," TAIL "}");
	reply = kis_reply_decode(&kis_call_trend, 200, body, strlen(body), &error);
	assert_non_null(reply);
	assert_int_equal(kis_call_trend.nmembers, 72);
	assert_int_equal(reply->nrows, 1);
	for (int i = 0; i < kis_call_trend.nmembers; i++)
		assert_int_equal(reply->rows[0].values[i].integer, i - 36);
	free(reply);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_extra_members),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_name_of_rows),
		cmocka_unit_test(test_blank_rows),
		cmocka_unit_test(test_one_object),
		cmocka_unit_test(test_empty_page),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_empty_and_figures),
		cmocka_unit_test(test_whole_reply),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_unlisted_codes),
		cmocka_unit_test(test_too_many_requests),
		cmocka_unit_test(test_quota_and_hint),
		cmocka_unit_test(test_no_word_of_kis),
		cmocka_unit_test(test_no_json),
		cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_too_many_members),
		cmocka_unit_test(test_too_many_of_the_reply),
		cmocka_unit_test(test_relocated),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_trend_call),
	};

	return run_unit_tests(tests);
}
