# Who fails, is slow or is many drives nobody out of the shared memory: other
# roles' tokens, rates and replies stay. Where it is full, the error says so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Crowd;
use List::Util qw(max);
use Test::More;
use Time::HiRes ();

use constant {
	ACCOUNTS => 32,
	TOKENS => 64 };

my %secret_of = map { (sprintf('GOODKEY%029d', $_) => 'S' x 180) } 1 .. ACCOUNTS + 2;
my @good = sort keys %secret_of;
my $simulator = KisTest::Simulator->new(config => { accounts => \%secret_of });
my $node = new_node('main', conf => 'max_connections = 100');
my $ask = "SELECT sector_code FROM kis_market_trend WHERE market_code = 'KSP'";

setup($node, 'postgres', $simulator, max_wait => '10s');
$node->safe_psql('postgres', q{
	CREATE ROLE guest LOGIN;
	GRANT USAGE ON FOREIGN SERVER kis TO guest;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest;
	CREATE USER MAPPING FOR guest SERVER kis OPTIONS (app_key 'x', app_secret 'x')});

my $guest = $node->session('postgres', extra_params => [ '-U', 'guest' ]);

# The guest asks with a key that it puts into its own mapping; its SQLSTATE, '' where it succeeds.
sub as_guest
{
	my ($key, $rate, $sql) = @_;

	$guest->query_safe("ALTER USER MAPPING FOR guest SERVER kis OPTIONS (SET app_key '$key', SET app_secret '" . 'S' x 180 . "'"
		  . (defined $rate ? ", ADD requests_per_second '$rate')" : ')'));
	my $result = $guest->query($sql || $ask);
	$guest->query_safe('ALTER USER MAPPING FOR guest SERVER kis OPTIONS (DROP requests_per_second)') if defined $rate;
	return @{ $result->{errors} } ? $result->{errors}[0]{sqlstate} : '';
}

sub wrong_key { return sprintf 'WRONGKEY%028d', $_[0] }

sub mine
{
	my $result = run_sql($node, 'postgres', $ask);

	return $result->{output} eq '0001' ? 'served' : $result->{stderr};
}

# ---- keys that fail

is(mine(), 'served', 'a token of ours');
$node->safe_psql('postgres', $ask) foreach 1 .. 2;
my $calls = $node->safe_psql('postgres', 'SELECT calls FROM kis_stat');
is($calls, 3, 'and counts of ours');
is(scalar(grep { as_guest(wrong_key($_)) eq '28000' } 1 .. TOKENS + 6), TOKENS + 6, 'more keys that fail than there is room for');
$simulator->reset(keep_tokens => JSON::PP::true);
is(mine(), 'served', 'another role goes on');
is($simulator->calls('token'), 0, 'with the token that it had');
is($node->safe_psql('postgres', 'SELECT max(calls) FROM kis_stat'), 4, 'and is counted on');

# ---- keys that are slow, and fail

my $began = Time::HiRes::time();
is(scalar(grep { as_guest(wrong_key(100 + $_), '0.001') eq '28000' } 1 .. ACCOUNTS + 8), ACCOUNTS + 8, 'more keys than there is room for, each with a call in 1,000 s');
is(mine(), 'served', 'another role goes on');
$node->safe_psql('postgres', 'CREATE SERVER fresh FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '
	  . sql_literal($simulator->url) . "); CREATE USER MAPPING FOR CURRENT_USER SERVER fresh OPTIONS (app_key '$good[0]', app_secret '"
	  . 'S' x 180 . "'); CREATE SCHEMA fresh; IMPORT FOREIGN SCHEMA kis FROM SERVER fresh INTO fresh");
is($node->safe_psql('postgres', $ask =~ s/FROM /FROM fresh./r), '0001', 'and a new one finds room');
cmp_ok(Time::HiRes::time() - $began, '<', 20, 'at once');

# ---- keys that are slow, and good: as a slow key is no busier than others

$node->restart;
$guest->quit;
$guest = $node->session('postgres', extra_params => [ '-U', 'guest' ]);
$simulator->reset;
# the token takes the only slot of 1,000 s
is(scalar(grep { as_guest($good[$_], '0.001') eq '53400' } 1 .. ACCOUNTS), ACCOUNTS, 'as many good keys as there is room for, each with a call in 1,000 s');
is(mine(), 'served', 'another role is served all the same');

# ---- replies

$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '1h', ADD max_calls '1000')");
is(mine(), 'served', 'a reply of ours');
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ match => { kind => 'daily' }, fault => 'error', params => { msg_cd => 'OPSQ0002', status => 500, msg1 => 'no' } });
$guest->query_safe("ALTER USER MAPPING FOR guest SERVER kis OPTIONS (SET app_key '$good[0]')");
my $failed = 0;
foreach my $day (0 .. 799)
{
	$failed += @{ $guest->query("SELECT FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = date '2020-01-01' + $day")->{errors} };
}
cmp_ok($failed, '>', 512, 'more calls that fail than there is room for');
$simulator->reset(keep_tokens => JSON::PP::true);
is(mine(), 'served', 'another role asks again');
is($simulator->calls, 0, 'and the reply is there');
$guest->quit;

# ---- all is busy

$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '0', SET max_wait '2s')");
$node->safe_psql('postgres', join '', map {
	my $n = $_;
	"CREATE ROLE r$n LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO r$n;"
	  . "CREATE USER MAPPING FOR r$n SERVER kis OPTIONS (app_key '$good[$n]', app_secret '" . 'S' x 180 . "');"
} 1 .. ACCOUNTS);
$node->restart;
$simulator->reset;
my @sessions = map { $node->session('postgres', extra_params => [ '-U', "r$_" ]) } 1 .. ACCOUNTS;
$_->query_safe($ask) foreach @sessions;
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ fault => 'hang', times => ACCOUNTS });
$_->send($ask) foreach @sessions;
$simulator->wait_for('held', ACCOUNTS);
my ($state, $message, $detail, $hint) = sql_error($node, 'postgres', $ask);
is($state, '53400', 'all room taken by calls under way with other keys');
is($message, 'shared memory has no room for another app key', 'what it says');
like($detail, qr/^Server "kis": other app keys/, 'why');
like($hint, qr/fewer app keys .* max_wait/, 'and what to do');
unlike("$message $detail $hint", qr/requests_per_second|too many calls/, 'it is not the rate');
$simulator->release;
is(scalar(grep { $_->result->{output} eq '0001' } @sessions), ACCOUNTS, 'the others are served');
is((eventually { mine() eq 'served' }), 1, 'and then there is room');
$_->quit foreach @sessions;

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
