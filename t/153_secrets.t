# App key, app secret and access token appear nowhere but where they belong:
# with the server as talkative as it can be, with KIS repeating them in whatever
# it says, they are in no log, message, plan, view, title or file. Nor are
# eight characters of them in a row, whatever that a reader overlooks stands
# between them.
use strict;
use warnings;

use Digest::SHA 'sha512_base64';
use File::Find;
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

# With nothing in them that also stands elsewhere, and with what needs care
my $app_key = 'PS' . substr(sha512_base64('app key') =~ tr{+/}{}dr, 0, 34);
my $app_secret = substr(sha512_base64('secret 1') . sha512_base64('secret 2') . sha512_base64('secret 3'), 0, 175)
  . '+/+/=';
my $kept_token = 'kept.' . sha512_base64('token 1') . sha512_base64('token 2');

my $simulator = KisTest::Simulator->new(
	config => { app_key => $app_key, app_secret => $app_secret, extra_tokens => [$kept_token] });
my ($library_directory) = PostgreSQL::Test::Utils::run_command([ 'pg_config', '--pkglibdir' ]);
my $has_auto_explain = -f "$library_directory/auto_explain.so";
my $preloaded = 'market_investor_fdw' . ($has_auto_explain ? ', auto_explain' : '');
my $node = new_node('main', conf => qq{
shared_preload_libraries = '$preloaded'
log_min_messages = debug5
log_error_verbosity = verbose
log_statement = all
log_duration = on
log_connections = on
log_disconnections = on
log_temp_files = 0
log_lock_waits = on
debug_print_parse = on
debug_print_rewritten = on
debug_print_plan = on
debug_pretty_print = off
track_activity_query_size = 1MB
work_mem = 64kB
} . ($has_auto_explain ? qq{
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_settings = on
auto_explain.log_nested_statements = on
} : ''));

# ---- keys by files, so that no statement tells them

my $directory = PostgreSQL::Test::Utils::tempdir();
my %file = (app_key => $app_key, app_secret => $app_secret,
	token => encode_json({ access_token => $kept_token }));
append_to_file("$directory/$_", "$file{$_}\n") foreach keys %file;

my $options = "base_url '" . $simulator->url . q{', requests_per_second '1000', cache_ttl '0', max_retries '0',
	request_timeout '500ms', session_start '00:00'};
my $keys = "app_key_file '$directory/app_key', app_secret_file '$directory/app_secret'";
my @shown;

# All that a user gets to see goes to @shown.
sub run
{
	my ($sql) = @_;
	local $ENV{PGOPTIONS} = '-c client_min_messages=debug5';
	my $result = run_sql($node, 'postgres', $sql);

	push @shown, "$sql\n$result->{output}\n$result->{stderr}";
	return $result;
}

sub runs
{
	my ($sql, $name) = @_;
	my $result = run($sql);

	is(join("\n", map { "$_->{message} $_->{detail}" } @{ $result->{errors} }), '', $name);
	return $result;
}

sub fails
{
	my ($sqlstate, $sql, $name) = @_;

	is(join(' ', map { $_->{sqlstate} } @{ run($sql)->{errors} }), $sqlstate, $name);
	return;
}

runs(qq{
	CREATE EXTENSION market_investor_fdw;
	CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
	CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS ($keys);
	CREATE SERVER kept FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
	CREATE USER MAPPING FOR CURRENT_USER SERVER kept OPTIONS ($keys, access_token_file '$directory/token');
	IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public;
	CREATE FOREIGN TABLE reply (market_code text, sector_code text, output jsonb OPTIONS (field '*'), reply jsonb OPTIONS (field '**'))
		SERVER kis OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE kept_reply (market_code text, sector_code text, output jsonb OPTIONS (field '*'), reply jsonb OPTIONS (field '**'))
		SERVER kept OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE kept_bigint (market_code text, sector_code text, foreign_net_qty bigint)
		SERVER kept OPTIONS (table_name 'kis_sector_trend');
	CREATE FOREIGN TABLE kept (market_code text, sector_code text, foreign_net_qty text, extra text OPTIONS (field 'extra'))
		SERVER kept OPTIONS (table_name 'kis_sector_trend');
	SELECT create_market_investor_trend();
	SELECT kis_comment_tables();}, 'set up');

my $query = "SELECT * FROM kis_market_trend WHERE market_code = 'KSP'";
my $collect = "SELECT * FROM collect_market_investor_trend('{KSP,KSQ}')";

# ---- all is well

runs($query, 'a query');
runs("SELECT * FROM kept WHERE market_code = 'KSP' AND sector_code = '0001'", 'with the token of another program');
runs($collect, 'a collection');
runs("PREPARE p (text) AS SELECT reply FROM reply WHERE market_code = \$1; EXECUTE p ('KSQ')", 'whole replies');
runs("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, WAL, FORMAT $_) SELECT * FROM kis_market_trend JOIN reply USING (market_code, sector_code)",
	"EXPLAIN, $_") foreach qw(TEXT XML JSON YAML);
runs("EXPLAIN (ANALYZE, VERBOSE) $collect", 'EXPLAIN of a collection');
runs('ANALYZE market_investor_trend; ANALYZE kis_market_trend', 'ANALYZE');

# ---- what KIS may say: all of it, in any place, as JSON may write it

my @secrets = ([ key => $app_key ], [ secret => $app_secret ], [ token => $kept_token ]);
my %writes = (
	'as it is' => sub { $_[0] },
	'slashes escaped' => sub { $_[0] =~ s{/}{\\/}gr },
	'much escaped' => sub { $_[0] =~ s{([+/=._A-F-])}{sprintf '\\u%04x', ord $1}ger },
	'its letters apart' => sub { join ' ', split //, $_[0] },
	'without width between' => sub { $_[0] =~ s/(.)(?=.)/$1\\u200b\\u00ad\\ufeff/gr },
	'in lines of seven' => sub { $_[0] =~ s/(.{7})/$1\\r\\n\\t/gr });
# JSON doesn't let these be in a string
my %page_writes = (
	'with zeros between' => sub { join "\0", split //, $_[0] },
	'with escaped zeros between' => sub { '"' . join('\\u0000', split //, $_[0]) . '"' },
	'with controls between' => sub { join "\r\n\t\x{1}\x{200b}\x{85}", split //, $_[0] },
	'as HTML may write it' => sub { $_[0] =~ s/(.)/sprintf '&#x%x;&#8203;', ord $1/ger },
	'as a URL may write it' => sub { $_[0] =~ s/(.)/sprintf '%%%02X%%00', ord $1/ger });
my %parts = (
	'its beginning' => sub { substr($_[0], 0, 20) . '...' },
	'its end' => sub { '...' . substr($_[0], -15) });

# The next requests get this reply.
sub say
{
	my ($body, $status, $kind) = @_;

	$simulator->fault;
	$simulator->fault({ fault => 'body', match => { kind => $kind || 'data' },
		params => { body => $body, status => $status } });
	return;
}

my $kept = q{SELECT foreign_net_qty, extra FROM kept WHERE market_code = 'KSP' AND sector_code = '0001'};

foreach my $secret (@secrets)
{
	my ($what, $plain) = @$secret;
	my %ways = (%writes, %parts);

	foreach my $way (sort keys %page_writes)
	{
		my $text = $page_writes{$way}->($plain);

		say("$_$text", 200), fails('HV00M', $kept, "the $what, $way: a page") foreach '<html>', '';
	}
	foreach my $way (sort keys %ways)
	{
		my $text = $ways{$way}->($plain);
		my $name = "the $what, $way";

		say("{\"rt_cd\":\"1\",\"msg_cd\":\"EGW00206\",\"msg1\":\"no: $text\"}", 500);
		fails('HV000', $kept, "$name: msg1");
		fails('HV000', "SELECT * FROM collect_market_investor_trend('{KSP}', source => 'kept')", "$name: in a collection");
		say('{"rt_cd":"1","msg_cd":"EGW00206","msg1":"' . 'x ' x 250 . "$text\"}", 500);
		fails('HV000', $kept, "$name: msg1, cut");
		say("{\"rt_cd\":\"1\",\"msg_cd\":\"$text\",\"msg1\":\"no\"}", 500);
		fails('HV000', $kept, "$name: msg_cd");
		say("<p>$text</p>", 200);
		fails('HV00M', $kept, "$name: a page");
		say("$text", 200);
		fails('HV00M', $kept, "$name: nothing else");
		say("{\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"$text\":1,\"$text\":2}", 200);
		fails('HV00M', $kept, "$name: a member twice");
		say("{\"rt_cd\":\"0\",\"msg_cd\":\"MCA00000\",\"output\":[{\"frgn_ntby_qty\":\"1\",\"$text\":1,\"$text\":2}]}", 200);
		fails('HV00M', $kept, "$name: a member of a row twice");
	}

	# In what is no error KIS's values are KIS's, but no whole secret is among them
	foreach my $way (sort keys %writes)
	{
		my $text = $writes{$way}->($plain);
		my $name = "the $what, $way";

		say('{"output":[{"frgn_ntby_qty":"' . $text . '","extra":"is ' . $text
			  . '"}],"rt_cd":"0","msg_cd":"MCA00000","msg1":"' . $text . '"}', 200);
		like(runs($kept, "$name: a value")->{output}, qr/^\*+\|is \*+$/, 'which is blotted out');
		like(runs(q{SELECT output, reply FROM kept_reply WHERE market_code = 'KSP' AND sector_code = '0001'},
				"$name: a whole reply")->{output}, qr/"extra": "is \*+"/, 'too');
		fails('22P02', q{SELECT foreign_net_qty FROM kept_bigint WHERE market_code = 'KSP' AND sector_code = '0001'},
			"$name: a value that doesn't fit");
		fails('HV000', "SELECT * FROM collect_market_investor_trend('{KSP}', source => 'kept')",
			"$name: in a collection");
	}
}

# ---- what the session itself sends and gets, in each kind of failure

foreach my $fault ('echo_secrets', 'redirect', 'html_200', 'html_502', 'truncated_json', 'short_body', 'bad_utf8',
	'output_missing', 'close', 'hang', 'raw', 'text', 'overflow')
{
	$simulator->fault;
	$simulator->fault({ fault => $fault });
	is(scalar @{ run($query)->{errors} }, 1, "a query fails: $fault");
	is(scalar @{ run($collect)->{errors} }, 1, "a collection fails: $fault");
	$simulator->release(clear_faults => JSON::PP::true);
}
foreach my $code (qw(EGW00103 EGW00105 EGW00121 EGW00201 EGW00300 EGW00206))
{
	$simulator->fault;
	$simulator->fault({ fault => 'echo_secrets', params => { msg_cd => $code } });
	is(scalar @{ run("ALTER SERVER kis OPTIONS (ADD max_wait '100ms'); $query; ALTER SERVER kis OPTIONS (DROP max_wait)")->{errors} },
		1, "a query fails: echo_secrets with $code");
}

# ---- the token endpoint

# The token dies, and the next one comes with this fault.
sub issue_fails
{
	my ($name, $make) = @_;

	$simulator->fault;
	runs($query, 'there is a token');
	$simulator->kill_token;
	$make->();
	is(scalar @{ run($query)->{errors} }, 1, "an issue fails: $name");
	is(scalar @{ run($collect)->{errors} }, 1, "an issue for a collection fails: $name");
	return;
}

foreach my $fault ('echo_secrets', 'redirect', 'html_200', 'html_502', 'truncated_json', 'short_body', 'bad_utf8',
	'raw', 'trailing_garbage', 'duplicate_member', 'nul_escape')
{
	issue_fails($fault, sub { $simulator->fault({ fault => $fault, match => { kind => 'token' } }) });
}
foreach my $secret (@secrets[ 0, 1 ])
{
	my ($what, $plain) = @$secret;

	foreach my $way (sort keys %writes)
	{
		my $text = $writes{$way}->($plain);
		my $name = "the $what, $way";

		issue_fails("$name: error_description",
			sub { say("{\"error_code\":\"EGW00103\",\"error_description\":\"no: $text\"}", 403, 'token') });
		issue_fails("$name: error_code",
			sub { say("{\"error_code\":\"$text\",\"error_description\":\"no\"}", 403, 'token') });
		issue_fails("$name: a page", sub { say("<p>$text</p>", 200, 'token') });
	}
}
my $bad_token = sha512_base64('bad token');
issue_fails('a token that ends nowhere', sub { say("{\"access_token\":\"$bad_token\"}", 200, 'token') });
issue_fails('a token with a blank',
	sub { say("{\"access_token\":\"$bad_token x\",\"expires_in\":86400}", 200, 'token') });
issue_fails('a token that is too long',
	sub { say('{"access_token":"' . $bad_token x 20 . '","expires_in":86400}', 200, 'token') });
issue_fails('a token that has ended',
	sub { say("{\"access_token\":\"$bad_token\",\"access_token_token_expired\":\"2020-01-01 00:00:00\"}", 200, 'token') });
issue_fails('a token twice', sub { say("{\"access_token\":\"$bad_token\",\"access_token\":\"$bad_token\",\"expires_in\":86400}", 200, 'token') });
$simulator->fault;
runs($query, 'all is well again');

# ---- secret files that can't be used

append_to_file("$directory/two_words", "$app_secret $app_key\n");
append_to_file("$directory/no_token", encode_json({ secret => $kept_token }));
runs(qq{CREATE SERVER spoiled FOREIGN DATA WRAPPER market_investor_fdw OPTIONS ($options);
	CREATE USER MAPPING FOR CURRENT_USER SERVER spoiled OPTIONS (app_key_file '$directory/app_key', app_secret_file '$directory/two_words');
	CREATE FOREIGN TABLE spoiled (market_code text, foreign_net_qty text) SERVER spoiled OPTIONS (table_name 'kis_market_trend')},
	'a mapping with a spoiled file');
fails('HV000', 'SELECT * FROM spoiled', 'a secret of two words');
runs(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER spoiled OPTIONS (SET app_secret_file '$directory/app_secret', ADD access_token_file '$directory/no_token')},
	'a mapping with another spoiled file');
fails('HV000', 'SELECT * FROM spoiled', 'a token file without a token');

# ---- views, functions and the catalog, for the owner and for others

my @views = (
	'SELECT * FROM kis_stat', 'SELECT * FROM kis_activity', 'SELECT * FROM kis_sector', 'SELECT * FROM kis_investor_type',
	'SELECT * FROM pg_foreign_server', 'SELECT * FROM pg_foreign_table',
	'SELECT * FROM information_schema.foreign_server_options',
	'SELECT * FROM information_schema.user_mapping_options',
	'SELECT * FROM pg_user_mappings', 'SELECT * FROM pg_stat_activity',
	'SELECT * FROM pg_settings', 'SELECT * FROM pg_shmem_allocations', 'SELECT * FROM pg_backend_memory_contexts');
runs($_, $_) foreach @views;
runs("SELECT * FROM kis_check('$_')", "kis_check('$_')") foreach qw(kis kept spoiled);
runs('CREATE ROLE guest LOGIN; CREATE ROLE watch LOGIN; GRANT pg_monitor TO watch', 'other roles');
foreach my $role (qw(guest watch))
{
	run("SET ROLE $role; $_") foreach @views, $query, "SELECT * FROM kis_check('kis')",
	  'SELECT * FROM pg_user_mapping';
}

# While a call is on its way
my $session = $node->session('postgres');
my $process = '/proc/' . $session->pid;
$simulator->fault({ fault => 'hang' });
runs("ALTER SERVER kis OPTIONS (SET request_timeout '60s')", 'a long wait');
$session->send($query);
$simulator->wait_for('held');
runs('SELECT * FROM pg_stat_activity', 'pg_stat_activity while a call is on its way');
push @shown, map { slurp_file("$process/$_") } qw(cmdline environ);
$simulator->release(clear_faults => JSON::PP::true);
is($session->result->{stderr}, '', 'the call goes on');

# ---- what is in files: a cursor that outgrows its memory has temporary ones

$session->query_safe('BEGIN; DECLARE replies CURSOR WITH HOLD FOR SELECT * FROM reply; COMMIT');
my (@data, $temporary);
find({ no_chdir => 1, wanted => sub {
	return unless -f $_;
	$temporary = 1 if /pgsql_tmp/;
	push @data, $_ } }, $node->data_dir);
ok($temporary, 'there are temporary files');
is($session->query_safe("SELECT count(*) > 0 FROM pg_stat_get_db_temp_files((SELECT oid FROM pg_database WHERE datname = 'postgres'))"),
	't', 'and the server says so');
my $copy = PostgreSQL::Test::Utils::tempdir . '/files';
PostgreSQL::Test::Utils::system_or_bail('cp', '-r', $node->data_dir, $copy);
$session->quit;
$node->stop;

# ---- and now look

my %tokens = map { $_ => 1 } map { /^Bearer (\S+)/ } grep { defined } map { $_->{headers}{authorization} } $simulator->requests;
cmp_ok(scalar keys %tokens, '>', 10, 'there were many tokens');
ok($tokens{$kept_token}, 'that of another program among them');
is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');

# All that they have in a row of eight characters, but what each token begins with
my %rows;
foreach my $secret ($app_key, $app_secret, $bad_token, keys %tokens)
{
	$rows{ substr($secret, $_, 8) } = 1 foreach 0 .. length($secret) - 8;
}
# Perl's own patterns of so many words take hours in some versions
my $rows_file = PostgreSQL::Test::Utils::tempdir . '/rows';
PostgreSQL::Test::Utils::append_to_file($rows_file, join '', map { "$_\n" } sort keys %rows);

# Where in a text is the first of them? -1: nowhere.
sub leak_in
{
	my ($text) = @_;

	foreach my $at (0 .. length($text) - 8)
	{
		return $at if $rows{ substr($text, $at, 8) };
	}
	return -1;
}

sub is_clean
{
	my ($name, $text) = @_;
	my $at = leak_in($text);

	is($at < 0 ? '' : substr($text, $at > 80 ? $at - 80 : 0, 100), '', "nothing secret in $name");
	return;
}

# What a reader sees
sub letters_of
{
	my ($text) = @_;

	return $text =~ tr/!->@-~//cdr;
}

is(leak_in("x $app_secret"), 2, 'it would be found');
is(leak_in(letters_of("x\n" . join "\x{200b} ?\0", split //, $app_secret)), 1, 'also where something stands between its letters');
my $log = slurp_log($node);
like($log, qr/DEBUG: .*StartTransaction.*\n.*LOCATION/, 'the log is talkative');
like($log, qr/Query Text: .*kis_market_trend/, 'and has plans') if $has_auto_explain;
is_clean('the server\'s log', $log);
is_clean('its letters', letters_of($log));
is_clean('what users see', join "\n", @shown);
is_clean('its letters', letters_of(join "\n", @shown));
my ($leaking) = PostgreSQL::Test::Utils::run_command([ 'env', 'LC_ALL=C', 'grep', '-rlaFf', $rows_file, '--', $copy, $rows_file ]);
is($leaking, $rows_file, 'nothing secret in ' . @data . ' files of the server');

done_testing();
