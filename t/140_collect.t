# The collection through days and months, by a server whose clock the test
# sets: what becomes of each answer, and what the store holds then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils ();
use Test::More;

my $simulator = KisTest::Simulator->new(config => { before_open => 'previous' });
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-03-26 10:30:00');		# a Thursday
setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');

# A row a target: market/sector|trade_date|outcome|detail
sub collect
{
	my ($targets, $store) = @_;

	$store = 'market_investor_trend' unless defined $store;
	return $node->safe_psql('postgres',
		"SELECT concat_ws('|', market_code || '/' || sector_code, trade_date, outcome, detail)"
		  . " FROM collect_market_investor_trend('{$targets}', store => '$store')");
}

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# The net quantity of foreigners that KIS shows for KSP/0001 from now on.
sub show
{
	my ($figure) = @_;

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => "$figure" } });
	return;
}

# What is stored for KSP/0001 on a day.
sub stored
{
	my ($day) = @_;

	return value("SELECT foreign_net_qty FROM market_investor_trend"
		  . " WHERE market_code = 'KSP' AND trade_date = '$day'");
}

sub snapshots
{
	return value('SELECT count(*) FROM market_investor_trend_snapshot');
}

# ---- a day and its rows

show(1);
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|inserted', 'the first answer of a day');
is(value(q{SELECT source, collected_at BETWEEN '2026-03-26 10:30+09' AND '2026-03-26 10:31+09',
	created_at = updated_at, collected_at >= created_at FROM market_investor_trend}),
	'live|t|t|t', 'source and times of a new row');
is(snapshots(), 1, 'and its snapshot');

$clock->set('2026-03-26 11:00:00');
$simulator->config(clock => '2026-03-26T10:30:00');
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|unchanged', 'the same figures again');
is(value(q{SELECT created_at = updated_at, collected_at > '2026-03-26 11:00+09' FROM market_investor_trend}),
	't|t', 'only collected_at has moved');
is(snapshots(), 1, 'no snapshot of the same figures');

$clock->set('2026-03-26 15:45:00');
show(2);
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|updated', 'newer figures');
is(value(q{SELECT created_at < '2026-03-26 11:00+09', updated_at > '2026-03-26 15:45+09',
	foreign_net_qty FROM market_investor_trend}), 't|t|2',
	'created_at stays, updated_at moves');
is(snapshots(), 2, 'a snapshot of newer figures');
is(value(q{SELECT count(*) FROM market_investor_trend m
	JOIN market_investor_trend_snapshot s USING (market_code, sector_code, collected_at, trade_date, foreign_net_qty,
		foreign_net_amount, individual_net_qty, individual_net_amount, institution_net_qty, institution_net_amount,
		other_corporation_net_qty, other_corporation_net_amount)}), 1, 'which agrees with the row');

# ---- all zero

$simulator->fault({ fault => 'all_zero' });
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|skipped|all figures are zero, those stored are not',
	'zeros over stored figures');
is(stored('2026-03-26'), 2, 'which stay');
is(snapshots(), 2, 'and are not kept');
is(collect('KSQ/1001'), 'KSQ/1001|2026-03-26|inserted', 'zeros of a pair without trade');
is(collect('KSQ/1001'), 'KSQ/1001|2026-03-26|unchanged', 'zeros over zeros');
is(value("SELECT DISTINCT foreign_net_qty FROM market_investor_trend WHERE market_code = 'KSQ'"), 0,
	'are stored');
$simulator->fault;
is(collect('KSQ/1001'), 'KSQ/1001|2026-03-26|updated', 'figures over zeros');

# ---- the morning after, while KIS shows the day before

$clock->set('2026-03-27 07:00:00');
show(3);
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|updated',
	'before the session figures are those of the trading day before');
is(collect('KSP/0001'), 'KSP/0001|2026-03-26|unchanged', 'and stay so');

# A row from elsewhere may not know all figures
value("UPDATE market_investor_trend SET bank_net_qty = NULL WHERE market_code = 'KSP'");
my $before = snapshots();
$clock->set('2026-03-27 08:45:00');
is(collect('KSP/0001'),
	'KSP/0001|2026-03-27|skipped|still the figures of 2026-03-26: KIS has not turned over yet',
	'still the last day\'s figures in the session');
is(stored('2026-03-27'), '', 'are not stored for the new day');
is(snapshots(), $before, 'nor kept as its snapshot');

$simulator->config(before_open => 'zeros', overrides => {});
$clock->set('2026-03-27 08:10:00');
is(collect('KSP/0001'), 'KSP/0001|2026-03-27|skipped|all figures are zero before the session',
	'zeros before the session');
is(snapshots(), $before, 'are not kept');
$clock->set('2026-03-27 08:50:00');
is(collect('KSP/0001'), 'KSP/0001|2026-03-27|inserted', 'zeros in the session are figures of the day');

show(4);
$clock->set('2026-03-27 09:10:00');
is(collect('KSP/0001'), 'KSP/0001|2026-03-27|updated', 'once KIS has turned over');
show(3);
$simulator->config(session => 'before', before_open => 'previous');
$before = snapshots();
is(collect('KSP/0001'),
	'KSP/0001|2026-03-27|skipped|still the figures of 2026-03-26: KIS has not turned over yet',
	'figures of the last day over those of the new one');
is(stored('2026-03-27'), 4, 'which stay');
is(snapshots(), $before, 'and are no snapshot of it');
$simulator->config(session => 'auto');

# ---- the week-end, and what the daily history has filled

$clock->set('2026-03-28 12:00:00');
show(5);
is(collect('KSP/0001'), 'KSP/0001|2026-03-27|updated', 'on a Saturday the figures are Friday\'s');
value("UPDATE market_investor_trend SET source = 'daily', foreign_net_qty = 6"
	  . " WHERE market_code = 'KSP' AND trade_date = '2026-03-27'");
is(collect('KSP/0001'), 'KSP/0001|2026-03-27|skipped|a past day that the daily history has filled',
	'live does not replace daily');
is(stored('2026-03-27'), 6, 'which stays');

$clock->set('2026-03-30 10:00:00');
show(7);
is(collect('KSP/0001'), 'KSP/0001|2026-03-30|inserted', 'Monday');
value("UPDATE market_investor_trend SET source = 'daily', foreign_net_qty = 6"
	  . " WHERE market_code = 'KSP' AND trade_date = '2026-03-30'");
is(collect('KSP/0001'), 'KSP/0001|2026-03-30|updated', 'on the day itself live replaces daily');
is(value("SELECT source FROM market_investor_trend WHERE trade_date = '2026-03-30'"), 'live',
	'and says so');

# On a day that is over they can't be another day's
$node->safe_psql('postgres', q{
	CREATE TABLE small (market_code text, sector_code text, collected_at timestamptz, trade_date date,
		foreign_net_qty bigint, UNIQUE (market_code, sector_code, trade_date));
	INSERT INTO small VALUES ('KSP', '0001', '2026-03-27 16:00+09', '2026-03-27', 7)});
$clock->set('2026-03-31 07:00:00');
is(collect('KSP/0001', 'small'), 'KSP/0001|2026-03-30|inserted', 'a day may equal the one before');

# A day of which nothing is known says nothing of the next one
$node->safe_psql('postgres', 'UPDATE small SET foreign_net_qty = NULL');
$clock->set('2026-03-31 10:00:00');
is(collect('KSP/0001', 'small'), 'KSP/0001|2026-03-31|inserted', 'after a day without figures');

# ---- months in Seoul, whatever the session's zone

is(value(q{SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid) FROM pg_inherits
	WHERE inhparent = 'market_investor_trend_snapshot'::regclass}),
	'market_investor_trend_snapshot_y2026m03 market_investor_trend_snapshot_y2026m04',
	'partitions of this month and the next');
$node->safe_psql('postgres',
	q{ALTER ROLE CURRENT_USER SET timezone = 'America/New_York';
	  ALTER ROLE CURRENT_USER SET datestyle = 'SQL, DMY'});
$clock->set('2026-03-31 23:59:00');
is(value("SELECT outcome, trade_date FROM collect_market_investor_trend('{ETF}')"),
	'inserted|31/03/2026', 'the last minute of March in Seoul');
$clock->set('2026-04-01 00:00:30');
is(value("SELECT outcome, trade_date FROM collect_market_investor_trend('{ETN}')"),
	'inserted|31/03/2026', 'the first one of April');
$node->safe_psql('postgres', 'ALTER ROLE CURRENT_USER RESET ALL');
is(value(q{SELECT string_agg(market_code || ' ' || tableoid::regclass, ', ' ORDER BY collected_at)
	FROM market_investor_trend_snapshot WHERE market_code IN ('ETF', 'ETN')}),
	'ETF market_investor_trend_snapshot_y2026m03, ETN market_investor_trend_snapshot_y2026m04',
	'each in its month');
is(value("SELECT to_regclass('market_investor_trend_snapshot_y2026m05')"),
	'market_investor_trend_snapshot_y2026m05', 'and May is ready');
is(value(q{SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'market_investor_trend_snapshot_y2026m05'}),
	"FOR VALUES FROM ('2026-04-30 15:00:00+00') TO ('2026-05-31 15:00:00+00')", 'from midnight in Seoul');

# ---- making a partition while others read and write

my $reader = $node->session('postgres');
my $writer = $node->session('postgres');
my $other = $node->session('postgres');

$reader->query_safe('BEGIN');
$reader->query_safe('SELECT count(*) FROM market_investor_trend_snapshot');
$clock->set('2026-07-01 10:00:00');
$writer->query_safe('BEGIN');
is($writer->query_safe("SELECT outcome FROM collect_market_investor_trend('{KSP}')"), 'inserted',
	'partitions are made beside a reader');
is($writer->query_safe(q{SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks
	WHERE pid = pg_backend_pid() AND relation = 'market_investor_trend_snapshot'::regclass
	AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')}), '',
	'without a lock that readers feel');
is($reader->query_safe("SET LOCAL statement_timeout = '20s'; SELECT count(*) > 0 FROM market_investor_trend_snapshot"),
	't', 'and readers go on');
$other->send("SELECT outcome FROM collect_market_investor_trend('{KSQ}')");
ok(eventually {
		value('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $other->pid) },
	'another one who needs the same partition waits');
$writer->query_safe('COMMIT');
my $result = $other->result;
is($result->{output}, 'inserted', 'and finds it made');
is_deeply($result->{messages}, [], 'without a word');
$reader->query_safe('COMMIT');

# The next month's: nobody waits for that
value('DROP TABLE market_investor_trend_snapshot_y2026m08');
$writer->query_safe('BEGIN');
$writer->query_safe("SELECT outcome FROM collect_market_investor_trend('{KSP}')");
is($other->query_safe("SET lock_timeout = '20s'; SELECT outcome FROM collect_market_investor_trend('{KSQ}')"),
	'unchanged', 'another one does not wait for the next month\'s partition');
$writer->query_safe('COMMIT');
is(value("SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('market_investor_trend_snapshot_y2026m08')"),
	1, 'which is there again');
$_->quit foreach $reader, $writer, $other;

# ---- who may make them

$node->safe_psql('postgres', q{
	CREATE ROLE keeper LOGIN;
	CREATE ROLE clerk LOGIN;
	CREATE SCHEMA keeper AUTHORIZATION keeper;
	GRANT USAGE ON SCHEMA keeper TO clerk;
	GRANT USAGE ON FOREIGN SERVER kis TO keeper, clerk;});
$node->safe_psql('postgres',
	"SET log_statement = 'none'; CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
$node->safe_psql('postgres', q{
	SET ROLE keeper;
	SELECT create_market_investor_trend('keeper.store');
	GRANT SELECT, INSERT, UPDATE ON keeper.store TO clerk;
	GRANT SELECT, INSERT ON keeper.store_snapshot TO clerk; GRANT INSERT ON keeper.store_collection TO clerk;});

my $as_clerk = "SET ROLE clerk; SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'keeper.store')";
$node->safe_psql('postgres', 'DROP TABLE keeper.store_snapshot_y2026m08');
is(value($as_clerk), 'inserted', 'one who may not make partitions collects while the month\'s is there');
is(value("SELECT to_regclass('keeper.store_snapshot_y2026m08')"), '', 'and makes none');

$clock->set('2026-08-03 10:00:00');
$simulator->reset(keep_tokens => JSON::PP::true);
$clock->set('2026-08-03 10:00:00');
my ($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', $as_clerk);
is("$sqlstate $message", '42501 table "store_snapshot" has no partition for 2026-08',
	'but not when it is missing');
like($hint, qr/^Have that role run SELECT create_market_investor_trend\('keeper.store'\)\.$/, 'the hint says who can');
is($simulator->calls, 0, 'and nothing was asked');

is(value("SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'keeper.store')"), 'inserted',
	'a superuser makes it');
is(value("SELECT relowner::regrole FROM pg_class WHERE relname = 'store_snapshot_y2026m08'"), 'keeper',
	'for the owner');
$clock->set('2026-10-01 10:00:00');
value("SET ROLE keeper; SELECT create_market_investor_trend('keeper.store')");
is(value($as_clerk), 'inserted', 'what the hint says helps');

# A partitioned table of the user's own, with a default partition, is his to keep
$node->safe_psql('postgres', q{
	SELECT create_market_investor_trend('own');
	DROP TABLE own_snapshot_y2026m10, own_snapshot_y2026m11;
	CREATE TABLE own_snapshot_rest PARTITION OF own_snapshot DEFAULT;});
is(collect('KSP/0001', 'own'), 'KSP/0001|2026-10-01|inserted', 'with a default partition');
is(value('SELECT tableoid::regclass FROM own_snapshot'), 'own_snapshot_rest', 'which holds it');

# ---- something else has the partition's name

$node->safe_psql('postgres', q{SELECT create_market_investor_trend('months')});
is(collect('KSP/0001', 'months'), 'KSP/0001|2026-10-01|inserted', 'a partition with a row');
$node->safe_psql('postgres', 'ALTER TABLE months_snapshot DETACH PARTITION months_snapshot_y2026m10');
my $calls = $simulator->calls;

my $collecting = q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => 'months')};
my $taken = '42P07 relation "months_snapshot_y2026m10" already exists, but is no partition of table "months_snapshot" for 2026-10';
($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', $collecting);
is("$sqlstate $message", $taken, 'a partition that was detached and keeps its name');
my ($attach) = $hint =~ /^Attach it with (ALTER TABLE .*\)), or rename it; or drop it, if nobody needs its rows\.$/;
ok($attach, 'the hint has the command');
($sqlstate, $message) = sql_error($node, 'postgres', "SELECT create_market_investor_trend('months')");
is("$sqlstate $message", $taken, 'the same where the store is made');
is($simulator->calls, $calls, 'nothing was asked');
$node->safe_psql('postgres', $attach);
is(value($collecting), 'unchanged', 'attached it serves again');
is(value('SELECT count(*) FROM months_snapshot'), 1, 'with its row');

foreach my $other ('CREATE VIEW months_snapshot_y2026m10 AS SELECT 1',
	q{CREATE TABLE months_snapshot_y2026m10 PARTITION OF months_snapshot FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')})
{
	$node->safe_psql('postgres', "ALTER TABLE months_snapshot DETACH PARTITION months_snapshot_y2026m10; DROP TABLE months_snapshot_y2026m10; $other");
	($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', $collecting);
	is("$sqlstate $message", $taken, $other);
	is($hint, 'Rename it, or drop it if nobody needs it.', 'which is not for attaching');
	$node->safe_psql('postgres', $other =~ s/^CREATE (\w+) .*/ALTER $1 months_snapshot_y2026m10 RENAME TO other_$1/r);
	is(value($collecting), 'unchanged', 'renamed it is in nobody\'s way');
}

# Of the next month it can wait
$node->safe_psql('postgres', 'ALTER TABLE months_snapshot DETACH PARTITION months_snapshot_y2026m11');
is(value($collecting), 'unchanged', 'the next month\'s does no harm yet');

# ---- a partition whose commit others see before they are told of it

my $dir = PostgreSQL::Test::Utils::tempdir();
my $output = '';

chmod 0755, $dir;
IPC::Run::run([ 'cc', '-shared', '-fPIC', '-I', $node->config_data('--includedir-server'),
		'-o', "$dir/late_commit.so", "$FindBin::RealBin/../test/late_commit.c" ], '>&', \$output)
  or die "late_commit.c: $output";

$node->safe_psql('postgres', q{SELECT create_market_investor_trend('late')});
my ($maker, $second) = map { $node->session('postgres') } 1 .. 2;
$collecting =~ s/months/late/;
is($second->query_safe($collecting), 'inserted', 'a session knows the partitions');
$clock->set('2027-01-04 10:00:00');
$maker->query_safe("LOAD '$dir/late_commit.so'; SET late_commit.hold = '$dir/hold'");
PostgreSQL::Test::Utils::append_to_file("$dir/hold", '');
$maker->send($collecting);
ok(eventually { value(q{SELECT to_regclass('late_snapshot_y2027m01')}) }, 'another one makes one more');
$second->send($collecting);
ok(eventually {
		$second->is_done || value('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $second->pid) },
	'which it sees');
ok(!$second->is_done, 'and takes for nothing else, but waits to be told of it');
unlink "$dir/hold";
is(join(' ', map { $_->result->{output} } $maker, $second), 'inserted unchanged', 'both collect');
$_->quit foreach $maker, $second;

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
