"""Figures as a real day's could be: sizes, moods, noise and bursts; none is real.

A day has a mood, which the index and those who lead it share: where foreigners
and institutions buy, the index rises, and individuals sell.  A sector's day is
a matrix of who sells how much to whom, and each of its cells grows through the
day by a course of its own that never falls.  Markets are the sums of their
sectors.  All is a function of pair, day and time.
"""

import math
import random
from bisect import bisect_right
from datetime import date
from functools import lru_cache
from itertools import accumulate, chain, product
from operator import mul

from .catalog import TRADERS
from .clock import SHARE_AT_CLOSE
from .fixed import FINER
from .shares import (ALL, ALL_SHARES, ANCHORS, CAP_PRICES, CAPS, INVESTORS, ISSUES, LEVEL, MANUFACTURING,
                     MARKETS, OPTIONS, PRICES, PROGRAM, SECTORS, UNKNOWN)

# Minutes from the open: to the closing auction, which is at its end, to the
# end of the simulator's session, and to that of the after-market
AUCTION, AT_CLOSE, SESSION, DAY = 380, 390, 405, 660
# Of the day's trade: in the closing auction, and after it
SHARE_OF_AUCTION, SHARE_AFTER = 0.07, 0.02

# What is traded in each minute until then: most at first, more again at last
USUAL = tuple(0.75 + 4 * math.exp(-minute / 8) + 1.6 * math.exp(-minute / 40) + 0.55 * math.exp((minute - AUCTION) / 25)
              for minute in range(AUCTION))
# How much of the trade of a minute goes one way
EAGER = 0.08

# Whose trade goes with the day's mood, and whose against it
MOODS = {'foreign': 0.9, 'individual': -0.9, 'securities': 0.7, 'investment_trust': 0.3, 'pe_fund': 0.3,
         'pension_fund': -0.2}


def _rng(*of):
    return random.Random('/'.join(map(str, of)))


# ---- the day's mood, and the index

def _anchor(market, day):
    """The level between those that are known, in logarithms."""
    days = [date.fromisoformat(text).toordinal() for text, _ in ANCHORS[market]]
    at = min(max(bisect_right(days, day.toordinal()), 1), len(days) - 1)
    (_, low), (_, high) = ANCHORS[market][at - 1:at + 1]
    share = (day.toordinal() - days[at - 1]) / (days[at] - days[at - 1])
    return math.log(low) + share * (math.log(high) - math.log(low))


@lru_cache(maxsize=65536)
def _wander(name, number):
    """Some per cent up and down over days, weeks and months; nothing on average."""
    found = 0
    for period, height in ((1, 0.007), (3, 0.012), (10, 0.025), (40, 0.05)):
        at, rest = divmod(number, period)
        now, then = (_rng('wander', name, period, at + n).uniform(-1, 1) for n in (0, 1))
        found += height * (now + (then - now) * rest / period)
    return found


def _market(market):
    """Whose index and mood a market has."""
    return 'KSQ' if market in ('KSQ', 'KQI') else 'KSP'


@lru_cache(maxsize=65536)
def close(market, sector, day):
    """The index's level at the day's end."""
    market = _market(market)
    level = _anchor(market, day) + _wander(market, day.toordinal())
    if sector != ALL[market]:
        rng = _rng('base', market, sector)
        level += rng.uniform(-1.2, 1.2) + 0.5 * _wander('%s/%s' % (market, sector), day.toordinal())
    return round(math.exp(level), 2)


@lru_cache(maxsize=4096)
def _mood(market, day):
    """The day's change in per cent, from the weekday before."""
    before = date.fromordinal(day.toordinal() - (3 if day.weekday() == 0 else 1))
    return 100 * math.log(close(market, ALL[market], day) / close(market, ALL[market], before))


def _swings(rng, minutes, length, size):
    """Noise that lasts so many minutes."""
    keep, new, most = 1 - 1 / length, size * math.sqrt(24 / length), 2.5 * size
    value, chance, found = rng.gauss(0, size), rng.random, []
    for _ in range(minutes):
        value = keep * value + new * (chance() - 0.5)
        found.append(value if -most < value < most else math.copysign(most, value))
    return found


@lru_cache(maxsize=1024)
def _tide(market, day):
    """The mood of each minute of the session, and how much is traded in it."""
    rng = _rng('tide', market, day)
    moods = [swing + rng.uniform(-1.5, 1.5) for swing in _swings(rng, AUCTION, 14, 1.2)]
    crowds = _swings(rng, AUCTION, 5, 0.2)
    for _ in range(rng.randint(1, 4)):      # news
        at, size = rng.randrange(20, AUCTION - 20), rng.uniform(0.5, 1.3)
        for minute in range(at, at + 12):
            crowds[minute] += size * math.exp((at - minute) / 4)
    return moods, [math.exp(crowd) * usual for crowd, usual in zip(crowds, USUAL)]


@lru_cache(maxsize=4096)
def _prices(market, sector, day, before):
    """The index's level at each minute from the open to the close, and the close before."""
    previous, end = close(market, sector, before), close(market, sector, day)
    rng = _rng('prices', market, sector, day)
    moods, volumes = _tide(_market(market), day)
    change = math.log(end / previous)
    opening = change * rng.uniform(0.1, 0.5) + rng.gauss(0, 0.0025)
    own = _swings(rng, AUCTION, 15, 0.35)
    weights = [math.sqrt(volume) for volume in volumes]
    course = list(accumulate((weight * (mood + other) for weight, mood, other in zip(weights, moods, own)), initial=0))
    passed = list(accumulate(weights, initial=0))
    height = 0.01 / math.sqrt(AUCTION * 14)
    drift = change - opening - rng.gauss(0, 0.0008)     # the rest is the closing auction's
    levels = [round(previous * math.exp(opening + drift * done / passed[-1]
                                        + height * (at - course[-1] * done / passed[-1])), 2)
              for at, done in zip(course, passed)]
    return (*levels, *levels[-1:] * (AT_CLOSE - AUCTION - 1), end), previous


def _minutes(fraction):
    """Minutes since the open when, by the simulator's clock, so much of the day is done."""
    if fraction <= SHARE_AT_CLOSE:
        return fraction / SHARE_AT_CLOSE * SESSION
    return SESSION + (fraction - SHARE_AT_CLOSE) / (1 - SHARE_AT_CLOSE) * (DAY - SESSION)


def prices_so_far(market, sector, day, before, fraction):
    """Level, opening, high and low of the index so far, and the close before."""
    levels, previous = _prices(market, sector, day, before)
    minutes = min(_minutes(fraction) + 1e-6, AT_CLOSE)
    at, rest = int(minutes), minutes % 1
    passed = list(levels[:at + 1])
    # Nothing is traded in the auction until its end
    if at < AUCTION:
        passed.append(round(levels[at] + (levels[at + 1] - levels[at]) * rest, 2))
    return passed[-1], levels[0], max(passed), min(passed), previous


daily_prices = prices_so_far


def book(market, sector, day, fraction, change):
    """Issues up, at the upper limit, unchanged, down, at the lower limit; shares asked and bid."""
    rng = _rng('book', market, sector, day, fraction)
    listed = ISSUES[market] * (1 if sector == ALL[market] else 0.05)
    unchanged = int(listed * rng.uniform(0.04, 0.07))
    up = int((listed - unchanged) / (1 + math.exp(-120 * change + rng.gauss(0, 0.05))))
    steady = _rng('limits', market, sector, day)
    asked = rng.uniform(24e6, 30e6)
    return (up, min(up, steady.randint(0, 6)), unchanged, int(listed) - unchanged - up, steady.choice((0, 0, 0, 1)),
            int(asked), int(asked * math.exp(25 * change + rng.gauss(0, 0.1))))


# ---- who buys and sells how much in a day

@lru_cache(maxsize=4096)
def _busy(market, day):
    """How much is traded, and how high prices are, against those of shares.py."""
    level = close(market, ALL[market], day) / LEVEL[market]
    return _rng('busy', market, day).uniform(0.85, 1.25) * (1 + 0.12 * min(abs(_mood(market, day)), 3)) * level, level


def _size(market, sector, day, chance):
    """The day's turnover in million won, and thousand won for a unit of quantity."""
    busy, level = _busy(_market(market), day)
    amount, price = OPTIONS.get((market, sector)) or MARKETS[market]
    if market in SECTORS:
        share, price = SECTORS[market].get(sector, UNKNOWN)[:2]
        amount *= share / ALL_SHARES[market]
    if market in SECTORS or sector[:1] == 'F':
        price *= level
    return amount * busy * (0.9 + 0.2 * chance), price


@lru_cache(maxsize=4096)
def _nets(market, day):
    """What each kind of investors buys net on the day, as a share of the market's turnover."""
    rng = _rng('nets', market, day)
    mood = min(max(_mood(_market(market), day), -3), 3)
    spread = rng.gauss
    if market in SECTORS:
        depth = 1 if market == 'KSP' else 0.7
        futures = _nets('K2I', day)['foreign']
        individual = depth * (-0.016 * mood + spread(0, 0.009))
        net = {'individual': individual, 'other_corporation': depth * spread(0.0008, 0.0008),
               'investment_trust': depth * spread(0, 0.0022), 'pe_fund': depth * spread(0, 0.0022),
               'bank': depth * spread(0, 0.0001), 'insurance': depth * spread(0, 0.0007),
               'merchant_bank': depth * spread(0, 0.0001),
               'pension_fund': depth * (spread(0.0008, 0.0032) - 0.001 * mood)}
        # Who arbitrages buys here what foreigners buy in futures
        net['securities'] = 0.3 * futures + depth * spread(0, 0.004) - 0.22 * individual
        net['foreign'] = -sum(net.values())
    elif market == 'K2I':
        foreign = 0.008 * mood + spread(0, 0.007)
        net = {'foreign': foreign, 'individual': -0.42 * foreign + spread(0, 0.0018),
               'investment_trust': spread(0, 0.0012), 'pension_fund': spread(0, 0.0006),
               'insurance': spread(0, 0.0002), 'other_corporation': spread(0, 0.0004)}
        net['securities'] = -sum(net.values())
    else:
        foreign = spread(0, 0.006)
        net = {'foreign': foreign, 'individual': -0.5 * foreign + spread(0, 0.002)}
        net['securities'] = -sum(net.values())
    return {trader: net.get(trader, 0) for trader in TRADERS}


def _shares(market, sector):
    if market in INVESTORS:
        return INVESTORS[market]
    return INVESTORS['futures' if sector[:1] == 'F' else 'options']


@lru_cache(maxsize=16384)
def _day(market, sector, day):
    """Of quantity and amount: the whole, and whose share in what is sold and bought; and who leans to buy."""
    shares = list(_shares(market, sector).values())
    rng = _rng('day', market, sector, day)
    amount, price = _size(market, sector, day, rng.random())
    # Flows go to the greatest sectors most; a small one's are its own
    heavy = SECTORS[market].get(sector, UNKNOWN)[0] / 20 if market in SECTORS else 1
    spread = 0.004 * heavy ** -0.4
    # Net is twice the share of the turnover times how much one leans to buy
    leans = [min(max(net / (2 * share) * rng.uniform(0.8, 1.2) * heavy ** 0.25 + rng.gauss(0, spread), -0.4), 0.4)
             if share else 0
             for share, net in zip(shares, _nets('K2I' if sector == 'F004' else market, day).values())]
    dear = [math.sqrt(PRICES.get(trader, 1)) if market in SECTORS else 1 for trader in TRADERS]
    sold, bought = ([share / price / rng.uniform(0.985, 1.015) for share, price in zip(shares, dear)] for _ in range(2))
    return ((amount * FINER / price, sold, bought), (amount * FINER, shares, shares)), leans


# ---- the day's course

@lru_cache(maxsize=512)
def _course(market, sector, day):
    """At each minute: the share of the day's trade that is done, and how far each one's buying is ahead of it."""
    moods, volumes = _tide(_market(market), day)
    rng = _rng('course', market, sector, day)
    traded = [volume * math.exp(other) for volume, other in zip(volumes, _swings(rng, AUCTION, 3, 0.3))]
    after = [0.2 if minute < 20 else math.exp(-minute / 150) for minute in range(DAY - AT_CLOSE - 10)]
    before_auction = (1 - SHARE_OF_AUCTION - SHARE_AFTER) / sum(traded)
    traded = [volume * before_auction for volume in traded]
    # What is traded in the auction is so at its end, and nothing for ten minutes then
    done = (list(accumulate(traded, initial=0)) + [1 - SHARE_OF_AUCTION - SHARE_AFTER] * (AT_CLOSE - AUCTION - 1)
            + [1 - SHARE_AFTER] * 10
            + list(accumulate((SHARE_AFTER * volume / sum(after) for volume in after), initial=1 - SHARE_AFTER)))
    ahead = []
    for trader in TRADERS:
        mood = MOODS.get(trader, 0)
        steps = [EAGER * volume * (mood * tide + other + rng.uniform(-1, 1)) for volume, tide, other in zip(
            traded, moods, _swings(rng, AUCTION, 18, 0.45 if mood else 0.8))]
        at_close = EAGER * SHARE_OF_AUCTION * rng.uniform(-1, 1)
        course = list(accumulate(steps, initial=0))
        course += course[-1:] * (AT_CLOSE - AUCTION - 1) + [course[-1] + at_close] * (DAY - AT_CLOSE + 1)
        # At the day's end nobody is ahead
        ahead.append([step - share * course[-1] for step, share in zip(course, done)])
    return done, ahead


def _so_far(market, sector, day, fraction):
    minutes = _minutes(fraction) + 1e-6 if fraction else 0
    at = min(int(minutes), DAY)
    done, ahead = _course(market, sector, day)

    def now(values):
        if at in (AT_CLOSE - 1, DAY):
            return values[at]
        return values[at] + (values[at + 1] - values[at]) * (minutes - at)

    return now(done), [now(values) for values in ahead]


@lru_cache(maxsize=8192)
def _sector_totals(market, sector, day, fraction):
    """Of those who trade: sold and bought quantity, sold and bought amount.

    What s has sold to b by now is sold[s] * bought[b] * (1 + leans[b] - leans[s])
    * (done + ahead[b] - ahead[s]) of the whole: summed over the one, and the other.
    """
    measures, leans = _day(market, sector, day)
    done, ahead = 1, [0] * len(TRADERS)
    if fraction < 1:
        done, ahead = _so_far(market, sector, day, fraction)
    found = []
    for whole, sold, bought in measures:
        for own, others, sign in ((sold, bought, -1), (bought, sold, 1)):
            plain, leaning, moving, both = sum(others), sum(map(mul, others, leans)), 0, 0
            if done < 1:
                moving, both = sum(map(mul, others, ahead)), sum(map(mul, map(mul, others, leans), ahead))
            found.append([
                round(whole * share * ((1 + sign * lean) * ((done + sign * move) * plain - sign * moving)
                                       - sign * (done + sign * move) * leaning + both))
                for share, lean, move in zip(own, leans, ahead)])
    return found


def _summands(market, sector):
    """The sectors that a pair is the sum of, and how much of each one's quantity and amount is of it."""
    sectors = SECTORS.get(market, {})
    if sector in CAPS.get(market, ()):
        size = CAPS[market].index(sector)
        for part, (_, _, *sizes) in sectors.items():
            pieces = [share / price for share, price in zip(sizes, CAP_PRICES)]
            yield part, (pieces[size] / sum(pieces), sizes[size] / sum(sizes))
        return
    whole, first, last = MANUFACTURING.get(market, ('', '', ''))
    for part in sectors if sector in (ALL.get(market), whole) else (sector,):
        if sector != whole or first <= part <= last:
            yield part, (1, 1)


@lru_cache(maxsize=4096)
def totals(market, sector, day, fraction):
    """{(trader, side, measure): finer value} when so much of the day is done."""
    found = dict.fromkeys(product(('qty', 'amount'), ('sell', 'buy'), TRADERS), 0)
    for part, shares in _summands(market, sector):
        for key, summand in zip(found, chain.from_iterable(_sector_totals(market, part, day, fraction))):
            share = shares[key[0] == 'amount']
            found[key] += summand if share == 1 else round(share * summand)
    return {(trader, side, measure): value for (measure, side, trader), value in found.items()}


def program(market, day, fraction):
    """{(trader, kind, side, measure): finer value} of program trading."""
    found = totals(market, ALL[market], day, fraction or 0)
    rng = _rng('program', market, day)
    # Shares are bought against futures that foreigners have made dear
    dear = 9 * _nets('K2I', day)['foreign']
    finer = {}
    for trader in TRADERS:
        shares = PROGRAM.get(trader, (0, 0))
        tilts = (rng.gauss(0, 0.006), min(max(rng.gauss(dear, 0.1), -0.5), 0.5))
        for kind, share, tilt in zip(('nabt', 'arbt'), shares, tilts):
            for side, name, sign in (('sell', 'seln', -1), ('buy', 'shnu', 1)):
                part = share * (1 + sign * tilt)
                finer[trader, kind, name, 'qty'] = int(found[trader, side, 'qty'] * part * 0.9)
                finer[trader, kind, name, 'amt'] = int(found[trader, side, 'amount'] * part)
    return finer
