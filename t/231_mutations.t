# Replies changed at random, asked for by queries, collections and backfills in a
# live backend: what it shows and stores, which day it takes for today's and which
# token its calls bear is what another reader of JSON finds in them
# (test/mutation_reader.py, which has the rules), or there is an error. 9,000
# replies, always the same.
#
# KIS_TEST_LONG=N: 90,000, each time others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $test = "$FindBin::RealBin/../test";
my $count = $ENV{KIS_TEST_LONG} ? 10_000 : 1_000;
my $batch = 500;

# A Sunday: which trading day it is takes some of the calendar
my $now = '2026-07-12 12:00:00';
my $first_seed = $ENV{KIS_TEST_LONG} ? time : 20260710;

# Each way to ask: which reply is changed, and how the other reader reads it;
# SQL that shows rows, or that stores some; and what a reply that is refused may
# come to, by what it is. A collection reports all that is none as its own
# failure; a query has the column's type speak.
my %refused = (reply => qr/^HV00M$/, code => qr/^HV000$/, figure => qr/^22(P02|003)$/, none => qr/^none$/);
my $collect = q{SELECT outcome INTO STRICT state FROM collect_market_investor_trend('{999/S001}', store => 'full_store')};
my $no_page = { fault => 'output_empty', match => { kind => [ 'daily', 'holiday' ] } };
my @ways = (
	{ name => 'query', reads => 'trend', file => 'trend_KSP_0027', captured => 'KSP/0027', kind => 'trend',
		shows => q{figures WHERE market_code = 'KSP' AND sector_code = '0027'}, line => 'fields' },
	{ name => 'collection', reads => 'trend', file => 'trend_999_S001', captured => '999/S001', kind => 'trend',
		stores => $collect, line => 'fields', refused => { figure => qr/^HV000$/, none => qr/^HV000$/ } },
	# one with days missing has the next page asked for, which has none
	{ name => 'history', reads => 'daily', file => 'daily_KSP_0001', captured => 'daily:KSP/0001', kind => 'daily', date => '20260709',
		shows => q{history WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-07-07' AND '2026-07-09'},
		line => 'daily' },
	{ name => 'backfill', reads => 'backfill', file => 'daily_KSP_0001', captured => 'daily:KSP/0001', kind => 'daily', date => '20260709',
		stores => q{CALL backfill_market_investor_trend('2026-07-07', '2026-07-09', '{KSP/0001}', store => 'full_store')}, line => 'fields' },
	{ name => 'calendar', reads => 'calendar', file => 'calendar_20260628', captured => 'holiday:20260628', kind => 'holiday', date => '20260628',
		shows => q{days WHERE trade_date BETWEEN '2026-06-28' AND '2026-07-21'}, line => 'calendar' },
	{ name => 'today', reads => 'today', file => 'calendar_20260628', captured => 'holiday:20260628', kind => 'holiday', date => '20260628',
		stores => $collect, line => 'today', before => q{ALTER SERVER kis OPTIONS (SET calendar 'kis')},
		refused => { map { $_ => qr/^HV000$/ } qw(reply code) } },
	{ name => 'index', reads => 'index', file => 'index_0001', captured => 'index:0001', kind => 'index',
		shows => q{levels WHERE market_code = 'KSP'}, line => 'index' },
	{ name => 'program', reads => 'program', file => 'program_KSP', captured => 'program:KSP', kind => 'program',
		shows => q{programs WHERE market_code = 'KSP'}, line => 'program' },
	{ name => 'token', reads => 'token', file => 'token', captured => 'token', kind => 'token',
		shows => q{figures WHERE market_code = 'KSP' AND sector_code = '0027'}, line => 'fields',
		config => { token_rules => JSON::PP::false, token_calls => 1 }, refused => { ended => qr/^28000$/ } });

# The columns of catalog/NAME.tsv with their types, in its order, and a row of them as the other reader writes it
sub columns
{
	my ($name) = @_;
	my ($head, @rows) = map { [ split /\t/ ] } split /\n/, slurp_file("$test/../catalog/$name.tsv");
	my %at = map { $head->[$_] => $_ } 0 .. $#$head;

	return map { [ $_->[ $at{column_name} ], defined $at{type} ? $_->[ $at{type} ] : 'bigint' ] } @rows;
}

my %shown_as = (text => q{encode(convert_to(%s, 'UTF8'), 'hex')}, date => q{to_char(%s, 'YYYYMMDD')});
my (%columns, %line);
foreach my $name (qw(fields daily calendar index program))
{
	my @columns = columns($name);

	# of the index a day is a text like others
	$_->[1] =~ s/date/text/ foreach grep { $name eq 'index' } @columns;
	$columns{$name} = join ', ', map { "@$_" } @columns;
	$line{$name} = 'array_to_string(ARRAY[' . join(', ', map { sprintf $shown_as{ $_->[1] } // '%s::text', $_->[0] } @columns) . q{], '|', '')};
}
$line{today} = q{to_char(trade_date, 'YYYYMMDD')};

my $simulator = KisTest::Simulator->new(config => { record_limit => 4 * $batch });
my $clock = KisTest::Clock->new($simulator);
$clock->set($now);
my $node = new_node('main', env => $clock->env, conf => <<'CONF');
log_error_verbosity = verbose
market_investor_fdw.cache_size = 0	# each calendar is asked for
CONF

setup($node, 'postgres', $simulator, import => 0, max_retries => '0');

# Each question is a statement of its own; one that fails is noted, too.
$node->safe_psql('postgres', <<"SQL");
CREATE FOREIGN TABLE figures (market_code text, sector_code text, $columns{fields})
	SERVER kis OPTIONS (table_name 'kis_sector_trend');
CREATE FOREIGN TABLE history (market_code text, sector_code text, $columns{daily})
	SERVER kis OPTIONS (table_name 'kis_market_trend_daily');
CREATE FOREIGN TABLE days ($columns{calendar})
	SERVER kis OPTIONS (table_name 'kis_calendar');
CREATE FOREIGN TABLE levels (market_code text, sector_code text, $columns{index})
	SERVER kis OPTIONS (table_name 'kis_index');
CREATE FOREIGN TABLE programs (market_code text, $columns{program})
	SERVER kis OPTIONS (table_name 'kis_program_trend');
CREATE TABLE full_store (market_code text, sector_code text, collected_at timestamptz, trade_date date, $columns{fields},
	UNIQUE (market_code, sector_code, trade_date));
CREATE SEQUENCE turns;
CREATE TABLE seen (way text, number int, state text, figures text);
SQL

sub create_function
{
	my ($way) = @_;
	my $rows = $way->{shows} || '(SELECT * FROM full_store ORDER BY trade_date DESC) stored';
	my $read = "SELECT string_agg($line{ $way->{line} }, ';') INTO figures FROM $rows;";
	my $store = $way->{stores} ? "$way->{stores};" : $read;
	my $turn = $way->{kind} eq 'holiday' ? $clock->turn_sql . ';' : '';

	$read = '' if $way->{shows};
	$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION $way->{name}(OUT state text, OUT figures text) LANGUAGE plpgsql AS \$\$
BEGIN
	$turn
	DELETE FROM full_store;
	BEGIN
		state := 'inserted';
		$store
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
	END;
	$read
	state := CASE WHEN state <> 'inserted' AND figures IS NOT NULL THEN state || ' with a row'
		WHEN state <> 'inserted' THEN state WHEN figures IS NULL THEN 'none' ELSE 'row' END;
END \$\$;
SQL
	return;
}

# What the other reader finds: (meaning, figures) by number
sub read_otherwise
{
	my ($way, $seed) = @_;
	my $output = '';

	IPC::Run::run([ 'python3', '-B', "$test/mutation_reader.py", $way->{reads}, "$test/fixtures/$way->{file}.json", $seed, 1, $count, $now ],
		'>', \$output) or die "mutation_reader.py failed";
	return map { my ($number, @found) = split /\t/, $_, -1; ($number => \@found) } split /\n/, $output;
}

# The calls since the last time that bear no token, or another than KIS's last reply to a token call has
my ($last_seq, $tokens) = (0, 0);

sub wrong_bearers
{
	my ($expected) = @_;
	my @wrong;

	foreach my $request (@{ $simulator->ask(GET => "requests?since=$last_seq") })
	{
		$last_seq = $request->{seq};
		$tokens++ if $request->{kind} eq 'token';
		next if $request->{kind} eq 'token' || $tokens == 0;
		my ($meaning, $token) = @{ $expected->{$tokens} };
		push @wrong, $tokens unless $meaning eq 'row' && $request->{headers}{authorization} eq "Bearer $token";
	}
	return @wrong;
}

my $session = $node->session;
my $pid = $session->pid;
$session->query_safe('SET client_min_messages = error');

foreach my $i (0 .. $#ways)
{
	my $way = $ways[$i];
	my $name = $way->{name};
	my $seed = $first_seed + $i;
	my %allowed = (%refused, %{ $way->{refused} || {} });
	my %expected = read_otherwise($way, $seed);
	my (%wrong, %told, @wrong_bearers, $plain);

	is(scalar keys %expected, $count, "$name: $count replies were read by the other reader");
	create_function($way);
	$session->query_safe($way->{before}) if $way->{before};
	$simulator->fault;
	$simulator->config(captured => { 'KSP/0027' => "$test/fixtures/trend_KSP_0027.json", '999/S001' => "$test/fixtures/trend_999_S001.json",
			$way->{captured} => "$test/fixtures/$way->{file}.json" });
	# whatever the token, the figures are these
	$plain = $session->query_safe("SELECT figures FROM $name()") if $name eq 'token';
	$last_seq = $simulator->ask(GET => 'counts')->{seq};
	$simulator->config(%{ $way->{config} }) if $way->{config};
	$simulator->fault({ fault => 'mutate', params => { seed => $seed },
			match => { kind => $way->{kind}, $way->{date} ? (date => $way->{date}) : $way->{kind} eq 'trend' ? (pair => $way->{captured}) : () } },
		$no_page);
	my $calls = $simulator->calls($way->{kind});

	for (my $first = 1; $first <= $count; $first += $batch)
	{
		my $last = $first + $batch - 1;

		$session->query_safe("SELECT format('INSERT INTO seen SELECT ''$name'', %s, * FROM $name()', n)"
			  . " FROM generate_series($first, $last) n \\gexec", 600);
		$session->query_safe('VACUUM full_store, pg_catalog.pg_statistic');
		push @wrong_bearers, wrong_bearers(\%expected) if $name eq 'token';
	}

	foreach (split /\n/, $node->safe_psql('postgres',
			"SELECT number, state, figures FROM seen WHERE way = '$name' ORDER BY number"))
	{
		my ($number, $state, $figures) = split /\|/, $_, 3;
		my ($meaning, $expected) = @{ $expected{$number} };
		my $right = $meaning eq 'row' ? $state eq 'row' && $figures eq ($plain // $expected)
		  : defined $allowed{$meaning} && $state =~ $allowed{$meaning} && $figures eq '';

		$told{ $state eq 'row' || $state eq 'none' ? 'accepted' : $state }++;
		push @{ $wrong{"$meaning, but $state"} }, $number unless $right;
	}
	my $refused = join ', ', map { "$told{$_} $_" } grep { $_ ne 'accepted' } sort keys %told;
	diag("$name: seed $seed, $count replies, $told{accepted} accepted; refused: $refused");
	my $seen = 0;
	$seen += $_ foreach values %told;
	is($seen, $count, "$name: each had a result");
	cmp_ok($told{accepted}, '>', $count / 4, "$name: many were accepted, with what the other reader found");
	cmp_ok($count - $told{accepted}, '>', $count / 4, "$name: and many refused, as it refuses them");
	is(join('; ', map { "$_: seed $seed, number @{ $wrong{$_} }[0 .. ($#{ $wrong{$_} } > 4 ? 4 : $#{ $wrong{$_} })]" } sort keys %wrong), '',
		"$name: none is taken otherwise");
	is("@wrong_bearers", '', 'token: no call bears another') if $name eq 'token';
	$calls = $simulator->calls($way->{kind}) - $calls;
	cmp_ok($calls, $way->{date} ? '>=' : '==', $count, "$name: each was asked for");
}

is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'the backend lives');
unlike(slurp_log($node), qr/PANIC|TRAP:|terminated by signal|ERROR:  XX/, 'the server\'s log has no crash and no internal error');
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$session->quit;
$node->stop;
done_testing();
