# What decodes KIS's replies and blots out secrets, fed with anything: libFuzzer
# under AddressSanitizer and UBSan, each result checked against a reader of JSON
# of the target's own (test/fuzz). First the corpus and what the simulator
# answers, then each beginning of those, then mutations for some seconds.
#
# KIS_TEST_LONG=N: mutations for N minutes, others each time; beginnings of all
# and not of some.
use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Temp ();
use IPC::Run ();
use Test::More;

my $fuzz = dirname(dirname(__FILE__)) . '/test/fuzz';
my @targets = qw(reply token text);
my %longest = (reply => 8192, token => 4096, text => 1024);
my $seconds = $ENV{KIS_TEST_LONG} ? $ENV{KIS_TEST_LONG} * 60 / @targets : 5;
my $seed = $ENV{KIS_TEST_LONG} ? time : 20260710;

# Beginnings of these are tried in the short run, too: a reply of each kind, and
# those whose texts differ most from it.
my $first = qr/^(trend(-numbers|-bad_utf8)?|daily|holiday|index|program|token|EGW.*|said|json|escaped|[a-z0-9_]+)$/;

my $probe = '#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) { return data == NULL && size; }';
IPC::Run::run([ 'sh', '-c', 'clang -fsanitize=fuzzer,address,undefined -x c - -o /dev/null' ],
	'<', \$probe, '>&', \my $complaint)
  or plan skip_all => 'clang can\'t build for libFuzzer: on Debian, apt-get install clang libclang-rt-dev';

my $work = File::Temp->newdir('fuzz_XXXX', TMPDIR => 1);

# a make of ours, not a part of the one that may have started prove
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
$ENV{ASAN_OPTIONS} = 'detect_leaks=1:abort_on_error=0';
$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';

# Runs a command at low priority; its output. What made it fail is shown, the
# input in hex, to be kept as a file of test/fuzz/corpus.
sub try
{
	my ($name, @command) = @_;
	my $output = '';
	my $ok = IPC::Run::run([ 'nice', @command ], '<', \undef, '>&', \$output);

	ok($ok, $name);
	return $output if $ok;
	diag(join "\n", grep { defined } (split /\n/, $output)[ -60 .. -1 ]);
	foreach my $file (glob "$work/*-*")
	{
		open my $handle, '<:raw', $file or next;
		local $/;
		diag(basename($file) . ': ' . unpack('H*', <$handle>));
	}
	return $output;
}

try('the targets can be built', 'make', '-s', '-C', $fuzz, 'COPT=-Werror');
try('the simulator\'s answers', 'python3', '-B', "$fuzz/seeds.py", "$work/seeds");

foreach my $target (@targets)
{
	my @corpus = ("$fuzz/corpus/$target", "$work/seeds/$target");
	push @corpus, "$ENV{KIS_SHARED}/data/captured" if $target eq 'reply' && defined $ENV{KIS_SHARED};
	my @files = grep { $ENV{KIS_TEST_LONG} || basename($_) =~ $first } map { glob "$_/*" } @corpus;
	my @dirs = ("$work/new/$target", @corpus);
	my $output;

	$output = try("$target: the corpus", "$fuzz/build/${target}_fuzz", '-runs=0',
		"-artifact_prefix=$work/", @corpus);
	cmp_ok($output =~ /#(\d+)\s+DONE/ ? $1 : 0, '>', 10, "$target: which is not empty");

	$output = try("$target: each beginning of each", "$fuzz/build/${target}_truncations", @files);
	diag("$target: " . @files . " files, $output");

	system('mkdir', '-p', $dirs[0]) == 0 or die 'mkdir failed';
	$output = try("$target: mutations for $seconds s, seed $seed", "$fuzz/build/${target}_fuzz", "-seed=$seed",
		"-max_total_time=$seconds", "-max_len=$longest{$target}", '-timeout=20', "-dict=$fuzz/$target.dict",
		"-artifact_prefix=$work/", @dirs);
	my ($runs, $edges, $features, $kept) =
	  $output =~ m{#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)};
	cmp_ok($runs // 0, '>', 100, "$target: some were run");
	diag(sprintf '%s: seed %d, %d inputs in %d s, %d edges, %d features, %d kept',
		$target, $seed, $runs // 0, $seconds, $edges // 0, $features // 0, $kept // 0);
}

done_testing();
