-- The last trading day's snapshots of KOSPI and KOSDAQ: what was bought net since
-- the open, in 억원, and the index of the same moment where it was collected. No
-- call of KIS.
SELECT coalesce(json_agg(r ORDER BY market, at), '[]')
FROM (SELECT market_code AS market, trade_date, to_char(collected_at_seoul, 'YYYY-MM-DD"T"HH24:MI:SS') AS at,
             max(net_amount_eok) FILTER (WHERE investor = 'individual') AS individual,
             max(net_amount_eok) FILTER (WHERE investor = 'foreign') AS foreign,
             max(net_amount_eok) FILTER (WHERE investor = 'institution') AS institution,
             max(index_level) AS index
      FROM (VALUES ('KSP', '0001'), ('KSQ', '1001')) AS pair (market_code, sector_code)
      CROSS JOIN LATERAL (
          SELECT trade_date FROM market_investor_trend_snapshot AS s
          WHERE s.market_code = pair.market_code AND s.sector_code = pair.sector_code
            AND (collected_at AT TIME ZONE 'Asia/Seoul')::date = trade_date
          ORDER BY collected_at DESC LIMIT 1) AS last
      JOIN market_investor_trend_intraday USING (market_code, sector_code, trade_date)
      WHERE investor IN ('individual', 'foreign', 'institution')
        -- not what was corrected overnight, or seen at the week-end
        AND collected_at_seoul::date = trade_date
      GROUP BY market_code, trade_date, collected_at_seoul) AS r;
