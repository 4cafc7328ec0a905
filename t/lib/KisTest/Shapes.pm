# Queries of many shapes, prepared and run on the foreign tables of schema
# remote and on the local tables of schema local that have the same content.
#
#	my $shapes = KisTest::Shapes->new($node, \@shapes);
#	$shapes->same_rows($settings, $repeat);
#
# A shape is a name and [ query, types of its parameters, their values ].
package KisTest::Shapes;

use strict;
use warnings;

use Test::More;

use KisTest;

sub new
{
	my ($class, $node, $shapes) = @_;
	my $self = bless { node => $node, shapes => $shapes }, $class;
	my %expected = $self->rows_of('local', '', 1);

	is(scalar(keys %expected), @$shapes / 2, 'every shape ran on the local tables');
	cmp_ok(scalar(grep { $_->[0] ne '' } values %expected), '>', @$shapes / 2 - 5, 'nearly all of them have rows');
	$self->{expected} = \%expected;
	return $self;
}

# Each shape so many times, its rows sorted.
sub rows_of
{
	my ($self, $schema, $settings, $repeat) = @_;
	my @shapes = @{ $self->{shapes} };
	my $script = "SET search_path = $schema, public;\nSET client_min_messages = error;\n$settings";
	my (%rows, $name);

	for (my $i = 0; $i < @shapes; $i += 2)
	{
		my ($query, $types, $values) = @{ $shapes[ $i + 1 ] };

		$script .= "PREPARE shape" . (defined $types ? "($types)" : '') . " AS $query;\n";
		foreach my $run (1 .. $repeat)
		{
			$script .= "\\echo ## $shapes[$i]\nEXECUTE shape" . (defined $values ? "($values)" : '') . ";\n";
		}
		$script .= "DEALLOCATE shape;\n";
	}
	my $result = run_sql($self->{node}, 'postgres', $script);
	is($result->{stderr}, '', "no error: $settings");
	foreach my $line (split /\n/, $result->{output})
	{
		if ($line =~ /^## (.*)/)
		{
			$name = $1;
			push @{ $rows{$name} }, [];
		}
		else
		{
			push @{ $rows{$name}[-1] }, $line;
		}
	}
	return map {
		my $shape = $_;
		$shape => [ map { join "\n", sort @$_ } @{ $rows{$shape} } ]
	} keys %rows;
}

# Each shape gives the rows of the local tables, as often as it is run under these settings.
sub same_rows
{
	my ($self, $settings, $repeat) = @_;
	my @shapes = @{ $self->{shapes} };
	my %expected = %{ $self->{expected} };
	my %rows = $self->rows_of('remote', $settings, $repeat);
	my @wrong;

	for (my $i = 0; $i < @shapes; $i += 2)
	{
		my $name = $shapes[$i];
		my $right = grep { $_ eq $expected{$name}[0] } @{ $rows{$name} || [] };

		next if $right == $repeat;
		push @wrong, $name;
		diag("$name, $settings\nexpected:\n$expected{$name}[0]\ngot:\n" . join("\n--\n", @{ $rows{$name} || [] }));
	}
	is("@wrong", '', sprintf('%d shapes give the same rows: %s', @shapes / 2, $settings || 'as planned'));
	return;
}

1;
