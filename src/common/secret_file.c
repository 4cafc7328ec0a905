/*
 * secret_file.c
 *		App keys and secrets that stand in files of the server, and the
 *		certificates of those whom it trusts.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "common/messages.h"
#include "common/option_parse.h"
#include "common/secret_file.h"
#include "compat.h"
#include "kis.h"
#include "kis/redact.h"
#include "kis/token.h"

#define MAX_SECRET_FILE	4096
#define MAX_CA_FILE		(4 * 1024 * 1024)

#define WHITE_SPACE		" \t\n\v\f\r"

/*
 * The path goes to the log alone: who uses a mapping for PUBLIC need not learn
 * where the server keeps its secrets.
 */
pg_noreturn static void
raise_unreadable(const char *path, const char *option, const char *why)
{
	const char *content = strcmp(option, "access_token") == 0 ?
		_("the token, alone or as access_token or token of JSON or YAML,") :
		strcmp(option, "ca") == 0 ? _("certificates in PEM") : _("the value alone");

	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("could not read the file of option \"%s_file\"", option),
			 errdetail_internal("%s", why),
			 errdetail_log("%s The file is \"%s\".", why, path),
			 errhint("The file must hold %s and be readable by the operating system's user that runs PostgreSQL.",
					 content)));
}

/*
 * The file's content into buffer, which has room for size bytes and a NUL, as a
 * string. Raises where it is no regular file, too long or not readable.
 */
static void
read_file(const char *path, const char *option, char *buffer, size_t size)
{
	struct stat st;
	ssize_t		length;
	int			fd;

	/* O_NONBLOCK, or a pipe would hold us up before fstat could see it */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
		raise_unreadable(path, option, psprintf(_("It could not be opened: %m.")));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		raise_unreadable(path, option, _("It is not a regular file."));
	/* a regular file comes whole */
	length = read(fd, buffer, size + 1);
	if (length < 0)
		raise_unreadable(path, option, psprintf(_("It could not be read: %m.")));
	CloseTransientFile(fd);
	if (length > (ssize_t) size)
		raise_unreadable(path, option, psprintf(_("It is longer than %zu bytes."), size));
	if (memchr(buffer, '\0', length) != NULL)
		raise_unreadable(path, option, _("It contains a control character."));
	buffer[length] = '\0';
}

/*
 * The content of the file of app_key_file or app_secret_file (option is its
 * name without _file), without the white space around it; palloc'd. Errors are of
 * the class HV000 and never show the content.
 */
char *
kis_secret_read(const char *path, const char *option)
{
	char		buffer[MAX_SECRET_FILE + 1];
	size_t		blanks;
	size_t		length;
	char	   *secret;
	const char *why;

	read_file(path, option, buffer, MAX_SECRET_FILE);
	blanks = strspn(buffer, WHITE_SPACE);
	for (length = strlen(buffer); length > blanks && strchr(WHITE_SPACE, buffer[length - 1]) != NULL;)
		buffer[--length] = '\0';

	why = kis_parse_word(buffer + blanks, 0, KIS_TOKEN_LEN, &secret);
	kis_wipe(buffer, sizeof(buffer));
	if (why != NULL)
		raise_unreadable(path, option, why);
	return secret;
}

/* The token in the file of access_token_file; palloc'd; the same errors. */
char *
kis_access_token_read(const char *path)
{
	char		buffer[MAX_SECRET_FILE + 1];
	char	   *token = palloc(KIS_TOKEN_LEN);
	bool		found;

	read_file(path, "access_token", buffer, MAX_SECRET_FILE);
	found = kis_token_in_text(buffer, token);
	kis_wipe(buffer, sizeof(buffer));
	if (!found)
		raise_unreadable(path, "access_token",
						 _("It holds no token, neither alone nor as access_token or token of JSON or YAML."));
	return token;
}

/*
 * The content of the file of ca_file; palloc'd; the same errors. libcurl is not
 * given the name: it would open what stands there, be it a pipe, and wait.
 */
char *
kis_ca_read(const char *path)
{
	char	   *buffer = palloc(MAX_CA_FILE + 1);

	read_file(path, "ca", buffer, MAX_CA_FILE);
	if (strstr(buffer, "-----BEGIN ") == NULL)
		raise_unreadable(path, "ca", _("It holds no certificate in PEM."));
	return repalloc(buffer, strlen(buffer) + 1);
}

/*
 * Another number where the file has been written or replaced since; 0: it is not
 * there.
 */
uint64
kis_file_state(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return 0;

	/*
	 * writing and renaming change the time; a link may lead to another file
	 * instead
	 */
	return st.st_ctim.tv_sec * UINT64CONST(1000000000) + st.st_ctim.tv_nsec + st.st_ino;
}
