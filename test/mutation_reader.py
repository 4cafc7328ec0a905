#!/usr/bin/env -S python3 -B
"""What the replies of the simulator's fault mutate mean, by Python's JSON alone.

    test/mutation_reader.py FILE SEED FIRST LAST

FILE is the reply that is mutated. A line for each number from FIRST to LAST:

number  row     its 72 figures, "|" between them, nothing for no value
number  none    no row: there is none, or KIS doesn't know the pair
number  reply   not the reply that it should be
number  code    KIS says no
number  figure  a member is no integer of 64 bits

What is right follows from the documentation of KIS's API, and from one rule:
where a reply leaves open what a figure is, it is none.
- UTF-8, a byte order mark before it or not; JSON by RFC 8259, nothing after it.
- Not half a surrogate pair and no \\u0000, which no text of PostgreSQL can have.
- An object. The same name twice, in it or in the row, leaves open which one is
  meant. In a member that we don't know it is nothing to us.
- msg_cd decides: KIOK0500 is a success, EGW… and OPSQ… are errors, whatever
  rt_cd says; with others rt_cd "0" is a success. A reply with neither is none.
  Blanks around both don't count.
- output is a row, or a list of one row or of none.
- "" and null are no value, a member that is missing is none either. Blanks
  around a figure, zeros before it, a sign + and JSON's own numbers are KIS's
  ways to write one; a fraction, an exponent or any other digits are not.
- A row without a single value: KIS doesn't know the pair.
- Beyond 32 levels, 64 members and 256 unknown ones of a row it is no reply.
"""

import json
import re
import sys

sys.dont_write_bytecode = True

from simulator.catalog import MEMBER_NAMES  # noqa: E402
from simulator.mutate import mutated  # noqa: E402

DEEPEST, MOST_MEMBERS, MOST_UNKNOWN = 32, 64, 256
BLANKS = ' \t\r\n'
# Blank in a word of KIS's: control characters, too
WORD_BLANKS = ''.join(map(chr, range(33))) + '\x7f'
INTEGER = re.compile(r'[-+]?[0-9]+', re.ASCII)


class NoReply(Exception):
    """Not the reply that it should be."""


class Refused(Exception):
    """KIS says no."""


class NoFigure(Exception):
    """A member is no integer."""


class Number(str):
    """A number as it was written."""


class Members(list):
    """An object's members in their order, doubles too."""

    def get(self, name):
        return next((value for key, value in self if key == name), None)

    def has_doubles(self):
        return len({key for key, _ in self}) < len(self)


def no_constant(name):
    raise NoReply(name)


def depth_of(value):
    if isinstance(value, Members):
        return 1 + max((depth_of(v) for _, v in value), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def texts_of(value):
    if isinstance(value, Members):
        for name, member in value:
            yield name
            yield from texts_of(member)
    elif isinstance(value, list):
        for element in value:
            yield from texts_of(element)
    elif isinstance(value, str):
        yield value


def tree(body):
    try:
        text = body.removeprefix(b'\xef\xbb\xbf').decode('utf-8')
        value = json.loads(text, object_pairs_hook=Members, parse_int=Number, parse_float=Number,
                           parse_constant=no_constant)
        if depth_of(value) > DEEPEST:
            raise NoReply
        for part in texts_of(value):
            if '\x00' in part or part != part.encode('utf-8', 'ignore').decode():
                raise NoReply
        return value
    except (ValueError, RecursionError):
        raise NoReply from None


def scalar(value):
    """A value's text; None of an object or a list, or where there is none."""
    if value is True or value is False:
        return str(value).lower()
    return value if isinstance(value, str) else None


def word(root, *names):
    """The first of the members that is a text: without blanks; None if none is."""
    for name in names:
        if name in (key for key, _ in root):
            value = root.get(name)
            text = '' if value is None else scalar(value)
            if text is not None:
                return text.strip(WORD_BLANKS)
    return None


def judge(root):
    if not isinstance(root, Members) or len(root) > MOST_MEMBERS or root.has_doubles():
        raise NoReply
    code = word(root, 'msg_cd', 'error_code')
    rt_cd = word(root, 'rt_cd')
    if code != 'KIOK0500' and (code or rt_cd is not None) and (
            rt_cd != '0' or (code or '').startswith(('EGW', 'OPSQ'))):
        raise Refused
    if rt_cd is None and word(root, 'msg_cd') is None:
        raise NoReply


def row_of(root):
    """The row's members, or None."""
    output = root.get('output')
    rows = [output] if isinstance(output, Members) else output
    if not isinstance(rows, list) or len(rows) > 1:
        raise NoReply
    for row in rows:
        if (not isinstance(row, Members) or row.has_doubles()
                or sum(name not in MEMBER_NAMES for name, _ in row) > MOST_UNKNOWN
                or any(isinstance(row_value, list) and name in MEMBER_NAMES for name, row_value in row)):
            raise NoReply
    return rows[0] if rows else None


def figure(value):
    text = scalar(value)
    text = '' if text is None else text.strip(BLANKS)
    if text == '':
        return ''
    if not INTEGER.fullmatch(text) or len(text.lstrip('+-').lstrip('0')) > 19:
        raise NoFigure
    text = text[:1].strip('0123456789') + (text.lstrip('+-').lstrip('0') or '0')
    if not -2**63 <= int(text) < 2**63:
        raise NoFigure
    return str(int(text))


def meaning(body):
    try:
        root = tree(body)
        judge(root)
        row = row_of(root)
        if row is None or all(scalar(row.get(n)) in (None, '') or not scalar(row.get(n)).strip(BLANKS)
                              for n in MEMBER_NAMES):
            return 'none\t'
        return 'row\t' + '|'.join(figure(row.get(name)) for name in MEMBER_NAMES)
    except NoReply:
        return 'reply\t'
    except Refused:
        return 'code\t'
    except NoFigure:
        return 'figure\t'


def main():
    name, seed, first, last = sys.argv[1:]
    with open(name, 'rb') as file:
        body = file.read()
    for number in range(int(first), int(last) + 1):
        print('%d\t%s' % (number, meaning(mutated(body, int(seed), number))))


if __name__ == '__main__':
    main()
