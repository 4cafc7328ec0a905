# The snapshots' partitions: those that users have cut in their own way are used
# as they are, ours are made where the table lies, and one that is only made
# ahead never costs a collection.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env, conf => 'allow_in_place_tablespaces = on');

$clock->set('2026-07-10 10:00:00');		# a Friday
setup($node, 'postgres', $simulator);

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# What a collection of a store comes to: outcome, or SQLSTATE and message; and its warnings
sub collect
{
	my ($store, $role) = @_;
	my $result = run_sql($node, 'postgres', ($role ? "SET ROLE $role; " : '')
		  . "SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => '$store')");
	my ($error) = @{ $result->{errors} };
	my @said = map { "$_->{sqlstate} $_->{message}" } @{ $result->{errors} }, @{ $result->{warnings} };

	return join ' ', $error ? () : $result->{output}, @said;
}

# The partitions that are there, in Seoul's time, and which hold rows
sub partitions
{
	my ($store) = @_;

	return value(qq{SET timezone = 'Asia/Seoul';
		SELECT string_agg(relname || pg_catalog.regexp_replace(pg_get_expr(relpartbound, oid), 'FOR VALUES|:00\\+09', '', 'g'), '; ' ORDER BY relname)
		FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = '${store}_snapshot'::regclass});
}

sub holders
{
	my ($store) = @_;

	return value("SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY collected_at) FROM ${store}_snapshot");
}

sub show
{
	my ($figure) = @_;

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => "$figure" } });
	return;
}

# ---- cut in another way --------------------------------------------------------

# By how it is cut: the partitions; when it is; which holds the snapshot then, and
# what partition has been made
my @cuts = (
	[ 'UTC months', [ [ '2026-07-01 00:00+00', '2026-08-01 00:00+00' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'UTC months, after the last', [ [ '2026-07-01 00:00+00', '2026-08-01 00:00+00' ] ], '2026-08-03 10:00:00',
		'y2026m08d01h09m00', "FROM ('2026-08-01 09:00') TO ('2026-09-01 00:00')" ],
	[ 'UTC months, in Seoul the next month', [ [ '2026-06-01 00:00+00', '2026-07-01 00:00+00' ], [ '2026-07-01 00:00+00', '2026-08-01 00:00+00' ] ],
		'2026-08-01 08:00:00', 'p1' ],
	[ 'days', [ [ '2026-07-10 00:00+09', '2026-07-11 00:00+09' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'days, the last of a month', [ [ '2026-07-31 00:00+09', '2026-08-01 00:00+09' ] ], '2026-07-31 10:00:00', 'p0' ],
	[ 'UTC days', [ [ '2026-07-10 00:00+00', '2026-07-11 00:00+00' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'days, one left out', [ [ '2026-07-09 00:00+09', '2026-07-10 00:00+09' ], [ '2026-07-11 00:00+09', '2026-07-12 00:00+09' ] ],
		'2026-07-10 10:00:00', 'y2026m07d10h00m00', "FROM ('2026-07-10 00:00') TO ('2026-07-11 00:00')" ],
	[ 'weeks', [ [ '2026-07-05 00:00+00', '2026-07-12 00:00+00' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'weeks over the month', [ [ '2026-07-27 00:00+09', '2026-08-03 00:00+09' ] ], '2026-08-01 10:00:00', 'p0' ],
	[ 'years', [ [ '2026-01-01 00:00+09', '2027-01-01 00:00+09' ] ], '2026-12-10 10:00:00', 'p0' ],
	[ 'UTC years', [ [ '2026-01-01 00:00+00', '2027-01-01 00:00+00' ] ], '2026-12-10 10:00:00', 'p0' ],
	[ 'a border within the month', [ [ '2026-06-15 00:00+09', '2026-07-05 12:30:15.25+09' ] ], '2026-07-10 10:00:00',
		'y2026m07d05h12m30', "FROM ('2026-07-05 12:30:15.25+09') TO ('2026-08-01 00:00')" ],
	[ 'a border after it', [ [ '2026-07-15 00:00+09', '2026-09-01 00:00+09' ] ], '2026-07-10 10:00:00',
		'y2026m07d01h00m00', "FROM ('2026-07-01 00:00') TO ('2026-07-15 00:00')" ],
	[ 'without ends', [ [ 'MINVALUE', '2026-07-05 00:00+09' ], [ '2026-07-20 00:00+09', 'MAXVALUE' ] ], '2026-07-10 10:00:00',
		'y2026m07d05h00m00', "FROM ('2026-07-05 00:00') TO ('2026-07-20 00:00')" ],
	[ 'before the end of time', [ [ '2026-07-05 00:00+09', 'infinity' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'all of time', [ [ 'MINVALUE', 'MAXVALUE' ] ], '2026-07-10 10:00:00', 'p0' ],
	[ 'the month as ours', [ [ '2026-07-01 00:00+09', '2026-08-01 00:00+09' ] ], '2026-07-10 10:00:00', 'p0',
		"y2026m08 FROM ('2026-08-01 00:00') TO ('2026-09-01 00:00')" ],
	[ 'the month as ours, the next one otherwise', [ [ '2026-07-01 00:00+09', '2026-08-01 00:00+09' ], [ '2026-08-15 00:00+09', '2026-09-15 00:00+09' ] ],
		'2026-07-10 10:00:00', 'p0' ]);

foreach my $i (0 .. $#cuts)
{
	my ($name, $cut, $when, $holder, $made) = @{ $cuts[$i] };
	my $store = "cut$i";
	my $literal = sub { return $_[0] =~ /VALUE/ ? $_[0] : "'$_[0]'" };

	$clock->set('2026-01-05 10:00:00');
	value("SELECT create_market_investor_trend('$store');"
		  . " DROP TABLE ${store}_snapshot_y2026m01, ${store}_snapshot_y2026m02;"
		  . join ' ', map { "CREATE TABLE ${store}_snapshot_p$_ PARTITION OF ${store}_snapshot FOR VALUES FROM ("
			  . $literal->($cut->[$_][0]) . ') TO (' . $literal->($cut->[$_][1]) . ');' } 0 .. $#$cut);
	my $before = partitions($store);

	$clock->set($when);
	show(1);
	is(collect($store), 'inserted', "$name: collected, without a word");
	is(holders($store), "${store}_snapshot_$holder", 'the snapshot is where it belongs');
	$made = $made =~ /^y/ ? "${store}_snapshot_$made" : "${store}_snapshot_$holder $made" if defined $made;
	is(partitions($store), join('; ', $before, defined $made ? $made : ()), defined $made ? 'what was free is made' : 'nothing is made');
	show(2);
	is(collect($store), 'updated', 'a second time');
	is((sql_error($node, 'postgres', "SELECT create_market_investor_trend('$store')"))[0], undef, 'and there is nothing to mend');
	is(partitions($store), join('; ', $before, defined $made ? $made : ()), 'nothing more is made');
}

# By something else than the time that we cut by, the user alone decides
$clock->set('2026-07-10 10:00:00');
foreach my $other (
	[ 'by market', 'PARTITION BY LIST (market_code)', "FOR VALUES IN ('KSP')" ],
	[ 'by market and time', 'PARTITION BY RANGE (market_code, collected_at)', "FOR VALUES FROM ('KSP', '2026-07-01') TO ('KSP', '2026-08-01')" ],
	[ 'by hash', 'PARTITION BY HASH (sector_code)', 'FOR VALUES WITH (MODULUS 1, REMAINDER 0)' ],
	[ 'by time and then by market', 'PARTITION BY RANGE (collected_at)', "FOR VALUES FROM ('2026-06-01') TO ('2026-08-01') PARTITION BY LIST (market_code);"
		  . ' CREATE TABLE other_snapshot_q PARTITION OF other_snapshot_p DEFAULT' ])
{
	my ($name, $by, $values) = @$other;

	value("SELECT create_market_investor_trend('other', snapshots => false);"
		  . ' CREATE TABLE other_snapshot (LIKE cut0_snapshot INCLUDING COMMENTS, UNIQUE (market_code, sector_code, collected_at))'
		  . " $by; CREATE TABLE other_snapshot_p PARTITION OF other_snapshot $values");
	is(collect('other'), 'inserted', "$name: collected");
	like(holders('other'), qr/^other_snapshot_[pq]$/, 'with a snapshot');
	value('DROP TABLE other, other_snapshot CASCADE');
}

# ---- where it lies ---------------------------------------------------------------

sub places
{
	my ($store) = @_;

	return value(qq{SELECT string_agg(concat_ws(' ', pg_catalog.substr(relname, 1 + pg_catalog.length('$store')), spcname, relpersistence), ', ' ORDER BY relname)
		FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = reltablespace WHERE relkind IN ('r', 'i') AND relname ~ '^${store}_snapshot_y'
		AND relname ~ '(m\\d\\d|pkey)\$'});
}

value(q{CREATE TABLESPACE large LOCATION ''});
value(q{CREATE TABLESPACE quick LOCATION ''});
value(q{SELECT create_market_investor_trend('spaced'); ALTER TABLE spaced_snapshot SET TABLESPACE large; ALTER INDEX spaced_snapshot_pkey SET TABLESPACE quick});
$clock->set('2026-08-03 10:00:00');
is(collect('spaced'), 'inserted', 'a collection makes September');
is(places('spaced'), '_snapshot_y2026m07 p, _snapshot_y2026m07_pkey p, _snapshot_y2026m08 p, _snapshot_y2026m08_pkey p,'
	  . ' _snapshot_y2026m09 large p, _snapshot_y2026m09_pkey quick p', 'in the tablespace of its parent, as its index');
$clock->set('2026-10-05 10:00:00');
value("SET default_tablespace = large; SELECT FROM collect_market_investor_trend('{KSP/0001}', store => 'spaced')");
like(places('spaced'), qr/_y2026m10 large p, _snapshot_y2026m10_pkey quick p, _snapshot_y2026m11 large p, _snapshot_y2026m11_pkey quick p$/,
	'whatever the caller\'s');
value(q{SELECT create_market_investor_trend('plain')});
$clock->set('2026-11-02 10:00:00');
value("SET default_tablespace = large; SELECT FROM collect_market_investor_trend('{KSP/0001}', store => 'plain')");
like(places('plain'), qr/_y2026m12 p, _snapshot_y2026m12_pkey p$/, 'nor is that taken where the parent has none');
is(value('SHOW default_tablespace'), '', 'and the caller\'s setting is his own');

# What a user has added to the table
value(q{SELECT create_market_investor_trend('added');
	ALTER TABLE added_snapshot ADD note text DEFAULT 'mine', ADD CHECK (foreign_net_qty < 1000000000000),
		ADD doubled bigint GENERATED ALWAYS AS (foreign_net_qty * 2) STORED;
	CREATE INDEX ON added_snapshot (trade_date);
	CREATE TABLE markets (code text PRIMARY KEY); INSERT INTO markets VALUES ('KSP');
	ALTER TABLE added_snapshot ADD FOREIGN KEY (market_code) REFERENCES markets;
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := $$seen$$; RETURN NEW; END';
	CREATE TRIGGER note BEFORE INSERT ON added_snapshot FOR EACH ROW EXECUTE FUNCTION note();
	DROP TABLE added_snapshot_y2026m11});
value('ALTER TABLE added_snapshot ADD number int GENERATED ALWAYS AS IDENTITY') if $node->pg_version >= 17;
show(3);
is(collect('added'), 'inserted', 'a table with more in it');
is(value('SELECT note, doubled FROM added_snapshot_y2026m11'), 'seen|6', 'has a partition with all of it');

# ---- made ahead, or not ------------------------------------------------------------

value(q{SELECT create_market_investor_trend('ahead');
	CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN RAISE EXCEPTION 'no % here', tg_tag USING ERRCODE = 'KT001', HINT = 'Ask the owner.'; END $$;});
my $december = q{SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('ahead_snapshot_y2026m12')};
my $failed = 'could not make the partition of table "ahead_snapshot" for 2026-12';

foreach my $refusal (
	[ 'an event trigger', 'CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN (\'CREATE TABLE\') EXECUTE FUNCTION refuse()', 'DROP EVENT TRIGGER refuse', 'KT001' ],
	[ 'one at the end', 'CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN (\'ALTER TABLE\') EXECUTE FUNCTION refuse()', 'DROP EVENT TRIGGER refuse', 'KT001' ],
	[ 'a name that is taken', 'CREATE TABLE ahead_snapshot_y2026m12 (a int)', 'DROP TABLE ahead_snapshot_y2026m12', '42P07' ],
	[ 'a name that a type has', 'CREATE TYPE ahead_snapshot_y2026m12 AS ENUM ()', 'DROP TYPE ahead_snapshot_y2026m12', '42710' ],
	[ 'a tablespace without the right to it', 'ALTER TABLE ahead_snapshot SET TABLESPACE large; CREATE ROLE poor; GRANT CREATE ON SCHEMA public TO poor;'
		  . ' ALTER TABLE ahead OWNER TO poor; ALTER TABLE ahead_snapshot OWNER TO poor',
		'ALTER TABLE ahead_snapshot SET TABLESPACE pg_default; ALTER TABLE ahead OWNER TO CURRENT_USER; ALTER TABLE ahead_snapshot OWNER TO CURRENT_USER', '42501' ])
{
	my ($name, $refuse, $allow, $sqlstate) = @$refusal;
	my $figure = value('SELECT coalesce(max(foreign_net_qty), 0) + 1 FROM ahead');

	value("DROP TABLE IF EXISTS ahead_snapshot_y2026m12; $refuse");
	show($figure);
	is(collect('ahead'), ($figure == 1 ? 'inserted' : 'updated') . " $sqlstate $failed", "$name: a warning");
	is(value("SELECT max(foreign_net_qty) FROM ahead_snapshot"), $figure, 'and nothing is lost');
	is(value('SELECT foreign_net_qty FROM ahead'), $figure, 'neither of the day');
	is(value($december), 0, 'the month is not there');
	my ($warning) = @{ run_sql($node, 'postgres', q{SELECT create_market_investor_trend('ahead')})->{warnings} };
	is("$warning->{sqlstate} $warning->{message}", "$sqlstate $failed", 'the same where the store is made');
	like($warning->{detail}, qr/^It failed: \S.*\.$/, 'which says why');
	is($warning->{hint}, 'Ask the owner.', 'and what to do') if $sqlstate eq 'KT001';
	value($allow);
	is(collect('ahead'), 'unchanged', 'then it is made');
	is(value($december), 1, 'and there');
}

# A collection of many pairs says it once
value(q{DROP TABLE ahead_snapshot_y2026m12; CREATE TABLE ahead_snapshot_y2026m12 (a int)});
is(scalar @{ run_sql($node, 'postgres', q{SELECT FROM collect_market_investor_trend('{KSP,KSQ,ETF,ETN}', store => 'ahead')})->{warnings} }, 1, 'one warning a collection');
value(q{DROP TABLE ahead_snapshot_y2026m12});

# Who may not make it is told while there is time
value('CREATE ROLE clerk; GRANT USAGE ON FOREIGN SERVER kis TO clerk; GRANT SELECT, INSERT, UPDATE ON ahead, ahead_snapshot TO clerk; GRANT INSERT ON ahead_collection TO clerk;');
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
is(collect('ahead', 'clerk'), "unchanged 42501 $failed", 'a role without the right: a warning');

# A cancel is none of that
value(q{CREATE FUNCTION stand() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); END';
	CREATE EVENT TRIGGER stand ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION stand()});
my ($holder, $collector) = map { $node->session } 1 .. 2;

$holder->query_safe('BEGIN; SELECT pg_advisory_xact_lock(7)');
show(77);
$collector->send(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => 'ahead')});
wait_until_blocked($node, $collector);
value('SELECT pg_cancel_backend(' . $collector->pid . ')');
is($collector->result->{errors}[0]{sqlstate}, '57014', 'a collection that is held up as it makes the next month can be cancelled');
$holder->query_safe('ROLLBACK');
is(value('SELECT count(*) FROM ahead WHERE foreign_net_qty = 77'), 0, 'as a whole');
is(($collector->error(q{SET lock_timeout = '1ms'; BEGIN}))[0], undef, 'a time-out for locks');
$holder->query_safe('BEGIN; SELECT pg_advisory_xact_lock(7)');
my $result = $collector->query(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => 'ahead')});
is("$result->{output} $result->{warnings}[0]{sqlstate}", 'updated 55P03', 'is a warning');
$collector->query_safe('COMMIT');
$holder->query_safe('ROLLBACK');
is(value('SELECT count(*) FROM ahead WHERE foreign_net_qty = 77'), 1, 'and what was collected is there');
value('DROP EVENT TRIGGER stand');
$_->quit foreach $holder, $collector;

# In a subtransaction of the caller's, and under the stricter isolation
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	value('DROP TABLE IF EXISTS ahead_snapshot_y2026m12');
	is(value(qq{SET client_min_messages = warning; BEGIN ISOLATION LEVEL $level; SAVEPOINT a;
		SELECT FROM collect_market_investor_trend('{KSP/0001}', store => 'ahead'); RELEASE a; COMMIT; $december}), 1, "$level: made in a subtransaction");
}

# A transaction that has begun before there was the table
{
	my ($old, $maker) = map { $node->session } 1 .. 2;

	$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
	$maker->query_safe(q{SELECT create_market_investor_trend('new'); DROP TABLE new_snapshot_y2026m11, new_snapshot_y2026m12});
	my $result = $old->query(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => 'new')});
	is_deeply([ $result->{output}, $result->{messages} ], [ 'inserted', [] ], 'makes its partitions all the same');
	$old->query_safe('COMMIT');
	is(partitions('new') =~ s/ FROM.*?\)(?= |;|$)//gr =~ s/ TO \(.*?\)//gr, 'new_snapshot_y2026m11; new_snapshot_y2026m12', 'with the months');
	$_->quit foreach $old, $maker;
}

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$node->stop;
done_testing();
