# The index: each of KIS's 36 members in its column, the two pairs that stand for
# a market or all of these markets', and its day as that of the flows. The answer
# is one with figures of our own, and, where KIS_SHARED names the directory that
# has it, the one captured from KIS: the same checks for both.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my @members = map { [ (split /\t/)[ 1, 2, 3 ] ] } grep { /^\d/ } split /\n/, slurp_file("$FindBin::RealBin/../catalog/index.tsv");
my @imported = qw(level change change_rate open high low volume turnover advancing limit_up unchanged declining
  limit_down year_high year_high_date year_low year_low_date ask_remaining bid_remaining);
is(scalar @members, 36, 'there are 36 members');

# Of four digits and more, with signs, blanks and zeros before them, as KIS writes figures
my $n = 0;
my %own = map { $n++; ($_->[0] => $_->[2] eq 'date' ? sprintf('202601%02d', $n - 10)
		: $_->[2] eq 'numeric' ? sprintf('%s%d.%02d', $n % 3 ? '' : '-', 7000 + $n, $n) : 1000 + $n) } @members;
my %answers = ('figures of our own' => encode_json({ output => \%own, rt_cd => '0', msg_cd => 'MCA00000', msg1 => '' }));
$answers{captured} = slurp_file("$ENV{KIS_SHARED}/data/captured/index_0001_20240620.json") if defined $ENV{KIS_SHARED};

my $simulator = KisTest::Simulator->new(config => { clock => '2026-07-10T10:30:00', token_rules => JSON::PP::false });
my $clock = KisTest::Clock->new($simulator);
$clock->set('2026-07-10 10:30:00');
my $node = new_node('main', env => $clock->env);
setup($node, 'postgres', $simulator);
my $session = $node->session;

$session->query_safe('CREATE FOREIGN TABLE by_name (' . join(', ', map { "$_->[1] text" } reverse @members)
	  . q{, market_code text) SERVER kis OPTIONS (table_name 'kis_index');
	CREATE FOREIGN TABLE by_field (market_code text, } . join(', ', map { "c$_ text OPTIONS (field '$members[$_][0]')" } 0 .. $#members)
	  . q{) SERVER kis OPTIONS (table_name 'kis_index');
	CREATE FOREIGN TABLE kis_index_all (market_code text, sector_code text, level numeric, row jsonb OPTIONS (field '*'),
		reply jsonb OPTIONS (field '**')) SERVER kis OPTIONS (table_name 'kis_index', pairs 'all')});

# ---- each member
foreach my $name (sort keys %answers)
{
	my $output = decode_json($answers{$name})->{output};
	my %value = map { $_->[1] => $output->{ $_->[0] } } @members;
	my %shown = map { $_->[1] => $_->[2] eq 'date' ? $output->{ $_->[0] } =~ s/(....)(..)(..)/$1-$2-$3/r : $output->{ $_->[0] } } @members;

	is(scalar keys %$output, 36, "$name: 36 members");
	$simulator->config(captured => { 'index:0001' => $answers{$name} });
	is($session->query_safe('SELECT ' . join(', ', map { $_->[1] } @members) . q{ FROM by_name WHERE market_code = 'KSP'}),
		join('|', map { $value{ $_->[1] } } @members), "$name: by our names");
	is($session->query_safe('SELECT ' . join(', ', map { "c$_" } 0 .. $#members) . q{ FROM by_field WHERE market_code = 'KSP'}),
		join('|', map { $output->{ $_->[0] } } @members), "$name: by KIS's names");
	is($session->query_safe('SELECT ' . join(', ', @imported) . q{ FROM kis_index WHERE market_code = 'KSP'}),
		join('|', @shown{@imported}), "$name: as IMPORT makes it");
	is($session->query_safe(q{SELECT row->>'bstp_nmix_prpr', reply->>'msg_cd' FROM kis_index_all WHERE market_code = 'KSP' AND sector_code = '0001'}),
		"$value{level}|MCA00000", "$name: the object, and the reply");
}
# nothing but zeros is a row, and its days are none
$simulator->config(captured => { 'index:0001' => { output => { map { $_->[0] => '0' } @members }, rt_cd => '0', msg_cd => '', msg1 => '' } });
is($session->query_safe(q{SELECT level, volume, year_high_date FROM kis_index WHERE market_code = 'KSP'}), '0|0|', 'zeros');

# ---- which pairs, at which cost
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe('SELECT market_code, sector_code, level BETWEEN low AND high, year_high >= high FROM kis_index'),
	"KSP|0001|t|t\nKSQ|1001|t|t", 'the two that stand for a market');
is(join(' ', map { join '/', @{ $_->{query} }{qw(FID_COND_MRKT_DIV_CODE FID_INPUT_ISCD)} } $simulator->requests('index')),
	'U/0001 U/1001', 'a call for each');
is($session->query_safe('SELECT count(*), count(level) FROM kis_index_all'), '54|54', 'all pairs of both');
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe(q{SELECT market_code, sector_code FROM kis_index_all WHERE sector_code LIKE '001_' ORDER BY 1, 2 LIMIT 3}),
	"KSP|0010\nKSP|0011\nKSP|0012", 'conditions');
is($session->query_safe(q{SELECT i.market_code, count(*) FROM kis_market_trend t JOIN kis_index i USING (market_code, sector_code)
		JOIN kis_investor_trend v USING (market_code, sector_code) GROUP BY 1 ORDER BY 1}), "KSP|12\nKSQ|12", 'joined with the flows');
is_deeply([ $simulator->problems ], [], 'requests as they are documented');
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe(q{SELECT count(*) FROM kis_market_trend t JOIN kis_index i USING (market_code, sector_code) WHERE market_code = 'KSP'}), '1', 'of one market');
is($simulator->calls('index') . $simulator->calls('trend'), '11', 'a call each');
like($session->query_safe(q{EXPLAIN (VERBOSE, COSTS off) SELECT level FROM kis_index WHERE market_code = 'KSP'}),
	qr/Endpoint: .*inquire-index-price\n.*Calls Expected: 1.*bstp_nmix_prpr/s, 'EXPLAIN');

foreach my $case (
	[ q{market_code = 'ETF'}, '"ETF" is no market code of foreign table "kis_index": Use kis_market_trend, which holds it.' ],
	[ q{market_code = 'KSP' AND sector_code = '0013'},
		'foreign table "kis_index" does not hold KSP/0013: Use a foreign table with the options table_name \'kis_index\' and pairs \'all\'.' ],
	[ q{market_code = 'KOSPI'}, '"KOSPI" is no market code of foreign table "kis_index": Did you mean "KSP"?' ])
{
	my ($condition, $right) = @$case;
	my ($warning) = sql_warnings($node, 'postgres', "SELECT FROM kis_index WHERE $condition");

	is("$warning->{message}: $warning->{hint}", $right, $condition);
}
$simulator->config(captured => { 'index:0013' => { output => { map { $_->[0] => '' } @members }, rt_cd => '0', msg_cd => '', msg1 => '' } });
my ($warning) = sql_warnings($node, 'postgres', q{SELECT level FROM kis_index_all WHERE sector_code = '0013'});
is("$warning->{message}: $warning->{detail}", 'KIS has no figures for KSP/0013: All members of its reply are empty.', 'a pair that KIS does not have');

# ---- the day: the level and figures of the day before are none of the day's
foreach my $case ([ 'zeros', '2026-07-13' ], [ 'previous', '2026-07-10' ])
{
	my ($before_open, $day) = @$case;

	$clock->set('2026-07-13 07:30:00');
	$simulator->config(before_open => $before_open);
	is($session->query_safe(q{SELECT t.trade_date, i.trade_date FROM kis_market_trend t JOIN kis_index i USING (market_code, sector_code)
			WHERE market_code = 'KSP'}), "$day|$day", "before the session, $before_open: as the flows");
}

$session->quit;
$node->stop;
done_testing();
