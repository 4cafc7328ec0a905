/*
 * truncations.c
 *		Has a fuzz target try every beginning of each file, the whole included.
 */
#include "fuzz.h"

static size_t
read_file(const char *path, uint8_t *bytes, size_t room)
{
	FILE	   *file = fopen(path, "rb");
	size_t		size;

	check(file != NULL);
	size = fread(bytes, 1, room, file);
	check(size < room);
	fclose(file);
	return size;
}

int
main(int argc, char **argv)
{
	static uint8_t bytes[1 << 20];
	long		tried = 0;

	for (int i = 1; i < argc; i++)
	{
		size_t		size = read_file(argv[i], bytes, sizeof(bytes));

		for (size_t len = 0; len <= size; len++, tried++)
		{
			/* in a block of its own size, so that reading past the end is seen */
			uint8_t    *block = malloc(len > 0 ? len : 1);

			memcpy(block, bytes, len);
			LLVMFuzzerTestOneInput(block, len);
			free(block);
		}
	}
	printf("%ld beginnings\n", tried);
	return 0;
}
