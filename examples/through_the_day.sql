-- 장중 외국인과 개인은 어떻게 움직였나? Foreigners against individuals through
-- the day.
--
-- The snapshots of KOSPI on the last trading day that they hold, in 억원 (100
-- million won) bought net since the open, at Seoul's time, and the index where the
-- collections had index_level => true. Where a line rises they buy, where it
-- falls they sell. No call of KIS.
WITH last AS (
    SELECT trade_date FROM market_investor_trend_snapshot
    WHERE market_code = 'KSP' AND sector_code = '0001'
      AND (collected_at AT TIME ZONE 'Asia/Seoul')::date = trade_date
    ORDER BY collected_at DESC LIMIT 1)
SELECT to_char(collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI:SS') AS at_seoul,
       round(foreign_net_amount * amount_factor / 100000000, 1) AS foreign_eok,
       round(individual_net_amount * amount_factor / 100000000, 1) AS individual_eok,
       round(institution_net_amount * amount_factor / 100000000, 1) AS institution_eok,
       index_level
FROM market_investor_trend_snapshot
JOIN kis_sector USING (market_code, sector_code)
WHERE market_code = 'KSP' AND sector_code = '0001'
  AND trade_date = (SELECT trade_date FROM last)
  -- not what was corrected overnight, or seen at the week-end
  AND (collected_at AT TIME ZONE 'Asia/Seoul')::date = trade_date
  -- by which PostgreSQL leaves the partitions of earlier months out
  AND collected_at >= (SELECT trade_date FROM last)::timestamp AT TIME ZONE 'Asia/Seoul'
ORDER BY collected_at;
