#!/usr/bin/env python3
"""Fills snapshots and measures as they grow; started by bench/snapshots.

    snapshots.py work-directory section-file seconds-between-snapshots
"""

import datetime
import os
import statistics
import subprocess
import sys
import threading
import time

import psycopg2

from report import machine

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
SESSION_SECONDS = 390 * 60
SIZES = (('a week', 7), ('a month', 31), ('a quarter', 92), ('a year', 366))
BAR = 1.25
PAIR = "market_code = 'KSP' AND sector_code = '0001'"

MINUTES = """
    SELECT minute, foreign_net_amount - lag(foreign_net_amount, 1, 0::bigint) OVER (ORDER BY minute)
    FROM (SELECT DISTINCT ON (1) date_trunc('minute', collected_at) AS minute, foreign_net_amount
          FROM %s WHERE %s AND %s ORDER BY 1, collected_at DESC) AS last"""

PREPARE = """
    CREATE EXTENSION market_investor_fdw;
    SELECT create_market_investor_trend('alone', snapshots => false);
    CREATE TABLE pair AS
    SELECT market_code, sector_code, (row_number() OVER (ORDER BY market_code, sector_code))::int AS number,
           100 * (row_number() OVER ())::bigint AS size FROM kis_sector;
    ALTER TABLE pair ADD PRIMARY KEY (number);
    ANALYZE pair"""


def in_day(day):
    return ("collected_at >= '%s 00:00+09' AND collected_at < '%s 00:00+09'"
            % (day, day + datetime.timedelta(days=1)))


def select(table, *conditions):
    return 'SELECT count(*), sum(foreign_net_amount) FROM %s WHERE %s' % (table, ' AND '.join(conditions))


# What is asked of a day of a table
QUERIES = (
    ("a pair's day", lambda table, day: select(table, PAIR, in_day(day))),
    ("a pair's day, by trade_date", lambda table, day: select(table, PAIR, "trade_date = '%s'" % day)),
    ("a pair's day in changes a minute", lambda table, day: MINUTES % (table, PAIR, in_day(day))),
    ("all pairs' day", lambda table, day: select(table, in_day(day))),
    ("all pairs' day, by trade_date", lambda table, day: select(table, "trade_date = '%s'" % day)),
)


class Database:
    """A session; statements are planned each time, as users' are."""

    def __init__(self):
        self.connection = psycopg2.connect('')
        self.connection.autocommit = True

    def rows(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    def value(self, text):
        return self.rows(text)[0][0]

    def seconds(self, text):
        start = time.perf_counter()
        self.rows(text)
        return time.perf_counter() - start

    def processor_seconds(self):
        """What the server's process has used so far."""
        with open('/proc/%d/schedstat' % self.connection.get_backend_pid(), encoding='ascii') as file:
            return int(file.read().split()[0]) / 1e9


def months(first, last):
    """The months that hold these days, oldest first: (first day, first day of the next)."""
    month = first.replace(day=1)
    while month <= last:
        after = (month + datetime.timedelta(days=31)).replace(day=1)
        yield month, after
        month = after


def fill_statement(table, first, after, every):
    """INSERT of growing totals for the sessions of the weekdays of [first, after)."""
    ticks = SESSION_SECONDS // every
    figures = ', '.join('(p.size * %d * (t.tick + 1 + d.number %% %d)) / %d'
                        % (17 + 5 * i, i + 3, ticks) for i in range(72))
    return """
        INSERT INTO %s
        SELECT p.market_code, p.sector_code,
               (d.day + time '09:00') AT TIME ZONE 'Asia/Seoul' + t.tick * interval '%d s'
               + p.number * interval '20 ms', d.day, %s
        FROM (SELECT day::date, day::date - date '2000-01-01' AS number
              FROM generate_series('%s'::timestamp, '%s'::timestamp - interval '1 day', '1 day') AS day
              WHERE extract(isodow FROM day) < 6) AS d,
             LATERAL (SELECT generate_series(0, %d) AS tick OFFSET 0) AS t,
             LATERAL (SELECT * FROM pair WHERE d.number IS NOT NULL AND t.tick IS NOT NULL
                      ORDER BY number OFFSET 0) AS p
        """ % (table, every, figures, first, after, ticks - 1)


class Snapshots:
    """A store whose snapshots go back so many days."""

    def __init__(self, database, name, days, today):
        self.database = database
        self.name = name
        self.store = name.replace(' ', '_')
        self.table = self.store + '_snapshot'
        self.today = today
        self.first = today - datetime.timedelta(days=days)
        database.rows("SELECT create_market_investor_trend('%s')" % self.store)

    def months(self):
        """What fills its months: functions of a session and a lock."""
        for month, after in months(self.first, self.today):
            def fill(database, lock, every, month=month, after=after):
                self._fill(database, lock, every, month, after)
            yield fill

    def _fill(self, database, lock, every, month, after):
        """A month, as collections would fill it, oldest day first."""
        partition = '%s_y%04dm%02d' % (self.table, month.year, month.month)
        start_of, end_of = "'%s 00:00+09'" % month, "'%s 00:00+09'" % after
        near = ("trade_date >= '%s' AND trade_date < '%s'"
                % (month - datetime.timedelta(days=30), after))
        with lock:
            database.rows('DROP TABLE IF EXISTS ' + partition)
        # In the transaction that made the table, rows are not logged
        database.rows("""
            BEGIN;
            CREATE TABLE %s (LIKE %s INCLUDING ALL, CONSTRAINT trade_date_near_month CHECK (%s));
            %s;
            ALTER TABLE %s ADD CONSTRAINT collected_in_month
                CHECK (collected_at >= %s AND collected_at < %s);
            COMMIT""" % (partition, self.table, near,
                         fill_statement(partition, max(month, self.first), min(after, self.today), every),
                         partition, start_of, end_of))
        with lock:
            database.rows('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)'
                          % (self.table, partition, start_of, end_of))
        database.rows('ALTER TABLE %s DROP CONSTRAINT collected_in_month' % partition)
        database.rows('VACUUM (ANALYZE) %s' % partition)

    def days(self):
        """The newest, one in the middle, and the oldest."""
        newest = weekday(self.today - datetime.timedelta(days=1), -1)
        return (newest, weekday(newest - (newest - self.first) // 2, 1), weekday(self.first, 1))

    def partitions_read(self, statement):
        plan = '\n'.join(row[0] for row in self.database.rows('EXPLAIN (COSTS OFF) ' + statement))
        found = {word for word in plan.split()
                 if word.startswith(self.table + '_y') and len(word) == len(self.table) + 9}
        return len(found), plan

    def size(self):
        """Rows, bytes and partitions."""
        return self.database.rows("""
            SELECT sum(reltuples)::bigint, sum(pg_total_relation_size(oid))::float8, count(*)
            FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits
                                        WHERE inhparent = '%s'::regclass)
            AND reltuples > 0""" % self.table)[0]


def fill(tables, every):
    """All months of all tables, two at a time."""
    todo = [month for table in tables for month in table.months()]
    count = len(todo)
    lock = threading.Lock()         # who changes what a table's partitions are
    failed = []

    def work():
        database = Database()
        while todo and not failed:
            month = todo.pop()
            try:
                month(database, lock, every)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(30), threads[1].join(30)
        print('%d of %d months are filled' % (count - len(todo), count), flush=True)
    if failed:
        raise failed[0]


class Collector:
    """Collects all pairs from two servers with different figures in turn."""

    def __init__(self, work, database):
        self.database = database
        self.children = []
        self.turn = 0               # which of both answers
        for name, reply in (('one', 'trend_KSP_0027.json'), ('two', 'trend_999_S001.json')):
            child = subprocess.Popen([os.path.join(work, 'bin/server'),
                                      os.path.join(work, 'src/test/fixtures', reply), '0'],
                                     stdout=subprocess.PIPE, text=True)
            self.children.append(child)
            database.rows("""
                CREATE SERVER %s FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (
                    base_url 'http://127.0.0.1:%d', cache_ttl '0', calendar 'weekday',
                    requests_per_second '1000');
                CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (
                    app_key '%s', app_secret '%s')"""
                          % (name, int(child.stdout.readline()), name, name.ljust(36, 'K'), 'S' * 180))

    def seconds(self, store, kept):
        """One collection, by the clock and of the processor; the table kept gets all its
        replies, which have changed."""
        statement = ("SELECT count(*) FROM collect_market_investor_trend(ARRAY(SELECT"
                     " market_code || '/' || sector_code FROM kis_sector), '%s', '%s')"
                     % (('one', 'two')[self.turn % 2], store))
        before = self._count(kept)
        time.sleep(0.1)             # the rate's slots are free again
        used = self.database.processor_seconds()
        took = self.database.seconds(statement)
        used = self.database.processor_seconds() - used
        if self._count(kept) != before + (71 if kept else 0):
            raise SystemExit('a collection appended %d rows' % (self._count(kept) - before))
        return took, used

    def _count(self, table):
        return 0 if table is None else self.database.value(
            "SELECT count(*) FROM %s WHERE collected_at > now() - interval '1 h'" % table)

    def measure(self, tables, rounds):
        """Of each table, seconds of collections, and the processor's of their appends alone:
        what they take more than a collection without snapshots."""
        runs = {store: [] for store in [*(table.store for table in tables), 'alone']}
        for _ in range(rounds + 3):
            self.turn += 1
            for table in tables:
                runs[table.store].append(self.seconds(table.store, table.table))
            runs['alone'].append(self.seconds('alone', None))
        took, used = ({store: statistics.median(run[i] for run in of_store[3:])
                       for store, of_store in runs.items()} for i in range(2))
        return ([took[table.store] for table in tables],
                [used[table.store] - used['alone'] for table in tables])

    def close(self):
        for child in self.children:
            child.terminate()
            child.wait()


def weekday(day, step):
    """The day itself if it is a weekday, else the next one in that direction."""
    while day.weekday() > 4:
        day += datetime.timedelta(days=step)
    return day


def query_seconds(database, tables, query, rounds):
    """Of each table, the mean over its days of the median, once they have been read."""
    took = {(table.store, i): [] for table in tables for i in range(3)}
    for _ in range(rounds + 1):
        for table in tables:
            for i, day in enumerate(table.days()):
                took[table.store, i].append(database.seconds(query(table.table, day)))
    return [statistics.mean(statistics.median(took[table.store, i][1:]) for i in range(3))
            for table in tables]


HEAD = """## A year of snapshots

Written by `bench/snapshots`: all 71 pairs every %d s of the sessions (390 minutes) of each
weekday up to yesterday, figures growing through the day, in tables that go back a week, a
month, a quarter and a year. These take turns: in a collection of all 71 pairs from a server
that answers at once, each figure changed, and in the queries of a day (of the newest, one in
the middle and the oldest; each has been read once before). Times are medians; statements are
planned each time. Flat: a year's time is at most %g times a week's.

"""

NOTES = """
1. The processor's time, which other work on the machine disturbs less: what the collections
   use more than those into a store without snapshots.
"""


def write(name, every, tables, found, load):
    database = tables[0].database
    sizes = [table.size() for table in tables]

    def line(what, values, *rest):
        file.write('| %s | %s |\n' % (what, ' | '.join([*values, *rest, *[''] * (3 - len(rest))])))

    with open(name, 'w', encoding='utf-8') as file:
        file.write(HEAD % (every, BAR))
        line('', [table.name for table in tables], 'year / week', 'flat', 'partitions read')
        file.write('|---' * (len(tables) + 4) + '|\n')
        line('rows', ['{:,}'.format(rows) for rows, _, _ in sizes])
        line('size with indexes', ['%.1f GB' % (size / 1e9) for _, size, _ in sizes])
        line('partitions', [str(partitions) for _, _, partitions in sizes])
        for what, seconds, partitions in found:
            ratio = seconds[-1] / seconds[0]
            line(what, ['%.2f ms' % (s * 1000) for s in seconds], '%.2f' % ratio,
                 'yes' if ratio <= BAR else '**no**', partitions)
        file.write(NOTES)
        file.write("\nA pair's day in the year, planned:\n\n```\n%s\n```\n" % tables[-1].partitions_read(
            QUERIES[0][1](tables[-1].table, tables[-1].days()[1]))[1])
        file.write('\nOn %s, load %.2f before:\n' % (
            time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()), load))
        for what, value in [*machine(), ('PostgreSQL', database.value('SHOW server_version')),
                            ('shared_buffers', database.value('SHOW shared_buffers'))]:
            file.write('- %s %s\n' % (what, value))


def measure(database, tables, collector, rounds):
    """(what, seconds of each table, partitions that the last one reads)"""
    wholes, appends = collector.measure(tables, rounds)
    yield 'a collection of 71 pairs', wholes, ''
    yield 'its 71 appends to the snapshots (1)', appends, ''
    for what, query in QUERIES:
        seconds = query_seconds(database, tables, query, rounds)
        yield what, seconds, str(max(tables[-1].partitions_read(query(tables[-1].table, day))[0]
                                     for day in tables[-1].days()))


def main():
    work, section, every = sys.argv[1], sys.argv[2], int(sys.argv[3])
    today = datetime.datetime.now(SEOUL).date()
    database = Database()
    database.rows(PREPARE)
    tables = [Snapshots(database, name, days, today) for name, days in SIZES]
    start = time.monotonic()
    fill(tables, every)
    database.rows('CHECKPOINT')
    for table in tables:
        print('%s: %d rows, %.1f GB, %d partitions' % (
            table.name, *(f(v) for f, v in zip((int, lambda b: b / 1e9, int), table.size()))), flush=True)
    print('filled in %.0f s' % (time.monotonic() - start), flush=True)

    load = os.getloadavg()[0]
    collector = Collector(work, database)
    found = []
    try:
        for line in measure(database, tables, collector, 40):
            print('%s: %s' % (line[0], ', '.join('%.2f ms' % (s * 1000) for s in line[1])), flush=True)
            found.append(line)
    finally:
        collector.close()
    write(section, every, tables, found, load)


if __name__ == '__main__':
    main()
