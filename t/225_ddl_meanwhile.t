# Tables, schemas and servers that another session drops or replaces while a
# call looks them up: the call goes on with what is there, or says what is not;
# it never raises an internal error. Then DDL and use at once, at random.
#
# KIS_TEST_LONG=N: at random for N minutes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;

# Statements that fail have secrets in them, which are not for the log
my $node = new_node('main', conf => q{
deadlock_timeout = 50ms
log_statement = none
log_min_error_statement = panic
});

setup($node, 'postgres', $simulator, session_start => '00:00');

sub value { return $node->safe_psql('postgres', $_[0]) }

# How many locks the session waits for. Asked in another database: a new session of
# this one may have to read a catalogue that is locked.
sub waits_for
{
	my ($session, $condition) = @_;
	return $node->safe_psql('template1', 'SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = '
		  . $session->pid . " AND $condition");
}

# What use comes to that starts after DDL and waits until it is committed:
# "SQLSTATE message", or its output. In a new session, which knows nothing yet,
# or what it has learned by a query before.
sub meanwhile
{
	my ($ddl, $use, $before) = @_;
	my ($a, $b) = map { $node->session } 1 .. 2;

	$b->query_safe($before) if defined $before;
	$a->query_safe("BEGIN; $ddl");
	$b->send($use);
	my $waits = eventually { $b->is_done || waits_for($b, 'true') };
	ok($waits && !$b->is_done, "waits: $use") or diag($ddl);
	$a->query_safe('COMMIT');
	my $result = $b->result;
	my ($error) = @{ $result->{errors} };

	$_->quit foreach $a, $b;
	return $error ? "$error->{sqlstate} $error->{message}" : $result->{output};
}

my $collect = q{SELECT string_agg(market_code || ' ' || outcome, ', ') FROM collect_market_investor_trend('{KSP}')};
my $backfill = q{CALL backfill_market_investor_trend('2026-06-01', '2026-06-03', '{KSP/0001}')};
my $create = 'SELECT create_market_investor_trend()';
my $store = 'market_investor_trend';
my $tables = q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
	WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname LIKE 'market\_investor\_trend%'
	AND NOT relispartition};
my $all = join ' ', $store, "${store}_by_investor", "${store}_collection", "${store}_intraday", "${store}_snapshot";

# The store anew, whatever there is
sub begin
{
	value("DROP TABLE IF EXISTS $store CASCADE; DROP TABLE IF EXISTS ${store}_snapshot CASCADE; $create");
	return;
}

# ---- the store's tables ------------------------------------------------------

my @cases = (
	# a table that goes
	[ "DROP TABLE ${store}_snapshot CASCADE", $collect, 'KSP inserted', 'collection: the snapshots go' ],
	[ "DROP TABLE ${store}_snapshot CASCADE; DROP TABLE $store CASCADE", $collect, qq{42P01 store "$store" does not exist}, 'collection: both go' ],
	[ "DROP TABLE $store CASCADE", $collect, qq{42P01 store "$store" does not exist}, 'collection: the store goes' ],
	[ "DROP TABLE $store CASCADE", $backfill, qq{42P01 store "$store" does not exist}, 'backfill: the store goes' ],
	[ "DROP TABLE ${store}_snapshot CASCADE", $create, '', 'create: the snapshots go', $all ],
	[ "DROP TABLE $store CASCADE", $create, '', 'create: the store goes', $all ],
	[ "DROP VIEW ${store}_by_investor", $create, '', 'create: the view goes', $all ],
	# a table that is replaced: create_market_investor_trend() itself locks the schema
	[ "CREATE TABLE other (LIKE ${store}_snapshot INCLUDING ALL); DROP TABLE ${store}_snapshot CASCADE; ALTER TABLE other RENAME TO ${store}_snapshot",
		$collect, 'KSP inserted', 'collection: other snapshots' ],
	[ "CREATE TABLE other (LIKE $store INCLUDING ALL); DROP TABLE $store CASCADE; ALTER TABLE other RENAME TO $store",
		$collect, 'KSP inserted', 'collection: another store' ],
	[ "CREATE TABLE other (LIKE ${store}_snapshot INCLUDING ALL); DROP TABLE ${store}_snapshot CASCADE; ALTER TABLE other RENAME TO ${store}_snapshot",
		$create, '', 'create: other snapshots', $all ],
	[ "CREATE TABLE other (LIKE $store INCLUDING ALL); DROP TABLE $store CASCADE; ALTER TABLE other RENAME TO $store",
		$create, '', 'create: another store', $all ],
	[ "DROP TABLE ${store}_snapshot CASCADE; CREATE VIEW ${store}_snapshot AS SELECT 1 AS one",
		$collect, qq{42P16 relation "${store}_snapshot" cannot hold investor flows}, 'collection: a view in their place' ],
	[ "DROP TABLE ${store}_snapshot, $store CASCADE; $create", $collect, 'KSP inserted', 'collection: all is made anew' ],
	[ "DROP TABLE ${store}_snapshot, $store CASCADE; $create", $create, '', 'create: all is made anew', $all ]);

foreach my $case (@cases)
{
	my ($ddl, $use, $result, $name, $there) = @$case;

	begin();
	is(meanwhile($ddl, $use), $result, $name);
	is(value($tables), $there, "$name: what is there then") if defined $there;
	value("DROP VIEW IF EXISTS ${store}_snapshot") if $ddl =~ /CREATE VIEW/;
}
begin();

# ---- the schema ----------------------------------------------------------------

value('CREATE SCHEMA sx');
is(meanwhile('DROP SCHEMA sx CASCADE', q{SELECT create_market_investor_trend('sx.a')}),
	'3F000 schema "sx" does not exist', 'create: the schema goes');
value('CREATE SCHEMA sx');
is(meanwhile('DROP SCHEMA sx CASCADE; CREATE SCHEMA sx', q{SELECT create_market_investor_trend('sx.a')}),
	'', 'create: another schema');
is(value(q{SELECT to_regclass('sx.a'), to_regclass('sx.a_by_investor'), to_regclass('sx.a_snapshot')}),
	'sx.a|sx.a_by_investor|sx.a_snapshot', 'has it all');
is(meanwhile('DROP SCHEMA sx CASCADE', q{SET search_path = sx, public; SELECT create_market_investor_trend('b')}),
	'', 'create: the first schema of the path goes');
is(value(q{SELECT to_regclass('b'), to_regclass('b_by_investor'), to_regclass('b_snapshot')}),
	'b|b_by_investor|b_snapshot', 'and the next has it');

# ---- the server ----------------------------------------------------------------

# A call has found the server and waits to read the catalogue that is locked
my $again = setup_sql($simulator, session_start => '00:00');
my $gone = qr/^42704 server (?:with OID \d+|"kis") does not exist$/;

foreach my $case (
	[ $collect, 'pg_foreign_data_wrapper' ], [ $backfill, 'pg_foreign_data_wrapper' ],
	[ $collect, 'pg_user_mapping' ], [ $backfill, 'pg_user_mapping' ])
{
	my ($use, $catalog) = @$case;
	my ($name) = $use =~ /(collect|backfill)/;

	like(meanwhile("DROP SERVER kis CASCADE; LOCK TABLE pg_catalog.$catalog", $use), $gone, "$name: the server goes, $catalog");
	value($again);
}
# One that knows the server by its name waits to read the rest of it
foreach my $use ($collect, $backfill, 'SELECT count(*) FROM kis_check()')
{
	like(meanwhile('DROP SERVER kis CASCADE; LOCK TABLE pg_catalog.pg_foreign_server', $use,
			q{SELECT pg_get_object_address('server', '{kis}', '{}')}), $gone, "the server goes that is known by name: $use");
	value($again);
}
foreach my $catalog (qw(pg_foreign_server pg_foreign_data_wrapper))
{
	is(meanwhile("DROP SERVER kis CASCADE; LOCK TABLE pg_catalog.$catalog", 'SELECT kis_comment_tables()'),
		0, "comments: the server goes, $catalog");
	value($again);
}

# ---- the server and the mapping at once --------------------------------------------

# A collection that has read the mapping, and then has to read the server again,
# sends no key of before to another server. It is held up before both, by locks.
{
	my $new_key = 'N' x 36;
	my $other = KisTest::Simulator->new(config => { accounts => { $new_key => 'S' x 180 } });
	my ($mover, $locker, $collector) = map { $node->session } 1 .. 3;
	my $columns = join ', ', map { "c$_ int" } 1 .. 1600;
	my $waits_for = sub {
		my ($catalog) = @_;
		return eventually { waits_for($collector, "relation = 'pg_catalog.$catalog'::regclass") };
	};

	$simulator->reset;
	$mover->query_safe("BEGIN; ALTER SERVER kis OPTIONS (SET base_url '" . $other->url . "');"
		  . " ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (SET app_key '$new_key', SET app_secret '" . 'S' x 180 . "')");
	# so many changes that sessions forget all that they know of the catalog
	$locker->query_safe("BEGIN; CREATE TEMP TABLE wide ($columns); CREATE TEMP TABLE wide2 ($columns); LOCK TABLE pg_catalog.pg_user_mapping");
	$collector->send($collect);
	ok($waits_for->('pg_user_mapping'), 'a collection waits for the mapping');
	$mover->query_safe('LOCK TABLE pg_catalog.pg_foreign_server');
	$locker->query_safe('COMMIT');
	ok($waits_for->('pg_foreign_server'), 'has it, and waits for the server');
	$mover->query_safe('COMMIT');
	is($collector->result->{output}, 'KSP inserted', 'both have changed: it goes on');
	is_deeply([ $simulator->requests ], [], 'the server of before is not asked');
	is_deeply([ map { $_->{headers}{appkey} // decode_json($_->{body})->{appkey} } $other->requests ], [ ($new_key) x 2 ],
		'the new one gets its own key alone, for a token and a call');
	$_->quit foreach $mover, $locker, $collector;
	$other->stop;
	value("DROP SERVER kis CASCADE; $again");
}

# ---- the user mapping, by code that an index of the store runs -------------------

my ($mapping) = $again =~ /^(CREATE USER MAPPING .*);$/m;

# All names have their schema, as an index is made without a search_path from 17 on
value(q{
	CREATE FUNCTION replace_mapping() RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		IF current_setting('test.replace', true) = 'on' THEN
			PERFORM set_config('test.replace', 'off', false);
			DROP USER MAPPING FOR CURRENT_USER SERVER kis;
			BEGIN
				PERFORM FROM public.kis_market_trend WHERE market_code = 'KSP';
			EXCEPTION WHEN undefined_object THEN
				NULL;
			END;
		END IF;
		RETURN 1;
	END $$;
	CREATE FUNCTION constant() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN public.replace_mapping(); END';
	SELECT create_market_investor_trend('indexed');
	ALTER TABLE indexed DROP CONSTRAINT indexed_market_code_sector_code_trade_date_key;
	CREATE INDEX ON indexed ((constant() + id));
	ALTER TABLE indexed ADD UNIQUE (market_code, sector_code, trade_date);});
# A collection has its mapping from the beginning to the end; each page of a backfill looks it up
foreach my $case (
	[ q{SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'indexed')}, 'inserted' ],
	[ q{CALL backfill_market_investor_trend('2025-01-01', '2026-06-03', '{KSP/0001}', store => 'indexed')},
		'42704 user mapping not found for user "postgres", server "kis"' ])
{
	my ($use, $expected) = @$case;
	my $session = $node->session;
	my $result = $session->query("SET test.replace = 'on'; $use; ");
	my ($error) = @{ $result->{errors} };

	is($error ? "$error->{sqlstate} $error->{message}" : $result->{output}, $expected,
		"the mapping goes while rows are stored: $use");
	$session->quit;
	value("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER kis; $mapping");
}
value('DROP TABLE indexed CASCADE; DROP TABLE indexed_snapshot CASCADE');

# ---- at random -----------------------------------------------------------------

my $seconds = $ENV{KIS_TEST_LONG} ? $ENV{KIS_TEST_LONG} * 60 : 5;
my $seed = int(Time::HiRes::time() * 1000) % 2**31;
my ($server) = $again =~ /^(CREATE SERVER .*);$/m;
my $month = value(q{SELECT to_char(now() AT TIME ZONE 'Asia/Seoul', '"y"YYYY"m"MM')});
my @server_ddl = (
	'DROP SERVER kis CASCADE', ($server) x 2, ($mapping) x 4,
	'DROP USER MAPPING FOR CURRENT_USER SERVER kis', 'DROP FOREIGN TABLE kis_market_trend',
	('IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_market_trend) FROM SERVER kis INTO public') x 2,
	q{ALTER SERVER kis OPTIONS (SET cache_ttl '1ms')}, q{ALTER FOREIGN TABLE kis_market_trend OPTIONS (ADD pairs 'all')},
	'ALTER FOREIGN TABLE kis_market_trend DROP COLUMN foreign_net_qty',
	'ALTER FOREIGN TABLE kis_market_trend ADD COLUMN foreign_net_qty bigint');
my @store_ddl = (
	"DROP TABLE $store CASCADE", "DROP TABLE ${store}_snapshot CASCADE", ($create) x 3, "DROP VIEW ${store}_by_investor",
	"DROP TABLE ${store}_snapshot_$month", "ALTER TABLE $store RENAME TO away", "ALTER TABLE away RENAME TO $store");
my @use = (
	q{SELECT * FROM kis_market_trend WHERE market_code = 'KSP'}, 'SELECT count(*) FROM kis_market_trend',
	($collect) x 2, 'SELECT count(*) FROM collect_market_investor_trend()', $backfill, 'SELECT count(*) FROM kis_check()',
	'SELECT kis_comment_tables()', 'EXPLAIN SELECT * FROM kis_market_trend', $create);
my @players = map { { statements => $_, session => $node->session } }
  \@server_ddl, \@store_ddl, \@store_ddl, (\@use) x 3;
my $until = Time::HiRes::time() + $seconds;
my (%ends, @internal);

sub end_of
{
	my ($player) = @_;
	my $result = $player->{session}->result;
	my ($error) = @{ $result->{errors} };
	my $sqlstate = $error ? $error->{sqlstate} : $player->{session}->is_closed ? 'closed' : '00000';

	$ends{$sqlstate}++;
	# What drops or alters tables comes nowhere near us: PostgreSQL's own races, such as
	# "could not find tuple for parent", end there
	push @internal, "$sqlstate " . ($error ? $error->{message} : '') . ": $player->{running}"
	  if $sqlstate eq 'closed' || $sqlstate =~ /^XX/ && $player->{running} !~ /^(?:DROP|ALTER) (?:TABLE|VIEW)/;
	return;
}

srand $seed;
while (Time::HiRes::time() < $until && !@internal)
{
	my $idle = 1;

	foreach my $player (@players)
	{
		if (defined $player->{running})
		{
			next unless $player->{session}->is_done;
			end_of($player);
		}
		$player->{running} = $player->{statements}[ rand @{ $player->{statements} } ];
		$player->{session}->send($player->{running});
		$idle = 0;
	}
	Time::HiRes::sleep(0.001) if $idle;
}
foreach my $player (@players)
{
	end_of($player);
	$player->{session}->quit;
}
is_deeply(\@internal, [], "DDL and use at once: no internal error; seed $seed");
ok($ends{'00000'}, 'some succeed');
note(join ', ', map { "$_ $ends{$_}" } sort keys %ends);
unlike(slurp_log($node), qr/terminated by signal|TRAP/, 'no backend crashed');

done_testing();
