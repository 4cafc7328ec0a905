#!/usr/bin/env perl
# What scripts/test and the others install: all at once, said before, with what
# only some tests need as far as that can be had. apt-get, sudo and dpkg-query are
# stand-ins, which note how they were called.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use Test::More;

my $directory = File::Temp::tempdir(CLEANUP => 1);
my $lib = "$FindBin::RealBin/../scripts/lib.sh";

sub write_program
{
	my ($name, $text) = @_;

	open(my $file, '>', "$directory/$name") or die "can't write $name: $!";
	print $file "#!/bin/sh\ncd '$directory'\n$text\n";
	close($file);
	chmod 0755, "$directory/$name";
	return;
}

sub lines_of
{
	my ($name) = @_;

	open(my $file, '<', "$directory/$name") or return ();
	return map { s/\n//r } <$file>;
}

write_program('sudo', 'case "$*" in -n*|-v) exit ${NO_SUDO:-0};; env*) exec "$@";; esac; cat >/dev/null');
write_program('dpkg-query', 'for package; do :; done; grep -qx "$package" installed && printf installed');
write_program('apt-get', <<'END');
case "$*" in *--simulate*) for package; do :; done; grep -qx "$package" known; exit;; esac
for argument; do
	case $argument in
		update) echo update >>calls; exit;;
		install) echo install >>calls;;
		-*|DPkg*|Dpkg*) ;;
		*) grep -qx "$argument" known || { echo "Unable to locate package $argument"; exit 100; }
			echo "$argument" >>calls; echo "$argument" >>installed;;
	esac
done
END

# Says what the script says, its status, and how apt-get was called
sub need
{
	my ($arguments, %environment) = @_;
	local %ENV = (%ENV, PATH => "$directory:$ENV{PATH}", %environment);

	unlink map { "$directory/$_" } qw(calls installed known);
	foreach ([ installed => qw(here) ], [ known => qw(here needed other wanted) ])
	{
		my ($name, @packages) = @$_;
		open(my $file, '>', "$directory/$name") or die "can't write $name: $!";
		print $file "$_\n" foreach @packages;
		close($file);
	}
	# whoever runs it, the programs above are root's
	my $said = `bash -c '. "$lib"; debian_pg=15; way_to_root() { sudo -n true && echo sudo || echo no; }; need_packages $arguments' 2>&1`;
	return ($said, $? >> 8, join ' ', lines_of('calls'));
}

my ($said, $status, $calls) = need('here -- here');
is("$said$status$calls", '0', 'where all is there nothing is said or done');

($said, $status, $calls) = need('here needed other -- wanted here');
is($calls, 'update install needed other wanted', 'what is missing is installed at once');
is($status, 0, 'and the script goes on');
is($said, "==> installing Debian packages by sudo, which takes a minute or two: needed other wanted\n", 'it says so');

($said, $status, $calls) = need('needed -- wanted unheard_of');
is($calls, 'update install needed wanted', 'what this Debian lacks holds up nothing else');
is($status, 0, 'and the script goes on');
like($said, qr/: needed wanted\n==> tests that need them are skipped, for there is no: unheard_of\n\z/, 'it says what is skipped');

($said, $status, $calls) = need('-- unheard_of');
is($calls, 'update', 'nothing is installed where there is nothing to install');
is($said, "==> tests that need them are skipped, for there is no: unheard_of\n", 'and what is skipped is said');

($said, $status, $calls) = need('needed unheard_of -- wanted');
is($status, 1, 'what is needed and can\'t be had ends it');
like($said, qr/Unable to locate package unheard_of\n.*: still missing: needed unheard_of|still missing: unheard_of/s, 'and it says so');

($said, $status, $calls) = need('needed -- wanted', NO_SUDO => 1);
is($calls, '', 'without sudo nothing is tried');
is($status, 1, 'it ends');
like($said, qr/As root:\n    apt-get update && apt-get install --no-install-recommends needed\n/, 'and says what to do');

($said, $status) = need('here -- wanted', NO_SUDO => 1);
is($said, "==> tests that need them are skipped, for there is no: wanted\n", 'what only some tests need does not end it');
is($status, 0, 'it goes on');

# ---- where no packages of Debian are, programs are looked for

sub lacks
{
	my ($package) = @_;
	local %ENV = (%ENV, PATH => "$directory:/usr/bin:/bin");

	return `bash -c '. "$lib"; missing_programs $package' 2>&1`;
}

write_program('pmccabe', 'exit');
is(lacks('pmccabe'), '', 'a program that is there');
chmod 0644, "$directory/pmccabe";
my ($elsewhere) = grep { -x "$_/pmccabe" } qw(/usr/bin /bin);
is(lacks('pmccabe'), defined $elsewhere ? '' : "pmccabe\n", 'or not');

# ---- whatever the shell is set to

mkdir "$directory/scripts";
{
	local $ENV{CDPATH} = $directory;
	like(`cd '$FindBin::RealBin/..' && bash -c '. scripts/lib.sh; echo "\$top"'`, qr{^(?!\Q$directory\E)/.*\n\z}, 'the scripts find the clone with a CDPATH');
}

done_testing();
