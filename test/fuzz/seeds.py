#!/usr/bin/env -S python3 -B
"""Writes what the simulator answers, with each of its faults, and the answers
of test/fixtures as a corpus.

    test/fuzz/seeds.py DIRECTORY

makes DIRECTORY/reply, DIRECTORY/token and DIRECTORY/text.
"""

import json
import os
import sys
from types import SimpleNamespace

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'test'))

from simulator.answers import Answers, data_error, to_json, token_error  # noqa: E402
from simulator.clock import Clock  # noqa: E402
from simulator.config import APP_KEY, APP_SECRET, Config  # noqa: E402
from simulator.distort import distort  # noqa: E402
from simulator.documented import PARAMETERS, TR_IDS  # noqa: E402
from simulator.faults import CHANGED, Fault  # noqa: E402
from simulator.rate import RateLimit  # noqa: E402
from simulator.tokens import Tokens  # noqa: E402

# Rows of a daily reply: it goes on alike
DAILY_ROWS = 2

# Bytes that are no text, each within a figure
NO_TEXT = {'euc_kr': b'\xc1\xa4\xbb\xf3', 'nul': b'1\x002', 'control': b'1\x012',
           'surrogate': b'\xed\xa0\x80', 'overlong': b'\xc0\xb1', 'number': b'\xff12',
           'past_unicode': b'\xf4\x90\x80\x80', 'cut': b'\xec\xa0'}


def request(kind, token):
    headers = {'appkey': APP_KEY, 'appsecret': APP_SECRET, 'authorization': 'Bearer ' + token,
               'custtype': 'P', 'tr_id': TR_IDS.get(kind), 'content-type': 'application/json'}
    return SimpleNamespace(kind=kind, method='POST' if kind == 'token' else 'GET', headers=headers,
                           parameters=PARAMETERS.get(kind, ()), market='KSP', sector='0001',
                           date='20260710')


def answers():
    """A reply of each kind, by its name."""
    config = Config({'clock': '2026-07-10T10:30:00', 'token_min_interval': 0})
    source = Answers(config, Clock(config), Tokens(config), RateLimit(config))
    login = to_json({'grant_type': 'client_credentials', 'appkey': APP_KEY, 'appsecret': APP_SECRET})
    found = {'token': source.answer(request('token', ''), login)}
    token = json.loads(found['token'].body)['access_token']
    for kind in ('trend', 'daily', 'holiday', 'index', 'program'):
        found[kind] = source.answer(request(kind, token), b'')
    short = json.loads(found['daily'].body)
    short['output'] = short['output'][:DAILY_ROWS]
    found['daily'].body = to_json(short)
    return token, found


def fixtures():
    """Those files' names and contents."""
    directory = os.path.join(TOP, 'test', 'fixtures')
    for name in sorted(os.listdir(directory)):
        if name.endswith('.json'):
            with open(os.path.join(directory, name), 'rb') as file:
                yield name[:-len('.json')], file.read()


def write(directory, name, body):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), 'wb') as file:
        file.write(body)


def main():
    top = sys.argv[1]
    token, found = answers()
    for kind, reply in found.items():
        assert reply.ok, reply.body
        directory = os.path.join(top, 'token' if kind == 'token' else 'reply')
        write(directory, kind, reply.body)
        for name in sorted(CHANGED - {'huge_body'}):
            try:
                changed = distort(reply, request(kind, token), Fault({'fault': name}))
            except KeyError:
                continue    # a fault of output in a reply that has none
            write(directory, '%s-%s' % (kind, name), changed.body)
    for name, body in fixtures():
        write(os.path.join(top, 'token' if name == 'token' else 'reply'), 'fixture-' + name, body)
    for code in ('EGW00001', 'EGW00123', 'EGW00201', 'EGW02006', 'OPSQ0002'):
        write(os.path.join(top, 'reply'), code, data_error(code).body)
    for code in ('EGW00103', 'EGW00105', 'EGW00133'):
        write(os.path.join(top, 'token'), code, token_error(code).body)
    for name, figure in NO_TEXT.items():
        body = b'{"output":[{"frgn_ntby_qty":"%s"}],"rt_cd":"0"}' % figure
        write(os.path.join(top, 'reply'), 'bytes-' + name, body)
        write(os.path.join(top, 'text'), 'bytes-' + name, b'a\n\n\n' + figure)
    write(os.path.join(top, 'reply'), 'utf16', found['trend'].body.decode().encode('utf-16'))
    secrets = '%s\n%s\n%s\n' % (APP_KEY, APP_SECRET, token)
    for name, text in (('said', 'refused: %s %s Bearer %s'),
                       ('json', '{"a":"%s","b":["%s"],"%s":"x"}')):
        write(os.path.join(top, 'text'), name, (secrets + text % (APP_KEY, APP_SECRET, token)).encode())
    write(os.path.join(top, 'text'), 'cut', (secrets + 'refused: ' + APP_SECRET[:100]).encode())
    write(os.path.join(top, 'text'), 'escaped', (
        secrets + '{"a":"%s"}' % APP_SECRET.replace('/', '\\/').replace('+', '\\u002b')).encode())


if __name__ == '__main__':
    main()
