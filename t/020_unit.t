#!/usr/bin/env perl
# The unit tests of the half that knows no PostgreSQL, each case a test here.
# They are built with AddressSanitizer and UBSan, unless UNIT_WRAPPER runs them
# under another program (UNIT_WRAPPER='valgrind -q --error-exitcode=9') or COPT has
# flags for the compiler, such as those for coverage.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Temp ();

my $top = dirname(dirname(__FILE__));
my @wrapper = split ' ', $ENV{UNIT_WRAPPER} // '';
my $count = 0;
my $failed = 0;

sub report
{
	my ($ok, $name) = @_;
	$count++;
	$failed++ unless $ok;
	print(($ok ? 'ok' : 'not ok'), " $count - $name\n");
	return;
}

# What a program says beside its results is for whoever looks into a failure
sub run_program
{
	my ($program) = @_;
	my $name = basename($program, '_test');
	my ($planned, $seen) = (0, 0);

	open(my $output, '-|', @wrapper, $program) or die "can't run $program: $!";
	while (my $line = <$output>)
	{
		if ($line =~ /^1\.\.(\d+)/)
		{
			$planned = $1;
		}
		elsif ($line =~ /^(not )?ok \d+ - (\S+)/)
		{
			$seen++;
			report(!$1, "$name: $2");
		}
		elsif ($line =~ /^(?:not )?ok \d+ # SKIP (\S+)/)
		{
			$seen++;
			report(1, "$name: $1 # SKIP not with this libcurl");
		}
		elsif ($line !~ /^# (?:not )?ok - /)
		{
			print '# ', $line =~ s/^#? ?//r;
		}
	}
	close($output);
	my $cases_failed = $? != 0 && $? >> 8 <= $planned && ($? & 127) == 0;
	report($seen == $planned && $planned > 0 && ($? == 0 || $failed && $cases_failed),
		"$name: ran to its end" . ($? ? " (exit status $?)" : ''));
	return;
}

# LeakSanitizer stops its own process like a debugger, which qemu knows nothing of.
sub looks_for_leaks
{
	my $program = File::Temp->new(TEMPLATE => 'leaks_XXXX', TMPDIR => 1);

	close $program;
	open(my $compiler, '|-', "cc -fsanitize=address -x c - -o $program") or die "can't run cc: $!";
	print $compiler "int main(void) { return 0; }\n";
	close($compiler) or return 1;
	return system("$program 2>/dev/null") == 0;
}

# a make of ours, not a part of the one that may have started prove
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
my @make = ('make', '-s', '-C', $top, 'unit');
my $directory = "$top/test/unit/build";
if (!@wrapper && !$ENV{COPT})
{
	push @make, 'SANITIZE=1', 'COPT=-Werror';
	$directory .= '-sanitize';
	if (!looks_for_leaks())
	{
		$ENV{ASAN_OPTIONS} = 'detect_leaks=0';
		report(1, 'no leaks # SKIP LeakSanitizer does not run here: under qemu or a debugger');
	}
}
open(my $build, '-|', "@make 2>&1") or die "can't run make: $!";
print "# $_" while <$build>;
close($build);
my $built = $? == 0;
report($built, 'the tests can be built');
if ($built)
{
	run_program($_) for map { "$directory/" . basename($_, '.c') } glob("$top/test/unit/*_test.c");
}
print "1..$count\n";
exit($failed > 0);
