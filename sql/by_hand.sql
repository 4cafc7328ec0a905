-- Foreign tables by hand of columns that nobody should make, and what is done
-- to foreign tables that can't be done: each works or says why not.
\getenv url KIS_SIMULATOR_URL
\getenv app_key KIS_SIMULATOR_APP_KEY
\getenv app_secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
\pset format unaligned
\pset tuples_only on
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday', requests_per_second '1000', session_start '00:00');
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key :'app_key', app_secret :'app_secret');
SET datestyle = ISO;
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"frgn_ntby_qty": "70000"}}}'

-- One column and its type: what a query says. The error names the column, and
-- the member if it is of one.
CREATE FUNCTION try(declared text, query text DEFAULT 'SELECT * FROM tried') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    value text;
    context text;
BEGIN
    EXECUTE 'CREATE FOREIGN TABLE tried (' || declared || $_$) SERVER kis OPTIONS (table_name 'kis_market_trend')$_$;
    EXECUTE replace(query, 'SELECT *', 'SELECT to_json(tried)') INTO value;
    DROP FOREIGN TABLE tried;
    RETURN declared || ': ' || coalesce('ok ' || value, 'no row');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
    RETURN declared || ': ' || SQLSTATE || ' ' || regexp_replace(SQLERRM, '"({|\d{4}-).*"', '"..."') || coalesce(' (' || substring(context FROM 'column "[^\n]*') || ')', '');
END $$;
CREATE TYPE mood AS ENUM ('KSP', 'KSQ');
CREATE TYPE pair AS (market text, sector text);
CREATE DOMAIN never AS text CHECK (VALUE IS NULL);
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN few AS bigint CHECK (VALUE < 10);

-- figures
SELECT try(format('market_code text, foreign_net_qty %s', type), $$SELECT * FROM tried WHERE market_code = 'KSP'$$)
FROM string_to_table('bool "char" bit bit(8) varbit bytea int2 int4 int8 oid xid money float4 float8 numeric numeric(3) numeric(3,-3) name bpchar bpchar(1)'
    ' bpchar(8) varchar(1) text no_such_type date time timestamptz interval uuid inet macaddr point json jsonb jsonpath tsvector tsquery int4range'
    ' int8multirange pg_lsn regclass regrole text[] bigint[] bigint[][] mood pair never filled few record anyelement cstring void pg_class', ' ') AS type;
-- codes
SELECT try(format('market_code %s', type), 'SELECT * FROM tried LIMIT 1')
FROM string_to_table('bool "char" bytea int2 numeric name bpchar bpchar(1) bpchar(8) varchar(2) varchar(3) text date uuid jsonb text[] mood pair never filled', ' ') AS type;
SELECT try(format('sector_code %s', type), 'SELECT * FROM tried LIMIT 1') FROM unnest('{int2,name,bpchar(1),bytea,bigint}'::text[]) AS type;
-- the days and the times
SELECT try(format('market_code text, trade_date %s', type), $$SELECT market_code FROM tried WHERE market_code = 'KSP' AND trade_date IS NOT NULL$$)
FROM unnest('{text,timestamptz,timestamp,time,int4,bool,date[],varchar(3),name}'::text[]) AS type;
SELECT try(format('market_code text, collected_at %s', type), $$SELECT market_code FROM tried WHERE market_code = 'KSP' AND collected_at IS NOT NULL$$)
FROM unnest('{text,timestamptz(0),timestamp,date,time,timetz,int8,timestamptz[]}'::text[]) AS type;
-- objects
SELECT try(format('market_code text, object %s OPTIONS (field %L)', type, field), $$SELECT market_code FROM tried WHERE market_code = 'KSP' AND object IS NOT NULL$$)
FROM unnest('{bytea,name,varchar(10),bigint,text[]}'::text[]) AS type, unnest('{*,**}'::text[]) AS field;
-- other declarations
SELECT try('');
SELECT try('', 'SELECT count(*) FROM tried');
SELECT try('foreign_net_qty bigint DEFAULT 5 NOT NULL CHECK (foreign_net_qty < 5)', 'SELECT count(foreign_net_qty) FROM tried');
SELECT try('market_code text COLLATE "C", foreign_net_qty bigint, twice bigint GENERATED ALWAYS AS (foreign_net_qty * 2) STORED');
SELECT try('market_code text, foreign_net_qty bigint, bank_net_qty bigint GENERATED ALWAYS AS (foreign_net_qty * 2) STORED');
SELECT try('market_code text, id bigint GENERATED ALWAYS AS IDENTITY');
SELECT try('market_code text, id serial');
SELECT try('market_code text PRIMARY KEY');
SELECT try('market_code text UNIQUE');
SELECT try('market_code text REFERENCES pg_catalog.pg_class');
SELECT try($$a text OPTIONS (field 'market_code'), b text OPTIONS (field 'market_code'), c text OPTIONS (field 'market_code')$$, $$SELECT * FROM tried WHERE a = 'KSP' AND b = 'KSQ'$$);
SELECT try($$a text OPTIONS (field 'market_code'), b text OPTIONS (field 'market_code'), c text OPTIONS (field 'market_code')$$, $$SELECT * FROM tried WHERE a = 'KSP' AND b = c$$);
SELECT length(try(string_agg(format($$c%s bigint OPTIONS (field 'frgn_ntby_qty')$$, i), ', '))) > 10000 AS wide FROM generate_series(1, 1600) i;
SELECT right(try(string_agg(format($$c%s bigint OPTIONS (field 'frgn_ntby_qty')$$, i), ', ')), 48) FROM generate_series(1, 1601) i;
\! $KIS_SIMCTL problems

-- a pair whose codes don't fit is an error where it is read, not where a condition leaves it out
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE DOMAIN exchange AS text CHECK (VALUE IN ('KSP', 'KSQ'));
CREATE DOMAIN main_exchange AS exchange NOT NULL CHECK (VALUE <> 'KSQ');
CREATE DOMAIN numbered AS varchar(4) CHECK (VALUE ~ '^[0-9]+$');
CREATE DOMAIN number AS integer CHECK (VALUE < 1000);
CREATE TABLE local (market_code text);
INSERT INTO local VALUES ('KSP');
SELECT condition || ' of ' || try('market_code ' || type, 'SELECT string_agg(market_code, $$ $$) FROM (SELECT tried.market_code FROM tried ' || condition || ') t')
FROM string_to_table('exchange main_exchange char(3)', ' ') AS type,
    unnest(ARRAY['WHERE market_code = $$KSP$$', 'WHERE market_code IN ($$KSQ$$, $$KSP$$)', 'WHERE lower(market_code) = $$ksp$$', 'WHERE market_code <> $$KSP$$',
        'WHERE market_code IS NULL', 'LIMIT 1', 'JOIN local USING (market_code)']) AS condition;
SELECT query || ' of ' || try('market_code text, sector_code ' || type, query)
FROM string_to_table('varchar(1) varchar(4) numbered number int2 mood', ' ') AS type,
    unnest(ARRAY['SELECT market_code FROM tried WHERE market_code = $$KSP$$', 'SELECT * FROM tried WHERE market_code = $$KSP$$', 'SELECT * FROM tried WHERE market_code = $$ETF$$',
        'SELECT * FROM tried WHERE sector_code::text = $$0001$$', 'SELECT * FROM tried WHERE sector_code IS NULL']) AS query;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE FOREIGN TABLE few_markets (market_code main_exchange, sector_code numbered) SERVER kis OPTIONS (table_name 'kis_market_trend');
EXPLAIN (COSTS off) SELECT * FROM few_markets WHERE market_code = 'KSP';
SET plan_cache_mode = force_generic_plan;
PREPARE of_market(text) AS SELECT * FROM few_markets WHERE market_code = $1;
EXECUTE of_market('KSP');
EXECUTE of_market('KOSPI');
EXECUTE of_market('ETF');
RESET plan_cache_mode;
\! $KIS_SIMCTL pairs
SELECT count(*) > 2 AS many FROM few_markets;
\! $KIS_SIMCTL problems
DEALLOCATE of_market;
DROP FOREIGN TABLE few_markets;
DROP TABLE local;
DROP DOMAIN main_exchange, exchange, numbered, number;
DROP FUNCTION try;

-- what isn't done to a foreign table asks nothing, and says so
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
CREATE FOREIGN TABLE kis_market_trend (market_code text, sector_code text, foreign_net_qty bigint) SERVER kis;
CREATE TABLE local (market_code text);
INSERT INTO local VALUES ('KSP');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran'; END $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON kis_market_trend FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON kis_market_trend FOR EACH STATEMENT EXECUTE FUNCTION touch();
CREATE TRIGGER instead INSTEAD OF INSERT ON kis_market_trend FOR EACH ROW EXECUTE FUNCTION touch();
-- PostgreSQL's own messages, which change; but they name the table
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN command || ': ok';
EXCEPTION WHEN OTHERS THEN
    RETURN command || ': ' || SQLSTATE || CASE WHEN SQLSTATE = '0A000' THEN ' ' || SQLERRM ELSE '' END;
END $$;
SELECT try(command) FROM unnest(ARRAY[
    $$INSERT INTO kis_market_trend VALUES ('KSP', '0001', 1)$$,
    $$INSERT INTO kis_market_trend DEFAULT VALUES$$,
    $$INSERT INTO kis_market_trend SELECT * FROM kis_market_trend$$,
    $$INSERT INTO kis_market_trend VALUES ('KSP', '0001', 1) ON CONFLICT DO NOTHING$$,
    $$WITH w AS (INSERT INTO kis_market_trend VALUES ('KSP', '0001', 1) RETURNING 1) SELECT * FROM w$$,
    $$UPDATE kis_market_trend SET foreign_net_qty = 0$$,
    $$UPDATE kis_market_trend t SET foreign_net_qty = 0 FROM local l WHERE l.market_code = t.market_code$$,
    $$UPDATE local l SET market_code = t.sector_code FROM kis_market_trend t WHERE l.market_code = t.market_code$$,
    $$DELETE FROM kis_market_trend$$,
    $$DELETE FROM kis_market_trend WHERE false$$,
    $$DELETE FROM local l USING kis_market_trend t WHERE l.market_code = t.sector_code$$,
    $$TRUNCATE kis_market_trend$$,
    $$TRUNCATE local, kis_market_trend$$,
    $$EXPLAIN INSERT INTO kis_market_trend VALUES ('KSP', '0001', 1)$$,
    $$EXPLAIN UPDATE kis_market_trend SET foreign_net_qty = 0$$,
    $$EXPLAIN DELETE FROM kis_market_trend$$,
    $$MERGE INTO kis_market_trend t USING local l ON t.market_code = l.market_code WHEN MATCHED THEN DELETE$$,
    $$CREATE INDEX ON kis_market_trend (market_code)$$,
    $$CREATE UNIQUE INDEX ON kis_market_trend (market_code)$$,
    $$CREATE STATISTICS of_codes ON market_code, sector_code FROM kis_market_trend$$,
    $$ALTER FOREIGN TABLE kis_market_trend ADD PRIMARY KEY (market_code)$$,
    $$ALTER FOREIGN TABLE kis_market_trend ENABLE ROW LEVEL SECURITY$$,
    $$ALTER FOREIGN TABLE kis_market_trend SET (fillfactor = 10)$$,
    $$ALTER FOREIGN TABLE kis_market_trend SET TABLESPACE pg_default$$,
    $$ALTER FOREIGN TABLE kis_market_trend REPLICA IDENTITY FULL$$,
    $$CREATE POLICY p ON kis_market_trend$$,
    $$CREATE RULE r AS ON INSERT TO kis_market_trend DO INSTEAD NOTHING$$,
    $$CREATE TABLE refers (a text REFERENCES kis_market_trend (market_code))$$,
    $$CREATE TABLE like_it (LIKE kis_market_trend INCLUDING ALL)$$,
    $$CREATE PUBLICATION of_it FOR TABLE kis_market_trend$$,
    $$LOCK TABLE kis_market_trend$$,
    $$REINDEX TABLE kis_market_trend$$,
    $$CLUSTER kis_market_trend$$,
    $$COPY kis_market_trend TO PROGRAM 'cat'$$,
    $$SELECT * FROM kis_market_trend TABLESAMPLE system (10)$$,
    $$SELECT ctid FROM kis_market_trend WHERE false$$,
    $$SELECT pg_relation_size('kis_market_trend'), pg_table_size('kis_market_trend')$$,
    $$SELECT pg_relation_filepath('kis_market_trend')$$,
    $$ANALYZE kis_market_trend$$,
    $$ALTER FOREIGN TABLE kis_market_trend ALTER foreign_net_qty SET STATISTICS 5$$,
    $$DECLARE c CURSOR FOR SELECT * FROM kis_market_trend FOR UPDATE$$]) AS command;
COPY kis_market_trend FROM STDIN;
KSP	0001	1
\.
VACUUM kis_market_trend;
VACUUM ANALYZE local, kis_market_trend;
\! $KIS_SIMCTL pairs

-- rows that are locked are the local ones
INSERT INTO local VALUES ('KSP');
BEGIN;
SELECT t.market_code FROM kis_market_trend t JOIN local USING (market_code) FOR UPDATE;
SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP' FOR SHARE SKIP LOCKED;
SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP' FOR NO KEY UPDATE NOWAIT;
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT market_code FROM kis_market_trend WHERE market_code IN ('KSP', 'ETF') ORDER BY 1;
FETCH LAST FROM held;
UPDATE kis_market_trend SET foreign_net_qty = 0 WHERE CURRENT OF held;
ROLLBACK;

-- what changes under a plan that is kept
SET plan_cache_mode = force_generic_plan;
PREPARE kept AS SELECT count(*), count(foreign_net_qty) > 0, min(market_code) FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ');
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend OPTIONS (ADD table_name 'kis_sector_trend');
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend OPTIONS (ADD pairs 'headline');
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend ALTER market_code OPTIONS (ADD field 'sector_code');
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend ALTER market_code OPTIONS (DROP field), ALTER foreign_net_qty TYPE text;
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend DROP sector_code;
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend RENAME foreign_net_qty TO bank_net_qty;
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend RENAME bank_net_qty TO nothing_of_kis;
EXECUTE kept;
ALTER FOREIGN TABLE kis_market_trend DROP nothing_of_kis;
EXECUTE kept;
ALTER SERVER kis OPTIONS (ADD max_calls '1');
ALTER FOREIGN TABLE kis_market_trend ADD foreign_net_qty bigint;
EXECUTE kept;
ALTER SERVER kis OPTIONS (DROP max_calls);
EXECUTE kept;
DROP SERVER kis;
DEALLOCATE kept;
RESET plan_cache_mode;

-- in parallel: the scan stays where it is, the rest may go to workers
CREATE TABLE big AS SELECT 'KSP'::text AS market_code, i FROM generate_series(1, 20000) i;
ANALYZE big;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
\! $KIS_SIMCTL reset '{"keep_tokens": true}'
SELECT count(*), max(i) FROM big JOIN kis_market_trend USING (market_code);
SELECT count(*) FROM big WHERE market_code IN (SELECT market_code FROM kis_market_trend);
SELECT count(*) FROM kis_market_trend WHERE market_code = (SELECT max(market_code) FROM big);
SELECT max(length(quantity_unit)) > 0 FROM kis_sector JOIN big USING (market_code);
SELECT calls >= 0 FROM kis_stat WHERE host = :'url';
\! $KIS_SIMCTL calls
-- where all that can goes to a worker; a function that says it can takes its query there
CREATE FUNCTION asks() RETURNS TABLE (worker boolean, pairs bigint, warned bigint) PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT (SELECT leader_pid IS NOT NULL FROM pg_stat_activity WHERE pid = pg_backend_pid()),
        (SELECT count(*) FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ')),
        (SELECT count(*) FROM kis_market_trend WHERE market_code = 'KOSPI');
END $$;
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
SELECT count(*), count(foreign_net_qty) FROM kis_market_trend WHERE market_code = 'KSP';
SELECT count(*) FROM kis_sector;
SELECT count(*) FROM kis_investor_type;
SELECT count(*) FROM kis_stat WHERE host = :'url';
SELECT * FROM asks();
SELECT step, ok FROM kis_check() WHERE NOT ok AND step <> 'identities';
SELECT create_market_investor_trend('parallel');
SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'parallel');
SELECT count(*) FROM parallel_by_investor;
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
SET min_parallel_table_scan_size = 0;
SELECT sum(length(f.market_code)) FROM big, LATERAL (SELECT max(market_code) AS market_code FROM kis_market_trend t WHERE t.market_code = big.market_code) f WHERE i < 100;
\! $KIS_SIMCTL problems
\! $KIS_SIMCTL calls

SET client_min_messages = warning;
DROP VIEW parallel_by_investor;
DROP VIEW parallel_intraday;
DROP TABLE parallel, parallel_snapshot, parallel_collection;
DROP FUNCTION asks;
DROP SERVER kis CASCADE;
DROP TABLE local, big, like_it;
DROP FUNCTION touch, try;
DROP TYPE mood, pair;
DROP DOMAIN never, filled, few;
