# Stores that an earlier version made are brought up to date by calling
# create_market_investor_trend() again: every row stays, and what is granted and
# built on them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-11-09 10:00:00');		# a Monday
setup($node, 'postgres', $simulator, session_start => '00:00', import => 0);

sub value { return $node->safe_psql('postgres', $_[0]) }

$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../test/fixtures/store_1.0.sql"));
# the dump has sent the search_path away
value(q{CREATE ROLE reader; GRANT SELECT ON market_investor_trend_by_investor TO reader WITH GRANT OPTION; GRANT SELECT ON market_investor_trend_by_investor TO PUBLIC});

sub rows
{
	my ($table) = @_;

	return value("SELECT string_agg(r.row, chr(10) ORDER BY r.row) FROM $table AS t, LATERAL (SELECT (to_jsonb(t) - 'index_level')::text) AS r(row)");
}

my @tables = qw(market_investor_trend market_investor_trend_snapshot eighteen seventy_two);
my %before = map { $_ => rows($_) } @tables;

# Into an old store as it is, collections go on
is(value(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => 'eighteen')}), 'inserted', 'a store of 18 figures as it was');
value(q{DELETE FROM eighteen WHERE trade_date = '2026-11-09'});

sub said
{
	my ($sql) = @_;

	return join ', ', map { "$_->{severity} $_->{message}" } @{ run_sql($node, 'postgres', $sql)->{messages} };
}

is(said('SELECT create_market_investor_trend()'), '', 'the store is brought up to date without a word');
is(said(q{SELECT create_market_investor_trend('seventy_two', snapshots => false)}), '', 'one of 72 figures, too');
is(said(q{SELECT create_market_investor_trend('eighteen', snapshots => false)}),
	'WARNING view "eighteen_by_investor" is of an older version and stays as it is', 'a view that others are built on stays');
is(value('SELECT net_qty FROM mine ORDER BY 1 LIMIT 1'), 1, 'as they do');
is(rows($_), $before{$_}, "$_: every row is there") foreach @tables;

is(value(q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p', 'v') AND NOT relispartition AND relnamespace = 'public'::regnamespace AND relname !~ '^kis_'}),
	'eighteen eighteen_by_investor eighteen_collection market_investor_trend market_investor_trend_by_investor market_investor_trend_collection'
	  . ' market_investor_trend_intraday market_investor_trend_snapshot mine seventy_two seventy_two_by_investor seventy_two_collection', 'what is new is made');
is(value(q{SELECT string_agg(attrelid::regclass || ' ' || pg_get_expr(adbin, adrelid), ', ' ORDER BY attrelid::regclass::text) FROM pg_attribute
	JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attname = 'source'}), q{market_investor_trend 'live'::text, seventy_two 'live'::text}, 'source has its default');
is(value(q{SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'market_investor_trend_snapshot%' AND indexdef LIKE '%btree (market_code, sector_code, trade_date)%'}), 3, 'snapshots have their index, and its partitions');
is(value(q{SELECT has_table_privilege('reader', 'market_investor_trend_by_investor', 'SELECT WITH GRANT OPTION'), EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0) FROM pg_class WHERE relname = 'market_investor_trend_by_investor'}), 't|t',
	'what was granted on the view is granted on the new one');
is(value(q{SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 'seventy_two_by_investor'::regclass AND attname = 'net_amount_eok'}), 'double precision', 'which is of the new kind');
is(value(q{SET timezone = 'UTC'; SELECT collected_at, collected_at_seoul, screen_name, net_qty, net_amount_eok, amount_unit FROM market_investor_trend_by_investor
	WHERE trade_date = '2026-11-05' AND market_code = 'KSP' AND investor = 'foreign'}), '2026-11-05 06:40:00+00|2026-11-05 15:40:00|외국인|-120|-1234.56|million won', 'with both clocks');
is(value(q{SELECT string_agg(concat_ws(' ', collected_at_seoul, sell_qty, net_qty, net_amount_eok), ', ' ORDER BY collected_at) FROM market_investor_trend_intraday WHERE investor = 'foreign'}),
	'2026-11-05 10:00:00 30 -10 -10, 2026-11-05 10:01:00 30 -8 -9', 'and the day\'s course is a view');

is(value(q{SELECT count(*) FROM pg_attribute WHERE attrelid::regclass::text LIKE 'market_investor_trend_snapshot%' AND attname = 'index_level'
	AND format_type(atttypid, atttypmod) = 'numeric' AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p'))}), 3, 'snapshots have room for the index, and their partitions');
like(value(q{SELECT col_description('market_investor_trend_snapshot'::regclass, attnum) FROM pg_attribute
	WHERE attrelid = 'market_investor_trend_snapshot'::regclass AND attname = 'index_level'}), qr/Index at that moment/, 'with its comment');

# A second time there is nothing left to do
my $relations = value('SELECT sum(hashtext(oid::text || relname)) FROM pg_class');
is(said('SELECT create_market_investor_trend()'), '', 'again');
is(value('SELECT sum(hashtext(oid::text || relname)) FROM pg_class'), $relations, 'nothing is made');
value('DROP VIEW mine');
is(said(q{SELECT create_market_investor_trend('eighteen', snapshots => false)}), '', 'once nothing is built on the view, it is made anew');
is(value(q{SELECT net_amount_eok FROM eighteen_by_investor WHERE investor = 'pension_fund'}), '0.03', 'that one too');

# And they are stores
foreach my $store (qw(market_investor_trend eighteen seventy_two))
{
	is(value("SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => '$store')"), 'inserted', "$store is collected into");
	is(value("SELECT outcome FROM ${store}_collection"), 'inserted', 'and logged');
	value("INSERT INTO $store (market_code, sector_code, collected_at, trade_date) VALUES ('XXX', '1', now(), '2020-01-01')");
}

# Who is not the owner changes nothing
value(q{CREATE ROLE visitor; GRANT CREATE ON SCHEMA public TO visitor; GRANT SELECT ON ALL TABLES IN SCHEMA public TO visitor;
	ALTER TABLE market_investor_trend ALTER source DROP DEFAULT});
is((sql_error($node, 'postgres', 'SET ROLE visitor; SELECT create_market_investor_trend()'))[0], undef, 'another role');
is(value(q{SELECT atthasdef FROM pg_attribute WHERE attrelid = 'market_investor_trend'::regclass AND attname = 'source'}), 'f', 'changes nothing of it');

# A superuser brings a role's store up to date: what is new of it is that role's, who collects on
value(q{DROP TABLE market_investor_trend, market_investor_trend_snapshot, market_investor_trend_collection, eighteen, seventy_two, eighteen_collection, seventy_two_collection CASCADE});
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../test/fixtures/store_1.0.sql"));
value(q{DROP VIEW mine; CREATE ROLE "the collector"; GRANT CREATE ON SCHEMA public TO "the collector"; GRANT USAGE ON FOREIGN SERVER kis TO "the collector";
	DO $$ DECLARE r record; BEGIN
		FOR r IN SELECT oid::regclass AS name FROM pg_class WHERE relname ~ '^(market_investor_trend|eighteen)' AND relkind IN ('r', 'p', 'v') AND relnamespace = 'public'::regnamespace LOOP
			EXECUTE format('ALTER TABLE %s OWNER TO "the collector"', r.name);
		END LOOP;
	END $$});
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR \"the collector\" SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
value(q{CREATE ROLE granted; GRANT SELECT, INSERT, UPDATE ON eighteen TO granted; GRANT USAGE ON FOREIGN SERVER kis TO granted});
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE USER MAPPING FOR granted SERVER kis OPTIONS (app_key "
	  . sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ')');
is(said(q{SELECT create_market_investor_trend(); SELECT create_market_investor_trend('eighteen', snapshots => false)}),
	'NOTICE store "market_investor_trend" belongs to role "the collector", NOTICE store "eighteen" belongs to role "the collector"', 'by a superuser');
is(value(q{SELECT string_agg(DISTINCT relowner::regrole::text, ', '), count(*) FROM pg_class
	WHERE relname ~ '^(market_investor_trend|eighteen)' AND relkind IN ('r', 'p', 'v', 'S') AND relnamespace = 'public'::regnamespace}), '"the collector"|16',
	'all of it belongs to the role');
is(value(qq{SET ROLE "the collector"; SELECT outcome FROM collect_market_investor_trend('{KSP/0001}', store => '$_')}), 'inserted', "which collects into $_")
  foreach qw(market_investor_trend eighteen);
is(value(q{SET ROLE granted; SELECT outcome FROM collect_market_investor_trend('{KSQ/1001}', store => 'eighteen')}), 'inserted', 'as does who was granted that');

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
