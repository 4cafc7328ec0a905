# Each option changes what KIS receives, or how long is waited for it, and at
# the next statement of a session that is open. Those with a test of their own
# are not here: timeouts and max_concurrent_requests (151), access_token_file
# (157), max_retries (158), the rate (159), TLS and the proxy (161).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new(config => {
	accounts => { 'SECOND' . '2' x 30 => 's' x 180, 'THIRD' . '3' x 31 => 't' x 180 } });
my $elsewhere = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);
my $files = PostgreSQL::Test::Utils::tempdir();

set_clock();
setup($node, 'postgres', $simulator, max_retries => 0);
my $session = $node->session;
my $ksp = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'};

sub alter_server
{
	my ($options) = @_;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS ($options)");
	return;
}

sub alter_mapping
{
	my ($options) = @_;

	$node->safe_psql('postgres', "SET log_statement = 'none'; ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS ($options)");
	return;
}

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$_->reset(keep_tokens => JSON::PP::true) foreach $simulator, $elsewhere;
	set_clock();
	return;
}

# A Friday in the session, which a reset forgets; never back, or a token might
# be asked for before the last one
my $minute;

sub set_clock
{
	$minute = defined $minute ? $minute + 1 : 30;
	$clock->set("2026-07-10 10:$minute:00");
	return;
}

# The headers of the last request
sub headers
{
	return ($simulator->requests('data'))[-1]{headers};
}

is($session->query_safe($ksp), 'KSP', 'as set up');

# ---- base_url

alter_server("SET base_url '" . $elsewhere->url . "'");
fresh_count();
is($session->query_safe($ksp), 'KSP', 'base_url');
is($elsewhere->calls, 1, 'the other one is asked');
is($elsewhere->calls('token'), 1, 'for a token as well: those of one host are not sent to another');
is($simulator->calls('any'), 0, 'and the first is not');
alter_server("SET base_url '" . $simulator->url . "/'");
fresh_count();
is($session->query_safe($ksp), 'KSP', 'back, and with a slash');
is($simulator->calls, 1, 'it is asked');
is($simulator->calls('token'), 0, 'with the token that it had');

# ---- cache_ttl

alter_server("SET cache_ttl '1h'");
fresh_count();
is($session->query_safe($ksp), 'KSP', 'cache_ttl') foreach 1, 2;
is($node->safe_psql('postgres', $ksp), 'KSP', 'and another session');
is($simulator->calls, 1, 'one call');
alter_server("SET cache_ttl '1ms'");
is($session->query_safe($ksp), 'KSP', 'shorter');
is($simulator->calls, 2, 'another call');
alter_server('DROP cache_ttl');
is($session->query_safe($ksp), 'KSP', 'the default') foreach 1, 2;
is($simulator->calls, 2, 'knows the last reply');
alter_server("ADD cache_ttl '0'");
is($session->query_safe($ksp), 'KSP', 'none') foreach 1, 2;
is($simulator->calls, 4, 'each asks');

# ---- max_calls

foreach my $most (18, 19)
{
	alter_server($most == 18 ? "ADD max_calls '18'" : "SET max_calls '19'");
	fresh_count();
	my $result = $session->query('SELECT count(*) FROM kis_market_trend');
	is($most == 18 ? $result->{errors}[0]{sqlstate} : $result->{output}, $most == 18 ? '54000' : 19, "max_calls $most");
	is($simulator->calls('any'), $most == 18 ? 0 : 19, 'calls');
}

# ---- max_wait

alter_server("ADD max_wait '0'");
fresh_count();
$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00201' } });
is(($session->error($ksp))[0], '53400', 'max_wait 0: refused for the rate');
is($simulator->calls, 1, 'and not waited');
alter_server('DROP max_wait');
$simulator->fault;
$simulator->fault({ fault => 'error', times => 1, params => { msg_cd => 'EGW00201' } });
is($session->query_safe($ksp), 'KSP', 'the default is patient');

# ---- extra_pairs

is($session->query_safe(q{SELECT count(*) FROM kis_sector_trend WHERE sector_code = '0031'}), 0, 'a pair that is not listed');
alter_server("ADD extra_pairs 'KSP/0031'");
fresh_count();
$simulator->config(extra_pairs => ['KSP/0031']);
is($session->query_safe(q{SELECT market_code FROM kis_sector_trend WHERE sector_code = '0031'}), 'KSP', 'extra_pairs');
is_deeply([ $simulator->pairs ], ['KSP/0031'], 'is asked for');

# ---- calendar, session_start and late_opens

my $day = q{SELECT trade_date FROM kis_market_trend WHERE market_code = 'KSP'};
fresh_count();
alter_server("SET calendar 'weekday'");
is($session->query_safe($day), '2026-07-10', 'calendar weekday');
is($simulator->calls('holiday'), 0, 'asks for no calendar');
alter_server("SET calendar 'kis'");
is($session->query_safe($day), '2026-07-10', 'calendar kis');
is($simulator->calls('holiday'), 1, 'does');
alter_server("ADD session_start '11:00'");
is($session->query_safe($day), '2026-07-09', 'before session_start, figures are those of the day before');
alter_server("SET session_start '10:30'");
is($session->query_safe($day), '2026-07-10', 'and from then on of the day');
alter_server("ADD late_opens '2026-07-09, 2026-07-10'");
is($session->query_safe($day), '2026-07-09', 'an hour later on late_opens');
alter_server("SET late_opens '2026-07-09'");
is($session->query_safe($day), '2026-07-10', 'and on no other day');

# ---- the user mapping's keys

alter_mapping("SET app_key 'SECOND" . '2' x 30 . "', SET app_secret '" . 's' x 180 . "'");
fresh_count();
is($session->query_safe($ksp), 'KSP', 'app_key and app_secret');
is(headers()->{appkey}, 'SECOND' . '2' x 30, 'the key is sent');
is(headers()->{appsecret}, 's' x 180, 'and the secret');
is($simulator->calls('token'), 1, 'with a token of their own');

append_to_file("$files/key", "\n THIRD" . '3' x 31 . " \r\n");
append_to_file("$files/secret", 't' x 180 . "\n");
alter_mapping("DROP app_key, DROP app_secret, ADD app_key_file '$files/key', ADD app_secret_file '$files/secret'");
fresh_count();
is($session->query_safe($ksp), 'KSP', 'app_key_file and app_secret_file');
is(headers()->{appkey}, 'THIRD' . '3' x 31, 'the key is sent, without the white space');
is(headers()->{appsecret}, 't' x 180, 'and the secret');

unlink "$files/secret";
append_to_file("$files/secret", 'u' x 180 . "\n");
my $third = { 'THIRD' . '3' x 31 => 'u' x 180 };
$simulator->config(accounts => $third);
$simulator->kill_token;
is($session->query_safe($ksp), 'KSP', 'a secret that KIS no longer knows is read again');
is(headers()->{appsecret}, 'u' x 180, 'as the file has it now');

# ---- who uses which mapping

$node->safe_psql('postgres', q{
	CREATE ROLE analyst LOGIN;
	GRANT USAGE ON FOREIGN SERVER kis TO analyst;
	GRANT SELECT ON kis_market_trend TO analyst});
my $analyst = $node->session('postgres', extra_params => [ '-U', 'analyst' ]);
is(($analyst->error($ksp))[0], '42704', 'no user mapping');
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR analyst SERVER kis OPTIONS (app_key '"
	  . $simulator->app_key . "', app_secret '" . $simulator->app_secret . "')");
fresh_count();
$simulator->config(accounts => $third);
is($analyst->query_safe($ksp), 'KSP', 'a mapping of its own, at the next statement');
is(headers()->{appkey}, $simulator->app_key, 'with its key');
is($session->query_safe($ksp), 'KSP', 'while others have theirs');
$node->safe_psql('postgres', 'DROP USER MAPPING FOR analyst SERVER kis');
is(($analyst->error($ksp))[0], '42704', 'dropped, at the next statement');

$_->quit foreach $session, $analyst;
done_testing();
