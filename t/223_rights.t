# What roles without rights try: another's keys, files of the server, a store's
# collectors. And what goes on working, as PostgreSQL has it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $thief = KisTest::Simulator->new;
# Roles that may not change what is logged set up mappings here
my $node = new_node('main', conf => "log_statement = 'none'\nlog_min_error_statement = 'panic'");
my $files = PostgreSQL::Test::Utils::tempdir();
my $url = $simulator->url;
my $keys = 'app_key ' . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret);
my $query = "SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'";

append_to_file("$files/key", $simulator->app_key);
append_to_file("$files/secret", $simulator->app_secret);
my $key_files = "app_key_file '$files/key', app_secret_file '$files/secret'";

setup($node, 'postgres', $simulator, session_start => '00:00');

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# The error of SQL as a role that has logged in, as "SQLSTATE message"; or ok
sub as_role
{
	my ($role, $sql) = @_;
	my $error = run_sql($node, 'postgres', $sql, extra_params => [ '-U', $role ])->{errors}[0];

	return $error ? "$error->{sqlstate} $error->{message}" : 'ok';
}

sub refused
{
	my ($role, $sql, $state, $name) = @_;

	like(as_role($role, $sql), qr/^$state /, "$role: $name");
	return;
}

value(qq{
	CREATE ROLE victim LOGIN; CREATE ROLE owner LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE clerk LOGIN IN ROLE pg_read_server_files;
	GRANT USAGE ON FOREIGN DATA WRAPPER market_investor_fdw TO owner;
	GRANT CREATE ON SCHEMA public TO owner, victim, clerk;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
	GRANT USAGE ON FOREIGN SERVER kis TO victim;
	CREATE USER MAPPING FOR victim SERVER kis OPTIONS ($keys);
	ALTER SERVER kis OWNER TO owner});

# ---- the owner of a server, who is no superuser --------------------------------

is(as_role('victim', $query), 'ok', 'a user of the server');
foreach my $change (
	"SET base_url '@{[$thief->url]}'", "SET base_url 'https://thief.example.com'", "SET base_url '$url/'", "SET max_calls '5'", "ADD max_calls '5'",
	"ADD proxy '@{[$thief->url]}'", "ADD ca_file '$files/key'", 'SET base_url \'http://127.0.0.1:9\', ADD max_calls \'5\'')
{
	refused('owner', "ALTER SERVER kis OPTIONS ($change)", '(?:42501|42704)', "ALTER SERVER kis OPTIONS (" . $change =~ s/:\d+/:PORT/r . ')');
}
refused('owner', "CREATE SERVER mine FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '@{[$thief->url]}')", '42501', 'a server of its own that leads elsewhere');
refused('owner', "CREATE SERVER mine TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (proxy 'http://127.0.0.1:9')", '42501', 'or by a proxy');
is(as_role('owner', 'CREATE SERVER mine FOREIGN DATA WRAPPER market_investor_fdw'), 'ok', 'owner: one that leads to KIS');
refused('owner', "ALTER SERVER mine OPTIONS (ADD base_url 'https://openapi.koreainvestment.com.thief.example.com:9443')", '42501', 'and no other place');
refused('owner', 'ALTER SERVER mine OWNER TO victim', '(?:42501|0LP01)', 'giving it away');
refused('owner', 'CREATE FOREIGN DATA WRAPPER mine HANDLER market_investor_fdw_handler', '42501', 'a wrapper of its own, without the checks');
refused('owner', 'ALTER FOREIGN DATA WRAPPER market_investor_fdw NO VALIDATOR', '42501', 'or the wrapper without them');
is(value("SELECT count(*) FROM pg_user_mappings WHERE srvname = 'kis' AND umoptions IS NOT NULL"), 2, 'the mappings have their options');
is((split /\n/, $node->safe_psql('postgres', "SELECT count(umoptions) FROM pg_user_mappings WHERE usename = 'victim'", extra_params => [ '-U', 'owner' ]))[0], 0,
	'which the owner of the server does not see');
refused('owner', 'SELECT umoptions FROM pg_user_mapping', '42501', 'pg_user_mapping');
refused('owner', $query, '42704', "a query, which doesn't use another's mapping");
refused('owner', "SET ROLE victim; $query", '42501', 'SET ROLE');
# The owner may replace a mapping, and by that loses what was in it
is(as_role('owner', q{ALTER USER MAPPING FOR victim SERVER kis OPTIONS (SET app_key 'mine')}), 'ok', "owner: another app key for a user's mapping");
refused('victim', $query, '28000', 'has that one, with the secret');
is($thief->calls('any'), 0, 'nobody was asked but KIS');
value("ALTER USER MAPPING FOR victim SERVER kis OPTIONS (SET app_key @{[sql_literal($simulator->app_key)]})");

# The right to read the server's files doesn't make who has it one who may listen
value('GRANT USAGE ON FOREIGN DATA WRAPPER market_investor_fdw TO clerk');
is(as_role('clerk', 'CREATE SERVER of_clerk FOREIGN DATA WRAPPER market_investor_fdw'), 'ok', 'clerk: a server');
refused('clerk', "CREATE SERVER another FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (proxy '@{[$thief->url]}')", '42501', 'one with a proxy');
refused('clerk', "ALTER SERVER of_clerk OPTIONS (ADD $_)", '42501', $_ =~ s/ .*//r) foreach "proxy '@{[$thief->url]}'", "ca_file '$files/key'";
value("ALTER SERVER of_clerk OPTIONS (ADD proxy 'http://127.0.0.1:9', ADD ca_file '$files/key')");
refused('clerk', "ALTER SERVER of_clerk OPTIONS ($_)", '42501', "$_ beside a superuser's proxy and ca_file")
  foreach "ADD max_calls '5'", "SET proxy 'http://127.0.0.1:10'", 'DROP proxy', 'DROP ca_file';
is(as_role('clerk', 'ALTER SERVER of_clerk OPTIONS (DROP proxy, DROP ca_file)'), 'ok', 'clerk: without them');
is(as_role('clerk', "ALTER SERVER of_clerk OPTIONS (ADD max_calls '5'); DROP SERVER of_clerk"), 'ok', 'clerk: then others, and the end');

# Who has no right to a table does not wait for whoever has locked it
my $locker = $node->session;
$locker->query_safe(q{BEGIN; ALTER FOREIGN TABLE kis_market_trend OPTIONS (ADD pairs 'all')});
refused('victim', "SET lock_timeout = '5s'; SELECT kis_comment_tables('public')", '42501', "comments on another's tables");
$locker->query_safe('ROLLBACK');
$locker->quit;

# ---- files of the server -------------------------------------------------------

foreach my $option (qw(app_key_file app_secret_file access_token_file))
{
	refused('victim', "CREATE USER MAPPING FOR victim SERVER kis OPTIONS ($option '/etc/passwd')", '42710', "a second mapping with $option");
	refused('victim', "ALTER USER MAPPING FOR victim SERVER kis OPTIONS (ADD $option '/etc/passwd')", '(?:42501|22023)', "$option");
	refused('owner', "CREATE USER MAPPING FOR owner SERVER mine OPTIONS ($option '/etc/passwd')", '42501', "$option on its own server");
}
value("GRANT USAGE ON FOREIGN SERVER kis TO clerk; CREATE USER MAPPING FOR reader SERVER kis OPTIONS ($key_files)");
is(as_role('clerk', "CREATE USER MAPPING FOR clerk SERVER kis OPTIONS ($key_files)"), 'ok', 'clerk: may, as a member of pg_read_server_files');
is(as_role($_, $query), 'ok', "$_: keys in files") foreach qw(clerk reader);
like((sql_error($node, 'postgres', "ALTER USER MAPPING FOR clerk SERVER kis OPTIONS (SET app_key_file '/etc/passwd'); SET ROLE clerk; $query"))[1],
	qr/^could not read the file of option "app_key_file"$/, 'a file that is no key is not sent, nor shown');
unlike(run_sql($node, 'postgres', $query, extra_params => [ '-U', 'clerk' ])->{stderr}, qr/root|passwd/, 'not even its name');
value("ALTER USER MAPPING FOR clerk SERVER kis OPTIONS (SET app_key_file '$files/key'); REVOKE pg_read_server_files FROM clerk");
# The right is to name files, not to use a mapping that names them: reader never had it
is(as_role('clerk', $query), 'ok', 'clerk: what was set stays, once the right is gone');
refused('clerk', "ALTER USER MAPPING FOR clerk SERVER kis OPTIONS (SET app_key_file '/etc/passwd')", '42501', 'but no other file');
refused('clerk', "ALTER USER MAPPING FOR clerk SERVER kis OPTIONS (ADD requests_per_second '1')", '42501', 'nor another option beside them');
is(as_role('clerk', 'ALTER USER MAPPING FOR clerk SERVER kis OPTIONS (DROP app_key_file, DROP app_secret_file)'), 'ok', 'clerk: but without them');
value('DROP USER MAPPING FOR clerk SERVER kis');

# ---- whose rights and keys are used ----------------------------------------------

value(q{SET ROLE victim;
	CREATE VIEW view_of_victim AS SELECT * FROM kis_market_trend;
	CREATE VIEW invoked WITH (security_invoker) AS SELECT * FROM kis_market_trend;
	CREATE FUNCTION definer() RETURNS SETOF text SECURITY DEFINER LANGUAGE sql AS 'SELECT market_code FROM kis_market_trend WHERE market_code = $$KSP$$';
	CREATE FUNCTION invoker() RETURNS SETOF text LANGUAGE sql AS 'SELECT market_code FROM kis_market_trend WHERE market_code = $$KSP$$';
	CREATE MATERIALIZED VIEW kept AS SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP';
	GRANT SELECT ON view_of_victim, invoked, kept TO PUBLIC});
foreach my $case (
	[ "SELECT market_code FROM view_of_victim WHERE market_code = 'KSP'", 'ok' ],
	[ "SELECT market_code FROM invoked WHERE market_code = 'KSP'", '42704' ],
	[ 'SELECT definer()', 'ok' ],
	[ 'SELECT invoker()', '42704' ],
	[ 'SELECT * FROM kept', 'ok' ],
	[ 'REFRESH MATERIALIZED VIEW kept', '42501' ],
	[ 'SET SESSION AUTHORIZATION victim', '42501' ],
	[ "CREATE TEMPORARY VIEW own AS SELECT * FROM view_of_victim; SELECT market_code FROM own WHERE market_code = 'KSP'", 'ok' ],
	[ "PREPARE p AS $query; EXECUTE p", '42704' ])
{
	like(as_role('owner', $case->[0]), qr/^$case->[1]/, "owner: $case->[0]");
}
# A plan that one role has made is not another's
is((sql_error($node, 'postgres', "GRANT victim TO owner; SET ROLE victim; PREPARE p AS $query; EXECUTE p; EXECUTE p; SET ROLE owner; EXECUTE p"))[1],
	'user mapping not found for user "owner", server "kis"', "a prepared statement goes by who runs it");
value('REVOKE victim FROM owner');

# ---- the store of another -----------------------------------------------------

value(q{CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO victim, owner; SET ROLE victim; SELECT create_market_investor_trend('shared.flows', snapshots => false)});
my $collect = q{SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 'shared.flows')};
refused('reader', $collect, '42501', 'another\'s store, without any right');
is(as_role('victim', $collect), 'ok', 'victim: its own store');
# Somebody who may create beside it lays a table for its snapshots, with a trigger
value(q{SET ROLE owner;
	CREATE TABLE shared.flows_snapshot (market_code text, sector_code text, collected_at timestamptz, trade_date date, foreign_net_qty bigint,
		UNIQUE (market_code, sector_code, collected_at));
	CREATE FUNCTION shared.steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$ran as %$$, current_user; END';
	CREATE TRIGGER steal BEFORE INSERT ON shared.flows_snapshot FOR EACH ROW EXECUTE FUNCTION shared.steal();
	GRANT ALL ON shared.flows_snapshot TO PUBLIC});
my @error = sql_error($node, 'postgres', "SET ROLE victim; $collect");
is("$error[0] $error[1]", '55000 relation "flows_snapshot" does not belong to the owner of its store "flows"', 'snapshots that are another role\'s are not written');
is($error[2], 'Its owner is "owner", that of the store is "victim".', 'and it says whose they are');
refused('victim', q{SELECT create_market_investor_trend('shared.flows')}, '55000', 'nor taken for a store\'s when it is made');
like((sql_error($node, 'postgres', $collect))[0], qr/^55000$/, 'nor by a superuser');
value('DROP TABLE shared.flows_snapshot CASCADE');
# Code of its indexes is not even run to see that: PostgreSQL works out what is constant in them
value(q{SET ROLE owner;
	CREATE FUNCTION shared.look(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
		IF current_user <> 'owner' THEN RAISE EXCEPTION 'ran as %', current_user; END IF;
		RETURN $1; END $$});
foreach my $table (qw(flows_snapshot laid))
{
	value(qq{SET ROLE owner;
		CREATE TABLE shared.$table (market_code text, sector_code text, collected_at timestamptz, trade_date date, foreign_net_qty bigint);
		CREATE INDEX ON shared.$table ((shared.look('x') || market_code));
		CREATE INDEX ON shared.$table (market_code) WHERE shared.look('x') || market_code = 'x';
		ALTER TABLE shared.$table ADD UNIQUE (market_code, sector_code, @{[ $table eq 'laid' ? 'trade_date' : 'collected_at' ]})});
}
refused('postgres', q{SELECT create_market_investor_trend('shared.flows')}, '55000', 'a table with such indexes is not taken for its snapshots');
is(as_role('postgres', q{SELECT create_market_investor_trend('shared.laid', snapshots => false)}), 'ok', 'and one that is taken for a store has none of them run');
value('DROP TABLE shared.flows_snapshot CASCADE; DROP TABLE shared.laid CASCADE');
# Nor may a role keep others out of a schema that it has no right to create in
value('GRANT USAGE ON SCHEMA shared TO reader');
is(as_role('reader', q{SELECT create_market_investor_trend('shared.flows', snapshots => false)}), '42501 permission denied for schema shared',
	'reader: where all is there already');
# Nor is a view taken that would pass for the store's
value('DROP VIEW shared.flows_by_investor; SET ROLE owner; CREATE VIEW shared.flows_by_investor AS SELECT 1 AS net_amount');
@error = sql_error($node, 'postgres', q{SET ROLE victim; SELECT create_market_investor_trend('shared.flows', snapshots => false)});
is("$error[0] $error[1]", '55000 relation "flows_by_investor" does not belong to the owner of its store "flows"', 'nor is a view taken for the store\'s');
value('DROP VIEW shared.flows_by_investor');
# nor can one be made there by somebody who may read the store
value('GRANT SELECT ON shared.flows TO owner');
like(as_role('owner', q{SELECT create_market_investor_trend('shared.flows', snapshots => false)}), qr/^55000/, 'nor made there in the store\'s name');
value('REVOKE SELECT ON shared.flows FROM owner');
value(q{SELECT create_market_investor_trend('shared.flows'); GRANT ALL ON shared.flows_snapshot TO victim});
is(as_role('victim', $collect), 'ok', 'victim: snapshots of a superuser');

# What a partition is made with runs as its owner, and can leave nothing behind
value(q{SET ROLE owner;
	SELECT create_market_investor_trend('shared.bait');
	CREATE INDEX ON shared.bait_snapshot ((shared.look('x') || market_code));
	SET client_min_messages = error;
	DO $$ DECLARE name regclass; BEGIN
		FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'shared.bait_snapshot'::regclass LOOP EXECUTE 'DROP TABLE ' || name; END LOOP; END $$});
my $made = run_sql($node, 'postgres', q{SELECT create_market_investor_trend('shared.bait')});
is_deeply($made->{errors}, [], "a superuser makes another's partitions as that one");
is_deeply([ map { "$_->{message}: $_->{detail}" } @{ $made->{notices} } ],
	[ qq{store "bait" belongs to role "owner": It was there already. Whoever collects into it runs its owner's triggers.} ],
	'and is told whose the store is');
is(value(q{SELECT count(*), count(*) FILTER (WHERE pg_get_userbyid(relowner) = 'owner') FROM pg_inherits JOIN pg_class ON oid = inhrelid
	WHERE inhparent = 'shared.bait_snapshot'::regclass}), '2|2', 'they are its');
value(q{SET ROLE owner;
	CREATE FUNCTION shared.leave() RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE TEMPORARY TABLE left_behind (); END';
	CREATE OR REPLACE FUNCTION shared.look(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM shared.leave(); RETURN $1; END';
	DO $$ DECLARE name regclass; BEGIN
		FOR name IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'shared.bait_snapshot'::regclass LOOP EXECUTE 'DROP TABLE ' || name; END LOOP; END $$});
like(as_role('postgres', q{SELECT create_market_investor_trend('shared.bait')}), qr/^42501 cannot create temporary table within security-restricted operation/,
	'in a security-restricted operation');

# ---- tables that a role has no right to ------------------------------------------

# They are neither described nor waited for, whatever they are; and KIS is not asked
value(qq{CREATE ROLE stranger LOGIN; GRANT USAGE ON FOREIGN SERVER kis TO stranger; CREATE USER MAPPING FOR stranger SERVER kis OPTIONS ($keys);
	CREATE SCHEMA hidden; CREATE SCHEMA closed; GRANT USAGE, CREATE ON SCHEMA hidden TO stranger;
	SET client_min_messages = warning; SET ROLE postgres;
	CREATE TABLE hidden.odd (a int, b text);
	CREATE TABLE hidden.parted (a int) PARTITION BY LIST (a);
	CREATE VIEW hidden.seen AS SELECT 1 AS one;
	CREATE MATERIALIZED VIEW hidden.kept AS SELECT 1 AS one;
	CREATE FOREIGN TABLE hidden.far (market_code text) SERVER kis OPTIONS (table_name 'kis_market_trend');
	SELECT create_market_investor_trend('hidden.flows'); SELECT create_market_investor_trend('closed.flows');
	CREATE SEQUENCE hidden.counter; CREATE TYPE hidden.kind AS (a int)});

$locker = $node->session;
my @uses = (
	sub { return "SELECT FROM collect_market_investor_trend('{KSP}', store => '$_[0]')" },
	sub { return "CALL backfill_market_investor_trend('2026-07-09', '2026-07-09', '{KSP/0001}', store => '$_[0]')" },
	sub { return "SELECT create_market_investor_trend('$_[0]')" });

$simulator->reset(keep_tokens => JSON::PP::true);
$locker->query_safe('BEGIN; LOCK hidden.odd, hidden.parted, hidden.seen, hidden.flows, hidden.flows_snapshot; ALTER FOREIGN TABLE hidden.far ADD a int;'
	  . ' ALTER SEQUENCE hidden.counter RESTART; REFRESH MATERIALIZED VIEW hidden.kept');
foreach my $case (
	[ 'hidden.odd', '42501 permission denied for table odd' ],
	[ 'hidden.parted', '42501 permission denied for table parted' ],
	[ 'hidden.seen', '42501 permission denied for view seen' ],
	[ 'hidden.kept', '42501 permission denied for materialized view kept' ],
	[ 'hidden.far', '42501 permission denied for foreign table far' ],
	[ 'hidden.flows', '42501 permission denied for table flows' ],
	[ 'hidden.counter', '42P16 relation "counter" cannot hold investor flows' ],
	[ 'hidden.kind', '42P16 relation "kind" cannot hold investor flows' ],
	[ 'hidden.odd_pkey', '42P01 store "hidden.odd_pkey" does not exist' ],
	[ 'closed.flows', '42501 permission denied for schema closed' ],
	[ 'closed.nothing', '42501 permission denied for schema closed' ])
{
	my ($store, $expected) = @$case;

	foreach my $use (map { $_->($store) } @uses)
	{
		next if $expected =~ /^42P01/ && $use =~ /create/;
		is(as_role('stranger', "SET lock_timeout = '5s'; $use"), $expected, "stranger: $use");
	}
}
$locker->query_safe('ROLLBACK');
value('GRANT SELECT, INSERT, UPDATE ON hidden.flows TO stranger');
$locker->query_safe('BEGIN; LOCK hidden.flows_snapshot');
is(as_role('stranger', "SET lock_timeout = '5s'; " . $uses[0]->('hidden.flows')), '42501 permission denied for table flows_snapshot', 'its snapshots, too');
value('GRANT SELECT, INSERT, UPDATE ON hidden.odd TO stranger');
is(as_role('stranger', $uses[0]->('hidden.odd')), '42P16 relation "odd" cannot hold investor flows', 'with the rights it is described');
value('REVOKE UPDATE ON hidden.odd FROM stranger');
is(as_role('stranger', $uses[0]->('hidden.odd')), '42501 permission denied for table odd', 'with all of them');
is($simulator->calls('any'), 0, 'nothing was asked');
$locker->query_safe('ROLLBACK');
$locker->quit;

# ---- a store in another schema is named to those who may see it -------------------

value(q{CREATE SCHEMA "Other one"; GRANT USAGE ON SCHEMA "Other one" TO stranger; SET client_min_messages = warning;
	SELECT create_market_investor_trend('"Other one"."My flows"'); CREATE TABLE "Other one".nosuch (a int); GRANT ALL ON "Other one".nosuch TO stranger});
my $hint = sub {
	my ($role, $store, $use) = @_;
	return run_sql($node, 'postgres', $uses[ $use // 0 ]->($store), extra_params => [ '-U', $role ])->{errors}[0]{hint};
};
my $named = q{There is one in another schema: name it with store => '"Other one"."My flows"'.};
is($hint->('postgres', '"My flows"', $_), $named, 'a store that is not in the search path') foreach 0, 1;
is($hint->('postgres', 'public."My flows"'), $named, 'or looked for in another schema');
is($hint->('stranger', '"My flows"'), q{Make it with SELECT create_market_investor_trend('"My flows"').}, 'not to a role without any right to it');
value('GRANT INSERT (market_code) ON "Other one"."My flows" TO stranger');
is($hint->('stranger', '"My flows"'), $named, 'but to one that has some');
value('REVOKE USAGE ON SCHEMA "Other one" FROM stranger');
is($hint->('stranger', '"My flows"'), q{Make it with SELECT create_market_investor_trend('"My flows"').}, 'nor to one that may not look into the schema');
is($hint->('postgres', 'nosuch'), q{Make it with SELECT create_market_investor_trend('nosuch').}, 'and no table that is no store');

is($thief->calls('any'), 0, 'nobody was asked but KIS');
my $log = slurp_log($node);
is(scalar(grep { index($log, $_) >= 0 } $simulator->app_key, $simulator->app_secret), 0, 'no key is in the log');
done_testing();
