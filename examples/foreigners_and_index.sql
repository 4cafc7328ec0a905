-- 외국인이 사면 지수가 오르나? Does the index go with the foreigners through the
-- day?
--
-- What foreigners have bought net since the open, in 억원 (100 million won),
-- beside KOSPI's index of the same moment, on the last trading day of which
-- snapshots hold it: those that were collected with index_level => true. No call
-- of KIS.
WITH last AS (
    SELECT trade_date FROM market_investor_trend_intraday
    WHERE market_code = 'KSP' AND sector_code = '0001' AND investor = 'foreign' AND index_level IS NOT NULL
      AND collected_at_seoul::date = trade_date
    ORDER BY collected_at DESC LIMIT 1)
SELECT to_char(collected_at_seoul, 'YYYY-MM-DD HH24:MI:SS') AS at_seoul,
       round(net_amount_eok::numeric, 1) AS foreign_eok,
       index_level
FROM market_investor_trend_intraday
WHERE market_code = 'KSP' AND sector_code = '0001' AND investor = 'foreign' AND index_level IS NOT NULL
  AND trade_date = (SELECT trade_date FROM last)
  AND collected_at_seoul::date = trade_date
  -- by which PostgreSQL leaves the partitions of earlier months out
  AND collected_at >= (SELECT trade_date FROM last)::timestamp AT TIME ZONE 'Asia/Seoul'
ORDER BY collected_at;
