# The store under load: collectors, backfills and readers at once. Nobody waits
# for another in a circle, no figure is lost and no row is there twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;

my $rounds = 25;				# in each of which KIS's figures move
my $pairs = '{KSQ,KSP/0013,KSP/0001}';

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);
my $figure = 0;
my $waits = 0;					# times that a session was seen to wait for another

$clock->set('2026-07-10 10:00:00');		# a Friday
setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', q{
	SELECT create_market_investor_trend();
	CREATE UNLOGGED TABLE stop ();

	CREATE PROCEDURE collect_on() LANGUAGE plpgsql AS $$
	DECLARE
		failed text;
	BEGIN
		WHILE NOT EXISTS (SELECT FROM stop) LOOP
			SELECT string_agg(detail, '; ') INTO failed
			FROM collect_market_investor_trend('{KSQ,KSP/0013,KSP/0001}') WHERE outcome = 'failed';
			IF failed IS NOT NULL THEN
				RAISE EXCEPTION 'collection failed: %', failed;
			END IF;
			COMMIT;
		END LOOP;
	END $$;

	CREATE PROCEDURE backfill_on(from_date date, to_date date, as_one boolean) LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT EXISTS (SELECT FROM stop) LOOP
			IF as_one THEN
				BEGIN
					CALL backfill_market_investor_trend(from_date, to_date, '{KSQ,KSP/0013,KSP/0001}');
				EXCEPTION WHEN no_data_found THEN
					NULL;
				END;
			ELSE
				CALL backfill_market_investor_trend(from_date, to_date, '{KSQ,KSP/0013,KSP/0001}');
			END IF;
			COMMIT;
		END LOOP;
	END $$;

	-- the row of KSP/0001 never gets an older answer
	CREATE PROCEDURE watch_on(day date) LANGUAGE plpgsql AS $$
	DECLARE
		before timestamptz;
		now timestamptz;
	BEGIN
		WHILE NOT EXISTS (SELECT FROM stop) LOOP
			SELECT collected_at INTO now FROM market_investor_trend
			WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = day;
			IF now < before THEN
				RAISE EXCEPTION 'went back from % to %', before, now;
			END IF;
			before := now;
			PERFORM FROM market_investor_trend GROUP BY market_code, sector_code, trade_date HAVING count(*) > 1;
			IF found THEN
				RAISE EXCEPTION 'a row is there twice';
			END IF;
			COMMIT;
		END LOOP;
	END $$;

	-- makes the row of KSP/0001 live again, whenever it has become daily
	CREATE PROCEDURE unfill_on(day date) LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT EXISTS (SELECT FROM stop) LOOP
			UPDATE market_investor_trend SET source = 'live', foreign_net_qty = 0
			WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = day AND source = 'daily';
			COMMIT;
		END LOOP;
	END $$;
});

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# The net quantity of foreigners grows in each round.
sub grow
{
	$figure++;
	$simulator->config(overrides => {
		map { $_ => { frgn_ntby_qty => "$figure" } } 'KSP/0001', 'KSP/0013', 'KSQ/1001' });
	return;
}

# Runs procedures, each in a session, while KIS's figures grow; they must all end well.
sub all_at_once
{
	my ($what, @calls) = @_;
	my @sessions = map { $node->session('postgres') } @calls;

	grow();

	foreach my $i (0 .. $#calls)
	{
		$sessions[$i]->query_safe(q{SET client_min_messages = warning});
		$sessions[$i]->send("CALL $calls[$i]");
	}
	foreach (1 .. $rounds)
	{
		my $seen = $simulator->calls('trend');

		# both collectors have asked anew
		$simulator->wait_for('trend', $seen + 6);
		$waits += value(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'});
		grow();
	}
	$node->safe_psql('postgres', 'INSERT INTO stop DEFAULT VALUES');
	foreach my $i (0 .. $#calls)
	{
		my $result = $sessions[$i]->result(150);

		is_deeply([ map { "$_->{sqlstate} $_->{message}" } @{ $result->{errors} }, @{ $result->{warnings} } ], [], "$what: $calls[$i]");
		$sessions[$i]->quit;
	}
	$node->safe_psql('postgres', 'TRUNCATE stop');
	return;
}

# ---- on a trading day: collectors write today's rows, backfills those before

all_at_once('a trading day',
	'collect_on()', 'collect_on()',
	q{backfill_on('2025-01-01', '2026-07-10', false)}, q{backfill_on('2024-07-01', '2026-07-10', true)},
	q{watch_on('2026-07-10')}, q{watch_on('2026-07-10')});
value("SELECT FROM collect_market_investor_trend('$pairs')");
is(value(q{SELECT string_agg(concat_ws(' ', market_code || '/' || sector_code, source, foreign_net_qty), ', ' ORDER BY market_code, sector_code)
	FROM market_investor_trend WHERE trade_date = '2026-07-10'}),
	"KSP/0001 live $figure, KSP/0013 live $figure, KSQ/1001 live $figure", 'the last figures are stored');
is(value(q{SELECT count(*), count(DISTINCT (market_code, sector_code, trade_date)) FROM market_investor_trend}),
	value(q{SELECT 3 * count(*), 3 * count(*) FROM market_investor_trend WHERE market_code = 'KSQ'}), 'a row a pair and day');
is(value(q{SELECT count(*) FROM market_investor_trend WHERE (source = 'daily') <> (trade_date < '2026-07-10')}), 0,
	'past days are daily, today is live');
is(value(q{SELECT count(DISTINCT foreign_net_qty) FROM market_investor_trend_snapshot WHERE market_code = 'KSP' AND sector_code = '0001'}),
	$figure, 'the snapshots have each figure that KIS showed');

# ---- on a Saturday: all of them write Friday's rows

$clock->set('2026-07-11 12:00:00');
all_at_once('a Saturday',
	'collect_on()', 'collect_on()',
	q{backfill_on('2026-07-01', '2026-07-10', false)}, q{backfill_on('2026-06-01', '2026-07-11', true)},
	q{unfill_on('2026-07-10')}, q{watch_on('2026-07-09')});
value(q{CALL backfill_market_investor_trend('2026-07-10', '2026-07-10', '{KSQ,KSP/0013,KSP/0001}')});
is(value(q{SELECT string_agg(concat_ws(' ', market_code || '/' || sector_code, source), ', ' ORDER BY market_code, sector_code)
	FROM market_investor_trend WHERE trade_date = '2026-07-10'}),
	'KSP/0001 daily, KSP/0013 daily, KSQ/1001 daily', 'in the end Friday is daily');
is(value(q{SELECT count(*) FROM market_investor_trend m JOIN kis_market_trend_daily d USING (market_code, sector_code, trade_date)
	WHERE d.trade_date = '2026-07-10' AND d.sector_code IN ('0001', '0013', '1001')
	AND (m.foreign_net_qty, m.bank_net_amount) = (d.foreign_net_qty, d.bank_net_amount)}), 3, 'with the daily figures');
is(value(q{SELECT count(*) FROM market_investor_trend WHERE trade_date > '2026-07-10'}), 0, 'and Saturday has no row');

unlike(slurp_log($node), qr/deadlock detected/, 'no deadlock in the server log');
cmp_ok($waits, '>', 0, 'though sessions did wait for each other');
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
