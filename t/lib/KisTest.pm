# What the TAP tests share: a KIS simulator, a PostgreSQL server of their own,
# and ways to see what a user sees.
#
#	use FindBin;
#	use lib "$FindBin::RealBin/lib";
#	use KisTest;
#
#	my $simulator = KisTest::Simulator->new(config => { rate => 18 });
#	my $node = new_node('main');
#	setup($node, 'postgres', $simulator, max_calls => 5);
#	is($node->safe_psql('postgres', q{SELECT ...}), ...);
#	is($simulator->calls, 1, 'one data call');
#	done_testing();
#
# Methods of the simulator are described in KisTest/Simulator.pm.
package KisTest;

use strict;
use warnings;

use Exporter 'import';
use Test::More;
use Time::HiRes ();

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use KisTest::Node;
use KisTest::Session;
use KisTest::Simulator;

our @EXPORT = qw(
  new_node setup setup_sql sql_literal
  run_sql sql_error sql_warnings parse_messages
  own_connections backend_memory_kb backend_fds eventually within wait_until_blocked slurp_log
);

# ---- servers ---------------------------------------------------------------

# A running server with the extension, preloaded where the version needs that. Options:
#	conf	 lines for postgresql.conf; a later one overrides
#	initdb	 more arguments for initdb; in UTF8 and locale C unless they say otherwise
#	env		 environment of the server alone, such as LD_PRELOAD
#	start	 0: only make it
sub new_node
{
	my ($name, %opts) = @_;
	my $node = KisTest::Node->new($name);

	$node->{kis_env} = $opts{env} || {};
	$node->init(extra => [ '--no-locale', '--encoding=UTF8', @{ $opts{initdb} || [] } ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'market_investor_fdw'")
	  if $node->pg_version < 17;
	$node->append_conf('postgresql.conf', $opts{conf}) if defined $opts{conf};
	$node->start unless defined $opts{start} && !$opts{start};
	return $node;
}

# In database db: the extension, server kis on the simulator, a user mapping
# for the current user, and all tables in schema public.
#
# Server options come over these: no cache and no calls for the calendar, so
# that calls can be counted, and a rate that holds nothing up; undef leaves an
# option out. Arguments that are no server options: mapping => {user mapping
# options}, import => 0.
sub setup
{
	my ($node, $db, $simulator, %options) = @_;

	return $node->safe_psql($db, setup_sql($simulator, %options));
}

# The same as SQL, for databases and servers that need other steps between.
sub setup_sql
{
	my ($simulator, %options) = @_;
	my $mapping = delete $options{mapping} || {};
	my $import = delete $options{import};
	my %server = (
		base_url => $simulator->url,
		cache_ttl => '0',
		calendar => 'weekday',
		requests_per_second => '1000',
		# a test that sets no clock runs before the exchange opens as well, when a
		# collection would not believe that KIS has turned over
		($INC{'KisTest/Clock.pm'} ? () : (session_start => '00:00')),
		%options);
	my %user = (
		app_key => $simulator->app_key,
		app_secret => $simulator->app_secret,
		%$mapping);

	$server{ca_file} = $simulator->ca_file
	  if $simulator->tls && !exists $server{ca_file};

	# Cluster.pm has the server log all statements; secrets are not for its log
	my $sql = "SET log_statement = 'none';\n"
	  . "CREATE EXTENSION IF NOT EXISTS market_investor_fdw;\n"
	  . "CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw "
	  . _options(%server) . ";\n"
	  . "CREATE USER MAPPING FOR CURRENT_USER SERVER kis " . _options(%user) . ";\n"
	  . "RESET log_statement;\n";
	$sql .= "IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;\n"
	  unless defined $import && !$import;
	return $sql;
}

sub sql_literal
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	$text =~ s/\\/\\\\/g and return " E'$text'";
	return "'$text'";
}

sub _options
{
	my (%options) = @_;
	my @list = map { "$_ " . sql_literal($options{$_}) }
	  grep { defined $options{$_} } sort keys %options;

	return @list ? 'OPTIONS (' . join(', ', @list) . ')' : '';
}

# ---- what a user sees ------------------------------------------------------

# Runs SQL in a session of its own, all of it whatever fails. Returns a hash:
# status (psql's), output, stderr, and the messages as parse_messages has
# them: messages, errors, warnings, notices. Parameters as Cluster's psql.
sub run_sql
{
	my ($node, $db, $sql, %params) = @_;
	my ($output, $stderr) = ('', '');
	my $status = $node->psql(
		$db,
		"\\set VERBOSITY verbose\n$sql",
		stdout => \$output,
		stderr => \$stderr,
		on_error_stop => 0,
		%params);
	my @messages = parse_messages($stderr);
	my $of = sub { [ grep { $_->{severity} eq $_[0] } @messages ] };

	return {
		status => $status,
		output => $output,
		stderr => $stderr,
		messages => \@messages,
		errors => [ grep { $_->{severity} =~ /^(ERROR|FATAL|PANIC)$/ } @messages ],
		warnings => $of->('WARNING'),
		notices => $of->('NOTICE') };
}

# The first error of SQL: (sqlstate, message, detail, hint, context), "" where
# one is absent; nothing where the SQL succeeds.
sub sql_error
{
	my ($node, $db, $sql, %params) = @_;
	my $error = run_sql($node, $db, $sql, %params)->{errors}[0];

	return unless $error;
	return @$error{qw(sqlstate message detail hint context)};
}

# The warnings of SQL, a hash each: sqlstate, message, detail, hint, context.
sub sql_warnings
{
	my ($node, $db, $sql, %params) = @_;

	return @{ run_sql($node, $db, $sql, %params)->{warnings} };
}

# Messages in what psql writes with VERBOSITY verbose: a list of hashes of
# severity, sqlstate, message, detail, hint, context.
sub parse_messages
{
	my ($stderr) = @_;
	my (@messages, $part);
	my %part_of = (DETAIL => 'detail', HINT => 'hint', CONTEXT => 'context');

	foreach my $line (split /\n/, $stderr)
	{
		if ($line =~ /^(?:psql:[^:]*:\d+: )?(ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG|DEBUG):  ([0-9A-Z]{5}): (.*)$/)
		{
			push @messages,
			  { severity => $1, sqlstate => $2, message => $3, detail => '', hint => '', context => '' };
			$part = 'message';
		}
		elsif ($line =~ /^(DETAIL|HINT|CONTEXT):  (.*)$/ && @messages)
		{
			$part = $part_of{$1};
			$messages[-1]{$part} = $2;
		}
		elsif ($line =~ /^(LOCATION|QUERY|STATEMENT|LINE \d+): / || !defined $part)
		{
			$part = undef;
		}
		else
		{
			$messages[-1]{$part} .= "\n$line";
		}
	}
	return @messages;
}

# What the server has logged so far, as bytes.
sub slurp_log
{
	my ($node) = @_;

	return slurp_file($node->logfile);
}

# ---- what is built -----------------------------------------------------------

# Why each call makes a connection of its own; "" where they are kept. Before 7.80
# libcurl could not say on which one a request goes out.
sub own_connections
{
	return system('pkg-config --atleast-version=7.80 libcurl') == 0 ? '' : 'with a libcurl older than 7.80 each call makes a connection of its own';
}

# ---- what a backend holds --------------------------------------------------

# Private memory in kB. Shared buffers, which a backend's RSS grows by as it
# touches them, are not in it.
sub backend_memory_kb
{
	my ($pid) = @_;
	my ($kb) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;

	return $kb;
}

# How many descriptors it has open.
sub backend_fds
{
	my ($pid) = @_;

	opendir my $dir, "/proc/$pid/fd" or die "could not read /proc/$pid/fd: $!";
	my $count = grep { /^\d+$/ } readdir $dir;
	closedir $dir;
	return $count;
}

# eventually { condition } seconds: waits until the condition holds and returns
# its value; false after so many seconds, those of PG_TEST_TIMEOUT_DEFAULT unless told.
sub eventually(&;$)
{
	my ($condition, $timeout) = @_;
	my $until = Time::HiRes::time() + (defined $timeout ? $timeout : $PostgreSQL::Test::Utils::timeout_default);

	while (1)
	{
		my $value = $condition->();

		return $value if $value;
		return $value if Time::HiRes::time() >= $until;
		Time::HiRes::sleep(0.01);
	}
}

# How many seconds that may take which takes no more than so many. A busy machine
# gives each its turn late, so that a default run tells apart only what ends from
# what hangs; a long run, which has the machine for itself, holds to the figure.
sub within
{
	my ($seconds) = @_;

	return $ENV{KIS_TEST_LONG} ? $seconds : $seconds + $PostgreSQL::Test::Utils::timeout_default / 2;
}

# Waits until a session waits for another's lock; dies where it does not.
sub wait_until_blocked
{
	my ($node, $session) = @_;

	$node->poll_query_until('postgres', sprintf q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %d}, $session->pid)
	  or die 'the session is not blocked';
	return;
}

1;
