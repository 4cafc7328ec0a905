"""The endpoints: a request in, a reply out."""

import json
import os
from datetime import date, timedelta, timezone
from email.utils import format_datetime

from . import catalog, figures
from .clock import KST
from .documented import DATA_KINDS, PARAMETERS, TR_IDS
from .tokens import MESSAGES, Refused

REASONS = {200: 'OK', 302: 'Found', 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found',
           500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable'}
ERRORS = {
    'EGW00001': '일시적 오류가 발생했습니다.',
    'EGW00002': '서버 에러가 발생했습니다.',
    'EGW00003': '접근이 거부되었습니다.',
    'EGW00121': '유효하지 않은 token 입니다.',
    'EGW00122': 'token을 찾을 수 없습니다.',
    'EGW00123': '기간이 만료된 token 입니다.',
    'EGW00132': '유효하지 않은 Content-Type 입니다.',
    'EGW00201': '초당 거래건수를 초과하였습니다.',
    'EGW00202': 'GW라우팅 중 오류가 발생했습니다.',
    'EGW00203': 'OPS라우팅 중 오류가 발생했습니다.',
    'EGW00205': 'credentials_type이 유효하지 않습니다.(Bearer)',
    'EGW00206': 'API 사용 권한이 없습니다.',
    'EGW00208': '고객유형이 유효하지 않습니다.',
    'EGW00300': 'Gateway 라우팅 오류가 발생했습니다.',
    'EGW00301': '연결 시간이 초과되었습니다. 직전 거래를 반드시 확인하세요.',
    'EGW02006': '모의투자 TR 이 아닙니다.',
    'OPSQ0002': '없는 서비스 코드 입니다',
    **MESSAGES,
}
SUCCESS = {'rt_cd': '0', 'msg_cd': 'MCA00000', 'msg1': '정상처리 되었습니다.'}
JSON_TYPE = 'application/json; charset=utf-8'


def to_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode()


def padded(text, width):
    """Padded as KIS does, who counts bytes of EUC-KR."""
    return text + ' ' * (width - len(text.encode('euc-kr')))


class Reply:
    """An HTTP reply before it is on the wire."""

    __slots__ = ('status', 'body', 'msg_cd', 'content_type', 'headers', 'ok', '_whole')

    def __init__(self, status, body, msg_cd=None, content_type=JSON_TYPE, headers=(), ok=False):
        self.status = status
        self.body = body
        self.msg_cd = msg_cd
        self.content_type = content_type
        self.headers = headers
        self.ok = ok            # what was asked for, so that faults may change it
        self._whole = None

    def head(self, length=True, connection=None, headers=None):
        """The head's bytes; length False leaves Content-Length away."""
        lines = ['HTTP/1.1 %d %s' % (self.status, REASONS.get(self.status, 'Other')),
                 'Content-Type: ' + self.content_type]
        lines += ['%s: %s' % pair for pair in headers or self.headers]
        if length:
            lines.append('Content-Length: %d' % len(self.body))
        if connection:
            lines.append('Connection: ' + connection)
        return ('\r\n'.join(lines) + '\r\n\r\n').encode()

    def whole(self):
        """Head and body, made once."""
        if self._whole is None:
            self._whole = self.head() + self.body
        return self._whole


def data_error(code, status=500, msg1=None):
    message = ERRORS.get(code, '오류가 발생했습니다.') if msg1 is None else msg1
    return Reply(status, to_json({'rt_cd': '1', 'msg1': message, 'msg_cd': code}), code)


def token_error(code, status=403, msg1=None):
    message = ERRORS.get(code, '오류가 발생했습니다.') if msg1 is None else msg1
    return Reply(status, to_json({'error_description': message, 'error_code': code}), code)


def missing_parameter(name):
    return Reply(200, to_json({'rt_cd': '2', 'msg_cd': 'OPSQ2001',
                               'msg1': 'ERROR INPUT FIELD NOT FOUND [%s]' % name}), 'OPSQ2001')


def parse_day(text):
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])) if len(text) == 8 else None
    except ValueError:
        return None


class Answers:
    """Answers requests by the config, the clock and the tokens."""

    def __init__(self, config, clock, tokens, rate):
        self.config = config
        self.clock = clock
        self.tokens = tokens
        self.rate = rate
        self._generation = None

    def answer(self, request, body):
        """The reply that the documented API gives; rate is not asked here."""
        if request.kind == 'token':
            return self._token(request, body)
        if request.kind not in DATA_KINDS:
            return data_error('OPSQ0002', 404)
        if self.config.generation != self._generation:
            self._generation = self.config.generation
            self._replies = {}
        refused = self._refusal(request)
        if refused:
            return refused
        for name in PARAMETERS[request.kind]:
            if name not in request.parameters:
                return missing_parameter(name)
        return getattr(self, '_' + request.kind, self._as_captured)(request)

    def over_rate(self, request, now):
        """The refusal for a call over the rate, or None."""
        if request.kind in DATA_KINDS and not self.rate.allows(
                request.headers.get('appkey'), now):
            return data_error('EGW00201')
        return None

    def _token(self, request, body):
        if not request.headers.get('content-type', '').startswith('application/json'):
            return token_error('EGW00132')
        try:
            given = json.loads(body)
            grant, key, secret = (given[n] for n in ('grant_type', 'appkey', 'appsecret'))
        except (ValueError, KeyError, TypeError):
            return token_error('EGW00101')
        if request.method != 'POST' or grant != 'client_credentials':
            return token_error('EGW00101')
        try:
            issued = self.tokens.issue(key, secret)
            return Reply(200, self._captured_body('token') or to_json(issued), ok=True)
        except Refused as refusal:
            return token_error(refusal.code)

    def _refusal(self, request):
        headers = request.headers
        key = headers.get('appkey')
        secret = self.config.secret_of(key)
        code = None
        if self.config['paper']:
            code = 'EGW02006'
        elif request.method != 'GET' or headers.get('tr_id') != TR_IDS[request.kind]:
            code = 'OPSQ0002'
        elif secret is None:
            code = 'EGW00103'
        elif headers.get('appsecret') != secret:
            code = 'EGW00105'
        elif not headers.get('authorization', '').startswith('Bearer '):
            code = 'EGW00205'
        elif headers.get('custtype') != 'P':
            code = 'EGW00208'
        else:
            code = self.tokens.refusal(headers['authorization'][7:], key)
        return data_error(code) if code else None

    def _captured_body(self, *names):
        for name in names:
            given = self.config['captured'].get(name)
            if given is None:
                continue
            if isinstance(given, (dict, list)):
                return to_json(given)
            if given.lstrip()[:1] in '{[':
                return given.encode()
            with open(os.path.expanduser(given), 'rb') as file:
                return file.read()
        return None

    def _captured(self, kind, *names):
        body = self._captured_body(*names)
        return body and self._success(body, 'captured', TR_IDS[kind])

    def _as_captured(self, request):
        """The answer to a call that has no figures: as given, or that there is no such call."""
        return self._given(request) or data_error('OPSQ0002', 404)

    def _given(self, request):
        codes = '/'.join(code for code in (request.market, request.sector) if code)
        return self._captured(request.kind, '%s:%s' % (request.kind, codes), request.kind)

    def _success(self, body, msg_cd='MCA00000', tr_id='', more=''):
        return Reply(200, body, msg_cd, ok=True,
                     headers=(('tr_id', tr_id), ('tr_cont', more), ('gt_uid', '0' * 32),
                              *self._date_header()))

    def _date_header(self):
        date_header = self.config['date_header']
        if date_header is None:
            return ()
        if isinstance(date_header, str):
            return (('Date', date_header),)
        moment = self.clock.now().replace(tzinfo=KST) + timedelta(seconds=date_header)
        return (('Date', format_datetime(moment.astimezone(timezone.utc), usegmt=True)),)

    def _kept(self, key, make):
        """A reply made once for this key and config."""
        if self.config['date_header'] is not None:
            return make()
        reply = self._replies.get(key)
        if reply is None:
            if len(self._replies) > 2000:
                self._replies.clear()
            reply = self._replies[key] = make()
        return reply

    def _source(self):
        return figures.SOURCES[self.config['figures']]

    def _trend(self, request):
        market, sector = request.market, request.sector
        moment = self.clock.moment()

        def make():
            pair = '%s/%s' % (market, sector)
            captured = self._captured('trend', pair, 'trend:' + pair)
            if captured:
                return captured
            if (market, sector) in catalog.SECTORS or pair in self.config['extra_pairs']:
                if moment.zeros:
                    row = dict.fromkeys(catalog.MEMBER_NAMES, '0')
                else:
                    row = figures.trend_row(self._source(), market, sector, moment.day, moment.fraction)
                row.update(self.config['overrides'].get(pair, {}))
            else:
                row = dict.fromkeys(catalog.MEMBER_NAMES,
                                    '' if market in catalog.MARKETS else '0')
            return self._success(to_json({'output': [row], **SUCCESS}), tr_id=TR_IDS['trend'])

        return self._kept(('trend', market, sector, moment), make)

    def _daily(self, request):
        market, sector = request.market, request.sector
        newest = parse_day(request.date)
        if newest is None:
            return missing_parameter('FID_INPUT_DATE_1')
        moment = self.clock.moment()

        def make():
            pair = '%s/%s' % (market, sector)
            captured = self._captured('daily', 'daily:' + pair)
            if captured:
                return captured
            rows = []
            known = (market, sector) in catalog.SECTORS or pair in self.config['extra_pairs']
            if market in ('KSP', 'KSQ') and known:
                rows = self._daily_rows(market, sector, newest, moment)
            return self._success(to_json({'output': rows, **SUCCESS}), tr_id=TR_IDS['daily'])

        return self._kept(('daily', market, sector, newest, moment), make)

    def _daily_rows(self, market, sector, newest, moment):
        # A day that shows only zeros has no row yet
        last = moment.day if not moment.zeros else self.clock.open_before(moment.day)
        day = self.clock.last_open(min(newest, last))
        rows = []
        while len(rows) < self.config['daily_rows']:
            before = self.clock.open_before(day)
            fraction = moment.fraction if day == moment.day else 1.0
            rows.append(figures.daily_row(self._source(), market, sector, day, before, fraction))
            day = before
        return rows

    def _index(self, request):
        sector = request.sector
        moment = self.clock.moment()

        def make():
            given = self._given(request)
            if given:
                return given
            # The call names no market: a sector is of one of these two
            market = 'KSQ' if ('KSQ', sector) in catalog.SECTORS else 'KSP'
            row = figures.index_row(self._source(), market, sector, moment, self.clock.open_before)
            known = '%s/%s' % (market, sector) in self.config['extra_pairs']
            if (market, sector) not in catalog.SECTORS and not known:
                row = dict.fromkeys(row, '')
            row.update(self.config['overrides'].get('index:' + sector, {}))
            return self._success(to_json({'output': row, **SUCCESS}), tr_id=TR_IDS['index'])

        return self._kept(('index', sector, moment), make)

    def _program(self, request):
        market = request.market
        moment = self.clock.moment()

        def make():
            given = self._given(request)
            if given:
                return given
            rows = figures.program_rows(self._source(), market, moment) if market in ('KSP', 'KSQ') else []
            changes = self.config['overrides'].get('program:%s' % market, {})
            known = {row['invr_cls_code']: row for row in rows}
            for code, members in changes.items():
                if code not in known:
                    known[code] = {**dict.fromkeys(figures.PROGRAM_MEMBERS, '0'), 'invr_cls_code': code}
                    rows.insert(len(rows) // 2, known[code])
                known[code].update(members)
            return self._success(to_json({'output1': rows, **SUCCESS}), tr_id=TR_IDS['program'])

        return self._kept(('program', market, moment), make)

    def _holiday(self, request):
        first = parse_day(request.date)
        if first is None:
            return missing_parameter('BASS_DT')

        def make():
            captured = self._captured('holiday', 'holiday:' + request.date)
            if captured:
                return captured
            days = [first + timedelta(days=n) for n in range(self.config['calendar_days'])]
            body = to_json({
                'ctx_area_nk': padded(days[-1].strftime('%Y%m%d'), 20),
                'ctx_area_fk': padded(request.date, 20),
                'output': [self._calendar_day(day) for day in days],
                'rt_cd': '0', 'msg_cd': 'KIOK0500',
                'msg1': padded('조회가 계속됩니다..다음버튼을 Click 하십시오.', 80)})
            return self._success(body, 'KIOK0500', TR_IDS['holiday'], 'M')

        return self._kept(('holiday', first), make)

    def _calendar_day(self, day):
        is_open = self.clock.is_open(day)
        # The exchange also closes on the year's last weekday, when banks do business
        business = is_open or (day.weekday() < 5 and (day.month, day.day) == (12, 31))
        yes_no = {True: 'Y', False: 'N'}
        return {'bass_dt': day.strftime('%Y%m%d'),
                'wday_dvsn_cd': '%02d' % (day.isoweekday() % 7 + 1),
                'bzdy_yn': yes_no[business], 'tr_day_yn': 'Y',
                'opnd_yn': yes_no[is_open], 'sttl_day_yn': yes_no[is_open]}
