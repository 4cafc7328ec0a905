# The whole of scripts/demo, from building to its end: what it says and draws, its
# dashboard in Debian's Chromium, and its metrics as Prometheus scrapes them.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use File::Temp ();
use KisTest;
use KisTest::Browser;
use KisTest::Dashboard qw(look pages);
use KisTest::Exporter qw(program scrape watcher_sql);
use KisTest::Page qw(blocks sql_of_page too_wide);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed'
  unless -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
# as root it would end the demo that somebody looks at
plan skip_all => 'as root there is one demo for all of the machine' if $> == 0;

my $top = "$FindBin::RealBin/..";
my ($query) = map { $_->{sql} } blocks('README.md');

# not in the long path of the test's own directory
$ENV{XDG_STATE_HOME} = File::Temp::tempdir(TMPDIR => 1, CLEANUP => 1);
delete @ENV{qw(KIS_APP_KEY KIS_APP_SECRET PGHOST PGPORT PGDATABASE PGUSER)};
my $home = "$ENV{XDG_STATE_HOME}/market_investor_fdw-demo";

END
{
	my $status = $?;

	run_command([ "$top/scripts/demo", 'stop' ]) if defined $home && -e $home;
	$? = $status;
}

# What the demo's server answers, as its superuser
my ($port, $database);

sub value
{
	my ($output, $errors) = run_command([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', "$home/server", '-p', $port,
		'-U', 'postgres', '-d', $database, '-c', $_[0] ]);

	die $errors if $errors =~ /ERROR|FATAL/;
	return $output;
}

# ---- what it says

my ($said, $errors) = run_command([ "$top/scripts/demo" ]);
$said = Encode::decode('UTF-8', $said);
is($errors, '', 'the demo runs without an error');
is_deeply(too_wide($said), [], 'in 100 columns');
my ($after) = $said =~ /\Q$query\E(.*)\z/s;
like($after // '', qr/^==> SIMULATED.*^    \S*psql -h \Q$home\E.*^==> and end with: scripts\/demo stop$/ms, 'it says how to go on and to end');
my ($picture) = ($after // '') =~ m{^    (\Q$home\E/\S+)$}m;
ok(defined $picture && -s $picture, 'and where a picture of it is');
my ($offered) = ($after // '') =~ m{^==> see it in a browser with: scripts/demo dashboard.*\n    http://127\.0\.0\.1:(\d+)/$}m;
ok($offered, 'and at which address it can be looked at');
my ($day) = $said =~ /of (\d{4}-\d\d-\d\d), SIMULATED/;
($port, $database) = split /\n/, slurp_file("$home/running");

# ---- its dashboard

SKIP:
{
	my $missing = KisTest::Dashboard::missing();

	skip $missing, 1 if $missing;
	# what npm has got for the test of the pages is not fetched again
	system('cp', '-a', "$top/examples/dashboard/node_modules", "$home/src/examples/dashboard/") == 0 or die 'could not copy node_modules';
	($said, $errors) = run_command([ "$top/scripts/demo", 'dashboard' ]);
	is($errors, '', 'the dashboard is built of it');
	like($said, qr{^==> the dashboard, until scripts/demo stop: http://127\.0\.0\.1:$offered/$}m, 'and served where it was offered');
	my $browser = KisTest::Browser->new;
	foreach my $page (pages())
	{
		look($browser, "http://127.0.0.1:$offered", $page, $_, $day, qr/14:\d\d/) foreach 1280, 390;
	}
}

# ---- its metrics

SKIP:
{
	my $exporter = program('prometheus-sql-exporter');
	skip 'sql_exporter is missing: on Debian, apt-get install prometheus-sql-exporter', 1 unless $exporter;

	value(sql_of_page('doc/bi-tools.md', 'CREATE ROLE dashboard', 'CREATE FUNCTION missing_of_days') . watcher_sql());
	my ($page, %metric) = scrape($exporter, "$home/server", $port, $database);
	is($metric{'sql_kis_stat tokens_issued'}, 1, 'one access token for all that the demo has asked');
	is($metric{'sql_kis_stat refusals'}, 0, 'and no refusal');
	cmp_ok($metric{'sql_kis_stat calls'}, '>', 0, 'calls are counted');
	cmp_ok($metric{'sql_kis_stat calls'}, '<=', value('SELECT calls FROM kis_stat'), 'as in kis_stat');
	is($metric{'sql_market_investor_trend_looks looks failed'} // 0, 0, 'no look of its session failed');
	cmp_ok(abs($metric{'sql_market_investor_trend_look_time_seconds succeeded KSP 0001'}
		  - value(q{SELECT extract(epoch FROM max(asked_at)) FROM market_investor_trend_collection WHERE market_code = 'KSP'})), '<', 600,
		'KOSPI was collected a moment ago');
	is($metric{'sql_market_investor_trend_gaps gaps not collected'}, value(q{SELECT count(*) FROM missing_of_days(10) WHERE kind = 'not collected'}),
		'the minutes between its looks are gaps, as the store has them');
}

# ---- its end

run_command([ "$top/scripts/demo", 'stop' ]);
ok(!-e $home, 'stopped, nothing is left');
done_testing();
