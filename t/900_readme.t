# The README is true: its SQL runs as it stands, but for where KIS is and where
# the keys lie, and doc/options.md names every option that there is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use KisTest;
use KisTest::Clock;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file("$FindBin::RealBin/../README.md");
my @blocks = $readme =~ /^ *```sql\n(.*?)^ *```/gms;
my ($query) = @blocks;
my ($setup) = grep { /CREATE EXTENSION/ } @blocks;
my ($store) = grep { /create_market_investor_trend\(\)/ } @blocks;
my ($prompt) = grep { /\\prompt/ } @blocks;

my $simulator = KisTest::Simulator->new;
my $clock = KisTest::Clock->new($simulator);
my $node = new_node('main', env => $clock->env);
my $files = PostgreSQL::Test::Utils::tempdir();
my %secret = (app_key => $simulator->app_key, app_secret => $simulator->app_secret);

$clock->set('2026-07-10 10:30:00');
append_to_file("$files/$_", "$secret{$_}\n") foreach keys %secret;

# Where KIS is and where the keys lie
foreach ($setup, $prompt)
{
	s{(CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw)}{"$1 OPTIONS (base_url '" . $simulator->url . "')"}e;
	s{/var/lib/postgresql/kis}{$files}g;
	s{\\prompt '[^']*' (\w+)}{\\set $1 '$secret{$1}'}g;
}

my $result = run_sql($node, 'postgres', $setup);
is($result->{stderr}, '', 'the set-up runs without a message');
like($result->{output}, qr/^identities\|t\|/m, 'up to the last step of kis_check');
unlike($result->{output}, qr/^[\w ]+\|f\|/m, 'which finds nothing amiss');
my $calls = $simulator->calls('trend');
$result = run_sql($node, 'postgres', $query);
is($result->{stderr}, '', 'the first query runs without a message');
is(scalar(() = $result->{output} =~ /^\S+\|[^|]+\|-?\d+$/mg), 5, 'and brings five rows');
cmp_ok($simulator->calls('trend') - $calls, '<=', 1, 'by one call, or what is cached');
is_deeply([ $simulator->problems ], [], 'as KIS documents it');

$result = run_sql($node, 'postgres', $store);
is($result->{stderr}, '', 'the store runs without a message');
is($node->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend'), 3, 'three rows are stored');

$node->safe_psql('postgres', 'DROP USER MAPPING FOR CURRENT_USER SERVER kis');
$result = run_sql($node, 'postgres', $prompt);
is($result->{stderr}, '', 'keys in psql variables make a user mapping');
is_deeply([ grep { index(slurp_log($node), $_) >= 0 } values %secret ],
	[], 'whose statement the server does not log, where it logs all others');
like($node->safe_psql('postgres', q{SELECT * FROM kis_market_trend WHERE market_code = 'KSQ'}),
	qr/^KSQ\|1001\|/, 'and which works');

# How much shared memory it takes
my $size = $node->safe_psql('postgres', q{SELECT pg_size_pretty(allocated_size) FROM pg_shmem_allocations
	WHERE name LIKE 'market_investor_fdw%'});
SKIP:
{
	skip 'from 17 on PostgreSQL does not list the memory', 1 if $size eq '';
	my $said = $size =~ s/ /\\s?/r;

	like(slurp_file("$FindBin::RealBin/../doc/operations.md"), qr/\b$said\b/, "doc/operations.md knows it: $size");
}

# The commands of a clone
my @programs = map { m{^((?:scripts|examples)/\w+)}mg } $readme =~ /^```sh\n(.*?)^```/gms;
is_deeply([ grep { !-x "$FindBin::RealBin/../$_" } 'scripts/demo', 'examples/draw', @programs ], [], 'its programs are there');
ok((grep { $_ eq 'scripts/demo' } @programs), 'and it has the demo run, which draws the examples');

# Where the demo can't be it says so, before it begins
foreach my $case ([ '새 폴더', 'has a blank' ], [ q{it's}, 'has a blank' ], [ 'long' x 30, 'is too long' ])
{
	my ($name, $said) = @$case;
	my $home = PostgreSQL::Test::Utils::tempdir() . "/$name";

	local %ENV = (%ENV, HOME => $home);
	delete $ENV{XDG_STATE_HOME};
	my ($output, $errors) = run_command([ "$FindBin::RealBin/../scripts/demo" ]);
	like($errors, qr/^demo: \Q$home\E\S* \Q$said\E.*; XDG_STATE_HOME chooses another place$/, "the demo in $name");
	ok(!-e $home, 'has made nothing');
}

my $options = slurp_file("$FindBin::RealBin/../doc/options.md");
my %where = (
	'server' => q{ALTER SERVER kis OPTIONS (nothing_like_it 'x')},
	'user mapping' => q{ALTER USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (nothing_like_it 'x')},
	'foreign table' => q{ALTER FOREIGN TABLE kis_market_trend OPTIONS (nothing_like_it 'x')},
	'column of a foreign table' => q{ALTER FOREIGN TABLE kis_market_trend ALTER market_code OPTIONS (nothing_like_it 'x')});

foreach my $kind (sort keys %where)
{
	my ($sqlstate, $message, $detail, $hint) = sql_error($node, 'postgres', $where{$kind});
	my ($list) = $hint =~ /: (.*)\.$/;

	$list = $1 if !defined $list && $hint =~ /is (\w+)\.$/;
	ok(defined $list, "the hint names the options of a $kind") or diag $hint;
	is_deeply([ grep { $options !~ /`$_`/ } split /, /, $list || '' ],
		[], 'and doc/options.md names them, too');
}

done_testing();
