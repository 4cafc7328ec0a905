# pg_dump of a database with everything in it, and its restore; pg_dumpall, too.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $has_cron = -f `pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so';
my @conf = $has_cron ? (conf => "shared_preload_libraries = 'market_investor_fdw, pg_cron'") : ();
my $node = new_node('main', @conf);
my $key_file = $node->basedir . '/app_key';

sub value
{
	my ($sql, $db) = @_;

	return $node->safe_psql(defined $db ? $db : 'postgres', $sql);
}

# The dump as psql runs it
sub dump_of
{
	my ($db, @options) = @_;
	my ($output, $stderr) = ('', '');

	IPC::Run::run([ 'pg_dump', '--no-sync', '-h', $node->host, '-p', $node->port, @options, $db ], '>', \$output, '2>', \$stderr);
	is($stderr, '', "pg_dump of $db");
	# Later releases have a key in it that no two dumps share
	return $output =~ s/^\\(?:un)?restrict .*\n//gmr;
}

append_to_file($key_file, $simulator->app_key . "\n");
setup($node, 'postgres', $simulator, connect_timeout => '5s', max_calls => 80, extra_pairs => 'KSP/0031');
value(qq{
	SET log_statement = 'none';
	CREATE ROLE reader LOGIN; CREATE ROLE auditor LOGIN IN ROLE pg_read_all_data;
	CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS (app_key_file '$key_file', app_secret '@{[$simulator->app_secret]}');
	CREATE FOREIGN TABLE foreigners (
		code varchar(3) OPTIONS (field 'market_code'),
		sold bigint OPTIONS (field 'frgn_seln_tr_pbmn'),
		reply jsonb OPTIONS (field '**')) SERVER kis OPTIONS (table_name 'kis_sector_trend', pairs 'headline');
	CREATE VIEW board AS SELECT * FROM kis_market_trend JOIN kis_sector USING (market_code, sector_code);
	GRANT SELECT ON board, kis_market_trend TO reader;
	GRANT USAGE ON FOREIGN SERVER kis TO reader;
	SELECT kis_comment_tables(), create_market_investor_trend();
	SELECT count(*) FROM collect_market_investor_trend('{KSP,KSQ,ETF}');});
my $stored = value('TABLE market_investor_trend ORDER BY id');
my $snapshots = value('TABLE market_investor_trend_snapshot ORDER BY 1, 2');
my $by_investor = value('TABLE market_investor_trend_by_investor ORDER BY market_code, investor');
my $partitions = q{SELECT string_agg(inhrelid::regclass || pg_get_expr(relpartbound, oid), ' ' ORDER BY 1)
	FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'market_investor_trend_snapshot'::regclass};

# ---- dump and restore --------------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
my $dump = dump_of('postgres');
asks_nothing($simulator, 'a dump asks KIS for nothing');
like($dump, qr/^COPY public\.market_investor_trend_snapshot_y\d{4}m\d\d /m, 'the snapshots are in it');
unlike($dump, qr/^COPY public\.kis_/m, 'and of foreign tables the definition alone');

value('CREATE DATABASE restored');
# It has keys in it, which are not for the log
my $result = run_sql($node, 'restored', "SET log_statement = 'none'; $dump");
is($result->{stderr}, '', 'the dump can be restored');
ok(dump_of('restored') eq $dump, 'and what is restored has the same dump');

is(value('TABLE market_investor_trend ORDER BY id', 'restored'), $stored, 'the stored rows are there');
is(value('TABLE market_investor_trend_snapshot ORDER BY 1, 2', 'restored'), $snapshots, 'and the snapshots');
isnt($snapshots, '', 'which are some');
is(value($partitions, 'restored'), value($partitions), 'in the partitions of their months');
is(value('TABLE market_investor_trend_by_investor ORDER BY market_code, investor', 'restored'), $by_investor,
	'the view of the store shows the same');
like($by_investor, qr/\|외국인\|Foreigners\|.*\|thousand shares\|million won$/m, 'with names and units');
is(value(q{SELECT col_description('market_investor_trend'::regclass, 6), col_description('kis_market_trend'::regclass, 5)}, 'restored'),
	value(q{SELECT col_description('market_investor_trend'::regclass, 6), col_description('kis_market_trend'::regclass, 5)}),
	'and columns have their comments');

# ---- and goes on working -----------------------------------------------------

$simulator->reset(keep_tokens => JSON::PP::true);
like(value(q{SELECT code, reply->>'rt_cd' FROM foreigners WHERE code = 'KSP'}, 'restored'), qr/^KSP\|0$/, 'a query of the restored database');
is($simulator->calls, 1, 'makes its call, to where the server says');
is(value(q{SET ROLE reader; SELECT market_code, sector_name_en IS NOT NULL FROM board WHERE market_code = 'KSQ'}, 'restored'),
	'KSQ|t', 'its grants and user mappings are there');
is(value('SELECT create_market_investor_trend()', 'restored'), '', 'its store is one');
is(dump_of('restored'), $dump, 'in which nothing is missing');
like(value(q{DELETE FROM market_investor_trend WHERE market_code = 'KSP';
	SELECT string_agg(outcome, ' ' ORDER BY market_code) FROM collect_market_investor_trend('{KSP,KSQ}')}, 'restored'),
	qr/^inserted unchanged$/, 'and a collection fills it');

# ---- all databases, into another server ------------------------------------------

my $jobs = q{SELECT jobid, jobname, schedule, command, database, username, active FROM cron.job ORDER BY jobid};
my $scheduled = $has_cron ? value("CREATE EXTENSION pg_cron; SELECT count(*) FROM schedule_market_investor_trend(); $jobs") : '';
my $all = '';
my $other = new_node('other', @conf);

IPC::Run::run([ 'pg_dumpall', '--no-sync', '-h', $node->host, '-p', $node->port ], '>', \$all);
{
	local $ENV{PGOPTIONS} = '-c log_statement=none';
	$result = run_sql($other, 'postgres', $all);
}
like(join(', ', map { $_->{message} } @{ $result->{messages} }), qr/^role "\w+" already exists$/, 'what pg_dumpall has can be restored, but for the role that is there');
foreach my $db (qw(postgres restored))
{
	is($other->safe_psql($db, 'TABLE market_investor_trend ORDER BY id'), value('TABLE market_investor_trend ORDER BY id', $db), "$db: its rows are there");
	is($other->safe_psql($db, q{SELECT count(*) FILTER (WHERE ok), count(*) FROM kis_check()}), '7|7', 'kis_check finds nothing wrong');
	is($other->safe_psql($db, q{SELECT string_agg(outcome, ' ') FROM collect_market_investor_trend('{KSP,KSQ}')}), 'unchanged unchanged', 'and a collection works');
}
SKIP:
{
	skip 'pg_cron is not installed', 6 unless $has_cron;

	my $file = $node->basedir . '/scheduled.dump';
	my $output;

	is($other->safe_psql('postgres', $jobs), $scheduled =~ s/^4\n//r, 'the schedule is there');
	like($scheduled, qr/^4\n(?:.*\n){3}.*\z/, 'with its four jobs');

	# pg_cron is of one database, and always connected to it
	is((sql_error($node, 'restored', 'CREATE DATABASE scheduled TEMPLATE postgres'))[0], '55006', 'its database is no template');
	dump_of('postgres', '-Fc', '-f', $file);
	value('CREATE DATABASE scheduled');
	IPC::Run::run([ 'sh', '-c', 'pg_restore -l "$0" | grep -v " cron\\b\\| pg_cron" >"$0.list" && pg_restore -h "$1" -p "$2" -L "$0.list" -d scheduled "$0"', $file, $node->host, $node->port ], '>&', \$output);
	is($output, '', 'a restore without the schedule goes into a database of another name');
	is(value('TABLE market_investor_trend ORDER BY id', 'scheduled'), value('TABLE market_investor_trend ORDER BY id'), 'with the rows');
	value('SELECT unschedule_market_investor_trend(); DROP EXTENSION pg_cron');
}
$other->stop;

# ---- the store alone, where the extension is not ------------------------------

value('CREATE DATABASE elsewhere');
is(run_sql($node, 'elsewhere', dump_of('postgres', '-t', 'market_investor_trend*'))->{stderr}, '',
	'the store can be restored without the extension');
is(value('SELECT count(*) FROM pg_foreign_data_wrapper', 'elsewhere'), 0, 'which is not there');
is(value('TABLE market_investor_trend_by_investor ORDER BY market_code, investor', 'elsewhere'), $by_investor, 'with its view');
is(value('TABLE market_investor_trend_snapshot ORDER BY 1, 2', 'elsewhere'), $snapshots, 'and the snapshots');

# ---- a materialized view of a live table: the restore fills it -----------------

value(q{CREATE DATABASE live});
value(setup_sql($simulator) . q{CREATE MATERIALIZED VIEW board AS SELECT market_code, foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP';
	CREATE INDEX board_index ON board (market_code)}, 'live');

my $made = 0;

# With a fault of KIS's or none, restores a dump into a database of its own and returns what is told, how many calls it made, and whether the view has rows and an index
sub restore
{
	my ($sql, $fault) = @_;
	my $db = 'live' . ++$made;

	value("CREATE DATABASE $db");
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->fault($fault) if $fault;
	my $result = ref $sql ? $sql->($db) : run_sql($node, $db, "SET log_statement = 'none'; $sql");
	my $calls = $simulator->calls;

	return join ' ', (map { $_->{sqlstate} } @{ $result->{errors} }), "$calls calls,", value(q{SELECT CASE WHEN relispopulated THEN 'rows' ELSE 'no rows' END || CASE WHEN relhasindex THEN ', an index' ELSE '' END
		FROM pg_class WHERE relname = 'board'}, $db);
}

my $of_live = dump_of('live');

is(restore($of_live), '1 calls, rows, an index', 'a restore of a dump with it calls KIS');
is(restore(dump_of('live', '--section=pre-data', '--section=data')), '0 calls, no rows', 'that of two sections does not');
is(restore($of_live, { fault => 'error', params => { msg_cd => 'OPSQ0002' } }), 'HV000 1 calls, no rows, an index', 'where KIS refuses, the view is there without rows, and all else');

my $file = $node->basedir . '/live.dump';

dump_of('live', '-Fc', '-f', $file);
is(restore(sub {
			my ($db) = @_;
			my $output;

			IPC::Run::run([ 'sh', '-c', 'pg_restore -l "$0" | grep -v "MATERIALIZED VIEW DATA" >"$0.list" && pg_restore -h "$1" -p "$2" -L "$0.list" -d "$3" "$0"', $file, $node->host, $node->port, $db ],
				'>&', \$output);
			is($output, '', 'pg_restore of a list');
			return { errors => [] };
		}), '0 calls, no rows, an index', 'pg_restore without its data calls nobody, either');
value('REFRESH MATERIALIZED VIEW board', "live$made");
is(value('SELECT market_code FROM board', "live$made"), 'KSP', 'and a refresh fills it');
value('REFRESH MATERIALIZED VIEW board WITH NO DATA', 'live');
is(restore(dump_of('live')), '0 calls, no rows, an index', 'nor that of one without rows');
is((sql_error($node, "live$made", 'SELECT * FROM board'))[0], '55000', 'which a query can\'t read');

# ---- secrets in it -----------------------------------------------------------

like($dump, qr/\Q@{[$simulator->app_secret]}\E/, "a superuser's dump has the secrets of user mappings");
value('DROP VIEW board', 'restored');
my $theirs = dump_of('restored', '-U', 'auditor');
like($theirs, qr/^CREATE USER MAPPING FOR public SERVER kis;/m, "another's has the mappings");
is_deeply([ grep { index($theirs, $_) >= 0 } $simulator->app_key, $simulator->app_secret, $key_file ], [], 'and none of their options');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
