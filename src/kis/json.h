/*
 * json.h
 *		JSON as strict as a figure needs it.
 */
#ifndef KIS_JSON_H
#define KIS_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

typedef struct KisJsonFault
{
	bool		out_of_memory;
	bool		ends_early;
	bool		has_too_many;	/* more than KIS_MAX_VALUES */
	size_t		at;				/* byte where it stopped */
	const char *what;			/* "is not UTF-8" ... */
} KisJsonFault;

/* Moves past a byte order mark: harmless, but not JSON. */
extern void kis_json_skip_mark(const char **body, size_t *len);

/* NULL and fault where body, len bytes, is no JSON; else to be freed by cJSON_Delete. */
extern cJSON *kis_json_parse(const char *body, size_t len, KisJsonFault *fault);

/* The text of a string or number, "true", "false", or "" of null; NULL of an object or an array. */
extern const char *kis_json_text(const cJSON *item);

/* An item as compact JSON, to be freed by cJSON_free; NULL where memory is out. */
extern char *kis_json_print(const cJSON *item);

/* A name that an object has twice, or NULL; each is compared with each. */
extern const char *kis_json_duplicate(const cJSON *object);

#endif							/* KIS_JSON_H */
