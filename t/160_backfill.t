# The backfill: what it asks, what it stores and what of it stays when it ends
# before its time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use HTTP::Tiny;
use JSON::PP ();
use KisTest;
use KisTest::Clock;
use Test::More;

use constant TODAY => '2026-07-10';		# a Friday

my $seconds = 0;
my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);

# before the server starts: its checkpointer must not see the clock go back for months
$clock->set(TODAY . ' 10:00:00');
my $node = new_node('main', env => $clock->env, conf => 'track_commit_timestamp = on');

setup($node, 'postgres', $simulator);
$node->safe_psql('postgres', q{SELECT create_market_investor_trend();
	CREATE TABLE template AS TABLE market_investor_trend});

sub value
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# The simulator forgets what it was asked and told; some seconds pass.
sub anew
{
	$seconds += 20;
	$simulator->reset(keep_tokens => JSON::PP::true);
	$clock->set(TODAY . sprintf ' 10:%02d:%02d', $seconds / 60, $seconds % 60);
	return;
}

# The same, and runs SQL.
sub run
{
	my ($sql) = @_;

	anew();
	return run_sql($node, 'postgres', $sql);
}

sub backfill
{
	my ($from, $to, @more) = @_;

	return 'CALL backfill_market_investor_trend(' . join(', ', "'$from'", "'$to'", @more) . ');';
}

sub notices
{
	my ($result) = @_;

	return map { $_->{message} } @{ $result->{notices} };
}

sub empty
{
	value('TRUNCATE market_investor_trend');
	return;
}

# All there is of the store, system columns included: equal only if nothing was written.
sub contents
{
	return value(q{SELECT string_agg(concat_ws(' ', ctid, xmin, xmax, m), chr(10) ORDER BY market_code, sector_code, trade_date)
		FROM market_investor_trend m});
}

# ---- what KIS says, day by day

my @members = map { [ (split /\t/)[ 1, 2 ] ] } grep { /^\d/ }
  split /\n/, PostgreSQL::Test::Utils::slurp_file("$FindBin::RealBin/../catalog/daily.tsv");
my @columns = split /,/, value(q{SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'market_investor_trend'::regclass AND attname LIKE '%\_net\_%'});

is(scalar(@columns), 24, 'the store has the 24 net figures');

# The simulator's rows of a pair from a day on, newest first, over HTTP: hashes by our columns.
sub history
{
	my ($market, $sector, $from, $to) = @_;
	my ($pages, $day, @rows) = (0, $to =~ s/-//gr);

	$from =~ s/-//g;
	$simulator->fault;
	$simulator->config(token_rules => JSON::PP::false);
	while ($day ge $from)
	{
		my $reply = HTTP::Tiny->new(proxy => undef, http_proxy => undef)->get(
			$simulator->url . '/uapi/domestic-stock/v1/quotations/inquire-investor-daily-by-market'
			  . "?FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=$sector&FID_INPUT_DATE_1=$day&FID_INPUT_ISCD_1=$market"
			  . "&FID_INPUT_DATE_2=$day&FID_INPUT_ISCD_2=$sector",
			{ headers => {
				'content-type' => 'application/json; charset=utf-8', authorization => 'Bearer any',
				appkey => $simulator->app_key, appsecret => $simulator->app_secret,
				tr_id => 'FHPTJ04040000', custtype => 'P' } });
		my $page = JSON::PP->new->utf8->decode($reply->{content})->{output};

		$pages++;
		foreach my $row (@$page)
		{
			$day = $row->{stck_bsop_date};
			push @rows, { map { $_->[1] => $row->{ $_->[0] } } @members } if $day ge $from;
		}
		$day = day_before($day);
	}
	$simulator->config(token_rules => JSON::PP::true);
	return ($pages, @rows);
}

sub day_before
{
	my ($day) = @_;

	return value("SELECT to_char('$day'::date - 1, 'YYYYMMDD')");
}

sub stored
{
	my ($store) = @_;

	return value("SELECT concat_ws('|', to_char(trade_date, 'YYYYMMDD'), " . join(', ', @columns)
		  . ") FROM $store WHERE market_code = 'KSP' AND sector_code = '0001' ORDER BY trade_date DESC");
}

# ---- ten years

my ($pages, @history) = history('KSP', '0001', '2016-07-11', '2026-07-09');
my $result = run(backfill('2016-07-11', TODAY, q{'{KSP/0001}'}));

is_deeply($result->{errors}, [], 'ten years are filled');
is($simulator->calls('daily'), $pages, "with the least number of calls, $pages");
is($simulator->calls, $pages, 'and none of another kind');
is($pages, int((@history + 299) / 300), 'which is a call for 300 days');
is(stored('market_investor_trend'), join("\n", map { my $row = $_; join '|', map { $row->{$_} } 'trade_date', @columns } @history),
	'a row a business day, its figures equal to KIS\'s day by day');
is(value(q{SELECT count(DISTINCT trade_date) = count(*), min(trade_date), max(trade_date), min(source), max(source)
	FROM market_investor_trend}), 't|2016-07-11|2026-07-09|daily|daily', 'yesterday is the last, and all are daily');
is(value(q{SELECT count(DISTINCT pg_xact_commit_timestamp(xmin)) FROM market_investor_trend}), $pages, 'each page was committed');
is(value(q{SELECT bool_and(collected_at BETWEEN '2026-07-10 10:00+09' AND '2026-07-10 10:05+09') FROM market_investor_trend}),
	't', 'collected_at is when the reply came');
my @notices = notices($result);
is($notices[0], '2026-07-10 is not over in Seoul: its row is left to collect_market_investor_trend', 'today is left');
is($notices[1], 'KSP/0001: 300 trading days up to 2026-07-09: 300 inserted, 0 updated, 0 unchanged, 0 skipped',
	'a notice a page, newest first');
like($notices[2], qr/^KSP\/0001: 300 trading days up to 2025-/, 'the page before it next');
is($notices[-1], sprintf('backfill has read %d pages, %d trading days: %2$d inserted, 0 updated, 0 unchanged, 0 skipped',
		$pages, scalar @history), 'and the totals');
is(scalar(@notices), $pages + 2, 'nothing else');

my $before = contents();
$result = run(backfill('2016-07-11', TODAY, q{'{KSP/0001}'}));
is($simulator->calls('daily'), $pages, 'a second run asks the same');
is(contents(), $before, 'and writes nothing, not even a lock');
like((notices($result))[-1], qr/ 0 inserted, 0 updated, @{[ scalar @history ]} unchanged, 0 skipped$/, 'which it says');
is(value(q{SELECT max(id) = count(*) FROM market_investor_trend}), 't', 'no number is used up');

# What is missing in the middle is filled, and nothing else is touched
value(q{DELETE FROM market_investor_trend WHERE trade_date BETWEEN '2024-01-01' AND '2024-01-31'});
$before = contents();
$result = run(backfill('2024-01-01', '2024-02-29', q{'{KSP/0001}'}));
is($simulator->calls('daily'), 1, 'a page for two months');
like((notices($result))[0], qr/^KSP\/0001: \d+ trading days up to 2024-02-29: [1-9]\d inserted, 0 updated, [1-9]\d unchanged, 0 skipped$/,
	'the missing days are filled');
is(value('SELECT count(*) FROM market_investor_trend'), scalar(@history), 'all of them');
value(q{DELETE FROM market_investor_trend WHERE trade_date BETWEEN '2024-01-01' AND '2024-01-31'});
is(contents(), $before, 'and the others are as they were');

# ---- days that need no call

foreach my $days ([ '2026-07-04', '2026-07-05', 'a weekend' ], [ TODAY, TODAY, 'today' ], [ '1970-01-01', '1979-12-31', 'days before there was an index' ])
{
	run(backfill(@$days[ 0, 1 ]));
	is($simulator->calls, 0, "no call for $days->[2]");
}
empty();
$result = run(backfill('2026-05-05', '2026-05-05', q{'{KSP/0001}'}));
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'a holiday has no row');
is((notices($result))[0], 'KSP/0001: no trading day up to 2026-05-05', 'which is said');

# ---- targets

$result = run(backfill('2026-06-29', '2026-07-09', q{'{ETF,KSQ,KSP/0001,KSP/0027,999}'}));
is(value(q{SELECT string_agg(DISTINCT market_code || '/' || sector_code, ' ') FROM market_investor_trend}),
	'KSP/0001 KSP/0027 KSQ/1001', 'pairs and markets');
like(join("\n", notices($result)), qr/^999\/S001 is skipped: KIS has no daily history of market 999$/m,
	'those that the daily call lacks are skipped, which is said');
like(join("\n", notices($result)), qr/^ETF\/T000 is skipped: /m, 'each of them');
$result = run(backfill('2026-06-29', '2026-07-09', q{'{ETF}'}));
is($simulator->calls, 0, 'if there are no others, nothing is asked');
is((notices($result))[-1], 'backfill has read 0 pages, 0 trading days: 0 inserted, 0 updated, 0 unchanged, 0 skipped', 'or stored');
empty();
run(backfill('2026-07-09', '2026-07-09'));
is(value(q{SELECT string_agg(market_code || '/' || sector_code, ' ' ORDER BY 1) FROM market_investor_trend}),
	'KSP/0001 KSQ/1001', 'without targets the two whole markets');

# ---- max_calls is for each page

value(q{ALTER SERVER kis OPTIONS (ADD max_calls '1')});
empty();
$result = run(backfill('2020-01-01', '2026-07-09', q{'{KSP/0001}'}));
is_deeply($result->{errors}, [], 'a long backfill is not refused for its calls');
value('ALTER SERVER kis OPTIONS (DROP max_calls)');

# ---- ends before its time

# A session in the middle of a backfill of three pages, while the simulator holds the third.
sub in_third_page
{
	my ($session, $sql) = @_;

	empty();
	anew();
	$simulator->fault({ fault => 'hang', match => { kind => 'daily' }, after => 2 });
	$session->send($sql);
	$simulator->wait_for('held');
	return;
}

my @since_2024 = grep { $_->{trade_date} ge '20240101' } @history;
my $three = backfill('2024-01-01', '2026-07-09', q{'{KSP/0001}'});
my $session = $node->session('postgres');

in_third_page($session, $three);
is(value('SELECT count(*) FROM market_investor_trend'), 600, 'others see the pages that are through');
is(value('SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname ~ $$^market_investor$$ AND pid = ' . $session->pid),
	0, 'nothing of the store is locked while KIS is waited for');
is(value('SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = ' . $session->pid), 't',
	'and no row kept from VACUUM');
value('SELECT pg_cancel_backend(' . $session->pid . ')');
$result = $session->result;
is($result->{errors}[0]{sqlstate}, '57014', 'cancelled in the middle');
like($result->{errors}[0]{context}, qr/^backfill of KSP\/0001, page of 202[45]-\d\d-\d\d and the days before\nwhat came before it is stored; to go on, call it for KSP\/0001 with to_date 202[45]/,
	'it says where, and how to go on');
is(value('SELECT count(*) FROM market_investor_trend'), 600, 'it keeps its pages');
$before = contents();
run($three);
is(value('SELECT count(*) FROM market_investor_trend'), scalar(@since_2024), 'run again it fills the rest');
is(value("SELECT count(*), count(DISTINCT trade_date) FROM market_investor_trend"),
	join('|', (scalar @since_2024) x 2), 'without repetition');
value(q{DELETE FROM market_investor_trend WHERE xmin::text::bigint > (SELECT max(x) FROM (SELECT min(xmin::text::bigint) AS x FROM market_investor_trend GROUP BY xmin::text ORDER BY 1 LIMIT 2) t)});
is(contents(), $before, 'and leaves what was there alone');

in_third_page($session, $three);
value('SELECT pg_terminate_backend(' . $session->pid . ')');
$session->result;
ok($session->is_closed, 'terminated in the middle');
is(value('SELECT count(*) FROM market_investor_trend'), 600, 'it keeps its pages too');
$session->quit;

# ---- KIS refuses the third page

empty();
anew();
$simulator->fault({ fault => 'error', match => { kind => 'daily' }, after => 2, params => { msg_cd => 'EGW00206' } });
$result = run_sql($node, 'postgres', backfill('2024-01-01', '2026-07-09', q{'{KSP/0001,KSQ/1001}'}));
is($result->{errors}[0]{sqlstate}, 'HV000', 'KIS refuses a page');
like($result->{errors}[0]{detail}, qr/EGW00206/, 'the error says how');
like($result->{errors}[0]{context},
	qr/^backfill of KSP\/0001, page of (\S+) and the days before\nwhat came before it is stored; to go on, call it for KSP\/0001 with to_date \1, then for the targets that come after it$/,
	'where, and how to go on');
my ($go_on) = $result->{errors}[0]{context} =~ /to_date (\S+),/;
is(value('SELECT count(*) FROM market_investor_trend'), 600, 'the pages before it stay');
run(backfill('2024-01-01', $go_on, q{'{KSP/0001}'}));
is($simulator->calls, 1, 'going on takes the one call that is left');
is(value('SELECT count(*) FROM market_investor_trend'), scalar(@since_2024), 'and completes it');

# passing errors are tried again, as in any call
anew();
$simulator->fault({ fault => 'error', match => { kind => 'daily' }, times => 1 });
$result = run_sql($node, 'postgres', backfill('2026-07-01', '2026-07-09'));
is_deeply($result->{errors}, [], 'a passing error is tried again');

# ---- replies that are not what they should be

sub with_fault
{
	my ($fault, $sql) = @_;

	anew();
	$simulator->fault({ match => { kind => 'daily' }, %$fault });
	return run_sql($node, 'postgres', "SET statement_timeout = '20s'; $sql");
}

empty();
my $week = backfill('2026-07-06', '2026-07-09', q{'{KSP/0001}'});
$result = with_fault({ fault => 'text' }, $week);
is($result->{errors}[0]{sqlstate} . ' ' . $result->{errors}[0]{message}, '22P02 member "frgn_ntby_qty" is no bigint: "abc"',
	'a figure that is none');
is($result->{errors}[0]{detail}, "So says KIS's daily history of 2026-07-09.", 'of which day');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'nothing of that page is stored');
foreach my $fault ({ fault => 'missing_member', params => { member => 'stck_bsop_date' } },
	{ fault => 'blank', params => { member => 'stck_bsop_date' } },
	{ fault => 'value', params => { member => 'stck_bsop_date', json => '"20260708"' } },
	{ fault => 'value', params => { member => 'stck_bsop_date', json => '"20260231"' } })
{
	$result = with_fault($fault, $week);
	is($result->{errors}[0]{sqlstate}, 'HV00M', "days that are none or out of order: $fault->{fault}");
}
$result = with_fault({ fault => 'missing_member' }, $week);
is_deeply([ map { $_->{message} } @{ $result->{warnings} } ], [ q{KIS's reply has no member "frgn_ntby_qty"} ],
	'a missing member is warned of, once a page');
is(value('SELECT count(*), count(foreign_net_qty), count(foreign_net_amount) FROM market_investor_trend'), '4|0|4', 'and is NULL');
$result = with_fault({ fault => 'output_empty' }, backfill('2020-01-01', '2026-07-09', q{'{KSP/0001}'}));
is($simulator->calls, 1, 'an empty page is the last');
empty();
$result = with_fault({ fault => 'all_blank' }, $week);
is_deeply($result->{errors}, [], 'rows without anything are none');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'and nothing is stored');

# An answer that is the same whatever is asked does not keep it going for ever
(undef, my @week) = history('KSP', '0001', '2026-07-06', '2026-07-09');
anew();
$simulator->config(captured => { 'daily:KSP/0001' => { rt_cd => '0', msg_cd => 'MCA00000', msg1 => '', output =>
	[ map { my $row = $_; +{ map { $_->[0] => $row->{ $_->[1] } } @members } } @week ] } });
$result = run_sql($node, 'postgres', "SET statement_timeout = '20s'; " . backfill('2020-01-01', '2026-07-09', q{'{KSP/0001}'}));
is($result->{errors}[0]{sqlstate}, 'HV00M', 'a page of days after the one asked for is no reply');
is($simulator->calls, 2, 'after two calls');
is(value('SELECT count(*) FROM market_investor_trend'), 4, 'what the first one had is stored');
$result = run_sql($node, 'postgres', q{SET statement_timeout = '20s'; SELECT count(*) FROM kis_market_trend_daily
	WHERE market_code = 'KSP' AND sector_code = '0001' AND trade_date BETWEEN '2020-01-01' AND '2026-07-09'});
is($result->{errors}[0]{sqlstate}, 'HV00M', 'and a query ends as well');

# ---- in a transaction, all is one

empty();
anew();
$session = $node->session('postgres');
$session->query_safe('BEGIN');
$result = $session->query($three);
is_deeply($result->{errors}, [], 'in a transaction block');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'nothing is committed');
$session->query_safe('ROLLBACK');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'and a rollback leaves nothing');
$session->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $three COMMIT");
is(value('SELECT count(*), count(DISTINCT pg_xact_commit_timestamp(xmin)) FROM market_investor_trend'),
	scalar(@since_2024) . '|1', 'a commit keeps all as one');
in_third_page($session, "BEGIN; $three");
value('SELECT pg_cancel_backend(' . $session->pid . ')');
$result = $session->result;
like($result->{errors}[0]{context}, qr/\nnothing is stored of what came before it: all is one transaction$/, 'cancelled, it says that nothing stays');
$session->query_safe('ROLLBACK');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'and nothing does');

foreach my $way (
	[ 'a function', "CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN $three END \$\$; SELECT pg_temp.f()", 1 ],
	[ 'a block with EXCEPTION', "DO \$\$ BEGIN BEGIN $three EXCEPTION WHEN no_data_found THEN NULL; END; END \$\$", 1 ],
	[ 'a block of PL/pgSQL', "DO \$\$ BEGIN $three END \$\$", 3 ])
{
	empty();
	$result = run($way->[1]);
	is_deeply($result->{errors}, [], "in $way->[0]");
	is(value('SELECT count(DISTINCT pg_xact_commit_timestamp(xmin)) FROM market_investor_trend'), $way->[2], "$way->[2] commits");
}

# ---- daily and live

# The rows of 6 to 9 July with the net quantity of foreigners as the argument; live
sub live_rows
{
	my ($figure) = @_;

	empty();
	run($week);
	value("UPDATE market_investor_trend SET source = 'live', foreign_net_qty = $figure, collected_at = trade_date + time '16:00',"
		  . " created_at = trade_date + time '16:00', updated_at = trade_date + time '16:00'");
	return;
}

sub rows
{
	return value(q{SELECT string_agg(concat_ws(' ', to_char(trade_date, 'DD'), source, foreign_net_qty,
		created_at::date = trade_date, updated_at::date = trade_date, collected_at::date = trade_date), ', ' ORDER BY trade_date) FROM market_investor_trend});
}

my %figure = map { $_->{trade_date} => $_->{foreign_net_qty} } @history;
my $daily = sub { join ', ', map { sprintf '%02d daily %s t %s f', $_, $figure{"202607$_"}, $_[0] } '06', '07', '08', '09' };

live_rows(1);
$result = run($week);
is(rows(), $daily->('f'), 'daily replaces live; created_at stays, updated_at moves');
like((notices($result))[0], qr/: 0 inserted, 4 updated, 0 unchanged, 0 skipped$/, 'which it says');

live_rows('foreign_net_qty');
run($week);
is(rows(), $daily->('t'), 'equal figures become daily, and updated_at stays');

live_rows(1);
value('UPDATE market_investor_trend SET bank_net_qty = 0');
with_fault({ fault => 'blank', params => { member => 'frgn_ntby_qty' } }, $week);
is(value('SELECT count(*) FROM market_investor_trend WHERE foreign_net_qty = 1'), 4, 'NULL never replaces a figure');
is(value(q{SELECT string_agg(DISTINCT source, ''), bool_or(bank_net_qty = 0) FROM market_investor_trend}), 'daily|f', 'the others are replaced');

live_rows(1);
value('UPDATE market_investor_trend SET foreign_net_qty = NULL');
run($week);
is(value('SELECT count(foreign_net_qty) FROM market_investor_trend'), 4, 'a figure that is NULL is filled');

live_rows(1);
$before = contents();
my @zeros = map { $_->[0] } grep { $_->[1] =~ /_net_/ } @members;
$result = with_fault({ fault => 'value', params => { member => \@zeros, json => '"0"' } }, $week);
is(contents(), $before, 'rows of zeros replace no figures');
like((notices($result))[0], qr/ 0 unchanged, 4 skipped$/, 'which it says');

empty();
$result = with_fault({ fault => 'value', params => { member => \@zeros, json => '""' } }, $week);
like((notices($result))[0], qr/: 0 inserted, 0 updated, 0 unchanged, 4 skipped$/, 'days without figures');
is(value('SELECT count(*) FROM market_investor_trend'), 0, 'are not stored');

# KIS may correct its history
run($week);
value("UPDATE market_investor_trend SET foreign_net_qty = 5 WHERE trade_date = '2026-07-08'");
$before = value("SELECT string_agg(ctid::text, ' ' ORDER BY trade_date) FROM market_investor_trend WHERE trade_date <> '2026-07-08'");
$result = run($week);
like((notices($result))[0], qr/: 0 inserted, 1 updated, 3 unchanged, 0 skipped$/, 'newer daily figures replace daily ones');
is(value("SELECT string_agg(ctid::text, ' ' ORDER BY trade_date) FROM market_investor_trend WHERE trade_date <> '2026-07-08'"),
	$before, 'and leave the other rows');

# but not those that another backfill has got since
value("UPDATE market_investor_trend SET foreign_net_qty = 5, collected_at = '2026-07-11' WHERE trade_date = '2026-07-08'");
$before = contents();
$result = run($week);
like((notices($result))[0], qr/: 0 inserted, 0 updated, 3 unchanged, 1 skipped$/, 'older daily figures');
is(contents(), $before, 'replace nothing');
value("UPDATE market_investor_trend SET source = 'live' WHERE trade_date = '2026-07-08'");
$result = run($week);
like((notices($result))[0], qr/: 0 inserted, 1 updated, 3 unchanged, 0 skipped$/, 'but live ones, whenever they came');

# Live never replaces daily on a past day
run($week);
anew();
$clock->set('2026-07-10 07:00:00');
value(q{UPDATE market_investor_trend SET collected_at = trade_date + time '16:00'});
$simulator->config(before_open => 'previous', overrides => { 'KSP/0001' => { frgn_ntby_qty => '77' } });
is(value("SELECT trade_date, outcome, detail FROM collect_market_investor_trend('{KSP/0001}')"),
	'2026-07-09|skipped|a past day that the daily history has filled', 'live of a past day that is daily');
is(value("SELECT foreign_net_qty FROM market_investor_trend WHERE trade_date = '2026-07-09'"), $figure{20260709}, 'which stays');

# Live of today is left alone
anew();
value("SELECT outcome FROM collect_market_investor_trend('{KSP/0001}')");
$before = contents();
run(backfill('2026-07-06', TODAY, q{'{KSP/0001}'}));
is(contents(), $before, 'today stays live');
is(value("SELECT source FROM market_investor_trend WHERE trade_date = '2026-07-10'"), 'live', 'in a row of its own');

# ---- tables of one's own

value(q{
	CREATE SCHEMA other;
	CREATE TABLE other.wide (market_code varchar(3), sector_code varchar(4), collected_at timestamptz, trade_date date,
		foreign_sell_qty bigint, foreign_net_qty numeric, frgn_ntby_tr_pbmn bigint, UNIQUE (trade_date, market_code, sector_code));
	INSERT INTO other.wide VALUES ('KSP', '0001', '2026-07-08 16:00+09', '2026-07-08', 11, 12, 13)});
$result = run(backfill('2026-07-06', '2026-07-09', q{'{KSP/0001}'}, q{store => 'other.wide'}));
is_deeply($result->{errors}, [], 'a store with some columns, and without source');
is(value(q{SELECT string_agg(concat_ws('|', to_char(trade_date, 'YYYYMMDD'), foreign_sell_qty, foreign_net_qty, frgn_ntby_tr_pbmn), ' ' ORDER BY trade_date) FROM other.wide}),
	join(' ', map { my $day = $_; my ($row) = grep { $_->{trade_date} eq $day } @history;
		join '|', $day, ($day eq '20260708' ? 11 : ()), @$row{qw(foreign_net_qty foreign_net_amount)} } map { "2026070$_" } 6 .. 9),
	'a column that the daily history lacks stays as it is');
$before = value('SELECT string_agg(concat(ctid, xmin, xmax), $$ $$) FROM other.wide');
run(backfill('2026-07-06', '2026-07-09', q{'{KSP/0001}'}, q{store => 'other.wide'}));
is(value('SELECT string_agg(concat(ctid, xmin, xmax), $$ $$) FROM other.wide'), $before, 'a second run writes nothing there either');

# ---- what is refused, and nothing asked

my @refused = (
	[ backfill('2026-07-09', '2026-07-08'), '22023', 'from_date is after to_date', 'bounds the wrong way round' ],
	[ backfill('2026-07-09', '2026-07-11'), '22023', 'to_date is in the future', 'days to come' ],
	[ backfill('2026-07-09', 'infinity'), '22023', 'to_date is in the future', 'for ever' ],
	[ "CALL backfill_market_investor_trend(NULL, '2026-07-09')", '22004', 'argument "from_date" must not be null', 'from NULL' ],
	[ "CALL backfill_market_investor_trend('2026-07-09', NULL)", '22004', 'argument "to_date" must not be null', 'to NULL' ],
	[ backfill('2026-07-08', '2026-07-09', q{'{KOSPI/0001}'}), '22023', 'invalid target "KOSPI/0001"', 'a target that is none' ],
	[ backfill('2026-07-08', '2026-07-09', q{store => 'nowhere'}), '42P01', 'store "nowhere" does not exist', 'a store that is none' ],
	[ backfill('2026-07-08', '2026-07-09', q{store => 'template'}), '42P16', 'relation "template" cannot hold investor flows', 'a table without a key' ],
	[ backfill('2026-07-08', '2026-07-09', q{source => 'nowhere'}), '42704', 'server "nowhere" does not exist', 'a server that is none' ],
	[ 'BEGIN READ ONLY; ' . backfill('2026-07-08', '2026-07-09'), '25006', 'cannot execute backfill_market_investor_trend() in a read-only transaction', 'a read-only transaction' ]);

foreach my $case (@refused)
{
	$result = run($case->[0]);
	is("$result->{errors}[0]{sqlstate} $result->{errors}[0]{message}", "$case->[1] $case->[2]", $case->[3]);
	is($simulator->calls('any'), 0, 'nothing was asked');
}
$result = run($refused[1][0]);
is($result->{errors}[0]{detail}, 'In Seoul it is 2026-07-10.', 'the day in Seoul decides');

# whatever the session's zone
$result = run(q{SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'; } . backfill('2026-07-09', TODAY));
is_deeply($result->{errors}, [], 'today in Seoul is not the future in New York');
like((notices($result))[0], qr/^2026-07-10 is not over/, 'and dates are told in ISO');

# ---- rights

value(q{
	CREATE ROLE clerk LOGIN;
	GRANT SELECT, INSERT ON market_investor_trend TO clerk;});
foreach my $step (
	[ 'GRANT USAGE ON FOREIGN SERVER kis TO clerk', '42501', 'permission denied for foreign server kis', 'without the right to the server' ],
	[ "SET log_statement = 'none'; CREATE USER MAPPING FOR clerk SERVER kis OPTIONS (app_key " . sql_literal($simulator->app_key)
		. ', app_secret ' . sql_literal($simulator->app_secret) . ')', '42704', 'user mapping not found for "clerk"', 'without a user mapping' ],
	[ 'GRANT UPDATE ON market_investor_trend TO clerk', '42501', 'permission denied for table market_investor_trend', 'without the right to write' ])
{
	$result = run("SET ROLE clerk; $week");
	is("$result->{errors}[0]{sqlstate}", $step->[1], $step->[3]);
	like($result->{errors}[0]{message}, qr/\Q$step->[2]\E|no user mapping|user mapping/, 'is refused');
	is($simulator->calls('any'), 0, 'nothing was asked');
	value($step->[0]);
}
$result = run("SET ROLE clerk; $week");
is_deeply($result->{errors}, [], 'the caller\'s rights are enough');
value('REVOKE EXECUTE ON PROCEDURE backfill_market_investor_trend FROM PUBLIC');
$result = run("SET ROLE clerk; $week");
is($result->{errors}[0]{sqlstate}, '42501', 'the procedure itself can be kept from others');

# ---- the table goes while a page is under way

anew();
value(q{SELECT create_market_investor_trend('fleeting', snapshots => false)});
$simulator->fault({ fault => 'hang', match => { kind => 'daily' } });
$session->send(backfill('2026-07-06', '2026-07-09', q{'{KSP/0001}'}, q{store => 'fleeting'}));
$simulator->wait_for('held');
value(q{SET lock_timeout = '10s'; DROP TABLE fleeting CASCADE});
$simulator->release(clear_faults => JSON::PP::true);
$result = $session->result;
is("$result->{errors}[0]{sqlstate} $result->{errors}[0]{message}", '42P01 store "fleeting" does not exist', 'the store may go while KIS is waited for');
$session->quit;

is_deeply([ $simulator->problems ], [], 'all requests were as KIS documents them');
$node->stop;
done_testing();
