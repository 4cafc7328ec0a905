\echo Use "CREATE EXTENSION market_investor_fdw" to load this file. \quit

-- The foreign-data wrapper

CREATE FUNCTION market_investor_fdw_handler()
RETURNS pg_catalog.fdw_handler
AS 'MODULE_PATHNAME', 'market_investor_fdw_handler'
LANGUAGE C STRICT;

COMMENT ON FUNCTION market_investor_fdw_handler() IS
'handler of the foreign-data wrapper market_investor_fdw';

CREATE FUNCTION market_investor_fdw_validator(options pg_catalog.text[], catalog pg_catalog.oid)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'market_investor_fdw_validator'
LANGUAGE C STRICT;

COMMENT ON FUNCTION market_investor_fdw_validator(pg_catalog.text[], pg_catalog.oid) IS
'checks the options of servers, user mappings, foreign tables and columns of market_investor_fdw';

CREATE FOREIGN DATA WRAPPER market_investor_fdw
    HANDLER market_investor_fdw_handler
    VALIDATOR market_investor_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER market_investor_fdw IS
'investor flows of Korea''s markets from the KIS Open API';

-- The catalogue

CREATE FUNCTION kis_sector_rows(
    OUT market_code pg_catalog.text,
    OUT market_name pg_catalog.text,
    OUT market_name_en pg_catalog.text,
    OUT sector_code pg_catalog.text,
    OUT sector_name pg_catalog.text,
    OUT sector_name_en pg_catalog.text,
    OUT headline pg_catalog.bool,
    OUT quantity_unit pg_catalog.text,
    OUT amount_unit pg_catalog.text,
    OUT quantity_factor pg_catalog.numeric,
    OUT amount_factor pg_catalog.numeric)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_sector_rows'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 71;

COMMENT ON FUNCTION kis_sector_rows() IS
'rows of the view kis_sector';

CREATE VIEW kis_sector AS
SELECT market_code, market_name, market_name_en,
       sector_code, sector_name, sector_name_en,
       headline, quantity_unit, amount_unit, quantity_factor, amount_factor
FROM kis_sector_rows();

COMMENT ON VIEW kis_sector IS
'the listed pairs of market and sector, which kis_sector_trend holds';
COMMENT ON COLUMN kis_sector.market_code IS 'code of the market, such as KSP';
COMMENT ON COLUMN kis_sector.market_name IS 'Korean name of the market';
COMMENT ON COLUMN kis_sector.market_name_en IS 'English name of the market';
COMMENT ON COLUMN kis_sector.sector_code IS 'code of the sector, such as 0001';
COMMENT ON COLUMN kis_sector.sector_name IS 'Korean name of the sector';
COMMENT ON COLUMN kis_sector.sector_name_en IS 'English name of the sector';
COMMENT ON COLUMN kis_sector.headline IS
'stands for a whole market: kis_market_trend holds it';
COMMENT ON COLUMN kis_sector.quantity_unit IS
'unit of the columns *_qty; NULL where it is not known';
COMMENT ON COLUMN kis_sector.amount_unit IS
'unit of the columns *_amount; NULL where it is not known';
COMMENT ON COLUMN kis_sector.quantity_factor IS
'shares or contracts in one of quantity_unit; NULL where it is not known';
COMMENT ON COLUMN kis_sector.amount_factor IS
'won in one of amount_unit; NULL where it is not known';

CREATE FUNCTION kis_investor_type_rows(
    OUT code pg_catalog.text,
    OUT name pg_catalog.text,
    OUT name_en pg_catalog.text,
    OUT screen_name pg_catalog.text,
    OUT part_of pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_investor_type_rows'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 12;

COMMENT ON FUNCTION kis_investor_type_rows() IS
'rows of the view kis_investor_type';

CREATE VIEW kis_investor_type AS
SELECT code, name, name_en, screen_name, part_of
FROM kis_investor_type_rows();

COMMENT ON VIEW kis_investor_type IS
'the kinds of investors, in the order of KIS''s answer';
COMMENT ON COLUMN kis_investor_type.code IS
'what the columns of this investor begin with, such as foreign';
COMMENT ON COLUMN kis_investor_type.name IS 'Korean name';
COMMENT ON COLUMN kis_investor_type.name_en IS 'English name';
COMMENT ON COLUMN kis_investor_type.screen_name IS
'Korean name on traders'' screens';
COMMENT ON COLUMN kis_investor_type.part_of IS
'code of the investor whose figures include this one''s, or NULL';

GRANT SELECT ON kis_sector, kis_investor_type TO PUBLIC;

CREATE FUNCTION kis_comment_table(foreign_table pg_catalog.oid)
RETURNS pg_catalog.bool
AS 'MODULE_PATHNAME', 'kis_comment_table'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION kis_comment_table(pg_catalog.oid) IS
'puts Korean and English comments with units on a foreign table of KIS and on its columns, and returns whether it was there';

CREATE FUNCTION kis_comment_tables(schema pg_catalog.name DEFAULT 'public')
RETURNS pg_catalog.int4
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
SELECT pg_catalog.count(*) FILTER (WHERE kis_comment_table(t.ftrelid))::pg_catalog.int4
FROM pg_catalog.pg_foreign_table AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.ftrelid
JOIN pg_catalog.pg_foreign_server AS s ON s.oid OPERATOR(pg_catalog.=) t.ftserver
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.quote_ident(schema)::pg_catalog.regnamespace
  AND w.fdwhandler OPERATOR(pg_catalog.=) 'market_investor_fdw_handler'::pg_catalog.regproc;
END;

COMMENT ON FUNCTION kis_comment_tables(pg_catalog.name) IS
'puts Korean and English comments with units on the schema''s foreign tables of KIS and on their columns, and returns how many tables';

-- The store

CREATE FUNCTION create_market_investor_trend(
    store pg_catalog.text DEFAULT 'market_investor_trend',
    snapshots pg_catalog.bool DEFAULT true)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'create_market_investor_trend'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION create_market_investor_trend(pg_catalog.text, pg_catalog.bool) IS
'makes the tables that collect_market_investor_trend fills, and the view <store>_by_investor of them; called again it changes nothing';

CREATE FUNCTION collect_market_investor_trend(
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001,ETF/T000}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend')
RETURNS TABLE (
    market_code pg_catalog.text,
    sector_code pg_catalog.text,
    trade_date pg_catalog.date,
    outcome pg_catalog.text,
    detail pg_catalog.text)
AS 'MODULE_PATHNAME', 'collect_market_investor_trend'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 71;

COMMENT ON FUNCTION collect_market_investor_trend(pg_catalog.text[], pg_catalog.name, pg_catalog.text) IS
'fetches the targets (market/sector, or a market for its headline pairs) from the server source, stores them, and returns what became of each';

CREATE PROCEDURE backfill_market_investor_trend(
    from_date pg_catalog.date,
    to_date pg_catalog.date,
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend')
AS 'MODULE_PATHNAME', 'backfill_market_investor_trend'
LANGUAGE C;

COMMENT ON PROCEDURE backfill_market_investor_trend(pg_catalog.date, pg_catalog.date, pg_catalog.text[], pg_catalog.name, pg_catalog.text) IS
'fills the store''s past days from KIS''s daily history, newest first, and commits each page of up to 300 days; today is left to collect_market_investor_trend';

-- Operation

CREATE FUNCTION kis_stat_rows(
    OUT host pg_catalog.text,
    OUT app_key_fingerprint pg_catalog.text,
    OUT calls pg_catalog.int8,
    OUT cache_hits pg_catalog.int8,
    OUT shared_calls pg_catalog.int8,
    OUT retries pg_catalog.int8,
    OUT refusals pg_catalog.int8,
    OUT errors pg_catalog.jsonb,
    OUT tokens_issued pg_catalog.int8,
    OUT token_expires_at pg_catalog.timestamptz,
    OUT last_success_at pg_catalog.timestamptz,
    OUT last_error pg_catalog.text,
    OUT last_error_at pg_catalog.timestamptz,
    OUT effective_rate pg_catalog.float8,
    OUT rate_wait_ms pg_catalog.float8,
    OUT network_ms pg_catalog.float8,
    OUT stat_reset_at pg_catalog.timestamptz,
    OUT library_version pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_stat_rows'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;

COMMENT ON FUNCTION kis_stat_rows() IS
'rows of the view kis_stat';

CREATE VIEW kis_stat AS
SELECT host, app_key_fingerprint, calls, cache_hits, shared_calls, retries, refusals, errors,
       tokens_issued, token_expires_at, last_success_at, last_error, last_error_at,
       effective_rate, rate_wait_ms, network_ms, stat_reset_at, library_version
FROM kis_stat_rows();

COMMENT ON VIEW kis_stat IS
'what all sessions have asked of KIS, a row for each host and app key';
COMMENT ON COLUMN kis_stat.host IS 'base_url of the servers that it counts for';
COMMENT ON COLUMN kis_stat.app_key_fingerprint IS
'beginning of a digest of host and app key: tells keys apart without showing them';
COMMENT ON COLUMN kis_stat.calls IS 'data calls sent, retries included';
COMMENT ON COLUMN kis_stat.cache_hits IS 'replies taken from the cache';
COMMENT ON COLUMN kis_stat.shared_calls IS 'replies of a call that another session made at the same moment';
COMMENT ON COLUMN kis_stat.retries IS 'calls and token issues that were sent again';
COMMENT ON COLUMN kis_stat.refusals IS 'calls that KIS refused for the rate';
COMMENT ON COLUMN kis_stat.errors IS 'attempts that failed, by class';
COMMENT ON COLUMN kis_stat.tokens_issued IS 'access tokens that KIS issued';
COMMENT ON COLUMN kis_stat.token_expires_at IS 'when the current token ends; NULL where there is none';
COMMENT ON COLUMN kis_stat.last_success_at IS 'when the last attempt succeeded';
COMMENT ON COLUMN kis_stat.last_error IS 'class of the last failed attempt, and KIS''s code';
COMMENT ON COLUMN kis_stat.last_error_at IS 'when that was';
COMMENT ON COLUMN kis_stat.effective_rate IS
'calls a second: requests_per_second, or less for a minute after KIS refused one';
COMMENT ON COLUMN kis_stat.rate_wait_ms IS 'milliseconds that calls waited for the rate, added up';
COMMENT ON COLUMN kis_stat.network_ms IS 'milliseconds from sending to the end of the reply, added up';
COMMENT ON COLUMN kis_stat.stat_reset_at IS 'since when it is counted';
COMMENT ON COLUMN kis_stat.library_version IS 'version of the library that runs';

CREATE FUNCTION kis_stat_reset()
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'kis_stat_reset'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION kis_stat_reset() IS
'sets the counters of kis_stat to zero; tokens, rates and the cache stay';

REVOKE ALL ON FUNCTION kis_stat_rows(), kis_stat_reset() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kis_stat_rows() TO pg_monitor;
GRANT SELECT ON kis_stat TO pg_monitor;

CREATE FUNCTION kis_check(
    server pg_catalog.name DEFAULT 'kis',
    OUT step pg_catalog.text,
    OUT ok pg_catalog.bool,
    OUT detail pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_check'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 7;

COMMENT ON FUNCTION kis_check(pg_catalog.name) IS
'tries the caller''s way to KIS through the server, a row for each step: ok, or what to do';
