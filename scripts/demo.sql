-- The tour of scripts/demo. Variables: first (nothing is set up yet),
-- simulated, base_url, app_key_file, app_secret_file.
\set ON_ERROR_STOP on
\set ECHO queries
\pset null ''
\pset footer off

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
CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (
    app_key_file :'app_key_file',
    app_secret_file :'app_secret_file');
IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;
SELECT kis_comment_tables('public');
\endif

\echo
\echo '--- The store, and a collection into it'
\if :simulated
\echo '    (The collections since 09:00 are in it already; the server''s clock stands in the'
\echo '    simulator''s session.)'
\endif
SELECT create_market_investor_trend();
SELECT * FROM collect_market_investor_trend(index_level => true);

\echo '--- The day so far, from the store, in 100 million won'
SELECT market_code, trade_date, to_char(collected_at, 'HH24:MI:SS') AS collected,
       round(foreign_net_amount / 100.0) AS foreigners,
       round(individual_net_amount / 100.0) AS individuals,
       round(institution_net_amount / 100.0) AS institutions
FROM market_investor_trend
WHERE market_code IN ('KSP', 'KSQ')
ORDER BY trade_date, market_code;

\echo '--- The schedule, by pg_cron, whose hours are GMT: 0-10 is 09:00 to 19:59 in Seoul'
\if :first
CREATE EXTENSION pg_cron;
\endif
SELECT job, schedule FROM schedule_market_investor_trend(index_level => true);
\echo 'What its runs have brought, a minute from now:'
\echo '    SELECT status, return_message, start_time FROM cron.job_run_details ORDER BY runid DESC;'
\echo
\echo '--- Who is buying on KOSPI now, in 100 million won'
SELECT screen_name, name_en, round(net_amount / 100.0) AS net_eok
FROM kis_investor_trend JOIN kis_investor_type ON code = investor
WHERE market_code = 'KSP' AND part_of IS NULL
ORDER BY net_amount DESC;
