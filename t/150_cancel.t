# pg_cancel_backend, pg_terminate_backend and statement_timeout act at once in
# each phase that a query can hang in, or compute for long in before it requests
# anything, and hold up nobody else. Every figure is printed: milliseconds from
# the moment that the cancel is sent, or that the timeout is due, until the client
# has the error. KisTest::Bars has what they must be, and for what a deadline is extended.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Bars;
use KisTest::Phases;
use Test::More;
use Time::HiRes ();

use constant {
	SAMPLES => 3,
	BUSY_MEDIAN_MS => 250,	# a condition is not left in the middle
	MANY_DAYS => 100_000,	# in a condition: to look at all days takes some seconds
	MANY_MORE_DAYS => 500_000,
	MANY_CODES => 4_000_000 };

my $phases = KisTest::Phases->new;
my $node = $phases->node;
my $simulator = $phases->simulator;
my $monitor = $phases->monitor;
my $bystander = $node->session;

# What nothing here may hold up: a pair that no fault is for
sub works
{
	my ($session, $what) = @_;
	my $started = Time::HiRes::time();
	my $works = $phases->works($session);
	my $seconds = Time::HiRes::time() - $started;

	return 1 if $works && $seconds < within(1);
	diag sprintf '%s: %s after %.0f ms', $what, $works ? 'served' : 'not served', 1000 * $seconds;
	return 0;
}

works($bystander, 'before all') or die 'the set-up does not work';

# Which days, pairs and investors are requested is found out by evaluating the
# conditions for each of them
$node->safe_psql('postgres', 'CREATE TABLE many AS SELECT array_agg(date \'1900-01-01\' - i) AS days FROM generate_series(1, '
	  . MANY_DAYS . ') i');
my $one_pair = q{market_code = 'KSP' AND sector_code = '0001'};
my $days = '((SELECT days FROM many)::date[])';
my $more_days = q{(array_fill('1900-01-01'::date, ARRAY[} . MANY_MORE_DAYS . ']))';
my $codes = q{(array_fill(''::text, ARRAY[} . MANY_CODES . ']))';
my $unplanned_codes = "((SELECT array_fill(''::text, ARRAY[" . MANY_CODES . ']))::text[])';

sub busy
{
	my ($name, $query) = @_;

	return { name => "choosing $name", key => 'busy', is_busy => 1, query => $query };
}

my @busy = (
	busy('days', "SELECT count(*) FROM kis_market_trend_daily WHERE $one_pair AND trade_date = ANY $days"),
	busy('days of each pair', "SELECT count(*) FROM kis_market_trend_daily WHERE (market_code = 'KSP' OR trade_date < '1990-01-01') AND trade_date = ANY $days"),
	busy('days in planning', "EXPLAIN SELECT count(*) FROM kis_market_trend_daily WHERE $one_pair AND trade_date < ANY $more_days"),
	busy('pairs', "SELECT count(*) FROM kis_sector_trend WHERE market_code < ANY $unplanned_codes"),
	busy('pairs in planning', "EXPLAIN SELECT count(*) FROM kis_sector_trend WHERE market_code < ANY $codes"),
	busy('investors', "SELECT count(*) FROM kis_investor_trend WHERE investor < ANY $unplanned_codes"));

# What a phase's queries have requested when they are through
my %requested = (
	rate => sub { ok(!(grep { $_ eq 'KSP/0001' } $simulator->pairs), 'the call is not made') },
	soon => sub { is($simulator->calls('token'), 1, 'nobody requests a token in the minute after') },
	shared => sub {
		is(scalar(grep { $_ eq 'KSP/0001' } $simulator->pairs), 1, 'they who waited for a call made none');
	},
	issue => sub { is($simulator->calls('token'), 1, 'they who waited for a token requested none') });

# Figures of a phase and a way, in ms, and what was not as it should be
sub measure
{
	my ($phase, $way) = @_;
	my $ends = $way eq 'terminate';
	my $session = $node->session;
	my (@figures, @wrong);

	foreach my $sample (1 .. SAMPLES)
	{
		my ($result, $ms, $expected) = $phases->interrupt($way, $phase, $session, $phases->query($phase));
		my $error = $result->{errors}[0] || { sqlstate => '-', message => $result->{output} };
		my $outcome = "$error->{sqlstate}: $error->{message}";

		push @figures, $ms;
		push @wrong, $outcome if $outcome ne $expected;
		push @wrong, 'the session is ' . ($ends ? 'open' : 'closed') if $session->is_closed != $ends;
		push @wrong, 'others are held up' unless works($bystander, "others: $phase->{name}, $way");
		push @wrong, 'the next query fails'
		  unless $ends || works($session, "the next query: $phase->{name}, $way");
		if ($ends)
		{
			$session->quit;
			$session = $node->session if $sample < SAMPLES;
		}
	}
	$session->quit unless $ends;
	return (\@figures, \@wrong);
}

my $bars = KisTest::Bars->new($node);
my $busy_bars = KisTest::Bars->new($node, median => BUSY_MEDIAN_MS, worst => KisTest::Bars::ALWAYS_MS);

foreach my $phase ($phases->all, @busy)
{
	$phases->prepare($phase);
	foreach my $way (qw(cancel timeout terminate))
	{
		my ($good, $wrong) = ($phase->{is_busy} ? $busy_bars : $bars)
		  ->meet("$phase->{name}, $way", sub { measure($phase, $way) });

		is_deeply($wrong, [], "$phase->{name}: $way ends the query and nothing else");
		ok($good, "$phase->{name}: $way at once");
	}
	$requested{ $phase->{key} }->() if $requested{ $phase->{key} };
	$phases->finish($phase);
	like($phase->{owner_result}{output}, qr/^KSP\|/, 'and whom they waited for has its answer')
	  if $phase->{owner_result};
}
diag 'what waits ' . $bars->summary;
diag 'what computes ' . $busy_bars->summary;

# ---- who is cancelled while others wait for what it does

$node->safe_psql('postgres', "ALTER SERVER kis_shared OPTIONS (SET cache_ttl '1ms')");

foreach my $case (
	[ 'shared', 'a call', { match => { market => 'KSP' }, fault => 'hang', times => 1 } ],
	[ 'issue', 'a token', { match => { kind => 'token' }, fault => 'hang', times => 1 } ])
{
	my ($key, $what, $fault) = @$case;
	my ($phase) = grep { $_->{key} eq $key } $phases->all;
	my $query = $phases->query($phase);

	foreach my $how (qw(pg_cancel_backend pg_terminate_backend))
	{
		my ($first, $second) = map { $node->session } 1 .. 2;

		# it forgets all tokens, so that the next call needs a new one
		$simulator->reset;
		$simulator->fault($fault);
		$first->send($query);
		$simulator->wait_for('held', 1);
		$second->send($query);
		ok((eventually { $phases->is_waiting($second) }), "$how: another waits for $what");
		my $sent = Time::HiRes::time();
		$monitor->query_safe("SELECT $how(" . $first->pid . ')');
		my $result = $second->result;
		like($result->{output}, qr/^KSP\|/, 'and has its answer');
		cmp_ok($result->{ended} - $sent, '<', within(1), 'at once');
		$first->result;
		$_->quit foreach $first, $second;
	}
}

$_->quit foreach $phases, $bystander;
is_deeply([ grep { /crash|PANIC|terminated by signal/ } split /\n/, slurp_log($node) ], [],
	'nothing has crashed');
done_testing();
