# A cursor between its FETCHes: calls made ahead wait for it however long it
# stays away, and it holds nobody up.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use Test::More;
use Time::HiRes ();

use constant REQUEST_TIMEOUT => 0.5;

my $own = own_connections();
my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator,
	request_timeout => 1000 * REQUEST_TIMEOUT . 'ms', max_retries => 0, cache_ttl => '50ms');

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault($_) foreach @_;
	return;
}

# A session with a cursor over the 19 pairs, and connections so warm that a second
# reply might still come on them
sub session_with_cursor
{
	my $session = $node->session;

	$simulator->config(latency_ms => 10);
	$session->query_safe('SELECT count(*) FROM kis_market_trend');
	$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT market_code, sector_code,
		extract(epoch FROM collected_at) FROM kis_market_trend});
	# what the cache holds is too old then
	Time::HiRes::sleep(0.06);
	fresh_count(@_);
	# all six are sent before the first reply is there, and the session is idle
	$simulator->config(latency_ms => 100);
	return $session;
}

# Stays away longer than a request may take, as its owner might
sub stay_away
{
	Time::HiRes::sleep(2.5 * REQUEST_TIMEOUT);
	return;
}

# ---- away longer than request_timeout

my $session = session_with_cursor();
my $asked = Time::HiRes::time();
like($session->query_safe('FETCH 1 FROM c'), qr/^\w+\|\w+\|/, 'the first row');
$simulator->wait_for('data', 6);
my $left = Time::HiRes::time();
stay_away();
is($simulator->calls, 6, 'six calls are made, and no more while nobody fetches');
my @rows = split /\n/, $session->query_safe('FETCH ALL FROM c');
is(scalar @rows, 18, 'then the other rows come');
is($simulator->calls, 19, 'without a second call for any');
my @ahead = map { (split /\|/)[2] } @rows[ 0 .. 4 ];
is_deeply([ grep { $_ > $left + REQUEST_TIMEOUT } @ahead ], [],
	'collected_at of those that came meanwhile is not when they were looked at');
is_deeply([ grep { $_ < $asked } @ahead ], [], 'nor before the first FETCH');
$session->query_safe('COMMIT');
$session->quit;

# ---- closed after that: what nobody looked at was not silent

$session = session_with_cursor();
$session->query_safe('FETCH 1 FROM c');
$simulator->wait_for('data', 6);
stay_away();
$session->query_safe('CLOSE c; COMMIT');
fresh_count();
$session->query_safe(q{SELECT FROM kis_market_trend WHERE market_code = 'KSQ'});
SKIP:
{
	skip $own, 1 if $own;
	is_deeply([ map { $_->{reused} ? 1 : 0 } $simulator->requests ], [ 1 ], 'the next statement has one of the connections');
}
$session->quit;

# ---- KIS has meanwhile closed the connections, or not answered

foreach my $fault (
	{ fault => 'silent_close', after => 1 },
	{ fault => 'silent_close', after => 1, params => { rst => JSON::PP::true } },
	# a connection of its own that is closed is a failure
	($own ? () : { fault => 'close', after => 1, times => 5 }),
	{ fault => 'hang', after => 1, times => 5 })
{
	my $name = $fault->{fault} . ($fault->{params} ? ' (reset)' : '');

	$session = session_with_cursor($fault);
	$session->query_safe('FETCH 1 FROM c');
	$simulator->wait_for('data', 6);
	stay_away();
	$simulator->release;
	my $result = $session->query('FETCH ALL FROM c');
	is($result->{stderr}, '', "$name: no error");
	is(scalar(split /\n/, $result->{output}), 18, "$name: all rows come");
	$session->query_safe('COMMIT');
	$session->quit;
	$simulator->fault;
}

# ---- others

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h', SET request_timeout '30s', ADD max_wait '5s')});
fresh_count();
$session = $node->session;
# connections that are there, so that all calls are sent before it is idle
$simulator->config(latency_ms => 50);
$session->query_safe(q{SELECT count(*) FROM kis_sector_trend WHERE market_code = 'KSP'});
$simulator->config(latency_ms => 100);
$simulator->fault({ fault => 'hang', after => 1, times => 5 });
my $ksq = q{kis_sector_trend WHERE market_code = 'KSQ' AND sector_code <> '1001'};
my $count = $node->safe_psql('postgres', q{SELECT count(*) FROM kis_sector WHERE market_code = 'KSQ' AND sector_code <> '1001'});
$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT market_code, sector_code FROM $ksq");
$session->query_safe('FETCH 1 FROM c');
$simulator->wait_for('held', 5);
my $started = Time::HiRes::time();
is($node->safe_psql('postgres', "SELECT count(*) FROM $ksq"), $count,
	'another session asks for the pairs that an idle cursor has under way');
cmp_ok(Time::HiRes::time() - $started, '<', within(2), 'and is not held up');
$simulator->release;
is(scalar(split /\n/, $session->query_safe('FETCH ALL FROM c')), $count - 1, 'nor is the cursor');
$session->query_safe('COMMIT');

# ---- one that has failed asks for nothing more, though it is there until the transaction ends

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0', SET request_timeout '10min')});
foreach my $case (
	[ '57014', { fault => 'hang', times => 6 } ],
	[ 'HV00M', { match => { market => 'KSP' }, fault => 'truncated_json', times => 1, params => { delay_ms => 300 } },
		{ fault => 'hang', times => 5 } ])
{
	my ($sqlstate, @faults) = @$case;

	fresh_count(@faults);
	$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM kis_market_trend; SAVEPOINT s');
	$session->send('FETCH c');
	$simulator->wait_for('data', 6);
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $session->pid . ')') if $sqlstate eq '57014';
	is($session->result->{errors}[0]{sqlstate}, $sqlstate, "a cursor fails with $sqlstate");
	$session->query_safe('ROLLBACK TO s');
	ok((eventually { $simulator->stats->{open_connections} <= 1 }), 'and none of its calls is under way any more');
	is($session->query_safe(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ'}), 'KSQ', 'the next statement');
	is($simulator->calls, 7, 'makes its call, and none of the cursor\'s');
	$session->query_safe('COMMIT');
	$simulator->release;
}

# nor for what max_calls has refused
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET request_timeout '30s', ADD max_calls '2')});
fresh_count();
$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT trade_date FROM kis_market_trend_daily
	WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10' AND open < 0 ORDER BY trade_date DESC LIMIT 6; SAVEPOINT s});
like(($session->error('FETCH c'))[1], qr/^statement would take at least 3 calls/, 'a cursor comes to more calls than max_calls');
is($simulator->calls, 2, 'of which it has made as many');
$session->query_safe(q{ROLLBACK TO s; SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ'; COMMIT});
is($simulator->calls, 3, 'the next statement makes its call alone');
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h', DROP max_calls)});

# ---- what a cursor can't have is no other statement's trouble

my $files = PostgreSQL::Test::Utils::tempdir();
my %file = map { ($_ => "$files/$_") } qw(app_key app_secret access_token);

sub write_files
{
	my (%content) = @_;

	foreach my $name (keys %content)
	{
		unlink $file{$name};
		PostgreSQL::Test::Utils::append_to_file($file{$name}, $content{$name});
	}
	return;
}

my $kept = 'eyJ' . 'k' x 100;
my $url = $simulator->url;
$node->safe_psql('postgres', qq{
	CREATE SERVER files FOREIGN DATA WRAPPER market_investor_fdw
		OPTIONS (base_url '$url', cache_ttl '0', calendar 'weekday', requests_per_second '1000', max_retries '0');
	CREATE FOREIGN TABLE by_files (market_code text, sector_code text)
		SERVER files OPTIONS (table_name 'kis_market_trend');
	ALTER SERVER kis OPTIONS (SET cache_ttl '0')});
foreach my $case (
	[ 'the app key', [qw(app_key app_secret)], '' ],
	[ 'the access token', [qw(access_token)], sprintf(q{, app_key '%s', app_secret '%s'}, $simulator->app_key, $simulator->app_secret) ])
{
	my ($what, $names, $options) = @$case;

	write_files(app_key => $simulator->app_key, app_secret => $simulator->app_secret, access_token => $kept);
	$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR CURRENT_USER SERVER files OPTIONS ("
		  . join(', ', map { "${_}_file '$file{$_}'" } @$names) . "$options)");
	$simulator->reset;
	$simulator->config(extra_tokens => [$kept]);
	$session->query_safe("SELECT market_code FROM by_files WHERE market_code = 'KSP'");
	# the second call's token is refused while another statement waits
	$simulator->fault(
		{ match => { market => 'KSQ' }, fault => 'error', times => 1, params => { msg_cd => 'EGW00123', delay_ms => 500 } },
		{ match => { market => 'ELW' }, fault => 'slow', params => { ms => 1500 } });
	$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM by_files WHERE market_code IN ('KSP', 'KSQ')});
	is($session->query_safe('FETCH c'), 'KSP', "$what in a file: a cursor");
	unlink @file{@$names};
	my $other = $session->query(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'ELW'});
	is($other->{output} . $other->{stderr}, 'ELW', 'that comes to miss it fails no other statement');
	my $error = $session->query('FETCH c')->{errors}[0];
	is($error->{message}, "could not read the file of option \"$names->[0]_file\"", 'it fails itself');
	$session->query_safe('ROLLBACK');
	write_files(app_key => $simulator->app_key, app_secret => $simulator->app_secret, access_token => $kept);
	is($session->query_safe(q{SELECT count(*) FROM by_files}), 19, 'until the file is back');
	$node->safe_psql('postgres', 'DROP USER MAPPING FOR CURRENT_USER SERVER files');
}

# ---- the same pair is asked for once within a statement, and a LIMIT is a bound

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});
fresh_count();
is($session->query_safe(q{SELECT count(*) FROM kis_market_trend a JOIN kis_market_trend b USING (market_code, sector_code, collected_at)}),
	19, 'two scans of a statement see the same rows');
is($simulator->calls, 19, 'by the same calls');
fresh_count();
$session->query_safe('SELECT * FROM kis_market_trend LIMIT 2');
is($simulator->calls, 2, 'no call beyond a LIMIT');
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (ADD max_calls '18')});
fresh_count();
is(($session->error('SELECT * FROM kis_market_trend'))[0], '54000', 'more calls than max_calls');
is($simulator->calls('any'), 0, 'is an error before any');

$session->quit;
done_testing();
