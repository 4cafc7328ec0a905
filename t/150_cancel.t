# pg_cancel_backend, pg_terminate_backend and statement_timeout act at once in
# each phase that a query can hang in, and hold up nobody else. Every figure is
# printed: milliseconds from the moment that the cancel is sent, or that the
# timeout is due, until the client has the error.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Hang;
use List::Util ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use constant {
	SAMPLES => 3,
	TIMEOUT_MS => 300,		# as statement_timeout: more than a phase takes to be reached
	MEDIAN_MS => 50,		# the bars
	WORST_MS => 250,
	ALWAYS_MS => 1000,		# and what not even a loaded machine excuses
	TRIES => 4 };			# of a phase before its figures count as bad

# Accounts of their own, so that what is known of one can't help another
my %key_of = map { ($_ => uc($_) . '0' x (36 - length)) } qw(rate token soon issue name);
my %account = map { ($_ => 'S' x 180) } values %key_of;
my $simulator = KisTest::Simulator->new(config => { accounts => \%account });
my $named = KisTest::Simulator->new(
	config => { accounts => \%account }, tls => 1, tls_names => 'slow.kis.example');
my $resolver = KisTest::Hang::Resolver->new('slow.kis.example');
my $backlog = KisTest::Hang::Listener->new('backlog');
my $mute = KisTest::Hang::Listener->new('accept');
my $node = new_node('main', env => $resolver->env);

# A server kis_NAME whose table NAME holds all pairs
sub add_server
{
	my ($name, %options) = @_;
	my $app_key = delete $options{app_key} || $simulator->app_key;
	my $app_secret = $account{$app_key} || $simulator->app_secret;
	my $options = join ', ', map { "$_ " . sql_literal($options{$_}) } sort keys %options;

	$node->safe_psql('postgres', qq{
		SET log_statement = 'none';
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name
			OPTIONS (app_key '$app_key', app_secret '$app_secret');
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_market_trend')});
	return;
}

my %patient = (connect_timeout => '10min', request_timeout => '10min', max_wait => '1h', cache_ttl => '0');
my %here = (%patient, base_url => $simulator->url, requests_per_second => '1000');

setup($node, 'postgres', $simulator);
my %there = (%patient, base_url => 'https://slow.kis.example:' . $named->port, ca_file => $named->ca_file);
add_server('named', %there);
add_server('named_token', %there, app_key => $key_of{name});
add_server('connect', %patient, base_url => 'http://127.0.0.1:' . $backlog->port);
add_server('tls', %patient, base_url => 'https://127.0.0.1:' . $mute->port);
add_server('reply', %here, max_retries => 10);
add_server('rate', %here, app_key => $key_of{rate}, requests_per_second => '0.01');
add_server('token', %here, app_key => $key_of{token});
add_server('soon', %here, app_key => $key_of{soon});
add_server('shared', %here, cache_ttl => '1h');
add_server('issue', %here, app_key => $key_of{issue});

my $monitor = $node->session;
my $bystander = $node->session;

# What nothing here may hold up: a pair that no fault is for
sub works
{
	my ($session, $what) = @_;
	my $started = Time::HiRes::time();
	my $result = $session->query(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ'});

	return 1 if $result->{output} eq 'KSQ' && $result->{ended} - $started < 1;
	diag sprintf '%s: %s%s after %.0f ms', $what, $result->{output}, $result->{stderr},
	  1000 * ($result->{ended} - $started);
	return 0;
}

sub query_of
{
	my ($table) = @_;

	return "SELECT * FROM $table WHERE market_code = 'KSP'";
}

# It waits, and in our code
sub is_waiting
{
	my ($session) = @_;

	return $monitor->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = "
		  . $session->pid . " AND state = 'active' AND wait_event_type = 'Extension'") eq '1';
}

sub calls_begun
{
	my ($kind, $count) = @_;

	return $simulator->calls($kind) >= $count;
}

sub held
{
	my ($count) = @_;

	return $simulator->stats->{held} >= $count;
}

works($bystander, 'before all') or die 'the set-up does not work';

# Each phase: the table to ask, what makes it hang (before: once; each: before a
# query), when the phase is reached, and what ends it (after)
my $owner;
my @phases = (
	{
		name => 'looking up a name: the call',
		table => 'named',
		before => sub {
			# for the token; a new session asks for the name again
			$node->safe_psql('postgres', query_of('named'));
			$resolver->hold;
		},
		each => sub { $_[0]{seen} = $resolver->begun },
		reached => sub { $resolver->begun > $_[0]{seen} },
		after => sub { $resolver->let_go }
	},
	{
		name => 'looking up a name: the token',
		table => 'named_token',
		before => sub { $resolver->hold },
		reached => sub { $resolver->begun > $resolver->ended },
		after => sub { $resolver->let_go }
	},
	{ name => 'connecting', table => 'connect' },
	{ name => 'agreeing on TLS', table => 'tls' },
	(
		map {
			my $fault = $_;
			{
				name => "the reply: $fault",
				table => 'reply',
				before => sub { $simulator->fault({ match => { market => 'KSP' }, fault => $fault }) },
				reached => sub { held(1) },
				after => sub { $simulator->fault }
			}
		} qw(hang hang_headers hang_body)),
	{
		name => 'the reply: drip',
		table => 'reply',
		before => sub {
			$simulator->fault({ match => { market => 'KSP' }, fault => 'drip', params => { ms => 20 } });
		},
		each => sub { $simulator->reset(keep_tokens => JSON::PP::true); $_[0]{before}->() },
		reached => sub { calls_begun('data', 1) },
		after => sub { $simulator->fault }
	},
	{
		name => 'backing off',
		table => 'reply',
		before => sub { $simulator->fault({ match => { market => 'KSP' }, fault => 'error' }) },
		each => sub { $simulator->reset(keep_tokens => JSON::PP::true); $_[0]{before}->() },
		reached => sub { calls_begun('data', 2) },
		after => sub { $simulator->fault }
	},
	{
		name => 'waiting for the rate',
		table => 'rate',
		# the token call takes the only slot for 100 s
		before => sub { $simulator->reset(keep_tokens => JSON::PP::true) },
		reached => sub { calls_begun('token', 1) },
		after => sub { ok(!(grep { $_ eq 'KSP/0001' } $simulator->pairs), 'the call is not made') }
	},
	{
		name => 'the token call',
		table => 'token',
		before => sub { $simulator->fault({ match => { kind => 'token' }, fault => 'hang' }) },
		reached => sub { held(1) },
		after => sub { $simulator->release(clear_faults => JSON::PP::true) }
	},
	{
		name => 'too soon for a token',
		table => 'soon',
		before => sub {
			$simulator->reset(keep_tokens => JSON::PP::true);
			$simulator->fault({ match => { kind => 'token' }, fault => 'error',
				params => { msg_cd => 'EGW00133' } });
		},
		reached => sub { calls_begun('token', 1) },
		after => sub {
			is($simulator->calls('token'), 1, 'nobody asks for a token in the minute after');
			$simulator->fault;
		}
	},
	{
		name => "another session's call",
		table => 'shared',
		before => sub {
			$simulator->reset(keep_tokens => JSON::PP::true);
			$simulator->fault({ match => { market => 'KSP' }, fault => 'hang' });
			$owner = $node->session;
			$owner->send(query_of('shared'));
			$simulator->wait_for('held', 1);
		},
		after => sub {
			is(scalar(grep { $_ eq 'KSP/0001' } $simulator->pairs), 1,
				'they who waited for a call made none');
			$simulator->release(clear_faults => JSON::PP::true);
			like($owner->result->{output}, qr/^KSP\|/, 'and whose it is gets its answer');
			$owner->quit;
		}
	},
	{
		name => "another session's token call",
		table => 'issue',
		before => sub {
			$simulator->reset(keep_tokens => JSON::PP::true);
			$simulator->fault({ match => { kind => 'token' }, fault => 'hang' });
			$owner = $node->session;
			$owner->send(query_of('issue'));
			$simulator->wait_for('held', 1);
		},
		after => sub {
			is($simulator->calls('token'), 1, 'they who waited for a token asked for none');
			$simulator->release(clear_faults => JSON::PP::true);
			like($owner->result->{output}, qr/^KSP\|/, 'and who asked for it gets an answer');
			$owner->quit;
		}
	});

# Sends the query and returns once its phase is reached, or false once it has ended
sub hang
{
	my ($session, $phase) = @_;
	my $reached = $phase->{reached} || sub { 1 };

	$phase->{each}->($phase) if $phase->{each};
	$phase->{sent} = Time::HiRes::time();
	$session->send(query_of($phase->{table}));
	return eventually { $session->is_done || $reached->($phase) && is_waiting($session) };
}

# One figure: milliseconds until the client has the error
my %ways = (
	cancel => sub {
		my ($session, $phase) = @_;

		hang($session, $phase);
		my $sent = Time::HiRes::time();
		$monitor->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')');
		my $result = $session->result;
		return ($result, $result->{ended} - $sent);
	},
	terminate => sub {
		my ($session, $phase) = @_;

		hang($session, $phase);
		my $sent = Time::HiRes::time();
		$monitor->query_safe('SELECT pg_terminate_backend(' . $session->pid . ')');
		my $result = $session->result;
		return ($result, $result->{ended} - $sent);
	},
	timeout => sub {
		my ($session, $phase) = @_;

		$session->query_safe("SET statement_timeout = '" . TIMEOUT_MS . "ms'");
		hang($session, $phase);
		my $result = $session->result;
		$session->query_safe('RESET statement_timeout');
		return ($result, $result->{ended} - $phase->{sent} - TIMEOUT_MS / 1000);
	});

my %expected = (
	cancel => [ '57014', 'canceling statement due to user request' ],
	timeout => [ '57014', 'canceling statement due to statement timeout' ],
	terminate => [ '57P01', 'terminating connection due to administrator command' ]);

# Figures of a phase and a way, in ms, and what was not as it should be
sub measure
{
	my ($phase, $way) = @_;
	my $ends = $way eq 'terminate';
	my $session = $node->session;
	my (@figures, @wrong);

	foreach my $sample (1 .. SAMPLES)
	{
		my ($result, $seconds) = $ways{$way}->($session, $phase);
		my $error = $result->{errors}[0] || { sqlstate => '-', message => $result->{output} };

		push @figures, 1000 * $seconds;
		push @wrong, "$error->{sqlstate}: $error->{message}"
		  if "$error->{sqlstate}|$error->{message}" ne join '|', @{ $expected{$way} };
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

sub median
{
	my @sorted = sort { $a <=> $b } @_;

	return $sorted[ @sorted / 2 ];
}

my @all;

foreach my $phase (@phases)
{
	$phase->{before}->() if $phase->{before};
	foreach my $way (qw(cancel timeout terminate))
	{
		my ($figures, $wrong, $good);

		# Figures, and only they, may be bad because the machine is busy
		foreach my $try (1 .. TRIES)
		{
			($figures, $wrong) = measure($phase, $way);
			$good = median(@$figures) <= MEDIAN_MS && List::Util::max(@$figures) <= WORST_MS;
			diag sprintf '%-30s %-9s %s ms', $phase->{name}, $way,
			  join ' ', map { sprintf '%6.1f', $_ } @$figures;
			last if $good || @$wrong || List::Util::max(@$figures) > ALWAYS_MS;
		}
		push @all, @$figures;
		is_deeply($wrong, [], "$phase->{name}: $way ends the query and nothing else");
		ok($good, "$phase->{name}: $way at once");
	}
	$phase->{after}->($phase) if $phase->{after};
}
diag sprintf 'of %d: median %.1f ms, worst %.1f ms', scalar @all, median(@all), List::Util::max(@all);

# ---- who is cancelled while others wait for what it does

$node->safe_psql('postgres', "ALTER SERVER kis_shared OPTIONS (SET cache_ttl '1ms')");

foreach my $case (
	[ 'shared', 'a call', { match => { market => 'KSP' }, fault => 'hang', times => 1 } ],
	[ 'issue', 'a token', { match => { kind => 'token' }, fault => 'hang', times => 1 } ])
{
	my ($table, $what, $fault) = @$case;

	foreach my $how (qw(pg_cancel_backend pg_terminate_backend))
	{
		my ($first, $second) = map { $node->session } 1 .. 2;

		# it forgets all tokens, so that the next call needs a new one
		$simulator->reset;
		$simulator->fault($fault);
		$first->send(query_of($table));
		$simulator->wait_for('held', 1);
		$second->send(query_of($table));
		ok((eventually { is_waiting($second) }), "$how: another waits for $what");
		my $sent = Time::HiRes::time();
		$monitor->query_safe("SELECT $how(" . $first->pid . ')');
		my $result = $second->result;
		like($result->{output}, qr/^KSP\|/, 'and has its answer');
		cmp_ok($result->{ended} - $sent, '<', 1, 'at once');
		$first->result;
		$_->quit foreach $first, $second;
	}
}

$_->quit foreach $monitor, $bystander;
is_deeply([ grep { /crash|PANIC|terminated by signal/ } split /\n/, slurp_log($node) ], [],
	'nothing has crashed');
done_testing();
