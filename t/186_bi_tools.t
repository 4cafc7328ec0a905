# doc/bi-tools.md is true: its SQL runs as it stands, and costs what it says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my @blocks = slurp_file("$FindBin::RealBin/../doc/bi-tools.md") =~ /^```sql\n(.*?)^```/gms;

setup($node, 'postgres', $simulator, cache_ttl => undef, requests_per_second => 1000);
$node->safe_psql('postgres', 'SELECT kis_comment_tables(); SELECT create_market_investor_trend();'
	  . 'SELECT collect_market_investor_trend()');

# What Grafana makes of its macro
s/\$__timeFilter\((\w+)\)/$1 BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'/ foreach @blocks;

my %output;
foreach my $block (@blocks)
{
	my $result = run_sql($node, 'postgres', $block);
	my ($name) = $block =~ /\A(.*)/;

	is($result->{stderr}, '', "it runs: $name");
	$output{$name} = $result->{output};
}
like($output{'SELECT trade_date, investor_name, net_amount_eok'}, qr/^\d{4}-\d\d-\d\d\|외국인\|-?[\d.]+$/m, 'the view has names and 억원');
like($output{'SELECT collected_at AS "time",'}, qr/^\d{4}-.*(?:\|-?\d+){3}$/, "the panel's query finds the row");

$simulator->reset(keep_tokens => JSON::PP::true);
$node->safe_psql('postgres', q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0013'}) foreach 1 .. 10;
is($simulator->calls, 1, 'one call for ten panels');
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '0')");

# Calls of a statement by the role that only reads
sub calls
{
	my ($sql) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	my $result = run_sql($node, 'postgres', $sql, extra_params => [ '-U', 'dashboard' ]);
	is($result->{stderr}, '', "the role may: $sql");
	return $simulator->calls;
}

is(calls("SELECT * FROM $_"), 0, 'which asks for nothing')
  foreach qw(market_investor_trend_by_investor market_investor_trend market_investor_trend_snapshot
  kis_sector kis_investor_type flows_board);
is(calls(q{SELECT * FROM flows_now WHERE market_code = 'KSP'}), 1, 'one call');
is(calls(q{SELECT * FROM investors_now WHERE market_code = 'KSP' AND investor = 'foreign'}), 1, 'one call');
is(calls('SELECT * FROM flows_now JOIN investors_now USING (market_code, sector_code)'), 19, 'both together: 19 calls');
is(calls('SELECT * FROM flows_now'), 19, '19 calls');
is(calls('SELECT * FROM flows_now LIMIT 3'), 3, 'no more calls than rows');
is(calls('SELECT * FROM flows_now ORDER BY foreign_net_amount LIMIT 3'), 19, 'but for a sort');
is(calls('SELECT * FROM flows_now WHERE foreign_net_amount IS NULL LIMIT 3'), 19, 'or a condition on figures');
is($node->safe_psql('postgres', q{SELECT abs(sum(net_amount)) < 6 FROM market_investor_trend_by_investor
	WHERE market_code = 'KSP' AND part_of IS NULL}), 't', 'those that are no part of another add up to zero');
like($node->safe_psql('postgres', "SELECT obj_description('$_->[0]'::regclass), col_description('$_->[0]'::regclass, $_->[1])"),
	qr/ \/ .*\|.*million won$/, "$_->[0] has comments")
  foreach [ 'flows_now', 4 ], [ 'investors_now', 7 ];

is(run_sql($node, 'postgres', 'SELECT * FROM kis_market_trend', extra_params => [ '-U', 'dashboard' ])->{errors}[0]{sqlstate},
	'42501', 'what it has not been given it may not read');
is(run_sql($node, 'postgres', 'CREATE TEMP TABLE mine (); CREATE TABLE mine ()', extra_params => [ '-U', 'dashboard' ])->{errors}[0]{sqlstate},
	'25006', 'nor make tables, for it only reads');

# As the owner of the tables
sub owners_calls
{
	my ($sql) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$node->safe_psql('postgres', $sql);
	return $simulator->calls;
}

is(owners_calls('SELECT * FROM kis_market_trend'), 19, 'all markets: 19 calls');
is(owners_calls('SELECT * FROM kis_investor_trend'), 19, 'by investor: the same');
is(owners_calls('SELECT * FROM kis_sector_trend'), 71, 'all sectors: 71 calls');
is(owners_calls(q{SELECT * FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001'
	AND trade_date BETWEEN '2026-03-01' AND '2026-06-30'}), 1, 'four months of a pair: one call');
is(owners_calls(q{SELECT * FROM kis_calendar WHERE trade_date BETWEEN '2026-03-01' AND '2026-03-24'}), 1, 'a calendar of 24 days: one call');
is(owners_calls('REFRESH MATERIALIZED VIEW CONCURRENTLY flows_board'), 19, 'a refresh: 19 calls');
$simulator->reset(keep_tokens => JSON::PP::true);
is((sql_error($node, 'postgres', q{SELECT * FROM kis_market_trend_daily WHERE trade_date >= '2000-01-01'}))[0], '54000',
	'too many calls');
is($simulator->calls, 0, 'are refused before the first');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
