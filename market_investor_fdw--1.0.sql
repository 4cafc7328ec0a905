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

CREATE FUNCTION kis_comment_foreign_tables(foreign_tables pg_catalog.oid[], language pg_catalog.text)
RETURNS pg_catalog.int4
AS 'MODULE_PATHNAME', 'kis_comment_foreign_tables'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION kis_comment_foreign_tables(pg_catalog.oid[], pg_catalog.text) IS
'puts comments with units on foreign tables of KIS and on their columns, in the language ''ko'', ''en'' or ''both'', and returns how many tables were there';

CREATE FUNCTION kis_comment_tables(schema pg_catalog.name DEFAULT 'public', language pg_catalog.text DEFAULT 'both')
RETURNS pg_catalog.int4
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
RETURN kis_comment_foreign_tables(ARRAY(
    SELECT t.ftrelid
    FROM pg_catalog.pg_foreign_table AS t
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.ftrelid
    JOIN pg_catalog.pg_foreign_server AS s ON s.oid OPERATOR(pg_catalog.=) t.ftserver
    JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
    WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.quote_ident(schema)::pg_catalog.regnamespace
      AND w.fdwhandler OPERATOR(pg_catalog.=) 'market_investor_fdw_handler'::pg_catalog.regproc
    ORDER BY t.ftrelid), language);

COMMENT ON FUNCTION kis_comment_tables(pg_catalog.name, pg_catalog.text) IS
'puts comments with units on the schema''s foreign tables of KIS and on their columns, in the language ''ko'', ''en'' or ''both'', and returns how many tables';

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
        source pg_catalog.text NOT NULL DEFAULT 'live' CHECK (source OPERATOR(pg_catalog.=)
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
        index_level pg_catalog.numeric,
        PRIMARY KEY (market_code, sector_code, collected_at))
        PARTITION BY RANGE (collected_at)$$, snapshots,
        (SELECT pg_catalog.string_agg(pg_catalog.format('%I bigint', t.column_name), ', ' ORDER BY t.n)
         FROM kis_store_texts() WITH ORDINALITY AS t(part, column_name, field, comment, n)
         WHERE t.part OPERATOR(pg_catalog.=) ANY (ARRAY['net', 'total']))),
    -- a day of all pairs: rows lie in the order of time, which is all that BRIN needs
    pg_catalog.format('CREATE INDEX ON %s USING brin (collected_at, trade_date) WITH (autosummarize = true)', snapshots),
    -- a pair's day by trade_date, which comes last: an index that began with it would be taken
    -- for all pairs' day, too, and bring its rows pair by pair
    pg_catalog.format('CREATE INDEX ON %s (market_code, sector_code, trade_date)', snapshots)],
    kis_comment_commands('TABLE', snapshots, '{snapshots,key,net,total}'));

COMMENT ON FUNCTION kis_snapshots_commands(pg_catalog.text) IS
'commands that make a store''s snapshots by this name, which is qualified and quoted';

CREATE FUNCTION kis_collection_commands(collection pg_catalog.text)
RETURNS pg_catalog.text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.array_cat(ARRAY[
    pg_catalog.format($$CREATE TABLE %s (
        asked_at pg_catalog.timestamptz NOT NULL,
        market_code pg_catalog.text NOT NULL,
        sector_code pg_catalog.text NOT NULL,
        trade_date pg_catalog.date,
        outcome pg_catalog.text NOT NULL,
        detail pg_catalog.text,
        took_ms pg_catalog.int4)
        PARTITION BY RANGE (asked_at)$$, collection),
    pg_catalog.format('CREATE INDEX ON %s (market_code, sector_code, asked_at)', collection)],
    kis_comment_commands('TABLE', collection, '{collection}'));

COMMENT ON FUNCTION kis_collection_commands(pg_catalog.text) IS
'commands that make a store''s log of collections by this name, which is qualified and quoted';

CREATE FUNCTION kis_qualified_name(relation pg_catalog.oid)
RETURNS pg_catalog.text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation);

COMMENT ON FUNCTION kis_qualified_name(pg_catalog.oid) IS
'name of a relation for SQL, which no search_path changes';

CREATE FUNCTION kis_grant_commands(store pg_catalog.oid, collection pg_catalog.text)
RETURNS pg_catalog.text[]
-- volatile: it must see what the transaction has just made
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT pg_catalog.format('GRANT INSERT ON %s TO %s', collection,
                                      CASE WHEN g.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                                           ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)::pg_catalog.text) END)
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS g
    WHERE c.oid OPERATOR(pg_catalog.=) store AND g.privilege_type OPERATOR(pg_catalog.=) 'INSERT'
      AND g.grantee OPERATOR(pg_catalog.<>) c.relowner);

COMMENT ON FUNCTION kis_grant_commands(pg_catalog.oid, pg_catalog.text) IS
'commands that let those who may add to a store add to a log that is new';

CREATE FUNCTION kis_update_commands(relation pg_catalog.oid)
RETURNS pg_catalog.text[]
-- volatile: it must see what the transaction has just made
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT pg_catalog.format('ALTER TABLE %s ALTER source SET DEFAULT %L', kis_qualified_name(relation), 'live')
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      AND a.attname OPERATOR(pg_catalog.=) 'source' AND NOT a.attisdropped AND NOT a.atthasdef
    UNION ALL
    -- of snapshots, which are partitioned by collected_at
    SELECT pg_catalog.format('CREATE INDEX ON %s (market_code, sector_code, trade_date)', kis_qualified_name(relation))
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid OPERATOR(pg_catalog.=) c.oid
    JOIN pg_catalog.pg_attribute AS k
      ON k.attrelid OPERATOR(pg_catalog.=) c.oid AND k.attnum OPERATOR(pg_catalog.=) p.partattrs[0]
    JOIN pg_catalog.pg_attribute AS d
      ON d.attrelid OPERATOR(pg_catalog.=) c.oid AND d.attname OPERATOR(pg_catalog.=) 'trade_date'
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      AND k.attname OPERATOR(pg_catalog.=) 'collected_at'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS x
                      JOIN pg_catalog.pg_class AS i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid
                      JOIN pg_catalog.pg_am AS m ON m.oid OPERATOR(pg_catalog.=) i.relam
                      WHERE x.indrelid OPERATOR(pg_catalog.=) relation AND m.amname OPERATOR(pg_catalog.=) 'btree'
                        AND x.indkey[2] OPERATOR(pg_catalog.=) d.attnum)
    UNION ALL
    SELECT k.command
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'collected_at'
    JOIN pg_catalog.pg_partitioned_table AS p
      ON p.partrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.=) p.partattrs[0]
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.array_prepend(
        pg_catalog.format('ALTER TABLE %s ADD COLUMN index_level pg_catalog.numeric', kis_qualified_name(relation)),
        ARRAY(SELECT t.command FROM pg_catalog.unnest(kis_comment_commands('TABLE', kis_qualified_name(relation), '{snapshots}')) AS t(command)
              WHERE pg_catalog.strpos(t.command, '.index_level IS ') OPERATOR(pg_catalog.>) 0))) AS k(command)
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS i
                      WHERE i.attrelid OPERATOR(pg_catalog.=) relation AND i.attname OPERATOR(pg_catalog.=) 'index_level'));

COMMENT ON FUNCTION kis_update_commands(pg_catalog.oid) IS
'commands that bring a table of an older store up to date, where the caller has its owner''s rights';

CREATE FUNCTION kis_partition_commands(
    schema pg_catalog.text,
    snapshots pg_catalog.text,
    part pg_catalog.text,
    place pg_catalog.text,
    from_time pg_catalog.timestamptz,
    to_time pg_catalog.timestamptz)
RETURNS pg_catalog.text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (
    SELECT ARRAY[
        n.name, pg_catalog.to_char(s.begins, CASE WHEN s.is_month THEN 'YYYY-MM' ELSE 'YYYY-MM-DD HH24:MI' END),
        -- all that the parent has, and where it has its own, as PARTITION OF would; the
        -- CHECK is for the planner: a trading day is at most 30 days before its collection
        pg_catalog.format($$CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING ALL EXCLUDING IDENTITY,
            CONSTRAINT trade_date_near_month
            CHECK (trade_date OPERATOR(pg_catalog.>=) %4$L::pg_catalog.date
                   AND trade_date OPERATOR(pg_catalog.<) %5$L::pg_catalog.date))%6$s$$,
            schema, n.name, snapshots,
            pg_catalog.to_char(s.begins OPERATOR(pg_catalog.-) '30 days'::pg_catalog.interval, 'YYYY-MM-DD'),
            pg_catalog.to_char(s.ends OPERATOR(pg_catalog.+) '1 day -1 microsecond'::pg_catalog.interval, 'YYYY-MM-DD'),
            place),
        pg_catalog.format('ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (%4$L) TO (%5$L)',
            schema, snapshots, n.name,
            pg_catalog.to_char(s.begins, 'YYYY-MM-DD HH24:MI:SS.US"+09"'),
            pg_catalog.to_char(s.ends, 'YYYY-MM-DD HH24:MI:SS.US"+09"')),
        pg_catalog.format('COMMENT ON TABLE %I.%I IS %L', schema, n.name,
            (SELECT pg_catalog.format(t.comment, pg_catalog.to_char(s.begins, 'YYYY'), pg_catalog.to_char(s.begins, 'MM'))
             FROM kis_store_texts() AS t WHERE t.part OPERATOR(pg_catalog.=) kis_partition_commands.part))]
    FROM (SELECT m.begins, m.ends,
                 m.begins OPERATOR(pg_catalog.=) pg_catalog.date_trunc('month', m.begins)
                 AND m.ends OPERATOR(pg_catalog.=) (m.begins OPERATOR(pg_catalog.+) '1 month'::pg_catalog.interval) AS is_month
          FROM (SELECT pg_catalog.timezone('Asia/Seoul', from_time), pg_catalog.timezone('Asia/Seoul', to_time)) AS m(begins, ends)) AS s
    CROSS JOIN LATERAL (
        SELECT kis_derived_name(snapshots, pg_catalog.to_char(s.begins, CASE WHEN s.is_month THEN '"y"YYYY"m"MM'
                                                                             ELSE '"y"YYYY"m"MM"d"DD"h"HH24"m"MI' END))) AS n(name));

COMMENT ON FUNCTION kis_partition_commands(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'name of a partition of a table, its range for messages, and the commands that make, attach and comment it, which the table''s owner runs; place is what follows its columns, part says which comment it gets';

CREATE FUNCTION kis_make_partition_ahead(snapshots pg_catalog.oid, store pg_catalog.text)
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'kis_make_partition_ahead'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION kis_make_partition_ahead(pg_catalog.oid, pg_catalog.text) IS
'makes the next month''s partition of a store''s snapshots or log, as far as that takes no waiting';

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
            DETAIL = pg_catalog.rtrim(pg_catalog.format('It failed: %s. %s', message, detail)),
            HINT = CASE WHEN own_hint OPERATOR(pg_catalog.=) '' THEN hint ELSE own_hint END;
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

CREATE FUNCTION kis_view_commands(relation pg_catalog.oid, view pg_catalog.text, part pg_catalog.text)
RETURNS pg_catalog.text[]
-- volatile: it must see what the transaction has just made
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH measures AS (
        SELECT x.measure, x.n
        FROM pg_catalog.unnest(CASE part WHEN 'intraday' THEN ARRAY['sell_qty', 'buy_qty', 'net_qty', 'sell_amount', 'buy_amount', 'net_amount']
                                    ELSE ARRAY['net_qty', 'net_amount'] END) WITH ORDINALITY AS x(measure, n)),
    -- how many of a unit are 100 million won
    sectors AS (
        SELECT r.market_code, r.market_name, r.market_name_en, r.sector_code, r.sector_name, r.sector_name_en,
               r.quantity_unit, r.amount_unit, (100000000 OPERATOR(pg_catalog./) r.amount_factor)::pg_catalog.float8 AS in_eok
        FROM kis_sector_rows() AS r),
    -- the units of KSP and KSQ are those of pairs that are not listed, too
    markets AS (
        SELECT DISTINCT ON (r.market_code) r.market_code, r.market_name, r.market_name_en,
               CASE WHEN u.shared THEN r.quantity_unit END AS quantity_unit,
               CASE WHEN u.shared THEN r.amount_unit END AS amount_unit, CASE WHEN u.shared THEN r.in_eok END AS in_eok
        FROM sectors AS r
        CROSS JOIN LATERAL (SELECT r.market_code OPERATOR(pg_catalog.=) ANY (ARRAY['KSP', 'KSQ'])) AS u(shared)),
    -- in the order of Korean screens: the institutions' parts after their total
    investors AS (
        SELECT r.code, r.name, r.name_en, r.screen_name, r.part_of, o.n, f.figures
        FROM kis_investor_type_rows() AS r
        JOIN pg_catalog.unnest(ARRAY['individual', 'foreign', 'institution', 'securities', 'insurance', 'investment_trust', 'pe_fund',
                 'bank', 'merchant_bank', 'pension_fund', 'other_organization', 'other_corporation']) WITH ORDINALITY AS o(code, n)
          ON o.code OPERATOR(pg_catalog.=) r.code
        CROSS JOIN LATERAL (
            SELECT pg_catalog.string_agg(pg_catalog.concat(COALESCE('t.' OPERATOR(pg_catalog.||) q.column_name, 'NULL'), '::pg_catalog.float8'), ', ' ORDER BY x.n),
                   pg_catalog.count(q.column_name)
            FROM measures AS x
            LEFT JOIN kis_figure_columns(relation) AS q
              ON q.figure OPERATOR(pg_catalog.=) pg_catalog.concat(r.code, '_', x.measure)) AS f(figures, known)
        WHERE f.known OPERATOR(pg_catalog.>) 0)
    SELECT pg_catalog.array_cat(ARRAY[pg_catalog.format($$CREATE VIEW %s AS
        SELECT t.trade_date, t.collected_at, t.collected_at AT TIME ZONE 'Asia/Seoul' AS collected_at_seoul,
               t.market_code, m.market_name, m.market_name_en,
               t.sector_code, s.sector_name, s.sector_name_en,
               i.investor, i.investor_name, i.investor_name_en, i.screen_name, i.screen_order, i.part_of,
               %s,
               COALESCE(s.quantity_unit, m.quantity_unit) AS quantity_unit,
               COALESCE(s.amount_unit, m.amount_unit) AS amount_unit%s
        FROM %s AS t
        LEFT JOIN (VALUES %s) AS m(market_code, market_name, market_name_en, quantity_unit, amount_unit, in_eok)
          ON m.market_code OPERATOR(pg_catalog.=) t.market_code
        LEFT JOIN (VALUES %s) AS s(market_code, sector_code, sector_name, sector_name_en, quantity_unit, amount_unit, in_eok)
          ON s.market_code OPERATOR(pg_catalog.=) t.market_code AND s.sector_code OPERATOR(pg_catalog.=) t.sector_code
        CROSS JOIN LATERAL (VALUES %s) AS i(investor, investor_name, investor_name_en, screen_name, screen_order, part_of, %s)$$,
        view,
        (SELECT pg_catalog.concat_ws(', ', pg_catalog.string_agg(pg_catalog.concat('i.', x.measure), ', ' ORDER BY x.n),
                                     pg_catalog.string_agg(pg_catalog.format('i.%1$s OPERATOR(pg_catalog./) COALESCE(s.in_eok, m.in_eok) AS %1$s_eok', x.measure),
                                                           ', ' ORDER BY x.n) FILTER (WHERE pg_catalog.strpos(x.measure, 'amount') OPERATOR(pg_catalog.>) 0))
         FROM measures AS x),
        CASE part WHEN 'intraday' THEN pg_catalog.format(', %s::pg_catalog.float8 AS index_level',
            CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                              WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'index_level')
                 THEN 't.index_level' ELSE 'NULL' END) END,
        kis_qualified_name(relation),
        (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %L, %L::pg_catalog.float8)', k.market_code, k.market_name, k.market_name_en,
                                                        k.quantity_unit, k.amount_unit, k.in_eok), ', ') FROM markets AS k),
        (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %L, %L, %L::pg_catalog.float8)', k.market_code, k.sector_code, k.sector_name,
                                                        k.sector_name_en, k.quantity_unit, k.amount_unit, k.in_eok), ', ') FROM sectors AS k),
        i.rows,
        (SELECT pg_catalog.string_agg(x.measure, ', ' ORDER BY x.n) FROM measures AS x))],
        kis_comment_commands('VIEW', view, ARRAY['view', part]))
    FROM (SELECT pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L, %L, %s, %L, %s)', k.code, k.name, k.name_en, k.screen_name, k.n, k.part_of, k.figures),
                                       ', ' ORDER BY k.n) FROM investors AS k) AS i(rows)
    WHERE i.rows IS NOT NULL;
END;

COMMENT ON FUNCTION kis_view_commands(pg_catalog.oid, pg_catalog.text, pg_catalog.text) IS
'commands that make a view of a table of figures, a row an investor: of net figures (part by_investor) or of all (intraday); NULL where the table has none of them';

CREATE FUNCTION kis_old_view_command(view pg_catalog.oid, relation pg_catalog.oid, part pg_catalog.text)
RETURNS pg_catalog.text
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
RETURN (
    SELECT pg_catalog.array_to_string(pg_catalog.array_cat(
               pg_catalog.array_prepend(pg_catalog.concat('DROP VIEW ', kis_qualified_name(view)),
                                        kis_view_commands(relation, kis_qualified_name(view), part)),
               ARRAY(SELECT pg_catalog.format('ALTER VIEW %s OWNER TO %I', kis_qualified_name(view), pg_catalog.pg_get_userbyid(c.relowner))
                     WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.<>) CURRENT_USER
                     UNION ALL
                     SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', g.privilege_type, kis_qualified_name(view),
                                              CASE WHEN g.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                                                   ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)::pg_catalog.text) END,
                                              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END)
                     FROM pg_catalog.aclexplode(c.relacl) AS g
                     WHERE g.grantee OPERATOR(pg_catalog.<>) c.relowner)), '; ')
    FROM pg_catalog.pg_class AS c
    WHERE c.oid OPERATOR(pg_catalog.=) view AND c.relkind OPERATOR(pg_catalog.=) 'v' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      -- ours, as long as nobody has changed what it says of itself
      AND EXISTS (SELECT FROM kis_store_texts() AS t
                  WHERE t.part OPERATOR(pg_catalog.=) kis_old_view_command.part AND t.column_name IS NULL
                    AND t.comment OPERATOR(pg_catalog.=) pg_catalog.obj_description(view, 'pg_class')));

COMMENT ON FUNCTION kis_old_view_command(pg_catalog.oid, pg_catalog.oid, pg_catalog.text) IS
'commands that make a view of ours of an older version anew, with its owner and what is granted on it; NULL where it is none';

CREATE FUNCTION kis_renumber(store pg_catalog.oid)
RETURNS pg_catalog.void
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
AS $$
-- Whoever has a number waits for us or we for him, so that none goes back: the
-- table is locked before its numbers are read again, and ALTER SEQUENCE locks
-- the sequence. Citus alters none of its tables': there the table's lock must do.
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
        EXECUTE pg_catalog.format(CASE WHEN pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN 'ALTER SEQUENCE %1$s RESTART WITH %2$s'
                                       ELSE 'SELECT pg_catalog.setval(%1$L, %2$s, false)' END, counted.sequence, next);
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
'makes the tables that collect_market_investor_trend fills, the log of collections, and the views <store>_by_investor and <store>_intraday; called again it brings an older store up to date, and else changes nothing';

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
    store pg_catalog.text DEFAULT 'market_investor_trend',
    index_level pg_catalog.bool DEFAULT false)
RETURNS TABLE (
    market_code pg_catalog.text,
    sector_code pg_catalog.text,
    trade_date pg_catalog.date,
    outcome pg_catalog.text,
    detail pg_catalog.text)
AS 'MODULE_PATHNAME', 'collect_market_investor_trend'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 71;

COMMENT ON FUNCTION collect_market_investor_trend(pg_catalog.text[], pg_catalog.name, pg_catalog.text, pg_catalog.bool) IS
'fetches the targets (market/sector, or a market for its headline pairs) from the server source, stores them, and returns what became of each; with index_level the snapshots keep the index of that moment, too, for a call more a target that has one';

CREATE PROCEDURE market_investor_trend_job(
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001,ETF/T000}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend',
    raise_on pg_catalog.text DEFAULT 'all',
    channel pg_catalog.text DEFAULT NULL,
    index_level pg_catalog.bool DEFAULT false)
AS 'MODULE_PATHNAME', 'market_investor_trend_job'
LANGUAGE C;

COMMENT ON PROCEDURE market_investor_trend_job(pg_catalog.text[], pg_catalog.name, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool) IS
'what a scheduler calls: collects, commits what is stored and the log of every target, then raises an error where all targets failed (raise_on any: where one did; never); a NOTIFY on the channel for each pair that changed; index_level as in collect_market_investor_trend';

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

CREATE FUNCTION kis_activity_rows(
    OUT pid pg_catalog.int4,
    OUT server pg_catalog.text,
    OUT app_key_fingerprint pg_catalog.text,
    OUT waits_for pg_catalog.text,
    OUT waiting_since pg_catalog.timestamptz,
    OUT calls_made pg_catalog.int8,
    OUT calls_expected pg_catalog.int8,
    OUT backfill_pair pg_catalog.text,
    OUT backfill_day pg_catalog.date,
    OUT pages_left pg_catalog.int8)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_activity_rows'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 10;

COMMENT ON FUNCTION kis_activity_rows() IS
'rows of the view kis_activity';

CREATE VIEW kis_activity AS
SELECT pid, server, app_key_fingerprint, waits_for, waiting_since, calls_made, calls_expected,
       backfill_pair, backfill_day, pages_left
FROM kis_activity_rows();

COMMENT ON VIEW kis_activity IS
'what sessions have under way with KIS, a row each: all of them for pg_monitor, else those of the roles whose rights the reader has';
COMMENT ON COLUMN kis_activity.pid IS 'process of the session, as in pg_stat_activity';
COMMENT ON COLUMN kis_activity.server IS 'server of the call that it waits for, or waited for last';
COMMENT ON COLUMN kis_activity.app_key_fingerprint IS 'whose rate it takes part in, as in kis_stat';
COMMENT ON COLUMN kis_activity.waits_for IS
'rate, token, session (for the call of another one), network, or retry (the pause before it); NULL where it waits for nothing of KIS''s';
COMMENT ON COLUMN kis_activity.waiting_since IS 'since when it has waited for that without a break';
COMMENT ON COLUMN kis_activity.calls_made IS
'calls of the statement that have been answered or have failed; of a backfill, pages';
COMMENT ON COLUMN kis_activity.calls_expected IS
'calls of the statement in all, as far as it is known: those that the cache answers are none';
COMMENT ON COLUMN kis_activity.backfill_pair IS 'market and sector that a backfill is at; NULL: it is none';
COMMENT ON COLUMN kis_activity.backfill_day IS 'newest day of the page that it is at';
COMMENT ON COLUMN kis_activity.pages_left IS
'pages that it has to read at most, that one included: a history may begin later';

GRANT SELECT ON kis_activity TO PUBLIC;

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

-- What is missing

CREATE FUNCTION kis_store_relation(store pg_catalog.text)
RETURNS pg_catalog.text
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
AS $$
DECLARE
    relation pg_catalog.oid := pg_catalog.to_regclass(store)::pg_catalog.oid;
    names pg_catalog.text[];
    elsewhere pg_catalog.text;
BEGIN
    IF relation IS NULL THEN
        names := pg_catalog.parse_ident(store);
        IF pg_catalog.cardinality(names) OPERATOR(pg_catalog.=) 1 THEN
            EXECUTE pg_catalog.format('SELECT %I.kis_store_elsewhere($1)',
                (SELECT n.nspname
                 FROM pg_catalog.pg_extension AS e
                 JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
                 WHERE e.extname OPERATOR(pg_catalog.=) 'market_investor_fdw'))
            INTO elsewhere USING names[1];
        END IF;
        RAISE undefined_table USING
            MESSAGE = pg_catalog.format('store "%s" does not exist', store),
            HINT = CASE WHEN elsewhere IS NULL THEN pg_catalog.format('Make it with SELECT create_market_investor_trend(%L).', store)
                        ELSE pg_catalog.format('There is one in another schema: name it with store => %L.', elsewhere) END;
    END IF;
    PERFORM FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
      AND a.attname OPERATOR(pg_catalog.=) 'trade_date' AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE invalid_table_definition USING
            MESSAGE = pg_catalog.format('relation "%s" cannot hold investor flows', store),
            DETAIL = 'It is no table with a column "trade_date".',
            HINT = 'Name a store that create_market_investor_trend() has made.';
    END IF;
    RETURN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.oid OPERATOR(pg_catalog.=) relation);
END $$;

COMMENT ON FUNCTION kis_store_relation(pg_catalog.text) IS
'name of a store for SQL, which no search_path changes; raises where there is none';

CREATE FUNCTION kis_session_times(
    every pg_catalog.interval,
    session pg_catalog.text,
    OUT begins pg_catalog.time,
    OUT ends pg_catalog.time)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    IF session OPERATOR(pg_catalog.~) '^([01]?[0-9]|2[0-3]):[0-5][0-9]-([01]?[0-9]|2[0-3]):[0-5][0-9]$' THEN
        begins := pg_catalog.split_part(session, '-', 1);
        ends := pg_catalog.split_part(session, '-', 2);
    END IF;
    IF begins IS NULL OR begins OPERATOR(pg_catalog.>=) ends THEN
        RAISE invalid_parameter_value USING
            MESSAGE = pg_catalog.format('invalid value for argument "session": "%s"', session),
            HINT = 'It is two times in Seoul, the earlier first, such as 09:00-15:30.';
    END IF;
    IF every OPERATOR(pg_catalog.<=) '0'::pg_catalog.interval OR every OPERATOR(pg_catalog.>) (ends OPERATOR(pg_catalog.-) begins) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = pg_catalog.format('invalid value for argument "every": "%s"', every),
            HINT = 'It is how often the store is collected into, such as 1 minute, and no longer than the session.';
    END IF;
END $$;

COMMENT ON FUNCTION kis_session_times(pg_catalog.interval, pg_catalog.text) IS
'when a session begins and ends, in Seoul; raises where it is none, or where it has no part so long as every';

CREATE FUNCTION kis_open_days(
    source pg_catalog.name,
    from_date pg_catalog.date,
    to_date pg_catalog.date,
    OUT day pg_catalog.date,
    OUT is_late pg_catalog.bool)
RETURNS SETOF pg_catalog.record
AS 'MODULE_PATHNAME', 'kis_open_days'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 30;

COMMENT ON FUNCTION kis_open_days(pg_catalog.name, pg_catalog.date, pg_catalog.date) IS
'days on which the exchange is open, by the calendar of the server source, and whether it opens an hour late';

CREATE FUNCTION kis_days_stored(
    store pg_catalog.text,
    from_date pg_catalog.date,
    to_date pg_catalog.date,
    OUT market_code pg_catalog.text,
    OUT sector_code pg_catalog.text,
    OUT trade_date pg_catalog.date,
    OUT first_date pg_catalog.date,
    OUT figures pg_catalog.jsonb)
RETURNS SETOF pg_catalog.record
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT p.market_code, p.sector_code, s.trade_date, p.first_date, pg_catalog.to_jsonb(s) '
        'FROM (SELECT f.market_code::pg_catalog.text, f.sector_code::pg_catalog.text, pg_catalog.min(f.trade_date) '
        '      FROM %1$s AS f GROUP BY 1, 2) AS p(market_code, sector_code, first_date) '
        'LEFT JOIN %1$s AS s ON s.market_code OPERATOR(pg_catalog.=) p.market_code '
        'AND s.sector_code OPERATOR(pg_catalog.=) p.sector_code '
        'AND s.trade_date OPERATOR(pg_catalog.>=) $1 AND s.trade_date OPERATOR(pg_catalog.<=) $2',
        pg_catalog.to_regclass(store))
    USING from_date, to_date;
END $$;

COMMENT ON FUNCTION kis_days_stored(pg_catalog.text, pg_catalog.date, pg_catalog.date) IS
'days that a store has rows of, and the first of all; a row of nulls for a pair that has none of them';

CREATE FUNCTION kis_looks(
    log pg_catalog.text,
    from_time pg_catalog.timestamptz,
    to_time pg_catalog.timestamptz,
    OUT market_code pg_catalog.text,
    OUT sector_code pg_catalog.text,
    OUT first_look pg_catalog.timestamptz,
    OUT asked_at pg_catalog.timestamptz,
    OUT failed pg_catalog.bool)
RETURNS SETOF pg_catalog.record
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE ROWS 100000
AS $$
BEGIN
    IF pg_catalog.to_regclass(log) IS NULL THEN
        RAISE NOTICE USING
            MESSAGE = pg_catalog.format('minutes without a look are not known: there is no log of collections %s', log),
            HINT = 'create_market_investor_trend() makes it, and collections are in it from then on.';
        RETURN;
    END IF;
    RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT p.market_code, p.sector_code, p.first_look, l.asked_at, l.outcome OPERATOR(pg_catalog.=) ''failed'' '
        'FROM (SELECT f.market_code::pg_catalog.text, f.sector_code::pg_catalog.text, pg_catalog.min(f.asked_at) '
        '      FROM %1$s AS f GROUP BY 1, 2) AS p(market_code, sector_code, first_look) '
        'LEFT JOIN %1$s AS l ON l.market_code OPERATOR(pg_catalog.=) p.market_code '
        'AND l.sector_code OPERATOR(pg_catalog.=) p.sector_code '
        'AND l.asked_at OPERATOR(pg_catalog.>=) $1 AND l.asked_at OPERATOR(pg_catalog.<) $2', log)
    USING from_time, to_time;
END $$;

COMMENT ON FUNCTION kis_looks(pg_catalog.text, pg_catalog.timestamptz, pg_catalog.timestamptz) IS
'looks that a store''s log has of each pair, and the first of all; a row of nulls for a pair that has none of them';

CREATE FUNCTION kis_require_arguments(arguments pg_catalog.json)
RETURNS pg_catalog.void
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    argument pg_catalog.text;
BEGIN
    SELECT a.key INTO argument FROM pg_catalog.json_each_text(arguments) AS a WHERE a.value IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE null_value_not_allowed USING MESSAGE = pg_catalog.format('argument "%s" must not be null', argument);
    END IF;
END $$;

COMMENT ON FUNCTION kis_require_arguments(pg_catalog.json) IS
'raises where an argument is null';

CREATE FUNCTION market_investor_trend_gaps(
    store pg_catalog.text,
    from_date pg_catalog.date,
    to_date pg_catalog.date,
    every pg_catalog.interval DEFAULT '1 minute',
    session pg_catalog.text DEFAULT '09:00-15:30',
    source pg_catalog.name DEFAULT 'kis')
RETURNS TABLE (
    market_code pg_catalog.text,
    sector_code pg_catalog.text,
    trade_date pg_catalog.date,
    gap_from pg_catalog.timestamptz,
    gap_to pg_catalog.timestamptz,
    kind pg_catalog.text,
    repair pg_catalog.text)
LANGUAGE sql VOLATILE PARALLEL UNSAFE
-- whose rows the planner overestimates: to compile it would take seconds
SET jit = off
BEGIN ATOMIC
    SELECT kis_require_arguments(pg_catalog.json_build_object('store', store, 'from_date', from_date, 'to_date', to_date,
                                                              'every', every, 'session', session, 'source', source));
    -- each open day's session, as far as it is over
    WITH sessions AS MATERIALIZED (
        SELECT d.day, s.begins,
               LEAST(s.ends, pg_catalog.date_bin(every, pg_catalog.now(), s.begins)) AS over,
               s.ends OPERATOR(pg_catalog.<=) pg_catalog.now() AS is_over, s.ends
        FROM kis_open_days(source, from_date,
                 LEAST(to_date, pg_catalog.timezone('Asia/Seoul', pg_catalog.now())::pg_catalog.date)) AS d
        CROSS JOIN kis_session_times(every, session) AS t
        CROSS JOIN LATERAL (
            SELECT pg_catalog.timezone('Asia/Seoul', d.day OPERATOR(pg_catalog.+) t.begins)
                       OPERATOR(pg_catalog.+) CASE WHEN d.is_late THEN '1 hour' ELSE '0' END::pg_catalog.interval,
                   pg_catalog.timezone('Asia/Seoul', d.day OPERATOR(pg_catalog.+) t.ends))
            AS s(begins, ends)),
    names AS (
        SELECT kis_qualified_name(c.oid) AS store,
               pg_catalog.format('%I.%I', n.nspname, kis_derived_name(c.relname::pg_catalog.text, 'collection')) AS log
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(store)::pg_catalog.oid),
    stored AS MATERIALIZED (
        SELECT s.market_code, s.sector_code, s.trade_date, s.first_date, s.figures
        FROM kis_days_stored(kis_store_relation(store), from_date, to_date) AS s),
    looks AS MATERIALIZED (
        SELECT l.market_code, l.sector_code, l.first_look, l.asked_at, l.failed
        FROM names
        CROSS JOIN LATERAL kis_looks(names.log, (SELECT pg_catalog.min(s.begins) FROM sessions AS s),
                                     (SELECT pg_catalog.max(s.over) FROM sessions AS s)) AS l),
    pairs AS (
        SELECT p.market_code, p.sector_code, pg_catalog.min(p.first_date) AS first_date, pg_catalog.min(p.first_look) AS first_look
        FROM (SELECT s.market_code, s.sector_code, s.first_date, NULL::pg_catalog.timestamptz FROM stored AS s
              UNION ALL
              SELECT l.market_code, l.sector_code, pg_catalog.timezone('Asia/Seoul', l.first_look)::pg_catalog.date, l.first_look FROM looks AS l)
            AS p(market_code, sector_code, first_date, first_look)
        GROUP BY p.market_code, p.sector_code),
    -- what came of each part of a session that had a look
    looked AS MATERIALIZED (
        SELECT l.market_code, l.sector_code, s.day, pg_catalog.date_bin(every, l.asked_at, s.begins) AS slot,
               pg_catalog.bool_and(l.failed) AS failed
        FROM looks AS l
        JOIN sessions AS s ON s.day OPERATOR(pg_catalog.=) pg_catalog.timezone('Asia/Seoul', l.asked_at)::pg_catalog.date
        WHERE l.asked_at OPERATOR(pg_catalog.>=) s.begins AND l.asked_at OPERATOR(pg_catalog.<) s.over
        GROUP BY 1, 2, 3, 4),
    -- the parts that had none since the pair is looked at, or failed ones alone
    slots AS (
        SELECT p.market_code, p.sector_code, s.day, t.slot, l.failed
        FROM pairs AS p
        JOIN sessions AS s ON p.first_look OPERATOR(pg_catalog.<) s.over
        CROSS JOIN LATERAL pg_catalog.generate_series(
            GREATEST(s.begins, pg_catalog.date_bin(every, p.first_look, s.begins)), s.over OPERATOR(pg_catalog.-) every, every) AS t(slot)
        LEFT JOIN looked AS l ON l.market_code OPERATOR(pg_catalog.=) p.market_code AND l.sector_code OPERATOR(pg_catalog.=) p.sector_code
          AND l.day OPERATOR(pg_catalog.=) s.day AND l.slot OPERATOR(pg_catalog.=) t.slot
        WHERE l.failed IS DISTINCT FROM false),
    stretches AS (
        SELECT g.market_code, g.sector_code, g.day, pg_catalog.min(g.slot) AS gap_from,
               pg_catalog.max(g.slot) OPERATOR(pg_catalog.+) every AS gap_to,
               CASE WHEN g.failed THEN 'failed' ELSE 'not collected' END AS kind
        FROM (SELECT s.market_code, s.sector_code, s.day, s.slot, s.failed,
                     s.slot OPERATOR(pg_catalog.-) (every OPERATOR(pg_catalog.*) pg_catalog.row_number() OVER (
                         PARTITION BY s.market_code, s.sector_code, s.day, s.failed ORDER BY s.slot)::pg_catalog.float8) AS island
              FROM slots AS s) AS g
        GROUP BY g.market_code, g.sector_code, g.day, g.failed, g.island),
    gaps AS (
        SELECT s.market_code, s.sector_code, s.day, s.gap_from, s.gap_to, s.kind FROM stretches AS s
        UNION ALL
        SELECT p.market_code, p.sector_code, s.day, s.begins, s.ends, 'no day'
        FROM pairs AS p
        JOIN sessions AS s ON s.is_over AND s.day OPERATOR(pg_catalog.>=) p.first_date
        WHERE NOT EXISTS (SELECT FROM stored AS r
                          WHERE r.market_code OPERATOR(pg_catalog.=) p.market_code AND r.sector_code OPERATOR(pg_catalog.=) p.sector_code
                            AND r.trade_date OPERATOR(pg_catalog.=) s.day)
        UNION ALL
        SELECT r.market_code, r.sector_code, r.trade_date, s.begins, s.ends, 'sums differ'
        FROM stored AS r
        CROSS JOIN LATERAL kis_sums(r.figures) AS b
        LEFT JOIN sessions AS s ON s.day OPERATOR(pg_catalog.=) r.trade_date
        WHERE b.broken OPERATOR(pg_catalog.>) 0)
    SELECT g.market_code, g.sector_code, g.day, g.gap_from, g.gap_to, g.kind,
           CASE WHEN g.kind OPERATOR(pg_catalog.=) ANY (ARRAY['failed', 'not collected'])
                    THEN 'none: KIS shows the totals of now alone, and cannot be asked for these minutes again'
                WHEN g.day OPERATOR(pg_catalog.>=) pg_catalog.timezone('Asia/Seoul', pg_catalog.now())::pg_catalog.date
                    THEN pg_catalog.format('SELECT * FROM %s(%L, source => %L, store => %L)', 'collect_market_investor_trend'::pg_catalog.regproc,
                                           ARRAY[pg_catalog.concat(g.market_code, '/', g.sector_code)], source, names.store)
                WHEN g.market_code OPERATOR(pg_catalog.=) ANY (ARRAY['KSP', 'KSQ'])
                    THEN pg_catalog.format('CALL %s(%L, %L, %L, source => %L, store => %L)', 'backfill_market_investor_trend'::pg_catalog.regproc, g.day, g.day,
                                           ARRAY[pg_catalog.concat(g.market_code, '/', g.sector_code)], source, names.store)
                ELSE 'none: KIS has no daily history of this market' END
    FROM gaps AS g CROSS JOIN names
    ORDER BY g.market_code, g.sector_code, g.day, g.gap_from, g.kind;
END;

COMMENT ON FUNCTION market_investor_trend_gaps(pg_catalog.text, pg_catalog.date, pg_catalog.date, pg_catalog.interval, pg_catalog.text, pg_catalog.name) IS
'what a store lacks of these days: days without a row, minutes of the session without a look or with failed ones alone, figures whose sums don''t agree; with the statement that repairs it, or why there is none. Minutes that were looked at and stood still are no gap';

-- The schedule

CREATE FUNCTION kis_cron_zone()
RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'kis_cron_zone'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION kis_cron_zone() IS
'time zone that pg_cron counts in: cron.timezone, or GMT where this pg_cron has no such setting';

CREATE FUNCTION kis_check_targets(source pg_catalog.name, targets pg_catalog.text[])
RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'kis_check_targets'
LANGUAGE C STABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION kis_check_targets(pg_catalog.name, pg_catalog.text[]) IS
'raises where the caller could not collect these targets from the server source';

CREATE FUNCTION kis_cron_job_name(relation pg_catalog.text, job pg_catalog.text)
RETURNS pg_catalog.text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
-- pg_cron 1.4 cuts a name at 63 bytes, and takes those that are alike then for one
RETURN CASE WHEN pg_catalog.octet_length(pg_catalog.concat(relation, ' ', job)) OPERATOR(pg_catalog.<=) 63 THEN pg_catalog.concat(relation, ' ', job)
            ELSE kis_derived_name(relation, job) END;

COMMENT ON FUNCTION kis_cron_job_name(pg_catalog.text, pg_catalog.text) IS
'name of a job of pg_cron for a store, shortened by a digest where that is too long';

CREATE FUNCTION schedule_market_investor_trend(
    every pg_catalog.interval DEFAULT '1 minute',
    targets pg_catalog.text[] DEFAULT '{KSP/0001,KSQ/1001,ETF/T000}',
    source pg_catalog.name DEFAULT 'kis',
    store pg_catalog.text DEFAULT 'market_investor_trend',
    channel pg_catalog.text DEFAULT NULL,
    index_level pg_catalog.bool DEFAULT false,
    OUT job_id pg_catalog.int8,
    OUT job pg_catalog.text,
    OUT schedule pg_catalog.text,
    OUT command pg_catalog.text)
RETURNS SETOF pg_catalog.record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
    relation pg_catalog.text;
    gone pg_catalog.text;
    ours pg_catalog.text;
    zone pg_catalog.text;
    headline pg_catalog.text[];
    minutes pg_catalog.int4 := pg_catalog.date_part('epoch', LEAST(every, '1 day'::pg_catalog.interval))::pg_catalog.int4 OPERATOR(pg_catalog./) 60;
    ahead pg_catalog.int4[];
    hours pg_catalog.int4;
    at_minute pg_catalog.text;
BEGIN
    IF pg_catalog.to_regnamespace('cron') IS NULL OR NOT EXISTS (
            SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'pg_cron') THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = 'pg_cron is not installed in this database',
            HINT = 'Install it, add it to shared_preload_libraries, set cron.database_name to this database, restart the server, and run CREATE EXTENSION pg_cron. Or have another scheduler CALL market_investor_trend_job().';
    END IF;
    IF NOT pg_catalog.has_schema_privilege('cron', 'USAGE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'permission denied for schema cron',
            HINT = pg_catalog.format('Have a superuser run GRANT USAGE ON SCHEMA cron TO %I.', CURRENT_USER);
    END IF;
    IF every IS NULL OR targets IS NULL OR source IS NULL OR store IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'only the argument "channel" may be null';
    END IF;
    IF minutes OPERATOR(pg_catalog.<) 1 OR minutes OPERATOR(pg_catalog.>) 60 OR 60 OPERATOR(pg_catalog.%) minutes OPERATOR(pg_catalog.<>) 0
            OR pg_catalog.make_interval(mins => minutes) OPERATOR(pg_catalog.<>) every THEN
        RAISE invalid_parameter_value USING
            MESSAGE = pg_catalog.format('invalid value for argument "every": "%s"', every),
            HINT = 'It is a number of minutes that an hour can be divided by, such as 1 minute or 5 minutes.';
    END IF;
    IF NOT pg_catalog.octet_length(channel) OPERATOR(pg_catalog.<@) '[1,63]'::pg_catalog.int4range THEN
        RAISE invalid_parameter_value USING
            MESSAGE = pg_catalog.format('invalid value for argument "channel": "%s"', channel),
            HINT = 'It is a name for LISTEN, of 1 to 63 bytes.';
    END IF;
    SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text) INTO STRICT ours
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
    WHERE e.extname OPERATOR(pg_catalog.=) 'market_investor_fdw';

    EXECUTE pg_catalog.format('SELECT %s.kis_check_targets($1, $2)', ours) USING source, targets;
    EXECUTE pg_catalog.format('SELECT %1$s.kis_store_relation($1), %1$s.kis_cron_zone()', ours) INTO relation, zone USING store;

    -- pg_cron counts in GMT, and from 1.5 on in cron.timezone: by so many seconds Seoul is ahead,
    -- now and in half a year
    SELECT pg_catalog.array_agg(pg_catalog.date_part('epoch', pg_catalog.timezone('Asia/Seoul', t.moment)
                                    OPERATOR(pg_catalog.-) pg_catalog.timezone(zone, t.moment))::pg_catalog.int4 ORDER BY t.moment)
    INTO ahead
    FROM pg_catalog.unnest(ARRAY[pg_catalog.now(), pg_catalog.now() OPERATOR(pg_catalog.+) '183 days'::pg_catalog.interval]) AS t(moment);
    hours := ahead[1] OPERATOR(pg_catalog./) 3600;
    IF ahead[1] OPERATOR(pg_catalog.%) 3600 OPERATOR(pg_catalog.<>) 0 OR hours OPERATOR(pg_catalog.<) 0 OR hours OPERATOR(pg_catalog.>) 9 THEN
        RAISE feature_not_supported USING
            MESSAGE = pg_catalog.format('the session of the exchange is no day in the time zone "%s" of pg_cron', zone),
            HINT = 'Set cron.timezone to Asia/Seoul or to GMT, and restart the server.';
    END IF;
    IF ahead[1] OPERATOR(pg_catalog.<>) ahead[2] THEN
        RAISE WARNING USING
            MESSAGE = pg_catalog.format('the clocks of the time zone "%s" of pg_cron change during the year, and Seoul''s do not', zone),
            HINT = 'Call schedule_market_investor_trend() again when they have changed; or set cron.timezone to Asia/Seoul or to GMT.';
    END IF;
    at_minute := CASE WHEN minutes OPERATOR(pg_catalog.=) 1 THEN '*' ELSE pg_catalog.concat('*/', minutes) END;
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(DISTINCT k.market_code) FROM %s.kis_sector AS k WHERE k.headline', ours) INTO headline;

    -- a store that was moved or dropped leaves jobs that can only fail
    FOR gone IN EXECUTE pg_catalog.format($query$
        SELECT s.name
        FROM cron.job AS j
        CROSS JOIN LATERAL (SELECT pg_catalog.replace((pg_catalog.regexp_match(j.command, $re$store => '((?:[^']|'')*)'$re$))[1], $q$''$q$, $q$'$q$)) AS s(name)
        WHERE j.username OPERATOR(pg_catalog.=) CURRENT_USER::pg_catalog.text
          AND j.database OPERATOR(pg_catalog.=) pg_catalog.current_database()::pg_catalog.text
          AND j.jobname::pg_catalog.text OPERATOR(pg_catalog.=) %s.kis_cron_job_name(s.name, 'by the minute')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c
                          JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                          WHERE pg_catalog.format('%%I.%%I', n.nspname, c.relname) OPERATOR(pg_catalog.=) s.name)$query$, ours)
    LOOP
        EXECUTE pg_catalog.format('SELECT %s.unschedule_market_investor_trend($1)', ours) USING gone;
        RAISE NOTICE USING MESSAGE = pg_catalog.format('the jobs of store "%s" are taken away, for it does not exist any more', gone);
    END LOOP;

    FOR job, schedule, command IN
        SELECT j.name, j.schedule, j.command
        FROM (VALUES
            ('by the minute', pg_catalog.format('%s %s-%s * * 1-5', at_minute, 9 OPERATOR(pg_catalog.-) hours, 19 OPERATOR(pg_catalog.-) hours),
             pg_catalog.format('CALL %s.market_investor_trend_job(%L, source => %L, store => %L%s)', ours, targets, source, relation,
                               pg_catalog.concat(pg_catalog.format(CASE WHEN channel IS NULL THEN '' ELSE ', channel => %L' END, channel),
                                                 CASE WHEN index_level THEN ', index_level => true' END))),
            ('of the day', pg_catalog.format('10 %s * * 1-5', 20 OPERATOR(pg_catalog.-) hours),
             pg_catalog.format('CALL %s.market_investor_trend_job(%L, source => %L, store => %L)', ours, headline, source, relation)),
            ('of past days', pg_catalog.format('40 %s * * 1-5', 20 OPERATOR(pg_catalog.-) hours),
             pg_catalog.format('CALL %s.backfill_market_investor_trend((now() AT TIME ZONE ''Asia/Seoul'')::date - 10, (now() AT TIME ZONE ''Asia/Seoul'')::date - 1, source => %L, store => %L)',
                               ours, source, relation)),
            ('old runs', pg_catalog.format('0 %s * * *', 21 OPERATOR(pg_catalog.-) hours),
             'DELETE FROM cron.job_run_details WHERE username = current_user AND end_time < now() - interval ''7 days''')) AS j(name, schedule, command)
    LOOP
        EXECUTE pg_catalog.format('SELECT %s.kis_cron_job_name($1, $2)', ours) INTO job USING relation, job;
        EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING job, schedule, command;
        RETURN NEXT;
    END LOOP;
END $$;

COMMENT ON FUNCTION schedule_market_investor_trend(pg_catalog.interval, pg_catalog.text[], pg_catalog.name, pg_catalog.text, pg_catalog.text, pg_catalog.bool) IS
'has pg_cron collect for the caller: the targets, with index_level their index, too, by the minute from 09:00 to 20:00 in Seoul, the rows of all headline pairs at 20:10, the daily history of the last ten days at 20:40, and the caller''s old runs removed at 21:00; called again it changes these jobs, and takes away those of a store that is gone';

CREATE FUNCTION unschedule_market_investor_trend(store pg_catalog.text DEFAULT 'market_investor_trend')
RETURNS pg_catalog.int4
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
AS $$
DECLARE
    relations pg_catalog.text[];
    found_jobs pg_catalog.int4;
BEGIN
    relations := ARRAY(
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(store)::pg_catalog.oid);
    -- of a store that is gone, by the name that it had, or had in the search_path
    IF pg_catalog.cardinality(relations) OPERATOR(pg_catalog.=) 0 THEN
        relations := ARRAY(
            SELECT pg_catalog.concat(pg_catalog.quote_ident(p.schema::pg_catalog.text) OPERATOR(pg_catalog.||) '.', i.name)
            FROM (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(x.part), '.' ORDER BY x.n), pg_catalog.count(*)
                  FROM pg_catalog.unnest(pg_catalog.parse_ident(store)) WITH ORDINALITY AS x(part, n)) AS i(name, parts)
            LEFT JOIN pg_catalog.unnest(pg_catalog.current_schemas(false)) AS p(schema) ON i.parts OPERATOR(pg_catalog.=) 1);
    END IF;
    PERFORM FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'pg_cron';
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    EXECUTE (SELECT pg_catalog.format(
                 'SELECT pg_catalog.count(cron.unschedule(j.jobid)) FROM cron.job AS j '
                 'WHERE j.username OPERATOR(pg_catalog.=) CURRENT_USER::pg_catalog.text AND j.jobname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (ARRAY('
                 'SELECT %I.kis_cron_job_name(r.name, n.name) FROM pg_catalog.unnest($1) AS r(name) CROSS JOIN pg_catalog.unnest($2) AS n(name)))', n.nspname)
             FROM pg_catalog.pg_extension AS e
             JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
             WHERE e.extname OPERATOR(pg_catalog.=) 'market_investor_fdw')
        INTO found_jobs
        USING relations, ARRAY['by the minute', 'of the day', 'of past days', 'old runs']::pg_catalog.text[];
    RETURN found_jobs;
END $$;

COMMENT ON FUNCTION unschedule_market_investor_trend(pg_catalog.text) IS
'takes away the jobs of pg_cron that schedule_market_investor_trend made for this store and the caller, and returns how many there were';
