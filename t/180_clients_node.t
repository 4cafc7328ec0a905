# node-postgres, which programs in JavaScript speak: parameters, and the views of
# the store with their types.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use Test::More;

# Debian's packages of node are there, which another node does not know
$ENV{NODE_PATH} = join ':', grep { defined } $ENV{NODE_PATH}, '/usr/share/nodejs';
need_client('node-pg', [ 'node', '-e', 'require("pg")' ]);

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
my @queries = queries_of_views($node);

# A Date is a moment. A date and a time without a zone are taken to be of the zone of the process; by
# pg-types 4, which Debian has, they are text and of UTC
my $is_newer = `node -e 'process.stdout.write(require("pg-types/package.json").version)'` =~ /^[^23]\./;

foreach my $zone (
	[ 'Asia/Seoul', '2020-07-10 08:59:30', '2020-07-09T23:59:30.000Z', '2020-07-09T15:00:00.000Z' ],
	[ 'UTC', '2020-07-09 23:59:30', '2020-07-10T08:59:30.000Z', '2020-07-10T00:00:00.000Z' ])
{
	my ($name, $here, $seoul, $day) = @$zone;
	my ($trade_date, $local) = ("Date $day = 2020-07-10 00:00:00", "Date $seoul = 2020-07-10 08:59:30");
	($trade_date, $local) = ('string 2020-07-10', 'Date 2020-07-10T08:59:30.000Z = 2020-07-10 ' . ($name eq 'UTC' ? '08' : '17') . ':59:30') if $is_newer;
	local $ENV{TZ} = $name;
	my $client = KisTest::Client->new($node, 'postgres', ['node'], 'node_client.js');

	is_deeply([ $client->ask("SET timezone = '$name'") ], [], "in $name");
	is(($client->ask($_))[0], "$trade_date|Date 2020-07-09T23:59:30.000Z = $here|$local"
		  . '|string 외국인|number -1234567|number 98765432.1', s/.*FROM (\w+).*/$1/r) foreach @queries;
	is(($client->ask(s/trade_date, collected_at, collected_at_seoul/trade_date::text, collected_at_seoul::text/r))[0],
		'string 2020-07-10|string 2020-07-10 08:59:30|string 외국인|number -1234567|number 98765432.1', 'as text they have no zone') foreach @queries;
	# which numeric is not, nor bigint
	is(($client->ask('SELECT foreign_net_qty, foreign_net_amount / 100.0 FROM market_investor_trend'))[0],
		'string -1234567|string 98765432.100000000000', 'as the tables have them, figures are text');
	is_deeply([ $client->ask(q{SELECT market_code, pg_typeof(foreign_net_qty)::text FROM kis_market_trend WHERE market_code = 'KSP'}) ],
		['string KSP|string bigint'], 'a query of KIS');
	like(($client->ask(q{SELECT market_code FROM kis_market_trend WHERE foreign_net_qty = 'x'}))[0], qr/^error\|22P02\|/, 'an error has its SQLSTATE');
	is($client->quit, '', 'nothing else is said');
}

is_deeply([ $simulator->pairs ], [ ('KSP/0001') x 2 ], 'a call each');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
