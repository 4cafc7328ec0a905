# EXPLAIN (ANALYZE, KIS): each call of a scan, from where it was answered, attempts
# and time; and what the library says of itself to PostgreSQL. Both since PostgreSQL 18.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

plan skip_all => 'PostgreSQL has options of EXPLAIN by extensions since 18' if $node->pg_version < 18;

my $simulator = KisTest::Simulator->new;
my $query = q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code IN ('0001', '0002')};

setup($node, 'postgres', $simulator);

# What EXPLAIN says of the calls
sub calls
{
	my ($session, $sql, $options) = @_;
	my $output = $session->query_safe('EXPLAIN (ANALYZE, KIS, BUFFERS OFF, SUMMARY OFF' . ($options // '') . ") $sql");

	return map { /^\s*(KIS Call: .*)$/ ? $1 : () } split /\n/, $output;
}

my $session = $node->session;

# ---- the library's name

is($node->safe_psql('postgres', q{LOAD 'market_investor_fdw'; SELECT module_name, version FROM pg_get_loaded_modules() WHERE file_name ~ 'market_investor_fdw'}),
	'market_investor_fdw|1.0', 'pg_get_loaded_modules() has name and version');

# ---- what it needs

is(($session->error("EXPLAIN (ANALYZE, KIS) $query"))[1], 'unrecognized EXPLAIN option "kis"', 'a session that has not loaded the library does not know it');
$session->query_safe(q{LOAD 'market_investor_fdw'});
my ($state, $message, $detail) = $session->error("EXPLAIN (KIS) $query");
is("$state: $message", '22023: EXPLAIN option KIS requires ANALYZE', 'without ANALYZE it says what it needs');
like($detail, qr/Without ANALYZE none is made\.$/, 'and why');
is($simulator->calls('any'), 0, 'nothing was requested');
is(scalar(my @none = $session->query_safe("EXPLAIN (KIS OFF) $query") =~ /KIS Call/g), 0, 'KIS OFF needs nothing');
is(($session->error("EXPLAIN (ANALYZE, KIS maybe) $query"))[0], '42601', 'it is a boolean');

# ---- where calls are answered

is_deeply([ calls($session, $query, ', TIMING OFF') ],
	[ map { "KIS Call: KSP/$_, answered by KIS, 1 attempt" } qw(0001 0002) ], 'by KIS');
like((calls($session, $query))[0], qr{^KIS Call: KSP/0001, answered by KIS, 1 attempt, \d+\.\d{3} ms$}, 'with TIMING also how long');
$simulator->fault({ match => { pair => 'KSP/0002' }, fault => 'error', times => 2 });
is((calls($session, $query, ', TIMING OFF'))[1], 'KIS Call: KSP/0002, answered by KIS, 3 attempts', 'attempts are counted');
unlike($session->query_safe("EXPLAIN (ANALYZE) $query"), qr/KIS Call/, 'nothing of it without the option');

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '10min')});
calls($session, q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0001'});
is_deeply([ calls($session, $query, ', TIMING OFF') ],
	[ 'KIS Call: KSP/0001, answered by the cache, 0 attempts', 'KIS Call: KSP/0002, answered by KIS, 1 attempt' ], 'by the cache');

my $other = $node->session;
my $pair = q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0003'};

$simulator->fault({ match => { pair => 'KSP/0003' }, fault => 'hang' });
$other->send($pair);
$simulator->wait_for('held', 1);
$session->send("EXPLAIN (ANALYZE, KIS, TIMING OFF) $pair");
ok((eventually { $node->safe_psql('postgres', q{SELECT count(*) FROM kis_activity WHERE waits_for = 'session'}) eq '1' }), 'one waits for the other');
$simulator->release(clear_faults => JSON::PP::true());
like($session->result->{output}, qr{KIS Call: KSP/0003, answered by another session's call, 0 attempts}, 'by the call of another session');
$other->result;

# What a LIMIT leaves unread, though it was requested
$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});
$simulator->fault({ match => { pair => 'KSP/0002' }, fault => 'hang' });
is_deeply([ calls($session, "SELECT * FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code IN ('0001', '0002') AND random() >= 0 LIMIT 1", ', TIMING OFF') ],
	[ 'KIS Call: KSP/0001, answered by KIS, 1 attempt', 'KIS Call: KSP/0002, answered by nobody yet, 1 attempt' ], 'by nobody');
$simulator->release(clear_faults => JSON::PP::true());

# ---- other formats

my $plan = JSON::PP::decode_json($session->query_safe("EXPLAIN (ANALYZE, KIS, FORMAT json, BUFFERS OFF) $query"))->[0]{Plan};
my $time = delete $plan->{'KIS Calls'}[0]{Time};

like($time, qr/^[\d.]+$/, 'JSON: how long');
is_deeply($plan->{'KIS Calls'}[0], { Of => 'KSP/0001', 'Answered By' => 'KIS', Attempts => 1 }, 'and the rest');
is(scalar @{ $plan->{'KIS Calls'} }, 2, 'of each call');
like($session->query_safe("EXPLAIN (ANALYZE, KIS, FORMAT xml, BUFFERS OFF) $query"), qr{<KIS-Calls>\s*<KIS-Call>\s*<Of>KSP/0001</Of>}, 'XML');
like($session->query_safe("EXPLAIN (ANALYZE, KIS, FORMAT yaml, BUFFERS OFF) $query"), qr{KIS Calls:\s+- Of: "KSP/0001"}, 'YAML');

# A page of a history by its day
like((calls($session, q{SELECT * FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = '2026-07-01'}))[0],
	qr{^KIS Call: KSP/0001 from 20260701, answered by KIS, 1 attempt}, 'the day of a page');
$_->quit foreach $session, $other;
done_testing();
