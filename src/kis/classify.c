/*
 * classify.c
 *		Did KIS do what the request says, and if not, what kind of refusal is it?
 */

#include <string.h>

#include "kis.h"
#include "kis/classify.h"
#include "kis/code.h"
#include "kis/json.h"
#include "kis/text.h"

/* A reply has a handful of members beside its rows. */
#define MOST_MEMBERS	64

/* How much of a page that is no JSON is worth showing. */
#define EXCERPT_LEN		160

/* By the HTTP status alone; false where that says nothing. */
static bool
classify_status(int http_status, const char *text, KisError *error)
{
	const KisCodeRule *rule = kis_code_rule("", http_status);

	if (rule == NULL)
		return false;
	if (rule->error_class == KIS_ERROR_REPLY)
		text = kis_noop("redirects are not followed");

	if (text[0] != '\0')
		kis_error_set(error, rule->error_class, KIS_PHASE_REPLY, "HTTP status %d: %s", http_status, text);
	else
		kis_error_set(error, rule->error_class, KIS_PHASE_REPLY, "HTTP status %d", http_status);
	return true;
}

/* What error says of a body that is no JSON, in better words where it doesn't even look like it. */
static void
classify_page(const char *body, size_t len, bool quote_page, KisError *error)
{
	char		excerpt[EXCERPT_LEN + 1] = "";

	len = kis_text_trim(&body, len);
	if (len > 0 && (body[0] == '{' || body[0] == '['))
		return;
	if (quote_page)
		kis_text_clean(excerpt, sizeof(excerpt), body, len);
	if (excerpt[0] != '\0')
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not JSON: %s", excerpt);
	else if (len > 0)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not JSON");
	else
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is empty");
}

/* An object without double or countless members? */
static bool
is_sound(const cJSON *root, KisError *error)
{
	if (!cJSON_IsObject(root))
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply is not a JSON object");
	else if (cJSON_GetArraySize(root) > MOST_MEMBERS)
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY, "the reply has too many members");
	else
	{
		const cJSON *item = root->child;

		/* the first one of each name must be the one itself */
		while (item != NULL && cJSON_GetObjectItemCaseSensitive(root, item->string) == item)
			item = item->next;
		if (item == NULL)
			return true;
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "the reply has member \"%.64s\" twice", item->string);
	}
	return false;
}

/* By KIS's code, then by rt_cd, then by the HTTP status. */
static bool
is_success(const cJSON *root, int http_status, KisError *error)
{
	const char *rt_cd = kis_json_member(root, "rt_cd");
	const char *text = kis_json_member(root, "msg1");
	const char *code_text = kis_json_member(root, "msg_cd");
	char		code[sizeof(error->code)] = "";
	char		clean_rt_cd[8] = "";
	const KisCodeRule *rule;

	if (code_text == NULL)
		code_text = kis_json_member(root, "error_code");
	if (code_text != NULL)
		kis_text_clean(code, sizeof(code), code_text, strlen(code_text));
	if (text == NULL)
		text = kis_json_member(root, "error_description");

	if (text == NULL)
		text = "";

	if (rt_cd != NULL)
		kis_text_clean(clean_rt_cd, sizeof(clean_rt_cd), rt_cd, strlen(rt_cd));
	memcpy(error->code, code, sizeof(error->code));

	/* the code's own word, then rt_cd's; never the status's */
	rule = kis_code_rule(code, 200);
	if (rule != NULL ? rule->error_class == KIS_OK : strcmp(clean_rt_cd, "0") == 0)
		return true;
	if (code[0] == '\0' && classify_status(http_status, text, error))
		return false;
	if (code[0] == '\0' && rt_cd == NULL)
	{
		/* no word of KIS: the caller sees what else is missing */
		if (http_status < 400)
			return true;
		kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
					  "HTTP status %d without a code of KIS: %s", http_status, text);
		return false;
	}
	rule = kis_code_rule(code, http_status);
	kis_error_set(error, rule != NULL ? rule->error_class : KIS_ERROR_REFUSED, KIS_PHASE_REPLY,
				  "%s", text);
	memcpy(error->code, code, sizeof(error->code));
	return false;
}

/*
 * The body of a reply as an object that KIS calls a success, to be freed by
 * cJSON_Delete, with KIS's code in error; NULL and all of error where it refuses, or where this is no answer of
 * KIS. quote_page: may the error quote what is no JSON? Not where it could be a
 * token. body and len are moved past a byte order mark.
 */
cJSON *
kis_classify(int http_status, const char **body, size_t *len, bool quote_page, KisError *error)
{
	cJSON	   *root;

	/* harmless, but not JSON */
	if (*len >= 3 && memcmp(*body, "\xEF\xBB\xBF", 3) == 0)
	{
		*body += 3;
		*len -= 3;
	}
	root = kis_json_parse(*body, *len, error);
	if (root == NULL && error->error_class == KIS_ERROR_REPLY &&
		!classify_status(http_status, "", error))
		classify_page(*body, *len, quote_page, error);
	else if (root != NULL && !is_sound(root, error))
		classify_status(http_status, "", error);
	else if (root != NULL && is_success(root, http_status, error))
		return root;
	error->http_status = http_status;
	cJSON_Delete(root);
	return NULL;
}
