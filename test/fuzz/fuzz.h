/*
 * fuzz.h
 *		What the fuzz targets share: an abort that says what is wrong, and a
 *		reader of JSON that has nothing in common with the one it checks.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kis.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#define check(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- reader.c ---------------------------------------------------------------- */

typedef enum NodeKind
{
	NODE_WORD,					/* null, true, false: text */
	NODE_NUMBER,				/* as it was written: text */
	NODE_STRING,				/* decoded: text */
	NODE_ARRAY,
	NODE_OBJECT
} NodeKind;

typedef struct Node
{
	NodeKind	kind;
	char	   *name;			/* of a member; else NULL */
	char	   *text;			/* NULL of an array or an object */
	struct Node *child;
	struct Node *next;
} Node;

/* NULL: no JSON by RFC 8259, nested deeper than 32, or with a NUL in a string. */
extern Node *read_json(const char *text, size_t len);
extern void free_node(Node *node);

/* The first member of that name, or NULL. */
extern const Node *member_of(const Node *object, const char *name);
extern int	count_of(const Node *list);
extern bool has_double_names(const Node *object);

/* A member's text, "" of null; NULL where it is missing, an array or an object. */
extern const char *text_of(const Node *node);

/* How many bytes the character has; 0: no UTF-8. */
extern int	utf8_length(const char *text, size_t len);

/* What may be shown to a user: UTF-8, no control characters, no blanks around. */
extern bool is_fit_to_show(const char *text);

/* Where a reply's body begins, behind a byte order mark. */
extern const char *behind_mark(const char *text, size_t *len);

/* ---- expected.c -------------------------------------------------------------- */

/* The class that a reply has by the documentation; KIS_OK: a success. */
extern KisErrorClass expected_class(int http_status, const Node *root);

/* Is that the reply's code? */
extern bool says_code(const Node *root, const char *code);

/* An error as all of them must be. */
extern void check_error(const KisError *error, KisErrorClass error_class, int http_status);

#endif							/* FUZZ_H */
