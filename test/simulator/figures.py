"""Deterministic figures for a pair, a day and a share of the day's trade.

A day is a matrix of who sold how much to whom, in a thousandth of the unit
that the API shows.  So every identity holds exactly in the finer unit; each
member is then rounded on its own, as KIS does, and sums agree to 1 an addend.
"""

import math
import random
from functools import lru_cache

from .catalog import DAILY_NETS, INSTITUTION_PARTS, MEMBERS, TRADERS, rows

FINER = 1000

# How much of a day's trade an investor has
WEIGHTS = {
    'foreign': 30, 'individual': 48, 'securities': 6, 'investment_trust': 3,
    'pe_fund': 2, 'bank': 0.4, 'insurance': 0.6, 'merchant_bank': 0.2,
    'pension_fund': 6, 'other_organization': 0.3, 'other_corporation': 2}

# A headline pair's quantity a day, and million won for one of it
SIZES = {
    'KSP': (480000, 24.0), 'KSQ': (950000, 9.5), 'ETF': (350000, 12.0),
    'ELW': (90000, 0.3), 'ETN': (20000, 8.0), 'K2I': (400000, 110.0),
    '999': (6000000, 3.2), 'MKI': (150000, 22.0), 'WKM': (900000, 0.4),
    'WKI': (900000, 0.4), 'KQI': (120000, 18.0)}
COMPOSITES = {'KSP': '0001', 'KSQ': '1001'}
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


@lru_cache(maxsize=4096)
def _trades(market, sector, day):
    """(seller, buyer, quantity, amount, pace) of a whole day."""
    size, price = SIZES.get(market, (50000, 5.0))
    pair_rng = random.Random('%s/%s' % (market, sector))
    if COMPOSITES.get(market, sector) != sector:
        size *= pair_rng.uniform(0.01, 0.35)
        price *= pair_rng.uniform(0.5, 2.0)
    rng = random.Random('%s/%s/%s' % (market, sector, day.isoformat()))
    uniform = rng.uniform
    size *= uniform(0.7, 1.4) * FINER
    sell = [WEIGHTS[t] * uniform(0.75, 1.25) for t in TRADERS]
    buy = [WEIGHTS[t] * uniform(0.75, 1.25) for t in TRADERS]
    scale = size / (sum(sell) * sum(buy))
    trades = []
    for s, seller in enumerate(TRADERS):
        for b, buyer in enumerate(TRADERS):
            quantity = int(sell[s] * buy[b] * scale * uniform(0.6, 1.4))
            amount = int(quantity * price * uniform(0.93, 1.07))
            trades.append((seller, buyer, quantity, amount, uniform(0.8, 1.25)))
    return tuple(trades)


def totals(market, sector, day, fraction):
    """{(investor, side, measure): finer value} when so much of the day is done."""
    found = {(i, side, measure): 0 for i in WEIGHTS
             for side in ('sell', 'buy') for measure in ('qty', 'amount')}
    for seller, buyer, quantity, amount, pace in _trades(market, sector, day):
        done = fraction ** pace
        quantity = int(quantity * done)
        amount = int(amount * done)
        found[seller, 'sell', 'qty'] += quantity
        found[buyer, 'buy', 'qty'] += quantity
        found[seller, 'sell', 'amount'] += amount
        found[buyer, 'buy', 'amount'] += amount
    for measure in ('qty', 'amount'):
        for side in ('sell', 'buy'):
            found['institution', side, measure] = sum(
                found[part, side, measure] for part in INSTITUTION_PARTS)
        for investor in (*TRADERS, 'institution'):
            found[investor, 'net', measure] = (
                found[investor, 'buy', measure] - found[investor, 'sell', measure])
    return found


def trend_row(market, sector, day, fraction):
    """The 72 members of the trend call, in wire order."""
    found = totals(market, sector, day, fraction)
    return {m.name: str(rounded(found[m.investor, m.side, m.measure])) for m in MEMBERS}


@lru_cache(maxsize=16384)
def _index_close(market, sector, day):
    """An index level that wanders plausibly and depends on nothing but the day."""
    rng = random.Random('index %s/%s' % (market, sector))
    base = rng.uniform(1500, 5000) if market == 'KSP' else rng.uniform(500, 1500)
    phases = [rng.uniform(0, 2 * math.pi) for _ in range(3)]
    number = day.toordinal()
    noise = random.Random('close %s/%s/%d' % (market, sector, number)).uniform(-0.008, 0.008)
    return round(base * math.exp(0.3 * math.sin(number / 211 + phases[0])
                                 + 0.08 * math.sin(number / 37 + phases[1])
                                 + 0.02 * math.sin(number / 7 + phases[2]) + noise), 2)


def _index(market, sector, day, day_before):
    close = _index_close(market, sector, day)
    previous = _index_close(market, sector, day_before)
    rng = random.Random('range %s/%s/%s' % (market, sector, day.isoformat()))
    opening = previous * (1 + rng.uniform(-0.006, 0.006))
    change = round(close - previous, 2)
    return {
        'stck_bsop_date': day.strftime('%Y%m%d'),
        'bstp_nmix_prpr': '%.2f' % close,
        'bstp_nmix_prdy_vrss': '%.2f' % change,
        'prdy_vrss_sign': '2' if change > 0 else '5' if change < 0 else '3',
        'bstp_nmix_prdy_ctrt': '%.2f' % (change / previous * 100),
        'bstp_nmix_oprc': '%.2f' % opening,
        'bstp_nmix_hgpr': '%.2f' % (max(opening, close) * (1 + rng.uniform(0, 0.006))),
        'bstp_nmix_lwpr': '%.2f' % (min(opening, close) * (1 - rng.uniform(0, 0.006))),
        'stck_prdy_clpr': '%.2f' % previous}


def _extremes_so_far(market, sector, day, index, fraction):
    """Level, high and low of the index when so much of the day is done."""
    rng = random.Random('course %s/%s/%s' % (market, sector, day.isoformat()))
    opening, close, high, low = (float(index['bstp_nmix_' + name])
                                 for name in ('oprc', 'prpr', 'hgpr', 'lwpr'))
    turns = [high, low] if rng.random() < 0.5 else [low, high]
    course = [(0.0, opening), (rng.uniform(0.2, 0.45), turns[0]),
              (rng.uniform(0.55, 0.85), turns[1]), (1.0, close)]
    passed = [opening]
    for (since, start), (until, end) in zip(course, course[1:]):
        if fraction >= until:
            passed.append(end)
            continue
        passed.append(start + (end - start) * (fraction - since) / (until - since))
        break
    level = passed[-1] + (high - low) * fraction * (1 - fraction) * math.sin(fraction * 157) / 2
    return min(max(level, min(passed)), max(passed)), max(passed), min(passed)


def _distance(of, previous):
    """A change, its sign by KIS's code, and in per cent."""
    change = round(of - previous, 2)
    sign = '2' if change > 0 else '5' if change < 0 else '3'
    return '%.2f' % change, sign, '%.2f' % (change / previous * 100)


def _year_extremes(market, sector, day, open_before):
    """(close, day) of the year's highest and lowest day before this one."""
    closes = []
    before = open_before(day)
    while before.year == day.year:
        closes.append((_index_close(market, sector, before), before))
        before = open_before(before)
    return (max(closes), min(closes)) if closes else ()


def index_row(market, sector, moment, open_before):
    """The 36 members of the index call, in wire order."""
    day, fraction, zeros = moment
    before = open_before(day)
    index = _index(market, sector, day, before)
    previous = float(index['stck_prdy_clpr'])
    level, high, low = _extremes_so_far(market, sector, day, index, fraction)
    opening = float(index['bstp_nmix_oprc'])
    if zeros:
        level = previous
    shown = [_distance(value, previous) if not zeros else ('0.00', '3', '0.00')
             for value in (level, opening, high, low)]
    year_high, year_low = [pick(*_year_extremes(market, sector, day, open_before), (value, day))
                           for pick, value in ((max, level if zeros else high),
                                               (min, level if zeros else low))]
    (volume, turnover), (volume_before, turnover_before) = (
        [str(rounded(sum(found[trader, 'buy', measure] for trader in TRADERS)))
         for measure in ('qty', 'amount')]
        for found in (totals(market, sector, day, fraction), totals(market, sector, before, 1.0)))
    rng = random.Random('issues %s/%s/%s/%s' % (market, sector, day.isoformat(), fraction))
    issues = [0 if zeros else rng.randint(*span)
              for span in ((100, 600), (0, 6), (20, 80), (100, 600), (0, 4))]
    ask, bid = (rng.randint(10000000, 40000000) for _ in range(2))
    prices = ['0.00' if zeros else '%.2f' % price for price in (opening, high, low)]
    return dict(zip(INDEX_MEMBERS, [
        '%.2f' % level, *shown[0], volume, volume_before, turnover, turnover_before,
        prices[0], *shown[1], prices[1], *shown[2], prices[2], *shown[3], *map(str, issues),
        '%.2f' % year_high[0], '%.2f' % ((year_high[0] - level) / year_high[0] * 100),
        year_high[1].strftime('%Y%m%d'),
        '%.2f' % year_low[0], '%.2f' % ((year_low[0] - level) / year_low[0] * 100),
        year_low[1].strftime('%Y%m%d'), str(ask), str(bid),
        '%.2f' % (ask / (ask + bid) * 100), '%.2f' % (bid / (ask + bid) * 100), str(bid - ask)]))


def program_rows(market, moment):
    """Rows of the program call, a blank one among them, in no order."""
    day, fraction, zeros = moment
    rng = random.Random('program %s/%s' % (market, day.isoformat()))
    size, price = SIZES[market]
    finer = {}
    for investor in PROGRAM_INVESTORS:
        for kind, share in (('arbt', 0.01), ('nabt', 0.08)):
            for side in ('seln', 'shnu'):
                # a merchant bank has none, and arbitrage is for few
                none = investor == 'merchant_bank' or (kind == 'arbt' and WEIGHTS.get(investor, 0) < 3)
                whole = size * FINER * share * WEIGHTS.get(investor, 0) / 100 * rng.uniform(0.4, 1.6)
                done = 0 if zeros or none else fraction ** rng.uniform(0.8, 1.25)
                finer[investor, kind, side, 'qty'] = int(whole * done)
                finer[investor, kind, side, 'amt'] = int(whole * done * price * rng.uniform(0.9, 1.1))
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


def daily_row(market, sector, day, day_before, fraction):
    """The 39 members of a row of the daily call, in wire order."""
    found = totals(market, sector, day, fraction)
    row = _index(market, sector, day, day_before)
    for measure in ('qty', 'amount'):
        foreign = found['foreign', 'net', measure]
        found['foreign_registered', 'net', measure] = foreign * 98 // 100
        found['foreign_unregistered', 'net', measure] = foreign - foreign * 98 // 100
        found['other', 'net', measure] = (found['other_organization', 'net', measure]
                                          + found['other_corporation', 'net', measure])
    for name, investor, measure in DAILY_NETS:
        row[name] = str(rounded(found[investor, 'net', measure]))
    return row
