/*
 * text_fuzz.c
 *		Text made fit to be shown, and secrets masked in it: three lines are
 *		the app key, the app secret and the token, the rest is the text.
 */
#include "fuzz.h"

#include "kis.h"
#include "kis/redact.h"
#include "kis/text.h"

/* As in kis.h and redact.c: parts of eight, and whole ones of four. */
#define SHORTEST_SECRET 4
#define SHORTEST_PART	8

/* In a reply's body only such as these are looked for. */
#define SHORTEST_IN_BODY 16

static void
check_clean(const char *text, size_t len)
{
	char		room[64];
	char		again[64];
	size_t		size = 1 + len % (sizeof(room) - 1);
	char	   *block = malloc(size);

	kis_text_clean(block, size, text, len);
	check(memchr(block, '\0', size) != NULL);
	check(is_fit_to_show(block));
	strcpy(room, block);
	free(block);
	kis_text_clean(again, sizeof(again), room, strlen(room));
	check(strcmp(again, room) == 0);
	check(strstr(room, "  ") == NULL);
	for (size_t i = 0; i < len; i++)
		check(kis_utf8_char_len(text + i, len - i) == utf8_length(text + i, len - i));
}

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7F)
			return false;
	return true;
}

static bool
is_utf8(const char *text)
{
	size_t		len = strlen(text);

	for (size_t i = 0; i < len;)
	{
		int			used = utf8_length(text + i, len - i);

		if (used == 0)
			return false;
		i += used;
	}
	return true;
}

/* What a reader sees of a text: letters, and not what stands between them. */
static char *
visible(const char *text)
{
	char	   *letters = strdup(text);
	char	   *out = letters;

	for (; *text != '\0'; text++)
		if (*text > ' ' && *text < 0x7F && *text != '?')
			*out++ = *text;
	*out = '\0';
	return letters;
}

/* No part of the secret stands there any more. */
static void
check_gone(const char *text, const char *secret)
{
	size_t		len = strlen(secret);
	char		part[SHORTEST_PART + 1] = "";

	if (len < SHORTEST_SECRET)
		return;
	check(strstr(text, secret) == NULL);
	for (size_t i = 0; i + SHORTEST_PART <= len; i++)
	{
		memcpy(part, secret + i, SHORTEST_PART);
		check(strstr(text, part) == NULL);
	}
}

static void
check_redact(const char *text, const char *const *secret)
{
	KisSecrets	secrets = {secret[0], secret[1], secret[2]};
	char	   *once = strdup(text);
	char	   *seen;
	char	   *twice;

	kis_redact(once, &secrets);
	check(strlen(once) == strlen(text));
	for (size_t i = 0; text[i] != '\0'; i++)
		check(once[i] == text[i] || once[i] == '*');
	seen = visible(once);
	for (int s = 0; s < 3; s++)
	{
		check_gone(once, secret[s]);
		check_gone(seen, secret[s]);
	}
	free(seen);
	if (is_utf8(text))
		check(is_utf8(once));
	twice = strdup(once);
	kis_redact(twice, &secrets);
	check(strcmp(twice, once) == 0);
	free(twice);
	free(once);
}

static void
check_not_in(const char *text, const char *secret)
{
	char	   *seen = visible(text != NULL ? text : "");

	check(strstr(seen, secret) == NULL);
	free(seen);
}

static void
check_strings(const Node *node, const char *secret)
{
	for (; node != NULL; node = node->next)
	{
		check_not_in(node->text, secret);
		check_not_in(node->name, secret);
		check_strings(node->child, secret);
	}
}

/* What KIS's keys and tokens are made of, and no number of JSON is. */
static bool
is_key(const char *secret)
{
	static const char letters[] = "ABCDFGHIJKLMNOPQRSTUVWXYZ";

	return strlen(secret) >= SHORTEST_IN_BODY && strpbrk(secret, letters) != NULL &&
		strpbrk(secret, "\"\\{}[]:,") == NULL;
}

static void
check_redact_json(const char *text, const char *const *secret)
{
	KisSecrets	secrets = {secret[0], secret[1], secret[2]};
	Node	   *root = read_json(text, strlen(text));
	char	   *redacted;

	if (root == NULL)
		return;
	free_node(root);
	redacted = strdup(text);
	kis_redact_json(redacted, strlen(redacted), &secrets, 4);
	root = read_json(redacted, strlen(redacted));
	check(root != NULL);
	for (int s = 0; s < 3; s++)
		check_strings(root, secret[s]);
	free_node(root);
	free(redacted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	char	   *rest = text;
	const char *secret[3];
	bool		as_keys = true;
	bool		all_visible = true;

	check(text != NULL);
	check_clean((const char *) data, size);
	memcpy(text, data, size);
	text[size] = '\0';
	for (int s = 0; s < 3; s++)
	{
		secret[s] = strsep(&rest, "\n");
		if (rest == NULL)
			rest = "";
		all_visible = all_visible && is_ascii(secret[s]) && strchr(secret[s], '*') == NULL;
		as_keys = as_keys && is_key(secret[s]);
	}
	/* other secrets no option takes; an asterisk would find itself again */
	if (all_visible)
	{
		check_redact(rest, secret);
		if (as_keys)
			check_redact_json(rest, secret);
	}
	free(text);
	return 0;
}
