# What a session waits for, as the others see it: kis_activity in each phase that a
# query, a collection and a backfill can hang in, and pg_stat_activity's wait events
# where extensions may name theirs; how far they are; and who may see whom.
#
# Each figure is printed: milliseconds from the moment that the phase is reached
# until another session sees the cause.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Phases;
use Test::More;
use Time::HiRes ();

use constant SEEN_MS => 100;

my $phases = KisTest::Phases->new;
my $node = $phases->node;
my $simulator = $phases->simulator;
my $monitor = $phases->monitor;
my $names_events = $node->pg_version >= 17;
my %cause = (
	(map { $_ => 'network' } qw(name hang headers body drip)),
	(map { $_ => 'token' } qw(name_of_token connect tls soon token issue)),
	back_off => 'retry',
	rate => 'rate',
	shared => 'session');

$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
is($monitor->query_safe('SELECT count(*) FROM kis_activity'), 0, 'nobody is at anything');

# Columns of a session's row
sub row
{
	my ($session, $columns) = @_;

	return $monitor->query_safe("SELECT $columns FROM kis_activity WHERE pid = " . $session->pid);
}

# The milliseconds until the session's row is so
sub ms_until
{
	my ($session, $columns, $value) = @_;
	my $started = Time::HiRes::time();
	my $seen;

	eventually { ($seen = row($session, $columns)) eq $value } 10;
	is($seen, $value, "$columns");
	return 1000 * (Time::HiRes::time() - $started);
}

# ---- each phase

my @places = (
	{ name => 'a query', sql => sub { $phases->query($_[0]) } },
	{
		name => 'a collection',
		sql => sub { "SELECT * FROM collect_market_investor_trend('{$_[0]{pair}}', source => 'kis_$_[0]{server}')" }
	},
	{
		name => 'a backfill',
		sql => sub { "CALL backfill_market_investor_trend('2020-01-01', '2020-01-31', '{$_[0]{pair}}', source => 'kis_$_[0]{server}')" },
		is_backfill => 1
	});

# A session that hangs so, seen by another one
sub check
{
	my ($phase, $place) = @_;
	my $name = "$place->{name}, $phase->{name}";
	my $cause = $cause{ $phase->{key} };
	my $session = $node->session;

	$phases->hang($phase, $session, $place->{sql}->($phase));
	my $ms = ms_until($session, 'waits_for', $cause);
	diag sprintf '%-60s %-8s %6.1f ms', $name, $cause, $ms;
	cmp_ok($ms, '<=', 1000 * within(SEEN_MS / 1000), "$name: it is seen within " . SEEN_MS . ' ms');
	is(row($session, 'server, calls_made, calls_expected'), "kis_$phase->{server}|0|1", 'with whom, and how far');
	is(row($session, q{waiting_since BETWEEN now() - interval '1 min' AND clock_timestamp()}), 't', 'and since when');
	is(row($session, 'backfill_pair, backfill_day, pages_left'),
		$place->{is_backfill} ? "$phase->{pair}|2020-01-31|1" : '||', 'and at which page');

	my $event = $names_events ? 'Kis' . ucfirst $cause : 'Extension';
	my $seen = 'SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = ' . $session->pid;
	ok((eventually { $monitor->query_safe($seen) eq "Extension|$event" } 10), "its wait event is $event");

	$monitor->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')');
	$session->result;
	is(row($session, 'count(*)'), 0, 'and nothing is left of it');
	$session->quit;
	return;
}

foreach my $phase ($phases->all)
{
	$phases->prepare($phase);
	check($phase, $_) foreach grep { !$_->{is_backfill} || $phase->{key} ne 'shared' } @places;
	$phases->finish($phase);
}

# A backfill shares the calls of the daily history
foreach my $phase (grep { $_->{key} eq 'shared' } $phases->all)
{
	local $phase->{query} = $places[2]{sql}->($phase);

	$phases->prepare($phase);
	check($phase, $places[2]);
	$phases->finish($phase);
}

# ---- how far they are

my @sectors = split /\n/, $node->safe_psql('postgres',
	q{SELECT sector_code FROM kis_sector WHERE market_code = 'KSP' ORDER BY sector_code LIMIT 8});
my $of_sectors = join ', ', map { "'$_'" } @sectors;
my $session = $node->session;

$simulator->reset;
$simulator->fault({ match => { pair => "KSP/$sectors[7]" }, fault => 'hang' });
$session->send("SELECT count(*) FROM reply WHERE market_code = 'KSP' AND sector_code IN ($of_sectors)");
$simulator->wait_for('held', 1);
ms_until($session, 'calls_made, calls_expected, waits_for', '7|8|network');
$simulator->release;
is($session->result->{output}, 8, 'it goes on');
is(row($session, 'count(*)'), 0, 'and is gone when it ends');

# What the cache answers is no call
$node->safe_psql('postgres', q{ALTER SERVER kis_reply OPTIONS (SET cache_ttl '10min')});
$session->query_safe("SELECT count(*) FROM reply WHERE market_code = 'KSP' AND sector_code IN ('$sectors[0]', '$sectors[1]')");
$simulator->fault({ match => { pair => "KSP/$sectors[7]" }, fault => 'hang' });
$session->send("SELECT count(*) FROM reply WHERE market_code = 'KSP' AND sector_code IN ($of_sectors)");
$simulator->wait_for('held', 1);
ms_until($session, 'calls_made, calls_expected', '5|6');
$simulator->release;
$session->result;
$node->safe_psql('postgres', q{ALTER SERVER kis_reply OPTIONS (SET cache_ttl '0')});

# The cause is that of the call whose row comes next, whatever the others wait for
$simulator->fault({ match => { pair => "KSP/$sectors[0]" }, fault => 'hang' },
	{ match => { pair => "KSP/$sectors[1]" }, fault => 'error' });
$session->send("SELECT count(*) FROM reply WHERE market_code = 'KSP' AND sector_code IN ('$sectors[0]', '$sectors[1]')");
eventually { grep { $_ eq "KSP/$sectors[1]" } $simulator->pairs } or die 'not requested';
ms_until($session, 'waits_for, calls_made, calls_expected', 'network|0|2');
$monitor->query_safe('SELECT pg_cancel_backend(' . $session->pid . ')');
$session->result;
$simulator->release(clear_faults => JSON::PP::true());

# A backfill of two pairs, of two pages each, that hangs at the second pair
$simulator->fault({ match => { pair => "KSP/$sectors[1]" }, fault => 'hang' });
$session->send("CALL backfill_market_investor_trend('2024-06-03', '2025-12-30', '{KSP/$sectors[0],KSP/$sectors[1]}', source => 'kis_reply')");
$simulator->wait_for('held', 1);
ms_until($session, 'backfill_pair, backfill_day, calls_made, calls_expected, pages_left', "KSP/$sectors[1]|2025-12-30|2|4|2");
$simulator->release(clear_faults => JSON::PP::true());
is_deeply($session->result->{errors}, [], 'it goes on');

# A cursor that waits for its user, and not for KIS, which is slow enough to have been waited for
$simulator->config(latency_ms => 100);
$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT * FROM reply WHERE market_code = 'KSP' AND sector_code IN ($of_sectors); FETCH c");
is(row($session, 'waits_for IS NULL AND waiting_since IS NULL, calls_expected'), 't|8', 'an idle cursor waits for nothing');
$session->query_safe('COMMIT');
is(row($session, 'count(*)'), 0, 'and is gone with its transaction');
$simulator->config(latency_ms => 0);

# Nor does an Append that runs a local arm meanwhile
$monitor->query_safe('SELECT pg_advisory_lock(7)');
$simulator->fault({ match => { pair => 'KSP/0001' }, fault => 'hang' });
$session->send(q{SELECT market_code FROM reply WHERE market_code = 'KSP' AND sector_code = '0001'
	UNION ALL SELECT 'here' UNION ALL SELECT 'there' WHERE pg_advisory_lock(7) IS NOT NULL});
$simulator->wait_for('held', 1);
wait_until_blocked($node, $session);
is(row($session, 'count(waits_for)'), 0, 'nor does an Append that runs a local arm meanwhile');
$monitor->query_safe('SELECT pg_advisory_unlock(7)');
ms_until($session, 'waits_for', 'network');
$simulator->release(clear_faults => JSON::PP::true());
is(join(' ', sort split /\n/, $session->result->{output}), 'KSP here there', 'which waits then');

# ---- who sees whom

$node->safe_psql('postgres', q{
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	CREATE ROLE chief LOGIN IN ROLE alice;
	SET log_statement = 'none';
	CREATE USER MAPPING FOR PUBLIC SERVER kis_reply OPTIONS (app_key } . sql_literal($simulator->app_key) . ', app_secret '
	  . sql_literal($simulator->app_secret) . q{);
	GRANT SELECT ON reply TO alice});
my $alice = $node->session('postgres', extra_params => [ '-U', 'alice' ]);

$simulator->fault({ match => { pair => 'KSP/0001' }, fault => 'hang' });
$alice->send("SELECT * FROM reply WHERE market_code = 'KSP' AND sector_code = '0001'");
$simulator->wait_for('held', 1);
ms_until($alice, 'waits_for', 'network');
foreach my $case ([ alice => 1 ], [ bob => 0 ], [ watcher => 1 ], [ chief => 1 ])
{
	my ($role, $sees) = @$case;

	foreach my $source (qw(kis_activity kis_activity_rows()))
	{
		is($node->safe_psql('postgres', "SELECT count(*) FROM $source", extra_params => [ '-U', $role ]),
			$sees, "$role sees " . ($sees ? 'it' : 'nothing') . " in $source");
	}
}
is($monitor->query_safe('SELECT s.app_key_fingerprint IS NOT NULL FROM kis_activity LEFT JOIN kis_stat s USING (app_key_fingerprint)'),
	't', 'the fingerprint is that of kis_stat');
$monitor->query_safe('SELECT pg_terminate_backend(' . $alice->pid . ')');
ok((eventually { row($alice, 'count(*)') eq '0' }), 'a session that is gone is shown no more');

# ---- names in another database's encoding

$node->safe_psql('postgres', q{CREATE DATABASE euc TEMPLATE template0 ENCODING 'EUC_KR' LOCALE 'C'});
setup($node, 'euc', $simulator);
$node->safe_psql('euc', qq{SET client_encoding = 'UTF8'; ALTER SERVER kis RENAME TO "\xed\x95\x9c\xed\x88\xac"});
my $korean = $node->session('euc');

$korean->send("SELECT * FROM kis_market_trend WHERE market_code = 'KSP'");
$simulator->wait_for('held', 1);
ok((eventually { row($korean, 'server') =~ /^\?+$/ }), 'what is no text of this one is question marks');
$simulator->release(clear_faults => JSON::PP::true());
$korean->result;
$_->quit foreach $session, $korean, $phases;
done_testing();
