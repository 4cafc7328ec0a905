# Whatever a server sends and however it frames it, no reply is taken for
# another request's: what lies unread on a connection, odd framings, replies to
# another call. A connection on which nothing was odd is used again.
#
# KIS_TEST_LONG: 20,000 framings made at random, others each time;
# KIS_TEST_SEED: from this one on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Temp ();
use IO::Socket::INET;
use IPC::Run ();
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $own = own_connections();
my $framings = $ENV{KIS_TEST_LONG} ? 20000 : 2000;
my $first_seed = $ENV{KIS_TEST_SEED} || ($ENV{KIS_TEST_LONG} ? time : 20261129);

my $directory = File::Temp::tempdir(DIR => $PostgreSQL::Test::Utils::tmp_check, CLEANUP => 1);
my $ports = '';
my $server = IPC::Run::start(
	[ 'python3', '-B', "$FindBin::RealBin/../test/framing_server.py", $directory ],
	'<', \undef, '>', \$ports);
$server->pump until $ports =~ /\n/;
my ($plain_port, $tls_port, $control_port) = split ' ', $ports;
my $control = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $control_port)
  or die "the framing server can't be controlled: $!";

my %servers = (
	plain => "base_url 'http://127.0.0.1:$plain_port'",
	tls => "base_url 'https://127.0.0.1:$tls_port', ca_file '$directory/ca.pem'");
my $node = new_node('main');
$node->safe_psql('postgres', "SET log_statement = 'none'; CREATE EXTENSION market_investor_fdw;");
foreach my $way (sort keys %servers)
{
	$node->safe_psql('postgres', qq{
		SET log_statement = 'none';
		CREATE SERVER $way FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($servers{$way},
			cache_ttl '0', calendar 'weekday', requests_per_second '1000', max_retries '0');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $way OPTIONS (app_key 'key.of.$way', app_secret 'secret');
		CREATE SCHEMA $way;
		IMPORT FOREIGN SCHEMA kis LIMIT TO (kis_market_trend, kis_market_trend_daily) FROM SERVER $way INTO $way;});
}

sub control
{
	print $control "@_\n";
	return decode_json(scalar <$control>);
}

# One figure of a reply, which is the same in all its members
sub figure
{
	my ($way, $market) = @_;

	return "SELECT foreign_net_qty FROM $way.kis_market_trend WHERE market_code = '$market';";
}

# Asks for KSP, and when all that the server sends for it is there, for three others.
# Returns the figures and what the server tells.
sub ask
{
	my ($session, $way) = @_;
	my $ksp = $session->query(figure($way, 'KSP'));
	my $told = control('settled');
	my $others = $session->query(join "\n", map { figure($way, $_) } qw(KSQ ETF ELW));

	$told->{ksp} = @{ $ksp->{errors} } ? $ksp->{errors}[0]{sqlstate} : $ksp->{output};
	$told->{others} = join ' ', split(/\n/, $others->{output}), map { $_->{sqlstate} } @{ $others->{errors} };
	$told->{before} = $told->{connections};
	$told->{connections} = control('settled')->{connections};
	return $told;
}

# ---- each kind by itself

my $no_reply = qr/^HV00M$/;
my %ksp = (
	'204 with a length' => $no_reply,
	'304 with a length' => $no_reply,
	'another call' => $no_reply,
	'another call, chunked' => $no_reply);

foreach my $way (sort keys %servers)
{
	foreach my $case ('well framed', 'chunked', 'two replies', 'two replies, chunked', 'chunked and a length',
		'204 with a length', '304 with a length', 'line ends', 'line end and a reply', 'a farewell',
		'a part of a reply', 'two replies at once', 'two replies at once, chunked', 'a reply and a part',
		'a byte', 'another call', 'another call, chunked')
	{
		# the first reply on its connection, and a later one
		foreach my $kept (0, 1)
		{
			my $session = $node->session;
			my $what = "$way, $case" . ($kept ? ', on a kept connection' : '');

			$session->query_safe(figure($way, 'KSQ')) if $kept;
			control("case $case");

			my $told = ask($session, $way);

			like($told->{ksp}, $ksp{$case} || qr/^111$/, "$what: what it is itself");
			is($told->{others}, '222 333 444', "$what: what comes after it");
			$session->quit;
		}
	}
}

# ---- asked at once, before what is surplus has come

# Then the reply that follows it tells, if it comes at once: always is more than can be promised
foreach my $way (sort keys %servers)
{
	foreach my $case ('two replies', 'two replies, chunked')
	{
		my $right = 0;

		control("case $case");
		foreach (1 .. 10)
		{
			my $session = $node->session;

			$right += $session->query_safe(join "\n", map { figure($way, $_) } qw(KSP KSQ ETF ELW)) eq "111\n222\n333\n444";
			control('settled');
			$session->quit;
		}
		cmp_ok($right, '>=', 6, "$way, $case: asked at once, each has its own");
	}
}

# ---- clean connections are kept

foreach my $way (sort keys %servers)
{
	foreach my $case ('well framed', 'chunked')
	{
		my $session = $node->session;
		my $before;

		control("case $case");
		$before = control('settled');
		$session->query_safe(figure($way, $_)) foreach (qw(KSP KSQ ETF ELW)) x 5;

		my $after = control('settled');

		is($after->{requests} - $before->{requests}, 20, "$way, $case: 20 calls");
		is($after->{connections} - $before->{connections}, $own ? 20 : 1, "$way, $case: over " . ($own ? 'one each' : 'one connection'));
		$session->quit;
	}
}

# ---- framings at random

foreach my $way (sort keys %servers)
{
	my $session = $node->session;
	my ($wrong, $renewed, $answered) = (0, 0, 0);

	control('case well framed');
	ask($session, $way);
	for (my $i = 0; $i < $framings / 2; $i++)
	{
		my $seed = $first_seed + $i;

		control("random $seed");
		my $told = ask($session, $way);
		$answered++ if $told->{ksp} eq '111';
		my $kept = $own || !$told->{clean} || $told->{connections} == $told->{before};
		next if $told->{ksp} =~ /^(?:111|HV00[LM])$/ && $told->{others} eq '222 333 444' && $kept
		  && (!$told->{clean} || $told->{ksp} eq '111');
		diag("$way, seed $seed: $told->{ksp}, then $told->{others}; connections $told->{before}, $told->{connections}; sent $told->{sent}");
		last if ++$wrong == 5;
	}
	is($wrong, 0, "$way: of framings made at random none brings another pair's figure");
	note(sprintf '%s: %d framings from seed %d, %d of them answered', $way, $framings / 2, $first_seed, $answered);
	cmp_ok($answered, '>', $framings / 8, "$way: many were replies");
	$session->quit;
}

close $control;
$server->signal('TERM');
$server->finish;
done_testing();
