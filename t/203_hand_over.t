# A session that makes a call or gets a token for many goes: cancelled,
# terminated, in error, killed. Nobody is left waiting.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Crowd;
use List::Util qw(max min);
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => "max_connections = 100\nrestart_after_crash = on");
my $waiters = 5;

setup($node, 'postgres', $simulator, cache_ttl => '10s', max_retries => 1);
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE narrow (market_code text, sector_code text, foreign_net_qty integer)
	SERVER kis OPTIONS (table_name 'kis_sector_trend')});

sub pair
{
	my ($pair) = @_;
	my ($market, $sector) = split '/', $pair;

	return "SELECT sector_code FROM kis_sector_trend"
	  . " WHERE market_code = '$market' AND sector_code = '$sector'";
}

sub stop_backend
{
	my ($function, $session) = @_;

	$node->safe_psql('postgres', "SELECT $function(" . $session->pid . ')');
	return;
}

# Starts clean, with a token or without.
sub fresh
{
	my ($token) = @_;

	$simulator->reset(keep_tokens => $token ? JSON::PP::true : JSON::PP::false);
	$node->restart;
	$node->safe_psql('postgres', pair('KSP/0027')) if $token;
	$simulator->reset(keep_tokens => JSON::PP::true);
	return;
}

# ---- the owner of a call, or of a token request, goes

my %ways = (
	cancelled => sub { stop_backend('pg_cancel_backend', $_[0]) },
	terminated => sub { stop_backend('pg_terminate_backend', $_[0]) },
	# max_wait and retries play no part: its own statement_timeout ends it
	'timed out' => sub { $_[0]->result });

foreach my $kind (qw(data token))
{
	foreach my $way (sort keys %ways)
	{
		fresh($kind eq 'data');
		$simulator->fault({ match => { kind => $kind }, fault => 'hang', times => 1 });
		my $owner = $node->session;
		my $crowd = KisTest::Crowd->new($node, $waiters);

		$owner->query_safe("SET statement_timeout = '3s'") if $way eq 'timed out';
		$owner->send(pair('KSP/0001'));
		$simulator->wait_for('held', 1);
		$crowd->send(pair('KSP/0001'));
		$crowd->wait_until_waiting;
		$ways{$way}->($owner);

		my $gone = Time::HiRes::time();
		my @results = $crowd->results;
		my $took = max(map { $_->{ended} } @results) - $gone;
		my $what = $kind eq 'data' ? 'call' : 'token request';

		is(scalar(grep { $_->{output} eq '0001' } @results), $waiters,
			"the owner of a $what is $way: those who waited are served");
		ok($took < within(1), sprintf('within a second: %.3f s', $took));
		is($simulator->calls($kind), 2, "one of them made the $what anew for all");
		$owner->result if $way eq 'cancelled';
		$owner->quit if $way ne 'terminated';
		$crowd->quit;
	}
}

# ---- its slot of the rate is not lost

foreach my $kind (qw(data token))
{
	foreach my $way (qw(cancelled terminated))
	{
		fresh($kind eq 'data');
		$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET requests_per_second '1')");
		$simulator->fault({ match => { kind => $kind }, fault => 'hang', times => 1 });
		my $owner = $node->session;
		my $other = $node->session;

		$owner->send(pair('KSP/0001'));
		$simulator->wait_for('held', 1);
		$other->send(pair('KSP/0001'));
		KisTest::Crowd::wait_until_waiting_pids($node, $other->pid);
		$ways{$way}->($owner);

		my $gone = Time::HiRes::time();
		my $result = $other->result;
		my $took = $result->{ended} - $gone;

		is($result->{output}, '0001', "one call a second, the owner of a $kind call is $way: the other is served");
		# a token call needs a slot, and the data call after it another one
		ok($took < within($kind eq 'data' ? 1.5 : 2.5), sprintf('as soon as the rate allows: %.2f s', $took));
		$owner->result if $way eq 'cancelled';
		$owner->quit if $way eq 'cancelled';
		$other->quit;
		$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET requests_per_second '1000')");
	}
}

# ---- the owner's own error

fresh(1);
# both are sent before the first reply is there
$simulator->config(latency_ms => 100, overrides => { 'KSP/0001' => { frgn_ntby_qty => '3000000000' } });
$simulator->fault({ match => { pair => 'KSP/0002' }, fault => 'hang', times => 1 });
my $owner = $node->session;
my $crowd = KisTest::Crowd->new($node, $waiters);

$owner->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT foreign_net_qty FROM narrow'
	  . " WHERE market_code = 'KSP' AND sector_code IN ('0001', '0002')");
$owner->send('FETCH c');
$simulator->wait_for('held', 1);
$crowd->send(pair('KSP/0002'));
is($owner->result->{errors}[0]{sqlstate}, '22003', 'the owner fails in its own conversion');
my $gone = Time::HiRes::time();
my @results = $crowd->results;
my $took = max(map { $_->{ended} } @results) - $gone;
is(scalar(grep { $_->{output} eq '0002' } @results), $waiters, 'those who waited for its other call are served');
ok($took < within(1), sprintf('within a second: %.3f s', $took));
$owner->query_safe('ROLLBACK');

# ---- the owner looks away

fresh(1);
$simulator->fault({ match => { pair => 'KSQ/1001' }, fault => 'hang', times => 1 });
$owner->quit;
$crowd->quit;
$owner = $node->session;
$owner->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM kis_market_trend');
is($owner->query_safe('FETCH c'), 'KSP', 'a cursor that has requested more than it has read');
my $held = eval { $simulator->wait_for('held', 1, 2) };
$crowd = KisTest::Crowd->new($node, $waiters);
my $sent = Time::HiRes::time();
@results = $crowd->query(pair('KSQ/1001'));
$took = max(map { $_->{ended} } @results) - $sent;
is(scalar(grep { $_->{output} eq '1001' } @results), $waiters, 'holds nobody up while it is idle');
ok($took < within(1), sprintf('others are served within a second: %.3f s', $took));
$simulator->release(clear_faults => JSON::PP::true);
is($owner->query_safe('FETCH 3 FROM c'), "KSQ\nK2I\nK2I", 'and it goes on itself');
$owner->query_safe('COMMIT');

# ---- the owner is killed

foreach my $kind (qw(data token))
{
	fresh($kind eq 'data');
	$simulator->fault({ match => { kind => $kind }, fault => 'hang', times => 1 });
	my $killed = $node->session;
	my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

	$killed->send(pair('KSP/0001'));
	$simulator->wait_for('held', 1);
	kill 'KILL', $killed->pid;
	$killed->result;
	ok($killed->is_closed, "SIGKILL in the middle of a $kind call");
	ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the cluster comes back');
	is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'by itself');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM kis_stat'), 0, 'with clean memory');
	is($node->safe_psql('postgres', pair('KSP/0001')), '0001', 'and calls KIS');
}

# ---- a KIS that is dead

$crowd->quit;
$owner->quit;
fresh(1);
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD request_timeout '1s')");
$simulator->fault({ fault => 'hang' });
$crowd = KisTest::Crowd->new($node, 64);
$sent = Time::HiRes::time();
@results = $crowd->query(pair('KSP/0001'));
my $bound = 2 * 1 + 0.2;				# one retry, and the pause before it
my @ends = sort { $a <=> $b } map { $_->{ended} - $sent } @results;
is(scalar(grep { @{ $_->{errors} } && $_->{errors}[0]{sqlstate} eq 'HV00L' } @results), 64,
	'64 sessions that ask a dead KIS all fail');
is($simulator->calls, 2, 'by one call and its retry');
ok($ends[-1] < within($bound + 1.5),
	sprintf('all together: from %.2f s to %.2f s, with a request_timeout of 1 s and one retry', @ends[ 0, -1 ]));
$simulator->release(clear_faults => JSON::PP::true);
@results = $crowd->query(pair('KSP/0001'));
is(scalar(grep { $_->{output} eq '0001' } @results), 64, 'no error is kept: all are served when it is back');
is($simulator->calls, 3, 'by one call');
$crowd->quit;

# ---- a stampede comes to rest: who waits sleeps

fresh(1);
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET request_timeout '10s')");
$simulator->fault({ match => { pair => 'KSP/0002' }, fault => 'hang' });
$crowd = KisTest::Crowd->new($node, 8);
$crowd->query('SELECT 1');
$owner = $node->session;
$owner->send(pair('KSP/0002'));
$simulator->wait_for('held', 1);
$crowd->send(pair('KSP/0002'));
$crowd->wait_until_waiting;
stop_backend('pg_cancel_backend', $owner);
$owner->result;
$simulator->wait_for('data', 2);

sub cpu_ticks
{
	my $sum = 0;

	foreach my $session ($crowd->sessions)
	{
		my $stat = PostgreSQL::Test::Utils::slurp_file('/proc/' . $session->pid . '/stat');
		my @fields = split ' ', $stat =~ s/^.*\) //sr;

		$sum += $fields[11] + $fields[12];
	}
	return $sum;
}
my $ticks = cpu_ticks();
my $since = Time::HiRes::time();
eventually { Time::HiRes::time() - $since > 1 };
$ticks = cpu_ticks() - $ticks;
ok($ticks <= 10, "after a hand-over those who wait again do so asleep: $ticks ticks in a second");
$simulator->release(clear_faults => JSON::PP::true);
@results = $crowd->results;
is(scalar(grep { $_->{output} eq '0002' } @results), 8, 'and all are served');
$crowd->quit;
$owner->quit;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
