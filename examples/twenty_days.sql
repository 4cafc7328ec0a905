-- 최근 20거래일 누적 순매수와 지수? Twenty days of flows, added up, against the
-- index.
--
-- KOSPI's close and, in 억원 (100 million won), what foreigners, individuals
-- and institutions have bought net since the first of the days. The last day
-- is today's so far. One call of KIS brings 300 days.
SELECT trade_date,
       close,
       round(sum(foreign_net_amount) OVER w * amount_factor / 100000000, 1) AS foreign_eok,
       round(sum(individual_net_amount) OVER w * amount_factor / 100000000, 1) AS individual_eok,
       round(sum(institution_net_amount) OVER w * amount_factor / 100000000, 1) AS institution_eok
FROM (SELECT *
      FROM kis_market_trend_daily
      WHERE market_code = 'KSP' AND sector_code = '0001'
        AND trade_date <= (now() AT TIME ZONE 'Asia/Seoul')::date
      ORDER BY trade_date DESC
      LIMIT 20) AS days
JOIN kis_sector USING (market_code, sector_code)
WINDOW w AS (ORDER BY trade_date)
ORDER BY trade_date;
