#!/usr/bin/env python3
"""Each of the simulator's faults, as TAP."""

import http.client
import json
import os
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, 'test'))

from simulator import faults  # noqa: E402
from simulator.config import APP_KEY, APP_SECRET  # noqa: E402
from simulator.documented import TREND_PATH  # noqa: E402
from simulator_case import TREND_QUERY, Case, run  # noqa: E402


class SocketFaults(Case):
    def setUp(self):
        super().setUp()
        self.expected = self.sim.trend_raw()[2]

    def begin(self, timeout=10):
        """A socket on which a trend call has been sent."""
        connection = self.sim.connect(timeout)
        connection.request('GET', TREND_PATH + '?' + TREND_QUERY % ('KSP', '0001'),
                           headers=self.sim.headers('FHPTJ04030000'))
        return connection

    def read_all(self, connection):
        data = b''
        while piece := connection.sock.recv(65536):
            data += piece
        connection.close()
        return data

    def test_slow(self):
        self.sim.fault('slow', times=1, ms=300)
        started = time.monotonic()
        self.assertEqual(self.sim.trend_raw()[2], self.expected)
        self.assertGreaterEqual(time.monotonic() - started, 0.3)
        self.assertEqual(self.sim.requests()[-1]['fault'], 'slow')

    def test_hang_until_release(self):
        for name, some in (('hang', False), ('hang_headers', True), ('hang_body', True)):
            self.sim.admin('POST', 'config', {'faults': []})
            self.sim.fault(name, times=1)
            connection = self.begin()
            self.assertTrue(self.sim.admin('GET', 'wait?kind=held&count=1')['reached'])
            connection.sock.settimeout(0.1)
            start = b''
            if some:
                start = connection.sock.recv(65536)
                self.assertEqual(b'\r\n\r\n' in start, name == 'hang_body')
            with self.assertRaises(TimeoutError):
                connection.sock.recv(1)
            self.assertEqual(self.sim.admin('POST', 'release', {})['released'], 1)
            connection.sock.settimeout(10)
            while not start.endswith(self.expected):
                start += connection.sock.recv(65536)
            connection.close()
            self.assertEqual(self.sim.trend_raw()[2], self.expected)

    def test_client_leaves_a_hung_call(self):
        self.sim.fault('hang', times=1)
        connection = self.begin()
        self.sim.admin('GET', 'wait?kind=held&count=1')
        connection.close()
        deadline = time.monotonic() + 10
        while self.sim.admin('GET', 'stats')['held'] and time.monotonic() < deadline:
            pass
        self.assertEqual(self.sim.admin('GET', 'stats')['held'], 0)
        self.assertTrue(self.sim.requests()[-1]['disconnected'])

    def test_drip(self):
        for headers in (False, True):
            self.sim.admin('POST', 'config', {'faults': []})
            self.sim.fault('drip', bytes=200, ms=5, headers=headers)
            connection = self.begin()
            data, pieces = b'', 0
            while not data.endswith(self.expected):
                data += connection.sock.recv(65536)
                pieces += 1
            connection.close()
            self.assertGreater(pieces, 3)

    def test_close(self):
        for rst in (False, True):
            self.sim.fault('close', times=1, rst=rst)
            connection = self.begin()
            if rst:
                with self.assertRaises(ConnectionResetError):
                    connection.sock.recv(1)
            else:
                self.assertEqual(connection.sock.recv(1), b'')
            connection.close()
            self.assertIsNone(self.sim.requests()[-1]['status'])

    def test_short_body(self):
        self.sim.fault('short_body')
        connection = self.begin()
        with self.assertRaises(http.client.IncompleteRead):
            connection.getresponse().read()
        connection.close()

    def test_silent_close(self):
        self.sim.fault('silent_close')
        connection = self.begin()
        data = self.read_all(connection)
        self.assertTrue(data.endswith(self.expected))
        self.assertNotIn(b'close', data.lower().split(b'\r\n\r\n')[0])

    def test_idle_timeout(self):
        self.sim.config(idle_timeout_ms=50)
        self.assertTrue(self.read_all(self.begin()).endswith(self.expected))

    def test_lengths_and_codings(self):
        self.sim.fault('connection_close', times=1)
        _, headers, body = self.sim.trend_raw()
        self.assertEqual((headers['connection'], body), ('close', self.expected))
        self.sim.fault('until_close', times=1)
        _, headers, body = self.sim.trend_raw()
        self.assertEqual((headers.get('content-length'), body), (None, self.expected))
        for trailer in (False, True):
            self.sim.fault('chunked', times=1, chunk=100, trailer=trailer)
            _, headers, body = self.sim.trend_raw()
            self.assertEqual((headers['transfer-encoding'], body), ('chunked', self.expected))
        self.sim.fault('gzip', times=1)
        _, headers, body = self.sim.trend_raw(**{'accept-encoding': 'gzip'})
        self.assertEqual((headers['content-encoding'], body[:2]), ('gzip', b'\x1f\x8b'))
        # The faults changed copies: the reply that is kept for others is whole
        self.assertEqual(self.sim.trend_raw()[1].get('transfer-encoding'), None)

    def test_huge_headers(self):
        for line in (False, True):
            self.sim.fault('huge_headers', times=1, bytes=200000, line=line)
            connection = self.begin()
            data = b''
            while not data.endswith(self.expected):
                data += connection.sock.recv(65536)
            connection.close()
            self.assertGreater(len(data), 200000)
            self.assertEqual(data.count(b'X-Huge'), 1 if line else 200)

    def test_raw(self):
        self.sim.fault('raw', text='SMTP ready\r\n')
        self.assertEqual(self.read_all(self.begin()), b'SMTP ready\r\n')

    def test_reused_connections_only(self):
        self.sim.fault('close', match={'reused': True})
        connection = self.begin()
        self.assertEqual(connection.getresponse().read(), self.expected)
        with self.assertRaises(http.client.RemoteDisconnected):
            self.sim.trend_raw(connection=connection)
        connection.close()


class ReplyFaults(Case):
    """Each fault that stands in for the reply or changes its bytes."""

    def faulty(self, name, **params):
        self.sim.admin('POST', 'config', {'faults': []})
        self.sim.fault(name, **params)
        return self.sim.trend_raw()

    def faulty_row(self, name, **params):
        return json.loads(self.faulty(name, **params)[2])['output'][0]

    def test_error(self):
        status, _, body = self.faulty('error')
        self.assertEqual((status, json.loads(body)['msg_cd']), (500, 'EGW00001'))
        status, _, body = self.faulty('error', msg_cd='EGW00202', status=200, msg1='x')
        self.assertEqual((status, json.loads(body)), (
            200, {'rt_cd': '1', 'msg1': 'x', 'msg_cd': 'EGW00202'}))

    def test_times_after_and_match(self):
        self.sim.row()
        self.sim.fault('error', times=2, after=1, match={'pair': 'KSP/0001'}, msg_cd='EGW00300')
        codes = [self.sim.trend()['msg_cd'] for _ in range(5)]
        self.assertEqual(codes, ['MCA00000', 'EGW00300', 'EGW00300', 'MCA00000', 'MCA00000'])
        self.sim.fault('error', match={'market': ['KSQ', 'ETF'], 'kind': 'trend'})
        self.assertEqual(self.sim.trend('KSP', '0002')['rt_cd'], '0')
        self.assertEqual(self.sim.trend('KSQ', '1001')['rt_cd'], '1')
        self.assertEqual(self.sim.daily('20260710', 'KSQ', '1001')['rt_cd'], '0')
        self.sim.fault('error', match={'date': '20260709'})
        self.assertEqual([self.sim.holiday(day)['rt_cd'] for day in ('20260709', '20260710')], ['1', '0'])

    def test_token_faults(self):
        def token(name, times=1, **params):
            self.sim.fault(name, times=times, match={'kind': 'token'}, **params)
            return self.sim.issue()
        self.assertEqual(token('error', msg_cd='EGW00002')[1]['error_code'], 'EGW00002')
        # A refused issue is none, so the minute has not begun
        self.assertNotIn('access_token', token('missing_member')[1])
        self.sim.config(token_min_interval=0)
        self.assertNotIn('expires_in', token('set', remove=['expires_in'])[1])
        self.assertEqual(token('numbers')[1]['expires_in'], 86400)
        said = token('echo_secrets')[1]['error_description']
        self.assertIn(APP_SECRET, said)
        self.assertIn(APP_KEY, said)
        self.assertEqual(self.sim.issue()[0], 200)

    def test_echo_secrets(self):
        said = json.loads(self.faulty('echo_secrets', msg_cd='EGW00003')[2])['msg1']
        for secret in (APP_KEY, APP_SECRET, self.sim.token):
            self.assertIn(secret, said)

    def test_other_replies(self):
        for name, expected in (('html_200', 200), ('html_502', 502)):
            status, headers, body = self.faulty(name)
            self.assertEqual(status, expected)
            self.assertIn('text/html', headers['content-type'])
            self.assertIn(b'<html>', body)
        status, headers, _ = self.faulty('redirect')
        self.assertEqual((status, headers['location']), (302, '/redirected'))
        self.assertEqual(self.faulty('empty_body')[::2], (500, b''))
        self.assertEqual(self.faulty('body', body='[1]', status=503)[::2], (503, b'[1]'))

    def test_bytes(self):
        self.sim.row()
        whole = self.sim.trend_raw()[2]
        cut = self.faulty('truncated_json')[2]
        self.assertTrue(whole.startswith(cut) and len(cut) < len(whole))
        self.assertEqual(self.faulty('trailing_garbage')[2], whole + b' x')
        self.assertEqual(self.faulty('bom')[2], b'\xef\xbb\xbf' + whole)
        for member in ('msg1', 'frgn_ntby_qty'):
            with self.assertRaises(UnicodeDecodeError):
                self.faulty('bad_utf8', member=member)[2].decode()
        for chunked in (False, True):
            status, headers, body = self.faulty('huge_body', bytes=5 << 20, chunked=chunked)
            self.assertEqual(status, 200)
            self.assertGreater(len(body), 5 << 20 if not chunked else 5 << 19)
            self.assertEqual('content-length' in headers, not chunked)
            self.assertEqual(json.loads(body)['rt_cd'], '0')

    def test_output(self):
        row = self.sim.row()
        for name, expected in (('output_object', row), ('output_empty', []),
                               ('output_empty_object', {}), ('output_null', None),
                               ('output_string', 'output'), ('output_two', [row, row])):
            self.assertEqual(json.loads(self.faulty(name)[2])['output'], expected)
        self.assertNotIn('output', json.loads(self.faulty('output_missing')[2]))

    def test_members(self):
        row = self.sim.row()
        self.assertEqual(len(self.faulty_row('extra_member')), 73)
        self.assertEqual(set(row) - set(self.faulty_row('missing_member')), {'frgn_ntby_qty'})
        self.assertEqual(set(row) - set(self.faulty_row('missing_member', member=[
            'prsn_seln_vol', 'bank_ntby_qty'])), {'prsn_seln_vol', 'bank_ntby_qty'})
        self.assertIn('FRGN_NTBY_QTY', self.faulty_row('upper_case'))
        body = self.faulty('duplicate_member', value='9')[2]
        self.assertEqual(body.count(b'"frgn_ntby_qty"'), 2)
        self.assertEqual(json.loads(body)['output'][0]['frgn_ntby_qty'], '9')

    def test_values(self):
        row = self.sim.row()
        self.assertEqual(self.faulty_row('numbers'), {k: int(v) for k, v in row.items()})
        for name, params in (('padded', {}), ('padded', {'style': 'space'}), ('signed', {})):
            changed = self.faulty_row(name, **params)
            self.assertNotEqual(changed, row)
            self.assertEqual({k: int(v) for k, v in changed.items()},
                             {k: int(v) for k, v in row.items()})
        self.assertEqual(set(self.faulty_row('blank').values()), {''})
        self.assertEqual(set(self.faulty_row('null').values()), {None})
        self.assertEqual(set(self.faulty_row('all_blank').values()), {''})
        self.assertEqual(set(self.faulty_row('all_zero').values()), {'0'})
        self.assertGreater(int(self.faulty_row('overflow')['frgn_ntby_qty']), 2 ** 63)
        self.assertEqual(self.faulty_row('text')['frgn_ntby_qty'], 'abc')
        self.assertIn(b'"12\\u00003"', self.faulty('nul_escape')[2])
        self.assertIn(b'"prsn_ntby_qty":1e400,',
                      self.faulty('value', member='prsn_ntby_qty', json='1e400')[2])

    def test_reply_members(self):
        answer = json.loads(self.faulty('msg1_padded')[2])
        self.assertEqual(len(answer['msg1'].encode('euc-kr')), 80)
        answer = json.loads(self.faulty('set', members={'rt_cd': '9'}, remove=['msg1'])[2])
        self.assertEqual((answer['rt_cd'], 'msg1' in answer), ('9', False))

    def test_every_fault_is_delivered(self):
        """No fault is only a name: each is recorded on the request that it hit."""
        for name in sorted(faults.NAMES - {'hang', 'hang_headers', 'hang_body'}):
            self.sim.admin('POST', 'config', {'faults': []})
            self.sim.fault(name, bytes=100, ms=0)
            try:
                self.sim.trend_raw()
            except (http.client.HTTPException, OSError):
                pass
            self.assertEqual(self.sim.requests()[-1]['fault'], name)


if __name__ == '__main__':
    sys.exit(run(sys.modules['__main__']))
