# The pages of examples/dashboard in Debian's Chromium.
#
#	skip KisTest::Dashboard::missing(), 1 if KisTest::Dashboard::missing();
#	see($browser, $address, 'index', 1280);		# its text, once all is drawn
#	look($browser, $address, 'index', 1280);	# the same, and checks what holds for each page
package KisTest::Dashboard;

use strict;
use warnings;
use utf8;

use Exporter 'import';
use File::Basename ();
use KisTest;
use PostgreSQL::Test::Utils ();
use Test::More;

our @EXPORT_OK = qw(look pages see);

my $dashboard = File::Basename::dirname(__FILE__) . '/../../../examples/dashboard';

# Titles, and what a page that has figures shows
my %pages = (
	index => [ '지금 누가 사고 있나', 'Who is buying now', qr/코스피.*코스닥/s ],
	day => [ '장중 수급과 지수', 'Through the day', qr/지수\s*[\d,]+\.\d\d/ ],
	'twenty-days' => [ '최근 20거래일', 'Twenty trading days', qr/\d\/\d/ ],
	sectors => [ '코스피 업종별 수급', 'Which sectors of KOSPI', qr/전기·전자/ ],
	futures => [ '선물과 현물', 'Futures against cash', qr/(?:같음 same|반대 opposite)/ ],
	collector => [ '수집 상태', 'The collector', qr/(?:수집 안 됨 not collected|없습니다)/ ]);

# Texts of a chart that lie on each other
my $overlaps = q{
	const found = [];
	for (const svg of document.querySelectorAll('svg')) {
		const texts = [...svg.querySelectorAll('text')].map((t) => [t.textContent, t.getBoundingClientRect()]);
		texts.forEach(([a, p], n) => texts.slice(n + 1).forEach(([b, q]) => {
			if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 3 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4)
				found.push(`${a} / ${b}`);
		}));
	}
	return found};

# Why no page can be looked at here; nothing where it can.
sub missing
{
	return 'not installed: npm ci in examples/dashboard' unless -x "$dashboard/node_modules/.bin/observable";
	return 'not installed: on Debian, apt-get install chromium chromium-driver'
	  if system('command -v chromium >/dev/null && command -v chromedriver >/dev/null') != 0;
	return;
}

sub pages { return sort keys %pages }

# Opens a page, and waits until it has drawn all.
sub see
{
	my ($browser, $address, $page, $width) = @_;

	$browser->open("$address/$page.html", $width);
	eventually { $browser->run(q{
		const waits = document.querySelector('observablehq-loading'), main = document.querySelector('#observablehq-main');
		return document.readyState === 'complete' && !waits && !!main.querySelector('section, p')
			&& [...main.querySelectorAll('section')].every((s) => s.innerText.length > 20)
			&& [...main.querySelectorAll('.observablehq--block > div, section > div:not([class])')].every((d) => d.childNodes.length > 0)}) }
	  or diag "$page is not complete";
	return $browser->run('return document.body.innerText');
}

# A page of simulated figures, wherever they are from. The picture lies beside the
# logs, under the test's name.
sub look
{
	my ($browser, $address, $page, $width, $day, $collected) = @_;
	my ($korean, $english, $content) = @{ $pages{$page} };
	my $text = see($browser, $address, $page, $width);
	my $picture = $PostgreSQL::Test::Utils::log_path . '/' . File::Basename::basename($0, '.t') . "_${page}_$width.png";

	like($text, qr/\Q$korean\E.*가상 데이터.*\Q$english\E.*거래일 \Q$day\E \(.\) · $collected 수집.*Trading day \Q$day\E, collected/s,
		"$page at $width: both titles, the day, when it was collected, and that it is simulated");
	like($text, $content, "$page at $width: what it shows");
	like($text, qr/출처: .*Source: KIS Open API FHPTJ04030000/, "$page at $width: the source");
	cmp_ok($browser->run('return document.documentElement.scrollWidth'), '<=', $width, "$page at $width: nothing goes beyond its side");
	is_deeply($browser->run($overlaps), [], "$page at $width: no label lies on another");
	is_deeply($browser->run(q{return performance.getEntriesByType('resource').map((r) => r.name).filter((n) => !n.startsWith(location.origin))}),
		[], "$page at $width: all is of its own server");
	is_deeply([ $browser->console ], [], "$page at $width: the console says nothing");
	$browser->picture($picture);
	cmp_ok(-s $picture, '>', 15_000, "$page at $width: a picture");
	return $text;
}

1;
