-- KOSPI (cash) and KOSPI 200 futures now: a row an investor, in the order of
-- Korean screens, in 억원; of futures the contracts' value, where KIS's unit is
-- likely but not documented. Two calls of KIS.
SELECT coalesce(json_agg(r ORDER BY place), '[]')
FROM (SELECT place, i.code AS investor, i.screen_name AS name, i.part_of IS NOT NULL AS part, max(trade_date) AS trade_date,
             to_char(max(collected_at) AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD"T"HH24:MI:SS') AS collected_at,
             max(net_amount * amount_factor) FILTER (WHERE market_code = 'KSP') / 100000000 AS cash,
             max(net_amount * amount_factor) FILTER (WHERE market_code = 'K2I') / 100000000 AS futures
      FROM kis_investor_trend
      JOIN kis_sector USING (market_code, sector_code)
      JOIN kis_investor_type AS i ON i.code = investor
      JOIN unnest('{individual,foreign,institution,securities,insurance,investment_trust,pe_fund,bank,merchant_bank,pension_fund,other_organization,other_corporation}'::text[])
          WITH ORDINALITY AS shown (code, place) USING (code)
      WHERE (market_code, sector_code) IN (('KSP', '0001'), ('K2I', 'F001'))
      GROUP BY place, i.code, i.screen_name, i.part_of) AS r;
