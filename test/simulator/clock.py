"""Korean time, open days, and which figures show at a moment."""

import time
from collections import namedtuple
from datetime import date, datetime, time as clocktime, timedelta, timezone

KST = timezone(timedelta(hours=9))

OPEN_SECONDS = 9 * 3600
LATE_SECONDS = 3600
CLOSE_SECONDS = 15 * 3600 + 45 * 60
# Totals still move after the close, until the last after-market ends
AFTER_MARKET_SINCE = date(2026, 9, 14)
# Share of the day's trade that is done by the close
SHARE_AT_CLOSE = 0.995

# fraction of the day's trade that is done; zeros: nothing is shown yet
Moment = namedtuple('Moment', 'day fraction zeros')


def kst_now():
    return datetime.now(KST).replace(tzinfo=None)


def day_fraction(day, seconds, opens, closes):
    """How much of the day's trade is done so many seconds after midnight."""
    last = (20 if day >= AFTER_MARKET_SINCE else 18) * 3600
    if seconds <= opens:
        return 0.0
    if seconds >= last:
        return 1.0
    if seconds <= closes:
        return SHARE_AT_CLOSE * (seconds - opens) / (closes - opens)
    after_close = (seconds - closes) / (last - closes)
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
        self._late = frozenset(config['late_opens'])
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

    def hours(self, day):
        """When the exchange opens and closes, in seconds of the day."""
        self._refresh()
        if day.isoformat() in self._late:
            return OPEN_SECONDS + LATE_SECONDS, CLOSE_SECONDS + LATE_SECONDS
        if day.month == 1 and self.open_before(day).year < day.year:
            return OPEN_SECONDS + LATE_SECONDS, CLOSE_SECONDS
        return OPEN_SECONDS, CLOSE_SECONDS

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
        opens, closes = self.hours(day)
        if session == 'open' and not opens < seconds <= closes:
            seconds = (opens + closes) / 2
        if session == 'before' or seconds < opens:
            if self.config['before_open'] == 'zeros':
                return Moment(day, 0.0, True)
            return Moment(self.open_before(day), 1.0, False)
        return Moment(day, day_fraction(day, seconds // tick * tick, opens, closes), False)
