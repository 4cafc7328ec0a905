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

CREATE FUNCTION kis_comment_tables(schema pg_catalog.name DEFAULT 'public')
RETURNS pg_catalog.int4
AS 'MODULE_PATHNAME', 'kis_comment_tables'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

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
'makes the tables that collect_market_investor_trend fills; called again it changes nothing';

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
