# The snapshots of a store in use become a hypertable of TimescaleDB's, as
# doc/scale.md has it: compressed, summed up and dropped by its policies.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Page;
use Test::More;

plan skip_all => 'TimescaleDB is not installed'
  unless -f `pg_config --sharedir` =~ s/\n//r . '/extension/timescaledb.control';

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env,
	conf => "shared_preload_libraries = 'timescaledb, market_investor_fdw'\ntimescaledb.telemetry_level = off");
my $page = KisTest::Page->new('doc/scale.md', 'TimescaleDB', nodes => { main => $node });
my $snapshots = 'market_investor_trend_snapshot';
my $figure = 0;

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub show
{
	$figure++;
	$simulator->config(overrides => { map { $_ => { frgn_ntby_tr_pbmn => "$figure" } } qw(KSP/0001 KSQ/1001 ETF/T000) });
	return;
}

# A collection of figures that are new: its outcomes, and what it says besides
sub collect
{
	show();
	my $result = run_sql($node, 'postgres', 'SELECT outcome FROM collect_market_investor_trend()');

	return join ' ', (split /\n/, $result->{output}), map { $_->{message} } @{ $result->{messages} };
}

sub run_job
{
	my ($procedure) = @_;

	value('CALL run_job(' . value("SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_$procedure'") . ')');
	return;
}

# How many chunks there are, and how many of them are compressed
sub chunks
{
	return value("SELECT count(*), count(*) FILTER (WHERE is_compressed) FROM timescaledb_information.chunks WHERE hypertable_name = '$snapshots'");
}

# ---- a store in use ------------------------------------------------------------------

$clock->set('2026-06-10 10:00:00');
setup($node, 'postgres', $simulator);
value('SELECT create_market_investor_trend()');
is(collect(), 'inserted inserted inserted', 'a store of June');
$clock->set('2026-07-10 10:00:00');
is(collect(), 'inserted inserted inserted', 'and July');

# a collection that waits for KIS while its snapshots become a hypertable
my $before = value("SELECT md5(string_agg(s::text, '' ORDER BY collected_at)) FROM $snapshots AS s");
$simulator->fault({ fault => 'hang', match => { pair => 'KSP/0001' } });
my $collector = $node->session;
$collector->send(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')});
$simulator->wait_for('held', 1);
$page->run(qr/create_hypertable/);
is(value("SELECT md5(string_agg(s::text, '' ORDER BY collected_at)) FROM $snapshots AS s"), $before, 'no row is lost');
show();
$simulator->release(clear_faults => JSON::PP::true);
is($collector->result->{output}, 'updated', 'a collection that was under way goes on');
$collector->quit;
# policies run when the test says so
value('SELECT _timescaledb_functions.stop_background_workers()');
$page->run;

# ---- in use --------------------------------------------------------------------------

is(collect(), 'updated updated updated', 'a collection into it');
is(value(q{SELECT count(*) FROM market_investor_trend_intraday WHERE investor = 'foreign' AND trade_date = '2026-07-10' AND net_amount = } . $figure), 3, 'the view has it');
is(chunks(), '2|0', 'a chunk for each week that has rows');
is_deeply(run_sql($node, 'postgres', 'SELECT create_market_investor_trend()')->{messages}, [], 'the store made again');
is(chunks(), '2|0', 'adds nothing');
is(value(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'market_investor_trend_collection'::regclass}), 3, 'the log has its months, as before');

$clock->set('2026-07-20 10:00:00');
is(collect(), 'inserted inserted inserted', 'in the week after the next');
run_job('compression');
is(chunks(), '3|1', 'weeks that are over are compressed');
run_job('refresh_continuous_aggregate');
is(value(q{SELECT hour AT TIME ZONE 'Asia/Seoul', foreign_net_amount FROM flows_by_hour WHERE market_code = 'KSP' ORDER BY hour DESC LIMIT 1}),
	"2026-07-20 10:00:00|$figure", 'and the hour has its last totals');

value("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('$snapshots') AS c");
is(chunks(), '3|3', 'into a chunk that is compressed');
is(collect(), 'updated updated updated', 'it collects as well');
my $rows = value("SELECT count(*) FROM $snapshots");
is(value('SELECT count(*) FROM collect_market_investor_trend()'), 3, 'figures that it has');
is(value("SELECT count(*) FROM $snapshots"), $rows, 'add no snapshot');
my @collectors = map { $node->session } 1 .. 2;
show();
$_->send('SELECT outcome FROM collect_market_investor_trend()') foreach @collectors;
is(join('', map { $_->{errors}[0]{message} // '' } map { $_->result } @collectors), '', 'two collectors at once');
$_->quit foreach @collectors;
is(value("SELECT count(*) FROM $snapshots"), $rows + 3, 'leave each figure once');
is(value(q{SELECT string_agg(outcome, ' ') FROM market_investor_trend_collection WHERE outcome = 'failed'}), '', 'the log has no failure');
value(q{CALL backfill_market_investor_trend('2026-07-13', '2026-07-17', '{KSP/0001}')});
is(value(q{SELECT count(*) FROM market_investor_trend WHERE source = 'daily'}), 4 + 1, 'a backfill');
is(value(q{SELECT count(*) FROM market_investor_trend_gaps('market_investor_trend', '2026-07-20', '2026-07-20') WHERE kind = 'not collected'}), 3, 'gaps, by the log');
is(value(q{CALL market_investor_trend_job(); SELECT count(*) FROM market_investor_trend_collection WHERE asked_at > now() - interval '1 minute' AND trade_date = '2026-07-20'} ) > 0, 1, 'a job');
is(value(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'}), 'KSP', 'live tables');

# ---- what goes -------------------------------------------------------------------------

$clock->set('2027-07-19 10:00:00');
is(collect(), 'inserted inserted inserted', 'a year later');
run_job('retention');
is(value("SELECT min(collected_at AT TIME ZONE 'Asia/Seoul')::date FROM $snapshots"), '2026-07-20', 'snapshots older than that are dropped');
is(value(q{SELECT min(hour AT TIME ZONE 'Asia/Seoul')::date FROM flows_by_hour}), '2026-06-10', 'their hours stay');

# a store that is none of TimescaleDB's beside it
value(q{SELECT create_market_investor_trend('plain'); SELECT FROM collect_market_investor_trend(store => 'plain')});
is(value('SELECT string_agg(DISTINCT tableoid::regclass::text, \'\') FROM plain_snapshot'), 'plain_snapshot_y2027m07', 'a plain store beside it has its months');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
