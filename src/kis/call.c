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

/* Without its NUL. */
static void
put(Writer *writer, const char *text)
{
	size_t		len = strlen(text);

	memcpy(writer->at, text, len);
	writer->at += len;
}

/* Ends the text that has been put from start on, and returns it. */
static char *
end_text(Writer *writer, char *start)
{
	*writer->at++ = '\0';
	return start;
}

static const char *
put_text(Writer *writer, const char *text)
{
	char	   *start = writer->at;

	put(writer, text);
	return end_text(writer, start);
}

/*
 * All but RFC 3986's unreserved characters as %XX, so that no code can add a
 * parameter or a line to the request.
 */
static void
put_escaped(Writer *writer, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *value != '\0'; value++)
	{
		unsigned char c = *value;

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

/*
 * Adds a header; returns where its value stands. The list is linked by hand, in
 * the transfer itself: curl_slist_append would copy secrets to where nobody
 * wipes them.
 */
static const char *
add_header(Writer *writer, const char *name, const char *value)
{
	KisTransfer *transfer = writer->transfer;
	struct curl_slist *header = &transfer->headers[transfer->nheaders];

	header->data = writer->at;
	header->next = NULL;
	if (transfer->nheaders++ > 0)
		header[-1].next = header;
	put(writer, name);
	return put_text(writer, value);
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

/*
 * A transfer with room for its request in one block, which is wiped and freed
 * with it; NULL and error where there is none.
 */
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

/* The server's address, without the slashes that a user may have put at its end. */
static void
put_base_url(Writer *writer, const char *base_url)
{
	put(writer, base_url);
	while (writer->at > writer->transfer->request && writer->at[-1] == '/')
		writer->at--;
}

/* A parameter's value; nobody requests a market that the call doesn't serve. */
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

/* How much room the URL takes at most: each byte of a value may become three. */
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

/*
 * Starts a data call. NULL and error where it can't even begin; owner comes back
 * from kis_transfer_owner.
 */
KisTransfer *
kis_call_start(KisHttp *http, const KisEndpoint *endpoint, const KisSecrets *secrets,
			   const KisCall *call, const KisCallArgs *args, void *owner, KisError *error)
{
	KisTransfer *transfer;
	Writer		writer;

	/* a token file may hold anything */
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
	/* libcurl's own, which KIS doesn't document */
	add_header(&writer, "Accept-Encoding:", "");
	return kis_http_start(transfer, endpoint, error) ? transfer : NULL;
}

/* A secret as a JSON string: check_secret leaves no other character to be escaped. */
static void
put_json(Writer *writer, const char *secret)
{
	put(writer, "\"");
	for (; *secret != '\0'; secret++)
	{
		if (*secret == '"' || *secret == '\\')
			put(writer, "\\");
		*writer->at++ = *secret;
	}
	put(writer, "\"");
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
	Writer		writer;

	if (!check_secret("app key", secrets->app_key, error) ||
		!check_secret("app secret", secrets->app_secret, error))
		return NULL;
	/* each secret by itself, and once more with every character escaped */
	transfer = acquire(http, strlen(endpoint->base_url) + 3 * strlen(secrets->app_key) +
					   3 * strlen(secrets->app_secret) + FIXED_SIZE, owner, &writer, error);
	if (transfer == NULL)
		return NULL;
	put_base_url(&writer, endpoint->base_url);
	transfer->url = transfer->request;
	put_text(&writer, TOKEN_PATH);
	transfer->secrets.app_key = put_text(&writer, secrets->app_key);
	transfer->secrets.app_secret = put_text(&writer, secrets->app_secret);
	transfer->post = writer.at;
	put(&writer, "{\"grant_type\":\"client_credentials\",\"appkey\":");
	put_json(&writer, secrets->app_key);
	put(&writer, ",\"appsecret\":");
	put_json(&writer, secrets->app_secret);
	put_text(&writer, "}");
	add_header(&writer, "content-type: ", "application/json");
	/* libcurl's own, which KIS doesn't document */
	add_header(&writer, "Accept-Encoding:", "");
	add_header(&writer, "Expect:", "");
	return kis_http_start(transfer, endpoint, error) ? transfer : NULL;
}

/* ---- what came back ------------------------------------------------------------- */

/*
 * Is there a whole reply to look at, to a token request or to a data call? Else
 * error says why not, be it that its caller is wrong.
 */
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

/* The secret, where it is long enough to be looked for in figures; or NULL. */
static const char *
long_one(const char *secret)
{
	return secret != NULL && strlen(secret) >= SHORTEST_IN_BODY ? secret : NULL;
}

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

/*
 * The token that a finished transfer brought, at now in Unix seconds; false and
 * error where it brought none.
 */
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
