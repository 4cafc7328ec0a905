# The way to KIS: TLS with the CA that the server's option names, a proxy, and
# an environment that has no say.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run ();
use JSON::PP;
use KisTest;
use KisTest::Hang;
use PostgreSQL::Test::Utils;
use Test::More;

my $plain = KisTest::Simulator->new;
my $tls = KisTest::Simulator->new(tls => 1);
my $other_tls = KisTest::Simulator->new(tls => 1);
my $misnamed = KisTest::Simulator->new(tls => 1, tls_names => 'elsewhere.example');
my $mute = KisTest::Hang::Listener->new('accept');

# Whoever heeds these waits in vain
my $nowhere = 'http://127.0.0.1:' . $mute->port;
my $node = new_node(
	'main',
	env => {
		(map { ($_ => $nowhere, uc $_ => $nowhere) } qw(http_proxy https_proxy all_proxy)),
		no_proxy => 'nowhere.example',
		NO_PROXY => 'nowhere.example',
		SSL_CERT_FILE => $other_tls->ca_file,
		CURL_CA_BUNDLE => $other_tls->ca_file });

my $output = '';
my $proxy = IPC::Run::start([ 'python3', '-B', "$FindBin::RealBin/../test/proxy.py" ],
	'<', \undef, '>', \$output, IPC::Run::timeout(180));
$proxy->pump until $output =~ /\n/;
my ($proxy_url) = map { "http://127.0.0.1:$_" } $output =~ /^(\d+)/;

setup($node, 'postgres', $plain, max_retries => 0);
my $session = $node->session;
my $ksp = q{SELECT market_code FROM kis_market_trend WHERE market_code = 'KSP'};

# The server's options from here on: those of the set-up and these
sub server
{
	my (%options) = @_;
	my $now = $node->safe_psql('postgres',
		q{SELECT string_agg('DROP ' || option_name, ', ') FROM pg_foreign_server, pg_options_to_table(srvoptions)
			WHERE srvname = 'kis' AND option_name IN ('base_url', 'ca_file', 'proxy', 'connect_timeout')});

	$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS ($now)") if $now ne '';
	$node->safe_psql('postgres', 'ALTER SERVER kis OPTIONS ('
		  . join(', ', map { "ADD $_ '$options{$_}'" } sort keys %options) . ')');
	return;
}

# Lines of the proxy since the last look
sub proxied
{
	$proxy->pump_nb;
	my @lines = grep { !/^\d+$/ } split /\n/, $output;

	$output = '';
	return @lines;
}

# ---- the environment

is($session->query_safe($ksp), 'KSP', 'proxies of the environment are not used');
is($plain->calls, 1, 'KIS is asked itself');

# ---- TLS

server(base_url => $tls->url, ca_file => $tls->ca_file);
is($session->query_safe($ksp), 'KSP', 'TLS, the CA named by ca_file');
is($tls->calls, 1, 'one call');
is($session->query_safe('SELECT count(*) FROM kis_market_trend'), 19, 'and 19 more');
is_deeply([ $tls->problems ], [], 'as KIS documents them');

foreach my $case (
	[ 'another CA', base_url => $tls->url, ca_file => $other_tls->ca_file ],
	[ 'the system\'s CAs', base_url => $tls->url ],
	[ 'another CA in the environment', base_url => $other_tls->url ],
	[ 'another host\'s certificate', base_url => $misnamed->url, ca_file => $misnamed->ca_file ],
	[ 'no TLS there', base_url => $plain->url =~ s/^http:/https:/r, ca_file => $tls->ca_file,
		connect_timeout => '500ms' ])
{
	my ($what, %options) = @$case;
	my $before = $tls->calls('any');

	server(%options);
	my ($sqlstate, $message, $detail) = $session->error($ksp);
	is("$sqlstate: $message", 'HV00N: could not connect to KIS', "$what: refused");
	like($detail, qr/^Server "kis", while agreeing on TLS/, "$what: in which phase");
	is($tls->calls('any') + $other_tls->calls('any') + $misnamed->calls('any'), $before,
		"$what: no request, and so no secret, was sent");
}

server(base_url => $tls->url, ca_file => '/nonexistent/ca.pem');
is(($session->error($ksp))[0], 'HV000', 'a ca_file that can\'t be read');
server(base_url => $plain->url =~ s/127\.0\.0\.1.*/127.0.0.1:1/r);
my ($sqlstate, undef, $detail) = $session->error($ksp);
is($sqlstate, 'HV00N', 'nobody listens');
like($detail, qr/while connecting/, 'in which phase');

# ---- a proxy

proxied();
server(base_url => $plain->url, proxy => $proxy_url);
is($session->query_safe($ksp), 'KSP', 'over a proxy');
my $url = $plain->url;
is((proxied())[-1],
	"GET $url/uapi/domestic-stock/v1/quotations/inquire-investor-time-by-market?FID_INPUT_ISCD=KSP&FID_INPUT_ISCD_2=0001",
	'which is asked for the whole URL');
server(base_url => $tls->url, proxy => $proxy_url, ca_file => $tls->ca_file);
is($session->query_safe($ksp), 'KSP', 'TLS over a proxy');
my @lines = proxied();
is_deeply([ grep { $_ ne 'CONNECT 127.0.0.1:' . $tls->port } @lines ], [], 'which sees the host alone');
cmp_ok(scalar @lines, '>', 0, 'and was asked');

$tls->fault({ fault => 'close', match => { kind => 'trend' } });
is(join(': ', ($session->error($ksp))[ 0, 1 ]), 'HV00L: KIS closed the connection without a reply',
	'what the proxy says is no reply of KIS');
$tls->fault;
proxied();

server(base_url => $plain->url, proxy => 'http://127.0.0.1:1');
my $calls = $plain->calls;
is(($session->error($ksp))[0], 'HV00N', 'a proxy that is not there');
is($plain->calls, $calls, 'is not passed by');
server(base_url => $plain->url);
is($session->query_safe($ksp), 'KSP', 'without the option, without a proxy');
is_deeply([ proxied() ], [], 'at the next statement');

$session->quit;
$proxy->kill_kill(grace => 5);
is_deeply([ $plain->problems ], [], 'all requests were as KIS documents them');
done_testing();
