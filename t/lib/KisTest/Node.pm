# A PostgreSQL server of a test, with an environment of its own and sessions.
package KisTest::Node;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use KisTest::Session;

use parent -norequire, 'PostgreSQL::Test::Cluster';

sub start
{
	my ($self, %params) = @_;

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

1;
