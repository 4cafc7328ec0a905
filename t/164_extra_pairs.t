# Pairs that KIS has and that are not listed: as targets, in warnings, with their
# units. A code that merely looks like one of ours is not taken for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new(config => { extra_pairs => [ 'KSQ/1049', 'WQM/OC06', 'WQM/OP06' ],
	overrides => { map { $_ => { frgn_ntby_qty => '7', frgn_ntby_tr_pbmn => '250' } } 'KSQ/1049', 'WQM/OC06', 'WQM/OP06' } });
my $node = new_node('main');

setup($node, 'postgres', $simulator, session_start => '00:00');
$node->safe_psql('postgres', q{SELECT create_market_investor_trend()});

# ---- what the hint of a target says

my $adds = 'The markets and their sectors are in the view kis_sector; the server option extra_pairs adds new ones.';
my %hint = (
	'KSQ/1049' => $adds, 'KSQ/1012' => $adds, 'KSQ/1099' => $adds, 'KSP/0031' => $adds, 'KSP/1002x' => $adds,
	'K2I/F009' => $adds, 'K2I/OC09' => $adds, 'KQI/OC09' => $adds, 'ETF/T001' => $adds, 'ELW/X000' => $adds, 'KSP/9999' => $adds,
	'WQM' => $adds, 'WQM/OC06' => $adds, 'wqm' => $adds,
	'KSP/1001' => 'Did you mean "KSQ/1001"?', 'KSQ/0013' => 'Did you mean "KSP/0013"?',
	'KSP/1' => 'Did you mean "KSP/0001"?', 'KSP/027' => 'Did you mean "KSP/0027"?', 'ETF/t000' => 'Did you mean "ETF/T000"?',
	'K2I/oc01' => 'Did you mean "K2I/OC01"?',
	'KSP/제약' => 'Did you mean "KSP/0009"?', 'KSQ/제약' => 'Did you mean "KSQ/1024"?', 'KSQ/chemicals' => 'Did you mean "KSQ/1023"?',
	'KSQ/보험' => 'Did you mean "KSP/0025"?', 'KOSPI/0001' => 'Did you mean "KSP/0001"?', 'KSPI' => 'Did you mean "KSP"?',
	'ETFF' => 'Did you mean "ETF"?', 'NASDAQ' => $adds, 'XYZ/0001' => $adds);

foreach my $target (sort keys %hint)
{
	my ($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', "SELECT * FROM collect_market_investor_trend('{$target}')");
	is("$sqlstate $hint", "22023 $hint{$target}", $target) or diag($detail);
}

# ---- and of a query

my $listed = 'The view kis_sector lists markets and their sectors. '
  . 'If KIS has it all the same, add it to the option "extra_pairs" of server "kis".';
my %query_hint = (
	(map { $_ => $listed } q{market_code = 'KSQ' AND sector_code = '1049'}, q{market_code = 'KSP' AND sector_code = '1001'},
		q{sector_code = '1049'}, q{market_code = 'WQM'}, q{market_code = 'XYZ'}),
	q{market_code = 'KSQ' AND sector_code = '제약'} => 'Did you mean "1024"?',
	q{sector_code = '27'} => 'Did you mean "0027"?');

foreach my $condition (sort keys %query_hint)
{
	my @warnings = sql_warnings($node, 'postgres', "SELECT * FROM kis_sector_trend WHERE $condition");
	is(join(' ', map { $_->{hint} } @warnings), $query_hint{$condition}, $condition);
}
is($simulator->calls, 0, 'nothing has been asked for');

# ---- with the option

sub extra_pairs
{
	my ($pairs) = @_;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD extra_pairs '$pairs')");
	return;
}

my $collect = q{SELECT string_agg(market_code || '/' || sector_code || ' ' || outcome, ', ') FROM collect_market_investor_trend('{%s}')};

extra_pairs('WQM/OP06, KSQ/1049, WQM/OC06');
is($node->safe_psql('postgres', sprintf $collect, 'WQM'), 'WQM/OC06 inserted, WQM/OP06 inserted', 'a market that is not listed is its extra pairs');
is($node->safe_psql('postgres', sprintf $collect, 'KSQ,KSQ/1049'), 'KSQ/1001 inserted, KSQ/1049 inserted', 'one that is listed is its headline pairs');
is((sql_error($node, 'postgres', sprintf $collect, 'WQM/OC09'))[2], 'Market "WQM" has no sector "OC09".', 'there is such a market now');
is(join(' ', sql_warnings($node, 'postgres', q{SELECT * FROM kis_sector_trend WHERE market_code = 'WQM'})), '', 'in a query as well');

is($node->safe_psql('postgres', q{SELECT market_code, sector_code, net_qty, quantity_unit, net_amount, amount_unit, net_amount_eok::float8
	FROM market_investor_trend_by_investor WHERE investor = 'foreign' AND sector_code IN ('1049', 'OC06') ORDER BY 1}),
	"KSQ|1049|7|thousand shares|250|million won|2.5\nWQM|OC06|7||250||", "the units of KSQ are its extra pairs', those of others are not known");

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
