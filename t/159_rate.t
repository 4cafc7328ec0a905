# No more than requests_per_second calls in any one second, over all sessions
# and kinds of calls, as KIS receives them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use Test::More;
use Time::HiRes ();

my %key_of = map { ($_ => uc($_) . '0' x (36 - length)) } qw(fraction mapped slow);
my $simulator = KisTest::Simulator->new(
	config => { accounts => { map { ($_ => 'S' x 180) } values %key_of } });
my $node = new_node('main');

setup($node, 'postgres', $simulator, requests_per_second => '6');

sub add_server
{
	my ($name, %options) = @_;
	my $own = delete $options{own};
	my $rate = defined $own ? ", requests_per_second '$own'" : '';
	my %server = (base_url => $simulator->url, cache_ttl => '0', %options);
	my $options = join ', ', map { "$_ '$server{$_}'" } sort keys %server;

	$node->safe_psql('postgres', qq{
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name
			OPTIONS (app_key '$key_of{$name}', app_secret '} . 'S' x 180 . qq{'$rate);
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_market_trend')});
	return;
}

# Counts from here on; KIS keeps its tokens
sub fresh_count
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	return;
}

# Seconds between the first and the last request
sub span
{
	my @at = map { $_->{monotonic} } $simulator->requests;

	return $at[-1] - $at[0];
}

my @sessions = map { $node->session } 1 .. 3;
my $one = $sessions[0];

# A machine that is not busy uses the rate
my $exactly = $ENV{KIS_TEST_LONG} ? '==' : '<=';

# ---- over sessions

$_->send(q{SELECT count(*) FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ', 'K2I', 'ETF')}) foreach @sessions;
is_deeply([ map { $_->result->{output} } @sessions ], [ (6) x 3 ], 'three sessions, 18 calls and a token');
my $stats = $simulator->stats;
cmp_ok($stats->{max_in_second}, $exactly, 6, 'the rate is kept');
cmp_ok(span(), '>', 2, 'for all of that time');
is($stats->{refused_by_rate}, 0, 'KIS refuses none');

foreach my $window (qw(sliding fixed))
{
	fresh_count();
	$simulator->config(rate => 6, rate_window => $window);
	is($one->query_safe('SELECT count(*) FROM kis_market_trend'), 19, "$window: 19 calls");
	is($simulator->stats->{refused_by_rate}, 0, "$window: none over KIS's own limit");
}

# ---- what it is

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET requests_per_second '1000')});
fresh_count();
is($one->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'ALTER SERVER acts at the next statement');
cmp_ok($simulator->stats->{max_in_second}, '>', 6, 'as KIS sees');

$node->safe_psql('postgres', q{ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (ADD requests_per_second '7.9')});
fresh_count();
is($one->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'ALTER USER MAPPING as well');
cmp_ok($simulator->stats->{max_in_second}, $exactly, 7, 'as KIS sees: whole calls fit into a second');

add_server('mapped', requests_per_second => '1000', own => '3');
fresh_count();
is($one->query_safe(q{SELECT count(*) FROM mapped WHERE market_code IN ('KSP', 'KSQ', 'K2I', 'ETF')}), 6,
	'a user mapping with a rate of its own');
cmp_ok($simulator->stats->{max_in_second}, $exactly, 3, 'has that, not the server\'s');

add_server('fraction', requests_per_second => '0.5');
fresh_count();
is($one->query_safe(q{SELECT count(*) FROM fraction WHERE market_code = 'KSP'}), 1, 'half a call a second');
is($simulator->calls('any'), 2, 'a token and a call');
cmp_ok(span(), '>=', 2, 'two seconds apart');
cmp_ok(span(), '<', within(3), 'and not more');

# ---- known beforehand

add_server('slow', requests_per_second => '0.01', max_wait => '90s');
my $started = Time::HiRes::time();
my $result = $one->query(q{SELECT count(*) FROM slow WHERE market_code = 'KSP'});
my $error = $result->{errors}[0];
is("$error->{sqlstate}: $error->{message}", '53400: too many calls a second for the app key',
	'the slot will come after max_wait');
like($error->{hint}, qr/^Try again in (?:100|9\d) s\./, 'the hint says when');
cmp_ok($result->{ended} - $started, '<', 90, 'and the error comes at once');

$_->quit foreach @sessions;
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
done_testing();
