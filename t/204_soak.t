# Many scans in one session leave its memory and its descriptors as they were.
#
# KIS_TEST_LONG=1: 100,000 cached scans and 10,000 uncached ones, not a
# twentieth of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new(config => { record_limit => 1000 });
my $node = new_node('main');
my $session = $node->session;
my $part = $ENV{KIS_TEST_LONG} ? 1 : 20;
my $flat_kb = 256;

setup($node, 'postgres', $simulator);

# Statements of their own, as a client sends them, in batches alike, so that
# the one that makes them takes as much memory each time; how many succeeded.
sub scan
{
	my ($count) = @_;
	my $ask = "SELECT sector_code FROM kis_market_trend WHERE market_code = ''KSP''";
	my $succeeded = 0;

	foreach (1 .. $count / 500)
	{
		my $output = $session->query_safe("SELECT '$ask' FROM generate_series(1, 500) \\gexec");

		$succeeded += () = $output =~ /^0001$/mg;
	}
	return $succeeded;
}

foreach my $kind (qw(uncached cached))
{
	my $count = ($kind eq 'cached' ? 100_000 : 10_000) / $part;

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '1h')") if $kind eq 'cached';
	# what a session needs once, it has after some
	scan(1000);
	my $memory = backend_memory_kb($session->pid);
	my $fds = backend_fds($session->pid);
	my $calls = $simulator->calls;
	my $began = Time::HiRes::time();

	is(scan($count), $count, "$count $kind scans in a session");
	my $each_ms = (Time::HiRes::time() - $began) * 1000 / $count;
	is($simulator->calls - $calls, $kind eq 'cached' ? 0 : $count, 'with as many calls as they take');
	my $grown = backend_memory_kb($session->pid) - $memory;
	cmp_ok($grown, '<', $flat_kb, "memory is flat: $grown kB more");
	is(backend_fds($session->pid), $fds, 'and no descriptor more is open');
	diag sprintf '%d %s scans: %.3f ms each, %d kB more, %d descriptors then %d',
	  $count, $kind, $each_ms, $grown, $fds, backend_fds($session->pid);
}

$session->quit;
done_testing();
