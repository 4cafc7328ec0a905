# A stretch of days at KIS, and what it shows at each moment: the truth that a
# store is held against. All random, by one seed.
#
# A pair's totals grow through the session and the after-market, are corrected
# in the evening and stay until KIS turns over: at the open, or before with
# zeros or a little pre-market trade, or, where nobody has told, later. Days are
# YYYY-MM-DD, moments seconds of a day in Seoul.
package KisTest::Timeline;

use strict;
use warnings;

use Digest::MD5 ();
use List::Util qw(min max);
use Time::Local ();

use constant {
	SESSION_START => 8.5 * 3600,
	OPEN => 9 * 3600,
	CLOSE => 15.5 * 3600,
	HOUR => 3600 };

# Options: seed; first and days, the stretch; pairs, each with its usual size;
# fields, KIS's names of a pair's figures; holidays and yearly, as the simulator's
# settings have them; late_opens.
sub new
{
	my ($class, %opts) = @_;
	my $self = bless { %opts, day => {} }, $class;

	$self->{closed} = { map { $_ => 1 } @{ $opts{holidays} } };
	$self->{closed_yearly} = { map { $_ => 1 } @{ $opts{yearly} } };
	$self->{late} = { map { $_ => 1 } @{ $opts{late_opens} } };
	return $self;
}

# ---- days

sub _epoch
{
	my ($day) = @_;
	my ($year, $month, $mday) = split /-/, $day;

	return Time::Local::timegm(0, 0, 0, $mday, $month - 1, $year);
}

sub day_after
{
	my ($day, $number) = @_;
	my (undef, undef, undef, $mday, $month, $year) = gmtime(_epoch($day) + ($number // 1) * 86400);

	return sprintf '%04d-%02d-%02d', $year + 1900, $month + 1, $mday;
}

sub days { return map { day_after($_[0]{first}, $_) } 0 .. $_[0]{days} - 1 }

sub is_open
{
	my ($self, $day) = @_;
	my $weekday = (gmtime _epoch($day))[6];

	return $weekday >= 1 && $weekday <= 5 && !$self->{closed}{$day} && !$self->{closed_yearly}{ substr $day, 5 };
}

sub open_before
{
	my ($self, $day) = @_;

	do { $day = day_after($day, -1) } until $self->is_open($day);
	return $day;
}

# By how much the day is later than others: what the server is to know.
sub late_by
{
	my ($self, $day) = @_;

	return $self->{late}{$day} || substr($self->open_before($day), 0, 4) < substr($day, 0, 4) ? HOUR : 0;
}

# ---- chance: the same for the same words

sub chance
{
	my ($self, @words) = @_;

	return unpack('N', Digest::MD5::md5(join '/', $self->{seed}, @words)) / 2**32;
}

# ---- what KIS does on a day

# When it turns over, and from when on it shows zeros or pre-market trade until
# then (undef: it does not).
sub habits
{
	my ($self, $day) = @_;

	return $self->{day}{$day} //= do
	{
		my $open = OPEN + $self->late_by($day);
		my $kind = $self->chance($day, 'morning');
		{
			turns_over => $open,
			zeros_from => $kind < 0.35 ? int($self->chance($day, 'zeros') * $open) : undef,
			trades_from => $kind > 0.8 ? $open - 0.5 * HOUR : undef,
			corrected_at => int((16 + 5 * $self->chance($day, 'corrected')) * HOUR),
			closed_zeros => $self->chance($day, 'closed') < 0.15 };
	};
}

# Nobody is told: KIS turns over so many seconds later, and shows the day before until then.
sub turn_over_late
{
	my ($self, $day, $seconds) = @_;
	my $habits = $self->habits($day);

	$habits->{turns_over} += $seconds;
	@$habits{qw(zeros_from trades_from)} = (undef, undef);
	return;
}

sub _progress
{
	my ($self, $day, $second) = @_;
	my $open = $self->habits($day)->{turns_over};

	return 0.002 * (1 + $second % 60 / 60) if $second < $open;
	return 0.99 * ($second - $open) / (CLOSE + HOUR - $open) + 0.005 if $second < CLOSE + HOUR;
	return min(1, 0.996 + 0.004 * ($second - CLOSE - HOUR) / (20 * HOUR - CLOSE - HOUR));
}

# What a day's totals are at a moment: a hash of members.
sub figures
{
	my ($self, $pair, $day, $second) = @_;
	my $size = $self->{pairs}{$pair} * (0.5 + 1.2 * $self->chance($pair, $day, 'size'));
	my $progress = $self->_progress($day, $second);
	my $corrected = $second >= $self->habits($day)->{corrected_at};
	my %figures;

	foreach my $field (@{ $self->{fields} })
	{
		next if $field =~ /_ntby_/;
		my $part = $self->chance($pair, $field) ** 2 * (0.6 + 0.8 * $self->chance($pair, $day, $field));
		my $total = $size * $part * $progress ** (0.8 + 0.4 * $self->chance($day, $field));

		# corrections go both ways, and leave most figures alone
		$total *= 1 + 0.01 * ($self->chance($pair, $day, $field, 'correction') - 0.4)
		  if $corrected && $self->chance($pair, $day, $field, 'corrected') < 0.3;
		$figures{$field} = int $total;
	}
	foreach my $field (grep { /_ntby_/ } @{ $self->{fields} })
	{
		my ($sell, $buy) = map { $field =~ s/_ntby_(?:qty|vol)/${_}_vol/r =~ s/_ntby_/${_}_/r } '_seln', '_shnu';

		$figures{$field} = $figures{$buy} - $figures{$sell};
	}
	return \%figures;
}

# What KIS shows of a pair: the day that it is of, and its figures. Of zeros the
# day is that of the moment, if that is a trading day.
sub shown
{
	my ($self, $pair, $day, $second) = @_;
	my $habits = $self->habits($day);
	my %zeros = map { $_ => 0 } @{ $self->{fields} };
	my $before = $self->open_before($day);

	if (!$self->is_open($day))
	{
		return { day => undef, figures => \%zeros } if $habits->{closed_zeros} && $second > 6 * HOUR;
		return { day => $before, figures => $self->figures($pair, $before, 24 * HOUR) };
	}
	my $turned = $second >= ($habits->{trades_from} // $habits->{turns_over});
	my $figures = $self->figures($pair, $turned ? $day : $before, $turned ? $second : 24 * HOUR);

	return { day => $day, figures => \%zeros }
	  if !$turned && defined $habits->{zeros_from} && $second >= $habits->{zeros_from};
	return { day => $turned ? $day : $before, figures => $figures };
}

# ---- when somebody looks

# Moments of a day at which a collector runs, in their order; often when something happens.
sub looks
{
	my ($self, $day, $often) = @_;
	my $late = $self->is_open($day) ? $self->late_by($day) : 0;
	my @around = (0, SESSION_START + $late, OPEN + $late, SESSION_START + 2 * HOUR + $late, CLOSE, 20 * HOUR, $self->habits($day)->{corrected_at});
	my $count = int(($late ? 4 : 1) * $often * 2 * $self->chance($day, 'looks') + 0.5);
	my %at;

	for my $n (1 .. $count)
	{
		my $second = $self->chance($day, $n, 'where') < 0.5 ?
		  $around[ @around * $self->chance($day, $n, 'around') ] + 3000 * ($self->chance($day, $n, 'near') - 0.4) :
		  86400 * $self->chance($day, $n, 'any');

		$at{ int(min(86390, max(0, $second)) / 60) * 60 + int(40 * $self->chance($day, $n, 'second')) } = 1;
	}
	return sort { $a <=> $b } keys %at;
}

1;
