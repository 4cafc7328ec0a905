/*
 * stat.h
 *		What all sessions have done, as rows of kis_stat.
 */
#ifndef KIS_SHARED_STAT_H
#define KIS_SHARED_STAT_H

#include "postgres.h"

#include "utils/timestamp.h"

#include "shared/block.h"

/* For kis_check. What the shared memory holds, in a sentence; raises where it can't be had. */
extern char *kis_shared_summary(void);

/* The end of the newest token of a host, app key and secret (NULL: any); 0: none is held. */
extern TimestampTz kis_token_end(const uint8 *key, const uint8 *secret);

/* As kis_stat shows the account: KIS_FINGERPRINT_LEN characters and a NUL. */
#define KIS_FINGERPRINT_LEN	12
extern void kis_fingerprint(const uint8 *key, char *text);

#endif							/* KIS_SHARED_STAT_H */
