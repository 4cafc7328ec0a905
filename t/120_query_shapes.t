# Whatever a query looks like, and whichever plan it gets, a foreign table
# gives the rows that a local table with the same content gives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Shapes;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator, import => 0, max_calls => 1000000);

# The same names in two schemas: remote asks KIS, local holds what it said.
# The simulator's clock stands still, so figures stay.
$node->safe_psql('postgres', q{
	CREATE SCHEMA remote;
	CREATE SCHEMA local;
	CREATE FOREIGN TABLE remote.market (
		foreign_net_qty bigint, market_code text, trade_date date, bank_net_qty integer,
		sector_code varchar(4), individual_net_amount numeric
	) SERVER kis OPTIONS (table_name 'kis_market_trend');
	CREATE FOREIGN TABLE remote.sector (
		market_code text, sector_code text, foreign_net_qty bigint, institution_net_qty bigint
	) SERVER kis OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE remote.investor (
		net_qty bigint, investor varchar(20), sector_code text, market_code text, buy_amount numeric
	) SERVER kis OPTIONS (table_name 'kis_investor_trend', pairs 'all');
	CREATE TABLE local.market AS TABLE remote.market;
	CREATE TABLE local.sector AS TABLE remote.sector;
	CREATE TABLE local.investor AS TABLE remote.investor;

	CREATE TABLE pairs (id int PRIMARY KEY, m text, s text, note text);
	INSERT INTO pairs VALUES
		(1, 'KSP', '0001', 'a'), (2, 'KSP', '0001', 'b'), (3, 'KSP', '0013', 'c'),
		(4, 'KSQ', '1001', 'd'), (5, 'ETF', 'T000', 'e'), (6, 'XXX', '0001', 'f'),
		(7, NULL, '0001', 'g'), (8, 'KSP', NULL, 'h'), (9, 'K2I', 'OC01', 'i'), (10, 'ETF', 'T000', 'j');
	CREATE TABLE many AS SELECT m, s, n FROM pairs, generate_series(1, 50) n;
	ANALYZE many;

	CREATE FUNCTION stable_market() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 'KSP'; END $$;
	CREATE FUNCTION says(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS
		$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
});

# A partition, and a child by inheritance, whose columns stand in another order.
foreach my $schema (qw(remote local))
{
	my ($kind, $options) = $schema eq 'remote'
	  ? ('FOREIGN TABLE', q{SERVER kis OPTIONS (table_name 'kis_sector_trend')})
	  : ('TABLE', '');
	my $fill = $schema eq 'remote'
	  ? ''
	  : q{INSERT INTO local.parted_ksp SELECT foreign_net_qty, sector_code, market_code FROM remote.parted_ksp;
		INSERT INTO local.child SELECT sector_code, foreign_net_qty, market_code FROM remote.child;};

	$node->safe_psql('postgres', qq{
		SET search_path = $schema, public;
		CREATE TABLE parted (market_code text, sector_code text, foreign_net_qty bigint) PARTITION BY LIST (sector_code);
		CREATE $kind parted_ksp (foreign_net_qty bigint, sector_code text, market_code text) $options;
		ALTER TABLE parted ATTACH PARTITION parted_ksp DEFAULT;
		CREATE TABLE parted_old PARTITION OF parted FOR VALUES IN ('9999');
		INSERT INTO parted_old VALUES ('KSP', '9999', 1);
		CREATE TABLE parent (foreign_net_qty bigint, market_code text, sector_code text);
		INSERT INTO parent VALUES (7, 'KSP', '0001');
		CREATE $kind child (sector_code text, foreign_net_qty bigint, market_code text) $options;
		ALTER FOREIGN TABLE child INHERIT parent;
		CREATE VIEW barred WITH (security_barrier) AS
			SELECT market_code, sector_code, foreign_net_qty FROM market WHERE market_code <> 'KSQ';
		CREATE VIEW plain AS SELECT *, foreign_net_qty * 2 AS twice FROM sector WHERE market_code IN ('KSP', 'ETF');
		$fill
	} =~ s/ALTER FOREIGN TABLE child/ALTER $kind child/r);
}

# name => query [, types of its parameters, their values]
my @shapes = (
	'one pair' => [q{SELECT * FROM market WHERE market_code = 'KSP' AND sector_code = '0001'}],
	'all' => [q{SELECT * FROM market}],
	'no column' => [q{SELECT FROM sector}],
	'parameters' => [q{SELECT * FROM market WHERE market_code = $1 AND sector_code >= $2}, 'text, text', q{'K2I', 'O'}],
	'parameter that is NULL' => [q{SELECT * FROM market WHERE market_code = $1}, 'text', 'NULL'],
	'any of an array' => [q{SELECT * FROM market WHERE market_code = ANY ($1) AND sector_code <> ALL ($2)}, 'text[], text[]', q{'{KSP,K2I,NULL}', '{F001}'}],
	'pattern' => [q{SELECT * FROM sector WHERE sector_code LIKE $1 AND market_code !~ $2}, 'text, text', q{'_0%', 'I$'}],
	'expressions on the keys' => [q{SELECT * FROM sector WHERE CASE WHEN market_code = 'KSP' THEN sector_code < '0005' ELSE length(market_code || sector_code) > $1 END AND coalesce(market_code, 'x') <> 'KSQ'}, 'int', '6'],
	'OR of keys and figures' => [q{SELECT * FROM sector WHERE (market_code = 'ETF' AND foreign_net_qty <> 0) OR (sector_code = $1 AND institution_net_qty <> 0) OR (market_code, sector_code) IN (('KSQ', '1001'), ('KSP', '0002'))}, 'text', q{'0001'}],
	'row comparison' => [q{SELECT market_code, sector_code FROM sector WHERE (market_code, sector_code) > ($1, $2)}, 'text, text', q{'KSQ', '1010'}],
	'nulls' => [q{SELECT market_code FROM market WHERE market_code IS NOT DISTINCT FROM $1 OR sector_code IS NULL}, 'text', q{'MKI'}],
	'keys with each other' => [q{SELECT * FROM sector WHERE market_code < sector_code OR market_code = sector_code}],
	'cast of a key' => [q{SELECT market_code, sector_code FROM sector WHERE sector_code ~ '^\d+$' AND CASE WHEN sector_code ~ '^\d+$' THEN sector_code::int BETWEEN $1 AND 1003 END}, 'int', '20'],
	'stable and volatile functions' => [q{SELECT * FROM market WHERE market_code = stable_market() AND random() >= 0}],
	'InitPlan' => [q{SELECT * FROM market WHERE market_code = (SELECT m FROM pairs WHERE id = $1) AND sector_code = ANY (ARRAY(SELECT s FROM pairs))}, 'int', '4'],
	'inner join' => [q{SELECT id, k.* FROM pairs JOIN sector k ON m = market_code AND s = sector_code}],
	'join of many' => [q{SELECT m, s, count(*), sum(foreign_net_qty) FROM many JOIN sector ON m = market_code AND s = sector_code GROUP BY 1, 2}],
	'left join' => [q{SELECT id, m, s, k.foreign_net_qty FROM pairs LEFT JOIN sector k ON m = market_code AND s = sector_code AND k.foreign_net_qty <> $1}, 'bigint', '0'],
	'left join of the foreign table' => [q{SELECT k.*, id FROM market k LEFT JOIN pairs ON m = market_code AND s = sector_code}],
	'full join' => [q{SELECT id, k.* FROM pairs FULL JOIN market k ON m = market_code AND s = sector_code}],
	'cross join' => [q{SELECT id, market_code FROM pairs, market WHERE id < 3 AND market_code LIKE 'E%'}],
	'join by the market' => [q{SELECT id, sector_code FROM pairs JOIN market ON m = market_code}],
	'join by the sector' => [q{SELECT id, market_code FROM pairs JOIN sector ON s = sector_code}],
	'join by an inequality' => [q{SELECT id, sector_code FROM pairs JOIN sector ON market_code = m AND sector_code < s}],
	'join by expressions' => [q{SELECT id, market_code FROM pairs JOIN market ON lower(market_code) = lower(m) AND sector_code = s || ''}],
	'keys of two relations' => [q{SELECT a.id, b.id, k.foreign_net_qty FROM pairs a, pairs b, sector k WHERE a.m = k.market_code AND b.s = k.sector_code AND a.id <> b.id}],
	'both keys in one class' => [q{SELECT id, k.* FROM pairs JOIN sector k ON m = market_code AND m = sector_code}],
	'outer joins of outer joins' => [q{SELECT id, a.sector_code, b.foreign_net_qty FROM pairs LEFT JOIN market a ON a.market_code = m LEFT JOIN sector b ON b.market_code = a.market_code AND b.sector_code = a.sector_code AND id > 2}],
	'outer join to what may be null' => [q{SELECT p.id, x.c FROM pairs p LEFT JOIN (SELECT coalesce(market_code, 'none') AS c, sector_code FROM market WHERE market_code <> 'KSQ') x ON x.c = p.m AND x.sector_code = p.s}],
	'VALUES' => [q{SELECT * FROM (VALUES ('KSP', '0001', 1), ('ETF', 'T000', 2), ('ETF', 'T000', $1), ('X', 'Y', 3)) v(m, s, n) JOIN sector ON m = market_code AND s = sector_code}, 'int', '9'],
	'unnest' => [q{SELECT * FROM unnest($1, $2) AS u(m, s) LEFT JOIN market ON m = market_code AND s = sector_code}, 'text[], text[]', q{'{KSP,KSQ,KSP}', '{0001,0001,0001}'}],
	'self-join' => [q{SELECT a.sector_code, b.sector_code FROM market a JOIN market b USING (market_code) WHERE a.sector_code < b.sector_code}],
	'two foreign tables' => [q{SELECT market_code, s.sector_code, m.bank_net_qty FROM market m JOIN sector s USING (market_code) WHERE s.foreign_net_qty > m.foreign_net_qty}],
	'semi-join by IN' => [q{SELECT * FROM sector WHERE (market_code, sector_code) IN (SELECT m, s FROM pairs)}],
	'semi-join by EXISTS' => [q{SELECT * FROM sector k WHERE EXISTS (SELECT FROM pairs WHERE m = k.market_code AND s = k.sector_code AND id > $1)}, 'int', '2'],
	'semi-join to the foreign table' => [q{SELECT id FROM pairs WHERE EXISTS (SELECT FROM sector WHERE market_code = m AND sector_code = s AND foreign_net_qty IS NOT NULL)}],
	'anti-join' => [q{SELECT * FROM market k WHERE NOT EXISTS (SELECT FROM pairs WHERE m = k.market_code)}],
	'anti-join to the foreign table' => [q{SELECT id FROM pairs WHERE NOT EXISTS (SELECT FROM sector WHERE market_code = m AND sector_code = s)}],
	'NOT IN' => [q{SELECT market_code FROM market WHERE market_code NOT IN (SELECT m FROM pairs WHERE m IS NOT NULL)}],
	'LATERAL with LIMIT' => [q{SELECT id, k.* FROM pairs, LATERAL (SELECT * FROM sector WHERE market_code = m AND sector_code >= s ORDER BY sector_code LIMIT $1) k}, 'int', '2'],
	'LATERAL with LIMIT by the row' => [q{SELECT id, k.n FROM pairs, LATERAL (SELECT count(*) AS n FROM (SELECT FROM sector WHERE market_code = m LIMIT id) l) k}],
	'LATERAL and an outer join' => [q{SELECT id, k.n FROM pairs LEFT JOIN LATERAL (SELECT sector_code || id AS n FROM market WHERE market_code = m) k ON true}],
	'LATERAL twice' => [q{SELECT id, b.n FROM pairs, LATERAL (SELECT max(market_code) AS x FROM market WHERE market_code = m) a, LATERAL (SELECT count(*) AS n FROM sector WHERE market_code = a.x AND sector_code > s) b}],
	'correlated subquery' => [q{SELECT id, (SELECT foreign_net_qty FROM sector WHERE market_code = m AND sector_code = s) FROM pairs}],
	'correlated subquery as a condition' => [q{SELECT sector_code FROM sector a WHERE foreign_net_qty = (SELECT max(foreign_net_qty) FROM sector b WHERE b.market_code = a.market_code)}],
	'subquery beside a key' => [q{SELECT id FROM pairs WHERE m = ANY (SELECT market_code FROM market WHERE sector_code = s)}],
	'condition with a subplan' => [q{SELECT market_code FROM market k WHERE k.market_code = (SELECT min(m) FROM pairs WHERE m >= k.market_code)}],
	'aggregate of a join' => [q{SELECT m, sum(k.foreign_net_qty) FROM (SELECT DISTINCT m FROM pairs) p JOIN (SELECT market_code, max(foreign_net_qty) AS foreign_net_qty FROM sector GROUP BY 1) k ON market_code = m GROUP BY m}],
	'UNION ALL' => [q{SELECT * FROM (SELECT market_code, sector_code, 1 AS n FROM market UNION ALL SELECT market_code, sector_code, 2 FROM sector UNION ALL SELECT m, s, 3 FROM pairs) u WHERE market_code = $1}, 'text', q{'KSP'}],
	'join to UNION ALL' => [q{SELECT id, n FROM pairs JOIN (SELECT market_code, 1 AS n FROM market UNION ALL SELECT market_code, 2 FROM sector) u ON market_code = m}],
	'EXCEPT and INTERSECT' => [q{SELECT market_code, sector_code FROM sector EXCEPT SELECT m, s FROM pairs INTERSECT SELECT market_code, sector_code FROM sector}],
	'CTE, inlined' => [q{WITH k AS NOT MATERIALIZED (SELECT * FROM sector) SELECT a.sector_code FROM k a JOIN k b USING (sector_code) WHERE a.market_code = 'KSP'}],
	'CTE, materialized' => [q{WITH k AS MATERIALIZED (SELECT * FROM market) SELECT id, foreign_net_qty FROM pairs JOIN k ON m = market_code}],
	'CTE of the outer side' => [q{WITH p AS MATERIALIZED (SELECT * FROM pairs) SELECT id, foreign_net_qty FROM p JOIN sector ON m = market_code AND s = sector_code}],
	'recursive CTE' => [q{WITH RECURSIVE r(code, n) AS (SELECT '0001'::text, 0 UNION ALL SELECT sector_code, n + 1 FROM r JOIN sector ON market_code = 'KSP' AND sector_code > code WHERE n < 2 AND sector_code < '0005') SELECT * FROM r}],
	'window' => [q{SELECT market_code, sector_code, rank() OVER (PARTITION BY market_code ORDER BY foreign_net_qty) FROM sector}],
	'FILTER' => [q{SELECT count(*) FILTER (WHERE market_code = 'KSP'), sum(foreign_net_qty) FILTER (WHERE sector_code LIKE $1) FROM sector}, 'text', q{'1%'}],
	'grouping sets' => [q{SELECT market_code, left(sector_code, 1), count(*) FROM sector GROUP BY ROLLUP (1, 2) HAVING count(*) > 1}],
	'DISTINCT ON' => [q{SELECT DISTINCT ON (market_code) market_code, sector_code FROM sector ORDER BY market_code, sector_code DESC}],
	'ORDER BY and LIMIT' => [q{SELECT market_code, sector_code FROM sector ORDER BY 1, 2 LIMIT $1 OFFSET $2}, 'bigint, bigint', '5, 3'],
	'WITH TIES' => [q{SELECT market_code FROM market ORDER BY market_code FETCH FIRST 2 ROWS WITH TIES}],
	'LIMIT' => [q{SELECT count(*) FROM (SELECT FROM sector LIMIT $1 OFFSET 69) k}, 'bigint', '5'],
	'LIMIT NULL' => [q{SELECT count(*) FROM (SELECT FROM market LIMIT $1) k}, 'bigint', 'NULL'],
	'LIMIT over functions that return sets' => [q{SELECT count(*) FROM (SELECT generate_series(1, CASE market_code WHEN 'KSP' THEN 0 ELSE 1 END) FROM market LIMIT 3) k}],
	'whole rows' => [q{SELECT k, to_jsonb(k)->'trade_date' FROM market k WHERE market_code = 'KSQ'}],
	'whole rows through a join' => [q{SELECT count(DISTINCT k), count(k), count(*) FROM pairs LEFT JOIN market k ON m = market_code}],
	'system columns' => [q{SELECT count(*), count(DISTINCT tableoid) FROM market}],
	'partition' => [q{SELECT * FROM parted WHERE market_code = $1 AND sector_code IN ('0001', '0002', '9999')}, 'text', q{'KSP'}],
	'join of partitions' => [q{SELECT id, foreign_net_qty FROM pairs JOIN parted ON m = market_code AND s = sector_code}],
	'inheritance' => [q{SELECT * FROM parent WHERE sector_code = '0001'}],
	'join of inheritance' => [q{SELECT id, foreign_net_qty FROM pairs LEFT JOIN parent ON m = market_code AND s = sector_code}],
	'view' => [q{SELECT id, twice FROM pairs JOIN plain ON m = market_code AND s = sector_code}],
	'security barrier' => [q{SELECT * FROM barred WHERE market_code = ANY ($1)}, 'text[]', q{'{KSQ,KSP}'}],
	'investors' => [q{SELECT * FROM investor WHERE market_code = $1 AND investor = ANY ($2)}, 'text, text[]', q{'KSQ', '{bank,foreign,NULL}'}],
	'investors, all of them' => [q{SELECT count(*), count(DISTINCT investor), sum(net_qty) FROM investor}],
	'OR of pairs and investors' => [q{SELECT * FROM investor WHERE (market_code = 'KSP' AND investor = $1) OR (sector_code = '1001' AND investor LIKE 'i%') OR (market_code, investor) IN (('ETF', 'bank'), ('ETF', 'insurance'))}, 'text', q{'pe_fund'}],
	'investors and their parts' => [q{SELECT part_of, sum(net_qty) FROM investor JOIN kis_investor_type ON code = investor WHERE sector_code LIKE '00_3' GROUP BY 1}],
	'join of investors to a pair' => [q{SELECT id, investor, net_qty FROM pairs JOIN investor ON m = market_code AND s = sector_code WHERE investor <> 'bank'}],
	'join of investors to the market' => [q{SELECT k.market_code, k.sector_code, foreign_net_qty, i.net_qty, i.investor FROM market k JOIN investor i ON i.market_code = k.market_code AND i.sector_code = k.sector_code AND i.investor IN ('foreign', 'bank')}],
	'left join of investors' => [q{SELECT id, investor, buy_amount FROM pairs LEFT JOIN investor ON m = market_code AND s = sector_code AND investor = $1}, 'text', q{'individual'}],
	'join of investors to each other' => [q{SELECT a.sector_code, a.net_qty + b.net_qty FROM investor a JOIN investor b ON a.market_code = b.market_code AND a.sector_code = b.sector_code AND b.investor = 'individual' WHERE a.investor = 'foreign' AND a.market_code = 'K2I'}],
	'LATERAL investors with LIMIT' => [q{SELECT id, n FROM pairs, LATERAL (SELECT count(*) AS n FROM (SELECT FROM investor WHERE market_code = m LIMIT 5 * id) l) k}],
	'correlated subquery of investors' => [q{SELECT id, (SELECT max(net_qty) FROM investor WHERE market_code = m AND sector_code = s AND investor > note) FROM pairs}],
	'investors that join nothing' => [q{SELECT code FROM kis_investor_type t WHERE NOT EXISTS (SELECT FROM investor WHERE market_code = 'KSP' AND sector_code = '0001' AND investor = t.code AND net_qty > 0)}],
	'window over investors' => [q{SELECT market_code, sector_code, first_value(investor) OVER (PARTITION BY market_code, sector_code ORDER BY net_qty DESC, investor) FROM investor WHERE investor NOT IN ('institution')}],
	'LIMIT on investors' => [q{SELECT count(*) FROM (SELECT FROM investor LIMIT $1 OFFSET 840) k}, 'bigint', '15'],
	'security barrier in a join' => [q{SELECT id, b.foreign_net_qty FROM pairs JOIN barred b ON m = market_code AND s = sector_code}],
);

my $shapes = KisTest::Shapes->new($node, \@shapes);

$shapes->same_rows('', 1);
foreach my $method (qw(hashjoin mergejoin nestloop memoize material sort hashagg))
{
	$shapes->same_rows("SET enable_$method = off;\n", 1);
}
$shapes->same_rows("SET enable_hashjoin = off;\nSET enable_mergejoin = off;\n", 1);
$shapes->same_rows("SET from_collapse_limit = 1;\nSET join_collapse_limit = 1;\n", 1);

# seven runs: a plan becomes generic after the fifth
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});
foreach my $mode (qw(auto force_generic_plan force_custom_plan))
{
	$shapes->same_rows("SET plan_cache_mode = $mode;\n", 7);
}
$shapes->same_rows("SET plan_cache_mode = force_generic_plan;\nSET enable_nestloop = off;\n", 2);
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});

# ---- cursors and PL/pgSQL ----------------------------------------------------

sub same_script
{
	my ($what, $script) = @_;
	my ($local, $remote) =
	  map { $node->safe_psql('postgres', "SET search_path = $_, public;\n$script") } qw(local remote);

	isnt($local, '', "$what: has rows");
	is($remote, $local, $what);
}

same_script('a cursor, forwards and backwards', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT market_code, sector_code FROM sector WHERE market_code <> 'KSQ';
	FETCH 3 FROM c; FETCH BACKWARD 2 FROM c; FETCH ABSOLUTE 30 FROM c; MOVE FIRST FROM c; FETCH ALL FROM c;
	COMMIT;});
same_script('a cursor over investors', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT market_code, sector_code, investor, net_qty FROM investor WHERE market_code = 'K2I';
	FETCH 14 FROM c; FETCH BACKWARD 5 FROM c; FETCH ABSOLUTE 25 FROM c; MOVE FIRST FROM c; FETCH ALL FROM c;
	COMMIT;});
same_script('a cursor that is held', q{
	BEGIN;
	DECLARE c CURSOR WITH HOLD FOR SELECT id, foreign_net_qty FROM pairs JOIN sector ON m = market_code AND s = sector_code ORDER BY id;
	FETCH 1 FROM c;
	COMMIT;
	FETCH ALL FROM c;});
same_script('a cursor over a join', q{
	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT id, (SELECT foreign_net_qty FROM sector WHERE market_code = m AND sector_code = s)
		FROM pairs ORDER BY id;
	FETCH 4 FROM c; MOVE ABSOLUTE 1 FROM c; FETCH ALL FROM c;
	COMMIT;});
same_script('PL/pgSQL with plans kept', q{
	CREATE FUNCTION pg_temp.figure(m text, s text) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE figure bigint;
	BEGIN
		SELECT foreign_net_qty INTO figure FROM sector WHERE market_code = m AND sector_code = s;
		RETURN figure;
	END $$;
	SELECT id, pg_temp.figure(m, s) FROM pairs ORDER BY id;
	CREATE FUNCTION pg_temp.loop() RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE p record; k record;
	BEGIN
		FOR p IN SELECT m, s FROM pairs ORDER BY id LOOP
			FOR k IN SELECT * FROM market WHERE market_code = p.m LOOP
				RETURN NEXT p.s || k.sector_code;
			END LOOP;
		END LOOP;
	END $$;
	SELECT * FROM pg_temp.loop();});
same_script('SQL functions', q{
	CREATE FUNCTION pg_temp.of(m text) RETURNS SETOF sector STABLE LANGUAGE sql AS 'SELECT * FROM sector WHERE market_code = m LIMIT 4';
	SELECT id, f.sector_code FROM pairs, pg_temp.of(m) f ORDER BY 1, 2;});
same_script('INSERT, UPDATE, DELETE and MERGE from it', q{
	CREATE TEMP TABLE t AS SELECT id, m, s, 0::bigint AS figure FROM pairs;
	UPDATE t SET figure = foreign_net_qty FROM sector WHERE market_code = m AND sector_code = s;
	DELETE FROM t USING market WHERE market_code = m AND market_code = 'ETF';
	INSERT INTO t SELECT 100, market_code, sector_code FROM market WHERE market_code LIKE 'W%';
	MERGE INTO t USING market k ON k.market_code = t.m AND k.sector_code = t.s
		WHEN MATCHED THEN UPDATE SET figure = k.bank_net_qty WHEN NOT MATCHED THEN INSERT VALUES (200, k.market_code, k.sector_code);
	SELECT * FROM t ORDER BY id, m, s;});

# ---- EvalPlanQual: rows that another transaction changes meanwhile -----------

# The blocked statement goes on with the changed row.
sub same_after_change
{
	my ($what, $change, $statement) = @_;
	my %result;

	foreach my $schema (qw(local remote))
	{
		my $first = $node->session('postgres');
		my $second = $node->session('postgres');

		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT id, m, s, 0::bigint AS figure FROM pairs');
		$second->query_safe("SET search_path = $schema, public");
		$first->query_safe("BEGIN; $change");
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
}

my $move = q{UPDATE t SET m = 'KSQ', s = '1001' WHERE id = 3; UPDATE t SET m = 'XXX' WHERE id = 5};
same_after_change('EvalPlanQual in UPDATE FROM', $move,
	q{UPDATE t SET figure = foreign_net_qty FROM sector WHERE market_code = m AND sector_code = s});
same_after_change('EvalPlanQual with a subquery', $move,
	q{UPDATE t SET figure = (SELECT foreign_net_qty FROM sector WHERE market_code = m AND sector_code = s) WHERE m = ANY (SELECT market_code FROM market)});
same_after_change('EvalPlanQual in SELECT FOR UPDATE', $move,
	q{SELECT id, m, foreign_net_qty FROM t LEFT JOIN sector ON market_code = m AND sector_code = s WHERE id > 1 FOR UPDATE OF t});
same_after_change('EvalPlanQual with LATERAL and LIMIT', $move,
	q{SELECT id, n FROM t, LATERAL (SELECT sector_code AS n FROM sector WHERE market_code = m AND sector_code = s LIMIT 1) k FOR UPDATE OF t});
same_after_change('EvalPlanQual with investors', $move,
	q{UPDATE t SET figure = net_qty FROM investor WHERE market_code = m AND sector_code = s AND investor = 'insurance'});
same_after_change('EvalPlanQual in DELETE USING', $move,
	q{DELETE FROM t USING market WHERE market_code = m AND sector_code = s RETURNING id, bank_net_qty});

# A row that the recheck locks has changed, too, which rechecks within the recheck
{
	my ($first, $second) = map { $node->session('postgres') } 1 .. 2;

	$node->safe_psql('postgres', q{
		CREATE TABLE chosen (id int, line int);
		CREATE TABLE line (id int, m text, s text, changes int);
		INSERT INTO chosen VALUES (1, 1);
		INSERT INTO line VALUES (1, 'KSP', '0001', 0), (2, 'KSP', '0001', 0)});
	$first->query_safe('BEGIN; UPDATE chosen SET line = 2; UPDATE line SET changes = 1 WHERE id = 2');
	$simulator->reset(keep_tokens => JSON::PP::true);
	$second->send(q{UPDATE chosen SET id = 2 WHERE EXISTS (SELECT FROM line WHERE line.id = chosen.line AND
		(SELECT foreign_net_qty FROM remote.sector WHERE market_code = m AND sector_code = s) IS NOT NULL FOR UPDATE)});
	wait_until_blocked($node, $second);
	$first->query_safe('COMMIT');
	is_deeply($second->result->{errors}, [], 'EvalPlanQual within EvalPlanQual');
	is($node->safe_psql('postgres', 'SELECT id, line FROM chosen'), '2|2', 'changes the row that the other session has changed');
	is($simulator->calls, 1, 'and the pair is asked for once in the statement');
	$_->quit foreach $first, $second;
}

# ---- security --------------------------------------------------------------------

# a function that tells what it sees doesn't come to see what the view hides
foreach my $query (
	q{SELECT * FROM barred WHERE says(market_code)},
	q{SELECT * FROM barred WHERE says(market_code || sector_code) AND sector_code LIKE '%0%'},
	q{SELECT b.* FROM pairs JOIN barred b ON m = market_code AND says(market_code || m)})
{
	foreach my $nestloop (qw(on off))
	{
		my $result = run_sql($node, 'postgres', "SET search_path = remote, public;\nSET enable_nestloop = $nestloop;\n$query");

		is_deeply($result->{errors}, [], $query);
		unlike($result->{stderr}, qr/saw \S*KSQ/, "nothing hidden is shown, nestloop $nestloop");
		like($result->{stderr}, qr/saw KSP/, 'and what is not hidden is');
	}
}
# nor does planning evaluate it
my $planned = run_sql($node, 'postgres', q{EXPLAIN SELECT * FROM remote.market WHERE says(market_code)});
is($planned->{stderr}, '', 'planning evaluates no function that may show itself');
is(run_sql($node, 'postgres', q{EXPLAIN SELECT * FROM remote.market WHERE 1 / (length(market_code) - 3) > 0})->{stderr},
	'', 'or fail');

# a view asks as its owner, with security_invoker as the one who reads it
$node->safe_psql('postgres', sprintf q{
	SET log_statement = 'none';
	CREATE ROLE owner; CREATE ROLE reader;
	GRANT USAGE ON FOREIGN SERVER kis TO owner;
	GRANT USAGE ON SCHEMA remote TO owner, reader;
	GRANT SELECT ON remote.market, pairs TO owner, reader;
	CREATE USER MAPPING FOR owner SERVER kis OPTIONS (app_key %s, app_secret %s);
	CREATE VIEW owned AS SELECT market_code, sector_code, foreign_net_qty FROM remote.market;
	ALTER VIEW owned OWNER TO owner;
	CREATE VIEW invoked WITH (security_invoker) AS SELECT market_code FROM remote.market;
	ALTER VIEW invoked OWNER TO owner;
	GRANT SELECT ON owned, invoked TO reader;
}, map { sql_literal($_) } $simulator->app_key, $simulator->app_secret);
is($node->safe_psql('postgres', q{SET ROLE reader; SELECT sector_code FROM owned WHERE market_code = 'KSP'}),
	'0001', "a view uses its owner's user mapping");
is($node->safe_psql('postgres', q{SET ROLE reader; SELECT count(*) FROM pairs JOIN owned ON m = market_code AND s = sector_code}),
	$node->safe_psql('postgres', q{SELECT count(*) FROM pairs JOIN local.market ON m = market_code AND s = sector_code}),
	'in a join too');
is((sql_error($node, 'postgres', q{SET ROLE reader; SELECT * FROM invoked}))[0], '42704',
	"with security_invoker the reader's, who has none");
is($node->safe_psql('postgres', q{SET ROLE owner; SELECT count(*) FROM invoked WHERE market_code = 'KSP'}), '1',
	'the owner has one');

# a cursor keeps the user that it was opened by
$node->safe_psql('postgres', q{
	CREATE FUNCTION opened() RETURNS refcursor SECURITY DEFINER LANGUAGE plpgsql AS
		$$ DECLARE c refcursor := 'c'; BEGIN OPEN c FOR SELECT market_code FROM remote.market WHERE market_code = 'ETF'; RETURN c; END $$;
	ALTER FUNCTION opened() OWNER TO owner;
});
is($node->safe_psql('postgres', q{SET ROLE reader; BEGIN; SELECT opened(); FETCH ALL FROM c; COMMIT}), "c\nETF",
	'a cursor of a SECURITY DEFINER function');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$node->stop;
$simulator->stop;
done_testing();
