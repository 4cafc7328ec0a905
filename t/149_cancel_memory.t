# Queries that were ended leave nothing behind, whatever they were waiting for:
# neither memory nor open files nor threads in their backend, nor anything that
# others would notice once the backend has ended.
#
# KIS_TEST_LONG: 1,000 in each phase timed out, 1,000 cancelled, 1,000 terminated;
# not 50 timed out, or cancelled where that alone is sure to find them there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use JSON::PP ();
use KisTest;
use KisTest::Phases;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	QUERIES => $ENV{KIS_TEST_LONG} ? 1000 : 50,
	ROUND => 10,			# fewer than look-ups may hang
	TRIES => 3,				# a library may make room once; a leak grows each time
	GROWTH_KB => $ENV{KIS_TEST_LONG} ? 128 : 64 };

my $phases = KisTest::Phases->new(conf => 'log_statement = none');
my $node = $phases->node;
my $simulator = $phases->simulator;
my $resolver = $phases->resolver;
my $look_ups = 0;

sub is_look_up
{
	my ($phase) = @_;

	return $phase->{key} =~ /^name/;
}

# Look-ups that hang end, and those to come hang.
sub end_look_ups
{
	$resolver->let_go;
	eventually { $resolver->begun == $resolver->ended };
	$resolver->hold;
	return;
}

sub threads
{
	my ($session) = @_;
	my @tasks = glob '/proc/' . $session->pid . '/task/*';

	return scalar @tasks;
}

# Memory in kB, descriptors and threads, once nothing is under way.
sub holds
{
	my ($phase, $session) = @_;

	end_look_ups() if is_look_up($phase);
	$phases->works($session) or die 'the session is of no use any more';
	eventually { threads($session) == 1 };
	return (backend_memory_kb($session->pid), backend_fds($session->pid), threads($session));
}

# So many queries that hang in a phase are ended; what they came to, each SQLSTATE how often
my %end = (
	timeout => sub {
		my ($phase, $session, $count) = @_;
		my %came_to;

		for (; $count > 0; $count -= ROUND)
		{
			my $result = $session->query("SET statement_timeout = '8ms';\n"
				  . ($phases->query($phase) . ";\n") x ROUND);

			# which may take longer than that on a busy machine
			while (@{ $session->query('RESET statement_timeout')->{errors} }) { }
			$came_to{ $_->{sqlstate} }++ foreach @{ $result->{errors} };
			end_look_ups() if is_look_up($phase);
		}
		return \%came_to;
	},
	cancel => sub {
		my ($phase, $session, $count) = @_;
		my %came_to;

		foreach my $number (1 .. $count)
		{
			my $sqlstate;

			# a token's look-up outlives the query that began it, and is told of where it has failed since
			do
			{
				my ($result) = $phases->interrupt('cancel', $phase, $session, $phases->query($phase));

				$sqlstate = $result->{errors}[0]{sqlstate} || '-';
			} while ($sqlstate eq 'HV00N' && is_look_up($phase));
			$came_to{$sqlstate}++;
			# each time, or one that has not begun yet would be taken for begun by those before it
			end_look_ups() if is_look_up($phase);
		}
		return \%came_to;
	});

# ---- in a session

# Calls that hang six at a time are a phase more
my ($reply) = grep { $_->{key} eq 'hang' } $phases->all;
my $many = {
	%$reply,
	key => 'many',
	name => 'six replies: nothing of them',
	query => q{SELECT * FROM reply WHERE market_code = 'KSP'},
	before => sub { $simulator->fault({ match => { market => 'KSP' }, fault => 'hang' }) },
	ncalls => 6 };

foreach my $phase ($phases->all, $many)
{
	my $session = $node->session;
	my $begun = $resolver->begun;

	$phases->prepare($phase);
	foreach my $way ($ENV{KIS_TEST_LONG} ? qw(timeout cancel) : is_look_up($phase) ? 'cancel' : 'timeout')
	{
		# what a session needs once, it has after some
		$end{$way}->($phase, $session, 3 * ROUND);
		my ($memory_after, $fds, $threads) = holds($phase, $session);
		my ($memory, $fds_after);

		foreach my $try (1 .. TRIES)
		{
			$memory = $memory_after;
			my $came_to = $end{$way}->($phase, $session, QUERIES);
			($memory_after, $fds_after, $threads) = holds($phase, $session);
			diag sprintf '%-33s %d %s: %d kB then %d kB, %d descriptors then %d, %d thread', $phase->{name}, QUERIES,
			  $way eq 'cancel' ? 'cancelled' : 'timed out', $memory, $memory_after, $fds, $fds_after, $threads;
			is_deeply($came_to, { 57014 => QUERIES }, "$phase->{name}: each $way ends its query");
			last if $memory_after - $memory < GROWTH_KB;
		}
		cmp_ok($memory_after - $memory, '<', GROWTH_KB, 'memory is flat');
		cmp_ok($fds_after, '<=', $fds + 2, 'descriptors are flat');
		is($threads, 1, 'and no thread is left');
	}
	$phases->finish($phase);
	$session->quit;
	$look_ups += $resolver->begun - $begun;
}
cmp_ok($look_ups, '>=', QUERIES, 'names were looked up');

# ---- in the server

if ($ENV{KIS_TEST_LONG})
{
	my $accounts = $phases->monitor->query_safe(q{SELECT count(*) FROM kis_stat});
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	foreach my $phase ($phases->all)
	{
		my %came_to;
		my ($memory, $fds) = (backend_memory_kb($postmaster), backend_fds($postmaster));

		$phases->prepare($phase);
		foreach (1 .. QUERIES)
		{
			my $session = $node->session;
			my ($result) = $phases->interrupt('terminate', $phase, $session, $phases->query($phase));

			$came_to{ $result->{errors}[0]{sqlstate} || '-' }++;
			$session->quit;
		}
		$phases->finish($phase);
		is_deeply(\%came_to, { '57P01' => QUERIES }, "$phase->{name}: each terminate ends its session");
		my $session = $node->session;
		ok($phases->works($session), 'others are served');
		$session->quit;
		ok((eventually { $phases->monitor->query_safe(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'}) eq '1' }),
			'no session is left');
		is(backend_fds($postmaster), $fds, 'the postmaster has as many descriptors');
		my $grown = backend_memory_kb($postmaster) - $memory;
		cmp_ok($grown, '<', GROWTH_KB, 'and as much memory');
		diag sprintf '%-33s %d terminated: %d kB more in the postmaster', $phase->{name}, QUERIES, $grown;
	}
	# an account is new in this pass
	is($phases->monitor->query_safe(q{SELECT count(*) FROM kis_stat}), $accounts + 1, 'kis_stat has no more rows');
}

# ---- look-ups that hang hold a thread each: there are so many and no more

my ($name) = grep { $_->{key} eq 'name' } $phases->all;
my $session = $node->session;

$phases->prepare($name);
ok($phases->works($session), 'a session with a connection to KIS');
$phases->interrupt('cancel', $name, $session, $phases->query($name)) foreach 1 .. 16;
# since 8.20 libcurl has a thread for each family of addresses
like(threads($session), qr/^(?:17|33)$/, '16 look-ups may hang');
ok($phases->works($session), 'which hold up no call that needs none');
my $error = $session->query($phases->query($name))->{errors}[0];
is($error->{sqlstate}, 'HV00N', 'then an error');
like($error->{detail}, qr/16 earlier look-ups of host names have not ended yet/, 'says so');
$phases->finish($name);
eventually { $resolver->begun == $resolver->ended };
like($session->query($phases->query($name))->{output}, qr/^KSP\|/, 'they have ended: it works again');
ok((eventually { threads($session) == 1 }), 'and no thread is left');

$session->quit;
$phases->quit;
done_testing();
