# A thousand cancelled queries leave nothing behind in their backend: neither
# memory nor open files nor threads, whatever they were waiting for.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Hang;
use Test::More;

use constant {
	WARM_UP => 100,
	QUERIES => 1000,
	ROUND => 50,
	GROWTH_KB => 2048 };

my %account = (map { (uc($_) . '0' x (36 - length) => 'S' x 180) } qw(rate token));
my ($rate_key, $token_key) = sort keys %account;
my $simulator = KisTest::Simulator->new(config => { accounts => \%account });
my $named = KisTest::Simulator->new(tls => 1, tls_names => 'slow.kis.example');
my $resolver = KisTest::Hang::Resolver->new('slow.kis.example');
my $backlog = KisTest::Hang::Listener->new('backlog');
my $mute = KisTest::Hang::Listener->new('accept');
my $node = new_node('main', env => $resolver->env, conf => 'log_statement = none');

setup($node, 'postgres', $simulator, request_timeout => '1min');

# A server kis_NAME whose table NAME holds all pairs
sub add_server
{
	my ($name, $url, %options) = @_;
	my $app_key = delete $options{app_key} || $simulator->app_key;
	my $app_secret = $account{$app_key} || $simulator->app_secret;
	my %server = (base_url => $url, cache_ttl => '0', requests_per_second => '1000', max_wait => '1h',
		connect_timeout => '1min', request_timeout => '1min', %options);
	my $options = join ', ', map { "$_ " . sql_literal($server{$_}) } sort keys %server;

	$node->safe_psql('postgres', qq{
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name
			OPTIONS (app_key '$app_key', app_secret '$app_secret');
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_sector_trend')});
	return;
}

add_server('named', 'https://slow.kis.example:' . $named->port, ca_file => $named->ca_file);
add_server('connect', 'http://127.0.0.1:' . $backlog->port);
add_server('tls', 'https://127.0.0.1:' . $mute->port);
add_server('rate', $simulator->url, app_key => $rate_key, requests_per_second => '0.01');
add_server('token', $simulator->url, app_key => $token_key);

$simulator->fault($_) foreach (
	{ match => { kind => 'token' }, fault => 'hang', after => 2 },
	{ match => { market => 'KSP' }, fault => 'hang' },
	{ match => { market => 'KSQ' }, fault => 'hang_body' },
	{ match => { market => 'ETF' }, fault => 'drip' },
	{ match => { market => 'K2I' }, fault => 'error' });

# The tokens that the fault spares, and the slot of the rate
my $session = $node->session;
my $good = q{SELECT count(*) FROM kis_market_trend WHERE market_code = 'ELW'};
is($session->query_safe($good), 1, 'the set-up works');
$session->query("SET statement_timeout = '100ms'; SELECT * FROM rate WHERE market_code = 'ETF'; RESET statement_timeout");
$node->safe_psql('postgres', q{SELECT * FROM named WHERE market_code = 'ELW'});

# What a query waits for when it is cancelled
my @queries = (
	q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSP'},		# six calls without a reply
	q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSQ'},		# half of their bodies
	q{SELECT * FROM kis_market_trend WHERE market_code = 'ETF'},		# the rest of a body
	q{SELECT * FROM kis_market_trend WHERE market_code = 'K2I'},		# a retry
	q{SELECT * FROM rate WHERE market_code = 'ETF'},					# the rate
	q{SELECT * FROM token WHERE market_code = 'ETF'},				# a token
	q{SELECT * FROM connect WHERE market_code = 'ETF'},				# its token, connecting
	q{SELECT * FROM tls WHERE market_code = 'ETF'},					# its token, TLS
	q{SELECT * FROM (SELECT * FROM kis_sector_trend WHERE market_code IN ('ELW', 'KSP')) t},
	q{SELECT * FROM named WHERE market_code = 'ETF'});				# a name

my %states;
my $between = 0;

# Cancels so many queries; what else came of them is kept in %states
sub cancel_queries
{
	my ($count) = @_;

	while ($count > 0)
	{
		my $round = $count < ROUND ? $count : ROUND;

		$resolver->hold;
		my $result = $session->query(
			"SET statement_timeout = '8ms';\n" . join('', map { "$queries[$_ % @queries];\n" } 1 .. $round)
			  . 'RESET statement_timeout');
		$states{ $_->{sqlstate} }++ foreach @{ $result->{messages} };
		$resolver->let_go;
		eventually { $resolver->begun == $resolver->ended };
		$between++ if $session->query_safe($good) eq '1';
		$count -= $round;
	}
	return;
}

sub threads
{
	my @tasks = glob '/proc/' . $session->pid . '/task/*';

	return scalar @tasks;
}

cancel_queries(WARM_UP);
$session->query_safe($good);
my ($memory, $fds) = (backend_memory_kb($session->pid), backend_fds($session->pid));
cancel_queries(QUERIES);
is_deeply(\%states, { 57014 => WARM_UP + QUERIES }, 'all queries were cancelled, and nothing else happened');
is($between, (WARM_UP + QUERIES) / ROUND, 'the queries between them worked');
my ($memory_after, $fds_after) = (backend_memory_kb($session->pid), backend_fds($session->pid));
diag sprintf 'after %d queries: %d kB, %d descriptors; after %d more: %d kB, %d descriptors',
  WARM_UP, $memory, $fds, QUERIES, $memory_after, $fds_after;
cmp_ok($memory_after - $memory, '<', GROWTH_KB, 'memory is flat');
cmp_ok($fds_after, '<=', $fds + 2, 'descriptors are flat');
cmp_ok($resolver->begun, '>', QUERIES / @queries, 'names were looked up');
is(threads(), 1, 'and no thread is left');

# ---- look-ups that hang hold a thread each: there are so many and no more

$resolver->hold;
my $begun = $resolver->begun;
my $result = $session->query("SET statement_timeout = '50ms';\n"
	  . "SELECT * FROM named WHERE market_code = 'ETF';\n" x 20 . 'RESET statement_timeout');
is($resolver->begun - $begun, 16, '16 look-ups may hang');
is($result->{errors}[15]{sqlstate}, '57014', 'until cancelled');
is($result->{errors}[16]{sqlstate}, 'HV00N', 'then an error');
like($result->{errors}[16]{detail}, qr/16 earlier look-ups of host names have not ended yet/, 'says so');
$resolver->let_go;
eventually { $resolver->begun == $resolver->ended };
is($session->query(q{SELECT market_code FROM named WHERE market_code = 'ELW'})->{output}, 'ELW', 'they have ended: it works again');
ok((eventually { threads() == 1 }), 'and no thread is left');

$session->quit;
done_testing();
