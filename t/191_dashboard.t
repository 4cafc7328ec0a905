# examples/dashboard: its pages are built from a database, by the queries that are
# its data loaders, and are looked at in Debian's Chromium, as wide as a desk's
# screen and a phone's. Pictures of them are left beside the logs.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use JSON::PP ();
use KisTest;
use KisTest::Browser;
use KisTest::Clock;
use KisTest::Dashboard qw(look pages see);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

my $dashboard = "$FindBin::RealBin/../examples/dashboard";
my @servers;

# ---- the tree, with or without npm

my $lock = JSON::PP::decode_json(slurp_file("$dashboard/package-lock.json"));
my $wanted = JSON::PP::decode_json(slurp_file("$dashboard/package.json"))->{dependencies};
is_deeply([ grep { $wanted->{$_} !~ /^\d+\.\d+\.\d+$/ } sort keys %$wanted ], [], 'versions are pinned');
is_deeply($lock->{packages}{''}{dependencies}, $wanted, 'and locked');
is_deeply([ grep { exists $lock->{packages}{$_}{resolved} } sort keys %{ $lock->{packages} } ], [], 'the lock names no registry');

SKIP:
{
	my $missing = KisTest::Dashboard::missing();

	skip $missing, 1 if $missing;
	look_at_the_pages();
}
done_testing();

# Builds the pages; how that ended, and what it said.
sub build
{
	my (%environment) = @_;
	local %ENV = (%ENV, %environment);
	my $said = '';

	my $ended = IPC::Run::run([ "$dashboard/build" ], '<', \undef, '>&', \$said);
	return ($ended, $said);
}

# A server of the pages on this machine alone, ended with the test; its address.
sub serve
{
	my $log = PostgreSQL::Test::Utils::tempdir() . '/log';
	my $pid = fork // die "could not fork: $!";

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', $log;
		open STDERR, '>&', \*STDOUT;
		exec qw(python3 -u -m http.server 0 --bind 127.0.0.1 --directory), "$dashboard/dist" or POSIX::_exit(127);
	}
	push @servers, $pid;
	my ($port) = eventually { -s $log && slurp_file($log) =~ /port (\d+)/ && [$1] };

	return 'http://127.0.0.1:' . $port->[0];
}

END
{
	my $status = $?;

	foreach my $pid (@servers)
	{
		kill 'TERM', $pid;
		waitpid $pid, 0;
	}
	$? = $status;
}

sub look_at_the_pages
{
	my $simulator = KisTest::Simulator->new;
	my $clock = KisTest::Clock->new($simulator);
	my $node = new_node('main', env => $clock->env);
	my $collect = 'SELECT collect_market_investor_trend(index_level => true)';

	$clock->set('2026-07-10 09:00:00');
	setup($node, 'postgres', $simulator, calendar => 'kis');
	$node->safe_psql('postgres', 'SELECT create_market_investor_trend()');
	local %ENV = (
		%ENV,
		PGHOST => $node->host,
		PGPORT => $node->port,
		PGDATABASE => 'postgres',
		PGUSER => $node->safe_psql('postgres', 'SELECT current_user'));

	# A store that is empty yet
	my ($built, $said) = build();
	ok($built, 'the pages are built') or diag($said);
	my $address = serve();
	my $browser = KisTest::Browser->new;
	foreach my $page (qw(index day collector))
	{
		like(see($browser, $address, $page, 1280), qr/아직 수집한 데이터가 없습니다/, "$page: a store that has nothing yet says so");
	}
	is_deeply([ $browser->console ], [], 'and the console nothing');

	# An hour of a session, in which a look failed and ten minutes are missing
	foreach my $minute (5, 10, 15, 20, 25, 40, 45, 50)
	{
		$clock->set(sprintf '2026-07-10 09:%02d:00', $minute);
		$simulator->fault({ fault => 'error', match => { pair => 'KSQ/1001' }, params => { msg_cd => 'OPSQ0002' } }) if $minute == 45;
		$node->safe_psql('postgres', $collect);
		$simulator->fault if $minute == 45;
	}
	($built, $said) = build();
	ok($built, 'they are built anew') or diag($said);

	foreach my $page (pages())
	{
		look($browser, $address, $page, $_, '2026-07-10', qr/09:5\d/) foreach 1280, 390;
	}

	# Figures are the store's, in the order of Korean screens, red where bought
	see($browser, $address, 'index', 1280);
	my $rows = $browser->run(q{return [...document.querySelector('table').tBodies[0].rows].map((r) => [...r.cells].map((c) => c.innerText.trim()))});
	is(join(' ', map { $_->[0] } @$rows), '개인 외국인 기관계 금융투자 보험 투신 사모 은행 기타금융 연기금 기타단체 기타법인', 'in the order of Korean screens');
	my ($net) = map { $_->[3] =~ tr/−/-/r =~ s/[,+]//gr } grep { $_->[0] eq '외국인' } @$rows;
	is($net, $node->safe_psql('postgres', q{SELECT round(foreign_net_amount / 100.0) FROM market_investor_trend WHERE market_code = 'KSP'}), 'in 억원');
	is_deeply($browser->run(q{return [...document.querySelectorAll('td:last-child')].filter((c) => /[1-9]/.test(c.innerText))
			.map((c) => getComputedStyle(c).color === (c.innerText.startsWith('−') ? 'rgb(47, 98, 181)' : 'rgb(200, 55, 59)')).filter((good) => !good)}),
		[], 'what is bought is red, and what is sold blue');

	# The collector's failures and gaps
	my $text = see($browser, $address, 'collector', 1280);
	like($text, qr/실패 Failed\s+1\s*회/, 'a look that failed is counted');
	like($text, qr/KSP\/0001\s+2026-07-10 09:30–09:40\s+수집 안 됨/, 'a stretch without a look is a gap');

	# A build that fails leaves the pages
	($built, $said) = build(PGPORT => 1);
	ok(!$built, 'without its database nothing is built');
	like(see($browser, $address, 'index', 390), qr/거래일 2026-07-10/, 'and the pages of before are there');
}
