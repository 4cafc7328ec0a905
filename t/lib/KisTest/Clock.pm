# The clock of a server and its simulator, set by the test in Korean time. It
# goes on from there. Only the server's wall clock is set, by libfaketime: what
# it measures waiting by is not, and psql and the test keep the real time.
package KisTest::Clock;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use File::Temp ();
use IPC::Run ();
use Time::HiRes ();
use Time::Local ();

use PostgreSQL::Test::Utils ();

sub new
{
	my ($class, $simulator) = @_;
	my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';

	die 'libfaketime not found: on Debian, apt-get install libfaketime' unless $library;
	my $dir = File::Temp::tempdir(
		'clock_XXXX',
		DIR => $PostgreSQL::Test::Utils::tmp_check,
		CLEANUP => 1);
	my $self = bless { simulator => $simulator, library => $library, file => Cwd::abs_path($dir) . '/offset' }, $class;

	$self->_write(0);
	return $self;
}

# For new_node's env. workers => 1: background workers go by that clock, too.
sub env
{
	my ($self, %opts) = @_;

	return {
		LD_PRELOAD => join(':', ($opts{workers} ? $self->_plain_select : ()), $self->{library}),
		FAKETIME_TIMESTAMP_FILE => $self->{file},
		FAKETIME_NO_CACHE => 1,
		FAKETIME_DONT_FAKE_MONOTONIC => 1,
		DONT_FAKE_MONOTONIC => 1 };
}

# test/plain_select.c, which says why.
sub _plain_select
{
	my ($self) = @_;
	my $library = "$self->{file}.so";
	my $source = File::Basename::dirname(__FILE__) . '/../../../test/plain_select.c';
	my $output = '';

	IPC::Run::run([ 'cc', '-shared', '-fPIC', '-o', $library, $source ], '>&', \$output)
	  or die "plain_select.c: $output";
	return $library;
}

# 'YYYY-MM-DD HH:MM:SS' in Korea. The simulator's clock stands still there, but
# its tokens go on from there, as the server does.
sub set
{
	my ($self, $korean) = @_;
	my ($year, $month, $day, $hour, $minute, $second) = $korean =~ /\d+/g;
	my $seconds = Time::Local::timegm($second, $minute, $hour, $day, $month - 1, $year) - 9 * 3600;

	my $offset = $seconds - Time::HiRes::time();

	$self->_write($offset);
	$self->{simulator}->config(clock => $korean =~ s/ /T/r, token_clock_offset => $offset);
	return;
}

# Backends read it at any time, so it is replaced whole.
sub _write
{
	my ($self, $offset) = @_;

	open my $file, '>', "$self->{file}.new" or die "$self->{file}.new: $!";
	printf $file "%+.3f\n", $offset;
	close $file;
	rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";
	return;
}

1;
