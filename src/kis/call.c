/*
 * call.c
 *		What a request says: path, parameters, headers, body; and what its
 *		reply means.
 */
#include "kis.h"
#include "kis/call.h"
#include "kis/catalog.h"
#include "kis/http.h"
#include "kis/redact.h"
#include "kis/reply.h"
#include "kis/text.h"
#include "kis/token.h"
#include "kis/transfer.h"

#include <stdlib.h>
#include <string.h>


#define TOKEN_PATH	"/oauth2/tokenP"

/* A shorter secret could stand in a reply by chance, as a figure. */
#define SHORTEST_IN_BODY	16

/*
 * Puts len bytes of text and a NUL into the transfer's request, which holds all of
 * it and is wiped with it; returns where they stand. What doesn't fit is the
 * transfer's failure.
 */
static char *
put(KisTransfer *transfer, const char *text, size_t len)
{
	char	   *start = transfer->request + transfer->request_len;

	if (len >= sizeof(transfer->request) - transfer->request_len)
	{
		transfer->request_len = sizeof(transfer->request);
		kis_error_set(&transfer->failure, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "the request is too long");
		return start;
	}
	memcpy(start, text, len);
	start[len] = '\0';
	transfer->request_len += len + 1;
	return start;
}

static char *
put_text(KisTransfer *transfer, const char *text)
{
	return put(transfer, text, strlen(text));
}

/* Continues the text that was put last: the NUL behind it goes. */
static void
append(KisTransfer *transfer, const char *text)
{
	transfer->request_len--;
	put_text(transfer, text);
}

/*
 * Adds a header; returns where its value stands. The list is linked by hand, in
 * the transfer itself: curl_slist_append would copy secrets to where nobody
 * wipes them.
 */
static const char *
add_header(KisTransfer *transfer, const char *name, const char *value)
{
	struct curl_slist *header = &transfer->headers[transfer->nheaders];

	header->data = put_text(transfer, name);
	append(transfer, value);
	header->next = NULL;
	if (transfer->nheaders++ > 0)
		header[-1].next = header;
	return header->data + strlen(name);
}

/* Can it stand in a header as it is? Nothing is ever mended or injected. */
static bool
check_secret(const char *what, const char *secret, KisError *error)
{
	const char *fault = NULL;

	if (secret == NULL || secret[0] == '\0')
		fault = kis_noop("the %s is missing");
	else if (strlen(secret) >= KIS_TOKEN_LEN)
		fault = kis_noop("the %s is too long");
	else if (!kis_text_is_visible(secret))
		fault = kis_noop("the %s has a blank, a control character or one that is not ASCII");
	if (fault != NULL)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, fault, what);
	return fault == NULL;
}

/* A parameter's value; nobody requests a market that the call doesn't serve. */
static const char *
argument(const KisParameter *parameter, const KisCallArgs *args)
{
	const char *values[] = {
		[KIS_ARG_CONSTANT] = parameter->constant,
		[KIS_ARG_MARKET] = parameter->codes == NULL ? args->market :
		kis_translate(parameter->codes, args->market),
		[KIS_ARG_SECTOR] = args->sector,
		[KIS_ARG_DATE] = args->date,
	};

	return values[parameter->argument];
}

/*
 * Puts the URL of a path: the server's address, without the slashes that a user
 * may have put at its end, and the parameters of call, if there is one. Codes are letters,
 * digits and underscores, as the options' parser saw to.
 */
static void
put_url(KisTransfer *transfer, const char *base_url, const char *path, const KisCall *call,
		const KisCallArgs *args)
{
	size_t		len = strlen(base_url);

	while (len > 0 && base_url[len - 1] == '/')
		len--;
	transfer->url = put(transfer, base_url, len);
	append(transfer, path);
	for (int i = 0; call != NULL && call->parameters[i].name != NULL; i++)
	{
		append(transfer, i == 0 ? "?" : "&");
		append(transfer, call->parameters[i].name);
		append(transfer, "=");
		append(transfer, argument(&call->parameters[i], args));
	}
}

/* Sets a transfer going that holds its request; NULL and error where that can't be. */
static KisTransfer *
start(KisTransfer *transfer, const KisEndpoint *endpoint, KisError *error)
{
	/* libcurl's own, which KIS doesn't document */
	add_header(transfer, "Accept-Encoding:", "");
	if (transfer->failure.error_class == KIS_OK)
		return kis_http_start(transfer, endpoint, error) ? transfer : NULL;
	*error = transfer->failure;
	kis_transfer_clear(transfer);
	return NULL;
}

/*
 * Starts a data call. NULL and error where it can't even begin; owner comes back
 * from kis_transfer_owner.
 */
KisTransfer *
kis_call_start(KisHttp *http, const KisEndpoint *endpoint, const KisSecrets *secrets,
			   const KisCall *call, const KisCallArgs *args, void *owner, KisError *error)
{
	KisTransfer *transfer;

	/* a token file may hold anything */
	if (!check_secret(kis_noop("app key"), secrets->app_key, error) ||
		!check_secret(kis_noop("app secret"), secrets->app_secret, error) ||
		!check_secret(kis_noop("access token"), secrets->token, error))
		return NULL;
	transfer = kis_http_acquire(http, owner, error);
	if (transfer == NULL)
		return NULL;
	transfer->call = call;
	if (call->paging == KIS_PAGING_BACK)
		memcpy(transfer->last_day, args->date, sizeof(transfer->last_day));
	put_url(transfer, endpoint->base_url, call->path, call, args);
	add_header(transfer, "content-type: ", "application/json; charset=utf-8");
	transfer->secrets.token = add_header(transfer, "authorization: Bearer ", secrets->token);
	transfer->secrets.app_key = add_header(transfer, "appkey: ", secrets->app_key);
	transfer->secrets.app_secret = add_header(transfer, "appsecret: ", secrets->app_secret);
	add_header(transfer, "tr_id: ", call->tr_id);
	add_header(transfer, "custtype: ", "P");
	return start(transfer, endpoint, error);
}

/* A secret within a JSON string: check_secret leaves no other character to be escaped. */
static void
append_json(KisTransfer *transfer, const char *secret)
{
	for (; *secret != '\0'; secret++)
	{
		if (*secret == '"' || *secret == '\\')
			append(transfer, "\\");
		append(transfer, (char[]) {*secret, '\0'});
	}
}

/*
 * Starts a token request. NULL and error where it can't even begin; owner comes
 * back from kis_transfer_owner. No secret is copied but into the transfer's own
 * block, which is wiped with it.
 */
KisTransfer *
kis_token_start(KisHttp *http, const KisEndpoint *endpoint, const KisSecrets *secrets,
				void *owner, KisError *error)
{
	KisTransfer *transfer;

	if (!check_secret(kis_noop("app key"), secrets->app_key, error) ||
		!check_secret(kis_noop("app secret"), secrets->app_secret, error))
		return NULL;
	transfer = kis_http_acquire(http, owner, error);
	if (transfer == NULL)
		return NULL;
	put_url(transfer, endpoint->base_url, TOKEN_PATH, NULL, NULL);
	transfer->secrets.app_key = put_text(transfer, secrets->app_key);
	transfer->secrets.app_secret = put_text(transfer, secrets->app_secret);
	transfer->post = put_text(transfer, "{\"grant_type\":\"client_credentials\",\"appkey\":\"");
	append_json(transfer, secrets->app_key);
	append(transfer, "\",\"appsecret\":\"");
	append_json(transfer, secrets->app_secret);
	append(transfer, "\"}");
	add_header(transfer, "content-type: ", "application/json");
	add_header(transfer, "Expect:", "");
	return start(transfer, endpoint, error);
}

/* ---- what came back ------------------------------------------------------------- */

/* Masks the secrets in all that is KIS's own words: there even short ones are. */
static void
redact_error(KisError *error, const KisSecrets *secrets)
{
	kis_redact(error->text, secrets);
	kis_redact(error->code, secrets);
}

/*
 * A page back in time that begins after the day that it was requested for is the
 * reply to another request. Says so in error.
 */
static bool
begins_too_late(const KisTransfer *transfer, const KisReply *reply, KisError *error)
{
	const char *first_day;

	if (transfer->last_day[0] == '\0' || reply->nrows == 0)
		return false;
	first_day = reply->rows[0].values[transfer->call->day_member].text;
	if (strlen(first_day) != strlen(transfer->last_day) || strcmp(first_day, transfer->last_day) <= 0)
		return false;
	kis_error_set(error, KIS_ERROR_REPLY, KIS_PHASE_REPLY,
				  "the page begins with %s, after the day asked for, %s", first_day, transfer->last_day);
	error->http_status = transfer->http_status;
	return true;
}

/*
 * What a finished transfer brought: a reply to be freed by the caller, or NULL
 * and error. Secrets that stand in KIS's text are masked, in the body before it
 * is decoded: all that is ever shown of it comes from there.
 */
KisReply *
kis_transfer_reply(KisTransfer *transfer, KisError *error)
{
	KisReply   *reply = NULL;

	*error = transfer->failure;
	if (error->error_class == KIS_OK)
	{
		if (transfer->body_len > 0)
			kis_redact_json(transfer->body, transfer->body_len, &transfer->secrets, SHORTEST_IN_BODY);
		reply = kis_reply_decode(transfer->call, transfer->http_status,
								 transfer->body_len > 0 ? transfer->body : "",
								 transfer->body_len, error);
	}
	if (reply != NULL && begins_too_late(transfer, reply, error))
	{
		free(reply);
		reply = NULL;
	}
	if (reply != NULL)
		reply->date = transfer->framing.date;
	else
		redact_error(error, &transfer->secrets);
	return reply;
}

/*
 * The token that a finished transfer brought, at now in Unix seconds; false and
 * error where it brought none.
 */
bool
kis_transfer_token(KisTransfer *transfer, int64_t now, KisToken *token, KisError *error)
{
	bool		ok = false;

	*error = transfer->failure;
	if (error->error_class == KIS_OK)
		ok = kis_token_decode(transfer->http_status,
							  transfer->body_len > 0 ? transfer->body : "",
							  transfer->body_len, now, token, error);
	if (!ok)
		redact_error(error, &transfer->secrets);
	return ok;
}
