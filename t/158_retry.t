# What is tried again, how often and when: by the class of what KIS says, in
# the calls that KIS receives.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator, max_retries => 2);
my $session = $node->session;
my $ksp = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'};
is($session->query_safe($ksp), 'KSP', 'a token is there');

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault($_) foreach @_;
	return;
}

sub set_option
{
	my ($option, $value) = @_;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET $option '$value')");
	return;
}

# The pauses between the calls, in seconds
sub pauses
{
	my @at = map { $_->{monotonic} } $simulator->requests('data');

	return map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at;
}

# What EXPLAIN ANALYZE says of a query
sub explained
{
	my ($sql) = @_;

	return $session->query_safe("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $sql");
}

# ---- what passes

my @passing = (
	(map { { fault => 'error', params => { msg_cd => $_ } } }
		qw(EGW00001 EGW00002 EGW00202 EGW00203 EGW00300 EGW00301 EGW00302 EGW00316 OPSQ0008 OPSQ1002
		90020000 SYDB0050 EGW00999)),
	(map { { fault => 'error', params => { msg_cd => $_, status => 200 } } }
		qw(EGW00001 EGW00316 OPSQ0003 90020000 SYDB0050 egw00316)),
	{ fault => 'body', params => { body => 'Too Many Requests', status => 429, content_type => 'text/plain' } },
	{ fault => 'error', params => { msg_cd => 'XYZ12345', status => 429 } },
	{ fault => 'html_502' },
	{ fault => 'empty_body', params => { status => 503 } });

foreach my $fault (@passing)
{
	my $name = join ' ', $fault->{fault}, map { $fault->{params}{$_} } sort keys %{ $fault->{params} || {} };

	fresh_count({ %$fault, times => 1 });
	is($session->query_safe($ksp), 'KSP', "$name: passes unseen");
	is($simulator->calls, 2, "$name: after another try");
	cmp_ok((pauses())[0], '>=', 0.14, "$name: and a pause");
}

fresh_count({ fault => 'error', times => 2 });
like(explained($ksp), qr/Retries: 2\b/, 'EXPLAIN shows two retries');
is($simulator->calls, 3, 'three calls');
my @pauses = pauses();
cmp_ok($pauses[1], '>=', 0.29, 'the second pause is longer');
cmp_ok($pauses[1], '<', within(2), 'but not long');

foreach my $most (0, 1, 3)
{
	set_option('max_retries', $most);
	fresh_count({ fault => 'error' });
	my ($sqlstate, $message) = $session->error($ksp);
	is("$sqlstate: $message", 'HV000: KIS could not answer', "max_retries $most: then it is an error");
	is($simulator->calls, $most + 1, "max_retries $most: calls");
}

# A page of a backfill, too
set_option('max_retries', 2);
$session->query_safe(q{SELECT create_market_investor_trend()});
foreach my $fault (grep { ($_->{params}{msg_cd} || '') =~ /^(EGW00316|OPSQ0003)?$/ } @passing)
{
	fresh_count({ %$fault, match => { kind => 'daily' }, times => 1 });
	my $result = $session->query(q{CALL backfill_market_investor_trend('2024-03-04', '2024-03-07', '{KSP/0001}')});
	is_deeply($result->{errors}, [], 'a backfill goes on unseen');
	is($simulator->calls('daily'), 2, 'after another try');
}

# Each call has tries of its own
set_option('max_retries', 1);
fresh_count(map { { match => { pair => $_ }, fault => 'error', times => 1 } } 'KSP/0001', 'KSQ/1001', 'ETF/T000');
is($session->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'three of 19 calls pass');
is($simulator->calls, 22, 'and are tried again, they alone');

# ---- what doesn't

set_option('max_retries', 2);
foreach my $code (qw(EGW00003 EGW00004 EGW00101 EGW00102 EGW00103 EGW00104 EGW00105 EGW00132 EGW00205
	EGW00206 EGW00207 EGW00208 EGW00304 EGW02004 EGW02006 OPSQ0002 OPSQ2001 OPSQ2002 UNKNOWN1))
{
	my $class = $code =~ /^EGW00(10[2-5]|304)$/ ? '28000' : 'HV000';

	fresh_count({ fault => 'error', params => { msg_cd => $code } });
	my $error = $session->query($ksp)->{errors}[0];
	is($error->{sqlstate}, $class, "$code: an error");
	like($error->{detail}, qr/$code/, "$code: in its detail");
	is($simulator->calls, 1, "$code: never tried again");
}

fresh_count({ fault => 'error', params => { msg_cd => 'EGW00999', status => 200 } });
is(($session->error($ksp))[0], 'HV000', 'a code that nobody has listed');
is($simulator->calls, 1, 'and that did not come with a failure of the gateway: never tried again');
# ---- the rate: for as long as max_wait allows, whatever max_retries is

set_option('max_retries', 0);
foreach my $fault (
	(map { { fault => 'error', params => { msg_cd => $_ } } } qw(EGW00201 EGW00215)),
	{ fault => 'body', params => { body => 'Too Many Requests', status => 429 } })
{
	my $name = join ' ', $fault->{fault}, map { $fault->{params}{$_} } sort keys %{ $fault->{params} };

	fresh_count({ %$fault, times => 2 });
	is($session->query_safe($ksp), 'KSP', "$name: passes unseen");
	is($simulator->calls, 3, "$name: after waiting twice");
}

fresh_count();
$simulator->config(rate => 10);
is($session->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'KIS allows less than requests_per_second');
my $stats = $simulator->stats;
cmp_ok($stats->{refused_by_rate}, '>', 0, 'it has refused some calls');
is($stats->{data} - $stats->{refused_by_rate}, 19, 'and answered each once');

# ---- a statement's patience

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (ADD max_wait '1s', SET max_retries '10')});
fresh_count({ fault => 'error' });
my ($sqlstate, $message) = $session->error($ksp);
is("$sqlstate: $message", 'HV000: KIS could not answer', 'max_wait ends before max_retries do');
cmp_ok($simulator->calls, '<', 5, 'with fewer calls');

$session->quit;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
