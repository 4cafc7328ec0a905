"""What can be set, with --config, --clock or POST /_simulator/config.

key                  default     meaning
app_key, app_secret  generated   the customer's key (36) and secret (180)
accounts             {}          more customers: {"app key": "secret"}
paper                false       true: data calls are refused (EGW02006)
rate                 null        data calls a second for an app key; null: any
rate_window          'sliding'   or 'fixed' (whole seconds)
clock                null        Korean local time, ISO; null: the real one
clock_speed          1           simulated seconds a second; 0: it stands still.
                                 A clock that is set stands still by default
tick_seconds         10          how often totals move
figures              'fixed'     or 'lifelike': as a real day's could be (see
                                 lifelike.py)
session              'auto'      by the clock; or 'before', 'open', 'closed'
before_open          'zeros'     or 'previous': the last session's figures
weekend              'previous'  or 'zeros'; holidays too
late_opens           []          dates on which the exchange opens at 10:00, and all
                                 is an hour later; besides the year's first
                                 open day, on which only the open is
holidays             2026's      dates on which the exchange is closed
yearly_holidays      fixed days  the same, as MM-DD, every year
extra_pairs          []          pairs known besides the listed: ["KSP/0031"]
captured             {}          answers served as they are: {"KSP/0027": file
                                 name or JSON}; "daily:KSP/0001",
                                 "holiday:20260105", "token" for the other
                                 calls; "NAME:" and the codes, or "NAME", for
                                 one that has no figures of ours
daily_rows           300         rows of a daily page at most
calendar_days        24          days of a page of the calendar
overrides            {}          figures of the trend call that tests fix:
                                 {"KSP/0001": {"frgn_ntby_qty": "123"}}; of the
                                 index: {"index:0001": {…}}; of an investor's
                                 program trades: {"program:KSP": {"8000": {…}}},
                                 of one not known, too
date_header          null        seconds that the header Date of data calls is ahead
                                 of the simulator's clock, or its text; null: none
latency_ms           0           before each reply of a data call
token_latency_ms     0           before each reply of the token call
idle_timeout_ms      null        idle connections are closed without a word
token_rules          true        false: each issue a new token, at once, and
                                 any bearer token is taken
token_min_interval   60          seconds between two issues, else EGW00133
token_same_for       21600       seconds for which the same token is handed out
token_lifetime       86400       seconds
token_length         320         characters
token_calls          null        data calls that a token is good for, from its
                                 issue on; then it is expired. null: any
token_clock_offset   0           seconds that the token clock is ahead of ours
reissue_kills        false       true: an issue too soon kills the live token,
                                 which is handed out dead until token_same_for
extra_tokens         []          tokens that another program got
record_limit         200000      requests remembered
faults               []          see faults.py
"""

import base64
import copy
import hashlib
from datetime import date, datetime

from .faults import Fault


def _letters(seed, length):
    text = b''.join(base64.b64encode(hashlib.sha512(b'%s %d' % (seed, i)).digest()[:63])
                    for i in range(length // 84 + 1))
    return text[:length].decode()


# Plainly no real ones; the secret has the characters that need care
APP_KEY = 'PSSIMULATED' + hashlib.sha256(b'app key').hexdigest()[:25].upper()
APP_SECRET = 'SIMULATED+/' + _letters(b'app secret', 168) + '='

DEFAULTS = {
    'app_key': APP_KEY,
    'app_secret': APP_SECRET,
    'accounts': {},
    'paper': False,
    'rate': None,
    'rate_window': 'sliding',
    'clock': None,
    'clock_speed': 1,
    'tick_seconds': 10,
    'figures': 'fixed',
    'session': 'auto',
    'before_open': 'zeros',
    'weekend': 'previous',
    'late_opens': [],
    'holidays': [
        '2026-01-01', '2026-02-16', '2026-02-17', '2026-02-18', '2026-03-02',
        '2026-05-25', '2026-06-03', '2026-08-17', '2026-09-24', '2026-09-25',
        '2026-09-26', '2026-09-27', '2026-10-05'],
    'yearly_holidays': [
        '01-01', '03-01', '05-01', '05-05', '06-06', '08-15', '10-03', '10-09',
        '12-25', '12-31'],
    'extra_pairs': [],
    'captured': {},
    'daily_rows': 300,
    'calendar_days': 24,
    'overrides': {},
    'date_header': None,
    'latency_ms': 0,
    'token_latency_ms': 0,
    'idle_timeout_ms': None,
    'token_rules': True,
    'token_min_interval': 60,
    'token_same_for': 6 * 3600,
    'token_lifetime': 24 * 3600,
    'token_length': 320,
    'token_calls': None,
    'token_clock_offset': 0,
    'reissue_kills': False,
    'extra_tokens': [],
    'record_limit': 200000,
    'faults': [],
}

CHOICES = {
    'rate_window': ('sliding', 'fixed'),
    'figures': ('fixed', 'lifelike'),
    'session': ('auto', 'before', 'open', 'closed'),
    'before_open': ('zeros', 'previous'),
    'weekend': ('previous', 'zeros'),
}


class ConfigError(ValueError):
    """A config key or value that doesn't exist."""


class Config:
    """The settings, with their start state to go back to.

    generation moves on with each change, so that caches notice;
    clock_generation when the clock is set, if only to what it was.
    """

    def __init__(self, start=None):
        self.values = copy.deepcopy(DEFAULTS)
        self.fault_list = []
        self.generation = 0
        self.clock_generation = 0
        self.merge(start or {})
        self._start = copy.deepcopy(self.values)

    def __getitem__(self, key):
        return self.values[key]

    def reset(self):
        self.values = copy.deepcopy(self._start)
        self.clock_generation += 1
        self._changed()

    def merge(self, changes):
        """Set some keys; nothing is set if one of them is wrong."""
        if not isinstance(changes, dict):
            raise ConfigError('config must be a JSON object')
        for key, value in changes.items():
            self._check(key, value)
        if changes.get('clock') and 'clock_speed' not in changes:
            changes = dict(changes, clock_speed=0)
        if 'clock' in changes or 'clock_speed' in changes:
            self.clock_generation += 1
        self.values.update(copy.deepcopy(changes))
        self._changed(keep_faults='faults' not in changes)

    def add_fault(self, spec):
        self.values['faults'].append(spec)
        try:
            self.fault_list.append(Fault(spec))
        except ValueError:
            self.values['faults'].pop()
            raise

    def secret_of(self, app_key):
        if app_key == self.values['app_key']:
            return self.values['app_secret']
        return self.values['accounts'].get(app_key)

    def _changed(self, keep_faults=False):
        if not keep_faults:
            self.fault_list = [Fault(spec) for spec in self.values['faults']]
        self.generation += 1

    @staticmethod
    def _check(key, value):
        if key not in DEFAULTS:
            raise ConfigError('no such config key: %s' % key)
        if key in CHOICES and value not in CHOICES[key]:
            raise ConfigError('%s must be one of %s' % (key, ', '.join(CHOICES[key])))
        if key == 'faults':
            for spec in value:
                Fault(spec)
        elif key == 'clock' and value is not None:
            datetime.fromisoformat(value)
        elif key in ('holidays', 'late_opens'):
            for day in value:
                date.fromisoformat(day)
        elif DEFAULTS[key] is not None and not isinstance(
                value, (int, float) if type(DEFAULTS[key]) is int else type(DEFAULTS[key])):
            raise ConfigError('%s must be like %r' % (key, DEFAULTS[key]))
