# Replies that all sessions share: where the memory comes from, one call for
# all who ask the same, how long a reply is kept and how many.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Crowd;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => "max_connections = 100");

setup($node, 'postgres', $simulator, cache_ttl => '1h');

sub option
{
	my ($setting) = @_;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET $setting)");
	return;
}

my $ask = "SELECT * FROM kis_market_trend WHERE market_code = 'KSP'";

sub pair
{
	my ($pair) = @_;
	my ($market, $sector) = split '/', $pair;

	return "SELECT collected_at FROM kis_sector_trend"
	  . " WHERE market_code = '$market' AND sector_code = '$sector'";
}

# ---- without the memory

SKIP:
{
	my $bare = new_node('bare', conf => "shared_preload_libraries = ''");

	skip 'the memory comes by itself since PostgreSQL 17', 7
	  if $bare->safe_psql('postgres', 'SHOW server_version_num') >= 170000;

	setup($bare, 'postgres', $simulator);
	my ($state, $message, $detail, $hint) = sql_error($bare, 'postgres', $ask);

	is($state, '55000', 'not preloaded: an error at the first use');
	is($message, 'market_investor_fdw must be loaded via "shared_preload_libraries"', 'what it says');
	like($hint, qr/^Add market_investor_fdw to shared_preload_libraries in postgresql\.conf and restart/,
		'what to write where');
	is((sql_error($bare, 'postgres', 'SELECT * FROM kis_stat'))[0], '55000', 'so does kis_stat');
	like($bare->safe_psql('postgres', "EXPLAIN $ask"), qr/Foreign Scan on kis_market_trend/,
		'EXPLAIN works');
	is((sql_error($bare, 'postgres', "ALTER SERVER kis OPTIONS (ADD max_wiat '1s')"))[0], 'HV00D',
		'options are checked');
	is($simulator->calls('any'), 0, 'nothing was requested');
	$bare->stop;
}

# ---- 64 sessions and a cold pair

my $crowd = KisTest::Crowd->new($node, 64);

$node->safe_psql('postgres', "EXPLAIN VERBOSE $ask");
is($simulator->calls('any'), 0, 'EXPLAIN requests no token');

$simulator->fault({ match => { kind => 'token' }, fault => 'hang' });
$crowd->send($ask);
$simulator->wait_for('held', 1);
$crowd->wait_until_waiting;
$simulator->release(clear_faults => JSON::PP::true);

my @results = $crowd->results;
my %rows = map { $_->{output} => 1 } @results;

is(scalar(grep { @{ $_->{errors} } } @results), 0, '64 sessions, one cold pair: no error');
is(scalar(keys %rows), 1, 'the same row for all');
like((keys %rows)[0], qr/^KSP\|0001\|/, 'and it is the row');
is($simulator->calls, 1, 'one data call');
is($simulator->calls('token'), 1, 'one token request');
is($node->safe_psql('postgres', 'SELECT calls, tokens_issued, cache_hits + shared_calls FROM kis_stat'),
	'1|1|63', 'kis_stat says so too');

$crowd->query($ask);
is($simulator->calls, 1, 'once more: all have it from the cache');

# ---- a slow call, and what comes of a failed one

$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ match => { pair => 'KSQ/1001' }, fault => 'error', times => 1,
		params => { msg_cd => 'EGW02004', delay_ms => 1000 } });
$crowd->send(pair('KSQ/1001'));
$simulator->wait_for('data', 1);
$crowd->wait_until_waiting;
@results = $crowd->results;
is(scalar(grep { @{ $_->{errors} } && $_->{errors}[0]{detail} =~ /EGW02004/ } @results), 64,
	'a call that failed gives its failure to all who waited');
is($simulator->calls, 1, 'and was made once');
like($node->safe_psql('postgres', pair('KSQ/1001')), qr/^\d{4}-/, 'who comes later asks anew');
is($simulator->calls, 2, 'by another call');
$crowd->quit;

# ---- cache_ttl

$simulator->reset(keep_tokens => JSON::PP::true);
option("cache_ttl '2s'");
my $first = $node->safe_psql('postgres', pair('KSP/0002'));
my $sent = Time::HiRes::time();
my $same = $node->safe_psql('postgres', pair('KSP/0002'));
my $soon = Time::HiRes::time() - $sent < 2;

ok($soon && $same eq $first || !$soon, 'another session within cache_ttl has the same reply');
eventually { $same = $node->safe_psql('postgres', pair('KSP/0002')); $same ne $first };
my $after = Time::HiRes::time() - $sent;
isnt($same, $first, 'another one later');
ok($after >= 1.9 && $after < within(3), sprintf('after cache_ttl of 2 s: %.2f s', $after));
is($simulator->calls, 2, 'two calls');

option("cache_ttl '1h'");
is($node->safe_psql('postgres', pair('KSP/0002')), $same, 'each server by its own cache_ttl');
option("cache_ttl '0'");
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(latency_ms => 500);
$crowd = KisTest::Crowd->new($node, 4);
$crowd->query(pair('KSP/0002'));
is($simulator->calls, 4, 'cache_ttl 0: no cache and no shared call');
$crowd->quit;

# ---- one executor run has one reply

option("cache_ttl '300ms'");
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(clock => '2026-07-10T10:30:00', clock_speed => 100);
my $session = $node->session;
$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT a.collected_at, b.collected_at'
	  . " FROM generate_series(1, 3) g CROSS JOIN LATERAL (" . pair('KSP/0003') . ' AND g > 0) a'
	  . ' CROSS JOIN LATERAL (' . pair('KSP/0003') . ' AND g > 0 OFFSET 0) b');
my @seen = $session->query_safe('FETCH c');
eventually { $node->safe_psql('postgres', pair('KSP/0003')) ne (split /\|/, $seen[0])[0] };
push @seen, $session->query_safe('FETCH c'), $session->query_safe('FETCH c');
my %replies = map { $_ => 1 } map { split /\|/ } @seen;
is(scalar(keys %replies), 1, 'a cursor sees one reply while the cache turns over');
isnt($session->query_safe(pair('KSP/0003')), (keys %replies)[0], 'the next query of its transaction a newer one');
$session->query_safe('COMMIT');

# ---- a reply that waited for its session is as old as it is

option("cache_ttl '1s'");
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(latency_ms => 200);
$simulator->fault({ match => { pair => 'KSQ/1001' }, fault => 'slow', times => 1, params => { ms => 600 } });
$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT market_code, sector_code, collected_at FROM kis_market_trend');
$session->query_safe('FETCH c');
$simulator->wait_for('data', 6);
my $prefetched = Time::HiRes::time();
eventually { Time::HiRes::time() - $prefetched > 1.5 };
my ($market, $sector, $old) = split /\|/, $session->query_safe('FETCH c');
my $before = $simulator->calls;
isnt($node->safe_psql('postgres', pair("$market/$sector")), $old,
	'what an idle cursor had prefetched is not young when it comes to be read');
is($simulator->calls, $before + 1, 'but requested again');
$session->query_safe('COMMIT');
$session->quit;

# ---- cache_size

option("cache_ttl '1h'");
sub keep
{
	my ($size) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET market_investor_fdw.cache_size = '$size'");
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT current_setting('market_investor_fdw.cache_size') = '$size'")
	  or die "cache_size is not $size";
	return;
}

sub cached_kb
{
	return $1 if $node->safe_psql('postgres',
		"SELECT detail FROM kis_check('kis') WHERE step = 'shared memory'") =~ /(\d+) kB/;
	die 'kis_check does not say';
}

$node->restart;
my $empty = cached_kb();
$simulator->reset(keep_tokens => JSON::PP::true);
my @pairs = map { "KSP/000$_" } 2 .. 6;
$node->safe_psql('postgres', pair($_)) foreach @pairs, @pairs;
is($simulator->calls, 5, 'five pairs, requested twice: all five are kept');
my $each = (cached_kb() - $empty) / 5;

keep(3 * $each . 'kB');
$simulator->reset(keep_tokens => JSON::PP::true);
$node->safe_psql('postgres', pair('KSP/0007'));
$node->safe_psql('postgres', pair($_)) foreach 'KSP/0005', 'KSP/0006', 'KSP/0007';
is($simulator->calls, 1, 'a sixth: the youngest three are kept');
$node->safe_psql('postgres', pair('KSP/0002'));
is($simulator->calls, 2, 'the oldest is not');
$node->safe_psql('postgres', pair('KSP/0005'));
is($simulator->calls, 3, 'and now the oldest of these three has gone');
$node->safe_psql('postgres', pair($_)) foreach @pairs;
is(cached_kb(), 3 * $each, 'cache_size bounds what is kept');

# a page of the daily table has some hundred kB: three don't fit
$simulator->reset(keep_tokens => JSON::PP::true);
keep('2MB');
my $holidays = q{SELECT count(*) FROM kis_calendar WHERE trade_date BETWEEN '2026-07-01' AND '2026-07-20'};
my $history = q{SELECT count(*) FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date >= '2021-01-04'};
$node->safe_psql('postgres', $_) foreach $holidays, pair('KSP/0002'), $history, $holidays;
cmp_ok($simulator->calls('daily'), '>', 3, 'more pages of the daily table than the cache holds');
is($simulator->calls('holiday'), 1, 'the calendar of the day outlasts them');
$node->safe_psql('postgres', pair('KSP/0002'));
is($simulator->calls('trend'), 2, 'and other replies do not');

$simulator->reset(keep_tokens => JSON::PP::true);
keep('0');
$node->safe_psql('postgres', pair('KSP/0005')) foreach 1 .. 2;
is($simulator->calls, 2, 'cache_size 0 keeps none');
is((sql_error($node, 'postgres', "LOAD 'market_investor_fdw'; SET market_investor_fdw.cache_size = 8"))[0], '55P02',
	'a session can not change it');
is((sql_error($node, 'postgres', "LOAD 'market_investor_fdw'; SET market_investor_fdw.nonsense = 1"))[0], '42602',
	'the prefix is reserved')
  if $node->safe_psql('postgres', 'SHOW server_version_num') >= 150000;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
