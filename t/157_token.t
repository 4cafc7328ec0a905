# The access token: one for all sessions, requested as seldom as can be. KIS
# sends the customer a message for each, and one too soon may kill the live token.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

# Accounts of their own for what an account remembers
my %key_of = map { ($_ => uc($_) . '0' x (36 - length)) } qw(cancelled queue short handed soon lost);
my $simulator = KisTest::Simulator->new(
	config => { accounts => { map { ($_ => 'S' x 180) } values %key_of } });
my $node = new_node('main');
my $files = PostgreSQL::Test::Utils::tempdir();

setup($node, 'postgres', $simulator, max_retries => 0);

sub add_server
{
	my ($name, %options) = @_;
	my %server = (base_url => $simulator->url, cache_ttl => '0', requests_per_second => '1000',
		max_retries => '0', %options);
	my $options = join ', ', map { "$_ '$server{$_}'" } sort keys %server;

	$node->safe_psql('postgres', qq{
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name
			OPTIONS (app_key '$key_of{$name}', app_secret '} . 'S' x 180 . qq{');
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_market_trend')});
	return;
}

add_server($_) foreach qw(cancelled soon handed lost short);
add_server('queue', requests_per_second => '1', max_wait => '20s');

my @sessions = map { $node->session } 1 .. 4;
my ($one, $two) = @sessions;

sub query
{
	my ($table, $market) = @_;

	return "SELECT market_code FROM $table WHERE market_code = '" . ($market || 'KSP') . "'";
}

# All sessions at once; their answers
sub together
{
	my ($sql) = @_;

	$_->send($sql) foreach @sessions;
	return [ map { $_->result->{output} } @sessions ];
}

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	return;
}

sub is_waiting
{
	my ($session) = @_;

	return $node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_activity WHERE pid = '
		  . $session->pid . " AND wait_event_type = 'Extension'");
}

# ---- one for all

$simulator->config(token_latency_ms => 300);
is_deeply(together(query('kis_market_trend')), [ ('KSP') x 4 ], 'four sessions without a token ask at once');
is($simulator->calls('token'), 1, 'for one token');
is_deeply(together(query('kis_market_trend')), [ ('KSP') x 4 ], 'and again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kis_market_trend'), 19, 'so does a new one, for all pairs');
$node->safe_psql('postgres', 'CREATE DATABASE another');
setup($node, 'another', $simulator);
is($node->safe_psql('another', query('kis_market_trend')), 'KSP', 'and one of another database');
is($simulator->calls('token'), 1, 'with that token');
my %bearers = map { $_->{headers}{authorization} => 1 } $simulator->requests('trend');
is(scalar keys %bearers, 1, 'which all calls bear');

# ---- killed by KIS

foreach my $code (qw(EGW00121 EGW00122 EGW00123))
{
	fresh_count();
	$simulator->kill_token(code => $code);
	is($one->query_safe(query('kis_market_trend')), 'KSP', "$code: a token that is dead is unseen");
	is($simulator->calls('token'), 1, "$code: another one is got");
	is($simulator->calls('data'), 2, "$code: the call is made again, once");
	is($two->query_safe(query('kis_market_trend')), 'KSP', "$code: the next session");
	is($simulator->calls('token'), 1, "$code: has it, too");
}

fresh_count();
$simulator->kill_token;
is($one->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'killed for several calls under way');
is($simulator->calls('token'), 1, 'one is got');

fresh_count();
$simulator->kill_token;
$simulator->config(latency_ms => 100);
is_deeply(together(query('kis_market_trend')), [ ('KSP') x 4 ], 'killed for several sessions');
is($simulator->calls('token'), 1, 'one is got');

# ---- a fresh one that is refused

is($one->query_safe(query('handed')), 'KSP', 'a token is there');
fresh_count();
$simulator->kill_token(hand_back => JSON::PP::true);
my $error = $one->query(query('handed'))->{errors}[0];
is($error->{sqlstate}, '28000', 'KIS hands out the dead token again: refused');
is($error->{message}, 'KIS refuses the access token', 'message');
like($error->{detail}, qr/EGW00121/, 'detail');
is($simulator->calls('token'), 1, 'after one issue');
is($simulator->calls('data'), 2, 'and two calls');
is(($two->error(query('handed')))[0], '28000', 'the next statement');
is($simulator->calls('token'), 1, 'requests no other within a minute');
is($simulator->calls('data'), 3, 'and calls once');

# ---- too soon

fresh_count();
$simulator->fault({ match => { kind => 'token' }, fault => 'error', params => { msg_cd => 'EGW00133' } });
$node->safe_psql('postgres', "ALTER SERVER kis_soon OPTIONS (ADD max_wait '50s')");
foreach my $session ($one, $two)
{
	my $started = Time::HiRes::time();
	my $result = $session->query(query('soon'));

	$error = $result->{errors}[0];
	is($error->{sqlstate}, '53400', 'one token a minute, and max_wait is less');
	like($error->{hint}, qr/^Try again in (?:60|5\d) s\./, 'the hint says when');
	cmp_ok($result->{ended} - $started, '<', 50, 'at once');
}
is($simulator->calls('token'), 1, 'nobody else asks meanwhile');
is($simulator->calls('data'), 0, 'and no call is made');
$simulator->fault;

# ---- a request that KIS may have counted is not made again

fresh_count();
$simulator->fault({ match => { kind => 'token' }, fault => 'close', times => 1 });
$node->safe_psql('postgres', 'ALTER SERVER kis_lost OPTIONS (SET max_retries \'3\')');
is(($one->error(query('lost')))[0], 'HV00L', 'closed without an answer to the token call');
is($simulator->calls('token'), 1, 'which is not made again');
is($one->query_safe(query('lost')), 'KSP', 'but for the next statement');

# ---- cancelled while it asks

fresh_count();
$simulator->fault({ match => { kind => 'token' }, fault => 'hang' });
foreach (1 .. 3)
{
	$one->send(query('cancelled'));
	$simulator->wait_for('held', 1);
	eventually { is_waiting($one) };
	$two->query_safe('SELECT pg_cancel_backend(' . $one->pid . ')');
	is($one->result->{errors}[0]{sqlstate}, '57014', 'cancelled while KIS issues a token');
}
is($simulator->calls('token'), 1, 'the session goes on with its one request');
$one->send(query('cancelled'));
$simulator->release(clear_faults => JSON::PP::true);
is($one->result->{output}, 'KSP', 'whose token it uses');
is($two->query_safe(query('cancelled')), 'KSP', 'and others');
is($simulator->calls('token'), 1, 'without another request');

# ---- who waits for its slot must not hold up who gets the token for it

is($one->query_safe(query('queue')), 'KSP', 'a rate of one a second');
fresh_count();
$simulator->fault({ match => { pair => 'KSP/0001' }, fault => 'hang' });
$one->send(query('queue'));
$simulator->wait_for('held', 1);
$two->send(query('queue', 'KSQ'));
ok((eventually { is_waiting($two) }), 'one call is under way, one session waits for its slot');
$simulator->kill_token;
$simulator->release(clear_faults => JSON::PP::true);
my @results = map { $_->result } $one, $two;
is($results[0]{output}, 'KSP', 'the token is dead: the first has its answer');
is($results[1]{output}, 'KSQ', 'and the second');
is($simulator->calls('token'), 1, 'with one token');

# ---- a token that ends

$simulator->reset;
$simulator->config(token_lifetime => 2, token_same_for => 0);
is($one->query_safe(query('short')), 'KSP', 'a token for two seconds');
ok((eventually { $one->query_safe(query('short')); $simulator->calls('token') == 2 }), 'a new one is got in time');
is_deeply([ grep { $_->{status} != 200 } $simulator->requests ], [], 'before KIS refuses the old one');

# ---- a token that another program keeps

my @theirs = map { 'eyJ' . $_ x 100 } 'a', 'b';
fresh_count();
$simulator->config(extra_tokens => [ $theirs[0] ]);
append_to_file("$files/token", "$theirs[0]\n");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (ADD access_token_file '$files/token')");
is($one->query_safe(query('kis_market_trend')), 'KSP', 'with access_token_file');
is(($simulator->requests('trend'))[-1]{headers}{authorization}, "Bearer $theirs[0]", 'calls bear the token in it');
$simulator->config(extra_tokens => [ $theirs[1] ]);
unlink "$files/token";
append_to_file("$files/token", encode_json({ access_token => $theirs[1] }));
is($one->query_safe(query('kis_market_trend')), 'KSP', 'refused, it is read again');
is(($simulator->requests('trend'))[-1]{headers}{authorization}, "Bearer $theirs[1]", 'and the new one is borne');
$simulator->config(extra_tokens => []);
is(($one->error(query('kis_market_trend')))[0], '28000', 'refused and not another one: an error');
is($simulator->calls('token'), 0, 'none is requested');

$_->quit foreach @sessions;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
