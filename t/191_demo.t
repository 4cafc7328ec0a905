# What scripts/demo shows fits a terminal of 100 columns, and ends with the query
# that the README begins with. Here its tour runs alone; KIS_TEST_LONG: the whole
# of it, from building to its end.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use File::Temp ();
use KisTest;
use KisTest::Clock;
use KisTest::Page qw(blocks);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed'
  unless -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';

my $top = "$FindBin::RealBin/..";
my ($query) = map { $_->{sql} } blocks('README.md');

# Columns on a screen, where Korean takes two
sub width
{
	my ($text) = @_;

	return length($text) + (() = $text =~ /[\p{East_Asian_Width: Wide}\p{East_Asian_Width: Fullwidth}]/g);
}

sub too_wide
{
	my ($said) = @_;

	return [ map { Encode::encode('UTF-8', $_) } grep { width($_) > 100 } split /\n/, $said ];
}

# ---- the tour, at first and again

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env,
	conf => "shared_preload_libraries = 'market_investor_fdw, pg_cron'\ncron.database_name = 'postgres'\ntimezone = 'Asia/Seoul'\n");
# not in the long path of the test's own directory
my $files = File::Temp::tempdir(TMPDIR => 1, CLEANUP => 1);

$clock->set('2026-07-10 14:30:00');
append_to_file("$files/app_key", $simulator->app_key . "\n");
append_to_file("$files/app_secret", $simulator->app_secret . "\n");

foreach my $first (1, 0)
{
	my $name = $first ? 'the tour' : 'the tour again';
	my ($said, $errors) = run_command([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'),
		'-v', "first=$first", '-v', 'simulated=1', '-v', 'base_url=' . $simulator->url,
		'-v', "app_key_file=$files/app_key", '-v', "app_secret_file=$files/app_secret", '-f', "$top/scripts/demo.sql" ]);

	$said = Encode::decode('UTF-8', $said);
	is($errors =~ s/^psql:\S+ NOTICE: .*\n//gmr, '', "$name runs without an error");
	is_deeply(too_wide($said), [], 'in 100 columns');
	my ($rows) = $said =~ /\Q$query\E.*\n[-+]+\n(.*)\z/s;
	is(scalar(() = ($rows // '') =~ /^ \S+ +\| .*\| +-?\d+$/mg), 5, 'and ends with five rows of the query');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), 4, 'the schedule has its jobs');
}
is_deeply([ $simulator->problems ], [], 'requests were as KIS documents them');
$node->stop;

# ---- the whole of it

SKIP:
{
	skip 'the whole demo takes minutes: scripts/test --long', 5 unless $ENV{KIS_TEST_LONG};

	local %ENV = (%ENV, XDG_STATE_HOME => File::Temp::tempdir(TMPDIR => 1, CLEANUP => 1));
	delete @ENV{qw(KIS_APP_KEY KIS_APP_SECRET PGHOST PGPORT PGDATABASE PGUSER)};
	my $home = "$ENV{XDG_STATE_HOME}/market_investor_fdw-demo";
	my ($said, $errors) = run_command([ "$top/scripts/demo" ]);

	$said = Encode::decode('UTF-8', $said);
	is($errors, '', 'the demo runs without an error');
	is_deeply(too_wide($said), [], 'in 100 columns');
	my ($after) = $said =~ /\Q$query\E(.*)\z/s;
	like($after // '', qr/^==> SIMULATED.*^    \S*psql -h \Q$home\E.*^==> and end with: scripts\/demo stop$/ms, 'it says how to go on and to end');
	my ($picture) = ($after // '') =~ m{^    (\Q$home\E/\S+)$}m;
	ok(defined $picture && -s $picture, 'and where a picture of it is');
	run_command([ "$top/scripts/demo", 'stop' ]);
	ok(!-e $home, 'stopped, nothing is left');
}

done_testing();
