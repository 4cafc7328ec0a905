# JDBC, which DBeaver, Metabase, Tableau and programs in Java speak: what they
# list, what they describe, prepared statements and rows in parts.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $driver = '/usr/share/java/postgresql.jar';

need_client('libpostgresql-jdbc-java', $driver);
# It compiles a program of one file itself
need_client('default-jre-headless', [ 'java', '-XX:-UsePerfData', '--describe-module', 'jdk.compiler' ]);

my $simulator = KisTest::Simulator->new;

# The driver knows TCP alone, where others of this machine come by, too
my $node = new_node('main', start => 0, conf => "listen_addresses = '127.0.0.1'");
my $password = join '', map { ('a' .. 'z')[ rand 26 ] } 1 .. 24;
my $hba = $node->data_dir . '/pg_hba.conf';
my $rules = slurp_file($hba);

$rules =~ s/^(host.*)\btrust$/$1scram-sha-256/mg;
unlink $hba;
append_to_file($hba, $rules);
$node->start;
setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER PASSWORD '$password';"
	  . 'SELECT kis_comment_tables(); SELECT create_market_investor_trend()');

# The driver has the server's session in the zone of its own
sub client
{
	my ($zone) = @_;

	return KisTest::Client->new($node, 'postgres', [ 'java', "-Duser.timezone=$zone", '-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', '-cp', $driver ],
		'JdbcClient.java', 'jdbc:postgresql://127.0.0.1:' . $node->port . '/postgres?user=' . getpwuid($>)
		  . "&password=$password&options=-c%20plan_cache_mode=force_generic_plan");
}

my $client = client('Asia/Seoul');

# ---- what a tool lists -------------------------------------------------------

my %tables = map { /^(\w+)\|(.*)/ ? ($1 => $2) : () } $client->ask('tables public');
my %columns = map { /^(\w+)\|(\w+)\|(.*)/ ? ("$1.$2" => $3) : () } $client->ask('columns public');

like($tables{kis_market_trend}, qr/^FOREIGN TABLE\|.*매매동향.* \/ Investor flows/, 'a foreign table with its remark');
like($tables{market_investor_trend}, qr/^TABLE\|.*매매동향.* \/ Investor flows/, 'the store, too');
like($tables{kis_sector}, qr/^VIEW\|\w/, 'and a view');
like($columns{'kis_market_trend.foreign_net_amount'},
	qr/^int8\|백만원 · 외국인 순매수 거래대금 .*NULL이면 미확인\) \/ Million won · Foreigners: net amount .*NULL where not known$/,
	'a column with its type and its remark, units in it');
like($columns{'market_investor_trend.collected_at'}, qr/^timestamptz\|수집 시각/, "the store's, too");
like($tables{market_investor_trend_by_investor}, qr/^VIEW\|.* \/ Investor flows by investor/, 'the view of the store by investor');
like($columns{'market_investor_trend_by_investor.net_amount'}, qr/^float8\|.*, in amount_unit$/, 'whose columns say where the unit stands');
is_deeply([ sort grep { !/_pkey|_key|_idx/ && $columns{$_} =~ /\|null$/ } keys %columns ], [], 'every column has one');
is_deeply([ sort grep { $tables{$_} =~ /(?:TABLE|VIEW)\|null$/ } keys %tables ], [], 'and every table and view');

my %functions = map { split /\|/, $_, 2 } $client->ask('functions public');

like($functions{collect_market_investor_trend}, qr/^fetches the targets/, 'a function with its remark');
ok((grep { $_ eq 'collect_market_investor_trend|targets|_text' } $client->ask('arguments public')), 'and named arguments');
is_deeply([ $client->ask('keys public') ], ['id'], "the store's key");
is_deeply([ $client->ask('indexes public') ], [], 'a foreign table has no index');

# ---- what a tool describes ---------------------------------------------------

my @described = $client->ask('describe SELECT * FROM kis_market_trend WHERE market_code = ? AND foreign_net_qty > ?');

is_deeply([ @described[ 0 .. 5 ] ],
	[ qw(parameter|text parameter|int8 market_code|text sector_code|text collected_at|timestamptz trade_date|date) ],
	'parameters and columns of a statement that is only prepared');
is_deeply([ $client->ask("open 0 SELECT * FROM kis_market_trend $_"), $client->ask('fetch_all'), $client->ask('close') ],
	[], "no row $_")
  foreach 'LIMIT 0', 'WHERE false', 'WHERE 1 = 0';
asks_nothing($simulator, 'listing and describing ask KIS for nothing');

# ---- prepared statements -----------------------------------------------------

# The driver names the statement on the server from the fifth time on; here the
# server has one plan for all values, as it may after five executions.
$client->ask('prepare SELECT market_code, sector_code, foreign_net_qty IS NOT NULL FROM kis_market_trend WHERE market_code = ?');
my @markets = ((qw(KSP KSQ ETF)) x 6);
is_deeply([ map { $client->ask("execute $_") } @markets ],
	[ map { { KSP => 'KSP|0001', KSQ => 'KSQ|1001', ETF => 'ETF|T000' }->{$_} . '|t' } @markets ],
	'a prepared statement brings the row of its parameter each time');
is_deeply([ $simulator->pairs ], [ sort map { { KSP => 'KSP/0001', KSQ => 'KSQ/1001', ETF => 'ETF/T000' }->{$_} } @markets ],
	'by a call each');

# ---- rows in parts -----------------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
$client->ask('open 5 SELECT market_code, sector_code FROM kis_sector_trend');
my @rows = $client->ask('fetch');
my $calls = $simulator->calls;
ok($calls >= 5 && $calls <= 11, 'five rows of a portal: no more than six calls ahead of them') or diag $calls;
push @rows, $client->ask('fetch_all');
$client->ask('close');
is(scalar @rows, 71, 'the rest of them');
is_deeply([ sort map { s/\|/\//r } @rows ], [ $simulator->pairs ], 'a call each');

$simulator->reset(keep_tokens => JSON::PP::true);
$client->ask('open 5 SELECT market_code, sector_code FROM kis_sector_trend');
@rows = $client->ask('fetch');
$client->ask('close');
$calls = $simulator->calls;
ok($calls <= 11, 'a portal that is closed asks no more') or diag $calls;
is(($client->ask('execute KSP'))[0] =~ s/\|t.*//r, 'KSP|0001', 'and the session goes on');

# of a statement with a parameter, named on the server and with one plan for all values
$simulator->reset(keep_tokens => JSON::PP::true);
foreach my $market (qw(KSP KSQ) x 4)
{
	$client->ask("open_with $market|2 SELECT market_code, sector_code FROM kis_sector_trend WHERE market_code = ?");
	my @part = $client->ask('fetch');
	push @part, $client->ask('fetch') foreach 1 .. 2;
	$client->ask('close');
	is(join(' ', map { s/\|.*//r } @part), "$market $market $market", "rows in parts of $market");
}
is_deeply([ grep { !/^KS[PQ]/ } $simulator->pairs ], [], 'no call for another');
cmp_ok(scalar $simulator->pairs, '<=', 8 * 9, 'and no more than six calls ahead');

# ---- the views of the store, in Seoul and in UTC -----------------------------

my $in_utc = client('UTC');
foreach my $query (queries_of_views($node))
{
	foreach my $zone ([ $client, '2020-07-10 08:59:30.0' ], [ $in_utc, '2020-07-09 23:59:30.0' ])
	{
		is(($zone->[0]->ask("values $query"))[0],
			"Date 2020-07-10|Timestamp $zone->[1]|Timestamp 2020-07-10 08:59:30.0|String 외국인|Double -1234567.0|Double 9.87654321E7",
			$query =~ s/.*FROM (\w+).*/$1/r . ($zone->[0] == $client ? ' in Seoul' : ' in UTC'));
	}
}

is($_->quit, '', 'the driver has nothing to say') foreach $client, $in_utc;
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
