# Which trading day figures are given, in a query and in the store, through the
# days and hours of KIS's calendar; and what becomes of it when that can't be had.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Crowd;
use Test::More;

my $simulator = KisTest::Simulator->new(config => { before_open => 'previous' });
my $clock = KisTest::Clock->new($simulator);

# before the server starts: its checkpointer must not see the clock go back for months
$clock->set('2026-07-06 10:00:00');
my $node = new_node('main', env => $clock->env);

setup($node, 'postgres', $simulator, calendar => 'kis');
$node->safe_psql('postgres', q{SELECT create_market_investor_trend()});

sub value
{
	my ($sql, $zone) = @_;

	return $node->safe_psql('postgres', (defined $zone ? "SET timezone = '$zone'; " : '') . $sql);
}

# The day of KSP/0001 now, in a query.
sub queried
{
	my ($zone) = @_;

	return value(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}, $zone);
}

# trade_date|outcome|detail of KSP/0001.
sub collected
{
	my ($zone) = @_;

	return value(q{SELECT concat_ws('|', trade_date, outcome, detail) FROM collect_market_investor_trend('{KSP/0001}')}, $zone);
}

# The days that are stored, with where they are from.
sub stored
{
	return value(q{SELECT string_agg(concat_ws(' ', trade_date, source), ', ' ORDER BY trade_date) FROM market_investor_trend});
}

sub empty
{
	value('TRUNCATE market_investor_trend');
	return;
}

my $zeros_before = 'skipped|all figures are zero before the session';

# ---- max_calls does not count the calendar, which the first to ask has besides

value(q{ALTER SERVER kis OPTIONS (ADD max_calls '1')});
is(queried(), '2026-07-06', 'as many pairs as max_calls, and the calendar');
is($simulator->calls('holiday'), 1, 'which was asked');
value(q{ALTER SERVER kis OPTIONS (DROP max_calls)});

# ---- Tuesday, from midnight to midnight

is(collected(), '2026-07-06|inserted', 'Monday 10:00');

$clock->set('2026-07-07 00:30:00');
is(queried(), '2026-07-06', "Tuesday 00:30 is Monday's");
is(queried('America/New_York'), '2026-07-06', 'wherever the server is');
is(collected('America/New_York'), '2026-07-06|updated', 'and updates its row');
is(collected(), '2026-07-06|unchanged', 'once');
$clock->set('2026-07-07 08:00:00');
is(queried('America/New_York'), '2026-07-06', "08:00, with Monday's figures");
is(collected('America/New_York'), '2026-07-06|unchanged', 'is Monday');
$simulator->config(before_open => 'zeros');
is(queried('America/New_York'), '2026-07-07', '08:00, with zeros, is Tuesday');
is(collected('America/New_York'), "2026-07-07|$zeros_before", 'of which nothing is stored');
$clock->set('2026-07-07 08:29:50');
is(collected(), "2026-07-07|$zeros_before", '08:29:50');
$simulator->config(before_open => 'previous');
is(collected(), '2026-07-06|unchanged', "or with Monday's figures");
is(stored(), '2026-07-06 live', 'Monday is all that is stored');

$clock->set('2026-07-07 08:59:00');
is(queried(), '2026-07-07', '08:59 is after session_start');
is(collected(), '2026-07-07|skipped|still the figures of 2026-07-06: KIS has not turned over yet', "but Monday's figures are not Tuesday's");
$simulator->config(before_open => 'zeros');
is(queried(), '2026-07-07', '08:59, with zeros');
is(collected(), '2026-07-07|inserted', 'which are the day\'s now');
$simulator->config(before_open => 'previous');

$clock->set('2026-07-07 10:00:00');
is(queried('America/New_York'), '2026-07-07', '10:00 is Tuesday, in New York Monday evening');
is(collected('America/New_York'), '2026-07-07|updated', 'and stored so');
$clock->set('2026-07-07 23:59:00');
is(queried('America/New_York'), '2026-07-07', '23:59');
is(collected('America/New_York'), '2026-07-07|updated', 'is Tuesday still');
is(stored(), '2026-07-06 live, 2026-07-07 live', 'two days, two rows');

# session_start is the server's to say
value(q{ALTER SERVER kis OPTIONS (ADD session_start '07:30')});
$clock->set('2026-07-08 08:00:00');
is(queried(), '2026-07-08', '08:00, with a session that starts at 07:30');
value(q{ALTER SERVER kis OPTIONS (SET session_start '09:30')});
$clock->set('2026-07-08 09:10:00');
is(queried(), '2026-07-07', '09:10, with one that starts at 09:30');
value(q{ALTER SERVER kis OPTIONS (DROP session_start)});

# ---- the week-end

$clock->set('2026-07-10 15:00:00');
is(collected(), '2026-07-10|inserted', 'Friday');
foreach my $time ('2026-07-11 00:10:00', '2026-07-11 12:00:00', '2026-07-12 23:50:00')
{
	$clock->set($time);
	is(queried('America/New_York'), '2026-07-10', "$time is Friday's");
	is(collected('America/New_York'), '2026-07-10|' . ($time =~ /00:10/ ? 'updated' : 'unchanged'), 'and updates its row');
}
is(stored(), '2026-07-06 live, 2026-07-07 live, 2026-07-10 live', 'none is added');
$simulator->config(weekend => 'zeros');
is(collected(), '2026-07-10|skipped|all figures are zero, those stored are not', 'zeros on a Sunday replace nothing');
$simulator->config(weekend => 'previous');
value(q{CALL backfill_market_investor_trend('2026-07-10', '2026-07-10', '{KSP/0001}')});
is(collected(), '2026-07-10|skipped|a past day that the daily history has filled', "daily's row is left");

$clock->set('2026-07-13 07:00:00');
is(queried(), '2026-07-10', 'Monday morning is Friday\'s');
$clock->set('2026-07-13 10:00:00');
is(queried(), '2026-07-13', 'the Monday after');
is(collected(), '2026-07-13|inserted', 'has a row of its own');

# ---- Chuseok: Thursday 24 to Sunday 27 September

empty();
$clock->set('2026-09-23 15:00:00');
is(collected(), '2026-09-23|inserted', 'the day before Chuseok');
foreach my $day ('2026-09-24', '2026-09-25', '2026-09-26', '2026-09-27')
{
	foreach my $hour ('00:05:00', '10:00:00', '23:55:00')
	{
		$clock->set("$day $hour");
		is(queried(), '2026-09-23', "$day $hour");
		is(collected('America/New_York'), '2026-09-23|' . ("$day $hour" eq '2026-09-24 00:05:00' ? 'updated' : 'unchanged'), 'in the store');
	}
}
$clock->set('2026-09-28 08:00:00');
is(queried(), '2026-09-23', 'the morning after is Wednesday\'s');
is(collected(), '2026-09-23|unchanged', 'in the store');
$clock->set('2026-09-28 09:30:00');
is(queried(), '2026-09-28', 'the Monday after');
is(collected(), '2026-09-28|inserted', 'in the store');
is(stored(), '2026-09-23 live, 2026-09-28 live', 'two rows');

# ---- the end of a year: 31 December and 1 January are closed

empty();
$clock->set('2026-12-30 15:00:00');
is(collected(), '2026-12-30|inserted', 'the last trading day');
foreach my $time ('2026-12-31 10:00:00', '2027-01-01 00:00:30', '2027-01-01 10:00:00', '2027-01-02 12:00:00', '2027-01-03 12:00:00')
{
	$clock->set($time);
	is(queried('America/New_York'), '2026-12-30', $time);
	is(collected('America/New_York'), '2026-12-30|' . ($time =~ /^2026/ ? 'updated' : 'unchanged'), 'in the store');
}
$clock->set('2027-01-04 10:00:00');
is(collected(), '2027-01-04|inserted', 'the first trading day');
is(stored(), '2026-12-30 live, 2027-01-04 live', 'two rows');

# ---- a closure longer than a page of the calendar reaches back

$simulator->config(holidays => [ map { sprintf '2027-03-%02d', $_ } 1 .. 26 ]);
$clock->set('2027-03-26 12:00:00');
is(queried(), '2027-02-26', 'four weeks of holidays');
$simulator->config(holidays => [ map { my $month = $_; map { sprintf '2027-%02d-%02d', $month, $_ } 1 .. 30 } 4, 5 ]);
$clock->set('2027-05-20 12:00:00');
like(run_sql($node, 'postgres', q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')})->{errors}[0]{detail},
	qr/^KSP\/0001: the trading day is unknown: KIS sent a reply.*: KIS's calendar has no open day in a month\)$/, 'without an open day in a month nothing is stored');
like(value(q{SELECT ok, detail FROM kis_check('kis') WHERE step = 'calendar'}),
	qr/^f\|KIS sent a reply.*: KIS's calendar has no open day in a month\)/, 'kis_check says so, too');
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(before_open => 'previous');
$clock->set('2027-05-20 13:00:00');
is(value(q{SELECT ok, detail FROM kis_check('kis') WHERE step = 'calendar'}),
	q{t|KIS's: the current trading day is 2027-05-20}, 'and that it has one again, the same day');

# ---- asked once a day, by whoever comes first

$clock->set('2026-07-14 09:30:00');
$simulator->reset(keep_tokens => JSON::PP::true);
$clock->set('2026-07-14 09:30:00');
my @sessions = map { $node->session('postgres') } 1 .. 4;
$_->send(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}) foreach @sessions;
is(join(' ', map { $_->result->{output} } @sessions), '2026-07-14 2026-07-14 2026-07-14 2026-07-14', 'four sessions at once');
is($simulator->calls('holiday'), 1, 'ask the calendar once');
collected();
is(value(q{SELECT count(DISTINCT trade_date) FROM kis_sector_trend}), 1, 'and so do a collection and 71 pairs');
$clock->set('2026-07-14 23:59:30');
queried();
is($simulator->calls('holiday'), 1, 'for the rest of the day');
$clock->set('2026-07-15 00:00:30');
is(queried(), '2026-07-14', 'after midnight');
is($simulator->calls('holiday'), 2, 'it is asked again');
$_->query_safe(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}) foreach @sessions;
is($simulator->calls('holiday'), 2, 'once');
$_->quit foreach @sessions;
is(value(q{SELECT count(*) FROM kis_market_trend WHERE market_code = 'KSP' AND foreign_net_qty IS NOT NULL}), 1, 'a query');
$clock->set('2026-07-16 10:00:00');
value(q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'});
is($simulator->calls('holiday'), 2, 'that has no use for it does not ask');

# One that lacks something, or any open day, goes to those who wait for it, and to
# nobody else. They wait for the one who is to get another token.
my $crowd = KisTest::Crowd->new($node, 4);

foreach my $case (
	[ '2026-07-20', '2026-07-24', { fault => 'missing_member' }, 'does not say what is open' ],
	[ '2026-08-24', '2026-08-28', { fault => 'value', params => { member => 'opnd_yn', json => '"N"' } }, 'has no open day' ])
{
	my ($from, $to, $fault, $name) = @$case;
	my $week = "SELECT count(*) FILTER (WHERE is_open), count(*) FROM kis_calendar WHERE trade_date BETWEEN '$from' AND '$to'";

	$simulator->reset;
	$clock->set('2026-07-16 10:30:00');
	$simulator->fault(
		{ match => { kind => 'token' }, fault => 'hang', times => 1 },
		{ match => { kind => 'holiday' }, %$fault });
	$crowd->send($week);
	$simulator->wait_for('held', 1);
	$crowd->wait_until_waiting;
	$simulator->release;
	is(join(' ', map { $_->{output} } $crowd->results), '0|5 0|5 0|5 0|5', "four sessions wait for a calendar that $name");
	is(scalar(grep { $_->{status} == 200 } $simulator->requests('holiday')), 1, 'KIS gave it once');
	$simulator->fault;
	$crowd->send($week);
	is(join(' ', map { $_->{output} } $crowd->results), '5|5 5|5 5|5 5|5', 'then they have a better one');
	is(scalar(grep { $_->{status} == 200 } $simulator->requests('holiday')), 2, 'that KIS gave once');
}
$crowd->quit;

# ---- the calendar can't be had

my $day = 17;

# A new day, with a fault in the calendar.
sub without_calendar
{
	my ($fault) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set("2026-07-$day 10:00:00");
	$simulator->fault({ match => { kind => 'holiday' }, %$fault });
	return;
}

my %hint_of = (
	'KIS refuses the call' => 'The KIS Developers site explains the code.',
	'KIS could not answer' => 'Try again later.',
	'KIS closed the connection without a reply' => 'Try again later.',
	'KIS sent a reply that is not what it should be' => "Check that the server's options base_url and proxy lead to KIS.");
my $says_not = qr/the calendar from 202607\d\d does not say whether 202607\d\d is open/;

foreach my $case (
	[ { fault => 'error', params => { msg_cd => 'EGW00206' } }, qr/code EGW00206: API 사용 권한이 없습니다\./ ],
	[ { fault => 'html_502' }, qr/HTTP status 502/ ],
	[ { fault => 'close' }, qr/closed without a reply/ ],
	[ { fault => 'output_empty' }, $says_not ],
	[ { fault => 'body', params => { body => '{"rt_cd":"7","msg_cd":"KIOK0560"}' } }, $says_not ],
	[ { fault => 'missing_member', params => { member => 'opnd_yn' } }, $says_not ],
	[ { fault => 'missing_member', params => { member => 'bass_dt' } }, $says_not ],
	[ { fault => 'value', params => { member => 'opnd_yn', json => '"N"' } }, qr/KIS's calendar has no open day in a month/ ],
	[ { fault => 'text', params => { member => 'opnd_yn' } }, $says_not ],
	[ { fault => 'value', params => { member => 'bass_dt', json => '"20200101"' } }, $says_not ])
{
	my ($fault, $why) = @$case;
	my $what = join ' ', $fault->{fault}, map { $_ // '' } @{ $fault->{params} }{qw(member json)};

	empty();
	without_calendar($fault);
	my $result = run_sql($node, 'postgres', q{SELECT count(*), min(trade_date), max(trade_date) FROM kis_market_trend});
	is($result->{output}, "19|2026-07-$day|2026-07-$day", "$what: a query goes by weekdays");
	my ($warning, @more) = @{ $result->{warnings} };
	my ($reason) = $warning->{detail} =~ /^(.*)\. Column "trade_date" takes every day from Monday to Friday for a trading day\.$/;
	is("$warning->{message} @more", q{KIS's trading calendar can't be had }, 'with one warning');
	like($reason, $why, 'that says why');
	is($warning->{hint}, $hint_of{ $reason =~ /^(.*?) \(/ ? $1 : $reason } // '', 'and what to do');
	my $asked = $simulator->calls('holiday');
	my ($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')});
	is("$sqlstate $message", 'HV000 could not collect any target', 'in a collection the targets fail');
	like($detail, qr/^KSP\/0001: the trading day is unknown: (.*)\nKSQ\/1001: the trading day is unknown: \1$/, 'each, for the same reason');
	my $again = $simulator->calls('holiday') - $asked;
	ok($again > 0 && $again < 2 * $asked, 'KIS was asked again, and once for both') or diag("$again after $asked requests");
	like($detail, $why, 'and say why');
	is($hint, $warning->{hint}, 'and what to do');
	like(value(q{SELECT ok, detail FROM kis_check('kis') WHERE step = 'calendar'}), qr/^f\|.*$why.*\Q$warning->{hint}\E$/,
		'as kis_check does');
	is(stored(), '', 'and nothing is stored');
	is(value('SELECT count(*) FROM market_investor_trend_snapshot s WHERE trade_date = ' . "'2026-07-$day'"), 0, 'or kept');
	$simulator->fault;
	is(collected(), "2026-07-$day|inserted", 'as soon as it can be had all is well');
	is(queried(), "2026-07-$day", 'in a query too');
	$day += $day == 17 ? 3 : $day == 24 ? 3 : 1;
}

# A calendar that leaves today alone open is no calendar for today
my $first = sprintf '202607%02d', $day - 14;

sub calendar_page
{
	my ($today) = @_;
	my @days = map { my $weekday = ($_ - 5) % 7 + 1;	# 5 July was a Sunday
		{ bass_dt => sprintf('202607%02d', $_), wday_dvsn_cd => "0$weekday", bzdy_yn => 'Y', tr_day_yn => 'Y',
			opnd_yn => $_ == $day ? $today : $weekday > 1 && $weekday < 7 ? 'Y' : 'N', sttl_day_yn => 'Y' } } $day - 14 .. 31;

	return { rt_cd => '0', msg_cd => 'KIOK0500', msg1 => '', output => \@days };
}

empty();
without_calendar({ fault => 'slow', params => { ms => 1 } });
foreach my $today ('', '?', 'Y, then N', 'hole')
{
	my $page = calendar_page(substr $today, 0, 1);
	push @{ $page->{output} }, { %{ $page->{output}[14] }, opnd_yn => 'N' } if $today =~ /N/;
	$page->{output}[14]{bass_dt} = '20260801' if $today eq 'hole';
	$simulator->config(captured => { "holiday:$first" => $page });
	my ($message, $detail) = (sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP/0001}')}))[ 1, 2 ];
	like($detail, qr/the calendar from $first does not say whether 202607$day is open/, "today is '$today'");
}
is(stored(), '', 'nothing is stored');

without_calendar({ fault => 'error' });
empty();
value(q{ALTER SERVER kis OPTIONS (SET calendar 'weekday')});
my $result = run_sql($node, 'postgres', q{SELECT trade_date, outcome FROM collect_market_investor_trend('{KSP/0001}')});
is($result->{output}, "2026-07-$day|inserted", "with calendar 'weekday' it is stored");
is_deeply($result->{messages}, [], 'without a word');
is($simulator->calls('holiday'), 0, 'and nobody asks');
$clock->set('2026-09-25 10:00:00');
is(queried(), '2026-09-25', 'a holiday that no weekday tells');
value(q{ALTER SERVER kis OPTIONS (SET calendar 'kis')});
$simulator->fault;
is(queried(), '2026-09-23', "and KIS's calendar does");

# A calendar that fails for a moment is asked again by the next statement
$clock->set('2026-09-29 10:00:00');
$simulator->reset(keep_tokens => JSON::PP::true);
$clock->set('2026-09-29 10:00:00');
$simulator->fault({ match => { kind => 'holiday' }, fault => 'error', params => { msg_cd => 'EGW00206' }, times => 1 });
is(scalar(sql_warnings($node, 'postgres', q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'})), 1, 'a failure');
is(scalar(sql_warnings($node, 'postgres', q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'})), 0, 'is not kept');

# What passes is not seen
my @days = qw(06 07 08 12);
foreach my $fault (
	{ fault => 'error', params => { msg_cd => 'EGW00316' } },
	{ fault => 'error', params => { msg_cd => 'OPSQ0003', status => 200 } },
	{ fault => 'error', params => { msg_cd => 'EGW00999' } },
	{ fault => 'body', params => { body => 'Too Many Requests', status => 429 } })
{
	my $what = join ' ', $fault->{fault}, map { $fault->{params}{$_} } sort keys %{ $fault->{params} };

	empty();
	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set('2026-10-' . shift(@days) . ' 10:00:00');
	$simulator->fault({ match => { kind => 'holiday' }, %$fault, times => 1 });
	my $result = run_sql($node, 'postgres', q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')});
	is("$result->{output} @{ $result->{messages} }", 'inserted ', "$what: the calendar is asked again, unseen");
	is($simulator->calls('holiday'), 2, 'once');
}

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
