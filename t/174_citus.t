# The store on Citus: a coordinator and two workers, by what doc/scale.md says.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $control = `pg_config --sharedir` =~ s/\n//r . '/extension/citus.control';
plan skip_all => 'Citus is not installed' unless -f $control;
my ($version) = slurp_file($control) =~ /^default_version = '(\d+)/m;
plan skip_all => "Citus 12 or later is not installed, but $version" if $version < 12;

my $has_cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $files = PostgreSQL::Test::Utils::tempdir();
append_to_file("$files/app_key", $simulator->app_key);
append_to_file("$files/app_secret", $simulator->app_secret);

# ---- a coordinator and two workers on loopback ----------------------------------

sub node
{
	my ($name, @libraries) = @_;

	return new_node($name, env => $clock->env, conf => "shared_preload_libraries = '" . join(', ', 'citus', @libraries) . "'\n"
		  . "listen_addresses = '127.0.0.1'\ncitus.node_conninfo = 'sslmode=prefer'\ntimezone = 'Asia/Seoul'\nmax_prepared_transactions = 20\n"
		  . (grep({ $_ eq 'pg_cron' } @libraries) ? "cron.database_name = 'postgres'\n" : ''));
}

$clock->set('2026-06-15 10:30:00');
my $coordinator = node('coordinator', 'market_investor_fdw', $has_cron ? 'pg_cron' : ());
my @workers = map { node($_) } qw(worker_1 worker_2);

$_->safe_psql('postgres', 'CREATE EXTENSION citus') foreach $coordinator, @workers;
$coordinator->safe_psql('postgres', "SELECT citus_set_coordinator_host('127.0.0.1', " . $coordinator->port . ')');
$coordinator->safe_psql('postgres', "SELECT citus_add_node('127.0.0.1', " . $_->port . ')') foreach @workers;
note($coordinator->safe_psql('postgres', 'SELECT citus_version()'));

# ---- the page --------------------------------------------------------------------

my ($section) = Encode::decode('UTF-8', slurp_file("$FindBin::RealBin/../doc/scale.md")) =~ /^## Citus\n(.*?)(?=^## |\z)/ms;
my %blocks = map { /^(.*)\n/ => [ /^```sql\n(.*?)^```/gms ] } split /^### /m, $section;

sub as_collector { return extra_params => [ '-U', 'collector' ] }

# Runs the SQL under a heading, statement by statement; what it says beside rows.
sub run_page
{
	my ($heading) = @_;
	my @said;

	foreach my $sql (@{ $blocks{$heading} })
	{
		next if !$has_cron && $sql =~ /\bcron\b|schedule_/;
		$sql =~ s{(?<=WRAPPER market_investor_fdw);}{" OPTIONS (base_url '" . $simulator->url . "', cache_ttl '0', requests_per_second '1000');"}e;
		$sql =~ s{/var/lib/postgresql/kis}{$files}g;
		my $result = run_sql($coordinator, 'postgres', Encode::encode('UTF-8', $sql), $sql =~ /^-- as a superuser/ ? () : as_collector());

		push @said, map { "$_->{severity} $_->{message}" } @{ $result->{messages} };
		is($result->{status}, 0, "$heading: $1") if $sql =~ /^(?!--)(.*)/m;
	}
	return join "\n", grep { !/^NOTICE / } @said;
}

sub value
{
	my ($sql, %params) = @_;

	return $coordinator->safe_psql('postgres', $sql, as_collector(), %params);
}

sub outcomes
{
	my ($targets) = @_;

	return value("SELECT string_agg(DISTINCT outcome || coalesce(': ' || detail, ''), ', ') FROM collect_market_investor_trend('$targets')");
}

is(run_page('What each node needs'), '', 'the extension, its server and a role');
is($_->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE srvname = 'kis'), (SELECT count(*) FROM pg_user_mapping),
		(SELECT count(*) FROM pg_extension WHERE extname = 'market_investor_fdw') FROM pg_foreign_server}), '1|0|1', 'which workers have, too, but no keys') foreach @workers;

my @only_local = split /\n/, run_page('The store');
is(scalar(grep { /^WARNING "view market_investor_trend_(by_investor|intraday)" has dependency to .* not in Citus' metadata$/ } @only_local), 2, 'the views are local at first');
is(scalar(@only_local), 2, 'which is all that is said');
is(value(q{SELECT string_agg(citus_table_type || ' ' || table_name, ', ' ORDER BY table_name::text) FROM citus_tables WHERE table_name::text !~ 'm0\d$'}),
	'reference market_investor_trend, distributed market_investor_trend_collection, distributed market_investor_trend_snapshot', 'the tables are distributed');

$clock->set('2026-07-10 10:30:00');
is(run_page('Collecting'), '', 'collections, the backfill, gaps and the schedule say nothing else');
is(value('SELECT source, count(*) FROM market_investor_trend GROUP BY 1 ORDER BY 1'), "daily|8\nlive|3", 'the store has its rows');
is($_->safe_psql('postgres', 'SELECT count(*) FROM flows.market_investor_trend'), 11, 'on workers, too') foreach @workers;
is(value('SELECT outcome, count(*) FROM market_investor_trend_collection GROUP BY 1 ORDER BY 1'), "inserted|3\nunchanged|3", 'every look is kept');
SKIP:
{
	skip 'pg_cron is not installed', 2 unless $has_cron;
	$clock->set('2026-07-10 10:40:00');
	ok(eventually { $coordinator->safe_psql('postgres', q{SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded' AND command ~ 'trend_job'}) }, 'the schedule collects');
	is(value('SELECT unschedule_market_investor_trend()'), 4, 'and is taken away');
	eventually { $coordinator->safe_psql('postgres', q{SELECT count(*) = 0 FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed')}) eq 't' };
}

value(q{DROP TABLE market_investor_trend_snapshot_y2026m07});
is(outcomes('{KSP}'), 'unchanged', 'a month that lacks its partition gets it');
$clock->set('2026-07-10 11:00:00');
is(outcomes('{KSP,KSQ,ETF}'), 'updated', 'figures that have changed');
is(run_page('Queries'), '', 'the page\'s queries');
is(value(q{SELECT count(*), count(DISTINCT foreign_net_amount) FROM market_investor_trend_snapshot WHERE market_code = 'KSP'}), '2|2', 'are kept as snapshots, which the one before was');
is(value(q{SELECT market_code, count(DISTINCT k.foreign_net_amount) FROM kis_market_trend AS k JOIN market_investor_trend_snapshot AS s USING (market_code, sector_code)
	WHERE market_code IN ('KSP', 'KSQ') GROUP BY 1 ORDER BY 1}), "KSP|1\nKSQ|1", 'a live table joins them');
foreach my $worker (@workers)
{
	is($worker->safe_psql('postgres', q{SELECT count(*) FROM flows.market_investor_trend_by_investor}, as_collector()), 11 * 12, 'workers have the view of the store');
	is($worker->safe_psql('postgres', q{SELECT count(*) FROM flows.market_investor_trend_intraday WHERE sector_code = '0001'}, as_collector()), 2 * 12, 'and of the day\'s course');
	is($worker->safe_psql('postgres', q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'}, as_collector()), 'KSP', 'and a live table by the coordinator');
}

# ---- months ------------------------------------------------------------------------

my $months = q{SELECT string_agg(DISTINCT substring(table_name::text, '\d{4}m\d\d$') || citus_table_type, ' ') FROM citus_tables WHERE table_name::text ~ 'm\d\d$'};

$clock->set('2026-08-03 10:00:00');		# a Monday
value(q{CALL market_investor_trend_job('{KSP}')});
is(value($months), '2026m06distributed 2026m07distributed 2026m08distributed 2026m09distributed', 'the next month\'s partitions are distributed');
is(value(q{SELECT count(*) FROM market_investor_trend_snapshot WHERE collected_at >= '2026-08-01'}), 1, 'a new month has its snapshots');

# Another role collects as far as partitions go
$clock->set('2026-09-01 10:00:00');
$coordinator->safe_psql('postgres', q{SET log_statement = 'none'; CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key_file '} . "$files/app_key', app_secret_file '$files/app_secret')");
my $job = q{CALL market_investor_trend_job('{KSP}', store => 'flows.market_investor_trend')};
my $result = run_sql($coordinator, 'postgres', $job);
is_deeply([ map { "$_->{sqlstate} $_->{message}" } @{ $result->{messages} } ],
	[ map { qq{42501 could not make the partition of table "market_investor_trend_$_" for 2026-10} } qw(snapshot collection) ], 'a superuser is told of the next month\'s');
is($result->{status}, 0, 'and collects');
$clock->set('2026-10-01 10:00:00');
is((sql_error($coordinator, 'postgres', $job))[1], 'table "market_investor_trend_snapshot" has no partition for 2026-10', 'and can\'t without this month\'s');
is(value('SELECT create_market_investor_trend()'), '', 'which the owner makes');
is(run_sql($coordinator, 'postgres', $job)->{stderr}, '', 'then it goes on');

# ---- rows that came with their ids ---------------------------------------------------

value(q{INSERT INTO market_investor_trend (id, market_code, sector_code, collected_at, trade_date)
	OVERRIDING SYSTEM VALUE VALUES (1000, 'KSP', '0002', '2026-07-01 15:40', '2026-07-01')});
is(value('SELECT create_market_investor_trend(); SELECT count(*) FROM collect_market_investor_trend(\'{KSQ}\'); SELECT max(id) > 1000 FROM market_investor_trend'),
	"\n1\nt", 'new ids are counted on behind those');

# ---- two at once, and rollback ---------------------------------------------------------

my @sessions = map { $coordinator->session('postgres', as_collector()) } 1, 2;
my $before = value(q{SELECT count(*) FROM market_investor_trend_snapshot WHERE market_code IN ('KSP', 'KSQ')});
$clock->set('2026-10-01 10:20:00');
$_->send(q{SELECT count(*) FROM collect_market_investor_trend('{KSQ,KSP}')}) foreach @sessions;
is($_->result->{output}, 2, 'two collectors at once') foreach @sessions;
is(value(q{SELECT count(*) FROM market_investor_trend_snapshot WHERE market_code IN ('KSP', 'KSQ')}), $before + 2, 'leave no snapshot twice');
$clock->set('2026-10-01 10:40:00');
value(q{BEGIN; SELECT count(*) FROM collect_market_investor_trend('{KSP}'); ROLLBACK});
is(value(q{SELECT count(*) FROM market_investor_trend_snapshot WHERE market_code = 'KSP' AND collected_at >= '2026-10-01 10:40'}), 0, 'what is rolled back leaves nothing');
is(value("BEGIN ISOLATION LEVEL $_; SELECT outcome FROM collect_market_investor_trend('{KSP}'); ROLLBACK"), 'updated', "\L$_") foreach 'REPEATABLE READ', 'SERIALIZABLE';

# ---- an older store --------------------------------------------------------------------

$clock->set('2026-11-09 10:00:00');
is(run_sql($coordinator, 'postgres', slurp_file("$FindBin::RealBin/../test/fixtures/store_1.0.sql"))->{status}, 0, 'a store of 1.0');
my $as_it_was = 'SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM %s AS t';
my %was = map { $_ => $coordinator->safe_psql('postgres', sprintf $as_it_was, $_) } qw(public.market_investor_trend public.market_investor_trend_snapshot);
$coordinator->safe_psql('postgres', q{SELECT create_reference_table('public.market_investor_trend'); SELECT create_distributed_table('public.market_investor_trend_snapshot', 'sector_code')});
is_deeply([ map { "$_->{severity} $_->{message}" } @{ run_sql($coordinator, 'postgres', q{SELECT create_market_investor_trend('public.market_investor_trend')})->{messages} } ],
	[], 'is brought up to date where it is distributed');
is($coordinator->safe_psql('postgres', sprintf $as_it_was, $_), $was{$_}, "$_: every row is there") foreach sort keys %was;
my $collect = q{SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'public.market_investor_trend')};
is($coordinator->safe_psql('postgres', $collect), 'inserted', 'and collected into, with a log on the coordinator');
$coordinator->safe_psql('postgres', q{SELECT create_distributed_table('public.market_investor_trend_collection', 'sector_code', colocate_with => 'public.market_investor_trend_snapshot')});
is($coordinator->safe_psql('postgres', $collect), 'unchanged', 'or a distributed one');
is($coordinator->safe_psql('postgres', 'SELECT count(*) FROM public.market_investor_trend_collection'), 2, 'that has what was logged before');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$_->stop foreach $coordinator, @workers;
done_testing();
