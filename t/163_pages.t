# Pages of any size, with blank rows, or empty: what KIS sends is taken whole, and
# how much it was so far is no limit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use List::Util ();
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

# at whatever time of the day it runs, a reply is that of today
setup($node, 'postgres', $simulator, calendar => 'kis', max_calls => 1000, session_start => '00:00');
$node->safe_psql('postgres', q{SELECT create_market_investor_trend()});

# An account of which nothing is known, neither token nor replies
my $accounts = 0;

sub new_account
{
	my $key = sprintf 'PAGES%031d', ++$accounts;
	my $secret = $simulator->app_secret;

	$simulator->reset;
	$simulator->config(accounts => { $key => $secret }, @_);
	$node->safe_psql('postgres', "SET log_statement = 'none'; ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (SET app_key '$key')");
	return;
}

sub value { return $node->safe_psql('postgres', $_[0]) }

# Rows, messages and SQLSTATE
sub told
{
	my ($sql) = @_;
	my $result = run_sql($node, 'postgres', $sql);

	return join "\n", grep { $_ ne '' } $result->{output}, map { join ' ', grep { defined } @{$_}{qw(sqlstate message detail)} }
	  grep { $_->{severity} ne 'NOTICE' } @{ $result->{messages} };
}

# ---- the calendar

my $days = q{SELECT trade_date, is_open FROM kis_calendar WHERE trade_date BETWEEN '2026-01-01' AND '2026-04-30' ORDER BY 1};
my $usual = value($days);
my $today = value(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'});
is(() = $usual =~ /^/mg, 120, 'four months');

foreach my $size (2, 7, 14, 15, 20, 23, 25, 100, 1000)
{
	my $pages = 1 + int(14 / $size);	# from two weeks before today on

	new_account(calendar_days => $size);
	is(told(q{SELECT trade_date, outcome FROM collect_market_investor_trend('{KSP/0001}')}), "$today|inserted",
		"a page of $size days: a collection has its day");
	cmp_ok($simulator->calls('holiday'), '<=', $pages + 1, "from $pages pages");
	my $asked = $simulator->calls('holiday');
	is(told(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}), $today, 'a query as well');
	is(told(q{SELECT trade_date, outcome FROM collect_market_investor_trend('{KSP/0001}')}), "$today|unchanged", 'and the next collection');
	is($simulator->calls('holiday'), $asked, 'without another call');
	# of a call a second
	my $rows = List::Util::min(120, 2 * $size);
	is(told("$days LIMIT $rows"), join("\n", (split /\n/, $usual)[ 0 .. $rows - 1 ]), 'the calendar is the same');
	value('TRUNCATE market_investor_trend');
}

# Two scans of a statement, the pages of one of them ending before the other one goes on
new_account(calendar_days => 5);
is(told(q{SELECT count(*) FROM kis_calendar a JOIN kis_calendar b USING (trade_date)
	WHERE a.trade_date BETWEEN '2026-01-03' AND '2026-02-20' AND b.trade_date BETWEEN '2026-01-06' AND '2026-02-28'}),
	46, 'a join of two stretches of it');

# Of a page with a hole, or one that says nothing of a day, nothing is kept
foreach my $fault ([ missing_member => 'opnd_yn' ], [ missing_member => 'bass_dt' ], [ blank => 'opnd_yn' ])
{
	new_account(calendar_days => 20);
	$simulator->fault({ match => { kind => 'holiday' }, fault => $fault->[0], params => { member => $fault->[1] } });
	like(told(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')}), qr/the trading day is unknown/, "@$fault: no day");
	$simulator->fault;
	is(told(q{SELECT trade_date, outcome FROM collect_market_investor_trend('{KSP/0001}')}), "$today|inserted", 'and none is kept');
	value('TRUNCATE market_investor_trend');
}

# ---- the daily history

my $history = q{SELECT trade_date, close, foreign_net_qty FROM kis_market_trend_daily
	WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2024-01-01' AND '2026-06-30' ORDER BY 1};
my $backfill = q{CALL backfill_market_investor_trend('2024-01-01', '2026-06-30', '{KSP/0001}')};
my $stored = q{SELECT count(*), min(trade_date), max(trade_date), sum(foreign_net_qty) FROM market_investor_trend};

new_account();
my $usual_history = value($history);
value($backfill);
my $usual_stored = value($stored);
cmp_ok((() = $usual_history =~ /^/mg), '>', 600, 'two years and a half');

foreach my $size (50, 299, 301, 600, 1500)
{
	value('TRUNCATE market_investor_trend');
	new_account(daily_rows => $size);
	is(told($history), $usual_history, "a page of $size rows: all of them");
	is(told($backfill), '', 'a backfill');
	is(value($stored), $usual_stored, 'has all of them');
}

# ---- blank rows

my @rows = map { { stck_bsop_date => $_, frgn_ntby_qty => substr($_, 6), bstp_nmix_prpr => '1.5' } } qw(20260708 20260707 20260706 20260703 20260702);
my %blank = map { $_ => '' } qw(stck_bsop_date frgn_ntby_qty bstp_nmix_prpr);
my %null = (stck_bsop_date => undef, frgn_ntby_qty => '  ', bstp_nmix_prpr => undef);

sub page
{
	return { rt_cd => '0', msg_cd => 'MCA00000', msg1 => 'x', output => [@_] };
}

# The first page is this one, and those before it are empty
sub one_page
{
	my ($page) = @_;

	new_account();
	$simulator->fault(
		{ match => { kind => 'daily' }, fault => 'body', params => { body => encode_json($page) }, times => 1 },
		{ match => { kind => 'daily' }, fault => 'output_empty' });
	return;
}

$node->safe_psql('postgres', q{CREATE FOREIGN TABLE raw (market_code text, sector_code text, trade_date date, row jsonb OPTIONS (field '*'))
	SERVER kis OPTIONS (table_name 'kis_market_trend_daily')});
my $five = q{SELECT row ->> 'frgn_ntby_qty' FROM raw WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-06-01' AND '2026-07-08'};
foreach my $case (
	[ 'after the last', page(@rows, (\%blank) x 295) ],
	[ 'null and blanks', page(@rows, (\%null) x 3) ],
	[ 'before and between', page(\%blank, @rows[ 0, 1 ], \%null, \%blank, @rows[ 2 .. 4 ]) ])
{
	one_page($case->[1]);
	is(told($five), "08\n07\n06\n03\n02", "blank rows $case->[0]: each other row is its own");
	value('TRUNCATE market_investor_trend');
	one_page($case->[1]);
	unlike(told(q{CALL backfill_market_investor_trend('2026-06-01', '2026-07-08', '{KSP/0001}')}), qr/HV00M/, 'a backfill');
	is(value('SELECT count(*) FROM market_investor_trend'), 5, 'has five days');
}
new_account(captured => { 'daily:KSP/0001' => page((\%blank) x 300) });
is(told($five), '', 'a page of blanks is empty');

# ---- an empty page

my $nothing = '{"rt_cd":"7","msg_cd":"KIOK0560","msg1":"x"%s}';
foreach my $output ('', ',"output":[]', ',"output":null')
{
	new_account();
	$simulator->fault({ fault => 'body', params => { body => sprintf($nothing, $output) } });
	is(told($history), '', "KIOK0560$output: no history");
	is(told($days), '', 'no days of the calendar');
	is(told($backfill), '', 'nothing to fill');
	like(told(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'}),
		qr{^02000 KIS has no figures for KSP/0001 Its reply has no row\.$}, 'no figures');
	like(told(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')}), qr/KSP\/0001: KIS sent no row$/, 'and a target that fails');
}

# ---- what no honest reply has

my $file = PostgreSQL::Test::Utils::tempdir() . '/reply';
PostgreSQL::Test::Utils::append_to_file($file, '{"rt_cd":"0","output":[{"x":[' . join(',', (1) x 2_000_000) . ']}]}');
new_account(captured => { 'KSP/0001' => $file });
is(told(q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'}),
	'HV00M KIS sent a reply that is not what it should be Server "kis", HTTP status 200: the reply has more than 100000 values',
	'two million numbers');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
