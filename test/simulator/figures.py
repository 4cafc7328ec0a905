"""The rows of the calls, of what a source of figures says.

Sources are fixed, for tests to count on, and lifelike, as a real day's could
be.  Each is a function of pair, day and share of the day's trade that is done,
in a thousandth of the unit that the API shows: every identity holds exactly
there.  Each member is then rounded on its own, as KIS does, and sums agree to 1
an addend.
"""

import random

from . import fixed, lifelike
from .catalog import DAILY_NETS, INSTITUTION_PARTS, MEMBERS, TRADERS, rows
from .fixed import FINER

SOURCES = {'fixed': fixed, 'lifelike': lifelike}
INDEX_MEMBERS = tuple(row['index_field'] for row in rows('index.tsv'))
PROGRAM_MEMBERS = tuple(row['program_field'] for row in rows('program.tsv'))
# KIS's codes, and its names with their blanks
PROGRAM_INVESTORS = {
    'securities': ('1000', '증 권'), 'insurance': ('2000', '보 험'), 'investment_trust': ('3000', '투 신'),
    'pe_fund': ('3100', '사 모'), 'bank': ('4000', '은 행'), 'merchant_bank': ('5000', '종 금'),
    'pension_fund': ('6000', '기 금'), 'other_corporation': ('7100', '기 타'),
    'individual': ('8000', '개 인'), 'institution': ('8888', '기관계'), 'foreign': ('9100', '외국인')}


def rounded(value):
    """To the unit shown, half away from zero."""
    shown = (abs(value) + FINER // 2) // FINER
    return shown if value >= 0 else -shown


def _totals(source, market, sector, day, fraction):
    """{(investor, side, measure): finer value}, institutions and nets too."""
    found = dict(source.totals(market, sector, day, fraction))
    for measure in ('qty', 'amount'):
        for side in ('sell', 'buy'):
            found['institution', side, measure] = sum(
                found[part, side, measure] for part in INSTITUTION_PARTS)
        for investor in (*TRADERS, 'institution'):
            found[investor, 'net', measure] = (
                found[investor, 'buy', measure] - found[investor, 'sell', measure])
    return found


def trend_row(source, market, sector, day, fraction):
    """The 72 members of the trend call, in wire order."""
    found = _totals(source, market, sector, day, fraction)
    return {m.name: str(rounded(found[m.investor, m.side, m.measure])) for m in MEMBERS}


def _distance(of, previous):
    """A change, its sign by KIS's code, and in per cent."""
    change = round(of - previous, 2)
    sign = '2' if change > 0 else '5' if change < 0 else '3'
    return '%.2f' % change, sign, '%.2f' % (change / previous * 100)


def _year_extremes(source, market, sector, day, open_before):
    """(close, day) of the year's highest and lowest day before this one."""
    closes = []
    before = open_before(day)
    while before.year == day.year:
        closes.append((source.close(market, sector, before), before))
        before = open_before(before)
    return (max(closes), min(closes)) if closes else ()


def index_row(source, market, sector, moment, open_before):
    """The 36 members of the index call, in wire order."""
    day, fraction, zeros = moment
    before = open_before(day)
    level, opening, high, low, previous = source.prices_so_far(market, sector, day, before, fraction)
    if zeros:
        level = previous
    shown = [_distance(value, previous) if not zeros else ('0.00', '3', '0.00')
             for value in (level, opening, high, low)]
    year_high, year_low = [pick(*_year_extremes(source, market, sector, day, open_before), (value, day))
                           for pick, value in ((max, level if zeros else high),
                                               (min, level if zeros else low))]
    (volume, turnover), (volume_before, turnover_before) = (
        [str(rounded(sum(found[trader, 'buy', measure] for trader in TRADERS)))
         for measure in ('qty', 'amount')]
        for found in (source.totals(market, sector, day, fraction), source.totals(market, sector, before, 1.0)))
    *issues, ask, bid = source.book(market, sector, day, fraction, level / previous - 1)
    if zeros:
        issues = [0] * len(issues)
    prices = ['0.00' if zeros else '%.2f' % price for price in (opening, high, low)]
    return dict(zip(INDEX_MEMBERS, [
        '%.2f' % level, *shown[0], volume, volume_before, turnover, turnover_before,
        prices[0], *shown[1], prices[1], *shown[2], prices[2], *shown[3], *map(str, issues),
        '%.2f' % year_high[0], '%.2f' % ((year_high[0] - level) / year_high[0] * 100),
        year_high[1].strftime('%Y%m%d'),
        '%.2f' % year_low[0], '%.2f' % ((year_low[0] - level) / year_low[0] * 100),
        year_low[1].strftime('%Y%m%d'), str(ask), str(bid),
        '%.2f' % (ask / (ask + bid) * 100), '%.2f' % (bid / (ask + bid) * 100), str(bid - ask)]))


def program_rows(source, market, moment):
    """Rows of the program call, a blank one among them, in no order."""
    day, fraction, zeros = moment
    finer = source.program(market, day, None if zeros else fraction)
    for kind in ('arbt', 'nabt'):
        for side in ('seln', 'shnu'):
            for measure in ('qty', 'amt'):
                finer['institution', kind, side, measure] = sum(
                    finer[part, kind, side, measure] for part in INSTITUTION_PARTS)
    rows = [_program_row(investor, finer) for investor in PROGRAM_INVESTORS]
    random.Random('order %s/%s' % (market, fraction)).shuffle(rows)
    rows.append(dict.fromkeys(PROGRAM_MEMBERS, ''))
    return rows


def _program_row(investor, finer):
    code, name = PROGRAM_INVESTORS[investor]
    row = {'invr_cls_code': code, 'invr_cls_name': name}
    for member in PROGRAM_MEMBERS[2:]:
        kind, side, measure = member.split('_')
        kinds = ('arbt', 'nabt') if kind == 'all' else (kind,)
        sides = (('shnu', 1), ('seln', -1)) if side == 'ntby' else ((side, 1),)
        row[member] = str(rounded(sum(factor * finer[investor, k, s, measure]
                                      for k in kinds for s, factor in sides)))
    return row


def daily_row(source, market, sector, day, day_before, fraction):
    """The 39 members of a row of the daily call, in wire order."""
    found = _totals(source, market, sector, day, fraction)
    level, opening, high, low, previous = source.daily_prices(market, sector, day, day_before, fraction)
    change, sign, rate = _distance(level, previous)
    row = {
        'stck_bsop_date': day.strftime('%Y%m%d'), 'bstp_nmix_prpr': '%.2f' % level,
        'bstp_nmix_prdy_vrss': change, 'prdy_vrss_sign': sign, 'bstp_nmix_prdy_ctrt': rate,
        'bstp_nmix_oprc': '%.2f' % opening, 'bstp_nmix_hgpr': '%.2f' % high,
        'bstp_nmix_lwpr': '%.2f' % low, 'stck_prdy_clpr': '%.2f' % previous}
    for measure in ('qty', 'amount'):
        foreign = found['foreign', 'net', measure]
        found['foreign_registered', 'net', measure] = foreign * 98 // 100
        found['foreign_unregistered', 'net', measure] = foreign - foreign * 98 // 100
        found['other', 'net', measure] = (found['other_organization', 'net', measure]
                                          + found['other_corporation', 'net', measure])
    for name, investor, measure in DAILY_NETS:
        row[name] = str(rounded(found[investor, 'net', measure]))
    return row
