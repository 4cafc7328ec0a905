# The examples: what each query says, and the pictures that are drawn of it.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use KisTest;
use KisTest::Clock;
use List::Util ();
use PostgreSQL::Test::Utils;
use Test::More;

my $examples = "$FindBin::RealBin/../examples";
my @names = map { m{([^/]+)\.sql$} } sort glob "$examples/*.sql";
my $simulator = KisTest::Simulator->new(config => { figures => 'lifelike', daily_rows => 60 });
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

# A session of which an hour's collections are stored, as scripts/demo's is
$clock->set('2026-07-10 09:00:00');
setup($node, 'postgres', $simulator, calendar => 'kis');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
foreach my $minute (map { 10 * $_ } 1 .. 5)
{
	$clock->set(sprintf '2026-07-10 09:%02d:00', $minute);
	$node->safe_psql('postgres', 'SELECT collect_market_investor_trend(index_level => true)');
}

# Runs an example as it stands: its columns' names, a hash a row, and how many
# calls of which kind it made.
sub example
{
	my ($name) = @_;
	my %before = map { $_ => $simulator->calls($_) } qw(trend daily index program);
	my ($output, $errors) = run_command(
		[ 'psql', '-XA', '-F', "\t", '-P', 'footer=off', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-f', "$examples/$name.sql" ]);
	my ($head, @lines) = split /\n/, Encode::decode('UTF-8', $output);
	my @columns = split /\t/, $head;
	my @rows = map { my %row; @row{@columns} = split /\t/; \%row } @lines;

	is($errors, '', "$name runs as it stands");
	like(slurp_file("$examples/$name.sql"), qr/\A-- .*\?.*\n/, "$name says what it answers");
	is_deeply([ grep { (() = $_ =~ /\t/g) != $#columns } @lines ], [], "$name: each row has all columns");
	return (\@columns, \@rows, { map { $_ => $simulator->calls($_) - $before{$_} } grep { $simulator->calls($_) > $before{$_} } keys %before });
}

sub sum { return List::Util::sum0(@_) }

# Are they numbers, the largest first?
sub descends
{
	my (@numbers) = @_;

	return !grep { $numbers[$_] > $numbers[ $_ - 1 ] } 1 .. $#numbers;
}

my ($columns, $rows, $calls) = example('who_is_buying');
is_deeply($columns, [qw(investor investor_en is_part net_eok trade_date collected_seoul)], 'who is buying: columns');
is(@$rows, 12, 'all investors');
is_deeply($calls, { trend => 1 }, 'one call');
my @wholes = grep { $_->{is_part} eq 'f' } @$rows;
my @parts = grep { $_->{is_part} eq 't' } @$rows;
is(join(' ', sort map { $_->{investor} } @wholes), '개인 기관계 기타단체 기타법인 외국인', 'five of them are no part of another');
cmp_ok(abs(sum(map { $_->{net_eok} } @wholes)), '<', 1, 'and add up to zero');
is(join(' ', map { $_->{investor} } @$rows),
	'개인 외국인 기관계 금융투자 보험 투신 사모 은행 기타금융 연기금 기타법인 기타단체', 'in the order of Korean screens');
is_deeply([ @$rows[ 3 .. 9 ] ], \@parts, 'the institutions\' parts stand below them');
cmp_ok(abs(sum(map { $_->{net_eok} } @parts) - $rows->[2]{net_eok}), '<', 1, 'and add up to them');
is_deeply({ map { ("$_->{trade_date} $_->{collected_seoul}" => 1) } @$rows }, { '2026-07-10 2026-07-10 09:50' => 1 },
	'of a trading day, and collected at a moment');
is($node->safe_psql('postgres', q{SELECT round(foreign_net_amount / 100.0, 1) FROM kis_market_trend WHERE market_code = 'KSP'}),
	(grep { $_->{investor} eq '외국인' } @$rows)[0]{net_eok}, 'in eok won: a hundred of KIS\'s million won');

($columns, $rows, $calls) = example('through_the_day');
is_deeply($columns, [qw(at_seoul foreign_eok individual_eok institution_eok index_level)], 'through the day: columns');
is_deeply([ map { substr $_->{at_seoul}, 0, 16 } @$rows ], [ map { "2026-07-10 09:${_}0" } 1 .. 5 ], 'a row a snapshot of the day');
is_deeply($calls, {}, 'no call');
is(join(' ', map { $_->{foreign_eok} } @$rows), $node->safe_psql('postgres', q{
	SELECT string_agg(round(foreign_net_amount / 100.0, 1)::text, ' ' ORDER BY collected_at)
	FROM market_investor_trend_snapshot WHERE market_code = 'KSP'}), 'the snapshots\' figures');

($columns, $rows, $calls) = example('foreigners_and_index');
is_deeply($columns, [qw(at_seoul foreign_eok index_level)], 'foreigners and index: columns');
is_deeply([ map { substr $_->{at_seoul}, 0, 16 } @$rows ], [ map { "2026-07-10 09:${_}0" } 1 .. 5 ], 'a row a snapshot of the day');
is_deeply($calls, {}, 'no call');
is(join(' ', map { "$_->{foreign_eok}/$_->{index_level}" } @$rows), $node->safe_psql('postgres', q{
	SELECT string_agg(round(foreign_net_amount / 100.0, 1) || '/' || index_level::float8, ' ' ORDER BY collected_at)
	FROM market_investor_trend_snapshot WHERE market_code = 'KSP'}), 'the snapshots\' figures, and the index beside them');
is($node->safe_psql('postgres', q{SELECT level::float8 FROM kis_index WHERE market_code = 'KSP'}), $rows->[-1]{index_level}, 'which is that of the moment');

($columns, $rows, $calls) = example('program_trading');
is_deeply($columns, [qw(investor investor_en arbitrage_eok non_arbitrage_eok all_means_eok trade_date collected_seoul)],
	'program trading: columns');
is(join(' ', map { $_->{investor} } @$rows), '개인 외국인 기관계 기타법인', 'those who are no part of another');
is_deeply($calls, { program => 1, trend => 1 }, 'two calls');
is($node->safe_psql('postgres', q{
	SELECT round(non_arbitrage_net_amount / 100.0, 1) || ' ' || round(foreign_net_amount / 100.0, 1)
	FROM kis_program_trend JOIN kis_market_trend USING (market_code) WHERE market_code = 'KSP' AND investor = 'foreign'}),
	join(' ', @{ (grep { $_->{investor} eq '외국인' } @$rows)[0] }{qw(non_arbitrage_eok all_means_eok)}), 'program trades, and all');

# A day later the day before is no longer the last
$clock->set('2026-07-13 09:10:00');
$node->safe_psql('postgres', 'SELECT collect_market_investor_trend()');
(undef, $rows) = example('through_the_day');
like(join(' ', map { $_->{at_seoul} } @$rows), qr/^2026-07-13 09:10:0\d$/, 'the last day alone');

($columns, $rows, $calls) = example('sector_heat');
is_deeply($columns, [qw(sector_code sector sector_en foreign_eok institution_eok trade_date collected_seoul)], 'sector heat: columns');
is(@$rows, 23, 'the sectors of KOSPI without those that hold others');
is_deeply($calls, { trend => 23 }, 'a call each');
ok(descends(map { $_->{foreign_eok} } @$rows), 'what foreigners buy most comes first');
is((grep { $_->{sector_code} eq '0013' } @$rows)[0]{sector}, '전기·전자', 'with its name');

($columns, $rows, $calls) = example('twenty_days');
is_deeply($columns, [qw(trade_date close foreign_eok individual_eok institution_eok)], 'twenty days: columns');
is(@$rows, 20, 'twenty days');
is_deeply($calls, { daily => 1 }, 'one call');
is("$rows->[0]{trade_date} $rows->[-1]{trade_date}", '2026-06-16 2026-07-13', 'the last ones, oldest first');
is($node->safe_psql('postgres', q{
	SELECT close || ' ' || (SELECT round(sum(individual_net_amount) / 100, 1) FROM kis_market_trend_daily
		WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-06-16' AND '2026-07-13')
	FROM kis_market_trend_daily WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date = '2026-07-13'}),
	"$rows->[-1]{close} $rows->[-1]{individual_eok}", 'the last has the sum of all');

($columns, $rows, $calls) = example('futures_and_cash');
is_deeply($columns, [qw(investor investor_en cash_eok futures_eok trade_date collected_seoul)], 'futures and cash: columns');
is(join(' ', map { $_->{investor} } @$rows), '개인 외국인 기관계 금융투자 투신 연기금', 'the great investors');
is_deeply($calls, { trend => 2 }, 'two calls');
is($node->safe_psql('postgres', q{
	SELECT string_agg(round(foreign_net_amount / 100.0, 1)::text, ' ' ORDER BY market_code DESC)
	FROM kis_market_trend WHERE sector_code IN ('0001', 'F001')}),
	"$rows->[1]{cash_eok} $rows->[1]{futures_eok}", 'cash beside futures');
is_deeply([ sort @names ], [ sort qw(who_is_buying through_the_day foreigners_and_index program_trading sector_heat twenty_days futures_and_cash) ],
	'these are all examples');

# ---- pictures

my $gnuplot = `command -v gnuplot 2>/dev/null`;

# What a picture says: its texts, each whole, and how wide and high it is. Empty
# where it is no XML.
sub texts
{
	my ($file) = @_;
	my ($output) = run_command([ 'python3', '-BX', 'utf8', '-c', <<'END', $file ]);
import sys
from xml.etree import ElementTree
root = ElementTree.parse(sys.argv[1]).getroot()
print(root.get('width'), root.get('height'))
for text in root.iter('{http://www.w3.org/2000/svg}text'):
    print(''.join(text.itertext()).replace('\xa0', ' ').strip())
END
	return split /\n/, Encode::decode('UTF-8', $output);
}

chomp $gnuplot;
SKIP:
{
	skip 'gnuplot is missing: on Debian, apt-get install gnuplot-nox', 24 + 4 * @names
	  unless $gnuplot ne '';

	# A gnuplot that tells what it is asked for
	my $told = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$told/gnuplot", qq{#!/bin/sh\nprintf '%s\\n' "\$*" >>"$told/asked"\nexec $gnuplot "\$@"\n});
	chmod 0755, "$told/gnuplot";
	local %ENV = (
		%ENV,
		LC_ALL => 'C',
		PATH => "$told:$ENV{PATH}",
		PGHOST => $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres',
		PGUSER => $node->safe_psql('postgres', 'SELECT current_user'));

	my $draw = sub {
		my ($directory) = @_;
		my ($output, $errors) = run_command([ "$examples/draw", $directory ]);

		is($errors, '', 'draw runs, in any locale, without a word amiss');
		my @asked = split /\n/, slurp_file("$told/asked");
		unlink "$told/asked";
		return @asked;
	};

	$clock->set('2026-07-17 09:10:00');
	$node->safe_psql('postgres', 'SELECT collect_market_investor_trend()');
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my @asked = $draw->($directory);
	my %texts;
	foreach my $name (@names)
	{
		my ($size, @texts) = texts("$directory/$name.svg");

		$texts{$name} = join "\n", @texts;
		like($size, qr/^640 \d+$/, "$name: a picture");
		like($texts{$name}, qr/^가상 데이터$/m, "$name: a simulator's figures are marked");
		like($texts{$name}, qr/^가상 데이터, .* · KIS Open API [FH]\w+(?:, FHPUP02100000)? via market_investor_fdw$/m, "$name: where they are from");
		unlike(slurp_file("$directory/$name.svg"), qr/scale\(0[.0]*\)|\bnan\b/i, "$name: each viewer can draw it");
	}
	is(scalar(grep { /simulated = 1/ } @asked), scalar @names, 'as draw says to gnuplot');
	like($texts{who_is_buying}, qr/^개인\n외국인\n기관계\n금융투자\n보험\n투신\n사모\n은행\n기타금융\n연기금 등\n기타법인\n기타단체$/m,
		'investors in the order of Korean screens');
	like($texts{through_the_day}, qr/^$_ [+−]?[\d,.]+$/m, 'a line that is labelled at its end') foreach qw(외국인 개인 기관계);
	unlike($texts{through_the_day}, qr/코스피 지수/, 'and no index where none was collected');
	like($texts{futures_and_cash}, qr/^현물 .*\n(?s:.*)^선물 /m, 'a panel for cash and one for futures');
	(undef, $rows) = example('who_is_buying');
	my @numbers = map { my $eok = sprintf '%.0f', abs $_->{net_eok}; 1 while $eok =~ s/(\d)(\d{3})\b/$1,$2/;
		$eok eq '0' ? $eok : ($_->{net_eok} < 0 ? '−' : '+') . $eok } @$rows;
	like($texts{who_is_buying}, qr/^\Q@{[ join "\n", @numbers ]}\E$/m, 'each with its figure');

	# On a Saturday the figures are Friday's
	$clock->set('2026-07-18 07:00:00');
	$node->safe_psql('postgres', 'SELECT collect_market_investor_trend()');
	$clock->set('2026-07-18 12:00:00');
	$node->safe_psql('postgres', q{UPDATE market_investor_trend_snapshot SET index_level = 7543.2
		WHERE market_code = 'KSP' AND trade_date = '2026-07-17'});
	$draw->($directory);
	%texts = map { $_ => join "\n", texts("$directory/$_.svg") } @names;
	is_deeply([ sort grep { $texts{$_} =~ /^거래일 2026-07-17 · 2026-07-18 12:0\d 수집 · 단위 억원$/m } @names ],
		[ qw(futures_and_cash program_trading sector_heat who_is_buying) ],
		'pictures of what KIS shows name the trading day, and when it was collected');
	like($texts{through_the_day}, qr/^거래일 2026-07-17 · 09:10 수집 · 단위 억원$/m, 'that of the snapshots, the last one of the day itself');
	like($texts{$_}, qr/^코스피 7,543.20$/m, "$_ has the index with the day's course") foreach qw(through_the_day foreigners_and_index);
	like($texts{twenty_days}, qr/^거래일 2026-06-\d\d–2026-07-17 · 단위 억원$/m, 'that of the days both ends');
	(undef, $rows) = example('through_the_day');
	like(join(' ', map { $_->{at_seoul} } @$rows), qr/^2026-07-17 09:10:0\d$/, 'the day itself, not the morning after');

	# The same figures in tables of a database whose KIS is KIS
	$node->safe_psql('postgres', "CREATE TABLE local_$_ AS SELECT * FROM $_")
	  foreach qw(kis_investor_trend kis_sector_trend kis_program_trend);
	$node->safe_psql('postgres', q{CREATE TABLE local_kis_market_trend_daily AS SELECT * FROM kis_market_trend_daily
		WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-06-01' AND '2026-07-13'});
	$node->safe_psql('postgres', 'SET client_min_messages = warning; DROP SERVER kis CASCADE;'
		  . ' CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw;'
		  . join(' ', map { "ALTER TABLE local_$_ RENAME TO $_;" } qw(kis_investor_trend kis_sector_trend kis_program_trend kis_market_trend_daily)));
	@asked = $draw->(PostgreSQL::Test::Utils::tempdir());
	is(scalar(grep { /simulated = 0/ } @asked), scalar @names, 'KIS\'s are not marked');
}

done_testing();
