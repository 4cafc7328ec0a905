"""The token endpoint's rules, on a clock of their own."""

import base64
import hashlib
import os
import time
from datetime import datetime

from .clock import KST

MESSAGES = {
    'EGW00101': '유효하지 않은 요청입니다.',
    'EGW00103': '유효하지 않은 AppKey입니다.',
    'EGW00105': '유효하지 않은 AppSecret입니다.',
    'EGW00133': '접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)',
}


class Refused(Exception):
    """A refusal of the token call, with KIS's code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Token:
    """A token and the code that data calls get for it, once it is dead."""

    __slots__ = ('text', 'app_key', 'created', 'expires', 'dead')

    def __init__(self, text, app_key, created, expires):
        self.text = text
        self.app_key = app_key
        self.created = created
        self.expires = expires
        self.dead = None


class Tokens:
    """All tokens issued, and each app key's last issue."""

    def __init__(self, config):
        self.config = config
        # Never the same token twice, not even after a reset
        self._salt = os.urandom(16)
        self._number = 0
        self.forget()

    def forget(self):
        self.issued = 0         # successful answers, a token's second one too
        self._calls = 0         # since the last of them
        self._by_text = {}
        self._last = {}         # app key: (token, time of the last issue)
        self._hand_back = set()  # app keys whose dead token is handed out again

    def now(self):
        return time.time() + self.config['token_clock_offset']

    def issue(self, app_key, secret):
        """The answer's members, or Refused."""
        config = self.config
        expected = config.secret_of(app_key)
        if expected is None:
            raise Refused('EGW00103')
        if secret != expected:
            raise Refused('EGW00105')
        now = self.now()
        token, issued = self._last.get(app_key, (None, None))
        if config['token_rules'] and token:
            if now - issued < config['token_min_interval']:
                if config['reissue_kills']:
                    token.dead = token.dead or 'EGW00121'
                    self._hand_back.add(app_key)
                raise Refused('EGW00133')
            if now - token.created >= config['token_same_for'] or (
                    token.dead and app_key not in self._hand_back):
                token = None
        else:
            token = None
        if token is None:
            token = self._new(app_key, now)
            self._hand_back.discard(app_key)
        self._last[app_key] = (token, now)
        self.issued += 1
        self._calls = 0
        return {
            'access_token': token.text,
            'access_token_token_expired':
                datetime.fromtimestamp(token.expires, KST).strftime('%Y-%m-%d %H:%M:%S'),
            'token_type': 'Bearer',
            'expires_in': config['token_lifetime']}

    def refusal(self, text, app_key):
        """The code that a data call with this token gets, or None."""
        self._calls += 1
        most = self.config['token_calls']
        if most is not None and self._calls > most:
            return 'EGW00123'
        if not self.config['token_rules'] or text in self.config['extra_tokens']:
            return None
        token = self._by_text.get(text)
        if token is None or token.app_key != app_key:
            return 'EGW00121'
        if token.dead:
            return token.dead
        return 'EGW00123' if self.now() >= token.expires else None

    def kill(self, code='EGW00121', allow_issue=True, hand_back=False):
        """Kill all live tokens; returns how many.

        allow_issue lets the next issue come at once; hand_back makes it the
        dead token again.
        """
        killed = 0
        for app_key, (token, issued) in self._last.items():
            if not token.dead:
                token.dead = code
                killed += 1
            if allow_issue:
                self._last[app_key] = (token, issued - self.config['token_min_interval'])
            if hand_back:
                self._hand_back.add(app_key)
        return killed

    def _new(self, app_key, now):
        self._number += 1
        seed = b'%s %d' % (self._salt, self._number)
        length = self.config['token_length']
        text = b''.join(base64.urlsafe_b64encode(hashlib.sha512(seed + b' %d' % i).digest()[:63])
                        for i in range(length // 84 + 1)).decode()
        text = ('eyJ0eXAiOiJTSU1VTEFURUQifQ.' + text)[:length]
        token = Token(text, app_key, now, now + self.config['token_lifetime'])
        self._by_text[text] = token
        return token
