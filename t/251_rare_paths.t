# What hardly ever happens: more customers than there is room for, nothing left
# to connect with, a reply that the cache can't hold, keys that change at the
# wrong moment, options that nobody could have set, stores of other shapes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP;
use KisTest;
use KisTest::Crowd;
use KisTest::Hang;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

# As src/shared/block.h has them
use constant { ACCOUNTS => 32, TOKENS => 64 };

my @key = map { sprintf 'RARE%032d', $_ } 0 .. TOKENS + 5;
my %accounts = map { ($_ => 'S' x 180) } @key;
my $simulator = KisTest::Simulator->new(config => { accounts => \%accounts });
my $named = KisTest::Simulator->new(tls => 1, tls_names => 'slow.kis.example');
my $resolver = KisTest::Hang::Resolver->new('slow.kis.example');
# pg_stat_statements is preloaded before, and has its own to do with shared memory
my $node = new_node(
	'main',
	env => $resolver->env,
	conf => q{
shared_preload_libraries = 'pg_stat_statements, market_investor_fdw'
max_connections = 100
max_files_per_process = 100
});
my $dir = PostgreSQL::Test::Utils::tempdir();
my $true = JSON::PP::true;

setup($node, 'postgres', $simulator);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# A server kis_NAME whose table NAME holds all pairs
sub add_server
{
	my ($name, %options) = @_;
	my %user = map { exists $options{$_} ? ($_ => delete $options{$_}) : () } qw(app_key app_key_file);
	my %server = (base_url => $simulator->url, cache_ttl => 0, requests_per_second => 1000, %options);
	my $list = sub { my %of = @_; return join ', ', map { "$_ " . sql_literal($of{$_}) } sort keys %of };

	$user{app_key} = $simulator->app_key unless %user;
	$user{app_secret} = $accounts{ $user{app_key} // $key[0] } // $simulator->app_secret;
	return qq{
		CREATE SERVER kis_$name FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (} . $list->(%server) . qq{);
		CREATE USER MAPPING FOR CURRENT_USER SERVER kis_$name OPTIONS (} . $list->(%user) . qq{);
		CREATE FOREIGN TABLE $name (market_code text, sector_code text, foreign_net_qty bigint)
			SERVER kis_$name OPTIONS (table_name 'kis_sector_trend');
	};
}

sub ask_of
{
	my ($table) = @_;

	return "SELECT sector_code FROM $table WHERE market_code = 'KSP' AND sector_code = '0001'";
}

sub tokens { return $simulator->calls('token') }

sub fresh
{
	$simulator->reset(keep_tokens => $true);
	$simulator->config(accounts => \%accounts);
	return;
}

# ---- more customers than slots -----------------------------------------------

sql("SET log_statement = 'none';" . join '', map { add_server("customer_$_", app_key => $key[$_], max_wait => '60s') } 0 .. $#key);
my $session = $node->session;

is(join(',', map { $session->query_safe(ask_of("customer_$_")) } 0 .. $#key), join(',', ('0001') x @key),
	scalar(@key) . ' customers in turn: all are served, though there is room for ' . TOKENS . ' tokens');
is(tokens(), scalar @key, 'with a token each');
cmp_ok(sql('SELECT count(*) FROM kis_stat'), '<=', ACCOUNTS, 'kis_stat shows ' . ACCOUNTS . ' at most');
$session->query_safe(ask_of("customer_$#key"));
is(tokens(), scalar @key, 'the last has its token still');
is($session->query_safe(ask_of('customer_0')), '0001', 'the first is served again');
is(tokens(), @key + 1, 'with another token: its own had to make room');

# An account with a slow rate is not busy for longer than others
my $first = $#key - ACCOUNTS;
sql(join '', map { "ALTER SERVER kis_customer_$_ OPTIONS (SET requests_per_second '0.01');" } $first .. $#key - 1);
Time::HiRes::sleep(1.1);
$session->query_safe(ask_of("customer_$_")) foreach $first .. $#key - 1;
is($session->query_safe(ask_of("customer_$#key")), '0001', ACCOUNTS . ' accounts that have made their call in 100 s: another one finds room');
sql(join '', map { "ALTER SERVER kis_customer_$_ OPTIONS (SET requests_per_second '1000');" } $first .. $#key);
$session->quit;
$node->restart;
fresh();
$simulator->reset;
$simulator->config(accounts => \%accounts, token_min_interval => 0);
$simulator->fault({ match => { kind => 'token' }, fault => 'hang' });

my $crowd = KisTest::Crowd->new($node, scalar @key);
$crowd->send(sub { ask_of("customer_$_[0]") });
$simulator->wait_for('held', ACCOUNTS);
$crowd->wait_until_waiting;
$simulator->release(clear_faults => $true);
is(scalar(grep { $_->{output} eq '0001' } $crowd->results(120)), scalar @key,
	scalar(@key) . ' customers at once, each without a token: all are served in the end');
is(tokens(), scalar @key, 'with a token each');
$crowd->quit;

# ---- nothing left to connect with --------------------------------------------

fresh();
sql(q{ALTER SERVER kis OPTIONS (ADD max_concurrent_requests '64')});
my @error = sql_error($node, 'postgres', ask_of('kis_market_trend'));
is_deeply([ @error[ 0, 3 ] ], [ '53000', 'Raise max_files_per_process or lower max_concurrent_requests.' ],
	'no descriptors for so many connections') or diag("@error");
is($simulator->calls('any'), 0, 'and nothing is asked');
sql(q{ALTER SERVER kis OPTIONS (SET max_concurrent_requests '4')});
is(sql(ask_of('kis_market_trend')), '0001', 'fewer will do');

# ---- the cache ---------------------------------------------------------------

my $days = q{SELECT count(*), sum(foreign_net_qty) FROM kis_market_trend_daily
	WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2026-01-01' AND '2026-07-09'};

sql(q{ALTER SERVER kis OPTIONS (SET cache_ttl '1h')});
sql(q{ALTER SYSTEM SET market_investor_fdw.cache_size = '16kB'});
$node->reload;
ok(eventually { sql('SHOW market_investor_fdw.cache_size') eq '16kB' }, 'a cache of two blocks');
fresh();
$simulator->config(latency_ms => 300);
my @pair = map { $node->session } 1 .. 2;
$_->send($days) foreach @pair;
my @results = map { $_->result->{output} } @pair;
$_->quit foreach @pair;
like($results[0], qr/^\d+\|-?\d+$/, 'a page of days that it can never hold');
is($results[1], $results[0], 'brings the same to who asks at the same moment');
is($simulator->calls('daily'), 2, 'by a call of its own');
$simulator->config(latency_ms => 0);
is(sql($days), $results[0], 'and to who asks later');
is($simulator->calls('daily'), 3, 'likewise');

fresh();
foreach my $sector (qw(0001 0002 0003 0004 0004))
{
	sql("SELECT foreign_net_qty FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '$sector'");
}
is($simulator->calls, 4, 'the youngest replies are held');
sql("SELECT foreign_net_qty FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '0001'");
is($simulator->calls, 5, 'the oldest had to go');
sql('ALTER SYSTEM RESET market_investor_fdw.cache_size');
$node->reload;
ok(eventually { sql('SHOW market_investor_fdw.cache_size') eq '16MB' }, 'a cache as ever');

# Members that the call's list doesn't name are kept as well
fresh();
sql(q{CREATE FOREIGN TABLE with_more (market_code text, sector_code text, more text OPTIONS (field 'brand_new'),
	list jsonb OPTIONS (field 'brand_new_list')) SERVER kis OPTIONS (table_name 'kis_market_trend')});
$simulator->fault(
	{ fault => 'set', params => { members => {
				output => [ { brand_new => 'news', brand_new_list => [ 1, { a => 2 } ], frgn_ntby_qty => '1' } ] } } });
my $more = q{SELECT more, list->1->>'a' FROM with_more WHERE market_code = 'KSQ'};
is(sql($more), 'news|2', 'members that are new');
is(sql($more), 'news|2', 'again');
is($simulator->calls, 1, 'from the cache');
sql(q{ALTER SERVER kis OPTIONS (SET cache_ttl '0')});

# ---- a cursor is idle while its host can't be looked up ----------------------------

sql("SET log_statement = 'none';" . add_server('slow', base_url => 'https://slow.kis.example:' . $named->port,
	ca_file => $named->ca_file, request_timeout => '200ms', max_concurrent_requests => 2, cache_ttl => '1h'));
is(sql(ask_of('slow')), '0001', 'a host that is found');
$session = $node->session;
$resolver->hold;
$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT sector_code FROM slow WHERE market_code = 'KSP'});
is($session->query_safe('FETCH 1 FROM c'), '0001', 'is not while a cursor has its first row from the cache');
is($session->query_safe(ask_of('customer_1')), '0001', 'another query of the session');
ok((eventually { $resolver->begun == 2 }), "moves the cursor's calls ahead on, too");
# a request's time and a slot's
Time::HiRes::sleep(1.5);
$resolver->let_go;
is(scalar(split /\n/, $session->query_safe('FETCH ALL FROM c')), 27, 'which come when it is found again');
$session->query_safe('COMMIT');
$session->quit;

# ---- calls made ahead on new connections, which KIS closes while nobody looks ------

fresh();
sql(q{ALTER SERVER kis OPTIONS (ADD max_retries '0')});
$session = $node->session;
$simulator->fault({ fault => 'close', after => 1, times => 3, params => { delay_ms => 500 } });
$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT sector_code FROM kis_sector_trend WHERE market_code = 'KSP'});
$session->query_safe('FETCH 1 FROM c');
$simulator->wait_for('data', 4);
Time::HiRes::sleep(1.5);
is(scalar(split /\n/, $session->query_safe('FETCH ALL FROM c')), 27, 'are made again, without max_retries');
is($simulator->calls, 28 + 3, 'once each');
$session->query_safe('COMMIT');
$session->quit;
sql(q{ALTER SERVER kis OPTIONS (DROP max_retries)});

# ---- keys that change while a token is got --------------------------------------

sub keep_key
{
	my ($number) = @_;

	unlink "$dir/key";
	append_to_file("$dir/key", $key[$number]);
	return;
}

keep_key(0);
fresh();
sql("SET log_statement = 'none';" . add_server('by_file', app_key_file => "$dir/key"));
$session = $node->session;
is($session->query_safe(ask_of('by_file')), '0001', 'a key from a file');
is(sql(ask_of('customer_1')), '0001', 'and another customer, who has a token');
fresh();
keep_key(1);
$simulator->fault({ fault => 'error', times => 1, params => { msg_cd => 'EGW00123', status => 500 } });
is($session->query_safe(ask_of('by_file')), '0001', 'the token is dead, and the other key stands in the file');
is_deeply([ map { $_->{headers}{appkey} } $simulator->requests('trend') ], [ @key[ 0, 1 ] ],
	"refused with the first, asked with the second");
is(tokens(), 0, 'whose token there was');
$session->quit;

# ---- a token got for a cursor while another query waits ---------------------------

# A cursor has calls under way whose token dies; the session itself waits for
# another customer's reply, and begins the issue meanwhile.
foreach my $case (
	[ 'the token comes late', { fault => 'hang' }, 1 ],
	[ 'KIS is out of order for a moment', { fault => 'error', params => { msg_cd => 'EGW00002', status => 500 } }, 2 ])
{
	my ($name, $fault, $issues) = @$case;

	sql(ask_of($_)) foreach qw(customer_1 customer_2);
	fresh();
	$session = $node->session;
	$session->query_safe(ask_of('customer_1'));
	$simulator->fault(
		{ match => { pair => 'KSQ/1002' }, fault => 'error', times => 1,
			params => { msg_cd => 'EGW00123', status => 500, delay_ms => 300 } },
		{ match => { pair => 'KSP/0001' }, fault => 'slow', times => 1, params => { ms => 2000 } },
		{ match => { kind => 'token' }, times => 1, %$fault });
	$session->query_safe(q{BEGIN; DECLARE c CURSOR FOR SELECT sector_code FROM customer_2 WHERE market_code = 'KSQ'});
	is($session->query_safe('FETCH 1 FROM c'), '1001', 'a cursor has its first row');
	is($session->query_safe(ask_of('customer_1')), '0001', 'the session asks another query');
	cmp_ok(tokens(), '>', 0, 'and for the token that the cursor needs');
	$simulator->release;
	is(scalar(split /\n/, $session->query_safe('FETCH ALL FROM c')), 25, "$name: the cursor goes on");
	is(tokens(), $issues, 'and no more is asked');
	$session->query_safe('COMMIT');
	$session->quit;
}

# A cancelled statement has left an issue under way: what it brings is looked at later
my $two = q{SELECT sector_code FROM customer_2 WHERE market_code = 'KSP' AND sector_code = '0002'};

foreach my $fault ('EGW00002', undef)
{
	fresh();
	$simulator->kill_token;
	$session = $node->session;
	$session->query_safe(ask_of('customer_1'));
	$simulator->reset(keep_tokens => $true);
	$simulator->config(accounts => \%accounts);
	$simulator->fault(
		{ match => { pair => 'KSP/0001' }, fault => 'slow', times => 1, params => { ms => 2000 } },
		$fault ? { match => { kind => 'token' }, fault => 'error', times => 1, params => { msg_cd => $fault, status => 500, delay_ms => 1500 } }
		: { match => { kind => 'token' }, fault => 'slow', times => 1, params => { ms => 1500 } });
	is(($session->error("SET statement_timeout = '500ms'; " . $two))[0], '57014', 'cancelled while a token is got');
	$session->query_safe('RESET statement_timeout');
	is($session->query_safe(ask_of('customer_1')), '0001', 'another query of the session');
	is(tokens(), 1, 'one token was asked for');
	is($session->query_safe($two), '0002', 'and the customer is served');
	is(tokens(), $fault ? 2 : 1, $fault ? 'with another token, since that one failed' : 'with it');
	$session->quit;
}

# ---- kis_check ---------------------------------------------------------------

sub check
{
	my ($step, $server) = @_;

	return sql("SELECT ok, detail FROM kis_check('" . ($server // 'kis') . "') WHERE step = '$step'");
}

fresh();
sql(q{ALTER SERVER kis OPTIONS (SET calendar 'kis', ADD max_retries '0')});
$simulator->fault({ match => { kind => 'holiday' }, fault => 'error', params => { msg_cd => 'EGW00206', msg1 => 'no such right' } });
like(check('calendar'), qr/^f\|.*no such right/, 'kis_check: the calendar is refused');
$simulator->fault;
$simulator->fault({ match => { kind => 'trend' }, fault => 'all_blank' });
is(check('pair'), 'f|KIS has no figures for KSP/0001', 'kis_check: a pair without figures');
$simulator->fault;
$simulator->fault({ match => { kind => 'trend' }, fault => 'hang' });
@error = sql_error($node, 'postgres', "SET statement_timeout = '300ms'; SELECT * FROM kis_check('kis')");
is($error[0], '57014', 'kis_check can be cancelled');
$simulator->release(clear_faults => $true);
sql("SET log_statement = 'none';" . add_server('spoilt'));
sql(q{UPDATE pg_foreign_server SET srvoptions = srvoptions || '{max_calls=many}' WHERE srvname = 'kis_spoilt'});
like(check('options', 'kis_spoilt'), qr/^f\|.*max_calls/, 'kis_check: options that went past the validator');
is(check($_, 'kis_spoilt'), 'f|not tried: the options of the server come first', "so $_ can't be tried")
  foreach qw(keys calendar);
sql(q{ALTER SERVER kis OPTIONS (SET calendar 'weekday', DROP max_retries)});

# ---- what is typed -----------------------------------------------------------

my @warnings = sql_warnings($node, 'postgres', "SELECT * FROM kis_market_trend WHERE market_code = '" . 'KSP' x 70 . q{'});
like($warnings[0]{hint}, qr/^The view kis_sector lists /, 'a market code of 210 letters is like none');

foreach my $case ([ 'long', 'K' x 5000 ], [ 'zero', "KEY\0KEY" . 'K' x 30 ])
{
	my ($name, $text) = @$case;

	append_to_file("$dir/$name", $text);
	sql("SET log_statement = 'none'; ALTER USER MAPPING FOR CURRENT_USER SERVER kis_by_file OPTIONS (SET app_key_file '$dir/$name')");
	@error = sql_error($node, 'postgres', ask_of('by_file'));
	like($error[2], $name eq 'long' ? qr/longer than 4096 bytes/ : qr/contains a control character/,
		"$error[0]: a key file that is none ($name)") or diag("@error");
}

# ---- conditions and bounds that are rarely written --------------------------------

fresh();
my $either = run_sql($node, 'postgres', q{
	SET plan_cache_mode = force_generic_plan;
	PREPARE either(text, varchar) AS SELECT market_code FROM kis_market_trend
		WHERE market_code = $2 OR sector_code IN ($1, '9999') ORDER BY 1;
	EXECUTE either('1001', 'ETF');
	EXECUTE either('8888', 'ETF');
});
is($either->{output}, "ETF\nKSQ\nETF", 'codes among parameters, in arms of OR');
is(scalar @{ $either->{warnings} }, 0, 'of which none is warned of') or diag(explain($either->{warnings}));
@warnings = sql_warnings($node, 'postgres', q{SELECT * FROM kis_sector_trend WHERE sector_code = 'large cap'});
is($warnings[0]{hint}, 'Did you mean "0002"?', "a sector's name where its code should be") or diag(explain(\@warnings));

@warnings = sql_warnings($node, 'postgres', q{SELECT * FROM kis_sector_trend WHERE market_code = 'KSQ' AND sector_code = 'large cap'});
is($warnings[-1]{hint}, 'Did you mean "0002"?', 'of a market as well') or diag(explain(\@warnings));

# bound, rows, calls
foreach my $case (
	[ 'LIMIT 2 OFFSET NULL', 2, 2 ],
	[ 'LIMIT 9223372036854775807 OFFSET 9223372036854775807', 0, 19 ],
	[ 'LIMIT (2 + random() * 0)::int', 2, undef ],
	[ 'LIMIT NULL', 19, 19 ])
{
	my ($bound, $rows, $calls) = @$case;

	fresh();
	my $output = sql("SELECT sector_code FROM kis_market_trend $bound");
	is(scalar(split /\n/, $output), $rows, "$bound: $rows rows");
	is($simulator->calls, $calls, "$calls calls") if defined $calls;
}
is(sql(q{SELECT string_agg(x, ',') FROM (
	(SELECT sector_code x FROM kis_market_trend ORDER BY 1) UNION ALL (SELECT market_code FROM kis_market_trend ORDER BY 1)
	ORDER BY 1 LIMIT 3) u}), '0001,1001,999', 'the least of two sorted scans');

# ---- stores of other shapes ------------------------------------------------------

fresh();
sql(q{
	CREATE TABLE loose (market_code text, sector_code text, collected_at timestamptz, trade_date date,
		foreign_net_qty bigint, UNIQUE (market_code, sector_code, foreign_net_qty), UNIQUE (market_code, sector_code, trade_date));
	CREATE TABLE loose_snapshot (market_code text, sector_code text, collected_at timestamptz, trade_date date,
		foreign_net_qty bigint, UNIQUE (market_code, sector_code, collected_at))});
my $collect = q{SELECT outcome, detail FROM collect_market_investor_trend('{KSP/0001}', store => 'loose')};
is(sql($collect), 'inserted|', 'a store without NOT NULL, its snapshots in one table');
is(sql('SELECT count(*) FROM loose_snapshot'), 1, 'which gets a row');
sql('UPDATE loose SET collected_at = NULL');
is(sql($collect), 'unchanged|', 'a row that says not when it was collected');
is(sql('SELECT count(*) FROM loose WHERE collected_at IS NOT NULL'), 1, 'says it then');
$simulator->fault({ fault => 'output_empty' });
like((sql_error($node, 'postgres', $collect))[2], qr/KIS sent no row/, 'a reply without a row is not stored');
$simulator->fault;

done_testing();
