"""What arrived, for tests to assert on."""

import asyncio
import json
import time
from collections import Counter, deque

from .documented import DATA_KINDS


class Record:
    """One request and what became of it."""

    __slots__ = ('seq', 'time', 'monotonic', 'request', 'body', 'problems', 'connection',
                 'reused', 'status', 'msg_cd', 'fault', 'disconnected')

    def app_key(self):
        """Whose request it is; "" where it does not say so."""
        if self.request.kind != 'token':
            return self.request.headers.get('appkey', '')
        try:
            return json.loads(self.body)['appkey']
        except (ValueError, TypeError, KeyError):
            return ''

    def as_dict(self):
        request = self.request
        return {
            'seq': self.seq, 'time': self.time, 'monotonic': self.monotonic,
            'method': request.method, 'path': request.path, 'query': request.query,
            'raw_query': request.raw_query, 'headers': request.headers,
            'body': self.body.decode('utf-8', 'replace'), 'kind': request.kind,
            'market': request.market, 'sector': request.sector, 'date': request.date,
            'connection': self.connection, 'reused': self.reused, 'status': self.status,
            'msg_cd': self.msg_cd, 'fault': self.fault,
            'disconnected': self.disconnected, 'problems': self.problems}


def is_kind(kind, wanted):
    """Whether a request's kind is the wanted one; data and any are groups."""
    return wanted == 'any' or kind == wanted or (wanted == 'data' and kind in DATA_KINDS)


class Records:
    """All requests since the last reset, and those who wait for some."""

    def __init__(self, config):
        self.config = config
        self._waiters = []
        self.held = 0
        self.under_way = 0
        self.forget()

    def forget(self):
        self.all = deque(maxlen=self.config['record_limit'])
        self.counts = Counter()
        self.seq = 0
        self.max_under_way = self.under_way

    def add(self, request, body, problems, connection, reused):
        record = Record()
        self.seq += 1
        record.seq = self.seq
        record.time = time.time()
        record.monotonic = time.monotonic()
        record.request = request
        record.body = body
        record.problems = problems
        record.connection = connection
        record.reused = reused
        record.status = record.msg_cd = record.fault = None
        record.disconnected = False
        self.all.append(record)
        self.counts[request.kind] += 1
        self.notify()
        return record

    def begin(self):
        self.under_way += 1
        self.max_under_way = max(self.max_under_way, self.under_way)

    def end(self):
        self.under_way -= 1

    def hold(self, change):
        """A request is held by a fault (1) or goes on (-1)."""
        self.held += change
        self.notify()

    def count(self, kind):
        if kind == 'held':
            return self.held
        return sum(n for k, n in self.counts.items() if is_kind(k, kind))

    def notify(self):
        if self._waiters:
            for waiter in list(self._waiters):
                kind, wanted, future = waiter
                if self.count(kind) >= wanted and not future.done():
                    future.set_result(None)

    async def wait(self, kind, wanted, timeout):
        """Wait for so many requests of a kind; returns how many there are."""
        if self.count(kind) < wanted:
            waiter = (kind, wanted, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            try:
                await asyncio.wait_for(waiter[2], timeout)
            except asyncio.TimeoutError:
                pass
            finally:
                self._waiters.remove(waiter)
        return self.count(kind)

    def max_in_second(self, kind):
        """The most arrivals of a kind in any one second."""
        window = deque()
        most = 0
        for record in self.all:
            if is_kind(record.request.kind, kind):
                window.append(record.monotonic)
                while window[0] <= record.monotonic - 1:
                    window.popleft()
                most = max(most, len(window))
        return most

    def pairs(self):
        return {(r.request.market, r.request.sector) for r in self.all
                if r.request.market is not None}
