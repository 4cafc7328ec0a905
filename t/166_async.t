# Scans below an Append are asked at the same time: the rows, the calls and the
# bounds are those of one after the other, and whatever a scan waits for, the
# Append wakes when it is there, and at a cancel.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Bars;
use KisTest::Crowd;
use KisTest::Phases;
use KisTest::Shapes;
use List::Util qw(max);
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => 'max_connections = 100');

setup($node, 'postgres', $simulator, max_calls => 1000000);

# ---- the rows, and the planner's settings ----------------------------------------------

# The same names in three schemas: remote asks KIS, local holds what it said, and
# mixed is a server's that reads the local ones by postgres_fdw.
my %columns = (
	market => 'foreign_net_qty bigint, market_code text, trade_date date, sector_code text',
	sector => 'market_code text, sector_code text, foreign_net_qty bigint',
	investor => 'net_qty bigint, investor text, sector_code text, market_code text',
	daily => 'market_code text, sector_code text, trade_date date, close numeric',
	calendar => 'trade_date date, is_open boolean',
	level => 'sector_code text, level numeric, market_code text',
	program => 'all_net_amount bigint, market_code text, investor text');
my %table = (market => 'kis_market_trend', sector => 'kis_sector_trend', investor => 'kis_investor_trend',
	daily => 'kis_market_trend_daily', calendar => 'kis_calendar', level => 'kis_index', program => 'kis_program_trend');
my %rows = (daily => q{WHERE sector_code IN ('0001', '1001') AND trade_date BETWEEN '2026-06-01' AND '2026-06-30'},
	calendar => q{WHERE trade_date BETWEEN '2026-07-01' AND '2026-07-31'});

$node->safe_psql('postgres', join ";\n",
	'CREATE SCHEMA remote', 'CREATE SCHEMA local', 'CREATE EXTENSION postgres_fdw',
	'CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host ' . sql_literal($node->host)
	  . q{, port '} . $node->port . q{', dbname 'postgres', async_capable 'true')},
	'CREATE USER MAPPING FOR CURRENT_USER SERVER other',
	(map { ("CREATE FOREIGN TABLE remote.$_ ($columns{$_}) SERVER kis OPTIONS (table_name '$table{$_}')",
		"CREATE TABLE local.$_ AS SELECT * FROM remote.$_ " . ($rows{$_} || ''),
		"CREATE FOREIGN TABLE $_ ($columns{$_}) SERVER other OPTIONS (schema_name 'local')") } sort keys %columns),
	q{CREATE TABLE pairs (id int, m text, s text)},
	q{INSERT INTO pairs VALUES (1, 'KSP', '0001'), (2, 'KSQ', '1001'), (3, 'ETF', 'T000'), (4, 'XXX', '0001'), (5, NULL, '1001'), (6, 'KSP', '0013')});

# Partitions: four of foreign tables, one local, one of postgres_fdw; and children by inheritance
my %of_part = (ksp => q{IN ('KSP')}, ksq => q{IN ('KSQ')}, etf => q{IN ('ETF')}, k2i => q{IN ('K2I', 'MKI')});
my $figures = 'market_code text, sector_code text, foreign_net_qty bigint';

foreach my $schema (qw(remote local))
{
	my ($kind, $options) = $schema eq 'remote' ? ('FOREIGN TABLE', q{SERVER kis OPTIONS (table_name 'kis_sector_trend')}) : ('TABLE', '');
	my $fill = sub { $schema eq 'local' ? "INSERT INTO $_[0] SELECT market_code, sector_code, foreign_net_qty FROM $_[1]" : () };

	$node->safe_psql('postgres', join ";\n", "SET search_path = $schema, public",
		"CREATE TABLE parted ($figures) PARTITION BY LIST (market_code)",
		(map { ("CREATE $kind parted_$_ PARTITION OF parted FOR VALUES $of_part{$_} $options", $fill->("parted_$_", "remote.parted_$_")) } sort keys %of_part),
		q{CREATE TABLE parted_here PARTITION OF parted FOR VALUES IN ('HERE')},
		q{INSERT INTO parted_here SELECT 'HERE', n, n FROM generate_series(1, 3) n},
		($schema eq 'remote' ? (q{CREATE TABLE local.far AS SELECT 'FAR'::text AS market_code, n::text AS sector_code, n::bigint AS foreign_net_qty FROM generate_series(1, 3) n},
			q{CREATE FOREIGN TABLE parted_far PARTITION OF parted FOR VALUES IN ('FAR') SERVER other OPTIONS (schema_name 'local', table_name 'far')})
		: (q{CREATE TABLE parted_far PARTITION OF parted FOR VALUES IN ('FAR')}, q{INSERT INTO parted_far TABLE local.far})),
		'CREATE TABLE parent (sector_code text, market_code text, foreign_net_qty bigint)',
		q{INSERT INTO parent VALUES ('0001', 'KSP', 7)},
		map { ("CREATE $kind child_$_ ($figures) $options", "ALTER $kind child_$_ INHERIT parent", $fill->("child_$_", "remote.child_$_")) } 1 .. 2);
}

# Arms of a UNION ALL: so many pairs' each
sub arms
{
	my ($columns, @arms) = @_;

	return join ' UNION ALL ', map { "SELECT $columns FROM $_" } @arms;
}

my @three = map { "market WHERE market_code = '$_'" } qw(KSP KSQ ETF);
my $three = arms('market_code, foreign_net_qty', @three);
my @shapes = (
	'three pairs' => [$three],
	'trading days' => [arms('market_code, trade_date', @three)],
	'whole tables' => [arms('market_code, sector_code, foreign_net_qty', qw(market sector))],
	'all kinds of tables' => [q{SELECT 'm', market_code, foreign_net_qty FROM market UNION ALL SELECT 's', sector_code, foreign_net_qty FROM sector
		UNION ALL SELECT 'i', investor, net_qty FROM investor UNION ALL SELECT 'd', sector_code, close FROM daily WHERE sector_code IN ('0001', '1001') AND trade_date BETWEEN '2026-06-01' AND '2026-06-30'
		UNION ALL SELECT 'c', trade_date::text, is_open::int FROM calendar WHERE trade_date BETWEEN '2026-07-01' AND '2026-07-31'
		UNION ALL SELECT 'l', sector_code, level FROM level UNION ALL SELECT 'p', investor, all_net_amount FROM program}],
	'the same pair twice' => [arms('foreign_net_qty', @three[ 0, 0, 1 ])],
	'the same table thrice' => [arms('*', qw(market market market))],
	'filters on figures' => [arms('*', 'market WHERE foreign_net_qty > 0', 'market WHERE foreign_net_qty <= 0', 'market WHERE foreign_net_qty IS NULL')],
	'filters with subplans' => [arms('market_code', map { "market k WHERE foreign_net_qty <> (SELECT count(*) FROM sector s WHERE s.market_code = k.market_code) AND market_code <> '$_'" } qw(KSP KSQ))],
	'filters with an Append' => [arms('market_code', map { "market k WHERE (SELECT count(*) FROM parted p WHERE p.market_code = k.market_code) <> $_" } 0, 1)],
	'parameters' => [arms('*', map { "sector WHERE market_code = \$$_" } 1, 2), 'text, text', q{'KSP', 'ETF'}],
	'parameter that is NULL' => [arms('*', map { "sector WHERE market_code = \$$_" } 1, 2), 'text, text', q{NULL, 'ETF'}],
	'no pair in an arm' => [arms('market_code', @three[ 0, 1 ], q{market WHERE market_code = 'XXX'})],
	'no pair at all' => [q{SELECT count(*) FROM (} . arms('market_code', map { "market WHERE market_code = '$_'" } qw(XXX YYY)) . ') u'],
	'expressions' => [arms('upper(market_code) || $1, -foreign_net_qty', @three), 'text', q{'x'}],
	'different types' => [q{SELECT market_code, foreign_net_qty::numeric FROM market UNION ALL SELECT sector_code, close FROM daily WHERE sector_code = '0001' AND trade_date = '2026-06-15'}],
	'system columns' => [q{SELECT count(*), count(DISTINCT tableoid) FROM parted}],
	'whole rows' => [q{SELECT k FROM market k WHERE market_code = 'KSP' UNION ALL SELECT k FROM market k WHERE market_code = 'KSQ'}],
	'UNION' => [q{SELECT market_code FROM market UNION SELECT market_code FROM sector}],
	'INTERSECT and EXCEPT' => [q{SELECT sector_code FROM sector INTERSECT SELECT sector_code FROM market EXCEPT SELECT s FROM pairs}],
	'local arms' => [q{SELECT market_code, sector_code FROM market UNION ALL SELECT m, s FROM pairs UNION ALL SELECT market_code, sector_code FROM sector}],
	'local arms first' => [q{SELECT m FROM pairs UNION ALL SELECT m || s FROM pairs UNION ALL SELECT market_code FROM market}],
	'arms of postgres_fdw' => [arms('market_code', 'market', 'public.market', 'sector', 'public.sector')],
	'arms of all kinds' => [q{SELECT market_code FROM public.investor UNION ALL SELECT m FROM pairs UNION ALL SELECT market_code FROM market UNION ALL SELECT market_code FROM public.sector UNION ALL SELECT market_code FROM investor}],
	'nested' => [q{SELECT * FROM (SELECT market_code FROM market UNION ALL SELECT sector_code FROM sector LIMIT 1000) a UNION ALL SELECT investor FROM investor}],
	'nested, both sides' => [q{SELECT count(*) FROM (SELECT DISTINCT * FROM (} . arms('market_code', 'market', 'sector') . q{) a UNION ALL SELECT * FROM (} . arms('sector_code', 'market', 'sector') . q{ LIMIT 500) b) c}],
	'partitions' => [q{SELECT * FROM parted}],
	'pruned in planning' => [q{SELECT * FROM parted WHERE market_code IN ('KSP', 'HERE', 'FAR', 'MKI')}],
	'pruned at the start' => [q{SELECT * FROM parted WHERE market_code = ANY ($1)}, 'text[]', q{'{KSQ,ETF,FAR}'}],
	'pruned by an InitPlan' => [q{SELECT * FROM parted WHERE market_code = (SELECT m FROM pairs WHERE id = 2)}],
	'pruned by each row' => [q{SELECT id, sector_code, foreign_net_qty FROM pairs, LATERAL (SELECT * FROM parted WHERE market_code = m OFFSET 0) k}],
	'join of partitions' => [q{SELECT id, foreign_net_qty FROM pairs JOIN parted ON m = market_code AND s = sector_code}],
	'partitions twice' => [q{SELECT a.sector_code FROM parted a JOIN parted b USING (market_code, sector_code) WHERE a.market_code <> 'KSQ'}],
	'inheritance' => [q{SELECT * FROM parent WHERE sector_code = '0001'}],
	'join of inheritance' => [q{SELECT id, foreign_net_qty FROM pairs LEFT JOIN parent ON m = market_code AND s = sector_code}],
	'rescans' => [q{SELECT id, n FROM pairs, LATERAL (SELECT count(*) AS n FROM (} . arms('market_code', 'market WHERE market_code = m', 'sector WHERE market_code = m AND sector_code >= s') . q{) u) k}],
	'rescans with LIMIT' => [q{SELECT id, n FROM pairs, LATERAL (SELECT count(*) AS n FROM (SELECT * FROM (} . arms('market_code', 'market', 'sector WHERE market_code = m') . q{) u LIMIT id) l) k}],
	'rescans without a parameter' => [q{SELECT count(*) FROM pairs LEFT JOIN (} . arms('market_code', @three) . q{) u ON m > market_code OR id < 3}],
	'correlated' => [q{SELECT id, (SELECT sum(foreign_net_qty) FROM parted WHERE market_code = m AND sector_code <= s) FROM pairs}],
	'semi-join' => [q{SELECT id FROM pairs WHERE m IN (} . arms('market_code', 'market', 'sector') . ')'],
	'anti-join' => [q{SELECT id FROM pairs WHERE NOT EXISTS (SELECT FROM parted WHERE market_code = m AND sector_code = s)}],
	'aggregates' => [q{SELECT market_code, count(*), sum(foreign_net_qty) FROM parted GROUP BY ROLLUP (1)}],
	'window' => [q{SELECT sector_code, rank() OVER (PARTITION BY market_code ORDER BY foreign_net_qty) FROM parted WHERE market_code IN ('KSP', 'KSQ')}],
	'LIMIT' => [q{SELECT count(*) FROM (SELECT FROM parted LIMIT $1 OFFSET 20) k}, 'bigint', '15'],
	'ORDER BY and LIMIT' => [q{SELECT market_code, sector_code FROM parted ORDER BY 1, 2 LIMIT 5 OFFSET $1}, 'bigint', '7'],
	'CTE' => [q{WITH u AS MATERIALIZED (} . arms('market_code', qw(market sector)) . q{) SELECT a.market_code, count(*) FROM u a JOIN u b USING (market_code) GROUP BY 1}],
	'recursive CTE' => [q{WITH RECURSIVE r(code, n) AS (SELECT '0001'::text, 0 UNION ALL SELECT sector_code, n + 1 FROM r JOIN parted ON market_code = 'KSP' AND sector_code > code WHERE n < 2 AND sector_code < '0005') SELECT * FROM r}],
	'days' => [arms('sector_code, trade_date, close', map { "daily WHERE sector_code = '$_' AND trade_date BETWEEN '2026-06-01' AND '2026-06-30'" } qw(0001 1001))],
	'days by the newest' => [q{SELECT * FROM (} . arms('trade_date, sector_code', map { "daily WHERE sector_code = '$_' AND trade_date BETWEEN '2026-06-01' AND '2026-06-30'" } qw(0001 1001)) . ') u ORDER BY 1 DESC LIMIT 4']);

my $shapes = KisTest::Shapes->new($node, \@shapes);
my $plans = $node->safe_psql('postgres', "SET search_path = remote, public; EXPLAIN $three; EXPLAIN SELECT * FROM parted");

is(() = $plans =~ /Async Foreign Scan on (market|parted)/g, 8, 'EXPLAIN says Async');
$shapes->same_rows('', 1);
$shapes->same_rows("SET enable_$_ = off;\n", 1)
  foreach qw(async_append nestloop hashjoin mergejoin sort hashagg memoize material partition_pruning);
$shapes->same_rows("SET enable_partitionwise_join = on;\nSET enable_partitionwise_aggregate = on;\n", 1);
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});
$shapes->same_rows("SET plan_cache_mode = $_;\n", 2) foreach qw(force_generic_plan force_custom_plan);
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0', SET calendar 'kis')});
$shapes->same_rows("SET enable_nestloop = off;\n", 1);
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET calendar 'weekday')});

# ---- cursors, and rows that another transaction changes -----------------------------------

# Rows of a script in both schemas, sorted
sub same_script
{
	my ($what, $script) = @_;
	my ($local, $remote) = map { join "\n", sort split /\n/, $node->safe_psql('postgres', "SET search_path = $_, public;\n$script") } qw(local remote);

	isnt($local, '', "$what: has rows");
	is($remote, $local, $what);
	return;
}

same_script('a cursor', "BEGIN; DECLARE c CURSOR FOR $three; FETCH 1 FROM c; FETCH 1 FROM c; FETCH ALL FROM c");
same_script('a cursor that scrolls', 'BEGIN; DECLARE c SCROLL CURSOR FOR SELECT * FROM parted; FETCH ALL FROM c; MOVE ABSOLUTE 0 FROM c; FETCH ALL FROM c');
same_script('a cursor that is held', "BEGIN; DECLARE c CURSOR WITH HOLD FOR $three; COMMIT; FETCH ALL FROM c");
same_script('two cursors in turn', 'BEGIN; ' . join('; ', map { "DECLARE $_ CURSOR FOR SELECT * FROM parted" } qw(a b))
	  . '; FETCH 1 FROM a; FETCH ALL FROM b; FETCH ALL FROM a');
same_script('a cursor that fails in a part of the transaction', "BEGIN; DECLARE c CURSOR FOR $three; SAVEPOINT s; FETCH 1 FROM c; ROLLBACK TO s; FETCH ALL FROM c");
same_script('statements within a statement', q{CREATE FUNCTION pg_temp.n(text) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN RETURN (SELECT count(*) FROM parted WHERE market_code = $1); END $$;
	SELECT market_code, pg_temp.n(market_code) FROM parted});
same_script('a function that catches an error of its own', q{CREATE FUNCTION pg_temp.caught(bigint) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN RETURN 1 / 0; EXCEPTION WHEN division_by_zero THEN RETURN $1; END $$;
	} . arms('market_code, pg_temp.caught(foreign_net_qty)', map { "sector WHERE market_code = '$_' AND pg_temp.caught(1) = 1" } qw(KSP KSQ ETF)));
same_script('and one whose own Append fails', q{CREATE FUNCTION pg_temp.caught(text) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN PERFORM * FROM (SELECT 1 / (n - 1) FROM (SELECT length(market_code) - 2 AS n FROM market UNION ALL SELECT length(sector_code) - 3 FROM sector) u) v; RETURN 0;
	EXCEPTION WHEN division_by_zero THEN RETURN 1; END $$;
	} . arms('market_code, pg_temp.caught(market_code)', @three));

foreach my $statement (
	q{UPDATE t SET n = (SELECT count(*) FROM parted WHERE market_code = m AND sector_code <= s)},
	q{UPDATE t SET n = foreign_net_qty FROM parted WHERE market_code = m AND sector_code = s},
	q{SELECT id, m, foreign_net_qty FROM t LEFT JOIN parted ON market_code = m AND sector_code = s FOR UPDATE OF t})
{
	my %result;

	foreach my $schema (qw(local remote))
	{
		my ($first, $second) = map { $node->session } 1 .. 2;

		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT id, m, s, 0::bigint AS n FROM pairs');
		$second->query_safe("SET search_path = $schema, public");
		$first->query_safe(q{BEGIN; UPDATE t SET m = 'KSQ', s = '1001' WHERE id = 3});
		$second->send($statement);
		wait_until_blocked($node, $second);
		$first->query_safe('COMMIT');
		my $answer = $second->result;
		is_deeply($answer->{errors}, [], "EvalPlanQual: no error ($schema)");
		$result{$schema} = join "\n", (sort split /\n/, $answer->{output}), $node->safe_psql('postgres', 'SELECT * FROM t ORDER BY id');
		$_->quit foreach $first, $second;
	}
	is($result{remote}, $result{local}, "EvalPlanQual: $statement");
}

# ---- the calls ---------------------------------------------------------------------------

my $session = $node->session;
$session->query_safe('SET search_path = remote, public');

sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault($_) foreach @_;
	return;
}

sub set_options
{
	my (%options) = @_;

	$node->safe_psql('postgres', 'ALTER SERVER kis OPTIONS (' . join(', ', map { "SET $_ '$options{$_}'" } sort keys %options) . ')');
	return;
}

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (ADD max_wait '30s', ADD max_concurrent_requests '6', ADD max_retries '2')});

sub let_go
{
	$simulator->release(clear_faults => JSON::PP::true);
	return;
}

foreach my $of ([ 3, $three ], [ 4, 'SELECT market_code FROM parted WHERE sector_code IN (SELECT DISTINCT sector_code FROM local.market OFFSET 0)' ])
{
	fresh_count({ fault => 'hang' });
	$session->send($of->[1]);
	ok($simulator->wait_for('held', $of->[0]), "$of->[0] scans ask before any has a reply");
	let_go();
	is_deeply($session->result->{errors}, [], 'and have them');
}

# PostgreSQL has no Async below a query that drops columns of arms with conditions
foreach my $around ('count(*) FROM', 'market_code, count(*) FROM', 'sum(foreign_net_qty) FROM', 'market_code FROM')
{
	my $query = "SELECT $around ($three) u" . ($around =~ /^market_code, / ? ' GROUP BY 1' : $around =~ /^market_code / ? ' ORDER BY 1' : '');

	fresh_count({ fault => 'hang' });
	$session->send($query);
	ok($simulator->wait_for('held', 3), "$query: the arms' first calls go side by side");
	let_go();
	is_deeply($session->result->{errors}, [], 'and come');
}
fresh_count();
is($session->query_safe("SELECT 1 FROM ($three) u LIMIT 1"), 1, 'but not where a LIMIT may end it');
is($simulator->calls, 1, 'at the first');
fresh_count({ fault => 'error', match => { pair => 'KSP/0001' }, params => { msg_cd => 'OPSQ2001', status => 200 } });
is(($session->error("SET enable_async_append = off; SELECT count(*) FROM ($three) u"))[0], 'HV000', 'nor where scans are asked one after the other');
is($simulator->calls, 1, 'of which the first fails');
$session->query_safe('RESET enable_async_append');
fresh_count();

fresh_count({ fault => 'hang' });
$session->send(arms('market_code', 'sector', 'market', 'investor'));
$simulator->wait_for('held', 6);
is($simulator->calls, 6, 'max_concurrent_requests holds over all of them');
let_go();
is(() = $session->result->{output} =~ /^/mg, 71 + 19 + 19 * 12, 'and all is read');
is($simulator->calls, 71, 'by a call a pair, which all three tables show');

fresh_count();
$session->query_safe(arms('market_code', @three, @three));
is_deeply([ $simulator->pairs ], [qw(ETF/T000 KSP/0001 KSQ/1001)], 'the same pair in two arms is one call');

fresh_count();
is($session->query_safe('SELECT count(*) FROM (' . arms('market_code', 'sector', 'market') . ' LIMIT 1) u'), 1, 'LIMIT');
cmp_ok($simulator->calls, '<=', 7, 'makes no calls beyond those ahead of its row');
fresh_count();
$session->query_safe(q{PREPARE pruned(text) AS SELECT count(*) FROM parted WHERE market_code = $1; SET plan_cache_mode = force_generic_plan});
is($session->query_safe(q{EXECUTE pruned('ETF')}), $node->safe_psql('postgres', q{SELECT count(*) FROM local.parted_etf}), 'a partition');
is_deeply([ grep { !/^ETF/ } $simulator->pairs ], [], 'is asked for alone, where the others are pruned');
$session->query_safe('RESET plan_cache_mode');

set_options(max_calls => 5);
fresh_count();
is(($session->error(arms('market_code', @three, q{sector WHERE market_code = 'KSP'})))[0], '54000', 'max_calls');
is($simulator->calls, 0, 'refuses before the first call');
fresh_count();
is($session->query_safe('SELECT count(*) FROM (' . arms('market_code', (@three) x 3) . ') u'), 9, 'pairs that several arms read');
is($simulator->calls, 3, 'count once');
set_options(max_calls => 75);
fresh_count();
my ($sqlstate, $message) = $session->error(arms('sector_code', 'sector', q{daily WHERE trade_date = '2026-06-15'}));
is("$sqlstate $message", '54000 statement would take at least 76 calls to KIS, more than max_calls allows', 'it holds over all of them');
# a call whose connection a slow machine had doubted is made again
my %made;
foreach my $kind (qw(trend daily))
{
	$made{"$kind $_->{market}/$_->{sector}"} = 1 foreach $simulator->requests($kind);
}
cmp_ok(keys %made, '<=', 75, 'and no more are made');
set_options(max_calls => 1000000);

# ---- a scan that fails ----------------------------------------------------------------------

my $refuses = { fault => 'error', match => { pair => 'KSQ/1001' }, params => { msg_cd => 'OPSQ2001', status => 200 } };
my @without = do { fresh_count($refuses); $session->error("SET enable_async_append = off; $three") };
fresh_count($refuses);
is_deeply([ $session->error("SET enable_async_append = on; $three") ], \@without, 'the error is the same');
fresh_count($refuses, { fault => 'hang', match => { pair => 'KSP/0001' } });
$session->send($three);
is($session->result->{errors}[0]{sqlstate}, $without[0], 'and waits for no other scan');
let_go();
fresh_count({ fault => 'hang', match => { pair => 'KSQ/1001' } });
is($session->query_safe("SELECT count(*) FROM ($three LIMIT 2) u"), 2, 'nor do the rows that a LIMIT wants');
let_go();
fresh_count();
is($session->query_safe("SELECT count(*) FROM ($three) u"), 3, 'and the session works');

# ---- what a scan waits for that has no descriptor --------------------------------------------

# a retry
fresh_count({ fault => 'error', match => { pair => 'KSQ/1001' }, times => 1 });
is($session->query_safe("SELECT count(*) FROM ($three) u"), 3, 'a retry');
is($simulator->calls, 4, 'is made');

# the token
$simulator->reset;
$simulator->fault({ fault => 'hang', match => { kind => 'token' }, times => 1 });
$node->restart;
$session = $node->session;
$session->query_safe('SET search_path = remote, public');
my $second = $node->session;
$second->query_safe('SET search_path = remote, public');
$session->send($three);
$simulator->wait_for('held', 1);
$second->send($three);
eventually { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'AppendReady'}) == 2 };
is($simulator->calls, 0, 'no call is made without a token');
let_go();
is(join(' ', map { my @rows = split /\n/, $_->result->{output}; scalar @rows } $session, $second), '3 3', 'the token comes, here and in another session');
is($simulator->calls('token'), 1, 'which asks for none itself');

# another session's call
set_options(cache_ttl => '10s');
fresh_count({ fault => 'hang', match => { pair => 'KSQ/1001' }, times => 1 });
$second->send(q{SELECT market_code FROM sector WHERE market_code = 'KSQ' AND sector_code = '1001'});
$simulator->wait_for('held', 1);
$session->send($three);
$simulator->wait_for('data', 3);
eventually { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'AppendReady'}) == 1 };
let_go();
is(join(' ', map { my @rows = split /\n/, $_->result->{output}; scalar @rows } $session, $second), '3 1', q{another session's call});
is($simulator->calls, 3, 'is shared');
fresh_count();
is($session->query_safe("SELECT count(*) FROM ($three) u"), 3, 'and the cache has all');
is($simulator->calls, 0, 'without a call');

# the rate
set_options(cache_ttl => '0', requests_per_second => 2);
fresh_count();
is($session->query_safe("SELECT count(*) FROM ($three) u"), 3, 'the rate');
my @at = map { $_->{monotonic} } $simulator->requests('any');
cmp_ok($at[2] - $at[0], '>=', 1, 'is kept');
set_options(requests_per_second => '0.1', max_wait => '500ms');
fresh_count();
my @over = $session->error("SELECT count(*) FROM ($three) u");
is($over[0], '53400', 'max_wait is kept');
set_options(requests_per_second => 1000, max_wait => '30s');
$node->restart;

# a scan of postgres_fdw as well, which stands still
{
	my ($holder, $waiting) = map { $node->session } 1 .. 2;
	my $since = 'SELECT waits_for, clock_timestamp() - waiting_since > interval \'1 s\' FROM kis_activity WHERE pid = ' . $waiting->pid;

	fresh_count({ fault => 'hang', match => { pair => 'KSP/0001' } });
	$holder->query_safe(q{CREATE VIEW local.stands_still AS SELECT 'FAR'::text AS market_code WHERE pg_advisory_xact_lock(8) IS NOT NULL;
		CREATE FOREIGN TABLE stands_still (market_code text) SERVER other OPTIONS (schema_name 'local');
		BEGIN; SELECT pg_advisory_xact_lock(8)});
	$waiting->send(q{SELECT market_code FROM remote.market WHERE market_code = 'KSP' UNION ALL SELECT market_code FROM stands_still});
	ok((eventually { $node->safe_psql('postgres', $since) eq 'network|t' } 30), 'kis_activity says since when, beside a scan of postgres_fdw');
	let_go();
	$holder->query_safe('COMMIT');
	is_deeply($waiting->result->{errors}, [], 'and both come');
	$_->quit foreach $holder, $waiting;
}

# ---- a cursor that is idle holds nobody up -----------------------------------------------------

($session, $second) = map { my $new = $node->session; $new->query_safe('SET search_path = remote, public'); $new } 1 .. 2;
set_options(cache_ttl => '10s');
fresh_count({ fault => 'hang', match => { pair => [ 'KSQ/1001', 'ETF/T000' ] }, times => 2 });
is($session->query_safe("BEGIN; DECLARE c CURSOR FOR $three; FETCH 1 FROM c") =~ /^KSP/, 1, 'a cursor that has a row of one scan');
$simulator->wait_for('held', 2);
is($second->query_safe("SELECT count(*) FROM ($three) u"), 3, 'leaves the calls of the others to who asks for them');
is($simulator->calls, 3 + 2, 'anew');
let_go();
is(() = $session->query_safe('FETCH ALL FROM c; COMMIT') =~ /^\w+\|/mg, 2, 'and has its rows then');

# so does one that is cancelled, or fails, while the Append waits
foreach my $way (qw(cancel terminate))
{
	set_options(cache_ttl => $way eq 'cancel' ? '11s' : '12s');
	$node->restart;
	($session, $second) = map { my $new = $node->session; $new->query_safe('SET search_path = remote, public'); $new } 1 .. 2;
	fresh_count({ fault => 'hang', times => 3 });
	$session->send($three);
	$simulator->wait_for('held', 3);
	$second->send($three);
	eventually { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'AppendReady'}) == 2 };
	$node->safe_psql('postgres', "SELECT pg_${way}_backend(" . $session->pid . ')');
	is(() = $second->result->{output} =~ /^\w+\|/mg, 3, "those that waited for its calls go on: $way");
	is($simulator->calls, 6, 'by calls of their own');
	let_go();
}
set_options(cache_ttl => '0');

# ---- nothing is left behind ----------------------------------------------------------------------

$session = $node->session;
$session->query_safe('SET search_path = remote, public');
$session->query_safe($three) foreach 1 .. 5;
my $fds = backend_fds($session->pid);
$session->query_safe(join '; ', ($three) x 50);
is(backend_fds($session->pid), $fds, 'descriptors are as many after more queries');

# ---- eight sessions, and the rate -----------------------------------------------------------------

my $rate = 18;
my $many = 'SELECT count(*) FROM (' . arms('market_code', map { "sector WHERE market_code = '$_'" } qw(KSQ KSP ETF)) . ') u';
my $pairs = $session->query_safe($many);

set_options(requests_per_second => $rate, max_wait => '120s');
my $crowd = KisTest::Crowd->new($node, 8);
$crowd->query('SET search_path = remote, public');
fresh_count();
$simulator->config(rate => $rate, rate_window => 'sliding');
# as long as it takes to have passed the rate, had it been passed
$crowd->query("SET statement_timeout = '6s'");
my @results = $crowd->query($many, 120);
@at = map { $_->{monotonic} } $simulator->requests('any');
my ($first, $most) = (0, 0);
foreach my $last (0 .. $#at)
{
	$first++ while $at[$first] <= $at[$last] - 1;
	$most = max($most, $last - $first + 1);
}
cmp_ok($most, '<=', $rate, "eight sessions: no second of any alignment has more than $rate arrivals");
cmp_ok(scalar @at, '>=', 3 * $rate, 'of ' . @at);
is($simulator->stats->{refused_by_rate}, 0, 'and none is refused');
$crowd->quit;
set_options(requests_per_second => 1000, max_wait => '30s');
# ---- cancel and its like, in each phase ---------------------------------------------------------------

my $phases = KisTest::Phases->new(name => 'phases');
my $bars = KisTest::Bars->new($phases->node);
my $bystander = $phases->node->session;

foreach my $phase ($phases->all)
{
	my $sql = $phases->query($phase) . q{ UNION ALL SELECT market_code, sector_code, foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSQ'};

	$phases->prepare($phase);
	foreach my $way (qw(cancel timeout terminate))
	{
		my ($good, $wrong) = $bars->meet("$phase->{name}, $way", sub {
			my $interrupted = $phases->node->session;
			my ($result, $ms, $expected) = $phases->interrupt($way, $phase, $interrupted, $sql);
			my $error = $result->{errors}[0] || { sqlstate => '-', message => $result->{output} };
			my $outcome = "$error->{sqlstate}: $error->{message}";
			my @wrong = $outcome eq $expected ? () : $outcome;

			push @wrong, 'others are held up' unless $phases->works($bystander);
			push @wrong, 'the next query fails' unless $way eq 'terminate' || $phases->works($interrupted);
			$interrupted->quit;
			return ([$ms], \@wrong);
		});

		ok($good, "$phase->{name}: $way acts at once");
		is_deeply($wrong, [], 'and all goes on');
	}
	$phases->finish($phase);
}
diag $bars->summary;
$bystander->quit;
$phases->quit;
$phases->node->stop;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$_->quit foreach $session, $second;
$node->stop;
done_testing();
