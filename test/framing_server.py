#!/usr/bin/env python3
"""A KIS whose replies are framed as no server should: for t/163_framing.t.

Each pair has its own figure in all members: KSP 111, KSQ 222, ETF 333, ELW 444,
and 666 is nobody's. Replies to KSP are framed as the control port says, the
others well. Prints "PORT TLS_PORT CONTROL_PORT"; ends with its parent.

Control, a line each, answered by a line of JSON:
  case NAME   the next reply to KSP is this one of CASES
  random N    it is made at random from the seed N
  settled     waits until all of it has been sent; tells what was sent, and the
              connections and requests of KIS's calls so far
"""

import asyncio
import json
import os
import random
import sys
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from simulator import catalog, certificate  # noqa: E402

FIGURES = {'KSP': 111, 'KSQ': 222, 'ETF': 333, 'ELW': 444}
TR_ID = 'FHPTJ04030000'


def body_of(figure):
    output = dict.fromkeys(catalog.MEMBER_NAMES, str(figure))
    return json.dumps({'output': [output], 'rt_cd': '0', 'msg_cd': 'MCA00000', 'msg1': 'good'}).encode()


def head(*lines, status='200 OK', version='HTTP/1.1', tr_id=TR_ID):
    first = [f'{version} {status}', 'content-type: application/json; charset=utf-8', f'tr_id: {tr_id}']
    return '\r\n'.join([*first, *lines, '', '']).encode()


def chunks(body, sizes=()):
    parts, at = [], 0
    for size in [*sizes, len(body)]:
        part = body[at:at + size]
        if part:
            parts.append(b'%x\r\n%s\r\n' % (len(part), part))
        at += size
    return b''.join(parts)


def with_length(figure, *more, **of_head):
    body = body_of(figure)
    return head(f'content-length: {len(body)}', *more, **of_head) + body


def chunked(figure, *more, sizes=(), trailer=b''):
    return head('transfer-encoding: chunked', *more) + chunks(body_of(figure), sizes) + b'0\r\n' + trailer + b'\r\n'


def chunked_and_length(figure):
    return chunked(figure, f'content-length: {len(body_of(figure))}')


A, B = with_length(111), with_length(666)
LATE = 0.02
FAREWELL = b'HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'

# What is sent for KSP: bytes, and pauses in seconds
CASES = {
    'well framed': [A],
    'chunked': [chunked(111)],
    'two replies': [A, LATE, B],
    'two replies, chunked': [chunked(111), LATE, B],
    'chunked and a length': [chunked_and_length(111), LATE, B],
    '204 with a length': [head('content-length: 5', status='204 No Content'), LATE, B],
    '304 with a length': [head('content-length: 5', status='304 Not Modified'), LATE, B],
    'line ends': [A, LATE, b'\r\n\r\n'],
    'line end and a reply': [A, LATE, b'\r\n' + B],
    'a farewell': [A, LATE, FAREWELL],
    'a part of a reply': [A, LATE, B[:100]],
    'two replies at once': [A + B],
    'two replies at once, chunked': [chunked(111) + B],
    'a reply and a part': [A + B[:100], LATE, B[100:]],
    'a byte': [A, LATE, b'H'],
    'another call': [with_length(666, tr_id='FHPTJ04040000')],
    'another call, chunked': [head('transfer-encoding: chunked', tr_id='FHPTJ04040000') + chunks(body_of(666)) + b'0\r\n\r\n'],
}


def random_reply(rng):
    """KSP's own reply, in a framing that is good or odd; and is it good?"""
    sizes = [rng.randint(1, 900) for _ in range(rng.randint(0, 5))]
    return rng.choice([
        (with_length(111), True),
        (chunked(111, sizes=sizes), True),
        (chunked_and_length(111), False),
        (chunked(111, sizes=sizes, trailer=b'x-more: 1\r\n'), False),
        (with_length(111, f'content-length: {len(body_of(111))}'), False),
        (with_length(111, 'connection: close'), False),
        (with_length(111, 'connection: keep-alive', version='HTTP/1.0'), False),
        (head('connection: close') + body_of(111), False),
        (b'HTTP/1.1 100 Continue\r\n\r\n' + with_length(111), False),
        (head('content-length: 5', status='204 No Content'), False),
        (head('content-length: 5', status='304 Not Modified'), False),
        (with_length(111, 'x-folded: a\r\n b'), False),
    ])


def random_surplus(rng):
    """What no request has asked for."""
    return rng.choice([
        b'', b'', b'', B, chunked(666), chunked_and_length(666), with_length(666, 'connection: close'),
        b'\r\n' * rng.randint(1, 4), b'\r\n' + B, FAREWELL, B + with_length(666),
        B[:rng.randint(1, len(B) - 1)], chunked(666)[:rng.randint(1, len(B))],
        bytes(rng.randrange(256) for _ in range(rng.randint(1, 300))),
        b'HTTP/1.1 100 Continue\r\n\r\n', head('content-length: 5', status='204 No Content'),
        with_length(666, tr_id='FHPTJ04040000'), b'0\r\n\r\n', b'hello',
    ])


def random_steps(seed):
    """Bytes cut anywhere, with pauses between, and whether all of it is clean."""
    rng = random.Random(seed)
    reply, good = random_reply(rng)
    surplus = random_surplus(rng)
    together = rng.random() < 0.4
    sent = reply + surplus if together else reply
    cuts = sorted(rng.randrange(1, len(sent)) for _ in range(rng.choice([0, 0, 1, 2, 4])))
    steps = []
    for begin, end in zip([0, *cuts], [*cuts, len(sent)]):
        steps += [sent[begin:end], rng.choice([0, 0, 0.001, 0.003])]
    if surplus and not together:
        cut = rng.randrange(len(surplus))
        steps += [rng.choice([0, 0.001, 0.01]), surplus[:cut], rng.choice([0, 0.002]), surplus[cut:]]
    return steps, good and not surplus


class Kis:
    def __init__(self):
        self.connections = 0
        self.requests = 0
        self.steps, self.is_clean = CASES['well framed'], True
        self.sending = 0
        self.sent = asyncio.Condition()

    async def read_request(self, reader):
        text = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
        for line in text.split('\r\n'):
            if line.lower().startswith('content-length:'):
                await reader.readexactly(int(line.split(':')[1]))
        return urlsplit(text.split(' ')[1])

    async def send(self, writer, steps):
        self.sending += 1
        try:
            for step in steps:
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await asyncio.sleep(step)
        finally:
            async with self.sent:
                self.sending -= 1
                self.sent.notify_all()

    async def serve(self, reader, writer):
        counted = False
        try:
            while True:
                url = await self.read_request(reader)
                if url.path == '/oauth2/tokenP':
                    body = b'{"access_token":"TOKEN.OF.FRAMING","token_type":"Bearer","expires_in":86400}'
                    writer.write(head(f'content-length: {len(body)}', 'connection: close', tr_id='') + body)
                    break
                self.connections += not counted
                counted = True
                self.requests += 1
                market = parse_qs(url.query)['FID_INPUT_ISCD'][0]
                if market == 'KSP':
                    await self.send(writer, self.steps)
                    if b'connection: close' in b''.join(s for s in self.steps if isinstance(s, bytes)):
                        break
                else:
                    writer.write(with_length(FIGURES[market]))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def control(self, reader, writer):
        while line := (await reader.readline()).decode().strip():
            command, _, argument = line.partition(' ')
            answer = {}
            if command == 'settled':
                async with self.sent:
                    await self.sent.wait_for(lambda: self.sending == 0)
                answer = {'connections': self.connections, 'requests': self.requests,
                          'clean': self.is_clean, 'sent': repr(self.steps)[:3000]}
            else:
                self.steps, self.is_clean = (random_steps(int(argument)) if command == 'random'
                                             else (CASES[argument], len(CASES[argument]) == 1))
            writer.write(json.dumps(answer).encode() + b'\n')
            await writer.drain()
        writer.close()


async def main(directory):
    parent = os.getppid()
    certificate.make(directory, ['127.0.0.1'])
    context = certificate.context(directory)
    kis = Kis()
    servers = [await asyncio.start_server(kis.serve, '127.0.0.1', 0),
               await asyncio.start_server(kis.serve, '127.0.0.1', 0, ssl=context),
               await asyncio.start_server(kis.control, '127.0.0.1', 0)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(0.2)


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1]))
