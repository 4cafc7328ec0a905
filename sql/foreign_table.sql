-- What a foreign table by hand says at its first use, before anything is asked
-- of KIS: nothing listens on that port.
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url 'http://127.0.0.1:9');

-- a name that is no table of KIS
CREATE FOREIGN TABLE kis_market_trends (market_code text) SERVER kis;
EXPLAIN (COSTS OFF) SELECT * FROM kis_market_trends;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE mine (market_code text) SERVER kis;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
SELECT kis_comment_tables();

-- a column that stands for nothing
ALTER FOREIGN TABLE mine OPTIONS (table_name 'kis_market_trend');
ALTER FOREIGN TABLE mine ADD foreign_nett_qty bigint;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE mine RENAME foreign_nett_qty TO x;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
-- which another table has, or a view
ALTER FOREIGN TABLE mine RENAME x TO close;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
ALTER FOREIGN TABLE mine RENAME close TO investor_name;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
ALTER FOREIGN TABLE mine RENAME investor_name TO amount_unit;
EXPLAIN (COSTS OFF) SELECT * FROM mine;
ALTER FOREIGN TABLE mine RENAME amount_unit TO x;
-- a table's name that is none
ALTER FOREIGN TABLE mine OPTIONS (SET table_name 'kis_invester_trend');
ALTER FOREIGN TABLE mine OPTIONS (SET table_name 'x');

-- secrets: missing, or in a file that can't be read
ALTER FOREIGN TABLE mine DROP x;
CREATE USER MAPPING FOR CURRENT_USER SERVER kis;
SELECT * FROM mine;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (ADD app_key_file '/nonexistent/app_key');
SELECT * FROM mine;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (ADD app_secret_file '/nonexistent/app_secret');
SELECT * FROM mine;
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (SET app_key_file '/');
SELECT * FROM mine;

SET client_min_messages = warning;
DROP SERVER kis CASCADE;
