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
    if fault.name in _ON_CONNECTION:
        await _ON_CONNECTION[fault.name](connection, request, body, record, params)
        return
    if fault.name in _INSTEAD:
        reply = _INSTEAD[fault.name](request, body, params)
    else:
        reply = _answer(connection, request, body)
        if fault.name in CHANGED and reply.ok:
            reply = distort(reply, request, fault)
            if params.get('chunked'):
                _note(record, reply)
                await _send_chunked(connection, request, reply, 65536)
                return
    _note(record, reply)
    connection.send(request, reply)


def _answer(connection, request, body):
    return connection.server.answers.answer(request, body)


def _note(record, reply):
    record.status = reply.status
    record.msg_cd = reply.msg_cd


async def _hold(connection):
    records = connection.server.records
    records.hold(1)
    try:
        await connection.server.released.wait()
    finally:
        records.hold(-1)


def _close(connection, rst):
    if rst:
        raw = connection.transport.get_extra_info('socket')
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.transport.abort()
    else:
        connection.transport.close()


async def _slow(connection, request, body, record, params):
    await asyncio.sleep(params.get('ms', 1000) / 1000)
    reply = _answer(connection, request, body)
    _note(record, reply)
    connection.send(request, reply)


async def _hang(connection, request, body, record, params):
    await _hold(connection)
    await _slow(connection, request, body, record, {'ms': 0})


async def _hang_within(connection, request, body, record, cut):
    """Send a part of the reply, hold, send the rest; cut says where."""
    reply = _answer(connection, request, body)
    _note(record, reply)
    head = len(reply.head())
    whole = reply.whole()
    at = cut(head, len(whole))
    connection.transport.write(whole[:at])
    await _hold(connection)
    connection.transport.write(whole[at:])
    if not request.keep_alive:
        connection.transport.close()


async def _hang_headers(connection, request, body, record, params):
    await _hang_within(connection, request, body, record, lambda head, whole: head // 2)


async def _hang_body(connection, request, body, record, params):
    await _hang_within(connection, request, body, record,
                       lambda head, whole: (head + whole) // 2)


async def _drip(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    whole = reply.whole()
    at = 0 if params.get('headers') else len(reply.head())
    connection.transport.write(whole[:at])
    size = max(1, params.get('bytes', 1))
    while at < len(whole):
        await asyncio.sleep(params.get('ms', 50) / 1000)
        connection.transport.write(whole[at:at + size])
        at += size
    if not request.keep_alive:
        connection.transport.close()


async def _close_at_once(connection, request, body, record, params):
    _close(connection, params.get('rst'))


async def _short_body(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    connection.transport.write(reply.head() + reply.body[:params.get('bytes', len(reply.body) // 2)])
    connection.transport.close()


async def _silent_close(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    connection.send(request, reply)
    asyncio.get_running_loop().call_later(
        params.get('ms', 0) / 1000, _close, connection, params.get('rst'))


async def _connection_close(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    connection.transport.write(reply.head(connection='close') + reply.body)
    connection.transport.close()


async def _until_close(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    connection.transport.write(reply.head(length=None) + reply.body)
    connection.transport.close()


async def _chunked(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    await _send_chunked(connection, request, reply, max(1, params.get('bytes', 200)))


async def _send_chunked(connection, request, reply, size):
    reply.headers = (*reply.headers, ('Transfer-Encoding', 'chunked'))
    connection.transport.write(reply.head(length=None))
    for at in range(0, len(reply.body), size):
        piece = reply.body[at:at + size]
        connection.transport.write(b'%x\r\n%s\r\n' % (len(piece), piece))
        await connection.writable.wait()
    connection.transport.write(b'0\r\n\r\n')
    if not request.keep_alive:
        connection.transport.close()


async def _gzip(connection, request, body, record, params):
    reply = _answer(connection, request, body)
    _note(record, reply)
    if 'gzip' in request.headers.get('accept-encoding', ''):
        reply = Reply(reply.status, gzip.compress(reply.body), reply.msg_cd,
                      headers=(*reply.headers, ('Content-Encoding', 'gzip')))
    connection.send(request, reply)


async def _raw(connection, request, body, record, params):
    connection.transport.write(params.get('text', 'SSH-2.0-nothing\r\n').encode('latin-1'))
    connection.transport.close()


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
    return Reply(params.get('status', 302), b'', headers=(('Location', params.get('location', '/redirected')),))


def _body(request, body, params):
    return Reply(params.get('status', 200), params.get('body', '').encode(),
                 content_type=params.get('content_type', 'application/json; charset=utf-8'))


_ON_CONNECTION = {
    'slow': _slow, 'hang': _hang, 'hang_headers': _hang_headers, 'hang_body': _hang_body,
    'drip': _drip, 'close': _close_at_once, 'short_body': _short_body,
    'silent_close': _silent_close, 'connection_close': _connection_close,
    'until_close': _until_close, 'chunked': _chunked, 'gzip': _gzip, 'raw': _raw}
_INSTEAD = {
    'error': _error, 'echo_secrets': _echo_secrets, 'html_200': _html(200),
    'html_502': _html(502), 'empty_body': _empty_body, 'redirect': _redirect, 'body': _body}
