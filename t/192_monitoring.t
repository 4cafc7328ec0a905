# What watches the store: Grafana's dashboard and Prometheus's metrics and alerts
# in examples, each query run on a store that is filled.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use Encode ();
use JSON::PP ();
use KisTest;
use KisTest::Clock;
use KisTest::Exporter qw(program scrape watcher_sql);
use KisTest::Page qw(sql_of_page);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);

# A morning by ten minutes, after some weeks; of the last collection a target fails
$clock->set('2026-07-10 09:00:00');
setup($node, 'postgres', $simulator, calendar => 'kis');
$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
foreach my $minute (map { 10 * $_ } 1 .. 3)
{
	$clock->set(sprintf '2026-07-10 09:%02d:00', $minute);
	$node->safe_psql('postgres',
		q(SELECT collect_market_investor_trend('{KSP/0001,KSQ/1001,K2I/F001,KSP/0005,KSP/0013}', index_level => true)));
}
$node->safe_psql('postgres', q(SET client_min_messages = warning; CALL backfill_market_investor_trend('2026-06-01', '2026-07-09', '{KSP/0001}')));
$node->safe_psql('postgres', q{
	INSERT INTO market_investor_trend_collection (asked_at, market_code, sector_code, outcome, detail)
	VALUES (now(), 'KSQ', '1001', 'failed', 'made up')});

$node->safe_psql('postgres', sql_of_page('doc/bi-tools.md', 'CREATE ROLE dashboard', 'CREATE FUNCTION missing_of_days'));

# ---- Grafana

my $text = Encode::decode('UTF-8', slurp_file("$top/examples/grafana/market_investor_flow.json"));
my $dashboard = JSON::PP->new->decode($text);
my @panels = @{ $dashboard->{panels} };
my @shown = grep { $_->{type} ne 'row' } @panels;
my @variables = @{ $dashboard->{templating}{list} };
my %chosen = map { $_->{name} => $_->{current} } @variables;

# The query as Grafana's PostgreSQL data source sends it for the 10th of July
sub as_sent
{
	my ($sql) = @_;

	$sql =~ s/\$\{(\w+):sqlstring\}/'$chosen{$1}{value}'/g;
	$sql =~ s/\$\{(\w+):text\}/$chosen{$1}{text}/g;
	$sql =~ s/\$__timeFilter\((\w+)\)/$1 BETWEEN '2026-07-09T15:00:00Z' AND '2026-07-10T14:59:59.999Z'/g;
	$sql =~ s/\$__timeTo\(\)/'2026-07-10T14:59:59.999Z'/g;
	return $sql;
}

# Columns and rows of a query by the role that only reads
sub ask
{
	my ($sql) = @_;
	my ($output, $errors) = run_command([ 'psql', '-XA', '-F', "\t", '-P', 'footer=off', '-v', 'ON_ERROR_STOP=1',
		'-d', $node->connstr('postgres') . ' user=dashboard', '-c', Encode::encode('UTF-8', as_sent($sql)) ]);
	my ($head, @rows) = split /\n/, Encode::decode('UTF-8', $output);

	return { errors => $errors, columns => $head // '', rows => [ map { [ split /\t/, $_, -1 ] } @rows ] };
}

is(join(' ', grep { !exists $dashboard->{$_} } qw(__inputs __requires annotations id panels schemaVersion templating time title version)), '',
	'the dashboard has what an import needs');
ok(!defined $dashboard->{id} && !exists $dashboard->{uid}, 'and neither an id nor a uid: Grafana gives both');
cmp_ok($dashboard->{schemaVersion}, '>=', 39, 'the schema is that of Grafana 11');
is_deeply([ map { "$_->{name} $_->{type} $_->{pluginId}" } @{ $dashboard->{__inputs} } ],
	['DS_POSTGRESQL datasource grafana-postgresql-datasource'], 'the import asks for the data source');
is_deeply([ grep { $_ ne '${DS_POSTGRESQL}' } $text =~ /"uid": "([^"]*)"/g ], [], 'which is named nowhere else');
is_deeply([ sort map { $_->{id} } grep { $_->{type} eq 'panel' } @{ $dashboard->{__requires} } ],
	[ sort keys %{ { map { $_->{type} => 1 } @shown } } ], 'the kinds of panels are those it requires');
is_deeply([ grep { !/^(?:barchart|row|stat|table|timeseries)$/ } map { $_->{type} } @panels ], [], 'and are Grafana\'s own');
is(scalar(keys %{ { map { $_->{id} => 1 } @panels } }), scalar @panels, 'each panel has an id of its own');

my (%cells, @places);
foreach my $panel (@panels)
{
	my ($x, $y, $w, $h) = @{ $panel->{gridPos} }{qw(x y w h)};

	push @places, "$panel->{title}: beyond the grid" if $x < 0 || $y < 0 || $w < 1 || $h < 1 || $x + $w > 24;
	foreach my $cell (map { my $row = $_; map { "$_,$row" } $x .. $x + $w - 1 } $y .. $y + $h - 1)
	{
		push @places, "$panel->{title}: over $cells{$cell}" if exists $cells{$cell};
		$cells{$cell} = $panel->{title};
	}
}
is_deeply(\@places, [], 'no panel lies over another or beyond the grid');
is_deeply([ grep { !/\p{Hangul}.* · .*[A-Za-z]/ } map { $_->{title} } @panels, $dashboard ], [], 'titles are Korean and English');
is_deeply([ grep { !/\p{Hangul}.* · .*[A-Za-z]/ } map { $_->{description} } @shown ], [], 'so are descriptions');
is_deeply([ map { $_->{title} } grep {
		@{ $_->{targets} } != 1 || !$_->{targets}[0]{rawQuery} || $_->{targets}[0]{format} ne ($_->{type} eq 'timeseries' ? 'time_series' : 'table')
	} @shown ], [], 'each has a query, in the format of its kind');
is_deeply([ grep { !exists $chosen{$_} } $text =~ /\$\{(\w+):/g ], [], 'each variable that is used is there');
unlike(as_sent(join ' ', map { $_->{targets}[0]{rawSql} } @shown), qr/\$/, 'and no macro is but those known here');

foreach my $variable (@variables)
{
	my $answer = ask($variable->{query});

	is("$answer->{errors}$answer->{columns}", "__text\t__value", "$variable->{name}: texts and values");
	is_deeply([ grep { $_->[1] eq $variable->{current}{value} } @{ $answer->{rows} } ],
		[ [ @{ $variable->{current} }{qw(text value)} ] ], 'of which the chosen one is');
}

# Panels by the English half of their titles
my %panel = map { $_->{title} =~ / · (.*)/ => $_ } @shown;
my %answer;
$simulator->reset(keep_tokens => JSON::PP::true);
foreach my $title (sort keys %panel)
{
	my $panel = $panel{$title};

	$answer{$title} = ask($panel->{targets}[0]{rawSql});
	is($answer{$title}{errors}, '', "$title: the query runs");
	cmp_ok(scalar @{ $answer{$title}{rows} }, '>', 0, 'and has rows');
	my %column = map { $_ => 1 } split /\t/, $answer{$title}{columns};
	is_deeply([ grep { !$column{$_} } $panel->{options}{xField} // (), map { $_->{matcher}{options} } @{ $panel->{fieldConfig}{overrides} } ],
		[], 'all columns that the panel names among them');
}
is_deeply([ map { $_->{path} } $simulator->requests ], [], 'no panel calls KIS, for the day\'s calendar is known');

sub rows { return @{ $answer{ $_[0] }{rows} } }
sub value { return $node->safe_psql('postgres', $_[0]) }

is(rows('Who is buying now'), 12, 'all investors buy or sell now');
is_deeply([ grep { !/^(?:[\d.]+\t|\t-[\d.]+)$/ } map { "$_->[1]\t$_->[2]" } rows('Who is buying now') ],
	[], 'in red or in blue, never both');
is((map { $_->[1] || $_->[2] } grep { $_->[0] eq '외국인' } rows('Who is buying now'))[0],
	value(q{SELECT net_amount_eok FROM market_investor_trend_by_investor WHERE market_code = 'KSP' AND sector_code = '0001'
		AND trade_date = '2026-07-10' AND investor = 'foreign'}), 'as the store has it');
is($panel{$_}{fieldConfig}{overrides}[0]{properties}[0]{value}{fixedColor} . $panel{$_}{fieldConfig}{overrides}[1]{properties}[0]{value}{fixedColor},
	'#d62728#1f62b4', "$_: red buys, blue sells")
  foreach 'Who is buying now', 'Twenty trading days';
is($answer{'Through the day, with the index'}{columns}, "time\t외국인\t개인\t기관계\t지수", 'the day: a time, then figures');
is(rows('Through the day, with the index'), 3, 'a row a snapshot');
is_deeply([ grep { grep { $_ !~ /^-?\d/ } @$_ } rows('Through the day, with the index') ], [], 'all filled, the index too');
is(join(' ', map { $_->[0] } (rows('Twenty trading days'))[ 0, -1 ]), '06-15 07-10', 'twenty days, the last one today');
is(rows('Twenty trading days'), 20, 'no more');
is_deeply([ sort map { $_->[0] } rows('Sectors') ], [ sort split /\n/, Encode::decode('UTF-8', value(
		q{SELECT sector_name FROM kis_sector WHERE market_code = 'KSP' AND sector_code IN ('0005', '0013')})) ], 'the sectors that are collected');
is_deeply([ map { $_->[2] == $_->[3] } rows('Sectors') ], [ 1, 1 ], 'the chosen investor first');
is_deeply([ grep { $_->[2] eq '' || $_->[3] eq '' } rows('Futures against cash') ], [], 'cash beside futures');
cmp_ok((rows('Last success'))[0][0], '<', 600, 'the last success was minutes ago');
is(join(' ', @{ (rows('The last hour'))[0] }), '16 0 1', 'looks, of which one failed');
is_deeply([ map { "$_->[0] $_->[2] $_->[4]" } (rows('Targets'))[0] ], ['KSQ/1001 failed made up'], 'the target that failed is on top');
is(rows('Targets'), 5, 'all targets');
cmp_ok((grep { $_->[4] eq 'not collected' } rows('Gaps')), '>', 0, 'the minutes between the looks are gaps');

# ---- Prometheus

my $prometheus = "$top/examples/prometheus";

# What Python's YAML reads of a file of theirs
sub read_yaml
{
	my ($name) = @_;
	my ($output, $errors) = run_command([ 'python3', '-c',
		'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding="UTF-8"))))', "$prometheus/$name" ]);

	die "$name: $errors" if $errors ne '';
	return JSON::PP->new->decode($output);
}

$node->safe_psql('postgres', watcher_sql());

SKIP:
{
	skip 'python3-yaml is missing: on Debian, apt-get install python3-yaml', 5 if system('python3 -c "import yaml" 2>/dev/null') != 0;

	my @queries = map { @{ $_->{queries} } } @{ read_yaml('sql_exporter.yml')->{jobs} };
	my @rules = map { @{ $_->{rules} } } @{ read_yaml('alerts.yml')->{groups} };
	my %made = map { ("sql_$_->{name}" => $_) } @queries;
	my $expressions = join "\n", map { $_->{expr} } @rules;

	is(scalar keys %made, scalar @queries, 'each metric has a name of its own');
	is_deeply([ grep { !$made{$_} } $expressions =~ /(sql_(?!exporter_|job\b)\w+)/g ], [], 'alerts are of metrics that are there');
	is_deeply([ grep { my ($name, $column) = /(\w+)\{col="(\w+)"/; !grep { $_ eq $column } @{ $made{$name}{values} } }
			$expressions =~ /(sql_\w+\{col="\w+")/g ], [], 'and of their columns');
	is_deeply([ grep { !$_->{alert} || !$_->{labels}{severity} || ($_->{annotations}{summary} // '') !~ /\p{Hangul}.* · .*[A-Za-z]/s } @rules ], [],
		'each alert has a severity, and says in Korean and English what it is about');
	is_deeply([ grep { run_sql($node, 'postgres', Encode::encode('UTF-8', $_->{query}), extra_params => [ '-U', 'watcher' ])->{stderr} ne '' } @queries ], [],
		'the role that watches may run each query');
}

SKIP:
{
	my $exporter = program('prometheus-sql-exporter');
	skip 'sql_exporter is missing: on Debian, apt-get install prometheus-sql-exporter', 15 unless $exporter;

	my $hits = value('SELECT cache_hits FROM kis_stat');
	my ($page, %metric) = scrape($exporter, $node->host, $node->port, 'postgres');
	is($metric{"sql_kis_stat $_"}, value("SELECT $_ FROM kis_stat"), "$_, as in kis_stat") foreach qw(calls refusals tokens_issued);
	# the gaps' calendar is one
	ok($metric{'sql_kis_stat cache_hits'} >= $hits && $metric{'sql_kis_stat cache_hits'} <= value('SELECT cache_hits FROM kis_stat'), 'so are cache hits');
	is($metric{'sql_market_investor_trend_looks looks failed'}, 1, 'a look failed');
	is($metric{'sql_market_investor_trend_looks looks inserted'}, 5, 'five were a target\'s first');
	cmp_ok(abs($metric{"sql_market_investor_trend_look_time_seconds $_->[0] KSQ 1001"} - value("SELECT extract(epoch FROM max(asked_at))
		FROM market_investor_trend_collection WHERE market_code = 'KSQ' AND $_->[1]")), '<', 0.001, "when KOSDAQ last $_->[0]")
	  foreach [ looked => 'true' ], [ succeeded => q{outcome <> 'failed'} ];
	is($metric{"sql_market_investor_trend_gaps gaps $_"}, value("SELECT count(*) FROM missing_of_days(10) WHERE kind = '$_'"), "gaps: $_")
	  foreach 'not collected', 'no day';
	like($page, qr/^sql_exporter_last_scrape_failed\{.*query="market_investor_trend_gaps".*sql_job="gaps".*\} 0$/m, 'a query that failed would be told');
}

SKIP:
{
	my $promtool = program('promtool');
	skip 'promtool is missing: on Debian, apt-get install prometheus', 1 unless $promtool;

	my $directory = PostgreSQL::Test::Utils::tempdir();
	my ($output, $errors);

	append_to_file("$directory/alerts.yml", slurp_file("$prometheus/alerts.yml"));
	append_to_file("$directory/test.yml", slurp_file("$FindBin::RealBin/../test/fixtures/alerts.yml"));
	($output, $errors) = run_command([ $promtool, 'test', 'rules', "$directory/test.yml" ]);
	like($output, qr/SUCCESS/, 'each alert comes when it should, and at no other time') or diag "$output$errors";
}

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
