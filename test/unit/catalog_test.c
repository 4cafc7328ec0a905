/*
 * catalog_test.c
 *		KIS's lists and calls: what one table says, the others say too.
 */
#include "unit.h"

#include "kis/catalog.h"

/* Members in the order in which KIS sends them. */
static const char *const daily_wire[] = {
	"stck_bsop_date", "bstp_nmix_prpr", "bstp_nmix_prdy_vrss", "prdy_vrss_sign",
	"bstp_nmix_prdy_ctrt", "bstp_nmix_oprc", "bstp_nmix_hgpr", "bstp_nmix_lwpr",
	"stck_prdy_clpr", "frgn_ntby_qty", "frgn_reg_ntby_qty", "frgn_nreg_ntby_qty",
	"prsn_ntby_qty", "orgn_ntby_qty", "scrt_ntby_qty", "ivtr_ntby_qty", "pe_fund_ntby_vol",
	"bank_ntby_qty", "insu_ntby_qty", "mrbn_ntby_qty", "fund_ntby_qty", "etc_ntby_qty",
	"etc_orgt_ntby_vol", "etc_corp_ntby_vol", "frgn_ntby_tr_pbmn", "frgn_reg_ntby_pbmn",
	"frgn_nreg_ntby_pbmn", "prsn_ntby_tr_pbmn", "orgn_ntby_tr_pbmn", "scrt_ntby_tr_pbmn",
	"ivtr_ntby_tr_pbmn", "pe_fund_ntby_tr_pbmn", "bank_ntby_tr_pbmn", "insu_ntby_tr_pbmn",
	"mrbn_ntby_tr_pbmn", "fund_ntby_tr_pbmn", "etc_ntby_tr_pbmn", "etc_orgt_ntby_tr_pbmn",
	"etc_corp_ntby_tr_pbmn",
};

static const char *const calendar_wire[] = {
	"bass_dt", "wday_dvsn_cd", "bzdy_yn", "tr_day_yn", "opnd_yn", "sttl_day_yn",
};

static void
check_wire(const KisCall *call, const char *const *wire, int n)
{
	assert_int_equal(call->nmembers, n);
	for (int i = 0; i < n; i++)
		assert_string_equal(call->members[i].field, wire[i]);
}

static void
test_wire_order(void **state)
{
	(void) state;
	check_wire(&kis_call_daily, daily_wire, lengthof(daily_wire));
	check_wire(&kis_call_calendar, calendar_wire, lengthof(calendar_wire));
	assert_int_equal(kis_call_trend.nmembers, 72);
}

static const KisCall *const calls[] = {
	&kis_call_trend, &kis_call_daily, &kis_call_calendar, &kis_call_index, &kis_call_program
};

/* Every call's members have names of their own, by which they are found. */
static void
test_names(void **state)
{
	(void) state;
	for (size_t c = 0; c < lengthof(calls); c++)
		for (int i = 0; i < calls[c]->nmembers; i++)
		{
			const KisMember *member = &calls[c]->members[i];

			assert_int_equal(kis_call_member_find(calls[c], member->field), i);
			assert_int_equal(kis_call_member_find(calls[c], member->column), i);
			assert_true(member->type[0] != '\0' && member->name_ko[0] != '\0');
		}
	assert_int_equal(kis_call_member_find(&kis_call_daily, "foreign_buy_qty"), -1);
	assert_int_equal(kis_call_member_find(&kis_call_trend, "stck_bsop_date"), -1);
}

/* The line's field of that number, from 0, cut in place. */
static char *
field_of(char *line, int number)
{
	while (number-- > 0)
	{
		line = strchr(line, '\t');
		assert_non_null(line);
		line++;
	}
	line[strcspn(line, "\t\n")] = '\0';
	return line;
}

/*
 * What fields.tsv marks as in_daily, the daily call has by the same name, as
 * the same column and type; and what it doesn't, the call doesn't have.
 */
static void
test_in_daily(void **state)
{
	FILE	   *file = fopen(CATALOG "/fields.tsv", "r");
	char		line[1024];
	char		copy[1024];
	int			nlines = 0;
	int			nmarked = 0;

	(void) state;
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	for (; fgets(line, sizeof(line), file) != NULL; nlines++)
	{
		bool		marked;
		const KisMember *member = &kis_members[nlines];
		int			daily = kis_call_member_find(&kis_call_daily, member->field);

		strcpy(copy, line);
		marked = strcmp(field_of(copy, 4), "t") == 0;
		assert_string_equal(field_of(line, 1), member->field);
		assert_int_equal(daily >= 0, marked);
		if (!marked)
			continue;
		nmarked++;
		assert_string_equal(kis_call_daily.members[daily].field, member->field);
		assert_string_equal(kis_call_daily.members[daily].column, member->column);
		assert_string_equal(kis_call_daily.members[daily].type, member->type);
		assert_string_equal(kis_call_daily.members[daily].name_ko, member->name_ko);
	}
	fclose(file);
	assert_int_equal(nlines, kis_member_count);
	assert_int_equal(nmarked, 24);
}

/* Each investor's figures, which KIS sends in different orders. */
static void
test_figures(void **state)
{
	char		column[64];

	(void) state;
	assert_int_equal(kis_investor_count * kis_measure_count, kis_member_count);
	for (int i = 0; i < kis_investor_count; i++)
		for (int m = 0; m < kis_measure_count; m++)
		{
			snprintf(column, sizeof(column), "%s_%s", kis_investors[i].code, kis_measures[m].name);
			assert_string_equal(kis_members[kis_figure(i, m)].column, column);
			assert_int_equal(kis_measures[m].is_amount, strstr(column, "_amount") != NULL);
		}
}

/* Units are those of which it is known how much they are, or none at all. */
static void
test_units(void **state)
{
	(void) state;
	for (int i = 0; i < kis_pair_count; i++)
	{
		const KisPair *pair = &kis_pairs[i];

		assert_int_equal(kis_unit_factor(pair->quantity_unit) > 0, pair->quantity_unit[0] != '\0');
		assert_int_equal(kis_unit_factor(pair->amount_unit) > 0, pair->amount_unit[0] != '\0');
	}
	assert_int_equal(kis_unit_factor("thousand shares"), 1000);
	assert_int_equal(kis_unit_factor("million won"), 1000000);
	assert_int_equal(kis_unit_factor("lots"), 0);
}

/* What pages are turned by. */
static void
test_paging(void **state)
{
	(void) state;
	assert_int_equal(kis_call_trend.day_member, -1);
	assert_int_equal(kis_call_trend.paging, KIS_PAGING_NONE);
	assert_string_equal(kis_call_daily.members[kis_call_daily.day_member].column, "trade_date");
	assert_int_equal(kis_call_daily.usual_rows, 300);
	assert_int_equal(kis_call_daily.paging, KIS_PAGING_BACK);
	assert_string_equal(kis_call_calendar.members[kis_call_calendar.day_member].column, "trade_date");
	assert_int_equal(kis_call_calendar.usual_rows, 24);
	assert_int_equal(kis_call_calendar.paging, KIS_PAGING_FORWARD);
	assert_int_equal(kis_call_calendar.lifetime, KIS_LIFETIME_DAY);
	assert_string_equal(kis_call_calendar.members[kis_call_calendar.open_member].column, "is_open");
}

/* What an entry says goes together; the members that a call goes by are none of its figures. */
static void
test_entries(void **state)
{
	(void) state;
	for (size_t c = 0; c < lengthof(calls); c++)
	{
		const KisCall *call = calls[c];
		int			of_call[] = {call->day_member, call->investor_member, call->open_member};

		assert_non_null(call->rows);
		assert_true(call->usual_rows > 0 && strlen(call->name) < 16);
		assert_true(call->paging == KIS_PAGING_NONE || call->day_member >= 0);
		assert_true(!call->whole.every_day || call->paging == KIS_PAGING_FORWARD);
		assert_true(call->whole.longest_closure == 0 || call->open_member >= 0);
		assert_int_equal(call->investor_member >= 0, call->investors != NULL);
		for (size_t i = 0; i < lengthof(of_call); i++)
			assert_true(of_call[i] < 0 || !call->members[of_call[i]].is_figure);
	}
	for (int i = 0; i < kis_member_count; i++)
		assert_true(kis_members[i].is_figure);
}

static void
test_served(void **state)
{
	(void) state;
	for (int i = 0; i < kis_market_count; i++)
	{
		const char *market = kis_markets[i].code;

		assert_true(kis_call_serves(&kis_call_trend, market));
		assert_int_equal(kis_call_serves(&kis_call_daily, market),
						 strcmp(market, "KSP") == 0 || strcmp(market, "KSQ") == 0);
	}
	assert_true(kis_call_takes(&kis_call_daily, KIS_ARG_SECTOR));
	assert_true(kis_call_takes(&kis_call_daily, KIS_ARG_DATE));
	assert_false(kis_call_takes(&kis_call_trend, KIS_ARG_DATE));
	assert_false(kis_call_takes(&kis_call_calendar, KIS_ARG_MARKET));
}

/* A call may take one of the codes, and have names of its own for the markets. */
static void
test_codes_of_parameters(void **state)
{
	static const KisTranslation codes[] = {{"KSP", "1"}, {"KSQ", "4"}, {NULL, NULL}};
	static const KisCall by_market = {.parameters = {{"A", .argument = KIS_ARG_MARKET, .codes = codes}}};
	static const KisCall by_sector = {.parameters = {{"A", .argument = KIS_ARG_SECTOR}}};

	(void) state;
	assert_true(kis_call_takes(&by_market, KIS_ARG_MARKET));
	assert_false(kis_call_takes(&by_market, KIS_ARG_SECTOR));
	assert_true(kis_call_serves(&by_market, "KSQ"));
	assert_false(kis_call_serves(&by_market, "ETF"));
	assert_true(kis_call_takes(&by_sector, KIS_ARG_MARKET));
	assert_true(kis_call_takes(&by_sector, KIS_ARG_SECTOR));
	assert_false(kis_call_takes(&by_sector, KIS_ARG_DATE));
	assert_string_equal(kis_translate(codes, "KSQ"), "4");
	assert_null(kis_translate(codes, "4"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_order),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_in_daily),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_paging),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_served),
		cmocka_unit_test(test_codes_of_parameters),
	};

	return run_unit_tests(tests);
}
