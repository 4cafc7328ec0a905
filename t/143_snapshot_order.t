# Snapshots by several collectors at once: each figure that KIS showed is there,
# in the order in which it was shown, and none equals the one before it, also
# where answers are written in another order than they came in.
#
# KIS_TEST_LONG=N: many collectors for N minutes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 10:00:00');		# a Friday
setup($node, 'postgres', $simulator);

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub show
{
	my ($figure) = @_;

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => "$figure" } });
	return;
}

my $collect = q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')};
my ($a, $b) = map { $node->session } 1 .. 2;

sub figures
{
	return value('SELECT string_agg(foreign_net_qty::text, \' \' ORDER BY collected_at) FROM market_investor_trend_snapshot');
}

# How many snapshots equal the one before, in all that KIS shows
sub repeated
{
	return value(q{SELECT count(*) FROM (
		SELECT figures, lag(figures) OVER (PARTITION BY market_code, sector_code ORDER BY collected_at) AS before
		FROM (SELECT market_code, sector_code, collected_at, to_jsonb(s) - 'collected_at' - 'trade_date' AS figures
			FROM market_investor_trend_snapshot s) s) s
		WHERE figures = before});
}

# ---- an answer that is written after one that came later -------------------------

# By what it shows and what the later one does, after figure 2: the snapshots then
foreach my $case (
	[ 3, 4, '2 3 4', 'three different ones' ],
	[ 3, 3, '2 3', 'the later one is like it' ],
	[ 2, 3, '2 3', 'it is like the one before' ],
	[ 3, 2, '2 3 2', 'the later one is again like the one before' ],
	[ 2, 2, '2', 'all are alike' ],
	[ '', 2, '2  2', 'without a figure' ],
	[ '', '', '2 ', 'both without a figure' ])
{
	my ($early, $late, $expected, $name) = @$case;

	value('DROP TABLE IF EXISTS market_investor_trend CASCADE; DROP TABLE IF EXISTS market_investor_trend_snapshot CASCADE; SELECT create_market_investor_trend()');
	show(2);
	$a->query_safe("BEGIN; $collect");
	show($early);
	$b->send($collect);
	wait_until_blocked($node, $b);
	show($late);
	$a->query_safe("$collect; COMMIT");
	like($b->result->{output}, qr/^(?:skipped|unchanged)$/, "$name: it comes too late for the day's row");
	is(value("SELECT string_agg(coalesce(foreign_net_qty::text, ''), ' ' ORDER BY collected_at) FROM market_investor_trend_snapshot"),
		$expected, 'the snapshots are as KIS showed them');
	is(value(q{SELECT max(s.collected_at) <= m.collected_at FROM market_investor_trend_snapshot s, market_investor_trend m GROUP BY m.collected_at}), 't',
		'none is newer than the last look');
	is(value($collect), 'unchanged', 'and the next answer');
	is(value('SELECT count(*) FROM market_investor_trend_snapshot'), scalar(my @all = split / /, $expected, -1), 'adds nothing');
}

# Figures that a row of an odd time is newer than
value(q{UPDATE market_investor_trend SET collected_at = 'infinity'});
show(5);
is(value($collect), 'skipped', 'a row of a time that never comes');
value(q{UPDATE market_investor_trend SET collected_at = '2026-07-20'});
show(6);
is(value($collect), 'skipped', 'or that has not come yet');
is(value(q{SELECT max(collected_at) < '2026-07-11' FROM market_investor_trend_snapshot}), 't', 'has no snapshot of that time');

# ---- one who looks with an older snapshot of the database -------------------------

$clock->set('2026-07-11 12:00:00');		# Friday's row is one of the daily history
value(q{UPDATE market_investor_trend SET source = 'daily', collected_at = '2026-07-10 18:00+09'});
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my $before = value('SELECT count(*) FROM market_investor_trend_snapshot');

	show(20 + $before);
	$a->query_safe("BEGIN ISOLATION LEVEL $level; SELECT FROM market_investor_trend_snapshot");
	is($b->query_safe($collect), 'skipped', "$level: figures of a day that daily has filled are not for its row");
	is($a->query_safe($collect), 'skipped', 'the same again');
	$a->query_safe('COMMIT');
	is(value('SELECT count(*) FROM market_investor_trend_snapshot'), $before + 1, 'one snapshot');
}
$_->quit foreach $a, $b;

# ---- many at once --------------------------------------------------------------------

$clock->set('2026-07-13 10:30:00');
$simulator->config(overrides => {}, clock => '2026-07-13T10:30:00', clock_speed => 600);
value(q{TRUNCATE market_investor_trend, market_investor_trend_snapshot;
	CREATE UNLOGGED TABLE stop ();
	CREATE PROCEDURE collect_on(rounds int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. rounds LOOP
			PERFORM FROM collect_market_investor_trend('{KSP,KSQ,ETF,ETN,ELW}');
			COMMIT;
		END LOOP;
	END $$});

my $until = Time::HiRes::time() + 60 * ($ENV{KIS_TEST_LONG} || 0);
my @collectors = map { $node->session } 1 .. 4;

do
{
	$_->send('CALL collect_on(40)') foreach @collectors;
	is_deeply([ map { @{ $_->result->{errors} } } @collectors ], [], 'four collectors at once');
} while (Time::HiRes::time() < $until);
cmp_ok(value('SELECT count(*) FROM market_investor_trend_snapshot'), '>', 20, 'KIS\'s figures move');
is(repeated(), 0, 'no snapshot equals the one before it');
is(value(q{SELECT count(*) FROM market_investor_trend m JOIN LATERAL (SELECT * FROM market_investor_trend_snapshot s
		WHERE (s.market_code, s.sector_code) = (m.market_code, m.sector_code) ORDER BY collected_at DESC LIMIT 1) s ON true
	WHERE (s.foreign_net_qty, s.bank_net_amount) IS DISTINCT FROM (m.foreign_net_qty, m.bank_net_amount)}), 0, 'the last one is the day\'s row');
note(value('SELECT count(*) FROM market_investor_trend_snapshot') . ' snapshots');
$_->quit foreach @collectors;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$node->stop;
done_testing();
