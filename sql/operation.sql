-- kis_check, kis_stat and kis_stat_reset.
SET client_encoding TO UTF8;
\pset format unaligned
\pset null (null)
\getenv url KIS_SIMULATOR_URL
\getenv key KIS_SIMULATOR_APP_KEY
\getenv secret KIS_SIMULATOR_APP_SECRET
\! $KIS_SIMCTL reset
SET client_min_messages = error;
CREATE SERVER kis_operation FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url :'url', cache_ttl '0', calendar 'weekday');
-- A token that lives, whatever ran before, and counters from here on
CREATE USER MAPPING FOR CURRENT_USER SERVER kis_operation OPTIONS (app_key :'key', app_secret :'secret');
SELECT count(*) FROM kis_check('kis_operation');
DROP USER MAPPING FOR CURRENT_USER SERVER kis_operation;
SELECT kis_stat_reset();
RESET client_min_messages;

-- What stands in details but varies
CREATE FUNCTION pg_temp.shown(detail text) RETURNS text LANGUAGE sql AS $$
    SELECT replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(detail,
        'http://127\.0\.0\.1:\d+', 'URL'),
        '\d{4}-\d\d-\d\d [0-9:.]+[+-]\d+(:\d+)?', 'TIME', 'g'),
        '\m[0-9a-f]{12}\M', 'FINGERPRINT'),
        '\d+ kB', 'N kB'), current_user, 'USER') $$;

-- No such server
SELECT step, ok FROM kis_check('kis_operatoin');

-- Another wrapper's server, with its own mapping
CREATE FOREIGN DATA WRAPPER regress_kis_other;
CREATE SERVER regress_kis_elsewhere FOREIGN DATA WRAPPER regress_kis_other;
CREATE USER MAPPING FOR CURRENT_USER SERVER regress_kis_elsewhere;
SELECT step, ok FROM kis_check('regress_kis_elsewhere');
DROP FOREIGN DATA WRAPPER regress_kis_other CASCADE;

-- The library and the SQL of different versions
BEGIN;
SET LOCAL allow_system_table_mods = on;
UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'market_investor_fdw';
SELECT step, ok, detail FROM kis_check('kis_operation') WHERE step = 'version';
ROLLBACK;

-- No user mapping: what to do
SELECT step, ok, pg_temp.shown(detail) AS detail FROM kis_check('kis_operation');

-- A wrong secret
SET client_min_messages = error;
CREATE USER MAPPING FOR CURRENT_USER SERVER kis_operation
    OPTIONS (app_key :'key', app_secret 'not the secret'); -- blanks are refused
CREATE USER MAPPING FOR CURRENT_USER SERVER kis_operation
    OPTIONS (app_key :'key', app_secret 'not-the-secret');
RESET client_min_messages;
SELECT step, ok, pg_temp.shown(detail) AS detail FROM kis_check('kis_operation');

-- All well
ALTER USER MAPPING FOR CURRENT_USER SERVER kis_operation OPTIONS (SET app_secret :'secret');
SELECT step, ok, pg_temp.shown(detail) AS detail FROM kis_check('kis_operation');

-- A token file that can't be read
ALTER USER MAPPING FOR CURRENT_USER SERVER kis_operation OPTIONS (ADD access_token_file '/nonexistent/token');
SELECT step, ok, detail FROM kis_check('kis_operation') WHERE step = 'keys';
ALTER USER MAPPING FOR CURRENT_USER SERVER kis_operation OPTIONS (DROP access_token_file);

-- Figures that don't agree
\! $KIS_SIMCTL config '{"overrides": {"KSP/0001": {"frgn_ntby_qty": "999999999"}}}' >/dev/null
SELECT step, ok, pg_temp.shown(detail) AS detail FROM kis_check('kis_operation') WHERE step = 'identities';
\! $KIS_SIMCTL config '{"overrides": {}}' >/dev/null

-- KIS refuses the call itself
\! $KIS_SIMCTL fault '{"fault": "error", "times": 1, "params": {"msg_cd": "EGW00205", "msg1": "credentials_type"}}' >/dev/null
SELECT step, ok, pg_temp.shown(detail) AS detail FROM kis_check('kis_operation') WHERE step IN ('token', 'pair');

-- Someone who may not use the server
CREATE ROLE regress_kis_nobody;
SET ROLE regress_kis_nobody;
SELECT step, ok, detail FROM kis_check('kis_operation') WHERE step = 'keys';
SELECT calls FROM kis_stat;
SELECT kis_stat_reset();
RESET ROLE;
GRANT pg_monitor TO regress_kis_nobody;
SET ROLE regress_kis_nobody;
SELECT count(*) > 0 AS may_see FROM kis_stat;
SELECT kis_stat_reset();
RESET ROLE;

-- The counters
SELECT calls, cache_hits, tokens_issued, errors, last_error, library_version,
       token_expires_at > now() AS token_lives, last_success_at <= now() AS succeeded,
       app_key_fingerprint ~ '^[0-9a-f]{12}$' AS fingerprint, effective_rate
FROM kis_stat WHERE host = :'url';
SELECT kis_stat_reset();
SELECT calls, cache_hits, shared_calls, retries, refusals, errors, tokens_issued, last_success_at,
       last_error, last_error_at, rate_wait_ms, network_ms, token_expires_at > now() AS token_lives,
       stat_reset_at <= now() AS reset
FROM kis_stat WHERE host = :'url';

-- Who is given the right may reset, and needs no other
REVOKE pg_monitor FROM regress_kis_nobody;
GRANT EXECUTE ON FUNCTION kis_stat_reset() TO regress_kis_nobody;
SELECT max(stat_reset_at) AS last_reset FROM kis_stat \gset
SET ROLE regress_kis_nobody;
SELECT kis_stat_reset();
SELECT calls FROM kis_stat;
RESET ROLE;
SELECT max(stat_reset_at) > :'last_reset' AS reset FROM kis_stat;
REVOKE EXECUTE ON FUNCTION kis_stat_reset() FROM regress_kis_nobody;

-- or may see it alone, which takes the view and its function
GRANT SELECT ON kis_stat TO regress_kis_nobody;
SET ROLE regress_kis_nobody;
SELECT calls FROM kis_stat;
RESET ROLE;
GRANT EXECUTE ON FUNCTION kis_stat_rows() TO regress_kis_nobody;
SET ROLE regress_kis_nobody;
SELECT count(*) > 0 AS may_see FROM kis_stat;
RESET ROLE;
REVOKE ALL ON kis_stat FROM regress_kis_nobody;
REVOKE ALL ON FUNCTION kis_stat_rows() FROM regress_kis_nobody;

-- A reply that is kept for all proves nothing: it asks KIS itself
ALTER SERVER kis_operation OPTIONS (SET cache_ttl '1min');
SELECT count(*) FROM kis_check('kis_operation') WHERE ok;
\! $KIS_SIMCTL fault '{"fault": "error", "times": 1, "params": {"msg_cd": "EGW00205", "msg1": "credentials_type"}}' >/dev/null
SELECT step, ok FROM kis_check('kis_operation') WHERE step IN ('token', 'pair', 'identities');

DROP ROLE regress_kis_nobody;
DROP SERVER kis_operation CASCADE;
