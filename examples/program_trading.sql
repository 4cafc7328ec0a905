-- 누구의 프로그램 매매가 시장을 움직이나? Whose program trading moves the market?
--
-- Net program trading of the day so far on KOSPI, in 억원 (100 million won):
-- arbitrage against futures, and the rest, which is baskets of shares. Beside
-- them what the investor has bought net by any means. Two calls of KIS.
SELECT i.screen_name AS investor,
       i.name_en AS investor_en,
       round(p.arbitrage_net_amount * s.amount_factor / 100000000, 1) AS arbitrage_eok,
       round(p.non_arbitrage_net_amount * s.amount_factor / 100000000, 1) AS non_arbitrage_eok,
       round(t.net_amount * s.amount_factor / 100000000, 1) AS all_means_eok,
       p.trade_date,
       to_char(p.collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI') AS collected_seoul
FROM kis_program_trend AS p
JOIN kis_investor_trend AS t USING (market_code, investor)
JOIN kis_sector AS s USING (market_code, sector_code)
JOIN kis_investor_type AS i ON i.code = investor
JOIN unnest('{individual,foreign,institution,other_corporation}'::text[])
    WITH ORDINALITY AS shown (investor, place) USING (investor)
WHERE market_code = 'KSP' AND t.sector_code = '0001'
ORDER BY shown.place;
