# A superuser runs everything of the extension under a search_path that begins
# with another's schema, full of functions, operators, types and tables that are
# named as PostgreSQL's. None of these is ever called.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my $node = new_node('main', conf => "track_functions = 'all'\n"
	  . ($cron ? "shared_preload_libraries = 'market_investor_fdw, pg_cron'\ncron.database_name = 'postgres'" : ''));

setup($node, 'postgres', $simulator, session_start => '00:00', import => 0);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron') if $cron;
$node->safe_psql('postgres', q{
	CREATE SCHEMA made; CREATE SCHEMA ours;
	CREATE ROLE attacker LOGIN; CREATE SCHEMA evil AUTHORIZATION attacker;
	IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO ours});

# ---- the trap, as a role lays it that is no superuser --------------------------

my @types = qw(text int8 int4 date timestamptz numeric bool name float8 regclass);
my $trap = "SET search_path = evil, pg_catalog;\n";
my %laid;

# Functions that tell of themselves and fail
sub lay_function
{
	my ($name, $arguments, $result) = @_;

	return if $laid{"$name($arguments)"}++;
	$trap .= qq{CREATE FUNCTION evil."$name"($arguments) RETURNS $result LANGUAGE plpgsql AS
		\$\$ BEGIN RAISE WARNING 'hijacked: $name($arguments)'; RAISE EXCEPTION 'hijacked: $name'; END \$\$;\n};
	return;
}

my %operator = ('=' => 'bool', '<>' => 'bool', '<' => 'bool', '<=' => 'bool', '>' => 'bool', '>=' => 'bool',
	'||' => 'text', '+' => 'numeric', '-' => 'numeric', '*' => 'numeric', '/' => 'numeric', '~' => 'bool', '~~' => 'bool', '@>' => 'bool');
my $number = 0;

foreach my $name (sort keys %operator)
{
	foreach my $type (map { ("pg_catalog.$_", "pg_catalog.$_\[]") } @types)
	{
		my $function = "operator_" . $number++;

		lay_function($function, "$type, $type", "pg_catalog.$operator{$name}");
		$trap .= "CREATE OPERATOR evil.$name (LEFTARG = $type, RIGHTARG = $type, FUNCTION = evil.$function);\n";
	}
	foreach my $pair ('int8, numeric', 'numeric, int8', 'int8, int4', 'date, timestamptz', 'varchar, text', 'text, varchar', 'text, name')
	{
		my $function = "operator_" . $number++;
		my ($left, $right) = map { "pg_catalog.$_" } split /, /, $pair;

		lay_function($function, "$left, $right", "pg_catalog.$operator{$name}");
		$trap .= "CREATE OPERATOR evil.$name (LEFTARG = $left, RIGHTARG = $right, FUNCTION = evil.$function);\n";
	}
}
lay_function($_, '', 'pg_catalog.timestamptz') foreach qw(now clock_timestamp transaction_timestamp statement_timestamp);
lay_function('kis_stat_rows', 'VARIADIC pg_catalog.int4[]', 'SETOF pg_catalog.record');
lay_function($_, '', 'SETOF pg_catalog.record') foreach qw(kis_sector_rows kis_investor_type_rows kis_stat_rows kis_activity_rows);
foreach my $type (map { ("pg_catalog.$_", "pg_catalog.$_\[]") } @types)
{
	lay_function($_, $type, 'pg_catalog.text')
	  foreach qw(text int8 date timestamptz numeric upper lower abs quote_ident quote_literal to_char length max min count unnest array_agg generate_series date_trunc round obj_description col_description);
	lay_function($_, "pg_catalog.text, $type", 'pg_catalog.text') foreach qw(timezone date_trunc format concat to_char date_part make_date kis_check);
	lay_function($_, "VARIADIC $type\[]", 'pg_catalog.text') foreach grep { $type !~ /\]$/ } qw(coalesce greatest least nullif format concat json_build_object);
}
lay_function($_, 'pg_catalog.text', 'pg_catalog.void')
  foreach qw(create_market_investor_trend collect_market_investor_trend kis_comment_tables);

# Types and tables in the place of PostgreSQL's and the extension's
$trap .= "CREATE DOMAIN evil.$_ AS pg_catalog.$_ CHECK (evil.upper(VALUE::pg_catalog.text) IS NULL);\n"
  foreach grep { $_ !~ /name|regclass/ } @types;
$trap .= "CREATE TABLE evil.$_ (stolen pg_catalog.text);\n"
  foreach qw(kis_sector kis_investor_type kis_stat kis_activity pg_class pg_attribute pg_proc pg_namespace pg_foreign_server pg_user_mapping pg_inherits
  pg_timezone_names market_investor_trend market_investor_trend_snapshot market_investor_trend_by_investor);
$trap .= "GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC; GRANT USAGE ON SCHEMA evil TO PUBLIC;\n";
$node->safe_psql('postgres', "CREATE TABLE public.dummy ()");
my $laid = run_sql($node, 'postgres', $trap, extra_params => [ '-U', 'attacker' ]);
is($laid->{stderr}, '', 'the trap is laid');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace}), '>', 300, 'operators');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace}), '>', 700, 'functions');

# ---- under it -----------------------------------------------------------------

# Functions of the trap that were called: those that failed are listed, too
sub caught
{
	return $node->safe_psql('postgres', q{SELECT string_agg(funcname, ' ' ORDER BY funcname) FROM pg_stat_user_functions WHERE schemaname = 'evil'});
}

foreach my $as_usual (q{SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text}, 'SELECT now()')
{
	like((sql_error($node, 'postgres', "SET search_path = evil, pg_catalog; $as_usual"))[1], qr/^hijacked/, "it catches who writes as usual: $as_usual");
}
like(caught(), qr/^now operator_\d+$/, 'which is seen');
my $caught = caught();
my $offset = -s $node->logfile;
my $victim = $node->session;

# Runs SQL, whose own text is qualified; it must go as if nothing were there.
sub goes_well
{
	my ($sql, $expected, $name) = @_;
	my $result = $victim->query($sql);
	my @bad = grep { $_->{severity} ne 'NOTICE' } @{ $result->{messages} };

	is($result->{output}, $expected, $name);
	is_deeply(\@bad, [], 'without a word');
	return;
}

sub outcomes
{
	my ($store) = @_;

	return qq{SELECT market_code, sector_code, outcome FROM public.collect_market_investor_trend('{KSP,KSQ/1001}', store => '$store')};
}

# Each path: the attacker's schema first, the temporary one too, and none at all
$victim->query_safe(q{CREATE TEMPORARY TABLE kis_sector (stolen pg_catalog.text);
	CREATE TEMPORARY TABLE kis_investor_type (stolen pg_catalog.text);
	CREATE TEMPORARY TABLE pg_class (stolen pg_catalog.text);
	CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (false); CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (false)});
foreach my $path ('evil, pg_catalog', 'evil, pg_temp, pg_catalog, public', q{''}, 'pg_temp, evil, pg_catalog, ours')
{
	my $store = 'made.store_' . ($path =~ s/\W+/_/gr);

	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '7' } });
	$victim->query_safe("SET search_path = $path");
	goes_well("SELECT public.create_market_investor_trend('$store')", '', "$path: the store is made");
	goes_well("SELECT public.create_market_investor_trend('$store')", '', 'and found again');
	goes_well(outcomes($store), "KSP|0001|inserted\nKSQ|1001|inserted", 'a first collection');
	goes_well(outcomes($store), "KSP|0001|unchanged\nKSQ|1001|unchanged", 'a second');
	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => '8' } });
	goes_well(outcomes($store), "KSP|0001|updated\nKSQ|1001|unchanged", 'a third');
	goes_well("CALL public.backfill_market_investor_trend('2026-07-01', '2026-07-09', '{KSP/0001}', store => '$store')", '', 'a backfill');
	goes_well("CALL public.backfill_market_investor_trend('2026-07-01', '2026-07-09', '{KSP/0001}', store => '$store')", '', 'and again');
	goes_well("SELECT pg_catalog.count(*) FROM ${store}_by_investor", 12 * 9, 'the view by investor');
	goes_well("SELECT pg_catalog.count(*) FROM ${store}_snapshot", 3, 'the snapshots');
	goes_well("SELECT pg_catalog.count(*) FROM ${store}_intraday", 36, 'the view of the day\'s course');
	goes_well("CALL public.market_investor_trend_job('{KSP/0001}', store => '$store', channel => 'flows')", '', 'a job');
	goes_well("SELECT pg_catalog.count(*) FROM ${store}_collection", 7, 'the log');
	goes_well("SELECT pg_catalog.count(*) FROM public.market_investor_trend_gaps('$store', '2026-07-01', '2026-07-14') WHERE kind OPERATOR(pg_catalog.=) 'no day'", 3, 'what is missing');
	goes_well("SELECT pg_catalog.count(*) FROM public.schedule_market_investor_trend(store => '$store', channel => 'flows')", 4, 'a schedule') foreach $cron ? 1 .. 2 : ();
	is((($victim->query("SELECT public.schedule_market_investor_trend(store => '$store')"))->{errors}[0] // {})->{sqlstate}, '55000', 'none without pg_cron') unless $cron;
	goes_well("SELECT public.unschedule_market_investor_trend('$store')", $cron ? 4 : 0, 'and none any more');
	$simulator->config(overrides => {});
	goes_well('SELECT pg_catalog.bool_and(ok) FROM public.kis_check()', 't', 'kis_check');
	goes_well('SELECT pg_catalog.count(*) FROM public.kis_stat', 1, 'kis_stat');
	goes_well('SELECT pg_catalog.count(*) FROM public.kis_activity', 0, 'kis_activity');
	goes_well('SELECT pg_catalog.count(*) FROM public.kis_sector', 71, 'kis_sector');
	goes_well('SELECT pg_catalog.count(*) FROM public.kis_investor_type', 12, 'kis_investor_type');
	goes_well(q{SELECT public.kis_comment_tables('ours')},
		$node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relkind = 'f' AND relnamespace = 'ours'::regnamespace}),
		'kis_comment_tables');
	goes_well('SELECT pg_catalog.count(*) FROM ours.kis_market_trend', 19, 'a query');
	goes_well(q{SELECT pg_catalog.count(*) FROM ours.kis_market_trend_daily
		WHERE market_code OPERATOR(pg_catalog.=) 'KSP' AND sector_code OPERATOR(pg_catalog.=) '0001' AND trade_date OPERATOR(pg_catalog.>=) '2026-07-06'}, 5, 'of days');
	goes_well(q{SELECT market_code FROM ours.kis_investor_trend WHERE market_code OPERATOR(pg_catalog.=) 'KSP' AND investor OPERATOR(pg_catalog.=) 'foreign'}, 'KSP', 'of an investor');
	$victim->query_safe(q{SET client_min_messages = error; DROP SCHEMA IF EXISTS imported CASCADE; RESET client_min_messages; CREATE SCHEMA imported});
	goes_well('IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO imported', '', 'an import');
	goes_well(q{ALTER SERVER kis OPTIONS (SET max_calls '100')}, '', 'an option') if $path ne 'evil, pg_catalog';
	goes_well(q{ALTER SERVER kis OPTIONS (ADD max_calls '100')}, '', 'a new option') if $path eq 'evil, pg_catalog';
}
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT n.nspname || '.' || t.typname, ' ') FROM pg_attribute a
	JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
	WHERE c.relnamespace IN ('made'::regnamespace, 'imported'::regnamespace) AND a.attnum > 0 AND n.nspname <> 'pg_catalog'}), '', 'what is made has none of its types');
is($node->safe_psql('postgres', q{SELECT string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') FROM pg_depend d
	WHERE (d.refclassid, d.refobjid) IN (SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'evil'::regnamespace
		UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace
		UNION ALL SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = 'evil'::regnamespace)
	AND NOT (d.classid = 'pg_operator'::regclass OR d.deptype IN ('i', 'a') OR d.classid = 'pg_constraint'::regclass)}), '', 'nor depends on it');
$victim->quit;
is(caught(), $caught, 'no function of it was called');
is($node->safe_psql('postgres', 'SELECT sum(n_tup_ins + seq_scan) FROM pg_stat_user_tables WHERE schemaname = \'evil\''), 0, 'no table read or written');
unlike(substr(slurp_log($node), $offset), qr/(?:WARNING|ERROR):  .*hijacked/, 'and the log says so, too');

# ---- a new extension among what another has made ------------------------------

# It must not take over anything: not a function, not a view, not a type
my @members = split /\n/, $node->safe_psql('postgres', q{SELECT CASE classid WHEN 'pg_proc'::regclass THEN 'function ' || objid::regprocedure ELSE 'view ' || objid::regclass END
	FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
	AND classid IN ('pg_proc'::regclass, 'pg_class'::regclass)});

cmp_ok(scalar @members, '>', 10, 'members of the extension');
$node->safe_psql('postgres', 'CREATE DATABASE planted');
$node->safe_psql('planted', 'GRANT CREATE ON SCHEMA public TO attacker');
foreach my $member (@members)
{
	my ($kind, $name) = $member =~ /^(\w+) (.*)$/;
	my $planted = $kind eq 'view' ? "VIEW $name AS SELECT 1 AS stolen"
	  : $name =~ /^backfill/ ? "PROCEDURE $name LANGUAGE plpgsql AS 'BEGIN RAISE WARNING \$\$hijacked\$\$; END'"
	  : $name =~ /handler/ ? undef
	  : "FUNCTION $name RETURNS pg_catalog.void LANGUAGE plpgsql AS 'BEGIN RAISE WARNING \$\$hijacked\$\$; END'";

	next unless defined $planted;
	$node->safe_psql('planted', "CREATE $planted", extra_params => [ '-U', 'attacker' ]);
	my ($state) = sql_error($node, 'planted', 'CREATE EXTENSION market_investor_fdw');
	like($state, qr/^(?:42723|42P07|42710)$/, "where there is a $member already, the extension is not made");
	$node->safe_psql('planted', 'DROP ' . ($kind eq 'view' ? 'VIEW ' : $name =~ /^backfill/ ? 'PROCEDURE ' : 'FUNCTION ') . $name);
}
# Nor is what is merely like it preferred: its own is used, or there is no extension
foreach my $like (
	[ 'FUNCTION public.kis_stat_rows(VARIADIC x int[])' => q{RETURNS SETOF record LANGUAGE plpgsql AS 'BEGIN RAISE WARNING $$hijacked$$; END'}, '' ],
	[ 'FUNCTION public.kis_sector_rows(x int DEFAULT 1)' => q{RETURNS SETOF record LANGUAGE plpgsql AS 'BEGIN RAISE WARNING $$hijacked$$; END'}, '42725' ],
	[ 'DOMAIN public.text' => 'AS pg_catalog.text CHECK (false)', '' ],
	[ 'DOMAIN public.fdw_handler' => 'AS pg_catalog.text', '' ],
	[ 'TABLE public.pg_proc' => '(x int)', '' ])
{
	my ($object, $definition, $state) = @$like;
	my $result;

	$node->safe_psql('planted', "CREATE $object $definition", extra_params => [ '-U', 'attacker' ]);
	$result = run_sql($node, 'planted', 'CREATE EXTENSION market_investor_fdw');
	is(join(' ', map { $_->{sqlstate} } @{ $result->{messages} }), $state, "where there is a $object");
	is($node->safe_psql('planted', 'SELECT count(*) FROM kis_sector; SELECT count(*) >= 0 FROM kis_stat; DROP EXTENSION market_investor_fdw'), "71\nt",
		'the extension uses its own') if $state eq '';
	$node->safe_psql('planted', 'DROP ' . $object =~ s/ DEFAULT 1//r);
}

# ---- the script is for CREATE EXTENSION alone ----------------------------------

my ($sharedir) = split /\n/, qx(pg_config --sharedir);
$node->safe_psql('postgres', 'CREATE DATABASE bare');
my ($output, $stderr) = ('', '');
$node->psql('bare', undef, stdout => \$output, stderr => \$stderr, extra_params => [ '-f', "$sharedir/extension/market_investor_fdw--1.0.sql" ]);
is($output, 'Use "CREATE EXTENSION market_investor_fdw" to load this file.', 'psql that reads the script is told so');
is($node->safe_psql('bare', q{SELECT count(*) FROM pg_proc WHERE proname ~ 'kis|market_investor'}), 0, 'and does nothing');
unlike(PostgreSQL::Test::Utils::slurp_file("$sharedir/extension/market_investor_fdw--1.0.sql"), qr/OR REPLACE|IF NOT EXISTS|SECURITY DEFINER/i,
	'the script adopts nothing and lends nobody its rights');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
