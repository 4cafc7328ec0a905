/*
 * client.c
 *		The lower half as its owner would use it, for tests.
 */
#include "client.h"

#include <poll.h>

#include "kis.h"
#include "kis/call.h"
#include "kis/catalog.h"
#include "kis/http.h"
#include "kis/reply.h"

Client *
client_create(const char *base_url)
{
	Client	   *client = calloc(1, sizeof(Client));
	KisError	error;

	client->http = kis_http_create(&error);
	assert_non_null(client->http);
	client->endpoint = (KisEndpoint) {
		.base_url = base_url, .connect_timeout_ms = 20000, .request_timeout_ms = 20000,
	};
	client->secrets = (KisSecrets) {APP_KEY, APP_SECRET, TOKEN};
	client->call = &kis_call_trend;
	client->args = (KisCallArgs) {"KSP", "0001", ""};
	return client;
}

void
client_destroy(Client *client)
{
	kis_http_destroy(client->http);
	free(client);
}

KisTransfer *
start_call(Client *client, void *owner)
{
	KisError	error;
	KisTransfer *transfer = kis_call_start(client->http, &client->endpoint, &client->secrets,
										   client->call, &client->args, owner, &error);

	if (transfer == NULL)
		fail_msg("not begun: %s", error.text);
	return transfer;
}

void
step_once(Client *client)
{
	struct pollfd pollfd = {.fd = kis_http_fd(client->http), .events = POLLIN};

	poll(&pollfd, 1, (int) kis_http_timeout_ms(client->http));
	kis_http_step(client->http, 0);
}

KisTransfer *
wait_for_transfer(Client *client)
{
	KisTransfer *transfer;

	while ((transfer = kis_http_finished(client->http)) == NULL)
		step_once(client);
	return transfer;
}

KisTransfer *
call_and_wait(Client *client)
{
	start_call(client, NULL);
	return wait_for_transfer(client);
}

KisTransfer *
token_and_wait(Client *client)
{
	KisError	error;

	assert_non_null(kis_token_start(client->http, &client->endpoint, &client->secrets, NULL, &error));
	return wait_for_transfer(client);
}

void
expect_good(Client *client)
{
	KisTransfer *transfer = call_and_wait(client);
	KisError	error;
	KisReply   *reply = kis_transfer_reply(transfer, &error);

	if (reply == NULL)
		fail_msg("class %d, phase %d, code \"%s\": %s", error.error_class, error.phase, error.code, error.text);
	free(reply);
	kis_transfer_release(transfer);
}

void
expect_failure(Client *client, KisErrorClass error_class, KisPhase phase, const char *text)
{
	KisTransfer *transfer = call_and_wait(client);
	KisError	error;
	KisReply   *reply = kis_transfer_reply(transfer, &error);

	if (reply != NULL)
		fail_msg("taken as good: %s", reply->body);
	if (error.error_class != error_class || error.phase != phase || strstr(error.text, text) == NULL)
		fail_msg("class %d, phase %d, code \"%s\": %s", error.error_class, error.phase, error.code, error.text);
	assert_null(strstr(error.text, APP_KEY));
	assert_null(strstr(error.text, APP_SECRET));
	assert_null(strstr(error.text, TOKEN));
	kis_transfer_release(transfer);
}
