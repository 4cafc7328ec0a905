# A session that stands still, whatever the reason, holds nobody up: its place in
# the queue, its slot of the rate, its call and its issue pass on within about a
# second. When it goes on, it does no harm. And a machine that sleeps.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Crowd;
use List::Util qw(max);
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env, conf => 'max_connections = 100');
my $waiters = 4;

setup($node, 'postgres', $simulator, max_wait => '20s');

sub option
{
	my ($name, $value) = @_;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET $name '$value')");
	return;
}

sub pair
{
	my ($pair) = @_;
	my ($market, $sector) = split '/', $pair;

	return "SELECT sector_code FROM kis_sector_trend WHERE market_code = '$market' AND sector_code = '$sector'";
}

sub is_stopped
{
	my ($pid) = @_;

	return PostgreSQL::Test::Utils::slurp_file("/proc/$pid/stat") =~ /^\d+ \(.*\) T/;
}

my @stopped;

sub stop
{
	my ($session) = @_;

	kill 'STOP', $session->pid;
	push @stopped, $session->pid;
	eventually { is_stopped($session->pid) } or die 'the session does not stop';
	return;
}

sub go_on
{
	kill 'CONT', splice @stopped;
	return;
}

# An error must not leave the server with processes that no signal ends
END { kill 'CONT', @stopped if @stopped }

# Starts clean, with a token or without.
sub fresh
{
	my ($token) = @_;

	$simulator->reset;
	$clock->set('2026-07-10 10:30:00');
	$node->restart;
	$node->safe_psql('postgres', pair('KSP/0027')) if $token;
	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set('2026-07-10 10:30:00');
	return;
}

sub since
{
	my ($began, @results) = @_;

	return max(map { $_->{ended} } @results) - $began;
}

# ---- a place in the queue

option(requests_per_second => 1);
fresh(1);
my $first = $node->session;
my @crowd = map { $node->session } 1 .. 4;

$first->query_safe(pair('KSP/0001'));
foreach my $i (0 .. 3)
{
	$crowd[$i]->send(pair("KSP/000" . ($i + 2)));
	KisTest::Crowd::wait_until_waiting_pids($node, $crowd[$i]->pid);
}
stop($_) foreach @crowd[ 0, 1 ];
my $began = Time::HiRes::time();
my @results = map { $_->result } @crowd[ 2, 3 ];
is_deeply([ map { $_->{output} } @results ], [ '0004', '0005' ], 'two of those who wait for the rate stand still: the others come to their turn');
cmp_ok(since($began, @results), '<', 8, 'within about a second of it');
is($simulator->stats->{max_in_second}, 1, 'one a second');
go_on();
is_deeply([ map { $_->result->{output} } @crowd[ 0, 1 ] ], [ '0002', '0003' ], 'those who stood still go on when they can');
is($simulator->stats->{max_in_second}, 1, 'within the rate');
$_->quit foreach @crowd;

# ---- a slot of the rate, its call sent

fresh(1);
$simulator->fault({ match => { pair => 'KSP/0002' }, fault => 'hang', times => 1 });
@crowd = map { $node->session } 1 .. 2;
$crowd[0]->send(pair('KSP/0002'));
$simulator->wait_for('held', 1);
stop($crowd[0]);
$began = Time::HiRes::time();
my $result = $crowd[1]->query(pair('KSP/0003'));
is($result->{output}, '0003', 'a session that stands still with a call under way');
cmp_ok(since($began, $result), '<', 8, 'does not keep the slot');
$simulator->release;
go_on();
is($crowd[0]->result->{output}, '0002', 'and has its reply in the end');
$_->quit foreach @crowd;
$first->quit;

# ---- a call that others wait for, and an issue

option(requests_per_second => 1000);
option(cache_ttl => '10s');
foreach my $kind (qw(data token))
{
	fresh($kind eq 'data');
	$simulator->fault({ match => { kind => $kind }, fault => 'hang', times => 1 });
	my $owner = $node->session;
	my $crowd = KisTest::Crowd->new($node, $waiters);
	my $what = $kind eq 'data' ? 'call' : 'issue';

	$owner->send(pair('KSP/0001'));
	$simulator->wait_for('held', 1);
	$crowd->send(pair('KSP/0001'));
	$crowd->wait_until_waiting;
	stop($owner);
	$began = Time::HiRes::time();
	@results = $crowd->results;
	is(scalar(grep { $_->{output} eq '0001' } @results), $waiters, "the owner of $what stands still: those who waited are served");
	cmp_ok(since($began, @results), '<', 8, 'within about a second');
	is($simulator->calls($kind), 2, "one of them made the $what anew for all");

	# the owner goes on: what it has is older than what is there
	my $calls = $simulator->calls('any');
	$simulator->release;
	go_on();
	is($owner->result->{output}, '0001', 'the owner has its own in the end');
	is($simulator->calls('any'), $calls, 'and makes no other');
	$owner->quit;
	$crowd->quit;
}

# ---- its late reply

fresh(1);
option(cache_ttl => '1h');
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '111' } });
$simulator->fault({ match => { pair => 'KSP/0001' }, fault => 'slow', times => 1, params => { ms => 1000 } });
my $owner = $node->session;
my $figure = "SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'";
$owner->send("SELECT foreign_net_qty, clock_timestamp() - collected_at > '2 s' FROM kis_market_trend WHERE market_code = 'KSP'");
$simulator->wait_for('data', 1);
stop($owner);
eventually { ($simulator->requests('data'))[0]{status} } or die 'no reply';
$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '222' } });
my $other = $node->session;
is($other->query_safe($figure), 222, 'another makes the call of one who stands still');
my $until = Time::HiRes::time() + 2.5;
eventually { Time::HiRes::time() > $until };
go_on();
is($owner->result->{output}, '111|t', 'a reply that came while a session stood still: as old as it is');
is($other->query_safe($figure), 222, 'and it does not replace a newer one');
is($simulator->calls, 2, 'which is in the cache');
$_->quit foreach $owner, $other;

# ---- its late token

fresh(0);
option(cache_ttl => '0');
$simulator->fault({ match => { kind => 'token' }, fault => 'hang', times => 1 });
$owner = $node->session;
$owner->send(pair('KSP/0001'));
$simulator->wait_for('held', 1);
stop($owner);
$simulator->config(token_min_interval => 60);
$other = $node->session;
$other->send(pair('KSP/0002'));
$simulator->wait_for('token', 2);
is($other->result->{output}, '0002', 'another gets the token of one who stands still');
$simulator->release;
go_on();
is($owner->result->{output}, '0001', 'who goes on with that');
is((grep { $_->{status} == 403 } $simulator->requests('token')), 1, 'and KIS has refused the late one as too soon');
is($other->query_safe(pair('KSP/0003')), '0003', 'which changes nothing for the others');
is($simulator->calls('token'), 2, 'nobody requests one more');
$_->quit foreach $owner, $other;

# ---- what was not sent is not sent late

fresh(1);
option(requests_per_second => 1);
my $slow = $node->session;
$simulator->config(latency_ms => 300);
$slow->query_safe(pair('KSP/0001'));
$slow->send(pair('KSP/0002'));
KisTest::Crowd::wait_until_waiting_pids($node, $slow->pid);
stop($slow);
my $crowd = KisTest::Crowd->new($node, 3);
$crowd->send(sub { pair("KSP/000" . ($_[0] + 3)) });
eventually { $simulator->calls >= 4 };
go_on();
is_deeply([ sort map { $_->{output} } $crowd->results ], [qw(0003 0004 0005)], 'one who stands still in the queue is passed over');
is($slow->result->{output}, '0002', 'and served when it goes on');
is($simulator->stats->{max_in_second}, 1, 'never two in a second');
$_->quit foreach $slow, $crowd;

# ---- the machine sleeps

option(requests_per_second => 1000);
option(cache_ttl => '1h');
fresh(1);
my $session = $node->session;
$session->query_safe(pair('KSP/0001'));
$session->query_safe(pair('KSP/0001'));
is($simulator->calls, 1, 'a reply that is kept for an hour');
$clock->sleep(3 * 86400);
is($session->query_safe(pair('KSP/0001')), '0001', 'after three days of sleep');
is($simulator->calls, 2, 'is requested anew');
is($simulator->calls('token'), 1, 'with a new token');
$clock->sleep(600);
is($session->query_safe(pair('KSP/0001')), '0001', 'after ten minutes more');
is($simulator->calls, 2, 'it is still fresh');
$session->quit;

# a call is under way, others wait for it
$simulator->fault({ fault => 'hang', times => 1 });
$owner = $node->session;
$owner->send(pair('KSP/0003'));
$simulator->wait_for('held', 1);
$crowd = KisTest::Crowd->new($node, 2);
$crowd->send(pair('KSP/0003'));
$crowd->wait_until_waiting;
$clock->sleep(86400);
$simulator->release;
is_deeply([ map { $_->{output} } $owner->result, $crowd->results ], [ ('0003') x 3 ], 'those who waited while it slept are served');
$_->quit foreach $owner, $crowd;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
