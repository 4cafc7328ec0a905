-- Tables with a row a day: which pages a query asks for, as KIS sees it.
SET client_encoding TO UTF8;
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', requests_per_second '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');
IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;
SELECT count(*) FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = '2026-07-10';
\! $KIS_SIMCTL reset '{"keep_tokens": true}'

-- the dates that KIS was asked for
\set dates '\\! $KIS_SIMCTL requests | python3 -c "import json, sys; print(*sorted(r[\'query\'].get(\'BASS_DT\') or r[\'query\'].get(\'FID_INPUT_DATE_1\') for r in json.load(sys.stdin) if r[\'kind\'] in (\'daily\', \'holiday\')))"; $KIS_SIMCTL reset \'{"keep_tokens": true}\''
-- where it asks ahead, how many it has asked is a matter of time: the six that may be under way, and two rows
\set few '\\! test "$($KIS_SIMCTL calls daily)" -le 8 && echo few; $KIS_SIMCTL reset \'{"keep_tokens": true}\''

-- how many calls it would take depends on the day when it is asked
CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'done';
EXCEPTION WHEN program_limit_exceeded THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(SQLERRM, '[0-9]+', 'N') || '. ' || hint;
END $$;

-- kis_calendar: 24 days a call, as few as cover the days that are wanted
SELECT * FROM kis_calendar WHERE trade_date BETWEEN '2026-09-22' AND '2026-09-29';
:dates
-- what was read today is not asked again
SELECT count(*), count(*) FILTER (WHERE is_open) AS open FROM kis_calendar
WHERE trade_date >= '2026-09-22' AND trade_date < '2026-10-20';
:dates
SELECT trade_date, is_open FROM kis_calendar WHERE trade_date IN ('2025-12-25', '2026-01-01', '2026-05-05');
:dates
PREPARE by_day(date) AS SELECT weekday, is_open, is_business_day, is_settlement_day
FROM kis_calendar WHERE trade_date = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_day('2025-05-05');
EXECUTE by_day('2025-05-20');
EXECUTE by_day(NULL);
RESET plan_cache_mode;
:dates
SELECT trade_date FROM kis_calendar WHERE trade_date >= '2024-02-01' ORDER BY trade_date LIMIT 2;
:dates
-- without bounds it would be too many calls
SELECT refused('SELECT FROM kis_calendar');
SELECT count(*) FROM kis_calendar WHERE trade_date > '2000-01-01' AND false;
:dates

-- kis_market_trend_daily: 300 rows a call, newest first
SELECT trade_date, close, change, change_rate, open, high, low, previous_close,
       foreign_net_qty, foreign_registered_net_amount
FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date >= '2026-07-08' AND trade_date <= '2026-07-12';
:dates
SELECT count(*), min(trade_date), max(trade_date), count(DISTINCT trade_date) AS days
FROM kis_market_trend_daily
WHERE market_code = 'KSQ' AND sector_code = '1001' AND trade_date BETWEEN '2016-07-11' AND '2026-07-10';
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- days far from each other
SELECT trade_date FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0013' AND trade_date IN ('2026-07-10', '2026-07-09', '2011-03-11', '2026-07-11');
:dates
-- back to the first empty page
SELECT min(trade_date) < '1981-01-01' AS whole FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001';
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- a LIMIT in the order of the pages
SELECT trade_date FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10'
ORDER BY trade_date DESC LIMIT 3;
:dates
SELECT count(*) FROM (SELECT FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10'
    ORDER BY trade_date DESC OFFSET 299 LIMIT 2) AS t;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- the same over several pairs: the first page of each
SELECT trade_date, count(*) FROM (SELECT trade_date FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date <= '2026-07-10'
    ORDER BY trade_date DESC LIMIT 4) AS t
GROUP BY 1 ORDER BY 1 DESC;
:dates
SELECT trade_date, market_code, sector_code FROM kis_market_trend_daily
WHERE trade_date <= '2026-07-10' AND sector_code LIKE '%01'
ORDER BY trade_date DESC, market_code, sector_code LIMIT 5;
:dates
SELECT count(*), min(trade_date), max(trade_date) FROM (SELECT trade_date FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND trade_date <= '2026-07-10' ORDER BY trade_date DESC NULLS LAST LIMIT 60) AS t;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM (SELECT FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND trade_date <= '2026-07-10' ORDER BY trade_date DESC LIMIT 5) AS t;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- one pair's first page is used up before the other's
SELECT market_code, count(*), min(trade_date) FROM (SELECT market_code, trade_date FROM kis_market_trend_daily
    WHERE (market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10')
       OR (market_code = 'KSQ' AND sector_code = '1001' AND trade_date BETWEEN '2026-07-06' AND '2026-07-08')
    ORDER BY trade_date DESC LIMIT 310) AS t
GROUP BY 1 ORDER BY 1;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- a row that is here comes before one of the same day that would have to be asked for
SELECT count(*), min(trade_date) FROM (SELECT trade_date FROM kis_market_trend_daily
    WHERE (market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-08')
       OR (market_code = 'KSQ' AND sector_code = '1001' AND trade_date <= '2026-07-10')
    ORDER BY trade_date DESC LIMIT 3) AS t;
:dates
-- nor is a pair asked before its days come
SELECT count(*) FROM (SELECT FROM kis_market_trend_daily
    WHERE (market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10')
       OR (market_code = 'KSQ' AND sector_code = '1001' AND trade_date <= '2026-07-08')
    ORDER BY trade_date DESC LIMIT 2) AS t;
:dates
-- conditions that pairs and days share, and a page that serves a second scan
SELECT market_code, sector_code, trade_date FROM kis_market_trend_daily
WHERE sector_code IN ('0001', '1001')
  AND ((market_code = 'KSP' AND trade_date = '2026-07-10') OR (market_code = 'KSQ' AND trade_date = '2026-07-03'));
:dates
SELECT day, (SELECT close FROM kis_market_trend_daily
             WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = day::date) IS NOT NULL AS has_close
FROM generate_series('2026-07-10'::timestamp, '2026-07-06', '-1 day') AS day;
:dates
-- no pairs but KOSPI's and KOSDAQ's
SELECT * FROM kis_market_trend_daily WHERE market_code = 'ETF';
-- too many calls
SELECT refused($$SELECT FROM kis_market_trend_daily WHERE trade_date > '2010-01-01'$$);
:dates
-- nor is the whole history of a market begun, unless its first rows may be all that is wanted
SELECT refused($$SELECT FROM kis_market_trend_daily WHERE market_code = 'KSP'$$);
SELECT refused($$SELECT sector_code, max(close) FROM kis_market_trend_daily WHERE market_code = 'KSP' GROUP BY 1 ORDER BY 2 LIMIT 3$$);
:dates
SELECT count(*) FROM (SELECT FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code < '0004' AND trade_date <= '2026-07-10' AND open > 0
    ORDER BY trade_date DESC, sector_code LIMIT 6) AS t;
:dates
SELECT n, newest FROM (SELECT row_number() OVER (ORDER BY trade_date DESC ROWS UNBOUNDED PRECEDING) AS n, trade_date AS newest FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND trade_date <= '2026-07-10') AS numbered WHERE n <= 2;
:few
WITH days AS MATERIALIZED (SELECT trade_date FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND trade_date <= '2026-07-10' ORDER BY trade_date DESC) SELECT * FROM days LIMIT 2;
:few
SELECT EXISTS (SELECT FROM kis_market_trend_daily WHERE market_code = 'KSP' AND trade_date <= '2026-07-10' AND open > 0);
:dates
BEGIN;
DECLARE newest CURSOR FOR SELECT trade_date FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code < '0004' AND trade_date <= '2026-07-10' ORDER BY trade_date DESC;
FETCH 1 FROM newest;
:dates
COMMIT;
-- a scan that nobody knows the end of stops where max_calls does
ALTER SERVER kis OPTIONS (max_calls '9');
SELECT trade_date FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10' AND open < 0
ORDER BY trade_date DESC LIMIT 6;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- pages that are here already are no calls
SELECT count(*) FROM kis_market_trend_daily a JOIN kis_market_trend_daily b USING (market_code, sector_code, trade_date)
WHERE market_code = 'KSP' AND sector_code = '0001' AND a.trade_date BETWEEN '2016-07-11' AND '2026-07-10'
  AND b.trade_date BETWEEN '2016-07-11' AND '2026-07-10';
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
ALTER SERVER kis OPTIONS (SET max_calls '1');
SELECT count(*) FROM (SELECT FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2016-07-11' AND '2026-07-10' LIMIT 300) AS t;
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- a pair that was read in part counts nothing beforehand, and stops where max_calls does
ALTER SERVER kis OPTIONS (SET max_calls '2');
SELECT (SELECT trade_date FROM kis_market_trend_daily
        WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = '2026-07-10'),
       (SELECT count(*) FROM kis_market_trend_daily
        WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2016-07-11' AND '2026-07-10');
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- one whose first page is only in the cache counts the others
ALTER SERVER kis OPTIONS (SET cache_ttl '1h');
SELECT trade_date FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = '2026-07-10';
SELECT count(*) FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2016-07-11' AND '2026-07-10';
\! $KIS_SIMCTL calls daily
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
ALTER SERVER kis OPTIONS (SET cache_ttl '0');
ALTER SERVER kis OPTIONS (DROP max_calls);
-- what the plan expects
EXPLAIN (COSTS off) SELECT * FROM kis_calendar WHERE trade_date BETWEEN '2026-01-01' AND '2026-03-31';
EXPLAIN (COSTS off) SELECT close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2016-07-11' AND '2026-07-10';
EXPLAIN (COSTS off) SELECT close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10' ORDER BY trade_date DESC LIMIT 400;
CREATE FUNCTION analyzed(query text) RETURNS json LANGUAGE plpgsql AS
    $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan; RETURN plan->0->'Plan'; END $$;
-- its first row by the day costs the first pages of all pairs
CREATE FUNCTION cost_of_first_row(query text) RETURNS numeric LANGUAGE plpgsql AS
    $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan; RETURN plan->0->'Plan'->>'Startup Cost'; END $$;
SELECT cost_of_first_row($$SELECT trade_date FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013', '0027') ORDER BY 1 DESC LIMIT 1$$)
     / cost_of_first_row($$SELECT trade_date FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' ORDER BY 1 DESC LIMIT 1$$) > 2.5 AS of_three_pairs;
SELECT (plan->>'Actual Rows')::numeric::int AS rows, plan->'Calls Expected' AS expected, plan->'Calls' AS calls, plan->'Bytes Received' AS bytes
FROM CAST(analyzed($$SELECT close FROM kis_market_trend_daily
    WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date <= '2026-07-10'
    ORDER BY trade_date DESC LIMIT 400$$)->'Plans'->0 AS json) AS plan;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date <= '2026-07-10' ORDER BY trade_date DESC LIMIT 4;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date <= '2026-07-10' ORDER BY trade_date DESC LIMIT 700;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date BETWEEN '2016-07-11' AND '2026-07-10'
ORDER BY trade_date DESC LIMIT 9223372036854775806;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date >= '2026-07-06' ORDER BY trade_date DESC, sector_code;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date >= '2026-07-06' ORDER BY trade_date;
EXPLAIN (COSTS off) SELECT sector_code, close FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013') AND trade_date >= '2026-07-06' LIMIT 4;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- a reply whose days are out of order
\! $KIS_SIMCTL fault '{"fault": "value", "match": {"kind": "daily"}, "times": 1, "params": {"member": "stck_bsop_date", "json": "\"20260701\""}}' >/dev/null
SELECT trade_date FROM kis_market_trend_daily
WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-07-01' AND '2026-07-10';
\! $KIS_SIMCTL problems
DROP FUNCTION refused(text), analyzed(text), cost_of_first_row(text);
DROP SERVER kis CASCADE;
