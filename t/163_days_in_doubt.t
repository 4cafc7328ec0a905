# Where the clock alone would give figures a wrong day: days on which the exchange
# opens late, KIS that shows the day before for longer, a first look before the
# open, a server's clock that is wrong, a calendar that is wrong.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new(config => { before_open => 'previous', late_opens => ['2026-11-19'] });
my $clock = KisTest::Clock->new($simulator);

$clock->set('2026-11-18 10:00:00');
my $node = new_node('main', env => $clock->env);
setup($node, 'postgres', $simulator, calendar => 'kis');
$node->safe_psql('postgres', q{SELECT create_market_investor_trend()});

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub queried { return value(q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}) }

# trade_date|outcome|detail of KSP/0001.
sub collected
{
	my ($time, $store) = @_;

	$clock->set($time) if defined $time;
	$store //= 'market_investor_trend';
	return value(qq{SELECT concat_ws('|', trade_date, outcome, detail)
		FROM collect_market_investor_trend('{KSP/0001}', store => '$store')});
}

# The days that are stored with foreigners' net quantity; and those of snapshots, each in its order.
sub stored
{
	my ($column) = @_;

	$column //= 'foreign_net_qty';
	return value(qq{SELECT string_agg(concat_ws(' ', trade_date, $column), ', ' ORDER BY trade_date) FROM market_investor_trend});
}

sub snapshots
{
	return value(q{SELECT string_agg(concat_ws(' ', trade_date, foreign_net_qty), ', ' ORDER BY collected_at) FROM market_investor_trend_snapshot});
}

sub empty
{
	value('TRUNCATE market_investor_trend, market_investor_trend_snapshot');
	return;
}

# Every member of KSP/0001 from now on, or some of them; none: KIS's own.
my @fields = do
{
	open my $tsv, '<', "$FindBin::RealBin/../catalog/fields.tsv" or die $!;
	my @rows = map { [ split /\t/ ] } <$tsv>;
	my ($at) = grep { $rows[0][$_] eq 'kis_field' } 0 .. $#{ $rows[0] };
	map { $_->[$at] } @rows[ 1 .. $#rows ];
};
is(scalar @fields, 72, 'all members');

sub show
{
	my ($all, %some) = @_;

	$simulator->config(overrides => defined $all ? { 'KSP/0001' => { (map { $_ => "$all" } @fields), %some } } : {});
	return;
}

my $perhaps = 'skipped|perhaps still the figures of the day before: the exchange has not opened yet, and no snapshot of that day proves that KIS has turned over';

sub still { return "skipped|still the figures of $_[0]: KIS has not turned over yet" }

# ---- late opens ---------------------------------------------------------------

value(q{ALTER SERVER kis OPTIONS (ADD late_opens '2027-11-18, 2026-11-19')});
is(collected('2026-11-18 19:30:00'), '2026-11-18|inserted', 'the day before CSAT');
foreach my $time ('08:29', '08:40', '09:05', '09:29')
{
	$clock->set("2026-11-19 $time:00");
	is(queried(), '2026-11-18', "CSAT day, $time is the day before's");
	is(collected(), '2026-11-18|' . ($time eq '08:29' ? 'updated' : 'unchanged'), 'in the store');
}
$clock->set('2026-11-19 09:31:00');
is(queried(), '2026-11-19', 'from 09:30 on it is the day itself');
is(collected(), '2026-11-19|' . still('2026-11-18'), "but the figures are not");
$simulator->config(before_open => 'zeros');
is(collected('2026-11-19 09:20:00'), '2026-11-19|skipped|all figures are zero before the session', 'zeros at 09:20');
is(collected('2026-11-19 09:40:00'), '2026-11-19|inserted', 'at 09:40 are figures');
$simulator->config(before_open => 'previous');
is(collected('2026-11-19 10:05:00'), '2026-11-19|updated', 'and after the open');
is(collected('2026-11-20 08:40:00'), "2026-11-20|$perhaps", 'the day after is like any');
value(q{ALTER SERVER kis OPTIONS (DROP late_opens)});
$clock->set('2026-11-19 09:05:00');
is(queried(), '2026-11-19', 'without the option nobody knows');

foreach my $calendar ('kis', 'weekday')
{
	value(qq{ALTER SERVER kis OPTIONS (SET calendar '$calendar')});
	empty();
	collected('2026-12-30 19:00:00');
	my $last = $calendar eq 'kis' ? '2026-12-30' : '2027-01-01';
	foreach my $time ('08:40', '09:05', '09:29')
	{
		$clock->set("2027-01-04 $time:00");
		is(queried(), $last, "$calendar: $time of the year's first trading day");
	}
	$clock->set('2027-01-04 09:31:00');
	is(queried(), '2027-01-04', "$calendar: from 09:30 on");
	foreach my $day ('2027-01-05', '2027-01-11')
	{
		$clock->set("$day 08:31:00");
		is(queried(), $day, "$calendar: the second and later ones begin as ever, $day");
	}
}
value(q{ALTER SERVER kis OPTIONS (SET calendar 'kis')});

# ---- totals that have grown since the day before ---------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
empty();
show(5000);
is(collected('2026-11-18 19:30:00'), '2026-11-18|inserted', 'the evening before a late open that nobody has told of');
show(5600);
is(collected('2026-11-19 09:05:00'), '2026-11-19|' . still('2026-11-18'), 'figures that are what they may have grown to');
is(stored(), '2026-11-18 5000', 'are not stored');
is(snapshots(), '2026-11-18 5000', 'nor kept');
show(5000, frgn_seln_vol => '4999', frgn_ntby_qty => '-900000');
is(collected('2026-11-19 10:04:00'), '2026-11-19|inserted', 'one that is less is of another day');
is(stored(), '2026-11-18 5000, 2026-11-19 -900000', 'and stored');
value(q{DELETE FROM market_investor_trend WHERE trade_date = '2026-11-19'});
value(q{DELETE FROM market_investor_trend_snapshot WHERE trade_date = '2026-11-19'});
show(40);
is(collected('2026-11-19 10:05:00'), '2026-11-19|inserted', 'the new day');
is(stored(), '2026-11-18 5000, 2026-11-19 40', 'is stored');
is(snapshots(), '2026-11-18 5000, 2026-11-19 40', 'and kept');
show(5601);
is(collected('2026-11-19 10:29:00'), '2026-11-19|' . still('2026-11-18'), 'KIS that shows the day before once more');
is(collected('2026-11-19 10:31:00'), '2026-11-19|updated', 'two hours after session_start the clock alone decides');

foreach my $case (
	[ '2026-11-18 15:29:00', 'inserted', 'a snapshot of the session proves nothing' ],
	[ '2026-11-18 15:31:00', undef, 'one after it does' ],
	[ '2026-11-19 08:00:00', undef, 'be it of the next morning' ])
{
	my ($time, $outcome, $name) = @$case;

	empty();
	show(5000);
	collected($time);
	show(5600);
	is(collected('2026-11-19 09:05:00'), '2026-11-19|' . ($outcome // still('2026-11-18')), $name);
}

# Equal nets over smaller totals are of another day
empty();
show(5000);
collected('2026-11-18 19:30:00');
show(5000, frgn_seln_vol => '4999', frgn_shnu_vol => '4999');
is(collected('2026-11-19 11:00:00'), '2026-11-19|inserted', 'nets that happen to be the same');

# Nets do go down; zeros and members without a value tell nothing
empty();
show(5000, map { $_ => '-5000' } grep { /ntby/ } @fields);
collected('2026-11-18 19:30:00');
show(5600, map { $_ => '-9999' } grep { /ntby/ } @fields);
is(collected('2026-11-19 09:05:00'), '2026-11-19|' . still('2026-11-18'), 'nets do not count');
show(5600, frgn_seln_vol => '', prsn_shnu_vol => '');
is(collected('2026-11-19 09:06:00'), '2026-11-19|' . still('2026-11-18'), 'nor do members without a value');
empty();
show(0, frgn_ntby_qty => '1');
collected('2026-11-18 19:30:00');
show(7);
is(collected('2026-11-19 09:05:00'), '2026-11-19|inserted', 'a pair without trade the day before');

# What there is to compare with
value(q{CREATE TABLE few (market_code text, sector_code text, trade_date date, collected_at timestamptz,
	foreign_net_qty bigint, foreign_sell_qty bigint, UNIQUE (market_code, sector_code, trade_date));
	CREATE TABLE nets (LIKE few INCLUDING ALL); ALTER TABLE nets DROP COLUMN foreign_sell_qty;
	CREATE TABLE nets_snapshot (LIKE nets); ALTER TABLE nets_snapshot ADD UNIQUE (market_code, sector_code, collected_at);});
foreach my $case (
	[ 'few', still('2026-11-18'), 'a store of its own with one total, without snapshots' ],
	[ 'nets', 'inserted', 'snapshots of nets alone' ])
{
	my ($store, $outcome, $name) = @$case;

	show(5000);
	collected('2026-11-18 19:30:00', $store);
	is(collected('2026-11-19 09:05:00', $store), '2026-11-19|' . still('2026-11-18'), "$name: equal figures");
	show(5600);
	is(collected('2026-11-19 09:05:00', $store), "2026-11-19|$outcome", "$name: grown ones");
}

# ---- a first look before the open ----------------------------------------------

show();
foreach my $case ([ '2026-07-14', 'Tuesday' ], [ '2026-07-13', 'Monday' ])
{
	my ($day, $name) = @$case;

	empty();
	is(collected("$day 08:40:00"), "$day|$perhaps", "$name 08:40, with nothing stored");
	is(collected("$day 08:59:50"), "$day|$perhaps", 'until the open');
	is(stored() . snapshots(), '', 'nothing is stored, or kept');
	is(collected("$day 09:01:00"), "$day|inserted", 'from which on it is');
}

empty();
collected('2026-07-14 12:00:00');
is(collected('2026-07-15 08:40:00'), "2026-07-15|$perhaps", 'the day before was last seen at noon');
show(1);
is(collected('2026-07-15 08:41:00'), '2026-07-15|inserted', 'figures that are less than those at noon are new');
empty();
show(5000);
collected('2026-07-14 16:00:00');
show(5000, frgn_seln_vol => '4990', frgn_ntby_qty => '10');
is(collected('2026-07-15 08:42:00'), "2026-07-15|$perhaps", 'one that is less may have been corrected');
is(collected('2026-07-15 08:20:00'), '2026-07-14|updated', "before session_start it is the day before's anyway");
empty();
show();
collected('2026-07-13 12:00:00');
show(1);
is(collected('2026-07-15 08:41:00'), "2026-07-15|$perhaps", 'less than those of two days before are not');
show();
$simulator->config(before_open => 'zeros');
is(collected('2026-07-15 08:42:00'), '2026-07-15|inserted', 'zeros are');
$simulator->config(before_open => 'previous');
value(q{ALTER SERVER kis OPTIONS (ADD session_start '09:00')});
empty();
is(collected('2026-07-15 09:01:00'), '2026-07-15|inserted', 'a session that starts at the open');
value(q{ALTER SERVER kis OPTIONS (SET session_start '00:00')});
empty();
is(collected('2026-07-15 00:01:00'), '2026-07-15|inserted', "one that starts at midnight is its owner's word");
value(q{ALTER SERVER kis OPTIONS (DROP session_start)});

# ---- a clock that is wrong ------------------------------------------------------

my $day = 24 * 3600;

empty();
$clock->set('2026-07-15 10:00:00');
# a header has whole seconds, and a busy machine takes some to read it
foreach my $case ([ -$day, '864\d\d s ahead of' ], [ 3600, '3(?:5\d\d|600) s behind' ], [ -150, '1[5-9]\d s ahead of' ], [ 240, '2[0-4]\d s behind' ])
{
	my ($offset, $words) = @$case;

	$simulator->config(date_header => $offset);
	my ($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')});
	is("$sqlstate $message", 'HV000 could not collect any target', "Date is $offset s ahead: nothing is collected");
	like($detail, qr/^KSP\/0001: the trading day is unknown: the server's clock is $words KIS's\nKSQ/, 'and why');
	is($hint, "Set the clock of the server's machine, and keep it right by NTP.", 'and what to do');
	my @warnings = sql_warnings($node, 'postgres', join ';', (q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'}) x 2,
		q{SELECT collected_at FROM kis_market_trend WHERE market_code = 'KSQ'});
	is(scalar @warnings, 1, 'a session is warned once');
	like($warnings[0]{message}, qr/^the server's clock is $words KIS's$/, 'so');
	is($warnings[0]{hint}, $hint, 'with the hint');
	like(value(q{SELECT concat_ws(' ', ok, detail) FROM kis_check('kis') WHERE step = 'pair'}), qr/^f the server's clock is $words KIS's\. Set/, 'kis_check says so');
}
like((sql_error($node, 'postgres', q{CALL backfill_market_investor_trend('2026-07-13', '2026-07-14', '{KSP/0001}')}))[1],
	qr/^nobody can tell which days are over: the server's clock is 2[0-4]\d s behind KIS's$/, 'nor is a day filled');
is(stored() . snapshots(), '', 'nothing was stored');
is(scalar(sql_warnings($node, 'postgres', q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP'})), 0,
	'a query without times is not warned');
my $second = 1;
foreach my $date (-90, 90, 'garbage', '', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Tue, 99 Foo 2026 99:99:99 GMT', 'x' x 5000)
{
	$simulator->config(date_header => $date);
	is(collected(sprintf '2026-07-15 10:00:%02d', $second++), '2026-07-15|' . ($second == 2 ? 'inserted' : 'unchanged'),
		'Date is ' . substr($date, 0, 30) . ': well');
	is(scalar(sql_warnings($node, 'postgres', 'SELECT * FROM kis_market_trend')), 0, 'no warning');
}

# A reply that is kept has the two times of when it came
value(q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});
$simulator->config(date_header => -$day);
is(scalar(sql_warnings($node, 'postgres', q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'})), 1, 'the one who calls is warned');
my $calls = $simulator->calls('trend');
is(scalar(sql_warnings($node, 'postgres', q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'})), 1, 'so is the one who takes it from the cache');
is($simulator->calls('trend'), $calls, 'without a call');
like((sql_error($node, 'postgres', q{SELECT collect_market_investor_trend('{KSP/0001}')}))[2], qr/ahead of KIS's$/, 'and a collection fails');
$simulator->config(date_header => 0);
is(value(q{SELECT string_agg(outcome, ' ' ORDER BY market_code) FROM collect_market_investor_trend('{KSP/0001,KSQ/1001}')}),
	'failed inserted', 'that target alone');
value(q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});
$simulator->config(date_header => undef);

# ---- a calendar that is wrong ----------------------------------------------------

sub contradiction
{
	return "skipped|KIS's calendar says that the exchange is closed today, but these are not the figures stored of $_[0]; kis_check() asks the calendar anew";
}

$simulator->reset(keep_tokens => JSON::PP::true);
empty();
show(5000);
collected('2026-07-16 19:00:00');
my @holidays = @{ $simulator->settings->{holidays} };
$simulator->config(holidays => [ @holidays, '2026-07-17' ]);
is(collected('2026-07-17 08:20:00'), '2026-07-16|unchanged', 'a Friday that KIS says is closed');
$simulator->config(holidays => \@holidays);
show(40);
is(collected('2026-07-17 10:00:00'), '2026-07-16|' . contradiction('2026-07-16'), 'then figures that differ');
show(5600);
is(collected('2026-07-17 10:10:00'), '2026-07-16|' . contradiction('2026-07-16'), 'be they larger');
is(stored(), '2026-07-16 5000', 'are not stored');
is(snapshots(), '2026-07-16 5000', 'nor kept');
value(q{UPDATE market_investor_trend SET source = 'daily'});
is(collected('2026-07-17 10:20:00'), '2026-07-16|' . contradiction('2026-07-16'), 'nor where the daily history was there before');
is(snapshots(), '2026-07-16 5000', 'kept');

empty();
value(q{ALTER SERVER kis OPTIONS (SET calendar 'weekday')});
show(5000);
collected('2026-07-16 15:20:00');
value(q{ALTER SERVER kis OPTIONS (SET calendar 'kis')});
show(5600, frgn_seln_vol => '4999');
is(collected('2026-07-17 10:20:00'), '2026-07-16|' . contradiction('2026-07-16'), 'nor what the day before can not have grown to');
show(5600);
is(collected('2026-07-17 10:31:00'), '2026-07-16|' . contradiction('2026-07-16'), 'nor what it can, once a new day may have come so far');
is(collected('2026-07-17 10:25:00'), '2026-07-16|updated', 'until then that is stored');
is(stored(), '2026-07-16 5600', 'where the day before was last seen in its session');

empty();
show(5000);
value(q{ALTER SERVER kis OPTIONS (SET calendar 'weekday')});
collected('2026-07-16 19:00:00');
value(q{ALTER SERVER kis OPTIONS (SET calendar 'kis')});
$clock->set('2026-07-17 10:30:00');
my $asked = $simulator->calls('holiday');
like(value(q{SELECT concat_ws(' ', ok, detail) FROM kis_check('kis') WHERE step = 'calendar'}), qr/^t KIS's: the current trading day is 2026-07-17$/, 'kis_check asks anew');
is($simulator->calls('holiday'), $asked + 1, 'once');
show(40);
is(collected('2026-07-17 10:31:00'), '2026-07-17|inserted', 'then all is well');
is($simulator->calls('holiday'), $asked + 1, 'with what kis_check has got');
$simulator->fault({ match => { kind => 'holiday' }, fault => 'error', params => { msg_cd => 'EGW00206' } });
like(value(q{SELECT concat_ws(' ', ok, detail) FROM kis_check('kis') WHERE step = 'calendar'}), qr/^f /, 'a calendar that is refused');
is(collected('2026-07-17 10:40:00'), '2026-07-17|unchanged', 'takes nothing from those who have one');
$simulator->fault;

# Zeros on a day that is closed are nobody's
show(0);
is(value(q{SELECT concat_ws('|', trade_date, outcome, detail) FROM collect_market_investor_trend('{KSQ/1001,KSP/0001}') WHERE market_code = 'KSP'}),
	'2026-07-17|skipped|all figures are zero, those stored are not', 'zeros');
$simulator->config(weekend => 'zeros', overrides => {});
$clock->set('2026-07-18 07:00:00');
is(value(q{SELECT concat_ws('|', trade_date, outcome, detail) FROM collect_market_investor_trend('{KSQ/1002}')}),
	'2026-07-17|skipped|all figures are zero on a day that is closed', 'zeros of a Saturday are not those of Friday');
$simulator->config(weekend => 'previous');

# Until session_start figures are the day before's on any day; week-ends of "weekday" are no one's word
show(50);
is(collected('2026-07-18 08:00:00'), '2026-07-17|updated', 'corrections are seen on a Saturday morning');
show(51);
is(collected('2026-07-18 12:00:00'), '2026-07-17|' . contradiction('2026-07-17'), 'later they contradict');
show(50);
is(collected('2026-07-18 12:00:30'), '2026-07-17|unchanged', 'and the same do not');
value(q{ALTER SERVER kis OPTIONS (SET calendar 'weekday')});
show(51);
is(collected('2026-07-18 12:01:00'), '2026-07-17|updated', "a Saturday of calendar 'weekday'");

is_deeply([ $simulator->problems ], [], 'all requests as KIS documents them');
done_testing();
