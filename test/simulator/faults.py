"""Which fault a request gets.

A fault is {"match": {…}, "fault": NAME, "times": N, "after": M, "params": {…}}.
match (all optional; a list means any of them): kind (a call of documented.py,
token, data, any; default data), market, sector, pair ("KSP/0001"), date (as
the request writes it), reused (true: not the connection's first request).
times: how many requests get it (default all); after: how many are spared
first.  The first fault in the list that matches is the one.  Every fault takes
params.delay_ms: wait first.

fault               params (default)             what happens
On the socket, the reply itself being right:
slow                ms (1000)                    the reply comes late
hang                                             nothing comes, until release
hang_headers                                     half the headers, until release
hang_body                                        half the body, until release
drip                bytes (1), ms (50),          the body bit by bit, or the
                    headers (false)              headers too
short_body          bytes (half)                 the body ends early, and closes
silent_close        ms (0), rst (false)          the kept-alive connection is
                                                 closed ms after the reply
connection_close                                 the reply says Connection: close
until_close                                      no length: ends with the connection
chunked             chunk (200), trailer (false) chunked transfer coding, or with a
                                                 header after the body
gzip                                             gzip, where the client takes it
huge_headers        bytes (1 MiB), line (false)  more headers, or one so long
Instead of the reply (the call isn't done; a token isn't issued):
close               rst (false)                  closed without a byte
error               msg_cd (EGW00001), status    a KIS error in the call's shape
                    (500; token 403), msg1
echo_secrets        msg_cd, status               an error whose text holds the app
                                                 key, the secret and the token
html_200, html_502  status                       a page in HTML
empty_body          status (500)                 no body at all
redirect            status (302), location       elsewhere (/redirected here)
body                body (""), status (200),     any body
                    content_type
raw                 text                         any bytes, then closed
Changed bytes (data calls: in each row; token: in the object itself, which has
no output and no msg1):
truncated_json      bytes (half)                 cut, with a true Content-Length
trailing_garbage    text (" x")                  after the JSON
bad_utf8            member (msg1; token:         bytes that are no UTF-8
                    token_type)
bom                                              a byte order mark first
huge_body           bytes (8 MiB), chunked       valid JSON with a long member
output_object                                    output is the object itself
output_empty, output_empty_object, output_null,
output_string, output_missing
output_two                                       the row twice
extra_member        member, value                one more, in row and reply
missing_member      member                       a member (or list of them) is gone
duplicate_member    member, value ("1")          a second one of the same name
upper_case          member                       a member's name in upper case
blank, null, numbers, padded, signed             "" · null · 1 · "0000000000001" ·
                    member ("*")                 "+1"; padded takes style
                                                 zero or space
overflow            member, value (20 digits)    does not fit a bigint
text                member, value ("abc")        is no number
nul_escape          member                       "12\\u00003"
value               member, json                 any JSON text as the value
all_blank, all_zero                              what KIS gives for wrong codes
msg1_padded         width (80)
mutate              seed (1)                     changed at random, each reply of
                                                 this fault otherwise: mutate.py
set                 members ({}), remove ([])    the reply's own members
member is a name, a list of names, or "*" for all; where it is not said,
frgn_ntby_qty, for the calendar opnd_yn, for the index bstp_nmix_prpr, for
program trading all_ntby_qty, for a token access_token.
"""

from .documented import DATA_KINDS

ON_SOCKET = frozenset((
    'slow', 'hang', 'hang_headers', 'hang_body', 'drip', 'short_body', 'silent_close',
    'connection_close', 'until_close', 'chunked', 'gzip', 'huge_headers'))
INSTEAD = frozenset((
    'close', 'error', 'echo_secrets', 'html_200', 'html_502', 'empty_body', 'redirect',
    'body', 'raw'))
CHANGED = frozenset((
    'truncated_json', 'trailing_garbage', 'bad_utf8', 'bom', 'huge_body', 'output_object',
    'output_empty', 'output_empty_object', 'output_null', 'output_string',
    'output_missing', 'output_two', 'extra_member', 'missing_member', 'duplicate_member',
    'upper_case', 'blank', 'null', 'numbers', 'padded', 'signed', 'overflow', 'text',
    'nul_escape', 'value', 'all_blank', 'all_zero', 'msg1_padded', 'mutate', 'set'))
NAMES = ON_SOCKET | INSTEAD | CHANGED

_KEYS = frozenset(('match', 'fault', 'times', 'after', 'params'))
_MATCHES = frozenset(('kind', 'market', 'sector', 'pair', 'date', 'reused'))


def _among(value, wanted):
    return value in wanted if isinstance(wanted, list) else value == wanted


class Fault:
    """A fault and how often it is still due."""

    def __init__(self, spec):
        if not isinstance(spec, dict) or spec.get('fault') not in NAMES:
            raise ValueError('no such fault: %r' % (spec,))
        self.match = spec.get('match') or {}
        for key in list(spec.keys() - _KEYS) + list(self.match.keys() - _MATCHES):
            raise ValueError('no such key of a fault: %s' % key)
        self.name = spec['fault']
        self.params = spec.get('params') or {}
        self.times = spec.get('times')
        self.after = spec.get('after', 0)
        self.taken = 0

    def matches(self, request, reused):
        match = self.match
        kinds = match.get('kind', 'data')
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not ('any' in kinds or request.kind in kinds
                or ('data' in kinds and request.kind in DATA_KINDS)):
            return False
        return ((('market' not in match) or _among(request.market, match['market']))
                and (('sector' not in match) or _among(request.sector, match['sector']))
                and (('date' not in match) or _among(request.date, match['date']))
                and (('pair' not in match) or _among(
                    '%s/%s' % (request.market, request.sector), match['pair']))
                and (('reused' not in match) or match['reused'] == reused))


def take(faults, request, reused):
    """The fault that this request gets, counted; None if it gets none."""
    for fault in faults:
        if not fault.matches(request, reused):
            continue
        if fault.after > 0:
            fault.after -= 1
            continue
        if fault.times is not None:
            if fault.times <= 0:
                continue
            fault.times -= 1
        fault.taken += 1
        return fault
    return None
