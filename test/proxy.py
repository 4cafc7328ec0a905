#!/usr/bin/env python3
"""A proxy for tests: passes on what it is asked for and says what that was.

Takes requests in the absolute form (http) and CONNECT (https), for loopback
whatever their host is. Prints the port, then a line "METHOD TARGET" for each
request or tunnel; runs until SIGTERM or its parent's end.
"""

import asyncio
import os
import sys
from urllib.parse import urlsplit


async def copy(reader, writer):
    """Pass bytes on until there are no more."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def read_head(reader):
    """The first line's words and the header lines, or None at the end."""
    try:
        head = await reader.readuntil(b'\r\n\r\n')
    except asyncio.IncompleteReadError:
        return None
    first, *headers = head[:-4].decode('latin-1').split('\r\n')
    return first.split(' '), headers


async def serve(reader, writer):
    """One client's connection."""
    upstream = None
    while head := await read_head(reader):
        (method, target, version), headers = head
        print(method, target, flush=True)
        url = urlsplit('//' + target if method == 'CONNECT' else target)
        if upstream is None:
            answers, upstream = await asyncio.open_connection('127.0.0.1', url.port)
            if method == 'CONNECT':
                writer.write(b'HTTP/1.1 200 Connection established\r\n\r\n')
            back = asyncio.create_task(copy(answers, writer))
            if method == 'CONNECT':
                await copy(reader, upstream)
                await back
                return
        path = url.path + ('?' + url.query if url.query else '')
        kept = [line for line in headers if not line.lower().startswith('proxy-')]
        upstream.write('\r\n'.join([f'{method} {path} {version}', *kept, '', '']).encode('latin-1'))
        for line in headers:
            name, value = line.split(':', 1)
            if name.lower() == 'content-length':
                upstream.write(await reader.readexactly(int(value)))
        await upstream.drain()
    if upstream is not None:
        upstream.close()
    writer.close()


async def main():
    parent = os.getppid()
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(0.2)


if __name__ == '__main__':
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
