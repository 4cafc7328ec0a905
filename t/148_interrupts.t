# Whatever hangs in whatever phase can be ended: in a function, where the cancel
# is caught, a collection, a backfill, kis_check. So can a session whose client
# has gone, and a server that is stopped while all phases are under way. libcurl's
# threads, which look up names, never handle a signal of PostgreSQL's. Every
# figure is printed; KisTest::Bars tells what it must be.
#
# KIS_TEST_LONG: each of them with each way to end it, and not one of the three.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Bars;
use KisTest::Phases;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes ();

use constant {
	GONE_SECONDS => 5,
	STOP_SECONDS => 20 };

my @ways = qw(cancel timeout terminate);
my $phases = KisTest::Phases->new(conf => 'restart_after_crash = off');
my $node = $phases->node;
my $bars = KisTest::Bars->new($node);
my $fine = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ'};

$node->safe_psql('postgres', q{
	SELECT create_market_investor_trend();

	CREATE FUNCTION ask(query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		answer text;
	BEGIN
		EXECUTE 'SELECT market_code FROM (' || query || ') q' INTO answer;
		RETURN answer;
	END $$;

	CREATE FUNCTION ask_and_catch(query text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		caught text;
		answer text;
	BEGIN
		BEGIN
			PERFORM ask(query);
		EXCEPTION WHEN query_canceled THEN
			caught := SQLSTATE || ': ' || SQLERRM;
		END;
		SELECT market_code INTO answer FROM kis_market_trend WHERE market_code = 'KSQ';
		RETURN concat_ws(' ', 'caught', caught, answer);
	END $$});

sub stored
{
	return $node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM market_investor_trend),
		(SELECT count(*) FROM market_investor_trend_snapshot)});
}

# ---- in what: SQL of a phase, and what must be true of the session after it

my @places = (
	{
		name => 'a function',
		sql => sub { 'SELECT ask(' . sql_literal($phases->query($_[0])) . ')' }
	},
	{
		name => 'a function that catches it',
		sql => sub { 'SELECT ask_and_catch(' . sql_literal($phases->query($_[0])) . ')' },
		catches => 1
	},
	{
		name => 'a subtransaction',
		sql => sub { "BEGIN;\nSAVEPOINT s;\n" . $phases->query($_[0]) },
		then => "ROLLBACK TO SAVEPOINT s;\nRESET statement_timeout;\n$fine;\nCOMMIT",
	},
	{
		name => 'a cursor, with another one open',
		sql => sub {
			"BEGIN;\nDECLARE other CURSOR FOR $fine;\nSAVEPOINT s;\nDECLARE c CURSOR FOR "
			  . $phases->query($_[0]) . ";\nFETCH c";
		},
		then => "ROLLBACK TO SAVEPOINT s;\nRESET statement_timeout;\nFETCH other;\nCOMMIT",
	},
	{
		name => 'a collection',
		sql => sub { "SELECT * FROM collect_market_investor_trend('{KSQ/1001,$_[0]{pair}}', source => 'kis_$_[0]{server}')" }
	},
	{
		name => 'a backfill',
		sql => sub { "CALL backfill_market_investor_trend('2020-01-01', '2020-12-31', '{$_[0]{pair}}', source => 'kis_$_[0]{server}')" }
	},
	{
		name => 'kis_check',
		sql => sub { "SELECT * FROM kis_check('kis_$_[0]{server}')" }
	});

# The milliseconds, and what was not as it should be
sub measure
{
	my ($place, $phase, $way) = @_;
	my $session = $node->session;
	my ($result, $ms, $expected) = $phases->interrupt($way, $phase, $session, $place->{sql}->($phase));
	my $error = $result->{errors}[0] || { sqlstate => '-', message => $result->{output} };
	my $told = "$error->{sqlstate}: $error->{message}";
	my @wrong;

	$expected = "-: caught $expected KSQ" if $place->{catches} && $way ne 'terminate';
	push @wrong, $told if $told ne $expected;
	if ($way ne 'terminate')
	{
		push @wrong, 'the transaction cannot go on'
		  if $place->{then} && $session->query($place->{then})->{output} ne 'KSQ';
		push @wrong, 'the next query fails' unless $phases->works($session);
	}
	$session->quit;
	return ([$ms], \@wrong);
}

my $number = 0;

foreach my $phase ($phases->all)
{
	my @wrong;

	$phases->prepare($phase);
	foreach my $place (@places)
	{
		foreach my $way ($ENV{KIS_TEST_LONG} ? @ways : $ways[ $number++ % @ways ])
		{
			my $name = "$place->{name}, $way";
			my ($good, $wrong) = $bars->meet("$phase->{name}, $name", sub { measure($place, $phase, $way) });

			push @wrong, map { "$name: $_" } @$wrong, $good ? () : 'not at once';
		}
	}
	is_deeply(\@wrong, [], "$phase->{name}: ends at once in all that can wait for it");

	# ---- the client goes

	my $session = $node->session;
	my $pid = $session->pid;
	$session->query_safe(q{SET client_connection_check_interval = '50ms'});
	$phases->hang($phase, $session, $phases->query($phase));
	my $gone = Time::HiRes::time();
	$session->vanish;
	ok((eventually { $phases->monitor->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 } within(GONE_SECONDS)),
		"$phase->{name}: and where the client has gone");
	diag sprintf '%s, where the client has gone, which is looked at each 50 ms: %.1f ms', $phase->{name},
	  1000 * (Time::HiRes::time() - $gone);
	$phases->finish($phase);
}
is(stored(), '0|0', 'nothing is stored of what was ended');
diag $bars->summary;
ok($bars->median_is_within, 'in the median sooner still');

# ---- signals are none of the resolver's threads'

# Signals, as numbers, that a thread blocks, of those that can be blocked: all but
# KILL, STOP and the two that the C library keeps for itself.
my @blockable = grep { $_ != POSIX::SIGKILL && $_ != POSIX::SIGSTOP && $_ != 32 && $_ != 33 } 1 .. 64;

sub blocked
{
	my ($pid, $thread) = @_;
	my ($mask) = slurp_file("/proc/$pid/task/$thread/status") =~ /^SigBlk:\s+([0-9a-f]+)/m;
	my $bits = unpack 'b64', pack 'Q', hex $mask;

	return grep { substr $bits, $_ - 1, 1 } @blockable;
}

sub threads
{
	my ($pid) = @_;

	return grep { $_ != $pid } map { m{/(\d+)$} } glob "/proc/$pid/task/*";
}

my ($phase) = grep { $_->{key} eq 'name' } $phases->all;
my $session = $node->session;

$phases->prepare($phase);
foreach my $count (1 .. 16)
{
	$phases->hang($phase, $session, $phases->query($phase));
	$phases->monitor->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')') if $count < 16;
	$session->result if $count < 16;
}
my @threads = threads($session->pid);
# since 8.20 libcurl has one for each family of addresses
like(scalar @threads, qr/^(?:16|32)$/, 'a session with 16 look-ups that hang');
is_deeply([ map { join ' ', blocked($session->pid, $_) } @threads ], [ map { join ' ', @blockable } @threads ],
	'their threads block all signals');
# PostgreSQL reads SIGURG from a descriptor
is_deeply([ grep { $_ != 23 } blocked($session->pid, $session->pid) ], [], 'the session itself none');
$phases->finish($phase);
my $result = $session->result;
like($result->{output}, qr/^KSP\|/, 'they end, and the last one is tried again')
  or diag(map { "$_->{message}: $_->{detail}\n" } @{ $result->{errors} });
ok((eventually { !threads($session->pid) }), 'and so do their threads');
$session->quit;

# ---- the server is stopped

$phases->quit;
$node->stop;
$phases = KisTest::Phases->new(name => 'stopped', together => 1);
$node = $phases->node;

my @sessions;

# First the one whose fault others must not have
foreach my $phase (sort { ($b->{key} eq 'soon') <=> ($a->{key} eq 'soon') } $phases->all)
{
	$session = $node->session;
	$phases->prepare($phase);
	$phases->hang($phase, $session, $phases->query($phase));
	push @sessions, $session;
	$phases->simulator->fault if $phase->{key} eq 'soon';
}
my @waiting = grep { $phases->is_waiting($_) } @sessions;
is(scalar @waiting, 14, 'a session hangs in each phase');
my $began = Time::HiRes::time();
ok($node->stop('fast'), 'a fast stop');
my $seconds = Time::HiRes::time() - $began;
diag sprintf 'pg_ctl stop -m fast with 14 phases under way: %.2f s', $seconds;
cmp_ok($seconds, '<', within(STOP_SECONDS), 'does not wait for them');
is_deeply([ map { $_->result->{errors}[0]{sqlstate} } @sessions ], [ ('57P01') x @sessions ], 'which end as told');
$_->quit foreach @sessions;
is_deeply([ grep { /crash|PANIC|terminated by signal/ } split /\n/, slurp_log($node) ], [], 'nothing has crashed');
$node->start;
$session = $node->session;
$phases->resolver->let_go;
$phases->simulator->release(clear_faults => JSON::PP::true);
ok($phases->works($session), 'and it starts again');
$session->quit;
done_testing();
