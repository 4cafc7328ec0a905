# Sixty sessions that are cancelled, terminated, stopped, killed and sent on again
# at random, while KIS fails in every way: no answer is another pair's, and in the
# end every slot is free and the next query works at once.
#
# KIS_TEST_LONG: so many minutes instead of 20 seconds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Crowd;
use List::Util qw(max min shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use constant {
	SESSIONS => 60,
	SECONDS => $ENV{KIS_TEST_LONG} ? 60 * $ENV{KIS_TEST_LONG} : 20,
	RATE => 64,				# as many calls as a session may have at once
	CRASH_EVERY => 9,			# seconds, on average
	LONGEST_STOP => 4 };

my $seed = $ENV{KIS_TEST_SEED} || time;

srand $seed;
diag "seed $seed";

my $simulator = KisTest::Simulator->new(config => { record_limit => 5000 });
my $node = new_node('main', conf => "max_connections = 100\nrestart_after_crash = on\nlog_statement = 'none'");

setup($node, 'postgres', $simulator, requests_per_second => RATE, request_timeout => '3s', max_wait => '10s', max_retries => 1);

# ---- figures that name their pair

my @pairs = split /\n/, $node->safe_psql('postgres', q{SELECT market_code || '/' || sector_code FROM kis_sector ORDER BY 1});
my %figure = map { ($pairs[$_] => 1000 + $_) } 0 .. $#pairs;
my %config = (overrides => { map { ($_ => { frgn_ntby_qty => "$figure{$_}" }) } @pairs });

$simulator->config(%config);
$node->safe_psql('postgres', qq{
	SET log_statement = 'none';
	CREATE SERVER cached FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '} . $simulator->url . q{',
		cache_ttl '1s', calendar 'weekday', requests_per_second '} . RATE . q{', request_timeout '3s', max_wait '10s', max_retries '1');
	CREATE USER MAPPING FOR CURRENT_USER SERVER cached OPTIONS (app_key } . sql_literal($simulator->app_key)
	  . ', app_secret ' . sql_literal($simulator->app_secret) . q{);
	CREATE SCHEMA cached;
	IMPORT FOREIGN SCHEMA kis FROM SERVER cached INTO cached});

sub statement
{
	my $table = (rand() < 0.7 ? 'cached.' : '') . 'kis_sector_trend';
	my @some = (shuffle @pairs)[ 0 .. int rand 6 ];
	my $from = "SELECT market_code, sector_code, foreign_net_qty FROM $table";

	return $from . ' WHERE ' . join ' OR ', map { my ($market, $sector) = split '/'; "(market_code = '$market' AND sector_code = '$sector')" } @some
	  if rand() < 0.8;
	return "$from WHERE market_code = '" . ($some[0] =~ s/\/.*//r) . "' LIMIT 8";
}

my %allowed = map { ($_ => 1) } qw(57014 57P01 57P02 57P03 HV00N HV00L HV00M HV000 53400 28000 08006 08P01);
my (%count, @wrong, @strange);

sub check
{
	my ($result) = @_;

	foreach my $row (split /\n/, $result->{output})
	{
		my ($pair, $number) = $row =~ /^(\w+\|\w+)\|(-?\d+)$/ or next;

		$count{rows}++;
		push @wrong, $row if $figure{ $pair =~ s/\|/\//r } != $number;
	}
	my $error = $result->{errors}[0];
	$count{ $error ? $error->{sqlstate} : 'succeeded' }++;
	push @strange, $result->{stderr} if $error && !$allowed{ $error->{sqlstate} };
	return;
}

# ---- what befalls them

my (@sessions, %goes_on_at);

sub connect_anew
{
	my ($number) = @_;

	$sessions[$number]->quit if $sessions[$number];
	$sessions[$number] = $node->session('postgres', timeout => 600);
	return;
}

sub go_on
{
	kill 'CONT', delete @goes_on_at{@_} ? @_ : ();
	return;
}
END { kill 'CONT', keys %goes_on_at if %goes_on_at }

sub is_up { return $node->psql('postgres', 'SELECT 1') == 0 }

sub has_ended
{
	my ($session) = @_;

	return eval { $session->is_done } || !$session->{psql}{run}->pumpable;
}

sub some_pid { return $sessions[ rand @sessions ]->pid }

my @actions = (
	[ cancelled => 8, sub { kill 'INT', some_pid() } ],
	[ terminated => 3, sub { kill 'TERM', some_pid() } ],
	[ stopped => 6, sub { my $pid = some_pid(); $goes_on_at{$pid} = Time::HiRes::time() + rand LONGEST_STOP; kill 'STOP', $pid } ],
	[ 'token killed' => 0.3, sub { $simulator->kill_token } ],
	[ faults => 1, \&change_faults ]);

my $errors = sub { return map { { fault => 'error', params => { msg_cd => $_, status => 500, msg1 => 'fault' } } } @_ };
my @faults = (
	(map { { fault => $_ } } qw(hang hang_headers hang_body drip short_body close connection_close until_close chunked
		html_502 empty_body truncated_json output_empty)),
	{ fault => 'slow', params => { ms => 1500 } },
	{ fault => 'silent_close', params => { ms => 50 } },
	{ fault => 'close', match => { kind => 'token' } },
	{ fault => 'hang', match => { kind => 'token' } },
	# one lowers the rate of all for a minute
	{ %{ ($errors->('EGW00201'))[0] }, times => 1 },
	$errors->(qw(EGW00001 EGW00304 OPSQ0002)));

sub change_faults
{
	$simulator->release(clear_faults => JSON::PP::true);
	foreach my $fault ((shuffle @faults)[ 0 .. 2 ])
	{
		$simulator->fault({ after => int rand 20, times => 1 + int rand 10, %$fault });
	}
	return;
}

sub act
{
	my $which = rand List::Util::sum(map { $_->[1] } @actions);

	foreach my $action (@actions)
	{
		$which -= $action->[1];
		next if $which > 0;
		$count{ $action->[0] }++;
		$action->[2]->();
		return;
	}
	return;
}

# A session is killed, and with it all
sub crash
{
	$count{killed}++;
	kill 'KILL', some_pid();
	# of those that are stopped, half are when the postmaster wants them to end
	go_on(grep { rand() < 0.5 } keys %goes_on_at);
	foreach my $session (@sessions)
	{
		eval { check($session->result(30)) };
	}
	go_on(keys %goes_on_at);
	eventually { is_up() } or die 'the server does not come back';
	connect_anew($_), $sessions[$_]->send(statement()) foreach 0 .. $#sessions;
	return;
}

# ---- the run

connect_anew($_) foreach 0 .. SESSIONS - 1;
$_->send(statement()) foreach @sessions;

my $until = Time::HiRes::time() + SECONDS;
my $crash_at = Time::HiRes::time() + CRASH_EVERY * (0.5 + rand());
my $act_at = 0;

while ((my $now = Time::HiRes::time()) < $until)
{
	if ($now >= $crash_at)
	{
		crash();
		$crash_at = Time::HiRes::time() + CRASH_EVERY * (0.5 + rand());
	}
	if ($now >= $act_at)
	{
		act();
		$act_at = $now + rand 0.06;
	}
	go_on(grep { $goes_on_at{$_} <= $now } keys %goes_on_at);
	foreach my $number (0 .. $#sessions)
	{
		next unless has_ended($sessions[$number]);
		check($sessions[$number]->result);
		connect_anew($number) if $sessions[$number]->is_closed;
		$sessions[$number]->send(statement());
	}
	Time::HiRes::sleep(0.002);
}

# ---- the end

$simulator->release(clear_faults => JSON::PP::true);
go_on(keys %goes_on_at);
check($_->result(60)) foreach @sessions;
my $at_rest = Time::HiRes::time();

my $session = $node->session;
my $began = Time::HiRes::time();
my $result = $session->query("SELECT foreign_net_qty FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0001'");
is($result->{output}, $figure{'KSP/0001'}, 'the next query is answered');
cmp_ok($result->{ended} - $began, '<', 10, 'at once');

# what a refusal of the rate has lowered comes back within a minute
eventually { $session->query_safe('SELECT effective_rate FROM kis_stat') == RATE } or diag 'the rate does not come back';
Time::HiRes::sleep(0.1) while Time::HiRes::time() < $at_rest + 3;
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(%config);
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD max_concurrent_requests '" . RATE . "')");
$session->query_safe('SELECT kis_stat_reset()');
is($session->query_safe('SELECT count(*) FROM (SELECT * FROM kis_sector_trend LIMIT ' . RATE . ') s'), RATE, 'as many calls as the rate allows in a second');
is($session->query_safe('SELECT calls, rate_wait_ms FROM kis_stat'), RATE . '|0', 'wait for nothing: every slot is free');
check($session->query("SELECT market_code, sector_code, foreign_net_qty FROM $_")) foreach qw(kis_sector_trend cached.kis_sector_trend);

is_deeply(\@wrong, [], 'no figure is wrong');
is_deeply(\@strange, [], 'no error but those that may be');
cmp_ok($count{rows}, '>', 10 * SECONDS, 'many were right');
my @complaints = grep { /PANIC|TRAP|terminated by signal (?!9)/ } split /\n/, slurp_log($node);
is_deeply(\@complaints, [], 'no crash but ours');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
diag join ', ', map { "$_: $count{$_}" } sort keys %count;
$_->quit foreach $session, @sessions;
done_testing();
