"""Korean time, open days, and which figures show at a moment."""

import time
from collections import namedtuple
from datetime import date, datetime, time as clocktime, timedelta, timezone

KST = timezone(timedelta(hours=9))

OPEN_SECONDS = 9 * 3600
CLOSE_SECONDS = 15 * 3600 + 45 * 60
# Totals still move after the close, until the last after-market ends
AFTER_MARKET_SINCE = date(2026, 9, 14)
# Share of the day's trade that is done by the close
SHARE_AT_CLOSE = 0.995

# fraction of the day's trade that is done; zeros: nothing is shown yet
Moment = namedtuple('Moment', 'day fraction zeros')


def kst_now():
    return datetime.now(KST).replace(tzinfo=None)


def day_fraction(day, seconds):
    """How much of the day's trade is done so many seconds after midnight."""
    last = (20 if day >= AFTER_MARKET_SINCE else 18) * 3600
    if seconds <= OPEN_SECONDS:
        return 0.0
    if seconds >= last:
        return 1.0
    if seconds <= CLOSE_SECONDS:
        return SHARE_AT_CLOSE * (seconds - OPEN_SECONDS) / (CLOSE_SECONDS - OPEN_SECONDS)
    after_close = (seconds - CLOSE_SECONDS) / (last - CLOSE_SECONDS)
    return SHARE_AT_CLOSE + (1 - SHARE_AT_CLOSE) * after_close


class Clock:
    """The simulated Korean local time and the exchange's calendar."""

    def __init__(self, config):
        self.config = config
        self._generation = None
        self._clock_generation = None

    def _refresh(self):
        config = self.config
        if self._generation == config.generation:
            return
        # A change of something else must not set a running clock back
        if self._clock_generation != config.clock_generation:
            self._clock_generation = config.clock_generation
            self._base = (datetime.fromisoformat(config['clock'])
                          if config['clock'] else kst_now())
            self._since = time.monotonic()
        self._closed = frozenset(config['holidays'])
        self._closed_yearly = frozenset(config['yearly_holidays'])
        self._generation = config.generation

    def now(self):
        self._refresh()
        passed = (time.monotonic() - self._since) * self.config['clock_speed']
        return self._base + timedelta(seconds=passed)

    def is_open(self, day):
        self._refresh()
        text = day.isoformat()
        return (day.weekday() < 5 and text not in self._closed
                and text[5:] not in self._closed_yearly)

    def last_open(self, day):
        """The day itself if it is open, else the open day before it."""
        while not self.is_open(day):
            day -= timedelta(days=1)
        return day

    def open_before(self, day):
        return self.last_open(day - timedelta(days=1))

    def moment(self):
        """What the calls show now."""
        now = self.now()
        today = now.date()
        tick = max(self.config['tick_seconds'], 0.001)
        seconds = (now - datetime.combine(today, clocktime())).total_seconds()
        session = self.config['session']
        if session == 'auto' and not self.is_open(today):
            if self.config['weekend'] == 'zeros':
                return Moment(today, 0.0, True)
            return Moment(self.last_open(today), 1.0, False)
        day = self.last_open(today)
        if session == 'closed':
            return Moment(day, 1.0, False)
        if session == 'open' and not OPEN_SECONDS < seconds <= CLOSE_SECONDS:
            seconds = (OPEN_SECONDS + CLOSE_SECONDS) / 2
        if session == 'before' or seconds < OPEN_SECONDS:
            if self.config['before_open'] == 'zeros':
                return Moment(day, 0.0, True)
            return Moment(self.open_before(day), 1.0, False)
        return Moment(day, day_fraction(day, seconds // tick * tick), False)
