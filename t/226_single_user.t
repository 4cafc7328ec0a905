# Without a postmaster, as one repairs a cluster: postgres --single.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator, session_start => '00:00');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
$node->stop;

# Each a line, which ends the command
my @commands = (
	q{SELECT foreign_net_qty IS NOT NULL AS known FROM kis_market_trend WHERE market_code = 'KSP'},
	q{SELECT outcome FROM collect_market_investor_trend('{KSP,KSQ}')},
	q{CALL backfill_market_investor_trend('2026-06-01', '2026-06-03', '{KSP/0001}')},
	q{SELECT count(*) > 2 AS filled FROM market_investor_trend});
my ($out, $err) = ('', '');
my $in = join '', map { "$_\n" } @commands;

IPC::Run::run([ $node->installed_command('postgres'), '--single', '-D', $node->data_dir, 'postgres' ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(120));
is_deeply([ $err =~ /(?:ERROR|FATAL|PANIC): +(.*)/g ], [], 'no call fails');
is_deeply([ $out =~ /: (\w+ = ".*?")/g ],
	[ 'known = "t"', 'outcome = "inserted"', 'outcome = "inserted"', 'filled = "t"' ],
	'a scan, a collection and a backfill');

done_testing();
