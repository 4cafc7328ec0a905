# Replies changed at random, asked for by queries and by collections in a live
# backend: what it shows and stores is what another reader of JSON finds in them
# (test/mutation_reader.py, which has the rules), or there is an error. 2,000
# replies, always the same.
#
# KIS_TEST_LONG=N: 20,000, each time others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $test = "$FindBin::RealBin/../test";
my $count = $ENV{KIS_TEST_LONG} ? 10_000 : 1_000;
my $batch = 500;

# A pair for each way to ask: the reply that is changed, and the seed.
my $first_seed = $ENV{KIS_TEST_LONG} ? time : 20260710;
my %ways = (
	query => { pair => 'KSP/0027', seed => $first_seed },
	collection => { pair => '999/S001', seed => $first_seed + 1 });

# What a reply that is refused may come to. A collection reports a figure that
# is none as its own failure; a query has the column's type speak.
my %sqlstates = (
	query => { reply => qr/^HV00M$/, code => qr/^HV000$/, figure => qr/^22(P02|003)$/ },
	collection => { reply => qr/^HV00M$/, code => qr/^HV000$/, figure => qr/^HV000$/, none => qr/^HV000$/ });

sub file_of
{
	my ($pair) = @_;

	return "$test/fixtures/trend_" . $pair =~ s{/}{_}r . '.json';
}

my @members = map { [ (split /\t/)[ 1, 2 ] ] } grep { /^\d/ } split /\n/, slurp_file("$test/../catalog/fields.tsv");
my @columns = map { $_->[1] } @members;
my $line = "array_to_string(ARRAY[@{[ join ', ', @columns ]}], '|', '')";

my $simulator = KisTest::Simulator->new(config => { record_limit => 1000 });
my $node = new_node('main', conf => 'log_error_verbosity = verbose');

setup($node, 'postgres', $simulator, import => 0, max_retries => '0');
$simulator->config(captured => { map { $_->{pair} => file_of($_->{pair}) } values %ways });
$simulator->fault({ fault => 'mutate', match => { kind => 'trend', pair => $_->{pair} }, params => { seed => $_->{seed} } })
  foreach values %ways;

# Each question is a statement of its own; one that fails is noted, too.
my $columns = join ', ', map { "$_ bigint" } @columns;
$node->safe_psql('postgres', <<"SQL");
CREATE FOREIGN TABLE figures (market_code text, sector_code text, $columns)
	SERVER kis OPTIONS (table_name 'kis_sector_trend');
CREATE TABLE full_store (market_code text, sector_code text, collected_at timestamptz, trade_date date, $columns,
	UNIQUE (market_code, sector_code, trade_date));
CREATE TABLE seen (way text, number int, state text, figures text);

CREATE FUNCTION query(pair text, OUT state text, OUT figures text) LANGUAGE plpgsql AS \$\$
BEGIN
	SELECT 'row', $line INTO state, figures FROM figures
		WHERE market_code = split_part(pair, '/', 1) AND sector_code = split_part(pair, '/', 2);
	state := coalesce(state, 'none');
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
END \$\$;

CREATE FUNCTION collection(pair text, OUT state text, OUT figures text) LANGUAGE plpgsql AS \$\$
BEGIN
	DELETE FROM full_store;
	BEGIN
		SELECT outcome INTO STRICT state FROM collect_market_investor_trend(ARRAY[pair], store => 'full_store');
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
	END;
	SELECT $line INTO figures FROM full_store;
	state := CASE WHEN state = 'inserted' AND FOUND THEN 'row'
		WHEN FOUND THEN state || ' with a row' ELSE state END;
END \$\$;
SQL

my $session = $node->session;
my $pid = $session->pid;
$session->query_safe('SET client_min_messages = error');

foreach my $way (sort keys %ways)
{
	my ($pair, $seed) = @{ $ways{$way} }{qw(pair seed)};
	my (%expected, %figures, %wrong, %told);
	my $output = '';

	IPC::Run::run([ 'python3', '-B', "$test/mutation_reader.py", file_of($pair), $seed, 1, $count ],
		'>', \$output) or die "mutation_reader.py failed";
	foreach (split /\n/, $output)
	{
		my ($number, $meaning, $figures) = split /\t/, $_, -1;

		$expected{$number} = $meaning;
		$figures{$number} = $figures;
	}
	is(scalar keys %expected, $count, "$way: $count replies were read by the other reader");

	for (my $first = 1; $first <= $count; $first += $batch)
	{
		my $last = $first + $batch - 1;

		$session->query_safe("SELECT format('INSERT INTO seen SELECT ''$way'', %s, * FROM $way(''$pair'')', n)"
			  . " FROM generate_series($first, $last) n \\gexec", 600);
		$session->query_safe('VACUUM full_store, pg_catalog.pg_statistic');
	}

	foreach (split /\n/, $node->safe_psql('postgres',
			"SELECT number, state, figures FROM seen WHERE way = '$way' ORDER BY number"))
	{
		my ($number, $state, $figures) = split /\|/, $_, 3;
		my $meaning = $expected{$number};
		my $right = $meaning eq 'row' ? $state eq 'row' && $figures eq $figures{$number}
		  : $meaning eq 'none' && $way eq 'query' ? $state eq 'none'
		  : $state =~ $sqlstates{$way}{$meaning} && $figures eq '';

		$told{ $state eq 'row' || $state eq 'none' ? 'accepted' : $state }++;
		push @{ $wrong{"$meaning, but $state"} }, $number unless $right;
	}
	my $refused = join ', ', map { "$told{$_} $_" } grep { $_ ne 'accepted' } sort keys %told;
	diag("$way: seed $seed, $count replies, $told{accepted} accepted; refused: $refused");
	my $seen = 0;
	$seen += $_ foreach values %told;
	is($seen, $count, "$way: each had a result");
	cmp_ok($told{accepted}, '>', $count / 4, "$way: many were accepted, with the figures that the other reader found");
	cmp_ok($count - $told{accepted}, '>', $count / 4, "$way: and many refused, as it refuses them");
	is(join('; ', map { "$_: seed $seed, number @{ $wrong{$_} }[0 .. ($#{ $wrong{$_} } > 4 ? 4 : $#{ $wrong{$_} })]" } sort keys %wrong), '',
		"$way: none is taken otherwise");
}

is($simulator->calls, 2 * $count, 'each was asked for once');
is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'the backend lives');
unlike(slurp_log($node), qr/PANIC|TRAP:|terminated by signal|ERROR:  XX/, 'the server\'s log has no crash and no internal error');
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$session->quit;
$node->stop;
done_testing();
