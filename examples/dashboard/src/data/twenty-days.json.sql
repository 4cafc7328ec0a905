-- Twenty trading days of KOSPI and KOSDAQ: the index, and what was bought net on
-- the day, in 억원. Two calls of KIS.
SELECT coalesce(json_agg(json_build_object(
           'market', market_code, 'trade_date', trade_date, 'close', close,
           'collected_at', to_char(now() AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD"T"HH24:MI:SS'),
           'individual', individual_net_amount * amount_factor / 100000000,
           'foreign', foreign_net_amount * amount_factor / 100000000,
           'institution', institution_net_amount * amount_factor / 100000000)
           ORDER BY market_code, trade_date), '[]')
FROM (VALUES ('KSP', '0001'), ('KSQ', '1001')) AS pair (market_code, sector_code)
CROSS JOIN LATERAL (
    SELECT trade_date, close, individual_net_amount, foreign_net_amount, institution_net_amount
    FROM kis_market_trend_daily AS d
    WHERE d.market_code = pair.market_code AND d.sector_code = pair.sector_code
      AND trade_date <= (now() AT TIME ZONE 'Asia/Seoul')::date
    ORDER BY trade_date DESC LIMIT 20) AS days
JOIN kis_sector USING (market_code, sector_code);
