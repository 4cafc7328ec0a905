# LibreOffice Base, by a data source of its own driver: the views of the store and
# a table of KIS, with the types that its forms, reports and Calc's sheets get.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

need_client('python3-uno', [ 'python3', '-c', 'import uno' ]);
need_client('libreoffice-base', [ 'sh', '-c', 'command -v soffice && test -f /usr/lib/libreoffice/program/libdbalo.so' ]);
need_client('libreoffice-sdbc-postgresql', '/usr/lib/libreoffice/program/libpostgresql-sdbclo.so');

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
my @queries = queries_of_views($node);
my $client = KisTest::Client->new($node, 'postgres', [ 'python3', '-B' ], 'libreoffice_client.py',
	PostgreSQL::Test::Utils::tempdir() . '/office');

# It has no type for a time with a zone, which becomes text: hence collected_at_seoul
foreach my $zone ([ 'Asia/Seoul', '2020-07-10 08:59:30+09' ], [ 'UTC', '2020-07-09 23:59:30+00' ])
{
	$client->ask("SET timezone = '$zone->[0]'");
	is_deeply([ $client->ask($_) ], [
			'trade_date DATE|collected_at LONGVARCHAR|collected_at_seoul TIMESTAMP|screen_name LONGVARCHAR|net_qty DOUBLE|net_amount_eok DOUBLE',
			"2020-07-10|$zone->[1]|2020-07-10 08:59:30|외국인|-1234567|98765432.1" ],
		s/.*FROM (\w+).*/$1/r . " in $zone->[0]") foreach @queries;
}
is_deeply([ $client->ask(q{SELECT market_code, pg_typeof(foreign_net_qty)::text FROM kis_market_trend WHERE market_code = 'KSP'}) ],
	[ 'market_code LONGVARCHAR|pg_typeof LONGVARCHAR', 'KSP|bigint' ], 'a query of KIS');
is_deeply([ $simulator->pairs ], ['KSP/0001'], 'by one call');

is($client->quit, '', 'nothing else is said');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
