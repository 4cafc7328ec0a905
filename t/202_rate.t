# The rate that all sessions share: exact for what KIS sees, fair, and lower
# for a while after KIS's refusal.
#
# KIS_TEST_LONG=1 has eight sessions read all 71 pairs and not 20 each.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Crowd;
use List::Util qw(max min);
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => "max_connections = 100");

setup($node, 'postgres', $simulator, max_wait => '120s');

sub rate
{
	my ($rate) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET requests_per_second '$rate')");
	return;
}

sub pair
{
	my ($pair, $table) = @_;
	my ($market, $sector) = split '/', $pair;

	return 'SELECT sector_code FROM ' . ($table || 'kis_sector_trend')
	  . " WHERE market_code = '$market' AND sector_code = '$sector'";
}

# When the calls arrived, in seconds after the first.
sub arrivals
{
	my @at = map { $_->{monotonic} } $simulator->requests('any');

	return map { $_ - $at[0] } @at;
}

# The most arrivals in any second of any alignment.
sub most_in_a_second
{
	my @at = arrivals();
	my ($first, $most) = (0, 0);

	foreach my $last (0 .. $#at)
	{
		$first++ while $at[$first] <= $at[$last] - 1;
		$most = max($most, $last - $first + 1);
	}
	return $most;
}

# A server of its own kind for tests of the option, with the tables in a schema of its name.
sub add_server
{
	my ($name, $mapping_rate, %options) = @_;
	my $options = join ', ', map { "$_ '$options{$_}'" } sort keys %options;
	my $rate = defined $mapping_rate ? ", requests_per_second '$mapping_rate'" : '';

	$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE SCHEMA $name;"
		  . " CREATE SERVER $name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '"
		  . $simulator->url . "', cache_ttl '0', max_wait '120s', $options);"
		  . " CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (app_key "
		  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret)
		  . "$rate); IMPORT FOREIGN SCHEMA kis FROM SERVER $name INTO $name");
	return;
}

# ---- eight sessions at KIS's own rate, and its strict window

my $pairs = $ENV{KIS_TEST_LONG} ? 71 : 20;
my $rate = 18;
my $many = "SELECT count(*) FROM (SELECT * FROM kis_sector_trend LIMIT $pairs) s";

rate($rate);
$node->restart;
my $crowd = KisTest::Crowd->new($node, 8);
$crowd->query('SELECT 1');
$simulator->reset;
$simulator->config(rate => $rate, rate_window => 'sliding');

my @results = $crowd->query($many, 300);
my @at = arrivals();
my $stats = $simulator->stats;
my $ended = max(map { $_->{ended} } @results);
my $began = ($simulator->requests('any'))[0]{time};
my $took = $ended - $began;
my $ideal = @at / $rate;

is(scalar(grep { $_->{output} eq $pairs } @results), 8, "8 sessions read $pairs pairs each, uncached");
is($simulator->calls, 8 * $pairs, 'a call each');
is($stats->{refused_by_rate}, 0, 'the simulator refused none');
cmp_ok(most_in_a_second(), $ENV{KIS_TEST_LONG} ? '==' : '<=', $rate, "no second of any alignment has more than $rate arrivals");
ok($took <= within(1.1 * $ideal), sprintf('it took %.2f s, %.3f of calls / rate', $took, $took / $ideal));
note(sprintf('%d calls in %.2f s, ideal %.2f s', scalar @at, $took, $ideal));

my @ends = sort { $a <=> $b } map { $_->{ended} - $began } @results;
# whoever came first had up to 12 of the first 18, which are 5 s of an eighth of the rate
ok($ends[-1] - $ends[0] < within(5), sprintf('fair: all end between %.2f s and %.2f s', $ends[0], $ends[-1]));
$crowd->quit;

# ---- first come, first served

rate(1);
$crowd = KisTest::Crowd->new($node, 6);
my @sessions = $crowd->sessions;
$sessions[0]->query_safe(pair('KSP/0001'));
$simulator->reset(keep_tokens => JSON::PP::true);
foreach my $i (1 .. 5)
{
	$sessions[$i]->send(pair("KSP/000" . (6 - $i)));
	KisTest::Crowd::wait_until_waiting_pids($node, $sessions[$i]->pid);
}
# the second of those who wait is cancelled, the third terminated
my $cancelled = Time::HiRes::time();
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $sessions[2]->pid . ')');
is($sessions[2]->result->{errors}[0]{sqlstate}, '57014', 'a session that waits for the rate is cancelled');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $sessions[3]->pid . ')');
$sessions[3]->result;
ok($sessions[3]->is_closed, 'and one terminated');
$_->result foreach @sessions[ 1, 4, 5 ];
is_deeply([ map { $_->{sector} } $simulator->requests('data') ], [qw(0005 0002 0001)],
	'the others come in the order in which they came');
is(most_in_a_second(), 1, 'one a second');
@at = arrivals();
ok($at[2] < within(2.2), sprintf('and nobody waits for those that went: the last after %.2f s', $at[2]));
$_->quit foreach @sessions;

# ---- fractions

rate('0.5');
$crowd = KisTest::Crowd->new($node, 3);
$crowd->query('SELECT 1');
$crowd->query(pair('KSP/0002'));
@at = arrivals();
ok($at[-1] - $at[-2] >= 2 && $at[-2] - $at[-3] >= 2 && $at[-1] - $at[-3] < within(4.4),
	'half a call a second: one in two seconds') or diag "@at";
$crowd->quit;

# ---- who shares a key shares its rate

rate(5);
add_server('two', undef, requests_per_second => 5);
$crowd = KisTest::Crowd->new($node, 8);
$crowd->query('SELECT 1');
$simulator->reset(keep_tokens => JSON::PP::true);
$crowd->query(sub { pair('KSP/0003', $_[0] % 2 ? 'two.kis_sector_trend' : undef) });
$crowd->query(sub { pair('KSP/0003', $_[0] % 2 ? 'two.kis_sector_trend' : undef) });
is($simulator->calls, 16, 'two servers with the same key');
ok(most_in_a_second() <= 5, 'have one rate together') or diag join ' ', arrivals();

add_server('mine', 3, requests_per_second => 1000);
$simulator->reset(keep_tokens => JSON::PP::true);
$crowd->query(pair('KSP/0004', 'mine.kis_sector_trend'));
ok(most_in_a_second() <= 3, "a user mapping's own rate comes before the server's");
$crowd->quit;

# ---- who waits for something else is in nobody's way

rate(1);
$crowd = KisTest::Crowd->new($node, 2);
@sessions = $crowd->sessions;
$simulator->kill_token;
$simulator->config(latency_ms => 800);
$sessions[0]->send(pair('KSP/0001'));
$simulator->wait_for('data', 1);
$sessions[1]->send(pair('KSP/0002'));
$began = Time::HiRes::time();
is_deeply([ map { $_->result->{output} } @sessions ], [qw(0001 0002)],
	'a session that waits for its slot while its token dies');
$took = Time::HiRes::time() - $began;
ok($took < within(15), sprintf('does not keep others from getting the next one: %.1f s', $took));
$crowd->quit;

# ---- KIS refuses

rate(12);
$simulator->config(rate => 6);
my $session;
sub effective
{
	return $node->safe_psql('postgres', 'SELECT effective_rate FROM kis_stat');
}
$node->safe_psql('postgres', pair('KSP/0005'));
is(effective(), 12, 'the rate is what the option says');
$crowd = KisTest::Crowd->new($node, 12);
@results = $crowd->query(pair('KSP/0005'));
is(scalar(grep { $_->{output} eq '0005' } @results), 12, 'KIS refuses calls as too many: all are answered in the end');
ok($simulator->stats->{refused_by_rate} > 0, 'some were refused');
my $lowered = effective();
ok($lowered < 9, "then the rate is lower for all: $lowered");
ok($lowered >= 1, 'but calls go on');
ok((eventually { effective() > $lowered + 0.2 }), 'and it recovers');
cmp_ok($node->safe_psql('postgres', 'SELECT refusals FROM kis_stat'), '>', 0, 'kis_stat counts the refusals');
$crowd->quit;

rate(1);
$simulator->fault({ fault => 'error', times => 1, params => { msg_cd => 'EGW00201', status => 500, msg1 => 'rate' } });
is($node->safe_psql('postgres', pair('KSP/0005')), '0005', 'a refusal where the rate is one call a second: answered');
cmp_ok(effective(), '<', 0.7, 'and it is less than one for a while');

# ---- the calendar is KIS's ledger

rate(10);
add_server('ledger', undef, requests_per_second => 10, calendar => 'kis');
my $half_year = "SELECT count(*) FROM ledger.kis_calendar WHERE trade_date BETWEEN '2026-01-01' AND '2026-06-30'";
$node->restart;
$simulator->reset(keep_tokens => JSON::PP::true);
$session = $node->session;
$session->send($half_year);
$simulator->wait_for('holiday', 1);
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT * FROM kis_sector_trend LIMIT 20) s'), 20, 'twenty calls beside several pages of the calendar');
cmp_ok($simulator->calls('holiday'), '<', 8, 'do not wait for these');
is($session->result->{output}, 181, 'which come all');
my @pages = map { $_->{monotonic} } $simulator->requests('holiday');
is(scalar(grep { $pages[$_] - $pages[ $_ - 1 ] < 1 } 1 .. $#pages), 0, 'one a second') or diag "@pages";
ok(most_in_a_second() <= 10, 'and are within the rate of all');
$session->quit;

$node->restart;
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ match => { kind => 'holiday' }, fault => 'error', times => 5,
		params => { msg_cd => 'EGW00215', status => 500, msg1 => 'ledger' } });
is($node->safe_psql('postgres', "SELECT trade_date IS NOT NULL FROM ledger.kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0001'"), 't',
	'the calendar is refused five times by EGW00215: answered in the end');
is($simulator->calls('holiday'), 6, 'after as many tries');
@pages = map { $_->{monotonic} } $simulator->requests('holiday');
is(scalar(grep { $pages[$_] - $pages[ $_ - 1 ] < 1 } 1 .. $#pages), 0, 'one a second') or diag "@pages";
is(effective(), 10, 'and the rate of all is what it was');

# ---- max_wait

$node->safe_psql('postgres', "ALTER SERVER two OPTIONS (SET requests_per_second '0.01');"
	  . " ALTER SERVER kis OPTIONS (SET requests_per_second '0.01', SET max_wait '1s', SET cache_ttl '10s')");
$node->restart;
$simulator->reset(keep_tokens => JSON::PP::true);
$crowd = KisTest::Crowd->new($node, 4);
my ($state, $message, $detail, $hint) = sql_error($node, 'postgres', pair('KSP/0006'));
is($state, '53400', 'the token call has taken the only slot of 100 seconds, longer than max_wait');
is($message, 'too many calls a second for the app key', 'what it says');
like($hint, qr/^Try again in \d+ s\./, 'and when to try again');

$session = $node->session;
$session->send(pair('KSP/0008', 'two.kis_sector_trend'));
KisTest::Crowd::wait_until_waiting_pids($node, $session->pid);
$began = Time::HiRes::time();
@results = $crowd->query(pair('KSP/0007'));
is(scalar(grep { @{ $_->{errors} } && $_->{errors}[0]{sqlstate} eq '53400' } @results), 4,
	'four sessions that share a call which gets no slot');
$took = max(map { $_->{ended} } @results) - $began;
ok($took > 0.9 && $took < within(1.9), sprintf('fail together after max_wait of 1 s: %.2f s', $took));
is($simulator->calls, 0, 'no call was made');
is(scalar(grep { ($_->{errors}[0]{hint} || '') =~ /^Try again in/ } @results), 0,
	'and name no time: another session waits for the slot');
$crowd->quit;
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $session->pid . ')');
$session->result;
$session->quit;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
