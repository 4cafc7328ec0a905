-- 오늘 코스피에서 누가 사고 있나? Who is buying on KOSPI today?
--
-- Net buying of the day so far, in 억원 (100 million won): positive is bought,
-- negative is sold. Foreigners, individuals, institutions and the two others
-- add up to zero. The rows that are part of the institutions stand below them
-- and add up to them, in the order of Korean screens. One call of KIS.
SELECT i.screen_name AS investor,
       i.name_en AS investor_en,
       i.part_of IS NOT NULL AS is_part,
       round(t.net_amount * s.amount_factor / 100000000, 1) AS net_eok,
       t.trade_date,
       to_char(t.collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI') AS collected_seoul
FROM kis_investor_trend AS t
JOIN kis_sector AS s USING (market_code, sector_code)
JOIN kis_investor_type AS i ON i.code = t.investor
JOIN unnest('{individual,foreign,institution,
              securities,insurance,investment_trust,pe_fund,bank,merchant_bank,pension_fund,
              other_corporation,other_organization}'::text[])
    WITH ORDINALITY AS shown (investor, place) USING (investor)
WHERE market_code = 'KSP' AND sector_code = '0001'
ORDER BY shown.place;
