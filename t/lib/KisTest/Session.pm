# A session that stays open, over PostgreSQL::Test's background psql. It can
# send SQL without waiting for it, and tells errors with their parts.
package KisTest::Session;

use strict;
use warnings;

use IPC::Run ();
use Time::HiRes ();

sub new
{
	my ($class, $psql) = @_;
	my $self = bless { psql => $psql, sent => 0 }, $class;

	$self->query('\set VERBOSITY verbose');
	$self->{pid} = $self->query('SELECT pg_backend_pid()')->{output};
	return $self;
}

# The backend's process id.
sub pid
{
	my ($self) = @_;

	return $self->{pid};
}

# Runs SQL and returns a hash as run_sql: output, stderr, messages, errors,
# warnings, notices, and ended, when the result was here (Time::HiRes's time).
sub query
{
	my ($self, $sql, $timeout) = @_;

	$self->send($sql);
	return $self->result($timeout);
}

# Runs SQL that must succeed; its output.
sub query_safe
{
	my ($self, $sql, $timeout) = @_;
	my $result = $self->query($sql, $timeout);

	die "query failed: $result->{stderr}\nwhile running: $sql" if @{ $result->{errors} };
	return $result->{output};
}

# The first error of SQL, as sql_error.
sub error
{
	my ($self, $sql, $timeout) = @_;
	my $error = $self->query($sql, $timeout)->{errors}[0];

	return unless $error;
	return @$error{qw(sqlstate message detail hint context)};
}

# Sends SQL and returns at once.
sub send
{
	my ($self, $sql) = @_;
	my $psql = $self->{psql};
	my $number = ++$self->{sent};

	die "the result before has not been read" if defined $self->{awaited};
	$self->{awaited} = "session: result $number ends";
	$psql->{stdin} .= "$sql\n;\n\\echo '$self->{awaited}'\n\\warn '$self->{awaited}'\n";
	$psql->{run}->pump_nb;
	return;
}

# Has the result come of what was sent?
sub is_done
{
	my ($self) = @_;
	my $psql = $self->{psql};

	$psql->{run}->pump_nb;
	return $self->_has_ended;
}

# The result of what was sent. A session that was terminated has one too, and
# then is_closed.
sub result
{
	my ($self, $timeout) = @_;
	my $psql = $self->{psql};
	my $seconds = defined $timeout ? $timeout : $PostgreSQL::Test::Utils::timeout_default;

	die "nothing was sent" unless defined $self->{awaited};
	$psql->{timeout}->start($seconds);
	while (!$self->_has_ended)
	{
		if (!$psql->{run}->pumpable)
		{
			$self->{closed} = 1;
			last;
		}
		eval { $psql->{run}->pump; 1 } or do
		{
			die "no result within $seconds s" if $psql->{timeout}->is_expired;
			$self->{closed} = 1;
			last;
		};
		die "no result within $seconds s" if $psql->{timeout}->is_expired;
	}
	$psql->{timeout}->reset;

	my $ended = Time::HiRes::time();
	my ($output, $stderr) = ($psql->{stdout}, $psql->{stderr});

	s/^\Q$self->{awaited}\E\n//m, s/\n\z// for $output, $stderr;
	$psql->{stdout} = $psql->{stderr} = '';
	delete $self->{awaited};

	my @messages = KisTest::parse_messages($stderr);

	return {
		ended => $ended,
		output => $output,
		stderr => $stderr,
		messages => \@messages,
		errors => [ grep { $_->{severity} =~ /^(ERROR|FATAL|PANIC)$/ } @messages ],
		warnings => [ grep { $_->{severity} eq 'WARNING' } @messages ],
		notices => [ grep { $_->{severity} eq 'NOTICE' } @messages ] };
}

sub is_closed
{
	my ($self) = @_;

	return $self->{closed} ? 1 : 0;
}

# The client dies, and says nothing to the server.
sub vanish
{
	my ($self) = @_;
	my $run = $self->{psql}{run};

	$run->signal('KILL');
	eval { $run->finish };
	$self->{closed} = 1;
	return;
}

sub quit
{
	my ($self) = @_;

	if ($self->{closed})
	{
		eval { $self->{psql}{run}->finish };
		return;
	}
	return $self->{psql}->quit;
}

sub _has_ended
{
	my ($self) = @_;
	my $psql = $self->{psql};
	my $banner = qr/^\Q$self->{awaited}\E\n/m;

	return $psql->{stdout} =~ $banner && $psql->{stderr} =~ $banner;
}

1;
