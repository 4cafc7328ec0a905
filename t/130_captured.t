# Each figure of an answer arrives in the column that it belongs to: in tables
# made by hand with all members in another order, in the stores and in the
# snapshots. The answers are those of test/fixtures, with figures of our own,
# and, where KIS_SHARED names the directory that has them, those captured from
# KIS: the same checks for both.
use strict;
use warnings;

use Digest::MD5 'md5_hex';
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my %directories = ('test/fixtures' => "$FindBin::RealBin/../test/fixtures");
$directories{captured} = "$ENV{KIS_SHARED}/data/captured" if defined $ENV{KIS_SHARED};

# KIS's names and ours, by the list of members
sub members
{
	my ($file) = @_;

	return map { [ (split /\t/)[ 1, 2 ] ] } grep { /^\d/ } split /\n/, slurp_file($file);
}

my @members = members("$FindBin::RealBin/../catalog/fields.tsv");
is(scalar @members, 72, 'there are 72 members');
is_deeply(\@members, [ members("$ENV{KIS_SHARED}/data/fields.tsv") ], 'which are KIS\'s')
  if defined $ENV{KIS_SHARED};

my %member_of = map { $_->[1] => $_->[0] } @members;
my @in_order = map { $_->[1] } @members;
my @shuffled = sort { md5_hex($a) cmp md5_hex($b) } @in_order;
isnt("@shuffled", "@in_order", 'the tables have them in another order');

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my @types = ('bigint', 'numeric', 'text', 'integer', 'varchar', 'double precision');
my @by_field = reverse @shuffled;

# at whatever time of the day it runs, a reply is that of today
setup($node, 'postgres', $simulator, import => 0, session_start => '00:00');

# By our names as bigint; by KIS's, under names that say nothing, as all types;
# and a store. The keys stand among the figures.
$node->safe_psql('postgres',
	'CREATE FOREIGN TABLE by_name ('
	  . join(', ', map { "$_ bigint" } @shuffled[ 0 .. 30 ]) . ', sector_code text, '
	  . join(', ', map { "$_ bigint" } @shuffled[ 31 .. 60 ]) . ', market_code text, '
	  . join(', ', map { "$_ bigint" } @shuffled[ 61 .. 71 ])
	  . q{) SERVER kis OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE by_field (sector_code text, }
	  . join(', ', map { "c$_ $types[$_ % @types] OPTIONS (field '$member_of{$by_field[$_]}')" } 0 .. 71)
	  . q{, market_code text) SERVER kis OPTIONS (table_name 'kis_sector_trend');
	CREATE TABLE full_store (trade_date date, }
	  . join(', ', map { "$_ bigint" } @shuffled)
	  . q{, sector_code text, collected_at timestamptz, market_code text, UNIQUE (market_code, sector_code, trade_date));
	SELECT create_market_investor_trend()});

my @stored = split /\n/, $node->safe_psql('postgres',
	q{SELECT attname FROM pg_attribute WHERE attrelid = 'market_investor_trend'::regclass
		AND attname ~ '_net_(qty|amount)$' ORDER BY attnum});
is(scalar @stored, 24, 'the default store has 24 figures');

# What the columns of a table hold, as a hash; names are the columns' there.
sub figures
{
	my ($table, $where, @names) = @_;
	my %figures;

	@figures{@names} = split /\|/,
	  $node->safe_psql('postgres', 'SELECT ' . join(', ', @names) . " FROM $table $where"), -1;
	return \%figures;
}

foreach my $source (sort keys %directories)
{
	my @files = sort glob "$directories{$source}/trend_*.json";
	my %answers = map { /trend_(\w+?)_(\w+)\.json$/; ("$1/$2" => $_) } @files;

	is_deeply([ sort keys %answers ], [ '999/S001', 'KSP/0027' ], "$source has two answers");
	$simulator->config(captured => \%answers);
	$node->safe_psql('postgres',
		'TRUNCATE market_investor_trend, market_investor_trend_snapshot, full_store');

	foreach my $pair (sort keys %answers)
	{
		my ($market, $sector) = split /\//, $pair;
		my $where = "WHERE market_code = '$market' AND sector_code = '$sector'";
		my $output = decode_json(slurp_file($answers{$pair}))->{output}[0];
		my %expected = map { $_ => $output->{ $member_of{$_} } } @in_order;
		my $name = "$source, $pair";

		is(scalar keys %$output, 72, "$name: 72 figures");
		is_deeply(figures('by_name', $where, @shuffled), \%expected, "$name: columns by our names");
		my %by_field = %{ figures('by_field', $where, map { "c$_" } 0 .. 71) };
		my %of_members;
		@of_members{@by_field} = @by_field{ map { "c$_" } 0 .. 71 };
		is_deeply(\%of_members, \%expected, "$name: columns by KIS's names");

		foreach my $store ('market_investor_trend', 'full_store')
		{
			is($node->safe_psql('postgres',
					"SELECT market_code, sector_code, outcome, detail"
					  . " FROM collect_market_investor_trend('{$pair}', store => '$store')"),
				"$market|$sector|inserted|", "$name: collected into $store");
		}
		is_deeply(figures('market_investor_trend', $where, @stored),
			{ map { $_ => $expected{$_} } @stored }, "$name: the default store");
		is_deeply(figures('full_store', $where, @shuffled), \%expected, "$name: a store of 72 figures");
		is_deeply(figures('market_investor_trend_snapshot', $where, @shuffled), \%expected,
			"$name: the snapshot");
	}
	is($node->safe_psql('postgres',
			'SELECT count(*) FROM market_investor_trend UNION ALL SELECT count(*) FROM full_store'
			  . ' UNION ALL SELECT count(*) FROM market_investor_trend_snapshot'),
		"2\n2\n2", "$source: and nothing else");
}

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
