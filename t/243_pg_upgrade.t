# pg_upgrade from each version of PostgreSQL that is here to the next one, with all
# of it in two databases: a store, tables, mappings, grants, a schedule. Everything
# is there afterwards, and works. Versions are those of /usr/lib/postgresql and of
# the directories of programs in KIS_TEST_BINDIRS, with colons between.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Client;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";

# The versions that can build, run and upgrade: by number their directories of programs
sub versions
{
	my %found;

	foreach my $bindir (split(/:/, $ENV{KIS_TEST_BINDIRS} // ''), glob '/usr/lib/postgresql/*/bin')
	{
		next if grep { !-x "$bindir/$_" } qw(pg_config pg_upgrade initdb postgres);
		my ($version) = (`$bindir/pg_config --version` // '') =~ /^PostgreSQL (\d+)/ or next;
		my $makefile = `$bindir/pg_config --pgxs` =~ s/\n//r;

		$found{$version} //= $bindir if $version >= 15 && -f $makefile;
	}
	return %found;
}

my %bindirs = versions();
my @versions = sort { $a <=> $b } keys %bindirs;

plan skip_all => 'pg_upgrade takes two versions of PostgreSQL with their postgresql-server-dev, and here is '
  . (@versions ? "$versions[0] alone" : 'none') . '; KIS_TEST_BINDIRS may name directories of programs'
  if @versions < 2;

my @programs = qw(pg_upgrade pg_dumpall pg_controldata pg_resetwal vacuumdb);

# A copy of the version's installation with the extension: where its bin is
sub install
{
	my ($version) = @_;
	my $place = PostgreSQL::Test::Utils::tempdir();
	my $pg_config = "$bindirs{$version}/pg_config";
	# A make of ours, not a part of the one that has started this
	local %ENV = (%ENV, KIS_TEST_CFLAGS => $ENV{COPT} // '');
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL COPT)};

	system_or_bail('bash', '-c', q{
		. "$0/scripts/lib.sh"
		work=$1 pg_config=$2
		shift 2
		choose_server_user
		copy_source
		copy_installation "$pg_config" "$@"
		build "$pg_config" with_llvm=no}, $top, $place, $pg_config, @programs);
	return "$place/pg" . $bindirs{$version} =~ s{/bin/?$}{}r;
}

my $simulator = KisTest::Simulator->new;
my %has_cron = map { ($_ => -f `$bindirs{$_}/pg_config --pkglibdir` =~ s/\n//r . '/pg_cron.so') } @versions;
my $schedule = !grep { !$has_cron{$_} } @versions;
my $key_file = PostgreSQL::Test::Utils::tempdir() . '/app_key';

append_to_file($key_file, $simulator->app_key . "\n");

sub new_cluster
{
	my ($version) = @_;
	my $node = KisTest::Node->new("of_$version", install_path => install($version));

	# From 18 on initdb has checksums, which pg_upgrade wants in both or in none
	$node->init(extra => [ '--no-locale', '--encoding=UTF8', $version >= 18 ? '--no-data-checksums' : () ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '"
		  . join(', ', $version < 17 ? 'market_investor_fdw' : (), $schedule ? 'pg_cron' : ()) . q{'});
	$node->append_conf('postgresql.conf', q{cron.database_name = 'postgres'}) if $schedule;
	return $node;
}

# Everything that is to be there, by what it is. A dump sorts options, and 17 has
# one right more of owners.
my %queries = (
	extension => q{SELECT extname, extversion, extnamespace::regnamespace FROM pg_extension WHERE extname = 'market_investor_fdw'},
	server => 'SELECT srvname, array(SELECT unnest(srvoptions) ORDER BY 1), srvacl FROM pg_foreign_server',
	mappings => 'SELECT usename, srvname, array(SELECT unnest(umoptions) ORDER BY 1) FROM pg_user_mappings ORDER BY usename',
	tables => 'SELECT ftrelid::regclass, array(SELECT unnest(ftoptions) ORDER BY 1) FROM pg_foreign_table ORDER BY ftrelid::regclass::text',
	columns => 'SELECT attrelid::regclass, attname, atttypid::regtype, attfdwoptions, col_description(attrelid, attnum) FROM pg_attribute JOIN pg_foreign_table ON ftrelid = attrelid'
	  . ' WHERE attnum > 0 ORDER BY attrelid::regclass::text, attnum',
	relations => q{SELECT oid::regclass, relkind, relowner::regrole, has_table_privilege('reader', oid, 'SELECT'), obj_description(oid, 'pg_class') FROM pg_class
		WHERE relnamespace::regnamespace::text IN ('public', 'flows') AND relkind <> 'c' ORDER BY oid::regclass::text},
	partitions => q{SELECT inhrelid::regclass, pg_get_expr(relpartbound, oid) FROM pg_inherits JOIN pg_class ON oid = inhrelid ORDER BY inhrelid::regclass::text},
	constraints => q{SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE connamespace::regnamespace::text IN ('public', 'flows') AND contype <> 'n' ORDER BY conrelid::regclass::text, conname},
	store => 'SELECT s FROM market_investor_trend AS s ORDER BY id',
	snapshots => 'SELECT s FROM market_investor_trend_snapshot AS s ORDER BY market_code, sector_code, collected_at',
	log => 'SELECT c FROM market_investor_trend_collection AS c ORDER BY asked_at, market_code, sector_code',
	'view of investors' => 'SELECT v FROM market_investor_trend_by_investor AS v ORDER BY v',
	board => 'SELECT b FROM board AS b ORDER BY b',
	($schedule ? (schedule => q{SELECT jobid, schedule, command, database, username, active, jobname FROM cron.job ORDER BY jobid}) : ()));

sub content
{
	my ($node, $db) = @_;

	return { map { ($_ => $node->safe_psql($db, "SET search_path = flows, public, kis; $queries{$_}")) }
		  grep { $_ ne 'schedule' || $db eq 'postgres' } keys %queries };
}

# Each database as it should work: rows from KIS, a collection, all checks
sub works
{
	my ($node, $db, $name) = @_;
	my $value = sub { $node->safe_psql($db, "SET search_path = flows, public, kis; $_[0]") };

	is($value->(q{SELECT string_agg(step || ': ' || detail, ', ') FROM kis_check() WHERE NOT ok}), '', "$name: kis_check finds nothing wrong");
	is($value->(q{SELECT count(*) FROM kis_market_trend JOIN kis_sector USING (market_code, sector_code)}), 19, "$name: a query of the live tables");
	is($value->(q{SELECT code, reply->>'rt_cd' FROM foreigners WHERE code = 'KSP'}), 'KSP|0', "$name: one of a table by hand");
	is($value->(q{SET ROLE reader; SELECT count(*) FROM live}), 1, "$name: one by another's rights");
	is($value->(q{SELECT string_agg(outcome, ' ' ORDER BY market_code) FROM collect_market_investor_trend('{KSP,KSQ}')}), 'unchanged unchanged', "$name: a collection");
	$simulator->config(overrides => { 'KSP/0001' => { frgn_ntby_qty => $node->pg_version->major . '1' } });
	is($value->(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), 'updated', "$name: one of new figures");
	$simulator->config(overrides => {});
	is($value->(q{SELECT outcome FROM collect_market_investor_trend('{KSP}')}), 'updated', "$name: and one of those before");
	is($value->(q{SELECT string_agg(outcome, ' ') FROM collect_market_investor_trend(ARRAY[(SELECT market_code || '/' || sector_code FROM kis_sector
			WHERE (market_code, sector_code) NOT IN (SELECT market_code, sector_code FROM market_investor_trend) LIMIT 1)])}), 'inserted', "$name: and one of a new pair");
	is(run_sql($node, $db, q{SET search_path = flows, public, kis; CALL backfill_market_investor_trend('2026-07-01', '2026-07-09', '{KSP}')})->{notices}[-1]{message},
		'backfill has read 1 page, 7 trading days: 0 inserted, 0 updated, 7 unchanged, 0 skipped', "$name: a backfill finds its days");
	is(run_sql($node, $db, 'SET search_path = flows, public, kis; SELECT create_market_investor_trend()')->{stderr}, '', "$name: the store is one");
	is($value->(q{SELECT count(*) FROM market_investor_trend_gaps('market_investor_trend', '2026-07-01', '2026-07-09') WHERE market_code = 'KSP'}), 0, "$name: without gaps");
	return;
}

# Columns that are added to a table, as to pg_cron's and ours, bear an option since
# PostgreSQL's releases of November 2026. A server from before doesn't know it.
sub knows_added_columns
{
	my ($version) = @_;

	return slurp_file("$bindirs{$version}/pg_dump") =~ /pg_attver/;
}

# ---- with the oldest of them, all that there may be ------------------------------

my $node = new_cluster($versions[0]);

$node->start;
$node->safe_psql('postgres', 'CREATE ROLE reader; CREATE ROLE clerk; CREATE DATABASE another');
$node->safe_psql('another', 'CREATE SCHEMA kis; CREATE SCHEMA flows; CREATE EXTENSION market_investor_fdw SCHEMA kis');
foreach my $db (qw(postgres another))
{
	setup($node, $db, $simulator, extra_pairs => 'KSP/0031', max_calls => 80);
	$node->safe_psql($db, "SET log_statement = 'none'; SET search_path = " . ($db eq 'another' ? 'flows, public, kis' : 'public') . qq{;
		CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key_file '$key_file', app_secret '@{[$simulator->app_secret]}');
		CREATE FOREIGN TABLE public.foreigners (
			code varchar(3) OPTIONS (field 'market_code'),
			sold bigint OPTIONS (field 'frgn_seln_tr_pbmn'),
			reply jsonb OPTIONS (field '**')) SERVER kis OPTIONS (table_name 'kis_sector_trend', pairs 'headline');
		CREATE VIEW public.live AS SELECT market_code FROM kis_market_trend JOIN kis_sector USING (market_code, sector_code) WHERE market_code = 'KSQ';
		CREATE MATERIALIZED VIEW public.board AS SELECT market_code, sector_code FROM kis_market_trend WHERE market_code = 'KSP';
		GRANT SELECT ON public.live, kis_market_trend TO reader;
		SELECT kis_comment_tables(), create_market_investor_trend();
		GRANT SELECT ON market_investor_trend TO reader;
		SELECT count(*) FROM collect_market_investor_trend('{KSP,KSQ,ETF}', index_level => true);
		CALL backfill_market_investor_trend('2026-07-01', '2026-07-09', '{KSP}');});
}
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; SELECT count(*) FROM schedule_market_investor_trend()') if $schedule;
works($node, $_, "$versions[0], $_") foreach qw(postgres another);

# ---- and up --------------------------------------------------------------------

foreach my $version (@versions[ 1 .. $#versions ])
{
	my $old = $node;
	my $old_major = $old->pg_version->major;

	SKIP:
	{
		skip "this PostgreSQL $version was released before this $old_major, and doesn't know what that writes", 1
		  if knows_added_columns($old_major) && !knows_added_columns($version);
	}
	last if knows_added_columns($old_major) && !knows_added_columns($version);
	my %before = map { ($_ => content($old, $_)) } qw(postgres another);
	my $name = "$old_major to $version";

	$node = new_cluster($version);
	$old->stop;

	my ($bin, $library) = map { $node->install_path . $_ } '/bin', '/lib/market_investor_fdw.so';
	my @command = ("$bin/pg_upgrade", '--old-bindir', $old->install_path . '/bin', '--new-bindir', $bin, '--old-datadir', $old->data_dir,
		'--new-datadir', $node->data_dir, '--old-port', $old->port, '--new-port', $node->port, '--socketdir', $node->host);

	chdir $node->basedir or die $node->basedir . ": $!";
	if ($version == $versions[1])
	{
		my $output;

		rename $library, "$library.away" or die "$library: $!";
		IPC::Run::run([ @command, '--check' ], '>&', \$output);
		# Where it is preloaded, the server does not even start
		like($output, qr/references loadable libraries that are missing|could not connect to target postmaster/,
			"$name without the extension for the new one: pg_upgrade says so before");
		rename "$library.away", $library or die "$library: $!";
	}
	$simulator->reset(keep_tokens => JSON::PP::true);
	command_ok([ @command, $version == $versions[-1] ? '--link' : () ], "$name: pg_upgrade");
	asks_nothing($simulator, "$name: asks KIS for nothing");
	$node->start;
	foreach my $db (qw(postgres another))
	{
		my $after = content($node, $db);

		is($after->{$_}, $before{$db}{$_}, "$name, $db: $_") foreach sort keys %$after;
		works($node, $db, "$version, $db");
	}
	is($node->safe_psql('postgres', 'SELECT version() ~ $$^PostgreSQL ' . $version . '$$, count(*) FROM kis_stat'), 't|1', "$version: both databases by one token and rate");
	next unless $schedule;
	$node->safe_psql('postgres', 'ALTER EXTENSION pg_cron UPDATE');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM schedule_market_investor_trend(); ' . $queries{schedule}), "4\n$before{postgres}{schedule}",
		"$name: the schedule can be called again, and has its jobs");
}
$node->stop;

note('no schedule, for not all have pg_cron') unless $schedule;
is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
