\echo Use "CREATE EXTENSION market_investor_fdw" to load this file. \quit

-- The foreign-data wrapper

CREATE FUNCTION market_investor_fdw_handler()
RETURNS pg_catalog.fdw_handler
AS 'MODULE_PATHNAME', 'market_investor_fdw_handler'
LANGUAGE C STRICT;

COMMENT ON FUNCTION market_investor_fdw_handler() IS
'handler of the foreign-data wrapper market_investor_fdw';

CREATE FUNCTION market_investor_fdw_validator(options pg_catalog.text[], catalog pg_catalog.oid)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'market_investor_fdw_validator'
LANGUAGE C STRICT;

COMMENT ON FUNCTION market_investor_fdw_validator(pg_catalog.text[], pg_catalog.oid) IS
'checks the options of servers, user mappings, foreign tables and columns of market_investor_fdw';

CREATE FOREIGN DATA WRAPPER market_investor_fdw
    HANDLER market_investor_fdw_handler
    VALIDATOR market_investor_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER market_investor_fdw IS
'investor flows of Korea''s markets from the KIS Open API';

-- The catalogue

CREATE FUNCTION kis_sector_rows(
    OUT market_code pg_catalog.text,
    OUT market_name pg_catalog.text,
    OUT market_name_en pg_catalog.text,
    OUT sector_code pg_catalog.text,
    OUT sector_name pg_catalog.text,
    OUT sector_name_en pg_catalog.text,
    OUT headline pg_catalog.bool,
    OUT quantity_unit pg_catalog.text,
    OUT amount_unit pg_catalog.text,
    OUT quantity_factor pg_catalog.numeric,
    OUT amount_factor pg_catalog.numeric)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_sector_rows'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 71;

COMMENT ON FUNCTION kis_sector_rows() IS
'rows of the view kis_sector';

CREATE VIEW kis_sector AS
SELECT market_code, market_name, market_name_en,
       sector_code, sector_name, sector_name_en,
       headline, quantity_unit, amount_unit, quantity_factor, amount_factor
FROM kis_sector_rows();

COMMENT ON VIEW kis_sector IS
'the listed pairs of market and sector, which kis_sector_trend holds';
COMMENT ON COLUMN kis_sector.market_code IS 'code of the market, such as KSP';
COMMENT ON COLUMN kis_sector.market_name IS 'Korean name of the market';
COMMENT ON COLUMN kis_sector.market_name_en IS 'English name of the market';
COMMENT ON COLUMN kis_sector.sector_code IS 'code of the sector, such as 0001';
COMMENT ON COLUMN kis_sector.sector_name IS 'Korean name of the sector';
COMMENT ON COLUMN kis_sector.sector_name_en IS 'English name of the sector';
COMMENT ON COLUMN kis_sector.headline IS
'stands for a whole market: kis_market_trend holds it';
COMMENT ON COLUMN kis_sector.quantity_unit IS
'unit of the columns *_qty; NULL where it is not known';
COMMENT ON COLUMN kis_sector.amount_unit IS
'unit of the columns *_amount; NULL where it is not known';
COMMENT ON COLUMN kis_sector.quantity_factor IS
'shares or contracts in one of quantity_unit; NULL where it is not known';
COMMENT ON COLUMN kis_sector.amount_factor IS
'won in one of amount_unit; NULL where it is not known';

CREATE FUNCTION kis_investor_type_rows(
    OUT code pg_catalog.text,
    OUT name pg_catalog.text,
    OUT name_en pg_catalog.text,
    OUT screen_name pg_catalog.text,
    OUT part_of pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_investor_type_rows'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 12;

COMMENT ON FUNCTION kis_investor_type_rows() IS
'rows of the view kis_investor_type';

CREATE VIEW kis_investor_type AS
SELECT code, name, name_en, screen_name, part_of
FROM kis_investor_type_rows();

COMMENT ON VIEW kis_investor_type IS
'the kinds of investors, in the order of KIS''s answer';
COMMENT ON COLUMN kis_investor_type.code IS
'what the columns of this investor begin with, such as foreign';
COMMENT ON COLUMN kis_investor_type.name IS 'Korean name';
COMMENT ON COLUMN kis_investor_type.name_en IS 'English name';
COMMENT ON COLUMN kis_investor_type.screen_name IS
'Korean name on traders'' screens';
COMMENT ON COLUMN kis_investor_type.part_of IS
'code of the investor whose figures include this one''s, or NULL';

GRANT SELECT ON kis_sector, kis_investor_type TO PUBLIC;

CREATE FUNCTION kis_comment_tables(schema pg_catalog.name DEFAULT 'public')
RETURNS pg_catalog.int4
AS 'MODULE_PATHNAME', 'kis_comment_tables'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION kis_comment_tables(pg_catalog.name) IS
'puts Korean and English comments with units on the schema''s foreign tables of KIS and on their columns, and returns how many tables';

-- The store: the commands that make it, which create_market_investor_trend()
-- runs as its caller. Nothing that is made refers to an object of the extension's.

CREATE FUNCTION kis_store_texts(
    OUT part pg_catalog.text,
    OUT column_name pg_catalog.text,
    OUT field pg_catalog.text,
    OUT comment pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_store_texts'
LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 110;

COMMENT ON FUNCTION kis_store_texts() IS
'comments on what create_market_investor_trend() makes, and the columns of the figures in KIS''s order (parts net and total)';

CREATE FUNCTION kis_derived_name(relation pg_catalog.text, label pg_catalog.text)
RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'kis_derived_name_sql'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION kis_derived_name(pg_catalog.text, pg_catalog.text) IS
'name of what belongs to a table: its own name and a label, shortened by a digest where that is too long';

CREATE FUNCTION kis_comment_commands(kind pg_catalog.text, relation pg_catalog.text, parts pg_catalog.text[])
RETURNS pg_catalog.text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT pg_catalog.format('COMMENT ON %s IS %L',
                             CASE WHEN t.column_name IS NULL THEN pg_catalog.concat_ws(' ', kind, relation)
                                  ELSE pg_catalog.format('COLUMN %s.%I', relation, t.column_name) END, t.comment)
    FROM kis_store_texts() AS t
    WHERE t.part OPERATOR(pg_catalog.=) ANY (parts));

COMMENT ON FUNCTION kis_comment_commands(pg_catalog.text, pg_catalog.text, pg_catalog.text[]) IS
'commands that put the comments of these parts on a relation and its columns';

CREATE FUNCTION kis_store_commands(store pg_catalog.text)
RETURNS pg_catalog.text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.array_cat(ARRAY[
    pg_catalog.format($$CREATE TABLE %s (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        market_code pg_catalog.text NOT NULL,
        sector_code pg_catalog.text NOT NULL,
        collected_at pg_catalog.timestamptz NOT NULL,
        trade_date pg_catalog.date NOT NULL,
        %s,
        source pg_catalog.text NOT NULL CHECK (source OPERATOR(pg_catalog.=)
            ANY (ARRAY['live'::pg_catalog.text, 'daily'::pg_catalog.text])),
        created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
        updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
        UNIQUE (market_code, sector_code, trade_date))$$, store,
        -- the investors of the first design in its order, then the others
        (SELECT pg_catalog.string_agg(pg_catalog.format('%1$s_net_qty bigint, %1$s_net_amount bigint', i.code), ', ' ORDER BY i.n)
         FROM ROWS FROM (pg_catalog.unnest(ARRAY[
             'foreign', 'individual', 'institution', 'securities', 'investment_trust', 'pe_fund',
             'bank', 'insurance', 'pension_fund',
             'merchant_bank', 'other_organization', 'other_corporation'])) WITH ORDINALITY AS i(code, n))),
    pg_catalog.format('CREATE INDEX ON %s (trade_date)', store)],
    kis_comment_commands('TABLE', store, '{store,key,net}'));

COMMENT ON FUNCTION kis_store_commands(pg_catalog.text) IS
'commands that make a store of this name, which is qualified and quoted';

CREATE FUNCTION kis_snapshots_commands(snapshots pg_catalog.text)
RETURNS pg_catalog.text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.array_cat(ARRAY[
    pg_catalog.format($$CREATE TABLE %s (
        market_code pg_catalog.text NOT NULL,
        sector_code pg_catalog.text NOT NULL,
        collected_at pg_catalog.timestamptz NOT NULL,
        trade_date pg_catalog.date NOT NULL,
        %s,
        PRIMARY KEY (market_code, sector_code, collected_at))
        PARTITION BY RANGE (collected_at)$$, snapshots,
        (SELECT pg_catalog.string_agg(pg_catalog.format('%I bigint', t.column_name), ', ' ORDER BY t.n)
         FROM kis_store_texts() WITH ORDINALITY AS t(part, column_name, field, comment, n)
         WHERE t.part OPERATOR(pg_catalog.=) ANY (ARRAY['net', 'total']))),
    -- a day of all pairs: rows lie in the order of time, which is all that BRIN needs
    pg_catalog.format('CREATE INDEX ON %s USING brin (collected_at, trade_date) WITH (autosummarize = true)', snapshots)],
    kis_comment_commands('TABLE', snapshots, '{snapshots,key,net,total}'));

COMMENT ON FUNCTION kis_snapshots_commands(pg_catalog.text) IS
'commands that make a store''s snapshots by this name, which is qualified and quoted';

CREATE FUNCTION kis_qualified_name(relation pg_catalog.oid)
RETURNS pg_catalog.text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation);

COMMENT ON FUNCTION kis_qualified_name(pg_catalog.oid) IS
'name of a relation for SQL, which no search_path changes';

CREATE FUNCTION kis_partition_commands(
    snapshots pg_catalog.oid,
    from_time pg_catalog.timestamptz,
    to_time pg_catalog.timestamptz)
RETURNS pg_catalog.text[]
-- volatile: it must see what the transaction has just made
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN (
    SELECT ARRAY[
        p.relname, p.shown,
        -- all that the parent has, and where it has its own, as PARTITION OF would; the
        -- CHECK is for the planner: a trading day is at most 30 days before its collection
        pg_catalog.format($$CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING IDENTITY,
            CONSTRAINT trade_date_near_month
            CHECK (trade_date OPERATOR(pg_catalog.>=) %L::pg_catalog.date
                   AND trade_date OPERATOR(pg_catalog.<) %L::pg_catalog.date))%s$$,
            p.partition, kis_qualified_name(snapshots),
            pg_catalog.to_char(p.from_seoul OPERATOR(pg_catalog.-) '30 days'::pg_catalog.interval, 'YYYY-MM-DD'),
            pg_catalog.to_char(p.to_seoul OPERATOR(pg_catalog.+) '1 day -1 microsecond'::pg_catalog.interval, 'YYYY-MM-DD'),
            p.place),
        pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
            kis_qualified_name(snapshots), p.partition,
            pg_catalog.to_char(p.from_seoul, 'YYYY-MM-DD HH24:MI:SS.US"+09"'),
            pg_catalog.to_char(p.to_seoul, 'YYYY-MM-DD HH24:MI:SS.US"+09"')),
        pg_catalog.format('COMMENT ON TABLE %s IS %L', p.partition,
            (SELECT pg_catalog.format(t.comment, pg_catalog.to_char(p.from_seoul, 'YYYY'), pg_catalog.to_char(p.from_seoul, 'MM'))
             FROM kis_store_texts() AS t WHERE t.part OPERATOR(pg_catalog.=) 'partition'))]
    FROM (
        SELECT s.from_seoul, s.to_seoul, l.relname,
               pg_catalog.format('%I.%I', n.nspname, l.relname) AS partition,
               pg_catalog.to_char(s.from_seoul, CASE WHEN s.is_month THEN 'YYYY-MM' ELSE 'YYYY-MM-DD HH24:MI' END) AS shown,
               pg_catalog.concat((SELECT pg_catalog.format(' USING %I', a.amname) FROM pg_catalog.pg_am AS a
                                  WHERE a.oid OPERATOR(pg_catalog.=) c.relam),
                                 (SELECT pg_catalog.format(' TABLESPACE %I', t.spcname) FROM pg_catalog.pg_tablespace AS t
                                  WHERE t.oid OPERATOR(pg_catalog.=) c.reltablespace)) AS place
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        CROSS JOIN LATERAL (
            SELECT f.from_seoul, f.to_seoul,
                   f.from_seoul OPERATOR(pg_catalog.=) pg_catalog.date_trunc('month', f.from_seoul)
                   AND f.to_seoul OPERATOR(pg_catalog.=) (f.from_seoul OPERATOR(pg_catalog.+) '1 month'::pg_catalog.interval) AS is_month
            FROM (SELECT pg_catalog.timezone('Asia/Seoul', from_time), pg_catalog.timezone('Asia/Seoul', to_time)) AS f(from_seoul, to_seoul)) AS s
        CROSS JOIN LATERAL (
            SELECT kis_derived_name(c.relname::pg_catalog.text,
                       pg_catalog.to_char(s.from_seoul, CASE WHEN s.is_month THEN '"y"YYYY"m"MM' ELSE '"y"YYYY"m"MM"d"DD"h"HH24"m"MI' END))) AS l(relname)
        WHERE c.oid OPERATOR(pg_catalog.=) snapshots) AS p);

COMMENT ON FUNCTION kis_partition_commands(pg_catalog.oid, pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'name of a partition, its range for messages, and the commands that make, attach and comment it, which the table''s owner runs';

CREATE FUNCTION kis_make_partition_ahead(snapshots pg_catalog.oid, store pg_catalog.text, month pg_catalog.int4)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'kis_make_partition_ahead'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION kis_make_partition_ahead(pg_catalog.oid, pg_catalog.text, pg_catalog.int4) IS
'makes the partition of a store''s snapshots for a month, counted from the year 0, as far as that takes no waiting';

CREATE FUNCTION kis_try(command pg_catalog.text, complaint pg_catalog.text, hint pg_catalog.text)
RETURNS pg_catalog.void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
AS $$
DECLARE
    state pg_catalog.text;
    message pg_catalog.text;
    detail pg_catalog.text;
    own_hint pg_catalog.text;
BEGIN
    EXECUTE command;
EXCEPTION
    -- which does not catch a cancel
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
            detail = PG_EXCEPTION_DETAIL, own_hint = PG_EXCEPTION_HINT;
        RAISE WARNING USING ERRCODE = state, MESSAGE = complaint,
            DETAIL = pg_catalog.concat_ws(' ', pg_catalog.format('It failed: %s.', message), NULLIF(detail, '')),
            HINT = COALESCE(NULLIF(own_hint, ''), hint);
END $$;

COMMENT ON FUNCTION kis_try(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
'runs a command whose failure is a warning and costs nothing else; a cancel is raised';

CREATE FUNCTION kis_figure_columns(relation pg_catalog.oid, OUT figure pg_catalog.text, OUT column_name pg_catalog.text)
RETURNS SETOF pg_catalog.record
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT ON (t.column_name) t.column_name, pg_catalog.quote_ident(a.attname::pg_catalog.text)
    FROM kis_store_texts() AS t
    JOIN pg_catalog.pg_attribute AS a
      ON a.attname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY[t.column_name, t.field])
    WHERE t.field IS NOT NULL AND a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.>) 0
      AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''
    ORDER BY t.column_name, a.attnum;
END;

COMMENT ON FUNCTION kis_figure_columns(pg_catalog.oid) IS
'columns of a table that hold figures, by our name of each';

CREATE FUNCTION kis_by_investor_commands(store pg_catalog.oid, view pg_catalog.text)
RETURNS pg_catalog.text[]
-- volatile: it must see what the transaction has just made
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN (
    SELECT pg_catalog.array_cat(ARRAY[pg_catalog.format($$CREATE VIEW %s AS
        SELECT t.trade_date, t.collected_at AT TIME ZONE 'Asia/Seoul' AS collected_at,
               t.market_code, m.market_name, m.market_name_en,
               t.sector_code, s.sector_name, s.sector_name_en,
               i.investor, i.investor_name, i.investor_name_en, i.screen_name, i.part_of,
               i.net_qty, i.net_amount,
               i.net_amount OPERATOR(pg_catalog.*) COALESCE(s.eok, m.eok) AS net_amount_eok,
               COALESCE(s.quantity_unit, m.quantity_unit) AS quantity_unit,
               COALESCE(s.amount_unit, m.amount_unit) AS amount_unit
        FROM %s AS t
        LEFT JOIN (VALUES %s) AS m(market_code, market_name, market_name_en, quantity_unit, amount_unit, eok)
          ON m.market_code OPERATOR(pg_catalog.=) t.market_code
        LEFT JOIN (VALUES %s) AS s(market_code, sector_code, sector_name, sector_name_en, quantity_unit, amount_unit, eok)
          ON s.market_code OPERATOR(pg_catalog.=) t.market_code AND s.sector_code OPERATOR(pg_catalog.=) t.sector_code
        CROSS JOIN LATERAL (VALUES %s) AS i(investor, investor_name, investor_name_en, screen_name, part_of, net_qty, net_amount)$$,
        view, kis_qualified_name(store), m.markets, s.sectors, i.investors)],
        kis_comment_commands('VIEW', view, '{view}'))
    FROM (
        -- the units of KSP and KSQ are those of pairs that are not listed, too
        SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %L, %s)', k.market_code, k.market_name, k.market_name_en,
                                                       k.quantity_unit, k.amount_unit, k.eok), ', ')
        FROM (SELECT DISTINCT ON (r.market_code) r.market_code, r.market_name, r.market_name_en,
                     CASE WHEN u.shared THEN r.quantity_unit END, CASE WHEN u.shared THEN r.amount_unit END,
                     COALESCE(CASE WHEN u.shared THEN pg_catalog.trim_scale(r.amount_factor OPERATOR(pg_catalog./) 100000000) END::pg_catalog.text, 'NULL')
              FROM kis_sector_rows() AS r
              CROSS JOIN LATERAL (SELECT r.market_code OPERATOR(pg_catalog.=) ANY (ARRAY['KSP', 'KSQ'])) AS u(shared))
            AS k(market_code, market_name, market_name_en, quantity_unit, amount_unit, eok)) AS m(markets),
    (
        SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %L, %L, %s)', r.market_code, r.sector_code, r.sector_name, r.sector_name_en,
                                                       r.quantity_unit, r.amount_unit,
                                                       COALESCE(pg_catalog.trim_scale(r.amount_factor OPERATOR(pg_catalog./) 100000000)::pg_catalog.text, 'NULL')), ', ')
        FROM kis_sector_rows() AS r) AS s(sectors),
    (
        SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %L, %s, %s)', r.code, r.name, r.name_en, r.screen_name, r.part_of,
                                                       COALESCE('t.' OPERATOR(pg_catalog.||) q.column_name, 'NULL::pg_catalog.int8'),
                                                       COALESCE('t.' OPERATOR(pg_catalog.||) a.column_name, 'NULL::pg_catalog.int8')), ', ' ORDER BY r.n)
        FROM kis_investor_type_rows() WITH ORDINALITY AS r(code, name, name_en, screen_name, part_of, n)
        LEFT JOIN kis_figure_columns(store) AS q ON q.figure OPERATOR(pg_catalog.=) (r.code OPERATOR(pg_catalog.||) '_net_qty')
        LEFT JOIN kis_figure_columns(store) AS a ON a.figure OPERATOR(pg_catalog.=) (r.code OPERATOR(pg_catalog.||) '_net_amount')
        WHERE COALESCE(q.column_name, a.column_name) IS NOT NULL) AS i(investors)
    WHERE i.investors IS NOT NULL);

COMMENT ON FUNCTION kis_by_investor_commands(pg_catalog.oid, pg_catalog.text) IS
'commands that make a store''s view by investor; NULL where the store has no net figures';

CREATE FUNCTION kis_renumber(store pg_catalog.oid)
RETURNS pg_catalog.void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
AS $$
-- Whoever has a number waits for us or we for him, so that none goes back: the
-- table is locked before its numbers are read again, and ALTER SEQUENCE locks
-- the sequence.
DECLARE
    counted pg_catalog.record;
    next pg_catalog.int8;
BEGIN
    FOR counted IN
        SELECT t.name AS table, s.name AS sequence, pg_catalog.format(
                   'SELECT t.last OPERATOR(pg_catalog.+) p.seqincrement '
                   'FROM (SELECT pg_catalog.%s(%I)::pg_catalog.int8 AS last FROM %s) AS t, %s AS s, pg_catalog.pg_sequence AS p '
                   'WHERE p.seqrelid OPERATOR(pg_catalog.=) %s '
                   'AND (t.last OPERATOR(pg_catalog.%s) s.last_value OR t.last OPERATOR(pg_catalog.=) s.last_value AND NOT s.is_called) '
                   'AND t.last::pg_catalog.numeric OPERATOR(pg_catalog.+) p.seqincrement OPERATOR(pg_catalog.<=) p.seqmax '
                   'AND t.last::pg_catalog.numeric OPERATOR(pg_catalog.+) p.seqincrement OPERATOR(pg_catalog.>=) p.seqmin',
                   CASE WHEN p.seqincrement OPERATOR(pg_catalog.>) 0 THEN 'max' ELSE 'min' END, a.attname, t.name, s.name, p.seqrelid,
                   CASE WHEN p.seqincrement OPERATOR(pg_catalog.>) 0 THEN '>' ELSE '<' END) AS query
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        CROSS JOIN LATERAL (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)) AS t(name)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
        CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_serial_sequence(t.name, a.attname::pg_catalog.text)) AS s(name)
        JOIN pg_catalog.pg_sequence AS p ON p.seqrelid OPERATOR(pg_catalog.=) s.name::pg_catalog.regclass::pg_catalog.oid
        WHERE c.oid OPERATOR(pg_catalog.=) store AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
          AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
          AND a.atttypid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.int2'::pg_catalog.regtype,
              'pg_catalog.int4'::pg_catalog.regtype, 'pg_catalog.int8'::pg_catalog.regtype]::pg_catalog.oid[])
    LOOP
        EXECUTE counted.query INTO next;
        CONTINUE WHEN next IS NULL;
        EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', counted.table);
        EXECUTE counted.query INTO next;
        CONTINUE WHEN next IS NULL;
        EXECUTE pg_catalog.format('ALTER SEQUENCE %s RESTART WITH %s', counted.sequence, next);
    END LOOP;
END $$;

COMMENT ON FUNCTION kis_renumber(pg_catalog.oid) IS
'sets what numbers a store''s rows behind the numbers that are there, where they came with rows, as by COPY or logical replication; a no-op for who has not its owner''s rights';

CREATE FUNCTION create_market_investor_trend(
    store pg_catalog.text DEFAULT 'market_investor_trend',
    snapshots pg_catalog.bool DEFAULT true)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'create_market_investor_trend'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION create_market_investor_trend(pg_catalog.text, pg_catalog.bool) IS
'makes the tables that collect_market_investor_trend fills, and the view <store>_by_investor of them; called again it changes nothing';

CREATE FUNCTION kis_store_elsewhere(name pg_catalog.text)
RETURNS pg_catalog.text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'trade_date'
        WHERE c.relname::pg_catalog.text OPERATOR(pg_catalog.=) name AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::"char"[])
          AND NOT a.attisdropped AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
          AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
          AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE')
        ORDER BY c.oid LIMIT 1);

COMMENT ON FUNCTION kis_store_elsewhere(pg_catalog.text) IS
'store of that name in whatever schema that the caller may know of, the oldest of several; NULL where there is none';

CREATE FUNCTION collect_market_investor_trend(
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001,ETF/T000}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend')
RETURNS TABLE (
    market_code pg_catalog.text,
    sector_code pg_catalog.text,
    trade_date pg_catalog.date,
    outcome pg_catalog.text,
    detail pg_catalog.text)
AS 'MODULE_PATHNAME', 'collect_market_investor_trend'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 71;

COMMENT ON FUNCTION collect_market_investor_trend(pg_catalog.text[], pg_catalog.name, pg_catalog.text) IS
'fetches the targets (market/sector, or a market for its headline pairs) from the server source, stores them, and returns what became of each';

CREATE PROCEDURE backfill_market_investor_trend(
    from_date pg_catalog.date,
    to_date pg_catalog.date,
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend')
AS 'MODULE_PATHNAME', 'backfill_market_investor_trend'
LANGUAGE C;

COMMENT ON PROCEDURE backfill_market_investor_trend(pg_catalog.date, pg_catalog.date, pg_catalog.text[], pg_catalog.name, pg_catalog.text) IS
'fills the store''s past days from KIS''s daily history, newest first, and commits each page of up to 300 days; today is left to collect_market_investor_trend';

-- Operation

CREATE FUNCTION kis_stat_rows(
    OUT host pg_catalog.text,
    OUT app_key_fingerprint pg_catalog.text,
    OUT calls pg_catalog.int8,
    OUT cache_hits pg_catalog.int8,
    OUT shared_calls pg_catalog.int8,
    OUT retries pg_catalog.int8,
    OUT refusals pg_catalog.int8,
    OUT errors pg_catalog.jsonb,
    OUT tokens_issued pg_catalog.int8,
    OUT token_expires_at pg_catalog.timestamptz,
    OUT last_success_at pg_catalog.timestamptz,
    OUT last_error pg_catalog.text,
    OUT last_error_at pg_catalog.timestamptz,
    OUT effective_rate pg_catalog.float8,
    OUT rate_wait_ms pg_catalog.float8,
    OUT network_ms pg_catalog.float8,
    OUT stat_reset_at pg_catalog.timestamptz,
    OUT library_version pg_catalog.text)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_stat_rows'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;

COMMENT ON FUNCTION kis_stat_rows() IS
'rows of the view kis_stat';

CREATE VIEW kis_stat AS
SELECT host, app_key_fingerprint, calls, cache_hits, shared_calls, retries, refusals, errors,
       tokens_issued, token_expires_at, last_success_at, last_error, last_error_at,
       effective_rate, rate_wait_ms, network_ms, stat_reset_at, library_version
FROM kis_stat_rows();

COMMENT ON VIEW kis_stat IS
'what all sessions have asked of KIS, a row for each host and app key';
COMMENT ON COLUMN kis_stat.host IS 'base_url of the servers that it counts for';
COMMENT ON COLUMN kis_stat.app_key_fingerprint IS
'beginning of a digest of host and app key: tells keys apart without showing them';
COMMENT ON COLUMN kis_stat.calls IS 'data calls sent, retries included';
COMMENT ON COLUMN kis_stat.cache_hits IS 'replies taken from the cache';
COMMENT ON COLUMN kis_stat.shared_calls IS 'replies of a call that another session made at the same moment';
COMMENT ON COLUMN kis_stat.retries IS 'calls and token issues that were sent again';
COMMENT ON COLUMN kis_stat.refusals IS 'calls that KIS refused for the rate';
COMMENT ON COLUMN kis_stat.errors IS 'attempts that failed, by class';
COMMENT ON COLUMN kis_stat.tokens_issued IS 'access tokens that KIS issued';
COMMENT ON COLUMN kis_stat.token_expires_at IS 'when the current token ends; NULL where there is none';
COMMENT ON COLUMN kis_stat.last_success_at IS 'when the last attempt succeeded';
COMMENT ON COLUMN kis_stat.last_error IS 'class of the last failed attempt, and KIS''s code';
COMMENT ON COLUMN kis_stat.last_error_at IS 'when that was';
COMMENT ON COLUMN kis_stat.effective_rate IS
'calls a second: requests_per_second, or less for a minute after KIS refused one';
COMMENT ON COLUMN kis_stat.rate_wait_ms IS 'milliseconds that calls waited for the rate, added up';
COMMENT ON COLUMN kis_stat.network_ms IS 'milliseconds from sending to the end of the reply, added up';
COMMENT ON COLUMN kis_stat.stat_reset_at IS 'since when it is counted';
COMMENT ON COLUMN kis_stat.library_version IS 'version of the library that runs';

CREATE FUNCTION kis_stat_reset()
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'kis_stat_reset'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION kis_stat_reset() IS
'sets the counters of kis_stat to zero; tokens, rates and the cache stay';

REVOKE ALL ON FUNCTION kis_stat_rows(), kis_stat_reset() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kis_stat_rows() TO pg_monitor;
GRANT SELECT ON kis_stat TO pg_monitor;

CREATE FUNCTION kis_check_rows(
    server pg_catalog.name,
    OUT step pg_catalog.text,
    OUT ok pg_catalog.bool,
    OUT detail pg_catalog.text,
    OUT figures pg_catalog.int8[])
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_check_rows'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 7;

COMMENT ON FUNCTION kis_check_rows(pg_catalog.name) IS
'steps of kis_check(); the first is the version of the library, that of the pair has its figures in KIS''s order';

CREATE FUNCTION kis_sums(
    figures pg_catalog.jsonb,
    OUT checked pg_catalog.int8,
    OUT broken pg_catalog.int8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH f AS (
        SELECT i.code, i.part_of, k.kind,
               (figures OPERATOR(pg_catalog.->>) pg_catalog.concat(i.code, '_sell_', k.kind))::pg_catalog.numeric AS sell,
               (figures OPERATOR(pg_catalog.->>) pg_catalog.concat(i.code, '_buy_', k.kind))::pg_catalog.numeric AS buy,
               (figures OPERATOR(pg_catalog.->>) pg_catalog.concat(i.code, '_net_', k.kind))::pg_catalog.numeric AS net
        FROM kis_investor_type_rows() AS i CROSS JOIN pg_catalog.unnest(ARRAY['qty', 'amount']) AS k(kind)),
    -- NULL where one of the addends is not known
    s(total, addends) AS (
        SELECT f.net OPERATOR(pg_catalog.-) f.buy OPERATOR(pg_catalog.+) f.sell, 2 FROM f
        UNION ALL
        SELECT CASE WHEN pg_catalog.bool_and(f.net IS NOT NULL) THEN pg_catalog.sum(f.net) END, pg_catalog.count(*)
        FROM f WHERE f.part_of IS NULL GROUP BY f.kind
        UNION ALL
        SELECT CASE WHEN pg_catalog.bool_and(f.net IS NOT NULL) THEN pg_catalog.sum(f.net) END OPERATOR(pg_catalog.-) w.net, pg_catalog.count(*)
        FROM f JOIN f AS w ON w.code OPERATOR(pg_catalog.=) f.part_of AND w.kind OPERATOR(pg_catalog.=) f.kind
        GROUP BY f.part_of, f.kind, w.net)
    SELECT pg_catalog.count(s.total),
           pg_catalog.count(*) FILTER (WHERE pg_catalog.abs(s.total) OPERATOR(pg_catalog.>) s.addends)
    FROM s;
END;

COMMENT ON FUNCTION kis_sums(pg_catalog.jsonb) IS
'how many sums of a row of figures were checked, and how many don''t agree to 1 for each addend, as each figure is rounded on its own: net is buy minus sell, parts make the institutions, all nets make 0';

CREATE FUNCTION kis_check(
    server pg_catalog.name DEFAULT 'kis',
    OUT step pg_catalog.text,
    OUT ok pg_catalog.bool,
    OUT detail pg_catalog.text)
RETURNS SETOF pg_catalog.record
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE ROWS 7
BEGIN ATOMIC
    WITH r AS MATERIALIZED (
        SELECT c.step, c.ok, c.detail, c.figures, c.n
        FROM kis_check_rows(server) WITH ORDINALITY AS c(step, ok, detail, figures, n))
    SELECT a.step, a.ok, a.detail
    FROM (
        SELECT r.step, false, pg_catalog.format('the library is of version %s, the extension''s SQL of version %s. Where the SQL is older: ALTER EXTENSION market_investor_fdw UPDATE. Where the library is: restart the server',
                                                r.detail, e.extversion), r.n
        FROM r JOIN pg_catalog.pg_extension AS e
          ON e.extname OPERATOR(pg_catalog.=) 'market_investor_fdw' AND e.extversion OPERATOR(pg_catalog.<>) r.detail
        WHERE r.step OPERATOR(pg_catalog.=) 'version'
        UNION ALL
        SELECT r.step, r.ok, r.detail, r.n FROM r WHERE r.step OPERATOR(pg_catalog.<>) 'version'
        UNION ALL
        SELECT 'identities', COALESCE(s.broken OPERATOR(pg_catalog.=) 0, false),
               CASE WHEN s.broken IS NULL THEN 'not tried: the pair comes first'
                    WHEN s.broken OPERATOR(pg_catalog.>) 0 THEN pg_catalog.format('%s of %s sums don''t agree: KIS may have changed what it sends', s.broken, s.checked)
                    ELSE pg_catalog.format('%s sums agree to 1 for each addend: net is buy minus sell, parts make the institutions, all nets make 0', s.checked) END,
               r.n OPERATOR(pg_catalog.+) 1
        FROM r
        LEFT JOIN LATERAL (SELECT pg_catalog.jsonb_object_agg(f.column_name, r.figures[f.n]) AS figures
                           FROM (SELECT t.column_name, pg_catalog.row_number() OVER (ORDER BY t.n) AS n
                                 FROM kis_store_texts() WITH ORDINALITY AS t(part, column_name, field, comment, n)
                                 WHERE t.field IS NOT NULL) AS f
                           WHERE r.figures IS NOT NULL) AS j ON true
        LEFT JOIN LATERAL kis_sums(j.figures) AS s ON true
        WHERE r.step OPERATOR(pg_catalog.=) 'pair') AS a(step, ok, detail, n)
    ORDER BY a.n;
END;

COMMENT ON FUNCTION kis_check(pg_catalog.name) IS
'tries the caller''s way to KIS through the server, a row for each step: ok, or what to do';
