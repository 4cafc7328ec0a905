# Beside other extensions, which instrument plain EXPLAIN, print plans that were
# never begun, and look into all that is planned: what we print stays the same,
# and nobody is asked for what nobody runs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $libraries = `pg_config --pkglibdir` =~ s/\n//r;
# pg_qualstats is what instruments plain EXPLAIN; each of the others comes along where it is
my @others = grep { -f "$libraries/$_.so" }
  qw(pg_qualstats auto_explain pg_stat_statements pg_stat_kcache pg_wait_sampling pgaudit hypopg plugin_debugger);

plan skip_all => 'pg_qualstats is not installed' unless $others[0] eq 'pg_qualstats';
# which needs what comes before it
@others = grep { $_ ne 'pg_stat_kcache' } @others unless grep { $_ eq 'pg_stat_statements' } @others;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => "shared_preload_libraries = '" . join(', ', 'market_investor_fdw', @others) . q{'
pg_qualstats.sample_rate = 1
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
auto_explain.log_level = log
});
diag "beside @others";

setup($node, 'postgres', $simulator);
my $session = $node->session;
$session->query_safe(q{
	CREATE FUNCTION nested() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
		RETURN QUERY EXECUTE 'EXPLAIN SELECT * FROM kis_market_trend WHERE market_code = ''KSP'''; END $$;
	CREATE TABLE parted (market_code text, sector_code text, foreign_net_qty bigint) PARTITION BY LIST (market_code);
	CREATE FOREIGN TABLE parted_ksp PARTITION OF parted FOR VALUES IN ('KSP') SERVER kis OPTIONS (table_name 'kis_market_trend');
	CREATE TABLE parted_old PARTITION OF parted DEFAULT;
	CREATE TABLE codes AS SELECT 'KSP' AS code;
	PREPARE one(text) AS SELECT * FROM kis_market_trend WHERE market_code = $1;
	SET plan_cache_mode = force_generic_plan});

# ---- explained, and never begun

my @queries = (
	q{SELECT * FROM kis_market_trend WHERE market_code = 'KSP'},
	q{SELECT market_code FROM kis_market_trend LIMIT 3},
	q{SELECT * FROM kis_market_trend_daily WHERE market_code = 'KSP' ORDER BY trade_date DESC LIMIT 3},
	q{SELECT * FROM kis_investor_trend WHERE investor = 'foreign'},
	q{SELECT * FROM kis_calendar},
	q{SELECT * FROM parted},
	q{SELECT * FROM codes, LATERAL (SELECT * FROM kis_market_trend WHERE market_code = code LIMIT 1) k},
	q{SELECT (SELECT count(*) FROM kis_sector_trend WHERE market_code = code) FROM codes},
	q{WITH c AS MATERIALIZED (SELECT * FROM kis_market_trend) SELECT * FROM c a, c b},
	q{SELECT * FROM kis_market_trend WHERE market_code = 'KSP' UNION ALL SELECT * FROM kis_sector_trend WHERE market_code = 'KSQ'},
	q{UPDATE codes SET code = k.market_code FROM kis_market_trend k WHERE k.market_code = code},
	q{SELECT * FROM codes, kis_market_trend k WHERE k.market_code = code FOR UPDATE OF codes},
	q{EXECUTE one('KSP')},
	q{DECLARE c CURSOR FOR SELECT * FROM kis_market_trend},
	q{CREATE TABLE made AS SELECT * FROM kis_market_trend});
my @ways = ('', '(VERBOSE)', '(FORMAT json)', '(SETTINGS, BUFFERS off, COSTS off, FORMAT yaml)');
push @ways, '(GENERIC_PLAN)' if $node->pg_version >= 16;

foreach my $query (@queries)
{
	foreach my $way (@ways)
	{
		my $result = $session->query("EXPLAIN $way $query");

		is_deeply($result->{errors}, [], "EXPLAIN $way $query");
		like($result->{output}, qr/KIS Endpoint/, 'the scan is explained');
		unlike($result->{output}, qr/Cached Replies/, 'and nothing said of what it cost');
	}
}
like($session->query_safe('SELECT * FROM nested()'), qr/KIS Endpoint/, 'within a function');
is($simulator->calls('any'), 0, 'and nobody is asked');
my $logged = slurp_log($node);
cmp_ok(scalar(() = $logged =~ /KIS Endpoint/g), '>', scalar @queries * @ways, 'auto_explain has printed the plans');
unlike($logged, qr/Cached Replies/, 'without figures of what was never begun');

# ---- begun, and maybe not run

my $analyzed = 'EXPLAIN (ANALYZE, TIMING off, SUMMARY off, COSTS off, BUFFERS off)';
like($session->query_safe("$analyzed SELECT * FROM kis_market_trend WHERE false"), qr/One-Time Filter: false/, 'without a scan');
like($session->query_safe("$analyzed SELECT * FROM codes, LATERAL (SELECT * FROM kis_market_trend WHERE market_code = code LIMIT 1) k WHERE code = 'none'"),
	qr/Foreign Scan on kis_market_trend \(never executed\)\n(?:.*\n){3}\s+Calls: 0\n/, 'never executed: no calls');
like($session->query_safe("$analyzed SELECT CASE WHEN code = 'none' THEN (SELECT count(*) FROM kis_sector_trend) END FROM codes"),
	qr/Foreign Scan on kis_sector_trend \(never executed\)/, 'a subplan never executed');
is($simulator->calls, 0, 'and nobody is asked');
like($session->query_safe("$analyzed SELECT * FROM kis_market_trend WHERE market_code = 'KSP'"), qr/Calls: 1\n/, 'executed');
is($session->query_safe(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'}), 'KSP', 'a query');
is($simulator->calls, 2, 'a call each');
like(slurp_log($node), qr/Cached Replies: 0/, 'and their plans are in the log with what they cost');
is($session->pid, $session->query_safe('SELECT pg_backend_pid()'), 'the session is what it was');

$session->quit;
done_testing();
