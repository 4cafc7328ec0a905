/*
 * libpq_loop.c
 *		A program that runs prepared statements again and again in one session.
 *
 *		libpq_loop conninfo rows statement ...
 *
 * Prints the process ID of its backend. For each line on its input with a
 * number, and that of a statement from 0, it then executes the statement so
 * many times, checks that so many rows come (or are written), and prints the
 * seconds that this took, and the median of each.
 */
#include <libpq-fe.h>

#include "timing.h"

static void
die(PGconn *connection)
{
	fprintf(stderr, "libpq_loop: %s\n", PQerrorMessage(connection));
	exit(1);
}

static void
execute(PGconn *connection, const char *name, int rows)
{
	PGresult   *result = PQexecPrepared(connection, name, 0, NULL, NULL, NULL, 0);
	int			got = -1;

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		got = PQntuples(result);
	else if (PQresultStatus(result) == PGRES_COMMAND_OK)
		got = atoi(PQcmdTuples(result));
	else
		die(connection);
	if (got != rows)
	{
		fprintf(stderr, "libpq_loop: %d rows, not %d\n", got, rows);
		exit(1);
	}
	PQclear(result);
}

/* Under its number as its name. */
static void
prepare(PGconn *connection, int number, const char *statement)
{
	char		name[16];
	PGresult   *result;

	snprintf(name, sizeof(name), "%d", number);
	result = PQprepare(connection, name, statement, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(connection);
	PQclear(result);
}

int
main(int argc, char **argv)
{
	PGconn	   *connection;
	char		line[64];

	if (argc < 4)
	{
		fprintf(stderr, "usage: libpq_loop conninfo rows statement ...\n");
		return 2;
	}
	connection = PQconnectdb(argv[1]);
	if (PQstatus(connection) != CONNECTION_OK)
		die(connection);
	for (int i = 3; i < argc; i++)
		prepare(connection, i - 3, argv[i]);
	printf("%d\n", PQbackendPID(connection));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		char		name[16] = "0";
		int			count = 0;
		double		start = now();
		double		last = start;

		sscanf(line, "%d %15s", &count, name);
		for (int i = 0; i < count; i++)
		{
			execute(connection, name, atoi(argv[2]));
			note(i, &last);
		}
		report(count, last - start);
	}
	PQfinish(connection);
	return 0;
}
