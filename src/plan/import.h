/*
 * import.h
 *		IMPORT FOREIGN SCHEMA kis.
 */
#ifndef KIS_PLAN_IMPORT_H
#define KIS_PLAN_IMPORT_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

extern List *kisImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* KIS_PLAN_IMPORT_H */
