-- The state of the collector: its looks of the last day by ten minutes, the last
-- look of each target, what is missing of the last ten days, and the set-up step
-- by step. kis_check makes two calls of KIS.
WITH looks AS (
    SELECT market_code, sector_code, asked_at, outcome, detail, took_ms, asked_at AT TIME ZONE 'Asia/Seoul' AS at
    FROM market_investor_trend_collection
    WHERE asked_at >= (SELECT date_trunc('day', max(asked_at), 'Asia/Seoul') FROM market_investor_trend_collection)),
bins AS (
    SELECT market_code, sector_code, date_bin('10 minutes', at, '2020-01-01') AS bin, count(*) AS looks,
           count(*) FILTER (WHERE outcome = 'failed') AS failed, count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
           max(took_ms) AS took_ms
    FROM looks GROUP BY 1, 2, 3),
targets AS (
    SELECT DISTINCT ON (market_code, sector_code) market_code, sector_code, sector_name, at, outcome, detail
    FROM looks LEFT JOIN kis_sector USING (market_code, sector_code)
    ORDER BY market_code, sector_code, asked_at DESC),
gaps AS (
    SELECT * FROM market_investor_trend_gaps('market_investor_trend', (now() AT TIME ZONE 'Asia/Seoul')::date - 10,
                                             (now() AT TIME ZONE 'Asia/Seoul')::date, every => '5 minutes')
    ORDER BY trade_date DESC, gap_from DESC, market_code, sector_code LIMIT 30)
SELECT json_build_object(
    'now', to_char(now() AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD"T"HH24:MI:SS'),
    'trade_date', (SELECT max(trade_date) FROM market_investor_trend_collection),
    'bins', (SELECT coalesce(json_agg(json_build_object('target', market_code || '/' || sector_code, 'at', bin, 'looks', looks,
                                               'failed', failed, 'skipped', skipped, 'took_ms', took_ms)), '[]') FROM bins),
    'targets', (SELECT json_agg(json_build_object('target', market_code || '/' || sector_code, 'sector', sector_name,
                                                  'at', at, 'outcome', outcome, 'detail', detail)) FROM targets),
    'gaps', (SELECT coalesce(json_agg(json_build_object('target', market_code || '/' || sector_code, 'trade_date', trade_date,
                                                        'from', to_char(gap_from AT TIME ZONE 'Asia/Seoul', 'HH24:MI'),
                                                        'to', to_char(gap_to AT TIME ZONE 'Asia/Seoul', 'HH24:MI'),
                                                        'kind', kind, 'repair', repair)), '[]') FROM gaps),
    'checks', (SELECT json_agg(json_build_object('step', step, 'ok', ok, 'detail', detail)) FROM kis_check('kis')));
