# What justwatch's sql_exporter shows to Prometheus, configured by
# examples/prometheus, of a server's database.
package KisTest::Exporter;

use strict;
use warnings;

use Exporter 'import';
use File::Basename ();
use HTTP::Tiny;
use KisTest;
use KisTest::Page qw(sql_of_page);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT_OK = qw(program scrape watcher_sql);

my $config = File::Basename::dirname(__FILE__) . '/../../../examples/prometheus/sql_exporter.yml';

# A program on the path, or where its package has it
sub program
{
	my ($name) = @_;
	my ($found) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/bin';

	return $found;
}

# What doc/operations.md has a superuser run first
sub watcher_sql
{
	my @grants = sql_of_page('doc/bi-tools.md', 'CREATE FUNCTION missing_of_days') =~ /^\s*(GRANT .*\n)/mg;

	return join '', sql_of_page('doc/operations.md', 'CREATE ROLE watcher'), map { s/dashboard/watcher/r } @grants;
}

# Starts the exporter, waits for the metrics of both its jobs, and ends it: the page,
# and the metrics by name and the labels that are not the exporter's own.
sub scrape
{
	my ($exporter, $host, $server_port, $database) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $text = slurp_file($config);
	my ($page, %metric) = ('');

	is($text =~ s{/postgres\?host=/var/run/postgresql&}{/$database?host=$host&port=$server_port&}g, 2, 'both jobs connect by the socket, without a password');
	append_to_file("$directory/config.yml", $text);
	my $pid = fork // die "could not fork: $!";
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$directory/log";
		open STDERR, '>&', \*STDOUT;
		exec $exporter, '-config.file', "$directory/config.yml", '-web.listen-address', "127.0.0.1:$port" or POSIX::_exit(127);
	}
	my $all = eventually {
		$page = HTTP::Tiny->new(proxy => undef, http_proxy => undef)->get("http://127.0.0.1:$port/metrics")->{content};
		$page =~ /^sql_market_investor_trend_gaps/m && $page =~ /^sql_market_investor_trend_looks/m
	};
	kill 'TERM', $pid;
	waitpid $pid, 0;
	my $log = slurp_file("$directory/log");
	ok($all, 'the metrics are there') or diag $log;
	unlike($log, qr/"level":"(?:warn|error)"/, 'and nothing went wrong');
	unlike($page, qr/^sql_exporter_last_scrape_failed\{.*\} 1$/m, 'in no query');

	while ($page =~ /^(sql_\w+)\{(.*)\} (\S+)$/mg)
	{
		my ($name, $labels, $value) = ($1, $2, $3);
		my %label = $labels =~ /(\w+)="([^"]*)"/g;
		delete @label{qw(driver host database user sql_job app_key_fingerprint kis_host)};
		$metric{ join ' ', $name, map { $label{$_} } sort keys %label } = $value;
	}
	return ($page, %metric);
}

1;
