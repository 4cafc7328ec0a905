-- kis_investor_trend: a row for each investor of a pair, 12 a call.
SET client_encoding TO UTF8;
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- before midnight is no session
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000', session_start '00:00');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');
IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_market_trend, kis_investor_trend) FROM SERVER kis INTO public;
\set pairs '\\! $KIS_SIMCTL pairs; $KIS_SIMCTL reset \'{"keep_tokens": true}\''
\set calls '\\! $KIS_SIMCTL calls; $KIS_SIMCTL reset \'{"keep_tokens": true}\''

-- its columns, and what they mean
SELECT kis_comment_tables();
\pset format unaligned
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'kis_investor_trend'::regclass AND attnum > 0 ORDER BY attnum;
\pset format aligned

-- each investor's own members, in KIS's order
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"frgn_seln_vol": "1", "frgn_shnu_vol": "2", "frgn_ntby_qty": "3", "frgn_seln_tr_pbmn": "4", "frgn_shnu_tr_pbmn": "5", "frgn_ntby_tr_pbmn": "-6", "pe_fund_seln_vol": "11", "pe_fund_shnu_vol": "12", "pe_fund_ntby_vol": "13", "pe_fund_seln_tr_pbmn": "14", "pe_fund_shnu_tr_pbmn": "15", "pe_fund_ntby_tr_pbmn": "-16", "etc_corp_ntby_vol": ""}}}'
SELECT market_code, sector_code, investor, sell_qty, buy_qty, net_qty, sell_amount, buy_amount, net_amount
FROM kis_investor_trend WHERE market_code = 'KSP' AND investor IN ('pe_fund', 'foreign');
SELECT investor, net_qty IS NULL AS empty, count(*) OVER (), count(*) OVER (PARTITION BY collected_at, trade_date) AS together
FROM kis_investor_trend WHERE market_code = 'KSP';
:pairs
SELECT count(*), count(DISTINCT (market_code, sector_code)) AS pairs, count(DISTINCT investor) AS investors,
       count(*) FILTER (WHERE abs(net_qty - buy_qty + sell_qty) > 1) AS inconsistent
FROM kis_investor_trend;
:calls

-- a condition on the investor only filters; one on the codes decides the calls
SELECT count(*) FROM kis_investor_trend WHERE investor = 'bank';
:calls
SELECT market_code, investor FROM kis_investor_trend
WHERE (market_code = 'KSP' AND investor = 'foreign') OR (market_code = 'ETF' AND investor LIKE '%fund%');
:pairs
SELECT count(*) FROM kis_investor_trend WHERE market_code = 'NOWHERE' AND investor = 'foreign';
:calls

-- a join with the other table asks once a pair, whatever the join
\set join 'SELECT market_code, count(*), bool_and(CASE investor WHEN $$foreign$$ THEN net_qty = foreign_net_qty WHEN $$pe_fund$$ THEN net_amount = pe_fund_net_amount END) AS same FROM kis_market_trend JOIN kis_investor_trend USING (market_code, sector_code) WHERE market_code IN ($$KSP$$, $$KSQ$$) AND investor IN ($$foreign$$, $$pe_fund$$) GROUP BY 1 ORDER BY 1;'
:join
:pairs
SET enable_hashjoin = off;
SET enable_mergejoin = off;
:join
:pairs
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT code, part_of, (SELECT net_qty FROM kis_investor_trend WHERE market_code = 'KSQ' AND investor = code) IS NOT NULL AS has_figures
FROM kis_investor_type;
:pairs
-- also over the cache
ALTER SERVER kis OPTIONS (SET cache_ttl '1h');
SELECT foreign_net_qty IS NOT NULL AS has_figures FROM kis_market_trend WHERE market_code = 'ELW';
SELECT count(net_qty) FROM kis_investor_trend WHERE market_code = 'ELW';
ALTER SERVER kis OPTIONS (SET cache_ttl '0');
:pairs

-- LIMIT counts rows, of which a call brings 12
SELECT count(*) FROM (SELECT FROM kis_investor_trend LIMIT 12) t;
:calls
SELECT count(*) FROM (SELECT FROM kis_investor_trend LIMIT 13) t;
:calls
SELECT count(*) FROM (SELECT FROM kis_investor_trend LIMIT 0) t;
SELECT market_code, investor FROM kis_investor_trend LIMIT 2 OFFSET 23;
:calls
EXPLAIN (COSTS off) SELECT FROM kis_investor_trend LIMIT 13;
ALTER SERVER kis OPTIONS (max_calls '2');
SELECT count(*) FROM (SELECT FROM kis_investor_trend LIMIT 24) t;
SELECT count(*) FROM (SELECT FROM kis_investor_trend LIMIT 25) t;
SELECT count(*) FROM kis_investor_trend WHERE investor = 'foreign';
ALTER SERVER kis OPTIONS (DROP max_calls);
:calls

-- what the plan knows
EXPLAIN (COSTS off, VERBOSE) SELECT investor, net_amount FROM kis_investor_trend WHERE market_code = 'KSP';
EXPLAIN (COSTS off, VERBOSE) SELECT investor, trade_date FROM kis_investor_trend WHERE investor = 'bank';
CREATE FUNCTION plan_of(query text) RETURNS json LANGUAGE plpgsql AS
    $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan; RETURN plan->0->'Plan'; END $$;
PREPARE of_investor(text) AS SELECT FROM kis_investor_trend WHERE investor = $1;
SET plan_cache_mode = force_generic_plan;
SELECT query, plan->'Plan Rows' AS rows, plan->'Calls Expected' AS calls
FROM unnest(ARRAY[
    'SELECT FROM kis_investor_trend',
    $$SELECT FROM kis_investor_trend WHERE market_code = 'K2I'$$,
    $$SELECT FROM kis_investor_trend WHERE investor = 'foreign'$$,
    $$SELECT FROM kis_investor_trend WHERE market_code IN ('KSP', 'KSQ') AND investor LIKE '%bank'$$,
    $$SELECT FROM kis_investor_trend WHERE investor = 'nobody'$$,
    $$EXECUTE of_investor('foreign')$$]) AS query, plan_of(query) AS plan;
RESET plan_cache_mode;

-- an investor that there is not
SELECT investor FROM kis_investor_trend WHERE market_code = 'KSP' AND investor IN ('foreigner', 'foreign', '개인', '연기금');
SELECT FROM kis_investor_trend WHERE market_code = 'KSP' AND 'FRGN' = investor;
SELECT FROM kis_investor_trend WHERE market_code = 'KSP' AND (investor = 'martians' OR investor = 'Insurance');
-- a plan for all values would ask
SET plan_cache_mode = force_custom_plan;
PREPARE of_pair(text, text) AS SELECT investor FROM kis_investor_trend WHERE market_code = $1 AND investor = $2;
EXECUTE of_pair('KOSPI', '외국인');
EXECUTE of_pair('KSP', NULL);
RESET plan_cache_mode;
SELECT investor FROM kis_investor_trend WHERE market_code = 'KSP' AND investor <> ALL ('{foreigner}') AND investor LIKE 'foreigner%';
-- a pair that it does not hold
SELECT FROM kis_investor_trend WHERE market_code = 'KSP' AND sector_code = '0013';

-- by hand: other types and names, other figures of the pair beside, all pairs
CREATE DOMAIN who AS varchar(20) CHECK (VALUE ~ '^[a-z_]+$');
CREATE FOREIGN TABLE by_hand (
    net_amount numeric,
    investor char(20),
    who who OPTIONS (field 'investor'),
    sector_code text,
    of_all bigint OPTIONS (field 'frgn_ntby_tr_pbmn'),
    object jsonb OPTIONS (field '*'),
    bought text OPTIONS (field 'buy_qty')
) SERVER kis OPTIONS (table_name 'kis_investor_trend', pairs 'all');
SELECT count(*) FROM by_hand WHERE sector_code LIKE '000%';
:calls
SELECT investor, who, sector_code, net_amount = of_all AS same, object->>'bank_shnu_vol' = bought AS same_too
FROM by_hand WHERE sector_code = '0013' AND investor > 'a' AND who IN ('foreign', 'bank') AND investor = who;
EXPLAIN (COSTS off, VERBOSE) SELECT of_all, object, bought FROM by_hand;
SELECT who FROM by_hand WHERE sector_code = '0013' AND investor = 'banks';
-- a type that takes some of them
CREATE DOMAIN institutional AS text CHECK (VALUE NOT IN ('foreign', 'individual'));
CREATE FOREIGN TABLE institutions (market_code text, investor institutional, net_amount bigint) SERVER kis OPTIONS (table_name 'kis_investor_trend');
SELECT investor, count(net_amount) FROM institutions WHERE investor IN ('bank', 'insurance') GROUP BY 1 ORDER BY 1;
PREPARE of_institution(text) AS SELECT investor, count(net_amount) FROM institutions WHERE investor = $1 GROUP BY 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE of_institution('bank');
EXECUTE of_institution('foreign');
EXECUTE of_institution(NULL);
RESET plan_cache_mode;
SELECT who, (SELECT count(net_amount) FROM institutions WHERE investor = who AND market_code = 'KSP') FROM (VALUES ('bank'), ('pension_fund'), ('nobody')) v (who);
SELECT count(*) FROM institutions WHERE lower(investor) LIKE 'in%';
SELECT count(net_amount) FROM institutions;
-- whole rows and system columns
SELECT tableoid::regclass, k IS NOT NULL AS whole, (k).who FROM by_hand k WHERE sector_code = '0013' AND who = 'foreign';
CREATE FOREIGN TABLE mistyped (investors text) SERVER kis OPTIONS (table_name 'kis_investor_trend');
SELECT * FROM mistyped;
CREATE FOREIGN TABLE not_here (investor text) SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT * FROM not_here;
CREATE FOREIGN TABLE narrow (investor varchar(4)) SERVER kis OPTIONS (table_name 'kis_investor_trend');
SELECT * FROM narrow;

-- members that are not there: NULL, and one warning a statement
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"fault": "missing_member", "params": {"member": ["frgn_ntby_qty", "bank_ntby_qty", "prsn_seln_vol"]}}'
SELECT market_code, investor, net_qty FROM kis_investor_trend
WHERE market_code IN ('KSP', 'KSQ') AND net_qty IS NULL;
SELECT count(buy_qty) FROM kis_investor_trend WHERE market_code = 'KSP';
-- a reply of nothing is no row, a reply of zeros is one for each investor
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"match": {"market": "KSP"}, "fault": "all_blank"}'
\! $KIS_SIMCTL fault '{"match": {"market": "KSQ"}, "fault": "all_zero"}'
SELECT market_code, count(*), sum(net_qty) FROM kis_investor_trend WHERE market_code IN ('KSP', 'KSQ') GROUP BY 1;
-- a LIMIT gets its rows all the same
SELECT market_code, investor FROM kis_investor_trend LIMIT 2;
-- what doesn't fit is an error that says where
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSQ/1001"}, "fault": "overflow", "params": {"member": "prsn_ntby_qty"}}'
SELECT investor, net_qty FROM kis_investor_trend WHERE market_code = 'KSQ';
\echo :LAST_ERROR_SQLSTATE

-- a cursor stops amid a reply, and goes back
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT market_code, investor FROM kis_investor_trend;
FETCH 2 FROM c;
MOVE 9 FROM c;
FETCH 2 FROM c;
FETCH FIRST FROM c;
COMMIT;
SELECT n, investor FROM generate_series(1, 3) n, LATERAL (SELECT investor FROM kis_investor_trend WHERE market_code = 'KSP' LIMIT n) t;

\! $KIS_SIMCTL problems
SET client_min_messages = warning;
DROP FUNCTION plan_of;
DROP SERVER kis CASCADE;
DROP DOMAIN who, institutional;
