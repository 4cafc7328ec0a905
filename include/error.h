/*
 * error.h
 *		The one place that maps failures of KIS calls to SQLSTATE, message,
 *		detail and hint.
 */
#ifndef KIS_ERROR_H
#define KIS_ERROR_H

#include "postgres.h"

#include "compat.h"
#include "kis.h"
#include "shared.h"

/* Raises what failed; never returns. */
pg_noreturn extern void kis_raise(const KisError *error, const KisConnection *connection);

/* What kis_raise would give: the SQLSTATE, and the hint or NULL. */
extern int	kis_error_sqlstate(const KisError *error);
extern const char *kis_error_hint(const KisError *error);

/* One line for a result column: message, KIS's code and text; palloc'd, server encoding. */
extern char *kis_error_summary(const KisError *error, const KisConnection *connection);

/*
 * The same of a calendar that tells no trading day, by what kis_trade_date gives:
 * where nothing has failed there is no open day as far back as it looks.
 */
extern char *kis_calendar_summary(const KisError *failure, const KisConnection *connection);
extern const char *kis_calendar_hint(const KisError *failure);

/* UTF-8 text of KIS or of the catalogue in the database's encoding, or an error; palloc'd or the same pointer. */
extern char *kis_to_server(const char *utf8);

/*
 * The same for messages and comments: never raises, what can't be converted
 * or is no UTF-8 becomes '?', and control characters become blanks.
 */
extern char *kis_to_server_lossy(const char *utf8);

/*
 * A message with '?' for what the client's encoding doesn't hold. As it is, it
 * would become an error of its own, 22P05, and what it tells of be lost. palloc'd.
 */
extern char *kis_to_client_lossy(const char *text);

/* A text of the user's as a message shows it: of a long one its beginning. */
extern char *kis_shown(const char *text);

#endif							/* KIS_ERROR_H */
