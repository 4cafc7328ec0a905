# What a store lacks: days without a row, minutes without a look, stretches that
# failed, sums that don't agree; and what is no gap.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 08:50:00');		# a Friday
setup($node, 'postgres', $simulator, calendar => 'kis', cache_ttl => '0');
$node->safe_psql('postgres', "SELECT create_market_investor_trend(); ALTER DATABASE postgres SET timezone = 'Asia/Seoul'");

sub value { return $node->safe_psql('postgres', $_[0]) }

# The gaps, a line each, in Seoul's time; the figures that are shown here are made up, so their sums don't agree
sub gaps
{
	my ($from, $to, $more) = @_;

	return value("SELECT concat_ws(' ', market_code, to_char(trade_date, 'MM-DD'), to_char(gap_from, 'HH24:MI'), to_char(gap_to, 'HH24:MI'), kind)
		FROM market_investor_trend_gaps('market_investor_trend', '$from', '$to'" . ($more // '') . ") WHERE kind <> 'sums differ' OR trade_date < '2026-07-10'");
}

is(gaps('2026-07-01', '2026-07-10'), '', 'a store that is empty and was never collected into lacks nothing');
like((sql_error($node, 'postgres', q{SELECT * FROM market_investor_trend_gaps('nowhere', '2026-07-10', '2026-07-10')}))[1],
	qr/^store "nowhere" does not exist$/, 'one that is not there');

# What is asked for wrongly is told, and never taken for a store that lacks nothing
value('CREATE SCHEMA aside; CREATE TABLE aside.moved (LIKE market_investor_trend)');
foreach my $case (
	[ q{'moved', '2026-07-10', '2026-07-10'}, '42P01 store "moved" does not exist', q(There is one in another schema: name it with store => 'aside.moved'.) ],
	[ q{'kis_sector', '2026-07-10', '2026-07-10'}, '42P16 relation "kis_sector" cannot hold investor flows', 'Name a store that create_market_investor_trend() has made.' ],
	[ q{'pg_class', '2026-07-10', '2026-07-10'}, '42P16 relation "pg_class" cannot hold investor flows', 'Name a store that create_market_investor_trend() has made.' ],
	(map { [ "'market_investor_trend', '2026-07-10', '2026-07-10', session => '$_'", qq{22023 invalid value for argument "session": "$_"},
			'It is two times in Seoul, the earlier first, such as 09:00-15:30.' ] } '', 'day', '09:00', '15:30-09:00', '09:00-25:00', '09:00-10:00-11:00'),
	(map { [ "'market_investor_trend', '2026-07-10', '2026-07-10', every => '$_->[0]'", qq{22023 invalid value for argument "every": "$_->[1]"},
			'It is how often the store is collected into, such as 1 minute, and no longer than the session.' ] }
		[ '0', '00:00:00' ], [ '-1 minute', '-00:01:00' ], [ '1 month', '1 mon' ], [ '7 hours', '07:00:00' ]))
{
	my ($sqlstate, $message, undef, $hint) = sql_error($node, 'postgres', "SELECT * FROM market_investor_trend_gaps($case->[0])");

	is("$sqlstate $message", $case->[1], $case->[0]);
	is($hint, $case->[2], 'and what to do');
}
value('DROP SCHEMA aside CASCADE');
foreach my $null (qw(store from_date to_date every session source))
{
	my %argument = (store => "'market_investor_trend'", from_date => "'2026-07-10'", to_date => "'2026-07-10'", $null => 'NULL');

	is(join(' ', (sql_error($node, 'postgres', 'SELECT * FROM market_investor_trend_gaps(' . join(', ', map { "$_ => $argument{$_}" } sort keys %argument) . ')'))[0, 1]),
		qq{22004 argument "$null" must not be null}, "no $null");
}

# A store that has no log
value('CREATE TABLE bare (LIKE market_investor_trend INCLUDING ALL)');
is_deeply([ map { "$_->{message}: $_->{hint}" } @{ run_sql($node, 'postgres', q{SELECT * FROM market_investor_trend_gaps('bare', '2026-07-08', '2026-07-10')})->{notices} } ],
	[ 'minutes without a look are not known: there is no log of collections public.bare_collection: '
		  . 'create_market_investor_trend() makes it, and collections are in it from then on.' ], 'where there is no log, that is told');
value('DROP TABLE bare');

# ---- an hour of minutes -------------------------------------------------------------

# From 20 to 26 nothing runs, from 40 to 46 figures stand still, at 50 and 51 KIS refuses
foreach my $minute (0 .. 59)
{
	next if $minute >= 20 && $minute <= 26;
	$clock->set(sprintf '2026-07-10 09:%02d:01', $minute);
	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => $minute >= 40 && $minute <= 46 ? '1000' : 1000 + $minute } });
	$simulator->fault;
	$simulator->fault({ fault => 'error', params => { msg_cd => 'OPSQ0002' } }) if $minute == 50 || $minute == 51;
	run_sql($node, 'postgres', q{CALL market_investor_trend_job('{KSP/0001}')});
}
$simulator->fault;
$clock->set('2026-07-10 10:00:30');
is(gaps('2026-07-10', '2026-07-10', q{, session => '09:00-10:00'}), "KSP 07-10 09:20 09:27 not collected\nKSP 07-10 09:50 09:52 failed",
	'minutes that were missed and those that failed, and not those that stood still');
is(gaps('2026-07-10', '2026-07-10'), "KSP 07-10 09:20 09:27 not collected\nKSP 07-10 09:50 09:52 failed", 'in a session that goes on, as far as it is');
is(gaps('2026-07-10', '2026-07-10', q{, every => '10 minutes', session => '09:00-10:00'}), '', 'none by ten minutes');
is(gaps('2026-07-10', '2026-07-10', q{, session => '09:00-09:22'}), 'KSP 07-10 09:20 09:22 not collected', 'of a session that ends earlier');
is(value(q{SELECT DISTINCT repair FROM market_investor_trend_gaps('market_investor_trend', '2026-07-10', '2026-07-10') WHERE kind <> 'sums differ'}),
	'none: KIS shows the totals of now alone, and cannot be asked for these minutes again', 'which nothing repairs');

# ---- days -----------------------------------------------------------------------------

# Of the week before: one day is filled, another's figures don't agree
value(q{CALL backfill_market_investor_trend('2026-07-06', '2026-07-06', '{KSP/0001}')});
value(q{CALL backfill_market_investor_trend('2026-07-08', '2026-07-08', '{KSP/0001}')});
value(q{UPDATE market_investor_trend SET individual_net_qty = individual_net_qty + 20 WHERE trade_date = '2026-07-08'});
is(gaps('2026-07-03', '2026-07-09'), "KSP 07-07 09:00 15:30 no day\nKSP 07-08 09:00 15:30 sums differ\nKSP 07-09 09:00 15:30 no day",
	'days since the first without a row, and sums');
value(q{UPDATE market_investor_trend SET individual_net_qty = individual_net_qty - 20 WHERE trade_date = '2026-07-08'});
is(value(q{SELECT max(abs(foreign_net_qty + individual_net_qty + institution_net_qty + other_organization_net_qty + other_corporation_net_qty)) <= 5
	FROM market_investor_trend WHERE source = 'daily'}), 't', 'which are right to one for each addend');
my $repair = value(q{SELECT string_agg(repair, ';' ORDER BY trade_date) FROM market_investor_trend_gaps('market_investor_trend', '2026-07-06', '2026-07-09')});
is($repair, join(';', map { "CALL backfill_market_investor_trend('2026-07-0$_', '2026-07-0$_', '{KSP/0001}', source => 'kis', store => 'public.market_investor_trend')" } 7, 9),
	'what repairs it');
$node->safe_psql('postgres', $repair);
is(gaps('2026-07-06', '2026-07-09'), '', 'does');

# With the extension in a schema that is not in the search_path
is(value(q{UPDATE market_investor_trend SET individual_net_qty = individual_net_qty + 20 WHERE trade_date = '2026-07-08'; CREATE SCHEMA elsewhere;
	ALTER EXTENSION market_investor_fdw SET SCHEMA elsewhere; SELECT repair FROM elsewhere.market_investor_trend_gaps('market_investor_trend', '2026-07-06', '2026-07-09');
	ALTER EXTENSION market_investor_fdw SET SCHEMA public; UPDATE market_investor_trend SET individual_net_qty = individual_net_qty - 20 WHERE trade_date = '2026-07-08'}),
	q{CALL elsewhere.backfill_market_investor_trend('2026-07-08', '2026-07-08', '{KSP/0001}', source => 'kis', store => 'public.market_investor_trend')}, 'what repairs it says where it is');

# Closed days are none, and pairs without a daily history have no repair
$clock->set('2026-07-14 20:00:00');
value(q{SELECT collect_market_investor_trend('{ETF}')});
$clock->set('2026-07-15 20:00:00');
is(gaps('2026-07-11', '2026-07-15'), join("\n", 'ETF 07-15 09:00 15:30 not collected', 'ETF 07-15 09:00 15:30 no day',
		map { ("KSP 07-$_ 09:00 15:30 not collected", "KSP 07-$_ 09:00 15:30 no day") } 13 .. 15) =~ s/(\S+ \S+ 09:00 15:30) not collected\n\1 no day/$1 no day\n$1 not collected/gr,
	'a week-end is no gap, nor what was before the first look');
is(value(q{SELECT repair FROM market_investor_trend_gaps('market_investor_trend', '2026-07-15', '2026-07-15') WHERE market_code = 'ETF' AND kind = 'no day'}),
	q(SELECT * FROM collect_market_investor_trend('{ETF/T000}', source => 'kis', store => 'public.market_investor_trend')), 'today is collected');
$clock->set('2026-07-16 08:00:00');
is(value(q{SELECT repair FROM market_investor_trend_gaps('market_investor_trend', '2026-07-15', '2026-07-15') WHERE market_code = 'ETF' AND kind = 'no day'}),
	'none: KIS has no daily history of this market', 'the days before are not');

# ---- a late open ------------------------------------------------------------------------

value(q{ALTER SERVER kis OPTIONS (ADD late_opens '2026-07-16')});
$clock->set('2026-07-16 10:00:01');
value(q{CALL market_investor_trend_job('{KSP/0001}')});
$clock->set('2026-07-16 10:02:00');
is(gaps('2026-07-16', '2026-07-16'), "ETF 07-16 10:00 10:02 not collected\nKSP 07-16 10:01 10:02 not collected", 'on a late open the session begins at ten');

# The planner takes it for something larger than it is, and would compile it for seconds
my $session = $node->session;
$session->query_safe(q{SELECT count(*) FROM market_investor_trend_gaps('market_investor_trend', '2026-07-10', '2026-07-10')});
ok(slurp_file('/proc/' . $session->pid . '/maps') !~ /llvmjit\./, 'no time goes into compiling it');
$session->quit;

# Without a calendar there is no answer
$simulator->fault({ fault => 'error', params => { msg_cd => 'OPSQ0002' } });
my $others = $node->session;
like(($others->error(q{SELECT * FROM market_investor_trend_gaps('market_investor_trend', '2025-07-01', '2025-07-02')}))[0] // '', qr/^HV000$/, 'a calendar that fails is raised');
$others->quit;

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
