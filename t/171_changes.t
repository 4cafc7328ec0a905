# What doc/snapshots.md says: one-minute changes from totals that grow through a
# session, and months that are dropped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my @blocks = slurp_file("$FindBin::RealBin/../doc/snapshots.md") =~ /^```sql\n(.*?)^```/gms;
my ($changes) = grep { /last_of_minute/ } @blocks;
my ($detach) = grep { /CONCURRENTLY/ } @blocks;
my ($drop) = map { /\$job\$\n(.*)\$job\$/s ? $1 : () } @blocks;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-09 15:20:00');
setup($node, 'postgres', $simulator);
my $session = $node->session('postgres');
$session->query_safe('SELECT create_market_investor_trend()');

my @figures = qw(foreign_net_amount individual_net_amount institution_net_amount);

# Collects and returns what the day's row has now.
sub collect
{
	my ($at) = @_;
	my %row;

	$clock->set($at);
	$session->query_safe("SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')");
	@row{@figures} = split /\|/, $session->query_safe('SELECT ' . join(', ', @figures)
		  . " FROM market_investor_trend WHERE market_code = 'KSP' AND trade_date = '" . substr($at, 0, 10) . "'");
	return \%row;
}

# ---- a session's beginning, three times a minute, with a gap and a repetition

collect('2026-07-09 15:29:50');		# the day before
my (@expected, $last);
my %before = map { $_ => 0 } @figures;

foreach my $minute (0 .. 4, 5, 9 .. 14)
{
	$last = collect(sprintf '2026-07-10 09:%02d:%02d', $minute, $_) foreach (5, 25, 45);
	push @expected, join '|', sprintf('09:%02d', $minute), map { $last->{$_} - $before{$_} } @figures;
	%before = %$last;
}
collect('2026-07-10 09:14:46');		# the same figures
is($session->query_safe(q{SELECT count(*) FROM market_investor_trend_snapshot
	WHERE market_code = 'KSP' AND trade_date = '2026-07-10'}), 36, 'a snapshot of each reply that changed');
is($session->query_safe(q{SELECT bool_and(grows), count(*) FROM (
	SELECT foreign_buy_qty > lag(foreign_buy_qty) OVER (ORDER BY collected_at) AS grows
	FROM market_investor_trend_snapshot
	WHERE market_code = 'KSP' AND trade_date = '2026-07-10') AS s WHERE grows IS NOT NULL}), 't|35',
	'whose totals grow');

my $result = $session->query("SET timezone = 'Asia/Seoul';\n$changes");
is_deeply($result->{messages}, [], 'the query of the doc runs');
my @got = map { s/^2026-07-10 (\d\d:\d\d):00\+09/$1/r } split /\n/, $result->{output};
is_deeply(\@got, \@expected, 'and gives each minute\'s changes');

my @sums = (0, 0, 0);
foreach my $line (@got)
{
	my (undef, @values) = split /\|/, $line;
	$sums[$_] += $values[$_] foreach 0 .. 2;
}
is_deeply(\@sums, [ @$last{@figures} ], 'which add up to the day\'s totals');

# Over two days the second begins at zero again
(my $two_days = $changes) =~ s/'2026-07-10 00:00\+09'/'2026-07-09 00:00+09'/;
my @two = map { s/^2026-07-10 (\d\d:\d\d):00\+09/$1/r } split /\n/, $session->query_safe($two_days);
is(scalar(@two), 1 + @expected, 'two days in one query');
is($two[1], $expected[0], 'of which each begins at zero');

# ---- months that are dropped

sub months
{
	return $session->query_safe(q{SELECT string_agg(right(relname, 8), ' ' ORDER BY relname) FROM pg_class
		JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'market_investor_trend_snapshot'::regclass});
}

foreach my $month (qw(2025-05 2025-06 2025-07))
{
	$clock->set("$month-02 10:00:00");
	$session->query_safe('SELECT create_market_investor_trend()');
}
is(months(), 'y2025m05 y2025m06 y2025m07 y2025m08 y2026m07 y2026m08', 'months are there');
$clock->set('2026-07-02 01:00:00');
$result = $session->query($detach);
is_deeply($result->{messages}, [], 'a month is detached and dropped as the doc says');
is(months(), 'y2025m05 y2025m07 y2025m08 y2026m07 y2026m08', 'that one alone');
$session->query_safe('CREATE TABLE rest PARTITION OF market_investor_trend_snapshot DEFAULT');
$result = $session->query($drop);
is_deeply($result->{messages}, [], 'what the schedule runs, runs');
is(months(), 'y2025m07 y2025m08 y2026m07 y2026m08 rest', 'and keeps twelve months and the one that runs');
$clock->set('2026-08-02 01:00:00');
$session->query_safe($drop);
is(months(), 'y2025m08 y2026m07 y2026m08 rest', 'a month later one less');

$session->quit;
$node->stop;
done_testing();
