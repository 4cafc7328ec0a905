-- The store: its tables, and what becomes of targets whatever day it is. What
-- depends on the day is in t/140_collect.t.
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
-- before midnight is no session
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', session_start '00:00', extra_pairs 'KSP/0031');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');

-- without a store nothing is asked
SELECT * FROM collect_market_investor_trend();

-- made once, and then left alone
CREATE FUNCTION relations() RETURNS bigint LANGUAGE sql AS
    $$ SELECT sum(hashtext(oid::text || relname)) FROM pg_class WHERE relname LIKE 'market_investor_trend%' $$;
SELECT create_market_investor_trend();
SELECT relations() AS before \gset
SELECT create_market_investor_trend();
SELECT relations() = :before AS same;
\d market_investor_trend
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'market_investor_trend_snapshot'::regclass AND attnum > 0 AND atttypid <> 'int8'::regtype;
SELECT count(*) AS figures,
       array_agg(attname ORDER BY attnum) FILTER (WHERE attnum IN (5, 35, 76)) AS some
FROM pg_attribute
WHERE attrelid = 'market_investor_trend_snapshot'::regclass AND atttypid = 'int8'::regtype;
SELECT pg_get_partkeydef('market_investor_trend_snapshot'::regclass),
       pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'market_investor_trend_snapshot'::regclass AND contype = 'p';
SELECT count(*) AS partitions,
       bool_and(relname ~ '^market_investor_trend_snapshot_y\d{4}m\d\d$') AS named,
       array_agg(DISTINCT c.conname) AS checks
FROM pg_inherits JOIN pg_class r ON r.oid = inhrelid
LEFT JOIN pg_constraint c ON c.conrelid = inhrelid AND c.contype = 'c'
WHERE inhparent = 'market_investor_trend_snapshot'::regclass;
SELECT obj_description('market_investor_trend'::regclass);
SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
WHERE attrelid = 'market_investor_trend'::regclass
  AND attname IN ('collected_at', 'foreign_net_qty', 'pension_fund_net_amount', 'source');
SELECT count(*) AS without_comment FROM pg_attribute
WHERE attrelid IN ('market_investor_trend'::regclass, 'market_investor_trend_snapshot'::regclass)
  AND attnum > 0 AND col_description(attrelid, attnum) IS NULL;

-- a view of it by investor
\d market_investor_trend_by_investor
SELECT count(*) AS without_comment FROM pg_attribute
WHERE attrelid = 'market_investor_trend_by_investor'::regclass
  AND attnum > 0 AND col_description(attrelid, attnum) IS NULL;
SELECT obj_description('market_investor_trend_by_investor'::regclass);
SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
WHERE attrelid = 'market_investor_trend_by_investor'::regclass
  AND attname ~ '^net_|_unit$' ORDER BY attnum;

-- what is missing is made, and only what is asked for
CREATE SCHEMA other;
SELECT create_market_investor_trend('other."My store"', snapshots => false);
SELECT relname FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition ORDER BY 1;
SELECT create_market_investor_trend('other."My store"');
SELECT relname FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind = 'p' ORDER BY 1;
SELECT create_market_investor_trend('other.' || repeat('long', 15), snapshots => true);
-- long names that begin alike share nothing
SELECT create_market_investor_trend('other.' || repeat('long', 14) || 'er');
SELECT relname FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind IN ('p', 'v') AND relname ~ '^long' ORDER BY 1;
SELECT count(*) FROM pg_inherits WHERE inhparent IN
    (SELECT oid FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind = 'p' AND relname ~ '^long');

-- names and tables that can't be
SELECT create_market_investor_trend(NULL);
SELECT create_market_investor_trend('');
SELECT create_market_investor_trend('""');
SELECT create_market_investor_trend('nowhere.store');
CREATE TABLE other.bare (market_code text, sector_code text, trade_date text);
CREATE VIEW other.seen AS SELECT 1 AS one;
SELECT create_market_investor_trend('other.seen');
CREATE FOREIGN TABLE other.live (market_code text) SERVER kis OPTIONS (table_name 'kis_market_trend');
SELECT create_market_investor_trend('other.live');
SELECT create_market_investor_trend('other.bare');
ALTER TABLE other.bare ALTER trade_date TYPE date USING NULL;
SELECT create_market_investor_trend('other.bare');
ALTER TABLE other.bare ADD collected_at timestamptz GENERATED ALWAYS AS ('2026-07-10 15:30+09') STORED;
SELECT create_market_investor_trend('other.bare');
ALTER TABLE other.bare DROP collected_at, ADD collected_at timestamptz;
SELECT create_market_investor_trend('other.bare');
ALTER TABLE other.bare ADD UNIQUE (market_code, trade_date, sector_code);
SELECT create_market_investor_trend('other.bare');
ALTER TABLE other.bare ADD foreign_net_qty text;
SELECT create_market_investor_trend('other.bare');
SELECT * FROM collect_market_investor_trend(store => 'other.bare');
ALTER TABLE other.bare ALTER foreign_net_qty TYPE bigint USING NULL;
SELECT create_market_investor_trend('other.bare', snapshots => false);

-- targets: all wrong ones are found before any call
SELECT * FROM collect_market_investor_trend('{KSP/0001,NULL}');
SELECT * FROM collect_market_investor_trend('{KSP/0001,KOSPI}');
SELECT * FROM collect_market_investor_trend('{kospi/0001}');
SELECT * FROM collect_market_investor_trend('{코스닥}');
SELECT * FROM collect_market_investor_trend('{ksp}');
SELECT * FROM collect_market_investor_trend('{NASDAQ}');
SELECT * FROM collect_market_investor_trend('{KSP/001}');
SELECT * FROM collect_market_investor_trend('{KSP/1001}');
SELECT * FROM collect_market_investor_trend('{KSP/00011111111111}');
SELECT * FROM collect_market_investor_trend('{KSP/}');
SELECT * FROM collect_market_investor_trend('{/0001}');
SELECT * FROM collect_market_investor_trend('{KSP/0001/0002}');
SELECT * FROM collect_market_investor_trend('{""}');
SELECT * FROM collect_market_investor_trend(NULL);
SELECT * FROM collect_market_investor_trend(source => 'kiss');
SELECT * FROM collect_market_investor_trend('{}');
CREATE FOREIGN DATA WRAPPER another;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER another;
SELECT * FROM collect_market_investor_trend(source => 'elsewhere');
BEGIN READ ONLY;
SELECT * FROM collect_market_investor_trend();
ROLLBACK;
\! $KIS_SIMCTL calls

-- each once, in the order of keys
SELECT market_code, sector_code, outcome, detail
FROM collect_market_investor_trend('{KSP/0013,K2I,KSP,KSP/0001,999}');
\! $KIS_SIMCTL pairs

-- inserted, unchanged, updated
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"frgn_ntby_qty": "-12", "prsn_ntby_qty": "30"}, "KSP/0031": {"frgn_ntby_qty": "1"}}, "extra_pairs": ["KSP/0031"]}'
DELETE FROM market_investor_trend;
SELECT market_code, sector_code, outcome, detail
FROM collect_market_investor_trend('{KSP/0001,KSQ/1001,KSP/0031}');
CREATE TABLE before AS SELECT * FROM market_investor_trend;
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"frgn_ntby_qty": "-13", "prsn_ntby_qty": ""}}}'
SELECT market_code, sector_code, outcome, detail FROM collect_market_investor_trend('{KSP/0001,KSQ/1001}');
-- an empty member leaves the figure that was there
SELECT sector_code, b.foreign_net_qty, m.foreign_net_qty, m.individual_net_qty, m.source,
       m.collected_at > b.collected_at AS collected, m.created_at = b.created_at AS same_created,
       m.updated_at > b.updated_at AS updated
FROM before b JOIN market_investor_trend m USING (id, market_code, sector_code, trade_date)
ORDER BY sector_code;
-- the same reply again, but for an empty member
SELECT outcome FROM collect_market_investor_trend('{KSP/0001}');
-- all 72 figures of each changed reply are kept
SELECT sector_code, array_agg(foreign_net_qty ORDER BY collected_at) AS foreign_net_qty,
       array_agg(individual_net_qty ORDER BY collected_at) AS individual_net_qty,
       count(other_corporation_buy_amount)
FROM market_investor_trend_snapshot WHERE sector_code IN ('0031', '1001')
    OR sector_code = '0001' AND foreign_net_qty BETWEEN -13 AND -12
GROUP BY sector_code ORDER BY sector_code;

-- the view: a row for each investor, with names, Seoul's time and amounts in 100 million won
CREATE TABLE all_of_it AS SELECT * FROM market_investor_trend;
DELETE FROM market_investor_trend;
INSERT INTO market_investor_trend (market_code, sector_code, collected_at, trade_date,
    foreign_net_qty, foreign_net_amount, pension_fund_net_qty, pension_fund_net_amount, source) VALUES
    ('KSP', '0001', '2026-07-10 15:40:00.5+09', '2026-07-10', -120, 123456, 7, -5, 'live'),
    ('ETF', 'T000', '2026-07-10 00:10:00+09', '2026-07-09', 1, 2, 3, 4, 'live'),
    ('KSP', '0031', '2026-07-10 15:40:00+09', '2026-07-10', 1, 2, 3, 4, 'daily'),
    ('XXX', '0001', '2026-07-10 15:40:00+09', '2026-07-10', 1, 2, 3, 4, 'daily');
SET timezone = 'America/New_York';
SET client_encoding TO UTF8;
\pset null (null)
SELECT * FROM market_investor_trend_by_investor
WHERE investor IN ('foreign', 'pension_fund') ORDER BY market_code, sector_code, investor;
SELECT investor, investor_name_en, net_qty FROM market_investor_trend_by_investor
WHERE market_name = '코스피' AND sector_code = '0001';
\pset null ''
RESET timezone;
-- names and units are kis_sector's and kis_investor_type's
TRUNCATE market_investor_trend;
INSERT INTO market_investor_trend (market_code, sector_code, collected_at, trade_date, bank_net_amount, source)
SELECT market_code, sector_code, now(), '2026-07-10', 100, 'live' FROM kis_sector;
SELECT count(*) FILTER (WHERE (v.market_name, v.market_name_en, v.sector_name, v.sector_name_en) = (k.market_name, k.market_name_en, k.sector_name, k.sector_name_en)) AS same_names,
       count(*) FILTER (WHERE v.net_amount_eok IS NOT DISTINCT FROM v.net_amount * k.amount_factor / 100000000) AS same_amounts,
       count(*) FILTER (WHERE (v.quantity_unit, v.amount_unit) IS NOT DISTINCT FROM (k.quantity_unit, k.amount_unit)) AS same_units,
       count(DISTINCT net_amount_eok) AS amounts, count(net_amount_eok) AS known, count(v.amount_unit) AS units
FROM market_investor_trend_by_investor v JOIN kis_sector k USING (market_code, sector_code) WHERE investor = 'bank';
SELECT count(*) FROM (SELECT DISTINCT investor, investor_name, investor_name_en, screen_name, part_of FROM market_investor_trend_by_investor) v
JOIN kis_investor_type t ON (code, name, name_en, t.screen_name) = (investor, investor_name, investor_name_en, v.screen_name)
    AND t.part_of IS NOT DISTINCT FROM v.part_of;
-- who may read the view need not read the store
CREATE ROLE regress_kis_reader;
GRANT SELECT ON market_investor_trend_by_investor TO regress_kis_reader;
SET ROLE regress_kis_reader;
SELECT count(*) FROM market_investor_trend_by_investor;
SELECT count(*) FROM market_investor_trend;
RESET ROLE;
REVOKE ALL ON market_investor_trend_by_investor FROM regress_kis_reader;
DROP ROLE regress_kis_reader;
TRUNCATE market_investor_trend;
INSERT INTO market_investor_trend OVERRIDING SYSTEM VALUE SELECT * FROM all_of_it;
-- of stores with other columns: those investors that they have, by whatever name and type
CREATE TABLE other.some (trade_date date, market_code varchar(3) COLLATE "C", sector_code varchar(4), collected_at timestamptz,
    bank_net_amount numeric, "etc_corp_ntby_vol" bigint, foreign_buy_qty bigint, foreign_net_qty bigint, foreign_net_amount bigint,
    UNIQUE (market_code, sector_code, trade_date));
SELECT create_market_investor_trend('other.some', snapshots => false);
INSERT INTO other.some VALUES ('2026-07-10', 'KSP', '0001', '2026-07-10 15:40:00+09', 12.5, 3, 4, 5, 6);
SELECT investor, net_qty, net_amount, net_amount_eok FROM other.some_by_investor;
SELECT market_code, investor, net_qty, net_amount_eok FROM other."My store_by_investor";
CREATE TABLE other.sold (trade_date date, market_code text, sector_code text, collected_at timestamptz,
    foreign_sell_qty bigint, UNIQUE (market_code, sector_code, trade_date));
SELECT create_market_investor_trend('other.sold', snapshots => false);
SELECT to_regclass('other.sold_by_investor');
-- what has the view's name is left alone
DROP VIEW other.some_by_investor;
CREATE MATERIALIZED VIEW other.some_by_investor AS SELECT 1 AS one;
SELECT create_market_investor_trend('other.some', snapshots => false);
DROP MATERIALIZED VIEW other.some_by_investor;
CREATE TABLE other.some_by_investor (one int);
SELECT create_market_investor_trend('other.some', snapshots => false);
DROP TABLE other.some_by_investor;
CREATE VIEW other.some_by_investor AS SELECT 1 AS one;
SELECT create_market_investor_trend('other.some', snapshots => false);
-- but not where it is another role's
CREATE ROLE regress_kis_reader;
ALTER VIEW other.some_by_investor OWNER TO regress_kis_reader;
SELECT create_market_investor_trend('other.some', snapshots => false);
\echo :LAST_ERROR_SQLSTATE
DROP VIEW other.some_by_investor;
DROP ROLE regress_kis_reader;
-- operators of the user's own don't get in between
CREATE SCHEMA trap;
CREATE FUNCTION trap.equal(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE DOMAIN trap.int8 AS pg_catalog.int8;
SET search_path = trap, pg_catalog, public;
SELECT create_market_investor_trend('trap.store', snapshots => false);
SELECT count(*) FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
WHERE r.ev_class = 'trap.store_by_investor'::regclass AND refclassid <> 'pg_class'::regclass AND refobjid >= 16384;
RESET search_path;
DROP TABLE all_of_it;

-- older than what is stored
UPDATE market_investor_trend SET collected_at = 'infinity', foreign_net_qty = 1;
SELECT outcome, detail FROM collect_market_investor_trend('{KSP/0001}');
SELECT foreign_net_qty, collected_at FROM market_investor_trend WHERE sector_code = '0001';

-- failed: the others are stored all the same
DELETE FROM market_investor_trend;
\! $KIS_SIMCTL config '{"overrides": {}}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSP/0001"}, "fault": "error", "params": {"msg_cd": "EGW00206", "msg1": "no"}}'
\! $KIS_SIMCTL fault '{"match": {"pair": "KSQ/1001"}, "fault": "overflow", "params": {"member": "bank_ntby_qty"}}'
\! $KIS_SIMCTL fault '{"match": {"pair": "ETN/E199"}, "fault": "all_blank"}'
\! $KIS_SIMCTL fault '{"match": {"pair": "ELW/W000"}, "fault": "missing_member", "params": {"member": ["bank_seln_vol", "bank_ntby_qty"]}}'
SELECT market_code, sector_code, trade_date IS NULL AS no_date, outcome, detail
FROM collect_market_investor_trend('{KSP,KSQ,ETF,ETN,ELW}');
SELECT market_code, bank_net_qty IS NULL AS no_bank FROM market_investor_trend ORDER BY market_code;
SELECT count(*) FROM market_investor_trend_snapshot WHERE market_code = 'ETN';
-- a member that is in no table may be what it will
SELECT outcome FROM collect_market_investor_trend('{KSQ}', store => 'other.bare');
SELECT market_code, foreign_net_qty IS NULL FROM other.bare;
-- every one failed
SELECT * FROM collect_market_investor_trend('{KSP,KSQ,ETN}');
\! $KIS_SIMCTL config '{"faults": [{"fault": "error", "params": {"msg_cd": "EGW00206", "msg1": "no"}}]}'
SELECT * FROM collect_market_investor_trend('{KSP}');
\echo :LAST_ERROR_SQLSTATE

-- the data stay when the extension goes
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SET client_min_messages = warning;
DROP EXTENSION market_investor_fdw CASCADE;
SELECT count(*) FROM market_investor_trend;
SELECT count(*) > 0 FROM market_investor_trend_snapshot;
-- and so does the view with its names
SELECT count(*), count(sector_name), count(investor_name) FROM market_investor_trend_by_investor;
CREATE EXTENSION market_investor_fdw;
DROP VIEW market_investor_trend_by_investor;
DROP VIEW market_investor_trend_intraday;
DROP TABLE market_investor_trend, market_investor_trend_snapshot, market_investor_trend_collection, before;
DROP SCHEMA other, trap CASCADE;
DROP FOREIGN DATA WRAPPER another CASCADE;
DROP FUNCTION relations;
