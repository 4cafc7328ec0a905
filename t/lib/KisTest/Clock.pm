# The clock of a server and its simulator, set by the test in Korean time. It
# goes on from there. The server's wall clock is set, by test/clock.c, and by its
# boot clock two seconds pass; psql and the test keep the real time. The machine
# may also sleep a while.
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
	my $dir = File::Temp::tempdir(
		'clock_XXXX',
		DIR => $PostgreSQL::Test::Utils::tmp_check,
		CLEANUP => 1);
	my $self = bless {
		simulator => $simulator,
		file => Cwd::abs_path($dir) . '/offset',
		offset => 0,
		slept => 0 }, $class;

	$self->_build;
	$self->_write;
	return $self;
}

# For new_node's env.
sub env
{
	my ($self) = @_;

	return { LD_PRELOAD => "$self->{file}.so", CLOCK_OFFSET => $self->{file} };
}

sub _build
{
	my ($self) = @_;
	my $source = File::Basename::dirname(__FILE__) . '/../../../test/clock.c';
	my $output = '';

	IPC::Run::run([ 'cc', '-O2', '-shared', '-fPIC', '-o', "$self->{file}.so", $source ], '>&', \$output)
	  or die "clock.c: $output";
	return;
}

# 'YYYY-MM-DD HH:MM:SS' in Korea. The simulator's clock stands still there, but
# its tokens go on from there, as the server does.
sub set
{
	my ($self, $korean) = @_;
	my ($year, $month, $day, $hour, $minute, $second) = $korean =~ /\d+/g;
	my $seconds = Time::Local::timegm($second, $minute, $hour, $day, $month - 1, $year) - 9 * 3600;

	$self->{offset} = $seconds - Time::HiRes::time();
	# the ledger's next turn has come as well
	$self->{slept} += 2;
	$self->_write;
	$self->{simulator}->config(clock => $korean =~ s/ /T/r, token_clock_offset => $self->{offset});
	return;
}

# So many seconds pass while the machine sleeps: by the wall clock and by the boot
# clock, and by no other. The simulator's clock stands still, but not its tokens'.
sub sleep
{
	my ($self, $seconds) = @_;

	$_ += $seconds foreach @$self{qw(offset slept)};
	$self->_write;
	$self->{simulator}->config(token_clock_offset => $self->{offset});
	return;
}

# SQL of a superuser by which two seconds of the boot clock pass, for the ledger's
# next turn; it takes a sequence "turns".
sub turn_sql
{
	my ($self) = @_;

	return sprintf q{COPY (SELECT '%+.0f ' || %.0f + 2000000000 * nextval('turns')) TO '%s'},
	  (map { $_ * 1e9 } @$self{qw(offset slept)}), $self->{file};
}

# Backends read it at any time, so it is replaced whole.
sub _write
{
	my ($self) = @_;

	open my $file, '>', "$self->{file}.new" or die "$self->{file}.new: $!";
	printf $file "%+.0f %+.0f\n", map { $_ * 1e9 } @$self{qw(offset slept)};
	close $file;
	rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";
	return;
}

1;
