# Statements that sqlsmith makes up, on tables of all kinds: none crashes the
# server. What fails is tried on local tables with the same rows: it fails there as
# well, or for a reason that is listed here.
#
# Two short runs of 120 statements and a fixed seed, without and with the cache. KIS_TEST_LONG:
# runs of a minute for so many minutes, each of a seed of its own, with the
# planner set in other ways by turns.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Basename ();
use KisTest;
use List::Util qw(sum0);
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no sqlsmith (package sqlsmith)'
  unless grep { -x "$_/sqlsmith" } split /:/, $ENV{PATH};

my $minutes = $ENV{KIS_TEST_LONG};
my $simulator = KisTest::Simulator->new(config => { record_limit => 1000 });
my $node = new_node(
	'main',
	conf => q{
log_line_prefix = '%m [%p] %q%a '
log_statement = none
log_min_duration_statement = 0
log_error_verbosity = verbose
plan_cache_mode = auto
max_locks_per_transaction = 256
});
my $dir = PostgreSQL::Test::Utils::tempdir();
my (%count, @crashes, @leaks);

# ---- two databases ---------------------------------------------------------

# The foreign tables that IMPORT doesn't make: columns of other types, whole
# replies, a partition and a child. As kind says, or plain tables.
sub tables_by_hand
{
	my ($kind) = @_;
	my $foreign = $kind eq 'FOREIGN TABLE';
	my $of = sub { $foreign ? "SERVER kis OPTIONS (table_name '$_[0]'" . ($_[1] // '') . ')' : '' };
	my $field = sub { $foreign ? "OPTIONS (field '$_[0]')" : '' };

	return qq{
		CREATE DOMAIN market AS text;
		CREATE $kind by_hand (
			bank_net_qty integer, foreign_net_qty numeric, sector_code varchar(4), market_code market,
			other double precision } . $field->('individual_net_amount') . q{,
			member jsonb } . $field->('*') . q{, reply jsonb } . $field->('**') . q{
		) } . $of->('kis_sector_trend') . qq{;
		CREATE $kind investor_all (market_code char(3), sector_code text, investor text, net_qty bigint, trade_date date)
			} . $of->('kis_investor_trend', q{, pairs 'all'}) . qq{;
		CREATE TABLE parted (market_code text, sector_code text, foreign_net_qty bigint) PARTITION BY LIST (market_code);
		CREATE $kind parted_now PARTITION OF parted DEFAULT } . $of->('kis_market_trend') . qq{;
		CREATE TABLE parted_old PARTITION OF parted FOR VALUES IN ('OLD');
		INSERT INTO parted_old VALUES ('OLD', '0001', 1);
		CREATE TABLE parent (foreign_net_qty bigint, market_code text, sector_code text);
		INSERT INTO parent VALUES (7, 'KSP', '0001');
		CREATE $kind child (sector_code text, foreign_net_qty bigint, market_code text)
			INHERITS (parent) } . $of->('kis_sector_trend') . q{;
	};
}

# All days since 1980 are too many for a statement of a second, so of the
# tables with a row a day there are views alone.
my $views = q{
	CREATE VIEW daily AS SELECT * FROM raw.kis_market_trend_daily WHERE trade_date >= '2026-06-01';
	CREATE VIEW calendar AS SELECT * FROM raw.kis_calendar WHERE trade_date BETWEEN '2026-07-01' AND '2026-07-31';
	CREATE VIEW barred WITH (security_barrier) AS SELECT * FROM kis_market_trend WHERE market_code <> 'KSQ';
	CREATE VIEW named AS SELECT s.sector_name_en, s.amount_factor, t.* FROM kis_sector s
		JOIN kis_sector_trend t USING (market_code, sector_code);
};
my @imported = qw(kis_market_trend kis_sector_trend kis_investor_trend);
my @of_days = qw(raw.kis_market_trend_daily raw.kis_calendar);
my @by_hand = qw(by_hand investor_all parted_now child);
my @stored = qw(market_investor_trend market_investor_trend_snapshot);
my @calling = qw(collected checked);
my $ours = join '|', @imported, @by_hand, @calling, qw(parted parent daily calendar barred named);

# sqlsmith calls whatever it may: not what waits, hits other sessions or
# outlasts the transaction, which it rolls back.
my $smith = q{
	GRANT CREATE ON SCHEMA public TO smith;
	DO $$
	DECLARE
		name text;
	BEGIN
		FOR name IN SELECT oid::regprocedure FROM pg_proc
			WHERE proname ~ '^pg_(sleep|(try_)?advisory|terminate|cancel|notify|logical|stat_reset)|^set_config$' AND prokind = 'f'
		LOOP
			EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || name || ' FROM PUBLIC';
		END LOOP;
	END $$;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO smith;
	GRANT ALL ON parted, parted_old, parent TO smith;
	GRANT EXECUTE ON FUNCTION kis_stat_rows() TO smith;
};

sub fill_databases
{
	$node->safe_psql('postgres', 'CREATE ROLE smith LOGIN; CREATE DATABASE smith; CREATE DATABASE copies');
	setup($node, 'smith', $simulator, max_calls => 1000000);
	$node->safe_psql('smith',
		  q{GRANT USAGE ON FOREIGN SERVER kis TO smith; CREATE USER MAPPING FOR smith SERVER kis OPTIONS (app_key }
		. sql_literal($simulator->app_key) . ', app_secret ' . sql_literal($simulator->app_secret) . ');');
	$node->safe_psql('smith', 'CREATE SCHEMA raw; '
		. join('', map { "ALTER FOREIGN TABLE public." . s/.*\.//r . " SET SCHEMA raw;" } @of_days)
		. tables_by_hand('FOREIGN TABLE') . $views . q{
		CREATE VIEW collected AS SELECT * FROM collect_market_investor_trend('{KSP/0001,ETF}');
		CREATE VIEW checked AS SELECT * FROM kis_check('kis');} . $smith . q{
		SET ROLE smith;
		SELECT create_market_investor_trend();
		SELECT count(*) FROM collect_market_investor_trend('{KSP/0001,KSQ/1001,ETF,KSP/0002}');
		CALL backfill_market_investor_trend('2026-06-01', '2026-07-09');
		CREATE INDEX ON market_investor_trend (market_code, foreign_net_qty);
		RESET ROLE;
		ANALYZE;
	});

	# The same names, as local tables with the same rows
	$node->safe_psql('copies', 'CREATE EXTENSION market_investor_fdw; CREATE SCHEMA raw; '
		. $node->safe_psql('smith', q{
			SELECT format('CREATE TABLE %s (%s);', c.oid::regclass,
				string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum))
			FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0
			WHERE c.oid IN (} . join(', ', map { "'$_'::regclass" } @imported, @of_days, @calling) . q{) GROUP BY c.oid})
		. tables_by_hand('TABLE') . $views . q{
		GRANT CREATE ON SCHEMA public TO smith;
		SET ROLE smith;
		SELECT create_market_investor_trend();
} . $node->safe_psql('smith', q{
			SELECT format('CREATE TABLE IF NOT EXISTS %s PARTITION OF market_investor_trend_snapshot %s;',
				oid::regclass, pg_get_expr(relpartbound, oid))
			FROM pg_class JOIN pg_inherits ON inhrelid = oid
			WHERE inhparent = 'market_investor_trend_snapshot'::regclass})
		. 'RESET ROLE;' . $smith);
	foreach my $table (@imported, @by_hand, @stored, @calling, @of_days)
	{
		my $rows = $table =~ /^raw\.(.*)/ ? "SELECT * FROM $table WHERE trade_date BETWEEN '2026-06-01' AND '2026-07-31'"
		  : "SELECT * FROM $table";

		$node->safe_psql('smith', "COPY ($rows) TO '$dir/rows'");
		$node->safe_psql('copies', "COPY $table FROM '$dir/rows'; ANALYZE $table");
	}
	return;
}

# ---- what became of the statements -----------------------------------------

# Those that failed, of each SQLSTATE so many a round: how many there were
use constant MOST_COMPARED => 200;

my (@failed, %taken);

# Takes the messages out of the server's log: hashes of severity, sqlstate,
# message, location, statement, by (whose session). An hour's would fill a disk.
sub take_messages
{
	my ($each) = @_;
	my ($message, $part);

	open my $log, '+<', $node->logfile or die $node->logfile . ": $!";
	while (my $line = <$log>)
	{
		push @crashes, $line if $line =~ /PANIC|TRAP|terminated by signal|exited with exit code/;
		if ($line =~ /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] (.*?)\b(LOG|WARNING|ERROR|FATAL|PANIC):  (\w{5}): (.*\n)/)
		{
			$each->($message) if $message;
			$message = { by => $1, severity => $2, sqlstate => $3, message => $4, statement => '', location => '', context => '' };
			$part = 'message';
		}
		elsif ($line =~ /^\d{4}-\d\d-\d\d [\d:.]+ \S+ \[\d+\] .*?\b([A-Z]+):  (.*\n)/)
		{
			$part = lc $1;
			$message->{$part} = $2;
		}
		else
		{
			$message->{$part} .= $line if $part;
		}
	}
	truncate $log, 0;
	close $log;
	$each->($message) if $message;
	return;
}

sub count_message
{
	my ($message) = @_;
	my $statement = $message->{statement};
	my $status = $message->{sqlstate};

	return unless $message->{by} =~ /sqlsmith::dut/i;
	if ($message->{severity} eq 'LOG')
	{
		return unless $message->{message} =~ /^duration: [\d.]+ ms  (?:statement|execute .*?): (.*)/s;
		$statement = $1;
		$status = 'ok';
	}
	push @leaks, "WARNING:  $message->{message}$statement" if "WARNING:  $message->{message}" =~ $KisTest::Node::leak;
	return if $message->{severity} eq 'WARNING' || $statement =~ /^\s*(?:BEGIN|ROLLBACK|set\s)/;

	$message->{statement} = $statement;
	my $about = $statement =~ /\bpublic\.(?:$ours)\b/ ? 'foreign' : 'other';
	$count{$about}{$status}++;
	if ($status =~ /^HV/)
	{
		push @{ $count{wrapper} }, "$message->{message}$message->{location}$statement";
	}
	elsif ($status ne 'ok')
	{
		push @failed, $message if $taken{$status}++ < MOST_COMPARED;
	}
	return;
}

# ---- what fails, on local tables -------------------------------------------

use constant ANOTHER_PLAN => 'another plan evaluates other expressions';

# Those below the wall raise nothing; PostgreSQL has a catalog.c, too
my $our_sources = join '|', map { quotemeta File::Basename::basename($_) } glob "$FindBin::RealBin/../src/{fdw,shared,store}/*.c";

# Why a statement may fail on our tables alone; nothing, where it may not.
sub excuse
{
	my ($message) = @_;
	my $text = $message->{message};

	return 'sqlsmith was stopped' if $message->{sqlstate} eq '08006';
	return 'a statement has a second, and calls to KIS take time' if $message->{sqlstate} eq '57014';
	return 'foreign tables are not written to'
	  if $message->{sqlstate} eq '0A000' && $text =~ /^cannot (?:(?:insert into|update|delete from) foreign table|execute MERGE on relation) "/;
	# what is no work of an expression's: resources, the statement's analysis, rights on tables, code of ours;
	# an internal error is, where a function raises it that the statement itself calls
	my ($function) = $message->{location} =~ /^(\w+), /;
	return if $message->{sqlstate} =~ /^(?:53|57|58)/
	  || $message->{sqlstate} =~ /^XX/ && !(defined $function && $message->{statement} =~ /\b$function\s*\(/)
	  || $message->{location} =~ /\b(?:parse_\w+\.c|$our_sources):/
	  || $message->{location} =~ /^aclcheck_error\b/ || $message->{context} =~ /foreign table/;
	return ANOTHER_PLAN;
}

# What the statement fails with in the session, and whether that is as the message says.
sub try_again
{
	my ($session, $statement, $message) = @_;
	my ($error) = @{ $session->query("BEGIN;\n$statement;\nROLLBACK")->{errors} };

	return ($error, $error && $error->{sqlstate} eq $message->{sqlstate}
		  && ($error->{sqlstate} !~ /^XX/ || $message->{message} eq "$error->{message}\n"));
}

sub compare_failed
{
	my $session = $node->session('copies', extra_params => [ '-U', 'smith' ]);

	$session->query_safe(q{SET statement_timeout = '5s'});
	foreach my $message (@failed)
	{
		my $status = $message->{sqlstate};
		my ($error, $alike) = try_again($session, $message->{statement}, $message);
		# the row that it failed at may not be in this sample, but it is in all rows
		$alike = (try_again($session, $message->{statement} =~ s/\btablesample\s+\w+\s*\([^)]*\)//gir, $message))[1]
		  if !$alike && $message->{statement} =~ /\btablesample\b/i;
		my $excuse = $error || $alike ? undef : excuse($message);
		chomp(my $text = $message->{message});
		my $became = $alike ? 'fail alike' : $error ? "fail otherwise: $status as $error->{sqlstate}"
		  : "succeed: $status, " . ($excuse // 'and should not');

		$count{compared}++;
		$count{became}{$became}++;
		$count{core}{$text}++ if $alike && $status =~ /^XX/;
		$count{excused}{$excuse}++ if $excuse;
		push @{ $count{ours_alone} }, "$status: $text\n$message->{location}$message->{context}$message->{statement}"
		  unless $alike || $excuse || $error && $status !~ /^XX/;
	}
	$session->quit;
	@failed = ();
	%taken = ();
	return;
}

# ---- the runs --------------------------------------------------------------

# So many statements, or as many as so many seconds take.
sub run_sqlsmith
{
	my ($seed, $statements, $seconds) = @_;
	my $target = 'host=' . $node->host . ' port=' . $node->port . ' dbname=smith user=smith';
	my ($output, $errors) = ('', '');

	IPC::Run::run([ 'timeout', $seconds, 'sqlsmith', "--target=$target", "--seed=$seed", "--max-queries=$statements", '--exclude-catalog' ],
		'>', \$output, '2>', \$errors);
	ok($? == 0 || $? >> 8 == 124, "sqlsmith worked to its end, seed $seed") or diag("status $?: $errors");
	ok( eventually {
			$node->safe_psql('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'smith'") eq 't'
		},
		'and its last statement ended');
	return;
}

sub cache_hits
{
	return $node->safe_psql('smith', 'SELECT sum(cache_hits) FROM kis_stat');
}

# How the planner may be set, by turns
my @settings = (
	[],
	[ 'enable_nestloop = off', 'enable_memoize = off' ],
	[ 'enable_hashjoin = off', 'enable_hashagg = off', 'enable_material = off' ],
	[ 'enable_mergejoin = off', 'enable_sort = off', 'geqo_threshold = 2' ],
	[ 'enable_partitionwise_join = on', 'enable_partitionwise_aggregate = on', 'from_collapse_limit = 1', 'join_collapse_limit = 1' ],
	[ 'jit_above_cost = 0', 'jit_inline_above_cost = -1', 'jit_optimize_above_cost = -1' ]);

sub one_round
{
	my ($seed, $statements, $seconds, $cached, $settings) = @_;
	my ($calls, $hits) = ($simulator->calls, cache_hits());

	$node->safe_psql('smith', join '', 'ALTER ROLE smith RESET ALL;', map { "ALTER ROLE smith SET $_;" } @$settings);
	$node->safe_psql('smith', q{ALTER SERVER kis OPTIONS (SET cache_ttl '} . ($cached ? '10s' : '0') . q{')});
	run_sqlsmith($seed, $statements, $seconds);
	take_messages(\&count_message);
	compare_failed();
	take_messages(sub { });
	$count{rounds}{ $cached ? 'hit' : 'asked' }++;
	$count{asked}++ if !$cached && $simulator->calls > $calls;
	$count{hit}++ if $cached && cache_hits() > $hits;
	return;
}

fill_databases();
take_messages(sub { });
if ($minutes)
{
	my $seed = time;

	diag("seeds $seed to " . ($seed + $minutes - 1));
	one_round($seed + $_, 1000000, 60, $_ % 2, $settings[ $_ / 2 % @settings ]) foreach 0 .. $minutes - 1;
}
else
{
	one_round(1, 120, 90, 0, $settings[0]);
	one_round(2, 120, 90, 1, $settings[1]);
}

# ---- what came of it -------------------------------------------------------

sub list
{
	my (@texts) = @_;

	return join "\n----\n", @texts[ 0 .. ($#texts < 4 ? $#texts : 4) ];
}

foreach my $about (qw(foreign other))
{
	my $states = $count{$about};

	diag(sprintf '%d statements on %s: %s', sum0(values %$states),
		$about eq 'foreign' ? 'foreign tables' : 'other tables alone',
		join ', ', map { "$_ $states->{$_}" } sort { $states->{$b} <=> $states->{$a} || $a cmp $b } keys %$states);
}
diag("of $count{compared} that failed, on local tables $count{became}{$_} $_") foreach sort keys %{ $count{became} };
diag("fails alike on local tables, $count{core}{$_} times: $_") foreach sort keys %{ $count{core} };

my $statements = sum0(values %{ $count{foreign} });
cmp_ok($statements, '>=', 50, 'many statements were on foreign tables');
cmp_ok($count{foreign}{ok} // 0, '>=', $statements / 10, 'and many of them succeeded');
is(list(@{ $count{ours_alone} }), '', 'what failed fails on local tables as well, but for what is listed');
cmp_ok($count{excused}{ +ANOTHER_PLAN } // 0, '<=', 5 + $count{compared} / 100,
	'and few for another plan');
# not in each: a busy machine may take a second to compile a statement, which then is over
cmp_ok($count{$_} // 0, '>=', $count{rounds}{$_} / 2, "in most rounds KIS or its cache was $_") foreach keys %{ $count{rounds} };
is(list(@{ $count{wrapper} }), '', 'no failure to ask KIS');
is(list($simulator->problems), '', 'and KIS was asked as it wants to be');
is(list(@leaks), '', 'nothing was left open');
is(list(@crashes), '', 'no process crashed');
done_testing();
