/*
 * client.h
 *		The lower half as its owner would use it, for tests.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "unit.h"

#include <curl/curl.h>

#include "kis.h"
#include "kis/catalog.h"
#include "kis/http.h"

/* As long as real ones */
#define APP_KEY		"PSunitTESTkeyPSunitTESTkeyPSunitTEST"
#define APP_SECRET	"unit/TEST+secret=unit/TEST+secret=unit/TEST+secret=unit/TEST+secret="
#define TOKEN		"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.unit-TEST_token.unit-TEST_token"

typedef struct Client
{
	KisHttp    *http;
	KisEndpoint endpoint;
	KisSecrets	secrets;
	const KisCall *call;
	KisCallArgs args;
} Client;

/* Limits are generous; a test of limits sets its own. */
extern Client *client_create(const char *base_url);
extern void client_destroy(Client *client);

/* Connections are not kept with a libcurl that doesn't say which of them it takes. */
#define none_are_kept() (curl_version_info(CURLVERSION_NOW)->version_num < 0x075000)
#define skip_where_none_are_kept() \
	do { if (none_are_kept()) skip(); } while (0)

extern KisTransfer *start_call(Client *client, void *owner);

/* Steps and waits as the upper half does, until a transfer has ended. */
extern KisTransfer *wait_for_transfer(Client *client);

/* Waits and steps once. */
extern void step_once(Client *client);

extern KisTransfer *call_and_wait(Client *client);
extern KisTransfer *token_and_wait(Client *client);

/* A call that must bring a reply, or fail so. */
extern void expect_good(Client *client);
extern void expect_failure(Client *client, KisErrorClass error_class, KisPhase phase, const char *text);

#endif							/* CLIENT_H */
