# pgbouncer before a node, ended with the test.
package KisTest::Bouncer;

use strict;
use warnings;

use POSIX ':sys_wait_h';
use Time::HiRes ();

use PostgreSQL::Test::Utils ();

my @running;

# Debian's is where only root looks.
sub program
{
	my ($found) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';

	return $found;
}

# Databases of its own by name, each with settings of a line of pgbouncer's
# [databases]; all are the node's database postgres.
sub new
{
	my ($class, $node, %databases) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { host => $dir, port => $node->port }, $class;
	my $user = getpwuid $>;

	PostgreSQL::Test::Utils::append_to_file("$dir/users", qq{"$user" ""\n});
	PostgreSQL::Test::Utils::append_to_file("$dir/ini", join "\n",
		'[databases]',
		(map { "$_ = host=" . $node->host . ' port=' . $node->port . " dbname=postgres $databases{$_}" } sort keys %databases),
		'[pgbouncer]', 'listen_addr =', "listen_port = $self->{port}", "unix_socket_dir = $dir",
		'auth_type = trust', "auth_file = $dir/users", "logfile = $dir/log",
		'ignore_startup_parameters = extra_float_digits', '');
	$self->_start("$dir/ini", "$dir/.s.PGSQL.$self->{port}");
	push @running, $self;
	return $self;
}

sub _start
{
	my ($self, $ini, $socket) = @_;
	my $log = "$self->{host}/log";
	my $until = Time::HiRes::time() + 30;

	my $pid = fork;
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>&', \*STDOUT;
		exec program(), '-q', $ini or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	while (!-S $socket)
	{
		if (waitpid($pid, WNOHANG) == $pid || Time::HiRes::time() > $until)
		{
			kill 'KILL', $pid;
			die "pgbouncer did not start:\n" . PostgreSQL::Test::Utils::slurp_file($log);
		}
		Time::HiRes::sleep(0.01);
	}
	return;
}

# As of a node
sub host { return $_[0]{host} }
sub port { return $_[0]{port} }
sub connstr { return "host=$_[0]{host} port=$_[0]{port} dbname=$_[1]" }

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	kill 'INT', $pid;
	waitpid $pid, 0;
	return;
}

END
{
	my $status = $?;

	$_->stop foreach @running;
	$? = $status;
}

1;
