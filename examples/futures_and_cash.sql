-- 현물과 선물에서 같은 방향인가? Futures against cash: does each investor go the
-- same way in both?
--
-- Net buying of the day so far in KOSPI (cash) and in KOSPI 200 futures, in 억원
-- (100 million won; of futures it is the contracts' value, where KIS's unit is
-- likely but not documented). Who sells one and buys the other is hedging or
-- arbitraging. Two calls of KIS.
SELECT i.screen_name AS investor,
       i.name_en AS investor_en,
       round(max(t.net_amount * s.amount_factor) FILTER (WHERE market_code = 'KSP') / 100000000, 1) AS cash_eok,
       round(max(t.net_amount * s.amount_factor) FILTER (WHERE market_code = 'K2I') / 100000000, 1) AS futures_eok,
       max(t.trade_date) AS trade_date,
       to_char(max(t.collected_at) AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI') AS collected_seoul
FROM kis_investor_trend AS t
JOIN kis_sector AS s USING (market_code, sector_code)
JOIN kis_investor_type AS i ON i.code = t.investor
JOIN unnest('{individual,foreign,institution,securities,investment_trust,pension_fund}'::text[])
    WITH ORDINALITY AS shown (investor, place) USING (investor)
WHERE (market_code, sector_code) IN (('KSP', '0001'), ('K2I', 'F001'))
GROUP BY shown.place, i.screen_name, i.name_en
ORDER BY shown.place;
