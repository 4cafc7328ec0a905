# The matrix of faults: t/fault_matrix.tsv, where each line says what a fault of
# the simulator does to some kinds of work, and doc/dev/faults.md, which prints it.
#
# Prints the doc's tables, for when a line has changed:
#	perl -It/lib -MKisTest::FaultMatrix -e 'print KisTest::FaultMatrix->read("t/fault_matrix.tsv")->markdown'
package KisTest::FaultMatrix;

use strict;
use warnings;

use JSON::PP ();

# As the table's columns are named there
our @works = ('one', '19', 'async', 'collect', 'backfill', 'calendar', 'token');
my %short = (all => \@works, data => [ @works[ 0 .. 5 ] ]);
my @columns = qw(fault params works requests result message detail next);
my @headings = ('fault', 'work', 'requests', 'result', 'message', 'detail', 'next');

# Sections of faults; a fault has a name, the params of the simulator's, what it
# matches besides, and lines: what is expected of each work.
sub read
{
	my ($class, $path) = @_;
	my $self = bless { sections => [] }, $class;

	open my $file, '<', $path or die "$path: $!";
	while (my $line = <$file>)
	{
		chomp $line;
		push @{ $self->{sections} }, { title => $1, faults => [] } if $line =~ /^## (.*)/;
		$self->_add_line($line) unless $line =~ /^(#|$)/;
	}
	close $file;
	return $self;
}

sub _add_line
{
	my ($self, $text) = @_;
	my %line;
	my $faults = $self->{sections}[-1]{faults};

	@line{@columns} = split /\t/, $text, -1;
	die "a line of another shape: $text" if grep { !defined } @line{@columns};
	push @$faults, _fault(@line{qw(fault params)}) if $line{fault} ne '';
	my $fault = $faults->[-1];
	push @{ $fault->{lines} }, \%line;
	foreach my $work (map { @{ $short{$_} || [$_] } } split / /, $line{works})
	{
		die "$fault->{title}: $work twice" if $fault->{of}{$work};
		$fault->{of}{$work} = \%line;
	}
	return;
}

# Params are JSON values by name; "reused" is no parameter but a match.
sub _fault
{
	my ($name, $params) = @_;
	my %params = map { my ($key, $value) = split /=/, $_, 2; $key => JSON::PP->new->allow_nonref->decode($value) }
	  split / /, $params;
	my %match = map { $_ => delete $params{$_} } grep { exists $params{$_} } 'reused';

	return { name => $name, title => $name . ($params ne '' ? " $params" : ''),
		params => \%params, match => \%match, lines => [], of => {} };
}

sub faults
{
	my ($self) = @_;

	return map { @{ $_->{faults} } } @{ $self->{sections} };
}

# What matches one of the table's details, where "…" stands for what varies
sub pattern
{
	my ($text) = @_;
	my $pattern = join '.*', map { quotemeta } split /…/, $text, -1;

	return qr/^$pattern$/s;
}

sub _row
{
	return '| ' . join(' | ', map { s/\|/\\|/gr } @_) . " |\n";
}

sub markdown
{
	my ($self) = @_;

	return join "\n", map { _markdown_of($_) } @{ $self->{sections} };
}

sub _markdown_of
{
	my ($section) = @_;
	my $text = "## $section->{title}\n\n" . _row(@headings) . _row(('---') x @headings);

	foreach my $fault (@{ $section->{faults} })
	{
		my $title = "`$fault->{title}`";

		foreach my $line (@{ $fault->{lines} })
		{
			$text .= _row($title, @$line{qw(works requests result message)},
				$line->{detail} ne '' ? "`$line->{detail}`" : '', $line->{next});
			$title = '';
		}
	}
	return $text;
}

1;
