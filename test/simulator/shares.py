"""About which share markets, sectors and investors have of Korea's trade in 2026.

Rough figures of what the exchange publishes: for plausible sizes, not to be quoted.
"""

from .catalog import TRADERS

# Million won a day at LEVEL, and thousand won for a unit of quantity
MARKETS = {
    'KSP': (31e6, 45), 'KSQ': (13e6, 11), 'K2I': (70e6, 280e3), 'MKI': (11e6, 56e3), '999': (12e6, 3.1e3),
    'KQI': (2.2e6, 20e3), 'ETF': (14e6, 14), 'ETN': (0.25e6, 9), 'ELW': (0.09e6, 0.2),
    'WKM': (0.35e6, 200), 'WKI': (0.45e6, 210)}
# Million won a day for options, and the price of one, in thousand won
OPTIONS = {
    ('K2I', 'OC01'): (0.95e6, 620), ('K2I', 'OP01'): (0.8e6, 480), ('MKI', 'OC02'): (0.05e6, 110),
    ('MKI', 'OP02'): (0.045e6, 95), ('KQI', 'OC03'): (0.004e6, 90), ('KQI', 'OP03'): (0.004e6, 85)}

# Of each sector: per cent of the market's turnover, thousand won a share, and
# per cent of it in large, medium and small caps
SECTORS = {'KSP': {
    '0005': (0.9, 45, 62, 26, 12), '0006': (0.4, 8, 45, 33, 22), '0007': (0.1, 3, 0, 35, 65),
    '0008': (4.4, 60, 66, 24, 10), '0009': (2.9, 70, 70, 20, 10), '0010': (0.3, 12, 0, 72, 28),
    '0011': (2.0, 35, 70, 18, 12), '0012': (7.3, 55, 84, 11, 5), '0013': (45.5, 150, 96, 3, 1),
    '0014': (0.4, 15, 0, 78, 22), '0015': (10.8, 110, 90, 7, 3), '0016': (3.1, 50, 74, 18, 8),
    '0017': (1.2, 30, 92, 6, 2), '0018': (1.4, 15, 68, 24, 8), '0019': (1.2, 18, 78, 17, 5),
    '0020': (1.0, 25, 96, 2, 2), '0021': (7.8, 45, 93, 5, 2), '0024': (2.0, 20, 76, 20, 4),
    '0025': (1.8, 60, 88, 10, 2), '0026': (2.6, 25, 66, 24, 10), '0028': (0.2, 4, 0, 70, 30),
    '0029': (4.0, 70, 86, 10, 4), '0030': (0.7, 20, 40, 42, 18),
}, 'KSQ': {
    '1006': (9.5, 16, 62, 27, 11), '1010': (0.6, 6, 0, 45, 55), '1011': (2.4, 9, 38, 37, 25),
    '1013': (0.2, 4, 0, 40, 60), '1014': (2.6, 18, 66, 20, 14), '1015': (3.0, 13, 55, 30, 15),
    '1019': (0.8, 6, 30, 35, 35), '1020': (0.3, 3, 0, 30, 70), '1021': (0.2, 2, 0, 25, 75),
    '1022': (0.3, 5, 0, 50, 50), '1023': (5.5, 14, 50, 32, 18), '1024': (21.5, 32, 74, 18, 8),
    '1025': (0.4, 5, 0, 45, 55), '1026': (2.6, 7, 28, 40, 32), '1027': (16.5, 15, 52, 32, 16),
    '1028': (17.0, 17, 56, 29, 15), '1029': (6.2, 14, 54, 31, 15), '1030': (2.2, 7, 20, 45, 35),
    '1031': (0.4, 5, 0, 35, 65), '1032': (0.5, 6, 15, 45, 40), '1033': (7.3, 10, 34, 40, 26)}}
ALL_SHARES = {market: sum(given[0] for given in sectors.values()) for market, sectors in SECTORS.items()}
# A sector that is not listed
UNKNOWN = (0.2, 10)
ALL = {'KSP': '0001', 'KSQ': '1001'}
CAPS = {'KSP': ('0002', '0003', '0004'), 'KSQ': ('1002', '1003', '1004')}
MANUFACTURING = {'KSP': ('0027', '0005', '0015'), 'KSQ': ('1009', '1019', '1031')}
# A share of a medium or small cap costs so much of a large one's
CAP_PRICES = (1, 0.6, 0.3)


def _of_traders(**given):
    """Shares of those who trade, which add up to 1."""
    whole = sum(given.values())
    return {trader: given.get(trader, 0) / whole for trader in TRADERS}


# Per cent of the turnover that each kind of investors has
INVESTORS = {
    'KSP': _of_traders(foreign=32, individual=45, securities=9, investment_trust=2.4, pe_fund=2.6, bank=0.15,
                       insurance=0.9, merchant_bank=0.15, pension_fund=6.2, other_corporation=1.3),
    'KSQ': _of_traders(foreign=18, individual=74, securities=3.2, investment_trust=1.2, pe_fund=1.1, bank=0.05,
                       insurance=0.2, merchant_bank=0.1, pension_fund=1.2, other_corporation=0.9),
    'ETF': _of_traders(foreign=20, individual=34, securities=38, investment_trust=3, pe_fund=0.5, bank=1,
                       insurance=1.2, merchant_bank=0.1, pension_fund=1, other_corporation=1.2),
    'ELW': _of_traders(individual=38, securities=50, foreign=12),
    'ETN': _of_traders(individual=52, securities=44, foreign=4),
    'futures': _of_traders(foreign=67, individual=20, securities=9.5, investment_trust=1.6, pe_fund=0.3, bank=0.2,
                           insurance=0.3, merchant_bank=0.05, pension_fund=0.7, other_corporation=0.35),
    'options': _of_traders(foreign=69, individual=22, securities=8, investment_trust=0.2, pe_fund=0.1,
                           other_corporation=0.7),
    '999': _of_traders(foreign=66, individual=5, securities=18, investment_trust=0.4, insurance=0.02,
                       pension_fund=9.5, other_corporation=1.1)}
# Whose shares are dear: the price of what they trade, as a multiple
PRICES = {'foreign': 1.45, 'individual': 0.72, 'pension_fund': 1.6, 'other_corporation': 0.8}

# Of what each buys and sells: the share that is program trading but no arbitrage, and arbitrage
PROGRAM = {
    'foreign': (0.62, 0.011), 'securities': (0.24, 0.035), 'investment_trust': (0.4, 0.002),
    'pe_fund': (0.3, 0), 'bank': (0.2, 0), 'insurance': (0.33, 0), 'pension_fund': (0.42, 0.006),
    'other_corporation': (0.03, 0), 'individual': (0.0015, 0)}

# Levels that the indices had about then; between and after them they wander
LEVEL = {'KSP': 7500, 'KSQ': 1150}
ANCHORS = {
    'KSP': (('2024-01-02', 2670), ('2024-06-20', 2808), ('2024-12-30', 2400), ('2025-06-30', 3072),
            ('2025-12-30', 4214), ('2026-07-10', 7476), ('2027-12-30', 8000)),
    'KSQ': (('2024-01-02', 879), ('2024-06-20', 857), ('2024-12-30', 678), ('2025-06-30', 781),
            ('2025-12-30', 925), ('2026-07-10', 1130), ('2027-12-30', 1200))}
# How many issues are listed
ISSUES = {'KSP': 945, 'KSQ': 1780}
