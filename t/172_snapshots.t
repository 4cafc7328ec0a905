# The snapshots' layout: what a query of a day reads of months of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# The partitions that a query reads, and the indexes.
sub reads
{
	my ($condition) = @_;
	my $plan = value("SET enable_seqscan = off; EXPLAIN (COSTS OFF)"
		  . " SELECT * FROM market_investor_trend_snapshot WHERE $condition");
	my %partitions = map { $_ => 1 } $plan =~ /Scan (?:using \S+ )?on market_investor_trend_snapshot_(y\d{4}m\d\d)\b/g;
	my %indexes = map { $_ => 1 } $plan =~ /(pkey|collected_at_trade_date_idx|market_code_sector_code_trad)/g;

	return join(' ', sort keys %partitions) . ': ' . join(' ', sort keys %indexes);
}

$clock->set('2026-03-03 10:00:00');
setup($node, 'postgres', $simulator);
value('SELECT create_market_investor_trend()');
foreach my $month (4 .. 12)
{
	$clock->set(sprintf '2026-%02d-03 10:00:00', $month);
	value('SELECT create_market_investor_trend()');
}

# All pairs each ten minutes of each day from March to December
value(q{
	INSERT INTO market_investor_trend_snapshot (market_code, sector_code, collected_at, trade_date, foreign_net_qty)
	SELECT market_code, sector_code, at, (at AT TIME ZONE 'Asia/Seoul')::date, 1
	FROM generate_series('2026-03-02 09:00+09'::timestamptz, '2026-12-31 15:30+09', '10 min') AS at, kis_sector
	WHERE (at AT TIME ZONE 'Asia/Seoul')::time BETWEEN '09:00' AND '15:30'
	ORDER BY at});
value('VACUUM ANALYZE market_investor_trend_snapshot');

my $pair = "market_code = 'KSP' AND sector_code = '0001'";
my $day = "collected_at >= '2026-07-10 00:00+09' AND collected_at < '2026-07-11 00:00+09'";

is(reads("$pair AND $day"), 'y2026m07: pkey', 'a day of a pair: one partition, by the key');
is(reads($day), 'y2026m07: collected_at_trade_date_idx', 'a day of all pairs: one partition, its blocks of that time');
is(reads("trade_date = '2026-07-10'"), 'y2026m07 y2026m08: collected_at_trade_date_idx',
	'by trade_date: its month and the next, where holidays might still show it');
is(reads("$pair AND trade_date = '2026-07-10'"), 'y2026m07 y2026m08: market_code_sector_code_trad', 'of a pair, by the index for that');
is(reads("trade_date BETWEEN '2026-03-02' AND '2026-03-31'"), 'y2026m03 y2026m04: collected_at_trade_date_idx',
	'a month by trade_date');

# An index of ranges of blocks costs next to nothing
is(value(q{SELECT bool_and(pg_relation_size(b.indexrelid) < 0.1 * pg_relation_size(k.indexrelid)), count(*)
	FROM pg_index b JOIN pg_index k USING (indrelid)
	WHERE b.indexrelid::regclass::text ~ '_y20.*_collected_at_trade_date_idx\d*$' AND k.indisprimary
		AND pg_relation_size(indrelid) > 0}),
	't|10', 'the index of time is small');
is(value(q{SELECT count(*) FROM pg_constraint WHERE conname = 'trade_date_near_month'
	AND convalidated AND conrelid::regclass::text ~ '^market_investor_trend_snapshot_y2026m(0[3-9]|1[0-2])$'}),
	10, 'each month knows its days');

# The longest closure that there can be, 30 days over a month's end, fits into it
my ($sqlstate) = sql_error($node, 'postgres', q{
	INSERT INTO market_investor_trend_snapshot (market_code, sector_code, collected_at, trade_date)
	VALUES ('KSP', '0001', '2026-07-01 08:00+09', '2026-06-01')});
is($sqlstate, undef, 'figures of 30 days before are taken');
($sqlstate) = sql_error($node, 'postgres', q{
	INSERT INTO market_investor_trend_snapshot (market_code, sector_code, collected_at, trade_date)
	VALUES ('KSP', '0002', '2026-07-01 08:00+09', '2026-05-31')});
is($sqlstate, '23514', 'those of 31 days before are none');

$node->stop;
done_testing();
