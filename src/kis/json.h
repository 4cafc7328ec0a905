/*
 * json.h
 *		JSON as strict as a figure needs it.
 */
#ifndef KIS_JSON_H
#define KIS_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "kis.h"

/* NULL and error where body, len bytes, is no JSON; else to be freed by cJSON_Delete. */
extern cJSON *kis_json_parse(const char *body, size_t len, KisError *error);

/* The text of a string or number, "true", "false", or "" of null; NULL of an object or an array. */
extern const char *kis_json_text(const cJSON *item);

/* The same of an object's member; NULL where it is missing, too. */
extern const char *kis_json_member(const cJSON *object, const char *name);

#endif							/* KIS_JSON_H */
