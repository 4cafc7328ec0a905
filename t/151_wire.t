# Connections and replies: how many at a time, how long they live, what is
# done about one that is dead, what is taken as a reply, and how long is waited.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IO::Compress::Gzip ();
use JSON::PP;
use KisTest;
use KisTest::Hang;
use List::Util ();
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $resolver = KisTest::Hang::Resolver->new('slow.kis.example');
my $backlog = KisTest::Hang::Listener->new('backlog');
my $mute = KisTest::Hang::Listener->new('accept');
my $node = new_node('main', env => $resolver->env);

setup($node, 'postgres', $simulator, max_retries => 0);

my $ksp = q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'};
my $all = 'SELECT count(*) FROM kis_market_trend';
my $figure = $node->safe_psql('postgres', $ksp);
my $session = $node->session;

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault($_) foreach @_;
	return;
}

sub set_option
{
	my ($option, $value) = @_;

	$node->safe_psql('postgres', qq{
		DO \$\$ BEGIN
			ALTER SERVER kis OPTIONS (SET $option '$value');
		EXCEPTION WHEN undefined_object THEN
			ALTER SERVER kis OPTIONS (ADD $option '$value');
		END \$\$});
	return;
}

# The calls' connections, sorted
sub connections
{
	my %number = map { $_->{connection} => 1 } $simulator->requests('data');

	return sort { $a <=> $b } keys %number;
}

# ---- several at a time

foreach my $most (1, 2, 6, 10)
{
	fresh_count();
	$simulator->config(latency_ms => 50);
	set_option('max_concurrent_requests', $most);
	is($session->query_safe($all), 19, "max_concurrent_requests $most");
	is($simulator->stats->{max_under_way}, $most, 'are under way at a time');
	is($simulator->calls, 19, 'and no more calls made than there are pairs');
}

# ---- connections live as long as the session

set_option('max_concurrent_requests', 6);
$session->quit;
ok((eventually { $simulator->stats->{open_connections} == 0 }), 'they end with the session');
$session = $node->session;
fresh_count();
$simulator->config(latency_ms => 50);
$session->query_safe($all);
my @first = connections();
my $own = own_connections();
is(scalar @first, $own ? 19 : 6, $own ? 'a connection for each call' : 'six connections for six at a time');
ok((eventually { $simulator->stats->{open_connections} == ($own ? 0 : 6) }), $own ? 'which ends with it' : 'which stay open');

SKIP:
{
	skip $own, 4 if $own;
	fresh_count();
	$simulator->config(latency_ms => 50);
	$session->query_safe($all);
	is_deeply([ connections() ], \@first, 'which the next statement uses again');
	is_deeply([ grep { !$_->{reused} } $simulator->requests ], [], 'without a new one');
	fresh_count();
	$node->safe_psql('postgres', 'ALTER SERVER kis OPTIONS (ADD max_calls \'50\')');
	$session->query_safe($ksp);
	is_deeply([ grep { !$_->{reused} } $simulator->requests ], [], 'nor after ALTER SERVER');
	$session->error('SELECT 1/0');
	$session->query_safe("BEGIN; $ksp; ROLLBACK");
	is_deeply([ grep { !$_->{reused} } $simulator->requests ], [], 'nor after an error or a rollback');
}

# ---- a connection that KIS has dropped

foreach my $rst (0, 1)
{
	my $how = $rst ? 'reset' : 'closed';
	my $params = { rst => $rst ? JSON::PP::true : JSON::PP::false };
	my $alone = $node->session;

	SKIP:
	{
		skip $own, 7 if $own;
		fresh_count({ fault => 'silent_close', times => 1, params => $params });
		$alone->query_safe($ksp);
		ok((eventually { $simulator->stats->{open_connections} == 6 }), "an idle connection is $how");
		is($alone->query_safe($ksp), $figure, 'which the next statement does not see');
		is_deeply([ map { $_->{reused} ? 1 : 0 } $simulator->requests ], [ 0, 0 ], 'it makes a new one');

		fresh_count({ match => { reused => JSON::PP::true }, fault => 'close', times => 1, params => $params });
		is($alone->query_safe($ksp), $figure, "a connection is $how when it is used again");
		is_deeply([ map { $_->{reused} ? 1 : 0 } $simulator->requests ], [ 1, 0 ],
			'the call is made again, once, on a new one');

		# however late: to connect anew has its own time
		set_option('connect_timeout', '300ms');
		fresh_count({ match => { reused => JSON::PP::true }, fault => 'close', times => 1, params => { %$params, delay_ms => 600 } });
		is($alone->query_safe($ksp), $figure, "a connection is $how later than connect_timeout");
		is_deeply([ map { $_->{reused} ? 1 : 0 } $simulator->requests ], [ 1, 0 ], 'the call is made again, once, on a new one');
		set_option('connect_timeout', '3s');
	}

	fresh_count({ fault => 'close', params => $params });
	my ($sqlstate, $message) = $alone->error($ksp);
	is("$sqlstate: $message", 'HV00L: KIS closed the connection without a reply', "a new connection is $how");
	is(scalar(grep { !$_->{reused} } $simulator->requests), 1, 'which is not tried again beyond max_retries');
	$simulator->fault;
	$alone->quit;
}

# ---- one that brings nothing any more, as do the others that are as old

SKIP:
{
	skip $own, 14 if $own;
	set_option('max_retries', 1);
	foreach my $later (0, 1.1, 2.1)
	{
		my $alone = $node->session;

		fresh_count();
		$simulator->config(latency_ms => 50);
		$alone->query_safe($all);
		my %old = map { $_ => 1 } connections();

		set_option('request_timeout', '400ms');
		fresh_count({ match => { reused => JSON::PP::true }, fault => 'hang' });
		is($alone->query_safe($ksp), $figure, 'a connection brings nothing: the statement does not see it');
		set_option('request_timeout', '10s');
		$alone->query_safe("SELECT pg_sleep($later)");
		fresh_count();
		is($alone->query_safe($all), 19, "the next statement, $later s later");
		is_deeply([ grep { $old{$_} } connections() ], [], 'has none of the old connections');
		if ($later > 2)
		{
			fresh_count();
			is($alone->query_safe($ksp), $figure, 'and the one after');
			is_deeply([ map { $_->{reused} ? 1 : 0 } $simulator->requests ], [ 1 ], 'has one of the new ones');
		}
		$alone->quit;
	}

	# A statement that doesn't wait so long
	fresh_count();
	$session->query_safe($all);
	my %old = map { $_ => 1 } connections();
	fresh_count({ match => { reused => JSON::PP::true }, fault => 'hang', times => 1 });
	is(($session->error("SET statement_timeout = '3s'; $ksp"))[0], '57014', 'a statement ends before request_timeout');
	$session->query_safe('RESET statement_timeout');
	fresh_count();
	is($session->query_safe($all), 19, 'the next one');
	is_deeply([ grep { $old{$_} } connections() ], [], 'has none of the old connections either');
	set_option('max_retries', 0);
}

# ---- what is taken as a reply

foreach my $fault (
	{ fault => 'chunked', params => { chunk => 7 } },
	{ fault => 'chunked', params => { trailer => JSON::PP::true } },
	{ fault => 'until_close' },
	{ fault => 'connection_close' },
	{ fault => 'drip', params => { bytes => 500, ms => 5, headers => JSON::PP::true } },
	{ fault => 'slow', params => { ms => 200 } },
	{ fault => 'output_object' },
	{ fault => 'msg1_padded' },
	{ fault => 'bom' },
	{ fault => 'set', params => { members => { news => { a => [ 1 ] } } } })
{
	fresh_count({ %$fault, times => 1 });
	is($session->query_safe($ksp), $figure, "$fault->{fault}: is taken as a reply");
	is($session->query_safe($ksp), $figure, "$fault->{fault}: and the next as well");
	is($simulator->calls, 2, "$fault->{fault}: without a retry");
}

my $body = encode_json({ output => [ { frgn_ntby_qty => '77' } ], rt_cd => '0', msg_cd => 'MCA00000', msg1 => '' });
my $small;
IO::Compress::Gzip::gzip(\$body, \$small);
$node->safe_psql('postgres', 'CREATE FOREIGN TABLE figure (market_code text, foreign_net_qty bigint) SERVER kis OPTIONS (table_name \'kis_market_trend\')');
my $figure_sql = q{SELECT foreign_net_qty FROM figure WHERE market_code = 'KSP'};
fresh_count({ fault => 'raw', times => 1, params => { text =>
	"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " . length($small) . "\r\n\r\n$small" } });
is($session->query_safe($figure_sql), 77, 'gzip, which nobody has asked for');
is(($simulator->requests)[0]{headers}{'accept-encoding'}, undef, 'nobody has');
fresh_count({ fault => 'raw', times => 2, params => { text =>
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n$body" } });
{
	# on a kept connection it could be another request's
	my $alone = $node->session;

	is($alone->query_safe($figure_sql), 77, 'HTTP/1.0 after an interim reply');
	$alone->quit;
}

# ---- what is not

foreach my $case (
	[ { fault => 'redirect' }, qr/redirects are not followed/ ],
	[ { fault => 'redirect', params => { status => 308, location => $simulator->url . '/elsewhere' } },
		qr/redirects are not followed/ ],
	[ { fault => 'huge_body' }, qr/larger than 4194304 bytes/ ],
	[ { fault => 'huge_body', params => { chunked => JSON::PP::true } }, qr/larger than 4194304 bytes/ ],
	[ { fault => 'huge_headers' }, qr/the reply's headers are larger than 65536 bytes/ ],
	[ { fault => 'huge_headers', params => { bytes => 30 << 20, line => JSON::PP::true } },
		qr/the reply's headers are larger than 65536 bytes/ ],
	[ { fault => 'short_body' }, qr/truncated/ ],
	[ { fault => 'truncated_json' }, qr/truncated/ ],
	[ { fault => 'raw' }, qr/./ ])
{
	my ($fault, $detail) = @$case;

	fresh_count($fault);
	my ($sqlstate, $message, $got) = $session->error($ksp);
	is($sqlstate, 'HV00M', "$fault->{fault}: is no reply");
	like($got, $detail, "$fault->{fault}: and why");
	is($simulator->calls('any'), 1, "$fault->{fault}: after one request");
}
fresh_count();
is($session->query_safe($ksp), $figure, 'then all is well');

# ---- a page of another day

sub page_of
{
	return encode_json({ rt_cd => '0', msg_cd => 'MCA00000', msg1 => '',
		output => [ map { { stck_bsop_date => $_, frgn_ntby_qty => '1' } } @_ ] });
}

foreach my $case (
	[ 'of the day asked for', '20260707', '1' ],
	[ 'of the session before', '20260706', '1' ],
	[ 'of the day after', '20260708', 'HV00M' ],
	[ 'of the year after', '20270707', 'HV00M' ])
{
	my ($what, $day, $right) = @$case;
	my $older = $day - 1;

	fresh_count({ match => { kind => 'daily' }, fault => 'body', params => { body => page_of($day, $older) }, times => 1 });
	my $result = $session->query(q{SELECT foreign_net_qty FROM kis_market_trend_daily
		WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-07-06' AND '2026-07-07' LIMIT 1});
	is(@{ $result->{errors} } ? $result->{errors}[0]{sqlstate} : $result->{output}, $right, "a daily page that begins with one $what");
	like($result->{errors}[0]{detail}, qr/begins with $day, after the day asked for, 20260707/, 'and why') if $right eq 'HV00M';
}

# ---- how long is waited

# The error of SQL, and after how many ms it came
sub timed_error
{
	my ($sql) = @_;
	my $started = Time::HiRes::time();
	my $result = $session->query($sql);

	return ($result->{errors}[0], 1000 * ($result->{ended} - $started));
}

set_option('request_timeout', '400ms');
foreach my $fault ('hang', 'hang_headers', 'hang_body', 'drip')
{
	fresh_count({ fault => $fault });
	my ($error, $ms) = timed_error($ksp);
	is("$error->{sqlstate}: $error->{message}", 'HV00L: KIS sent no reply in time', "$fault: request_timeout");
	cmp_ok($ms, '>=', 400, "$fault: not before it is over");
	cmp_ok($ms, '<', 1000 * within(2), "$fault: nor long after");
	is($simulator->calls, 1, "$fault: one call");
}

fresh_count();
set_option('connect_timeout', '400ms');
foreach my $case (
	[ 'connecting', 'http://127.0.0.1:' . $backlog->port, qr/while connecting/ ],
	[ 'TLS', 'https://127.0.0.1:' . $mute->port, qr/TLS/ ],
	[ 'the look-up', 'https://slow.kis.example:' . $mute->port, qr/resolving/ ])
{
	my ($what, $url, $detail) = @$case;

	set_option('base_url', $url);
	set_option('request_timeout', '20s');
	$resolver->hold;
	my ($error, $ms) = timed_error($ksp);
	is("$error->{sqlstate}: $error->{message}", 'HV00N: could not connect to KIS', "connect_timeout bounds $what");
	like($error->{detail}, $detail, "$what: the detail says so");
	cmp_ok($ms, '>=', 400, "$what: not before it is over");
	cmp_ok($ms, '<', 1000 * within(2), "$what: nor long after");
}

$resolver->let_go;
set_option('base_url', $simulator->url);
set_option('connect_timeout', '3s');
is($session->query_safe($ksp), $figure, 'then all is well');

$session->quit;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
