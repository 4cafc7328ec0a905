/*
 * token.h
 *		Decodes a reply of the token endpoint, or a token that another program
 *		has put down.
 */
#ifndef KIS_TOKEN_H
#define KIS_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kis.h"

typedef struct KisToken
{
	char		token[KIS_TOKEN_LEN];
	int64_t		expires_at;		/* Unix seconds, the earlier of both that KIS
								 * says */
} KisToken;

/* Decodes a reply of the token endpoint; now is Unix seconds. False and error: no token. */
extern bool kis_token_decode(int http_status, const char *body, size_t len,
							 int64_t now, KisToken *token, KisError *error);

/* The token in a text that another program keeps it in; false: there is none. */
extern bool kis_token_in_text(const char *content, char *token);

#endif							/* KIS_TOKEN_H */
