#!/usr/bin/env python3
"""Runs the KIS simulator until SIGTERM, SIGINT or its parent's end.

What can be set is in simulator/config.py, faults in simulator/faults.py, the
calls below /_simulator/ in simulator/admin.py.
"""

import argparse
import asyncio
import json
import os
import signal
import sys

from simulator import certificate
from simulator.admin import Admin
from simulator.answers import Answers
from simulator.clock import Clock
from simulator.config import Config
from simulator.rate import RateLimit
from simulator.records import Records
from simulator.tokens import Tokens
from simulator.wire import Connection, Server


def parse_arguments():
    parser = argparse.ArgumentParser(description='A simulator of the KIS Open API')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0, help='0: any free one')
    parser.add_argument('--port-file', help='gets the port once it listens')
    parser.add_argument('--tls', action='store_true', help='needs --tls-dir')
    parser.add_argument('--tls-dir', help='gets ca.pem and the certificate')
    parser.add_argument('--tls-names', default='localhost,127.0.0.1',
                        help='hosts that the certificate is for')
    parser.add_argument('--config', default='{}', help='JSON, or a file with it')
    parser.add_argument('--clock', help="Korean local time, '2026-07-10T10:30:00'")
    parser.add_argument('--exit-with-parent', action='store_true')
    arguments = parser.parse_args()
    if arguments.tls and not arguments.tls_dir:
        parser.error('--tls needs --tls-dir')
    return arguments


def start_config(arguments):
    text = arguments.config
    if not text.lstrip().startswith('{'):
        with open(text, encoding='utf-8') as file:
            text = file.read()
    values = json.loads(text)
    if arguments.clock:
        values['clock'] = arguments.clock
    return Config(values)


def make_server(config):
    tokens = Tokens(config)
    rate = RateLimit(config)
    records = Records(config)
    admin = Admin(config, tokens, rate, records)
    server = Server(config, Answers(config, Clock(config), tokens, rate), records, admin)
    admin.attach(server)
    return server


def write_port(name, port):
    with open(name + '.new', 'w', encoding='ascii') as file:
        file.write('%d\n' % port)
    os.replace(name + '.new', name)


async def watch_parent(parent, stop):
    while os.getppid() == parent:
        await asyncio.sleep(0.2)
    stop.set()


async def run(arguments, parent):
    config = start_config(arguments)
    tls = None
    if arguments.tls:
        certificate.make(arguments.tls_dir, arguments.tls_names.split(','))
        tls = certificate.context(arguments.tls_dir)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = make_server(config)
    listener = await loop.create_server(lambda: Connection(server), arguments.host,
                                        arguments.port, ssl=tls, backlog=1024)
    port = listener.sockets[0].getsockname()[1]
    if arguments.port_file:
        write_port(arguments.port_file, port)
    print('KIS simulator (SIMULATED figures) listens on %s://%s:%d'
          % ('https' if tls else 'http', arguments.host, port), flush=True)
    watcher = None
    if arguments.exit_with_parent:
        watcher = loop.create_task(watch_parent(parent, stop))
    await stop.wait()
    if watcher:
        watcher.cancel()
    listener.close()
    for connection in list(server.connections):
        connection.transport.abort()


def main():
    # Asked first: who waits for us may be gone as soon as we say that we listen
    parent = os.getppid()
    try:
        asyncio.run(run(parse_arguments(), parent))
    except (OSError, ValueError) as error:
        sys.exit('kis_simulator: %s' % error)


if __name__ == '__main__':
    main()
