/*
 * secret_file.c
 *		App keys and secrets that stand in files of the server.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "compat.h"
#include "option.h"
#include "option_value.h"

#define MAX_SECRET_FILE	4096

pg_noreturn static void raise_unreadable(const char *path, const char *option, const char *why);

/*
 * The path goes to the log alone: who uses a mapping for PUBLIC need not learn
 * where the server keeps its secrets.
 */
static void
raise_unreadable(const char *path, const char *option, const char *why)
{
	const char *content = strcmp(option, "access_token") == 0 ?
		"the token, alone or as access_token or token of JSON or YAML," : "the value alone";

	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("could not read the file of option \"%s_file\"", option),
			 errdetail_internal("%s", why),
			 errdetail_log("%s The file is \"%s\".", why, path),
			 errhint("The file must hold %s and be readable by the operating system's user that runs PostgreSQL.",
					 content)));
}

/* Reads at most size bytes; closes fd on errors. */
static size_t
read_whole(int fd, char *buffer, size_t size, const char *path, const char *option)
{
	size_t		length = 0;

	while (length < size)
	{
		ssize_t		got = read(fd, buffer + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			raise_unreadable(path, option, psprintf("It could not be read: %m."));
		if (got == 0)
			break;
		length += got;
	}
	return length;
}

/* The file's content into buffer, which has room for MAX_SECRET_FILE + 1, as a string. */
static void
read_file(const char *path, const char *option, char *buffer)
{
	struct stat st;
	size_t		length;
	int			fd;

	/* O_NONBLOCK, or a pipe would hold us up before fstat could tell */
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
		raise_unreadable(path, option, psprintf("It could not be opened: %m."));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		raise_unreadable(path, option, "It is not a regular file.");
	length = read_whole(fd, buffer, MAX_SECRET_FILE + 1, path, option);
	CloseTransientFile(fd);
	if (length > MAX_SECRET_FILE)
		raise_unreadable(path, option, "It is too long to hold a key or a secret.");
	if (memchr(buffer, '\0', length) != NULL)
		raise_unreadable(path, option, "It contains a control character.");
	buffer[length] = '\0';
}

char *
kis_secret_read(const char *path, const char *option)
{
	char		buffer[MAX_SECRET_FILE + 1];
	char	   *begin = buffer;
	char	   *end;
	char	   *secret;
	const char *why;

	read_file(path, option, buffer);
	end = buffer + strlen(buffer);
	while (end > begin && isspace((unsigned char) end[-1]))
		end--;
	while (begin < end && isspace((unsigned char) *begin))
		begin++;
	*end = '\0';

	why = kis_parse_secret(begin, &secret);
	kis_wipe(buffer, sizeof(buffer));
	if (why != NULL)
		raise_unreadable(path, option, why);
	return secret;
}

char *
kis_access_token_read(const char *path)
{
	char		buffer[MAX_SECRET_FILE + 1];
	char		token[KIS_TOKEN_LEN];
	char	   *copy = NULL;

	read_file(path, "access_token", buffer);
	if (kis_token_in_text(buffer, token))
		copy = pstrdup(token);
	kis_wipe(buffer, sizeof(buffer));
	kis_wipe(token, sizeof(token));
	if (copy == NULL)
		raise_unreadable(path, "access_token",
						 "It holds no token, neither alone nor as access_token or token of JSON or YAML.");
	return copy;
}
