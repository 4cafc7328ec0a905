# A server that lives in New York: days are Seoul's all the same, moments are
# right, and rows and snapshots lie where they should around each midnight.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new(config => { before_open => 'previous' });
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main',
	conf => "timezone = 'America/New_York'\nlog_timezone = 'America/New_York'\ndatestyle = 'SQL, MDY'\n",
	env => { %{ $clock->env }, TZ => 'America/New_York' });

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub collect
{
	my ($target) = @_;

	return value("SELECT trade_date, outcome, detail FROM collect_market_investor_trend('{$target}')");
}

$clock->set('2026-03-06 10:30:00');
setup($node, 'postgres', $simulator);
value('SELECT create_market_investor_trend()');
is(value('SHOW timezone'), 'America/New_York', 'the server is in New York');

# ---- a query: Korean time; what a session in New York shows; the trading day

foreach my $case (
	[ '2026-03-06 10:30:00', '03/05/2026 20:30', '03/06/2026', 'Friday morning in Seoul, Thursday evening there' ],
	[ '2026-03-06 13:59:00', '03/05/2026 23:59', '03/06/2026', 'before midnight there' ],
	[ '2026-03-06 14:01:00', '03/06/2026 00:01', '03/06/2026', 'after midnight there' ],
	[ '2026-03-06 23:59:00', '03/06/2026 09:59', '03/06/2026', 'before midnight in Seoul' ],
	[ '2026-03-07 00:01:00', '03/06/2026 10:01', '03/06/2026', 'Saturday in Seoul, Friday there' ],
	[ '2026-03-08 15:59:00', '03/08/2026 01:59', '03/06/2026', 'before the clocks change there' ],
	[ '2026-03-08 16:01:00', '03/08/2026 03:01', '03/06/2026', 'after that' ],
	[ '2026-03-09 08:29:00', '03/08/2026 19:29', '03/06/2026', 'Monday before the session, Sunday there' ],
	[ '2026-03-09 08:31:00', '03/08/2026 19:31', '03/09/2026', 'Monday in the session' ])
{
	my ($korean, $there, $day, $name) = @$case;

	$clock->set($korean);
	my ($moment, $shown, $trade_date) = split /\|/,
	  value(q{SELECT to_char(collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI'), collected_at, trade_date
		FROM kis_market_trend WHERE market_code = 'KSP'});
	is($moment, substr($korean, 0, 16), "$name: the moment");
	like($shown, qr/^\Q$there\E:/, "$name: as a session there shows it");
	is($trade_date, $day, "$name: the trading day");
}

# Columns of other types say the same
$clock->set('2026-03-10 00:10:00');
value(q{CREATE FOREIGN TABLE as_text (market_code text, collected_at text, trade_date text)
	SERVER kis OPTIONS (table_name 'kis_market_trend');
	CREATE FOREIGN TABLE as_seconds (market_code text, collected_at timestamptz(0), trade_date timestamptz)
	SERVER kis OPTIONS (table_name 'kis_market_trend');});
like(value("SELECT * FROM as_text WHERE market_code = 'KSP'"),
	qr{^KSP\|03/09/2026 11:10:0\d\.\d+ EDT\|03/09/2026$}, 'as text');
like(value("SELECT * FROM as_seconds WHERE market_code = 'KSP'"),
	qr{^KSP\|03/09/2026 11:10:0\d EDT\|03/09/2026 00:00:00 EDT$}, 'as another kind of time');

# A zone's name may be another's, too, or none that PostgreSQL knows
value(q{CREATE DOMAIN moment AS timestamptz;
	CREATE FOREIGN TABLE as_moments (market_code text, collected_at moment)
	SERVER kis OPTIONS (table_name 'kis_market_trend')});
foreach my $zone (qw(Asia/Shanghai Asia/Kolkata Asia/Manila Asia/Seoul Australia/Lord_Howe America/Sao_Paulo), 'XYZ-05:30')
{
	foreach my $style ('SQL, DMY', 'Postgres, MDY', 'German', 'ISO')
	{
		foreach my $table (qw(as_seconds as_moments))
		{
			is(value(qq{SET TimeZone = '$zone'; SET DateStyle = '$style';
				SELECT extract(epoch FROM now() - collected_at) BETWEEN -60 AND 60 FROM $table WHERE market_code = 'KSP'}),
				't', "$table, $zone, $style: the moment");
		}
	}
}

# ---- the store: a row a day in Seoul

my $rows = q{SELECT string_agg(trade_date || ' ' || to_char(collected_at AT TIME ZONE 'Asia/Seoul', 'MM-DD HH24:MI'), ', ' ORDER BY trade_date)
	FROM market_investor_trend WHERE market_code = 'KSP'};
$clock->set('2026-03-30 13:55:00');
is(collect('KSP'), '03/30/2026|inserted|', 'a first row, a minute before the day changes there');
$clock->set('2026-03-30 14:05:00');
like(collect('KSP'), qr/^03\/30\/2026\|updated\|/, 'the same day in Seoul after it');
$clock->set('2026-03-31 00:05:00');
like(collect('KSP'), qr/^03\/30\/2026\|(updated|unchanged)\|/, 'the same trading day after midnight in Seoul');
is(value($rows), '03/30/2026 03-31 00:05', 'is one row');
$clock->set('2026-03-31 10:00:00');
is(collect('KSP'), '03/31/2026|inserted|', 'the next session, the same day there');
is(value($rows), '03/30/2026 03-31 00:05, 03/31/2026 03-31 10:00', 'is another row');

# ---- the snapshots: a partition a month in Seoul

$clock->set('2026-03-31 23:59:30');
is(collect('ETF'), '03/31/2026|inserted|', 'the last minute of March in Seoul');
$clock->set('2026-04-01 00:00:30');
is(collect('ETN'), '03/31/2026|inserted|', 'the first minute of April');
$clock->set('2026-04-01 12:59:00');
is(collect('ELW'), '04/01/2026|inserted|', 'the last of March in New York');
is(value(q{SELECT string_agg(market_code || ' ' || tableoid::regclass, ', ' ORDER BY collected_at)
	FROM market_investor_trend_snapshot WHERE market_code <> 'KSP'}),
	'ETF market_investor_trend_snapshot_y2026m03, ETN market_investor_trend_snapshot_y2026m04, '
	  . 'ELW market_investor_trend_snapshot_y2026m04', 'each in its month in Seoul');
is(value(q{SELECT string_agg(c.relname || ' ' || pg_get_expr(relpartbound, oid), ', ' ORDER BY relname)
	FROM pg_class c WHERE relispartition AND relkind = 'r' AND relname LIKE '%snapshot%'}),
	join(', ', map { "market_investor_trend_snapshot_y2026m0$_->[0] FOR VALUES FROM ('$_->[1]') TO ('$_->[2]')" }
	  [ 3, '02/28/2026 10:00:00 EST', '03/31/2026 11:00:00 EDT' ],
	  [ 4, '03/31/2026 11:00:00 EDT', '04/30/2026 11:00:00 EDT' ],
	  [ 5, '04/30/2026 11:00:00 EDT', '05/31/2026 11:00:00 EDT' ]),
	'from midnight to midnight there, whatever the clocks do in New York');

# Made by a session elsewhere, the next ones join without a gap
$clock->set('2026-05-10 10:00:00');
value(q{SET timezone = 'Pacific/Auckland'; SET datestyle = 'German'; SELECT create_market_investor_trend()});
is(value(q{SELECT count(*) FROM (SELECT lag(split_part(pg_get_expr(relpartbound, oid), '''', 4)) OVER (ORDER BY relname) AS ended,
		split_part(pg_get_expr(relpartbound, oid), '''', 2) AS begins
		FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE '%snapshot%') p WHERE ended <> begins}), 0, 'no gap between partitions');
is(value("SELECT to_regclass('market_investor_trend_snapshot_y2026m06')"), 'market_investor_trend_snapshot_y2026m06',
	'the one of June among them');

# ---- what KIS tells in Korean time

value("SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'");
is(value(q{SELECT tokens_issued > 1, token_expires_at - now() BETWEEN '23 hours' AND '24 hours' FROM kis_stat}),
	't|t', 'tokens ended after their day, the last one lives for a day');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
