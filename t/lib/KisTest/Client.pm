# A program of test/clients that uses a database of a test as other tools than
# psql do. It reads requests, a line each, and answers each with lines and a
# "." after them. Text is of characters ("use utf8").
package KisTest::Client;

use strict;
use warnings;

use Cwd ();
use Encode ();
use Exporter 'import';
use File::Basename ();
use IPC::Run ();
use JSON::PP ();
use Test::More;

use PostgreSQL::Test::Utils ();

our @EXPORT = qw(need_client asks_nothing queries_of_views);

my $programs = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../../test/clients');

# Where what a Debian package brings is not there, the test ends as skipped:
# it says why and is counted. The probe is a file's name, or a command.
sub need_client
{
	my ($package, $probe) = @_;
	my $output;
	my $there = ref $probe
	  ? eval { IPC::Run::run($probe, '<', \undef, '>&', \$output) }
	  : -e $probe;

	plan skip_all => "not installed: on Debian, apt-get install $package" unless $there;
	return;
}

# Nothing since the last look has asked KIS, not even for a token.
sub asks_nothing
{
	my ($simulator, $name) = @_;

	is_deeply([ map { $_->{path} } $simulator->requests ], [], $name);
	$simulator->reset(keep_tokens => JSON::PP::true);
	return;
}

# Puts a row of a morning into the store and its snapshots: in UTC it is the day
# before. Returns a query of each of the two views.
sub queries_of_views
{
	my ($node) = @_;

	$node->safe_psql('postgres', q{
		CREATE TABLE y2020 PARTITION OF market_investor_trend_snapshot FOR VALUES FROM ('2020-01-01 00:00+09') TO ('2021-01-01 00:00+09');
		INSERT INTO market_investor_trend (market_code, sector_code, trade_date, collected_at, foreign_net_qty, foreign_net_amount)
		VALUES ('KSP', '0001', '2020-07-10', '2020-07-10 08:59:30+09', -1234567, 9876543210);
		INSERT INTO market_investor_trend_snapshot (market_code, sector_code, trade_date, collected_at, foreign_net_qty, foreign_net_amount)
		SELECT market_code, sector_code, trade_date, collected_at, foreign_net_qty, foreign_net_amount FROM market_investor_trend});
	return map { "SELECT trade_date, collected_at, collected_at_seoul, screen_name, net_qty, net_amount_eok FROM market_investor_trend_$_"
		  . q{ WHERE trade_date = '2020-07-10' AND investor = 'foreign'} } qw(by_investor intraday);
}

# Starts a program: the command that runs it, its name, its arguments. libpq's
# variables tell it where the database is.
sub new
{
	my ($class, $node, $db, $command, $program, @arguments) = @_;
	my $self = bless { in => '', out => '', err => '' }, $class;

	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $db,
		PGUSER => scalar getpwuid($>), PGCLIENTENCODING => 'UTF8', PYTHONIOENCODING => 'UTF-8');
	$self->{timeout} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	$self->{run} = IPC::Run::start([ @$command, "$programs/$program", @arguments ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timeout});
	return $self;
}

# The lines of the answer. A program that fails has the test die.
sub ask
{
	my ($self, $request) = @_;

	$self->{in} .= Encode::encode('UTF-8', "$request\n");
	$self->{timeout}->start;
	$self->{run}->pump until $self->{out} =~ /^\.\n/m || !$self->{run}->pumpable;
	$self->{timeout}->reset;
	$self->{out} =~ s/\A(.*?)^\.\n//ms or die "no answer to \"$request\": $self->{out}$self->{err}";
	return split /\n/, Encode::decode('UTF-8', $1);
}

sub quit
{
	my ($self) = @_;

	$self->{run}->finish;
	return $self->{err};
}

1;
