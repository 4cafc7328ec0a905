# The build: in a directory beside sources that can't be written to, as PGXS has
# it, and with a sentence where something that it needs is missing or too old.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $directory = PostgreSQL::Test::Utils::tempdir();
my ($source, $build, $stub) = map { "$directory/$_" } qw(source build stub);
my ($files) = run_command([ 'sh', '-c', "cd '$directory' && mkdir source build stub && cd '$top' && tar -c --exclude='*.o' --exclude='*.bc'"
	  . " --exclude='*.so' --exclude='*.mo' --exclude=catalog_data.h --exclude=tmp_check --exclude='build*' . | tar -x -C '$source'"
	  . " && echo 'SELECT 1 / 0;' >'$source/sql/planted_failure.sql' && echo 'SELECT pg_sleep(600);' >'$source/sql/planted_hang.sql'"
	  . " && touch '$source/expected/planted_failure.out' '$source/expected/planted_hang.out'"
	  . " && chmod -R a-w '$source' && cd '$source' && find . | sort" ]);

# a make of ours, not a part of the one that may have started prove
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES PROVE PROVE_TESTS COPT)};

# What make says, on both channels, and its status; without bitcode, which takes as long again
sub make
{
	my @arguments = @_;
	my $said = '';
	my $status = IPC::Run::run([ 'make', '-C', $build, '-f', '../source/Makefile', 'with_llvm=no', @arguments ], '<', \undef, '>&', \$said) ? 0 : $? >> 8;

	return ($said, $status);
}

sub makes
{
	my ($name, @arguments) = @_;
	my ($said, $status) = make(@arguments);

	is($status, 0, $name) or diag $said;
	return $said;
}

makes('all is built beside the sources', '-j2', 'COPT=-Werror');
like(makes('once', 'COPT=-Werror'), qr/Nothing to be done for 'all'/, 'and not again');
like(makes('also where VPATH names the sources', '-n', "VPATH=$source", 'COPT=-Werror'),
	qr/Nothing to be done for 'all'/, 'in the same way');

makes('it can be installed', 'install', "DESTDIR=$directory/installed");
my ($installed) = run_command([ 'find', "$directory/installed", '-type', 'f' ]);
like($installed, qr{/$_$}m, "$_ among it") foreach qw(market_investor_fdw.so extension/market_investor_fdw.control
  extension/market_investor_fdw--1.0.sql market_investor_fdw/README.md market_investor_fdw/README.ko.md
  market_investor_fdw/options.md market_investor_fdw/options.ko.md);
unlike($installed, qr{/house\.md$}m, "but no developers' page");

makes('and taken away', 'uninstall', "DESTDIR=$directory/installed");
is((run_command([ 'find', "$directory/installed", '-type', 'f' ]))[0], '', 'without a rest');

my $node = new_node('main');
local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
like(makes('pg_regress runs from there', 'installcheck', 'REGRESS=catalog convert'), qr/2 tests passed|All 2 tests passed/, 'both of its tests');
ok(-d "$build/results", 'what it writes is there');

# The simulators of these sources that run
sub simulators
{
	return (run_command([ 'pgrep', '-f', "^python3 $source/test/kis_simulator[.]py " ]))[0];
}

isnt((make('installcheck', 'REGRESS=planted_failure'))[1], 0, 'a test that fails is a failure');
is(simulators(), '', 'and leaves no simulator');
{
	my $said = '';
	my $make = IPC::Run::start([ 'make', '-C', $build, '-f', "$source/Makefile", 'with_llvm=no', 'installcheck', 'REGRESS=planted_hang' ],
		'<', \undef, '>&', \$said, init => sub { setpgrp });
	my ($leader) = map { $_->{PID} } @{ $make->{KIDS} };

	ok((eventually { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600);'}) }), 'a test hangs')
	  or diag $said;
	isnt(simulators(), '', 'with its simulator');
	kill 'INT', -$leader;
	$make->finish;
	ok((eventually { simulators() eq '' }), 'make is interrupted, and leaves none');
}
like(makes('TAP tests are found', '-n', 'check-tap'), qr{ t/010_simulator\.t .*t/022_build\.t }, 'all of them');
makes('unit tests, too', '-n', 'unit');

makes('it can be cleaned', 'clean');
my ($left) = run_command([ 'find', $build, '-type', 'f' ]);
is($left, '', 'without a rest');
is((run_command([ 'sh', '-c', "cd '$source' && find . | sort" ]))[0], $files, 'the sources\' directory is as it was');

# ---- what is missing or too old

# A program before the others in PATH
sub refuses
{
	my ($sentence, $name, $text) = @_;
	local %ENV = (%ENV, PATH => "$stub:$ENV{PATH}");

	append_to_file("$stub/$name", "#!/bin/sh\n$text\n");
	chmod 0755, "$stub/$name";
	my ($said, $status) = make();
	is($status, 2, "$sentence: the build ends");
	like($said, qr/^\S+Makefile:\d+: \*\*\* \Q$sentence\E\.  Stop\.$/m, 'with the sentence');
	unlike($said, qr/\b(?:gcc|cc|clang)\b/, 'before it has begun');
	unlink "$stub/$name";
	return;
}

my $other = 'exec ' . (run_command([ 'sh', '-c', 'command -v pkg-config' ]))[0] . ' "$@"';

refuses('libcurl 7.68.0 is too old: 7.74 or later is needed', 'pkg-config', qq{case "\$*" in
	--atleast-version=*' libcurl') exit 1;; '--modversion libcurl') echo 7.68.0; exit;; esac; $other});
refuses('cJSON 1.7.13 is too old: 1.7.14 or later is needed', 'pkg-config', qq{case "\$*" in
	--atleast-version=*' libcjson') exit 1;; '--modversion libcjson') echo 1.7.13; exit;; esac; $other});
refuses('libcurl not found: on Debian, apt-get install libcurl4-openssl-dev', 'pkg-config', qq{case "\$*" in *libcurl*) exit 1;; esac; $other});
refuses('this is Darwin, and epoll is needed, which Linux has: build and run it there, or in a container', 'uname', 'echo Darwin');

done_testing();
