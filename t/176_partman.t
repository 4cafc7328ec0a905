# pg_partman takes over the months of a store in use, as doc/scale.md has it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $control = `pg_config --sharedir` =~ s/\n//r . '/extension/pg_partman.control';

plan skip_all => 'pg_partman 4 is not installed'
  unless -f $control && slurp_file($control) =~ /^default_version = '4\./m;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);
my $page = KisTest::Page->new('doc/scale.md', 'pg_partman', nodes => { main => $node });
my $figure = 0;

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# A collection of a figure that is new: its outcome, and what it says besides.
sub collect
{
	show();
	my $result = run_sql($node, 'postgres', q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')});

	return join ' ', $result->{output}, map { $_->{message} } @{ $result->{messages} };
}

sub show
{
	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => ++$figure . '' } });
	return;
}

# The ends of its partitions' names, and the one with the newest row
sub partitions
{
	my ($table) = @_;

	return value(qq{SELECT string_agg(pg_catalog.replace(relname, '${table}_', ''), ' ' ORDER BY relname)
		FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = '$table'::regclass});
}

sub holder
{
	return join ' ', map {
		value("SELECT tableoid::regclass FROM market_investor_trend_$_->[0] ORDER BY $_->[1] DESC LIMIT 1") =~ s/market_investor_trend_//r
	} [ 'snapshot', 'collected_at' ], [ 'collection', 'asked_at' ];
}

# ---- a store in use ------------------------------------------------------------------

$clock->set('2026-06-10 10:00:00');
setup($node, 'postgres', $simulator);
value('SELECT create_market_investor_trend()');
is(collect(), 'inserted', 'a store of June');
$clock->set('2026-07-10 10:00:00');
is(collect(), 'inserted', 'and July');

# a collection that waits for KIS while its store is adopted
show();
$simulator->fault({ fault => 'hang', match => { pair => 'KSP/0001' } });
my $collector = $node->session;
$collector->send(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')});
$simulator->wait_for('held', 1);
$page->run(qr/create_parent/);
$simulator->release(clear_faults => JSON::PP::true);
is($collector->result->{output}, 'updated', 'a collection that was under way goes on');
my @months = map { "p2026_$_" } qw(03 04 05 06 07 08 09 10 11);
foreach my $table (qw(market_investor_trend_snapshot market_investor_trend_collection))
{
	is(partitions($table), "default @months", "$table has pg_partman's months");
}
is(value('SELECT count(*) FROM market_investor_trend_snapshot'), 3, 'and its rows');
is(collect(), 'updated', 'a collection after it');
is(holder(), 'snapshot_p2026_07 collection_p2026_07', 'in them');
is(value('SELECT create_market_investor_trend()'), '', 'the store made again');
is(partitions('market_investor_trend_snapshot'), "default @months", 'adds nothing');
is(value(q{SELECT count(*) FROM market_investor_trend_intraday WHERE collected_at >= '2026-07-01 00:00+09'}), 36, 'the view reads it');
is(value(q{SET timezone = 'Asia/Seoul'; SELECT string_agg(pg_get_expr(relpartbound, oid), '') FROM pg_class WHERE relname = 'market_investor_trend_snapshot_p2026_10'}),
	"FOR VALUES FROM ('2026-10-01 00:00:00+09') TO ('2026-11-01 00:00:00+09')", 'months are those of Seoul');

# ---- months come and go ----------------------------------------------------------------

$clock->set('2026-08-01 00:30:00');
$page->run;
like(partitions('market_investor_trend_snapshot'), qr/ p2026_12$/, 'maintenance makes a month ahead');
$clock->set('2026-09-01 10:00:00');
is(collect(), 'inserted', 'in September');
is(holder(), 'snapshot_p2026_09 collection_p2026_09', 'in its month');
value(q{CALL backfill_market_investor_trend('2026-08-24', '2026-08-31', '{KSP/0001}')});
is(value(q{SELECT kind, gap_to - gap_from FROM market_investor_trend_gaps('market_investor_trend', '2026-09-01', '2026-09-01') WHERE kind <> 'sums differ' ORDER BY gap_from}),
	'not collected|01:00:00', 'gaps are those of the log');

# it did not run for long
$clock->set('2027-02-01 10:00:00');
is(collect(), 'inserted', 'in February, with no month made');
is(holder(), 'snapshot_default collection_default', 'it goes to the default partition');
foreach my $table (qw(snapshot collection))
{
	is(value("SELECT partman.partition_data_time('public.market_investor_trend_$table')"), 1, 'which pg_partman empties');
}
is(holder(), 'snapshot_p2027_02 collection_p2027_02', 'into the month');
is(collect(), 'updated', 'a collection');
is(holder(), 'snapshot_p2027_02 collection_p2027_02', 'goes there');

# by its background worker, a year after the first month
$clock->set('2027-08-02 10:00:00');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'market_investor_fdw, pg_partman_bgw'\n"
	  . "pg_partman_bgw.dbname = 'postgres'\npg_partman_bgw.role = '" . value('SELECT current_user') . "'\npg_partman_bgw.interval = 1");
$node->restart;
ok(eventually { partitions('market_investor_trend_collection') =~ / p2027_12$/ }, 'the background worker makes months');
is(partitions('market_investor_trend_snapshot') =~ /^default (p\w+)/ && $1, 'p2026_08', 'and drops those older than twelve');
is(value(q{SET timezone = 'Asia/Seoul'; SELECT string_agg(pg_get_expr(relpartbound, oid), '') FROM pg_class WHERE relname = 'market_investor_trend_snapshot_p2027_12'}),
	"FOR VALUES FROM ('2027-12-01 00:00:00+09') TO ('2028-01-01 00:00:00+09')", 'which are those of Seoul');
is(collect(), 'inserted', 'and it collects');
is(holder(), 'snapshot_p2027_08 collection_p2027_08', 'into its month');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
