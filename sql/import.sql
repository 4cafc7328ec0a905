-- IMPORT FOREIGN SCHEMA kis, and comments on what it made.
CREATE SERVER "Kis ""1""" FOREIGN DATA WRAPPER market_investor_fdw;
CREATE SCHEMA imported;

IMPORT FOREIGN SCHEMA kis FROM SERVER "Kis ""1""" INTO imported;

SELECT relname, srvname, ftoptions
FROM pg_foreign_table
JOIN pg_class ON pg_class.oid = ftrelid
JOIN pg_foreign_server ON pg_foreign_server.oid = ftserver
WHERE relnamespace = 'imported'::regnamespace
ORDER BY relname COLLATE "C";

SELECT attname, format_type(atttypid, atttypmod), attnotnull
FROM pg_attribute
WHERE attrelid = 'imported.kis_market_trend'::regclass AND attnum > 0
ORDER BY attnum;

-- both tables have the same columns
SELECT count(*)
FROM pg_attribute AS a
JOIN pg_attribute AS b USING (attnum, attname, atttypid)
WHERE a.attrelid = 'imported.kis_market_trend'::regclass
  AND b.attrelid = 'imported.kis_sector_trend'::regclass AND attnum > 0;

-- once more finds them there
IMPORT FOREIGN SCHEMA kis FROM SERVER "Kis ""1""" INTO imported;

-- comments: Korean and English, the unit first
CREATE TABLE imported.other (market_code text);
SELECT kis_comment_tables('imported');
SET client_encoding TO UTF8;
\pset format unaligned
SELECT relname, obj_description(oid, 'pg_class')
FROM pg_class WHERE relnamespace = 'imported'::regnamespace ORDER BY relname COLLATE "C";
SELECT attname, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'imported.kis_market_trend'::regclass AND attnum > 0
ORDER BY attnum;
\pset format aligned
-- each figure's, of all tables, begins with its unit
SELECT relname, count(*) AS figures,
       array_agg(DISTINCT split_part(col_description(attrelid, attnum), ' · ', 1)) AS units
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'imported'::regnamespace AND attname ~ '_(qty|amount)$'
GROUP BY relname ORDER BY relname COLLATE "C";
SELECT attname, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'imported.kis_index'::regclass AND attnum > 0
ORDER BY attnum;
-- in one language
SELECT kis_comment_tables('imported', language => 'ko');
SELECT objsubid, description FROM pg_description
WHERE objoid = 'imported.kis_market_trend_daily'::regclass AND objsubid IN (0, 1, 3, 6, 11, 12) ORDER BY objsubid;
SELECT kis_comment_tables('imported', language => 'en');
SELECT objsubid, description FROM pg_description
WHERE objoid = 'imported.kis_market_trend_daily'::regclass AND objsubid IN (0, 1, 3, 6, 11, 12) ORDER BY objsubid;
SELECT kis_comment_tables('imported', 'ko');
SELECT count(*) FILTER (WHERE description ~ '[가-힣]') AS korean, count(*) FILTER (WHERE description ~ '[a-z] [a-z]') AS english
FROM pg_description JOIN pg_class ON pg_class.oid = objoid WHERE relnamespace = 'imported'::regnamespace;
SELECT kis_comment_tables('imported', 'en');
SELECT count(*) FILTER (WHERE description ~ '[가-힣]') AS korean, count(*) FILTER (WHERE description ~ '[A-Za-z]') AS english
FROM pg_description JOIN pg_class ON pg_class.oid = objoid WHERE relnamespace = 'imported'::regnamespace;
-- no other, also where there is no table
SELECT kis_comment_tables('imported', 'KO');
\echo :LAST_ERROR_SQLSTATE
SELECT kis_comment_tables('pg_catalog', 'kr');
SELECT kis_comment_tables('imported', NULL);
-- a table made by hand: any column, names that need quotes, what no member explains
CREATE SCHEMA "By Hand";
CREATE FOREIGN TABLE "By Hand"."It's \one" (
    code varchar(3) OPTIONS (field 'market_code'),
    pe_fund_buy_qty numeric,
    "Sold ""all""" bigint OPTIONS (field 'frgn_seln_tr_pbmn'),
    extra text OPTIONS (field 'stck_prpr'),
    whole jsonb OPTIONS (field '*'),
    reply jsonb OPTIONS (field '**'),
    stranger text,
    gone text
) SERVER "Kis ""1""" OPTIONS (table_name 'kis_sector_trend');
ALTER FOREIGN TABLE "By Hand"."It's \one" DROP COLUMN gone;
SELECT kis_comment_tables('By Hand');
\pset format unaligned
SELECT attname, col_description(attrelid, attnum)
FROM pg_attribute
WHERE attrelid = (SELECT oid FROM pg_class WHERE relnamespace = '"By Hand"'::regnamespace)
  AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;
\pset format aligned
RESET client_encoding;

-- another wrapper's tables are left alone, a renamed wrapper's are not
CREATE SCHEMA foreigners;
CREATE FOREIGN DATA WRAPPER nobody;
CREATE SERVER nobody FOREIGN DATA WRAPPER nobody;
CREATE FOREIGN TABLE foreigners.kis_market_trend (market_code text) SERVER nobody;
SELECT kis_comment_tables('foreigners');
CREATE FOREIGN TABLE foreigners.kis_sector_trend (market_code text) SERVER "Kis ""1""";
ALTER FOREIGN DATA WRAPPER market_investor_fdw RENAME TO renamed;
SELECT kis_comment_tables('foreigners');
ALTER FOREIGN DATA WRAPPER renamed RENAME TO market_investor_fdw;

-- the caller must own the tables; a schema must be there
CREATE ROLE regress_kis_other;
GRANT USAGE ON SCHEMA imported TO regress_kis_other;
\set SHOW_CONTEXT never
SET ROLE regress_kis_other;
SELECT kis_comment_tables('imported');
RESET ROLE;
\set SHOW_CONTEXT errors
SELECT kis_comment_tables('nowhere');
SELECT kis_comment_tables(NULL);

-- LIMIT TO and EXCEPT
CREATE SCHEMA chosen;
IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_sector_trend) FROM SERVER "Kis ""1""" INTO chosen;
SELECT relname FROM pg_class WHERE relnamespace = 'chosen'::regnamespace ORDER BY 1;
DROP FOREIGN TABLE chosen.kis_sector_trend;
IMPORT FOREIGN SCHEMA kis EXCEPT (kis_sector_trend, something_else) FROM SERVER "Kis ""1""" INTO chosen;
SELECT relname FROM pg_class WHERE relnamespace = 'chosen'::regnamespace ORDER BY 1;
IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_sector_trends) FROM SERVER "Kis ""1""" INTO chosen;
\echo :LAST_ERROR_SQLSTATE

-- names and options that there are none of
IMPORT FOREIGN SCHEMA public FROM SERVER "Kis ""1""" INTO chosen;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA "KIS" FROM SERVER "Kis ""1""" INTO chosen;
IMPORT FOREIGN SCHEMA kis FROM SERVER "Kis ""1""" INTO chosen OPTIONS (import_default 'true');
\echo :LAST_ERROR_SQLSTATE

-- types of the user's own don't get in between
CREATE SCHEMA trap;
CREATE DOMAIN trap.text AS pg_catalog.text;
CREATE DOMAIN trap.date AS pg_catalog.date;
SET search_path = trap, pg_catalog, public;
IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_market_trend) FROM SERVER "Kis ""1""" INTO trap;
SELECT DISTINCT typnamespace::regnamespace
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = 'trap.kis_market_trend'::regclass AND attnum > 0;
RESET search_path;

SET client_min_messages = warning;
DROP SERVER "Kis ""1""" CASCADE;
DROP FOREIGN DATA WRAPPER nobody CASCADE;
DROP SCHEMA imported, "By Hand", foreigners, chosen, trap CASCADE;
DROP ROLE regress_kis_other;
