# Tables that are made of ours: COPY, materialized views, CREATE TABLE AS, and
# another database that reads them through postgres_fdw.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);

sub value
{
	my ($sql, $db) = @_;

	return $node->safe_psql(defined $db ? $db : 'postgres', $sql);
}

# ---- COPY --------------------------------------------------------------------

my $file = $node->basedir . '/copied';
my $rows = "SELECT market_code, sector_code, foreign_net_qty FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ')";
like(value("COPY ($rows) TO STDOUT"), qr/^KSP\t0001\t-?\d+\nKSQ\t1001\t-?\d+$/, 'COPY of a query');
is_deeply([ $simulator->pairs ], [qw(KSP/0001 KSQ/1001)], 'by a call for each pair');
value("COPY ($rows) TO '$file' (FORMAT csv); CREATE TABLE copied (market_code text, sector_code text, foreign_net_qty bigint);"
	  . "COPY copied FROM '$file' (FORMAT csv)");
is(value('SELECT count(foreign_net_qty) FROM copied'), 2, 'and back from a file');
value("CREATE TABLE day AS SELECT * FROM kis_market_trend");
is(value('SELECT count(*) FROM day'), 19, 'CREATE TABLE AS');

# ---- materialized views ------------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '1' } });
value(q{CREATE MATERIALIZED VIEW board AS SELECT * FROM kis_market_trend;
	CREATE UNIQUE INDEX ON board (market_code, sector_code)});
is(value("SELECT foreign_net_qty FROM board WHERE market_code = 'KSP'"), 1, 'a materialized view');
value('SELECT * FROM board') foreach 1 .. 3;
is($simulator->calls, 19, 'a call for each pair once, however often it is read');

$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '2' } });
value('REFRESH MATERIALIZED VIEW CONCURRENTLY board');
is(value("SELECT foreign_net_qty FROM board WHERE market_code = 'KSP'"), 2, 'REFRESH CONCURRENTLY');
is($simulator->calls, 38, 'by the same calls again');

$simulator->fault({ match => { pair => 'KSQ/1001' }, fault => 'error', params => { msg_cd => 'EGW00206', msg1 => 'no' } });
is((sql_error($node, 'postgres', 'REFRESH MATERIALIZED VIEW CONCURRENTLY board'))[0], 'HV000', 'a refresh that KIS refuses');
is(value('SELECT count(*) FROM board'), 19, 'leaves what was there');
$simulator->fault;

# whoever refreshes it, it is its owner's query
my %other = (app_key => 'PSOTHER' . '1' x 29, app_secret => 'S' x 180);
$simulator->config(accounts => { $other{app_key} => $other{app_secret} });
value(qq{SET log_statement = 'none'; CREATE ROLE owner;
	CREATE USER MAPPING FOR owner SERVER kis OPTIONS (app_key '$other{app_key}', app_secret '$other{app_secret}');
	GRANT SELECT ON kis_market_trend TO owner; GRANT CREATE ON SCHEMA public TO owner;
	ALTER MATERIALIZED VIEW board OWNER TO owner});
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(accounts => { $other{app_key} => $other{app_secret} });
value('REFRESH MATERIALIZED VIEW CONCURRENTLY board');
is_deeply({ map { $_->{headers}{appkey} => 1 } $simulator->requests('trend') }, { $other{app_key} => 1 },
	"a refresh asks by the user mapping of the view's owner");

# ---- another database, through postgres_fdw ----------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE reports');
$simulator->reset(keep_tokens => JSON::PP::true);
value('CREATE EXTENSION postgres_fdw; CREATE SERVER flows FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '
	  . sql_literal($node->host) . q{, port '} . $node->port . q{', dbname 'postgres', fetch_size '5', use_remote_estimate 'true');
	CREATE USER MAPPING FOR CURRENT_USER SERVER flows;
	IMPORT FOREIGN SCHEMA public LIMIT TO (kis_market_trend, kis_sector_trend) FROM SERVER flows INTO public}, 'reports');
like(value(q{EXPLAIN VERBOSE SELECT * FROM kis_market_trend WHERE market_code = 'KSP'}, 'reports'),
	qr/Remote SQL: .*WHERE \(\(market_code = 'KSP'/, "another database's postgres_fdw sends the condition");
asks_nothing($simulator, 'importing and planning ask KIS for nothing');
like(value(q{SELECT market_code, foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'}, 'reports'), qr/^KSP\|-?\d+$/,
	'a query of the other database');
is_deeply([ $simulator->pairs ], ['KSP/0001'], 'by one call');
$simulator->reset(keep_tokens => JSON::PP::true);
is(value(q{SELECT count(DISTINCT sector_code) FROM kis_sector_trend WHERE market_code = 'KSP'}, 'reports'), 28, 'all rows, five at a time');
is($simulator->calls, 28, 'a call for each pair');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
