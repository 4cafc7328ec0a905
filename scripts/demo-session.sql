-- What scripts/demo collects the session so far with: the store, and a server
-- that is asked anew at each moment. Variables: base_url, app_key_file,
-- app_secret_file.
\set ON_ERROR_STOP on
CREATE EXTENSION market_investor_fdw;
CREATE SERVER session FOREIGN DATA WRAPPER market_investor_fdw
    OPTIONS (base_url :'base_url', cache_ttl '0', requests_per_second '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER session
    OPTIONS (app_key_file :'app_key_file', app_secret_file :'app_secret_file');
SELECT create_market_investor_trend();
