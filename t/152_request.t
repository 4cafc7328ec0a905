# What is sent to KIS: exactly what it documents, nothing that a user's text
# could add, and nothing at all for what needs no figures.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IO::Socket::INET;
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $trend = '/uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market';
my $simulator = KisTest::Simulator->new;
my $nowhere = 'http://127.0.0.1:1';

# What the environment says of proxies must not matter
my $node = new_node('main', env => { map { $_ => $nowhere }
	qw(http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY) });

setup($node, 'postgres', $simulator, session_start => '00:00', max_retries => 0);
my $query = "SELECT foreign_net_qty IS NOT NULL FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0013'";

sub quiet
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', "SET log_statement = 'none'; $sql");
}

# ---- nothing is asked for what needs no figures, not even a token

my @idle = (
	'EXPLAIN SELECT * FROM kis_market_trend',
	'EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM kis_sector_trend a JOIN kis_market_trend b USING (market_code, sector_code)',
	'EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM kis_market_trend WHERE market_code = (SELECT min(market_code) FROM kis_sector)',
	'SET plan_cache_mode = force_generic_plan; PREPARE p (text) AS SELECT * FROM kis_market_trend WHERE market_code = $1; EXPLAIN EXECUTE p (\'KSP\')',
	'SELECT * FROM kis_market_trend WHERE false',
	'SELECT * FROM kis_market_trend LIMIT 0',
	'SELECT * FROM kis_market_trend ORDER BY foreign_net_qty LIMIT 0',
	'SELECT * FROM kis_market_trend WHERE market_code = NULL',
	'SELECT * FROM kis_market_trend WHERE market_code IS NULL',
	"SELECT * FROM kis_market_trend WHERE market_code = 'KSP' AND market_code = 'KSQ'",
	"SELECT * FROM kis_market_trend WHERE market_code = ANY ('{}')",
	"SELECT * FROM kis_market_trend WHERE market_code LIKE 'X%'",
	"SELECT * FROM kis_sector s JOIN kis_sector_trend t USING (market_code, sector_code) WHERE s.market_code = 'NONE'",
	'SELECT * FROM kis_sector', 'SELECT * FROM kis_investor_type', 'SELECT * FROM kis_stat', 'SELECT * FROM kis_activity',
	'BEGIN; DECLARE c CURSOR FOR SELECT * FROM kis_market_trend; CLOSE c; COMMIT',
	'CREATE VIEW v AS SELECT * FROM kis_market_trend; CREATE MATERIALIZED VIEW m AS SELECT * FROM v WITH NO DATA; DROP VIEW v CASCADE',
	'CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS \'SELECT sum(foreign_net_qty) FROM kis_market_trend\'; DROP FUNCTION f()',
	'ALTER SERVER kis OPTIONS (ADD max_calls \'50\'); ALTER SERVER kis OPTIONS (SET max_calls \'100\')',
	"CREATE SERVER other FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '" . $simulator->url . "')",
	'CREATE SCHEMA other; IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO other',
	'CREATE FOREIGN TABLE hand (market_code text, net bigint OPTIONS (field \'frgn_ntby_qty\')) SERVER kis OPTIONS (table_name \'kis_market_trend\')',
	'ALTER FOREIGN TABLE hand ALTER net OPTIONS (SET field \'prsn_ntby_qty\'), ADD all_of_it jsonb OPTIONS (field \'**\')',
	'SELECT kis_comment_tables()', 'SELECT create_market_investor_trend()',
	'ANALYZE kis_market_trend', 'VACUUM kis_market_trend', 'ANALYZE',
	'SELECT * FROM information_schema.tables', 'SELECT * FROM information_schema.columns',
	'SELECT * FROM information_schema.foreign_table_options', 'SELECT * FROM information_schema.user_mapping_options',
	'SELECT pg_relation_size(c.oid), pg_table_is_visible(c.oid), obj_description(c.oid) FROM pg_class c',
	'\d+ kis_market_trend', '\det+ *.*', '\des+', '\dew+', '\d+ *.kis*',
	'COPY (SELECT * FROM kis_market_trend WHERE false) TO STDOUT');
foreach my $sql (@idle)
{
	is_deeply(run_sql($node, 'postgres', $sql)->{errors}, [], $sql);
}
foreach my $sql (
	"INSERT INTO kis_market_trend (market_code) VALUES ('KSP')", 'DELETE FROM kis_market_trend',
	'UPDATE kis_market_trend SET foreign_net_qty = 0', 'TRUNCATE kis_market_trend',
	'COPY kis_market_trend TO STDOUT', 'SELECT * FROM kis_market_trend TABLESAMPLE SYSTEM (1)',
	'SELECT no_such_column FROM kis_market_trend',
	"SELECT * FROM collect_market_investor_trend('{}')", "SELECT * FROM collect_market_investor_trend('{NONE}')",
	"SELECT * FROM collect_market_investor_trend(store => 'no_such_table')")
{
	is(scalar @{ run_sql($node, 'postgres', $sql)->{errors} }, 1, "refused: $sql");
}
is($simulator->calls('any'), 0, 'nothing was asked for any of these');

# ---- the first query: a token and a call

is($node->safe_psql('postgres', $query), 't', 'a query, whatever proxy the environment names');
my ($token, $call, @more) = $simulator->requests;
is(scalar @more, 0, 'asks for a token and for the pair');

my %transport = (host => '127.0.0.1:' . $simulator->port, 'user-agent' => 'market_investor_fdw/1.0', accept => '*/*');
my $body = '{"grant_type":"client_credentials","appkey":"' . $simulator->app_key
  . '","appsecret":"' . $simulator->app_secret . '"}';
is("$token->{method} $token->{path}?$token->{raw_query}", 'POST /oauth2/tokenP?', 'the token: where');
is_deeply($token->{headers},
	{ %transport, 'content-type' => 'application/json', 'content-length' => length $body }, 'the token: headers');
is_deeply(decode_json($token->{body}), decode_json($body), 'the token: body');
is(length $token->{body}, length $body, 'the token: and no more');

is("$call->{method} $call->{path}?$call->{raw_query}",
	"GET $trend?FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0013", 'the call: where, its parameters in order');
my ($bearer) = $call->{headers}{authorization} =~ /^Bearer (\S+)$/;
my %documented = (
	'content-type' => 'application/json; charset=utf-8',
	authorization => "Bearer $bearer",
	appkey => $simulator->app_key,
	appsecret => $simulator->app_secret,
	tr_id => 'FHPTJ04030000',
	custtype => 'P');
is_deeply($call->{headers}, { %transport, %documented }, 'the call: headers');
is($call->{body}, '', 'the call: no body');

# A collection, another table, another pair: the same but for the codes
$node->safe_psql('postgres', "SELECT collect_market_investor_trend('{999/S001}')");
is($node->safe_psql('postgres', "SELECT net IS NOT NULL FROM hand WHERE market_code = 'ETF'"), 't', 'a table made by hand');
(undef, @more) = $simulator->requests('trend');
is_deeply([ map { "$_->{path}?$_->{raw_query}" } @more ],
	[ "$trend?FID_INPUT_ISCD=999&FID_INPUT_ISCD_2=S001", "$trend?FID_INPUT_ISCD=ETF&FID_INPUT_ISCD_2=T000" ],
	'other pairs');
is_deeply($_->{headers}, { %transport, %documented }, 'their headers') foreach @more;

# ---- byte by byte: this test is KIS

# Answers one request and returns it, and what the session got.
sub answer_one
{
	my ($listener, $sql) = @_;
	my $session = $node->session('postgres');
	my $row = '{"output":[{"frgn_ntby_qty":"1"}],"rt_cd":"0","msg_cd":"MCA00000","msg1":""}';
	my $request = '';

	$session->send($sql);
	my $client = $listener->accept or die "nobody came: $@";
	while ($request !~ /\r\n\r\n\z/)
	{
		sysread $client, $request, 65536, length $request or die "the request ends early: $request";
	}
	print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($row) . "\r\nConnection: close\r\n\r\n$row";
	close $client;

	my $output = $session->result->{output};
	$session->quit;
	return ($request, $output);
}

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Timeout => 60) or die "no socket: $@";
my $address = '127.0.0.1:' . $listener->sockport;
my $token_file = PostgreSQL::Test::Utils::tempdir() . '/token';
my ($app_key, $app_secret) = ('K' x 36, 'S' x 179 . '=');
append_to_file($token_file, "a.token-of_another+program/==\n");
quiet(qq{
	CREATE SERVER raw FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url 'http://$address', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER raw OPTIONS (app_key '$app_key', app_secret '$app_secret', access_token_file '$token_file');
	CREATE FOREIGN TABLE raw (market_code text, foreign_net_qty bigint) SERVER raw OPTIONS (table_name 'kis_market_trend')});

my @expected = (
	'Accept: */*', 'User-Agent: market_investor_fdw/1.0', 'appkey: ' . $app_key, "appsecret: $app_secret",
	'authorization: Bearer a.token-of_another+program/==', 'content-type: application/json; charset=utf-8',
	'custtype: P', 'tr_id: FHPTJ04030000');
my ($request, $output) = answer_one($listener, "SELECT foreign_net_qty FROM raw WHERE market_code = 'KSQ'");
my ($line, @headers) = split /\r\n/, $request;
is($line, "GET $trend?FID_INPUT_ISCD=KSQ&FID_INPUT_ISCD_2=1001 HTTP/1.1", 'the request line');
is_deeply([ sort @headers ], [ sort @expected, "Host: $address" ], 'each header once');
is($output, '1', 'and its answer');

$listener->close;

# ---- over TLS

my $tls = KisTest::Simulator->new(tls => 1);
quiet("DROP SERVER other; CREATE SERVER other FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '"
	  . $tls->url . "', ca_file '" . $tls->ca_file . "');"
	  . " CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (app_key '" . $tls->app_key
	  . "', app_secret '" . $tls->app_secret . "');"
	  . " CREATE FOREIGN TABLE over_tls (market_code text, foreign_net_qty bigint) SERVER other OPTIONS (table_name 'kis_market_trend')");
is($node->safe_psql('postgres', "SELECT foreign_net_qty IS NOT NULL FROM over_tls WHERE market_code = 'KSP'"), 't', 'a query over TLS');
($token, $call, @more) = $tls->requests;
is(scalar @more, 0, 'a token and a call');
is_deeply([ map { $_->{raw_query} } $token, $call ], [ '', 'FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0001' ], 'the same over TLS');
is(join(' ', sort keys %{ $call->{headers} }), join(' ', sort keys %transport, keys %documented), 'the same headers');
is_deeply([ $tls->problems ], [], 'all requests over TLS were as KIS documents them');
$tls->stop;

# ---- no text of a user's gets into a request

$simulator->reset(keep_tokens => JSON::PP::true);
my @strange = ('KSP&FID_INPUT_ISCD_2=0002', 'KSP?', 'KSP#', 'K P', 'KSP%00', "KSP\r\nx: y", '../x', 'KSP;0001', '코스피', "KSP'--", 'ksp', ' KSP');
foreach my $code (@strange)
{
	my $literal = sql_literal($code);
	my $name = $code =~ s/[\r\n]/ /gr;

	is_deeply([ map { $_->{sqlstate} } @{ run_sql($node, 'postgres', "SELECT * FROM kis_sector_trend WHERE market_code = $literal")->{warnings} } ],
		['02000'], "no market: $name");
	is((sql_error($node, 'postgres', "SELECT * FROM collect_market_investor_trend(ARRAY[$literal])"))[0],
		'22023', "no target: $name");
	next if $code =~ /^ ?ksp$/i;		# extra_pairs may be such
	is((sql_error($node, 'postgres', "ALTER SERVER kis OPTIONS (ADD extra_pairs " . sql_literal($_) . ')'))[0],
		'22023', "no extra_pairs: $name") foreach "$code/0099", "KSP/$code";
}
foreach my $value ("x\r\nx-injected: 1", "x\nx", 'x y', "x\ty", '열쇠')
{
	my $literal = sql_literal($value);
	my $name = $value =~ s/\s+/ /gr;

	is((sql_error($node, 'postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER raw OPTIONS (SET app_key $literal)"))[0],
		'22023', "no app key: $name");
	is((sql_error($node, 'postgres', "ALTER SERVER raw OPTIONS (SET base_url " . sql_literal("http://127.0.0.1/$value") . ')'))[0],
		'22023', "nor part of base_url: $name");
}
is($simulator->calls('any'), 0, 'nothing was asked for any of these');

# A pair of the user's own is asked for as it stands
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD extra_pairs 'KSP/0099, X1/y2')");
$simulator->config(extra_pairs => [ 'KSP/0099', 'X1/y2' ]);
is($node->safe_psql('postgres', "SELECT count(foreign_net_qty) FROM kis_sector_trend WHERE sector_code IN ('0099', 'y2')"), 2,
	'pairs of extra_pairs');
is_deeply([ sort map { $_->{raw_query} } $simulator->requests('trend') ],
	[ 'FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0099', 'FID_INPUT_ISCD=X1&FID_INPUT_ISCD_2=y2' ], 'and their requests');

# Nor of a file, nor KIS's own
append_to_file("$token_file.bad", "token\r\nx-injected: 1\n");
quiet("ALTER USER MAPPING FOR CURRENT_USER SERVER raw OPTIONS (SET access_token_file '$token_file.bad')");
is((sql_error($node, 'postgres', 'SELECT * FROM raw'))[0], 'HV000', 'no token of several lines');
$simulator->kill_token;
$simulator->fault({ fault => 'body', match => { kind => 'token' },
	params => { body => '{"access_token":"abc\r\nx-injected: 1","expires_in":86400}', status => 200 } });
is_deeply([ (sql_error($node, 'postgres', $query))[ 0, 2 ] ],
	[ 'HV00M', 'Server "kis", HTTP status 200: the access token is too long, or has characters that no header can carry' ],
	'no token of several lines from KIS');
$simulator->fault;

is_deeply([ grep { exists $_->{headers}{'x-injected'} } $simulator->requests ], [], 'no header was added');
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
