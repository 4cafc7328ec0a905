/*
 * verdict.h
 *		What KIS says of a call beside its rows (src/kis only).
 */
#ifndef KIS_VERDICT_H
#define KIS_VERDICT_H

#include "json.h"
#include "kis.h"

/*
 * The body of a reply as an object that KIS calls a success, to be freed by
 * cJSON_Delete; NULL and error where it refuses, or where this is no answer of
 * KIS. quote_page: may the error quote what is no JSON? Not where it could be a
 * token.
 */
extern cJSON *kis_verdict(int http_status, const char *body, size_t len,
						  bool quote_page, KisError *error);

/* KIS's code as it may be shown, "" where there is none. */
extern void kis_verdict_code(const cJSON *root, char *buffer, size_t size);

/* A member as text; NULL where it is missing, an object or an array. */
extern const char *kis_verdict_text(const cJSON *root, const char *name);

#endif							/* KIS_VERDICT_H */
