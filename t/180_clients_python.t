# psycopg2, which Python's programs speak: parameters, cursors of the server,
# COPY.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use Test::More;

need_client('python3-psycopg2', [ 'python3', '-c', 'import psycopg2' ]);

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);
my $client = KisTest::Client->new($node, 'postgres', [ 'python3', '-B' ], 'psycopg2_client.py');

# ---- what pandas and SQLAlchemy look up --------------------------------------

my @tables = $client->ask(q{query SELECT table_name, table_type FROM information_schema.tables
	WHERE table_schema = 'public' AND table_name LIKE 'kis%' ORDER BY 1} =~ s/\s+/ /gr);
is_deeply([ grep { /^kis_(?:investor|market|sector)_trend\|/ } @tables ],
	[ map { "kis_${_}_trend|FOREIGN" } qw(investor market sector) ],
	'information_schema has the foreign tables');
is_deeply(
	[ $client->ask(q{query SELECT column_name, data_type, is_nullable FROM information_schema.columns
	WHERE table_name = 'kis_market_trend' AND ordinal_position <= 5 ORDER BY ordinal_position} =~ s/\s+/ /gr) ],
	[ 'market_code|text|YES', 'sector_code|text|YES', 'collected_at|timestamp with time zone|YES',
	  'trade_date|date|YES', 'foreign_net_qty|bigint|YES' ],
	'and their columns');
my %oid = (text => 25, bigint => 20);
is_deeply([ $client->ask("describe SELECT market_code, foreign_net_qty FROM kis_market_trend $_") ],
	[ "market_code|$oid{text}", "foreign_net_qty|$oid{bigint}" ], "types alone, $_")
  foreach 'LIMIT 0', 'WHERE false', 'WHERE 1 = 0';
asks_nothing($simulator, 'looking up asks KIS for nothing');

# ---- parameters --------------------------------------------------------------

my $sql = 'SELECT market_code, sector_code FROM kis_market_trend WHERE market_code';
is_deeply([ $client->ask("query $sql = %s|KSP") ], ['KSP|0001'], 'a parameter');
is_deeply([ sort $client->ask("query $sql IN (%s, %s)|KSQ|ETF") ], [ 'ETF|T000', 'KSQ|1001' ], 'two');
is_deeply([ sort $client->ask("query $sql = ANY (%s::text[])|{KSP,KSQ}") ], [ 'KSP|0001', 'KSQ|1001' ], 'an array');
is_deeply([ $simulator->pairs ], [qw(ETF/T000 KSP/0001 KSP/0001 KSQ/1001 KSQ/1001)], 'a call each');
is_deeply([ $client->ask(q{query SELECT sector_name FROM kis_sector WHERE sector_name = %s AND market_code = 'KSP'|전기·전자}) ],
	['전기·전자'], 'Korean text, there and back');
like(($client->ask("query $sql = 'KSP' AND foreign_net_qty = 'x'"))[0], qr/^error\|22P02\|/, 'an error has its SQLSTATE');

# ---- cursors of the server ---------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
$client->ask('open SELECT market_code, sector_code FROM kis_sector_trend');
is($simulator->calls, 0, 'a cursor that is only open asks nothing');
my @rows = $client->ask('fetch 5');
is(scalar @rows, 5, 'five rows');
cmp_ok($simulator->calls, '<=', 11, 'and no more than six calls ahead of them');
push @rows, $client->ask('iterate');
$client->ask('close');
is_deeply([ sort map { s/\|/\//r } @rows ], [ $simulator->pairs ], 'all rows, a call each');
is(scalar @rows, 71, 'which are 71');

$simulator->reset(keep_tokens => JSON::PP::true);
$client->ask('open SELECT market_code, sector_code FROM kis_sector_trend WHERE market_code = %s|KSQ');
is(scalar $client->ask('fetch 5'), 5, 'a cursor with a parameter');
$client->ask('close');
is_deeply([ grep { !/^KSQ/ } $simulator->pairs ], [], 'asks for that alone');
cmp_ok($simulator->calls, '<=', 11, 'and closed early it asks no more');

$simulator->reset(keep_tokens => JSON::PP::true);
$client->ask('open_scroll SELECT market_code, sector_code, collected_at FROM kis_market_trend');
my $calls = $simulator->calls;
is($calls, 19, 'a cursor that outlives its transaction has asked all');
@rows = $client->ask('fetch 19');
$client->ask('scroll 0');
is_deeply([ $client->ask('fetch 19') ], \@rows, 'the same rows after it goes back');
$client->ask('close');
is($simulator->calls, $calls, 'without a call more');

# ---- COPY --------------------------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
my @copied = $client->ask("copy COPY (SELECT market_code, sector_code, foreign_net_amount FROM kis_market_trend"
	  . " WHERE market_code IN ('KSP', 'KSQ')) TO STDOUT (FORMAT csv, HEADER)");
is($copied[0], 'market_code,sector_code,foreign_net_amount', 'COPY of a query, with its header');
like(join("\n", sort @copied[ 1 .. $#copied ]), qr/^KSP,0001,-?\d+\nKSQ,1001,-?\d+$/, 'and its rows');
is_deeply([ $simulator->pairs ], [qw(KSP/0001 KSQ/1001)], 'by a call each');

# ---- the views of the store, in Seoul and in UTC -----------------------------

$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
foreach my $query (queries_of_views($node))
{
	foreach my $zone ([ 'Asia/Seoul', '2020-07-10 08:59:30+09:00' ], [ 'UTC', '2020-07-09 23:59:30+00:00' ])
	{
		is(($client->ask("values SET timezone = '$zone->[0]'; $query"))[0],
			"date 2020-07-10|datetime $zone->[1]|datetime 2020-07-10 08:59:30|str 외국인|float -1234567.0|float 98765432.1",
			$query =~ s/.*FROM (\w+).*/$1/r . " in $zone->[0]");
	}
}

is($client->quit, '', 'nothing else is said');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
