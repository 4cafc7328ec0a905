# The access token that all sessions share: one issue, kept until shortly
# before its end, got anew once when it is dead; and the token that another
# program keeps in a file.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use KisTest::Crowd;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env, conf => "max_connections = 100");
my $ask = "SELECT sector_code FROM kis_market_trend WHERE market_code = 'KSP'";
my $all = 'SELECT count(*) FROM kis_market_trend';

setup($node, 'postgres', $simulator);

sub ask { return $node->safe_psql('postgres', $ask) }

sub tokens { return $simulator->calls('token') }

# ---- a dead token and many sessions

ask();
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->kill_token;
my @results;
my $crowd = KisTest::Crowd->new($node, 50);
@results = $crowd->query($ask);
is(scalar(grep { $_->{output} eq '0001' } @results), 50,
	'50 new connections after the token was killed at the server: all are served');
is(tokens(), 1, 'by one issue');
$crowd->quit;

$crowd = KisTest::Crowd->new($node, 20);
$crowd->query($ask);
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->kill_token;
$simulator->config(latency_ms => 1000);
@results = $crowd->query($ask);
is(scalar(grep { $_->{output} eq '0001' } @results), 20, 'twenty sessions that called with the same dead token');
is(scalar(grep { $_->{status} != 200 } $simulator->requests('data')), 20, 'each was refused once');
is(tokens(), 1, 'one issue for all');
is($simulator->calls, 40, 'and each called once more');
$crowd->quit;

$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->kill_token;
is($node->safe_psql('postgres', $all), 19, 'several calls under way with a dead token');
is(tokens(), 1, 'one issue for them');

# ---- how long it is kept

# The next token's reply has other ends.
sub ends
{
	my (%members) = @_;

	$simulator->reset;
	$clock->set('2026-07-10 10:30:00');
	$simulator->config(token_min_interval => 0);
	$simulator->fault({ match => { kind => 'token' }, fault => 'set', params => { members => \%members } });
	$node->restart;
	ask();
	return;
}

sub issues_at
{
	my ($korean) = @_;

	$clock->set("2026-07-$korean");
	ask();
	return tokens();
}

ends(expires_in => 86400, access_token_token_expired => '2026-07-11 10:30:00');
is(issues_at('10 10:31:00'), 1, 'a token of a day: kept');
is(issues_at('11 10:28:30'), 1, 'kept 90 seconds before its end');
is(issues_at('11 10:29:30'), 2, 'another one 30 seconds before it');

ends(expires_in => 3600, access_token_token_expired => '2026-07-11 10:30:00');
is(issues_at('10 11:28:30'), 1, 'expires_in ends first: kept until shortly before');
is(issues_at('10 11:29:30'), 2, 'not longer');

ends(expires_in => 86400, access_token_token_expired => '2026-07-10 11:30:00');
is(issues_at('10 11:28:30'), 1, 'the date ends first: kept until shortly before');
is(issues_at('10 11:29:30'), 2, 'not longer');

# ---- too soon

$simulator->reset;
$clock->set('2026-07-10 10:30:00');
$simulator->config(token_min_interval => 60);
$node->restart;
ask();
$simulator->kill_token(allow_issue => JSON::PP::false);
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (ADD max_wait '5s')");

my $start = Time::HiRes::time();
my ($state, $message, $detail, $hint) = sql_error($node, 'postgres', $ask);
my $took = Time::HiRes::time() - $start;
is($state, '53400', 'KIS issues no token yet, and longer than max_wait');
is($message, 'KIS issues no access token yet', 'what it says');
my ($again) = "$detail $hint" =~ /(\d+) (?:s|seconds)\b/;
ok(defined $again && $again > 0 && $again <= 60, 'and when to try again')
  or diag "$detail / $hint";
ok($took < within(5.5), sprintf('it waited no longer than max_wait of 5 s: %.2f s', $took));
is(tokens(), 2, 'one issue that was refused');
is((sql_error($node, 'postgres', $ask))[0], '53400', 'the same for the next');
is(tokens(), 2, 'who did not request it');
ok($again > 50 || $took > 1, 'the minute counts from the issue that we know of');

# ---- another program has one issued before ours ends

ends(expires_in => 3600, access_token_token_expired => '2026-07-10 11:30:00');
$clock->set('2026-07-10 11:29:50');
$simulator->config(token_min_interval => 3600);
is(run_sql($node, 'postgres', $ask)->{output}, '0001', '10 s before the end of ours KIS gives no other: ours is used');
is((grep { $_->{status} == 403 } $simulator->requests('token')), 1, 'one was requested');
is(run_sql($node, 'postgres', $ask)->{output}, '0001', 'and goes on being used');
is(tokens(), 2, 'with nothing more requested');
$clock->set('2026-07-10 11:30:00');
is((sql_error($node, 'postgres', $ask))[0], '53400', 'to its end, and not longer');

ends(expires_in => 3600, access_token_token_expired => '2026-07-10 11:30:00');
$clock->set('2026-07-10 11:29:30');
$simulator->fault({ match => { kind => 'token' }, fault => 'close' });
is(run_sql($node, 'postgres', $ask)->{output}, '0001', 'the same where the issue fails otherwise');
$simulator->fault;
$clock->set('2026-07-10 11:30:00');
$clock->sleep(10);
is(run_sql($node, 'postgres', $ask)->{output}, '0001', 'a new one is there when ours has ended');

# ---- a fresh token that is refused

$simulator->reset;
$node->restart;
ask();
$simulator->kill_token(hand_back => JSON::PP::true);
$simulator->reset(keep_tokens => JSON::PP::true);
$crowd = KisTest::Crowd->new($node, 5);
@results = $crowd->query($ask);
is(scalar(grep { @{ $_->{errors} } && $_->{errors}[0]{sqlstate} eq '28000' } @results), 5,
	'a fresh token that is refused is an error');
is(tokens(), 1, 'and no reason to issue another one');
$crowd->quit;

# ---- another user's keys

my %other = (key => 'PSOTHER' . 'A' x 29, secret => 'OTHER/' . 'B' x 174);

$simulator->reset;
$simulator->config(accounts => { $other{key} => $other{secret} });
$node->restart;
my $session = $node->session;
$session->query_safe($ask);
$node->safe_psql('postgres', "SET log_statement = 'none';"
	  . " ALTER USER MAPPING FOR CURRENT_USER SERVER kis"
	  . " OPTIONS (SET app_key '$other{key}', SET app_secret '$other{secret}')");
$session->query_safe($ask);
is_deeply([ map { $_->{headers}{appkey} } $simulator->requests('data') ],
	[ $simulator->app_key, $other{key} ],
	'ALTER USER MAPPING: the next statement of an open session uses the new keys');
is(tokens(), 2, 'with a token of their own');
$session->quit;

# ---- keys in files that change

my $dir = PostgreSQL::Test::Utils::tempdir;
sub put
{
	my ($name, $content) = @_;

	open my $file, '>', "$dir/$name.new" or die "$dir/$name: $!";
	print $file $content;
	close $file;
	rename "$dir/$name.new", "$dir/$name" or die "$dir/$name: $!";
	return;
}

put('key', $simulator->app_key . "\n");
put('secret', $simulator->app_secret . "\n");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS"
	  . " (DROP app_key, DROP app_secret, ADD app_key_file '$dir/key', ADD app_secret_file '$dir/secret');"
	  . " ALTER SERVER kis OPTIONS (SET cache_ttl '1h')");
$simulator->reset;
$node->restart;
$session = $node->session;
$session->query_safe($ask);
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(accounts => { $other{key} => $other{secret} });
$simulator->kill_token;
put('key', $other{key});
put('secret', $other{secret});
is($session->query_safe($all), 19, 'key files that changed are read again at the next issue');
is((grep { $_->{headers}{appkey} eq $other{key} && $_->{status} == 200 } $simulator->requests('data')), 18,
	'and the calls go on with the new key');
is(tokens(), 1, 'after one issue');
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(accounts => { $other{key} => $other{secret} });
is($node->safe_psql('postgres', $all), 19, 'a new session');
ok($simulator->calls <= 1, 'shares what came, but for what the old key had');
$session->quit;

# A live session meets a refusal of the old keys: the files are read again, and no statement fails.
sub swap
{
	my ($name, $case, $sql, $expected) = @_;

	$simulator->reset;
	my @old = ($simulator->app_key, $simulator->app_secret);
	$node->restart;
	put('key', "$old[0]\n");
	put('secret', "$old[1]\n");
	my $session = $node->session;
	my @others = map { $node->session } 1 .. 3;
	$_->query_safe($ask) foreach $session, @others;
	$simulator->reset(keep_tokens => JSON::PP::true);
	$simulator->config(%{ $case->{config} });
	$simulator->fault($case->{fault}) if $case->{fault};
	put('key', $case->{key} || $old[0]);
	put('secret', $case->{secret} || $old[1]);

	$_->send($sql) foreach $session, @others;
	my @results = map { $_->result } $session, @others;
	is_deeply([ map { $_->{output} } @results ], [ ($expected) x 4 ], "$name: no statement fails")
	  or diag join '', map { $_->{stderr} } @results;
	# where KIS refuses but one call, the old keys are good for the others
	is_deeply([ grep { !$case->{fault} && $_->{status} == 200 && $_->{headers}{appsecret} ne ($case->{secret} || $old[1]) } $simulator->requests('data') ],
		[], 'what is answered went with what stands in the files now');
	is(tokens(), 1, 'with one token');
	$_->quit foreach $session, @others;
	return;
}

my $refusal = sub { return { fault => 'error', times => 1, params => { msg_cd => $_[0], status => 500, msg1 => 'refused' } } };
my $gone = { app_key => $other{key}, app_secret => $other{secret} };

$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '0')");
swap('another key, the old one answered with EGW00103', { %other, config => $gone }, $ask, '0001');
swap('the same with several calls under way', { %other, config => $gone }, $all, 19);
swap('another secret, EGW00105', { secret => 'NEW/' . 'N' x 176, config => { app_secret => 'NEW/' . 'N' x 176 } }, $ask, '0001');
swap('EGW00304', { %other, config => { accounts => { $other{key} => $other{secret} } }, fault => $refusal->('EGW00304') }, $ask, '0001');
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '1h')");
swap('calls that are shared', { %other, config => $gone }, $all, 19);
$node->safe_psql('postgres', "ALTER SERVER kis OPTIONS (SET cache_ttl '0')");

# the files hold what they held: read once, and reported
$simulator->reset;
put('key', $simulator->app_key);
put('secret', $simulator->app_secret);
$node->restart;
$session = $node->session;
$session->query_safe($ask);
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->config(%$gone);
is(($session->error($ask))[0], '28000', 'files that hold the refused keys still: an error');
is($simulator->calls, 1, 'after one call');
$simulator->reset(keep_tokens => JSON::PP::true);
$simulator->fault({ fault => 'error', times => 1, params => { msg_cd => 'EGW00304', status => 500, msg1 => 'refused' } });
is(($session->error($ask))[0], '28000', 'EGW00304 as well');
is($session->query($ask)->{output}, '0001', 'and the next statement tries again');
unlink "$dir/key";
$simulator->fault({ fault => 'error', times => 1, params => { msg_cd => 'EGW00304', status => 500, msg1 => 'refused' } });
is(($session->error($ask))[0], 'HV000', 'a file that is gone by then: an error that says so');
put('key', $simulator->app_key);
is($session->query($ask)->{output}, '0001', 'and the session goes on');
$session->quit;

# ---- the token of another program

my @kept = map { $_ . 'eyJ0eXAiOiJPVEhFUiJ9.' . 'x' x 200 } 'A' .. 'D';

$simulator->reset;
put('token', "$kept[0]\n");
$simulator->config(extra_tokens => [ $kept[0] ]);
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS"
	  . " (DROP app_key_file, DROP app_secret_file, ADD app_key "
	  . sql_literal($simulator->app_key) . ", ADD app_secret " . sql_literal($simulator->app_secret)
	  . ", ADD access_token_file '$dir/token'); ALTER SERVER kis OPTIONS (SET cache_ttl '0')");
$node->restart;
$session = $node->session;
is($session->query_safe($ask), '0001', 'access_token_file: plain');
is(($simulator->requests('data'))[-1]{headers}{authorization}, "Bearer $kept[0]", 'its token is sent');

my @forms = (
	[ JSON => qq({"token_type": "Bearer", "access_token": "$kept[1]", "expires_in": 86400}\n) ],
	[ YAML => "appkey: x\ntoken: $kept[2]\nvalid-date: 2026-07-11 09:30:00\n" ]);
foreach my $i (1, 2)
{
	my ($name, $content) = @{ $forms[ $i - 1 ] };

	$simulator->reset;
	$simulator->config(extra_tokens => [ $kept[$i] ]);
	put('token', $content);
	is($session->query_safe($ask), '0001', "$name, read again when the old one is refused");
	is_deeply([ map { "$_->{status} $_->{headers}{authorization}" } $simulator->requests('data') ],
		[ "500 Bearer $kept[$i - 1]", "200 Bearer $kept[$i]" ], 'one call more');
}

$simulator->reset;
$simulator->config(extra_tokens => [ $kept[3] ]);
put('token', $kept[3]);
is($session->query_safe($all), 19, 'several calls under way with the old one');

$simulator->reset;
$simulator->config(extra_tokens => []);
($state, $message) = $session->error($ask);
is($state, '28000', 'refused, and the file holds no other');
is($simulator->calls, 1, 'one call');
put('token', "neither: this\n");
is(($session->error($ask))[0], 'HV000', 'a file without a token');
unlink "$dir/token";
is(($session->error($ask))[0], 'HV000', 'no file');
is(($session->error($ask))[0], 'HV000', 'no file, called again');
my $used = q{SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'KIS connection'};
my $before = $session->query_safe($used);
$session->error($ask) foreach 1 .. 20;
is($session->query_safe($used), $before, 'however often: it leaves nothing in memory');
put('token', $kept[0]);
$simulator->config(extra_tokens => [ $kept[0] ]);
is($session->query_safe($ask), '0001', 'and it works again');
is(tokens(), 0, 'we never issued one');
$session->quit;

is_deeply([ grep { !/token|Bearer/ } $simulator->problems ], [], 'every request was as KIS documents it');
done_testing();
