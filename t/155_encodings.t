# Databases in other encodings than UTF-8. In EUC_KR all that KIS says in Korean
# is there, in that encoding; LATIN1 can't hold it, SQL_ASCII doesn't care: they
# work as far as that goes and say where it ends. What psql shows here is in
# the database's encoding.
use strict;
use warnings;
use utf8;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my $node = new_node('main');
my %encoding_of = (utf8 => 'UTF-8', korean => 'euc-kr', latin1 => 'iso-8859-1', sql_ascii => 'UTF-8');

foreach my $db (sort keys %encoding_of)
{
	my $name = { utf8 => 'UTF8', korean => 'EUC_KR' }->{$db} || uc $db;

	$node->safe_psql('postgres',
		"CREATE DATABASE $db ENCODING '$name' LOCALE 'C' TEMPLATE template0");
	setup($node, $db, $simulator, max_retries => 0, session_start => '00:00');
	$node->safe_psql($db, q{
		CREATE FOREIGN TABLE whole (market_code text, sector_code text,
				output jsonb OPTIONS (field '*'), reply jsonb OPTIONS (field '**'), plain text OPTIONS (field '**'))
			SERVER kis OPTIONS (table_name 'kis_sector_trend');
		CREATE FOREIGN TABLE news (market_code text, sector_code text, news text OPTIONS (field 'new_member_of_kis'), foreign_net_qty bigint)
			SERVER kis OPTIONS (table_name 'kis_sector_trend');
		SELECT kis_comment_tables(); SELECT create_market_investor_trend();});
}

# What SQL, both in characters, shows in a database, as characters.
sub shows
{
	my ($db, $sql) = @_;

	return Encode::decode($encoding_of{$db},
		$node->safe_psql($db, Encode::encode($encoding_of{$db}, $sql)), Encode::FB_CROAK);
}

# The messages of SQL in a database, their parts as characters.
sub messages
{
	my ($db, $sql, $kind) = @_;
	my $result = run_sql($node, $db, Encode::encode($encoding_of{$db}, $sql));

	return map {
		my $message = $_;
		+{ map { $_ => Encode::decode($encoding_of{$db}, $message->{$_}, Encode::FB_CROAK) } keys %$message }
	} @{ $result->{$kind} };
}

# The rows of a list of the catalogue, of those columns
sub catalogue
{
	my ($name, @columns) = @_;
	my ($head, @rows) = split /\n/, Encode::decode('UTF-8', slurp_file("$FindBin::RealBin/../catalog/$name.tsv"));
	my @names = split /\t/, $head;
	my %at = map { $names[$_] => $_ } 0 .. $#names;

	return map { my @row = split /\t/, $_, -1; join '|', @row[ @at{@columns} ] } @rows;
}

my $one = q{WHERE market_code = 'KSP' AND sector_code = '0001'};
my %in_utf8;
my $comments = q{SELECT c.relname, d.objsubid, d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
	WHERE d.classoid = 'pg_class'::regclass AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2};
my $names = 'SELECT market_code, market_name, sector_code, sector_name FROM kis_sector';
my $investors = 'SELECT code, name, screen_name FROM kis_investor_type';

# ---- a database that holds Korean

foreach my $db ('utf8', 'korean')
{
	my %markets = map { split /\|/ } catalogue('markets', 'market_code', 'name_ko');
	my @pairs = map { my ($market, @rest) = split /\|/; join '|', $market, $markets{$market}, @rest }
	  catalogue('sectors', 'market_code', 'sector_code', 'name_ko');

	is_deeply([ split /\n/, shows($db, $names) ], \@pairs, "$db: names of markets and sectors");
	is_deeply([ split /\n/, shows($db, $investors) ],
		[ catalogue('investors', 'investor', 'name_ko', 'name_ko_screen') ], "$db: names of investors");
	is(shows($db, "SELECT length(sector_name) FROM kis_sector WHERE sector_code = '0013'"), length '전기·전자',
		"$db: counted in characters");
	is(shows($db, "SELECT string_agg(sector_code, ' ') FROM kis_sector WHERE sector_name = '전기·전자'"), '0013 1028',
		"$db: names can be asked for");
	$in_utf8{comments} = shows('utf8', $comments);
	like($in_utf8{comments}, qr/외국인 순매수/, 'there are Korean comments');
	is(shows($db, $comments), $in_utf8{comments}, "$db: comments of foreign tables and stores");

	my ($warning) = messages($db, "SELECT * FROM kis_market_trend WHERE market_code = '코스피'", 'warnings');
	is($warning->{message}, '"코스피" is no market code of foreign table "kis_market_trend"',
		"$db: a name instead of a code");
	like($warning->{hint}, qr/"KSP"/, "$db: the hint has the code");
	($warning) = messages($db, "SELECT * FROM kis_sector_trend WHERE sector_code = '의약품'", 'warnings');
	is($warning->{hint}, 'Did you mean "0009"?', "$db: the same with a sector's name of old");

	$simulator->reset(keep_tokens => JSON::PP::true);
	like(shows($db, "SELECT output FROM whole $one"), qr/"frgn_ntby_qty": "-?\d+"/, "$db: the whole output");
	is(shows($db, "SELECT reply ->> 'msg1' FROM whole $one"), '정상처리 되었습니다.', "$db: the whole reply as jsonb");
	like(shows($db, "SELECT plain FROM whole $one"), qr/"msg1":"정상처리 되었습니다\."/, "$db: as text");

	$simulator->fault({ fault => 'extra_member', params => { value => '새 값' } });
	is(shows($db, "SELECT news FROM news $one"), '새 값', "$db: a value in Korean");
	$simulator->fault;
	$simulator->fault({ fault => 'body', params => { body => '{"output":[{"frgn_ntby_qty":"1","new_member_of_kis":"\uc0c8 \uac12"}],'
			  . '"rt_cd":"0","msg_cd":"MCA00000","msg1":"\uc815\uc0c1"}', status => 200 } });
	is(shows($db, "SELECT news FROM news $one"), '새 값', "$db: in escapes");
	is(shows($db, "SELECT output ->> 'new_member_of_kis', reply ->> 'msg1' FROM whole $one"), '새 값|정상',
		"$db: also in jsonb");

	$simulator->fault;
	$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00206', msg1 => '사용 권한이 없습니다.' } });
	my ($error) = messages($db, "SELECT * FROM kis_sector_trend $one", 'errors');
	is($error->{detail}, 'Server "kis", HTTP status 500, code EGW00206: 사용 권한이 없습니다.', "$db: KIS's words in an error");
	$simulator->fault;
	$simulator->fault({ fault => 'error', match => { pair => 'KSP/0001' },
		params => { msg_cd => 'EGW00206', msg1 => '사용 권한이 없습니다.' } });
	like(shows($db, "SELECT detail FROM collect_market_investor_trend('{KSP,KSQ}') WHERE market_code = 'KSP'"),
		qr/사용 권한이 없습니다\.\)$/, "$db: in a collection");
	$simulator->fault;
	$simulator->fault({ fault => 'text', match => { pair => 'KSP/0001' }, params => { value => '없음' } });
	($error) = messages($db, "SELECT foreign_net_qty FROM kis_sector_trend $one", 'errors');
	is($error->{message}, 'invalid input syntax for type bigint: "없음"', "$db: a value that doesn't fit");
	is(shows($db, "SELECT detail FROM collect_market_investor_trend('{KSP,KSQ}') WHERE market_code = 'KSP'"),
		'member "frgn_ntby_qty" is no bigint: "없음"', "$db: in a collection");
	$simulator->fault;
}

# Clients of such a database may use UTF-8 all the same
{
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	my $utf8 = sub { Encode::decode('UTF-8', $node->safe_psql('korean', Encode::encode('UTF-8', $_[0]))) };

	is($utf8->("SELECT sector_name FROM kis_sector WHERE sector_code = '0009'"), '제약', 'a client in UTF-8');
	my ($warning) = sql_warnings($node, 'korean',
		Encode::encode('UTF-8', "SELECT * FROM kis_market_trend WHERE market_code = '코스닥'"));
	like($warning->{hint}, qr/"KSQ"/, 'and its hint');
}

# ---- characters that EUC_KR doesn't have

$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00206', msg1 => '뷁 안 됩니다 😀.' } });
my ($error) = messages('korean', "SELECT * FROM kis_sector_trend $one", 'errors');
is($error->{detail}, 'Server "kis", HTTP status 500, code EGW00206: ? 안 됩니다 ?.', 'an error shows the others');
$simulator->fault;
$simulator->fault({ fault => 'extra_member', params => { value => '값 😀' } });
is(shows('utf8', "SELECT news FROM news $one"), '값 😀', 'what UTF8 holds');
foreach my $column ('news', 'reply', 'output', 'plain')
{
	my $table = $column eq 'news' ? 'news' : 'whole';

	($error) = messages('korean', "SELECT $column FROM $table $one", 'errors');
	is("$error->{sqlstate} $error->{message}",
		'22P05 character with byte sequence 0xf0 0x9f 0x98 0x80 in encoding "UTF8" has no equivalent in encoding "EUC_KR"',
		"is an error in EUC_KR: $column");
	like($error->{context}, qr/^column "$column" of foreign table "$table", .*KSP\/0001/, 'that names the column');
}
like(shows('korean', "SELECT foreign_net_qty FROM news $one"), qr/^-?\d+$/, 'figures are there all the same');
is(shows('korean', "SELECT outcome FROM collect_market_investor_trend('{KSP}')"), 'inserted', 'and can be stored');
$simulator->fault;

# ---- SQL_ASCII takes bytes as they are

is(shows('sql_ascii', $names), shows('utf8', $names), 'sql_ascii: names of markets and sectors');
is(shows('sql_ascii', $comments), $in_utf8{comments}, 'sql_ascii: comments');
is(shows('sql_ascii', "SELECT reply ->> 'msg1' FROM whole $one"), '정상처리 되었습니다.', 'sql_ascii: a whole reply');
my ($warning) = messages('sql_ascii', "SELECT * FROM kis_market_trend WHERE market_code = '코스피'", 'warnings');
like($warning->{hint}, qr/"KSP"/, 'sql_ascii: a name instead of a code');
is(shows('sql_ascii', "SELECT string_agg(outcome, ' ') FROM collect_market_investor_trend()"),
	'inserted inserted inserted', 'sql_ascii: a collection');

# What is no text in any encoding is none here
$simulator->fault({ fault => 'bad_utf8' });
foreach my $db (sort keys %encoding_of)
{
	($error) = messages($db, "SELECT * FROM kis_sector_trend $one", 'errors');
	is("$error->{sqlstate} $error->{message}", 'HV00M KIS sent a reply that is not what it should be',
		"$db: bad UTF-8 is refused");
}
$simulator->fault;

# ---- LATIN1 has no Korean

is(shows('latin1', "SELECT market_code, sector_code, sector_name_en, sector_name FROM kis_sector WHERE sector_code = '0009'"),
	'KSP|0009|Pharmaceuticals|??', 'latin1: names in English, the rest as question marks');
like(shows('latin1', $comments), qr/\?+ .*foreign/i, 'latin1: comments');
is(shows('latin1', 'SELECT count(*) FROM kis_sector_trend WHERE foreign_net_qty IS NOT NULL'), 71, 'latin1: figures');
is(shows('latin1', "SELECT string_agg(outcome, ' ') FROM collect_market_investor_trend()"),
	'inserted inserted inserted', 'latin1: a collection');
($error) = messages('latin1', "SELECT reply FROM whole $one", 'errors');
like("$error->{sqlstate} $error->{message}", qr/^22P05 character .* has no equivalent in encoding "LATIN1"$/,
	'latin1: not a whole reply');
like($error->{context}, qr/^column "reply" of foreign table "whole", member "\*\*", KSP\/0001/, 'which says where');
$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00206', msg1 => '권한이 없습니다: custtype' } });
($error) = messages('latin1', "SELECT * FROM kis_sector_trend $one", 'errors');
is($error->{detail}, 'Server "kis", HTTP status 500, code EGW00206: ??? ????: custtype', 'latin1: what it can of KIS\'s words');
$simulator->fault;

# ---- a client whose encoding holds less than the database's: what failed is told all the same

$simulator->fault({ fault => 'error', match => { pair => 'KSP/0001' },
	params => { msg_cd => 'EGW00206', msg1 => '권한이 없습니다: é' } });
my $latin1 = "SET client_encoding = 'LATIN1'";
my $told = 'Server "kis", HTTP status 500, code EGW00206: ??? ????: ' . "\xe9";
my $result = run_sql($node, 'utf8', "$latin1; SELECT * FROM kis_sector_trend $one");
is("$result->{errors}[0]{sqlstate} $result->{errors}[0]{detail}", "HV000 $told", 'a client in LATIN1: an error');
like(Encode::decode('UTF-8', slurp_log($node)), qr/code EGW00206: 권한이 없습니다: é$/m, 'of which the log has all');
$result = run_sql($node, 'utf8', "$latin1; SELECT outcome, detail FROM collect_market_investor_trend('{KSP,KSQ}')");
is($result->{output}, "failed|KIS refuses the call ($told)\nunchanged|", 'a collection, one target of it failed');
$result = run_sql($node, 'utf8', "$latin1; SELECT count(*) FROM kis_market_trend WHERE market_code IN ('KSQ', U&'\\+01F600')");
is("$result->{output}, $result->{warnings}[0]{message}", '1, "?" is no market code of foreign table "kis_market_trend"', 'a warning');
$result = run_sql($node, 'utf8', "$latin1; SELECT FROM kis_market_trend WHERE market_code IN (U&'\\CF54\\C2A4\\D53C', U&'\\CF54\\C2A4\\B2E5')");
is_deeply([ map { "$_->{message}, $_->{hint}" } @{ $result->{warnings} } ],
	[ map { "\"???\" is no market code of foreign table \"kis_market_trend\", Did you mean \"$_\"?" } qw(KSP KSQ) ],
	'names that it does not hold are told apart');
$simulator->fault;

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
unlike(slurp_log($node), qr/PANIC|terminated by signal/, 'no crash');
$node->stop;
done_testing();
