"""The markets, sectors, investors and members, read from catalog/*.tsv."""

import os
from collections import namedtuple

CATALOG_DIR = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    'catalog')

# side is sell, buy or net; measure is qty or amount
Member = namedtuple('Member', 'name investor side measure')


def rows(name):
    """The rows of catalog/NAME, each a dict by the columns' names."""
    with open(os.path.join(CATALOG_DIR, name), encoding='utf-8') as file:
        lines = file.read().splitlines()
    columns = lines[0].split('\t')
    for line in lines[1:]:
        if line.strip():
            yield dict(zip(columns, line.split('\t')))


def _members():
    for row in rows('fields.tsv'):
        investor, side, measure = row['column_name'].rsplit('_', 2)
        yield Member(row['kis_field'], investor, side, measure)


MARKETS = frozenset(row['market_code'] for row in rows('markets.tsv'))
SECTORS = {(row['market_code'], row['sector_code']): row
           for row in rows('sectors.tsv')}
MEMBERS = tuple(_members())
MEMBER_NAMES = tuple(member.name for member in MEMBERS)
PARTS = {row['investor']: row['part_of'] for row in rows('investors.tsv')}
INSTITUTION_PARTS = tuple(i for i, whole in PARTS.items() if whole == 'institution')
# Those who trade; an institution is only the sum of its parts
TRADERS = tuple(i for i in PARTS if i != 'institution')

# The daily call's members in wire order: the index, then net figures
DAILY_INDEX = (
    'stck_bsop_date', 'bstp_nmix_prpr', 'bstp_nmix_prdy_vrss', 'prdy_vrss_sign',
    'bstp_nmix_prdy_ctrt', 'bstp_nmix_oprc', 'bstp_nmix_hgpr', 'bstp_nmix_lwpr',
    'stck_prdy_clpr')
DAILY_NETS = (
    ('frgn_ntby_qty', 'foreign', 'qty'),
    ('frgn_reg_ntby_qty', 'foreign_registered', 'qty'),
    ('frgn_nreg_ntby_qty', 'foreign_unregistered', 'qty'),
    ('prsn_ntby_qty', 'individual', 'qty'),
    ('orgn_ntby_qty', 'institution', 'qty'),
    ('scrt_ntby_qty', 'securities', 'qty'),
    ('ivtr_ntby_qty', 'investment_trust', 'qty'),
    ('pe_fund_ntby_vol', 'pe_fund', 'qty'),
    ('bank_ntby_qty', 'bank', 'qty'),
    ('insu_ntby_qty', 'insurance', 'qty'),
    ('mrbn_ntby_qty', 'merchant_bank', 'qty'),
    ('fund_ntby_qty', 'pension_fund', 'qty'),
    ('etc_ntby_qty', 'other', 'qty'),
    ('etc_orgt_ntby_vol', 'other_organization', 'qty'),
    ('etc_corp_ntby_vol', 'other_corporation', 'qty'),
    ('frgn_ntby_tr_pbmn', 'foreign', 'amount'),
    ('frgn_reg_ntby_pbmn', 'foreign_registered', 'amount'),
    ('frgn_nreg_ntby_pbmn', 'foreign_unregistered', 'amount'),
    ('prsn_ntby_tr_pbmn', 'individual', 'amount'),
    ('orgn_ntby_tr_pbmn', 'institution', 'amount'),
    ('scrt_ntby_tr_pbmn', 'securities', 'amount'),
    ('ivtr_ntby_tr_pbmn', 'investment_trust', 'amount'),
    ('pe_fund_ntby_tr_pbmn', 'pe_fund', 'amount'),
    ('bank_ntby_tr_pbmn', 'bank', 'amount'),
    ('insu_ntby_tr_pbmn', 'insurance', 'amount'),
    ('mrbn_ntby_tr_pbmn', 'merchant_bank', 'amount'),
    ('fund_ntby_tr_pbmn', 'pension_fund', 'amount'),
    ('etc_ntby_tr_pbmn', 'other', 'amount'),
    ('etc_orgt_ntby_tr_pbmn', 'other_organization', 'amount'),
    ('etc_corp_ntby_tr_pbmn', 'other_corporation', 'amount'))
