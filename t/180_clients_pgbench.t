# pgbench in its three protocols: simple, extended and prepared statements, with
# several clients at once, and what they cost in calls.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);

my $script = $node->basedir . '/script';
# Without its row a transaction fails
append_to_file($script, q{\set n random(1, 2)
SELECT 1 / count(foreign_net_qty) FROM kis_market_trend WHERE market_code = (ARRAY['KSP', 'KSQ'])[:n];
});

# Transactions of 4 clients, 20 each, none of which may fail
sub bench
{
	my ($protocol, $name) = @_;

	$simulator->reset(keep_tokens => JSON::PP::true);
	$node->command_checks_all(
		[ 'pgbench', '-n', '-M', $protocol, '-c', 4, '-j', 2, '-t', 20, '-f', $script, 'postgres' ], 0,
		[ qr{^number of transactions actually processed: 80/80$}m, qr/^number of failed transactions: 0 /m ],
		[qr/^$/], $name);
	return;
}

foreach my $protocol (qw(simple extended prepared))
{
	my %wanted = ('KSP/0001' => 1, 'KSQ/1001' => 1);

	bench($protocol, "-M $protocol");
	is($simulator->calls, 80, 'a call for each transaction');
	is_deeply([ grep { !$wanted{$_} } $simulator->pairs ], [], 'for the pair of its parameter');
}

# One plan for all values, as PostgreSQL may choose after five executions
{
	local $ENV{PGOPTIONS} = '-c plan_cache_mode=force_generic_plan';
	bench('prepared', '-M prepared with a generic plan');
	is($simulator->calls, 80, 'a call for each transaction');
}

$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '10min')");
bench('prepared', '-M prepared with a cache');
is_deeply([ $simulator->pairs ], [qw(KSP/0001 KSQ/1001)], 'a call for each pair, whoever asks');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
