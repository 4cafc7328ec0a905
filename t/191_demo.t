# What scripts/demo shows fits a terminal of 100 columns, and ends with the query
# that the README begins with. Here its tour runs alone; t/193_whole_demo.t has the
# whole of it.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use File::Temp ();
use KisTest;
use KisTest::Clock;
use KisTest::Page qw(blocks too_wide);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed'
  unless -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';

my $top = "$FindBin::RealBin/..";
my ($query) = map { $_->{sql} } blocks('README.md');

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

done_testing();
