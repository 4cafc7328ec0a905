/*
 * libcurl_loop.c
 *		The least that a program in C does to get the reply: libcurl, one
 *		handle, one connection kept alive, the body read and not looked at.
 *
 *		libcurl_loop url headers.txt
 *
 * For each line with a number on its input it makes so many requests and
 * prints the seconds that they took, and the median of each.
 */
#include <curl/curl.h>
#include <string.h>

#include "timing.h"

typedef struct Body
{
	size_t		len;
	char		data[1 << 20];
} Body;

static Body body;

static size_t
on_body(char *data, size_t size, size_t count, void *context)
{
	(void) context;
	if (body.len + size * count > sizeof(body.data))
		return 0;
	memcpy(body.data + body.len, data, size * count);
	body.len += size * count;
	return size * count;
}

/* The file's lines. */
static struct curl_slist *
read_headers(const char *name)
{
	FILE	   *file = fopen(name, "r");
	struct curl_slist *headers = NULL;
	char		line[4096];

	if (file == NULL)
	{
		perror(name);
		exit(1);
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		headers = curl_slist_append(headers, line);
	}
	fclose(file);
	return headers;
}

static void
get(CURL *easy)
{
	CURLcode	rc;
	long		status = 0;

	body.len = 0;
	rc = curl_easy_perform(easy);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (rc != CURLE_OK || status != 200 || body.len == 0)
	{
		fprintf(stderr, "libcurl_loop: %s, status %ld\n", curl_easy_strerror(rc), status);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	CURL	   *easy;
	char		line[64];

	if (argc != 3)
	{
		fprintf(stderr, "usage: libcurl_loop url headers.txt\n");
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, read_headers(argv[2]));
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		int			count = atoi(line);
		double		start = now();
		double		last = start;

		for (int i = 0; i < count; i++)
		{
			get(easy);
			note(i, &last);
		}
		report(count, last - start);
	}
	return 0;
}
