/*
 * secret_file.h
 *		App keys and secrets that stand in files of the server, and the
 *		certificates of those whom it trusts.
 */
#ifndef KIS_COMMON_SECRET_FILE_H
#define KIS_COMMON_SECRET_FILE_H

#include "postgres.h"

extern char *kis_secret_read(const char *path, const char *option);

/* The token in the file of access_token_file; palloc'd; the same errors. */
extern char *kis_access_token_read(const char *path);

/* The content of the file of ca_file */
extern char *kis_ca_read(const char *path);

/* Another number where the file has been written or replaced since; 0: it is not there. */
extern uint64 kis_file_state(const char *path);

#endif							/* KIS_COMMON_SECRET_FILE_H */
