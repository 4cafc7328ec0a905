/*
 * redact.h
 *		Keeping secrets out of what is shown and out of freed memory.
 */
#ifndef KIS_REDACT_H
#define KIS_REDACT_H

#include <stddef.h>

#include "kis.h"

/* Masks secrets and parts of them in a message with asterisks, in place. */
extern void kis_redact(char *text, const KisSecrets *secrets);

/* Masks whole secrets, none shorter than that, in a reply's body, in place; JSON stays valid. */
extern void kis_redact_json(char *text, size_t len, const KisSecrets *secrets, size_t shortest);

/* Overwrites memory that held a secret so that the compiler can't drop it. */
extern void kis_wipe(void *memory, size_t len);

#endif							/* KIS_REDACT_H */
