/*
 * figures.c
 *		From a row of a reply to the figures that tables hold.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "common/error.h"
#include "common/messages.h"
#include "kis/catalog.h"
#include "kis/reply.h"
#include "request/query_context.h"
#include "request/state.h"
#include "store/figures.h"
#include "store/table.h"
#include "store/target.h"

/* Of a value that is none, as much as is shown. */
#define MAX_SHOWN_VALUE 40

static char *
no_bigint(const char *field, const char *value)
{
	char	   *text = kis_to_server_lossy(value);

	text[		pg_mbcliplen(text, strlen(text), MAX_SHOWN_VALUE)] = '\0';

	return psprintf(_("member \"%s\" is no bigint: \"%s\""), field, text);
}

/* An integer that is too large, or no integer. */
static int
sqlstate_of(const char *value)
{
	const char *digits = value + (value[0] == '-' || value[0] == '+');

	if (digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits))
		return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
	return ERRCODE_INVALID_TEXT_REPRESENTATION;
}

/*
 * Takes the figures of a row that the store or its snapshots (NULL: none) have
 * columns for; null where one is not wanted, or the call or KIS has none. NULL,
 * or what is wrong with one that is no bigint, and the SQLSTATE that bigint
 * itself has for it; sqlstate may be NULL.
 */
char *
kis_figures_take(const KisCall *call, const KisRow *row, const KisStoreTable *store,
				 const KisStoreTable *snapshots, KisQuery *query, KisTarget *target, int *sqlstate)
{
	bool	   *wanted = palloc0(kis_member_count * sizeof(bool));

	target->figures = palloc0(kis_member_count * sizeof(int64));
	target->nulls = palloc(kis_member_count * sizeof(bool));
	for (const KisStoreTable *table = store; table != NULL; table = table == store ? snapshots : NULL)
		for (int i = 0; i < table->nfigures; i++)
			wanted[table->members[i]] = true;
	for (int i = 0; i < kis_member_count; i++)
	{
		const char *field = kis_members[i].field;
		int			member = kis_call_member_find(call, field);
		KisValue	value;

		target->nulls[i] = true;
		if (!wanted[i] || member < 0)
			continue;
		value = row->values[member];
		target->nulls[i] = value.kind != KIS_VALUE_INTEGER;
		if (value.kind == KIS_VALUE_INTEGER)
			target->figures[i] = value.integer;
		else if (value.kind == KIS_VALUE_TEXT)
		{
			if (sqlstate != NULL)
				*sqlstate = sqlstate_of(value.text);
			return no_bigint(field, value.text);
		}
		else if (value.kind == KIS_VALUE_MISSING && kis_warn_once(query, "missing member"))
			ereport(WARNING,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("KIS's reply has no member \"%s\"", field),
					 errdetail("It is taken as null.")));
	}
	return NULL;
}
