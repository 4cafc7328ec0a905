-- Everything that the extension brings, and who may do what with it. A new
-- object, or another right, is to be seen here.
CREATE ROLE regress_kis_anyone;

-- Functions: none runs with its owner's rights, and none has SQL of its own
-- that a search_path could change
SELECT p.oid::regprocedure::text COLLATE "C" AS function,
       has_function_privilege('regress_kis_anyone', p.oid, 'EXECUTE') AS anyone,
       has_function_privilege('pg_monitor', p.oid, 'EXECUTE') AS monitor,
       p.prosecdef AS definer, p.provolatile AS volatile, p.proparallel AS parallel,
       p.proisstrict AS strict, l.lanname AS language, p.proconfig AS settings
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_language l ON l.oid = p.prolang
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
ORDER BY 1;

-- Views: read with their owner's rights, of these functions alone
SELECT c.relname COLLATE "C" AS view,
       has_table_privilege('regress_kis_anyone', c.oid, 'SELECT') AS anyone,
       has_table_privilege('pg_monitor', c.oid, 'SELECT') AS monitor,
       has_table_privilege('regress_kis_anyone', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS more,
       c.reloptions AS options,
       (SELECT array_agg(DISTINCT refobjid::regproc ORDER BY refobjid::regproc) FROM pg_depend r JOIN pg_rewrite w ON w.oid = r.objid
        WHERE r.classid = 'pg_rewrite'::regclass AND r.refclassid = 'pg_proc'::regclass AND w.ev_class = c.oid) AS functions
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
ORDER BY 1;

-- The wrapper: a superuser grants its use
SELECT fdwname, has_foreign_data_wrapper_privilege('regress_kis_anyone', oid, 'USAGE') AS anyone, fdwhandler::regproc, fdwvalidator::regproc, fdwoptions
FROM pg_foreign_data_wrapper WHERE fdwname = 'market_investor_fdw';

-- And nothing else, but for the views' types, which are members from 16 on
SELECT pg_describe_object(classid, objid, 0)
FROM pg_depend
WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
  AND classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass)
ORDER BY 1;
SELECT extrelocatable, extconfig
FROM pg_extension WHERE extname = 'market_investor_fdw';
SELECT superuser, trusted FROM pg_available_extension_versions WHERE name = 'market_investor_fdw';
SELECT count(*) AS without_comment FROM pg_depend
WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
  AND classid <> 'pg_type'::regclass AND obj_description(objid, classid::regclass::name) IS NULL;

-- What a store is made of is its maker's, and nobody else's
SELECT create_market_investor_trend('rights');
SELECT relname COLLATE "C", relkind, relacl IS NULL AS only_owner, pg_get_userbyid(relowner) = current_user AS mine
FROM pg_class WHERE relname IN ('rights', 'rights_snapshot', 'rights_by_investor', 'rights_collection', 'rights_intraday') ORDER BY 1;
SELECT count(*) AS triggers_rules_policies
FROM (SELECT tgrelid AS relation FROM pg_trigger UNION ALL SELECT ev_class FROM pg_rewrite WHERE ev_type <> '1' UNION ALL SELECT polrelid FROM pg_policy) o
JOIN pg_class c ON c.oid = o.relation AND relname LIKE 'rights%';

DROP VIEW rights_by_investor;
DROP VIEW rights_intraday;
DROP TABLE rights, rights_snapshot, rights_collection;
DROP ROLE regress_kis_anyone;
