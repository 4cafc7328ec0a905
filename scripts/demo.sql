-- The tour of scripts/demo. Variables: first (nothing is set up yet),
-- simulated, base_url, app_key_file, app_secret_file.
\set ON_ERROR_STOP on
\set ECHO queries
\pset null ''

\if :first
\echo
\echo '--- A server, the keys in files that only PostgreSQL reads, and the tables'
CREATE EXTENSION market_investor_fdw;
\if :simulated
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'base_url');
COMMENT ON SERVER kis IS 'SIMULATED figures, none of KIS';
\else
CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw;
\endif
CREATE USER MAPPING FOR CURRENT_USER SERVER kis
    OPTIONS (app_key_file :'app_key_file', app_secret_file :'app_secret_file');
IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;
SELECT kis_comment_tables('public');
\endif

\echo
\echo '--- Who buys and who sells on KOSPI now (net, thousand shares and million won)'
\x on
SELECT * FROM kis_market_trend WHERE market_code = 'KSP';
\x off

\echo '--- The store, and a collection into it'
SELECT create_market_investor_trend();
SELECT * FROM collect_market_investor_trend();

\echo '--- What is stored'
SELECT market_code, sector_code, trade_date, collected_at,
       foreign_net_amount, individual_net_amount, institution_net_amount
FROM market_investor_trend
ORDER BY market_code, sector_code;

\echo '--- The schedule'
\echo 'A collection every five minutes of the session, by pg_cron (Debian: postgresql-15-cron,'
\echo 'which this demo does not install; its hours are GMT, so 0-6 is 09:00 to 15:59 in Seoul):'
\echo
\echo '    SELECT cron.schedule(\'investor flows\', \'*/5 0-6 * * 1-5\','
\echo '                         \'SELECT collect_market_investor_trend()\');'
\echo
\echo 'or by psql, as long as it stays open:'
\echo
\echo '    SELECT * FROM collect_market_investor_trend() \\watch 300'
\echo
