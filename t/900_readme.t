# The README is true: its SQL runs as it stands, but for where KIS is and where
# the keys lie, and it names every option that there is.
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
my ($setup) = grep { /CREATE EXTENSION/ } @blocks;
my ($store) = grep { /create_market_investor_trend\(\)/ } @blocks;
my ($prompt) = grep { /\\prompt/ } @blocks;
my ($table) = grep { /CREATE FOREIGN TABLE/ } @blocks;

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
is($result->{stderr}, '', 'five minutes: the set-up runs without a message');
like($result->{output}, qr/^KSP\|0001\|/m, 'and brings the row');
is($simulator->calls('trend'), 1, 'by one call');
is_deeply([ $simulator->problems ], [], 'as KIS documents it');

$result = run_sql($node, 'postgres', $store);
is($result->{stderr}, '', 'five minutes: the store runs without a message');
is($node->safe_psql('postgres', 'SELECT count(*) FROM market_investor_trend'), 3, 'three rows are stored');

$result = run_sql($node, 'postgres', "$table SELECT net = foreign_buy_amount - foreign_sell_amount, whole_reply->>'rt_cd' FROM foreigners WHERE market_code = 'KSP'");
is($result->{stderr}, '', 'the table by hand can be made');
like($result->{output}, qr/^[tf]\|0$/m, 'and read');

$node->safe_psql('postgres', 'DROP USER MAPPING FOR CURRENT_USER SERVER kis');
$result = run_sql($node, 'postgres', $prompt);
is($result->{stderr}, '', 'keys in psql variables make a user mapping');
is_deeply([ grep { index(slurp_log($node), $_) >= 0 } values %secret ],
	[], 'whose statement the server does not log, where it logs all others');
like($node->safe_psql('postgres', q{SELECT * FROM kis_market_trend WHERE market_code = 'KSQ'}),
	qr/^KSQ\|1001\|/, 'and which works');

like($readme, qr/`SELECT \* FROM kis_check\('kis'\)`/, 'the README knows kis_check');
is($node->safe_psql('postgres', q{SELECT count(*) FROM kis_check('kis') WHERE NOT ok}), 0,
	'which finds nothing amiss');

# What it says of shared memory, and the pages that say the same
my $size = $node->safe_psql('postgres', q{SELECT pg_size_pretty(allocated_size) FROM pg_shmem_allocations
	WHERE name LIKE 'market_investor_fdw%'});
SKIP:
{
	skip 'from 17 on PostgreSQL does not list the memory', 3 if $size eq '';
	my $said = $size =~ s/ /\\s?/r;

	like(slurp_file("$FindBin::RealBin/../$_"), qr/\b$said\b/, "$_ knows how much shared memory it takes: $size")
	  foreach qw(README.md README.ko.md doc/operations.md);
}

# The commands of a clone
my @programs = map { m{^((?:scripts|examples)/\w+)}mg } $readme =~ /^```sh\n(.*?)^```/gms;
is_deeply([ grep { !-x "$FindBin::RealBin/../$_" } 'scripts/demo', 'examples/draw', @programs ], [], 'its programs are there');
ok((grep { $_ eq 'scripts/demo' } @programs) && (grep { $_ eq 'examples/draw' } @programs), 'and it has them run');

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
	is_deeply([ grep { $readme !~ /`$_`/ } split /, /, $list || '' ],
		[], 'and the README names them, too');
}

done_testing();
