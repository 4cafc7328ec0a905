"""Replies changed at random; a seed and a number make the same change again."""

import random
import re

# What stands in JSON between two of these is one token
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.0-9eE]+|[{}\[\]:,]|\s+|.', re.S)
INTEGER = re.compile(rb'"?-?[0-9]+"?')
MEMBER = re.compile(rb'("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|[-+.0-9eE]+)')

NUMBERS = [str(n) for n in (
    0, 1, -1, 7, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, -2**63, 2**63, -2**63 - 1, 2**64, 10**18,
    10**19, 10**30)] + [
    '-0', '+5', '007', '-0012', '0' * 40 + '3', '1.0', '1.', '.5', '1e3', '1E+2', '1e400', '12e-1',
    '0x1F', '0b1', '1_000', '1,000', '--1', '+-1', '-', '+', '', ' ', ' 12 ', '\t3\n', '1 2', 'NaN',
    'Infinity', '-Infinity', '12abc', '１２', '٣', '−5', '5\u00a0', '\u200b5']
VALUES = [b'null', b'true', b'false', b'""', b'"  "', b'{}', b'[]', b'["1"]', b'{"a":"1"}', b'"\\u0031"',
          b'"1\\u00002"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\udc00"', b'"\\x31"', b'"\\\n"', b'NaN',
          b'undefined', b"'1'", b'nul', b'TRUE', b'"Y"', b'"N"', b'"y"', b'"20260708"', b'"20260230"',
          b'"2027-02-28 24:00:00"', b'"2020-02-29 23:59:60"']
WORDS = [b'{', b'}', b'[', b']', b',', b':', b'"', b'\\', b'0', b'9', b'-', b'+', b'.', b'e', b'_', b' ',
         b'\n', b'\x00', b'\x01', b'\x7f', b'\xff', b'\xc0\xb1', b'\xed\xa0\x80', b'\xc1\xa4\xbb\xf3',
         b'\xf4\x90\x80\x80', b'\xef\xbb\xbf', '정'.encode(), b'\\u0000', b'\\u', b'//', b'/**/', b',,',
         b'"output":', b'"rt_cd":"0",', b'"frgn_ntby_qty":"1",', b'"new":"1",']
# Not those of a token or of the rate: they have the call done again
CODES = [b'KIOK0500', b'MCA00001', b'', b' ', b'EGW00001', b'EGW02006', b'OPSQ2001', b'OPSQ0002', b'new']


def mutated(body, seed, number):
    """The body with some changes; now and then with none."""
    source = random.Random('%s/%d' % (seed, number))
    for _ in range(source.choice((0, 1, 1, 1, 1, 2, 2, 3))):
        body = source.choice(CHANGES)(source, body)
    return body


def _place(source, body):
    return source.randrange(len(body) + 1)


def _flip(source, body):
    at = _place(source, body)
    return body[:at] + bytes([source.randrange(256)]) + body[at + 1:]


def _flip_bit(source, body):
    at = _place(source, body)
    return body[:at] + bytes(c ^ 1 << source.randrange(8) for c in body[at:at + 1]) + body[at + 1:]


def _delete(source, body):
    at = _place(source, body)
    return body[:at] + body[at + source.choice((1, 1, 2, 5, 30, 300)):]


def _insert(source, body):
    at = _place(source, body)
    return body[:at] + source.choice(WORDS) + body[at:]


def _repeat(source, body):
    at = _place(source, body)
    end = at + source.choice((1, 2, 10, 40, 400))
    return body[:end] + body[at:end] * source.choice((1, 1, 2, 20)) + body[end:]


def _truncate(source, body):
    return body[:_place(source, body)]


def _swap(source, body):
    tokens = TOKEN.findall(body)
    if len(tokens) > 1:
        a, b = source.sample(range(len(tokens)), 2)
        tokens[a], tokens[b] = tokens[b], tokens[a]
    return b''.join(tokens)


def _swap_values(source, body):
    """Figures change places: all right, but they are others' now."""
    found = list(MEMBER.finditer(body))
    if len(found) < 2:
        return body
    first, second = sorted(source.sample(range(len(found)), 2))
    (a, b), (c, d) = found[first].span(2), found[second].span(2)
    return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]


def _value_of_other(source, body):
    """A member has what the same one of another row has, too."""
    found = list(MEMBER.finditer(body))
    if not found:
        return body
    chosen = source.choice(found)
    other = source.choice([member for member in found if member.group(1) == chosen.group(1)])
    return body[:chosen.start(2)] + other.group(2) + body[chosen.end(2):]


def _number(source, body):
    found = list(INTEGER.finditer(body))
    if not found:
        return body
    chosen = source.choice(found)
    number = source.choice(NUMBERS)
    if source.random() < 0.4:
        number = str(source.randrange(-10**source.randrange(1, 21), 10**source.randrange(1, 21)))
    text = number.encode()
    if source.random() < 0.75:
        text = b'"%s"' % text.replace(b'\t', b'\\t').replace(b'\n', b'\\n')
    return body[:chosen.start()] + text + body[chosen.end():]


def _value(source, body):
    found = list(MEMBER.finditer(body))
    if not found:
        return body
    chosen = source.choice(found)
    return body[:chosen.start(2)] + source.choice(VALUES) + body[chosen.end(2):]


def _twice(source, body):
    found = list(MEMBER.finditer(body))
    if not found:
        return body
    one, other = source.choice(found), source.choice(found)
    at = source.choice((one, other)).start()
    return body[:at] + b'%s:%s,' % (one.group(1), other.group(2)) + body[at:]


def _rename(source, body):
    found = list(MEMBER.finditer(body))
    if not found:
        return body
    chosen = source.choice(found)
    name = chosen.group(1)
    name = source.choice((name.upper(), name.title(), b'"x' + name[1:], name[:-1] + b' "', b'""',
                          source.choice(found).group(1)))
    return body[:chosen.start(1)] + name + body[chosen.end(1):]


def _escape(source, body):
    """A letter as \\u: it means the same."""
    found = list(re.finditer(rb'[a-z0-9_]', body))
    if not found:
        return body
    at = source.choice(found).start()
    return body[:at] + b'\\u%04x' % body[at] + body[at + 1:]


def _space(source, body):
    tokens = TOKEN.findall(body)
    at = source.randrange(len(tokens) + 1)
    tokens.insert(at, source.choice((b' ', b'\n', b'\t', b'\r\n', b'   ', b'\x0b', b'\x0c', b'\xc2\xa0')))
    return b''.join(tokens)


def _nest(source, body):
    found = list(MEMBER.finditer(body))
    depth = source.choice((1, 5, 28, 29, 30, 31, 32, 33, 100, 5000))
    inner = b'[' * depth + b']' * source.choice((depth, depth, depth, depth - 1))
    if not found:
        return body
    at = source.choice(found).start()
    return body[:at] + b'"deep":' + inner + b',' + body[at:]


def _members(source, body):
    found = list(MEMBER.finditer(body))
    if not found:
        return body
    count = source.choice((3, 60, 61, 62, 255, 256, 257))
    at = source.choice(found).start()
    return body[:at] + b''.join(b'"m%d":"%d",' % (n, n) for n in range(count)) + body[at:]


def _encoding(source, body):
    text = body.decode('utf-8', 'replace')
    return text.encode(source.choice(('euc-kr', 'utf-16', 'utf-16-le', 'utf-8-sig', 'utf-32', 'latin-1',
                                      'utf-7')), 'replace')


def _code(source, body):
    member = source.choice((b'msg_cd', b'rt_cd', b'error_code'))
    code = b'"%s":"%s"' % (member, source.choice(CODES) if member != b'rt_cd' else
                           source.choice((b'0', b'1', b'2', b'', b' 0 ', b'00')))
    changed = re.sub(b'"%s":"[^"]*"' % member, lambda found: code, body)
    return changed if changed != body else body.replace(b'{', b'{' + code + b',', 1)


def _output(source, body):
    return body.replace(b'"output":[', source.choice((
        b'"output":[[', b'"output":', b'"Output":[', b'"output":[null,', b'"output":[{},', b'"output":[],"x":[',
        b'"output":{"a":[')), 1).replace(b'}]', source.choice((b'}]', b'}', b'}]]', b'}]}')), 1)


CHANGES = (_flip, _flip_bit, _delete, _insert, _repeat, _truncate, _swap, _swap_values, _swap_values,
           _value_of_other, _number, _number, _number, _number, _value, _value, _twice, _rename, _escape,
           _escape, _space, _nest, _members, _encoding, _code, _output)
