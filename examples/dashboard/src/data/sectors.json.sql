-- KOSPI's sectors now, in 억원. Left out are the composite, the three sizes (0002
-- to 0004) and 제조 (0027), which hold the others once more. 23 calls of KIS.
SELECT coalesce(json_agg(json_build_object(
           'trade_date', trade_date,
           'collected_at', to_char(collected_at AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD"T"HH24:MI:SS'),
           'name', sector_name, 'name_en', sector_name_en,
           'individual', individual_net_amount * amount_factor / 100000000,
           'foreign', foreign_net_amount * amount_factor / 100000000,
           'institution', institution_net_amount * amount_factor / 100000000)
           ORDER BY foreign_net_amount DESC), '[]')
FROM kis_sector_trend
JOIN kis_sector USING (market_code, sector_code)
WHERE market_code = 'KSP' AND sector_code NOT IN ('0001', '0002', '0003', '0004', '0027');
