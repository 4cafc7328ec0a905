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
use POSIX ();
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

# ---- the file of ca_file

my $files = PostgreSQL::Test::Utils::tempdir();
my $way_in = "$files/authority";
append_to_file("$files/empty", '');
append_to_file("$files/text", "no certificate\n");
append_to_file("$files/cut", "-----BEGIN CERTIFICATE-----\nMIIB\n");
mkdir "$files/directory";
POSIX::mkfifo("$files/pipe", 0644);
symlink "$files/pipe", "$files/link";
foreach my $case (
	[ 'nonexistent' => qr/It could not be opened: No such file or directory\./ ],
	[ empty => qr/It holds no certificate in PEM\./ ],
	[ text => qr/It holds no certificate in PEM\./ ],
	(map { [ $_ => qr/It is not a regular file\./ ] } qw(directory pipe link /dev/zero /dev/tty)))
{
	my ($name, $why) = @$case;

	server(base_url => $tls->url, ca_file => $name =~ m{^/} ? $name : "$files/$name");
	my ($state, $message, $detail, $hint) = $session->error($ksp);
	is("$state: $message", 'HV000: could not read the file of option "ca_file"', "ca_file $name");
	like($detail, $name eq '/dev/tty' ? qr/^It (?:is not a regular file|could not be opened: .*)\.$/ : qr/^$why$/, 'why');
	is($hint, q{The file must hold certificates in PEM and be readable by the operating system's user that runs PostgreSQL.}, 'what to do');
}
server(base_url => $tls->url, ca_file => "$files/cut");
is(join(': ', ($session->error($ksp))[ 0, 1 ]), 'HV000: could not ask KIS', 'a certificate that is cut');

# another file under its name is taken by a live session, and nothing that stands there holds it up
symlink $tls->ca_file, $way_in;
server(base_url => $tls->url, ca_file => $way_in);
is($session->query_safe($ksp), 'KSP', 'a link to the CA');
foreach my $step ([ $other_tls->ca_file => 'HV00N' ], [ "$files/pipe" => 'HV000' ], [ $tls->ca_file => '' ])
{
	my ($target, $state) = @$step;

	symlink $target, "$way_in.new";
	rename "$way_in.new", $way_in;
	is(($session->error($ksp))[0] // '', $state, 'the link leads to ' . ($target =~ s{.*/}{}r) . ($state eq '' ? ' again' : ''));
}
server(base_url => $tls->url, ca_file => $tls->ca_file);
is($session->query_safe($ksp), 'KSP', 'a query begins');
$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT market_code FROM kis_market_trend});
$session->query_safe('FETCH 1 FROM c');
server(base_url => $tls->url, ca_file => "$files/pipe");
is(scalar(split /\n/, $session->query_safe('FETCH ALL FROM c')), 18, 'and goes on with what it began with');
$session->query_safe('COMMIT');
is(($session->error($ksp))[0], 'HV000', 'the next one has the file that is there now');

server(base_url => $plain->url =~ s/127\.0\.0\.1.*/127.0.0.1:1/r);
my ($sqlstate, undef, $detail) = $session->error($ksp);
is($sqlstate, 'HV00N', 'nobody listens');
like($detail, qr/while connecting/, 'in which phase');

# ---- a proxy

foreach my $case (
	[ 'both at once', { base_url => $plain->url, proxy => $proxy_url } ],
	[ 'the proxy later', { base_url => $plain->url }, "ADD proxy '$proxy_url'" ],
	[ 'the host later', { base_url => $tls->url, proxy => $proxy_url }, "SET base_url '@{[$plain->url]}'" ])
{
	my ($what, $options, $change) = @$case;
	my $sql = 'CREATE SERVER other FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ('
	  . join(', ', map { "$_ '$options->{$_}'" } sort keys %$options) . ')' . ($change ? "; ALTER SERVER other OPTIONS ($change)" : '');
	my ($state, $message, $detail, $hint) = $session->error("BEGIN; $sql");

	$session->query_safe('ROLLBACK');
	is("$state $message", '22023 option "proxy" takes a base_url of https', "a proxy for http: $what");
	like($detail, qr/in the clear/, 'why');
	like($hint, qr/DROP proxy/, 'and what to do');
}
# as no validator of ours would have let it through
server(base_url => $plain->url);
$node->safe_psql('postgres', "UPDATE pg_foreign_server SET srvoptions = srvoptions || '{proxy=$proxy_url}' WHERE srvname = 'kis'");
is(($session->error("SELECT pg_sleep(0); $ksp"))[0], '22023', 'nor is one used that is there');
is_deeply([ proxied() ], [], 'and the proxy is asked for nothing');
proxied();
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

server(base_url => $tls->url, proxy => 'http://127.0.0.1:1', ca_file => $tls->ca_file);
my $calls = $tls->calls;
is(($session->error($ksp))[0], 'HV00N', 'a proxy that is not there');
is($tls->calls, $calls, 'is not passed by');
server(base_url => $tls->url, ca_file => $tls->ca_file);
is($session->query_safe($ksp), 'KSP', 'without the option, without a proxy');
is_deeply([ proxied() ], [], 'at the next statement');

$session->quit;
$proxy->kill_kill(grace => 5);
is_deeply([ $plain->problems ], [], 'all requests were as KIS documents them');
done_testing();
