# psql: what its \d commands show, completion by the Tab key, and that neither
# asks KIS for anything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');

setup($node, 'postgres', $simulator);

sub psql
{
	my ($sql) = @_;
	my $result = run_sql($node, 'postgres', $sql);

	is($result->{stderr}, '', 'no message: ' . join ' ', split ' ', $sql);
	return $result->{output};
}

# ---- NOTICEs that help and do not nag ----------------------------------------

psql($_) foreach ('SELECT create_market_investor_trend()') x 2, 'SELECT kis_comment_tables()';

# ---- comments ----------------------------------------------------------------

is(psql(q{
	SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'market_investor_fdw')
	AND deptype = 'e' AND classid <> 'pg_type'::regclass
	AND obj_description(objid, classid::regclass::name) IS NULL}),
	'', 'every object of the extension has a comment');
is(psql(q{
	SELECT format('%s %s', relkind, relname) FROM pg_class
	WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 'S')
	AND obj_description(oid, 'pg_class') IS NULL}),
	'', 'so has every table and view, of the store and its partitions too');
is(psql(q{
	SELECT format('%s.%s', relname, attname) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
	WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 'S')
	AND attnum > 0 AND col_description(attrelid, attnum) IS NULL}),
	'', 'and every column of them');

# ---- \d and its kind ---------------------------------------------------------

like(psql('\d kis_market_trend'), qr/^foreign_net_amount\|bigint\|/m, '\d: columns');
like(psql('\d+ kis_market_trend'), qr{^foreign_net_amount\|.* / Million won .* Foreigners: net amount .*NULL where not known$}m,
	'\d+: what a column means, with its unit');
like(psql('\d+ market_investor_trend'), qr{^collected_at\|.* / When KIS's reply arrived$}m, "the store's columns, too");
like(psql('\d+ market_investor_trend_by_investor'), qr/^net_amount\|double precision\|.*, in amount_unit$/m, 'the view of the store');
like(psql('\d+ kis_sector'), qr/^amount_factor\|.*\|won in one of amount_unit;/m, "and a view's");
like(psql('\det+'), qr{^public\|kis_sector_trend\|kis\|\(table_name 'kis_sector_trend'\)\|.* / Investor flows}m, '\det+');
like(psql('\des+'), qr/^kis\|.*\|market_investor_fdw\|.*cache_ttl '0'/m, '\des+');
like(psql('\dew+'), qr/^market_investor_fdw\|.*\|investor flows of Korea's markets/m, '\dew+');
like(psql('\dx+ market_investor_fdw'), qr/^view kis_sector$/m, '\dx+');
like(psql('\dE+'), qr{^public\|kis_market_trend\|foreign table\|.* / Investor flows}m, '\dE+');
like(psql('\df create_market_investor_trend'),
	qr/\|store text DEFAULT 'market_investor_trend'::text, snapshots boolean DEFAULT true\|/, '\df: arguments have names and defaults');
like(psql('\df collect_market_investor_trend'),
	qr/\|targets text\[\] DEFAULT '\{.*\}'::text\[\], source name DEFAULT 'kis'::name, store text DEFAULT/, 'of the collection');
like(psql('\df backfill_market_investor_trend'),
	qr/\|IN from_date date, IN to_date date, IN targets text\[\] DEFAULT/, 'of the backfill');
like(psql('\df+ kis_check'), qr/\|server name DEFAULT 'kis'::name, .*\|tries the caller's way to KIS/s, '\df+: what a function does');

# A user mapping's keys are for its user and superusers
$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN; GRANT SELECT ON kis_market_trend TO reader');
like(psql('\deu+'), qr/app_secret/, '\deu+ shows a superuser the secret, which PostgreSQL lets nobody hide');
is(psql("SET ROLE reader;\n\\deu+"), 'kis|' . getpwuid($>) . '|', 'and others that there is one');

# ---- statements that are not executed, or can bring nothing ------------------

psql($_) foreach
  'SELECT * FROM kis_market_trend LIMIT 0',
  'SELECT * FROM kis_sector_trend WHERE false',
  'SELECT * FROM kis_market_trend WHERE 1 = 0 AND trade_date IS NOT NULL',
  'TABLE kis_market_trend_daily LIMIT 0',
  'TABLE kis_calendar LIMIT 0',
  "SELECT * FROM kis_market_trend WHERE market_code = 'KSP' \\gdesc",
  'PREPARE described (text) AS SELECT * FROM kis_market_trend WHERE market_code = $1',
  'BEGIN; DECLARE unread CURSOR FOR SELECT * FROM kis_sector_trend; CLOSE unread; COMMIT',
  'CREATE TABLE copied AS TABLE kis_market_trend WITH NO DATA',
  'CREATE MATERIALIZED VIEW later AS TABLE kis_market_trend WITH NO DATA',
  'CREATE VIEW seen AS TABLE kis_sector_trend',
  'EXPLAIN VERBOSE TABLE seen',
  'VACUUM';
asks_nothing($simulator, 'nothing of this has asked KIS for anything');

# ---- completion by the Tab key -----------------------------------------------

# Not as the user and the terminal have it
append_to_file($node->basedir . '/inputrc', '');
local $ENV{INPUTRC} = $node->basedir . '/inputrc';
local $ENV{TERM} = 'dumb';
local $ENV{PSQL_HISTORY} = $node->basedir . '/history';
my $terminal = $node->interactive_psql('postgres');

# What is typed is completed to what matches
sub completes
{
	my ($typed, $completed) = @_;
	my $output = eval { $terminal->query_until($completed, "$typed\t") } || '';

	like($output, $completed, "$typed is completed");
	# Control-U takes back what was typed
	$terminal->query_until(qr/\ncleared\r?\n.*postgres=# /s, "\025\\echo cleared\n");
	return;
}

completes('SELECT * FROM kis_market_trend_', qr/kis_market_trend_daily/);
completes('SELECT * FROM kis_calendar WHERE is_b', qr/is_business_day/);
completes('\d kis_investor_ty', qr/kis_investor_type/);
completes('ALTER SERVER k', qr/SERVER kis /);
completes('DROP FOREIGN TABLE kis_c', qr/kis_calendar/);
completes('IMPORT FOREIGN SCHEMA kis FROM SERVER k', qr/SERVER kis /);
completes('CALL backf', qr/backfill_market_investor_trend/);
completes('DROP FUNCTION coll', qr/collect_market_investor_trend/);
$terminal->quit;
asks_nothing($simulator, 'completion asks KIS for nothing');

# ---- and a query by psql's own cursor ----------------------------------------

is(psql("\\set FETCH_COUNT 2\nSELECT market_code FROM kis_market_trend WHERE market_code IN ('KSP', 'KSQ', 'ETF') ORDER BY 1"),
	"ETF\nKSP\nKSQ", 'FETCH_COUNT');
is($simulator->calls, 3, 'a call for each pair');
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
