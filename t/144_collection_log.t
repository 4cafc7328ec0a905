# The log of collections: a row for each target of each, whatever came of it; the
# procedure that a scheduler calls, which commits it before it raises; and who
# listens is told of what has changed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 10:00:00');		# a Friday
setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');

sub value { return $node->safe_psql('postgres', $_[0]) }

sub show
{
	my ($figure) = @_;

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => "$figure" } });
	return;
}

# What the log has got since it was asked last
my $seen = value('SELECT now()');

sub logged
{
	my $rows = value("SELECT string_agg(concat_ws(' ', market_code, trade_date, outcome, substr(detail, 1, 20)), ', ' ORDER BY asked_at, market_code)
		FROM market_investor_trend_collection WHERE asked_at > '$seen'");

	$seen = value('SELECT coalesce(max(asked_at), now()) FROM market_investor_trend_collection');
	return $rows;
}

# A target that KIS refuses, or all of them
sub refuse
{
	my (@pairs) = @_;

	$simulator->fault;
	$simulator->fault({ fault => 'error', match => { pair => $_ }, params => { msg_cd => 'OPSQ0002' } }) foreach @pairs;
	return;
}

sub job
{
	my ($arguments, $before) = @_;
	my ($sqlstate, $message, $detail, undef) =
	  sql_error($node, 'postgres', ($before // '') . "CALL market_investor_trend_job('{KSP/0001,KSQ/1001}'" . ($arguments // '') . ')');

	return join ' ', grep { defined } $sqlstate, $message;
}

# ---- a row for each look --------------------------------------------------------

show(1);
value(q{SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')});
is(logged(), 'KSP 2026-07-10 inserted, KSQ 2026-07-10 inserted', 'what is new');
value(q{SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')});
is(logged(), 'KSP 2026-07-10 unchanged, KSQ 2026-07-10 unchanged', 'what stands still');
refuse('KSQ/1001');
show(2);
value(q{SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001}')});
is(logged(), 'KSP 2026-07-10 updated, KSQ failed KIS refuses the call', 'what has changed, and what failed');
is(value(q{SELECT count(*) FROM market_investor_trend_collection WHERE took_ms IS NULL <> (outcome = 'failed') OR took_ms < 0}), 0,
	'with the time of a reply where there was one');
is(value('SELECT count(DISTINCT asked_at) FROM market_investor_trend_collection'), 3, 'by collection');
value('BEGIN; SELECT collect_market_investor_trend(); ROLLBACK');
is(logged(), '', 'a collection that is rolled back leaves none');
is(value(q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits JOIN pg_class ON oid = inhrelid
	WHERE inhparent = 'market_investor_trend_collection'::regclass}), 'market_investor_trend_collection_y2026m07 market_investor_trend_collection_y2026m08',
	'in partitions by month');
is(value(q{SELECT obj_description('market_investor_trend_collection_y2026m07'::regclass)}), '2026년 07월의 수집 기록 / Log of collections in 2026-07', 'which say so');

# ---- the job ---------------------------------------------------------------------

show(3);
is(job(), '', 'a job of which one target failed');
is(logged(), 'KSP 2026-07-10 updated, KSQ failed KIS refuses the call', 'is logged');
show(4);
is(job(q{, raise_on => 'any'}), 'HV000 could not collect 1 of 2 targets', 'raises it where that is wanted');
is(logged(), 'KSP 2026-07-10 updated, KSQ failed KIS refuses the call', 'and the log is kept');
is(value(q{SELECT foreign_net_qty FROM market_investor_trend WHERE market_code = 'KSP'}), 4, 'as the row is');
refuse('KSP/0001', 'KSQ/1001');
is(job(), 'HV000 could not collect any target', 'one of which all failed raises');
is(logged(), 'KSP failed KIS refuses the call, KSQ failed KIS refuses the call', 'and has logged it');
is(job(q{, raise_on => 'never'}), '', 'but not where that is not wanted');
is(logged(), 'KSP failed KIS refuses the call, KSQ failed KIS refuses the call', 'and has logged it, too');

# In a transaction block it is a part of that
refuse('KSQ/1001');
show(5);
my ($error) = @{ run_sql($node, 'postgres', q{BEGIN; CALL market_investor_trend_job('{KSP/0001,KSQ/1001}', raise_on => 'any')})->{errors} };
is($error->{message}, 'could not collect 1 of 2 targets', 'in a transaction block');
like($error->{context}, qr/^nothing that this collection has stored or logged is kept: it is part of a transaction block/, 'what is lost is said');
is(logged(), '', 'and so it is');
value(q{BEGIN; CALL market_investor_trend_job('{KSP/0001,KSQ/1001}'); ROLLBACK});
is(logged(), '', 'a rollback takes all');
value(q{BEGIN; CALL market_investor_trend_job('{KSP/0001,KSQ/1001}'); COMMIT});
is(logged(), 'KSP 2026-07-10 updated, KSQ failed KIS refuses the call', 'a commit keeps all');
value(q{DO $$ BEGIN CALL market_investor_trend_job('{KSP/0001}'); ROLLBACK; END $$});
is(logged(), 'KSP 2026-07-10 unchanged', 'in a DO block outside of one it commits');

# Arguments
foreach my $case (
	[ q{, raise_on => 'some'}, '22023 invalid value for argument "raise_on": "some"' ],
	[ q{, raise_on => NULL}, '22004 argument "raise_on" must not be null' ],
	[ q{, channel => ''}, '22023 invalid value for argument "channel": ""' ],
	[ q{, channel => repeat('x', 64)}, '22023 invalid value for argument "channel": "' . 'x' x 64 . '"' ],
	[ q{, store => 'nowhere'}, '42P01 store "nowhere" does not exist' ])
{
	is(job($case->[0]), $case->[1], $case->[0]);
}
is((sql_error($node, 'postgres', q{CALL market_investor_trend_job('{}')}))[1], 'invalid value for argument "targets": "{}"', 'a job for nothing');
is(job('', 'SET default_transaction_read_only = on; '), '25006 cannot execute market_investor_trend_job() in a read-only transaction', 'a read-only transaction');
is(logged(), '', 'nothing of that is logged');

# ---- who listens is told ------------------------------------------------------------

# The payloads that a session gets that listens and runs this
sub notified
{
	my ($sql) = @_;
	my $output = run_sql($node, 'postgres', qq{LISTEN flows; $sql; SELECT 1})->{output};

	return map { decode_json($_) } $output =~ /Asynchronous notification "flows" with payload "(\{.*?\})" received/g;
}

my $call = q{CALL market_investor_trend_job('{KSP/0001,KSQ/1001}', channel => 'flows')};

refuse();
show(6);
my ($told, @more) = notified($call);
is_deeply(\@more, [], 'one NOTIFY, of the pair that has changed');
like(delete $told->{collected_at}, qr/^2026-07-10T\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:\d\d$/, 'with the time');
is_deeply($told, { store => 'public.market_investor_trend', market_code => 'KSP', sector_code => '0001', trade_date => '2026-07-10', outcome => 'updated' },
	'and what it is of');
is(scalar(notified($call)), 0, 'none where all stand still');
show(7);
is(scalar(notified("BEGIN; $call; ROLLBACK")), 0, 'none on a rollback');
is(scalar(notified("BEGIN; $call; COMMIT")), 1, 'but on a commit');
value('DELETE FROM market_investor_trend');
is(join(' ', map { "$_->{market_code} $_->{outcome}" } notified($call)), 'KSP inserted KSQ inserted', 'of new rows, too');

# ---- a hundred ------------------------------------------------------------------------

logged();
my %raised = (all => 0, any => 0);
foreach my $i (1 .. 100)
{
	my $raise_on = $i % 2 ? 'all' : 'any';

	refuse($i % 20 == 5 || $i % 20 == 6 ? 'KSQ/1001' : $i % 20 == 0 ? ('KSP/0001', 'KSQ/1001') : ());
	show(100 + $i);
	$raised{$raise_on}++ if job(", raise_on => '$raise_on'") ne '';
}
is(value("SELECT string_agg(concat_ws(' ', market_code, outcome, n), ', ' ORDER BY market_code, outcome) FROM (SELECT market_code, outcome, count(*) AS n
	FROM market_investor_trend_collection WHERE asked_at > '$seen' GROUP BY 1, 2) AS counts"),
	'KSP failed 5, KSP updated 95, KSQ failed 15, KSQ unchanged 85', 'of a hundred jobs each look is there');
is_deeply(\%raised, { all => 0, any => 10 }, 'and those raise that are to');
refuse();

# ---- a crash in the middle -----------------------------------------------------------------

# One row is held by another session, so the job waits after it has locked and inserted others
{
	my ($holder, $collector) = map { $node->session } 1 .. 2;
	my $counts = q{SELECT (SELECT count(*) FROM market_investor_trend), (SELECT count(*) FROM market_investor_trend_snapshot), (SELECT count(*) FROM market_investor_trend_collection)};
	my $before = value($counts);

	show(500);
	$holder->query_safe(q{BEGIN; UPDATE market_investor_trend SET updated_at = now() WHERE market_code = 'KSQ'});
	$collector->send(q{CALL market_investor_trend_job('{ETF,KSP/0001,KSQ/1001}')});
	wait_until_blocked($node, $collector);
	$node->stop('immediate');
	$node->start;
	is(value($counts), $before, 'nothing of a job that a crash ends is there');
	show(500);
	value(q{CALL market_investor_trend_job('{ETF,KSP/0001,KSQ/1001}')});
	is(value($counts), join('|', do { my @n = split /\|/, $before; ($n[0] + 1, $n[1] + 2, $n[2] + 3) }), 'and a second one completes it');
	logged();
}

# ---- without it, and with less of it -----------------------------------------------------

value('DROP TABLE market_investor_trend_collection');
is(job(), '', 'a store without a log is collected into all the same');
value('CREATE TABLE market_investor_trend_collection (asked_at timestamptz)');
like(job(), qr/^42P16 relation "market_investor_trend_collection" cannot hold investor flows$/, 'what is no log is refused');
value('DROP TABLE market_investor_trend_collection');
value('SELECT create_market_investor_trend()');
is(job(), '', 'and made anew');
value(q{CREATE ROLE clerk; GRANT USAGE ON FOREIGN SERVER kis TO clerk; GRANT SELECT, INSERT, UPDATE ON market_investor_trend, market_investor_trend_snapshot TO clerk});
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
is(job('', 'SET ROLE clerk; '), '42501 permission denied for table market_investor_trend_collection', 'it takes the right to append');
value('GRANT INSERT ON market_investor_trend_collection TO clerk');
is(job('', 'SET ROLE clerk; '), '', 'and no more');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
