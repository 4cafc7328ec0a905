# The index beside the snapshots, where a collection is told to keep it: the level
# of the moment, a call more for each target that has one, and never at the cost
# of the figures.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new(config => { clock => '2026-07-10T10:00:00', token_rules => JSON::PP::false });
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 10:00:00');		# a Friday
setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');

sub value { return $node->safe_psql('postgres', $_[0]) }

my $minute = 0;
sub next_minute { $clock->set(sprintf '2026-07-10 10:%02d:00', ++$minute); return }

# A minute later: what a collection into the store says, and the calls that it took
sub collect
{
	my ($arguments) = @_;
	my %before = map { $_ => scalar $simulator->calls($_) } qw(trend index);

	next_minute();
	my $said = value("SELECT string_agg(concat_ws(' ', market_code, outcome, substr(detail, 1, 40)), ', ') FROM collect_market_investor_trend($arguments)");
	return "$said: " . join '+', map { $simulator->calls($_) - $before{$_} } qw(trend index);
}

my $last = q{SELECT string_agg(DISTINCT concat(market_code, ' ', coalesce(index_level::text, 'NULL')), ', ' ORDER BY concat(market_code, ' ', coalesce(index_level::text, 'NULL')))
	FROM market_investor_trend_snapshot WHERE collected_at > now() - interval '50 seconds'};

is(collect(q{'{KSP/0001}'}), 'KSP inserted: 1+0', 'unless it is told, no call for the index');
is(value($last), 'KSP NULL', 'and none is kept');

is(collect(q{'{KSP/0001,KSQ/1010,ETF,K2I/F001}', index_level => true}), 'ETF inserted, K2I inserted, KSP updated, KSQ inserted: 4+2', 'a call for each that has an index');
is(value($last), value(q{CREATE FOREIGN TABLE levels (market_code text, sector_code text, level numeric) SERVER kis OPTIONS (table_name 'kis_index', pairs 'all');
	SELECT string_agg(concat(market_code, ' ', coalesce(level::text, 'NULL')), ', ' ORDER BY market_code)
	FROM (SELECT market_code, level FROM levels WHERE sector_code IN ('0001', '1010') UNION ALL VALUES ('ETF', NULL::numeric), ('K2I', NULL)) AS l}), 'the level of that moment');
is(value(q{SELECT string_agg(DISTINCT concat(i.market_code, ' ', i.index_level = s.index_level::float8), ', ') FROM market_investor_trend_intraday i
	JOIN market_investor_trend_snapshot s USING (market_code, sector_code, collected_at) WHERE i.collected_at > now() - interval '50 seconds'}),
	'ETF , K2I , KSP t, KSQ t', 'beside the flows of each investor');

# ---- what may go wrong with it
$simulator->config(overrides => { 'index:0001' => { bstp_nmix_prpr => '7654.32' }, 'index:1001' => { bstp_nmix_prpr => '0.00' } });
is(collect(q{'{KSP,KSQ}', index_level => true}), 'KSP updated, KSQ inserted without the index: KIS sent "0.00": 2+2', 'a level of zero is none');
is(value($last), 'KSP 7654.32, KSQ NULL', 'four digits and two decimals');
foreach my $bad ('', '1.2.3', '1e5', 'NaN', '--1', '9' x 40)
{
	$simulator->config(overrides => { 'index:0001' => { bstp_nmix_prpr => $bad } });
	like(collect(q{'{KSP}', index_level => true}), qr/^KSP updated without the index: KIS sent .*: 1\+1$/, qq{"$bad" is none});
	is(value($last), 'KSP NULL', 'the figures are kept');
}
$simulator->config(overrides => {});
$simulator->fault({ fault => 'error', match => { kind => 'index', sector => '0001' }, params => { msg_cd => 'OPSQ0002' } });
like(collect(q{'{KSP,KSQ}', index_level => true}), qr/^KSP updated without the index: .*, KSQ updated: 2\+2$/, 'an index that is refused fails no target');
is(value(q{SELECT string_agg(concat_ws(' ', market_code, outcome, detail ~ '^without the index: .*OPSQ0002'), ', ' ORDER BY market_code) FROM market_investor_trend_collection
	WHERE asked_at > now() - interval '50 seconds'}), 'KSP updated t, KSQ updated', 'the log says why');
$simulator->fault;
$simulator->fault({ fault => 'error', match => { kind => 'trend' }, params => { msg_cd => 'OPSQ0002' } });
is((sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP}', index_level => true)}))[1], 'could not collect any target', 'the index alone is nothing');
$simulator->fault;

value(q{ALTER SERVER kis OPTIONS (ADD max_calls '3')});
is((sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP,KSQ}', index_level => true)}))[0], '54000', 'max_calls counts it');
value(q{ALTER SERVER kis OPTIONS (DROP max_calls)});

# where calls are few the figures, and their day, come first
value(q{ALTER SERVER kis OPTIONS (ADD max_concurrent_requests '1', SET calendar 'kis')});
next_minute();
$simulator->reset(keep_tokens => JSON::PP::true);
$clock->set(sprintf '2026-07-10 10:%02d:00', $minute);
value(q{SELECT collect_market_investor_trend('{KSP,KSQ}', index_level => true)});
is(join(' ', map { $_->{kind} } $simulator->requests('data')), 'trend trend holiday index index', 'the index is asked last');
value(q{ALTER SERVER kis OPTIONS (DROP max_concurrent_requests, SET calendar 'weekday')});

# ---- the job, and stores without the column
next_minute();
value(q{CALL market_investor_trend_job('{KSP}', index_level => true)});
is(value($last), value(q{SELECT 'KSP ' || level FROM levels WHERE sector_code = '0001'}), 'the job');
value(q{SELECT create_market_investor_trend('plain', snapshots => false)});
is(join('; ', (sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP}', store => 'plain', index_level => true)}))[ 0, 1 ]),
	'42703; store "plain" has no snapshots with a column "index_level"', 'a store without snapshots');
value(q{ALTER TABLE market_investor_trend_snapshot DROP COLUMN index_level CASCADE});
my $calls = $simulator->calls('data');
is(join('; ', (sql_error($node, 'postgres', q{CALL market_investor_trend_job('{KSP}', index_level => true)}))[ 1, 3 ]),
	'store "market_investor_trend" has no snapshots with a column "index_level"; Have its owner run SELECT create_market_investor_trend(\'market_investor_trend\'); or add the column, of type numeric.',
	'an older store');
is($simulator->calls('data'), $calls, 'before any call');
is(collect(q{'{KSP}'}), 'KSP updated: 1+0', 'collects as it did');
my $count = value('SELECT count(*) FROM market_investor_trend_snapshot');
value('SELECT create_market_investor_trend()');
is(value('SELECT count(*) FROM market_investor_trend_snapshot'), $count, 'is brought up to date, with every row');
is(collect(q{'{KSP}', index_level => true}), 'KSP updated: 1+1', 'and keeps the index');
like(value(q{SELECT DISTINCT index_level FROM market_investor_trend_intraday WHERE collected_at > now() - interval '50 seconds'}), qr/^\d+\.?\d*$/, 'in its view, too');

is_deeply([ $simulator->problems ], [], 'requests as they are documented');
$node->stop;
done_testing();
