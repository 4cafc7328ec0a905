-- 현물과 선물에서 같은 방향인가? Futures against cash: does each investor go the
-- same way in both?
--
-- Net buying of the day so far in KOSPI (cash) and in KOSPI 200 futures, in 억원
-- (100 million won; of futures it is the contracts' value). Who sells one and
-- buys the other is hedging or arbitraging. Two calls of KIS.
SELECT i.screen_name AS investor,
       i.name_en AS investor_en,
       round(max(v.net_amount * s.amount_factor) FILTER (WHERE market_code = 'KSP') / 100000000, 1) AS cash_eok,
       round(max(v.net_amount * s.amount_factor) FILTER (WHERE market_code = 'K2I') / 100000000, 1) AS futures_eok
FROM kis_market_trend AS t
JOIN kis_sector AS s USING (market_code, sector_code)
CROSS JOIN LATERAL (VALUES
    (1, 'foreign', foreign_net_amount),
    (2, 'individual', individual_net_amount),
    (3, 'institution', institution_net_amount),
    (4, 'securities', securities_net_amount),
    (5, 'investment_trust', investment_trust_net_amount),
    (6, 'pension_fund', pension_fund_net_amount)) AS v (place, code, net_amount)
JOIN kis_investor_type AS i USING (code)
WHERE (market_code, sector_code) IN (('KSP', '0001'), ('K2I', 'F001'))
GROUP BY v.place, i.screen_name, i.name_en
ORDER BY v.place;
