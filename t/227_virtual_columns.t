# Virtual generated columns, which PostgreSQL has from 18 on: no call of KIS has
# anything for them, whatever they are called, and what they are computed from is
# read.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', start => 0);

plan skip_all => 'PostgreSQL has no virtual generated columns before 18' if $node->pg_version < 18;
$node->start;
setup($node, 'postgres', $simulator);

my $session = $node->session;

# A foreign table of these columns
sub make
{
	my ($columns) = @_;

	$session->query_safe("DROP FOREIGN TABLE IF EXISTS v; CREATE FOREIGN TABLE v ($columns)"
		  . q{ SERVER kis OPTIONS (table_name 'kis_market_trend')});
	$simulator->reset(keep_tokens => JSON::PP::true);
	return;
}

sub value
{
	return $session->query_safe(@_);
}

my $figure = value(q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'});
my $twice = 2 * $figure;

make(q{market_code text, foreign_net_qty bigint, twice bigint GENERATED ALWAYS AS (foreign_net_qty * 2) VIRTUAL,
	bank_net_qty text GENERATED ALWAYS AS (market_code || '!') VIRTUAL});
is(value(q{SELECT twice FROM v WHERE market_code = 'KSP'}), $twice, 'one is computed from a figure that nothing else names');
is(value(q{SELECT * FROM v WHERE market_code = 'KSP'}), "KSP|$figure|$twice|KSP!", 'one has a member\'s name and none of its figures');
is(value(q{SELECT v FROM v WHERE market_code = 'KSP'}), "(KSP,$figure,$twice,KSP!)", 'the whole row has them');
is($simulator->calls, 3, 'a call each');
is(value(q{SELECT twice FROM v WHERE bank_net_qty = 'KSP!'}), $twice, 'a condition on one that is computed from a code');
is($simulator->calls, 4, 'decides the calls, as that on the code would');
like(($session->query('EXPLAIN (VERBOSE, COSTS OFF) SELECT twice FROM v'))->{output}, qr/frgn_ntby_qty/, 'EXPLAIN names the member that it reads');

# Under the name of a code, or of the day
make(q{sector_code text, foreign_net_qty bigint, market_code text GENERATED ALWAYS AS ('X' || sector_code) VIRTUAL});
is(value(q{SELECT market_code, foreign_net_qty FROM v WHERE sector_code = '0001'}), "X0001|$figure", 'one has the name of a code');
is($simulator->calls, 1, 'the other code decides the calls');
is(value(q{SELECT foreign_net_qty FROM v WHERE market_code = 'X0001'}), $figure, 'it is what it says, not KIS\'s code');
is(($session->query(q{SELECT FROM v WHERE market_code = 'KSP'}))->{stderr}, '', 'and names no market');
make(q{market_code text, trade_date date GENERATED ALWAYS AS ('2026-07-10'::date) VIRTUAL, foreign_net_qty bigint});
is(value(q{SELECT trade_date FROM v WHERE market_code = 'KSP'}), '2026-07-10', 'one has the name of the day');
is($simulator->calls('holiday'), 0, 'for which no calendar is asked');

$session->quit;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
