# A standby that is promoted while its sessions wait for KIS, or since its primary
# went down amid a collection or a backfill: queries end with their rows, what was
# committed is there and nothing in part, and the promoted server collects at once.
# Each server is the next one's primary.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $has_cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my $servers = 0;
my $figure = 0;

sub new_server
{
	my $node = KisTest::Node->new('server' . ++$servers);

	$node->{kis_env} = $clock->env;
	return $node;
}

# A standby of it that has all it has
sub standby_of
{
	my ($primary) = @_;
	my $standby = new_server();

	$primary->backup($standby->name);
	$standby->init_from_backup($primary, $standby->name, has_streaming => 1);
	$standby->start;
	$primary->wait_for_catchup($standby);
	return $standby;
}

# KIS's figures move.
sub new_figures
{
	$figure++;
	$simulator->config(overrides => { map { ($_ => { frgn_ntby_qty => "$figure" }) } qw(ETF/T000 KSP/0001 KSQ/1001) });
	return;
}

sub hold
{
	$simulator->fault({ fault => 'hang', @_ });
	return;
}

sub release { $simulator->release(clear_faults => JSON::PP::true) }

# The store, its snapshots and its log
sub stored
{
	my ($node) = @_;

	return join "\n", map { $node->safe_psql('postgres', "SELECT t FROM $_ AS t ORDER BY t") }
	  qw(market_investor_trend market_investor_trend_snapshot market_investor_trend_collection);
}

# Rows and snapshots with the latest figure, and looks since this moment
sub latest
{
	my ($node, $since) = @_;

	return $node->safe_psql('postgres', "SELECT (SELECT count(*) FROM market_investor_trend WHERE foreign_net_qty = $figure),"
		  . " (SELECT count(*) FROM market_investor_trend_snapshot WHERE foreign_net_qty = $figure),"
		  . " (SELECT count(*) FROM market_investor_trend_collection WHERE asked_at >= '$since+09')");
}

my $collect = 'SELECT outcome FROM collect_market_investor_trend()';		# three targets
my $server = new_server();

$server->init(extra => [ '--no-locale', '--encoding=UTF8' ], allows_streaming => 1);
$server->append_conf('postgresql.conf', "cron.use_background_workers = on\nshared_preload_libraries = 'market_investor_fdw"
	  . ($has_cron ? ", pg_cron'" : q{'}));
$clock->set('2026-07-10 10:30:00');
$server->start;
setup($server, 'postgres', $simulator, session_start => '00:00', request_timeout => '5min');
new_figures();
# the trigger: a collection that writes waits for whoever has the lock
$server->safe_psql('postgres', q{
	SELECT create_market_investor_trend();
	SELECT collect_market_investor_trend();
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
	CREATE TRIGGER hold AFTER INSERT ON market_investor_trend_snapshot FOR EACH ROW EXECUTE FUNCTION hold();
	ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});

# ---- sessions that wait for KIS while their server is promoted ------------------

my $standby = standby_of($server);
my $ksp = q{SELECT market_code, foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'};
my @waiting = (
	[ $ksp, 'KSP|1', 'a scan' ],
	[ $ksp, 'KSP|1', 'one that waits for the same call' ],
	[ "$ksp UNION ALL " . $ksp =~ s/'KSP'/'KSQ'/r . ' ORDER BY 1', "KSP|1\nKSQ|1", 'an Append' ],
	[ q{SELECT ok FROM kis_check() WHERE step = 'pair'}, 't', 'kis_check' ]);
my $open = $standby->session;
my $cursor = $standby->session;
my $collector = $server->session;

$open->query_safe('BEGIN; SELECT count(*) FROM market_investor_trend');
$cursor->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM kis_market_trend WHERE market_code IN ('ETF', 'ETN')});
is($cursor->query_safe('FETCH c'), 'ETF', 'a cursor of the standby has a row');
hold(match => { pair => 'KSP/0001' });
foreach my $case (@waiting)
{
	push @$case, $standby->session;
	$case->[3]->send($case->[0]);
}
$collector->send($collect);
is(eventually { $standby->safe_psql('postgres', 'SELECT count(*) FROM kis_activity WHERE waits_for IS NOT NULL') == @waiting }, 1, 'queries of the standby wait for KIS');
is(eventually { $server->safe_psql('postgres', 'SELECT count(*) FROM kis_activity WHERE waits_for IS NOT NULL') }, 1, 'and a collection of the primary');

$standby->promote;
is($standby->safe_psql('postgres', q{SELECT outcome FROM collect_market_investor_trend('{KSQ,ETF}')}), "unchanged\nunchanged",
	'the standby is promoted, and collects at once');
is(join(' ', ($open->error(q{SELECT collect_market_investor_trend('{KSQ}')}))[0, 1]),
	'25006 cannot execute collect_market_investor_trend() in a read-only transaction', 'not in a transaction of the standby\'s');
$open->query_safe('ROLLBACK');
is($open->query_safe(q{SELECT outcome FROM collect_market_investor_trend('{KSQ}')}), 'unchanged', 'but in the session\'s next one');
is(scalar(grep { !$_->[3]->is_done } @waiting), @waiting, 'the others still wait');
release();
is($_->[3]->result->{output}, $_->[1], "$_->[2] ends as it should") foreach @waiting;
is($cursor->query_safe('FETCH c; COMMIT'), 'ETN', 'a cursor has its next row');
is($collector->result->{output}, "unchanged\nunchanged\nunchanged", 'the collection of the primary ends there');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM kis_activity'), 0, 'nobody is left waiting');
is($standby->safe_psql('postgres', $collect), "unchanged\nunchanged\nunchanged", 'the promoted server collects all');
$_->quit foreach $open, $cursor, $collector, map { $_->[3] } @waiting;

# ---- the primary goes down amid a collection ------------------------------------

$standby->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});

# The moment's begin has the collection of a session stand still there
my @moments = (
	{
		name => 'while KIS is asked',
		stop => 'fast',
		error => '57P01',
		begin => sub { hold(match => { pair => 'KSQ/1001' }) },
		reached => sub { $simulator->stats->{held} },
	},
	{
		name => 'while it writes',
		begin => sub {
			my ($primary) = @_;
			my $holder = $primary->session;

			$holder->query_safe('SELECT pg_advisory_lock(1)');
			return $holder;
		},
		reached => sub { $_[1]->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) },
	},
	{
		name => 'when it has committed and nobody has told it so',
		is_there => 1,
		begin => sub {
			my ($primary, $standby) = @_;

			$primary->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = '*'; ALTER SYSTEM SET synchronous_commit = remote_apply});
			$primary->reload;
			$primary->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no synchronous standby';
			$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
			$standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die 'replay goes on';
			return;
		},
		reached => sub {
			my ($session, $primary) = @_;

			return $primary->safe_psql('postgres', "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = " . $session->pid) eq 't';
		},
	});

foreach my $moment (@moments)
{
	my $name = $moment->{name};

	($server, $standby) = ($standby, standby_of($standby));
	my $now = "2026-07-10 1$servers:00:00";
	$clock->set($now);
	new_figures();
	my $before = stored($server);
	my $holder = $moment->{begin}->($server, $standby);
	my $session = $server->session;

	$session->send($collect);
	eventually { $moment->{reached}->($session, $server) } or die "$name: the moment does not come";
	$server->wait_for_catchup($standby, 'flush', $server->lsn('flush'));
	$server->stop($moment->{stop} || 'immediate');
	release();
	$standby->promote;

	my $result = $session->result;
	is($result->{output}, '', "the primary goes down $name: the collection has not ended");
	like($result->{errors}[0]{sqlstate} || $result->{stderr}, qr/$moment->{error}/, 'its session is told so') if $moment->{error};
	if ($moment->{is_there})
	{
		is(latest($standby, $now), '3|3|3', 'all of it is on the promoted server');
	}
	else
	{
		is(stored($standby), $before, 'nothing of it is on the promoted server, and all that was before');
	}
	is($standby->safe_psql('postgres', $collect), join("\n", ($moment->{is_there} ? 'unchanged' : 'updated') x 3), 'which collects at once');
	is(latest($standby, $now), $moment->{is_there} ? '3|3|6' : '3|3|3', 'and has rows, snapshots and looks');
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM kis_activity'), 0, 'nobody is left waiting');
	eval { $_->quit } foreach grep { defined } $session, $holder;
	$standby->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
	$standby->reload;
}

# ---- and amid a backfill --------------------------------------------------------

my $backfill = q{CALL backfill_market_investor_trend('2025-01-01', '2026-07-09', '{KSP}')};		# two pages
my $days = q{SELECT count(*), min(trade_date) FROM market_investor_trend WHERE source = 'daily'};

($server, $standby) = ($standby, standby_of($standby));
hold(match => { kind => 'daily' }, after => 1);
my $session = $server->session;
$session->send($backfill);
$simulator->wait_for('held', 1);
my $page = $server->safe_psql('postgres', $days);
like($page, qr/^[1-9]\d*\|2025-0[2-9]/, 'the first page of a backfill is committed');
$server->wait_for_catchup($standby, 'flush', $server->lsn('flush'));
$server->stop('immediate');
release();
$standby->promote;
$session->result;
eval { $session->quit };
is($standby->safe_psql('postgres', $days), $page, 'the promoted server has that page');
my $result = run_sql($standby, 'postgres', $backfill);
my ($kept) = $page =~ /^(\d+)/;
like($result->{notices}[-1]{message}, qr/^backfill has read 2 pages, (\d+) trading days: [1-9]\d* inserted, 0 updated, $kept unchanged, 0 skipped$/,
	'called again there, it goes on');
like($standby->safe_psql('postgres', $days), qr/\|2025-01-02$/, 'to its first day');

# ---- the schedule ---------------------------------------------------------------

SKIP:
{
	skip 'pg_cron is not installed', 4 unless $has_cron;

	my $runs = q{SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded'};

	$standby->safe_psql('postgres', 'CREATE EXTENSION pg_cron; SELECT schedule_market_investor_trend()');
	($server, $standby) = ($standby, standby_of($standby));
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), 4, 'a standby has the schedule');
	is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'}), 0, 'and does not run it');
	$server->stop('immediate');
	$standby->promote;
	eventually { $standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher' AND wait_event = 'Extension'}) }
	or die 'no scheduler';
	my $before = $standby->safe_psql('postgres', $runs);
	new_figures();
	$clock->set('2026-07-13 10:30:00');
	ok(eventually { $standby->safe_psql('postgres', $runs) > $before }, 'promoted, it does');
	is($standby->safe_psql('postgres', q{SELECT count(*) FROM market_investor_trend WHERE trade_date = '2026-07-13'}), 3, 'and collects');
}

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
