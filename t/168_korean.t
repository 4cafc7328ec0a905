# Messages in Korean, where lc_messages says so: po/ko.po has a translation of each
# message of the sources and of no other, with the same placeholders; and a user
# sees message, detail, hint and context of each kind of failure in Korean, in UTF-8
# and in EUC_KR.
use strict;
use warnings;
use utf8;

use Encode ();
use File::Temp ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $directory = File::Temp::tempdir(CLEANUP => 1);

# What a command says, and its status
sub says
{
	my $said = `{ @_; } 2>&1`;

	return ($? >> 8, $said);
}

sub has
{
	my ($program) = @_;

	return (says("command -v $program"))[0] == 0;
}

# The entries of a catalogue of messages but its head: by message (and its plural)
# what is there of text, flags and places
sub entries
{
	my ($path) = @_;
	my %entry;

	foreach my $block (split /\n\n/, Encode::decode('UTF-8', slurp_file($path)))
	{
		my (%of, $part);

		foreach my $line (split /\n/, $block)
		{
			$part = $1 if $line =~ s/^(msgid|msgid_plural|msgstr)(?:\[0\])? //;
			$of{ $line =~ /^#,/ ? 'flags' : $line =~ /^#:/ ? 'places' : $line =~ /^#~/ ? 'obsolete' : 'comment' } .= $line if $line =~ /^#/;
			$of{$part} .= $1 if defined $part && $line =~ /^"(.*)"$/;
		}
		$entry{ $of{msgid} } = \%of if defined $of{msgid} && $of{msgid} ne '';
		$entry{''}{obsolete} = 1 if $of{obsolete};
	}
	return \%entry;
}

# Placeholders in the order of their arguments
sub placeholders
{
	my ($text) = @_;
	my ($n, @found) = (0);

	while ($text =~ /%(?:(\d+)\$)?([-+ 0#]*[\d.]*(?:ll|l|z)?[a-zA-Z])/g)
	{
		$found[ defined $1 ? $1 - 1 : $n++ ] = $2;
	}
	return join ' ', map { $_ // '-' } @found;
}

my $korean = entries("$top/po/ko.po");

# ---- what is translated

SKIP:
{
	skip 'no xgettext or msgfmt (gettext)', 1 if !has('xgettext') || !has('msgfmt');

	my ($status, $said) = says("make -B -s -C '$directory' -f '$top/Makefile' po/market_investor_fdw.pot");
	is($status, 0, 'the messages of the sources are gathered') or diag $said;

	my $sources = entries("$directory/po/market_investor_fdw.pot");
	cmp_ok(scalar keys %$sources, '>', 300, 'they are several hundred');
	is_deeply([ grep { !defined $korean->{$_} || $korean->{$_}{msgstr} eq '' } sort keys %$sources ], [],
		'each has a translation (po/ko.po)');
	is_deeply([ grep { !defined $sources->{$_} } sort keys %$korean ], [], 'there is none of a message that is gone');
	is_deeply([ grep { ($korean->{$_}{flags} // '') =~ /fuzzy/ } sort keys %$korean ], [], 'none is fuzzy');
	is_deeply([ grep { placeholders($korean->{$_}{msgstr}) ne placeholders($korean->{$_}{msgid_plural} // $_) } sort keys %$korean ],
		[], 'placeholders are those of the message');
	is_deeply([ grep { $korean->{$_}{msgstr} !~ /\p{Hangul}/ } sort keys %$korean ],
		[ '%s', "%s OPTIONS (app_key '...', app_secret '...');", "%s OPTIONS (app_key_file '/path', app_secret_file '/path');",
			'the %s' ], 'all but these are Korean');
	($status, $said) = says("msgfmt --check --check-format -o /dev/null '$top/po/ko.po'");
	is("$status $said", '0 ', 'msgfmt has nothing to say');

	# KisError's form has room for so many characters
	is_deeply([ grep { length > 79 && $sources->{$_}{places} =~ m{src/kis/(?!catalog)} } sort keys %$sources ], [],
		'what is said below the wall is short enough to be carried');
}

is_deeply(
	[
		grep {
			my $text = slurp_file($_);
			$text =~ /\b(?:ereport|errcontext|errhint)\(|\b_\(/ && $text !~ m{^#include "common/messages\.h"$}m
		} grep { !m{/src/kis/} } glob("$top/*.c $top/src/*/*.c")
	],
	[], 'each file that raises is of the domain of our translations');

# ---- what is seen

my $locale = 'ko_KR.UTF-8';
my ($share) = map { chomp; $_ } `pg_config --localedir`;
my $missing =
	!-e "$share/ko/LC_MESSAGES/market_investor_fdw-" . (`pg_config --version` =~ /(\d+)/)[0] . '.mo'
  ? 'built without NLS: no messages in Korean are installed'
  : !has('localedef') ? 'no localedef (libc-bin)'
  : (says("localedef --no-archive -i ko_KR -f UTF-8 '$directory/$locale'"))[1] =~ /No such file|cannot open/ ? 'no source of the locale ko_KR (locales)'
  : undef;

SKIP:
{
	skip $missing, 1 if defined $missing;
	chmod 0755, $directory;

	my $simulator = KisTest::Simulator->new;
	my $node = new_node('main', env => { LOCPATH => $directory });
	my $show = $node->psql('postgres', "SET lc_messages = '$locale'", stderr => \my $refused);
	is($refused, '', 'the server has the locale');
	$node->safe_psql('postgres', q{CREATE DATABASE euc_kr ENCODING 'EUC_KR' LOCALE 'C' TEMPLATE template0});
	setup($node, $_, $simulator, max_retries => 0, session_start => '00:00') foreach qw(postgres euc_kr);

	# The first message of SQL in Korean; psql's own encoding is UTF-8
	my $message = sub {
		my ($sql, $db) = @_;
		my $result = run_sql($node, $db // 'postgres',
			Encode::encode('UTF-8', "SET client_encoding = 'UTF8'; SET lc_messages = '$locale';\n$sql"));

		return { map { $_ => Encode::decode('UTF-8', $result->{messages}[0]{$_} // '') } qw(message detail hint context) };
	};
	my $is = sub {
		my ($got, $name, %expected) = @_;

		foreach my $part (sort keys %expected)
		{
			if (ref $expected{$part}) { like($got->{$part}, $expected{$part}, "$name: $part") }
			else { is($got->{$part}, $expected{$part}, "$name: $part") }
		}
	};

	# The parts of an error and of a warning; in a table of constants, in a parser
	my $bad_option = q{ALTER SERVER kis OPTIONS (ADD max_calls 'x')};
	foreach my $db (qw(postgres euc_kr))
	{
		$is->($message->($bad_option, $db), "an option, $db",
			message => '옵션 "max_calls"의 값이 잘못되었습니다: "x"',
			detail => '정수가 아닙니다.',
			hint => "1부터 1000000까지의 정수를 쓰십시오. 예: '100'.");
	}
	$is->($message->(q{ALTER SERVER kis OPTIONS (ADD max_cals '1')}), 'the name of an option',
		message => '"max_cals" 옵션이 잘못되었습니다', hint => '아마 "max_calls" 옵션을 뜻하는 것 같습니다.');
	$is->($message->(q{SELECT * FROM kis_market_trend WHERE market_code = 'KSPI'}), 'a code',
		message => '"KSPI"은(는) 외부 테이블 "kis_market_trend"의 시장 코드가 아닙니다', hint => '"KSP"을(를) 뜻하셨습니까?');
	$is->($message->(q{ALTER SERVER kis OPTIONS (ADD max_calls '3'); SELECT count(foreign_net_qty) FROM kis_market_trend}), 'too many calls',
		message => '이 구문에는 KIS 호출이 19번 필요하여 max_calls를 넘습니다',
		detail => '서버 "kis"의 옵션 max_calls는 3입니다.',
		hint => 'market_code와 sector_code(으)로 조회 범위를 좁히거나 max_calls 값을 늘리십시오.');
	$node->safe_psql('postgres', q{ALTER SERVER kis OPTIONS (SET max_calls '100')});
	$is->($message->(q{CREATE TABLE other (id int); SELECT create_market_investor_trend('other')}), 'a store',
		message => '"other" 릴레이션에는 투자자별 매매동향을 저장할 수 없습니다',
		detail => qr/칼럼이 없습니다\.$/, hint => qr/추가하십시오\. 아니면 다른 테이블을 지정하십시오\.$/);
	$is->($message->(q{SELECT kis_comment_tables(language => 'kr')}), 'an argument',
		message => '인자 "language"의 값이 잘못되었습니다: "kr"');
	$is->($message->(q{SELECT collect_market_investor_trend('{KSP/9999}')}), 'a target',
		message => '"KSP/9999" 대상이 잘못되었습니다', detail => '시장 "KSP"에 "9999" 업종이 없습니다.',
		hint => qr/extra_pairs/);

	# What is said below the wall, a session's or another's
	my $query = q{SELECT foreign_net_qty FROM kis_market_trend WHERE market_code = 'KSP' AND sector_code = '0001'};
	my $answer = 'KIS가 올바르지 않은 응답을 보냈습니다';
	my @faults = (
		[ { fault => 'error', params => { msg_cd => 'EGW00103' } }, 'KIS가 앱키 또는 앱시크릿을 거부했습니다',
			'서버 "kis", HTTP 상태 500, 코드 EGW00103: 유효하지 않은 AppKey입니다.',
			'사용자 매핑의 옵션 app_key 또는 app_key_file의 파일을 확인하십시오.' ],
		[ { fault => 'html_502' }, 'KIS가 응답을 처리하지 못했습니다', qr/^서버 "kis"[:,] HTTP 상태 502/, '나중에 다시 시도하십시오.' ],
		[ { fault => 'close' }, 'KIS가 응답 없이 연결을 닫았습니다',
			qr/^서버 "kis", 응답 대기 중: 응답 없이 연결이 닫혔습니다: ./, '나중에 다시 시도하십시오.' ],
		[ { fault => 'truncated_json' }, $answer, qr/^서버 "kis", .*: 응답이 \d+바이트에서 잘렸습니다/, qr/base_url/ ],
		[ { fault => 'trailing_garbage' }, $answer, qr/^서버 "kis", .*: 응답이 올바른 JSON이 아닙니다: \d+번째 바이트, ./, qr/base_url/ ]);
	foreach my $case (@faults)
	{
		my ($fault, $text, $detail, $hint) = @$case;

		$simulator->fault;
		$simulator->fault($fault);
		$is->($message->($query), $fault->{fault}, message => $text, detail => $detail, hint => $hint);
	}
	$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
	$is->($message->('SELECT collect_market_investor_trend()'), 'a collection',
		message => '어느 대상도 수집하지 못했습니다', detail => qr/^KSP\/0001: $answer \(서버 "kis", /m);
	$simulator->fault;

	# A message that has a plural, and context
	$is->($message->(q{CALL backfill_market_investor_trend(current_date - 400, current_date - 380, '{KSP/0001}')}), 'a backfill',
		message => qr/^KSP\/0001: \d{4}-\d\d-\d\d까지 거래일 \d+일: 삽입 \d+, 갱신 0, 그대로 0, 건너뜀 0$/);
	$simulator->fault({ fault => 'error', params => { msg_cd => 'EGW00300' } });
	$is->($message->(q{CALL backfill_market_investor_trend(current_date - 30, current_date - 20, '{KSP/0001}')}), 'a backfill that fails',
		message => 'KIS가 응답을 처리하지 못했습니다', context => qr/과거 데이터 채우기/);
	$simulator->fault;

	# A session without it
	my ($sqlstate, $english) = sql_error($node, 'euc_kr', $bad_option);
	is($english, 'invalid value for option "max_calls": "x"', 'English where lc_messages is C');
}

done_testing();
