# The collection at work with others: several at once, tables of the user's
# own, rights, and settings that must not matter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

# Whatever day it is, the session has begun
setup($node, 'postgres', $simulator, session_start => '00:00');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub outcome
{
	my ($targets, $store) = @_;
	$store = 'market_investor_trend' unless defined $store;

	return "SELECT string_agg(concat_ws(' ', market_code, outcome, detail), ', ')"
	  . " FROM collect_market_investor_trend('{$targets}', store => '$store')";
}

sub show
{
	my ($figure) = @_;

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => "$figure" } });
	return;
}

sub wait_for_lock
{
	my ($session) = @_;

	return eventually {
		value('SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ' . $session->pid) };
}

my $stored = "SELECT foreign_net_qty FROM market_investor_trend WHERE market_code = 'KSP'";
my @sessions = map { $node->session('postgres') } 1 .. 4;
my ($a, $b) = @sessions;

# ---- two collectors and one row

# Both find none, one comes first
show(1);
$a->query_safe('BEGIN');
is($a->query_safe(outcome('KSP')), 'KSP inserted', 'the first of two');
$b->send(outcome('KSP'));
ok(wait_for_lock($b), 'the second waits for the first');
$a->query_safe('COMMIT');
is($b->result->{output}, 'KSP unchanged', 'and takes the row as the first left it');
is(value('SELECT count(*) FROM market_investor_trend'), 1, 'there is one row');

# An answer that came earlier and is written later
$a->query_safe('BEGIN');
show(2);
$a->query_safe(outcome('KSP'));
show(3);
$b->send(outcome('KSP'));
ok(wait_for_lock($b), 'an answer that waits for the row');
show(4);
is($a->query_safe(outcome('KSP')), 'KSP updated', 'while a newer one is written');
$a->query_safe('COMMIT');
like($b->result->{output}, qr/^KSP skipped older than what is stored, of \d/, 'is the older one now');
is(value($stored), 4, 'and the newer one stays');

# The same where the first one goes back
$a->query_safe('BEGIN');
show(5);
$a->query_safe(outcome('KSP'));
$b->send(outcome('KSP'));
ok(wait_for_lock($b), 'an answer that waits');
$a->query_safe('ROLLBACK');
is($b->result->{output}, 'KSP updated', 'is written when the other is rolled back');

# With a snapshot of the database that is older
show(6);
$b->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$b->query_safe($stored);
$a->query_safe(outcome('KSP'));
is(($b->error(outcome('KSP')))[0], '40001', 'a serialization failure under REPEATABLE READ');
$b->query_safe('ROLLBACK');
$node->safe_psql('postgres', 'DELETE FROM market_investor_trend');
$b->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$b->query_safe($stored);
$a->query_safe(outcome('KSP'));
is(($b->error(outcome('KSP')))[0], '40001', 'also where the row is new');
$b->query_safe('ROLLBACK');

# ---- many collectors at once, with targets in any order

my $rounds = 10;
$node->safe_psql('postgres', 'DELETE FROM market_investor_trend');
$node->safe_psql('postgres', q{
	CREATE PROCEDURE collect_often(rounds int, backwards boolean) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. rounds LOOP
			PERFORM collect_market_investor_trend(ARRAY(
				SELECT market_code || '/' || sector_code FROM kis_sector WHERE headline
				ORDER BY row_number() OVER () * CASE WHEN backwards THEN -1 ELSE 1 END));
			COMMIT;
		END LOOP;
	END $$});
$simulator->config(clock => '2026-07-10T10:30:00', clock_speed => 600);
$sessions[$_]->send("CALL collect_often($rounds, " . ($_ % 2 ? 'true' : 'false') . ')') foreach 0 .. 3;
is_deeply([ map { $_->{message} } map { @{ $sessions[$_]->result->{errors} } } 0 .. 3 ], [],
	'four at once, no deadlock and no duplicate');
is(value('SELECT count(*), count(DISTINCT (market_code, sector_code)) FROM market_investor_trend'), '19|19',
	'a row a pair');
is(value(q{SELECT count(*) FROM market_investor_trend m JOIN (SELECT DISTINCT ON (market_code, sector_code) *
	FROM market_investor_trend_snapshot ORDER BY market_code, sector_code, collected_at DESC) s
	USING (market_code, sector_code) WHERE m.foreign_net_qty <> s.foreign_net_qty OR m.collected_at < s.collected_at}),
	0, 'with the newest answer');
$simulator->config(clock => '2026-07-10T10:30:00');

# ---- stores made at once

$a->query_safe('BEGIN');
$a->query_safe("SELECT create_market_investor_trend('twice')");
$b->send("SELECT create_market_investor_trend('twice')");
ok(wait_for_lock($b), 'a second one who makes the same store waits');
$a->query_safe('COMMIT');
is_deeply($b->result->{messages}, [], 'and leaves it as it is, without a word');
$_->quit foreach @sessions;

# ---- in the caller's transaction

show(7);
$node->safe_psql('postgres', 'BEGIN; ' . outcome('KSP') . '; ROLLBACK');
isnt(value($stored), 7, 'what is rolled back is not stored');
$node->safe_psql('postgres', outcome('KSP'));
is(value($stored), 7, 'what is committed is');

# ---- tables of the user's own

my @columns = split /\n/, value(q{SELECT attname FROM pg_attribute
	WHERE attrelid = 'market_investor_trend_snapshot'::regclass AND atttypid = 'int8'::regtype ORDER BY attnum});
my @eighteen = grep { /^(foreign|individual|institution|securities|investment_trust|pe_fund|bank|insurance|pension_fund)_net_/ } @columns;
my $key = 'market_code varchar(3), sector_code varchar(4), collected_at timestamptz, trade_date date';
my $unique = 'UNIQUE (trade_date, market_code, sector_code)';

is(scalar @eighteen, 18, 'the first design has 18 figures');
$node->safe_psql('postgres', "CREATE TABLE eighteen ($key, note text DEFAULT 'mine', $unique, "
	  . join(', ', map { "$_ bigint" } @eighteen) . ')');
$node->safe_psql('postgres', "CREATE TABLE all_of_them ($key, $unique, "
	  . join(', ', map { "$_ numeric(20)" } @columns) . ')');
$node->safe_psql('postgres', "CREATE TABLE theirs ($key, frgn_ntby_qty bigint, foreign_net_amount bigint"
	  . " GENERATED ALWAYS AS (frgn_ntby_qty * 2) STORED, $unique)");
$node->safe_psql('postgres', "CREATE TABLE parted ($key, foreign_net_qty bigint, $unique)"
	  . ' PARTITION BY HASH (market_code);'
	  . ' CREATE TABLE parted_one PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)');
foreach my $store (qw(eighteen all_of_them theirs parted))
{
	show(8);
	is(value(outcome('KSP/0001', $store)), 'KSP inserted', "$store: inserted");
	is(value(outcome('KSP/0001', $store)), 'KSP unchanged', "$store: unchanged");
	show(9);
	is(value(outcome('KSP/0001', $store)), 'KSP updated', "$store: updated");
}
is(value('SELECT num_nonnulls(' . join(', ', @eighteen) . '), foreign_net_qty, note FROM eighteen'),
	'18|9|mine', 'a store of 18 figures');
is(value('SELECT num_nonnulls(' . join(', ', @columns) . '), foreign_net_qty FROM all_of_them'),
	'72|9', 'a store of 72');
is(value('SELECT frgn_ntby_qty, foreign_net_amount FROM theirs'), '9|18', 'a store with KIS\'s name, and a column that is generated');
is(value('SELECT foreign_net_qty FROM parted_one'), '9', 'a store in partitions');
is(value('SELECT count(*) FROM all_of_them a JOIN market_investor_trend_snapshot s USING ('
		  . join(', ', 'market_code', 'sector_code', grep { $_ ne 'foreign_net_qty' } @columns) . ')') > 0,
	1, 'all 72 as in a snapshot of the same figures');

# ---- a temporary store comes first

my $session = $node->session('postgres');
$session->query_safe('CREATE TEMPORARY TABLE market_investor_trend (LIKE eighteen INCLUDING ALL)');
my $snapshots = value('SELECT count(*) FROM market_investor_trend_snapshot');
show(10);
is($session->query_safe(outcome('KSP/0001')), 'KSP inserted', 'the store is found by search_path');
is(value($stored), 7, 'another of that name is left alone');
is(value('SELECT count(*) FROM market_investor_trend_snapshot'), $snapshots, 'and so are its snapshots');
$session->quit;

# ---- rights; nothing is asked in vain

$node->safe_psql('postgres', 'CREATE ROLE clerk; CREATE TABLE asked (LIKE eighteen INCLUDING ALL)');
$simulator->reset(keep_tokens => JSON::PP::true);
my @wants = (
	[ 'GRANT USAGE ON FOREIGN SERVER kis TO clerk',
		'42501 permission denied for foreign server kis', 'USAGE on the server' ],
	[ "SET log_statement = 'none'; CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key "
		  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')',
		'42704 user mapping not found for user "clerk", server "kis"', 'a user mapping' ],
	[ 'GRANT SELECT ON asked TO clerk', '42501 permission denied for table asked', 'SELECT' ],
	[ 'GRANT INSERT ON asked TO clerk', '42501 permission denied for table asked', 'INSERT' ],
	[ 'GRANT UPDATE ON asked TO clerk', '42501 permission denied for table asked', 'UPDATE' ]);
foreach my $want (@wants)
{
	my ($grant, $error, $right) = @$want;
	my ($sqlstate, $message) = sql_error($node, 'postgres', 'SET ROLE clerk; ' . outcome('KSP', 'asked'));

	is("$sqlstate $message", $error, "it takes $right");
	$node->safe_psql('postgres', $grant);
}
is($simulator->calls('any'), 0, 'and nothing was asked without');
is(value('SET ROLE clerk; ' . outcome('KSP', 'asked')), 'KSP inserted', 'it takes no more');
is((sql_error($node, 'postgres', "SET ROLE clerk; SELECT create_market_investor_trend('clerks')"))[0], '42501',
	'no store without the right to create');

# Rights on columns, and row security that hides the row
$node->safe_psql('postgres', q{
	REVOKE ALL ON asked FROM clerk; GRANT SELECT ON asked TO clerk;
	GRANT INSERT (market_code, sector_code, collected_at, trade_date), UPDATE (collected_at) ON asked TO clerk;});
is((sql_error($node, 'postgres', 'SET ROLE clerk; ' . outcome('KSQ', 'asked')))[0], '42501',
	'rights on some columns alone');
$node->safe_psql('postgres', q{
	GRANT SELECT, INSERT, UPDATE ON asked TO clerk;
	ALTER TABLE asked ENABLE ROW LEVEL SECURITY;
	CREATE POLICY no_ksp ON asked TO clerk USING (market_code <> 'KSP') WITH CHECK (true);});
is(value('SET ROLE clerk; ' . outcome('KSQ', 'asked')), 'KSQ inserted', 'row security: a row of his');
is((sql_error($node, 'postgres', 'SET ROLE clerk; ' . outcome('KSP', 'asked')))[0], '42501',
	'row security: a row that is there and hidden');

# A trigger that keeps rows out
$node->safe_psql('postgres', q{
	CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER keep_out BEFORE INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION keep_out()});
my ($sqlstate, $message) = sql_error($node, 'postgres', outcome('KSQ', 'theirs'));
is("$sqlstate $message", '55000 could not write the row of KSQ/1001 to table "theirs"', 'a trigger in the way');

# Another's server and mapping: the caller's own are used
is((sql_error($node, 'postgres', 'SELECT * FROM collect_market_investor_trend(source => \'"KIS"\')'))[0], '42704',
	'a server by its exact name');

# ---- standing settings that must not matter

$node->safe_psql('postgres', q{
	CREATE SCHEMA evil;
	CREATE FUNCTION evil.wrong(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE FUNCTION evil.wrong(bigint[], bigint[]) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE FUNCTION evil.wrong(date, date) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE FUNCTION evil.wrong(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.wrong);
	CREATE OPERATOR evil.= (LEFTARG = bigint[], RIGHTARG = bigint[], FUNCTION = evil.wrong);
	CREATE OPERATOR evil.= (LEFTARG = date, RIGHTARG = date, FUNCTION = evil.wrong);
	CREATE OPERATOR evil.< (LEFTARG = date, RIGHTARG = date, FUNCTION = evil.wrong);
	CREATE OPERATOR evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.wrong);
	CREATE OPERATOR evil.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.wrong);
	CREATE DOMAIN evil.text AS pg_catalog.int4;
	CREATE DOMAIN evil.date AS pg_catalog.int4;
	CREATE DOMAIN evil.timestamptz AS pg_catalog.int4;
	CREATE TABLE seen (path text);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO seen VALUES (pg_catalog.current_setting('search_path')); RETURN NULL; END $$;});
my $evil = "SET search_path = evil, pg_catalog, public; SET datestyle = 'German'; SET timezone = 'Asia/Kolkata';"
  . ' SET intervalstyle = sql_standard;'
  # which 19 has no more
  . ($node->pg_version < '19devel' ? ' SET standard_conforming_strings = off;' : '')
  . ' SET default_transaction_isolation = serializable; SET quote_all_identifiers = on; ';
is(value("$evil SELECT public.create_market_investor_trend('public.\"It''s mine\"')"), '',
	'a store made under a search_path of somebody else\'s');
$node->safe_psql('postgres', q{CREATE TRIGGER see AFTER INSERT OR UPDATE ON "It's mine" EXECUTE FUNCTION see()});
foreach my $figure (11, 11, 12)
{
	show($figure);
	$node->safe_psql('postgres', "$evil SELECT public.collect_market_investor_trend('{KSP}',"
		  . " store => 'public.\"It''s mine\"')");
}
is(value(q{SELECT foreign_net_qty, source FROM "It's mine"}), '12|live', 'and filled under it');
is(value(q{SELECT count(*) FROM "It's mine_snapshot"}), 2, 'with its snapshots');
is(value('SELECT count(*), string_agg(DISTINCT path, \';\') FROM seen'), '3|evil, pg_catalog, public',
	'triggers run under the caller\'s path');

# ---- rows that came with their ids --------------------------------------------------

# As COPY, logical replication and dumps of INSERTs bring them: what counts them stands behind
my $create_numbered = q{SELECT create_market_investor_trend('public."Numbered"', snapshots => false)};
my $numbered = outcome('KSP/0001', '"Numbered"');

foreach my $case (
	[ 'our own store', undef, '1 1000' ],
	[ 'an identity by default', 'bigint GENERATED BY DEFAULT AS IDENTITY', '1 1000' ],
	[ 'a small one that was never used', 'smallint GENERATED ALWAYS AS IDENTITY', '1' ],
	[ 'an identity of large steps', 'bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 10)', '10 20 25' ],
	[ 'one that counts down', 'bigint GENERATED ALWAYS AS IDENTITY (START -1 INCREMENT -1)', '-1 -2 -500' ],
	[ 'a serial', 'serial', '1 2 3' ])
{
	my ($name, $type, $ids) = @$case;
	my @ids = split / /, $ids;
	my $insert = join '; ', map { qq{INSERT INTO "Numbered" ("Id", market_code, sector_code, collected_at, trade_date, foreign_net_qty)
		OVERRIDING SYSTEM VALUE VALUES ($ids[$_], 'OLD', '0001', '2020-01-01 16:00+09', date '2020-01-01' + $_, 1)} } 0 .. $#ids;

	if (defined $type)
	{
		value(qq{CREATE TABLE "Numbered" ("Id" $type PRIMARY KEY, $key, foreign_net_qty bigint, $unique)});
	}
	else
	{
		value($create_numbered);
		$insert =~ s/"Id"/id/g;
		value(q{ALTER TABLE "Numbered" ALTER source SET DEFAULT 'live'});
	}
	value($insert);
	my ($sqlstate, undef, undef, $hint) = sql_error($node, 'postgres', $numbered);
	is($sqlstate, '23505', "$name: an id that is taken");
	is($hint, q{If rows came with their ids, as by COPY or logical replication, SELECT create_market_investor_trend('public."Numbered"') has new ones counted on from there.},
		'and what to do');
	is((sql_error($node, 'postgres', $create_numbered))[0], undef, 'is done');
	is(value($numbered), 'KSP inserted', 'and it goes on');
	is(value(outcome('KSQ/1001', '"Numbered"')), 'KSQ inserted', 'and on');
	my $next = $node->safe_psql('postgres', qq{SELECT pg_sequence_last_value(pg_get_serial_sequence('"Numbered"', '@{[ $type ? 'Id' : 'id' ]}'))});
	value($create_numbered);
	is($node->safe_psql('postgres', qq{SELECT pg_sequence_last_value(pg_get_serial_sequence('"Numbered"', '@{[ $type ? 'Id' : 'id' ]}'))}), $next,
		'once more nothing is changed');
	value('DROP TABLE "Numbered" CASCADE');
}

# What is counted may be no number
value(qq{CREATE TABLE "Numbered" ("Id" text PRIMARY KEY, $key, foreign_net_qty bigint, $unique); CREATE SEQUENCE letters OWNED BY "Numbered"."Id";
	ALTER TABLE "Numbered" ALTER "Id" SET DEFAULT 'n' || nextval('letters'); INSERT INTO "Numbered" ("Id") VALUES ('n8')});
is((sql_error($node, 'postgres', $create_numbered))[0], undef, 'a column of text that a sequence counts is left alone');
value('DROP TABLE "Numbered" CASCADE');

# Beside a collection that has an id, and one that waits for the next
value("$create_numbered; INSERT INTO \"Numbered\" (id, market_code, sector_code, collected_at, trade_date, source) OVERRIDING SYSTEM VALUE"
	  . q{ VALUES (2, 'OLD', '0001', now(), '2020-01-01', 'live'), (50, 'OLD', '0002', now(), '2020-01-01', 'live')});
my ($first, $mender, $next) = map { $node->session('postgres') } 1 .. 3;

$first->query_safe('BEGIN');
is($first->query_safe($numbered), 'KSP inserted', 'a collection that is not committed');
$mender->send($create_numbered);
wait_until_blocked($node, $mender);
$next->send(outcome('KSQ/1001', '"Numbered"'));
wait_until_blocked($node, $next);
$first->query_safe('COMMIT');
is_deeply($mender->result->{errors}, [], 'is waited for');
is($next->result->{output}, 'KSQ inserted', 'and the next one');
is(value('SELECT string_agg(id::text, \' \' ORDER BY id) FROM "Numbered"'), '1 2 50 51', 'has an id behind all');
$_->quit foreach $first, $mender, $next;

# Who may not set it leaves it as it is
value('CREATE ROLE visitor; GRANT CREATE ON SCHEMA public TO visitor; GRANT SELECT ON "Numbered", "Numbered_collection" TO visitor;'
	  . ' INSERT INTO "Numbered" (id, market_code, sector_code, collected_at, trade_date, source) OVERRIDING SYSTEM VALUE VALUES (52, \'OLD\', \'0003\', now(), \'2020-01-01\', \'live\')');
is((sql_error($node, 'postgres', "SET ROLE visitor; $create_numbered"))[0], undef, 'one who may only read it');
is((sql_error($node, 'postgres', outcome('ETF', '"Numbered"')))[0], '23505', 'mends nothing');

# An id at the end of its type leaves no room behind it
value($create_numbered);
value('INSERT INTO "Numbered" (id, market_code, sector_code, collected_at, trade_date, source)'
	  . q{ OVERRIDING SYSTEM VALUE VALUES (9223372036854775807, 'OLD', '0004', now(), '2020-01-01', 'live')});
value($create_numbered);
like(value(outcome('ETN', '"Numbered"')), qr/ETN inserted/, 'nor is an id counted on from that is the last one');

# ---- statements that write have no volatile function in them -----------------------

# Citus refuses those. What PostgreSQL parses, it shows.
{
	my %written;

	show(20);
	$node->safe_psql('postgres', q{SELECT create_market_investor_trend('strict')});
	foreach my $statement (
		(map { "SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'strict')" } 1 .. 3),
		"UPDATE strict SET collected_at = collected_at + interval '1 hour'; SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'strict')",
		(map { "CALL backfill_market_investor_trend('2026-07-08', '2026-07-09', '{KSP/0001}', store => 'strict')" } 1 .. 2),
		"UPDATE strict SET source = 'live', foreign_net_qty = 0 WHERE trade_date < '2026-07-10';"
		  . " CALL backfill_market_investor_trend('2026-07-08', '2026-07-09', '{KSP/0001}', store => 'strict')")
	{
		my $trees = run_sql($node, 'postgres', "SET client_min_messages = log; SET debug_pretty_print = off; SET debug_print_parse = on; $statement")->{stderr};

		# commands 2 to 5: UPDATE, INSERT, DELETE, MERGE
		foreach my $tree (map { s/\s+/ /gr } split /^(?=\S*\s*LOG: )/m, $trees)
		{
			my ($command) = $tree =~ /\{QUERY :commandType ([2-5]) / or next;

			$written{$command}{$_} = 1 foreach 0, $tree =~ /:(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)/g;
		}
		show(value("SELECT max(foreign_net_qty) + 1 FROM strict")) if $statement =~ /^SELECT/;
	}
	is(join(' ', sort keys %written), '2 3', 'a collection and a backfill update and insert');
	is(value('SELECT count(*), string_agg(oid::regproc::text, \' \') FILTER (WHERE provolatile = \'v\') FROM pg_proc WHERE oid IN ('
		  . join(', ', map { keys %$_ } values %written) . ')') =~ s/^([1-9]\d*)\|/some|/r, 'some|', 'by no function that is volatile');
}

# ---- limits of the server

$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD max_calls '3')");
$simulator->reset(keep_tokens => JSON::PP::true);
($sqlstate, $message) = sql_error($node, 'postgres', outcome('K2I,KSP,KSQ'));
is("$sqlstate $message", '54000 statement would take 5 calls to KIS, more than max_calls allows',
	'more targets than max_calls');
is($simulator->calls, 0, 'ask nothing');
like(value(outcome('K2I')), qr/^K2I [a-z]+(, K2I [a-z]+){2}$/, 'as many as max_calls');
is($simulator->calls, 3, 'ask that often');

# Every one fails for the same reason: a scheduler can tell which
$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00103', status => 500 } });
is((sql_error($node, 'postgres', outcome('KSP,KSQ')))[0], '28000', 'the SQLSTATE of what failed');
$simulator->fault;

# ---- text of another encoding

$node->safe_psql('postgres', "CREATE DATABASE korean ENCODING 'EUC_KR' LOCALE 'C' TEMPLATE template0");
setup($node, 'korean', $simulator, session_start => '00:00', import => 0);
is($node->safe_psql('korean', "SELECT create_market_investor_trend(); " . outcome('KSP')), "\nKSP inserted",
	'a database in EUC_KR');
is($node->safe_psql('korean', q{SET client_encoding = 'UTF8';
	SELECT col_description('market_investor_trend'::regclass, 2)}), '시장 코드 / Market code, as in kis_sector',
	'has its comments');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
