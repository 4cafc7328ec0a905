"""Faults that change a reply's bytes."""

import json
import re

from .answers import Reply, padded, to_json
from .documented import CALLS
from .mutate import mutated

INTEGER = re.compile(r'-?[0-9]+\Z')
# Stand-ins in a JSON tree for what json.dumps can't write
_RAW = '@raw@'
_TWIN = '@twin@'
# What a fault is about that doesn't say so
_MEMBERS = {'token': 'access_token', 'holiday': 'opnd_yn', 'index': 'bstp_nmix_prpr', 'program': 'all_ntby_qty'}


def distort(reply, request, fault):
    """A changed copy of a reply; the reply itself is kept for others."""
    if fault.name == 'mutate':
        body = mutated(reply.body, fault.params.get('seed', 1), fault.taken)
    elif fault.name in _BYTES:
        body = _BYTES[fault.name](reply.body, request, fault.params)
    else:
        data = json.loads(reply.body)
        _TREE[fault.name](data, request, fault.params)
        body = _text(data)
    return Reply(reply.status, body, reply.msg_cd, reply.content_type, reply.headers)


def _text(data):
    text = to_json(data).decode().replace('"' + _TWIN, '"')
    return re.sub('"%s(.*?)%s"' % (_RAW, _RAW),
                  lambda found: json.loads('"%s"' % found.group(1)), text).encode()


def _raw(text):
    """A value that is written as this JSON text."""
    return _RAW + text + _RAW


def _rows(request):
    """The name of the member with the rows."""
    return CALLS[request.kind].rows if request.kind in CALLS else 'output'


def _objects(data, request):
    """Where a fault's members are: the rows, or the reply itself."""
    output = data.get(_rows(request))
    if isinstance(output, list):
        return output
    return [output] if isinstance(output, dict) else [data]


def _affected(params, request, row, default=None):
    """The members that a fault is about."""
    member = params.get('member', default)
    if member is None:
        member = _MEMBERS.get(request.kind, 'frgn_ntby_qty')
    if member == '*':
        return [name for name in row]
    return member if isinstance(member, list) else [member]


def _each(change, default=None):
    """A fault that changes the value of each member that it is about."""
    def work(data, request, params):
        for row in _objects(data, request):
            for name in _affected(params, request, row, default):
                if name in row:
                    row[name] = change(row[name], params)
    return work


def _is_integer(value):
    return isinstance(value, str) and INTEGER.match(value)


def _number(value, params):
    return _raw(str(int(value))) if _is_integer(value) else value


def _padded(value, params):
    if not _is_integer(value):
        return value
    if params.get('style') == 'space':
        return value.rjust(15) + '  '
    return '-' + value[1:].zfill(14) if value.startswith('-') else value.zfill(15)


def _signed(value, params):
    return '+' + value if _is_integer(value) and not value.startswith('-') else value


def _extra_member(data, request, params):
    for target in [data, *_objects(data, request)]:
        target[params.get('member', 'new_member_of_kis')] = params.get('value', '새 값')


def _missing_member(data, request, params):
    for row in _objects(data, request):
        for name in _affected(params, request, row):
            row.pop(name, None)


def _duplicate_member(data, request, params):
    for row in _objects(data, request):
        for name in _affected(params, request, row):
            row[_TWIN + name] = params.get('value', '1')


def _upper_case(data, request, params):
    for row in _objects(data, request):
        names = _affected(params, request, row)
        renamed = {n.upper() if n in names else n: v for n, v in row.items()}
        row.clear()
        row.update(renamed)


def _output(make):
    def work(data, request, params):
        rows = _rows(request)
        if rows in data:
            data[rows] = make(_objects(data, request))
    return work


def _output_missing(data, request, params):
    data.pop(_rows(request), None)


def _all(value):
    return _output(lambda output: [dict.fromkeys(output[0], value)])


def _msg1_padded(data, request, params):
    if 'msg1' in data:
        data['msg1'] = padded(data['msg1'], params.get('width', 80))


def _set(data, request, params):
    data.update(params.get('members', {}))
    for name in params.get('remove', []):
        data.pop(name, None)


def _truncated(body, request, params):
    return body[:params.get('bytes', len(body) // 2)]


def _trailing_garbage(body, request, params):
    return body + params.get('text', ' x').encode()


def _bad_utf8(body, request, params):
    member = params.get('member', 'token_type' if request.kind == 'token' else 'msg1')
    # The first is EUC-KR, the second a byte that UTF-8 never has
    return re.sub(b'("%s":")[^"]*' % member.encode(), b'\\1\xc1\xa4\xbb\xf3 \xff', body)


def _bom(body, request, params):
    return b'\xef\xbb\xbf' + body


def _huge_body(body, request, params):
    filler = b'x' * max(0, params.get('bytes', 8 << 20) - len(body))
    return body[:-1] + b',"filler":"' + filler + b'"}'


_BYTES = {'truncated_json': _truncated, 'trailing_garbage': _trailing_garbage,
          'bad_utf8': _bad_utf8, 'bom': _bom, 'huge_body': _huge_body}
_TREE = {
    'output_object': _output(lambda output: output[0]),
    'output_empty': _output(lambda output: []),
    'output_empty_object': _output(lambda output: {}),
    'output_null': _output(lambda output: None),
    'output_string': _output(lambda output: 'output'),
    'output_two': _output(lambda output: output + output),
    'output_missing': _output_missing,
    'extra_member': _extra_member,
    'missing_member': _missing_member,
    'duplicate_member': _duplicate_member,
    'upper_case': _upper_case,
    'blank': _each(lambda value, params: '', '*'),
    'null': _each(lambda value, params: None, '*'),
    'numbers': _each(_number, '*'),
    'padded': _each(_padded, '*'),
    'signed': _each(_signed, '*'),
    'overflow': _each(lambda value, params: params.get('value', '99999999999999999999')),
    'text': _each(lambda value, params: params.get('value', 'abc')),
    'nul_escape': _each(lambda value, params: '12\x003'),
    'value': _each(lambda value, params: _raw(params.get('json', 'null'))),
    'all_blank': _all(''),
    'all_zero': _all('0'),
    'msg1_padded': _msg1_padded,
    'set': _set,
}
