-- Are the figures a simulator's? KIS itself is never on this machine.
SELECT json_build_object('simulated', EXISTS (
    SELECT FROM pg_foreign_server AS s
    JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw AND w.fdwname = 'market_investor_fdw',
    pg_options_to_table(s.srvoptions)
    WHERE option_name = 'base_url' AND option_value ~* '^https?://(localhost|127\.[0-9.]+|\[::1\])(:|/|$)'));
