-- Foreign tables as partitions and as children, and row security around them.
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000');
CREATE ROLE regress_kis_reader;
CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');

-- partitions of one table of KIS: each has the rows of its bound, and no row comes twice
CREATE TABLE flows (market_code text, sector_code text, foreign_net_qty bigint) PARTITION BY LIST (market_code);
CREATE FOREIGN TABLE flows_ksp PARTITION OF flows FOR VALUES IN ('KSP') SERVER kis OPTIONS (table_name 'kis_market_trend');
CREATE FOREIGN TABLE flows_etp (foreign_net_qty bigint, sector_code text, gone int, market_code text)
    SERVER kis OPTIONS (table_name 'kis_market_trend');
ALTER FOREIGN TABLE flows_etp DROP gone;
ALTER TABLE flows ATTACH PARTITION flows_etp FOR VALUES IN ('ETF', 'ETN', NULL);
CREATE TABLE flows_old PARTITION OF flows FOR VALUES IN ('OLD');
INSERT INTO flows VALUES ('OLD', '0001', 5);
SELECT tableoid::regclass, market_code FROM flows ORDER BY 2;
\! $KIS_SIMCTL pairs
SELECT market_code FROM flows_ksp;
SELECT market_code FROM flows_ksp WHERE market_code = 'KSQ';
-- the others go to the default one
CREATE FOREIGN TABLE flows_rest PARTITION OF flows DEFAULT SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT tableoid::regclass, count(*) FROM flows GROUP BY 1 ORDER BY 1;
-- its bound moves when one more comes
CREATE FOREIGN TABLE flows_ksq PARTITION OF flows FOR VALUES IN ('KSQ') SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT count(*) FROM flows_rest;
ALTER TABLE flows DETACH PARTITION flows_rest;
SELECT count(*) FROM flows_rest;

-- pruned in planning, in starting, and in running
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
EXPLAIN (COSTS OFF) SELECT * FROM flows WHERE market_code = 'KSP';
SET plan_cache_mode = force_generic_plan;
PREPARE of_market(text) AS SELECT tableoid::regclass, market_code FROM flows WHERE market_code = $1;
EXPLAIN (COSTS OFF) EXECUTE of_market('KSQ');
EXECUTE of_market('KSQ');
EXECUTE of_market('OLD');
RESET plan_cache_mode;
CREATE TABLE wanted (market_code text);
INSERT INTO wanted VALUES ('KSP');
ANALYZE wanted;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT tableoid::regclass, market_code FROM wanted JOIN LATERAL (SELECT tableoid, * FROM flows f WHERE f.market_code = wanted.market_code) f USING (market_code);
SELECT market_code FROM flows WHERE market_code = (SELECT market_code FROM wanted);
RESET enable_hashjoin;
RESET enable_mergejoin;
\! $KIS_SIMCTL pairs

-- a range of days: pages of these alone
CREATE TABLE days (market_code text, sector_code text, trade_date date, close numeric) PARTITION BY RANGE (trade_date);
CREATE FOREIGN TABLE days_of_may PARTITION OF days FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')
    SERVER kis OPTIONS (table_name 'kis_market_trend_daily');
CREATE FOREIGN TABLE days_of_june PARTITION OF days FOR VALUES FROM ('2026-06-01') TO ('2026-07-01')
    SERVER kis OPTIONS (table_name 'kis_market_trend_daily');
SELECT tableoid::regclass, min(trade_date), max(trade_date) FROM days WHERE market_code = 'KSP' AND sector_code = '0001' GROUP BY 1 ORDER BY 2;

-- written to: the local partition alone
INSERT INTO flows VALUES ('KSP', '0001', 5);
\echo :LAST_ERROR_SQLSTATE
UPDATE flows SET market_code = 'KSP' WHERE market_code = 'OLD';
\echo :LAST_ERROR_SQLSTATE
UPDATE flows SET foreign_net_qty = 6 WHERE market_code = 'OLD';
UPDATE flows SET foreign_net_qty = 6;
DELETE FROM flows;
TRUNCATE flows;
COPY flows FROM STDIN;
KSQ	1001	5
\.
\echo :LAST_ERROR_SQLSTATE
COPY flows FROM STDIN;
OLD	1001	5
\.
ANALYZE flows;
SELECT count(*) FROM flows_old;

-- row security of the parent: a function that tells what it sees is shown no more
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'sees %', $1; RETURN true; END $$;
GRANT SELECT ON flows, flows_ksp TO regress_kis_reader;
ALTER TABLE flows ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON flows TO regress_kis_reader USING (market_code IN ('KSP', 'ETF'));
SET ROLE regress_kis_reader;
SELECT market_code FROM flows ORDER BY 1;
-- in the order in which it is told
SET enable_async_append = off;
SELECT market_code FROM flows WHERE tell(market_code);
RESET enable_async_append;
SELECT market_code FROM flows WHERE market_code = 'KSQ';
SELECT market_code FROM flows WHERE tell(market_code) AND market_code > 'KSP';
\! $KIS_SIMCTL pairs
RESET ROLE;
-- one that can't be had
ALTER FOREIGN TABLE flows_ksp ENABLE ROW LEVEL SECURITY;
-- of a local table that is joined, and behind a security barrier
ALTER TABLE wanted ENABLE ROW LEVEL SECURITY;
INSERT INTO wanted VALUES ('KSQ'), ('ETF');
CREATE POLICY few ON wanted TO regress_kis_reader USING (market_code <> 'KSQ');
CREATE VIEW barred WITH (security_barrier) AS SELECT market_code, sector_code FROM flows_etp WHERE market_code <> 'ETN';
CREATE FOREIGN TABLE kis_market_trend (market_code text, sector_code text) SERVER kis;
GRANT SELECT ON wanted, barred, kis_market_trend TO regress_kis_reader;
SET ROLE regress_kis_reader;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code FROM wanted JOIN kis_market_trend USING (market_code) WHERE tell(wanted.market_code) ORDER BY 1;
SELECT market_code FROM barred WHERE tell(sector_code);
SELECT market_code FROM barred WHERE market_code = 'ETN';
\! $KIS_SIMCTL pairs
RESET ROLE;

-- a bound is no code that the query names
SELECT tableoid::regclass, market_code, sector_code FROM flows WHERE sector_code IN ('0001', '1001') ORDER BY 2;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'

-- a child of a local table, and a parent of one
CREATE TABLE parent (market_code text, sector_code text);
CREATE FOREIGN TABLE child (foreign_net_qty bigint) INHERITS (parent) SERVER kis OPTIONS (table_name 'kis_market_trend');
CREATE TABLE grandchild () INHERITS (child);
INSERT INTO parent VALUES ('OLD', '1');
INSERT INTO grandchild VALUES ('OLDER', '2', 3);
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT tableoid::regclass, market_code FROM parent WHERE market_code IN ('KSP', 'OLD', 'OLDER') ORDER BY 2;
SELECT tableoid::regclass, market_code FROM ONLY child WHERE market_code = 'KSP';
\! $KIS_SIMCTL pairs
UPDATE parent SET sector_code = '3' WHERE market_code = 'OLDER';
DELETE FROM ONLY parent;
-- the constraint of a child is taken at its word, as PostgreSQL says
ALTER FOREIGN TABLE child ADD CHECK (market_code = 'KSP') NO INHERIT;
SET constraint_exclusion = on;
SELECT count(*) FROM parent WHERE market_code = 'KSQ';
RESET constraint_exclusion;
\! $KIS_SIMCTL pairs

SET client_min_messages = warning;
DROP TABLE flows, days, wanted, parent CASCADE;
DROP SERVER kis CASCADE;
DROP FUNCTION tell;
DROP ROLE regress_kis_reader;
