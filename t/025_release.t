#!/usr/bin/env perl
# A release is of one version wherever it is named, and make dist packs what the
# commit has, by META.json.
use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP qw(decode_json);
use Test::More;

my $top = "$FindBin::RealBin/..";

sub read_file
{
	my ($path) = @_;

	open my $file, '<', "$top/$path" or die "can't read $path: $!\n";
	local $/;
	return scalar <$file>;
}

# ---- one version

my $meta = decode_json(read_file('META.json'));
my $version = $meta->{version};
my ($short) = $version =~ /^(\d+\.\d+)\.\d+$/;
my $provided = $meta->{provides}{market_investor_fdw};

is($provided->{version}, $version, 'META.json has one version');
ok(-f "$top/$provided->{file}", "$provided->{file} is there");
is($meta->{release_status}, 'stable', 'it is a stable release');
is_deeply([ grep { !$meta->{$_} } qw(name abstract version maintainer license provides meta-spec) ], [], 'META.json has what PGXN demands');
is($meta->{resources}{homepage}, "https://pgxn.org/dist/$meta->{name}/", 'and says where it is found');
like(read_file('market_investor_fdw.control'), qr/^default_version = '\Q$short\E'$/m, 'the extension is of that version');
like(read_file('include/kis.h'), qr/^#define KIS_VERSION\s+"\Q$short\E"\s/m, 'the library');
like(read_file('CHANGELOG.md'), qr/^# Changelog\n\n## \Q$version\E$/m, 'the changelog begins with it');
like(read_file('debian/changelog'), qr/^market-investor-fdw \(\Q$version\E-\d+\) /, 'so does the package');
like(read_file('SECURITY.md'), qr/^\| \Q$short\E \| yes \|$/m, 'and it is mended');

# ---- make dist

SKIP:
{
	skip 'there is no git', 4 if system('command -v git >/dev/null') != 0;

	my $directory = File::Temp::tempdir(CLEANUP => 1);
	my $git = "git -C '$directory' -c user.name=test -c user.email=test\@localhost";
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};

	system("cd '$top' && tar -c --exclude-vcs --exclude=./tmp_check . | tar -x -C '$directory' && "
		  . "$git init -q && $git add . && $git commit -q -m all && echo left >'$directory/left'") == 0
	  or die "can't make a repository\n";
	is(system("make --silent -C '$directory' dist PG_CONFIG=/nowhere >'$directory/log' 2>&1"), 0, 'make dist, without PostgreSQL')
	  or diag `cat '$directory/log'`;

	my $name = "market_investor_fdw-$version";
	my @files = `python3 -c 'import sys, zipfile; print("\\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))' '$directory/$name.zip'`;
	chomp @files;
	my %packed = map { s{^\Q$name\E/}{}r => 1 } @files;
	is_deeply([ grep { !m{^\Q$name\E/} } @files ], [], 'all is in a directory of its name');
	is_deeply([ grep { !$packed{$_} } 'META.json', 'Makefile', $provided->{file}, $provided->{docfile} ], [], 'what PGXN needs is there');
	ok(!$packed{left}, 'and nothing that is in no commit');
}

done_testing();
