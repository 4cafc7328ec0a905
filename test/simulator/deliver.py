"""Faults that act on the socket, and those that stand in for the reply."""

import asyncio
import gzip
import json
import socket
import struct

from .answers import Reply, data_error, token_error
from .distort import distort
from .faults import CHANGED

HTML = ('<!DOCTYPE html>\n<html><head><title>%d</title></head>'
        '<body><h1>서비스 점검 중입니다</h1></body></html>\n')


async def deliver(connection, request, body, record, fault):
    """Answer a request that got a fault."""
    params = fault.params
    if 'delay_ms' in params:
        await asyncio.sleep(params['delay_ms'] / 1000)
    if fault.name in _WITHOUT_REPLY:
        _WITHOUT_REPLY[fault.name](connection, params)
        return
    # A call that is late is done late: of those who left nothing is remembered
    if fault.name == 'slow':
        await asyncio.sleep(params.get('ms', 1000) / 1000)
    elif fault.name == 'hang':
        await _hold(connection)
    if fault.name in _INSTEAD:
        reply = _INSTEAD[fault.name](request, body, params)
    else:
        reply = connection.server.answers.answer(request, body)
        if fault.name in CHANGED and reply.ok:
            reply = distort(reply, request, fault)
    record.status = reply.status
    record.msg_cd = reply.msg_cd
    await _SENDING.get(fault.name, _whole)(connection, request, reply, params)


async def _hold(connection):
    records = connection.server.records
    records.hold(1)
    try:
        await connection.server.released.wait()
    finally:
        records.hold(-1)


def _close(connection, params):
    if params.get('rst'):
        raw = connection.transport.get_extra_info('socket')
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.transport.abort()
    else:
        connection.transport.close()


def _raw(connection, params):
    connection.transport.write(params.get('text', 'SSH-2.0-nothing\r\n').encode('latin-1'))
    connection.transport.close()


async def _whole(connection, request, reply, params):
    connection.send(request, reply)


async def _hang_headers(connection, request, reply, params):
    await _hang_at(connection, request, reply, len(reply.head()) // 2)


async def _hang_body(connection, request, reply, params):
    await _hang_at(connection, request, reply, (len(reply.head()) + len(reply.whole())) // 2)


async def _hang_at(connection, request, reply, at):
    whole = reply.whole()
    connection.transport.write(whole[:at])
    await _hold(connection)
    connection.transport.write(whole[at:])
    connection.end(request)


async def _drip(connection, request, reply, params):
    whole = reply.whole()
    at = 0 if params.get('headers') else len(reply.head())
    connection.transport.write(whole[:at])
    size = max(1, params.get('bytes', 1))
    while at < len(whole):
        await asyncio.sleep(params.get('ms', 50) / 1000)
        connection.transport.write(whole[at:at + size])
        at += size
    connection.end(request)


async def _short_body(connection, request, reply, params):
    sent = params.get('bytes', len(reply.body) // 2)
    connection.transport.write(reply.head() + reply.body[:sent])
    connection.transport.close()


async def _silent_close(connection, request, reply, params):
    connection.send(request, reply)
    asyncio.get_running_loop().call_later(
        params.get('ms', 0) / 1000, _close, connection, params)


async def _connection_close(connection, request, reply, params):
    connection.transport.write(reply.head(connection='close') + reply.body)
    connection.transport.close()


async def _until_close(connection, request, reply, params):
    connection.transport.write(reply.head(length=False) + reply.body)
    connection.transport.close()


async def _chunked(connection, request, reply, params):
    coding = (*reply.headers, ('Transfer-Encoding', 'chunked'))
    connection.transport.write(reply.head(length=False, headers=coding))
    size = max(1, params.get('chunk', 200))
    for at in range(0, len(reply.body), size):
        piece = reply.body[at:at + size]
        connection.transport.write(b'%x\r\n%s\r\n' % (len(piece), piece))
        await connection.writable.wait()
    trailer = b'X-Checksum: 0\r\n' if params.get('trailer') else b''
    connection.transport.write(b'0\r\n%s\r\n' % trailer)
    connection.end(request)


async def _huge_body(connection, request, reply, params):
    if params.get('chunked'):
        await _chunked(connection, request, reply, {'chunk': 65536})
    else:
        connection.send(request, reply)


async def _gzip(connection, request, reply, params):
    if 'gzip' in request.headers.get('accept-encoding', ''):
        reply = Reply(reply.status, gzip.compress(reply.body), reply.msg_cd,
                      headers=(*reply.headers, ('Content-Encoding', 'gzip')))
    connection.send(request, reply)


async def _huge_headers(connection, request, reply, params):
    size = params.get('bytes', 1 << 20)
    names = ['X-Huge'] if params.get('line') else ['X-Huge-%d' % n for n in range(size // 1000)]
    huge = tuple((name, 'x' * (size // len(names))) for name in names)
    connection.transport.write(reply.head(headers=(*reply.headers, *huge)) + reply.body)
    connection.end(request)


def _error(request, body, params):
    make, status = (token_error, 403) if request.kind == 'token' else (data_error, 500)
    return make(params.get('msg_cd', 'EGW00001'), params.get('status', status),
                params.get('msg1'))


def _echo_secrets(request, body, params):
    headers = request.headers
    said = [headers.get('appkey'), headers.get('appsecret'), headers.get('authorization')]
    if request.kind == 'token':
        given = json.loads(body)
        said = [given.get('appkey'), given.get('appsecret')]
    return _error(request, body, dict(params, msg1='거부: ' + ' '.join(filter(None, said))))


def _html(status):
    def page(request, body, params):
        code = params.get('status', status)
        return Reply(code, (HTML % code).encode(), content_type='text/html; charset=utf-8')
    return page


def _empty_body(request, body, params):
    return Reply(params.get('status', 500), b'')


def _redirect(request, body, params):
    location = params.get('location', '/redirected')
    return Reply(params.get('status', 302), b'', headers=(('Location', location),))


def _body(request, body, params):
    return Reply(params.get('status', 200), params.get('body', '').encode(),
                 content_type=params.get('content_type', 'application/json; charset=utf-8'))


_WITHOUT_REPLY = {'close': _close, 'raw': _raw}
_SENDING = {
    'hang_headers': _hang_headers, 'hang_body': _hang_body, 'drip': _drip,
    'short_body': _short_body, 'silent_close': _silent_close,
    'connection_close': _connection_close, 'until_close': _until_close,
    'chunked': _chunked, 'huge_body': _huge_body, 'huge_headers': _huge_headers,
    'gzip': _gzip}
_INSTEAD = {
    'error': _error, 'echo_secrets': _echo_secrets, 'html_200': _html(200),
    'html_502': _html(502), 'empty_body': _empty_body, 'redirect': _redirect, 'body': _body}
