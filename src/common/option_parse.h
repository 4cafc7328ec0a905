/*
 * option_parse.h
 *		The grammar of option values: from text to a value, or why not.
 */
#ifndef KIS_COMMON_OPTION_PARSE_H
#define KIS_COMMON_OPTION_PARSE_H

#include "postgres.h"

#include "kis.h"

/* A pair of the option extra_pairs. */
typedef struct KisPairCode
{
	char		market[KIS_MARKET_LEN];
	char		sector[KIS_SECTOR_LEN];
} KisPairCode;

/* The host that serves these calls, and the default of the option base_url. */
#define KIS_BASE_URL	"https://openapi.koreainvestment.com:9443"

/* Reads a value into *result; returns why it can't be, as a sentence without the value, or NULL. */
typedef const char *KisOptionParser(const char *value, double min, double max, void *result);

extern KisOptionParser kis_parse_duration;	/* int, ms: a number with a unit,
											 * or 0 */
extern KisOptionParser kis_parse_integer;	/* int */
extern KisOptionParser kis_parse_rate;	/* double */
extern KisOptionParser kis_parse_time_of_day;	/* int, seconds: HH:MM */
extern KisOptionParser kis_parse_days;	/* List * of DateADT, at most max:
										 * YYYY-MM-DD, ... */
extern KisOptionParser kis_parse_pairs; /* List * of KisPairCode *, at most
										 * max: MARKET/SECTOR, ... */
extern KisOptionParser kis_parse_base_url;	/* char *, as all that follow */
extern KisOptionParser kis_parse_proxy;
extern KisOptionParser kis_parse_path;	/* absolute */
extern KisOptionParser kis_parse_word;	/* ASCII without blanks, shorter than
										 * max bytes */

#endif							/* KIS_COMMON_OPTION_PARSE_H */
