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

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>


#define TOKEN_PATH	"/oauth2/tokenP"

/* A secret this short could stand in a reply by chance, as a figure. */
#define SHORTEST_IN_BODY	16

/* Names of headers, commas of the URL and the like. */
#define FIXED_SIZE	512

/* Where the next byte of a transfer's request goes; the block is large enough. */
typedef struct Writer
{
	KisTransfer *transfer;
	char	   *at;
} Writer;

static void
put(Writer *writer, const char *text)
{
	size_t		len = strlen(text);

	memcpy(writer->at, text, len);
	writer->at += len;
}

static char *
end_text(Writer *writer, char *start)
{
	*writer->at++ = '\0';
	return start;
}

/* All but RFC 3986's unreserved characters as %XX. */
static void
put_escaped(Writer *writer, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text !='\0'; text ++)
	{
		unsigned char c = *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '.' || c == '_' || c == '~')
		{
			*writer->at++ = c;
			continue;
		}
		*writer->at++ = '%';
		*writer->at++ = digits[c >> 4];
		*writer->at++ = digits[c & 15];
	}
}

/* Adds a header; returns where its value stands. */
static const char *
add_header(Writer *writer, const char *name, const char *value)
{
	KisTransfer *transfer = writer->transfer;
	struct curl_slist *header = &transfer->headers[transfer->nheaders];
	char	   *start = writer->at;
	char	   *value_start;

	put(writer, name);
	value_start = writer->at;
	put(writer, value);
	header->data = end_text(writer, start);
	header->next = NULL;
	if (transfer->nheaders > 0)
		header[-1].next = header;
	transfer->nheaders++;
	return value_start;
}

/* Can it stand in a header as it is? Nothing is ever mended or injected. */
static bool
check_secret(const char *what, const char *secret, KisError *error)
{
	const char *fault = NULL;

	if (secret == NULL || secret[0] == '\0')
		fault = "is missing";
	else if (strlen(secret) >= KIS_TOKEN_LEN)
		fault = "is too long";
	else
		for (; *secret != '\0' && fault == NULL; secret++)
			if (*secret <= ' ' || *secret >= 0x7F)
				fault = "has a blank, a control character or one that is not ASCII";
	if (fault != NULL)
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "the %s %s", what, fault);
	return fault == NULL;
}

/* A transfer with room for its request, or NULL and error. */
static KisTransfer *
acquire(KisHttp *http, size_t size, void *owner, Writer *writer, KisError *error)
{
	KisTransfer *transfer = kis_http_acquire(http, error);

	if (transfer == NULL)
		return NULL;
	transfer->owner = owner;
	transfer->request = malloc(size);
	if (transfer->request == NULL)
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "out of memory");
		kis_transfer_release(transfer);
		return NULL;
	}
	transfer->request_size = size;
	writer->transfer = transfer;
	writer->at = transfer->request;
	return transfer;
}

static void
put_base_url(Writer *writer, const char *base_url)
{
	put(writer, base_url);
	while (writer->at > writer->transfer->request && writer->at[-1] == '/')
		writer->at--;
}

/* A parameter's value; a market that the call doesn't serve is never asked for. */
static const char *
argument(const KisParameter *parameter, const KisCallArgs *args)
{
	switch (parameter->argument)
	{
		case KIS_ARG_MARKET:
			return parameter->codes != NULL ?
				kis_translate(parameter->codes, args->market) : args->market;
		case KIS_ARG_SECTOR:
			return args->sector;
		case KIS_ARG_DATE:
			return args->date;
		case KIS_ARG_CONSTANT:
			break;
	}
	return parameter->constant;
}

/* How much room the URL takes at most. */
static size_t
url_size(const KisEndpoint *endpoint, const KisCall *call, const KisCallArgs *args)
{
	size_t		size = strlen(endpoint->base_url) + strlen(call->path) + 1;

	for (const KisParameter *parameter = call->parameters; parameter->name != NULL; parameter++)
		size += strlen(parameter->name) + 3 * strlen(argument(parameter, args)) + 2;
	return size;
}

static const char *
put_url(Writer *writer, const KisEndpoint *endpoint, const KisCall *call, const KisCallArgs *args)
{
	char	   *start = writer->at;
	char		separator[] = "?";

	put_base_url(writer, endpoint->base_url);
	put(writer, call->path);
	for (const KisParameter *parameter = call->parameters; parameter->name != NULL; parameter++)
	{
		put(writer, separator);
		put(writer, parameter->name);
		put(writer, "=");
		put_escaped(writer, argument(parameter, args));
		separator[0] = '&';
	}
	return end_text(writer, start);
}

/* Those of libcurl's own that KIS's documentation doesn't have. */
static void
drop_headers(Writer *writer)
{
	add_header(writer, "Accept-Encoding:", "");
	if (writer->transfer->post != NULL)
		add_header(writer, "Expect:", "");
}

/*
 * Starts a data call or a token issue. NULL and error where it can't even
 * begin. owner comes back from kis_transfer_owner.
 */
KisTransfer *
kis_call_start(KisHttp *http, const KisEndpoint *endpoint, const KisSecrets *secrets,
			   const KisCall *call, const KisCallArgs *args, void *owner, KisError *error)
{
	KisTransfer *transfer;
	Writer		writer;

	if (!check_secret("app key", secrets->app_key, error) ||
		!check_secret("app secret", secrets->app_secret, error) ||
		!check_secret("access token", secrets->token, error))
		return NULL;
	transfer = acquire(http, url_size(endpoint, call, args) + strlen(secrets->app_key) +
					   strlen(secrets->app_secret) + strlen(secrets->token) +
					   strlen(call->tr_id) + FIXED_SIZE, owner, &writer, error);
	if (transfer == NULL)
		return NULL;
	transfer->call = call;
	if (call->paging == KIS_PAGING_BACK)
		memcpy(transfer->last_day, args->date, sizeof(transfer->last_day));
	transfer->url = put_url(&writer, endpoint, call, args);
	add_header(&writer, "content-type: ", "application/json; charset=utf-8");
	transfer->secrets.token = add_header(&writer, "authorization: Bearer ", secrets->token);
	transfer->secrets.app_key = add_header(&writer, "appkey: ", secrets->app_key);
	transfer->secrets.app_secret = add_header(&writer, "appsecret: ", secrets->app_secret);
	add_header(&writer, "tr_id: ", call->tr_id);
	add_header(&writer, "custtype: ", "P");
	drop_headers(&writer);
	return kis_http_start(transfer, endpoint, error) ? transfer : NULL;
}

/* The body of a token issue, to be wiped and freed; NULL where memory is out. */
static char *
token_body(const KisSecrets *secrets)
{
	cJSON	   *root = cJSON_CreateObject();
	char	   *body = NULL;

	/* by reference: no copies of secrets to wipe */
	if (root != NULL &&
		cJSON_AddStringToObject(root, "grant_type", "client_credentials") != NULL &&
		cJSON_AddItemToObjectCS(root, "appkey", cJSON_CreateStringReference(secrets->app_key)) &&
		cJSON_AddItemToObjectCS(root, "appsecret", cJSON_CreateStringReference(secrets->app_secret)))
		body = cJSON_PrintUnformatted(root);
	cJSON_Delete(root);
	return body;
}

static const char *
put_text(Writer *writer, const char *text)
{
	char	   *start = writer->at;

	put(writer, text);
	return end_text(writer, start);
}

KisTransfer *
kis_token_start(KisHttp *http, const KisEndpoint *endpoint, const KisSecrets *secrets,
				void *owner, KisError *error)
{
	KisTransfer *transfer;
	Writer		writer;
	char	   *body;

	if (!check_secret("app key", secrets->app_key, error) ||
		!check_secret("app secret", secrets->app_secret, error))
		return NULL;
	body = token_body(secrets);
	if (body == NULL)
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "out of memory");
		return NULL;
	}
	transfer = acquire(http, strlen(endpoint->base_url) + strlen(body) +
					   strlen(secrets->app_key) + strlen(secrets->app_secret) + FIXED_SIZE,
					   owner, &writer, error);
	if (transfer != NULL)
	{
		put_base_url(&writer, endpoint->base_url);
		transfer->url = transfer->request;
		put_text(&writer, TOKEN_PATH);
		transfer->secrets.app_key = put_text(&writer, secrets->app_key);
		transfer->secrets.app_secret = put_text(&writer, secrets->app_secret);
		transfer->post = put_text(&writer, body);
		add_header(&writer, "content-type: ", "application/json");
		drop_headers(&writer);
	}
	kis_wipe(body, strlen(body));
	cJSON_free(body);
	return transfer != NULL && kis_http_start(transfer, endpoint, error) ? transfer : NULL;
}

/* ---- what came back ------------------------------------------------------------- */

/* Is there a whole reply to look at? Else error says why not. */
static bool
has_reply(KisTransfer *transfer, bool is_token, KisError *error)
{
	if ((transfer->state != TRANSFER_FINISHED && transfer->state != TRANSFER_TAKEN) ||
		is_token != (transfer->call == NULL))
	{
		kis_error_set(error, KIS_ERROR_LOCAL, KIS_PHASE_NONE, "the request has not ended");
		return false;
	}
	*error = transfer->failure;
	return error->error_class == KIS_OK;
}

static const char *
long_one(const char *secret)
{
	return secret != NULL && strlen(secret) >= SHORTEST_IN_BODY ? secret : NULL;
}

/* All that is KIS's own words */
static void
redact_error(KisError *error, const KisSecrets *secrets)
{
	kis_redact(error->text, secrets);
	kis_redact(error->code, secrets);
}

/* A page that begins after the day that it was asked for is one to another request. */
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
 * and error. Secrets that stand in KIS's text are blotted out.
 */
KisReply *
kis_transfer_reply(KisTransfer *transfer, KisError *error)
{
	KisSecrets	long_secrets = {
		.app_key = long_one(transfer->secrets.app_key),
		.app_secret = long_one(transfer->secrets.app_secret),
		.token = long_one(transfer->secrets.token),
	};
	KisReply   *reply = NULL;

	if (has_reply(transfer, false, error))
	{
		if (transfer->body_len > 0)
			kis_redact_json(transfer->body, transfer->body_len, &long_secrets);
		reply = kis_reply_decode(transfer->call, transfer->http_status,
								 transfer->body_len > 0 ? transfer->body : "",
								 transfer->body_len, error);
	}
	if (reply != NULL && begins_too_late(transfer, reply, error))
	{
		kis_reply_free(reply);
		reply = NULL;
	}
	if (reply != NULL)
		reply->date = transfer->date;
	else
		redact_error(error, &transfer->secrets);
	return reply;
}

bool
kis_transfer_token(KisTransfer *transfer, int64_t now, KisToken *token, KisError *error)
{
	bool		ok = false;

	if (has_reply(transfer, true, error))
		ok = kis_token_decode(transfer->http_status,
							  transfer->body_len > 0 ? transfer->body : "",
							  transfer->body_len, now, token, error);
	if (!ok)
		redact_error(error, &transfer->secrets);
	return ok;
}
