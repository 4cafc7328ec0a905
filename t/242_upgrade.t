# ALTER EXTENSION ... UPDATE to a version that is made up here, under sessions that
# are at work, and CREATE DATABASE with all of it as the template: queries,
# stores, what users have built on them and what is granted stay, and nobody has
# KIS issue another token. kis_check says where SQL or library is the older one.
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

# And one before, with what this one has
my @older = map { "$directory/market_investor_fdw--$_.sql" } qw(0.9 0.9--1.0);
append_to_file($older[0], slurp_file("$directory/market_investor_fdw--1.0.sql"));
append_to_file($older[1], "\\echo Use \"ALTER EXTENSION market_investor_fdw UPDATE\" to load this file. \\quit\n");
END { unlink $script, @older if defined $script }

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

# ---- SQL that is older than the library

$node->safe_psql('postgres', q{CREATE DATABASE older});
$node->safe_psql('older', q{CREATE EXTENSION market_investor_fdw VERSION '0.9'});
setup($node, 'older', $simulator, session_start => '00:00');
is($node->safe_psql('older', q{SELECT step, detail FROM kis_check('kis') WHERE NOT ok}),
	q{version|the library is of version 1.0, the extension's SQL of version 0.9. Where the SQL is older: ALTER EXTENSION market_investor_fdw UPDATE. Where the library is: restart the server},
	'kis_check says that the SQL is older, and what to do');
is($node->safe_psql('older', "SELECT count(*) FROM ($ask) AS t"), 19, 'queries work meanwhile');
is($node->safe_psql('older', q{ALTER EXTENSION market_investor_fdw UPDATE; SELECT count(*) FILTER (WHERE ok), count(*) FROM kis_check('kis')}), '7|7', 'and after it all is well');

# ---- a copy of the database

my $tokens = $simulator->calls('token');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE flows');
is(rows('copy', $_), $before{$_}, "the copy has $_") foreach @tables;
is($node->safe_psql('copy', "SELECT count(*) FROM ($ask) AS t"), 19, 'its tables are KIS\'s');

# What both may call is what one may
$node->safe_psql($_, q{ALTER SERVER kis OPTIONS (SET requests_per_second '5')}) foreach qw(flows copy);
my @both = map { $node->session($_) } qw(flows copy);
my $calls = $simulator->calls;
$_->send(q{SELECT count(*) FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ', 'K2I', 'ETF', 'ELW', 'ETN', 'MKI')}) foreach @both;
is($_->result->{output}, 11, 'a session in each calls') foreach @both;
my @at = map { $_->{monotonic} } $simulator->requests('data');
splice @at, 0, $calls;
is(scalar @at, 22, 'KIS, 22 times');
is(scalar grep({ $at[$_] - $at[ $_ - 5 ] < 0.95 } 5 .. $#at), 0, 'at most five times in any second');
is($node->safe_psql('copy', 'SELECT count(*), min(effective_rate) FROM kis_stat'), '1|5', 'of which there is one account');
$_->quit foreach @both;
$node->safe_psql($_, q{ALTER SERVER kis OPTIONS (SET requests_per_second '1000')}) foreach qw(flows copy);

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
