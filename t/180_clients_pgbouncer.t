# pgbouncer in transaction mode: few server sessions serve many clients, one
# transaction each, so what a session keeps is met by others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Bouncer;
use KisTest::Client;
use Test::More;

need_client('pgbouncer', KisTest::Bouncer->program || '');

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my %other = (app_key => 'PSOTHER' . '1' x 29, app_secret => 'S' x 180);

setup($node, 'postgres', $simulator);
$simulator->config(accounts => { $other{app_key} => $other{app_secret} });
$node->safe_psql('postgres', "
	SET log_statement = 'none';
	CREATE ROLE other;
	GRANT SELECT ON kis_market_trend TO other;
	CREATE USER MAPPING FOR other SERVER kis OPTIONS (app_key '$other{app_key}', app_secret '$other{app_secret}')");

# Transactions on two server sessions, or sessions of their own
my $bouncer = KisTest::Bouncer->new($node, transactions => 'pool_mode=transaction pool_size=2',
	sessions => 'pool_mode=session', one => 'pool_mode=session pool_size=1');

# pgbench of 8 clients, 10 transactions each; its exit status, and what it says
sub bench
{
	my ($db, $protocol) = @_;
	my ($output, $stderr) = ('', '');
	my $script = q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP';} . "\n";

	$simulator->reset(keep_tokens => JSON::PP::true);
	IPC::Run::run([ 'pgbench', '-n', '-h', $bouncer->host, '-p', $bouncer->port, '-M', $protocol,
			'-c', 8, '-t', 10, '-f', '-', $db ], '<', \$script, '>', \$output, '2>', \$stderr);
	return ($? >> 8, $output =~ /^number of transactions actually processed: (.*)/m ? $1 : '', $stderr);
}

my ($status, $counted, $stderr);
foreach my $protocol (qw(simple extended))
{
	($status, $counted, $stderr) = bench('transactions', $protocol);
	is("$status $counted $stderr", '0 80/80 ',
		"pgbench -M $protocol: 8 clients on 2 sessions");
	is($simulator->calls, 80, 'a call for each transaction');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'idle'}),
	2, 'which are two in truth');
($status, $counted, $stderr) = bench('sessions', 'prepared');
is("$status $counted $stderr", '0 80/80 ', 'in session mode prepared statements, too');
is($simulator->calls, 80, 'a call for each transaction');
SKIP:
{
	my ($minor) = `@{[KisTest::Bouncer->program]} --version` =~ /^PgBouncer 1\.(\d+)/;

	skip 'pgbouncer 1.21 and later know prepared statements', 1 if $minor >= 21;
	($status, $counted, $stderr) = bench('transactions', 'prepared');
	like($stderr, qr/prepared statement "\w+" (?:already exists|does not exist)/,
		'in transaction mode this pgbouncer knows no prepared statements');
}

# ---- programs in Python ------------------------------------------------------

SKIP:
{
	skip 'not installed: on Debian, apt-get install python3-psycopg2', 7
	  unless eval { IPC::Run::run([ 'python3', '-c', 'import psycopg2' ], '2>', \my $errors) };

	my @clients = map { KisTest::Client->new($bouncer, 'transactions', [ 'python3', '-B' ], 'psycopg2_client.py') } 1 .. 2;

	# Each holds a session as long as its transaction lasts
	$simulator->reset(keep_tokens => JSON::PP::true);
	$_->ask('open SELECT market_code, sector_code FROM kis_sector_trend') foreach @clients;
	my @rows = map { [ $_->ask('fetch 5') ] } @clients, @clients;
	is(scalar @$_, 5, 'cursors side by side') foreach @rows;
	$_->ask('close') foreach @clients;
	cmp_ok($simulator->calls, '<=', 2 * 16, 'and no more than six calls ahead of either');
	is_deeply([ $_->ask(q{query SELECT market_code FROM kis_market_trend WHERE market_code = %s|KSQ}) ], ['KSQ'], 'and on they go')
	  foreach @clients;
	$_->quit foreach @clients;
}

# ---- users who share a session -----------------------------------------------

my $sql = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'ETF'};
my %key_of = (other => $other{app_key}, getpwuid($>) . '' => $simulator->app_key);
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(accounts => { $other{app_key} => $other{app_secret} });
my @roles = (sort keys %key_of) x 3;
is($node->safe_psql('transactions', "BEGIN; SET LOCAL ROLE $_; $sql; COMMIT", connstr => $bouncer->connstr('transactions')),
	'ETF', "$_ in a transaction") foreach @roles;
is_deeply([ map { $_->{headers}{appkey} } $simulator->requests('trend') ], [ map { $key_of{$_} } @roles ],
	'each by the key of its own user mapping');

# ---- one session for one user after the other --------------------------------

# What the one before leaves behind, DISCARD ALL takes away
sub in_one
{
	my ($sql) = @_;

	return $node->safe_psql('one', $sql, connstr => $bouncer->connstr('one'));
}

my ($pid) = split /\n/, in_one(q{SELECT pg_backend_pid();
	SET ROLE other;
	SET plan_cache_mode = force_generic_plan;
	PREPARE asks (text) AS SELECT market_code FROM kis_market_trend WHERE market_code = $1;
	EXECUTE asks('KSP'); EXECUTE asks('KSQ');
	BEGIN;
	DECLARE held CURSOR WITH HOLD FOR SELECT market_code FROM kis_market_trend;
	FETCH 2 FROM held;
	COMMIT});
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(accounts => { $other{app_key} => $other{app_secret} });
is(in_one("SELECT pg_backend_pid(); $sql;"
	  . q{SELECT count(*) FROM pg_prepared_statements; SELECT count(*) FROM pg_cursors WHERE name = 'held'}),
	"$pid\nETF\n0\n0", 'in session mode the next one begins anew, in the same session');
is_deeply([ map { $_->{headers}{appkey} } $simulator->requests('trend') ], [ $simulator->app_key ],
	'by one call, with the key of its own user mapping');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
