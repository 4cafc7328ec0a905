/*
 * error.h
 *		The one place that maps failures of KIS calls to SQLSTATE, message,
 *		detail and hint.
 */
#ifndef KIS_COMMON_ERROR_H
#define KIS_COMMON_ERROR_H

#include "postgres.h"

#include "compat.h"
#include "kis.h"

/* Raises what failed; never returns. */
pg_noreturn extern void kis_raise(const KisError *error, const char *server);

/* The SQLSTATE and the hint that kis_raise would give. */
extern int	kis_error_sqlstate(const KisError *error);
extern const char *kis_error_hint(const KisError *error);

/* One line for a result column: message, KIS's code and text; palloc'd, server encoding. */
extern char *kis_error_summary(const KisError *error, const char *server);

/* UTF-8 text of KIS or of the catalogue in the database's encoding, or an error */
extern char *kis_to_server(const char *utf8);

/* The same for messages and comments */
extern char *kis_to_server_lossy(const char *utf8);

/* A message with '?' for what the client's encoding doesn't hold. */
extern char *kis_to_client_lossy(const char *text);

/* A text of the user's as a message shows it: of a long one its beginning. */
extern char *kis_shown(const char *text);

/* Does work in a subtransaction, which is taken back where it is not done; its error, or NULL. */
extern ErrorData *kis_catch(bool (*work) (void *arg), void *arg, bool *done);

#endif							/* KIS_COMMON_ERROR_H */
