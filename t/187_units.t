# What doc/units.md says: its SQL as it stands, figures that become won and
# shares, and NULL where KIS's unit is not known.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$FindBin::RealBin/../doc/units.md");
my @blocks = $page =~ /^```sql\n(.*?)^```/gms;
my ($today, $parts, $view, $store) = @blocks;
my $simulator = KisTest::Simulator->new(config => {
	overrides => {
		'KSP/0001' => { frgn_ntby_qty => '-12', frgn_ntby_tr_pbmn => '-123456', orgn_ntby_tr_pbmn => '99',
			map { $_ . '_ntby_tr_pbmn' => '1' } qw(scrt ivtr pe_fund bank insu mrbn fund) },
		'ETF/T000' => { frgn_ntby_qty => '34' } } });
my $node = new_node('main');

is(scalar @blocks, 4, 'four queries');
setup($node, 'postgres', $simulator, session_start => '00:00');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend(); SELECT collect_market_investor_trend()');
my $calls = $simulator->calls;

my $result = run_sql($node, 'postgres', $today);
is($result->{stderr}, '', 'who is buying today');
my @rows = split /\n/, $result->{output};
is(scalar @rows, 12, 'twelve investors');
is((grep { /^외국인/ } @rows)[0], '외국인|-12000|-123456000000|-1234.56', 'in shares, won and 억원');
is($simulator->calls - $calls, 1, 'one call');

$result = run_sql($node, 'postgres', $parts);
is($result->{stderr}, '', 'the parts of an institution');
like($result->{output}, qr/^institution\|7$/m, 'add up, without the total of KIS');
is(scalar(split /\n/, $result->{output}), 5, 'five kinds that are no part of another');

$result = run_sql($node, 'postgres', $view);
is($result->{stderr}, '', 'from the store');
like($result->{output}, qr/^\d{4}-\d\d-\d\d\|외국인\|-1234\.56$/m, 'in 억원');
is($node->safe_psql('postgres', q{SELECT market_code, net_qty, quantity_unit, amount_unit, net_amount_eok
	FROM market_investor_trend_by_investor WHERE investor = 'foreign' AND market_code IN ('KSP', 'ETF') ORDER BY 1}),
	"ETF|34|||\nKSP|-12|thousand shares|million won|-1234.56", 'each row with its units, or none where they are not known');

$result = run_sql($node, 'postgres', $store);
is($result->{stderr}, '', 'the store itself');
like($result->{output}, qr/\|KSP\|-12000\|-123456000000$/m, 'in shares and won');
like($result->{output}, qr/\|ETF\|\|$/m, 'nothing of an ETF');

# The table of units is kis_sector's, in both languages
my $korean_page = slurp_file("$FindBin::RealBin/../doc/units.ko.md");
foreach my $pair (split /\n/, $node->safe_psql('postgres',
		q{SELECT DISTINCT market_code, quantity_unit, quantity_factor, amount_unit, amount_factor FROM kis_sector}))
{
	my ($market, @units) = split /\|/, $pair, -1;
	my $expected = join ' | ', map { $units[$_] ne '' ? "`$units[$_]`, $units[ $_ + 1 ]" : 'NULL' } 0, 2;

	foreach my $text ($page, $korean_page)
	{
		my ($line) = grep { /^\| .*`\Q$market\E`/ } split /\n/, $text;
		like($line, qr/\| \Q$expected\E \|/, "the units of $market");
	}
}

$node->stop;
done_testing();
