"""The calls below /_simulator/: never recorded, never limited.

GET  requests[?kind=K&since=SEQ]   the records
GET  counts[?since=SEQ]            {"seq": the last one's, "counts": {app key:
                                   {kind: {"KSP/0001", or "" where it has no
                                   pair: how often}}}}
GET  stats                         counts
GET  config                        the settings
GET  wait?kind=K&count=N&timeout=S until so many requests of a kind arrived;
                                   kind: a call of documented.py, token,
                                   other, data, any; held: now held by a fault
POST config   {…}                  merged into the settings
POST fault    {…}                  one more fault
POST reset    {"keep_tokens": false}  all to the start state; held requests go on
POST kill_token {"code": "EGW00121", "allow_issue": true, "hand_back": false}
POST release  {"clear_faults": false}  held requests go on
"""

import json

from .answers import Reply, to_json
from .config import ConfigError
from .records import is_kind
from .wire import open_connections


class Admin:
    """Answers the admin calls; attach() gives it the server."""

    def __init__(self, config, tokens, rate, records):
        self.config = config
        self.tokens = tokens
        self.rate = rate
        self.records = records
        self.server = None

    def attach(self, server):
        self.server = server

    async def handle(self, connection, request, body):
        name = request.path[len('/_simulator/'):]
        call = getattr(self, '_%s_%s' % (request.method.lower(), name), None)
        if call is None:
            status, result = 404, {'error': 'no such call: %s %s' % (request.method, name)}
        else:
            try:
                given = json.loads(body) if body.strip() else {}
                status, result = 200, await call(request.query, given)
            except (ConfigError, ValueError, TypeError, AttributeError) as error:
                status, result = 400, {'error': str(error)}
        connection.send(request, Reply(status, to_json(result) + b'\n'))

    async def _get_requests(self, query, _given):
        kind = query.get('kind', 'any')
        since = int(query.get('since', 0))
        return [record.as_dict() for record in self.records.all if record.seq > since
                and is_kind(record.request.kind, kind)]

    async def _get_counts(self, query, _given):
        counts = {}
        for record in self.records.all:
            if record.seq > int(query.get('since', 0)):
                request = record.request
                of_kind = counts.setdefault(record.app_key(), {}).setdefault(request.kind, {})
                pair = '%s/%s' % (request.market, request.sector) if request.market else ''
                of_kind[pair] = of_kind.get(pair, 0) + 1
        return {'seq': self.records.seq, 'counts': counts}

    async def _get_stats(self, _query, _given):
        records = self.records
        return {
            'counts': dict(records.counts),
            'data': records.count('data'),
            'pairs': len(records.pairs()),
            'tokens_issued': self.tokens.issued,
            'max_in_second': records.max_in_second('any'),
            'max_data_in_second': records.max_in_second('data'),
            'under_way': records.under_way,
            'max_under_way': records.max_under_way,
            'held': records.held,
            'refused_by_rate': self.rate.refused,
            'open_connections': open_connections(self.server),
            'problems': sum(len(record.problems) for record in records.all)}

    async def _get_config(self, _query, _given):
        return self.config.values

    async def _get_wait(self, query, _given):
        wanted = int(query.get('count', 1))
        arrived = await self.records.wait(
            query.get('kind', 'data'), wanted, float(query.get('timeout', 30)))
        return {'arrived': arrived, 'reached': arrived >= wanted}

    async def _post_config(self, _query, given):
        self.config.merge(given)
        return {}

    async def _post_fault(self, _query, given):
        self.config.add_fault(given)
        return {}

    async def _post_reset(self, _query, given):
        self.config.reset()
        self.records.forget()
        self.rate.forget()
        if not given.get('keep_tokens'):
            self.tokens.forget()
        self.server.release()
        return {}

    async def _post_kill_token(self, _query, given):
        return {'killed': self.tokens.kill(**given)}

    async def _post_release(self, _query, given):
        if given.get('clear_faults'):
            self.config.merge({'faults': []})
        released = self.records.held
        self.server.release()
        return {'released': released}
