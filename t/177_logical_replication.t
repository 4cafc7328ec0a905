# The store on another server by logical replication, as doc/scale.md has it: one
# without the extension follows a new month, and takes over.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my ($first, $second) = map { KisTest::Node->new($_) } qw(first second);

$clock->set('2026-07-10 10:00:00');
foreach my $node ($first, $second)
{
	$node->{kis_env} = $clock->env;
	$node->init(extra => [ '--no-locale', '--encoding=UTF8' ], allows_streaming => 'logical');
}
$first->append_conf('postgresql.conf', "shared_preload_libraries = 'market_investor_fdw'");
$_->start foreach $first, $second;
setup($first, 'postgres', $simulator);

my $page = KisTest::Page->new('doc/scale.md', 'Logical replication',
	nodes => { first => $first, second => $second },
	replace => { 'host=first.example' => 'host=' . $first->host . ' port=' . $first->port });
my $figure = 0;

# A collection on that server, of figures that are new.
sub collect
{
	my ($node) = @_;

	$simulator->config(overrides => { map { $_ => { frgn_ntby_qty => ++$figure . '' } } qw(KSP/0001 KSQ/1001 ETF/T000) });
	return $node->safe_psql('postgres', q{SELECT string_agg(outcome, ' ') FROM collect_market_investor_trend()});
}

# What a server has in the three tables.
sub content
{
	my ($node) = @_;

	return join ' ', map {
		$node->safe_psql('postgres', "SELECT md5(string_agg(t::text, '' ORDER BY t::text)), count(*) FROM $_ AS t")
	} qw(market_investor_trend market_investor_trend_snapshot market_investor_trend_collection);
}

sub follows
{
	my ($name) = @_;

	$first->wait_for_catchup('flows');
	is(content($second), content($first), $name);
	return;
}

# ---- a second server -------------------------------------------------------------

$first->safe_psql('postgres', 'SELECT create_market_investor_trend()');
is(collect($first), 'inserted inserted inserted', 'a store in use');
$page->run(qr/CREATE PUBLICATION/);
my ($dump) = slurp_file("$FindBin::RealBin/../doc/scale.md") =~ /^(pg_dump --schema-only.*)$/m;
{
	local %ENV = (%ENV, FIRST => $first->connstr('postgres'), SECOND => $second->connstr('postgres'));
	command_ok([ 'bash', '-c', "set -o pipefail; $dump -q -v ON_ERROR_STOP=1" ], 'its tables and views, where the extension is not installed');
}
$page->run(qr/CREATE SUBSCRIPTION/);
$second->wait_for_subscription_sync($first, 'flows');
is(content($second), content($first), 'rows that were there are copied');
is(collect($first), 'updated updated updated', 'a collection');
follows('is replicated');
$page->run(qr/_intraday/);
is($second->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_by_investor'), 36, 'the other view');
is($second->safe_psql('postgres', q{SELECT count(*) FROM pg_extension WHERE extname = 'market_investor_fdw'}), 0, 'without the extension');

# ---- months to come, and to go -----------------------------------------------------

$clock->set('2026-09-01 10:00:00');
is(collect($first), 'inserted inserted inserted', 'two months later, past all that the second one has');
$first->safe_psql('postgres', q{CALL backfill_market_investor_trend('2026-08-24', '2026-08-31')});
follows('is replicated, and a backfill');
is($second->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_snapshot_rest'), 3, 'into the default partition');
is($second->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_collection_rest'), 3, 'as the log');
$first->safe_psql('postgres', 'DROP TABLE market_investor_trend_snapshot_y2026m07');
$first->safe_psql('postgres', 'DELETE FROM market_investor_trend_collection WHERE asked_at < now() - interval \'30 days\'');
is(collect($first), 'updated updated updated', 'a month is dropped, and a part of the log');
$first->wait_for_catchup('flows');
is($second->safe_psql('postgres', 'SELECT (SELECT count(*) FROM market_investor_trend_snapshot), (SELECT count(*) FROM market_investor_trend_collection)'),
	'12|12', 'but not where it is kept');

# ---- it takes over -------------------------------------------------------------------

my $last = $first->safe_psql('postgres', 'SELECT max(id) FROM market_investor_trend');

$first->stop;
$second->append_conf('postgresql.conf', "shared_preload_libraries = 'market_investor_fdw'");
$second->restart;
setup($second, 'postgres', $simulator);
$simulator->config(overrides => { map { $_ => { frgn_ntby_qty => ++$figure . '' } } qw(KSP/0001 KSQ/1001 ETF/T000) });
$page->run(qr/outcome FROM collect_market_investor_trend/);
is($second->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend_snapshot_rest'), 9, 'it collects into the default partition');
$clock->set('2026-09-02 10:00:00');
is(collect($second), 'inserted inserted inserted', 'a new day');
is($second->safe_psql('postgres', 'SELECT min(id) FROM market_investor_trend WHERE trade_date = \'2026-09-02\''), $last + 1,
	'has the ids after those that were replicated');
my $before = content($second);
$page->run;
is(content($second), $before, 'months again: no row is lost');
is($second->safe_psql('postgres', q{SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM market_investor_trend_snapshot}),
	'market_investor_trend_snapshot_y2026m07 market_investor_trend_snapshot_y2026m09', 'each in its own');
$clock->set('2026-10-01 10:00:00');
is(collect($second), 'inserted inserted inserted', 'a month later');
is($second->safe_psql('postgres', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits JOIN pg_class ON oid = inhrelid
	WHERE inhparent = 'market_investor_trend_snapshot'::regclass AND relname > 'market_investor_trend_snapshot_y2026m08'}),
	join(' ', map { "market_investor_trend_snapshot_y2026m$_" } qw(09 10 11)), 'with partitions as on any server');
is($second->safe_psql('postgres', q{SELECT count(*) > 0, count(*) FILTER (WHERE kind = 'no day') FROM market_investor_trend_gaps('market_investor_trend', '2026-09-02', '2026-09-02')}),
	't|0', 'and gaps by the log of both');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
