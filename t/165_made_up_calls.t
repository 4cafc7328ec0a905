# Calls of each lifetime and paging, added as doc/adding-a-call.md says, by
# entries alone: each is read, paged and kept as its entry says. They ask for what
# the simulator serves under other names.
use strict;
use warnings;

use File::Copy ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($directory) = run_command([ 'pg_config', '--pkglibdir' ]);
my $installed = "$directory/market_investor_fdw.so";

plan skip_all => "installs another library, and $directory can't be written" unless -w $directory;

# name => [call that it is like, lifetime]
my %calls = (
	trend_of_day => [ 'trend', 'KIS_LIFETIME_DAY' ],
	daily_of_day => [ 'daily', 'KIS_LIFETIME_DAY' ],
	calendar_of_ttl => [ 'calendar', 'KIS_LIFETIME_TTL' ],
	calendar_of_day => [ 'calendar', 'KIS_LIFETIME_DAY' ]);


sub substitute
{
	my ($file, $change) = @_;
	local $_ = slurp_file($file);

	$change->();
	open my $out, '>', $file or die "$file: $!";
	print $out $_;
	close $out or die "$file: $!";
	return;
}

# An entry with another name and lifetime
sub copy_entry
{
	my ($name, $like, $lifetime) = @_;

	die "no entry $like" unless /^(const KisCall kis_call_$like = \{.*?^\};\n)/ms;
	my $entry = $1;
	$entry =~ s/kis_call_$like/kis_call_$name/;
	$entry =~ s/\.name = "$like"/.name = "$name"/ or die "no name in $like";
	$entry =~ s/^\t\.lifetime = .*\n//m;
	$entry =~ s/^\};/\t.lifetime = $lifetime,\n};/m;
	$_ .= "\n$entry";
	return;
}

sub build_with_calls
{
	my $place = PostgreSQL::Test::Utils::tempdir . '/src';
	local %ENV = %ENV;
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};

	system_or_bail('sh', '-c', q{mkdir "$1" && cd "$0" && tar -cf - --exclude=./tmp_check . | tar -C "$1" -xf -},
		"$FindBin::RealBin/..", $place);
	foreach my $name (sort keys %calls)
	{
		my ($like, $lifetime) = @{ $calls{$name} };
		my $pairs = $like eq 'calendar' ? '' : '.pairs = KIS_PAIRS_ALL,';
		my $nets = $like eq 'calendar' ? '' : '.net_figures = true,';
		my $columns = { trend => 'live_columns', daily => 'daily_columns', calendar => 'calendar_columns' }->{$like};

		substitute("$place/src/kis/catalog.c", sub { copy_entry($name, $like, $lifetime) });
		substitute("$place/src/kis/catalog.h", sub { s/^(extern const KisCall kis_call_trend;)/$1\nextern const KisCall kis_call_$name;/m or die });
		substitute("$place/src/common/tables.c", sub {
			s/^(const KisTable \*const kis_tables\[\] = \{\n)/static const KisTable $name = {.name = "kis_$name", .call = &kis_call_$name, $pairs .columns = $columns, $nets .comment_ko = "$name", .comment_en = "$name"};\n\n$1\t&$name,\n/m or die; });
	}
	unlink glob "$place/src/*/*.o";
	system_or_bail('make', '-s', 'with_llvm=no', '-C', $place, 'market_investor_fdw.so', 'COPT=-Werror ' . ($ENV{COPT} // ''));
	return "$place/market_investor_fdw.so";
}

# As install does: the file that a server has loaded stays what it is.
sub install
{
	my ($library) = @_;

	File::Copy::copy($library, "$installed.new") && rename("$installed.new", $installed)
	  or die "could not install $library: $!";
	return;
}

my $another = build_with_calls();
my $kept = PostgreSQL::Test::Utils::tempdir . '/market_investor_fdw.so';
my $simulator = KisTest::Simulator->new;

File::Copy::copy($installed, $kept) or die "could not copy $installed: $!";
END
{
	my $status = $?;
	install($kept) if defined $kept && -e $kept;
	$? = $status;
}
install($another);

my $node = new_node('main');
setup($node, 'postgres', $simulator);
my $session = $node->session;

# SQL's output, and the calls that it took the first and the second time
sub twice
{
	my ($sql) = @_;
	my ($first, $second);

	$simulator->reset(keep_tokens => JSON::PP::true);
	$session->query_safe($sql);
	$first = $simulator->calls('data');
	my $output = $session->query_safe($sql);
	$second = $simulator->calls('data') - $first;
	return "$output, $first then $second calls";
}

foreach my $case (
	[ 'trend_of_day', q{SELECT count(*), count(foreign_net_qty) FROM kis_trend_of_day WHERE market_code = 'KSP' AND sector_code = '0001'},
		'1|1, 1 then 0 calls' ],
	[ 'trend', q{SELECT count(*), count(foreign_net_qty) FROM kis_market_trend WHERE market_code = 'KSP'}, '1|1, 1 then 1 calls' ],
	[ 'daily_of_day', q{SELECT count(*) FROM kis_daily_of_day WHERE market_code = 'KSP' AND sector_code = '0001'
		AND trade_date BETWEEN '2026-07-01' AND '2026-07-03'}, '3, 1 then 0 calls' ],
	[ 'daily_of_day, pages', q{SELECT count(*) > 300 FROM kis_daily_of_day WHERE market_code = 'KSP' AND sector_code = '0001'
		AND trade_date > '2024-01-01'}, 't, 3 then 0 calls' ],
	[ 'calendar_of_day', q{SELECT count(*) FROM kis_calendar_of_day WHERE trade_date BETWEEN '2026-07-01' AND '2026-08-09'}, '40, 2 then 0 calls' ],
	[ 'calendar_of_ttl', q{SELECT count(*) FROM kis_calendar_of_ttl WHERE trade_date BETWEEN '2026-07-01' AND '2026-08-09'}, '40, 2 then 2 calls' ])
{
	my ($what, $sql, $right) = @$case;

	is(twice($sql), $right, $what);
}

$session->quit;
done_testing();
