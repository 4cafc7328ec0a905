#!/usr/bin/env python3
"""The simulator against what is known of the KIS Open API, as TAP."""

import json
import os
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, 'test'))

from simulator import catalog, figures  # noqa: E402
from simulator.config import APP_KEY, APP_SECRET  # noqa: E402
from simulator.documented import CALLS, DAILY_PATH, HOLIDAY_PATH, TREND_PATH  # noqa: E402
from simulator_case import MID_SESSION, Case, run  # noqa: E402


class Token(Case):
    def test_issue(self):
        status, given = self.sim.issue()
        self.assertEqual(status, 200)
        self.assertEqual(list(given), ['access_token', 'access_token_token_expired',
                                       'token_type', 'expires_in'])
        self.assertTrue(given['access_token'].startswith('eyJ'))
        self.assertLessEqual(len(given['access_token']), 350)
        self.assertEqual((given['token_type'], given['expires_in']), ('Bearer', 86400))
        expires = datetime.strptime(given['access_token_token_expired'], '%Y-%m-%d %H:%M:%S')
        korea = datetime.now(timezone(timedelta(hours=9))).replace(tzinfo=None)
        self.assertLess(abs((expires - korea).total_seconds() - 86400), 60)

    def test_once_a_minute_same_for_six_hours(self):
        first = self.sim.issue()[1]
        status, refused = self.sim.issue()
        self.assertEqual(status, 403)
        self.assertEqual(refused, {
            'error_description': '접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)',
            'error_code': 'EGW00133'})
        self.sim.config(token_clock_offset=61)
        again = self.sim.issue()[1]
        self.assertEqual(again, first)
        self.sim.config(token_clock_offset=6 * 3600 + 1)
        later = self.sim.issue()[1]
        self.assertNotEqual(later['access_token'], first['access_token'])
        self.assertGreater(later['access_token_token_expired'],
                           first['access_token_token_expired'])
        self.assertEqual(self.sim.admin('GET', 'stats')['tokens_issued'], 3)

    def test_wrong_key_and_secret(self):
        for key, secret, code in ((APP_KEY[:-1] + 'x', APP_SECRET, 'EGW00103'),
                                  (APP_KEY, APP_SECRET[:-1], 'EGW00105'),
                                  (APP_KEY, APP_SECRET + '\n', 'EGW00105')):
            status, refused = self.sim.issue(key, secret)
            self.assertEqual((status, refused['error_code']), (403, code))
        self.assertEqual(self.sim.issue()[0], 200)

    def test_lives_a_day(self):
        self.sim.row()
        self.sim.config(token_clock_offset=86399 - 60)
        self.assertEqual(self.sim.trend()['rt_cd'], '0')
        self.sim.config(token_clock_offset=86401)
        status, _, body = self.sim.trend_raw()
        self.assertEqual((status, json.loads(body)['msg_cd']), (500, 'EGW00123'))

    def test_unknown(self):
        status, _, body = self.sim.trend_raw(authorization='Bearer nothing')
        self.assertEqual(status, 500)
        self.assertEqual(list(json.loads(body)), ['rt_cd', 'msg1', 'msg_cd'])
        self.assertEqual(json.loads(body)['msg_cd'], 'EGW00121')

    def test_kill(self):
        for code in ('EGW00121', 'EGW00122', 'EGW00123'):
            self.sim.token = None
            self.sim.row()
            dead = self.sim.token
            self.assertEqual(self.sim.admin('POST', 'kill_token', {'code': code})['killed'], 1)
            self.assertEqual(self.sim.trend()['msg_cd'], code)
            self.sim.token = None
            self.assertEqual(self.sim.trend()['rt_cd'], '0')
            self.assertNotEqual(self.sim.token, dead)
            self.sim.admin('POST', 'kill_token', {})

    def test_dead_token_handed_out_again(self):
        self.sim.row()
        dead = self.sim.token
        self.sim.admin('POST', 'kill_token', {'hand_back': True})
        self.assertEqual(self.sim.issue()[1]['access_token'], dead)
        self.sim.admin('POST', 'kill_token', {'allow_issue': False})
        self.assertEqual(self.sim.issue()[1]['error_code'], 'EGW00133')

    def test_too_soon_kills(self):
        self.sim.config(reissue_kills=True)
        self.sim.row()
        self.assertEqual(self.sim.issue()[0], 403)
        self.assertEqual(self.sim.trend()['msg_cd'], 'EGW00121')
        self.sim.config(token_clock_offset=120)
        self.assertEqual(self.sim.issue()[1]['access_token'], self.sim.token)
        self.assertEqual(self.sim.trend()['msg_cd'], 'EGW00121')
        self.sim.config(token_clock_offset=6 * 3600 + 1)
        self.assertNotEqual(self.sim.issue()[1]['access_token'], self.sim.token)

    def test_relaxed(self):
        self.sim.config(token_min_interval=0)
        self.assertEqual(self.sim.issue(), self.sim.issue())
        self.sim.config(token_rules=False)
        tokens = {self.sim.issue()[1]['access_token'] for _ in range(3)}
        self.assertEqual(len(tokens), 3)

    def test_good_for_some_calls(self):
        self.sim.config(token_rules=False, token_calls=2, captured={'token': {'access_token': 'x'}})
        for _ in range(2):
            self.assertEqual(self.sim.issue(), (200, {'access_token': 'x'}))
            self.assertEqual([self.sim.trend(authorization='Bearer x')['msg_cd'] for _ in range(3)],
                             ['MCA00000', 'MCA00000', 'EGW00123'])

    def test_other_customers(self):
        self.sim.config(accounts={'other': 'secret'}, extra_tokens=['from elsewhere'])
        self.assertEqual(self.sim.issue('other', 'secret')[0], 200)
        self.assertEqual(self.sim.trend(authorization='Bearer from elsewhere')['rt_cd'], '0')
        # A token serves only the key that it was issued for
        self.assertEqual(self.sim.trend(appkey='other', appsecret='secret')['msg_cd'], 'EGW00121')


class Trend(Case):
    def assert_identities(self, row):
        figure = {(m.investor, m.side, m.measure): int(row[m.name]) for m in catalog.MEMBERS}
        for measure in ('qty', 'amount'):
            for investor in catalog.PARTS:
                self.assertLessEqual(abs(
                    figure[investor, 'net', measure] - figure[investor, 'buy', measure]
                    + figure[investor, 'sell', measure]), 1)
            for side in ('sell', 'buy', 'net'):
                parts = [figure[i, side, measure] for i in catalog.INSTITUTION_PARTS]
                self.assertEqual(len(parts), 7)
                self.assertLessEqual(abs(figure['institution', side, measure] - sum(parts)), 4)
            self.assertLessEqual(abs(sum(
                figure[i, 'net', measure] for i in ('foreign', 'individual', 'institution',
                                                    'other_organization',
                                                    'other_corporation'))), 3)

    def test_answer(self):
        status, headers, body = self.sim.trend_raw()
        self.assertEqual(status, 200)
        self.assertIn('tr_id', headers)
        self.assertIn('gt_uid', headers)
        self.assertTrue(body.startswith(b'{"output":[{"frgn_seln_vol":"'))
        self.assertTrue(body.endswith(
            '}],"rt_cd":"0","msg_cd":"MCA00000","msg1":"정상처리 되었습니다."}'.encode()))
        row = json.loads(body)['output'][0]
        with open(os.path.join(TOP, 'catalog', 'fields.tsv'), encoding='utf-8') as file:
            wire_order = [line.split('\t')[1] for line in file.read().splitlines()[1:]]
        self.assertEqual(list(row), wire_order)
        for value in row.values():
            self.assertRegex(value, r'\A(0|-?[1-9][0-9]*)\Z')

    def test_identities_of_every_pair(self):
        inexact = 0
        for market, sector in catalog.SECTORS:
            row = self.sim.row(market, sector)
            self.assert_identities(row)
            inexact += sum(int(row[m.name]) for m in catalog.MEMBERS if (
                m.investor in catalog.INSTITUTION_PARTS and m.side == 'sell'
                and m.measure == 'amount')) != int(row['orgn_seln_tr_pbmn'])
        self.assertEqual(len(catalog.SECTORS), 71)
        # Each member is rounded on its own, so some sums must be off by a little
        self.assertGreater(inexact, 5)

    def test_grows_through_the_session(self):
        before = None
        for clock in ('09:00:20', '09:00:30', '12:00:00', '15:45:00', '16:30:00', '18:00:00'):
            self.sim.config(clock='2026-07-10T' + clock)
            row = {k: int(v) for k, v in self.sim.row().items()}
            self.assert_identities(row)
            if before:
                self.assertNotEqual(row, before)
                for member in catalog.MEMBERS:
                    if member.side != 'net':
                        self.assertGreaterEqual(row[member.name], before[member.name])
            before = row
        self.sim.config(clock='2026-07-10T23:00:00')
        self.assertEqual({k: int(v) for k, v in self.sim.row().items()}, before)

    def test_is_deterministic_and_the_clock_may_run(self):
        self.assertEqual(self.sim.row(), self.sim.row())
        first = self.sim.row()
        self.sim.config(clock='2026-07-10T10:30:00', clock_speed=100000)
        deadline = time.monotonic() + 10
        while self.sim.row() == first and time.monotonic() < deadline:
            pass
        self.assertNotEqual(self.sim.row(), first)
        self.sim.config(clock='2026-07-10T10:30:00')
        self.assertEqual(self.sim.row(), first)

    def test_closed_days_show_the_last_session(self):
        self.sim.config(clock='2026-07-10T20:00:00')
        friday = self.sim.row()
        for clock in ('2026-07-11T11:00:00', '2026-07-12T00:00:00'):
            self.sim.config(clock=clock)
            self.assertEqual(self.sim.row(), friday)
        self.sim.config(clock='2026-07-13T11:00:00')
        self.assertNotEqual(self.sim.row(), friday)
        self.sim.config(clock='2026-09-23T20:00:00')
        wednesday = self.sim.row()
        self.sim.config(clock='2026-09-25T11:00:00')
        self.assertEqual(self.sim.row(), wednesday)
        self.sim.config(weekend='zeros')
        self.assertEqual(set(self.sim.row().values()), {'0'})

    def test_before_the_open(self):
        self.sim.config(clock='2026-07-13T08:40:00')
        self.assertEqual(set(self.sim.row().values()), {'0'})
        self.sim.config(before_open='previous')
        shown = self.sim.row()
        self.sim.config(clock='2026-07-10T20:00:00')
        self.assertEqual(self.sim.row(), shown)

    def test_forced_session(self):
        self.sim.config(clock='2026-07-12T03:00:00', session='open')
        middle = self.sim.row()
        self.sim.config(session='closed')
        self.assertNotEqual(self.sim.row(), middle)
        self.sim.config(session='before')
        self.assertEqual(set(self.sim.row().values()), {'0'})

    def test_wrong_pairs_fail_open(self):
        for market, sector, value in (('KSP', '9999', ''), ('KSP', '1001', ''), ('ETF', '', ''),
                                      ('KOSPI', '0001', '0'), ('ksp', '0001', '0')):
            answer = self.sim.trend(market, sector)
            self.assertEqual((answer['rt_cd'], len(answer['output'])), ('0', 1))
            self.assertEqual(list(answer['output'][0].values()), [value] * 72)
        self.sim.config(extra_pairs=['KSP/9999'])
        self.assertNotEqual(self.sim.row('KSP', '9999')['frgn_seln_vol'], '')

    def test_missing_parameter(self):
        status, _, body = self.sim.get(TREND_PATH, 'FID_INPUT_ISCD_2=0001', 'FHPTJ04030000')
        self.assertEqual((status, body), (
            200, b'{"rt_cd":"2","msg_cd":"OPSQ2001",'
                 b'"msg1":"ERROR INPUT FIELD NOT FOUND [FID_INPUT_ISCD]"}'))

    def test_parameter_names_in_either_case(self):
        expected = self.sim.row()
        answer = json.loads(self.sim.get(TREND_PATH, 'fid_input_iscd=KSP&Fid_Input_Iscd_2=0001',
                                    'FHPTJ04030000')[2])
        self.assertEqual(answer['output'][0], expected)
        self.assertEqual(self.sim.requests()[-1]['query'],
                         {'fid_input_iscd': 'KSP', 'Fid_Input_Iscd_2': '0001'})

    def test_refusals(self):
        for header, value, code in (
                ('appkey', 'x', 'EGW00103'), ('appsecret', 'x', 'EGW00105'),
                ('authorization', 'Basic x', 'EGW00205'), ('tr_id', 'x', 'OPSQ0002'),
                ('custtype', 'B', 'EGW00208')):
            status, _, body = self.sim.trend_raw(**{header: value})
            self.assertEqual((status, json.loads(body)['msg_cd']), (500, code))
        self.sim.config(paper=True)
        self.assertEqual(self.sim.trend()['msg_cd'], 'EGW02006')

    def test_captured_and_overrides(self):
        answer = '{"output":[{"frgn_ntby_qty":"7"}],"rt_cd":"0","msg_cd":"x","msg1":""}'
        with tempfile.NamedTemporaryFile('w') as file:
            file.write(answer)
            file.flush()
            self.sim.config(captured={'KSP/0027': answer, 'KSP/0001': file.name},
                       overrides={'KSQ/1001': {'frgn_ntby_qty': '-5'}})
            self.assertEqual(self.sim.trend_raw('KSP', '0027')[2], answer.encode())
            self.assertEqual(self.sim.trend_raw('KSP', '0001')[2], answer.encode())
        self.assertEqual(self.sim.row('KSQ', '1001')['frgn_ntby_qty'], '-5')


class Daily(Case):
    def test_shape(self):
        self.sim.config(clock='2026-07-10T20:00:00')
        answer = self.sim.daily('20260712')
        rows = answer['output']
        self.assertEqual((answer['rt_cd'], len(rows)), ('0', 300))
        self.assertEqual(len(rows[0]), 39)
        names = [*catalog.DAILY_INDEX, *(name for name, _, _ in catalog.DAILY_NETS)]
        self.assertEqual(list(rows[0]), names)
        days = [r['stck_bsop_date'] for r in rows]
        self.assertEqual(days[0], '20260710')
        self.assertEqual(days, sorted(set(days), reverse=True))
        for day in days:
            self.assertLess(datetime.strptime(day, '%Y%m%d').weekday(), 5)
        self.assertNotIn('20260101', days)

    def test_prices(self):
        rows = self.sim.daily('20260709')['output']
        for newer, older in zip(rows, rows[1:]):
            self.assertEqual(newer['stck_prdy_clpr'], older['bstp_nmix_prpr'])
        for row in rows:
            close, change, rate, opened, high, low, before = (float(row[name]) for name in (
                'bstp_nmix_prpr', 'bstp_nmix_prdy_vrss', 'bstp_nmix_prdy_ctrt', 'bstp_nmix_oprc',
                'bstp_nmix_hgpr', 'bstp_nmix_lwpr', 'stck_prdy_clpr'))
            self.assertAlmostEqual(close - before, change, 2)
            self.assertAlmostEqual(change / before * 100, rate, 1)
            self.assertLessEqual(low, min(opened, close))
            self.assertGreaterEqual(high, max(opened, close))
            self.assertLess(abs(rate), 10)
            self.assertEqual(row['prdy_vrss_sign'], '2' if change > 0 else '5' if change else '3')

    def test_agrees_with_the_trend(self):
        self.sim.config(clock='2026-07-09T23:00:00')
        trend = self.sim.row('KSQ', '1010')
        self.sim.config(clock=MID_SESSION)
        today, past = self.sim.daily('20260710', 'KSQ', '1010')['output'][:2]
        self.assertEqual(past['stck_bsop_date'], '20260709')
        for name in set(trend) & set(past):
            self.assertEqual(past[name], trend[name])
        self.assertEqual(len(set(trend) & set(past)), 24)
        now = self.sim.row('KSQ', '1010')
        self.assertEqual(today['frgn_ntby_qty'], now['frgn_ntby_qty'])
        for row in (today, past):
            for suffix in ('qty', 'pbmn'):
                whole = row['frgn_ntby_qty' if suffix == 'qty' else 'frgn_ntby_tr_pbmn']
                self.assertLessEqual(abs(int(whole) - int(row['frgn_reg_ntby_' + suffix])
                                         - int(row['frgn_nreg_ntby_' + suffix])), 1)

    def test_pages_and_edges(self):
        rows = self.sim.daily('20260709')['output']
        oldest = datetime.strptime(rows[-1]['stck_bsop_date'], '%Y%m%d')
        page = self.sim.daily((oldest - timedelta(days=1)).strftime('%Y%m%d'))['output']
        self.assertLess(page[0]['stck_bsop_date'], rows[-1]['stck_bsop_date'])
        self.assertEqual(rows[-1]['stck_prdy_clpr'], page[0]['bstp_nmix_prpr'])
        self.sim.config(clock='2026-07-13T08:00:00')
        self.assertEqual(self.sim.daily('20260713')['output'][0]['stck_bsop_date'], '20260710')
        self.assertEqual(self.sim.daily('20260710', 'ETF', 'T000')['output'], [])


class Index(Case):
    def index(self, sector='0001'):
        return json.loads(self.sim.get(CALLS['index'].path, 'FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=' + sector,
                                       CALLS['index'].tr_id)[2])['output']

    def test_course(self):
        high, low, volume = 0, 1e9, 0
        for hour in range(9, 21):
            self.sim.config(clock='2026-07-09T%02d:01:00' % hour)
            row = self.index()
            self.assertEqual(tuple(row), figures.INDEX_MEMBERS)
            level, change, top, bottom = (float(row['bstp_nmix_' + name]) for name in ('prpr', 'prdy_vrss', 'hgpr', 'lwpr'))
            self.assertTrue(bottom <= level <= top and high <= top and bottom <= low)
            self.assertEqual(row['prdy_vrss_sign'], '2' if change > 0 else '5' if change else '3')
            self.assertGreaterEqual(int(row['acml_vol']), volume)
            high, low, volume = top, bottom, int(row['acml_vol'])
        day = self.sim.daily('20260709')['output'][0]
        for name in set(row) & set(day):
            self.assertEqual(row[name], day[name])

    def test_edges(self):
        self.sim.config(clock='2026-07-13T08:00:00', overrides={'index:1001': {'acml_vol': ''}})
        row = self.index()
        self.assertEqual([row[name] for name in ('acml_vol', 'bstp_nmix_oprc', 'bstp_nmix_prdy_vrss')], ['0', '0.00', '0.00'])
        self.assertEqual(row['bstp_nmix_prpr'], self.sim.daily('20260710')['output'][0]['bstp_nmix_prpr'])
        self.assertEqual(self.index('1001')['acml_vol'], '')
        self.assertEqual(set(self.index('9999').values()), {''})


class Program(Case):
    def program(self, market='1', **headers):
        return json.loads(self.sim.get(
            CALLS['program'].path, 'EXCH_DIV_CLS_CODE=J&MRKT_DIV_CLS_CODE=' + market, CALLS['program'].tr_id)[2])

    def test_rows(self):
        *rows, blank = self.program('4')['output1']
        self.assertEqual(set(blank.values()), {''})
        by_code = {row['invr_cls_code']: row for row in rows}
        self.assertEqual(len(by_code), 11)
        self.assertNotEqual(list(by_code), sorted(by_code))
        for row in rows:
            self.assertEqual(tuple(row), figures.PROGRAM_MEMBERS)
            for name in figures.PROGRAM_MEMBERS[2:8]:
                rest = name.partition('_')[2]
                self.assertLessEqual(abs(int(row['all_' + rest]) - int(row['arbt_' + rest]) - int(row['nabt_' + rest])), 2)
        parts = ('1000', '2000', '3000', '3100', '4000', '5000', '6000')
        for name in figures.PROGRAM_MEMBERS[2:]:
            self.assertLessEqual(abs(int(by_code['8888'][name]) - sum(int(by_code[code][name]) for code in parts)), 7)
        self.assertEqual(set(list(by_code['5000'].values())[2:]), {'0'})

    def test_edges(self):
        self.sim.config(clock='2026-07-13T08:00:00', overrides={'program:KSP': {'7777': {'all_ntby_qty': '5'}, '8000': {'all_ntby_qty': ''}}})
        rows = {row['invr_cls_code']: row for row in self.program()['output1']}
        self.assertEqual([rows[code]['all_ntby_qty'] for code in ('7777', '8000', '9100')], ['5', '', '0'])
        answer = json.loads(self.sim.get(CALLS['program'].path, 'MRKT_DIV_CLS_CODE=1', CALLS['program'].tr_id)[2])
        self.assertEqual(answer['msg1'], 'ERROR INPUT FIELD NOT FOUND [EXCH_DIV_CLS_CODE]')


class Lifelike(Case):
    """The figures that the demo shows."""

    DAY = '2026-11-26'

    def setUp(self):
        super().setUp()
        self.sim.config(figures='lifelike', daily_rows=60)
        self.at('20:00')

    def at(self, clock, day=DAY):
        self.sim.config(clock='%sT%s:00' % (day, clock))

    def figures(self, market='KSP', sector='0001'):
        """{(investor, side, measure): figure} of a pair now."""
        row = self.sim.row(market, sector)
        return {(m.investor, m.side, m.measure): int(row[m.name]) for m in catalog.MEMBERS}

    def turnover(self, clock, *pair):
        self.at(clock)
        found = self.figures(*pair)
        return sum(found[trader, 'buy', 'amount'] for trader in catalog.TRADERS)

    def index(self):
        return json.loads(self.sim.get(CALLS['index'].path, 'FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=0001',
                                       CALLS['index'].tr_id)[2])['output']

    def program(self):
        *rows, _ = json.loads(self.sim.get(CALLS['program'].path, 'EXCH_DIV_CLS_CODE=J&MRKT_DIV_CLS_CODE=1',
                                           CALLS['program'].tr_id)[2])['output1']
        return {row['invr_cls_code']: {name: int(value) for name, value in row.items()
                                       if name.endswith(('qty', 'amt'))} for row in rows}

    def assert_common(self, one, other, count):
        """Members that both have are the same."""
        common = set(one) & set(other)
        self.assertEqual({name: one[name] for name in common}, {name: other[name] for name in common})
        self.assertEqual(len(common), count)

    def correlation(self, one, other):
        means = [sum(numbers) / len(numbers) for numbers in (one, other)]
        one, other = ([number - mean for number in numbers] for numbers, mean in zip((one, other), means))
        return (sum(a * b for a, b in zip(one, other))
                / (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5)

    def test_sectors_add_up_to_their_market(self):
        for market, whole, caps, manufacturing, made in (
                ('KSP', '0001', ('0002', '0003', '0004'), '0027', ('0005', '0015')),
                ('KSQ', '1001', ('1002', '1003', '1004'), '1009', ('1019', '1031'))):
            for clock in ('09:20', '20:00'):
                self.at(clock)
                found = {sector: self.figures(market, sector) for of, sector in catalog.SECTORS if of == market}
                sectors = set(found) - {whole, manufacturing, *caps}
                self.assertEqual(len(sectors), {'KSP': 23, 'KSQ': 21}[market])
                makers = [sector for sector in sectors if made[0] <= sector <= made[1]]
                for parts, of in ((sectors, whole), (caps, whole), (makers, manufacturing)):
                    for key in found[of]:
                        self.assertLessEqual(abs(sum(found[part][key] for part in parts) - found[of][key]),
                                             len(parts), (clock, of, key))

    def test_shares_of_sectors(self):
        traded = {sector: self.turnover('20:00', 'KSP', sector) for of, sector in catalog.SECTORS if of == 'KSP'}
        whole = traded.pop('0001')
        for sector in ('0002', '0003', '0004', '0027'):
            del traded[sector]
        first, second = sorted(traded, key=traded.get, reverse=True)[:2]
        self.assertEqual((first, second), ('0013', '0015'))
        self.assertTrue(0.35 * whole < traded[first] < 0.6 * whole and traded[second] < 0.2 * whole)
        self.assertTrue(15e6 < whole < 60e6)

    def test_identities_of_every_pair(self):
        for clock in ('09:00', '13:07', '20:00'):
            self.at(clock)
            for pair in catalog.SECTORS:
                Trend.assert_identities(self, self.sim.row(*pair))

    def test_never_falls_and_looks_agree(self):
        for pair in (('KSP', '0001'), ('KSP', '0003'), ('KSQ', '1010'), ('K2I', 'F001'), ('ETF', 'T000')):
            before, looks = None, {}
            for minute in range(9 * 60, 20 * 60 + 1, 11):
                clock = '%02d:%02d' % divmod(minute, 60)
                self.at(clock)
                looks[clock] = self.figures(*pair)
                for key, figure in looks[clock].items():
                    self.assertTrue(key[1] == 'net' or before is None or figure >= before[key], (pair, clock, key))
                before = looks[clock]
            for clock in ('09:11', '13:24'):
                self.at(clock)
                self.assertEqual(self.figures(*pair), looks[clock])

    def test_history_agrees_with_the_days_end(self):
        shown = {sector: self.sim.row('KSP', sector) for sector in ('0001', '0002', '0013')}
        index = self.index()
        self.at('11:00', '2026-11-27')
        for sector, row in shown.items():
            self.assert_common(self.sim.daily('20261126', 'KSP', sector)['output'][0], row, 24)
        self.assert_common(self.sim.daily('20261126')['output'][0], index, 7)
        # of the day itself, the prices so far
        self.assert_common(self.sim.daily('20261127')['output'][0], self.index(), 7)

    def test_bursts(self):
        for pair in (('KSP', '0001'), ('KSQ', '1001'), ('K2I', 'F001')):
            done = {clock: self.turnover(clock, *pair) for clock in (
                '09:30', '12:00', '12:30', '15:10', '15:20', '15:29', '15:30', '15:39', '16:00', '20:00')}
            quiet = done['12:30'] - done['12:00']
            self.assertGreater(done['09:30'], 2.5 * quiet)
            # The closing auction trades at its end, and then nothing for ten minutes
            self.assertEqual((done['15:29'], done['15:39']), (done['15:20'], done['15:30']))
            self.assertGreater(done['15:30'] - done['15:20'], 1.5 * (done['15:20'] - done['15:10']))
            self.assertTrue(done['15:30'] < done['16:00'] < done['20:00'] < 1.05 * done['15:30'])

    def test_minutes_differ_and_directions_turn(self):
        for minutes, turns in ((range(13 * 60, 13 * 60 + 31), 0), (range(9 * 60, 15 * 60 + 20, 10), 6)):
            looks = []
            for minute in minutes:
                self.at('%02d:%02d' % divmod(minute, 60))
                looks.append(self.figures())
            for investor in ('foreign', 'individual'):
                nets = [look[investor, 'net', 'amount'] for look in looks]
                steps = [after - before for before, after in zip(nets, nets[1:])]
                self.assertGreater(max(map(abs, steps)), 3 * min(map(abs, steps)))
                self.assertGreaterEqual(sum(one * other < 0 for one, other in zip(steps, steps[1:])), turns, steps)

    def test_days(self):
        rows = self.sim.daily('20261126')['output']
        column = {name: [float(row[name]) for row in rows] for name in rows[0] if name != 'stck_bsop_date'}
        change = column['bstp_nmix_prdy_ctrt']
        foreign, individual, institution = (column[name + '_ntby_tr_pbmn'] for name in ('frgn', 'prsn', 'orgn'))
        self.assertGreater(self.correlation(change, [f + i for f, i in zip(foreign, institution)]), 0.5)
        self.assertGreater(self.correlation(change, foreign), 0.3)
        self.assertLess(self.correlation(change, individual), -0.5)
        # In million won; the index near where it was in 2026
        for investor, low, high in ((foreign, 1e5, 2e6), (individual, 1e5, 2e6), (institution, 5e4, 1e6)):
            sizes = sorted(map(abs, investor))
            self.assertTrue(low < sizes[30] < high and sizes[-1] < 6e6, sizes)
        self.assertTrue(all(6000 < level < 9500 for level in column['bstp_nmix_prpr']))
        self.assertTrue(0.3 < sum(map(abs, change)) / 60 < 2 and max(map(abs, change)) < 8)

    def test_index_goes_with_the_flows(self):
        found = []
        for day in ('2026-11-16', '2026-11-17', '2026-11-18', '2026-11-19', '2026-11-20', '2026-11-26'):
            levels, flows = [], []
            for minute in range(9 * 60 + 10, 15 * 60 + 31, 20):
                self.at('%02d:%02d' % divmod(minute, 60), day)
                now = self.figures()
                flows.append(now['foreign', 'net', 'amount'] + now['institution', 'net', 'amount'])
                levels.append(float(self.index()['bstp_nmix_prpr']))
            found.append(self.correlation(levels, flows))
        self.assertGreater(sorted(found)[len(found) // 2], 0.5, found)
        self.assertGreater(min(found), -0.3, found)

    def test_futures_against_cash(self):
        foreign, securities, arbitrage, bought = [], [], [], []
        for day in range(2, 28):
            moment = datetime(2026, 11, day)
            if moment.weekday() > 4:
                continue
            self.at('20:00', moment.strftime('%Y-%m-%d'))
            now = self.figures('K2I', 'F001')
            foreign.append(now['foreign', 'net', 'amount'])
            securities.append(now['securities', 'net', 'amount'])
            program = self.program()
            arbitrage.append(sum(row['arbt_ntby_amt'] for code, row in program.items() if code != '8888'))
            bought.append(self.figures()['securities', 'net', 'amount'])
        self.assertLess(self.correlation(foreign, securities), -0.7)
        self.assertGreater(self.correlation(foreign, bought), 0.2)
        self.assertGreater(self.correlation(foreign, arbitrage), 0.5)

    def test_program(self):
        codes = {'8000': 'individual', '9100': 'foreign', '8888': 'institution', '1000': 'securities',
                 '6000': 'pension_fund', '7100': 'other_corporation'}
        before = None
        for clock in ('09:05', '11:00', '15:29', '15:30', '20:00'):
            self.at(clock)
            program, whole = self.program(), self.figures()
            for code, investor in codes.items():
                for name, side, measure in (('seln_amt', 'sell', 'amount'), ('shnu_qty', 'buy', 'qty')):
                    self.assertLessEqual(program[code]['all_' + name], whole[investor, side, measure])
                    self.assertLessEqual(abs(program[code]['all_' + name] - program[code]['arbt_' + name]
                                             - program[code]['nabt_' + name]), 2)
                    self.assertTrue(before is None or program[code]['all_' + name] >= before[code]['all_' + name])
            before = program
        # of a fifth to a third of all, mostly the foreigners'
        share = sum(program[code]['all_shnu_amt'] for code in program if code != '8888') / self.turnover('20:00')
        self.assertTrue(0.2 < share < 0.35 and program['9100']['all_shnu_amt'] > program['8888']['all_shnu_amt'])


class Holiday(Case):
    def test_shape(self):
        answer = self.sim.holiday('20260918')
        self.assertEqual(list(answer), ['ctx_area_nk', 'ctx_area_fk', 'output', 'rt_cd',
                                        'msg_cd', 'msg1'])
        self.assertEqual((answer['rt_cd'], answer['msg_cd']), ('0', 'KIOK0500'))
        self.assertEqual(answer['ctx_area_nk'], '20261011' + ' ' * 12)
        self.assertEqual(answer['ctx_area_fk'], '20260918' + ' ' * 12)
        self.assertEqual(len(answer['msg1'].encode('euc-kr')), 80)
        rows = answer['output']
        self.assertEqual(len(rows), 24)
        for offset, row in enumerate(rows):
            day = datetime(2026, 9, 18) + timedelta(days=offset)
            self.assertEqual(list(row), ['bass_dt', 'wday_dvsn_cd', 'bzdy_yn', 'tr_day_yn',
                                         'opnd_yn', 'sttl_day_yn'])
            self.assertEqual(row['bass_dt'], day.strftime('%Y%m%d'))
            self.assertEqual(int(row['wday_dvsn_cd']), (day.weekday() + 1) % 7 + 1)
            self.assertEqual(row['tr_day_yn'], 'Y')
            if day.weekday() > 4:
                self.assertEqual(row['opnd_yn'], 'N')
        closed = [r['bass_dt'] for r in rows if r['opnd_yn'] == 'N']
        for day in ('20260924', '20260925', '20260926', '20260927', '20261009'):
            self.assertIn(day, closed)
        self.assertEqual([r['opnd_yn'] for r in rows if r['bass_dt'] == '20260928'], ['Y'])

    def test_config_and_missing_parameter(self):
        self.sim.config(holidays=['2026-07-15'])
        rows = {r['bass_dt']: r for r in self.sim.holiday('20260710')['output']}
        self.assertEqual(rows['20260715']['opnd_yn'], 'N')
        answer = json.loads(self.sim.get(HOLIDAY_PATH, 'CTX_AREA_NK=&CTX_AREA_FK=', 'CTCA0903R')[2])
        self.assertEqual(answer['msg1'], 'ERROR INPUT FIELD NOT FOUND [BASS_DT]')
        last = {r['bass_dt']: r for r in self.sim.holiday('20261220')['output']}['20261231']
        self.assertEqual((last['bzdy_yn'], last['opnd_yn']), ('Y', 'N'))


class Rate(Case):
    def calls(self, count):
        connection = self.sim.connect()
        codes = []
        for _ in range(count):
            status, _, body = self.sim.trend_raw(connection=connection)
            codes.append((status, json.loads(body)['msg_cd']))
        connection.close()
        return codes

    def test_sliding(self):
        self.sim.config(rate=5)
        codes = self.calls(12)
        times = [r['monotonic'] for r in self.sim.requests('trend')]
        taken = []
        for code, at in zip(codes, times):
            lawful = sum(1 for t in taken if t > at - 1) < 5
            self.assertEqual(code, (200, 'MCA00000') if lawful else (500, 'EGW00201'))
            if lawful:
                taken.append(at)
        self.assertIn((500, 'EGW00201'), codes)
        self.assertEqual(self.sim.admin('GET', 'stats')['refused_by_rate'],
                         codes.count((500, 'EGW00201')))

    def test_fixed(self):
        self.sim.config(rate=3, rate_window='fixed')
        codes = self.calls(10)
        seconds = {}
        for code, record in zip(codes, self.sim.requests('trend')):
            second = int(record['monotonic'])
            seconds[second] = seconds.get(second, 0) + 1
            self.assertEqual(code[1], 'MCA00000' if seconds[second] <= 3 else 'EGW00201')
        self.assertIn((500, 'EGW00201'), codes)


class Recorded(Case):
    def test_documented_requests_have_no_problems(self):
        self.sim.row()
        self.sim.daily('20260710')
        self.sim.holiday('20260710')
        records = self.sim.requests()
        self.assertEqual([r['kind'] for r in records], ['token', 'trend', 'daily', 'holiday'])
        self.assertEqual([r['problems'] for r in records], [[], [], [], []])
        trend = records[1]
        self.assertEqual((trend['method'], trend['path'], trend['raw_query']), (
            'GET', TREND_PATH, 'FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0001'))
        self.assertEqual((trend['market'], trend['sector']), ('KSP', '0001'))
        self.assertEqual((trend['status'], trend['msg_cd']), (200, 'MCA00000'))
        self.assertEqual(trend['headers']['appsecret'], APP_SECRET)
        self.assertEqual(json.loads(records[0]['body'])['appkey'], APP_KEY)
        self.assertLess(abs(trend['time'] - time.time()), 60)
        self.assertEqual([r['seq'] for r in records], [1, 2, 3, 4])

    def test_deviations(self):
        self.sim.trend_raw(custtype='B', tr_id='x', appkey='short', cookie='a')
        self.sim.get(TREND_PATH, 'fid_input_iscd=KSP&x=1', 'FHPTJ04030000',
                headers={'content-type': 'text/plain', 'authorization': 'x'})
        first, second = (r['problems'] for r in self.sim.requests('trend'))
        self.assertEqual(first, ['tr_id is not FHPTJ04030000', 'custtype is not P',
                                 'appkey has 5 characters, not 36', 'unknown header cookie'])
        self.assertEqual(second, [
            'parameter fid_input_iscd is not in upper case', 'unknown parameter x',
            'parameter FID_INPUT_ISCD_2 is missing',
            'content-type is not application/json; charset=utf-8',
            'authorization is not "Bearer TOKEN"'])
        self.sim.issue('short', 'x')
        self.assertEqual(self.sim.requests('token')[-1]['problems'], [
            'appkey has 5 characters, not 36', 'appsecret has 1 characters, not 180'])

    def test_deviations_of_parameters(self):
        self.sim.get(
            DAILY_PATH, 'FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=0001&FID_INPUT_DATE_1=20260710'
            '&FID_INPUT_ISCD_1=KSP&FID_INPUT_DATE_2=20260709&FID_INPUT_ISCD_2=0002', 'FHPTJ04040000')
        self.sim.get(HOLIDAY_PATH, 'BASS_DT=20260710&CTX_AREA_NK=1&CTX_AREA_FK=', 'CTCA0903R')
        daily, holiday = self.sim.requests('data')
        self.assertEqual((daily['market'], daily['sector'], daily['date']), ('KSP', '0001', '20260710'))
        self.assertEqual(daily['problems'], [
            'FID_COND_MRKT_DIV_CODE is not U', 'FID_INPUT_DATE_2 is not FID_INPUT_DATE_1',
            'FID_INPUT_ISCD_2 is not FID_INPUT_ISCD'])
        self.assertEqual(holiday['problems'], ['CTX_AREA_NK is not empty'])

    def test_connections_and_stats(self):
        connection = self.sim.connect()
        self.sim.trend_raw(connection=connection)
        self.sim.trend_raw('KSQ', '1001', connection=connection)
        self.assertEqual(self.sim.admin('GET', 'stats')['open_connections'], 1)
        connection.close()
        self.sim.trend_raw()
        one, two, three = self.sim.requests('trend')
        self.assertEqual(one['connection'], two['connection'])
        self.assertNotEqual(one['connection'], three['connection'])
        self.assertEqual([r['reused'] for r in (one, two, three)], [False, True, False])
        stats = self.sim.admin('GET', 'stats')
        self.assertEqual((stats['counts'], stats['data'], stats['pairs']),
                         ({'token': 1, 'trend': 3}, 3, 2))
        self.assertLessEqual(stats['max_data_in_second'], 3)

    def test_under_way(self):
        self.sim.row()
        self.sim.config(latency_ms=300)
        threads = [threading.Thread(target=self.sim.trend_raw) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(self.sim.admin('GET', 'stats')['max_under_way'], 1)

    def test_wait(self):
        self.sim.row()
        self.assertEqual(self.sim.admin('GET', 'wait?kind=trend&count=2&timeout=0.05'),
                         {'arrived': 1, 'reached': False})
        found = []
        waiter = threading.Thread(target=lambda: found.append(
            self.sim.admin('GET', 'wait?kind=trend&count=2&timeout=30')))
        waiter.start()
        self.sim.row()
        waiter.join()
        self.assertEqual(found, [{'arrived': 2, 'reached': True}])

    def test_wrong_config_changes_nothing(self):
        for changes in ({'rate': 5, 'rte': 5}, {'session': 'x'}, {'faults': [{'fault': 'x'}]},
                        {'clock': 'x'}, {'latency_ms': 'x'}):
            with self.assertRaises(ValueError):
                self.sim.config(**changes)
        self.assertIsNone(self.sim.admin('GET', 'config')['rate'])

    def test_other_path(self):
        status, _, body = self.sim.get('/elsewhere', '', 'x')
        self.assertEqual((status, json.loads(body)['rt_cd']), (404, '1'))
        self.assertEqual(self.sim.requests()[-1]['kind'], 'other')


if __name__ == '__main__':
    sys.exit(run(sys.modules['__main__']))
