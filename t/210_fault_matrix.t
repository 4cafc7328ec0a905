# The matrix of faults: each fault of the simulator, met by a query of a pair,
# by one of 19 pairs, by one of three scans below an Append, by a collection, by a
# backfill, by a query of the calendar and by the issue of a token.
# What is expected of each is a line of t/fault_matrix.tsv, which doc/dev/faults.md
# prints. What holds for all of them is asserted here: nothing of a failure
# stays in what the sessions share, other pairs are as they would be without it,
# and once it is gone all works, in the session that met it and in another.
use strict;
use warnings;

use Digest::SHA ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::FaultMatrix;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/..";
my $matrix = KisTest::FaultMatrix->read("$FindBin::RealBin/fault_matrix.tsv");

# ---- the table is whole, and the doc's

my $names = `cd '$top/test' && python3 -B -c 'from simulator.faults import NAMES; print(*sorted(NAMES - {"mutate"}))'`;
my %listed = map { $_->{name} => 1 } $matrix->faults;
is(join(' ', sort keys %listed), $names =~ s/\n//r, 'each fault of the simulator is in the table');
is(join(' ', map { $_->{title} } grep { keys %{ $_->{of} } < @KisTest::FaultMatrix::works } $matrix->faults), '',
	'each with every kind of work');

my ($printed) = slurp_file("$top/doc/dev/faults.md") =~ /(^## On the socket\n.*)/ms;
ok($printed eq $matrix->markdown, 'doc/dev/faults.md prints the table')
  or diag('t/lib/KisTest/FaultMatrix.pm tells how to print it anew');

# ---- and it is as the policy has it: catalog/codes.tsv and catalog/policy.tsv, of which the library is made

sub rows
{
	my ($head, @rows) = map { [ split /\t/, $_, -1 ] } split /\n/, slurp_file("$top/catalog/$_[0].tsv");
	my @rows_by_name;

	foreach my $row (@rows)
	{
		my %row;
		@row{@$head} = @$row;
		push @rows_by_name, \%row;
	}
	return @rows_by_name;
}

my @code_rules = rows('codes');
my %policy = map { $_->{error_class} => $_ } rows('policy');

# The class that the first rule has which fits what KIS said; where none does, KIS refuses for good
sub class_of_reply
{
	my ($code, $status) = @_;

	foreach my $rule (@code_rules)
	{
		my $listed = $rule->{code} =~ s/\*$/.*/r;
		return $rule->{error_class}
		  if $code =~ /^$listed$/ && $status >= $rule->{from_status} && $status <= $rule->{to_status};
	}
	return 'refused';
}

# What kis_stat counts for a message, and the policy's name of it where that is another
my %class_of = (
	'KIS sent no reply in time' => 'timeout',
	'KIS closed the connection without a reply' => 'dropped',
	'KIS refuses the access token' => 'token',
	'KIS issues no access token yet' => 'token_too_soon',
	'KIS refuses the app key or secret' => 'credentials',
	'too many calls a second for the app key' => 'rate',
	'KIS could not answer' => 'passing',
	'KIS refuses the call' => 'refused',
	'KIS sent a reply that is not what it should be' => 'reply');

# Requests where a call fails for good, with max_retries 1 and no secret in a file; and
# libcurl sends each anew whose kept connection turns out to be closed.
my %requests_of = (none => [ 1, 1 ], later => [ 1, 1 ], reread_files => [ 1, 1 ], max_retries => [ 2, 2 ],
	new_token => [ 2, 2 ], max_wait => [ 2, 99 ]);

my $checked = 0;
foreach my $fault ($matrix->faults)
{
	foreach my $line (grep { $class_of{ $_->{message} } } @{ $fault->{lines} })
	{
		my $class = $class_of{ $line->{message} } =~ s/passing/transient/r;
		my ($status, $code) = $line->{detail} =~ /^HTTP status (\d+)(?:, code (\w+))?/;
		my $of_token = $line->{works} eq 'token';

		is(class_of_reply($code || '', $status), $class, "$fault->{title}, $line->{works}: the rule for the code")
		  if $code && !($of_token && $status == 500) || $class eq 'transient';
		foreach my $cell (grep { $line->{works} eq 'all' || $of_token == ($_ eq 'of_token_request') } qw(of_call of_token_request))
		{
			my ($least, $most) = map { $_ * ($class eq 'dropped' && $cell eq 'of_call' ? 2 : 1) } @{ $requests_of{ $policy{$class}{$cell} } };
			my ($from, $to) = split /-/, $line->{requests};

			ok($from >= $least && ($to || $from) <= $most, "$fault->{title}, $line->{works}: $line->{requests} requests by the policy");
			$checked++;
		}
	}
}
cmp_ok($checked, '>', 50, 'the policy is tried');

# ---- who does what: a role for each kind of work, with two sessions

# The pair that is hit, one in the middle of the others
my $hit = 'KSQ/1001';
my $columns = 'market_code, sector_code, foreign_net_qty, foreign_net_amount, individual_net_qty';
my $select = "SELECT $columns FROM kis_market_trend";
my %sql = (
	one => "$select WHERE market_code = 'KSQ'",
	19 => $select,
	async => join(' UNION ALL ', map { "$select WHERE market_code = '$_'" } qw(KSP KSQ ETF)),
	collect => q{SELECT market_code || '/' || sector_code, outcome, detail
		FROM collect_market_investor_trend('{KSP/0001,KSQ/1001,ETF/T000}', store => 'collect_store')},
	alone => q{SELECT outcome FROM collect_market_investor_trend('{KSQ/1001}', store => 'alone_store')},
	backfill => q{CALL backfill_market_investor_trend('2024-03-04', '2024-03-07', '{KSP/0001,KSQ/1001}',
		store => 'backfill_store')},
	calendar => q{SELECT trade_date, weekday, is_open, is_business_day, is_settlement_day
		FROM kis_calendar WHERE trade_date BETWEEN '2026-07-06' AND '2026-07-29'},
	token => "$select WHERE market_code = 'KSQ'");
my @data = qw(one 19 async collect alone backfill calendar);
my @storing = qw(collect alone backfill);
# A token that hangs does so for longer than all else takes: these wait beside it
my @waiting = map { "waiting_$_" } 1 .. 6;
my @roles = (@data, 'token', @waiting);

my $own = own_connections();
my $simulator = KisTest::Simulator->new(config => { token_same_for => 0 });
my $node = new_node('main');

setup($node, 'postgres', $simulator, cache_ttl => '1h', max_retries => 1, session_start => '00:00',
	request_timeout => '10s', max_wait => '30s');
$node->safe_psql('postgres', join ";\n", "SET log_statement = 'none'",
	(map { "SELECT create_market_investor_trend('${_}_store', snapshots => false)" } @storing),
	map { ("CREATE ROLE \"$_\" SUPERUSER LOGIN",
		"CREATE USER MAPPING FOR \"$_\" SERVER kis OPTIONS (app_key 'none', app_secret 'none')") } @roles);
$sql{$_} = $sql{token} foreach @waiting;

my $admin = $node->session;
my (%session, %other);
foreach my $role (@roles)
{
	$_->{$role} = $node->session('postgres', extra_params => [ '-U', $role ]) foreach \%session, \%other;
	$_->query_safe("SET statement_timeout = '60s'") foreach $session{$role}, $other{$role};
}
$admin->query_safe("SET log_statement = 'none'; SET client_min_messages = error");

# The line of the table that tells what becomes of a role's work. A collection
# of one target fails as a whole, and so shows the SQLSTATE.
sub line_of
{
	my ($fault, $role) = @_;

	return $fault->{of}{ $role eq 'alone' ? 'collect' : $role =~ /^waiting/ ? 'token' : $role };
}

sub is_error
{
	my ($line) = @_;

	return $line->{result} =~ /^[0-9A-Z]{5}$/;
}

# ---- accounts: an app key for each role, and for each fault another secret, of
# which neither token nor reply is known

my ($key_number, $secret_number) = (0, 0);
my (%key, %accounts);

sub take_new_key
{
	my ($role) = @_;

	delete $accounts{ $key{$role} } if defined $key{$role};
	$key{$role} = sprintf 'MATRIX%030d', ++$key_number;
	return;
}

sub take_new_secrets
{
	my (@which) = @_;

	$accounts{ $key{$_} } = substr Digest::SHA::sha512_base64(++$secret_number) x 3, 0, 180 foreach @which;
	$simulator->config(accounts => \%accounts);
	$admin->query_safe(join ";\n", map {
		"ALTER USER MAPPING FOR \"$_\" SERVER kis OPTIONS (SET app_key '$key{$_}', SET app_secret '$accounts{$key{$_}}')"
	} @which);
	return;
}

# ---- what there is to see

# How often each app key has asked for what since the last look, and in all
my ($seen, %in_all) = (0);

sub arrived
{
	my $reply = $simulator->ask(GET => "counts?since=$seen");
	my $counts = $reply->{counts};

	$seen = $reply->{seq};
	$in_all{$_} += $counts->{$_}{token}{''} || 0 foreach keys %$counts;
	return $counts;
}

sub requests
{
	my ($arrived, $role, $kind, $pair) = @_;

	return ($arrived->{ $key{$role} } || {})->{$kind}{$pair} || 0;
}

my %kind_of = (backfill => 'daily', calendar => 'holiday');

sub kind_of
{
	my ($role) = @_;

	return $role =~ /token|waiting/ ? 'token' : $kind_of{$role} || 'trend';
}

# What is hit of a kind, as the simulator counts it; only figures are of pairs
sub hit_of
{
	my ($kind) = @_;

	return $kind =~ /trend|daily/ ? $hit : '';
}

# What the stores hold
my %stored;

sub look_at_stores
{
	my $rows = $admin->query_safe(join ' UNION ALL ', map {
		"SELECT '$_ ' || concat_ws('|', market_code, sector_code, coalesce(foreign_net_qty::text, ''),"
		  . " foreign_net_amount, individual_net_qty, trade_date, source) FROM ${_}_store" } @storing);

	%stored = map { $_ => '' } @storing;
	$stored{$1} .= "$2\n" while $rows =~ /^(\w+) (.*)$/mg;
	return;
}

# The row of kis_stat of each role's account: [ calls, classes of errors, tokens issued,
# effective rate ]. What is late comes when others are counted, so nothing is reset.
sub stats
{
	my %stat = map { (split /\|/)[0] => [ (split /\|/)[ 1 .. 4 ] ] } split /\n/,
	  $admin->query_safe('SELECT app_key_fingerprint, calls, errors, tokens_issued, effective_rate FROM kis_stat');

	$_->[1] = { $_->[1] =~ /"(\w+)": (\d+)/g } foreach values %stat;

	return map {
		my $digest = Digest::SHA::sha256_hex($simulator->url . "\0$key{$_}");
		my ($fingerprint) = grep { index($digest, $_) == 0 } keys %stat;
		$_ => (defined $fingerprint ? $stat{$fingerprint} : [ 0, {}, 0, 0 ])
	} @_;
}

# Sorted rows of a role's work: those of the pair or the calendar that is hit, and the others
sub rows_of
{
	my ($role, $result) = @_;
	my @rows = sort split /\n/, exists $stored{$role} ? $stored{$role} : $result->{output};
	my $is_hit = $role eq 'calendar' ? qr/^\d/ : qr/^KSQ\|1001\|/;

	return (join("\n", grep { /$is_hit/ } @rows), join("\n", grep { !/$is_hit/ } @rows));
}

# All at once; a hash of results
sub run_all
{
	my ($sessions, %statements) = @_;

	$sessions->{$_}->send($statements{$_}) foreach sort keys %statements;
	return map { $_ => $sessions->{$_}->result } keys %statements;
}

# ---- what they say without a fault

my (%usual, %usual_others);

take_new_key($_) foreach @roles;
take_new_secrets(@roles);
my %first = run_all(\%session, %sql);
look_at_stores();
foreach my $role (@roles)
{
	is_deeply([ @{ $first{$role}{errors} }, @{ $first{$role}{warnings} } ], [], "$role: nothing goes wrong without a fault");
	($usual{$role}, $usual_others{$role}) = rows_of($role, $first{$role});
}
is(() = $usual_others{19} =~ /^/mg, 18, 'the query of 19 has 18 others');
is($_, $usual{one}, 'the same figures') foreach @usual{qw(19 async)};
like($admin->query_safe("EXPLAIN $sql{async}"), qr/(?:Async Foreign Scan.*){3}/s, 'three scans are asked at once');
is(() = $usual{backfill} =~ /^/mg, 4, 'the backfill is of four days');
is(() = $usual{calendar} =~ /^/mg, 24, 'the calendar is a page of 24');
arrived();

# Six calls at once, of pairs that nothing else asks for: then there is a token, and six connections
my @sectors = split /\n/, $admin->query_safe(
	"SELECT sector_code FROM kis_sector WHERE market_code = 'KSP' AND NOT headline ORDER BY 1 LIMIT 7");
my $warm_up = "SELECT count(*) FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code IN ("
  . join(', ', map { "'$_'" } @sectors[ 0 .. 5 ]) . ')';
my $unasked = "KSP/$sectors[6]";
my $one_more = "SELECT count(*) FROM kis_sector_trend WHERE market_code = 'KSP' AND sector_code = '$sectors[6]'";

# ---- what becomes of it with one

# What rows are, beside the usual ones: as the table calls it
sub name_of_rows
{
	my ($rows, $usual) = @_;

	return 'figures' if $rows eq $usual;
	return 'no row' if $rows eq '';
	return 'NULL' if $rows eq $usual =~ s/^((?:[^|]*\|){2})[^|]*/$1/mgr;
	return 'zeros' if $rows eq $usual =~ s/^((?:[^|]*\|){2})[^|]*\|[^|]*\|[^|\n]*/${1}0|0|0/mgr;
	return 'open' if $rows eq $usual =~ s/^((?:[^|]*\|){2})[^|]*/${1}t/mgr;
	return "other rows: $rows";
}

# The parts of "message (detail)", the detail without the server's name
sub parts_of
{
	my ($text) = @_;
	my ($message, $detail) = $text =~ /^(.*?) \(Server "kis"[,:] (.*)\)$/s ? ($1, $2) : ($text, '');

	return ($message, $detail);
}

# [ result, message, detail ], as the table has them; a target that failed in a
# collection of others has no SQLSTATE
sub outcome
{
	my ($role, $result) = @_;
	my ($error) = @{ $result->{errors} };
	my ($warning) = @{ $result->{warnings} };
	my $failed;

	($failed) = $result->{output} =~ /^KSQ\/1001\|failed\|(.*)$/m if $role eq 'collect';
	($failed) = $error->{detail} =~ /^KSQ\/1001: (.*)/s if $role eq 'alone' && $error;
	return [ $error ? $error->{sqlstate} : 'failed', parts_of($failed) ] if defined $failed;
	return [ @$error{qw(sqlstate message)}, $error->{detail} =~ s/^Server "kis"[,:] //r ] if $error;
	return [ name_of_rows((rows_of($role, $result))[0], $usual{$role}),
		$warning ? @$warning{qw(message detail)} : ('', '') ];
}

sub is_as_the_table_says
{
	my ($name, $fault, $role, $result, $requests) = @_;
	my $line = line_of($fault, $role);
	my ($least, $most) = split /-/, $line->{requests};
	my ($found, $message, $detail) = @{ outcome($role, $result) };

	SKIP:
	{
		skip $own, 1 if $own && $fault->{title} =~ /^close\b|reused=true/;
		ok($requests >= $least && $requests <= (defined $most ? $most : $least), "$name: $line->{requests} requests")
		  or diag("there were $requests");
	}
	is("$found $message", (is_error($line) && $role eq 'collect' ? 'failed' : $line->{result}) . " $line->{message}",
		"$name: result and message");
	like($detail, KisTest::FaultMatrix::pattern($line->{detail}), "$name: detail");
	unlike($result->{stderr} . $result->{output}, qr/\Q$key{$role}\E|\Q$accounts{$key{$role}}\E|eyJ0eXAi/,
		"$name: without a secret");
	return;
}

# Others: of a query all come or none, in a store is what is theirs
sub others_are_untouched
{
	my ($name, $role, $line, $result, $arrived) = @_;
	my $fails = is_error($line);
	my ($error) = @{ $result->{errors} };

	if ($role =~ /^(?:19|async)$/)
	{
		is((rows_of($role, $result))[1], $fails ? '' : $usual_others{$role}, "$name: the others' rows");
	}
	elsif ($role eq 'collect')
	{
		is((rows_of($role, $result))[1], $usual_others{$role}, "$name: the other targets are stored");
	}
	elsif ($role eq 'alone' && $fails)
	{
		is($error->{message}, 'could not collect any target', "$name: and that is an error");
	}
	elsif ($role eq 'backfill')
	{
		is((rows_of($role, $result))[1], $usual_others{$role}, "$name: the page before is stored");
		is($error->{context}, "backfill of $hit, page of 2024-03-07 and the days before\n"
			. "what came before it is stored; to go on, call it for $hit with to_date 2024-03-07",
			"$name: the error says where, and how to go on") if $fails;
	}
	elsif ($role eq 'calendar' && $line->{result} =~ /^22/)
	{
		like($error->{context}, qr/^column "\w+" of foreign table "kis_calendar", member "\w+", the calendar from 20260706$/,
			"$name: the error says where");
	}
	return;
}

# What all share of the account: errors of that class alone, no token too many, the whole rate
sub shared_state_is_as_it_was
{
	my ($name, $role, $line, $before, $stat, $hasty) = @_;
	my ($calls, $errors, $tokens, $rate) = @$stat;
	my @new = grep { $errors->{$_} > ($before->[1]{$_} // 0) } sort keys %$errors;
	my $class = $class_of{ $line->{message} } || '';
	# rows that can't be used are no failure of the call
	$class = '' if $class eq 'reply' && $line->{detail} !~ /^HTTP|while/;
	my @classes = grep { !$hasty || $_ ne 'timeout' || $class eq $_ } @new;
	# a refusal has the token of a call replaced, once; one that KIS issued it may refuse
	my $issued = kind_of($role) ne 'token' ? $class eq 'token' : !is_error($line) || $line->{detail} =~ /HTTP status 500, code EGW00121/;

	is("errors: @classes; tokens: " . ($tokens - $before->[2]) . '; rate: ' . ($rate < 1000 ? 'lowered' : 'whole'),
		"errors: $class; tokens: " . ($issued ? 1 : 0) . '; rate: ' . ($class eq 'rate' ? 'lowered' : 'whole'),
		"$name: in kis_stat");
	return;
}

# Of the query of 19: the other pairs that were asked for when it failed, and how many of these were again
my (%asked_of_19, %kept);

# Once the fault is gone: both sessions of a role do the same again at the same
# moment, then the one that met the fault something else.
sub works_again
{
	my ($fault, @which) = @_;

	$other{$_}->send($sql{$_}) foreach @which;
	my %mine = run_all(\%session, map { $_ => $sql{$_} } @which);
	my %theirs = map { $_ => $other{$_}->result } @which;
	my $arrived = arrived();
	look_at_stores();
	# no use in going on: each would do so
	die "$fault->{title}, next: waits for what does not come"
	  if grep { @{ $_->{errors} } && $_->{errors}[0]{sqlstate} eq '57014' } values %mine, values %theirs;
	my %more = run_all(\%session, map { $_ => $one_more } @which);
	my $arrived_more = arrived();

	foreach my $role (@which)
	{
		my $line = line_of($fault, $role);
		my $name = "$fault->{title}, $role, next";
		my ($anew, $refused) = map { $line->{next} eq $_ } qw(anew refused);
		my $kind = $kind_of{$role} || 'trend';
		my $expected = $anew ? 'figures' : $role eq 'collect' && is_error($line) ? 'failed' : $line->{result};
		my %asked = %{ ($arrived->{ $key{$role} } || {})->{$kind} || {} };

		is(join(', ', map { (outcome($role, $_))->[0] } $mine{$role}, $theirs{$role}), "$expected, $expected",
			"$name: in this session and in another");
		is(requests($arrived, $role, 'token', ''), $anew && kind_of($role) eq 'token' ? 1 : 0, "$name: requests for a token");
		next if $refused;
		if ($role eq '19' && $anew)
		{
			my @others = grep { $_ ne $hit } keys %asked_of_19;

			$kept{asked} += @others;
			$kept{again} += grep { $asked{$_} } @others;
		}
		is(join(' ', requests($arrived, $role, $kind, hit_of($kind)), grep { $asked{$_} > 1 } sort keys %asked), $anew ? 1 : 0,
			"$name: requests, and no pair asked for twice");
		is((rows_of($role, $mine{$role}))[1], $usual_others{$role}, "$name: the others");
		is("$more{$role}{output} " . requests($arrived_more, $role, 'trend', $unasked), '1 1', "$name: this session by itself");
	}
	return;
}

sub set_fault
{
	my ($fault, @matches) = @_;

	$simulator->config(faults => [ map {
		{ fault => $fault->{name}, params => $fault->{params},
		  match => { %$_, map { $_ => JSON::PP::true } keys %{ $fault->{match} } } } } @matches ]);
	return;
}

# What is too late is so soon, and what is waited for; elsewhere a busy machine is not too late
sub set_patience
{
	my ($timeout, $wait) = @_;

	$admin->query_safe("ALTER SERVER kis OPTIONS (SET request_timeout '$timeout', SET max_wait '$wait')");
	return;
}

my $cells = 0;

sub check_cell
{
	my ($fault, $role, $result, $arrived, $requests, $before, $hasty) = @_;
	my $name = "$fault->{title}, $role";
	my $line = line_of($fault, $role);

	$cells++;
	is_as_the_table_says($name, $fault, $role, $result, $requests);
	others_are_untouched($name, $role, $line, $result, $arrived);
	shared_state_is_as_it_was($name, $role, $line, $before, { stats($role) }->{$role}, $hasty);
	return;
}

sub mentions
{
	my ($message, @lines) = @_;

	return scalar grep { $_->{message} eq $message } @lines;
}

# ---- fault by fault

my @late;
foreach my $fault ($matrix->faults)
{
	my $is_late = mentions('KIS sent no reply in time', $fault->{of}{token});
	my $token = $is_late ? $waiting[@late] : 'token';
	my $times_out = $fault->{name} eq 'hang' || mentions('KIS sent no reply in time', @{ $fault->{lines} });
	my $waits = mentions('too many calls a second for the app key', @{ $fault->{lines} })
	  || mentions('KIS issues no access token yet', @{ $fault->{lines} });

	$admin->query_safe('TRUNCATE ' . join ', ', map { "${_}_store" } @storing);
	take_new_secrets(@data, $token);
	run_all(\%session, map { $_ => $warm_up } @data);
	my %before = stats(@data, $token);
	arrived();

	set_patience($times_out ? '500ms' : '10s', $waits ? '2200ms' : '30s') if $times_out || $waits;
	set_fault($fault, { kind => 'holiday' }, map { { kind => $_, pair => $hit } } qw(trend daily));
	my %result = run_all(\%session, map { $_ => $sql{$_} } @data);
	$simulator->fault;
	my $arrived = arrived();
	%asked_of_19 = %{ ($arrived->{ $key{19} } || {})->{trend} || {} };
	look_at_stores();
	check_cell($fault, $_, $result{$_}, $arrived, requests($arrived, $_, kind_of($_), hit_of(kind_of($_))), $before{$_}, $times_out)
	  foreach @data;

	set_fault($fault, { kind => 'token' });
	my $tokens = $simulator->calls('token');
	$session{$token}->send($sql{$token});
	$simulator->wait_for('token', $tokens + 1);
	if ($is_late)
	{
		push @late, [ $fault, $token, $in_all{ $key{$token} }, $before{$token} ];
	}
	else
	{
		my $result = $session{$token}->result;

		$arrived = arrived();
		check_cell($fault, $token, $result, $arrived, requests($arrived, $token, 'token', ''), $before{$token});
	}
	$simulator->fault;
	set_patience('10s', '30s') if $times_out || ($waits && $fault->{of}{token}{next} ne 'refused');
	works_again($fault, @data, $is_late ? () : $token);
	if ($waits)
	{
		set_patience('10s', '30s');
		take_new_key($_) foreach @data, $token;
	}
}

foreach my $late (@late)
{
	my ($fault, $role, $requests, $before) = @$late;
	my $result = $session{$role}->result;

	my $arrived = arrived();
	check_cell($fault, $role, $result, $arrived, $in_all{ $key{$role} } - $requests, $before);
}
works_again(@$_[ 0, 1 ]) foreach @late;

# those that were still under way when it failed are asked for again
cmp_ok($kept{again}, '<', $kept{asked} / 2, 'of a query that fails most replies for other pairs are kept');
is($simulator->stats->{problems}, 0, 'all requests were as KIS documents them');
$_->quit foreach $admin, values %session, values %other;
$node->stop;
diag "$cells cells of ", scalar($matrix->faults), " faults; of $kept{asked} other pairs $kept{again} asked for again";
done_testing();
