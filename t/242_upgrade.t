# ALTER EXTENSION ... UPDATE to a version that is made up here, under sessions that
# are at work, and CREATE DATABASE with all of it as the template: queries,
# stores, what users have built on them and what is granted stay, and nobody has
# KIS issue another token.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $directory = (run_command([ 'pg_config', '--sharedir' ]))[0] . '/extension';
my $script = "$directory/market_investor_fdw--1.0--9.9.sql";

plan skip_all => "makes up a version, and $directory can't be written" unless -w $directory;

# What a next version may bring: a function, and a column of a view that others use
append_to_file($script, <<'SQL');
\echo Use "ALTER EXTENSION market_investor_fdw UPDATE TO '9.9'" to load this file. \quit
CREATE FUNCTION kis_made_up() RETURNS pg_catalog.text LANGUAGE sql RETURN 'new';
DO $$
BEGIN
	EXECUTE pg_catalog.format('CREATE OR REPLACE VIEW kis_sector AS SELECT s.*, true AS made_up FROM (%s) AS s',
		pg_catalog.rtrim(pg_catalog.pg_get_viewdef('kis_sector'::pg_catalog.regclass), ';'));
END
$$;
SQL
END { unlink $script if defined $script }

my $simulator = KisTest::Simulator->new(config => { token_min_interval => 60 });
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

$clock->set('2026-07-10 10:30:00');
$node->safe_psql('postgres', 'CREATE DATABASE flows');
setup($node, 'flows', $simulator, session_start => '00:00');
$node->safe_psql('flows', q{SELECT create_market_investor_trend();
	SELECT collect_market_investor_trend();
	CREATE VIEW mine AS SELECT market_code, count(*) AS pairs FROM kis_sector GROUP BY 1;
	CREATE ROLE reader; GRANT SELECT ON kis_sector, mine, market_investor_trend TO reader});

# All rows of a table, as text, but for when their figures were last seen
sub rows
{
	my ($db, $table) = @_;

	return $node->safe_psql($db, "SELECT string_agg(r, chr(10) ORDER BY r) FROM (SELECT (to_jsonb(t) - 'collected_at')::text AS r FROM $table AS t) AS t");
}

sub outcomes
{
	my ($session) = @_;

	return $session->query_safe('SELECT string_agg(DISTINCT outcome, $$ $$) FROM collect_market_investor_trend()');
}

my @tables = qw(market_investor_trend market_investor_trend_snapshot mine);
my %before = map { $_ => rows('flows', $_) } @tables;

# ---- the update, under sessions that are at work

my $running = $node->session('flows');
my $ask = q{SELECT market_code FROM kis_market_trend};
is(outcomes($running), 'unchanged', 'a session collects');
$running->query_safe('PREPARE pairs AS SELECT count(*) FROM kis_sector');
is($running->query_safe('EXECUTE pairs'), 71, 'has a plan of its own');
$running->query_safe("BEGIN; DECLARE flows CURSOR FOR $ask");
like($running->query_safe('FETCH 1 FROM flows'), qr/^\w+$/, 'and is amid a scan');

my $result = run_sql($node, 'flows', q{ALTER EXTENSION market_investor_fdw UPDATE TO '9.9'});
is($result->{stderr}, '', 'the extension is updated meanwhile, without a word');
is($node->safe_psql('flows', q{SELECT extversion FROM pg_extension WHERE extname = 'market_investor_fdw'}), '9.9', 'to the new version');

is(scalar(split /\n/, $running->query_safe('FETCH ALL FROM flows; COMMIT')), 18, 'the scan goes on to its end');
is($running->query_safe('EXECUTE pairs'), 71, 'the plan serves');
is($running->query_safe('SELECT bool_and(made_up) FROM kis_sector'), 't', 'what is new is there in the session, too');
is($running->query_safe('SELECT kis_made_up()'), 'new', 'all of it');
is(outcomes($running), 'unchanged', 'it collects on');

is(rows('flows', $_), $before{$_}, "$_ is what it was") foreach @tables;
is($node->safe_psql('flows', q{SET ROLE reader; SELECT count(*) > 0 FROM kis_sector; SELECT count(*) > 0 FROM mine; SELECT count(*) FROM market_investor_trend}),
	"t\nt\n3", 'and may be read by those who could');
like($node->safe_psql('flows', q{SELECT ok, detail FROM kis_check('kis') WHERE step = 'version'}),
	qr/^f\|the library is of version 1\.0, the extension's SQL of version 9\.9\./, 'kis_check says that the library is of another version');
is($node->safe_psql('flows', 'SELECT create_market_investor_trend()'), '', 'the store is brought up to date');
is(rows('flows', $_), $before{$_}, "$_ still is") foreach @tables;

is($node->safe_psql('flows', q{SELECT count(*) FROM pg_depend WHERE objid = 'kis_made_up()'::regprocedure AND deptype = 'e'}), 1, 'what is new is the extension\'s');
$running->quit;

# ---- a copy of the database

my $tokens = $simulator->calls('token');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE flows');
is(rows('copy', $_), $before{$_}, "the copy has $_") foreach @tables;
is($node->safe_psql('copy', "SELECT count(*) FROM ($ask) AS t"), 19, 'its tables are KIS\'s');

$clock->set('2026-07-10 10:31:00');
my $copy = $node->session('copy');
like(outcomes($copy), qr/^(?:unchanged|updated)$/, 'it collects');
is($simulator->calls('token'), $tokens, 'by the token that all databases share');
is($copy->query_safe(q{SELECT outcome FROM collect_market_investor_trend('{KSP/0002}')}), 'inserted', 'also what is new there');
is(rows('flows', $_), $before{$_}, "$_ of the template stays as it was") foreach @tables;
$node->safe_psql('postgres', 'DROP DATABASE flows');
like(outcomes($copy), qr/^(?:unchanged|updated)$/, 'and the copy needs it no more');
$copy->quit;

is_deeply([ $simulator->problems ], [], 'requests were as KIS documents them');
done_testing();
