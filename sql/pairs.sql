-- Which pairs a query asks for, as KIS sees it.
SET client_encoding TO UTF8;
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');
IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;

-- a token that earlier sessions left is refused by a new simulator
SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP';

-- conditions on the codes
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code, foreign_net_qty, foreign_net_amount
FROM kis_market_trend WHERE market_code = 'KSP';
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_market_trend;
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_sector_trend;
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_sector_trend
WHERE market_code = 'KSP' AND sector_code IN ('0001', '0013');
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*), min(market_code), max(market_code) FROM kis_sector_trend WHERE sector_code LIKE '00%';
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code <> '0001';
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_market_trend
WHERE market_code ~ '^K.I$' AND sector_code > 'M' OR (market_code, sector_code) IN (('KSQ', '1001'), ('KSP', '0001'));
\! $KIS_SIMCTL pairs
-- duplicates once, others' codes and NULL not at all
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code FROM kis_market_trend WHERE market_code IN ('ETF', 'ETF', NULL);
SELECT market_code FROM kis_market_trend WHERE market_code = NULL OR market_code IS NULL;
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code FROM kis_market_trend WHERE false;
SELECT market_code FROM kis_market_trend LIMIT 0;
SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP' AND market_code = 'KSQ';
\! $KIS_SIMCTL calls

-- parameters, in custom and in generic plans, stable functions, subqueries
PREPARE by_market(text) AS SELECT market_code, sector_code FROM kis_sector_trend WHERE market_code = $1;
PREPARE by_markets(text[]) AS SELECT market_code, sector_code FROM kis_market_trend WHERE market_code = ANY ($1);
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SET plan_cache_mode = force_custom_plan;
EXECUTE by_market('ETF');
EXECUTE by_markets('{ETN,ELW}');
SET plan_cache_mode = force_generic_plan;
EXECUTE by_market('MKI');
EXECUTE by_markets('{KSQ,KSP}');
EXECUTE by_market(NULL);
RESET plan_cache_mode;
SET kis.market = 'KQI';
SELECT market_code FROM kis_market_trend WHERE market_code = current_setting('kis.market');
SELECT market_code, sector_code FROM kis_market_trend
WHERE market_code = (SELECT 'WKI'::text OFFSET 0) AND sector_code >= ANY (ARRAY(SELECT 'A'));
\! $KIS_SIMCTL pairs
-- what may change from row to row decides nothing before the rows are there
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP' || left(random()::text, 0);
\! $KIS_SIMCTL calls

-- codes that the table doesn't hold
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code FROM kis_market_trend WHERE market_code = 'KOSPI';
SELECT market_code FROM kis_market_trend WHERE 'ksp' = market_code;
SELECT market_code FROM kis_market_trend WHERE market_code IN ('코스닥', 'NYSE', 'ETFF', NULL);
SELECT market_code FROM kis_market_trend WHERE sector_code = '0013';
SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP' AND sector_code = '0013';
SELECT market_code FROM kis_sector_trend WHERE sector_code = '코스피 종합';
SELECT market_code FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code IN ('1001', '0098');
SELECT market_code FROM kis_sector_trend WHERE (market_code, sector_code) IN (('KSP', '0031'), ('KOSDAQ', '1001'));
SELECT market_code FROM kis_sector_trend WHERE market_code = (SELECT 'KOSPI200' OFFSET 0);
EXECUTE by_market('FUTURES');
SET plan_cache_mode = force_generic_plan;
EXECUTE by_markets('{MINI,WEEKLY_MON}');
RESET plan_cache_mode;
\! $KIS_SIMCTL calls
-- once a statement, and not for what a join brings or a condition excludes
SELECT a.market_code FROM kis_market_trend a, kis_market_trend b WHERE a.market_code = 'KOSPI' AND b.market_code = 'KOSPI';
SELECT k.market_code FROM (VALUES ('KOSPI'), ('NYSE')) v(code) JOIN kis_market_trend k ON k.market_code = v.code;
SELECT v.code, (SELECT k.foreign_net_qty FROM kis_market_trend k WHERE k.market_code = v.code)
FROM (VALUES ('KOSPI'), ('NYSE')) v(code);
SELECT market_code FROM kis_market_trend WHERE market_code <> 'KOSPI' AND market_code LIKE 'KO%';
\! $KIS_SIMCTL calls
-- a value in an OR that its other arm guards is not looked at
SET plan_cache_mode = force_generic_plan;
PREPARE by_number(text) AS SELECT count(*) FROM kis_market_trend
WHERE market_code = 'KSP' AND ($1 = '' OR sector_code = lpad(($1::int)::text, 4, '0'));
EXECUTE by_number('');
EXECUTE by_number('1');
-- codes in an OR are not warned of: another arm may say that they don't count
PREPARE by_choice(text, text, text[]) AS SELECT count(*) FROM kis_market_trend
WHERE ($1 = '' OR market_code = $1) AND (sector_code = $2 OR $2 IS NULL)
  AND ($3 IS NULL OR (market_code = ANY ($3) AND ($1 = '' OR market_code = $1)));
EXECUTE by_choice('', NULL, NULL);
EXECUTE by_choice('KSP', NULL, NULL);
EXECUTE by_choice('', '0001', '{KSP,KSQ}');
EXECUTE by_choice('KOSPI', NULL, NULL);
EXECUTE by_choice('', '', NULL);
EXECUTE by_choice('', NULL, '{KOSDAQ}');
PREPARE by_switch(boolean, int) AS SELECT count(*) FROM kis_market_trend
WHERE $1 OR 1 / $2 > 1 OR market_code = 'NYSE';
EXECUTE by_switch(true, 0);
EXECUTE by_switch(false, 2);
RESET plan_cache_mode;
SELECT count(*) FROM kis_market_trend
WHERE market_code = (SELECT '' || '') OR (SELECT true);
-- kis_calendar, which has no codes, holds no empty ones
SELECT market_code FROM kis_market_trend WHERE market_code = '' OR sector_code = '';
-- pairs whose codes are both held, in other arms of an OR
SELECT market_code, sector_code FROM kis_sector_trend
WHERE market_code IN ('KSP', 'KSQ') AND (sector_code = '0001' OR sector_code = '1001');

-- joins ask once for each different pair
CREATE TABLE pairs (m text, s text);
INSERT INTO pairs VALUES ('KSP', '0001'), ('KSP', '0001'), ('KSP', '0013'), ('KSQ', '1001'), ('KSQ', '1001'),
    ('XXX', '9'), (NULL, '0001'), ('KSP', NULL);
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM pairs JOIN kis_sector_trend ON m = market_code AND s = sector_code;
\! $KIS_SIMCTL pairs
ANALYZE pairs;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM pairs JOIN kis_sector_trend ON m = market_code AND s = sector_code;
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_sector_trend RIGHT JOIN pairs ON m = market_code AND s = sector_code;
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_sector_trend WHERE (market_code, sector_code) IN (SELECT m, s FROM pairs) ORDER BY sector_code;
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT m, s, sector_code FROM (SELECT DISTINCT m, s FROM pairs) d
CROSS JOIN LATERAL (SELECT sector_code FROM kis_sector_trend WHERE market_code = m AND sector_code >= s LIMIT 1) k
ORDER BY m, s;
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM (VALUES ('ETF', 'T000'), ('ETF', 'T000'), ('ELW', 'W000')) v(m, s)
JOIN kis_sector_trend ON m = market_code AND s = sector_code;
\! $KIS_SIMCTL calls
-- by one of the codes alone
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM pairs JOIN kis_market_trend ON m = market_code;
\! $KIS_SIMCTL pairs
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM pairs JOIN kis_sector_trend ON s = sector_code;
\! $KIS_SIMCTL pairs
-- the same pair has the same row in every scan of a statement
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_sector_trend a JOIN kis_sector_trend b USING (market_code, sector_code, collected_at)
WHERE market_code = 'KSP';
\! $KIS_SIMCTL calls

-- LIMIT
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_sector_trend LIMIT 2;
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM (SELECT * FROM kis_sector_trend WHERE market_code = 'KSP') k LIMIT 1 OFFSET 2;
\! $KIS_SIMCTL calls
PREPARE first_rows(bigint) AS SELECT market_code, sector_code FROM kis_sector_trend LIMIT $1;
SET plan_cache_mode = force_generic_plan;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
EXECUTE first_rows(3);
\! $KIS_SIMCTL calls
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM (SELECT FROM kis_market_trend LIMIT (SELECT 4)) k;
\! $KIS_SIMCTL calls
RESET plan_cache_mode;
-- where rows may be dropped above the scan: as many calls ahead as may be under
-- way; those that a LIMIT or CLOSE cuts off may not have got there
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_sector_trend WHERE foreign_net_qty IS NOT NULL LIMIT 2;
\! test $($KIS_SIMCTL calls) -le 7 && echo at most 7
ALTER SERVER kis OPTIONS (ADD max_concurrent_requests '2');
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT market_code, sector_code FROM kis_sector_trend WHERE foreign_net_qty IS NOT NULL LIMIT 2;
\! test $($KIS_SIMCTL calls) -le 3 && echo at most 3
-- a cursor asks as it is read
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
BEGIN;
DECLARE reader SCROLL CURSOR FOR SELECT market_code, sector_code FROM kis_market_trend;
\! $KIS_SIMCTL calls
FETCH 1 FROM reader;
FETCH 3 FROM reader;
FETCH BACKWARD 2 FROM reader;
MOVE ABSOLUTE 0 FROM reader;
FETCH 5 FROM reader;
CLOSE reader;
COMMIT;
\! test $($KIS_SIMCTL calls) -le 6 && echo at most 6
ALTER SERVER kis OPTIONS (DROP max_concurrent_requests);

-- a LIMIT whose value changes while it is read
SET kis.rows = '25';
BEGIN;
DECLARE reader CURSOR FOR SELECT * FROM (SELECT 'before' AS code UNION ALL SELECT market_code FROM kis_market_trend) k
LIMIT current_setting('kis.rows')::int;
FETCH 1 FROM reader;
SET kis.rows = '0';
FETCH 2 FROM reader;
COMMIT;

-- too many calls: refused before the first
ALTER SERVER kis OPTIONS (ADD max_calls '18');
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_market_trend;
\echo :LAST_ERROR_SQLSTATE
\! $KIS_SIMCTL calls
SELECT count(*) FROM kis_market_trend WHERE market_code <> 'KSP';
SELECT count(*) FROM (SELECT FROM kis_sector_trend LIMIT 18) k;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*) FROM kis_market_trend a, kis_sector_trend b WHERE a.market_code <> 'KSP' AND b.market_code = 'KSP' AND b.sector_code = '0001';
\! $KIS_SIMCTL calls
ALTER SERVER kis OPTIONS (DROP max_calls);

-- an equality of the user's own that says neither yes nor no
CREATE FUNCTION neither(text, int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END' STABLE;
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = int, FUNCTION = neither, MERGES);
SELECT market_code FROM kis_market_trend WHERE market_code = ANY (ARRAY[5, 6]);
SELECT market_code FROM kis_market_trend WHERE market_code = 5;
SELECT market_code FROM kis_market_trend WHERE market_code = 'KSQ' OR market_code = 5;
DROP OPERATOR = (text, int);
DROP FUNCTION neither;

-- pairs that are not listed
ALTER SERVER kis OPTIONS (ADD extra_pairs 'KSP/0031, KSP/0099, KSP/0001, NEW/7');
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL config '{"extra_pairs": ["KSP/0031"]}'
SELECT market_code, sector_code FROM kis_sector_trend WHERE market_code = 'NEW' OR sector_code IN ('0001', '0031', '0099');
SELECT market_code, sector_code FROM kis_market_trend WHERE market_code = 'NEW' OR sector_code = '0031';
\! $KIS_SIMCTL pairs

-- none of this differed from the documented call
\! $KIS_SIMCTL problems

SET client_min_messages = warning;
DROP TABLE pairs;
DROP SERVER kis CASCADE;
