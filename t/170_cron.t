# pg_cron runs the collection: what a scheduler sees of it, the rights that its
# role needs, and the README's schedule at Seoul's hours.
use strict;
use warnings;

use FindBin;
use IPC::Run ();
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed'
  unless -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env, start => 0);

# A connection to the server itself, by its socket
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'market_investor_fdw, pg_cron'\n"
	  . "cron.database_name = 'postgres'\ncron.host = '" . $node->host . "'");

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# Starts the server; its scheduler has seen the clock once that is done.
sub start_scheduler
{
	my ($start) = @_;

	$node->$start;
	eventually {
		value(q{SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'pg_cron launcher' AND wait_event = 'Extension'}) }
	or die 'no scheduler';
	return;
}

# The last run of a job: status|message, once so many have ended.
sub last_run
{
	my ($job, $runs) = @_;

	eventually {
		value("SELECT count(*) FROM cron.job_run_details JOIN cron.job USING (jobid)"
			  . " WHERE jobname = '$job' AND status IN ('succeeded', 'failed')") >= $runs
	} 60 or diag(value('SELECT * FROM cron.job_run_details'));
	return value("SELECT status, return_message FROM cron.job_run_details JOIN cron.job USING (jobid)"
		  . " WHERE jobname = '$job' ORDER BY runid DESC LIMIT 1");
}

$clock->set('2026-07-10 09:10:00');		# a Friday
start_scheduler('start');
setup($node, 'postgres', $simulator, calendar => 'kis', import => 0);
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_cron;
	CREATE ROLE collector LOGIN;
	CREATE SCHEMA flows AUTHORIZATION collector;
	ALTER ROLE collector SET search_path = flows, public});

# ---- a role of its own: these rights, and no more

$node->safe_psql('postgres', q{
	GRANT USAGE ON SCHEMA cron TO collector;
	GRANT USAGE ON FOREIGN SERVER kis TO collector});
$node->safe_psql('postgres',
	"SET log_statement = 'none'; CREATE USER MAPPING FOR collector SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
my $schedule = q{SET ROLE collector; SET search_path = flows, public;
	SELECT create_market_investor_trend();
	SELECT cron.schedule('flows', '30 1 * * 1-5', 'SELECT collect_market_investor_trend()') > 0};
like(value($schedule), qr/t$/, 'a role of its own may schedule a collection');
is(value('SELECT username FROM cron.job'), 'collector', 'which runs as that role');

# ---- a run that succeeds

$clock->set('2026-07-10 10:30:00');		# 01:30 GMT
is(last_run('flows', 1), 'succeeded|3 rows', 'it runs at its hour, GMT, and succeeds');
is(value('SELECT count(*), min(trade_date), max(trade_date) FROM flows.market_investor_trend'),
	'3|2026-07-10|2026-07-10', 'the day\'s rows are stored');
is(value('SELECT count(*) FROM flows.market_investor_trend_snapshot'), 3, 'and their snapshots');
is(value(q{SELECT database || ' ' || username FROM cron.job_run_details}), 'postgres collector', 'by that role');
is($simulator->calls('trend'), 3, 'with a call for each target');

# ---- runs that fail: the scheduler sees it, and the store stays

my $stored = value('SELECT * FROM flows.market_investor_trend ORDER BY id');

$simulator->fault({ fault => 'error', params => { msg_cd => 'OPSQ0002' } });
value(q{SELECT cron.alter_job(jobid, schedule := '* * * * *') FROM cron.job});
$clock->set('2026-07-13 11:00:00');		# the Monday after; more than five minutes are no time to catch up on
my $run = last_run('flows', 2);
like($run, qr/^failed\|ERROR:  could not collect any target\nDETAIL:  .*\bOPSQ0002\b/,
	'it fails where every target fails, and says why');
is(() = $run =~ m{^(?:DETAIL:  )?(ETF/T000|KSP/0001|KSQ/1001): }mg, 3, 'of each target');
is(value('SELECT * FROM flows.market_investor_trend ORDER BY id'), $stored, 'the store is as it was');

$simulator->fault;
$simulator->fault({ fault => 'error', match => { pair => 'KSQ/1001' }, params => { msg_cd => 'OPSQ0002' } });
my $runs = value('SELECT count(*) FROM cron.job_run_details');
$clock->set('2026-07-13 11:10:00');
is(last_run('flows', $runs + 1), 'succeeded|3 rows', 'it succeeds where one target has an answer');
is(value(q{SELECT string_agg(market_code, ' ' ORDER BY market_code) FROM flows.market_investor_trend
	WHERE trade_date = '2026-07-13'}), 'ETF KSP', 'which is stored');
$simulator->fault;

# A right that is missing
value('REVOKE USAGE ON FOREIGN SERVER kis FROM collector');
$runs = value('SELECT count(*) FROM cron.job_run_details');
$clock->set('2026-07-13 11:20:00');
is(last_run('flows', $runs + 1), "failed|ERROR:  permission denied for foreign server kis\n",
	'without a right that it needs it fails');
value('GRANT USAGE ON FOREIGN SERVER kis TO collector');

# ---- workers of the server instead of connections: no password, no pg_hba.conf

$node->append_conf('postgresql.conf', 'cron.use_background_workers = on');
start_scheduler('restart');
$runs = value('SELECT count(*) FROM cron.job_run_details');
$clock->set('2026-07-14 10:00:00');
is(last_run('flows', $runs + 1), 'succeeded|SELECT 3', 'in a background worker it succeeds');
is(value(q{SELECT count(*) FROM flows.market_investor_trend WHERE trade_date = '2026-07-14'}), 3, 'and stores');
$simulator->fault({ fault => 'error', params => { msg_cd => 'OPSQ0002' } });
$runs = value('SELECT count(*) FROM cron.job_run_details');
$clock->set('2026-07-14 10:10:00');
like(last_run('flows', $runs + 1), qr/^failed\|ERROR: could not collect any target\nDETAIL: .*OPSQ0002/, 'or fails');
$simulator->fault;
$simulator->fault({ fault => 'hang' });
foreach my $end (
	[ 'cancel', '10:20:00', qr/^failed\|ERROR: canceling statement due to user request/ ],
	[ 'terminate', '10:30:00', qr/^failed\|.*\bterminat/s ])
{
	my ($how, $time, $message) = @$end;

	$runs = value('SELECT count(*) FROM cron.job_run_details');
	$clock->set("2026-07-14 $time");
	eventually { $simulator->stats->{held} } or die 'nothing is asked';
	value("SELECT pg_${how}_backend(pid) FROM pg_stat_activity"
		  . q{ WHERE backend_type NOT IN ('client backend', 'pg_cron launcher') AND wait_event_type = 'Extension'});
	like(last_run('flows', $runs + 1), $message, "a worker that waits for KIS: $how ends it");
	eventually { !$simulator->stats->{held} };
}
$simulator->fault;
value(q{SELECT cron.unschedule(jobid) FROM cron.job});
value('SELECT cron.schedule($$worker$$, $$* * * * *$$, $$CALL backfill_market_investor_trend($$'
	  . q{ || quote_literal('2026-07-06') || ',' || quote_literal('2026-07-10')}
	  . ' || $$, store => $$ || quote_literal($$flows.market_investor_trend$$) || $$)$$)');
$clock->set('2026-07-14 20:00:00');
like(last_run('worker', 1), qr/^succeeded\|/, 'a backfill, too');
is(value(q{SELECT string_agg(DISTINCT trade_date || source, ' ') FROM flows.market_investor_trend
	WHERE market_code = 'KSP' AND trade_date < '2026-07-12'}),
	'2026-07-06daily 2026-07-07daily 2026-07-08daily 2026-07-09daily 2026-07-10daily', 'which fills the days');
value(q{SELECT cron.unschedule(jobid) FROM cron.job});

# ---- the README's schedule

$node->append_conf('postgresql.conf', 'cron.use_background_workers = off');
start_scheduler('restart');
my ($lines) = grep { /schedule_market_investor_trend/ } slurp_file("$FindBin::RealBin/../README.md") =~ /^ *```sql\n(.*?)^ *```/gms;
my $result = run_sql($node, 'postgres', "SELECT create_market_investor_trend();\n$lines");
is($result->{stderr}, '', 'the README\'s schedule is taken');
is($result->{output} =~ s/^\n//r, join("\n", 'public.market_investor_trend by the minute|* 0-10 * * 1-5', 'public.market_investor_trend of the day|10 11 * * 1-5',
		'public.market_investor_trend of past days|40 11 * * 1-5', 'public.market_investor_trend old runs|0 12 * * *'), 'and shown');
value('TRUNCATE cron.job_run_details');
value('SELECT cron.schedule($$each minute$$, $$* * * * *$$, $$SELECT$$)');

# What is started at that minute in Seoul and succeeds, once the SQL has run. The scheduler passes over minutes
# that are skipped, but not over jobs at fixed times within three hours.
sub started
{
	my ($minute, $sql) = @_;

	value('TRUNCATE cron.job_run_details');
	value($sql) if defined $sql;
	$clock->set("$minute:00");
	last_run('each minute', 1);
	eventually {
		value(q{SELECT count(*) = 0 FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed')}) eq 't' }
	60;
	return value(q{SELECT coalesce(string_agg(DISTINCT concat_ws(' ', jobname, nullif(status, 'succeeded'),
			CASE WHEN status <> 'succeeded' THEN return_message END), ', '), 'nothing')
		FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname <> 'each minute'});
}

my $each_minute = 'public.market_investor_trend by the minute';

is(started('2026-07-14 23:30'), 'nothing', 'in the evening nothing runs');
is(started('2026-07-15 08:59'), 'nothing', 'nor a minute before nine in Seoul');
is(started('2026-07-15 09:00'), $each_minute, 'the snapshots begin at nine');
is(started('2026-07-15 15:45'), $each_minute, 'go on after the close');
is(started('2026-07-15 19:59'), $each_minute, 'until eight in the evening');
is(started('2026-07-15 20:10'), 'public.market_investor_trend of the day', 'then the rows of the day');
is(started('2026-07-15 20:40'), 'public.market_investor_trend of past days', 'and the days before');
is(started('2026-07-15 21:00', q{INSERT INTO cron.job_run_details (runid, username, status, end_time)
		SELECT - row_number() OVER (), u, 'succeeded', now() - a FROM unnest(ARRAY[CURRENT_USER, 'collector']) u, unnest('{6 days,8 days}'::interval[]) a}),
	'public.market_investor_trend old runs', 'old runs are removed');
is(value(q{SELECT string_agg(replace(username, CURRENT_USER, 'own') || ' ' || justify_days(date_trunc('day', now() - end_time)), ', ' ORDER BY username = CURRENT_USER, end_time DESC) FROM cron.job_run_details WHERE runid < 0}),
	'collector 6 days, collector 8 days, own 6 days', 'those of the caller alone, superuser or not');
is(started('2026-07-18 10:00'), 'nothing', 'nothing runs on a Saturday');
is(value(q{SELECT count(*) FROM public.market_investor_trend WHERE trade_date = '2026-07-15'}), 19,
	'the day has a row of each headline pair');
is(value(q{SELECT string_agg(DISTINCT trade_date::text, ' ') FROM public.market_investor_trend WHERE source = 'daily'}),
	'2026-07-06 2026-07-07 2026-07-08 2026-07-09 2026-07-10 2026-07-13 2026-07-14', 'and the days before are there');

# Called again, for others and by another role, it changes what is there
is(value(q{SELECT string_agg(job || ': ' || schedule, ', ') FROM schedule_market_investor_trend('5 minutes', '{KSP}', channel => 'flows', index_level => true) WHERE job ~ 'minute'}),
	'public.market_investor_trend by the minute: */5 0-10 * * 1-5', 'a second schedule');
is(value(q{SELECT count(*), string_agg(command, '') FILTER (WHERE jobname ~ 'minute$' AND jobname ~ 'trend') FROM cron.job WHERE jobname ~ 'trend'}),
	q{4|CALL public.market_investor_trend_job('{KSP}', source => 'kis', store => 'public.market_investor_trend', channel => 'flows', index_level => true)}, 'changes the jobs');
is(value(q{SET ROLE collector; SELECT count(*) FROM schedule_market_investor_trend(store => 'flows.market_investor_trend'); RESET ROLE;
	SELECT count(*) FROM cron.job WHERE username = 'collector'}), "4\n4", 'another store and role have their own');
is(value('SELECT unschedule_market_investor_trend()'), 4, 'they are taken away');
is(value('SELECT unschedule_market_investor_trend()'), 0, 'once');
is(value(q{SELECT count(*) FROM cron.job WHERE jobname ~ 'trend'}), 4, 'those of others stay');
is(value(q{SET ROLE collector; SELECT unschedule_market_investor_trend('flows.market_investor_trend')}), 4, 'until they take them');
foreach my $case (
	[ q{'90 seconds'}, '22023 invalid value for argument "every": "00:01:30"' ], [ q{'7 minutes'}, '22023 invalid value for argument "every": "00:07:00"' ],
	[ q{'1 minute', store => 'nowhere'}, '42P01 store "nowhere" does not exist' ], [ q{NULL}, '22004 only the argument "channel" may be null' ],
	[ q{'100000000 years'}, '22023 invalid value for argument "every": "100000000 years"' ], [ q{targets => '{}'}, '22023 invalid value for argument "targets": "{}"' ],
	[ q{source => 'nobody'}, '42704 server "nobody" does not exist' ], [ q{targets => '{KSP,KOSPI}'}, '22023 invalid target "KOSPI"' ],
	[ q{targets => '{KSP,NULL}'}, '22023 a target must not be null' ], [ q{store => 'pg_class'}, '42P16 relation "pg_class" cannot hold investor flows' ],
	[ q{channel => ''}, '22023 invalid value for argument "channel": ""' ], [ q{channel => repeat('x', 64)}, '22023 invalid value for argument "channel": "' . 'x' x 64 . '"' ])
{
	my ($sqlstate, $message) = sql_error($node, 'postgres', "SELECT schedule_market_investor_trend($case->[0])");

	is("$sqlstate $message", $case->[1], "every => $case->[0]");
}
is((sql_error($node, 'postgres', q{SELECT schedule_market_investor_trend(targets => '{KOSPI}')}))[3], 'Did you mean "KSP"?', 'a target with a hint, as of a collection');
value('CREATE ROLE clerk');
is(join(' ', (sql_error($node, 'postgres', 'SET ROLE clerk; SELECT schedule_market_investor_trend()'))[0, 1, 3]),
	'42501 permission denied for schema cron Have a superuser run GRANT USAGE ON SCHEMA cron TO clerk.', 'a right that is missing');
value('GRANT USAGE ON SCHEMA cron TO clerk');
is((sql_error($node, 'postgres', 'SET ROLE clerk; SELECT schedule_market_investor_trend()'))[1], 'permission denied for foreign server kis', 'and another');
is(value(q{SELECT count(*) FROM cron.job WHERE jobname ~ 'trend'}), 0, 'nothing of which is scheduled');

# What has moved: called again it mends the jobs
value('SELECT schedule_market_investor_trend()');
my $by_minute = q{SELECT string_agg(split_part(command, '(', 1) || substring(command, ' store => .*'), ' ') FROM cron.job WHERE jobname ~ 'trend by the minute'};
value('CREATE SCHEMA moved; ALTER EXTENSION market_investor_fdw SET SCHEMA moved');
is(value("SELECT count(*) FROM moved.schedule_market_investor_trend(); SELECT count(*) FROM cron.job WHERE jobname ~ 'trend'; $by_minute"),
	"4\n4\nCALL moved.market_investor_trend_job store => 'public.market_investor_trend')", 'of an extension in another schema');
value(q{ALTER EXTENSION market_investor_fdw SET SCHEMA public;
	SELECT format('ALTER TABLE %I SET SCHEMA moved', relname) FROM pg_class
	WHERE relnamespace = 'public'::regnamespace AND relname ~ '^market_investor_trend(_[a-z]+)?$' AND relkind IN ('r', 'p', 'v') \gexec});
my $told = run_sql($node, 'postgres', q{SELECT count(*) FROM schedule_market_investor_trend(store => 'moved.market_investor_trend')});
is_deeply([ $told->{output}, map { $_->{message} } @{ $told->{messages} } ], [ 4,
		'the jobs of store "public.market_investor_trend" are taken away, for it does not exist any more' ], 'of a store in another schema');
is(value("SELECT count(*) FROM cron.job WHERE jobname ~ 'trend'; $by_minute"),
	"4\nCALL public.market_investor_trend_job store => 'moved.market_investor_trend')", 'instead of those that could only fail');
is(value(q{SELECT unschedule_market_investor_trend('moved.market_investor_trend')}), 4, 'which are taken away');

# pg_cron 1.4 has no cron.timezone: whoever sets it sets nothing. From 1.5 on it is for superusers
# to read, and the jobs of others keep to it as well
SKIP:
{
	my $hours = q{SELECT split_part(schedule, ' ', 2) FROM schedule_market_investor_trend(store => 'flows.market_investor_trend') WHERE job ~ 'minute'};
	my $library = PostgreSQL::Test::Utils::tempdir() . '/cron_timezone.so';
	my $output = '';

	skip 'this pg_cron has cron.timezone', 1 unless value(q{SELECT extversion < '1.5' FROM pg_extension WHERE extname = 'pg_cron'}) eq 't';
	is(value("SET cron.timezone = 'Asia/Seoul'; $hours"), '0-10', 'GMT is what it counts in');
	IPC::Run::run([ 'cc', '-shared', '-fPIC', '-I' . (`pg_config --includedir-server` =~ s/\n//r),
			'-o', $library, "$FindBin::RealBin/../test/cron_timezone.c" ], '>&', \$output)
	  or die "cron_timezone.c: $output";
	foreach my $case ([ 'Asia/Seoul', '9-19' ], [ 'GMT', '0-10' ], [ 'Europe/Berlin', '2-12' ], [ 'Asia/Kolkata', '' ], [ 'America/New_York', '' ])
	{
		my $result = run_sql($node, 'postgres', "LOAD '$library'; SET cron.timezone = '$case->[0]'; SET ROLE collector; SET search_path = flows, public; $hours");

		is($result->{output}, $case->[1], "$case->[0]: the hours of the session");
		is(join(' ', map { "$_->{sqlstate} $_->{message}" } @{ $result->{messages} }),
			$case->[0] =~ /^Europe/ ? qq{01000 the clocks of the time zone "$case->[0]" of pg_cron change during the year, and Seoul's do not}
			: $case->[1] eq '' ? qq{0A000 the session of the exchange is no day in the time zone "$case->[0]" of pg_cron} : '', 'and what is to be said of it');
	}
	value(q{SELECT unschedule_market_investor_trend('flows.market_investor_trend'); SET ROLE collector; SELECT unschedule_market_investor_trend('flows.market_investor_trend')});
}

# A long name is cut, and there are still four jobs
my $long = '"A schema with a name as long as this"."Ein Lager für ""Flüsse"", lang"';
value("CREATE SCHEMA \"A schema with a name as long as this\"; SELECT create_market_investor_trend('$long')");
is(value("SELECT count(DISTINCT job_id), max(octet_length(job)) <= 63 FROM schedule_market_investor_trend(store => '$long')"), '4|t', 'of a long name');
is(value("SELECT count(*) FROM schedule_market_investor_trend(store => '$long'); SELECT count(*) FROM cron.job WHERE command ~ 'Lager'"), "4\n3", 'no more the second time');
is(value("SELECT unschedule_market_investor_trend('$long')"), 4, 'which are taken away');

# And of a store that is gone
value(q{SELECT create_market_investor_trend('"Gone"'); SELECT schedule_market_investor_trend(store => '"Gone"'); DROP TABLE "Gone" CASCADE});
is(value(q{SELECT unschedule_market_investor_trend('gone')}), 0, 'another store is gone, too');
is(value(q{SELECT unschedule_market_investor_trend('"Gone"')}), 4, 'the jobs of one that is gone are taken away');

# ---- many runs, of which some fail: a hundred in a long run, else twenty -----

my $times = $ENV{KIS_TEST_LONG} ? 5 : 1;

value('SELECT cron.unschedule(jobid) FROM cron.job');
foreach my $raise_on (qw(all any))
{
	value("SELECT create_market_investor_trend('of_$raise_on'); SELECT cron.schedule('of $raise_on', '* * * * *',"
		  . "\$\$CALL market_investor_trend_job('{KSP/0001,KSQ/1001}', store => 'of_$raise_on', raise_on => '$raise_on')\$\$)");
}
value('TRUNCATE cron.job_run_details');
foreach my $i (1 .. 20 * $times)
{
	$simulator->fault;
	$simulator->fault({ fault => 'error', match => { pair => $_ }, params => { msg_cd => 'OPSQ0002' } })
	  foreach $i % 20 == 0 ? qw(KSP/0001 KSQ/1001) : $i % 10 == 5 ? 'KSQ/1001' : ();
	$clock->set(sprintf '2026-07-20 %02d:%02d:00', 10 + int(($i - 1) / 60), ($i - 1) % 60);
	eventually { value(q{SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')}) >= 2 * $i }
	or die value('SELECT * FROM cron.job_run_details');
}
is(value(q{SELECT jobname, status, count(*) FROM cron.job_run_details JOIN cron.job USING (jobid) GROUP BY 1, 2 ORDER BY 1, 2}),
	join("\n", map { s/(\d+)$/$1 * $times/er } 'of all|failed|1', 'of all|succeeded|19', 'of any|failed|3', 'of any|succeeded|17'),
	'pg_cron shows the failures that raise_on names');
is(value("SELECT market_code, outcome = 'failed', count(*) FROM of_${_}_collection GROUP BY 1, 2 ORDER BY 1, 2"),
	join("\n", map { s/(\d+)$/$1 * $times/er } 'KSP|f|19', 'KSP|t|1', 'KSQ|f|17', 'KSQ|t|3'), "and the log has each look, raise_on $_") foreach qw(all any);
value(q{SELECT cron.unschedule(jobid) FROM cron.job});
$simulator->fault;

value(q{CREATE DATABASE without});
$node->safe_psql('without', 'CREATE EXTENSION market_investor_fdw');
is((sql_error($node, 'without', 'SELECT schedule_market_investor_trend()'))[1], 'pg_cron is not installed in this database', 'where there is no pg_cron');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
