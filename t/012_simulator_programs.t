#!/usr/bin/env python3
"""The simulator's programs, and how fast it is, as TAP."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, 'test'))

from simulator.config import APP_KEY, APP_SECRET  # noqa: E402
from simulator.documented import TREND_PATH  # noqa: E402
from simulator_case import TEST, TREND_QUERY, Case, Simulator, run  # noqa: E402


class Programs(Case):
    def run_program(self, name, *arguments, **environment):
        return subprocess.run([os.path.join(TEST, name), *arguments], text=True,
                              capture_output=True, check=False,
                              env=dict(os.environ, KIS_SIMULATOR_URL=self.sim.url, **environment))

    def simctl(self, *arguments):
        done = self.run_program('simctl', *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def test_simctl(self):
        self.sim.row('KSQ', '1001')
        self.sim.row('KSP', '0001')
        self.sim.row('KSP', '0001')
        self.assertEqual(self.simctl('calls'), '3\n')
        self.assertEqual(self.simctl('calls', 'token'), '1\n')
        self.assertEqual(self.simctl('pairs'), 'KSP/0001\nKSP/0001\nKSQ/1001\n')
        self.assertEqual(self.simctl('problems'), '')
        self.assertEqual(json.loads(self.simctl('stats'))['data'], 3)
        self.assertEqual(self.simctl('stats', 'pairs'), '2\n')
        self.assertEqual(len(json.loads(self.simctl('requests', 'trend'))), 3)
        self.assertEqual(self.simctl('keys', 'app_key'), APP_KEY + '\n')
        self.simctl('config', '{"rate": 3}')
        self.assertEqual(json.loads(self.simctl('config'))['rate'], 3)
        self.simctl('fault', '{"fault": "error"}')
        self.assertEqual(self.sim.trend()['rt_cd'], '1')
        self.simctl('release', '{"clear_faults": true}')
        self.simctl('wait', 'trend', '4')
        self.simctl('kill-token')
        self.assertEqual(self.sim.trend()['msg_cd'], 'EGW00121')
        self.sim.get(TREND_PATH, 'fid_input_iscd=KSP&FID_INPUT_ISCD_2=0001', 'FHPTJ04030000')
        self.assertIn('not in upper case', self.simctl('problems'))
        self.simctl('reset')
        self.assertEqual(self.simctl('calls'), '0\n')

    def test_simctl_fails_plainly(self):
        for arguments in ((), ('nothing',), ('config', '{"x": 1}'), ('wait', 'trend', '1', '0.05')):
            done = self.run_program('simctl', *arguments)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotIn('Traceback', done.stderr)
        done = self.run_program('simctl', 'config', '{"x": 1}')
        self.assertEqual(done.stderr, 'simctl: no such config key: x\n')

    def test_with_simulator(self):
        done = self.run_program('with-simulator', 'sh', '-c',
                                '$KIS_SIMCTL calls; echo "$KIS_SIMULATOR_APP_KEY '
                                '$KIS_SIMULATOR_APP_SECRET"; exit 7')
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (7, '0\n%s %s\n' % (APP_KEY, APP_SECRET), ''))

    def test_tls(self):
        script = ('import os, ssl, sys, urllib.request as u\n'
                  'url = os.environ["KIS_SIMULATOR_URL"] + "/x"\n'
                  'ca = ssl.create_default_context(cafile=os.environ["KIS_SIMULATOR_CA"])\n'
                  'for context in (ca, ssl.create_default_context()):\n'
                  '    try: u.urlopen(url, context=context)\n'
                  '    except u.HTTPError as error: print(error.code)\n'
                  '    except u.URLError as error: print(type(error.reason).__name__)\n')
        done = self.run_program('with-simulator', '--tls', '--', 'sh', '-c',
                                '"$0" -c "$1"; $KIS_SIMCTL calls other', sys.executable, script)
        self.assertEqual((done.stdout, done.stderr),
                         ('404\nSSLCertVerificationError\n1\n', ''))

    def test_ends_with_its_parent(self):
        shell = subprocess.Popen(
            ['sh', '-c', '"$0" "$1" --exit-with-parent & echo $!; read x', sys.executable,
             os.path.join(TEST, 'kis_simulator.py')],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        number = int(shell.stdout.readline())
        self.assertIn(b'listens on', shell.stdout.readline())
        shell.kill()
        shell.wait()
        # Its end of the pipe closes when it ends
        ended = select.select([shell.stdout], [], [], 10)[0]
        if not ended:
            os.kill(number, signal.SIGKILL)
        self.assertTrue(ended)
        self.assertEqual(shell.stdout.read(), b'')
        shell.stdin.close()
        shell.stdout.close()

    def test_ends_on_sigterm(self):
        self.assertEqual(Simulator().stop(), 0)

    def test_blackhole(self):
        for mode in ('accept', 'backlog'):
            with subprocess.Popen([sys.executable, os.path.join(TEST, 'blackhole.py'), mode,
                                   '--exit-with-parent'],
                                  stdout=subprocess.PIPE, text=True) as hole:
                address = ('127.0.0.1', int(hole.stdout.readline()))
                with socket.socket() as client:
                    client.settimeout(0.3)
                    if mode == 'accept':
                        client.connect(address)
                        client.sendall(b'hello')
                    with self.assertRaises(TimeoutError):
                        client.recv(1) if mode == 'accept' else client.connect(address)
                hole.terminate()
                self.assertEqual(hole.wait(), 0)


class Speed(Case):
    def test_replies_a_second(self):
        self.sim.row()
        headers = self.sim.headers('FHPTJ04030000')
        request = 'GET %s?%s HTTP/1.1\r\nhost: x\r\n%s\r\n' % (
            TREND_PATH, TREND_QUERY % ('KSP', '0001'),
            ''.join('%s: %s\r\n' % pair for pair in headers.items()))
        size = len(self.exchange(request, 1)[1])
        count = 2000
        seconds, data = self.exchange(request, count, size)
        self.assertEqual((len(data), data.count(b'"rt_cd":"0"')), (size * count, count))
        print('# %d replies a second on one connection' % (count / seconds))

    def exchange(self, request, count, size=None):
        data = []
        with socket.create_connection(('127.0.0.1', self.sim.port), 10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            started = time.monotonic()
            for _ in range(count):
                connection.sendall(request.encode())
                got = connection.recv(65536)
                while size and len(got) < size:
                    got += connection.recv(65536)
                data.append(got)
            return time.monotonic() - started, b''.join(data)


if __name__ == '__main__':
    sys.exit(run(sys.modules['__main__']))
