/*
 * import.c
 *		IMPORT FOREIGN SCHEMA kis.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "common/messages.h"
#include "common/option.h"
#include "common/tables.h"
#include "plan/columns.h"
#include "plan/import.h"

/* The one remote schema there is. */
#define REMOTE_SCHEMA	"kis"

/* A misspelt name in LIMIT TO would otherwise import nothing without a word. */
static void
check_table_names(const ImportForeignSchemaStmt *stmt)
{
	ListCell   *cell;

	if (stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return;

	foreach(cell, stmt->table_list)
	{
		const char *name = lfirst_node(RangeVar, cell)->relname;

		if (kis_table_find(name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
					 errmsg("remote schema \"%s\" has no table \"%s\"", REMOTE_SCHEMA, name),
					 errhint("Perhaps you meant \"%s\".", kis_suggest_table(name))));
	}
}

/* The command that makes a table; core has it made in the right schema. */
static char *
create_statement(const KisTable *table, const char *server_name)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE FOREIGN TABLE %s (", quote_identifier(table->name));
	foreach(cell, kis_table_columns(table))
	{
		const KisColumn *column = lfirst(cell);

		appendStringInfo(&buf, "%s%s %s", buf.data[buf.len - 1] == '(' ? "" : ", ",
						 quote_identifier(column->name), column->type);
	}
	appendStringInfo(&buf, ") SERVER %s OPTIONS (table_name %s)",
					 quote_identifier(server_name),
					 quote_literal_cstr(table->name));
	return buf.data;
}

/*
 * The commands that make the tables of the remote schema which the statement
 * wants; no call is made for it.
 */
List *
kisImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	ForeignServer *server = kis_foreign_server(serverOid);
	List	   *statements = NIL;

	if (stmt->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"",
						linitial_node(DefElem, stmt->options)->defname),
				 errhint("IMPORT FOREIGN SCHEMA takes no options here; use LIMIT TO or EXCEPT to choose tables.")));

	if (strcmp(stmt->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist", stmt->remote_schema),
				 errhint("Write IMPORT FOREIGN SCHEMA %s FROM SERVER %s.",
						 REMOTE_SCHEMA, quote_identifier(server->servername))));

	check_table_names(stmt);
	for (int i = 0; kis_tables[i] != NULL; i++)
		if (IsImportableForeignTable(kis_tables[i]->name, stmt))
			statements = lappend(statements,
								 create_statement(kis_tables[i], server->servername));
	return statements;
}
