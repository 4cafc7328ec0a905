/*
 * reader.c
 *		A reader of JSON by RFC 8259, simple rather than quick; but for numbers
 *		that a double would not keep.
 */
#include "fuzz.h"

#define DEEPEST		32

typedef struct Reader
{
	const char *at;
	const char *end;
	int			depth;
} Reader;

static Node *read_value(Reader *r);

static int
next_char(Reader *r)
{
	return r->at < r->end ? (unsigned char) *r->at : -1;
}

static bool
accept(Reader *r, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

static void
skip_space(Reader *r)
{
	while (accept(r, " ") || accept(r, "\t") || accept(r, "\n") || accept(r, "\r"))
		;
}

static Node *
new_node(NodeKind kind)
{
	Node	   *node = calloc(1, sizeof(Node));

	check(node != NULL);
	node->kind = kind;
	return node;
}

void
free_node(Node *node)
{
	while (node != NULL)
	{
		Node	   *next = node->next;

		free_node(node->child);
		free(node->name);
		free(node->text);
		free(node);
		node = next;
	}
}

/* A code point by its bytes; -1: no UTF-8. The number decides what is allowed. */
static long
read_character(const char *text, size_t len, int *used)
{
	static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = len > 0 ? (unsigned char) text[0] : 0x80;
	long		code;

	*used = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;
	if (*used == 0 || len < (size_t) *used)
		return -1;
	code = *used == 1 ? first : first & (0x7F >> *used);
	for (int i = 1; i < *used; i++)
	{
		if ((unsigned char) text[i] >> 6 != 2)
			return -1;
		code = code << 6 | (text[i] & 0x3F);
	}
	if (code < least[*used] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
		return -1;
	return code;
}

int
utf8_length(const char *text, size_t len)
{
	int			used;

	return read_character(text, len, &used) < 0 ? 0 : used;
}

static char *
write_character(char *out, long code)
{
	if (code < 0x80)
		*out++ = code;
	else if (code < 0x800)
	{
		*out++ = 0xC0 | code >> 6;
		*out++ = 0x80 | (code & 0x3F);
	}
	else
	{
		if (code < 0x10000)
			*out++ = 0xE0 | code >> 12;
		else
		{
			*out++ = 0xF0 | code >> 18;
			*out++ = 0x80 | (code >> 12 & 0x3F);
		}
		*out++ = 0x80 | (code >> 6 & 0x3F);
		*out++ = 0x80 | (code & 0x3F);
	}
	return out;
}

/* The four digits of a \u; -1: they are none. */
static long
read_unit(Reader *r)
{
	long		unit = 0;

	for (int i = 0; i < 4; i++)
	{
		static const char digits[] = "0123456789abcdef";
		int			c = next_char(r);
		const char *digit;

		if (c >= 'A' && c <= 'F')
			c += 'a' - 'A';
		digit = c > 0 ? strchr(digits, c) : NULL;
		if (digit == NULL)
			return -1;
		unit = unit * 16 + (digit - digits);
		r->at++;
	}
	return unit;
}

static long
read_escape(Reader *r)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char escaped[] = "\"\\/\b\f\n\r\t";
	int			c = next_char(r);
	const char *letter = c > 0 ? strchr(letters, c) : NULL;
	long		high;
	long		low;

	if (letter != NULL)
	{
		r->at++;
		return escaped[letter - letters];
	}
	if (!accept(r, "u"))
		return -1;
	high = read_unit(r);
	if (high == 0 || high < 0xD800 || high > 0xDFFF)
		return high == 0 ? -1 : high;
	if (high > 0xDBFF || !accept(r, "\\u"))
		return -1;
	low = read_unit(r);
	return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* NULL: no string. */
static char *
read_string(Reader *r)
{
	char	   *text = malloc(r->end - r->at + 1);
	char	   *out = text;

	check(text != NULL);
	if (accept(r, "\""))
		for (;;)
		{
			int			used = 0;
			long		code;

			if (accept(r, "\""))
			{
				*out = '\0';
				return text;
			}
			if (accept(r, "\\"))
				code = read_escape(r);
			else
			{
				code = read_character(r->at, r->end - r->at, &used);
				if (code < ' ')
					break;
				r->at += used;
			}
			if (code < 0)
				break;
			out = write_character(out, code);
		}
	free(text);
	return NULL;
}

/* So many digits of a number survive in a double. */
#define MOST_DIGITS	15

static int
skip_digits(Reader *r)
{
	int			n = 0;

	while (next_char(r) >= '0' && next_char(r) <= '9')
	{
		r->at++;
		n++;
	}
	return n;
}

static Node *
read_number(Reader *r)
{
	const char *first = r->at;
	char		text[64];
	Node	   *node;
	int			nwhole = 1;
	int			nfraction = 0;

	accept(r, "-");
	if (!accept(r, "0"))
		nwhole = skip_digits(r);
	if (nwhole == 0)
		return NULL;
	if (accept(r, "."))
	{
		nfraction = skip_digits(r);
		if (nfraction == 0)
			return NULL;
	}
	if (nwhole + nfraction > MOST_DIGITS || accept(r, "e") || accept(r, "E"))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int) (r->at - first), first);
	node = new_node(NODE_NUMBER);
	/* as short as it can be */
	snprintf(text, sizeof(text), "%.15g", strtod(text, NULL));
	node->text = strdup(text);
	return node;
}

static bool
read_members(Reader *r, Node *list, const char *closing)
{
	Node	  **link = &list->child;

	skip_space(r);
	if (accept(r, closing))
		return true;
	do
	{
		char	   *name = NULL;

		skip_space(r);
		if (list->kind == NODE_OBJECT)
		{
			name = read_string(r);
			if (name == NULL)
				return false;
			skip_space(r);
			if (!accept(r, ":"))
			{
				free(name);
				return false;
			}
		}
		*link = read_value(r);
		if (*link == NULL)
		{
			free(name);
			return false;
		}
		(*link)->name = name;
		link = &(*link)->next;
		skip_space(r);
	} while (accept(r, ","));
	return accept(r, closing);
}

static Node *
read_value(Reader *r)
{
	static const char *const words[] = {"null", "true", "false"};
	Node	   *node;

	skip_space(r);
	for (size_t i = 0; i < lengthof(words); i++)
		if (accept(r, words[i]))
		{
			node = new_node(NODE_WORD);
			node->text = strdup(words[i]);
			return node;
		}
	if (next_char(r) == '"')
	{
		node = new_node(NODE_STRING);
		node->text = read_string(r);
		if (node->text != NULL)
			return node;
		free_node(node);
		return NULL;
	}
	if (next_char(r) != '{' && next_char(r) != '[')
		return read_number(r);
	node = new_node(next_char(r) == '{' ? NODE_OBJECT : NODE_ARRAY);
	r->at++;
	r->depth++;
	if (r->depth <= DEEPEST && read_members(r, node, node->kind == NODE_OBJECT ? "}" : "]"))
	{
		r->depth--;
		return node;
	}
	free_node(node);
	return NULL;
}

Node *
read_json(const char *text, size_t len)
{
	Reader		r = {text, text + len, 0};
	Node	   *root = read_value(&r);

	skip_space(&r);
	if (root != NULL && r.at == r.end)
		return root;
	free_node(root);
	return NULL;
}

const Node *
member_of(const Node *object, const char *name)
{
	for (const Node *node = object->child; node != NULL; node = node->next)
		if (node->name != NULL && strcmp(node->name, name) == 0)
			return node;
	return NULL;
}

int
count_of(const Node *list)
{
	int			n = 0;

	for (const Node *node = list->child; node != NULL; node = node->next)
		n++;
	return n;
}

bool
has_double_names(const Node *object)
{
	for (const Node *node = object->child; node != NULL; node = node->next)
		if (member_of(object, node->name) != node)
			return true;
	return false;
}

const char *
text_of(const Node *node)
{
	if (node == NULL || node->text == NULL)
		return NULL;
	return node->kind == NODE_WORD && strcmp(node->text, "null") == 0 ? "" : node->text;
}

bool
is_fit_to_show(const char *text)
{
	size_t		len = strlen(text);

	for (size_t i = 0; i < len;)
	{
		int			used = utf8_length(text + i, len - i);

		if (used == 0 || (unsigned char) text[i] < ' ' || text[i] == 0x7F)
			return false;
		i += used;
	}
	return len == 0 || (text[0] != ' ' && text[len - 1] != ' ');
}

const char *
behind_mark(const char *text, size_t *len)
{
	Reader		r = {text, text + *len, 0};

	accept(&r, "\xEF\xBB\xBF");
	*len = r.end - r.at;
	return r.at;
}
