-- 외국인은 코스피 어느 업종을 사고 있나? Which sectors of KOSPI do foreigners buy?
--
-- Net buying of the day so far, in 억원 (100 million won), largest first. Left
-- out are the composite, the three sizes (0002 to 0004) and 제조 (0027), which
-- hold the others once more. A call of KIS for each of the 23 sectors.
SELECT sector_code,
       sector_name AS sector,
       sector_name_en AS sector_en,
       round(foreign_net_amount * amount_factor / 100000000, 1) AS foreign_eok,
       round(institution_net_amount * amount_factor / 100000000, 1) AS institution_eok,
       trade_date,
       to_char(collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI') AS collected_seoul
FROM kis_sector_trend
JOIN kis_sector USING (market_code, sector_code)
WHERE market_code = 'KSP'
  AND sector_code NOT IN ('0001', '0002', '0003', '0004', '0027')
ORDER BY foreign_net_amount DESC;
