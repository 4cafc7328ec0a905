# Many sessions of a server that do the same at once.
package KisTest::Crowd;

use strict;
use warnings;

use Time::HiRes ();

use KisTest;

# So many sessions; more parameters as those of session.
sub new
{
	my ($class, $node, $count, %params) = @_;

	return bless {
		node => $node,
		sessions => [ map { $node->session('postgres', %params) } 1 .. $count ] }, $class;
}

sub sessions { return @{ $_[0]{sessions} } }

# Sends SQL to all and returns at once; a function makes it from a session's number.
sub send
{
	my ($self, $sql) = @_;
	my $number = 0;

	foreach my $session ($self->sessions)
	{
		$session->send(ref $sql ? $sql->($number) : $sql);
		$number++;
	}
	return;
}

# Their results, in the order of the sessions.
sub results
{
	my ($self, $timeout) = @_;

	return map { $_->result($timeout) } $self->sessions;
}

# Sends and returns the results.
sub query
{
	my ($self, $sql, $timeout) = @_;

	$self->send($sql);
	return $self->results($timeout);
}

# Waits until all that was sent waits for KIS or for another session; dies after 30 s.
sub wait_until_waiting
{
	my ($self) = @_;

	wait_until_waiting_pids($self->{node}, map { $_->pid } $self->sessions);
	return;
}

sub wait_until_waiting_pids
{
	my ($node, @pids) = @_;
	my $list = join ',', @pids;

	$node->poll_query_until('postgres',
		"SELECT count(*) = " . @pids . " FROM pg_stat_activity"
		  . " WHERE pid IN ($list) AND state = 'active' AND wait_event_type = 'Extension'")
	  or die "these do not all wait: $list";
	return;
}

sub quit
{
	my ($self) = @_;

	$_->quit foreach $self->sessions;
	return;
}

1;
