# The KIS simulator of test/kis_simulator.py, started for a test and ended
# with it. What can be configured, which faults there are and what a request's
# record holds is told in test/simulator/ (config.py, faults.py, records.py).
package KisTest::Simulator;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use POSIX ':sys_wait_h';
use Time::HiRes ();

use PostgreSQL::Test::Utils ();

my $test_dir = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../../test');
my @running;

# Options: config => {...}, clock => 'YYYY-MM-DDTHH:MM:SS' in Korea, tls => 1,
# faketime => what libfaketime's FAKETIME takes, env => {...}.
sub new
{
	my ($class, %opts) = @_;
	my $dir = File::Temp::tempdir(
		'kis_simulator_XXXX',
		DIR => $PostgreSQL::Test::Utils::tmp_check,
		CLEANUP => 1);
	my $self = bless {
		dir => Cwd::abs_path($dir),
		tls => $opts{tls} ? 1 : 0,
		http => HTTP::Tiny->new(timeout => 60, proxy => undef, http_proxy => undef)
	}, $class;
	my @command = (
		'python3', '-B', "$test_dir/kis_simulator.py", '--port', '0',
		'--port-file', "$dir/port", '--exit-with-parent');

	push @command, '--config', _json($opts{config}) if $opts{config};
	push @command, '--clock', $opts{clock} if defined $opts{clock};
	push @command, '--tls', '--tls-dir', $self->{dir} if $self->{tls};
	$self->_start(@command);
	push @running, $self;
	return $self;
}

sub _start
{
	my ($self, @command) = @_;
	my $log = "$self->{dir}/log";

	my $pid = fork;
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $log;
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}
	$self->{pid} = $pid;

	my $until = Time::HiRes::time() + 30;
	my $port = '';
	while ($port !~ /^\d+\s/)
	{
		if (waitpid($pid, WNOHANG) == $pid || Time::HiRes::time() > $until)
		{
			kill 'KILL', $pid;
			die "the simulator did not start:\n" . PostgreSQL::Test::Utils::slurp_file($log);
		}
		Time::HiRes::sleep(0.01);
		$port = PostgreSQL::Test::Utils::slurp_file("$self->{dir}/port")
		  if -s "$self->{dir}/port";
	}
	($self->{port}) = $port =~ /^(\d+)/;
	return;
}

sub port { return $_[0]{port} }
sub tls { return $_[0]{tls} }
sub pid { return $_[0]{pid} }

# For the server option base_url.
sub url
{
	my ($self) = @_;

	return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}";
}

# For the server option ca_file.
sub ca_file { return "$_[0]{dir}/ca.pem" }

sub app_key { return $_[0]->settings->{app_key} }
sub app_secret { return $_[0]->settings->{app_secret} }

# The whole configuration as it is now.
sub settings
{
	my ($self) = @_;

	return $self->ask(GET => 'config');
}

# Changes some settings.
sub config
{
	my ($self, %changes) = @_;

	return $self->ask(POST => 'config', \%changes);
}

# Adds faults, a hash each; no argument: removes all.
sub fault
{
	my ($self, @faults) = @_;

	return $self->config(faults => []) unless @faults;
	$self->ask(POST => 'fault', $_) foreach @faults;
	return;
}

# Requests since the last reset, oldest first: a hash each. kind is token,
# trend, daily, holiday, data (all calls but token) or any.
sub requests
{
	my ($self, $kind) = @_;

	return @{ $self->ask(GET => 'requests?kind=' . ($kind || 'any'))->{requests} };
}

# How many requests of a kind; data calls unless told.
sub calls
{
	my ($self, $kind) = @_;

	return scalar $self->requests($kind || 'data');
}

# The pairs asked for, sorted, as 'KSP/0001'.
sub pairs
{
	my ($self) = @_;
	my %seen = map { ("$_->{market}/$_->{sector}" => 1) } $self->requests('trend');

	return sort keys %seen;
}

sub stats { return $_[0]->ask(GET => 'stats') }

# What was not as KIS documents its requests, over all requests; none is good.
sub problems
{
	my ($self) = @_;

	return map { @{ $_->{problems} } } $self->requests('any');
}

# Kills the live tokens: data calls with them are refused.
sub kill_token
{
	my ($self, %params) = @_;

	return $self->ask(POST => 'kill_token', \%params);
}

# Lets requests go on that a fault holds.
sub release { return $_[0]->ask(POST => 'release', {}) }

# Forgets requests, tokens and faults, and goes back to the first configuration.
sub reset { return $_[0]->ask(POST => 'reset', {}) }

# Waits until so many requests of a kind have arrived since the last reset;
# kind held: until so many are held by a fault. Dies after timeout seconds.
sub wait_for
{
	my ($self, $kind, $count, $timeout) = @_;
	$count = 1 unless defined $count;
	$timeout = 30 unless defined $timeout;
	my $reply = $self->ask(GET => "wait?kind=$kind&count=$count&timeout=$timeout");

	die "only $reply->{count} of $count requests of kind $kind within $timeout s"
	  if $reply->{count} < $count;
	return $reply->{count};
}

# A call below /_simulator/.
sub ask
{
	my ($self, $method, $path, $body) = @_;
	my $reply = $self->{http}->request(
		$method,
		$self->url . "/_simulator/$path",
		defined $body
		? { content => _json($body), headers => { 'content-type' => 'application/json' } }
		: {});

	die "$method /_simulator/$path: $reply->{status} $reply->{content}"
	  unless $reply->{success};
	return length $reply->{content} ? JSON::PP->new->utf8->decode($reply->{content}) : undef;
}

# What the simulator has written, for a test that fails.
sub log { return PostgreSQL::Test::Utils::slurp_file("$_[0]{dir}/log") }

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid};

	return unless defined $pid;
	kill 'TERM', $pid;
	my $until = Time::HiRes::time() + 5;
	while (waitpid($pid, WNOHANG) == 0)
	{
		kill 'KILL', $pid if Time::HiRes::time() > $until;
		Time::HiRes::sleep(0.01);
	}
	return;
}

sub _json
{
	my ($value) = @_;

	return JSON::PP->new->utf8->canonical->encode($value);
}

END
{
	my $status = $?;

	$_->stop foreach @running;
	$? = $status;
}

1;
