# Values that nobody should write: for every option, as codes in conditions, as
# targets of a collection and of a backfill. Each works or is refused with what
# to do; nothing is asked of KIS for it, and no message is as long as its value.
use strict;
use warnings;
use utf8;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Client;
use List::Util ();
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my $tried = 0;

# Longer than any message that shows the beginning of a value
my $longest = 1000;

setup($node, 'postgres', $simulator, session_start => '00:00');
$simulator->reset(keep_tokens => JSON::PP::true);

sub bytes
{
	return Encode::encode('UTF-8', $_[0]);
}

# ---- values, by a name: text, or an expression of SQL ------------------------

my %long = (
	'10 kB' => q{repeat('x', 10240)},
	'10 kB of digits' => q{repeat('1', 10240)},
	'10 kB of Hangul' => q{repeat('가', 3413)},
	'10 kB of a URL' => q{'https://' || repeat('x', 10240) || '.example.com'},
	'10 kB of a path' => q{'/' || repeat('x', 10240)},
	'1000 pairs' => q{rtrim(repeat('KSP/0031,', 1000), ',')},
	'1001 pairs' => q{rtrim(repeat('KSP/0031,', 1001), ',')},
	'40000 pairs' => q{rtrim(repeat('KSP/0031,', 40000), ',')});
my @nasty = (
	# nothing, blanks, control characters, what ends a line of HTTP
	'', ' ', "\t", "\n", "x\r\nX-Injected: 1", "x\x{7}y", "x\x{7f}y", "\x{1b}[31m",
	# what other languages take for more than text
	q{'}, q{"}, q{\\}, q{%s%n%x}, q{'; DROP TABLE t; --}, '{}', 'NULL', 'null', '$1', '<!-- -->', '${HOME}', '`id`',
	# characters that are not ASCII
	'한글', '😀', "\x{a0}", "\x{200b}", "\x{feff}x", "\x{202e}x", '１２', '١٢', 'é', "e\x{301}",
	# numbers and what looks like one
	'0', '-0', '1', '-1', '10', '007', '+1', '1.5', '.5', '1.', '0.0001', '1e3', '1e400', '0x10', '1_000', '1,000',
	'NaN', 'inf', 'Infinity', '-Infinity', '2147483647', '2147483648', '99999999999999999999', '1 ', ' 1',
	# durations
	'0s', '1us', '1ms', '1s', '1 s', '1S', '1sec', '1min', '11min', '1h', '61min', '1d', '1w', '-1s', '1e3s', '1s1s', '1 minute',
	'00:00:01', '99999999999999999999s', '0.0000000001us', 'infinity', 's', '10kB',
	# URLs
	'http://127.0.0.1:9', 'http://127.0.0.1', 'http://[::1]:9', 'http://localhost:9', 'http://localhost.:9', 'http://localhost.example.com:9',
	'http://10.0.0.1:9', 'http://example.com:9', 'http://[::ffff:127.0.0.1]:9', 'http://2130706433:9', 'http://0x7f.1:9', 'http://0177.0.0.1:9',
	'http://0.0.0.0:9', 'http://127.0.0.1:9@example.com:9', 'https://example.com:9@127.0.0.1:9', 'https://name:word@example.com:9',
	'https://example.com:9', 'https://example.com:9/', 'https://example.com:9/path', 'https://example.com:9?query', 'https://example.com:9#part',
	'https://example.com:0', 'https://example.com:65536', 'https://example.com:-1', 'https://example.com:9 ', ' https://example.com:9',
	"https://example.com:9\r\nHost: x", 'https://ex ample.com:9', 'https://example%2ecom:9', 'https://한글.kr:9', 'https://', 'https:///', 'https://[::1', 'https://[fe80::1%25eth0]:9',
	'https://openapivts.koreainvestment.com:29443', 'https://openapivts.koreainvestment.com.:29443', 'file:///etc/passwd', 'gopher://127.0.0.1:9', 'javascript:9', '//example.com:9',
	# paths
	'/absolute', '/a/../../etc/passwd', '~/key', 'relative', "/new\nline", '/dev/null', '|id',
	# what other options take
	'KSP/0031', 'KSP/0031,KSP/0031', 'ksp/0031', 'KSP/0031,', 'KSP/0031;KSQ/1001', 'KSPKSPKSP/1', "KSP/0031\nKSQ/1001", 'KSP', '/',
	'headline', 'all', 'ALL', 'kis', 'weekday', 'kis_market_trend', 'KIS_MARKET_TREND', 'pg_authid', '*', '**', '***', 'frgn_ntby_qty',
	'08:30', '24:00', '8:30', '08:30:00', '08:30+09', '-1:30', 'on', 'true', 'DEFAULT',
	'k' x 36, 's' x 180);
my %value = ((map { $_ => sql_literal(bytes($_)) } @nasty), map { $_ => bytes($long{$_}) } keys %long);
my @names = (@nasty, sort keys %long);

# ---- every option with each of them ------------------------------------------

my @text = grep { /^[\x21-\x7e]+$/ } @nasty;
my @duration = ('1ms', '1s', '1 s', '1min');
my @zero_duration = (@duration, '1us', '0', '0s', '0.0000000001us', '11min', '1h');
my @paths = ('/', '//example.com:9', '/absolute', '/a/../../etc/passwd', '/dev/null', '10 kB of a path');
my @rates = ('1', '10', '007', '1.5');

# By object and option: those that it takes; all others are refused.
my %taken = (
	server => {
		base_url => [ 'http://127.0.0.1:9', 'http://127.0.0.1', 'http://[::1]:9', 'http://localhost:9', 'https://example.com:9', 'https://example.com:9/' ],
		connect_timeout => \@duration,
		request_timeout => \@duration,
		max_retries => [ '0', '1', '10', '007' ],
		max_wait => \@zero_duration,
		max_calls => [ '1', '10', '007' ],
		requests_per_second => \@rates,
		max_concurrent_requests => [ '1', '10', '007' ],
		cache_ttl => \@zero_duration,
		session_start => ['08:30'],
		calendar => [ 'kis', 'weekday' ],
		extra_pairs => [ '', ' ', 'KSP/0031', 'KSP/0031,KSP/0031', 'ksp/0031', '1000 pairs' ],
		proxy => [
			'http://127.0.0.1:9', 'http://[::1]:9', 'http://[::ffff:127.0.0.1]:9', 'http://localhost:9', 'http://localhost.:9',
			'http://localhost.example.com:9', 'http://10.0.0.1:9', 'http://0.0.0.0:9', 'http://2130706433:9', 'http://0x7f.1:9',
			'http://0177.0.0.1:9', 'http://example.com:9', 'https://example.com:9', 'https://example.com:9/',
			'https://openapivts.koreainvestment.com:29443', 'https://openapivts.koreainvestment.com.:29443' ],
		ca_file => \@paths },
	mapping => {
		app_key => \@text,
		app_secret => \@text,
		app_key_file => \@paths,
		app_secret_file => \@paths,
		access_token_file => \@paths,
		requests_per_second => \@rates },
	table => {
		table_name => ['kis_market_trend'],
		pairs => [ 'headline', 'all' ] },
	column => {
		field => [ grep { length() < 128 } @text ] });

# What sets an option to the value %s
my %sets = (
	server => 'CREATE SERVER tried FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (%I %L); DROP SERVER tried',
	mapping => 'CREATE USER MAPPING FOR PUBLIC SERVER kis OPTIONS (%I %L); DROP USER MAPPING FOR PUBLIC SERVER kis',
	table => 'CREATE FOREIGN TABLE tried (market_code text) SERVER kis OPTIONS (%I %L); DROP FOREIGN TABLE tried',
	column => 'CREATE FOREIGN TABLE tried (a text OPTIONS (%I %L)) SERVER kis; DROP FOREIGN TABLE tried');

my $session = $node->session;
$session->query_safe(q{
	SET client_min_messages = error;
	SET log_statement = 'none'; SET log_min_error_statement = 'panic'; SET log_min_messages = 'panic';
	CREATE TABLE nasty (number int, value text);
	CREATE FUNCTION try(command text, value text, OUT state text, OUT hint text, OUT length int, OUT shown boolean) LANGUAGE plpgsql AS $$
	DECLARE
		message text;
		detail text;
	BEGIN
		EXECUTE command;
		state := 'ok';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		state := SQLSTATE;
		length := octet_length(concat(message, detail, hint));
		shown := length(value) > 5 AND position(value IN concat(message, detail)) > 0;
	END $$});
$session->query_safe('INSERT INTO nasty VALUES ' . join(', ', map { "($_, $value{$names[$_]})" } 0 .. $#names));

foreach my $object (sort keys %taken)
{
	foreach my $option (sort keys %{ $taken{$object} })
	{
		my @rows = map { [ split /\|/, $_, -1 ] } split /\n/, $session->query_safe(
			"SELECT number, state, hint <> '', length, shown FROM nasty, try(format('$sets{$object}', '$option', value), value) ORDER BY number");
		my @ok = map { $names[ $_->[0] ] } grep { $_->[1] eq 'ok' } @rows;
		my @refused = grep { $_->[1] ne 'ok' } @rows;

		$tried += @rows;
		is(scalar @rows, scalar @names, "$option of a $object: each value was tried");
		is_deeply([ sort map { bytes($_) } @ok ], [ sort map { bytes($_) } List::Util::uniq(@{ $taken{$object}{$option} }) ], "those that $option takes");
		is_deeply([ map { bytes("$names[$_->[0]]: $_->[1]") } grep { $_->[1] ne '22023' } @refused ], [], 'the others are invalid');
		is_deeply([ map { bytes($names[ $_->[0] ]) } grep { $_->[2] ne 't' || $_->[3] > $longest } @refused ], [], 'told with a hint, and in few words');
		is_deeply([ map { bytes($names[ $_->[0] ]) } grep { $_->[4] eq 't' } @refused ], [], 'and no secret') if $object eq 'mapping';
	}
}

# As many pairs as there may be are all asked for, once each
$session->query_safe('ALTER SERVER kis OPTIONS (ADD extra_pairs ' . sql_literal(join ', ', 'KSP/0001', map { "KSP/X$_" } 1 .. 999) . ')');
like($session->query_safe('EXPLAIN SELECT * FROM kis_sector_trend'), qr/Calls Expected: 1070$/m, 'a table of 71 pairs and 999 more');
like($session->query_safe(q{EXPLAIN SELECT * FROM kis_sector_trend WHERE sector_code = 'X999'}), qr/Calls Expected: 1$/m, 'holds the last of them');
$session->query_safe('ALTER SERVER kis OPTIONS (DROP extra_pairs)');

# Option names that are none
foreach my $name (q{no such}, q{%s}, q{"}, '한글', '😀', ('x' x 63), 'Base_Url', 'base_url ', 'app_key')
{
	my ($state, $hint) = split /\|/, $session->query_safe(bytes(
		q{SELECT state, hint <> '' FROM try(format('CREATE SERVER tried FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (%I %L)', }
		  . sql_literal($name) . q{, 'x'), 'x')}));

	$tried++;
	is("$state $hint", 'HV00D t', bytes("no option \"$name\""));
}
asks_nothing($simulator, 'none of it has been asked for');

# Names of members are sent to nobody: a table with all of them has no such member
my @members = grep { length() < 128 } @text;
$session->query_safe('CREATE FOREIGN TABLE members (market_code text, '
	  . join(', ', map { "m$_ text OPTIONS (field " . sql_literal($members[$_]) . ')' } 0 .. $#members)
	  . ") SERVER kis OPTIONS (table_name 'kis_market_trend')");
my $result = run_sql($node, 'postgres', "SELECT to_jsonb(m) - 'market_code' FROM members m WHERE market_code = 'KSP'");
is(scalar @{ $result->{errors} }, 0, 'members of any name can be asked for');
like($result->{output}, qr/^{("m\d+": null, )+.*"m\d+": "\{/, 'those that KIS has not are NULL');
is(scalar @{ $result->{warnings} }, 1, 'with one warning');
$simulator->reset(keep_tokens => JSON::PP::true);

# ---- codes in conditions -----------------------------------------------------

my $reader = $node->session;
my $relation = 'kis_market_trend';

# What comes of a condition that no row satisfies: no call, and a warning with
# a hint where a code is named.
sub holds_nothing
{
	my ($condition, $warnings, $hint) = @_;
	my $told = $reader->query(bytes("SELECT count(*) FROM $relation WHERE $condition"));
	my $name = bytes(length $condition > 60 ? substr($condition, 0, 60) . '...' : $condition) =~ s/\n/\\n/gr;
	my @good = grep { $_->{sqlstate} eq '02000' && $_->{hint} ne '' && length(join '', values %$_) < $longest } @{ $told->{messages} };

	$tried++;
	is("$told->{output} rows, " . @{ $told->{messages} } . ' messages, ' . @good . ' good',
		"0 rows, $warnings messages, $warnings good", "WHERE $name") or diag($told->{stderr});
	like($told->{warnings}[0]{hint}, $hint, 'and what was meant') if $hint;
	return;
}

sub literal
{
	return Encode::decode('UTF-8', $_[0]);
}

# As a code each of them is none
my @no_codes = grep { $_ ne 'KSP' } @names;
holds_nothing("market_code = " . literal($value{$_}), 1) foreach @no_codes;
holds_nothing("market_code = 'KSP' AND sector_code = " . literal($value{$_}), 1) foreach @names;
holds_nothing("market_code LIKE " . literal($value{$_}), 0) foreach grep { !/\\/ } @no_codes;
$relation = 'kis_investor_trend';
holds_nothing("market_code = 'XYZ' AND investor = " . literal($value{$_}), 2) foreach @names;
$relation = 'kis_market_trend_daily';
holds_nothing("sector_code = " . literal($value{$_}), 1) foreach @names;
$relation = 'kis_market_trend';

# Who means a code is told which
my %meant = (
	'KOSPI' => 'KSP', 'kospi' => 'KSP', 'Kospi' => 'KSP', 'KSPI' => 'KSP', 'KSP;' => 'KSP', 'KS' => 'KSP', 'ksp' => 'KSP', "KSP\n" => 'KSP',
	'코스피' => 'KSP', '코스닥' => 'KSQ', 'KOSDAQ' => 'KSQ', 'kosdaq' => 'KSQ', 'KSQ.' => 'KSQ', "\x{200b}KSP" => 'KSP');
holds_nothing('market_code = ' . sql_literal($_), 1, qr/^Did you mean "$meant{$_}"\?$/) foreach sort keys %meant;
holds_nothing("market_code IN ('KOSPI', 'KOSDAQ')", 2, qr/"KSP"/);
holds_nothing("market_code = 'KOSPI' OR market_code = 'KOSDAQ' AND sector_code = '1001'", 0);

# A megabyte, a hundred thousand
holds_nothing("market_code = repeat('x', 1000000)", 1);
holds_nothing("market_code = repeat('😀', 250000)", 1);
holds_nothing("market_code LIKE repeat('_', 1000000)", 0);
holds_nothing("market_code = '" . 'x' x 1_000_000 . "'", 1);
holds_nothing("market_code = ANY (array_fill('x'::text, ARRAY[100000]))", 0);
holds_nothing("market_code = ANY ((SELECT array_agg('x' || i) FROM generate_series(1, 100000) i)::text[])", 0);
holds_nothing("market_code = ANY ((SELECT array_agg('KSP'::text) FROM generate_series(1, 100000))::text[])"
	  . " AND sector_code = ANY ((SELECT array_agg('x' || i) FROM generate_series(1, 100000) i)::text[])", 0);
holds_nothing('(' . join(' OR ', map { "market_code = 'x$_'" } 1 .. 300) . ')', 0);
holds_nothing("market_code = ANY ('{}')", 0);
holds_nothing("market_code = ANY (NULL)", 0);
holds_nothing("market_code = ANY ('{NULL,NULL}')", 0);
holds_nothing("market_code = ANY ('{{x,y},{z,NULL}}')", 3);
holds_nothing("market_code = NULL", 0);
asks_nothing($simulator, 'nothing of it has been asked for');

# In a prepared statement, planned with the value and without
foreach my $mode (qw(force_custom_plan force_generic_plan))
{
	$reader->query_safe("SET plan_cache_mode = $mode; DEALLOCATE ALL; PREPARE of_code(text) AS SELECT count(*) FROM kis_market_trend WHERE market_code = \$1");
	my @differ = grep { my $told = $reader->query("EXECUTE of_code($value{$_})"); $told->{output} ne '0' || @{ $told->{warnings} } != 1 || @{ $told->{messages} } != 1 } @no_codes;

	$tried += @no_codes;
	is_deeply(\@differ, [], "as a parameter of a prepared statement, $mode");
}
asks_nothing($simulator, 'nothing of it, either');

# PostgreSQL's own refusals
my %refused = (
	"market_code = chr(0)" => '54000', "market_code = E'\\xff'" => '22021', "market_code ~ '('" => '2201B', "market_code LIKE E'KS\\\\'" => '22025',
	"market_code = 1" => '42883', "market_code = B'1'" => '42883', "market_code = 'x'::bytea" => '42883', "no_such_column = 'x'" => '42703',
	"market_code = ANY ('{x')" => '22P02', "market_code = repeat('x', 2000000000)" => '54000', "market_code COLLATE no_such = 'x'" => '42704');
foreach my $condition (sort keys %refused)
{
	$tried++;
	is(($reader->error("SELECT * FROM kis_market_trend WHERE $condition"))[0], $refused{$condition}, "WHERE $condition");
}

# ---- in databases of other encodings -----------------------------------------

my $bad = "\xb0";		# the first half of a Hangul syllable
$node->safe_psql('postgres', "CREATE DATABASE euc ENCODING 'EUC_KR' LOCALE 'C' TEMPLATE template0; CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
setup($node, $_, $simulator) foreach qw(euc ascii);
$simulator->reset(keep_tokens => JSON::PP::true);
is((sql_error($node, 'euc', "SET client_encoding = 'EUC_KR'; SELECT * FROM kis_market_trend WHERE market_code = 'x$bad'"))[0], '22021',
	'half a syllable of EUC-KR is refused');
like((sql_warnings($node, 'euc', "SET client_encoding = 'EUC_KR'; SELECT * FROM kis_market_trend WHERE market_code = '" . Encode::encode('euc-kr', '코스피') . q{'}))[0]{hint},
	qr/"KSP"/, 'a name in EUC-KR is understood');
is((sql_warnings($node, 'ascii', "SELECT * FROM kis_market_trend WHERE market_code = '" . $bad x 300 . q{'}))[0]{sqlstate}, '02000',
	'what is no text in any encoding is no code');
is((sql_error($node, $_->[0], "SET client_encoding = '$_->[1]'; SELECT * FROM collect_market_investor_trend(ARRAY['" . $_->[2] . q{'])}))[0], $_->[3], "nor a target, $_->[0]")
  foreach [ 'euc', 'EUC_KR', "x$bad", '22021' ], [ 'euc', 'EUC_KR', Encode::encode('euc-kr', '가') x 200, '22023' ], [ 'ascii', 'SQL_ASCII', $bad x 1000, '22023' ];
asks_nothing($simulator, 'and none is asked for');
$tried += 6;

# ---- targets -----------------------------------------------------------------

my $store = 'SELECT create_market_investor_trend(\'kept\')';
my @bad_targets = (
	(map { ("ARRAY[$value{$_}]", "ARRAY['KSP/' || $value{$_}]", "ARRAY[$value{$_} || '/0001']") } @no_codes),
	"'{}'", "'{NULL}'", "'{KSP,NULL}'", "'{{KSP,0001}}'", "ARRAY['{KSP}']", "'{KSP,KOSPI}'", "ARRAY[repeat('x', 1000000)]", "ARRAY['KSP/' || repeat('x', 1000000)]",
	"array_fill('x'::text, ARRAY[100000])", "array_fill(NULL::text, ARRAY[100000])", "'{KSP/0001/}'", "'{KSP//0001}'", "ARRAY['KSP/0001 ']", "ARRAY[' KSP/0001']");

$node->safe_psql('postgres', $store);
foreach my $command ('SELECT * FROM collect_market_investor_trend(%s, store => \'kept\')',
	'CALL backfill_market_investor_trend(\'2026-07-01\', \'2026-07-03\', %s, store => \'kept\')')
{
	my @differ;

	foreach my $targets (@bad_targets)
	{
		my $error = $reader->query(sprintf $command, $targets)->{errors}[0];

		$tried++;
		push @differ, "$targets: " . ($error ? "$error->{sqlstate} $error->{message}" : 'works')
		  unless $error && $error->{sqlstate} eq '22023' && $error->{hint} ne '' && length(join '', values %$error) < $longest;
	}
	is_deeply(\@differ, [], 'each of ' . @bad_targets . ' targets is refused: ' . $command =~ s/\(.*//r);
}
asks_nothing($simulator, 'before anything is asked');

my %good_targets = (
	"array_fill('KSP'::text, ARRAY[100000])" => 1, "'{KSP,KSP/0001,KSP}'" => 1, "'{{KSP},{KSQ}}'" => 2, "'[5:6]={KSP,KSQ/1001}'" => 2,
	"(SELECT array_agg(market_code) FROM kis_sector, generate_series(1, 1000))" => 19);
foreach my $targets (sort keys %good_targets)
{
	$simulator->reset(keep_tokens => JSON::PP::true);
	$tried++;
	is($node->safe_psql('postgres', "SELECT count(*) FROM collect_market_investor_trend($targets, store => 'kept')"), $good_targets{$targets}, "targets $targets");
	is($simulator->calls, $good_targets{$targets}, 'each asked for once');
}

# Bounds of a backfill
my %bounds = (
	"'infinity', 'infinity'" => '22023', "'-infinity', 'infinity'" => '22023', "'infinity', '-infinity'" => '22023', "'2026-07-03', '2026-07-01'" => '22023',
	"'2026-07-01', '9999-12-31'" => '22023', "NULL, '2026-07-01'" => '22004', "'2026-07-01', NULL" => '22004', "'2026-02-30', '2026-07-01'" => '22008',
	"'-infinity', '-infinity'" => 'ok', "'4713-01-01 BC', '4713-12-31 BC'" => 'ok', "'0001-01-01', '0001-01-02'" => 'ok');
$simulator->reset(keep_tokens => JSON::PP::true);
foreach my $bounds (sort keys %bounds)
{
	my $error = $reader->query("CALL backfill_market_investor_trend($bounds, '{KSP/0001}', store => 'kept')")->{errors}[0];

	$tried++;
	is($error ? $error->{sqlstate} : 'ok', $bounds{$bounds}, "backfill of $bounds");
	isnt($error->{hint}, '', 'with a hint') if $error && $error->{sqlstate} eq '22023';
}
cmp_ok($simulator->calls, '<=', 3, 'a page each at most');

is_deeply([ $simulator->problems ], [], 'every request was as KIS documents it');
diag("inputs tried: $tried");
cmp_ok($tried, '>', 4000, "inputs tried: $tried");
done_testing();
