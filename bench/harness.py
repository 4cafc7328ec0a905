"""What measuring takes: programs to drive, servers to start, SQL to run."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = '/uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market'


class Program:
    """A program that does so many calls when told, and says how long they took."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.ended = 0.0

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit('%s ended' % ' '.join(self.process.args)[:200])
        return line.strip()

    def seconds(self, count, number=0):
        """The median of so many calls: what else the machine does disturbs few of them."""
        self.process.stdin.write('%d %d\n' % (count, number))
        median = float(self.line().split()[1])
        self.ended = time.monotonic()
        return median

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Session(Program):
    """libpq_loop. requests_per_second is 1000 at most, and is not what is measured: calls
    come in bursts of fewer, each a second or more after the end of the one before, when the
    rate's slots are all free again."""

    MOST_CALLS = 900

    def __init__(self, bench, rows, *statements):
        super().__init__(bench.program('libpq_loop'), bench.conninfo, str(rows), *statements)
        self.pid = int(self.line())

    def burst(self, count, number=0):
        assert count <= self.MOST_CALLS
        time.sleep(max(0.0, self.ended + 1.1 - time.monotonic()))
        return self.seconds(count, number)

    def memory_kb(self):
        """Resident memory, and what of it is the backend's own."""
        with open('/proc/%d/status' % self.pid, encoding='ascii') as file:
            status = dict(line.split(':', 1) for line in file)
        return int(status['VmRSS'].split()[0]), int(status['RssAnon'].split()[0])

    def descriptors(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))


class Bench:
    """The cluster, the servers that it asks, and what all works share."""

    def __init__(self, work, quick):
        self.work = work
        self.quick = quick
        self.conninfo = 'host=%s port=%s user=postgres dbname=postgres' % (
            os.environ['PGHOST'], os.environ['PGPORT'])
        self.children = []
        self.urls = {}
        self.reply = os.path.join(work, 'src/test/fixtures/trend_KSP_0027.json')
        self.simulator = self._start_simulator()

    def program(self, name):
        return os.path.join(self.work, 'bin', name)

    def some(self, full, quick):
        return quick if self.quick else full

    def start_server(self, delay_us):
        """bench/server; returns its URL."""
        server = subprocess.Popen([self.program('server'), self.reply, str(delay_us)],
                                  stdout=subprocess.PIPE, text=True)
        self.children.append(server)
        return 'http://127.0.0.1:%d' % int(server.stdout.readline())

    def _start_simulator(self):
        program = os.path.join(self.work, 'src/test/kis_simulator.py')
        child = subprocess.Popen(
            [sys.executable, '-B', program, '--exit-with-parent', '--clock', '2026-07-10T10:30:00'],
            stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return child.stdout.readline().split()[-1]

    def ask_simulator(self, method, name, body=None):
        connection = http.client.HTTPConnection(self.simulator.partition('//')[2], timeout=60)
        connection.request(method, '/_simulator/' + name, json.dumps(body or {}))
        result = json.loads(connection.getresponse().read())
        connection.close()
        return result

    def sql(self, text, *options):
        result = subprocess.run(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', *options],
                                input=text, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit('%s\n%s' % (text, result.stderr))
        return result.stdout.strip()

    def make_source(self, name, url, key=None, secret=None, **options):
        """A foreign server and, in a schema of its name, its tables."""
        listed = ', '.join("%s '%s'" % item for item in {'base_url': url, **options}.items())
        # an app key of its own: no two servers share a rate or a reply
        key = key or name.ljust(36, 'K')
        self.urls[name] = url
        self.sql("""
            CREATE SERVER %(name)s FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (%(listed)s);
            CREATE USER MAPPING FOR CURRENT_USER SERVER %(name)s
                OPTIONS (app_key '%(key)s', app_secret '%(secret)s');
            CREATE SCHEMA %(name)s;
            IMPORT FOREIGN SCHEMA kis FROM SERVER %(name)s INTO %(name)s;
            """ % {'name': name, 'listed': listed, 'key': key, 'secret': secret or 'S' * 180})

    def pgbench(self, script, clients, *options):
        """Its report of a script with prepared statements."""
        file = os.path.join(self.work, 'pgbench.sql')
        with open(file, 'w', encoding='ascii') as out:
            out.write(script + ';\n')
        result = subprocess.run(['pgbench', '-n', '-M', 'prepared', '-c', str(clients),
                                 '-f', file, *options],
                                capture_output=True, text=True, check=False)
        if result.returncode != 0 or 'aborted' in result.stderr:
            raise SystemExit('pgbench: ' + result.stderr)
        return result.stdout

    def headers(self):
        """A file with the headers that the extension sends, as the simulator got them."""
        name = os.path.join(self.work, 'headers.txt')
        keys = self.ask_simulator('GET', 'config')
        self.make_source('recorded', self.simulator, keys['app_key'], keys['app_secret'])
        self.sql("SELECT FROM recorded.kis_market_trend WHERE market_code = 'KSP'")
        sent = self.ask_simulator('GET', 'requests?kind=trend')[-1]['headers']
        with open(name, 'w', encoding='ascii') as file:
            for header, value in sent.items():
                if header != 'host':
                    file.write('%s: %s\n' % (header, value))
        return name

    def close(self):
        for child in self.children:
            child.terminate()
            child.wait()


def alternate(runs, **measures):
    """Each measure in turn, so many times round: lists of what they gave."""
    results = {name: [] for name in measures}
    for _ in range(runs):
        for name, measure in measures.items():
            results[name].append(measure())
    return results


def median_ratio(ours, other):
    """Of runs side by side: the median of their ratios."""
    return statistics.median(a / b for a, b in zip(ours, other))
