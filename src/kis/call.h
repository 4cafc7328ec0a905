/*
 * call.h
 *		What a request says: path, parameters, headers, body; and what its
 *		reply means.
 */
#ifndef KIS_CALL_H
#define KIS_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "kis.h"
#include "kis/catalog.h"
#include "kis/http.h"
#include "kis/reply.h"
#include "kis/token.h"

/* Starts a data call, or a token request; NULL and error where it can't even begin. */
extern KisTransfer *kis_call_start(KisHttp *http, const KisEndpoint *endpoint,
								   const KisSecrets *secrets, const KisCall *call,
								   const KisCallArgs *args, void *owner, KisError *error);
extern KisTransfer *kis_token_start(KisHttp *http, const KisEndpoint *endpoint,
									const KisSecrets *secrets, void *owner, KisError *error);

/* What a finished transfer brought, or why it brought nothing. */
extern KisReply *kis_transfer_reply(KisTransfer *transfer, KisError *error);
extern bool kis_transfer_token(KisTransfer *transfer, int64_t now, KisToken *token, KisError *error);

#endif							/* KIS_CALL_H */
