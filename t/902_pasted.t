# The READMEs' commands that keep the keys do so where their block is pasted whole
# into a terminal, where the server logs all it can and pgaudit runs: the keys are
# where they belong, and in no log, history, view or title, nor on the screen. Who
# may not turn the log off is not asked for them.
use strict;
use warnings;

use Fcntl ':mode';
use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no IO::Pty: on Debian, apt-get install libio-pty-perl'
  unless eval { require IO::Pty };

my $simulator = KisTest::Simulator->new;
my @keys = ($simulator->app_key, $simulator->app_secret);
my $directory = PostgreSQL::Test::Utils::tempdir();
my $history = "$directory/history";
my ($library_directory) = run_command([ 'pg_config', '--pkglibdir' ]);
my %has = map { $_ => -f "$library_directory/$_.so" } qw(pgaudit pg_stat_statements);
my @preloaded = ('market_investor_fdw', grep { $has{$_} } sort keys %has);
my $node = new_node('main', conf => "shared_preload_libraries = '" . join(',', @preloaded) . q{'
log_statement = all
log_min_duration_statement = 0
log_transaction_sample_rate = 1
debug_print_parse = on
debug_print_rewritten = on
debug_print_plan = on
} . ($has{pgaudit} ? "pgaudit.log = all\npgaudit.log_parameter = on\n" : ''));

# Blocks of a README, as a browser shows them
sub blocks
{
	my ($readme, $language) = @_;
	my $text = slurp_file("$FindBin::RealBin/../$readme");
	my @blocks;

	while ($text =~ /^( *)```$language\n(.*?)^\1```/gms)
	{
		push @blocks, $2 =~ s/^$1//gmr;
	}
	return @blocks;
}

# Pastes a text whole into a program's terminal, and types each key once it is
# asked for; returns what the screen showed. A terminal that brackets what is
# pasted tells the program where it ends.
sub paste
{
	my ($text, $is_bracketed, $questions, @command) = @_;
	my ($in, $screen) = ('', '');
	local %ENV = (%ENV, TERM => $is_bracketed ? 'xterm' : 'dumb', INPUTRC => '/dev/null', PAGER => 'cat',
		PATH => "$directory:$ENV{PATH}", PS1 => 'ready$ ', HISTFILE => $history, PSQL_HISTORY => $history);
	my $terminal = IPC::Run::start(\@command, '<pty<', \$in, '>pty>', \$screen,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	unlink $history;
	eval {
		$terminal->pump until $screen =~ /[\$#>] (?:\e\S*)?\z/;
		$in = $is_bracketed ? "\e[200~" . $text =~ s/\n\z//r . "\e[201~\n" : $text;
		foreach my $i (0 .. $#$questions)
		{
			my $asked = qr/(?<!')\Q$questions->[$i]\E: \z/;

			$terminal->pump until $screen =~ $asked || !$terminal->pumpable;
			$in .= "$keys[$i]\n";
			$terminal->pump while $screen =~ $asked && $terminal->pumpable;
		}
		$in .= $command[0] eq 'psql' ? "\\q\n" : "exit\n";
		$terminal->finish;
		1;
	} or do {
		diag "$@$screen";
		$terminal->kill_kill;
	};
	return $screen;
}

sub shown_in
{
	my ($text) = @_;

	return [ grep { index($text, $_) >= 0 } @keys ];
}

sub content
{
	my ($file) = @_;

	return -e $file ? slurp_file($file) : '';
}

append_to_file("$directory/sudo", qq{#!/bin/sh\n[ "\$1" = -u ] && shift 2\nexec "\$@"\n});
chmod 0755, "$directory/sudo";
$node->safe_psql('postgres', 'CREATE ROLE guest LOGIN; CREATE EXTENSION market_investor_fdw;'
	  . q{CREATE SERVER kis FOREIGN DATA WRAPPER market_investor_fdw OPTIONS (base_url '} . $simulator->url . q{');
	GRANT USAGE ON FOREIGN SERVER kis TO guest;
	IMPORT FOREIGN SCHEMA kis FROM SERVER kis INTO public});

my @psql = ('psql', '-X', '-h', $node->host, '-p', $node->port, '-d', 'postgres');

foreach my $case ([ 'README.md', 0 ], [ 'README.md', 1 ], [ 'README.ko.md', 0 ], [ 'README.ko.md', 1 ])
{
	my ($readme, $is_bracketed) = @$case;
	my $name = $readme . ($is_bracketed ? ', bracketed' : '');

	# ---- keys in files
	my ($files) = grep { m{scripts/keys} } blocks($readme, 'sh');
	my $place = "$directory/kis";
	$files =~ s{scripts/keys}{'$FindBin::RealBin/../scripts/keys' '$place'};
	my $screen = paste($files, $is_bracketed, [ 'app key', 'app secret' ], 'bash', '--norc', '--noprofile', '-i');

	is(content("$place/app_key"), "$keys[0]\n", "$name: the file has the key");
	is(content("$place/app_secret"), "$keys[1]\n", 'and the other one the secret');
	is_deeply([ map { sprintf '%o', S_IMODE((stat $_)[2] // 0) } $place, "$place/app_key", "$place/app_secret" ],
		[qw(700 600 600)], 'for one user alone');
	is_deeply(shown_in($screen), [], 'the screen does not show them');
	is_deeply(shown_in(content($history)), [], 'nor is the history told');
	unlike($screen, qr/command not found/, 'nothing was taken for a command');
	# those that are there are written anew, whoever could read them
	chmod 0644, "$place/app_key", "$place/app_secret";

	# ---- keys in a statement
	my ($prompt) = grep { /\\prompt/ } blocks($readme, 'sql');
	my $log_begins = -s $node->logfile;

	$screen = paste($prompt, $is_bracketed, [], @psql, '-U', 'guest');
	like($screen, qr/permission denied to set parameter/, "$name: who may not turn off the log is told so");
	unlike($screen, qr/(?<!')app key: /, 'and not asked');

	$screen = paste($prompt, $is_bracketed, [ 'app key', 'app secret' ], @psql, '-U', $ENV{PGUSER} || getpwuid $>);
	like($screen, qr/\nCREATE USER MAPPING\r?\n/, 'a superuser has a mapping');
	unlike($screen, qr/ERROR:/, 'without an error');
	is_deeply(shown_in(content($history)), [], 'the history is not told');
	like($node->safe_psql('postgres', q{SELECT * FROM kis_market_trend WHERE market_code = 'KSP'}),
		qr/^KSP\|0001\|/, 'the mapping works');
	is_deeply(shown_in(slurp_file($node->logfile, $log_begins)), [], 'the log has neither of them');
	$node->safe_psql('postgres', 'DROP USER MAPPING FOR CURRENT_USER SERVER kis');
}

# ---- the log would have had them

$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER kis OPTIONS (app_key '$keys[0]', app_secret '$keys[1]')");
my $log = slurp_log($node);
my $found = () = $log =~ /\Q$keys[1]\E/g;
cmp_ok($found, '>=', 2, 'the log is talkative');
SKIP:
{
	skip 'pgaudit is not installed', 1 unless $has{pgaudit};
	like($log, qr/AUDIT: .*CREATE USER MAPPING.*\Q$keys[0]\E/, 'pgaudit, too');
}
is_deeply([ $simulator->problems ], [], 'requests were as KIS documents them');
done_testing();
