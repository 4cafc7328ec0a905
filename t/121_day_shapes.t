# The tables with a row a day: whatever a query looks like, and whichever plan
# it gets, they give the rows that local tables with the same content give.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Shapes;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 10:30:00');
setup($node, 'postgres', $simulator, import => 0, max_calls => 1000000, cache_ttl => '1h');

# remote asks KIS, local holds what it said: some years of some pairs, which
# the views of either confine the queries to. Daily's columns are in an order
# and of types of our own.
$node->safe_psql('postgres', q{
	CREATE SCHEMA remote;
	CREATE SCHEMA local;
	CREATE FOREIGN TABLE remote.all_daily (
		bank_net_qty numeric, trade_date date, close numeric, market_code text, sector_code varchar(4), foreign_net_amount bigint
	) SERVER kis OPTIONS (table_name 'kis_market_trend_daily');
	CREATE FOREIGN TABLE remote.all_calendar (is_open boolean, weekday int, trade_date date)
		SERVER kis OPTIONS (table_name 'kis_calendar');
	CREATE FOREIGN TABLE remote.text_calendar (trade_date text, day date OPTIONS (field 'bass_dt'), is_open text)
		SERVER kis OPTIONS (table_name 'kis_calendar');

	CREATE VIEW remote.daily AS SELECT * FROM remote.all_daily
		WHERE trade_date BETWEEN '2024-06-01' AND '2026-07-09' AND sector_code IN ('0001', '0013', '1001');
	CREATE VIEW remote.calendar AS SELECT * FROM remote.all_calendar
		WHERE trade_date BETWEEN '2026-01-01' AND '2026-12-31';
	CREATE VIEW remote.texts AS SELECT * FROM remote.text_calendar WHERE day BETWEEN '2026-09-20' AND '2026-10-10';
	CREATE TABLE local.daily AS TABLE remote.daily;
	CREATE TABLE local.calendar AS TABLE remote.calendar;
	CREATE TABLE local.texts AS TABLE remote.texts;
	CREATE TABLE days AS SELECT n AS id, day::date, CASE WHEN n % 3 = 0 THEN 'KSQ' ELSE 'KSP' END AS m,
		CASE WHEN n % 3 = 0 THEN '1001' WHEN n % 5 = 0 THEN '0013' ELSE '0001' END AS s
	FROM generate_series('2026-01-01'::timestamp, '2026-07-20', '13 days') WITH ORDINALITY AS t(day, n);
	INSERT INTO days VALUES (100, NULL, 'KSP', '0001'), (101, '2026-07-08', NULL, NULL), (102, '2026-07-08', 'XXX', '0001'), (103, '2024-06-03', 'KSP', '0001');
	ANALYZE days;
	CREATE FUNCTION stable_day() RETURNS date STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN '2026-07-06'; END $$;
});

# name => query [, types of its parameters, their values]
my @shapes = (
	'all' => [q{SELECT * FROM daily}],
	'calendar' => [q{SELECT * FROM calendar}],
	'no column' => [q{SELECT FROM daily WHERE trade_date > '2026-07-01'}],
	'day' => [q{SELECT * FROM daily WHERE trade_date = '2026-07-08'}],
	'day without a session' => [q{SELECT * FROM daily WHERE trade_date = '2026-05-05'}],
	'range of parameters' => [q{SELECT * FROM daily WHERE market_code = $1 AND trade_date >= $2 AND trade_date < $3}, 'text, date, date', q{'KSP', '2025-01-01', '2025-03-01'}],
	'BETWEEN' => [q{SELECT * FROM calendar WHERE trade_date BETWEEN $1 AND $2}, 'date, date', q{'2026-09-20', '2026-10-10'}],
	'parameter that is NULL' => [q{SELECT * FROM daily WHERE trade_date = $1}, 'date', 'NULL'],
	'any of an array' => [q{SELECT trade_date, close FROM daily WHERE trade_date = ANY ($1) AND sector_code = '0001'}, 'date[]', q{'{2024-06-03,2026-07-08,NULL,2026-07-11,2025-10-02}'}],
	'IN' => [q{SELECT * FROM calendar WHERE trade_date IN ('2026-01-01', '2026-12-31', '2026-06-30', '2030-01-01')}],
	'inequality' => [q{SELECT count(*) FROM daily WHERE trade_date <> $1 AND sector_code = '0013'}, 'date', q{'2026-07-08'}],
	'functions of the day' => [q{SELECT sector_code, avg(close) FROM daily WHERE extract(month FROM trade_date) = $1 AND extract(dow FROM trade_date) = 1 GROUP BY 1}, 'int', '3'],
	'OR of pairs and days' => [q{SELECT * FROM daily WHERE (market_code = 'KSP' AND sector_code = '0001' AND trade_date < '2024-06-10') OR (market_code = 'KSQ' AND trade_date > $1) OR (close < 0)}, 'date', q{'2026-07-01'}],
	'row comparison' => [q{SELECT trade_date FROM daily WHERE sector_code = '0001' AND (trade_date, sector_code) >= ($1, '0001')}, 'date', q{'2026-07-06'}],
	'timestamps and texts' => [q{SELECT count(*) FROM daily WHERE trade_date > $1 AND trade_date::text LIKE '2026-%-0%'}, 'timestamp', q{'2026-02-28 12:00'}],
	'expressions' => [q{SELECT trade_date FROM calendar WHERE CASE WHEN trade_date - $1 > 0 THEN trade_date - $1 < 40 ELSE false END AND is_open}, 'date', q{'2026-09-01'}],
	'nulls' => [q{SELECT count(*) FROM daily WHERE trade_date IS NOT NULL AND trade_date IS DISTINCT FROM $1}, 'date', 'NULL'],
	'stable function' => [q{SELECT * FROM daily WHERE trade_date = stable_day() AND random() >= 0}],
	'InitPlan' => [q{SELECT * FROM daily WHERE trade_date >= (SELECT max(day) FROM days WHERE id < $1) AND sector_code = (SELECT s FROM days WHERE id = 100)}, 'int', '14'],
	'figures' => [q{SELECT trade_date, bank_net_qty FROM daily WHERE foreign_net_amount > 0 AND trade_date > '2026-06-01'}],
	'order' => [q{SELECT trade_date FROM daily WHERE market_code = 'KSP' AND sector_code = '0001' ORDER BY trade_date DESC LIMIT $1 OFFSET $2}, 'int, int', '5, 298'],
	'order the other way' => [q{SELECT trade_date FROM daily WHERE market_code = 'KSP' AND sector_code = '0001' ORDER BY trade_date LIMIT 5}],
	'order of many' => [q{SELECT trade_date, sector_code FROM daily ORDER BY trade_date DESC, sector_code LIMIT 7}],
	'order of many by the day' => [q{SELECT row_number() OVER (), trade_date FROM (SELECT trade_date FROM daily ORDER BY trade_date DESC LIMIT $1 OFFSET $2) k}, 'int, int', '40, 2'],
	'order of many over pages' => [q{SELECT row_number() OVER (), trade_date FROM (SELECT trade_date FROM daily ORDER BY trade_date DESC LIMIT 1000 OFFSET 500) k}],
	'order of many, all' => [q{SELECT string_agg(k::text, ' ') FROM (SELECT trade_date, sector_code, close, foreign_net_amount FROM daily ORDER BY trade_date DESC NULLS LAST, sector_code) k}],
	'order of many with days of their own' => [q{SELECT row_number() OVER (), k.* FROM (SELECT trade_date, sector_code FROM daily WHERE sector_code = '0001' OR (sector_code = '0013' AND extract(day FROM trade_date) % 3 = $1) OR (market_code = 'KSQ' AND trade_date < '2026-06-01') ORDER BY trade_date DESC, sector_code LIMIT 60) k}, 'int', '1'],
	'order of many with few days' => [q{SELECT string_agg(trade_date::text, ' ') FROM (SELECT trade_date FROM daily WHERE (sector_code = '0013' AND trade_date IN ('2025-10-02', '2024-06-03')) OR (sector_code = '0001' AND trade_date IN ('2026-07-08', '2024-07-01')) OR (sector_code = '1001' AND trade_date BETWEEN '2024-06-28' AND '2024-07-02') ORDER BY trade_date DESC LIMIT 20) k}],
	'order of many with a filter' => [q{SELECT string_agg(trade_date || sector_code, ' ') FROM (SELECT trade_date, sector_code FROM daily WHERE foreign_net_amount > 0 ORDER BY trade_date DESC, sector_code LIMIT 20) k}],
	'order of many, groups' => [q{SELECT row_number() OVER (), k.* FROM (SELECT trade_date, count(*), sum(foreign_net_amount) FROM daily GROUP BY trade_date ORDER BY trade_date DESC LIMIT $1) k}, 'int', '4'],
	'order of many, different days' => [q{SELECT DISTINCT trade_date FROM daily WHERE sector_code IN ('0001', '1001') ORDER BY trade_date DESC LIMIT 4}],
	'order of many, window' => [q{SELECT trade_date, rank() OVER (ORDER BY trade_date DESC) FROM daily WHERE market_code = 'KSP' LIMIT 400}],
	'order of a union' => [q{SELECT row_number() OVER (), k.* FROM (SELECT trade_date FROM (SELECT trade_date, 1 AS n FROM daily UNION ALL SELECT trade_date, 2 FROM daily WHERE market_code = 'KSP' UNION ALL SELECT day, 3 FROM days WHERE day IS NOT NULL) u ORDER BY trade_date DESC LIMIT 50) k}],
	'order of a join by the day' => [q{SELECT string_agg(k::text, ' ') FROM (SELECT trade_date, a.sector_code, b.sector_code FROM daily a JOIN daily b USING (trade_date) WHERE a.market_code = 'KSP' AND b.sector_code <> '0001' ORDER BY trade_date DESC, 2, 3 LIMIT 30) k}],
	'order of the calendar' => [q{SELECT trade_date FROM calendar WHERE is_open ORDER BY trade_date LIMIT $1}, 'int', '40'],
	'LIMIT over pairs' => [q{SELECT count(*) FROM (SELECT FROM daily WHERE trade_date > '2026-06-01' LIMIT $1) k}, 'int', '50'],
	'LIMIT over many pages' => [q{SELECT count(*) FROM (SELECT FROM daily OFFSET 700 LIMIT 200) k}],
	'WITH TIES' => [q{SELECT trade_date, sector_code FROM daily ORDER BY trade_date DESC FETCH FIRST 2 ROWS WITH TIES}],
	'DISTINCT ON' => [q{SELECT DISTINCT ON (sector_code) sector_code, trade_date, close FROM daily ORDER BY sector_code, trade_date DESC}],
	'min and max' => [q{SELECT min(trade_date), max(trade_date) FROM daily WHERE sector_code = '1001'}],
	'inner join by all' => [q{SELECT id, close FROM days JOIN daily ON m = market_code AND s = sector_code AND day = trade_date}],
	'join by the day' => [q{SELECT id, sector_code, close FROM days JOIN daily ON day = trade_date}],
	'join by the pair' => [q{SELECT id, count(*), sum(foreign_net_amount) FROM days JOIN daily ON m = market_code AND s = sector_code WHERE trade_date > '2026-05-01' GROUP BY id}],
	'join by an inequality' => [q{SELECT id, count(*) FROM days JOIN daily ON m = market_code AND s = sector_code AND trade_date > day GROUP BY id}],
	'left join' => [q{SELECT id, day, is_open FROM days LEFT JOIN calendar ON day = trade_date}],
	'left join of the foreign table' => [q{SELECT trade_date, id FROM calendar LEFT JOIN days ON day = trade_date WHERE trade_date < '2026-03-01'}],
	'full join' => [q{SELECT id, trade_date FROM days FULL JOIN calendar ON day = trade_date}],
	'daily with the calendar' => [q{SELECT count(*), count(close) FROM calendar LEFT JOIN daily USING (trade_date) WHERE is_open AND trade_date BETWEEN '2026-05-01' AND '2026-05-31'}],
	'self-join' => [q{SELECT a.trade_date, a.close - b.close FROM daily a JOIN daily b ON a.market_code = b.market_code AND a.sector_code = b.sector_code AND b.trade_date = a.trade_date - 7 WHERE a.trade_date > '2026-06-01' AND a.sector_code = '0001'}],
	'correlated subquery' => [q{SELECT id, (SELECT close FROM daily WHERE market_code = m AND sector_code = s AND trade_date = day) FROM days}],
	'correlated subquery, the last day before' => [q{SELECT id, (SELECT trade_date FROM daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date < day ORDER BY trade_date DESC LIMIT 1) FROM days}],
	'correlated subquery, the last day of many' => [q{SELECT id, (SELECT trade_date FROM daily WHERE trade_date < day AND sector_code <> s ORDER BY trade_date DESC LIMIT 1) FROM days}],
	'correlated subquery, days of their own' => [q{SELECT id, (SELECT string_agg(sector_code || trade_date, ' ' ORDER BY sector_code, trade_date) FROM daily WHERE (sector_code = s OR trade_date = day) AND trade_date BETWEEN day - $1 AND day) FROM days}, 'int', '9'],
	'LATERAL, the last days of many' => [q{SELECT id, k.* FROM days, LATERAL (SELECT trade_date, sector_code FROM daily WHERE trade_date <= day AND market_code = m ORDER BY trade_date DESC, sector_code LIMIT 3) k}],
	'LATERAL and LIMIT' => [q{SELECT id, k.trade_date FROM days, LATERAL (SELECT trade_date FROM calendar WHERE trade_date >= day AND is_open ORDER BY trade_date LIMIT 1) k}],
	'LATERAL with different pairs and days' => [q{SELECT id, n FROM days, LATERAL (SELECT count(*) AS n FROM daily WHERE market_code = m AND sector_code = s AND trade_date BETWEEN day - 10 AND day) k}],
	'VALUES' => [q{SELECT * FROM (VALUES ('2026-07-08'::date), ('2026-07-08'), ($1), ('2026-07-11')) v(d) JOIN daily ON d = trade_date}, 'date', q{'2025-07-08'}],
	'semi-join' => [q{SELECT trade_date, sector_code FROM daily WHERE (market_code, sector_code, trade_date) IN (SELECT m, s, day FROM days)}],
	'anti-join' => [q{SELECT trade_date FROM calendar c WHERE is_open AND trade_date < '2026-07-10' AND NOT EXISTS (SELECT FROM daily d WHERE d.trade_date = c.trade_date)}],
	'anti-join of open days' => [q{SELECT trade_date FROM calendar c WHERE trade_date < '2026-03-10' AND NOT EXISTS (SELECT FROM daily d WHERE d.trade_date = c.trade_date AND d.sector_code = '0001')}],
	'UNION ALL' => [q{SELECT * FROM (SELECT trade_date, 1 AS n FROM daily UNION ALL SELECT trade_date, 2 FROM calendar UNION ALL SELECT day, 3 FROM days) u WHERE trade_date = $1}, 'date', q{'2026-07-08'}],
	'EXCEPT' => [q{SELECT trade_date FROM calendar WHERE is_open EXCEPT SELECT trade_date FROM daily}],
	'CTE' => [q{WITH k AS MATERIALIZED (SELECT * FROM daily WHERE trade_date > '2026-06-20') SELECT a.trade_date FROM k a JOIN k b USING (trade_date) WHERE a.sector_code < b.sector_code}],
	'recursive CTE' => [q{WITH RECURSIVE r(d, n) AS (SELECT '2026-09-23'::date, 0 UNION ALL SELECT (SELECT min(trade_date) FROM calendar WHERE trade_date > d AND is_open), n + 1 FROM r WHERE n < 5) SELECT * FROM r}],
	'window' => [q{SELECT trade_date, sector_code, close - lag(close) OVER (PARTITION BY sector_code ORDER BY trade_date) FROM daily WHERE trade_date > '2026-05-01'}],
	'FILTER' => [q{SELECT count(*) FILTER (WHERE trade_date < $1), max(trade_date) FILTER (WHERE sector_code = '0013') FROM daily}, 'date', q{'2025-01-01'}],
	'whole rows' => [q{SELECT k FROM daily k WHERE trade_date = $1}, 'date', q{'2026-07-08'}],
	'the day as text' => [q{SELECT * FROM texts WHERE trade_date >= $1}, 'text', q{'20260927'}],
	'the day under another name' => [q{SELECT trade_date, is_open FROM texts WHERE day = $1}, 'date', q{'2026-09-25'}],
);

my $shapes = KisTest::Shapes->new($node, \@shapes);

$shapes->same_rows('', 1);
foreach my $method (qw(hashjoin mergejoin nestloop memoize material sort))
{
	$shapes->same_rows("SET enable_$method = off;\n", 1);
}
$shapes->same_rows("SET enable_hashjoin = off;\nSET enable_mergejoin = off;\n", 1);
foreach my $mode (qw(auto force_generic_plan))
{
	$shapes->same_rows("SET plan_cache_mode = $mode;\n", $mode eq 'auto' ? 7 : 2);
}

# ---- cursors, and rows that another transaction changes meanwhile -------------------

sub same_script
{
	my ($what, $script) = @_;
	my ($local, $remote) =
	  map { $node->safe_psql('postgres', "SET search_path = $_, public;\n$script") } qw(local remote);

	isnt($local, '', "$what: has rows");
	is($remote, $local, $what);
	return;
}

same_script('a cursor, forwards and backwards', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT trade_date FROM calendar WHERE is_open ORDER BY trade_date;
	FETCH 30 FROM c; FETCH BACKWARD 2 FROM c; FETCH ABSOLUTE 100 FROM c; MOVE FIRST FROM c; FETCH 3 FROM c;
	COMMIT;});
same_script('a cursor over pages and pairs', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT trade_date, sector_code FROM daily WHERE sector_code <> '1001' ORDER BY sector_code, trade_date DESC;
	FETCH 2 FROM c; FETCH ABSOLUTE 301 FROM c; MOVE ABSOLUTE 600 FROM c; FETCH 2 FROM c; FETCH ABSOLUTE 3 FROM c;
	COMMIT;});
same_script('a cursor over pairs by the day', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT trade_date FROM daily ORDER BY trade_date DESC;
	FETCH 2 FROM c; FETCH ABSOLUTE 901 FROM c; FETCH BACKWARD 3 FROM c; MOVE ABSOLUTE 1200 FROM c; FETCH 2 FROM c; FETCH LAST FROM c; FETCH ABSOLUTE 3 FROM c;
	DECLARE d NO SCROLL CURSOR FOR SELECT trade_date FROM daily WHERE market_code = 'KSP' ORDER BY trade_date DESC;
	FETCH 3 FROM d; MOVE FORWARD 595 FROM d; FETCH 4 FROM d; FETCH 1 FROM c;
	COMMIT;});
same_script('PL/pgSQL with plans kept', q{
	CREATE FUNCTION pg_temp.close_of(d date) RETURNS numeric LANGUAGE plpgsql AS $$
	DECLARE found numeric;
	BEGIN
		SELECT close INTO found FROM daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= d ORDER BY trade_date DESC LIMIT 1;
		RETURN found;
	END $$;
	SELECT id, pg_temp.close_of(day) FROM days ORDER BY id;});

sub same_after_change
{
	my ($what, $statement) = @_;
	my %result;

	foreach my $schema (qw(local remote))
	{
		my $first = $node->session('postgres');
		my $second = $node->session('postgres');

		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT *, 0::numeric AS figure FROM days');
		$second->query_safe("SET search_path = $schema, public");
		$first->query_safe(q{BEGIN; UPDATE t SET day = '2026-07-08' WHERE id = 3; UPDATE t SET m = 'KSP', s = '0013' WHERE id = 6; UPDATE t SET day = '2026-05-05' WHERE id = 9});
		$second->send($statement);
		wait_until_blocked($node, $second);
		$first->query_safe('COMMIT');
		my $answer = $second->result;
		is_deeply($answer->{errors}, [], "$what: no error ($schema)");
		$result{$schema} = join "\n", (sort split /\n/, $answer->{output}),
		  $node->safe_psql('postgres', 'SELECT * FROM t ORDER BY id');
		$_->quit foreach $first, $second;
	}
	is($result{remote}, $result{local}, $what);
	return;
}

same_after_change('EvalPlanQual in UPDATE FROM',
	q{UPDATE t SET figure = close FROM daily WHERE market_code = m AND sector_code = s AND trade_date = day});
same_after_change('EvalPlanQual with a subquery',
	q{UPDATE t SET figure = (SELECT close FROM daily WHERE market_code = m AND sector_code = s AND trade_date <= day ORDER BY trade_date DESC LIMIT 1)});
same_after_change('EvalPlanQual in SELECT FOR UPDATE',
	q{SELECT id, is_open FROM t LEFT JOIN calendar ON trade_date = day FOR UPDATE OF t});

# ---- what is asked --------------------------------------------------------------------

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0', SET max_calls '3')});

sub calls_of
{
	my ($query) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set('2026-07-10 10:30:00');
	$node->safe_psql('postgres', "SET search_path = remote; $query");
	return join ' ', sort map { "$_->{market}/$_->{sector}" } $simulator->requests('daily');
}

my $kospi = q{SELECT trade_date FROM all_daily WHERE market_code = 'KSP' AND sector_code = '0001'};

is(calls_of("$kospi ORDER BY trade_date DESC LIMIT 10"), 'KSP/0001', 'a LIMIT in the order of the pages is not refused for pages it does not need');
is(calls_of("$kospi AND trade_date > '2010-01-01' LIMIT 301"), 'KSP/0001 KSP/0001', 'two pages where it needs two');
is(calls_of(q{SELECT trade_date FROM all_daily WHERE trade_date > '2026-01-01' LIMIT 10}), 'KSP/0001', 'a LIMIT that one pair fills asks for no other');
is(calls_of(q{SELECT trade_date FROM all_daily WHERE sector_code IN ('0001', '0002', '0003', '0004') AND trade_date IN ('2026-07-08', '2026-07-11') LIMIT 2}),
	'KSP/0001 KSP/0002', 'one that needs two pairs asks for two');

# By the day, several pairs: no page that a LIMIT doesn't need
sub dates_of
{
	my ($query) = @_;

	calls_of($query);
	return join ' ', sort map { "$_->{sector}:$_->{query}{FID_INPUT_DATE_1}" } $simulator->requests('daily');
}

# The weekday before the 300 rows that begin with 2026-07-10
my $second = $node->safe_psql('postgres', q{
	SELECT to_char(oldest - CASE extract(isodow FROM oldest) WHEN 1 THEN 3 ELSE 1 END, 'YYYYMMDD')
	FROM (SELECT trade_date AS oldest FROM local.daily WHERE sector_code = '0001' ORDER BY trade_date DESC OFFSET 298 LIMIT 1) AS page});
my $two = q{SELECT trade_date FROM all_daily WHERE sector_code IN ('0001', '0013')};
my $by_day = 'ORDER BY trade_date DESC LIMIT';

is(dates_of("$two $by_day 4"), '0001:20260710 0013:20260710', 'the last days of two pairs: a call each');
is(dates_of("$two $by_day 1"), '0001:20260710', 'nothing can be newer than the row of today');
is(dates_of("$two AND trade_date <= '2026-07-05' $by_day 1"), '0001:20260703', 'nor than that of a Friday before a weekend');
is(dates_of("$two AND trade_date <= '2026-06-03' $by_day 1"), '0001:20260603 0013:20260603', 'but a holiday may have one');
is(dates_of("$two $by_day 600"), '0001:20260710 0013:20260710', 'two pages to their ends');
is(dates_of("$two $by_day 601"), "0001:$second 0001:20260710 0013:20260710", 'and one row more: one page more');
is(dates_of("SELECT trade_date FROM all_daily WHERE (sector_code = '0001' OR (sector_code = '0013' AND trade_date <= '2025-01-02')) $by_day 310"),
	"0001:$second 0001:20260710", 'a pair whose days come later is not asked before');
is(dates_of("SELECT trade_date FROM all_daily WHERE (sector_code = '0013' OR (sector_code = '0001' AND trade_date <= '2026-01-02')) $by_day 490"),
	"0001:20260102 0013:$second 0013:20260710", 'of two pairs one turns its page');
is(dates_of("SELECT max(trade_date) FROM all_daily WHERE market_code = 'KSP'"), '0001:20260710', 'the last day of a market');

# as many as max_calls allows
sub allow_calls
{
	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET max_calls '$_[0]')");
	return;
}

my $some = q{market_code = 'KSP' AND sector_code < '0010'};
my @sectors = split /\n/, $node->safe_psql('postgres', "SELECT sector_code FROM kis_sector WHERE $some ORDER BY 1");
my $first_pages = join ' ', map { "$_:20260710" } @sectors;
my $many = "SELECT trade_date FROM all_daily WHERE $some";

allow_calls(scalar @sectors);
is(dates_of("$many $by_day 40"), $first_pages, 'the last days of many pairs: a call for each');
is(dates_of("$many ORDER BY trade_date DESC, sector_code LIMIT 5"), $first_pages, 'the same where the codes order the day');
is(dates_of("$many AND foreign_net_amount IS NOT NULL $by_day 1"), join(' ', map { "$_:20260710" } @sectors[ 0 .. 5 ]),
	'a filter may leave fewer: max_concurrent_requests ahead');
is(dates_of("$many $by_day 3"), join(' ', map { "$_:20260710" } @sectors[ 0 .. 2 ]), 'no more pairs than rows are wanted');
is(dates_of("SELECT trade_date, sum(foreign_net_amount) FROM all_daily WHERE $some GROUP BY 1 ORDER BY 1 DESC LIMIT 3"), $first_pages,
	'totals of the last days');

# side by side
calls_of('SELECT 1');
my $session = $node->session('postgres');
$simulator->fault({ fault => 'hang', times => 6 });
$session->send("SET search_path = remote; $many $by_day 40");
$simulator->wait_for('held', 6);
is($simulator->calls, 6, 'max_concurrent_requests at a time');
$simulator->release;
is_deeply($session->result->{errors}, [], 'and all come');
$session->quit;

allow_calls(@sectors - 1);
calls_of('SELECT 1');
is((sql_error($node, 'postgres', "SET search_path = remote; $many $by_day 40"))[0], '54000', 'a call more than max_calls is refused');
is($simulator->calls, 0, 'before the first');

allow_calls(3);
calls_of('SELECT 1');
is((sql_error($node, 'postgres', "SET search_path = remote; $kospi AND trade_date > '2010-01-01' LIMIT 2000"))[0], '54000',
	'one that needs too many pages is refused');
is(calls_of('SELECT 1'), '', 'and');
is($simulator->calls, 0, 'nothing asked');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$node->stop;
done_testing();
