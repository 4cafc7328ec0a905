-- Options: good values, bad values with their hints, and who may set what.
\set VERBOSITY default
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

-- Runs a command; says what came of it.
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE command;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n    ', SQLSTATE || ' ' || message,
                     'detail: ' || nullif(detail, ''), 'hint: ' || nullif(hint, ''));
END $$;

-- Tries each value on a new server, and keeps none.
CREATE FUNCTION try_server(option text, VARIADIC vals text[]) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT format('%s %L: ', option, value) ||
           try(format('CREATE SERVER tried FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (%I %L); DROP SERVER tried',
                      option, value))
    FROM unnest(vals) WITH ORDINALITY AS v(value, n) ORDER BY n
$$;

CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw;
SELECT srvoptions IS NULL FROM pg_foreign_server WHERE srvname = 'kis';

-- every option of a server at once
CREATE SERVER whole FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (
    base_url 'https://openapi.koreainvestment.com:9443', connect_timeout '3s',
    request_timeout '10s', max_retries '2', max_wait '30s', max_calls '100',
    requests_per_second '10', max_concurrent_requests '6', cache_ttl '10s',
    session_start '08:30', late_opens '2026-11-19', calendar 'weekday', extra_pairs 'KSP/0031',
    proxy 'http://127.0.0.1:3128', ca_file '/etc/ssl/certs/ca-certificates.crt');
SELECT unnest(srvoptions) FROM pg_foreign_server WHERE srvname = 'whole';
DROP SERVER whole;

-- durations
SELECT try_server('connect_timeout', '1ms', '3s', '3 s', '0.5s', '10min', '2500us',
                  '3', '0', '0s', '500us', '-1s', '11min', 's', '', '3 seconds', '0x10', 'inf', 'nan', '1e3s');
SELECT try_server('request_timeout', '10s', '10', '11min');
SELECT try_server('max_wait', '0', '0s', '30s', '1h', '61min', '30');
SELECT try_server('cache_ttl', '0', '500ms', '10', '2h');

-- numbers
SELECT try_server('max_retries', '0', '10', '11', '-1', '2.5', '0x2', ' 2', 'two', '', '99999999999999999999');
SELECT try_server('max_calls', '1', '1000000', '0', '1000001');
SELECT try_server('max_concurrent_requests', '1', '64', '0', '65');
SELECT try_server('requests_per_second', '18', '0.5', '1000', '0', '0.0', '1001', '-1', 'NaN', 'inf', 'Infinity', '1e2', '');

-- the day
SELECT try_server('session_start', '08:30', '00:00', '23:59', '24:00', '08:60', '8:30', '08:30:00', '');
SELECT try_server('late_opens', '2026-11-19', ' 2026-11-19 ,2027-11-18', '2028-02-29', '',
                  '2026-11-31', '2027-02-29', '20261119', '2026-11-9', '26-11-19', '2026/11/19', '2026-11-19,', '2026-11-19 2027-11-18',
                  '2026-11-190', '2026-11-19;', 'CSAT');
SELECT count(*) FROM try_server('late_opens', VARIADIC ARRAY[
    (SELECT string_agg(to_char('2026-01-01'::date + i, 'YYYY-MM-DD'), ',') FROM generate_series(1, 100) i),
    (SELECT string_agg(to_char('2026-01-01'::date + i, 'YYYY-MM-DD'), ',') FROM generate_series(1, 101) i)]) t(said)
WHERE said LIKE '%ok' OR said LIKE '%It has too many items.%';
SELECT try_server('calendar', 'weekday', 'kis', 'Weekday');

-- pairs
SELECT try_server('extra_pairs', 'KSP/0031, XYZ/0001', 'KSP/0001', ' KSP/0031,KSP/0032 ', '',
                  'KSP', 'KSP/', '/0031', 'KSP/0031,', 'KSP/0031 KSP/0032', 'KSP/00310031', 'KSP/00;1', 'KSP/0001/2');

-- the host
SELECT try_server('base_url', 'https://openapi.koreainvestment.com:9443', 'HTTPS://OpenAPI.KoreaInvestment.com:9443/',
                  'https://kis.example.com', 'https://[2001:db8::1]:8443',
                  'http://127.0.0.1:8080', 'http://127.1.2.3:8080', 'http://[::1]:8080', 'http://localhost:8080/');
SELECT try_server('base_url', 'http://openapi.koreainvestment.com', 'http://127.0.0.1.example.com', 'http://127.1',
                  'http://[::2]', 'http://128.0.0.1', 'https://openapivts.koreainvestment.com:29443',
                  'https://OPENAPIVTS.koreainvestment.com', 'ftp://kis.example.com', 'openapi.koreainvestment.com', '');
SELECT try_server('base_url', 'https://kis.example.com/path', 'https://kis.example.com?query', 'https://kis.example.com#x',
                  'https://name:word@kis.example.com', 'https://kis.example.com:', 'https://kis.example.com:0',
                  'https://kis.example.com:65536', 'https://kis.example.com:9443x', 'https://kis example.com',
                  'https://', 'https://:9443', 'https://[::1', 'https://[kis]', 'https://kis.example.com%0d%0a');
SELECT try_server('base_url', E'https://kis.example.com\nX-Header: 1');

-- the way to it
SELECT try_server('proxy', 'http://127.0.0.1:3128', 'socks5h://proxy.example.com:1080', 'http://127.0.0.1',
                  'proxy.example.com:3128', 'ftp://proxy.example.com:21', 'http://name:word@proxy.example.com:3128');
SELECT try_server('ca_file', '/etc/ssl/certs/ca-certificates.crt', 'ca.crt', '', E'/etc/ssl\n');

-- names
SELECT try_server('max_wiat', '30s');
SELECT try_server('Max_Wait', '30s');
SELECT try_server('password', 'x');
SELECT try_server('app_key', 'x');
SELECT try_server('access_token_file', '/etc/kis/token');
SELECT try('CREATE FOREIGN DATA WRAPPER mine VALIDATOR market_investor_fdw_validator OPTIONS (base_url ''x'')');
SELECT try('CREATE FOREIGN DATA WRAPPER mine VALIDATOR market_investor_fdw_validator OPTIONS (anything ''x'')');

-- user mappings: a value is never shown
CREATE FUNCTION try_user(VARIADIC opts text[]) RETURNS text LANGUAGE sql AS $$
    SELECT try(format('CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS (%s); DROP USER MAPPING FOR PUBLIC SERVER kis',
                      string_agg(format('%I %L', opts[i], opts[i + 1]), ', ' ORDER BY i)))
    FROM generate_series(1, cardinality(opts), 2) AS i
$$;
CREATE FUNCTION key(length int) RETURNS text LANGUAGE sql AS $$ SELECT repeat('k', length) $$;
SELECT try('CREATE USER MAPPING FOR PUBLIC SERVER kis; DROP USER MAPPING FOR PUBLIC SERVER kis');
SELECT try_user('app_key', key(36), 'app_secret', key(180), 'requests_per_second', '0.5');
SELECT try_user('app_key_file', '/etc/kis/app_key', 'app_secret_file', '/etc/kis/app_secret');
SELECT try_user('app_key', key(36), 'app_secret_file', '/etc/kis/app_secret');
SELECT try_user('app_key', key(35), 'app_secret', key(181));
SELECT try_user('app_key', '');
SELECT try_user('app_key', key(36) || E'\n');
SELECT try_user('app_secret', key(180) || E'\r\n');
SELECT try_user('app_secret', key(90) || E'\n' || key(90));
SELECT try_user('app_secret', key(90) || ' ' || key(90));
SELECT try_user('app_key', E'\tkkk');
SELECT try_user('app_key', E'k\x7fk');
SELECT try_user('app_key', key(36), 'app_key_file', '/etc/kis/app_key');
SELECT try_user('app_secret', key(180), 'app_secret_file', '/etc/kis/app_secret');
SELECT try_user('app_key_file', 'app_key');
SELECT try_user('app_secret_file', '');
SELECT try_user('requests_per_second', 'SECRET');
SELECT try_user('requests_per_second', '0');
SELECT try_user('app_kee', 'SECRET');
SELECT try_user('base_url', 'SECRET');
SELECT try_user('nothing_like_it', 'SECRET');

-- foreign tables and their columns
CREATE FUNCTION try_table(columns text, opts text) RETURNS text LANGUAGE sql AS $$
    SELECT try(format('CREATE FOREIGN TABLE tried (%s) SERVER kis %s; DROP FOREIGN TABLE tried', columns, opts))
$$;
SELECT try_table('a text', $$OPTIONS (table_name 'kis_sector_trend', pairs 'headline')$$);
SELECT try_table('a text', $$OPTIONS (table_name 'kis_market_trend', pairs 'all')$$);
SELECT try_table('a text', $$OPTIONS (pairs 'some')$$);
SELECT try_table('a text', $$OPTIONS (table_name 'kis_market')$$);
SELECT try_table('a text', $$OPTIONS (table 'kis_market_trend')$$);
SELECT try_table('a text', $$OPTIONS (field 'frgn_ntby_qty')$$);
SELECT try_table($$a text OPTIONS (field 'frgn_ntby_qty'), b jsonb OPTIONS (field '*'), c jsonb OPTIONS (field '**')$$, '');
SELECT try_table($$a text OPTIONS (field '')$$, '');
SELECT try_table($$a text OPTIONS (field 'frgn ntby')$$, '');
SELECT try_table($$a text OPTIONS (feild 'frgn_ntby_qty')$$, '');
SELECT try_table($$a text OPTIONS (pairs 'all')$$, '');

-- who may set what
CREATE ROLE regress_kis_owner;
CREATE ROLE regress_kis_reader;
GRANT pg_read_server_files TO regress_kis_reader;
GRANT USAGE ON FOREIGN DATA WRAPPER market_investor_fdw TO regress_kis_owner, regress_kis_reader;
GRANT USAGE ON FOREIGN SERVER kis TO regress_kis_owner, regress_kis_reader;
CREATE SERVER given FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url 'http://127.0.0.1:9');
ALTER SERVER given OWNER TO regress_kis_owner;

SET ROLE regress_kis_owner;
SELECT try_server('base_url', 'https://openapi.koreainvestment.com:9443', 'https://openapi.koreainvestment.com',
                  'https://kis.example.com', 'http://127.0.0.1:9');
SELECT try_server('max_calls', '10');
SELECT try_server('ca_file', '/etc/ssl/certs/ca-certificates.crt');
SELECT try_server('proxy', 'http://127.0.0.1:3128');
SELECT try($$CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key_file '/etc/passwd')$$);
SELECT try($$CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_secret_file '/etc/passwd')$$);
-- a server that was given: nothing changes under the superuser's base_url but its end
SELECT try($$ALTER SERVER given OPTIONS (ADD max_calls '10')$$);
SELECT try($$ALTER SERVER given OPTIONS (SET base_url 'http://127.0.0.1:10')$$);
SELECT try($$ALTER SERVER given OPTIONS (DROP base_url)$$);
SELECT try($$ALTER SERVER given OPTIONS (ADD max_calls '10')$$);
RESET ROLE;

SET ROLE regress_kis_reader;
SELECT try_server('base_url', 'https://kis.example.com');
SELECT try_server('ca_file', '/etc/ssl/certs/ca-certificates.crt');
SELECT try_server('proxy', 'http://127.0.0.1:3128');
SELECT try($$CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key_file '/etc/kis/app_key', app_secret_file '/etc/kis/app_secret')$$);
RESET ROLE;

DROP SERVER given;
DROP SERVER kis CASCADE;
DROP FUNCTION try_server, try_user, try_table, key, try;
DROP OWNED BY regress_kis_owner, regress_kis_reader;
DROP ROLE regress_kis_owner, regress_kis_reader;
