-- From KIS's replies to columns of any type.
SET client_encoding TO UTF8;
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset
-- before midnight is no session
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000', session_start '00:00');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');

-- a table by hand: any subset of the columns, in any order, of many types
CREATE DOMAIN code AS varchar(4) CHECK (VALUE ~ '^[A-Z0-9]{3,4}$');
CREATE DOMAIN shares AS bigint;
CREATE FOREIGN TABLE by_hand (
    bank_net_qty integer,
    foreign_buy_qty numeric(12, 2),
    sector_code code,
    gone text,
    individual_net_amount double precision,
    market_code char(5),
    institution_sell_amount text,
    trade_date text,
    frgn_ntby_qty shares,
    collected_at timestamptz(0)
) SERVER kis OPTIONS (table_name 'kis_sector_trend', pairs 'headline');
ALTER FOREIGN TABLE by_hand DROP gone;
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"bank_ntby_qty": "-12", "frgn_shnu_vol": "34", "prsn_ntby_tr_pbmn": "-560", "orgn_seln_tr_pbmn": "78", "frgn_ntby_qty": "9000000000000000000"}}}'
SELECT bank_net_qty, foreign_buy_qty, sector_code, individual_net_amount, market_code,
       institution_sell_amount, frgn_ntby_qty, market_code = 'KSP' AS equal
FROM by_hand WHERE market_code = 'KSP' AND sector_code = '0001';
SELECT count(*) FROM by_hand;
SELECT market_code, sector_code FROM by_hand WHERE market_code IN ('KSP  ', 'KOSDAQ');
-- the day is Seoul's, the last weekday, whatever the session's zone
SET timezone = 'America/New_York';
SELECT trade_date::date = seoul - greatest(extract(isodow FROM seoul)::int - 5, 0) AS day,
       now() - collected_at BETWEEN '-2s' AND '1min' AS time, collected_at = date_trunc('second', collected_at) AS rounded
FROM by_hand, LATERAL (SELECT (collected_at AT TIME ZONE 'Asia/Seoul')::date AS seoul) s
WHERE market_code = 'KSP';
RESET timezone;

-- without keys; with a key twice; with columns of no member at all
CREATE FOREIGN TABLE keyless (foreign_net_qty bigint) SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT count(*), count(foreign_net_qty) FROM keyless;
CREATE FOREIGN TABLE keys (
    market text OPTIONS (field 'market_code'),
    exchange char(3) OPTIONS (field 'market_code'),
    sector text OPTIONS (field 'sector_code')
) SERVER kis OPTIONS (table_name 'kis_market_trend');
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT * FROM keys WHERE market < 'ETG' AND exchange > 'ELW';
SELECT market FROM keys WHERE exchange = 'KSX';
\! $KIS_SIMCTL pairs
-- system columns, whole rows
SELECT tableoid::regclass, keys, xmin, market FROM keys WHERE market = 'ETF';

-- members by KIS's names, the member object, the whole reply
CREATE FOREIGN TABLE fields (
    market_code text, sector_code text,
    net bigint OPTIONS (field 'frgn_ntby_qty'),
    by_our_name bigint OPTIONS (field 'foreign_net_qty'),
    new_member integer OPTIONS (field 'bstp_nmix_prpr'),
    starred text OPTIONS (field '***'),
    object jsonb OPTIONS (field '*'),
    object_json json OPTIONS (field '*'),
    object_text text OPTIONS (field '*'),
    reply jsonb OPTIONS (field '**'),
    reply_text text OPTIONS (field '**')
) SERVER kis OPTIONS (table_name 'kis_market_trend');
\! $KIS_SIMCTL fault '{"match": {"pair": "ETF/T000"}, "fault": "extra_member", "params": {"member": "bstp_nmix_prpr", "value": "42"}}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSQ/1001"}, "fault": "output_object"}'
\x
SELECT net = by_our_name AS same, new_member,
       (SELECT count(*) FROM jsonb_object_keys(object)) AS members, object->'frgn_ntby_qty' = to_jsonb(net::text) AS net_in_object,
       object = object_json::jsonb AND object = object_text::jsonb AS same_object,
       left(object_text, 17) AS starts, reply->'output'->0 = object AS in_reply,
       reply - 'output' AS reply, reply = reply_text::jsonb AS same_reply
FROM fields WHERE market_code = 'ETF';
SELECT jsonb_typeof(reply->'output'), reply->'output' = object AS same, object->>'frgn_ntby_qty' = net::text AS net_in_object
FROM fields WHERE market_code = 'KSQ';
\x
-- read alone, no member is
EXPLAIN (COSTS OFF, VERBOSE) SELECT new_member, object, reply FROM fields;

-- values as KIS may write them
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"match": {"market": "ETF"}, "fault": "padded", "params": {"member": "frgn_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"market": "ETN"}, "fault": "blank", "params": {"member": "frgn_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"market": "ELW"}, "fault": "null", "params": {"member": "frgn_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"market": "KSP"}, "fault": "numbers", "params": {"member": "frgn_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"market": "KSQ"}, "fault": "signed", "params": {"member": "frgn_ntby_qty"}}'
CREATE FOREIGN TABLE net (
    market_code text, frgn_ntby_qty bigint,
    as_text text OPTIONS (field 'frgn_ntby_qty'),
    as_int integer OPTIONS (field 'frgn_ntby_qty'),
    as_numeric numeric OPTIONS (field 'frgn_ntby_qty'),
    prsn_ntby_qty bigint
) SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT * FROM net WHERE market_code IN ('ETF', 'ETN', 'ELW', 'KSP', 'KSQ');
-- missing: NULL, and one warning a statement
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"fault": "missing_member", "params": {"member": ["frgn_ntby_qty", "prsn_ntby_qty"]}}'
SELECT market_code, frgn_ntby_qty, prsn_ntby_qty FROM net WHERE market_code IN ('KSP', 'KSQ');
SELECT market_code, prsn_ntby_qty FROM net WHERE market_code = 'KSP';
SELECT market_code FROM net WHERE market_code = 'KSP';
SELECT new_member, starred FROM fields WHERE market_code = 'KSP';
-- a reply of nothing is no row, a reply of zeros is one
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"match": {"market": "K2I"}, "fault": "all_blank"}'
\! $KIS_SIMCTL fault '{"match": {"market": "KSQ"}, "fault": "all_zero"}'
SELECT market_code, as_text FROM net WHERE market_code IN ('K2I', 'KSQ');
-- a LIMIT gets its rows all the same
SELECT market_code FROM net LIMIT 3;

-- what doesn't fit is an error that says where
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSQ/1001"}, "fault": "overflow", "params": {"member": "frgn_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSP/0001"}, "fault": "text", "params": {"member": "frgn_ntby_qty"}}'
SELECT frgn_ntby_qty FROM net WHERE market_code = 'KSP';
\echo :LAST_ERROR_SQLSTATE
SELECT frgn_ntby_qty FROM net WHERE market_code = 'KSQ';
\echo :LAST_ERROR_SQLSTATE
SELECT as_int FROM net WHERE market_code = 'KSQ';
SELECT as_numeric FROM net WHERE market_code = 'KSQ';
SELECT as_text FROM net WHERE market_code IN ('KSP', 'KSQ');
SELECT prsn_ntby_qty IS NOT NULL AS others FROM net WHERE market_code IN ('KSP', 'KSQ');
CREATE DOMAIN positive AS integer NOT NULL CHECK (VALUE > 0);
CREATE FOREIGN TABLE strict_net (market_code text, frgn_ntby_qty positive) SERVER kis OPTIONS (table_name 'kis_market_trend');
\! $KIS_SIMCTL config '{"overrides": {"ETF/T000": {"frgn_ntby_qty": "-1"}, "ETN/E199": {"frgn_ntby_qty": ""}, "ELW/W000": {"frgn_ntby_qty": "1"}}}'
SELECT * FROM strict_net WHERE market_code = 'ETF';
SELECT * FROM strict_net WHERE market_code = 'ETN';
SELECT * FROM strict_net WHERE market_code = 'ELW';
-- codes that don't fit their column
CREATE FOREIGN TABLE narrow (market_code varchar(2)) SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT * FROM narrow;

SET client_min_messages = warning;
DROP SERVER kis CASCADE;
DROP DOMAIN code, shares, positive;
