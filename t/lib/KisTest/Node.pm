# A PostgreSQL server of a test, with an environment of its own and sessions. A
# test whose servers have logged that something was left open fails in the end.
package KisTest::Node;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use KisTest::Session;

use parent -norequire, 'PostgreSQL::Test::Cluster';

# What PostgreSQL says of relations, buffers, snapshots and the like that a
# transaction leaves open; from 17 on it is a resource, whatever it was.
our $leak = qr/WARNING:  (?:\w{5}: )?(?:.*\b(?:reference|refcount|file|memory) leak\b|resource was not closed|leak(?:ed|ing) |.* not closed at end-of-transaction)/;

my %logs;

sub start
{
	my ($self, %params) = @_;

	$logs{ $self->logfile } = 1;
	local %ENV = (%ENV, %{ $self->{kis_env} || {} });
	return $self->SUPER::start(%params);
}

sub restart
{
	my ($self, @params) = @_;

	local %ENV = (%ENV, %{ $self->{kis_env} || {} });
	return $self->SUPER::restart(@params);
}

# A session that stays open; see KisTest::Session. Parameters as background_psql.
sub session
{
	my ($self, $db, %params) = @_;

	return KisTest::Session->new(
		$self->background_psql(defined $db ? $db : 'postgres', on_error_stop => 0, %params));
}

END
{
	foreach my $file (keys %logs)
	{
		open my $log, '<', $file or next;
		while (<$log>)
		{
			next unless /$leak/;
			print STDERR "# $file: $_";
			$? ||= 1;
		}
	}
}

1;
