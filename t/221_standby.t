# A hot standby, read-only sessions and prepared transactions: queries work, by
# calls, cache and rate of their own; what writes says why it can't, and asks
# KIS for nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use KisTest::Page;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $primary = KisTest::Node->new('primary');

$primary->init(extra => [ '--no-locale', '--encoding=UTF8' ], allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'market_investor_fdw'\nmax_prepared_transactions = 10");
$primary->start;
setup($primary, 'postgres', $simulator, session_start => '00:00');
$primary->safe_psql('postgres', 'SELECT create_market_investor_trend(); SELECT count(*) FROM collect_market_investor_trend()');
$primary->backup('copy');

my $standby = KisTest::Node->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

my $page = KisTest::Page->new('doc/scale.md', 'A hot standby', nodes => { standby => $standby });
my $ksp = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'};

# What writes, each with the command that PostgreSQL says it can't run
my %writes = (
	'SELECT * FROM collect_market_investor_trend()' => 'collect_market_investor_trend()',
	q{SELECT * FROM collect_market_investor_trend('{}')} => 'collect_market_investor_trend()',
	q{CALL backfill_market_investor_trend('2026-07-01', '2026-07-02')} => 'backfill_market_investor_trend()',
	'SELECT create_market_investor_trend()' => 'create_market_investor_trend()',
	q{SELECT create_market_investor_trend('another')} => 'create_market_investor_trend()',
	'SELECT kis_comment_tables()' => 'COMMENT',
	q{ALTER SERVER kis OPTIONS (SET cache_ttl '10s')} => 'ALTER SERVER',
	'IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public' => 'IMPORT FOREIGN SCHEMA');

sub writes_nothing
{
	my ($node, $before, $after, $ours, $theirs) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	foreach my $sql (sort keys %writes)
	{
		my ($state, $message) = sql_error($node, 'postgres', "$before $sql; $after");

		is("$state $message", "25006 cannot execute $writes{$sql} " . ($writes{$sql} =~ /\(/ ? $ours : $theirs), $sql);
	}
	asks_nothing($simulator, "$ours: and KIS is asked for nothing");
	return;
}

# ---- a hot standby -----------------------------------------------------------

$primary->wait_for_catchup($standby);
$simulator->reset(keep_tokens => JSON::PP::true);
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'a hot standby');
is($standby->safe_psql('postgres', $ksp), 'KSP', 'answers a query');
is($simulator->calls('token'), 1, 'with a token of its own, which KIS gives to all who ask: shared memory is not replicated');
is($simulator->calls, 1, 'and one call');
is($standby->safe_psql('postgres', q{SELECT count(trade_date) FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date > '2026-07-01'}),
	7, 'of days, too');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM kis_market_trend JOIN kis_sector USING (market_code, sector_code)'), 19, 'of all pairs');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend'), 3, 'the store is read there');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_by_investor'), 36, 'and its view');
like($standby->safe_psql('postgres', 'SELECT calls, errors FROM kis_stat'), qr/^21\|/, 'kis_stat counts the calls of this server');
$page->run(qr/gaps/);
is($standby->safe_psql('postgres', q{SELECT string_agg(step, ' ') FROM kis_check() WHERE NOT ok}), '', 'kis_check finds nothing wrong');
is($standby->safe_psql('postgres', q{BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ'); FETCH c; FETCH c; COMMIT}),
	"KSP\nKSQ", 'a cursor');
is((sql_error($standby, 'postgres', 'BEGIN ISOLATION LEVEL SERIALIZABLE; ' . $ksp))[0], '0A000', 'serializable is PostgreSQL\'s to refuse');
is($standby->safe_psql('postgres', "SELECT kis_stat_reset(); SELECT calls FROM kis_stat"), "\n0", 'kis_stat_reset writes no table');
writes_nothing($standby, '', '', 'during recovery', 'in a read-only transaction');
is((sql_error($standby, 'postgres', "INSERT INTO market_investor_trend (market_code) VALUES ('KSP')"))[0], '25006', 'as PostgreSQL says of an INSERT');

# cache and rate are the standby's own
$primary->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});
$primary->wait_for_catchup($standby);
$simulator->reset(keep_tokens => JSON::PP::true);
is($standby->safe_psql('postgres', $ksp), 'KSP', 'an option that is changed on the primary') foreach 1 .. 3;
is($simulator->calls, 1, 'holds on the standby: its replies are cached');
$primary->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0', SET requests_per_second '5')});
$primary->wait_for_catchup($standby);
$simulator->reset(keep_tokens => JSON::PP::true);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ', 'K2I', 'ETF', 'ELW', 'ETN', 'MKI')}), 11, 'and the rate');
my @at = map { $_->{monotonic} } $simulator->requests('data');
is(scalar grep({ $at[$_] - $at[ $_ - 5 ] < 0.95 } 5 .. $#at), 0, 'at most five calls in any second');
$primary->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET requests_per_second '1000')});
$primary->wait_for_catchup($standby);

# A query that waits for KIS holds up no replay but that of what it uses
my $reader = $standby->session;
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ fault => 'hang', match => { pair => 'KSP/0001' } });
$reader->send($ksp);
$simulator->wait_for('held', 1);
$primary->safe_psql('postgres', 'CREATE TABLE meanwhile AS SELECT 1 AS one');
$primary->wait_for_catchup($standby, 'replay');
is($standby->safe_psql('postgres', 'TABLE meanwhile'), 1, 'replay goes on while a query waits for KIS');
$simulator->release(clear_faults => JSON::PP::true);
is($reader->result->{output}, 'KSP', 'and the query gets its row');

# Promoted, it writes
$simulator->fault;
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '1234' } });
$page->run;
is($reader->query_safe($ksp), 'KSP', 'a session that was there before the promotion');
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '12345' } });
is($reader->query_safe(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), 'updated', 'collects after it');
$standby->stop;

# ---- read-only, on the primary -------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
foreach my $case (
	[ 'BEGIN READ ONLY;', 'ROLLBACK;' ],
	[ 'SET default_transaction_read_only = on;', '' ],
	[ 'SET default_transaction_isolation = serializable; SET default_transaction_deferrable = on; SET default_transaction_read_only = on;', '' ])
{
	my ($before, $after) = @$case;

	is((split /\n/, $primary->safe_psql('postgres', "$before $ksp; $after"))[-1], 'KSP', "$before a query works");
	is((split /\n/, $primary->safe_psql('postgres', "$before SELECT count(*) FROM kis_check() WHERE ok; $after"))[-1], 7, 'and kis_check');
	writes_nothing($primary, $before, $after, ('in a read-only transaction') x 2);
}

# ---- prepared transactions -----------------------------------------------------

my $session = $primary->session;

sub prepared
{
	my ($name, $expected, @sql) = @_;

	$session->query_safe('BEGIN');
	$session->query_safe($_) foreach @sql;
	my ($state, $message) = $session->error("PREPARE TRANSACTION '$name'");

	is(defined $state ? $state : 'ok', $expected, "two-phase commit after $name") or diag($message);
	$session->query('ROLLBACK') if defined $state;
	is($session->query_safe($ksp), 'KSP', 'and the session works on');
	return;
}

$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '54321' } });
prepared('a query', 'ok', $ksp);
prepared('an open cursor', 'ok', 'DECLARE c CURSOR FOR SELECT * FROM kis_market_trend', 'FETCH c');
prepared('a cursor WITH HOLD', '0A000', 'DECLARE c CURSOR WITH HOLD FOR SELECT * FROM kis_market_trend', 'FETCH c');
prepared('a failure', 'ok', 'SAVEPOINT s', 'SELECT 1', 'ROLLBACK TO s', $ksp);
prepared('a collection', 'ok', q{SELECT outcome FROM collect_market_investor_trend('{KSP}')});
prepared('a backfill', 'ok', q{CALL backfill_market_investor_trend('2026-07-01', '2026-07-02', '{KSQ/1001}')});
prepared('a new store', 'ok', q{SELECT create_market_investor_trend('later')});
prepared('a temporary store', '0A000', q{SELECT create_market_investor_trend('pg_temp.passing', false)});

my $stored = q{SELECT count(*) FILTER (WHERE foreign_net_qty = 54321), count(*) FILTER (WHERE source = 'daily') FROM market_investor_trend};
is($primary->safe_psql('postgres', $stored), '0|0', 'what is prepared is not seen');
is((sql_error($primary, 'postgres', q{SET lock_timeout = '300ms'; SELECT * FROM collect_market_investor_trend('{KSP}')}))[0], '55P03', 'another collection waits for its rows');
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 6, 'it outlives a crash');
$primary->safe_psql('postgres', "COMMIT PREPARED '$_'") foreach 'a query', 'an open cursor', 'a failure', 'a collection', 'a backfill';
$primary->safe_psql('postgres', "ROLLBACK PREPARED 'a new store'");
is($primary->safe_psql('postgres', $stored), '1|2', 'and is there once it is committed');
is($primary->safe_psql('postgres', q{SELECT to_regclass('later') IS NULL}), 't', 'or gone');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
