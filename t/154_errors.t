# What a user sees of each failure: SQLSTATE, message, detail, hint and context
# of a query, the failed outcome of a collection; what KIS was asked; and that
# afterwards everything works again, since failures are not kept.
use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Of accounts of their own: what counts for an app key does not meet other tests
my $secret = 'S' x 180;
my %key = map { $_ => "ERRORS$_" . '0' x (30 - length $_) } qw(REFUSED LIMITED TOOSOON NEXT);
my $simulator = KisTest::Simulator->new(
	config => { accounts => { map { $_ => $secret } values %key } });
my $node = new_node('main');

# Cached, so that it shows that failures are not
setup($node, 'postgres', $simulator, cache_ttl => '1h', max_retries => 1, session_start => '00:00');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');

my @pairs = split /\n/, $node->safe_psql('postgres',
	"SELECT market_code || '/' || sector_code FROM kis_sector ORDER BY 1");
my $one = $node->session('postgres');
my $other = $node->session('postgres');

# A pair that no one has asked for yet: no reply of it is cached
sub fresh_pair
{
	return shift @pairs;
}

sub query
{
	my ($pair, $columns, $table) = @_;
	my ($market, $sector) = split /\//, $pair;

	$columns = 'foreign_net_qty IS NOT NULL' unless defined $columns;
	$table = 'kis_sector_trend' unless defined $table;
	return "SELECT $columns FROM $table WHERE market_code = '$market' AND sector_code = '$sector'";
}

sub collect
{
	my ($pairs, $source) = @_;

	$source = 'kis' unless defined $source;
	return 'SELECT market_code, outcome, detail FROM'
	  . " collect_market_investor_trend('{$pairs}', source => '$source')";
}

# The error of SQL is as expected, part by part: text or a pattern. A part that
# is not named is not looked at, but where the message is, detail and hint must
# be there.
sub error_is
{
	my ($session, $sql, $expected, $name) = @_;
	my %error;

	@error{qw(sqlstate message detail hint context)} = $session->error($sql);
	foreach my $part (sort keys %$expected)
	{
		my $value = $expected->{$part};

		if (ref $value) { like($error{$part}, $value, "$name: $part") }
		else { is($error{$part}, $value, "$name: $part") }
	}
	return unless exists $expected->{message};
	isnt($error{$_}, '', "$name: there is a $_") foreach grep { !exists $expected->{$_} } qw(detail hint);
	return;
}

# A fault of the simulator's: what a query says in two sessions, what a
# collection makes of it, that each asks anew (calls: how often; at_least: or
# more, where what was lost on an old connection is sent again at once), and
# that all is well once the fault is gone.
sub fault_gives
{
	my ($name, $fault, $expected, %more) = @_;
	my $pair = fresh_pair();
	my $calls = $more{calls} || 1;
	my %fault = %$fault;
	my $table = $more{table};
	my $columns = $more{columns};
	my $sql = query($pair, $columns, $table);

	$fault{match} = { pair => $pair };
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault(\%fault);
	error_is($one, $sql, $expected, $name);
	is($simulator->calls, $more{first_calls} || $calls, "$name: calls made")
	  unless $more{at_least};
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault(\%fault);
	error_is($one, $sql, { sqlstate => $expected->{sqlstate} }, "$name, once more");
	error_is($other, $sql, { sqlstate => $expected->{sqlstate} }, "$name, in another session");
	cmp_ok($simulator->calls, $more{at_least} ? '>=' : '==', 2 * $calls, "$name: each asked anew");

	if (!$more{not_collected})
	{
		my $good = fresh_pair();
		my $collected = $one->query(collect("$pair,$good"));
		my ($market, $good_market) = map { (split /\//)[0] } $pair, $good;
		my ($failed) = grep { /\|failed\|/ } split /\n/, $collected->{output};
		my $summary = $more{collected};

		is($collected->{stderr}, '', "$name: a collection goes on");
		if (ref $summary) { like($failed, $summary, "$name: its failed outcome") }
		else { is($failed, "$market|failed|$summary", "$name: its failed outcome") }
		like($collected->{output}, qr/^$good_market\|inserted\|$/m, "$name: and another target is stored");
		error_is($other, collect($pair),
			{ sqlstate => $more{collect_sqlstate} || $expected->{sqlstate},
			  message => 'could not collect any target',
			  detail => qr/^\Q$pair\E: /,
			  $more{collect_sqlstate} ? (hint => '') : () },
			"$name: nothing collected");
	}

	$simulator->fault;
	$simulator->reset(keep_tokens => JSON::PP::true);
	is($one->query_safe(query($pair)), 't', "$name: the session's next query works");
	is($simulator->calls, 1, "$name: and asked KIS");
	is($other->query_safe(query($pair)), 't', "$name: another session's too");
	return;
}

# The same for a failure that stands as 'message (detail)' in a collection.
# detail: what stands behind the server's name and a comma or colon.
sub reply_fails
{
	my ($name, $fault, $message, $detail, %more) = @_;
	my $pattern = ref $detail ? qr/Server "kis".*?$detail/ : qr/Server "kis"[,:] \Q$detail\E/;

	return fault_gives($name, $fault,
		{ sqlstate => delete $more{sqlstate}, message => $message,
		  detail => qr/^$pattern$/, hint => delete $more{hint}, context => '' },
		collected => qr/\|failed\|$message \($pattern\)$/, %more);
}

sub set_option
{
	my ($server, $name, $value) = @_;
	my $has = $node->safe_psql('postgres',
		"SELECT EXISTS (SELECT FROM pg_foreign_server, pg_options_to_table(srvoptions)"
		  . " WHERE srvname = '$server' AND option_name = '$name')");

	$node->safe_psql('postgres',
		"ALTER SERVER $server OPTIONS (" . ($has eq 't' ? 'SET' : 'ADD') . " $name '$value')");
	return;
}

# ---- KIS refuses the call

my $korean = Encode::decode('UTF-8', '안 됩니다.');

foreach my $code (qw(EGW00003 EGW00004 EGW00101 EGW00132 EGW00205 EGW00206 EGW00207 EGW00208
	OPSQ0002 OPSQ2001 EGW99999))
{
	my $status = $code eq 'EGW99999' ? 200 : 500;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault({ fault => 'error', params => { msg_cd => $code, msg1 => $korean, status => $status } });
	error_is($one, query($pairs[0]),
		{ sqlstate => 'HV000', message => 'KIS refuses the call',
		  detail => "Server \"kis\", HTTP status $status, code $code: 안 됩니다.",
		  hint => 'The KIS Developers site explains the code.', context => '' }, $code);
	is($simulator->calls, 1, "$code: reported at once");
}
reply_fails('a refusal with status 200',
	{ fault => 'error', params => { msg_cd => 'EGW00206', status => 200, msg1 => $korean } },
	'KIS refuses the call', 'HTTP status 200, code EGW00206: 안 됩니다.',
	sqlstate => 'HV000', hint => 'The KIS Developers site explains the code.');
reply_fails('a key of paper trading', { fault => 'error', params => { msg_cd => 'EGW02004', msg1 => $korean } },
	'KIS refuses the call', 'HTTP status 500, code EGW02004: 안 됩니다.',
	sqlstate => 'HV000', hint => 'The app key is one of paper trading; use the app key of a real account.');
reply_fails('paper trading', { fault => 'error', params => { msg_cd => 'EGW02006' } },
	'KIS refuses the call', 'HTTP status 500, code EGW02006: 모의투자 TR 이 아닙니다.',
	sqlstate => 'HV000',
	hint => 'KIS does not serve these calls to paper trading; use the app key of a real account and drop the server\'s option base_url.');

# ---- KIS can't answer for now: tried again, then reported

reply_fails('a passing error', { fault => 'error', params => { msg_cd => 'EGW00300', msg1 => $korean } },
	'KIS could not answer', 'HTTP status 500, code EGW00300: 안 됩니다.',
	sqlstate => 'HV000', hint => 'Try again later.', calls => 2);
reply_fails('a page with status 502', { fault => 'html_502' },
	'KIS could not answer', 'HTTP status 502',
	sqlstate => 'HV00M', hint => 'Try again later.', calls => 2);
reply_fails('nothing with status 500', { fault => 'empty_body' },
	'KIS could not answer', 'HTTP status 500',
	sqlstate => 'HV00M', hint => 'Try again later.', calls => 2);
reply_fails('a closed connection', { fault => 'close' },
	'KIS closed the connection without a reply',
	qr/, while waiting for the reply: the connection was closed without a reply: .+/,
	sqlstate => 'HV00L', hint => 'Try again later.', calls => 2, at_least => 1);

set_option('kis', request_timeout => '300ms');
reply_fails('no reply in time', { fault => 'hang' },
	'KIS sent no reply in time',
	qr/, while waiting for the reply: timed out after \d+ ms with 0 bytes of the reply/,
	sqlstate => 'HV00L', calls => 2,
	hint => 'Try again later, or raise the server\'s option request_timeout or max_wait.');
reply_fails('half a reply in time', { fault => 'hang_body' },
	'KIS sent no reply in time',
	qr/: timed out after \d+ ms with [1-9]\d* bytes of the reply/,
	sqlstate => 'HV00L', calls => 2,
	hint => 'Try again later, or raise the server\'s option request_timeout or max_wait.');
set_option('kis', request_timeout => '10s');

# ---- replies that are not what they should be

my $way = 'Check that the server\'s options base_url and proxy lead to KIS.';

foreach my $case (
	[ html_200 => 'the reply is not JSON: <!DOCTYPE html> <html><head><title>200</title></head><body><h1>서비스 점검 중입니다</h1></body></html>' ],
	[ truncated_json => qr/: the reply is truncated after \d+ bytes/ ],
	[ short_body => qr/: the reply is truncated after \d+ bytes: .+/ ],
	[ huge_body => 'the reply is larger than 4194304 bytes' ],
	[ huge_headers => 'the reply\'s headers are larger than 65536 bytes' ],
	[ bad_utf8 => qr/: the reply is not valid JSON: it .+ at byte \d+/ ],
	[ nul_escape => qr/: the reply is not valid JSON: it .+ at byte \d+/ ],
	[ trailing_garbage => qr/: the reply is not valid JSON: it .+ at byte \d+/ ],
	[ output_missing => 'the reply has no "output"' ],
	[ output_null => 'the reply has no "output"' ],
	[ output_string => '"output" of the reply is neither an array nor an object' ],
	[ duplicate_member => 'the reply has member "frgn_ntby_qty" twice' ],
	[ empty_body => 'the reply is empty', status => 200 ],
	[ redirect => 'HTTP status 302: redirects are not followed' ])
{
	my ($fault, $detail, @params) = @$case;

	$detail = "HTTP status 200: $detail" unless ref $detail || $detail =~ /^HTTP/;
	reply_fails($fault, { fault => $fault, params => {@params} },
		'KIS sent a reply that is not what it should be', $detail,
		sqlstate => 'HV00M', hint => $way);
}
is_deeply([ grep { $_->{path} =~ /redirected/ } $simulator->requests ], [], 'a redirect is not followed');

# ---- the token, the app key and the secret are refused

reply_fails('a token that stays refused', { fault => 'error', params => { msg_cd => 'EGW00121' } },
	'KIS refuses the access token', 'HTTP status 500, code EGW00121: 유효하지 않은 token 입니다.',
	sqlstate => '28000', first_calls => 2,
	hint => 'Even a fresh token was refused. Look whether another program issues tokens for the same app key, and at the key\'s state on the KIS Developers site.');
reply_fails('an app key refused in a call', { fault => 'error', params => { msg_cd => 'EGW00103' } },
	'KIS refuses the app key or secret', 'HTTP status 500, code EGW00103: 유효하지 않은 AppKey입니다.',
	sqlstate => '28000',
	hint => 'Check the user mapping\'s option app_key, or the file of app_key_file.');

# A server of their own for what happens before the first call
$node->safe_psql('postgres',
	"SET log_statement = 'none'; CREATE SERVER first FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '"
	  . $simulator->url . "', requests_per_second '1000', max_retries '0', cache_ttl '0', session_start '00:00');"
	  . " CREATE USER MAPPING FOR CURRENT_USER SERVER first OPTIONS (app_key '$key{REFUSED}', app_secret '$secret');"
	  . ' CREATE SCHEMA first; IMPORT FOREIGN SCHEMA kis FROM SERVER first INTO first;');

# Without a token there is no call: the same error in a query and, of all
# targets, in a collection; then repair, and all works.
sub first_fails
{
	my ($name, $expected, $detail, $repair) = @_;
	my $pair = 'KSP/0001';
	my $sql = query($pair, undef, 'first.kis_market_trend');
	my $whole = ref $detail ? qr/^Server "first"$detail$/ : "Server \"first\"$detail";
	my $words = ref $detail ? qr/Server "first"$detail/ : quotemeta "Server \"first\"$detail";

	$simulator->reset(keep_tokens => JSON::PP::true);
	error_is($one, $sql, { %$expected, detail => $whole, context => '' }, $name);
	error_is($other, $sql, { %$expected, detail => $whole }, "$name, in another session");
	error_is($one, collect("$pair,KSQ/1001", 'first'),
		{ sqlstate => $expected->{sqlstate}, message => 'could not collect any target',
		  detail => qr/^$pair: $expected->{message} \($words\)\nKSQ\/1001: $expected->{message} \($words\)$/,
		  hint => $expected->{hint} }, "$name, in a collection");
	is($simulator->calls, 0, "$name: no data call");
	$repair->();
	is($one->query_safe($sql), 't', "$name: mended, the session's next query works");
	is($other->query_safe($sql), 't', "$name: another session's too");
	return;
}

sub set_mapping
{
	my ($app_key, $app_secret) = @_;

	$node->safe_psql('postgres', "SET log_statement = 'none';"
		  . " ALTER USER MAPPING FOR CURRENT_USER SERVER first OPTIONS (SET app_key '$app_key', SET app_secret '$app_secret')");
	return;
}

my $app_key_refused = { sqlstate => '28000', message => 'KIS refuses the app key or secret',
	hint => 'Check the user mapping\'s option app_key, or the file of app_key_file.' };
my $app_secret_refused = { %$app_key_refused,
	hint => 'Check the user mapping\'s option app_secret, or the file of app_secret_file: all of its 180 characters and no newline.' };

set_mapping('X' x 36, $secret);
first_fails('a wrong app key', $app_key_refused,
	', HTTP status 403, code EGW00103: 유효하지 않은 AppKey입니다.',
	sub { set_mapping($key{REFUSED}, $secret) });
set_mapping($key{REFUSED}, 'X' x 180);
first_fails('a wrong app secret', $app_secret_refused,
	', HTTP status 403, code EGW00105: 유효하지 않은 AppSecret입니다.',
	sub { set_mapping($key{REFUSED}, $secret) });

# ---- no way to KIS

my $no_way = { sqlstate => 'HV00N', message => 'could not connect to KIS',
	hint => 'Check the network, and the server\'s options base_url, proxy, ca_file and connect_timeout.' };
my $mend = sub { set_option('first', base_url => $simulator->url) };

# No resolver needs to be asked for a name that none can be
set_option('first', base_url => 'https://' . 'a' x 64 . '.invalid:9443');
first_fails('no such host', $no_way, qr/, while resolving the host name: .*resolve.*/, $mend);

# Nobody listens there, and nobody else can take the port
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no socket: $@";
set_option('first', base_url => 'https://127.0.0.1:' . $closed->sockport);
first_fails('a closed port', $no_way, qr/, while connecting: .+/, $mend);
$closed->close;

# This one waits for a request line
set_option('first', base_url => 'https://127.0.0.1:' . $simulator->port);
set_option('first', connect_timeout => '500ms');
first_fails('no TLS behind https', $no_way, qr/, while agreeing on TLS: timed out after \d+ ms/, $mend);
set_option('first', connect_timeout => '3s');

my $tls = KisTest::Simulator->new(tls => 1);
set_option('first', base_url => $tls->url);
first_fails('a certificate of an unknown authority', $no_way,
	qr/, while agreeing on TLS: .*certificate.*/, $mend);
is(scalar $tls->requests, 0, 'nothing was sent there');
$tls->stop;

my $elsewhere = KisTest::Simulator->new(tls => 1, tls_names => 'kis.invalid');
set_option('first', base_url => $elsewhere->url);
$node->safe_psql('postgres', "ALTER SERVER first OPTIONS (ADD ca_file '" . $elsewhere->ca_file . "')");
first_fails('a certificate of another host', $no_way, qr/, while agreeing on TLS: .*127\.0\.0\.1.*/, $mend);
is(scalar $elsewhere->requests, 0, 'nothing was sent there');

set_option('first', base_url => $elsewhere->url);
my $cut = PostgreSQL::Test::Utils::tempdir() . '/cut.pem';
append_to_file($cut, "-----BEGIN CERTIFICATE-----\nMIIB\n");
set_option('first', ca_file => $cut);
first_fails('a ca_file that is cut',
	{ sqlstate => 'HV000', message => 'could not ask KIS',
	  hint => 'The reason lies on this machine: memory, open files, or the file of the option ca_file.' },
	qr{, while [a-zA-Z ]+: .*[Cc][Aa].*}, $mend);
$elsewhere->stop;

# ---- beyond the rate

my $rate_hint = qr/^Try again in \d+ s\. Lower the option requests_per_second if other programs use the same app key, or raise the server's option max_wait\.$/;

set_mapping($key{LIMITED}, $secret);
set_option('first', max_wait => '300ms');
$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00201' } });
my $sql = query('KSP/0001', undef, 'first.kis_market_trend');
error_is($one, $sql,
	{ sqlstate => '53400', message => 'too many calls a second for the app key',
	  detail => 'Server "first", HTTP status 500, code EGW00201: 초당 거래건수를 초과하였습니다.',
	  hint => $rate_hint }, 'KIS refuses for the rate');
cmp_ok($simulator->calls, '>', 1, 'which was tried again');
my $calls = $simulator->calls;
error_is($other, $sql, { sqlstate => '53400' }, 'and once more');
cmp_ok($simulator->calls, '>', $calls, 'each asks anew');
like(($one->query(collect('KSP/0001', 'first'))->{errors}[0]{detail}),
	qr/^KSP\/0001: too many calls a second for the app key \(Server "first", HTTP status 500, code EGW00201: .+\)$/,
	'a collection says so too');
$simulator->fault;
is($one->query_safe($sql), 't', 'then it works again');
is($other->query_safe($sql), 't', 'in another session too');

# the one call in so long
set_option('first', requests_per_second => '0.02');
set_option('first', max_wait => '30s');
is($one->query_safe($sql), 't', 'the only call that the rate lets through');
set_option('first', max_wait => '300ms');
$simulator->reset(keep_tokens => JSON::PP::true);
error_is($one, $sql,
	{ sqlstate => '53400', message => 'too many calls a second for the app key',
	  detail => 'Server "first": no call was free within max_wait', hint => $rate_hint },
	'beyond our own rate');
is($simulator->calls, 0, 'which asks nothing');
error_is($other, collect('KSP/0001', 'first'), { sqlstate => '53400',
	detail => 'KSP/0001: too many calls a second for the app key (Server "first": no call was free within max_wait)',
	hint => $rate_hint }, 'a collection beyond our own rate');
set_option('first', requests_per_second => '1000');
is($one->query_safe($sql), 't', 'raised, it works');
is($other->query_safe($sql), 't', 'in another session too');

# ---- a token too soon: another program has just got one

$simulator->config(token_min_interval => 60);
my $got = HTTP::Tiny->new(proxy => undef, http_proxy => undef)->post($simulator->url . '/oauth2/tokenP',
	{ headers => { 'content-type' => 'application/json' },
	  content => encode_json({ grant_type => 'client_credentials', appkey => $key{TOOSOON}, appsecret => $secret }) });
is($got->{status}, 200, 'another program gets a token');
my $tokens = $simulator->calls('token');
set_mapping($key{TOOSOON}, $secret);
foreach my $session ($one, $other)
{
	error_is($session, $sql,
		{ sqlstate => '53400', message => 'KIS issues no access token yet',
		  detail => 'Server "first": no access token was to be had within max_wait',
		  hint => qr/^Try again in (?:60|5\d) s\. KIS issues one token a minute for an app key\.$/ },
		'a token too soon');
}
is($simulator->calls('token'), $tokens + 1, 'KIS is asked once in the minute');
set_mapping($key{NEXT}, $secret);
is($_->query_safe($sql), 't', 'with another app key it works') foreach $one, $other;
$simulator->config(token_min_interval => 0);

# ---- no user mapping

sub write_secret
{
	my ($name, $value) = @_;
	my $path = PostgreSQL::Test::Utils::tempdir() . "/$name";

	append_to_file($path, "$value\n");
	return $path;
}

$node->safe_psql('postgres', q{
	CREATE ROLE "Trade Clerk" LOGIN;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO "Trade Clerk";
	GRANT USAGE ON FOREIGN SERVER kis, first TO "Trade Clerk";
	GRANT pg_read_server_files TO "Trade Clerk";});
my $clerk = $node->session('postgres');
my $pair = fresh_pair();
my $no_mapping = { sqlstate => '42704',
	message => 'user mapping not found for user "Trade Clerk", server "kis"', detail => '',
	hint => 'CREATE USER MAPPING FOR "Trade Clerk" SERVER kis OPTIONS (app_key_file \'/path\', app_secret_file \'/path\');' };
$clerk->query_safe('SET ROLE "Trade Clerk"');
error_is($clerk, query($pair), $no_mapping, 'no user mapping');
$clerk->query_safe("CREATE TEMP TABLE store (market_code text, sector_code text, collected_at timestamptz,"
	  . ' trade_date date, foreign_net_qty bigint, UNIQUE (market_code, sector_code, trade_date))');
my $into_store = "SELECT outcome FROM collect_market_investor_trend('{$pair}', store => 'store')";
error_is($clerk, $into_store, $no_mapping, 'no user mapping for a collection');
my $command = $no_mapping->{hint};
my $file = write_secret('app_key', $simulator->app_key);
$command =~ s{/path}{$file};
$file = write_secret('app_secret', $simulator->app_secret);
$command =~ s{/path}{$file};
is($node->psql('postgres', $command, extra_params => [ '-U', 'Trade Clerk' ]), 0,
	'the hint, its paths filled in, can be run as it stands');
is($clerk->query_safe(query($pair)), 't', 'and helps a query');
is($clerk->query_safe($into_store), 'inserted', 'and a collection');
$clerk->quit;
$node->safe_psql('postgres', 'REVOKE pg_read_server_files FROM "Trade Clerk"');

# ---- too many calls

$simulator->reset(keep_tokens => JSON::PP::true);
set_option('kis', cache_ttl => '0');
set_option('kis', max_calls => 10);
foreach my $case (
	[ 'SELECT count(*) FROM kis_sector_trend', 71 ],
	[ 'SELECT count(*) FROM kis_market_trend', 19 ],
	[ collect('KSP/0001,KSQ,ETF,ELW,ETN,K2I,999,MKI'), 12 ])
{
	error_is($one, $case->[0],
		{ sqlstate => '54000',
		  message => "statement would take $case->[1] calls to KIS, more than max_calls allows",
		  detail => 'Option max_calls of server "kis" is 10.',
		  hint => 'Narrow the query by market_code and sector_code, or raise max_calls.' },
		"$case->[1] calls");
}
is($simulator->calls, 0, 'nothing is asked then');
is($_->query_safe("SELECT count(*) FROM kis_sector_trend WHERE market_code = 'K2I'"), 3, 'fewer calls work')
  foreach $one, $other;
set_option('kis', max_calls => 100);

# ---- values that don't fit their columns

$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE narrow (market_code text, sector_code text, foreign_net_qty integer)
		SERVER kis OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE own (market_code text, sector_code text, mine smallint OPTIONS (field 'frgn_ntby_qty'))
		SERVER kis OPTIONS (table_name 'kis_sector_trend');});

sub value_fails
{
	my ($name, $fault, $sqlstate, $message, $table, $column, $collected) = @_;

	return fault_gives($name, $fault,
		{ sqlstate => $sqlstate, message => $message, detail => '', hint => '',
		  context => qr/^column "$column" of foreign table "$table", member "frgn_ntby_qty", \w+\/\w+$/ },
		table => $table, columns => $column,
		defined $collected ?
		  (collected => "member \"frgn_ntby_qty\" is no bigint: \"$collected\"", collect_sqlstate => 'HV000') :
		  (not_collected => 1));
}

value_fails('text into bigint', { fault => 'text' }, '22P02',
	'invalid input syntax for type bigint: "abc"', 'kis_sector_trend', 'foreign_net_qty', 'abc');
value_fails('a fraction into bigint', { fault => 'text', params => { value => '1.5' } }, '22P02',
	'invalid input syntax for type bigint: "1.5"', 'kis_sector_trend', 'foreign_net_qty', '1.5');
value_fails('20 digits into bigint', { fault => 'overflow' }, '22003',
	'value "99999999999999999999" is out of range for type bigint', 'kis_sector_trend', 'foreign_net_qty',
	'99999999999999999999');
value_fails('10 digits into integer', { fault => 'overflow', params => { value => '3000000000' } }, '22003',
	'value "3000000000" is out of range for type integer', 'narrow', 'foreign_net_qty');
value_fails('5 digits into smallint', { fault => 'overflow', params => { value => '40000' } }, '22003',
	'value "40000" is out of range for type smallint', 'own', 'mine');

# What PostgreSQL's types take beside decimal digits, some from version 16 on, is
# no figure of KIS's
$node->safe_psql('postgres', q{
	CREATE DOMAIN shares AS numeric;
	CREATE FOREIGN TABLE wide (market_code text, sector_code text, foreign_net_qty shares,
		also double precision OPTIONS (field 'frgn_ntby_qty')) SERVER kis OPTIONS (table_name 'kis_sector_trend');});
value_fails("\"$_\" into bigint", { fault => 'text', params => { value => $_ } }, '22P02',
	"invalid input syntax for type bigint: \"$_\"", 'kis_sector_trend', 'foreign_net_qty', $_)
  foreach '0x1F', '1_000', '0b1';
value_fails("\"$_\" into a domain over numeric", { fault => 'text', params => { value => $_ } }, '22P02',
	"invalid input syntax for type shares: \"$_\"", 'wide', 'foreign_net_qty')
  foreach 'NaN', 'Infinity', '1_000.5';
value_fails('"-inf" into double precision', { fault => 'text', params => { value => '-inf' } }, '22P02',
	'invalid input syntax for type double precision: "-inf"', 'wide', 'also');

# ---- options

error_is($one, "ALTER SERVER first OPTIONS (ADD base_rul 'https://127.0.0.1')",
	{ sqlstate => 'HV00D', message => 'invalid option "base_rul"', detail => '',
	  hint => 'Perhaps you meant the option "base_url".' }, 'a bad option name');
error_is($one, "ALTER SERVER first OPTIONS (SET max_retries 'many')",
	{ sqlstate => '22023', message => 'invalid value for option "max_retries": "many"',
	  hint => 'Write a whole number from 0 to 10, such as \'2\'.' }, 'a bad option value');
$one->query_safe('SET ROLE "Trade Clerk"');
error_is($one, q{CREATE USER MAPPING FOR CURRENT_USER SERVER first OPTIONS (app_key_file '/etc/passwd')},
	{ sqlstate => '42501', message => 'permission denied to set option "app_key_file"', detail => '' },
	'an option that the user has no right to');
$one->query_safe('RESET ROLE');

$_->quit foreach $one, $other;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
