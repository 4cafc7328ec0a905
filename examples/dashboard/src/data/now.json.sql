-- The last snapshot of KOSPI and KOSDAQ: a row an investor, in the order of Korean
-- screens, in 억원. No call of KIS.
SELECT coalesce(json_agg(json_build_object(
           'market', market_code, 'trade_date', trade_date,
           'collected_at', to_char(collected_at_seoul, 'YYYY-MM-DD"T"HH24:MI:SS'),
           'investor', investor, 'name', screen_name, 'part', part_of IS NOT NULL,
           'sell', sell_amount_eok, 'buy', buy_amount_eok, 'net', net_amount_eok)
           ORDER BY market_code, screen_order), '[]')
FROM (VALUES ('KSP', '0001'), ('KSQ', '1001')) AS pair (market_code, sector_code)
CROSS JOIN LATERAL (
    SELECT collected_at FROM market_investor_trend_snapshot AS s
    WHERE s.market_code = pair.market_code AND s.sector_code = pair.sector_code
    ORDER BY collected_at DESC LIMIT 1) AS last
JOIN market_investor_trend_intraday USING (market_code, sector_code, collected_at);
