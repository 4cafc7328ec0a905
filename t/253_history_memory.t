# A statement that reads a long history holds a bounded part of it: pages that
# all scans have passed go to a temporary file, and come back from there where a
# scan wants them again, as they were and without a call.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { MB => 1024, MOST_MB => 64, FLAT_MB => 16 };

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => 'log_temp_files = 0');

setup($node, 'postgres', $simulator, max_calls => 5000, request_timeout => '60s', max_concurrent_requests => 6);
my $session = $node->session;

# How much more memory, in MB, the backend had at most while it ran a query than
# before, and what that gave.
sub peak_of
{
	my ($sql) = @_;
	my $status = '/proc/' . $session->pid . '/status';
	my $now = sub { return slurp_file($status) =~ /^$_[0]:\s+(\d+) kB/m ? $1 : die "no $_[0]" };
	my $before = $now->('VmRSS');

	open my $peak, '>', '/proc/' . $session->pid . '/clear_refs' or die "clear_refs: $!";
	print $peak '5';
	close $peak or die "clear_refs: $!";
	my $output = $session->query_safe($sql);
	return (($now->('VmHWM') - $before) / MB, $output);
}

# A query of the history of so many sectors, and its rows
sub history
{
	my ($pairs, $select, $order) = @_;
	my $sectors = join ', ', map { sprintf q{'%04d'}, $_ } 1 .. $pairs;

	return "SELECT $select FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code IN ($sectors) " . ($order // '');
}

# Calls of a query, with its result
sub calls_of
{
	my ($sql) = @_;

	my $before = $simulator->calls;
	my $output = $session->query_safe($sql);
	return ($simulator->calls - $before, $output);
}

# as code that is compiled for a query takes more than its pages
$session->query_safe('SET jit = off; SET work_mem = 4096');
my $checksum = 'count(*), sum(foreign_net_qty), sum(close), min(trade_date), max(trade_date)';

# ---- memory

# what a session needs once, it has after this
peak_of(history(1, $checksum));
my ($some) = peak_of(history(2, $checksum));
my $pairs = $ENV{KIS_TEST_LONG} ? 21 : 6;
my $pages = -$simulator->calls;
my ($many) = peak_of(history($pairs, $checksum));
$pages += $simulator->calls;
diag sprintf '%d pages: %.1f MB more, 80 pages: %.1f MB', $pages, $many, $some;
cmp_ok($pages, '>', 232, "a statement of $pages pages");
cmp_ok($many, '<', MOST_MB, 'takes little memory');
cmp_ok($many - $some, '<', FLAT_MB, 'hardly more than one of 80 pages');
my ($merged) = peak_of(history($pairs, 'count(*)', 'ORDER BY trade_date DESC') =~ s/SELECT count\(\*\) (.*)/SELECT count(*) FROM (SELECT * $1 OFFSET 0) h/r);
cmp_ok($merged, '<', MOST_MB, sprintf 'nor does one that merges all pairs by the day: %.1f MB', $merged);

# ---- what comes back is what went

my ($calls, $once) = calls_of(history(2, $checksum));
like(slurp_log($node), qr/temporary file: path .* size \d{6}/, 'pages went to files');
my $two = history(2, '*');
foreach my $case (
	[ 'a self-join' => "SET enable_nestloop = off; SELECT count(*), count(*) FILTER (WHERE a.foreign_net_qty = b.foreign_net_qty AND a.close = b.close)
		FROM ($two) a JOIN ($two) b USING (sector_code, trade_date)" => ($once =~ s/\|.*//r) x 2 ],
	[ 'rescans' => "RESET enable_nestloop; SET enable_material = off; SELECT n, h.* FROM generate_series(1, 3) n, LATERAL (" . history(2, $checksum) . ' AND n > 0) h' =>
		map { "$_|$once" } 1 .. 3 ],
	[ 'a rescan by a parameter' => "SELECT n, sum(h.foreign_net_qty) = max(w.sum), count(*) = max(w.count) FROM (VALUES (1, '0002'), (2, '0001'), (3, '0002')) v (n, s),
		LATERAL (SELECT sum(foreign_net_qty), count(*) FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = s) w,
		LATERAL (SELECT * FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = s OFFSET 0) h GROUP BY n ORDER BY n" =>
		map { "$_|t|t" } 1 .. 3 ],
	[ 'two scans in turn' => "SELECT * FROM (SELECT $checksum FROM ($two) a UNION ALL SELECT $checksum FROM ($two) b) u" => $once, $once ])
{
	my ($name, $sql, @expected) = @$case;
	my ($made, $output) = calls_of($sql);

	@expected = (join '|', @expected) if $name eq 'a self-join';
	is($output, join("\n", @expected), "$name: the same rows");
	is($made, $calls, 'and each page was requested once');
}
$session->query_safe('RESET enable_material');

# ---- cursors, subtransactions, errors

$session->query_safe('BEGIN; SAVEPOINT s; DECLARE c NO SCROLL CURSOR FOR ' . history(2, 'trade_date, foreign_net_qty'));
$session->query_safe('MOVE 15000 FROM c; SAVEPOINT t; MOVE 3000 FROM c; ROLLBACK TO t');
is(($session->error('FETCH 1 FROM c'))[0] // '', '', 'a cursor goes on after a subtransaction that failed');
$session->query_safe('ROLLBACK TO s');
is(($session->error('FETCH 1 FROM c'))[0], '34000', 'and ends with its own');
$session->query_safe('COMMIT');
$session->query_safe('BEGIN; DECLARE h CURSOR WITH HOLD FOR ' . history(2, 'trade_date, foreign_net_qty') . '; COMMIT');
is($session->query_safe('MOVE FORWARD ALL IN h; CLOSE h') , '', 'one that is held after its transaction');
is(($session->error(history(2, 'sum(1 / (CASE WHEN trade_date < $$1960-01-01$$ THEN 0 ELSE 1 END))')))[0] // 'none', 'none', 'no error');
is(($session->error(history(2, "count(*) FILTER (WHERE 1 / (CASE WHEN sector_code = '0002' AND trade_date < '1990-01-01' THEN 0 ELSE 1 END) = 1)")))[0],
	'22012', 'an error with pages in the file');
is($session->query_safe("SELECT count(*) FROM pg_ls_tmpdir() WHERE name LIKE 'pgsql_tmp" . $session->pid . ".%'"), 0, 'leaves no file');
$session->query_safe('SET temp_file_limit = 1024');
is(($session->error(history(2, $checksum)))[0], '53400', 'temp_file_limit holds');
$session->query_safe('RESET temp_file_limit');
is((calls_of(history(2, $checksum)))[1], $once, 'and the next query is what it was');

$session->quit;
done_testing();
