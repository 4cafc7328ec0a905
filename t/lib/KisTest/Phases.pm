# A server in which a query can be made to hang in each phase that it has: the
# look-up of a name, connecting, TLS, the reply, the pauses, the waits for others.
#
#	my $phases = KisTest::Phases->new;
#	foreach my $phase ($phases->all)
#	{
#		$phases->prepare($phase);
#		$phases->hang($phase, $session, $phases->query($phase));
#		...
#		$phases->finish($phase);
#	}
#
# A phase is a hash: name, key, table and server (of which it is), pair (that it
# hangs for) and owner, the session that the others of it wait for; query, where
# it is another one; is_busy, where the server computes in it and waits for nothing.
package KisTest::Phases;

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes ();

use KisTest;
use KisTest::Hang;

use constant {
	TIMEOUT_MS => 300,		# as statement_timeout: longer than it takes to reach a phase
	BUSY_MS => 200 };		# and to compute what a busy phase begins with

my $fine = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ'};

# Options: name and conf, as new_node's; together => 1: all phases can hang at once, each
# for a pair of its own.
sub new
{
	my ($class, %opts) = @_;
	my $self = bless { together => $opts{together} }, $class;

	# accounts of their own, so that what is known of one can't help another
	$self->{key_of} = { map { ($_ => uc($_) . '0' x (36 - length)) } qw(rate token soon name issue issue_again) };
	my %accounts = map { ($_ => 'S' x 180) } values %{ $self->{key_of} };

	$self->{simulator} = KisTest::Simulator->new(config => { accounts => \%accounts, record_limit => 10000 });
	$self->{named} = KisTest::Simulator->new(
		config => { accounts => \%accounts }, tls => 1, tls_names => 'slow.kis.example');
	$self->{resolver} = KisTest::Hang::Resolver->new('slow.kis.example');
	$self->{backlog} = KisTest::Hang::Listener->new('backlog');
	$self->{mute} = KisTest::Hang::Listener->new('accept');
	$self->{node} = new_node($opts{name} || 'main', env => $self->{resolver}->env, conf => $opts{conf});
	setup($self->{node}, 'postgres', $self->{simulator});
	$self->_add_servers;
	$self->{phases} = [ $self->_phases ];
	$self->watch;
	return $self;
}

sub node { return $_[0]{node} }
sub simulator { return $_[0]{simulator} }
sub resolver { return $_[0]{resolver} }
sub monitor { return $_[0]{monitor} }
sub all { return @{ $_[0]{phases} } }

# A new session to watch the others by, where the server was stopped.
sub watch
{
	my ($self) = @_;

	$self->{monitor} = $self->{node}->session;
	return;
}

# ---- servers ---------------------------------------------------------------

sub _add_servers
{
	my ($self) = @_;
	my %patient = (connect_timeout => '10min', request_timeout => '10min', max_wait => '1h',
		cache_ttl => '0', calendar => 'weekday');
	my %here = (%patient, base_url => $self->{simulator}->url, requests_per_second => '1000');
	my %there = (%patient, base_url => 'https://slow.kis.example:' . $self->{named}->port,
		ca_file => $self->{named}->ca_file);

	$self->_add_server('named', undef, %there);
	$self->_add_server('named_token', 'name', %there);
	$self->_add_server('connect', undef, %patient, base_url => 'http://127.0.0.1:' . $self->{backlog}->port);
	$self->_add_server('tls', undef, %patient, base_url => 'https://127.0.0.1:' . $self->{mute}->port);
	$self->_add_server('reply', undef, %here, max_retries => 10);
	$self->_add_server('rate', 'rate', %here, requests_per_second => '0.001');
	$self->_add_server('token', 'token', %here);
	$self->_add_server('soon', 'soon', %here);
	# no longer than that, so that the next owner asks, too
	$self->_add_server('shared', undef, %here, cache_ttl => '10ms');
	$self->_add_server('issue', 'issue', %here);
	return;
}

# Server kis_NAME, whose table NAME holds all pairs
sub _add_server
{
	my ($self, $name, $account, %options) = @_;
	my $app_key = $account ? $self->{key_of}{$account} : $self->{simulator}->app_key;
	my $app_secret = $account ? 'S' x 180 : $self->{simulator}->app_secret;
	my $options = join ', ', map { "$_ " . sql_literal($options{$_}) } sort keys %options;

	$self->{node}->safe_psql('postgres', qq{
		SET log_statement = 'none';
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name
			OPTIONS (app_key '$app_key', app_secret '$app_secret');
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_sector_trend')});
	return;
}

# ---- phases ----------------------------------------------------------------

# Each: what makes it hang (before), when it is reached (by a function, or by
# ncalls more of what it counts), and what ends it (after)
sub _phases
{
	my ($self) = @_;
	my ($simulator, $resolver) = @$self{qw(simulator resolver)};
	my $token_fault = sub {
		my (%fault) = @_;

		return sub { $simulator->fault({ match => { kind => 'token' }, %fault }) };
	};
	my $let_go = sub { $simulator->release(clear_faults => JSON::PP::true) };
	my $reply = sub {
		my ($key, $name, $ncalls, %fault) = @_;

		return {
			key => $key,
			name => $name,
			server => 'reply',
			before => sub { $simulator->fault({ match => { pair => $_[0]{pair} }, %fault }) },
			counts => 'data',
			ncalls => $ncalls,
			after => $let_go };
	};
	my $of_others = sub {
		my ($key, $name, $server, $before) = @_;

		return {
			key => $key,
			name => $name,
			server => $server,
			before => sub {
				my ($phase) = @_;
				my $held = $simulator->stats->{held};

				$before->($phase);
				$phase->{owner} = $self->{node}->session;
				$phase->{owner}->send($self->query($phase));
				$simulator->wait_for('held', $held + 1);
			},
			after => sub {
				my ($phase) = @_;

				$let_go->();
				$phase->{owner_result} = $phase->{owner}->result;
				delete($phase->{owner})->quit;
			} };
	};

	my @phases = (
		{
			key => 'name',
			name => 'looking up a name: the call',
			server => 'named',
			before => sub {
				# for the token; a new session asks for the name again
				$self->{node}->safe_psql('postgres', $self->query($_[0]));
				$resolver->hold;
			},
			counts => 'names',
			after => sub { $resolver->let_go }
		},
		{
			key => 'name_of_token',
			name => 'looking up a name: the token',
			server => 'named_token',
			before => sub { $resolver->hold },
			reached => sub { $resolver->begun > $resolver->ended },
			after => sub { $resolver->let_go }
		},
		{ key => 'connect', name => 'connecting', server => 'connect' },
		{ key => 'tls', name => 'agreeing on TLS', server => 'tls' },
		$reply->('hang', 'the reply: nothing of it', 1, fault => 'hang'),
		$reply->('headers', 'the reply: half its headers', 1, fault => 'hang_headers'),
		$reply->('body', 'the reply: half its body', 1, fault => 'hang_body'),
		$reply->('drip', 'the reply: its body dripping', 1, fault => 'drip', params => { ms => 20 }),
		$reply->('back_off', 'backing off', 2, fault => 'error'),
		{
			key => 'rate',
			name => 'waiting for the rate',
			server => 'rate',
			# there is a token then, and the only slot is taken for a quarter of an hour
			before => sub {
				my $session = $self->{node}->session;

				$session->query("SET statement_timeout = '1s'; " . $self->query($_[0]));
				$session->quit;
			},
		},
		{
			key => 'soon',
			name => 'too soon for a token',
			server => 'soon',
			before => $token_fault->(fault => 'error', params => { msg_cd => 'EGW00133' }),
			reached => sub { $simulator->calls('token') >= 1 },
			after => sub { $simulator->fault }
		},
		$of_others->('shared', "another session's call", 'shared',
			sub { $simulator->fault({ match => { pair => $_[0]{pair} }, fault => 'hang' }) }),
		{
			key => 'token',
			name => 'the token call',
			server => 'token',
			before => $token_fault->(fault => 'hang'),
			reached => sub { $simulator->stats->{held} >= 1 },
			after => $let_go
		},
		$of_others->('issue', "another session's token call", 'issue', sub {
				my $account = $_[0]{prepared}++ ? 'issue_again' : 'issue';

				# the first has got its token
				$self->{node}->safe_psql('postgres', qq{SET log_statement = 'none';
					ALTER USER MAPPING FOR CURRENT_USER SERVER kis_issue OPTIONS (SET app_key '$self->{key_of}{$account}')});
				$token_fault->(fault => 'hang')->();
			}));

	foreach my $number (0 .. $#phases)
	{
		$phases[$number]{table} = $phases[$number]{server};
		$phases[$number]{pair} = sprintf 'KSP/%04d', $self->{together} ? 2 + $number : 1;
	}
	return @phases;
}

# The query that hangs in a phase.
sub query
{
	my ($self, $phase) = @_;
	my ($market, $sector) = split m{/}, $phase->{pair};

	return $phase->{query} if $phase->{query};
	return "SELECT * FROM $phase->{table} WHERE market_code = '$market' AND sector_code = '$sector'";
}

# What hangs in a phase does so from here on, up to finish.
sub prepare
{
	my ($self, $phase) = @_;

	$self->{simulator}->reset(keep_tokens => JSON::PP::true) unless $self->{together};
	$phase->{before}->($phase) if $phase->{before};
	return;
}

sub finish
{
	my ($self, $phase) = @_;

	$phase->{after}->($phase) if $phase->{after};
	return;
}

# It waits, and in our code, or in an Append's for us.
sub is_waiting
{
	my ($self, $session) = @_;

	return $self->{monitor}->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = "
		  . $session->pid . " AND state = 'active' AND (wait_event_type = 'Extension' OR wait_event = 'AppendReady')") eq '1';
}

# It has been at its query for a while, whether or not it waits.
sub is_busy
{
	my ($self, $session) = @_;

	return $self->{monitor}->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = "
		  . $session->pid . " AND state = 'active' AND query_start < now() - interval '" . BUSY_MS . " ms'") eq '1';
}

sub _count
{
	my ($self, $what) = @_;

	return $what eq 'names' ? $self->{resolver}->begun : $self->{simulator}->calls($what);
}

# Sends SQL and returns once it hangs, or is busy, in the phase, or false once it has ended.
# When it was sent is in the phase.
sub hang
{
	my ($self, $phase, $session, $sql) = @_;
	my $seen = $phase->{counts} ? $self->_count($phase->{counts}) : 0;
	my $reached = $phase->{reached};
	my $hangs = $phase->{is_busy} ? \&is_busy : \&is_waiting;

	$reached = sub { $self->_count($phase->{counts}) >= $seen + ($phase->{ncalls} || 1) } if $phase->{counts};
	$phase->{sent} = Time::HiRes::time();
	$session->send($sql);
	return eventually { $session->is_done || (!$reached || $reached->()) && $hangs->($self, $session) };
}

# A query that nothing here may hold up has its answer.
sub works
{
	my ($self, $session) = @_;

	return $session->query($fine)->{output} eq 'KSQ';
}

# ---- ways to end what hangs ------------------------------------------------

my %expected = (
	cancel => '57014: canceling statement due to user request',
	timeout => '57014: canceling statement due to statement timeout',
	terminate => '57P01: terminating connection due to administrator command');

# Has SQL hang in the phase and ends it: by cancel, terminate or timeout. Returns
# the result, the milliseconds from the moment that the end is asked for, or due,
# until the client has it, and the error to be expected as "SQLSTATE: message".
sub interrupt
{
	my ($self, $way, $phase, $session, $sql) = @_;
	my $since;

	$session->query_safe("SET statement_timeout = '" . TIMEOUT_MS . "ms'") if $way eq 'timeout';
	$self->hang($phase, $session, $sql);
	if ($way eq 'timeout')
	{
		$since = $phase->{sent} + TIMEOUT_MS / 1000;
	}
	else
	{
		$since = Time::HiRes::time();
		$self->{monitor}->query_safe("SELECT pg_${way}_backend(" . $session->pid . ')');
	}
	my $result = $session->result;
	$session->query('RESET statement_timeout') if $way eq 'timeout';
	return ($result, 1000 * ($result->{ended} - $since), $expected{$way});
}

sub quit
{
	my ($self) = @_;

	delete($self->{monitor})->quit;
	return;
}

1;
