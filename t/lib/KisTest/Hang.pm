# What hangs where no simulator of KIS can: the look-up of a name, and a
# listener that never answers.

# test/slow_resolver.c in a server: looking up one host hangs while it is held.
package KisTest::Hang::Resolver;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use IPC::Run ();

use PostgreSQL::Test::Utils ();

my $test_dir = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../../test');

sub new
{
	my ($class, $host) = @_;
	my $dir = File::Temp::tempdir(
		'resolver_XXXX',
		DIR => $PostgreSQL::Test::Utils::tmp_check,
		CLEANUP => 1);
	my $self = bless { host => $host, map { $_ => Cwd::abs_path($dir) . "/$_" } qw(library hold log) }, $class;
	my $output = '';

	IPC::Run::run([ 'cc', '-shared', '-fPIC', '-o', $self->{library}, "$test_dir/slow_resolver.c" ],
		'>&', \$output) or die "slow_resolver.c: $output";
	PostgreSQL::Test::Utils::append_to_file($self->{log}, '');
	return $self;
}

# For new_node's env.
sub env
{
	my ($self) = @_;

	return {
		LD_PRELOAD => $self->{library},
		SLOW_RESOLVER_HOST => $self->{host},
		SLOW_RESOLVER_HOLD => $self->{hold},
		SLOW_RESOLVER_LOG => $self->{log} };
}

sub hold
{
	my ($self) = @_;

	PostgreSQL::Test::Utils::append_to_file($self->{hold}, '');
	return;
}

# All look-ups that hang find nothing; those to come find 127.0.0.1.
sub let_go
{
	my ($self) = @_;

	unlink $self->{hold};
	return;
}

# How many look-ups have begun, and how many have ended.
sub begun { return $_[0]->_count('b') }
sub ended { return $_[0]->_count('e') }

sub _count
{
	my ($self, $event) = @_;

	return scalar grep { $_ eq $event } split //, PostgreSQL::Test::Utils::slurp_file($self->{log});
}

# test/blackhole.py in a mode, ended with the test.
package KisTest::Hang::Listener;

use strict;
use warnings;

use IPC::Run ();

my @running;

sub new
{
	my ($class, $mode) = @_;
	my $self = bless { output => '' }, $class;

	$self->{run} = IPC::Run::start(
		[ 'python3', '-B', "$test_dir/blackhole.py", $mode, '--exit-with-parent' ],
		'<', \undef, '>', \$self->{output}, IPC::Run::timeout(30));
	$self->{run}->pump until $self->{output} =~ /\n/;
	($self->{port}) = $self->{output} =~ /^(\d+)\n/;
	push @running, $self;
	return $self;
}

sub port { return $_[0]{port} }

sub stop
{
	my ($self) = @_;
	my $run = delete $self->{run} or return;

	$run->kill_kill(grace => 5);
	return;
}

END
{
	my $status = $?;

	$_->stop foreach @running;
	$? = $status;
}

1;
