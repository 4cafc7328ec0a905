# How soon what hangs must end, and what a busy machine excuses.
#
# A server that has the processor ends it within some ms. Where two cores have
# eight to serve, the server, psql and the test itself each wait for their turn,
# and that is no delay of the code. A delay of the code comes again. So what is
# not within the bars is measured anew, up to TRIES times in all, and the last
# time must be within: what is over them each time fails. Excused is a delay that
# comes at times only and is not above ALWAYS_MS: a busy machine has such, and so
# would a fault of ours that is as rare. What is above ALWAYS_MS fails at once,
# for it is rather a wake-up that was lost than a turn that was late. All figures
# are printed, and are in the median and the worst.
#
# So it is in a long run. In another one the bars are as KisTest's "within" has
# them: it is green on any machine, and tells what ends from what hangs.
package KisTest::Bars;

use strict;
use warnings;

use KisTest ();
use List::Util ();
use Test::More;

use constant {
	MEDIAN_MS => 50,		# of three or more
	WORST_MS => 250,
	ALWAYS_MS => 1000,		# which nothing excuses
	TRIES => 4,
	ASSERTIONS => 10 };		# times slower is a server that checks them

# Those of a server. Options: other bars, in ms: median, worst.
sub new
{
	my ($class, $node, %opts) = @_;
	my $slower = $node->safe_psql('postgres', 'SHOW debug_assertions') eq 'on' ? ASSERTIONS : 1;
	my %bars = (median => MEDIAN_MS, worst => WORST_MS, always => ALWAYS_MS, %opts);

	return bless { figures => [], repeated => 0, map { $_ => 1000 * KisTest::within($bars{$_} * $slower / 1000) } keys %bars }, $class;
}

sub _median
{
	my @sorted = sort { $a <=> $b } @_;

	return $sorted[ @sorted / 2 ];
}

sub _are_within
{
	my ($self, @figures) = @_;

	return List::Util::max(@figures) <= $self->{worst} && (@figures < 3 || _median(@figures) <= $self->{median});
}

# Measures by a function that returns references to ms and to what else was
# wrong; anew, where only the ms were. Whether the last were within the bars, and
# what was wrong.
sub meet
{
	my ($self, $name, $measure) = @_;
	my ($good, $wrong);

	foreach my $try (1 .. TRIES)
	{
		(my $figures, $wrong) = $measure->();
		$good = $self->_are_within(@$figures);
		diag sprintf '%-70s %s ms', $name, join ' ', map { sprintf '%6.1f', $_ } @$figures;
		push @{ $self->{figures} }, @$figures;
		last if $good || @$wrong || List::Util::max(@$figures) > $self->{always};
		$self->{repeated}++ if $try < TRIES;
	}
	return ($good, $wrong);
}

# Of all that was measured
sub median_is_within
{
	my ($self) = @_;

	return _median(@{ $self->{figures} }) <= $self->{median};
}

sub summary
{
	my ($self) = @_;
	my @figures = @{ $self->{figures} };

	return sprintf 'ended %d times, %d tries repeated (their figures are in): median %.1f ms, worst %.1f ms',
	  scalar @figures, $self->{repeated}, _median(@figures), List::Util::max(@figures);
}

1;
