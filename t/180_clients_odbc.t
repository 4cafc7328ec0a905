# ODBC, which Excel, Tableau and Power BI speak: what they list, what they
# describe, statements with parameters, and rows in parts.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $driver = 'PostgreSQL Unicode';

need_client('python3-pyodbc', [ 'python3', '-c', 'import pyodbc' ]);
need_client('odbc-postgresql', [ 'python3', '-c', "import pyodbc, sys; sys.exit('$driver' not in pyodbc.drivers())" ]);

# As Debian has it, the driver leaves a log in /tmp
my $settings = PostgreSQL::Test::Utils::tempdir();
append_to_file("$settings/odbcinst.ini", slurp_file('/etc/odbcinst.ini') =~ s/^(CommLog\s*=\s*)1/${1}0/gmr);
$ENV{ODBCSYSINI} = $settings;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT kis_comment_tables(); SELECT create_market_investor_trend()');

sub client
{
	my ($settings) = @_;

	return KisTest::Client->new($node, 'postgres', [ 'python3', '-B' ], 'odbc_client.py',
		"DRIVER={$driver};SERVER=" . $node->host . ';PORT=' . $node->port
		  . ';DATABASE=postgres;UID=' . getpwuid($>) . ";$settings");
}

# The server has one plan for all values of a parameter, as it may after five executions
my $client = do
{
	local $ENV{PGOPTIONS} = '-c plan_cache_mode=force_generic_plan';
	client('');
};

# ---- what a tool lists: SQLTables, SQLColumns and their kind -----------------

my %tables = map { split /\|/ } $client->ask('tables public');
my %columns = map { /^(\w+)\|(\w+)\|(\w+)/ ? ("$1.$2" => $3) : () } $client->ask('columns public');

is_deeply([ map { "$_ $tables{$_}" } qw(kis_market_trend kis_sector market_investor_trend) ],
	[ 'kis_market_trend FOREIGN TABLE', 'kis_sector VIEW', 'market_investor_trend TABLE' ],
	'foreign tables, views and the store are listed');
is("$tables{market_investor_trend_by_investor} " . join(' ', map { $columns{"market_investor_trend_by_investor.$_"} }
		qw(trade_date collected_at investor_name net_amount net_amount_eok amount_unit)),
	'VIEW date timestamptz text float8 float8 text', 'the view of the store by investor, with its types');
is_deeply([ map { $columns{"kis_market_trend.$_"} } qw(market_code collected_at trade_date foreign_net_amount) ],
	[qw(text timestamptz date int8)], 'their columns with their types');
is_deeply(
	[ sort grep { /^kis_(?:market|sector)_trend\./ } keys %columns ],
	[ sort split /\n/, $node->safe_psql('postgres', q{
		SELECT format('%s.%s', attrelid::regclass, attname) FROM pg_attribute
		WHERE attrelid IN ('kis_market_trend'::regclass, 'kis_sector_trend'::regclass) AND attnum > 0}) ],
	'all of them');
is_deeply([ $client->ask('keys public') ], ['id'], "the store's key");
is_deeply([ grep { $_ ne 'None' } $client->ask('indexes public') ], [], 'a foreign table has no index');

# ---- what a tool describes ---------------------------------------------------

my %types = map { split /\|/ } $client->ask('describe SELECT * FROM kis_market_trend LIMIT 0');

is_deeply([ map { $types{$_} } qw(market_code collected_at trade_date foreign_net_amount) ],
	[qw(str datetime date int)], 'the columns of a statement');
is_deeply([ $client->ask("query SELECT * FROM kis_market_trend WHERE $_") ], [], "no row WHERE $_")
  foreach 'false', '1 = 0', '0 = 1';
asks_nothing($simulator, 'listing and describing ask KIS for nothing');

# ---- statements and parameters -----------------------------------------------

my $sql = 'SELECT market_code, sector_code, foreign_net_qty IS NOT NULL FROM kis_market_trend WHERE market_code = ';
is_deeply([ $client->ask("query ${sql}'KSP'") ], ['KSP|0001|1'], 'a query');
is_deeply([ map { $client->ask("with $sql?|$_") } ('KSP', 'KSQ') x 6 ], [ ('KSP|0001|1', 'KSQ|1001|1') x 6 ],
	'with a parameter, often');
is_deeply([ $simulator->pairs ], [ ('KSP/0001') x 7, ('KSQ/1001') x 6 ], 'a call each');
is_deeply(
	[ $client->ask('query SELECT sector_name FROM kis_sector'
		  . " JOIN kis_market_trend USING (market_code, sector_code) WHERE market_code = 'KSP'") ],
	['코스피 종합'], 'Korean names come whole');

# ---- rows in parts -----------------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
my $in_parts = client('UseDeclareFetch=1;Fetch=5');
$in_parts->ask('open SELECT market_code, sector_code FROM kis_sector_trend');
my @rows = $in_parts->ask('fetch 1');
cmp_ok($simulator->calls, '<=', 11, 'five rows of a cursor: no more than six calls ahead of them');
push @rows, $in_parts->ask('fetch 71');
is_deeply([ sort map { s/\|/\//r } @rows ], [ $simulator->pairs ], 'all rows, a call each');
is(scalar @rows, 71, 'which are 71');

# ---- the views of the store, in Seoul and in UTC -----------------------------

foreach my $query (queries_of_views($node))
{
	foreach my $zone ([ 'Asia/Seoul', '2020-07-10 08:59:30' ], [ 'UTC', '2020-07-09 23:59:30' ])
	{
		$client->ask("open SET timezone = '$zone->[0]'");
		is(($client->ask("values $query"))[0],
			"date 2020-07-10|datetime $zone->[1]|datetime 2020-07-10 08:59:30|str 외국인|float -1234567.0|float 98765432.1",
			$query =~ s/.*FROM (\w+).*/$1/r . " in $zone->[0]");
	}
}

is($_->quit, '', 'the driver has nothing to say') foreach $client, $in_parts;
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
