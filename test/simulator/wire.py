"""HTTP/1.1 over asyncio: requests are read, recorded, answered."""

import asyncio
import itertools
from urllib.parse import parse_qsl

from . import deliver
from .documented import DATA_KINDS, KINDS, arguments, data_problems, token_problems
from .faults import take

MAX_HEAD = 65536
MAX_BODY = 1 << 20
BAD_REQUEST = (b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n'
               b'Connection: close\r\n\r\n')


class BadRequest(Exception):
    """What arrived is no HTTP request."""


class Request:
    """A request's head."""

    def __init__(self, head):
        lines = head.decode('latin-1').split('\r\n')
        try:
            self.method, target, self.version = lines[0].split(' ')
            self.headers = {}
            for line in lines[1:]:
                name, value = line.split(':', 1)
                self.headers[name.lower()] = value.strip(' \t')
            self.length = int(self.headers.get('content-length', 0))
        except ValueError:
            raise BadRequest from None
        if not 0 <= self.length <= MAX_BODY or 'transfer-encoding' in self.headers:
            raise BadRequest
        self.path, _, self.raw_query = target.partition('?')
        pairs = parse_qsl(self.raw_query, keep_blank_values=True)
        self.query = dict(pairs)
        self.parameters = {name.upper(): value for name, value in pairs}
        self.kind = KINDS.get(self.path, 'other')
        self.is_admin = self.path.startswith('/_simulator/')
        self.market, self.sector, self.date = arguments(self.kind, self.parameters).values()
        connection = self.headers.get('connection', '').lower()
        self.keep_alive = connection != 'close' and self.version == 'HTTP/1.1'
        self.problems = (data_problems(self.kind, self.method, pairs, self.headers)
                         if self.kind in DATA_KINDS else [])


class Server:
    """What all connections share."""

    def __init__(self, config, answers, records, admin):
        self.config = config
        self.answers = answers
        self.records = records
        self.admin = admin
        self.connections = set()
        self.numbers = itertools.count(1)
        self.heads = {}
        self.released = asyncio.Event()

    def request(self, head):
        """A parsed head; the same bytes are parsed once."""
        request = self.heads.get(head)
        if request is None:
            request = Request(head)
            if len(self.heads) > 2000:
                self.heads.clear()
            self.heads[head] = request
        return request

    def release(self):
        """Let all held requests go on."""
        self.released.set()
        self.released = asyncio.Event()


class Connection(asyncio.Protocol):
    """One TCP connection; its requests are answered one after another."""

    def __init__(self, server):
        self.server = server
        self.buffer = b''
        self.task = None
        self.request_count = 0
        self.is_admin = False
        self.idle_timer = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport):
        self.transport = transport
        self.number = next(self.server.numbers)
        self.server.connections.add(self)

    def connection_lost(self, exc):
        self.server.connections.discard(self)
        self._stop_idle()
        if self.task:
            self.task.cancel()
        self.writable.set()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def data_received(self, data):
        self.buffer += data
        self._stop_idle()
        if self.task is None:
            self._process()

    def _process(self):
        """Answer what is complete in the buffer, until one must wait."""
        while self.task is None and not self.transport.is_closing():
            end = self.buffer.find(b'\r\n\r\n')
            if end < 0:
                if len(self.buffer) > MAX_HEAD:
                    self._refuse()
                break
            try:
                request = self.server.request(self.buffer[:end])
            except BadRequest:
                self._refuse()
                break
            stop = end + 4 + request.length
            if len(self.buffer) < stop:
                break
            body = self.buffer[end + 4:stop]
            self.buffer = self.buffer[stop:]
            self._handle(request, body)
        if self.task is None and not self.buffer:
            self._start_idle()

    def _refuse(self):
        self.transport.write(BAD_REQUEST)
        self.transport.close()

    def _handle(self, request, body):
        server = self.server
        if request.is_admin:
            self.is_admin = True
            self._start(server.admin.handle(self, request, body))
            return
        reused = self.request_count > 0
        self.request_count += 1
        problems = request.problems
        if request.kind == 'token':
            problems = token_problems(request.method, request.raw_query, request.headers, body)
        record = server.records.add(request, body, problems, self.number, reused)
        refusal = server.answers.over_rate(request, record.monotonic)
        fault = None if refusal else take(server.config.fault_list, request, reused)
        delay = server.config['token_latency_ms' if request.kind == 'token' else 'latency_ms']
        if fault or delay:
            self._start(self._handle_slowly(request, body, record, refusal, fault, delay))
            return
        reply = refusal or server.answers.answer(request, body)
        record.status = reply.status
        record.msg_cd = reply.msg_cd
        self.send(request, reply)

    async def _handle_slowly(self, request, body, record, refusal, fault, delay):
        records = self.server.records
        records.begin()
        try:
            if delay:
                await asyncio.sleep(delay / 1000)
            if fault:
                record.fault = fault.name
                await deliver.deliver(self, request, body, record, fault)
                return
            reply = refusal or self.server.answers.answer(request, body)
            record.status = reply.status
            record.msg_cd = reply.msg_cd
            self.send(request, reply)
        except asyncio.CancelledError:
            record.disconnected = True
            raise
        finally:
            records.end()

    def send(self, request, reply):
        """Send a whole reply as it should be."""
        self.transport.write(reply.whole())
        self.end(request)

    def end(self, request):
        """The reply is complete."""
        if not request.keep_alive:
            self.transport.close()

    def _start(self, work):
        self.task = asyncio.get_running_loop().create_task(work)
        self.task.add_done_callback(self._done)

    def _done(self, task):
        self.task = None
        if not task.cancelled() and task.exception():
            asyncio.get_running_loop().call_exception_handler(
                {'message': 'a request failed', 'exception': task.exception()})
            self.transport.abort()
        else:
            self._process()

    def _start_idle(self):
        timeout = self.server.config['idle_timeout_ms']
        if timeout is not None and self.request_count:
            self.idle_timer = asyncio.get_running_loop().call_later(
                timeout / 1000, self.transport.close)

    def _stop_idle(self):
        if self.idle_timer:
            self.idle_timer.cancel()
            self.idle_timer = None


def open_connections(server):
    """Connections of clients, those that asked something of admin aside."""
    return sum(1 for connection in server.connections if not connection.is_admin)
