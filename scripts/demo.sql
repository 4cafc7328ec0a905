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
\echo '--- Who buys and who sells on KOSPI now (million won)'
SELECT screen_name, name_en, part_of, sell_amount, buy_amount, net_amount
FROM kis_investor_trend JOIN kis_investor_type ON code = investor
WHERE market_code = 'KSP'
ORDER BY part_of NULLS FIRST, net_amount DESC;

\echo '--- The store, and a collection into it'
\if :simulated
\echo '    (A scheduler''s collections since 09:00 are in it already; the server''s clock'
\echo '    stands in the simulator''s session.)'
\endif
SELECT create_market_investor_trend();
SELECT * FROM collect_market_investor_trend(index_level => true);

\echo '--- What is stored'
SELECT market_code, sector_code, trade_date, collected_at,
       foreign_net_amount, individual_net_amount, institution_net_amount
FROM market_investor_trend
ORDER BY market_code, sector_code;
\echo '--- The same by its view, in 100 million won'
SELECT trade_date, collected_at, market_name, screen_name, net_amount_eok
FROM market_investor_trend_by_investor
WHERE sector_code = '0001' AND part_of IS NULL
ORDER BY trade_date, net_amount DESC;

\echo '--- The schedule, by pg_cron, whose hours are GMT: 0-10 is 09:00 to 19:59 in Seoul'
\if :first
CREATE EXTENSION pg_cron;
\endif
\if :simulated
\echo 'Each minute of any day here; with KIS it would be * 0-10 * * 1-5.'
\set minutes '* * * * *'
\else
\set minutes '* 0-10 * * 1-5'
\endif
SELECT cron.schedule('flows by the minute', :'minutes',
                     'SELECT collect_market_investor_trend(index_level => true)');
SELECT cron.schedule('flows of past days', '40 11 * * 1-5',
                     'CALL backfill_market_investor_trend(current_date - 10, current_date)');
SELECT jobname, schedule, command, username, active FROM cron.job ORDER BY jobid;
\echo 'What its runs have brought, a minute from now:'
\echo '    SELECT status, return_message, start_time FROM cron.job_run_details ORDER BY runid DESC;'
\echo
