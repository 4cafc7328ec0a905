"""What the simulator's own tests share: a client, a test case, TAP."""

import atexit
import http.client
import json
import os
import subprocess
import sys
import tempfile
import unittest

from simulator.config import APP_KEY, APP_SECRET
from simulator.documented import DAILY_PATH, HOLIDAY_PATH, TOKEN_PATH, TREND_PATH

TEST = os.path.dirname(os.path.abspath(__file__))
TREND_QUERY = 'FID_INPUT_ISCD=%s&FID_INPUT_ISCD_2=%s'
MID_SESSION = '2026-07-10T10:30:00'


class Simulator:
    """A simulator of our own and a client for it."""

    def __init__(self, *options):
        self.work = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.work.name, 'port')
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(TEST, 'kis_simulator.py'), '--exit-with-parent',
             '--port-file', port_file, '--clock', MID_SESSION, *options],
            stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        self.url = self.process.stdout.readline().split()[-1]
        self.port = int(self.url.rsplit(':', 1)[1])
        with open(port_file, encoding='ascii') as file:
            assert int(file.read()) == self.port
        self.token = None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait()
        self.process.stdout.close()
        self.work.cleanup()
        return code

    def connect(self, timeout=10):
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)

    def admin(self, method, name, body=None):
        connection = self.connect(60)
        connection.request(method, '/_simulator/' + name,
                           json.dumps(body) if body is not None else None)
        reply = connection.getresponse()
        result = json.loads(reply.read())
        connection.close()
        if reply.status != 200:
            raise ValueError(result['error'])
        return result

    def config(self, **changes):
        self.admin('POST', 'config', changes)

    def fault(self, name, times=None, match=None, after=0, **params):
        self.admin('POST', 'fault', {'fault': name, 'times': times, 'match': match or {},
                                     'after': after, 'params': params})

    def reset(self):
        self.admin('POST', 'reset', {})
        self.token = None

    def issue(self, key=APP_KEY, secret=APP_SECRET):
        """The token call's status and JSON."""
        connection = self.connect()
        connection.request('POST', TOKEN_PATH, json.dumps(
            {'grant_type': 'client_credentials', 'appkey': key, 'appsecret': secret}),
            {'content-type': 'application/json; charset=utf-8'})
        reply = connection.getresponse()
        result = json.loads(reply.read())
        connection.close()
        return reply.status, result

    def headers(self, tr_id, changes=None):
        if self.token is None:
            self.token = self.issue()[1]['access_token']
        headers = {'content-type': 'application/json; charset=utf-8',
                   'authorization': 'Bearer ' + self.token, 'appkey': APP_KEY,
                   'appsecret': APP_SECRET, 'tr_id': tr_id, 'custtype': 'P'}
        headers.update(changes or {})
        return headers

    def get(self, path, query, tr_id, connection=None, headers=None):
        """A call's status, headers and body."""
        own = connection or self.connect()
        own.request('GET', '%s?%s' % (path, query), headers=self.headers(tr_id, headers))
        reply = own.getresponse()
        body = reply.read()
        if connection is None:
            own.close()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, body

    def trend_raw(self, market='KSP', sector='0001', connection=None, **headers):
        return self.get(TREND_PATH, TREND_QUERY % (market, sector), 'FHPTJ04030000',
                        connection, headers)

    def trend(self, market='KSP', sector='0001', **headers):
        return json.loads(self.trend_raw(market, sector, **headers)[2])

    def row(self, market='KSP', sector='0001'):
        return self.trend(market, sector)['output'][0]

    def daily(self, day, market='KSP', sector='0001'):
        return json.loads(self.get(
            DAILY_PATH, 'FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=%s&FID_INPUT_DATE_1=%s'
            '&FID_INPUT_ISCD_1=%s&FID_INPUT_DATE_2=%s&FID_INPUT_ISCD_2=%s'
            % (sector, day, market, day, sector), 'FHPTJ04040000')[2])

    def holiday(self, day):
        return json.loads(self.get(
            HOLIDAY_PATH, 'BASS_DT=%s&CTX_AREA_NK=&CTX_AREA_FK=' % day, 'CTCA0903R')[2])

    def requests(self, kind='any'):
        return self.admin('GET', 'requests?kind=' + kind)


class Case(unittest.TestCase):
    """Each test starts with the simulator in its start state."""

    sim = None      # the one that run() started

    def setUp(self):
        self.sim.reset()


class TapResult(unittest.TestResult):
    """Prints each result as TAP."""

    def report(self, test, ok, error=None):
        print('%s %d - %s' % ('ok' if ok else 'not ok', self.testsRun,
                              test.id().removeprefix('__main__.')), flush=True)
        if error:
            for line in self._exc_info_to_string(error, test).splitlines():
                print('#   ' + line, flush=True)

    def addSuccess(self, test):
        self.report(test, True)

    def addError(self, test, err):
        super().addError(test, err)
        self.report(test, False, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(test, False, err)


def run(module):
    """Run a module's tests against one simulator; returns the exit status."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    print('1..%d' % suite.countTestCases(), flush=True)
    Case.sim = Simulator()
    result = TapResult()
    suite.run(result)
    Case.sim.stop()
    return 0 if result.wasSuccessful() else 1
