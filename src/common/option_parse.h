/*
 * option_parse.h
 *		The grammar of option values: from text to a value, or why not.
 */
#ifndef KIS_COMMON_OPTION_PARSE_H
#define KIS_COMMON_OPTION_PARSE_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* The host that serves these calls, and the default of the option base_url. */
#define KIS_BASE_URL	"https://openapi.koreainvestment.com:9443"

/* A number with a unit, or 0, in ms; a part of a millisecond counts as one. */
extern const char *kis_parse_duration(const char *value, double min, double max, int *ms);

extern const char *kis_parse_integer(const char *value, int min, int max, int *result);

/* Calls a second, from min to max. */
extern const char *kis_parse_rate(const char *value, double min, double max, double *result);

/* HH:MM of a day of 24 hours, in seconds. */
extern const char *kis_parse_time_of_day(const char *value, int *seconds);

/* YYYY-MM-DD, ..., at most so many, into an integer List of DateADT. */
extern const char *kis_parse_days(const char *value, int max, List **days);

/* MARKET/SECTOR, ..., at most so many, into a List of KisPairCode *. */
extern const char *kis_parse_pairs(const char *value, int max, List **pairs);

/* scheme://host[:port] in its plain form: lower case, no slash at its end. */
extern const char *kis_parse_base_url(const char *value, char **url);

extern const char *kis_parse_proxy(const char *value, char **proxy);

/* An absolute path. */
extern const char *kis_parse_path(const char *value, char **path);

/* An app key, an app secret or the name of a member: shorter than size bytes. */
extern const char *kis_parse_word(const char *value, size_t size, char **word);

#endif							/* KIS_COMMON_OPTION_PARSE_H */
