#!/usr/bin/env perl
# The sources keep to the rules of doc/dev/house.md, as scripts/house and
# scripts/unreached see it; and each of their rules is seen to fail, in a copy of
# the built sources with a fault put into it.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use FindBin;
use JSON::PP qw(encode_json);
use Test::More;

my $top = abs_path("$FindBin::RealBin/..");
my $directory = File::Temp::tempdir(CLEANUP => 1);
my $copy = "$directory/copy";
my $has_pmccabe = system('command -v pmccabe >/dev/null') == 0;

# The lines that a program says, and its status
sub says
{
	my $said = `@_ 2>&1`;

	return ($? >> 8, split /\n/, $said);
}

sub read_file
{
	my ($path) = @_;

	open my $file, '<', $path or die "can't read $path: $!\n";
	local $/;
	return scalar <$file>;
}

# ---- the sources as they are

my ($status, @lines) = says("$top/scripts/house", $top);
my $counts = pop @lines // '';
is($status, 0, 'the sources keep to the rules') or diag join "\n", @lines;
like($counts, qr/^[1-9]\d* passed, 0 failed(?:, 1 skipped)?$/, 'all were looked at');
my %before = map { $_ => 1 } @lines;

open my $none, '>', "$directory/none.json" or die "can't write none.json: $!\n";
print $none '{"files": []}';
close $none;
($status, @lines) = says("$top/scripts/unreached", "$directory/none.json", $top);
is($status, 0, 'each line that has a reason not to be reached is there') or diag join "\n", @lines;

# ---- with a fault

mkdir $copy;
system("cd '$top' && tar -c --exclude-vcs --exclude=./tmp_check --exclude='./test/*/build*' . | tar -x -C '$copy'") == 0
  or die "can't copy the sources\n";
my $page = read_file("$top/doc/dev/house.md");

sub write_file
{
	my ($name, $text) = @_;

	make_path(dirname("$copy/$name"));
	open my $file, '>', "$copy/$name" or die "can't write $name: $!\n";
	print $file $text;
	close $file;
	return;
}

# Puts files there, and their objects: a text has no includes then, as compiling
# those would take long. What is said of them must be as expected; then they go.
sub fault
{
	my ($name, $files, @expected) = @_;

	write_file('doc/dev/house.md', join "\n", $page, map { s{^src/}{}r } grep { /\.c$/ } keys %$files) if !$files->{'doc/dev/house.md'};
	foreach my $path (sort keys %$files)
	{
		write_file($path, $files->{$path});
		next if $path !~ /\.c$/;
		my $code = $files->{$path} =~ s/^#include.*$//gmr;
		my $object = "$copy/" . $path =~ s/\.c$/.o/r;

		open my $compiler, '|-', 'cc', '-std=gnu89', '-w', '-x', 'c', '-c', '-', '-o', $object or die "can't run cc: $!\n";
		print $compiler $code;
		close $compiler or die "cc failed\n";
	}

	my ($status, @said) = says("$copy/scripts/house", $copy);
	my @new = grep { !$before{$_} && !/^not ok: |passed, / } @said;

	is($status, @expected || %before ? 1 : 0, $name);
	is(scalar @new, scalar @expected, @expected ? 'said in as many lines as it should be' : 'is no fault') or diag join "\n", @new;
	like($new[$_] // '', $expected[$_], 'and how') foreach 0 .. $#expected;
	unlink map { ("$copy/$_", "$copy/" . s/\.c$/.o/r) } keys %$files;
	return;
}

# A function of so many lines, and one of so many branches
sub long_function
{
	my ($lines) = @_;
	return "int\nplanted(void)\n{\n" . "\tplanted();\n" x ($lines - 4) . "\treturn 0;\n}\n";
}

sub branched_function
{
	my ($complexity) = @_;
	return "int\nplanted(int i)\n{\n" . join('', map { "\tif (i == $_)\n\t\treturn 1;\n" } 2 .. $complexity) . "\treturn 0;\n}\n";
}

SKIP:
{
	skip 'there is no pmccabe', 4 if !$has_pmccabe;
	fault('a function of 69 lines', { 'src/plan/planted.c' => long_function(69) });
	fault('a function of 72 lines', { 'src/plan/planted.c' => long_function(72) },
		qr{^planted\(\) has 7\d lines, more than 70: src/plan/planted\.c:\d+$});
	fault('a function of complexity 20', { 'src/plan/planted.c' => branched_function(20) });
	fault('a function of complexity 21', { 'src/plan/planted.c' => branched_function(21) },
		qr{^planted\(\) has complexity 21, more than 20: src/plan/planted\.c:\d+$});
}

fault('a file that is not built', { 'src/plan/planted.h' => '' });
write_file('src/plan/planted.c', '');
fault('a file that is not built', { 'doc/dev/house.md' => "$page plan/planted.c" }, qr{^src/plan/planted\.c is not built, so its calls can't be read: make first$});
unlink "$copy/src/plan/planted.c";

# The wall, from either side
fault('postgres.h below the wall', { 'src/kis/planted.c' => qq{#include "postgres.h"\n} },
	qr{^PostgreSQL below the wall: src/kis/planted\.c includes postgres\.h$});
fault('another header of PostgreSQL below the wall, by another of ours', {
		'src/kis/planted.h' => qq{#include <utils/palloc.h>\n},
		'src/kis/planted.c' => qq{#include "kis/planted.h"\n} },
	qr{^PostgreSQL below the wall: src/kis/planted\.c includes src/kis/planted\.h includes utils/palloc\.h$},
	qr{^PostgreSQL below the wall: src/kis/planted\.h includes utils/palloc\.h$});
fault('a function of PostgreSQL below the wall', { 'src/kis/planted.c' => "void planted(void) { palloc(1); }\n" },
	qr{^PostgreSQL below the wall: src/kis/planted\.c calls palloc\(\)$});
foreach my $header (qw(curl/curl.h cjson/cJSON.h openssl/ssl.h))
{
	fault("$header above the wall", { 'src/scan/planted.c' => "#include <$header>\n" },
		qr{^a library above the wall: src/scan/planted\.c includes \Q$header\E$});
}
fault('a header of ours below the wall that brings one above it', {
		'src/kis/planted.h' => "#include <curl/multi.h>\n",
		'src/request/planted.c' => qq{#include "kis/planted.h"\n} },
	qr{^a library above the wall: src/request/planted\.c includes src/kis/planted\.h includes curl/multi\.h$},
	qr{^src/request/planted\.c includes src/kis/planted\.h, which is not shown to request$});
fault('a function of libcurl above the wall', { 'src/request/planted.c' => "void planted(void) { curl_easy_init(); }\n" },
	qr{^a library above the wall: src/request/planted\.c calls curl_easy_init\(\)$});

# Waits and versions
fault("a wait by $_", { 'src/store/planted.c' => "void planted(void) { $_(); }\n" },
	qr{^src/store/planted\.c calls $_\(\), but only the event loop waits$}) foreach qw(pg_usleep WaitLatchOrSocket);
fault('a version of PostgreSQL', { 'src/plan/planted.h' => "#if PG_VERSION_NUM >= 170000\n#endif\n" },
	qr{^src/plan/planted\.h knows versions of PostgreSQL, which only include/compat\.h does$});

# Floors: each pair of those of which the one may not call the other
my %higher = (kis => 'common', common => 'plan', shared => 'request', request => 'plan', plan => 'shared', scan => 'store', store => 'scan');
foreach my $floor (sort keys %higher)
{
	my $higher = $higher{$floor};

	fault("a call from $floor to $higher", {
			"src/$floor/planted.c" => "void planted(void) { planted_above(); }\n",
			"src/$higher/planted.c" => "void planted_above(void) { }\n" },
		qr{^upward: src/$floor/planted calls src/$higher/planted: planted_above$});
}
fault('a header of a higher floor', {
		'src/common/planted.c' => qq{#include "plan/planted.h"\n},
		'src/plan/planted.h' => '' },
	qr{^upward: src/common/planted includes src/plan/planted$},
	qr{^src/common/planted\.c includes src/plan/planted\.h, which is not shown to common$});
fault('a folder that is no floor', { 'src/planted/planted.c' => '' }, qr{^src/planted/ is no floor that there is a rule for$});
rmdir "$copy/src/planted";

# Circles
fault('a circle of calls', {
		'src/plan/planted.c' => "void planted(void) { planted_b(); }\n",
		'src/plan/planted_b.c' => "void planted_b(void) { planted_c(); }\n",
		'src/plan/planted_c.c' => "void planted_c(void) { planted(); }\n" },
	qr{^a circle of files that call each other: src/plan/planted src/plan/planted_b src/plan/planted_c$});
fault('calls that are no circle', {
		'src/plan/planted.c' => "void planted(void) { planted_b(); planted_c(); planted(); }\n",
		'src/plan/planted_b.c' => "void planted_b(void) { planted_c(); }\n",
		'src/plan/planted_c.c' => "void planted_c(void) { }\n" });
fault('a circle of headers', {
		'src/plan/planted.h' => qq{#include "plan/planted_b.h"\n},
		'src/plan/planted_b.h' => '',
		'src/plan/planted_b.c' => qq{#include "plan/planted.h"\n#include "plan/planted_b.h"\n} },
	qr{^a circle of files that include each other: src/plan/planted src/plan/planted_b$});

# Headers
fault('a header that its folder does not show', { 'src/store/planted.c' => qq{#include "request/planted.h"\n}, 'src/request/planted.h' => '' },
	qr{^src/store/planted\.c includes src/request/planted\.h, which is not shown to store$});
fault('a header for its own folder', { 'src/request/planted.c' => qq{#include "request/planted.h"\n}, 'src/request/planted.h' => '' });

# The page
fault('a page of files, functions and names that are not there', {
		'doc/dev/house.md' => "$page `plan/planted.c`, t/000_planted.t, `kis_planted()`, `KIS_PLANTED`, `KisPlanted`" },
	qr{^doc/dev/house\.md names the file plan/planted\.c, which is not there$},
	qr{^doc/dev/house\.md names the file t/000_planted\.t, which is not there$},
	qr{^doc/dev/house\.md names the function kis_planted\(\), which is not there$},
	qr{^doc/dev/house\.md names KIS_PLANTED, which is not there$},
	qr{^doc/dev/house\.md names KisPlanted, which is not there$});
fault('a file that the page lacks', { 'src/plan/planted.c' => '', 'doc/dev/house.md' => $page },
	qr{^doc/dev/house\.md does not have the file src/plan/planted\.c$});

# ---- lines that no test reaches

my @unreached = ("$copy/scripts/unreached", "$directory/report.json", $copy);

# A report of gcovr's, with lines of the planted file that no test reached
sub report_lines
{
	my %missed = map { $_ => 1 } @_;

	open my $file, '>', "$directory/report.json" or die "can't write the report: $!\n";
	print $file encode_json({ files => [ { file => 'src/plan/planted.c',
				lines => [ map { { line_number => $_, count => $missed{$_} ? 0 : 7 } } 1 .. 16 ] } ] });
	close $file;
	return;
}

my $source = <<'END';
int
planted(int i)
{
	if (i == 0)
		return -1;				/* never, says its caller */
	if (i == 1)
	{
		i++;
		elog(ERROR, "%d",
			 i);
	}
	return 0;
}
END

($status, @lines) = says("$top/scripts/unreached", '/dev/null');
isnt($status, 0, 'a report that is none is refused');

write_file('src/plan/planted.c', $source);
write_file('scripts/unreached.txt', <<'END');
# a remark
the caller sees to it
	src/plan/planted.c planted: if (i == 0) return -1;
nothing brings this about
	src/* *: *elog(ERROR, *
END
report_lines(5, 9, 10);
($status, @lines) = says(@unreached);
is($status, 0, 'each line has a reason') or diag join "\n", @lines;
is_deeply(\@lines, [
		'2 never reached: nothing brings this about: src/plan/planted.c:9 src/plan/planted.c:10',
		'1 never reached: the caller sees to it: src/plan/planted.c:5',
		'3 lines never reached, 0 faults' ], 'which is said');

report_lines(5, 8, 9, 10);
($status, @lines) = says(@unreached);
is($status, 1, 'a line without a reason fails');
is_deeply([ @lines[ 2, 3 ] ], [
		'src/plan/planted.c:8 is never reached, and there is no reason:',
		"\tsrc/plan/planted.c planted: if (i == 1) { i++;" ], 'and it is said which');

write_file('src/plan/planted.c', "int moved;\n\n" . $source);
report_lines(7, 11, 12);
($status) = says(@unreached);
is($status, 0, 'reasons move with their lines');

report_lines();
($status) = says(@unreached);
is($status, 0, 'all may be reached');
write_file('src/plan/planted.c', $source =~ s/i == 0/i == 2/r);
($status, @lines) = says(@unreached);
is($status, 1, 'a reason whose line is gone fails');
is($lines[0], 'a reason for a line that is not there: src/plan/planted.c planted: if (i == 0) return -1;', 'and it is said which');

done_testing();
