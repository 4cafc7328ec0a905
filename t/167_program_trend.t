# Program trading by investor: each of KIS's 20 members in its column, whoever the
# row's investor is, in whatever order the rows come; sums; and what it is joined
# with. The answer is one with figures of our own, and, where KIS_SHARED names the
# directory that has it, the one captured from KIS: the same checks for both.
use strict;
use warnings;
use utf8;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my @members = map { [ (split /\t/)[ 1, 2 ] ] } grep { /^\d/ } split /\n/, slurp_file("$FindBin::RealBin/../catalog/program.tsv");
my @figures = map { $_->[1] } @members[ 2 .. 19 ];
my %ours = (
	1000 => 'securities', 2000 => 'insurance', 3000 => 'investment_trust', 3100 => 'pe_fund', 4000 => 'bank', 5000 => 'merchant_bank',
	6000 => 'pension_fund', 7100 => 'other_corporation', 8000 => 'individual', 8888 => 'institution', 9100 => 'foreign');
is(scalar @members, 20, 'there are 20 members');

# All investors, the last one first; one that nobody knows; and a row of nothing
my $n = 0;
my @rows = map { my $code = $_; +{ map { $_->[0] => $_->[0] eq 'invr_cls_code' ? $code : $_->[0] eq 'invr_cls_name' ? '외 국 인' : (++$n % 2 ? '' : '-') . $n } @members } }
  reverse(sort keys %ours), '9999';
push @rows, { map { $_->[0] => '' } @members };
my %answers = ('figures of our own' => encode_json({ output1 => \@rows, rt_cd => '0', msg_cd => 'MCA00000', msg1 => '' }));
$answers{captured} = slurp_file("$ENV{KIS_SHARED}/data/captured/program_1_one_row.json") if defined $ENV{KIS_SHARED};

my $simulator = KisTest::Simulator->new(config => { clock => '2026-07-10T10:30:00', token_rules => JSON::PP::false });
my $clock = KisTest::Clock->new($simulator);
$clock->set('2026-07-10 10:30:00');
my $node = new_node('main', env => $clock->env);
setup($node, 'postgres', $simulator);
my $session = $node->session;

$session->query_safe(q{CREATE FOREIGN TABLE by_field (market_code text, investor text, }
	  . join(', ', map { "c$_ text OPTIONS (field '$members[$_][0]')" } 0 .. $#members)
	  . q{, row jsonb OPTIONS (field '*'), reply jsonb OPTIONS (field '**')) SERVER kis OPTIONS (table_name 'kis_program_trend')});

# ---- each member
foreach my $name (sort keys %answers)
{
	my @expected = grep { $_->{invr_cls_code} ne '' } @{ decode_json($answers{$name})->{output1} };

	$simulator->config(captured => { 'program:KSP' => decode_json($answers{$name}) });
	is($session->query_safe('SELECT investor, ' . join(', ', @figures) . q{ FROM kis_program_trend WHERE market_code = 'KSP'}),
		join("\n", map { my $row = $_; join '|', $ours{ $row->{invr_cls_code} } // $row->{invr_cls_code}, map { $row->{ $_->[0] } } @members[ 2 .. 19 ] } @expected),
		"$name: as IMPORT makes it");
	is($session->query_safe('SELECT ' . join(', ', map { "c$_" } 0 .. $#members) . q{, row = jsonb_build_object(} .
			join(', ', map { "'$members[$_][0]', c$_" } 0 .. $#members) . q{), reply->>'rt_cd' FROM by_field WHERE market_code = 'KSP'}),
		join("\n", map { my $row = $_; Encode::encode('UTF-8', join '|', (map { $row->{ $_->[0] } } @members), 't', '0') } @expected),
		"$name: by KIS's names, and as objects");
}
$simulator->config(captured => { 'program:KSP' => decode_json($answers{'figures of our own'}) });
my @warnings = sql_warnings($node, 'postgres', q{SELECT investor FROM kis_program_trend});
is(join(' ', map { $_->{message} } @warnings), 'KIS\'s reply has rows of an investor that is not known: "9999"', 'one WARNING of who is not known');

# ---- sums: all is arbitrage and other, the institutions are their seven parts, to 1 for each addend
$simulator->config(captured => {});
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe('SELECT market_code, count(*), bool_and(' . join(' AND ', map { my $x = $_; my $rest = $x =~ s/^all_//r;
			"abs($x - arbitrage_$rest - non_arbitrage_$rest) <= 2" } grep { /^all_/ } @figures) . ') FROM kis_program_trend GROUP BY 1 ORDER BY 1'),
	"KSP|11|t\nKSQ|11|t", 'all = arbitrage + non-arbitrage');
is($session->query_safe('SELECT market_code, ' . join(' AND ', map {
			"abs(sum($_) FILTER (WHERE part_of = 'institution') - sum($_) FILTER (WHERE code = 'institution')) <= 7" } @figures)
	  . ' FROM kis_program_trend JOIN kis_investor_type ON code = investor GROUP BY 1 ORDER BY 1'),
	"KSP|t\nKSQ|t", 'institution = its seven parts');
is(join(' ', map { join '/', @{ $_->{query} }{qw(EXCH_DIV_CLS_CODE MRKT_DIV_CLS_CODE)} } ($simulator->requests('program'))[ 0, 1 ]),
	'J/1 J/4', 'KRX, and KIS\'s codes of the markets');

# ---- conditions, and codes that are none
is($session->query_safe(q{SELECT market_code, investor FROM kis_program_trend WHERE investor IN ('foreign', 'bank') AND market_code = 'KSQ' ORDER BY 2}),
	"KSQ|bank\nKSQ|foreign", 'conditions');
foreach my $case (
	[ q{market_code = 'K2I'}, '"K2I" is no market code of foreign table "kis_program_trend": Use kis_market_trend, which holds it.' ],
	[ q{market_code = 'KOSDAQ'}, '"KOSDAQ" is no market code of foreign table "kis_program_trend": Did you mean "KSQ"?' ],
	[ Encode::encode('UTF-8', q{investor = '외국인'}), '"외국인" is no investor of foreign table "kis_program_trend": Did you mean "foreign"?' ],
	[ q{investor = '9100'}, '"9100" is no investor of foreign table "kis_program_trend": Did you mean "foreign"?' ])
{
	my ($condition, $right) = @$case;
	my ($warning) = sql_warnings($node, 'postgres', "SELECT FROM kis_program_trend WHERE $condition");

	is("$warning->{message}: $warning->{hint}", Encode::encode('UTF-8', $right), $condition);
}

# ---- with flows and index: one call each
my $joined = q{SELECT count(*) FROM kis_market_trend t JOIN kis_index i USING (market_code, sector_code)
	JOIN kis_program_trend p USING (market_code)};
foreach my $case ([ q{WHERE market_code = 'KSP'}, 11, '1 1 1' ], [ q{WHERE t.market_code IN ('KSP', 'KSQ')}, 22, '2 2 2' ])
{
	my ($where, $rows, $calls) = @$case;

	$simulator->reset(keep_tokens => JSON::PP::true);
	is($session->query_safe("$joined $where"), $rows, "three tables, $where");
	is(join(' ', map { scalar $simulator->calls($_) } qw(trend index program)), $calls, 'one call each');
}
# side by side; not where one takes the other's codes, nor where it may not be read
foreach my $case ([ "$joined WHERE market_code = 'KSP'", 11, 3 ], [ ($joined =~ s/JOIN/LEFT JOIN/gr) . " WHERE market_code = 'KSP'", 11, 1 ],
	[ "$joined WHERE t.market_code IN ('KSP', 'KSQ')", 22, 6 ])
{
	my ($sql, $rows, $at_once) = @$case;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->config(latency_ms => 300);
	is($session->query_safe($sql), $rows, 'three tables again');
	is($simulator->stats->{max_under_way}, $at_once, "calls at once: $at_once");
}
$simulator->config(latency_ms => 0);
is_deeply([ $simulator->problems ], [], 'requests as they are documented');

# ---- the day: one investor who has traded says it for all
foreach my $case ([ 'zeros', '2026-07-13' ], [ 'previous', '2026-07-10' ])
{
	my ($before_open, $day) = @$case;

	$clock->set('2026-07-13 07:30:00');
	$simulator->config(before_open => $before_open);
	is($session->query_safe('SELECT DISTINCT trade_date FROM kis_program_trend'), $day, "before the session, $before_open");
}

$session->quit;
$node->stop;
done_testing();
