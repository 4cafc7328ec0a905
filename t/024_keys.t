# scripts/keys: what it refuses, that it shows the keys to nobody, and that the
# files and the SQL it makes work with a server.
use strict;
use warnings;

use Fcntl ':mode';
use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use KisTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = KisTest::Simulator->new;
my ($key, $secret) = ($simulator->app_key, $simulator->app_secret);
my $program = "$FindBin::RealBin/../scripts/keys";
my $directory = PostgreSQL::Test::Utils::tempdir();
my $place = "$directory/it's here";

# The script, given an input: its status and what it says on both channels
sub keys_of
{
	my ($input, @arguments) = @_;
	my ($said, $errors) = ('', '');
	my $run = IPC::Run::start([ $program, @arguments ], '<', \$input, '>', \$said, '2>', \$errors);

	$run->finish;
	return ($run->result(0), $said, $errors);
}

# The file's content and rights
sub file
{
	my ($name) = @_;

	return -e "$place/$name" ? sprintf('%o %s', S_IMODE((stat "$place/$name")[2]), slurp_file("$place/$name")) : 'none';
}

# ---- wrong input: a sentence, without what was given; and no files

my $blank = substr($key, 0, 35);
foreach my $case (
	[ '', 'no app key: the standard input must have two lines' ],
	[ "$key\n", 'no app secret: the standard input must have two lines' ],
	[ "\n$secret\n", 'the app key is empty' ],
	[ "$key\n \t\n", 'the app secret is empty' ],
	[ substr($key, 0, 20) . ' ' . substr($key, 20) . "\n$secret\n", 'the app key contains a blank, a control character or one that is not ASCII' ],
	[ "$key\n$secret\a$secret\n", 'the app secret contains a blank, a control character' ],
	[ "\xc3\xa9$blank\n$secret\n", 'the app key contains .* one that is not ASCII' ],
	[ "$blank\n$secret\n", q{the app key has 35 characters, and KIS's have 36} ],
	[ "$secret\n$key\n", q{the app key has 180 characters, and KIS's have 36} ],
	[ "$key\n$secret$secret\n", q{the app secret has 360 characters, and KIS's have 180} ],
	[ $key x 40 . "\n$secret\n", q{the app key is longer than any of KIS's} ])
{
	my ($input, $sentence) = @$case;
	my ($status, $said, $errors) = keys_of($input, $place);

	is("$status$said", 1, "refused: $sentence");
	like($errors, qr/^keys: $sentence[^\n]*\n\z/, 'it says why');
	unlike($errors, qr/\Q$blank\E|\Q$secret\E/, 'and not what it was');
}
ok(!-e $place, 'nothing has been made');

foreach my $case (
	[ $key, 'not an absolute path of a directory. The keys are no arguments' ],
	[ "--app-key=$key", 'no such option' ],
	[ '--user=nobody-like-it', 'there is no user nobody-like-it' ],
	[ '--user=root', q{root can't run PostgreSQL} ])
{
	my ($argument, $sentence) = @$case;
	my ($status, $said, $errors) = keys_of("$key\n$secret\n", $argument);

	is("$status$said", 1, "refused: $sentence");
	like($errors, qr/^keys: \Q$sentence\E/, 'it says why');
	unlike($errors, qr/\Q$key\E/, 'without a key');
}

my ($status, $said, $errors) = keys_of("$key\n$secret\n", '/proc/kis');
is("$status$said", 1, 'where nothing can be written it ends');
like($errors, qr{^keys: \S+ can't write the files in /proc/kis}m, 'and says so');

# ---- right input

($status, $said, $errors) = keys_of("  $key\r\n$secret", $place);
is($status, 0, 'key and secret are taken, without the white space around them') or diag $errors;
is(file('app_key'), "600 $key\n", 'the key, for one user alone');
is(file('app_secret'), "600 $secret\n", 'the secret');
is(sprintf('%o', S_IMODE((stat $place)[2])), '700', 'in a directory for that user');
unlike("$said$errors", qr/\Q$key\E|\Q$secret\E/, 'it shows neither');

my $sql = $said =~ s{(?<=market_investor_fdw)(?=;\nCREATE USER)}{" OPTIONS (base_url '" . $simulator->url . "')"}er;
my $node = new_node('main');
my $result = run_sql($node, 'postgres', $sql);
is_deeply($result->{errors}, [], 'its SQL runs as it stands, but for where KIS is');
like($result->{output}, qr/^pair\|t\|KSP\/0001 answered/m, 'and KIS answers');

# Files of before are replaced, whatever they were: a link is no way elsewhere
my $inode = (stat "$place/app_key")[1];
symlink("$directory/elsewhere", "$place/.app_key.new");
chmod 0644, "$place/app_key";
($status, $said, $errors) = keys_of("short\n$secret\n", '--any-length', $place);
is($status, 0, 'another length, where that is meant');
is(file('app_key'), "600 short\n", 'the file is a new one');
isnt((stat "$place/app_key")[1], $inode, 'so nobody reads half of it');
ok(!-e "$directory/elsewhere", 'and nothing else was written');
opendir(my $handle, $place) or die "$place: $!";
is_deeply([ sort grep { !/^\.\.?$/ } readdir $handle ], [qw(app_key app_secret)], 'nothing else is left');
closedir($handle);

# ---- on a terminal, with a shell that traces what it does

SKIP:
{
	skip 'there is no IO::Pty: on Debian, apt-get install libio-pty-perl', 5 unless eval { require IO::Pty };

	my ($in, $screen, $others) = ('', '', '');
	my $terminal = IPC::Run::start([ 'bash', '-x', $program, $place ], '<pty<', \$in, '>pty>', \$screen,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	foreach my $asked ([ 'app key', $key ], [ 'app secret', $secret ])
	{
		$terminal->pump until $screen =~ /$asked->[0]: \z/ || !$terminal->pumpable;
		# what anybody can see of processes
		$others .= join "\n", map { -r $_ ? slurp_file($_) : '' } glob '/proc/[0-9]*/cmdline';
		$in .= "$asked->[1]\n";
		$terminal->pump while $screen =~ /$asked->[0]: \z/ && $terminal->pumpable;
	}
	$terminal->finish;
	is($terminal->result(0), 0, 'on a terminal it asks for both') or diag $screen;
	is(file('app_key'), "600 $key\n", 'and takes the key');
	is(file('app_secret'), "600 $secret\n", 'and the secret');
	unlike($screen, qr/\Q$key\E|\Q$secret\E/, 'which the screen does not show, even traced');
	unlike($others, qr/\Q$secret\E/, 'nor a list of processes');
}

is_deeply([ $simulator->problems ], [], 'requests were as KIS documents them');
done_testing();
