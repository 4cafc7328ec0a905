"""Figures for tests to count on: of each pair for itself, and of no real day.

A day is a matrix of who sold how much to whom, in a thousandth of the unit
that the API shows.  So every identity holds exactly in the finer unit.
"""

import math
import random
from functools import lru_cache

from .catalog import TRADERS

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
# In the order of KIS's codes; their sum has figures of its own before it is summed
PROGRAM_INVESTORS = (
    'securities', 'insurance', 'investment_trust', 'pe_fund', 'bank', 'merchant_bank', 'pension_fund',
    'other_corporation', 'individual', 'institution', 'foreign')
COMPOSITES = {'KSP': '0001', 'KSQ': '1001'}


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
    """{(trader, side, measure): finer value} when so much of the day is done."""
    found = {(trader, side, measure): 0 for trader in TRADERS
             for side in ('sell', 'buy') for measure in ('qty', 'amount')}
    for seller, buyer, quantity, amount, pace in _trades(market, sector, day):
        done = fraction ** pace
        quantity = int(quantity * done)
        amount = int(amount * done)
        found[seller, 'sell', 'qty'] += quantity
        found[buyer, 'buy', 'qty'] += quantity
        found[seller, 'sell', 'amount'] += amount
        found[buyer, 'buy', 'amount'] += amount
    return found


@lru_cache(maxsize=16384)
def close(market, sector, day):
    """An index level that wanders plausibly and depends on nothing but the day."""
    rng = random.Random('index %s/%s' % (market, sector))
    base = rng.uniform(1500, 5000) if market == 'KSP' else rng.uniform(500, 1500)
    phases = [rng.uniform(0, 2 * math.pi) for _ in range(3)]
    number = day.toordinal()
    noise = random.Random('close %s/%s/%d' % (market, sector, number)).uniform(-0.008, 0.008)
    return round(base * math.exp(0.3 * math.sin(number / 211 + phases[0])
                                 + 0.08 * math.sin(number / 37 + phases[1])
                                 + 0.02 * math.sin(number / 7 + phases[2]) + noise), 2)


def daily_prices(market, sector, day, before, _fraction):
    """Level, opening, high and low of the index at the day's end, and the close before."""
    level = close(market, sector, day)
    previous = close(market, sector, before)
    rng = random.Random('range %s/%s/%s' % (market, sector, day.isoformat()))
    opening = previous * (1 + rng.uniform(-0.006, 0.006))
    high = max(opening, level) * (1 + rng.uniform(0, 0.006))
    low = min(opening, level) * (1 - rng.uniform(0, 0.006))
    return (*(round(price, 2) for price in (level, opening, high, low)), previous)


def prices_so_far(market, sector, day, before, fraction):
    """The same when so much of the day is done."""
    end, opening, high, low, previous = daily_prices(market, sector, day, before, fraction)
    rng = random.Random('course %s/%s/%s' % (market, sector, day.isoformat()))
    turns = [high, low] if rng.random() < 0.5 else [low, high]
    course = [(0.0, opening), (rng.uniform(0.2, 0.45), turns[0]),
              (rng.uniform(0.55, 0.85), turns[1]), (1.0, end)]
    passed = [opening]
    for (since, start), (until, turn) in zip(course, course[1:]):
        if fraction >= until:
            passed.append(turn)
            continue
        passed.append(start + (turn - start) * (fraction - since) / (until - since))
        break
    level = passed[-1] + (high - low) * fraction * (1 - fraction) * math.sin(fraction * 157) / 2
    high, low = max(passed), min(passed)
    return min(max(level, low), high), opening, high, low, previous


def book(market, sector, day, fraction, _change):
    """Issues up, at the upper limit, unchanged, down, at the lower limit; shares asked and bid."""
    rng = random.Random('issues %s/%s/%s/%s' % (market, sector, day.isoformat(), fraction))
    return tuple(rng.randint(*span) for span in (
        (100, 600), (0, 6), (20, 80), (100, 600), (0, 4), *2 * ((10000000, 40000000),)))


def program(market, day, fraction):
    """{(trader, kind, side, measure): finer value} of program trading."""
    rng = random.Random('program %s/%s' % (market, day.isoformat()))
    size, price = SIZES[market]
    finer = {}
    for investor in PROGRAM_INVESTORS:
        for kind, share in (('arbt', 0.01), ('nabt', 0.08)):
            for side in ('seln', 'shnu'):
                # a merchant bank has none, and arbitrage is for few
                none = investor == 'merchant_bank' or (kind == 'arbt' and WEIGHTS.get(investor, 0) < 3)
                whole = size * FINER * share * WEIGHTS.get(investor, 0) / 100 * rng.uniform(0.4, 1.6)
                done = 0 if fraction is None or none else fraction ** rng.uniform(0.8, 1.25)
                finer[investor, kind, side, 'qty'] = int(whole * done)
                finer[investor, kind, side, 'amt'] = int(whole * done * price * rng.uniform(0.9, 1.1))
    return finer
