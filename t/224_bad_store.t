# Stores that nobody would make, and names that nobody would give them: each is
# filled as it should be, or refused before anything is asked of KIS, and never
# told as written where it is not.
use strict;
use warnings;
use utf8;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my $session;
my $tried = 0;

setup($node, 'postgres', $simulator, session_start => '00:00');
$session = $node->session;

# ---- names -------------------------------------------------------------------

# By the name as it is given: the table that it makes, or the SQLSTATE
my $long = 'a' x 63;
my @names = (
	[ 'plain', 'plain' ], [ 'UPPER', 'upper' ], [ '"UPPER"', 'UPPER' ], [ '  spaces  ', 'spaces' ], [ '" spaces "', ' spaces ' ], [ '"a.b"', 'a.b' ],
	[ '"quo""te"', 'quo"te' ], [ q{"apo'strophe"}, q{apo'strophe} ], [ '"percent %s %n"', 'percent %s %n' ], [ '"back\\slash"', 'back\\slash' ], [ '"semi; --"', 'semi; --' ],
	[ '"new' . "\n" . 'line"', "new\nline" ], [ '"$1"', '$1' ], [ '"select"', 'select' ], [ 'select', 'select' ], [ '"😀"', '😀' ], [ '한글_저장소', '한글_저장소' ],
	[ '"' . '한' x 21 . '"', '한' x 21 ], [ '"' . '한' x 30 . '"', '한' x 21 ], [ $long, $long ], [ "${long}bcd", $long ], [ 'a' x 62 . 'b', 'a' x 62 . 'b' ],
	[ 'public.qualified', 'qualified' ], [ '"public"."dot.ted"', 'dot.ted' ], [ 'postgres.public.three', 'three' ], [ 'pg_temp.passing', 'passing' ],
	[ '', '42602' ], [ ' ', '42602' ], [ '"', '42602' ], [ '""', '42602' ], [ 'public.""', '42602' ], [ '.', '42602' ], [ 'a.', '42602' ], [ '.a', '42602' ], [ 'a..b', '42602' ],
	[ 'a b', '42602' ], [ 'a.b.c.d', '42601' ], [ 'other.public.t', '0A000' ], [ 'nowhere.t', '3F000' ], [ 'pg_catalog.t', '42501' ],
	[ 'kis_market_trend', '42P16' ], [ 'kis_sector', '42P16' ], [ 'plain_snapshot', '42P16' ], [ 'plain_by_investor', '42P16' ], [ 'plain_pkey', '42P16' ], [ 'plain_id_seq', '42P16' ]);

my %filled;

foreach my $case (@names)
{
	my ($given, $made) = map { Encode::encode('UTF-8', $_) } @$case;
	my $literal = sql_literal($given);
	my $shown = $given =~ s/\n/\\n/r;

	$tried += 2;
	$simulator->reset(keep_tokens => JSON::PP::true);
	if ($made =~ /^[0-9A-Z]{5}$/ && $made ne 'UPPER')
	{
		is(($session->error("SELECT create_market_investor_trend($literal)"))[0], $made, "name $shown can't be made");
		like(($session->error("SELECT * FROM collect_market_investor_trend('{KSP}', store => $literal)"))[0], qr/^(?:$made|42P01)$/, 'nor filled');
		is($simulator->calls('any'), 0, 'and nothing is asked');
		next;
	}
	$session->query_safe("SET client_min_messages = warning; SELECT create_market_investor_trend($literal)");
	is($session->query("SELECT outcome FROM collect_market_investor_trend('{KSP}', store => $literal)")->{output}, $filled{$made}++ ? 'unchanged' : 'inserted', "name $shown: a first collection");
	is($session->query("SELECT outcome FROM collect_market_investor_trend('{KSP}', store => $literal)")->{output}, 'unchanged', 'and a second');
	is($session->query_safe('SELECT count(*) FROM ' . $session->query_safe('SELECT quote_ident(' . sql_literal($made) . ')')), 1, 'in the table of that name');
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '_snapshot$' AND relkind = 'p'}),
	$node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '_by_investor$' AND relkind = 'v'}), 'each has snapshots and a view of its own');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class p WHERE relname ~ '_snapshot$' AND relkind = 'p' AND 2 <> (SELECT count(*) FROM pg_inherits WHERE inhparent = p.oid)}),
	0, 'with their partitions');

# ---- kinds of tables ---------------------------------------------------------

my $key = 'UNIQUE (market_code, sector_code, trade_date)';
my $columns = 'market_code text, sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty bigint';
my $null = q{CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'};

# What makes the store "s"; what a first collection of it says, and a second
# with another figure: an outcome, or SQLSTATE and a part of the message.
my @kinds = (
	[ 'as it should be', "CREATE TABLE s ($columns, $key)", 'inserted', 'updated' ],
	[ 'unlogged', "CREATE UNLOGGED TABLE s ($columns, $key)", 'inserted', 'updated' ],
	[ 'temporary', "CREATE TEMPORARY TABLE s ($columns, $key)", 'inserted', 'updated' ],
	[ 'temporary, of a transaction', "CREATE TEMPORARY TABLE s ($columns, $key) ON COMMIT DELETE ROWS", 'inserted', 'inserted' ],
	[ 'in another schema of the path', "CREATE SCHEMA other; CREATE TABLE other.s ($columns, $key); SET search_path = other, public", 'inserted', 'updated' ],
	[ 'hidden by a temporary table that is none', "CREATE TABLE s ($columns, $key); CREATE TEMPORARY TABLE s (a int)", '42P16 cannot hold' ],
	[ 'a dropped column', "CREATE TABLE s (gone text, $columns, gone_too bytea, $key); ALTER TABLE s DROP gone, DROP gone_too", 'inserted', 'updated' ],
	[ 'columns in another order, of other types', "CREATE TABLE s (foreign_net_qty numeric(20), collected_at timestamptz, trade_date date, sector_code varchar(8), market_code varchar(3) COLLATE \"C\", $key)",
		'inserted', 'updated' ],
	[ 'domains', "CREATE DOMAIN code AS varchar(5) CHECK (VALUE <> ''); CREATE DOMAIN day AS date NOT NULL; CREATE DOMAIN figure AS bigint;"
		  . " CREATE TABLE s (market_code code, sector_code code, trade_date day, collected_at timestamptz, foreign_net_qty figure, $key)", 'inserted', 'updated' ],
	[ 'a domain that refuses', "CREATE DOMAIN figure AS bigint CHECK (VALUE < 0); CREATE TABLE s (market_code text, sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty figure, $key)",
		'23514 violates check constraint' ],
	[ 'too narrow for a code', "CREATE TABLE s (market_code varchar(2), sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty bigint, $key)", '22001 value too long' ],
	[ 'too narrow for a figure', "CREATE TABLE s (market_code text, sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty numeric(1), $key)", '22003 numeric field overflow' ],
	[ 'a figure that is generated', "CREATE TABLE s ($columns, bank_net_qty bigint GENERATED ALWAYS AS (foreign_net_qty * 2) STORED, $key)", 'inserted', 'updated' ],
	[ 'a key column that is generated', "CREATE TABLE s (market_code text, sector_code text GENERATED ALWAYS AS ('0001') STORED, trade_date date, collected_at timestamptz, foreign_net_qty bigint, $key)",
		'42P16 cannot hold' ],
	[ 'source and updated_at that are generated', "CREATE TABLE s ($columns, source text GENERATED ALWAYS AS (market_code) STORED, updated_at timestamptz GENERATED ALWAYS AS (collected_at) STORED, $key)",
		'inserted', 'updated' ],
	$node->pg_version < 18 ? () : (
		[ 'a figure and a source that are virtual', "CREATE TABLE s ($columns, bank_net_qty bigint GENERATED ALWAYS AS (foreign_net_qty * 2) VIRTUAL, source text GENERATED ALWAYS AS (market_code) VIRTUAL, $key)",
			'inserted', 'updated' ]),
	[ 'an identity', "CREATE TABLE s (id int GENERATED ALWAYS AS IDENTITY, $columns, $key)", 'inserted', 'updated' ],
	[ 'a figure that is an identity', "CREATE TABLE s ($columns, bank_net_qty bigint GENERATED ALWAYS AS IDENTITY, $key)", 'inserted', 'updated' ],
	[ 'more columns, with defaults', "CREATE TABLE s ($columns, note text NOT NULL DEFAULT 'x', at timestamptz DEFAULT now(), $key)", 'inserted', 'updated' ],
	[ 'more columns, without', "CREATE TABLE s ($columns, note text NOT NULL, $key)", '23502 null value in column' ],
	[ 'a check that fails', "CREATE TABLE s ($columns, $key, CHECK (foreign_net_qty IS NULL))", '23514 violates check constraint' ],
	[ 'a foreign key', "CREATE TABLE markets (code text PRIMARY KEY); CREATE TABLE s ($columns, $key, FOREIGN KEY (market_code) REFERENCES markets)", '23503 violates foreign key' ],
	[ 'no column of figures', "CREATE TABLE s (market_code text, sector_code text, trade_date date, collected_at timestamptz, $key)", '42P16 cannot hold' ],
	[ 'no collected_at', "CREATE TABLE s (market_code text, sector_code text, trade_date date, foreign_net_qty bigint, $key)", '42P16 cannot hold' ],
	[ 'no columns', 'CREATE TABLE s ()', '42P16 cannot hold' ],
	[ 'no key', "CREATE TABLE s ($columns)", '42P16 cannot hold' ],
	[ 'a key of other columns', "CREATE TABLE s ($columns, UNIQUE (market_code, trade_date))", '42P16 cannot hold' ],
	[ 'a key that is partial', "CREATE TABLE s ($columns); CREATE UNIQUE INDEX ON s (market_code, sector_code, trade_date) WHERE market_code <> ''", '42P16 cannot hold' ],
	[ 'a key that is deferred', "CREATE TABLE s ($columns, $key DEFERRABLE)", '42P16 cannot hold' ],
	[ 'a key of expressions', "CREATE TABLE s ($columns); CREATE UNIQUE INDEX ON s (upper(market_code), sector_code, trade_date)", '42P16 cannot hold' ],
	[ 'a key in another order, with more in it', "CREATE TABLE s ($columns); CREATE UNIQUE INDEX ON s (trade_date, sector_code, market_code) INCLUDE (foreign_net_qty)", 'inserted', 'updated' ],
	[ 'codes of another type', "CREATE TABLE s (market_code char(3), sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty bigint, $key)", '42P16 cannot hold' ],
	[ 'a day of another type', "CREATE TABLE s (market_code text, sector_code text, trade_date timestamptz, collected_at timestamptz, foreign_net_qty bigint, $key)", '42P16 cannot hold' ],
	[ 'a figure of another type', "CREATE TABLE s (market_code text, sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty float8, $key)", '42P16 cannot hold' ],
	[ 'an array of figures', "CREATE TABLE s (market_code text, sector_code text, trade_date date, collected_at timestamptz, foreign_net_qty bigint[], $key)", '42P16 cannot hold' ],
	[ 'figures by both names', "CREATE TABLE s ($columns, frgn_ntby_qty bigint, $key)", 'inserted', 'updated' ],
	[ 'a view', "CREATE TABLE t ($columns, $key); CREATE VIEW s AS SELECT * FROM t", '42P16 cannot hold' ],
	[ 'a materialized view', "CREATE TABLE t ($columns); CREATE MATERIALIZED VIEW s AS SELECT * FROM t; CREATE UNIQUE INDEX ON s (market_code, sector_code, trade_date)", '42P16 cannot hold' ],
	[ 'a foreign table', "CREATE FOREIGN TABLE s ($columns) SERVER kis OPTIONS (table_name 'kis_market_trend')", '42P16 cannot hold' ],
	[ 'a sequence', 'CREATE SEQUENCE s', '42P16 cannot hold' ],
	[ 'a type', 'CREATE TYPE s AS (market_code text)', '42P16 cannot hold' ],
	[ 'partitioned', "CREATE TABLE s ($columns, $key) PARTITION BY LIST (market_code); CREATE TABLE s1 PARTITION OF s DEFAULT", 'inserted', 'updated' ],
	[ 'partitioned, without a partition', "CREATE TABLE s ($columns, $key) PARTITION BY LIST (market_code)", '23514 no partition of relation' ],
	[ 'partitioned, into a foreign table', "CREATE TABLE s ($columns) PARTITION BY LIST (market_code); CREATE FOREIGN TABLE s1 PARTITION OF s DEFAULT SERVER kis OPTIONS (table_name 'kis_market_trend')",
		'42P16 cannot hold' ],
	[ 'a partition', "CREATE TABLE p ($columns, $key) PARTITION BY LIST (market_code); CREATE TABLE s PARTITION OF p FOR VALUES IN ('KSP')", 'inserted', 'updated' ],
	[ 'a partition for others', "CREATE TABLE p ($columns, $key) PARTITION BY LIST (market_code); CREATE TABLE s PARTITION OF p FOR VALUES IN ('KSQ')", '23514 violates partition constraint' ],
	[ 'a child', "CREATE TABLE p (note text); CREATE TABLE s ($columns, $key) INHERITS (p)", 'inserted', 'updated' ],
	[ 'a parent', "CREATE TABLE s ($columns, $key); CREATE TABLE c () INHERITS (s)", 'inserted', 'updated' ],
	[ 'a trigger that raises', "CREATE TABLE s ($columns, $key); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION \$\$no\$\$; END';"
		  . ' CREATE TRIGGER t BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION refuse()', 'P0001 no' ],
	[ 'a trigger that keeps rows out', "CREATE TABLE s ($columns, $key); $null; CREATE TRIGGER t BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION refuse()", '55000 could not write the row' ],
	[ 'a trigger that keeps updates out', "CREATE TABLE s ($columns, $key); $null; CREATE TRIGGER t BEFORE UPDATE ON s FOR EACH ROW EXECUTE FUNCTION refuse()", 'inserted', '55000 could not write the row' ],
	[ 'a trigger that changes figures', "CREATE TABLE s ($columns, $key); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.foreign_net_qty := 0; RETURN NEW; END';"
		  . ' CREATE TRIGGER t BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION refuse()', 'inserted', 'updated' ],
	[ 'a rule that does nothing instead', "CREATE TABLE s ($columns, $key); CREATE RULE r AS ON INSERT TO s DO INSTEAD NOTHING", '42P16 cannot hold' ],
	[ 'a rule that updates nothing', "CREATE TABLE s ($columns, $key); CREATE RULE r AS ON UPDATE TO s DO INSTEAD NOTHING", '42P16 cannot hold' ],
	[ 'a rule that does something besides', "CREATE TABLE s ($columns, $key); CREATE TABLE l (a int); CREATE RULE r AS ON INSERT TO s DO ALSO INSERT INTO l VALUES (1)", '42P16 cannot hold' ],
	[ 'a rule on DELETE', "CREATE TABLE s ($columns, $key); CREATE RULE r AS ON DELETE TO s DO INSTEAD NOTHING", 'inserted', 'updated' ],
	[ 'row security that hides', "CREATE TABLE s ($columns, $key); INSERT INTO s SELECT 'KSP', '0001', d::date FROM generate_series(now() - interval '6 days', now() + interval '1 day', '1 day') d;"
		  . ' ALTER TABLE s ENABLE ROW LEVEL SECURITY; CREATE POLICY w ON s FOR INSERT WITH CHECK (true); CREATE POLICY r ON s FOR SELECT USING (foreign_net_qty > 0); CREATE POLICY u ON s FOR UPDATE USING (true); GRANT ALL ON s TO clerk; SET ROLE clerk',
		'55000 could not write the row', undef, 'works' ],
	[ 'row security that refuses', "CREATE TABLE s ($columns, $key); ALTER TABLE s ENABLE ROW LEVEL SECURITY; GRANT ALL ON s TO clerk; SET ROLE clerk", '42501 row-level security' ],
	[ 'row security that lets', "CREATE TABLE s ($columns, $key); ALTER TABLE s ENABLE ROW LEVEL SECURITY; CREATE POLICY a ON s USING (market_code = 'KSP'); GRANT ALL ON s TO clerk; SET ROLE clerk", 'inserted', 'updated' ],
	[ 'row security that refuses updates', "CREATE TABLE s ($columns, $key); ALTER TABLE s ENABLE ROW LEVEL SECURITY; CREATE POLICY i ON s FOR INSERT WITH CHECK (true); CREATE POLICY r ON s FOR SELECT USING (true);"
		  . ' GRANT ALL ON s TO clerk; SET ROLE clerk', 'inserted', '55000 could not write the row' ],
	[ 'no right to update', "CREATE TABLE s ($columns, $key); GRANT SELECT, INSERT ON s TO clerk; SET ROLE clerk", '42501 permission denied' ],
	[ 'no right to some columns', "CREATE TABLE s ($columns, $key); GRANT SELECT, UPDATE ON s TO clerk; GRANT INSERT (market_code, sector_code, trade_date) ON s TO clerk; SET ROLE clerk", '42501 permission denied' ]);

$node->safe_psql('postgres', 'CREATE ROLE clerk; GRANT USAGE ON FOREIGN SERVER kis TO clerk; GRANT USAGE ON SCHEMA public TO clerk; ' . "SET log_statement = 'none';"
	  . " CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key '" . $simulator->app_key . "', app_secret '" . $simulator->app_secret . "')");

sub matches
{
	my ($result, $expected, $name) = @_;
	my $error = $result->{errors}[0];
	my $got = $error ? "$error->{sqlstate} $error->{message}" : $result->{output};
	my ($state, $part) = $expected =~ /^([0-9A-Z]{5}) (.*)$/;

	return is($got, $expected, $name) unless defined $state;
	return like($got, qr/^$state .*\Q$part\E/, $name);
}

foreach my $kind (@kinds)
{
	my ($name, $made, $first, $second, $backfill) = @$kind;
	my $early = $first =~ /^42/ && $first !~ /row-level/ && $name !~ /some columns/;

	$tried += 3;
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '70000' } });
	$session->query_safe('DISCARD ALL; SET client_min_messages = warning');
	$session->query_safe($made);
	matches($session->query(q{SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 's')}), $first, "$name: a first collection");
	is($simulator->calls('any'), 0, 'refused before anything is asked') if $early;
	if (defined $second)
	{
		$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '70001' } });
		matches($session->query(q{SELECT outcome FROM collect_market_investor_trend('{KSP}', store => 's')}), $second, 'a second');
		is($session->query_safe('SELECT count(*) FROM s'), $name =~ /of a transaction/ ? 0 : 1, 'one row');
		is($session->query_safe('SELECT max(foreign_net_qty)::text FROM s'), $second eq 'updated' ? 70001 : $second eq 'inserted' ? '' : 70000, 'with the figure that it should have');
		matches($session->query(q{CALL backfill_market_investor_trend('2026-07-09', '2026-07-09', '{KSP/0001}', store => 's')}),
			'', 'a backfill') if $second =~ /^(?:upd|ins)/;
	}
	else
	{
		my $result = $session->query(q{CALL backfill_market_investor_trend('2026-07-09', '2026-07-09', '{KSP/0001}', store => 's')});

		is(@{ $result->{errors} } ? $result->{errors}[0]{sqlstate} : 'works', defined $backfill ? $backfill : substr($first, 0, 5), 'and a backfill');
	}
	$session->query_safe(q{DISCARD ALL; SET client_min_messages = warning; DROP SCHEMA IF EXISTS other CASCADE; DROP TABLE IF EXISTS c, p, l, markets CASCADE; DROP TYPE IF EXISTS figure, code, day CASCADE;
		DO $$ DECLARE r record; BEGIN
			FOR r IN SELECT relname, relkind FROM pg_class WHERE relname IN ('s', 's1', 't') AND relnamespace = 'public'::regnamespace AND relkind <> 'c' LOOP
				EXECUTE format('DROP %s IF EXISTS public.%I CASCADE', CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, r.relname);
			END LOOP; END $$;
		DROP TYPE IF EXISTS s CASCADE; DROP FUNCTION IF EXISTS refuse CASCADE});
}

# A rule that comes when this session has written, and knows how: of each table a statement would be gone
$session->query_safe('SELECT create_market_investor_trend()');
is($session->query_safe(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), 'inserted', 'a store without rules');
foreach my $table (map { "market_investor_trend$_" } '', '_snapshot', '_collection')
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$session->query_safe("CREATE RULE r AS ON INSERT TO $table DO INSTEAD NOTHING");
	matches($session->query(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), qq{42P16 relation "$table" cannot hold}, "a rule on $table");
	is($simulator->calls('any'), 0, 'refused before anything is asked');
	$session->query_safe("DROP RULE r ON $table");
}
is($session->query_safe(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), 'updated', 'without them it goes on');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
$session->quit;
diag("inputs tried: $tried");
done_testing();
