-- What EXPLAIN tells, and that it asks nothing where it only plans.
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000');
IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;
CREATE TABLE pairs AS SELECT market_code AS m, sector_code AS s FROM kis_sector WHERE market_code IN ('ETF', 'ELW', 'ETN');
ANALYZE pairs;

-- plain EXPLAIN needs no user mapping
EXPLAIN (COSTS OFF) SELECT * FROM kis_market_trend;
EXPLAIN (COSTS OFF) SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code <> '0001';
EXPLAIN (COSTS OFF, VERBOSE) SELECT foreign_net_qty FROM kis_sector_trend
WHERE sector_code LIKE '00%' AND foreign_net_amount > 0;
EXPLAIN (COSTS OFF, VERBOSE) SELECT market_code, trade_date FROM kis_market_trend WHERE market_code = ANY ('{KSP,KSQ}');
EXPLAIN (COSTS OFF) SELECT FROM kis_sector_trend LIMIT 5;
EXPLAIN (COSTS OFF) SELECT FROM kis_sector_trend WHERE foreign_net_qty > 0 LIMIT 5;
-- versions differ in which side of a join's condition comes first
CREATE FUNCTION explained(query text, options text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF' || options || ') ' || query LOOP
        RETURN NEXT regexp_replace(line, '\((pairs\.\w+) = (\w+)\)', '(\2 = \1)', 'g');
    END LOOP;
END $$;
SELECT * FROM explained('SELECT FROM pairs JOIN kis_sector_trend ON m = market_code AND s = sector_code');
CREATE FUNCTION plan_of(query text) RETURNS json LANGUAGE plpgsql AS
    $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan; RETURN plan->0->'Plan'; END $$;
SELECT jsonb_pretty(plan_of($$SELECT bank_net_qty FROM kis_market_trend WHERE market_code = 'ETF'$$)::jsonb
    - '{Startup Cost,Total Cost,Plan Rows,Plan Width,Disabled}'::text[]) AS plan;
\set VERBOSITY sqlstate
SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP';
\set VERBOSITY default
\! $KIS_SIMCTL calls any

-- rows are exact where the codes are known
SELECT query, plan->'Plan Rows' AS rows, plan->'Calls Expected' AS calls
FROM unnest(ARRAY[
    'SELECT FROM kis_market_trend',
    'SELECT FROM kis_sector_trend',
    $$SELECT FROM kis_market_trend WHERE market_code = 'K2I'$$,
    $$SELECT FROM kis_market_trend WHERE market_code = 'KOSPI'$$,
    $$SELECT FROM kis_sector_trend WHERE market_code IN ('KSP', 'ETF') AND sector_code !~ '^00[12]'$$,
    $$SELECT FROM kis_sector_trend WHERE market_code = upper('ksp') OR sector_code IS NULL$$]) AS query, plan_of(query) AS plan;
-- a join by the codes is planned as one call for each different pair
SELECT plan_of('SELECT FROM pairs JOIN kis_sector_trend ON m = market_code AND s = sector_code')->>'Node Type' AS join;

-- planning runs no function of a user's, nor any that could fail
CREATE FUNCTION fails(text) RETURNS boolean IMMUTABLE LEAKPROOF LANGUAGE plpgsql AS $$ BEGIN RETURN $1::int > 0; END $$;
CREATE FUNCTION fails(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1::int > 0; END $$;
CREATE FUNCTION leaks(text, text) RETURNS boolean IMMUTABLE LEAKPROOF LANGUAGE plpgsql AS $$ BEGIN RETURN $1::int > 0; END $$;
CREATE OPERATOR ~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = fails, RESTRICT = likesel);
CREATE OPERATOR ~=~ (LEFTARG = text, RIGHTARG = text, FUNCTION = leaks, RESTRICT = eqsel);
CREATE FUNCTION code() RETURNS text STABLE LEAKPROOF LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function was run'; END $$;
CREATE FUNCTION day() RETURNS date STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function was run'; END $$;
CREATE FUNCTION quantity() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'a function was run'; END $$;
CREATE TYPE no_market AS ENUM ('none');
CREATE DOMAIN numbered_market AS text CHECK (fails(VALUE));
CREATE FOREIGN TABLE as_enum (market_code no_market, sector_code numbered_market) SERVER kis OPTIONS (table_name 'kis_market_trend');
CREATE FOREIGN TABLE as_number (market_code int, sector_code char(2)) SERVER kis OPTIONS (table_name 'kis_market_trend');
CREATE FUNCTION tried_plan(query text) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN plan_of(query);
    EXCEPTION WHEN OTHERS THEN RETURN json_build_object('Calls Expected', SQLSTATE || ' ' || SQLERRM); END $$;
SELECT plan->'Plan Rows' AS rows, plan->'Calls Expected' AS calls, query
FROM unnest(ARRAY[
    $$kis_sector_trend WHERE sector_code ~~~ '00%'$$,
    $$kis_sector_trend WHERE sector_code ~~~ ANY ('{00%,01%}')$$,
    $$kis_sector_trend WHERE market_code ~=~ 'KSP'$$,
    $$kis_sector_trend WHERE fails(sector_code)$$,
    $$kis_sector_trend WHERE NOT fails(sector_code) OR market_code = code()$$,
    $$kis_sector_trend WHERE market_code = code()$$,
    $$kis_sector_trend WHERE market_code <> code()$$,
    $$kis_sector_trend WHERE market_code = ANY (ARRAY[code()])$$,
    $$kis_sector_trend WHERE market_code = current_setting('no.such_setting')$$,
    $$kis_sector_trend WHERE foreign_net_qty > quantity()$$,
    $$kis_sector_trend WHERE sector_code LIKE '00\'$$,
    $$kis_sector_trend WHERE sector_code ~ '('$$,
    $$kis_investor_trend WHERE investor = code()$$,
    $$kis_investor_trend WHERE investor ~~~ 'f%'$$,
    $$kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2020-01-01' AND '2025-12-31' AND trade_date >= day()$$,
    $$kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2020-01-01' AND '2025-12-31' AND trade_date > current_date - 2147483647$$,
    $$as_enum WHERE market_code = 'none'$$,
    $$as_enum WHERE sector_code = '0001'$$,
    $$as_number WHERE market_code = 5$$,
    $$as_number WHERE sector_code = '01'$$]) AS query, tried_plan('SELECT FROM ' || query) AS plan;

-- some days before today are known
SELECT plan_of($$SELECT FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date > current_date - 30$$)->'Calls Expected' AS calls;

-- how many codes there are is known, and ANALYZE asks nothing
SELECT query, plan_of(query)->'Plan Rows' AS groups
FROM unnest(ARRAY[
    $$SELECT market_code FROM kis_market_trend GROUP BY 1$$,
    $$SELECT market_code FROM kis_sector_trend GROUP BY 1$$,
    $$SELECT sector_code FROM kis_sector_trend GROUP BY 1$$,
    $$SELECT market_code, sector_code FROM kis_sector_trend GROUP BY 1, 2$$,
    $$SELECT market_code FROM kis_sector_trend WHERE market_code IN ('KSP', 'KSQ') GROUP BY 1$$,
    $$SELECT DISTINCT market_code FROM kis_market_trend_daily$$,
    $$SELECT investor FROM kis_investor_trend GROUP BY 1$$,
    $$SELECT market_code FROM (SELECT market_code FROM kis_sector_trend OFFSET 0) s GROUP BY 1$$]) AS query;
SELECT count(DISTINCT market_code) FILTER (WHERE headline) AS of_market_trend, count(DISTINCT market_code) AS of_sector_trend, count(DISTINCT sector_code) AS sectors
FROM kis_sector;
ANALYZE kis_market_trend, kis_market_trend_daily (trade_date);
SELECT reltuples, (SELECT count(*) FROM pg_statistic WHERE starelid = c.oid) AS statistics FROM pg_class c WHERE oid = 'kis_market_trend'::regclass;
\! $KIS_SIMCTL calls any

-- EXPLAIN ANALYZE tells what it cost
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');
-- a token that earlier sessions left is refused by a new simulator
SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP';
CREATE FUNCTION analyzed(query text, options text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN SELECT explained(query, ', ANALYZE, SUMMARY OFF, BUFFERS OFF' || options) LOOP
        line := regexp_replace(line, 'actual time=[0-9.]+', 'actual time=N');
        line := regexp_replace(line, '\.\.[0-9.]+ rows', '..N rows');
        line := regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1');
        line := regexp_replace(line, '(Bytes Received: )[1-9]\d+', '\1N');
        RETURN NEXT regexp_replace(line, '(Network Time Summed over Calls: )(?!0\.000)[0-9.]+', '\1N');
    END LOOP;
END $$;
SELECT * FROM analyzed($$SELECT * FROM kis_market_trend WHERE market_code = 'K2I'$$);
SELECT * FROM analyzed($$SELECT count(*) FROM pairs JOIN kis_sector_trend ON m = market_code AND s = sector_code$$, ', TIMING OFF');
SELECT * FROM analyzed($$SELECT FROM kis_market_trend WHERE market_code = 'KOSPI'$$, ', TIMING OFF');
-- scans below an Append ask at the same time
SELECT * FROM analyzed($$SELECT FROM kis_market_trend WHERE market_code = 'KSP' UNION ALL SELECT FROM kis_market_trend WHERE market_code = 'K2I'$$, ', TIMING OFF');
SET enable_async_append = off;
SELECT * FROM explained($$SELECT FROM kis_market_trend WHERE market_code = 'KSP' UNION ALL SELECT FROM kis_market_trend WHERE market_code = 'K2I'$$);
RESET enable_async_append;
\! $KIS_SIMCTL fault '{"fault": "html_502", "times": 1}'
SELECT * FROM analyzed($$SELECT FROM kis_market_trend WHERE market_code = 'KSP'$$, ', TIMING OFF');
ALTER SERVER kis OPTIONS (SET cache_ttl '10min');
SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP';
SELECT * FROM analyzed($$SELECT FROM kis_market_trend WHERE market_code = 'KSP'$$);
-- a second scan of the same pair asks nothing more
ALTER SERVER kis OPTIONS (SET cache_ttl '0');
SELECT analyzed->0->'Plan'->'Plans'->0->'Calls' AS first, analyzed->0->'Plan'->'Plans'->1->'Calls' AS second
FROM (SELECT string_agg(line, '')::json AS analyzed
      FROM analyzed($$SELECT FROM kis_market_trend a, kis_market_trend b WHERE a.market_code = 'KSQ' AND b.market_code = 'KSQ'$$, ', FORMAT JSON') AS line) AS plan;

SET client_min_messages = warning;
DROP FUNCTION plan_of, explained, analyzed;
DROP TABLE pairs;
DROP SERVER kis CASCADE;
