"""How a request differs from the one that KIS documents."""

import json
from collections import namedtuple

QUOTATIONS = '/uapi/domestic-stock/v1/quotations/'

# What a parameter names, and what KIS calls our markets there, if not as we do
Argument = namedtuple('Argument', 'what codes', defaults=(None,))
MARKET, SECTOR, DATE = Argument('market'), Argument('sector'), Argument('date')

# parameters: {name: its one value, MARKET, SECTOR, DATE, or Argument('market', {'KSP': '1'})};
# rows: the member of the reply that holds them
Call = namedtuple('Call', 'path tr_id parameters rows', defaults=('output',))
CALLS = {
    'trend': Call(
        QUOTATIONS + 'inquire-investor-time-by-market', 'FHPTJ04030000',
        {'FID_INPUT_ISCD': MARKET, 'FID_INPUT_ISCD_2': SECTOR}),
    'daily': Call(
        QUOTATIONS + 'inquire-investor-daily-by-market', 'FHPTJ04040000',
        {'FID_COND_MRKT_DIV_CODE': 'U', 'FID_INPUT_ISCD': SECTOR, 'FID_INPUT_DATE_1': DATE,
         'FID_INPUT_ISCD_1': MARKET, 'FID_INPUT_DATE_2': DATE, 'FID_INPUT_ISCD_2': SECTOR}),
    'holiday': Call(
        QUOTATIONS + 'chk-holiday', 'CTCA0903R',
        {'BASS_DT': DATE, 'CTX_AREA_NK': '', 'CTX_AREA_FK': ''}),
    'index': Call(
        QUOTATIONS + 'inquire-index-price', 'FHPUP02100000',
        {'FID_COND_MRKT_DIV_CODE': 'U', 'FID_INPUT_ISCD': SECTOR}),
    'program': Call(
        QUOTATIONS + 'investor-program-trade-today', 'HHPPG046600C1',
        {'EXCH_DIV_CLS_CODE': 'J', 'MRKT_DIV_CLS_CODE': Argument('market', {'KSP': '1', 'KSQ': '4'})},
        'output1'),
}
TREND_PATH, DAILY_PATH, HOLIDAY_PATH = (
    CALLS[kind].path for kind in ('trend', 'daily', 'holiday'))
TOKEN_PATH = '/oauth2/tokenP'

DATA_KINDS = tuple(CALLS)
KINDS = {TOKEN_PATH: 'token', **{call.path: kind for kind, call in CALLS.items()}}
TR_IDS = {kind: call.tr_id for kind, call in CALLS.items()}
PARAMETERS = {kind: call.parameters for kind, call in CALLS.items()}
CONTENT_TYPE = 'application/json; charset=utf-8'
TRANSPORT_HEADERS = frozenset((
    'host', 'user-agent', 'accept', 'accept-encoding', 'connection', 'content-type',
    'content-length'))
DATA_HEADERS = TRANSPORT_HEADERS | {
    'authorization', 'appkey', 'appsecret', 'tr_id', 'tr_cont', 'custtype'}


def data_problems(kind, method, query, headers):
    """Deviations of a data call; query is a list of (name, value)."""
    problems = []
    if method != 'GET':
        problems.append('method is %s, not GET' % method)
    problems += _parameter_problems(kind, query)
    if headers.get('content-type') != CONTENT_TYPE:
        problems.append('content-type is not %s' % CONTENT_TYPE)
    if headers.get('tr_id') != TR_IDS[kind]:
        problems.append('tr_id is not %s' % TR_IDS[kind])
    if headers.get('custtype') != 'P':
        problems.append('custtype is not P')
    authorization = headers.get('authorization')
    if authorization is None:
        problems.append('authorization is missing')
    elif not authorization.startswith('Bearer ') or ' ' in authorization[7:]:
        problems.append('authorization is not "Bearer TOKEN"')
    for name, length in (('appkey', 36), ('appsecret', 180)):
        value = headers.get(name)
        if value is None:
            problems.append('%s is missing' % name)
        elif len(value) != length:
            problems.append('%s has %d characters, not %d' % (name, len(value), length))
    problems += ['unknown header %s' % name for name in headers if name not in DATA_HEADERS]
    return problems


def _parameter_problems(kind, query):
    problems = []
    expected = PARAMETERS[kind]
    given = {}
    for name, value in query:
        upper = name.upper()
        if upper not in expected:
            problems.append('unknown parameter %s' % name)
        elif name != upper:
            problems.append('parameter %s is not in upper case' % name)
        if upper in given:
            problems.append('parameter %s comes twice' % name)
        given[upper] = value
    problems += ['parameter %s is missing' % name for name in expected if name not in given]
    first = {}
    for name, argument in expected.items():
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(argument, Argument):
            if value != argument:
                problems.append('%s is not %s' % (name, argument or 'empty'))
        elif argument.codes:
            if value not in argument.codes.values():
                problems.append('%s is none of %s' % (name, ', '.join(argument.codes.values())))
        elif given[first.setdefault(argument.what, name)] != value:
            problems.append('%s is not %s' % (name, first[argument.what]))
    return problems


def arguments(kind, given):
    """What the parameters of a request name: {'market': 'KSP', 'sector': …, 'date': …}."""
    found = {'market': None, 'sector': None, 'date': None}
    for name, argument in PARAMETERS.get(kind, {}).items():
        if isinstance(argument, Argument) and found[argument.what] is None:
            ours = {code: market for market, code in (argument.codes or {}).items()}
            value = given.get(name)
            found[argument.what] = ours.get(value, value)
    return found


def token_problems(method, raw_query, headers, body):
    """Deviations of a token call."""
    problems = []
    if method != 'POST':
        problems.append('method is %s, not POST' % method)
    if raw_query:
        problems.append('the token call has no query')
    if not headers.get('content-type', '').startswith('application/json'):
        problems.append('content-type is not application/json')
    problems += ['unknown header %s' % name
                 for name in headers if name not in TRANSPORT_HEADERS]
    try:
        given = json.loads(body)
        if not isinstance(given, dict):
            raise ValueError
    except ValueError:
        problems.append('body is not a JSON object')
        return problems
    if given.get('grant_type') != 'client_credentials':
        problems.append('grant_type is not client_credentials')
    for name, length in (('appkey', 36), ('appsecret', 180)):
        value = given.get(name)
        if not isinstance(value, str):
            problems.append('%s is missing' % name)
        elif len(value) != length:
            problems.append('%s has %d characters, not %d' % (name, len(value), length))
    problems += ['unknown member %s' % name for name in given
                 if name not in ('grant_type', 'appkey', 'appsecret')]
    return problems
