"""What writing costs the server: a collection and a page of a backfill, beside plain SQL that
writes the same rows. By the processor's time of the backend, which other work on the machine
disturbs less."""

import os
import statistics
import time

import psycopg2

from report import Line

PAGE = "'2025-05-01', '2026-07-09'"


class Backend:
    """A session, and what its process has used."""

    def __init__(self, conninfo):
        self.connection = psycopg2.connect(conninfo)
        self.connection.autocommit = True
        self.rows('SET client_min_messages = warning')

    def rows(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    def milliseconds(self, *statements):
        with open('/proc/%d/schedstat' % self.connection.get_backend_pid(), encoding='ascii') as file:
            before = int(file.read().split()[0])
            for statement in statements:
                self.rows(statement)
            file.seek(0)
            return (int(file.read().split()[0]) - before) / 1e6

    def columns(self, table):
        return [name for name, in self.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0"
            " AND attname ~ '_(qty|amount)$' ORDER BY attnum" % table)]


def three_statements(backend, pairs, number):
    """The same rows by hand: the day's, snapshots, log; each figure is another each time."""
    def values(head, figures):
        return ', '.join('(%s)' % ', '.join([head % pair, *(str(number * 1000 + i) for i in range(figures))])
                         for pair in pairs)

    day = "date '2026-07-10'"
    net, all_figures = backend.columns('by_hand'), backend.columns('by_hand_snapshot')
    return (
        "INSERT INTO by_hand (market_code, sector_code, trade_date, collected_at, source, %s) VALUES %s"
        " ON CONFLICT (market_code, sector_code, trade_date) DO UPDATE SET collected_at = excluded.collected_at,"
        " updated_at = now(), %s" % (', '.join(net), values("'%s', '%s', " + day + ", now(), 'live'", len(net)),
                                     ', '.join('%s = excluded.%s' % (name, name) for name in net)),
        "INSERT INTO by_hand_snapshot (market_code, sector_code, collected_at, trade_date, %s) VALUES %s"
        % (', '.join(all_figures), values("'%s', '%s', now(), (now() AT TIME ZONE 'Asia/Seoul')::date", len(all_figures))),
        'INSERT INTO by_hand_collection (asked_at, market_code, sector_code, outcome, took_ms) VALUES %s'
        % values("now(), '%s', '%s', 'updated'", 1))


def collection(bench):
    """All 71 pairs, from two servers in turn, so that every figure has changed."""
    backend = Backend(bench.conninfo)
    used = {'ours': [], 'calls': [], 'by hand': []}
    backend.rows("SELECT create_market_investor_trend('ours'), create_market_investor_trend('by_hand')")
    for name, reply in (('one', 'trend_KSP_0027.json'), ('two', 'trend_999_S001.json')):
        bench.reply = os.path.join(bench.work, 'src/test/fixtures', reply)
        bench.make_source(name, bench.start_server(0), cache_ttl='0', requests_per_second='1000',
                          calendar='weekday', session_start='00:00')
    pairs = backend.rows('SELECT market_code, sector_code FROM kis_sector ORDER BY 1, 2')
    targets = ', '.join("'%s/%s'" % pair for pair in pairs)
    rounds = bench.some(30, 4)
    for i in range(rounds + 2):
        source = ('one', 'two')[i % 2]
        for what, statements in (
                ('ours', ["SELECT collect_market_investor_trend(ARRAY[%s], '%s', 'ours')" % (targets, source)]),
                ('calls', ['SELECT * FROM %s.kis_sector_trend' % source]),
                ('by hand', three_statements(backend, pairs, i))):
            time.sleep(0.1)         # the rate's slots are free again
            used[what].append(backend.milliseconds(*statements))
    if backend.rows("SELECT count(*) FROM ours_collection WHERE outcome = 'updated'")[0][0] != 71 * (rounds + 1):
        raise SystemExit('not every collection has updated all pairs')
    ours, calls, by_hand = (statistics.median(used[what][2:]) for what in ('ours', 'calls', 'by hand'))
    yield Line('a collection of 71 pairs, every figure changed, beyond its calls', '%.2f ms' % (ours - calls),
               'three multi-row statements in plain SQL', '%.2f ms' % by_hand, (ours - calls) / by_hand, 2, '<=',
               "The backend's processor time, with snapshots and log; a query of the same 71 pairs takes %.2f ms."
               % calls)


def page(bench):
    """A page of the daily history into an empty store, from replies that are in the cache."""
    backend = Backend(bench.conninfo)
    used = {'ours': [], 'calls': [], 'by hand': []}
    bench.ask_simulator('POST', 'reset')
    bench.ask_simulator('POST', 'config', {'accounts': {'paging'.ljust(36, 'K'): 'S' * 180}, 'rate': 1000})
    bench.make_source('paging', bench.simulator, cache_ttl='10min', requests_per_second='1000', calendar='weekday')
    backend.rows("SELECT create_market_investor_trend('pages', snapshots => false),"
                 " create_market_investor_trend('pages_by_hand', snapshots => false)")
    call = "CALL backfill_market_investor_trend(%s, '{KSP/0001}', 'paging', 'pages')" % PAGE
    query = ("SELECT * FROM paging.kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001'"
             " AND trade_date BETWEEN %s" % PAGE.replace(',', ' AND'))
    backend.rows(call)
    names = backend.columns('pages')
    arrays = ', '.join('ARRAY[%s]::bigint[]' % ', '.join(str(value) for value, in backend.rows(
        'SELECT %s FROM pages ORDER BY trade_date DESC' % name)) for name in names)
    days = ', '.join("'%s'" % day for day, in backend.rows('SELECT trade_date FROM pages ORDER BY 1 DESC'))
    by_hand = ("INSERT INTO pages_by_hand (market_code, sector_code, collected_at, source, trade_date, %s)"
               " SELECT 'KSP', '0001', now(), 'daily', t.* FROM unnest(ARRAY[%s]::date[], %s) AS t"
               " ON CONFLICT (market_code, sector_code, trade_date) DO UPDATE SET collected_at = excluded.collected_at,"
               " %s" % (', '.join(names), days, arrays, ', '.join('%s = excluded.%s' % (name, name) for name in names)))
    for _ in range(bench.some(30, 4)):
        backend.rows('TRUNCATE pages, pages_by_hand')
        used['ours'].append(backend.milliseconds(call))
        used['calls'].append(backend.milliseconds(query))
        used['by hand'].append(backend.milliseconds(by_hand))
    count = backend.rows('SELECT count(*) FROM pages')[0][0]
    if count != backend.rows('SELECT count(*) FROM pages_by_hand')[0][0]:
        raise SystemExit('not the same days')
    ours, calls, hand = (statistics.median(used[what][1:]) for what in ('ours', 'calls', 'by hand'))
    yield Line('a backfill page of %d days, beyond its call' % count, '%.2f ms' % (ours - calls),
               'INSERT … SELECT FROM unnest(…) ON CONFLICT', '%.2f ms' % hand, (ours - calls) / hand, 2, '<=',
               "The backend's processor time, into an empty store; a query of the same days, their reply in the cache,"
               ' takes %.2f ms.' % calls)
