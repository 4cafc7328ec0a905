# Debian's Chromium without a window, driven by ChromeDriver over HTTP, and ended
# with the test.
#
#	my $browser = KisTest::Browser->new;
#	$browser->open($url, 390);
#	$browser->run('return document.title');
#	$browser->console;
#	$browser->picture($path);
package KisTest::Browser;

use strict;
use warnings;

use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ':sys_wait_h';
use Time::HiRes ();

my @running;

sub new
{
	my ($class) = @_;
	my $dir = File::Temp::tempdir('browser_XXXX', TMPDIR => 1, CLEANUP => 1);
	# a busy machine may take its time to start it
	my $self = bless { dir => $dir, http => HTTP::Tiny->new(timeout => 180, keep_alive => 0, proxy => undef, http_proxy => undef) }, $class;

	$self->_start;
	push @running, $self;
	# root has no sandbox; and nothing is fetched but from this machine
	my $session = $self->_ask(POST => '/session', { capabilities => { alwaysMatch => {
		browserName => 'chrome',
		'goog:loggingPrefs' => { browser => 'ALL' },
		'goog:chromeOptions' => { args => [
			'--headless=new', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run',
			'--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', "--user-data-dir=$dir/profile",
			$> == 0 ? '--no-sandbox' : () ] } } } });
	$self->{session} = $session->{sessionId};
	return $self;
}

# It says on which port it listens.
sub _start
{
	my ($self) = @_;
	my $log = "$self->{dir}/log";
	my $until = Time::HiRes::time() + 60;

	my $pid = fork;
	die "could not fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		# Chromium is of its group, to be ended with it
		setpgrp;
		$ENV{HOME} = $self->{dir};
		CORE::open STDIN, '<', '/dev/null';
		CORE::open STDOUT, '>', $log;
		CORE::open STDERR, '>&', \*STDOUT;
		exec 'chromedriver', '--port=0' or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	while (!$self->{port})
	{
		my $said = $self->_said;

		($self->{port}) = $said =~ /started successfully on port (\d+)/;
		die "chromedriver did not start:\n$said" if !$self->{port} && (waitpid($pid, WNOHANG) == $pid || Time::HiRes::time() > $until);
		Time::HiRes::sleep(0.02);
	}
	return;
}

sub _said
{
	my ($self) = @_;

	CORE::open my $file, "<", "$self->{dir}/log" or return '';
	local $/;
	return scalar(<$file>) // '';
}

sub _ask
{
	my ($self, $method, $path, $body) = @_;
	my $reply = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path",
		{ headers => { 'Content-Type' => 'application/json' }, content => defined $body ? JSON::PP->new->utf8->encode($body) : '' });

	die "chromedriver: $method $path: $reply->{status} $reply->{content}\n" unless $reply->{success};
	return JSON::PP->new->utf8->decode($reply->{content})->{value};
}

sub _command
{
	my ($self, $path, $body) = @_;

	return $self->_ask(POST => "/session/$self->{session}/$path", $body);
}

sub _set_size
{
	my ($self, $width, $height) = @_;

	return $self->_command('goog/cdp/execute', { cmd => 'Emulation.setDeviceMetricsOverride', params => {
		width => $width, height => $height, deviceScaleFactor => 1, mobile => $width < 600 ? JSON::PP::true : JSON::PP::false } });
}

# Opens a page in a window of so many pixels' width.
sub open
{
	my ($self, $url, $width) = @_;

	$self->{width} = $width;
	$self->_set_size($width, 900);
	$self->_command('url', { url => $url });
	return;
}

# What a function of this body returns in the page.
sub run
{
	my ($self, $script) = @_;

	return $self->_command('execute/sync', { script => $script, args => [] });
}

# What the console has said since the last look, errors and warnings.
sub console
{
	my ($self) = @_;

	return map { "$_->{level}: $_->{message}" } grep { $_->{level} =~ /SEVERE|WARNING/ } @{ $self->_command('se/log', { type => 'browser' }) };
}

# The whole page as a PNG.
sub picture
{
	my ($self, $path) = @_;

	$self->_set_size($self->{width}, $self->run('return document.documentElement.scrollHeight'));
	my $picture = MIME::Base64::decode_base64($self->_ask(GET => "/session/$self->{session}/screenshot"));
	CORE::open my $file, '>:raw', $path or die "can't write $path: $!\n";
	print $file $picture;
	close $file;
	return;
}

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	eval { $self->_ask(DELETE => "/session/$self->{session}") } if $self->{session};
	kill 'TERM', $pid;
	waitpid $pid, 0;
	kill 'KILL', -$pid;
	return;
}

END
{
	my $status = $?;

	$_->stop foreach @running;
	$? = $status;
}

1;
