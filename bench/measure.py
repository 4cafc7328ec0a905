#!/usr/bin/env python3
"""Measures what README and doc promise of speed; started by bench/run.

    measure.py work-directory results-file [--quick]

Each function is one work: it returns its lines for the report.
"""

import os
import re
import statistics
import subprocess
import sys
import time

from harness import HERE, PATH, Bench, Program, Session, alternate, median_ratio
from report import Line, write
from writing import collection, page

ONE_PAIR = "SELECT * FROM %s WHERE market_code = 'KSP'"
TREND_URL = '%s' + PATH + '?FID_INPUT_ISCD=%s&FID_INPUT_ISCD_2=%s'

# So that libcurl's loop takes about 0.15 ms a reply, which the bar was set with: it takes less where
# the server answers at once
SERVER_TAKES_US = 100


def milliseconds(values):
    return '%.3f ms' % (statistics.median(values) * 1000)


def one_pair_beside_loop(bench, name, delay_us, bar):
    url = bench.start_server(delay_us)
    bench.make_source(name, url, cache_ttl='0', requests_per_second='1000')
    ours = Session(bench, 1, ONE_PAIR % (name + '.kis_market_trend'))
    local = Session(bench, 1, ONE_PAIR % 'local_trend')
    loop = Program(bench.program('libcurl_loop'), TREND_URL % (url, 'KSP', '0001'),
                   bench.headers_file)
    count = bench.some(800, 100)
    for program in (ours, local, loop):
        program.seconds(100)
    took = alternate(bench.some(15, 3), loop=lambda: loop.seconds(count),
                     local=lambda: local.seconds(count), ours=lambda: ours.burst(count))
    for program in (ours, local, loop):
        program.close()
    note = ('The server answers %s. SELECT by primary key from a local table the same way: %s.'
            % ('after %.2f ms' % (delay_us / 1000) if delay_us else 'at once',
               milliseconds(took['local'])))
    return Line('one pair, cache off, warm connection, prepared', milliseconds(took['ours']),
                'the same request in a bare libcurl loop', milliseconds(took['loop']),
                median_ratio(took['ours'], took['loop']), bar, '<=', note)


def one_pair(bench):
    yield one_pair_beside_loop(bench, 'usual', SERVER_TAKES_US, 1.35)
    yield one_pair_beside_loop(bench, 'quick', 0, None)


def script(bench):
    """Against the server that answers at once, which 'one pair' has started."""
    url = bench.urls['quick']
    with open(os.path.join(bench.work, 'src/catalog/fields.tsv'), encoding='utf-8') as file:
        fields = [line.split('\t')[1] for line in file][1:]
    columns = ', '.join(field + ' bigint' for field in fields)
    bench.sql("""
        CREATE UNLOGGED TABLE script_row (%s);
        CREATE FOREIGN TABLE member_row (market_code text, %s) SERVER quick
            OPTIONS (table_name 'kis_market_trend')""" % (columns, columns))
    insert = ("INSERT INTO script_row SELECT %s FROM member_row WHERE market_code = 'KSP'"
              % ', '.join(fields))
    arguments = [sys.executable, os.path.join(HERE, 'script.py'),
                 TREND_URL % (url, 'KSP', '0001'), bench.headers_file]
    fetching = Program(*arguments)
    storing = Program(*arguments, bench.conninfo, 'script_row')
    ours = Session(bench, 1, ONE_PAIR % 'quick.kis_market_trend', insert)
    count = bench.some(100, 20)
    ours.seconds(50, 0), ours.seconds(50, 1), fetching.seconds(5), storing.seconds(5)
    took = alternate(bench.some(9, 3), fetching=lambda: fetching.seconds(count),
                     selecting=lambda: ours.burst(4 * count, 0),
                     storing=lambda: storing.seconds(count),
                     inserting=lambda: ours.burst(4 * count, 1))
    for program in (fetching, storing, ours):
        program.close()
    yield Line('one pair, the row fetched', milliseconds(took['selecting']),
               'script: requests without a session', milliseconds(took['fetching']),
               median_ratio(took['selecting'], took['fetching']), None, '<=',
               'The server answers at once.')
    yield Line('one pair, the row with its 72 figures inserted into an unlogged table',
               milliseconds(took['inserting']),
               'script: requests without a session, INSERT by psycopg2',
               milliseconds(took['storing']),
               median_ratio(took['inserting'], took['storing']), None, '<=',
               'The server answers at once; a transaction a row.')


def curl_command(bench, name, url, pairs):
    """curl --parallel with a file of URLs; all it fetches is thrown away."""
    config = os.path.join(bench.work, name + '.curl')
    with open(config, 'w', encoding='ascii') as file:
        for pair in pairs:
            file.write('url = "%s"\noutput = "/dev/null"\n' % (TREND_URL % (url, *pair)))
    command = ['curl', '-q', '--fail', '--no-progress-meter', '--noproxy', '*', '--parallel',
               '--parallel-max', '6', '-H', '@' + bench.headers_file, '-K', config]

    def run():
        start = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - start
    return run


def parallel(bench):
    slow = bench.start_server(50000)
    quick = bench.start_server(0)
    bench.make_source('slow', slow, cache_ttl='0', requests_per_second='1000',
                      max_concurrent_requests='6')
    pairs = [pair.split('|') for pair in bench.sql(
        'SELECT market_code, sector_code FROM kis_sector WHERE headline').split('\n')]
    assert len(pairs) == 19
    ours = Session(bench, 19, 'SELECT * FROM slow.kis_market_trend')
    ours.seconds(1)
    took = alternate(bench.some(21, 3), ours=lambda: ours.seconds(1),
                     curl=curl_command(bench, 'slow', slow, pairs),
                     start=curl_command(bench, 'start', quick, pairs[:1]))
    ours.close()
    transfers = [a - b for a, b in zip(took['curl'], took['start'])]
    work = '19 headline pairs, 50 ms replies, 6 at a time'
    yield Line(work, milliseconds(took['ours']), 'curl --parallel --parallel-max 6',
               milliseconds(took['curl']), median_ratio(took['ours'], took['curl']), 1.1, '<=',
               'curl is started for each run, as users start it: that takes %s of its time'
               ' (the same command for one URL that is answered at once). Four rounds of 50 ms'
               ' are the least that is possible.' % milliseconds(took['start']))
    yield Line(work, milliseconds(took['ours']), 'the same, without its start',
               milliseconds(transfers), median_ratio(took['ours'], transfers), None, '<=', '')


def side_by_side(bench):
    url = bench.start_server(300000)
    bench.make_source('late', url, cache_ttl='0', requests_per_second='1000',
                      max_concurrent_requests='6')
    sectors = ['0001', '1001', 'T000', 'F001', 'OC01', 'OP01']
    bench.sql('CREATE TABLE six (market_code text, sector_code text, foreign_net_qty bigint)'
              ' PARTITION BY LIST (sector_code);' + ';'.join(
                  "CREATE FOREIGN TABLE six_%s PARTITION OF six FOR VALUES IN ('%s') SERVER late"
                  " OPTIONS (table_name 'kis_market_trend')" % (name, name) for name in sectors))
    columns = 'market_code, sector_code, foreign_net_qty'

    def one_scan(names):
        return ("SELECT %s FROM late.kis_market_trend WHERE sector_code IN ('%s')"
                % (columns, "', '".join(names)))

    union = ' UNION ALL '.join(one_scan([name]) for name in sectors[:3])
    for work, query, names in (('UNION ALL of 3', union, sectors[:3]),
                               ('6 partitions', 'SELECT %s FROM six' % columns, sectors)):
        ours = Session(bench, len(names), query, one_scan(names))
        ours.seconds(1, 0), ours.seconds(1, 1)
        took = alternate(bench.some(9, 3), ours=lambda: ours.seconds(1, 0),
                         pairs=lambda: ours.seconds(1, 1))
        ours.close()
        yield Line(work + ', 300 ms replies', milliseconds(took['ours']),
                   'the same pairs by IN', milliseconds(took['pairs']),
                   median_ratio(took['ours'], took['pairs']), 1.2, '<=', '')


def cached(bench):
    url = bench.start_server(0)
    bench.make_source('cached', url, cache_ttl='1h')
    seconds = str(bench.some(8, 1))

    def throughput(table):
        report = bench.pgbench(ONE_PAIR % table, 8, '-j', '2', '-T', seconds)
        return float(re.search(r'tps = ([0-9.]+)', report).group(1))

    bench.sql(ONE_PAIR % 'cached.kis_market_trend')
    rates = alternate(bench.some(9, 2), ours=lambda: throughput('cached.kis_market_trend'),
                      local=lambda: throughput('local_trend'))
    yield Line('cached pair, 8 clients, prepared', '%.0f/s' % statistics.median(rates['ours']),
               'the same SELECT on a local table with the same columns and 19 rows',
               '%.0f/s' % statistics.median(rates['local']),
               median_ratio(rates['ours'], rates['local']), 0.7, '>=',
               'pgbench runs on the same cores.')


def cold_pair(bench):
    sessions = 64
    rounds = bench.some(5, 2)
    counts = {'trend': [], 'holiday': [], 'token': []}
    names = ['cold%d' % i for i in range(rounds)]
    bench.ask_simulator('POST', 'config', {
        'latency_ms': 300, 'accounts': {name.ljust(36, 'K'): 'S' * 180 for name in names}})
    for name in names:
        bench.make_source(name, bench.simulator, requests_per_second='18')
        bench.sql('CREATE UNLOGGED TABLE got_%s AS SELECT * FROM local_trend LIMIT 0' % name)
        before = bench.ask_simulator('GET', 'stats')
        bench.pgbench('INSERT INTO got_%s ' % name + ONE_PAIR % (name + '.kis_market_trend'),
                      sessions, '-t', '1')
        after = bench.ask_simulator('GET', 'stats')
        for kind, each in counts.items():
            each.append(after['counts'].get(kind, 0) - before['counts'].get(kind, 0))
        got = bench.sql('SELECT count(*), count(DISTINCT t) FROM got_%s t' % name)
        if got != '%d|1' % sessions:
            raise SystemExit('%s: rows, different rows: %s' % (name, got))
    most = {kind: max(each) for kind, each in counts.items()}
    yield Line('64 sessions at once on a cold pair', '%d' % most['trend'], 'calls for the pair', '1',
               most['trend'], 1, '<=',
               'The most of %d rounds, each with a new app key: %d token issues and %d calls for the'
               ' calendar at most. All sessions got the same row. Replies take 300 ms.'
               % (rounds, most['token'], most['holiday']))


def limited(bench):
    rate, sessions = 18, bench.some(8, 2)
    bench.ask_simulator('POST', 'reset')
    bench.ask_simulator('POST', 'config', {'rate': rate, 'rate_window': 'sliding',
                                           'accounts': {'limited'.ljust(36, 'K'): 'S' * 180}})
    bench.make_source('limited', bench.simulator, cache_ttl='0', requests_per_second=str(rate),
                      max_wait='10min')
    start = time.monotonic()
    bench.pgbench('SELECT count(*) FROM limited.kis_sector_trend', sessions, '-t', '1')
    took = time.monotonic() - start
    stats = bench.ask_simulator('GET', 'stats')
    requests = stats['data'] + stats['tokens_issued']
    if stats['data'] != sessions * 71:
        raise SystemExit('%d calls, not %d' % (stats['data'], sessions * 71))
    work = '%d sessions, 71 pairs each, cache off, rate %d' % (sessions, rate)
    yield Line(work, '%d arrivals' % stats['max_in_second'], 'most in any one second', str(rate),
               stats['max_in_second'] / rate, 1, '<=',
               "By the simulator's records, token issue included; it refused %d in its strict"
               ' sliding window.' % stats['refused_by_rate'])
    yield Line(work, '%.2f s' % took, 'requests / rate', '%.2f s' % (requests / rate),
               took / (requests / rate), 1.1, '<=',
               '%d requests; from the start of pgbench to its end.' % requests)


def flat(bench):
    scans, calls = bench.some((100000, 10000), (5000, 900))
    ours = Session(bench, 1, ONE_PAIR % 'cached.kis_market_trend',
                   ONE_PAIR % 'quick.kis_market_trend')
    ours.seconds(1000, 0)
    ours.seconds(500, 1)
    memory, own = ours.memory_kb()
    descriptors = ours.descriptors()
    ours.seconds(scans, 0)
    ours.seconds(calls, 1)
    after, own_after = ours.memory_kb()
    yield Line('%d cached and %d uncached scans in a session' % (scans, calls),
               '%d kB' % after, 'resident memory before', '%d kB' % memory, after / memory,
               1.01, '<=', "Before: after 1,500 scans. The backend's own: %d kB, before %d kB."
               ' Open files: %d, before %d.' % (own_after, own, ours.descriptors(), descriptors))
    if ours.descriptors() != descriptors:
        raise SystemExit('open files: %d, before %d' % (ours.descriptors(), descriptors))
    ours.close()


def prepare(bench):
    bench.sql('CREATE EXTENSION market_investor_fdw')
    bench.make_source('filling', bench.start_server(0))
    bench.sql("""
        CREATE TABLE local_trend AS SELECT * FROM filling.kis_market_trend;
        ALTER TABLE local_trend ADD PRIMARY KEY (market_code, sector_code);
        VACUUM ANALYZE local_trend""")
    bench.headers_file = bench.headers()


def main():
    load = os.getloadavg()[0]
    bench = Bench(sys.argv[1], '--quick' in sys.argv[3:])
    lines = []
    try:
        prepare(bench)
        for work in (one_pair, script, parallel, side_by_side, cached, cold_pair, limited, flat,
                     collection, page):
            for line in work(bench):
                print(line.text(), flush=True)
                lines.append(line)
    finally:
        bench.close()
    write(sys.argv[2], lines, bench, load)


if __name__ == '__main__':
    main()
