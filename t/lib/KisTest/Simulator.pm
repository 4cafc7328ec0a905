# The KIS simulator of test/kis_simulator.py, started for a test and ended
# with it. What can be configured, which faults there are and what a request's
# record holds is told in test/simulator/ (config.py, faults.py, records.py).
# JSON knows numbers from strings: write rate => 18, not rate => '18'. Text to
# and from the simulator is of characters ("use utf8"), SQL's of bytes.
package KisTest::Simulator;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use List::Util ();
use POSIX ':sys_wait_h';
use Time::HiRes ();

use PostgreSQL::Test::Utils ();

my $test_dir = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../../test');
my %is_no_data = map { $_ => 1 } qw(token other);
my @running;

# Where a test says nothing of it, it is mid-session and each session may have
# a token at once.
my %defaults = (clock => '2026-07-10T10:30:00', token_min_interval => 0);

# Options: config => {...}; tls => 1; tls_names => 'localhost,127.0.0.1', the
# hosts that the certificate is for; test_dir => the directory test of another tree.
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
		http => HTTP::Tiny->new(timeout => 660, keep_alive => 0, proxy => undef, http_proxy => undef)
	}, $class;
	my @command = (
		'python3', '-B', ($opts{test_dir} || $test_dir) . '/kis_simulator.py', '--port', '0',
		'--port-file', "$dir/port", '--exit-with-parent',
		'--config', _json({ %defaults, %{ $opts{config} || {} } }));

	push @command, '--tls', '--tls-dir', $self->{dir} if $self->{tls};
	push @command, '--tls-names', $opts{tls_names} if defined $opts{tls_names};
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
# the name of a data call (trend, daily, holiday), other, data (all that KIS's rate counts) or any.
sub requests
{
	my ($self, $kind) = @_;
	$kind = 'any' unless defined $kind;

	return grep { $kind eq 'any' || $_->{kind} eq $kind || $kind eq 'data' && !$is_no_data{ $_->{kind} } }
	  @{ $self->ask(GET => 'requests') };
}

# How many requests of a kind; data calls unless told.
sub calls
{
	my ($self, $kind) = @_;
	my $stats = $self->stats;

	return $stats->{data} if !defined $kind || $kind eq 'data';
	return $stats->{counts}{$kind} || 0 if $kind ne 'any';
	return List::Util::sum0(values %{ $stats->{counts} });
}

# The pairs of trend calls as 'KSP/0001', sorted, as often as they were called.
sub pairs
{
	my ($self) = @_;

	return sort map { "$_->{market}/$_->{sector}" } $self->requests('trend');
}

sub stats { return $_[0]->ask(GET => 'stats') }

# What was not as KIS documents its requests, over all requests; none is good.
sub problems
{
	my ($self) = @_;

	return map { @{ $_->{problems} } } $self->requests('any');
}

# Kills the live tokens: data calls with them are refused. Parameters as in
# test/simulator/admin.py, booleans as JSON::PP::true.
sub kill_token
{
	my ($self, %params) = @_;

	return $self->ask(POST => 'kill_token', \%params);
}

# Lets requests go on that a fault holds; clear_faults => JSON::PP::true:
# those to come too.
sub release
{
	my ($self, %params) = @_;

	return $self->ask(POST => 'release', \%params);
}

# Forgets requests, tokens and faults, and goes back to the first
# configuration; keep_tokens => JSON::PP::true keeps the tokens.
sub reset
{
	my ($self, %params) = @_;

	return $self->ask(POST => 'reset', \%params);
}

# Waits until so many requests of a kind have arrived since the last reset;
# kind held: until a fault holds so many. Dies after timeout seconds.
sub wait_for
{
	my ($self, $kind, $count, $timeout) = @_;
	$count = 1 unless defined $count;
	$timeout = $PostgreSQL::Test::Utils::timeout_default unless defined $timeout;
	my $reply = $self->ask(GET => "wait?kind=$kind&count=$count&timeout=$timeout");

	die "only $reply->{arrived} of $count requests of kind $kind within $timeout s"
	  unless $reply->{reached};
	return $reply->{arrived};
}

# A call below /_simulator/, see test/simulator/admin.py.
sub ask
{
	my ($self, $method, $name, $body) = @_;
	my $content = defined $body ? _json($body) : '';
	my ($status, $text);

	if ($self->{tls})
	{
		($status, $text) = $self->_ask_tls($method, $name, $content);
	}
	else
	{
		my $reply = $self->{http}->request($method, $self->url . "/_simulator/$name",
			{ content => $content });
		($status, $text) = @$reply{qw(status content)};
	}
	die "$method /_simulator/$name: $status $text" unless $status == 200;
	return JSON::PP->new->utf8->decode($text);
}

# Perl's core has no TLS.
sub _ask_tls
{
	my ($self, $method, $name, $content) = @_;
	my $request = "$method /_simulator/$name HTTP/1.1\r\nHost: simulator\r\n"
	  . 'Content-Length: ' . length($content) . "\r\nConnection: close\r\n\r\n$content";
	my ($reply, $errors) = ('', '');

	IPC::Run::run([ 'openssl', 's_client', '-quiet', '-connect', "127.0.0.1:$self->{port}" ],
		'<', \$request, '>', \$reply, '2>', \$errors);
	my ($status, $text) = $reply =~ m{^HTTP/1\.1 (\d+) .*?\r\n\r\n(.*)\z}s
	  or die "$method /_simulator/$name: $errors";
	return ($status, $text);
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
