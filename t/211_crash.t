# A server that crashes, or loses a session, in the middle of a collection or a
# backfill. What is there after recovery: all or none of a collection, its
# snapshots with it; of a backfill the pages that were committed, and all of
# each. Running it again completes it.
#
# KIS_TEST_LONG: each moment with each way to crash, and 100 crashes at moments
# at random instead of 4.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Crowd;
use List::Util ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use constant {
	RANDOM_CRASHES => $ENV{KIS_TEST_LONG} ? 100 : 4,
	FROM => '2020-08-01',		# the backfill's days
	TO => '2021-12-31' };

my $simulator = KisTest::Simulator->new;
my $node = new_node('main', conf => 'restart_after_crash = on');
my @pairs = qw(ELW/W000 ETF/T000 KSP/0001 KSP/0013 KSQ/1001);	# that are collected
my $figure = 0;
my $crashes = 0;

setup($node, 'postgres', $simulator, max_concurrent_requests => 1);

# hold: a trigger that waits for a lock at the row that the table hold_at names, which a crash empties
$node->safe_psql('postgres', q{
	CREATE EXTENSION amcheck;
	SELECT create_market_investor_trend();
	SELECT create_market_investor_trend('reference', snapshots => false);

	CREATE UNLOGGED TABLE hold_at (place text, market_code text, sector_code text, trade_date date);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.hold_at h WHERE h.place = TG_NAME
				AND (h.market_code, h.sector_code) = (NEW.market_code, NEW.sector_code)
				AND coalesce(h.trade_date, NEW.trade_date) = NEW.trade_date) THEN
			PERFORM pg_advisory_xact_lock(1);
		END IF;
		RETURN NULL;
	END $$;
	CREATE TRIGGER row AFTER INSERT OR UPDATE ON market_investor_trend FOR EACH ROW EXECUTE FUNCTION hold();
	CREATE TRIGGER snapshot AFTER INSERT ON market_investor_trend_snapshot FOR EACH ROW EXECUTE FUNCTION hold();
	CREATE CONSTRAINT TRIGGER commit AFTER INSERT OR UPDATE ON market_investor_trend
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()});

my $monitor;					# until the next crash

sub value
{
	my ($sql) = @_;

	$monitor = $node->session unless $monitor;
	return $monitor->query_safe($sql);
}

# ---- crashes

sub is_gone
{
	my ($pid) = @_;

	open my $stat, '<', "/proc/$pid/stat" or return 1;
	return <$stat> =~ /^\d+ \(.*\) Z/;
}

sub times_ready
{
	return scalar(() = slurp_log($node) =~ /database system is ready to accept connections/g);
}

my %ways = (
	'an immediate stop' => sub {
		$node->stop('immediate');
		$node->start;
	},
	'SIGKILL of the postmaster' => sub {
		my @pids = split /\n/, value('SELECT pid FROM pg_stat_activity');
		my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

		$node->kill9;
		eventually { !grep { !is_gone($_) } @pids } or die 'sessions outlive their postmaster';
		# as long as init has not taken note, PostgreSQL takes it for alive
		eventually { !kill 0, $postmaster } or die 'nobody takes note of the end of the postmaster';
		$node->start;
	},
	'SIGKILL of the session' => sub {
		my ($session) = @_;
		my $ready = times_ready();

		kill 'KILL', $session->pid;
		eventually { times_ready() > $ready } or die 'the server does not come back';
	});
my @ways = sort keys %ways;

sub crash
{
	my ($way, $session) = @_;

	$ways{$way}->($session);
	$crashes++;
	$monitor->quit if $monitor;
	undef $monitor;
	$simulator->release(clear_faults => JSON::PP::true);
	return;
}

# All that must hold whatever was under way; what does not.
sub damage
{
	my @damage;

	push @damage, 'the shared memory is not fresh' if value('SELECT count(*) FROM kis_stat') != 0;
	push @damage, 'a row is there twice' if value(q{
		BEGIN;
		SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;
		SELECT count(*) FROM (
			SELECT FROM market_investor_trend GROUP BY market_code, sector_code, trade_date HAVING count(*) > 1
			UNION ALL
			SELECT FROM market_investor_trend_snapshot GROUP BY market_code, sector_code, collected_at HAVING count(*) > 1) d;
		COMMIT}) != 0;
	push @damage, 'a live row has no snapshot' if value(q{
		SELECT count(*) FROM market_investor_trend m WHERE created_at <> '-infinity' AND source = 'live' AND NOT EXISTS (
			SELECT FROM market_investor_trend_snapshot s
			WHERE (s.market_code, s.sector_code, s.collected_at, s.trade_date, s.foreign_net_qty, s.individual_net_amount)
				= (m.market_code, m.sector_code, m.collected_at, m.trade_date, m.foreign_net_qty, m.individual_net_amount))}) != 0;
	# raises where an index and its table differ
	value(q{SELECT bt_index_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
		WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'btree') AND indrelid::regclass::text LIKE 'market_investor_trend%'});
	return @damage;
}

# ---- moments to crash at: each begins to hold what is under way, and tells when it does

my $holder;

# A reply of KIS, after so many others that match.
sub reply
{
	my ($kind, $after) = @_;

	return {
		begin => sub {
			$simulator->kill_token if $kind eq 'token';
			$simulator->fault({ match => { kind => $kind }, fault => 'hang', after => $after });
		},
		reached => sub { $simulator->stats->{held} >= 1 } };
}

# The write of a row.
sub write_of
{
	my ($place, $pair, $day) = @_;
	my ($market, $sector) = split m{/}, $pair;

	return {
		begin => sub {
			my $literal = ref $day ? $day->() : $day;

			$literal = defined $literal ? "'$literal'" : 'NULL';
			value("INSERT INTO hold_at VALUES ('$place', '$market', '$sector', $literal)");
			$holder = $node->session;
			$holder->query_safe('SELECT pg_advisory_lock(1)');
		},
		reached => sub { value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) == 1 },
		end => sub { $holder->quit } };
}

# What was sent has ended.
sub result_of
{
	my ($session) = @_;

	return { begin => sub { }, reached => sub { $_[0]->is_done } };
}

# KIS's figures move.
sub new_figures
{
	$figure++;
	$simulator->config(overrides => { map { ($_ => { frgn_ntby_qty => "$figure" }) } @pairs });
	return;
}

# Runs SQL in a session of its own, up to the moment, and crashes; its result.
sub crash_at
{
	my ($moment, $way, $sql) = @_;
	my $session = $node->session;

	$simulator->reset(keep_tokens => JSON::PP::true);
	new_figures();
	$moment->{begin}->();
	$session->send($sql);
	eventually { $moment->{reached}->($session) } or die 'the moment does not come';
	crash($way, $session);
	my $result = $session->result;
	$session->quit;
	$moment->{end}->() if $moment->{end};
	return $result;
}

sub ways_at
{
	my ($number) = @_;

	return $ENV{KIS_TEST_LONG} ? @ways : $ways[ $number % @ways ];
}

# ---- collection

my $collect = "SELECT outcome FROM collect_market_investor_trend('{" . join(',', @pairs) . "}')";

# Rows and snapshots with all they have, and the snapshots' partitions.
sub collected
{
	return join "\n", map { value($_) } (
		'SELECT m FROM market_investor_trend m ORDER BY market_code, sector_code, trade_date',
		'SELECT s FROM market_investor_trend_snapshot s ORDER BY market_code, sector_code, collected_at',
		q{SELECT relid FROM pg_partition_tree('market_investor_trend_snapshot') ORDER BY 1});
}

# The pairs whose newest row and newest snapshot have the latest figure.
sub pairs_stored
{
	return value(qq{
		SELECT count(*) FROM (
			SELECT DISTINCT ON (market_code, sector_code) foreign_net_qty FROM market_investor_trend
			ORDER BY market_code, sector_code, trade_date DESC) m
		WHERE foreign_net_qty = $figure})
	  . ' and ' . value(qq{SELECT count(*) FROM market_investor_trend_snapshot WHERE foreign_net_qty = $figure});
}

my $all_pairs = @pairs . ' and ' . @pairs;

# All that may come of a collection, and the one that completes it
sub check_collection
{
	my ($name, $before, $must_be_there) = @_;
	my $none = collected() eq $before;

	is_deeply([ damage() ], [], "$name: nothing is damaged");
	if ($must_be_there || !$none)
	{
		is(pairs_stored(), $all_pairs, "$name: all is there");
	}
	else
	{
		ok($none, "$name: nothing of it is there");
	}
	new_figures();
	like(value($collect), qr/^(inserted\n|updated\n){4}(inserted|updated)$/, "$name: run again, it stores");
	is(pairs_stored(), $all_pairs, "$name: all targets");
	return $none;
}

my @moments = (
	[ 'the token call', reply('token', 0) ],
	[ 'the first call', reply('trend', 0) ],
	[ 'the third call', reply('trend', 2) ],
	[ 'the last call', reply('trend', 4) ],
	[ 'the write of the first row', write_of('row', 'ELW/W000') ],
	[ 'the snapshot of the third row', write_of('snapshot', 'KSP/0001') ],
	[ 'the write of the last row', write_of('row', 'KSQ/1001') ],
	[ 'the commit', write_of('commit', 'KSP/0013') ],
	[ 'a transaction that is open', result_of(), 'BEGIN;' ],
	[ 'a collection that has ended', result_of() ]);

foreach my $number (0 .. $#moments)
{
	my ($name, $moment, $first) = @{ $moments[$number] };
	my $ended = $name =~ /has ended/;

	foreach my $way (ways_at($number))
	{
		# without rows and partitions of the month, or over older ones
		value(q{TRUNCATE market_investor_trend, market_investor_trend_snapshot;
			SELECT format('DROP TABLE %s', relid) FROM pg_partition_tree('market_investor_trend_snapshot') WHERE level = 1 \gexec})
		  if $number % 2 == 0;
		my $before = collected();
		my $result = crash_at($moment, $way, ($first || '') . $collect);

		is($result->{output} ne '', $ended || $name =~ /open/, "collection, $name: it has " . ($ended ? '' : 'not ') . 'ended');
		is(check_collection("$way, $name", $before, $ended), !$ended, "$way, $name: as it must be");
	}
}

# ---- backfill

my @backfilled = qw(KSP/0001 KSQ/1001);
my $backfill = sprintf q{CALL backfill_market_investor_trend('%s', '%s', '{%s}')}, FROM, TO, join ',', @backfilled;

# The same without a crash: which days a page has, and their figures
$node->safe_psql('postgres', $backfill =~ s/\)$/, store => 'reference')/r);
my $figures = value(q{SELECT string_agg('x.' || attname, ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'reference'::regclass AND attname LIKE '%\_net\_%'});
my ($theirs, $ours) = map { $figures =~ s/x\./$_./gr } 'r', 'm';
value(q{CREATE TABLE page AS SELECT dense_rank() OVER (ORDER BY xmin::text::bigint) AS page, * FROM reference});
my $pages = value('SELECT max(page) FROM page');
is($pages, 4, 'a backfill of two pages a pair');
my $days = value('SELECT count(*) FROM page');

# The day of a page: the first row that is written, the last, or one between
sub day_of
{
	my ($page, $which) = @_;
	my $fraction = { first => 1, middle => 0.5, last => 0 }->{$which};

	return sub {
		return value("SELECT percentile_disc($fraction) WITHIN GROUP (ORDER BY trade_date) FROM page WHERE page = $page");
	};
}

# How many pages are stored; undef where one is in part, or another one than should be.
sub pages_stored
{
	my @part = map { [ split /\|/ ] } split /\n/, value(qq{
		SELECT r.page, count(*), count(*) FILTER (WHERE m.source = 'daily' AND ($ours) IS NOT DISTINCT FROM ($theirs))
		FROM page r LEFT JOIN market_investor_trend m USING (market_code, sector_code, trade_date)
		GROUP BY 1 ORDER BY 1});
	my $whole = 0;
	my $rows = value(q{SELECT count(*) FROM market_investor_trend WHERE source = 'daily'});

	$whole++ while $whole < @part && $part[$whole][2] == $part[$whole][1];
	return $whole if List::Util::sum0(map { $_->[2] } @part) == $rows
	  && !grep { $_->[2] != 0 } @part[ $whole .. $#part ];
	diag "$rows rows of: " . join ' ', map { join '/', @$_ } @part;
	return;
}

# A store for the backfill: empty, or with a live row for each day.
sub prepare_days
{
	my ($live) = @_;

	value('TRUNCATE market_investor_trend, market_investor_trend_snapshot');
	value(q{INSERT INTO market_investor_trend (market_code, sector_code, trade_date, collected_at, source, foreign_net_qty, created_at)
		SELECT market_code, sector_code, trade_date, trade_date + '12:00'::time, 'live', -1, '-infinity' FROM page}) if $live;
	return;
}

# A backfill has stored so many pages (undef: any) and is completed by another one
sub check_backfill
{
	my ($name, $expected, $live, $told) = @_;
	my $found = pages_stored();

	is_deeply([ damage() ], [], "$name: nothing is damaged");
	is($found, defined $expected ? $expected : $found, "$name: the pages that were committed are there, each whole, and no other");
	ok(defined $found && $found >= $told, "$name: those that it told of among them");
	is(value(q{SELECT count(*) FROM market_investor_trend WHERE source = 'live' AND foreign_net_qty = -1}),
		$live ? value('SELECT count(*) FROM page WHERE page > ' . ($found || 0)) : 0, "$name: the other rows are as they were");

	my $kept = value('SELECT count(*) FROM page WHERE page <= ' . ($found || 0));
	my $result = run_sql($node, 'postgres', $backfill);
	my $new = $days - $kept;

	is($result->{notices}[-1]{message}, "backfill has read $pages pages, $days trading days: "
		  . ($live ? "0 inserted, $new updated" : "$new inserted, 0 updated") . ", $kept unchanged, 0 skipped",
		"$name: run again, it stores what is missing");
	is(pages_stored(), $pages, "$name: and all is there");
	return;
}

sub pages_told
{
	my ($result) = @_;

	return scalar grep { $_->{message} =~ /trading days? up to/ } @{ $result->{notices} };
}

@moments = (
	[ 'the token call', reply('token', 0), 0 ],
	[ 'the first page', reply('daily', 0), 0 ],
	[ 'the first row of the first page', write_of('row', 'KSP/0001', day_of(1, 'first')), 0 ],
	[ 'the middle of the second page', write_of('row', 'KSP/0001', day_of(2, 'middle')), 1 ],
	[ 'the last row of the second page', write_of('row', 'KSP/0001', day_of(2, 'last')), 1 ],
	[ 'the commit of the second page', write_of('commit', 'KSP/0001', day_of(2, 'middle')), 1 ],
	[ 'the first page committed, the second under way', reply('daily', 1), 1 ],
	[ 'one pair done, the next under way', reply('daily', 2), 2 ],
	[ 'the middle of the last page', write_of('row', 'KSQ/1001', day_of(4, 'middle')), 3 ],
	[ 'the end', result_of(), 4 ],
	[ 'the last page, all in one transaction', reply('daily', 3), 0, 'BEGIN;' ]);

foreach my $number (0 .. $#moments)
{
	my ($name, $moment, $stored, $first) = @{ $moments[$number] };
	my $live = $number % 2;

	foreach my $way (ways_at($number))
	{
		prepare_days($live);
		my $result = crash_at($moment, $way, ($first || '') . $backfill);

		is(pages_told($result), $first ? 3 : $stored, "backfill, $name: so many pages are told of");
		check_backfill("$way, $name", $stored, $live, $first ? 0 : $stored);
	}
}

# ---- at random

my $seed = time;
my %came_of;

srand $seed;
diag "moments at random: seed $seed";

# How long it takes, with latencies of KIS between
sub seconds_of
{
	my ($sql) = @_;
	my $began = Time::HiRes::time();

	value($sql);
	return Time::HiRes::time() - $began;
}

new_figures();
prepare_days(0);
$simulator->config(latency_ms => 10);
my %seconds = map { ($_ => seconds_of($_)) } $collect, $backfill;

foreach my $number (1 .. RANDOM_CRASHES)
{
	my $way = $ways[ rand @ways ];
	my $live = int rand 2;
	my $sql = $number % 2 ? $collect : $backfill;
	my $after = rand 1.2 * $seconds{$sql};
	my $name = sprintf 'crash %d, %s %.0f ms after the begin of a %s', $number, $way, 1000 * $after,
	  $number % 2 ? 'collection' : 'backfill';

	prepare_days($live) if $sql eq $backfill || $live;
	my $before = $sql eq $collect ? collected() : undef;
	my $due;
	my $result = crash_at({
			begin => sub { $simulator->config(latency_ms => 10); $due = Time::HiRes::time() + $after },
			reached => sub { Time::HiRes::time() >= $due } },
		$way, $sql);
	if ($sql eq $collect)
	{
		my $none = check_collection($name, $before, $result->{output} ne '');
		$came_of{ $none ? 'no collection' : 'a collection' }++;
	}
	else
	{
		my $stored = pages_stored();
		$came_of{ (defined $stored ? $stored : 'broken') . ' pages' }++;
		check_backfill($name, undef, $live, pages_told($result));
	}
}
diag 'what came of them: ' . join ', ', map { "$_: $came_of{$_}" } sort keys %came_of;

# ---- a session is killed while others wait for its call, or for its token

$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET cache_ttl '10s')});
foreach my $kind (qw(trend token))
{
	# no reply is kept from before
	$monitor->quit;
	undef $monitor;
	$node->restart;

	my $query = q{SELECT market_code FROM kis_sector_trend WHERE market_code = 'ELW'};
	my $session = $node->session;
	my $crowd = KisTest::Crowd->new($node, 4);
	my $before = collected();

	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->kill_token if $kind eq 'token';
	$simulator->fault({ match => { kind => $kind }, fault => 'hang' });
	$session->send($collect);
	$simulator->wait_for('held', 1);
	$crowd->send($query);
	$crowd->wait_until_waiting;
	crash('SIGKILL of the session', $session);
	is(scalar(grep { $_->result; $_->is_closed } $session, $crowd->sessions), 5,
		"killed in the middle of a $kind call that others wait for: all are gone");
	$_->quit foreach $session, $crowd->sessions;
	is_deeply([ damage() ], [], 'nothing is damaged');
	is(collected(), $before, 'nothing is stored');
	$simulator->reset;
	new_figures();
	$crowd = KisTest::Crowd->new($node, 4);
	is_deeply([ map { $_->{output} } $crowd->query($query) ], [ ('ELW') x 4 ], 'and then all are served');
	is($simulator->calls('token'), 1, 'with one token');
	is($simulator->calls('trend'), 1, 'by one call');
	$crowd->quit;
	value($collect);
	is(pairs_stored(), $all_pairs, 'and the collection stores');
}

my @complaints = grep { /PANIC|terminated by signal (?!9)/ } split /\n/, slurp_log($node);
is_deeply(\@complaints, [], 'no crash but ours');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
diag "$crashes crashes";
done_testing();
