/*
 * classify.h
 *		Did KIS do what the request says, and if not, what kind of refusal is it?
 */
#ifndef KIS_CLASSIFY_H
#define KIS_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "kis.h"

/* The body of a reply, moved past a byte order mark, as an object that KIS calls a success, and its code in error; else NULL. */
extern cJSON *kis_classify(int http_status, const char **body, size_t *len,
						   bool quote_page, KisError *error);

#endif							/* KIS_CLASSIFY_H */
