# A second server reads the live tables and the store by postgres_fdw, as
# doc/scale.md has it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use KisTest::Clock;
use KisTest::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $files = PostgreSQL::Test::Utils::tempdir();
my $first = new_node('first', env => $clock->env);
my $second = KisTest::Node->new('second');

$clock->set('2026-07-10 10:00:00');
$second->{kis_env} = $clock->env;
$second->init(extra => [ '--no-locale', '--encoding=UTF8' ]);
$second->start;
setup($first, 'postgres', $simulator, max_calls => 100);
$first->safe_psql('postgres', 'SELECT create_market_investor_trend(); SELECT FROM collect_market_investor_trend()');
append_to_file("$files/app_key", $simulator->app_key);
append_to_file("$files/app_secret", $simulator->app_secret);

my $page = KisTest::Page->new('doc/scale.md', 'A second server with postgres_fdw',
	nodes => { first => $first, second => $second },
	replace => { q{host 'first.example'} => 'host ' . sql_literal($first->host) . q{, port '} . $first->port . q{'},
		'/var/lib/postgresql/kis' => $files });

# Forgets what was asked.
sub reset_simulator
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set('2026-07-10 10:00:00');
	return;
}

sub value
{
	my ($sql) = @_;

	reset_simulator();
	return $second->safe_psql('postgres', $sql);
}

reset_simulator();
$page->run(qr/EXPLAIN/);
asks_nothing($simulator, 'importing and planning ask KIS for nothing');

# ---- what is sent decides the calls --------------------------------------------------

is(value(q{SELECT market_code, sector_code FROM kis_market_trend WHERE market_code = 'KSP'}), 'KSP|0001', 'a pair');
is_deeply([ $simulator->pairs ], ['KSP/0001'], 'by one call');
is(value(q{SELECT count(*) FROM kis_sector_trend JOIN kis_sector USING (market_code, sector_code) WHERE market_code = 'ETF' AND headline}), 1,
	'a join with the list of pairs');
is_deeply([ $simulator->pairs ], ['ETF/T000'], 'bounds them too');
is(value(q{SELECT market_code, sum(foreign_net_qty) IS NOT NULL FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ') GROUP BY 1 ORDER BY 1}),
	"KSP|t\nKSQ|t", 'a group');
is(value(q{PREPARE one(text) AS SELECT count(*) FROM kis_market_trend WHERE market_code = $1; SET plan_cache_mode = force_generic_plan; EXECUTE one('KSQ')}), 1,
	'a parameter');
is_deeply([ $simulator->pairs ], ['KSQ/1001'], 'by one call');
is(value(q{SELECT count(*) FROM kis_market_trend LIMIT 1}), 19, 'all pairs');
is($simulator->calls, 19, 'a call each');
like(value(q{EXPLAIN SELECT * FROM kis_sector_trend}), qr/rows=71\b/, 'the estimate is that of the first server');

# ---- days ----------------------------------------------------------------------------

reset_simulator();
$first->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET max_calls '2')});
$page->run(qr/\(SELECT current_date/);
is($simulator->calls, 2 + 1, 'all days, up to max_calls; by a subquery one call');
like(value(q{EXPLAIN VERBOSE SELECT FROM market_investor_trend_snapshot WHERE trade_date = '2026-07-10'}),
	qr/Remote SQL: .* WHERE \(\(trade_date = '2026-07-10'/, 'of the store as well');
is(value(q{SELECT count(*), min(collected_at_seoul::date) FROM market_investor_trend_intraday WHERE trade_date = '2026-07-10'}), '36|2026-07-10',
	"the view of the day's course");

# ---- what goes wrong -------------------------------------------------------------------

my $log = -s $second->logfile;

$page->run;
like(substr(slurp_log($second), $log), qr/WARNING:  .*KOSPI/, q{the warning is in the second server's log});
like(slurp_log($first), qr/WARNING:  .*KOSPI/, q{and in the first one's});
my ($sqlstate, $message, undef, $hint) = sql_error($second, 'postgres', 'SELECT FROM kis_sector_trend');
is($sqlstate, '54000', 'an error has the SQLSTATE of the first server');
like($hint, qr/\S/, 'and its hint');
$simulator->fault({ fault => 'hang', match => { pair => 'KSP/0001' } });
my $session = $second->session;
$session->send(q{SELECT * FROM kis_market_trend WHERE market_code = 'KSP'});
$simulator->wait_for('held', 1);
$second->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $session->pid . ')');
is($session->result->{errors}[0]{sqlstate}, '57014', 'a cancel reaches the first server');
ok(eventually { $first->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'}) == 0 },
	'which stops waiting for KIS');
$simulator->release(clear_faults => JSON::PP::true);

# ---- a transaction ---------------------------------------------------------------------

$first->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET max_calls '100')});
$session->query_safe('BEGIN; SELECT count(*) FROM market_investor_trend_snapshot');
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '4711' } });
$first->safe_psql('postgres', 'SELECT FROM collect_market_investor_trend()');
is($session->query_safe('SELECT count(*) FROM market_investor_trend_snapshot'), 3, 'a transaction sees the store as it was');
is($session->query_safe(q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'}), 4711, 'and the live tables as they are');
$session->query_safe('COMMIT');
is($session->query_safe('SELECT count(*) FROM market_investor_trend_snapshot'),
	$first->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_snapshot'), 'the next one all of it');
$session->quit;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
