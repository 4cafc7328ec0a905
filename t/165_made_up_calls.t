# Calls that are added as doc/dev/adding-a-call.md says, by entries alone, in the
# files that it names and no other: calls as there are, of each paging with each
# lifetime; and calls with a market's code of their own, with one of the codes or
# none, with rows under another name, that name an investor or a time. Each is
# read, paged and kept as its entry says.
use strict;
use warnings;

use File::Copy ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my ($directory) = run_command([ 'pg_config', '--pkglibdir' ]);
my $installed = "$directory/market_investor_fdw.so";

plan skip_all => "installs another library, and $directory can't be written" unless -w $directory;

# name => [call that it is like, lifetime]
my %calls = (
	trend_of_day => [ 'trend', 'KIS_LIFETIME_DAY' ],
	daily_of_day => [ 'daily', 'KIS_LIFETIME_DAY' ],
	calendar_of_ttl => [ 'calendar', 'KIS_LIFETIME_TTL' ],
	calendar_of_day => [ 'calendar', 'KIS_LIFETIME_DAY' ]);


sub substitute
{
	my ($file, $change) = @_;
	local $_ = slurp_file($file);

	$change->();
	open my $out, '>', $file or die "$file: $!";
	print $out $_;
	close $out or die "$file: $!";
	return;
}

# An entry with another name and lifetime
sub copy_entry
{
	my ($name, $like, $lifetime) = @_;

	die "no entry $like" unless /^(const KisCall kis_call_$like = \{.*?^\};\n)/ms;
	my $entry = $1;
	$entry =~ s/kis_call_$like/kis_call_$name/;
	$entry =~ s/\.name = (?:kis_noop\()?"$like"\)?/.name = "$name"/ or die "no name in $like";
	$entry =~ s/^\t\.lifetime = .*\n//m;
	$entry =~ s/^\};/\t.lifetime = $lifetime,\n};/m;
	$_ .= "\n$entry";
	return;
}

# ---- calls that are like none that there are

# What each file gets: catalog/NAME.tsv, and entries in the others
my %members = (
	flows => <<'END',
position	flows_field	column_name	type	name_ko	name_en
1	invr_cls_code	investor	text	투자자	Investor
2	invr_cls_name	investor_name	text	투자자 이름	Investor's name
3	shnu_qty	buy_qty	int8	매수 수량	Quantity bought
4	ntby_amt	net_amount	int8	순매수 대금	Net amount
END
	levels => <<'END',
position	levels_field	column_name	type	name_ko	name_en	figure
1	prpr	level	numeric	지수	Level	f
2	acml_vol	volume	int8	거래량	Volume	t
3	prdy_vol	previous_volume	int8	전일 거래량	Volume of the day before	f
4	high_date	high_date	date	최고일	Day of the high	f
END
	times => <<'END');
position	times_field	column_name	type	name_ko	name_en
1	bsop_date	trade_date	date	거래일	Trading day
2	bsop_hour	quote_time	time	시각	Time
3	prpr	level	numeric	지수	Level
END

my $calls = <<'END';

static const KisTranslation flows_markets[] = {{"KSP", "1"}, {"KSQ", "4"}, {NULL, NULL}};
static const KisTranslation flows_investors[] = {
	{"9100", "foreign"}, {"8000", "individual"}, {"8888", "institution"}, {NULL, NULL}
};

const KisCall kis_call_flows = {
	.name = "flows",
	.path = "/uapi/domestic-stock/v1/quotations/made-up-flows",
	.tr_id = "MADEUP000001",
	.parameters = {
		{"EXCH_DIV_CLS_CODE", .constant = "J"},
		{"MRKT_DIV_CLS_CODE", .argument = KIS_ARG_MARKET, .codes = flows_markets},
	},
	.rows = "output2",
	MEMBERS(flows),
	.investors = flows_investors,
	.usual_rows = 3,
};

static const KisTranslation levels_markets[] = {{"KSP", "U"}, {"KSQ", "V"}, {NULL, NULL}};

const KisCall kis_call_levels = {
	.name = "levels",
	.path = "/uapi/domestic-stock/v1/quotations/made-up-levels",
	.tr_id = "MADEUP000002",
	.parameters = {
		{"FID_COND_MRKT_DIV_CODE", .argument = KIS_ARG_MARKET, .codes = levels_markets},
		{"FID_INPUT_ISCD", .argument = KIS_ARG_SECTOR},
	},
	.rows = "output",
	MEMBERS(levels),
	.usual_rows = 1,
};

static const char *const one_market[] = {"KSP", NULL};

const KisCall kis_call_sectors = {
	.name = "sectors",
	.path = "/uapi/domestic-stock/v1/quotations/made-up-sectors",
	.tr_id = "MADEUP000003",
	.parameters = {
		{"FID_INPUT_ISCD", .argument = KIS_ARG_SECTOR},
	},
	.markets = one_market,
	.rows = "output",
	MEMBERS(levels),
	.usual_rows = 1,
};

const KisCall kis_call_times = {
	.name = "times",
	.path = "/uapi/domestic-stock/v1/quotations/made-up-times",
	.tr_id = "MADEUP000004",
	.parameters = {
		{"FID_INPUT_HOUR_1", .constant = "60"},
	},
	.rows = "output1",
	MEMBERS(times),
	.usual_rows = 2,
	.lifetime = KIS_LIFETIME_DAY,
	.whole = {.filled = true},
};
END

my $tables = <<'END';
static const char *const flows_columns[] = {
	"market_code", "investor", "collected_at", "trade_date", "buy_qty", "net_amount", NULL
};

static const KisTable flows = {
	.name = "kis_flows",
	.call = &kis_call_flows,
	.columns = flows_columns,
	.comment_ko = "투자자별",
	.comment_en = "By investor",
};

static const char *const levels_columns[] = {
	"market_code", "sector_code", "collected_at", "trade_date", "level", "volume", "high_date", NULL
};

static const KisTable levels = {
	.name = "kis_levels",
	.call = &kis_call_levels,
	.pairs = KIS_PAIRS_HEADLINE,
	.columns = levels_columns,
	.comment_ko = "지수",
	.comment_en = "Index",
};

static const KisTable sectors = {
	.name = "kis_sectors",
	.call = &kis_call_sectors,
	.pairs = KIS_PAIRS_ALL,
	.columns = levels_columns,
	.comment_ko = "업종",
	.comment_en = "Sectors",
};

static const char *const times_columns[] = {"trade_date", "quote_time", "level", NULL};

static const KisTable times = {
	.name = "kis_times",
	.call = &kis_call_times,
	.columns = times_columns,
	.comment_ko = "시각",
	.comment_en = "Times",
};

END

my $documented = <<'END';
    'flows': Call(
        QUOTATIONS + 'made-up-flows', 'MADEUP000001',
        {'EXCH_DIV_CLS_CODE': 'J', 'MRKT_DIV_CLS_CODE': Argument('market', {'KSP': '1', 'KSQ': '4'})},
        'output2'),
    'levels': Call(
        QUOTATIONS + 'made-up-levels', 'MADEUP000002',
        {'FID_COND_MRKT_DIV_CODE': Argument('market', {'KSP': 'U', 'KSQ': 'V'}), 'FID_INPUT_ISCD': SECTOR}),
    'sectors': Call(
        QUOTATIONS + 'made-up-sectors', 'MADEUP000003', {'FID_INPUT_ISCD': SECTOR}),
    'times': Call(
        QUOTATIONS + 'made-up-times', 'MADEUP000004', {'FID_INPUT_HOUR_1': '60'}, 'output1'),
END

sub write_file
{
	my ($file, $content) = @_;

	open my $out, '>', $file or die "$file: $!";
	print $out $content;
	close $out or die "$file: $!";
	return;
}

sub add_made_up_calls
{
	my ($place) = @_;
	my @names = qw(flows levels sectors times);
	my $declarations = join '', map { "extern const KisCall kis_call_$_;\n" } @names;
	my $listed = join '', map { "\t&$_,\n" } @names;

	write_file("$place/catalog/$_.tsv", $members{$_}) foreach keys %members;
	substitute("$place/src/kis/catalog.c", sub { $_ .= $calls });
	substitute("$place/src/kis/catalog.h", sub { s/^(?=extern const KisCall kis_call_trend;)/$declarations/m or die });
	substitute("$place/src/common/tables.c",
		sub { s/^(const KisTable \*const kis_tables\[\] = \{\n)/$tables$1$listed/m or die });
	substitute("$place/test/simulator/documented.py", sub { s/^(?<=^CALLS = \{\n)/$documented/m or die });
	return;
}

# What the simulator answers: a code that is not known, and one without figures
sub answer
{
	my ($rows, %members) = @_;

	return { %$rows, %members, rt_cd => '0', msg_cd => 'MCA00000', msg1 => '' };
}

sub flow
{
	my %row;

	@row{qw(invr_cls_code invr_cls_name shnu_qty ntby_amt)} = @_;
	return \%row;
}

sub level
{
	my %row;

	@row{qw(prpr acml_vol prdy_vol high_date)} = @_;
	return \%row;
}

my %captured = (
	'flows:KSP' => answer(
		{ output2 => [ flow('8888', '기관계', '7', '-3'), flow('9100', '외국인', '5', '4'), flow('7777', '기 타', '1', '-1') ] },
		output1 => { invr_cls_code => '0' }),
	'flows:KSQ' => answer({ output2 => [ flow('9100', '외국인', '0', '0'), flow('8000', '개인', '0', '0') ] }),
	'levels:KSP/0001' => answer({ output => level('2807.63', '758166', '646706', '20240620') }),
	'levels:KSQ/1001' => answer({ output => level('857.51', '0', '999', '00000000') }),
	'levels:KSP/0013' => answer({ output => level('', '', '', '') }),
	'sectors:0013' => answer({ output => [ level('1.5', '2', '3', '0') ] }),
	times => answer({ output1 => [ map { { bsop_date => '20260710', bsop_hour => $_, prpr => '1.25' } } '090000', '090100' ] }));

sub build_with_calls
{
	my $place = PostgreSQL::Test::Utils::tempdir . '/src';
	local %ENV = %ENV;
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};

	system_or_bail('sh', '-c', q{mkdir "$1" && cd "$0" && tar -cf - --exclude=./tmp_check . | tar -C "$1" -xf -},
		"$FindBin::RealBin/..", $place);
	foreach my $name (sort keys %calls)
	{
		my ($like, $lifetime) = @{ $calls{$name} };
		my $pairs = $like eq 'calendar' ? '' : '.pairs = KIS_PAIRS_ALL,';
		my $columns = { trend => 'live_columns', daily => 'daily_columns', calendar => 'calendar_columns' }->{$like};

		substitute("$place/src/kis/catalog.c", sub { copy_entry($name, $like, $lifetime) });
		substitute("$place/src/kis/catalog.h", sub { s/^(extern const KisCall kis_call_trend;)/$1\nextern const KisCall kis_call_$name;/m or die });
		substitute("$place/src/common/tables.c", sub {
			s/^(const KisTable \*const kis_tables\[\] = \{\n)/static const KisTable $name = {.name = "kis_$name", .call = &kis_call_$name, $pairs .columns = $columns, .comment_ko = "$name", .comment_en = "$name"};\n\n$1\t&$name,\n/m or die; });
	}
	add_made_up_calls($place);
	unlink glob "$place/src/*/*.o";
	system_or_bail('make', '-s', 'with_llvm=no', '-C', $place, 'market_investor_fdw.so', 'COPT=-Werror ' . ($ENV{COPT} // ''));
	return $place;
}

# As install does: the file that a server has loaded stays what it is.
sub install
{
	my ($library) = @_;

	File::Copy::copy($library, "$installed.new") && rename("$installed.new", $installed)
	  or die "could not install $library: $!";
	return;
}

my $place = build_with_calls();
my $kept = PostgreSQL::Test::Utils::tempdir . '/market_investor_fdw.so';
my $simulator = KisTest::Simulator->new(test_dir => "$place/test", config => { captured => \%captured });

File::Copy::copy($installed, $kept) or die "could not copy $installed: $!";
END
{
	my $status = $?;
	install($kept) if defined $kept && -e $kept;
	$? = $status;
}
install("$place/market_investor_fdw.so");

my $clock = KisTest::Clock->new($simulator);
$clock->set('2026-07-09 10:30:00');
my $node = new_node('main', env => $clock->env);
setup($node, 'postgres', $simulator);
my $session = $node->session;

# SQL's output, and the calls that it took the first and the second time
sub twice
{
	my ($sql) = @_;
	my ($first, $second);

	$simulator->reset(keep_tokens => JSON::PP::true);
	$session->query_safe($sql);
	$first = $simulator->calls('data');
	my $output = $session->query_safe($sql);
	$second = $simulator->calls('data') - $first;
	return "$output, $first then $second calls";
}

foreach my $case (
	[ 'trend_of_day', q{SELECT count(*), count(foreign_net_qty) FROM kis_trend_of_day WHERE market_code = 'KSP' AND sector_code = '0001'},
		'1|1, 1 then 0 calls' ],
	[ 'trend', q{SELECT count(*), count(foreign_net_qty) FROM kis_market_trend WHERE market_code = 'KSP'}, '1|1, 1 then 1 calls' ],
	[ 'daily_of_day', q{SELECT count(*) FROM kis_daily_of_day WHERE market_code = 'KSP' AND sector_code = '0001'
		AND trade_date BETWEEN '2026-07-01' AND '2026-07-03'}, '3, 1 then 0 calls' ],
	[ 'daily_of_day, pages', q{SELECT count(*) > 300 FROM kis_daily_of_day WHERE market_code = 'KSP' AND sector_code = '0001'
		AND trade_date > '2024-01-01'}, 't, 3 then 0 calls' ],
	[ 'calendar_of_day', q{SELECT count(*) FROM kis_calendar_of_day WHERE trade_date BETWEEN '2026-07-01' AND '2026-08-09'}, '40, 2 then 0 calls' ],
	[ 'calendar_of_ttl', q{SELECT count(*) FROM kis_calendar_of_ttl WHERE trade_date BETWEEN '2026-07-01' AND '2026-08-09'}, '40, 2 then 2 calls' ])
{
	my ($what, $sql, $right) = @$case;

	is(twice($sql), $right, $what);
}

# ---- a market's code of the call's own, rows under another name, each an investor's

sub requested
{
	my ($name, @parameters) = @_;

	return join ' ', sort map { my $query = $_->{query}; join '/', map { $query->{$_} } @parameters } $simulator->requests($name);
}

$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe('SELECT market_code, investor, buy_qty, net_amount FROM kis_flows'),
	"KSP|institution|7|-3\nKSP|foreign|5|4\nKSP|7777|1|-1\nKSQ|foreign|0|0\nKSQ|individual|0|0",
	'rows of output2, with our codes of investors');
is(requested('flows', 'EXCH_DIV_CLS_CODE', 'MRKT_DIV_CLS_CODE'), 'J/1 J/4', 'a call a market, by KIS\'s codes of it');
is_deeply([ $simulator->problems ], [], 'requests as they are documented');
is($session->query_safe(q{SELECT market_code, buy_qty FROM kis_flows WHERE investor = 'foreign' AND market_code = 'KSQ'}),
	'KSQ|0', 'conditions on both codes');
is($simulator->calls('flows'), 3, 'of which that on the market decides the calls');
is($session->query_safe(q{SELECT count(*) FROM (SELECT FROM kis_flows LIMIT 2) AS few}), '2', 'LIMIT');
is($simulator->calls('flows'), 5, 'makes no more calls than it lets rows through');

my @warnings = sql_warnings($node, 'postgres', 'SELECT investor FROM kis_flows');
is(scalar @warnings, 1, 'one WARNING of a code that is not known');
is("$warnings[0]{message}: $warnings[0]{detail}",
	'KIS\'s reply has rows of an investor that is not known: "7777": Column "investor" of foreign table "kis_flows" shows KIS\'s code.',
	'which says what is shown');
@warnings = sql_warnings($node, 'postgres', q{SELECT FROM kis_flows WHERE market_code = 'KOSPI'});
is("$warnings[0]{message}: $warnings[0]{hint}", '"KOSPI" is no market code of foreign table "kis_flows": Did you mean "KSP"?',
	'a market that is none');
is($session->query_safe(q{SELECT count(*) FROM kis_flows WHERE market_code = 'ETF'}), '0', 'nor is one that the call does not serve');

# an investor by a name that is not ours, with what he is here; but KIS's code of one that is not known is
foreach my $case (
	[ q{investor = 'foreigner'}, '"foreigner" is no investor of foreign table "kis_flows": Did you mean "foreign"?' ],
	[ q{investor IN ('9100', 'individual')}, '"9100" is no investor of foreign table "kis_flows": Did you mean "foreign"?' ],
	[ q{investor = '7777'} ], [ q{investor = 'bank'} ])
{
	my ($condition, $right) = @$case;

	@warnings = grep { !/not known/ } map { "$_->{message}: " . ($_->{hint} // '') } sql_warnings($node, 'postgres', "SELECT FROM kis_flows WHERE $condition");
	is("@warnings", $right // '', "WHERE $condition");
}

$session->query_safe(q{CREATE FOREIGN TABLE by_field (market_code text, code text OPTIONS (field 'invr_cls_code'),
	investor text, name text OPTIONS (field 'invr_cls_name'), row jsonb OPTIONS (field '*'), reply jsonb OPTIONS (field '**'))
	SERVER kis OPTIONS (table_name 'kis_flows')});
is($session->query_safe(q{SELECT code, investor, row->>'shnu_qty', reply->'output1'->>'invr_cls_code' FROM by_field
		WHERE market_code = 'KSP' AND code = '9100'}),
	'9100|foreign|5|0', 'KIS\'s code, the row as an object, and the rest of the reply');
unlike($session->query_safe('EXPLAIN (VERBOSE) SELECT FROM kis_flows'), qr/Pairs/, 'no pairs');

$session->query_safe(q{ALTER SERVER kis OPTIONS (ADD max_calls '1')});
is((sql_error($node, 'postgres', 'SELECT FROM kis_flows'))[3], 'Narrow the query by market_code, or raise max_calls.', 'beyond max_calls');
$session->query_safe(q{ALTER SERVER kis OPTIONS (DROP max_calls)});

# ---- both codes, one of them under another name; and the sector's alone
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe('SELECT market_code, sector_code, level, volume, high_date FROM kis_levels'),
	"KSP|0001|2807.63|758166|2024-06-20\nKSQ|1001|857.51|0|", 'an object, a map for one of two codes, and a date of zeros, which is none');
is(requested('levels', 'FID_COND_MRKT_DIV_CODE', 'FID_INPUT_ISCD'), 'U/0001 V/1001', 'requests');
@warnings = sql_warnings($node, 'postgres', q{SELECT FROM kis_levels WHERE market_code = 'KSP' AND sector_code = '0013'});
is("$warnings[0]{message}: $warnings[0]{hint}",
	'foreign table "kis_levels" does not hold KSP/0013: Use a foreign table with the options table_name \'kis_levels\' and pairs \'all\'.',
	'a pair that the call serves');
$session->query_safe(q{ALTER FOREIGN TABLE kis_levels OPTIONS (ADD pairs 'all')});
@warnings = sql_warnings($node, 'postgres', q{SELECT FROM kis_levels WHERE sector_code = '0013'});
is("$warnings[0]{message}: $warnings[0]{detail}", 'KIS has no figures for KSP/0013: All members of its reply are empty.',
	'a pair that KIS does not have');
$simulator->reset(keep_tokens => JSON::PP::true);
is($session->query_safe(q{SELECT market_code, sector_code, level FROM kis_sectors WHERE sector_code IN ('0013', '1001')}),
	'KSP|0013|1.5', 'pairs of a call that takes the sector alone');
is(requested('sectors', 'FID_INPUT_ISCD'), '0013', 'and serves one market');

# ---- no codes, rows by time, of which none may lack a value
$simulator->config(captured => { times => answer({ output1 => [ { bsop_date => '20260710', bsop_hour => '090000', prpr => '' } ] }) });
is($session->query_safe('SELECT quote_time, level FROM kis_times; SELECT count(*) FROM kis_times'), "09:00:00|\n1", 'a reply that is not whole');
is($simulator->calls('times'), 2, 'is not kept');
is(twice('SELECT trade_date, quote_time, level FROM kis_times WHERE quote_time > \'09:00\''),
	'2026-07-10|09:01:00|1.25, 1 then 0 calls', 'rows by time, kept for the day');
is(twice(q{SELECT count(*) FROM kis_times WHERE trade_date = '2026-07-10'}), '2, 0 then 0 calls', 'all of a day\'s');
$simulator->config(captured => { times => answer({ output1 => [] }) });
is((sql_error($node, 'postgres', q{CREATE FOREIGN TABLE bad (level int OPTIONS (field 'prpr')) SERVER kis OPTIONS (table_name 'kis_times');
	SELECT level FROM bad}))[4], 'column "level" of foreign table "bad", member "prpr", the times', 'in an error\'s context');
is_deeply([ $simulator->problems ], [], 'requests as they are documented');

# ---- before the session: what says whose a row is is no figure, nor is what is
# of the day before; and of a reply of several rows one figure speaks for all
push @{ $captured{'flows:KSP'}{output2} }, flow('8000', '개인', '0', '0');
$simulator->config(captured => \%captured);
$clock->set('2026-07-10 08:00:00');
is($session->query_safe('SELECT DISTINCT market_code, trade_date FROM kis_flows ORDER BY 1'),
	"KSP|2026-07-09\nKSQ|2026-07-10", 'the day before where a figure is not zero, else today');
is($session->query_safe(q{SELECT market_code, trade_date FROM kis_levels WHERE sector_code IN ('0001', '1001')}),
	"KSP|2026-07-09\nKSQ|2026-07-10", 'by the figures of the day alone');

$session->quit;
done_testing();
