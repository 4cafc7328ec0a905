-- The views of the catalogue.
SET client_encoding TO UTF8;
\pset format unaligned
\pset null (null)

SELECT market_code, market_name_en, sector_code, sector_name_en, headline,
       quantity_unit, amount_unit, quantity_factor, amount_factor
FROM kis_sector;
SELECT market_code, market_name, sector_code, sector_name FROM kis_sector WHERE headline;
SELECT count(*), count(DISTINCT (market_code, sector_code)), count(*) FILTER (WHERE headline)
FROM kis_sector;

SELECT * FROM kis_investor_type;

-- everyone may read them, and nothing else has been granted
CREATE ROLE regress_kis_reader;
SET ROLE regress_kis_reader;
SELECT count(*) FROM kis_sector;
SELECT count(*) FROM kis_investor_type;
RESET ROLE;
DROP ROLE regress_kis_reader;

-- the extension's objects: what they may do, and that each explains itself
SELECT p.oid::regprocedure, provolatile, proparallel, proisstrict, prosecdef
FROM pg_depend AS d
JOIN pg_proc AS p ON p.oid = d.objid
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
ORDER BY p.proname COLLATE "C";
SELECT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend AS d
WHERE d.deptype = 'e' AND d.classid <> 'pg_type'::regclass
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
  AND NOT EXISTS (SELECT FROM pg_description AS c
                  WHERE c.classoid = d.classid AND c.objoid = d.objid AND c.objsubid = 0);

-- it can be moved, and made in any schema
CREATE SCHEMA elsewhere;
ALTER EXTENSION market_investor_fdw SET SCHEMA elsewhere;
SELECT count(*) FROM elsewhere.kis_sector;
ALTER EXTENSION market_investor_fdw SET SCHEMA public;
DROP SCHEMA elsewhere;
