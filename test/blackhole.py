#!/usr/bin/env python3
"""A listener that never answers, for the phases that no HTTP server can hang.

accept   takes connections and says nothing: the TLS hello stays unanswered
backlog  its queue is full, so that connecting itself hangs

Prints the port, and writes it to --port-file, once it is so; runs until
SIGTERM, SIGINT or, with --exit-with-parent, its parent's end.
"""

import argparse
import errno
import os
import selectors
import signal
import socket
import sys


def fill_backlog(listener):
    """Connect until one more hangs; returns the connections, to be kept."""
    address = listener.getsockname()
    kept = []
    while len(kept) < 64:
        client = socket.socket()
        client.setblocking(False)
        kept.append(client)
        if client.connect_ex(address) not in (0, errno.EINPROGRESS):
            break
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_WRITE)
            # On loopback a connection that can be made is made at once
            if not selector.select(0.2):
                return kept
    sys.exit('blackhole: the backlog cannot be filled here')


def swallow(selector, listener, ready):
    """Take a connection or what it says; let go of those whose client left."""
    if ready is listener:
        client = listener.accept()[0]
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)
        return
    try:
        left = not ready.recv(65536)
    except OSError:
        left = True
    if left:
        selector.unregister(ready)
        ready.close()


def main():
    parent = os.getppid()
    parser = argparse.ArgumentParser(description='A listener that never answers')
    parser.add_argument('mode', choices=('accept', 'backlog'))
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--port-file')
    parser.add_argument('--exit-with-parent', action='store_true')
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))

    listener = socket.create_server(('127.0.0.1', arguments.port), backlog=(
        0 if arguments.mode == 'backlog' else 128))
    kept = fill_backlog(listener) if arguments.mode == 'backlog' else []
    port = listener.getsockname()[1]
    if arguments.port_file:
        with open(arguments.port_file + '.new', 'w', encoding='ascii') as file:
            file.write('%d\n' % port)
        os.replace(arguments.port_file + '.new', arguments.port_file)
    print(port, flush=True)

    with selectors.DefaultSelector() as selector:
        if arguments.mode == 'accept':
            selector.register(listener, selectors.EVENT_READ)
        while not arguments.exit_with_parent or os.getppid() == parent:
            for key, _ in selector.select(0.2):
                swallow(selector, listener, key.fileobj)
    for client in kept:
        client.close()


if __name__ == '__main__':
    main()
