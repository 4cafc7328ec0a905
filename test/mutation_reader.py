#!/usr/bin/env -S python3 -B
"""What the replies of the simulator's fault mutate mean, by Python's JSON alone.

    test/mutation_reader.py WHAT FILE SEED FIRST LAST NOW

FILE is the reply that is mutated, WHAT how it is read: as the reply to the call
trend, daily, calendar, index or program, which a query shows; as the history that backfill
stores; as the calendar of today, which trade_date is by; or as the token that a
call bears. NOW is Korean time, "2026-07-12 12:00:00". A line for each number
from FIRST to LAST:

number  row     its figures, "|" between them, nothing for no value; ";" between
                rows. today: the day; token: the token
number  none    no row: there is none, or KIS doesn't know the pair
number  reply   not the reply that it should be
number  code    KIS says no
number  figure  a member is none of its column's values
number  ended   the token has ended

What is right follows from the documentation of KIS's API, and from one rule:
where a reply leaves open what a figure is, it is none.
- UTF-8, a byte order mark before it or not; JSON by RFC 8259, nothing after it.
- Not half a surrogate pair and no \\u0000, which no text of PostgreSQL can have.
- An object. The same name twice, in it or in a row, leaves open which one is
  meant. In a member that we don't know it is nothing to us.
- msg_cd decides: KIOK0500 and KIOK0560 are a success, EGW… and OPSQ… are
  errors, whatever rt_cd says; with others rt_cd "0" is a success. A reply with
  neither is none, but for a token's, which has neither. Blanks around both and
  case don't count.
- output, of program trading output1, is a row, or a list of rows: of the live
  call and the index one or none, of the others however many. Of these, rows that hold nothing but blanks are none. With
  KIOK0560 there need be no list.
- "" and null are no value, a member that is missing is none either. Blanks
  around a figure, zeros before it, a sign + and JSON's own numbers are KIS's
  ways to write one; a fraction, an exponent or any other digits are not. One of
  JSON's own that a double would not keep makes the reply none. Of the
  index any decimal number is one, of yes and no whatever PostgreSQL takes.
- A row of the live call or the index without a single value: KIS doesn't know
  the pair.
- A day of the index is read as the text that it is.
- An investor is ours by KIS's code, and else that code.
- Rows of days have one each, YYYYMMDD; it goes on in one direction. Those of
  days that FILE hasn't are of no interest. Read from first to last: what is
  wrong first is told.
- Today's calendar says Y or N, once, of today and of each day back to an open
  one, as far as the page goes; there is no other.
- A token is a string that a header can carry. It lives until its time or for
  its seconds, ten years at most, whichever ends first.
- Beyond 32 levels, 64 members and 256 unknown ones of a row it is no reply.
"""

import calendar
import json
import re
import sys
from datetime import datetime, timedelta
from decimal import Decimal

sys.dont_write_bytecode = True

from simulator import catalog  # noqa: E402
from simulator.mutate import mutated  # noqa: E402

DEEPEST, MOST_MEMBERS, MOST_UNKNOWN = 32, 64, 256
LONGEST_LIFE, LONGEST_TOKEN, LONGEST_CLOSURE = 3660 * 86400, 1024, 30
BLANKS = ' \t\r\n'
# Blank in a word of KIS's: control characters, too
WORD_BLANKS = ''.join(map(chr, range(33))) + '\x7f'
INTEGER = re.compile(r'[-+]?[0-9]+', re.ASCII)
DECIMAL = re.compile(r'[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?', re.ASCII)
MOST_DIGITS = 131072    # of a numeric, before the point
TIME = re.compile(r'(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)', re.ASCII)

# Each call's members with their types
TREND = dict.fromkeys(catalog.MEMBER_NAMES, 'int8')
DAILY = {row['daily_field']: row['type'] for row in catalog.rows('daily.tsv')}
CALENDAR = {row['calendar_field']: row['type'] for row in catalog.rows('calendar.tsv')}
INDEX = {row['index_field']: row['type'].replace('date', 'text') for row in catalog.rows('index.tsv')}
PROGRAM = {row['program_field']: row['type'] for row in catalog.rows('program.tsv')}
INVESTORS = {'9100': 'foreign', '8888': 'institution', '8000': 'individual', '7100': 'other_corporation',
             '6000': 'pension_fund', '5000': 'merchant_bank', '4000': 'bank', '3100': 'pe_fund',
             '3000': 'investment_trust', '2000': 'insurance', '1000': 'securities'}
DAYS = tuple(name for name, kind in (*DAILY.items(), *CALENDAR.items()) if kind == 'date')


class NoReply(Exception):
    """Not the reply that it should be."""


class Refused(Exception):
    """KIS says no."""


class NoFigure(Exception):
    """A member is no integer."""


class Number(str):
    """A number as it was written."""


def kept(text):
    """A number of JSON's own, as short as it can be; ValueError where a double would not keep it."""
    if 'e' in text.lower() or len(text.lstrip('-').replace('.', '')) > 15:
        raise ValueError(text)
    return Number('%.15g' % float(text))


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
        value = json.loads(text, object_pairs_hook=Members, parse_int=kept, parse_float=kept,
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
    code = (code or '').upper()
    if code not in ('KIOK0500', 'KIOK0560') and (code or rt_cd is not None) and (
            rt_cd != '0' or code.startswith(('EGW', 'OPSQ'))):
        raise Refused


def is_blank(row, members):
    return (any(name in members for name, _ in row)
            and not any(bare(value) for name, value in row if name in members))


def rows_of(root, members, most=None, name='output'):
    if word(root, 'rt_cd') is None and word(root, 'msg_cd') is None:
        raise NoReply
    output = root.get(name)
    rows = [output] if isinstance(output, Members) else output
    if not isinstance(rows, list) and (word(root, 'msg_cd', 'error_code') or '').upper() == 'KIOK0560':
        return []
    if not isinstance(rows, list) or (most and len(rows) > most):
        raise NoReply
    for row in rows:
        if (not isinstance(row, Members) or row.has_doubles()
                or sum(name not in members for name, _ in row) > MOST_UNKNOWN
                or any(isinstance(value, list) and name in members for name, value in row)):
            raise NoReply
    return rows if most else [row for row in rows if not is_blank(row, members)]


def bare(value):
    """A value's text without blanks; "" where there is none."""
    return (scalar(value) or '').strip(BLANKS)


def integer(text, bits=64):
    if not INTEGER.fullmatch(text) or len(text.lstrip('+-').lstrip('0')) > 19:
        raise NoFigure
    number = int(text[:1].strip('0123456789') + (text.lstrip('+-').lstrip('0') or '0'))
    if not -2**(bits - 1) <= number < 2**(bits - 1):
        raise NoFigure
    return str(number)


def decimal(text):
    try:
        number = Decimal(text) if DECIMAL.fullmatch(text) else None
    except ArithmeticError:
        number = None
    if number is None or number.adjusted() >= MOST_DIGITS:
        raise NoFigure
    return format(number if number else abs(number), 'f')


def yes_or_no(text):
    text = text.lower()
    meant = {word.startswith(text) and answer
             for word, answer in (('true', 'true'), ('yes', 'true'), ('on', 'true'), ('1', 'true'),
                                  ('false', 'false'), ('no', 'false'), ('off', 'false'), ('0', 'false'))}
    if len(meant - {False}) != 1:
        raise NoFigure
    return (meant - {False}).pop()


# What a column of the type shows of a text; of a text its bytes, which no separator is among
SHOWN = {'int8': integer, 'int2': lambda text: integer(text, 16), 'numeric': decimal, 'bool': yes_or_no,
         'text': lambda text: text.encode().hex(), 'date': lambda text: text}


def figures(row, members, types):
    texts = [(bare(row.get(name)) if name in types else '') for name in members]
    return '|'.join(text and SHOWN[types[name]](text) for name, text in zip(members, texts))


def day_of(row):
    """The row's day as YYYYMMDD, or None."""
    text = bare(next((row.get(name) for name in DAYS if row.get(name) is not None), None))
    if not re.fullmatch('[0-9]{8}', text) or not 1 <= int(text[4:6]) <= 12:
        return None
    last = calendar.monthrange(int(text[:4]), int(text[4:6]))[1]
    return text if 1 <= int(text[6:]) <= last else None


def single(members):
    """A reader of one row."""
    def read(root, file, now):
        rows = rows_of(root, members, 1)
        if not rows or not any(bare(rows[0].get(name)) for name in members):
            return 'none', ''
        return 'row', figures(rows[0], members, members)
    return read


def program(root, file, now):
    shown = []
    for row in rows_of(root, PROGRAM, name='output1'):
        code = bare(row.get('invr_cls_code'))
        others = figures(row, tuple(PROGRAM)[1:], PROGRAM)
        shown.append(INVESTORS.get(code, code).encode().hex() + '|' + others)
    return ('row' if shown else 'none'), ';'.join(shown)


def by_day(members, types, forward):
    """A reader of rows of days; members are those shown."""
    def read(root, file, now):
        wanted = {day_of(row) for row in file.get('output')}
        shown = []
        before = None
        for row in rows_of(root, types):
            day = day_of(row)
            if day is None or before is not None and (day <= before if forward else day >= before):
                raise NoReply
            before = day
            if day in wanted:
                shown.append(figures(row, members, types))
        return 'row' if shown else 'none', ';'.join(shown)
    return read


def today(root, file, now):
    rows = rows_of(root, CALENDAR)
    first = day_of(file.get('output')[0])
    last = day_of(rows[-1]) if rows else None
    for back in range(LONGEST_CLOSURE + 1):
        day = (now - timedelta(back)).strftime('%Y%m%d')
        said = [bare(row.get('opnd_yn')) for row in rows if bare(row.get('bass_dt')) == day]
        if said not in (['Y'], ['N']) or not (last and first <= day <= last):
            raise NoReply
        if said == ['Y']:
            return 'row', day
    raise NoReply


def time_of(text):
    found = TIME.fullmatch(text)
    year, month, day, hour, minute, second = map(int, found.groups()) if found else [0] * 6
    if year < 1970 or second > 60:
        return None
    try:
        return datetime(year, month, day, hour, minute) + timedelta(seconds=second)
    except ValueError:
        return None


def token(root, file, now):
    text = root.get('access_token')
    life = bare(root.get('expires_in'))
    ends = [time_of(bare(root.get('access_token_token_expired')))]
    if re.fullmatch('[0-9]+', life) and len(life.lstrip('0')) < 10 and 0 < int(life) <= LONGEST_LIFE:
        ends.append(now + timedelta(seconds=int(life)))
    ends = [end for end in ends if end is not None]
    if (not isinstance(text, str) or isinstance(text, Number) or not ends
            or not re.fullmatch('[!-~]{1,%d}' % LONGEST_TOKEN, text)):
        raise NoReply
    return ('row', text) if min(ends) > now else ('ended', '')


READERS = {
    'trend': single(TREND),
    'daily': by_day(DAILY, DAILY, False),
    'backfill': by_day(TREND, DAILY, False),
    'calendar': by_day(CALENDAR, CALENDAR, True),
    'index': single(INDEX),
    'program': program,
    'today': today,
    'token': token,
}


def meaning(read, body, file, now):
    try:
        root = tree(body)
        judge(root)
        return read(root, file, now)
    except NoReply:
        return 'reply', ''
    except Refused:
        return 'code', ''
    except NoFigure:
        return 'figure', ''


def main():
    what, name, seed, first, last, now = sys.argv[1:]
    with open(name, 'rb') as opened:
        body = opened.read()
    file, now = tree(body), datetime.fromisoformat(now)
    for number in range(int(first), int(last) + 1):
        found = meaning(READERS[what], mutated(body, int(seed), number), file, now)
        print('%d\t%s\t%s' % (number, *found))


if __name__ == '__main__':
    main()
