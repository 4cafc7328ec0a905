/*
 * asan_first.c
 *		Preloaded beside libasan, has it set itself up before anything else runs;
 *		scripts/sanitize builds it, to be started first (-z initfirst).
 *
 * Else the first malloc does, which p11-kit makes within newlocale(): what
 * AddressSanitizer then calls waits for a lock that newlocale() holds.
 */
#include <stdlib.h>

static void begin(void) __attribute__((constructor));

static void
begin(void)
{
	free(malloc(1));
}
